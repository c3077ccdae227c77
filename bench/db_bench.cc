// Storage engines side by side on revision-keyed work, as LevelDB's db_bench
// does it: named workloads, one after the other, the same for every engine.
//
//   bazel run -c opt //bench:db_bench -- --num=1000000 --json=/tmp/db.json
//   python3 bench/plots.py /tmp/db.json --out /tmp/db.html

#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "bench/db_workloads.h"
#include "bench/process_stat.h"

namespace strata::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kMega = 1 << 20;

struct Flags {
  std::vector<std::string> engines = EngineNames();
  std::vector<std::string> workloads = WorkloadRunner::Names();
  WorkloadSizes sizes;
  std::string directory = "/tmp/strata-db-bench";
  std::string json;
  std::string label;
  uint64_t cache_bytes = 64 << 20;
};

// --- the help ---

std::string Introduction() {
  std::string text =
      "Storage engines side by side on revision-keyed work.\n\n"
      "Each record has a 17-byte revision key and an etcd KeyValue as its "
      "value;"
      "\nabove every engine is the same index in memory, from user keys to "
      "revisions.\nEvery engine runs in a process of its own and does the "
      "workloads in order, on\nwhat those before them left. A writing workload "
      "ends when all it wrote is in the\nengine's files and synced.\n\n"
      "Workloads:\n";
  for (const std::string& name : WorkloadRunner::Names()) {
    text += "  " + name + std::string(14 - name.size(), ' ') +
            WorkloadRunner::Describe(name) + "\n";
  }
  text +=
      "\nEngines:\n"
      "  strata-btree    bbolt's format, copy-on-write, mapped\n"
      "  strata-btree-fl the same with its free list in the file (not by "
      "default)\n"
      "  strata-leveldb  LevelDB through Strata's disk: synced logs, checked "
      "blocks\n"
      "  strata-mem      std::map, the reference of the tests\n"
      "  lmdb            appends where it can (MDB_APPEND)\n"
      "  leveldb         Debian's, as it comes; write buffer 16 MB\n"
      "  rocksdb         Debian's, as it comes\n\n"
      "What is printed: ops a second; how long the middle, the 99th and 99.9th "
      "of a\nhundred took, and the slowest of what `latency of` in the JSON "
      "names; bytes\nwritten (write_bytes of /proc/self/io) for each byte put; "
      "sizes of files, of\nprivate memory (RssAnon, the index of user keys is "
      "in "
      "it) and of mapped pages\n(RssFile).";
  return text;
}

constexpr char kExamples[] =
    "Examples:\n"
    "  db_bench --num=100000                          all engines, a minute\n"
    "  db_bench --engine=strata-btree,lmdb --workloads=fillrev,readrev\n"
    "  db_bench --num=1000000 --json=db.json && bench/plots.py db.json --out "
    "db.html\n";

// --- running ---

uint64_t Nanoseconds(const Histogram& latency, double fraction) {
  return latency.Quantile(fraction);
}

Json ToJson(const std::string& engine, const WorkloadResult& result) {
  Json json = {{"engine", engine},
               {"workload", result.workload},
               {"unit", result.unit},
               {"ops", result.ops},
               {"seconds", result.seconds},
               {"ops_per_s", static_cast<double>(result.ops) / result.seconds},
               {"latency_of", result.latency_of}};
  for (const auto& [name, fraction] :
       std::vector<std::pair<std::string, double>>{{"p50_us", 0.5},
                                                   {"p90_us", 0.9},
                                                   {"p99_us", 0.99},
                                                   {"p999_us", 0.999},
                                                   {"max_us", 1.0 - 1e-12}}) {
    json[name] =
        static_cast<double>(Nanoseconds(result.latency, fraction)) / 1000;
  }
  json["cpu_us"] = result.cpu_seconds * 1e6 / static_cast<double>(result.ops);
  json["put_bytes"] = result.put_bytes;
  json["written_bytes"] = result.written_bytes;
  if (result.put_bytes > 0) {
    json["written_per_put_byte"] = static_cast<double>(result.written_bytes) /
                                   static_cast<double>(result.put_bytes);
  }
  json["file_bytes"] = result.file_bytes;
  json["rss_anon_bytes"] = result.rss_anon_bytes;
  json["rss_file_bytes"] = result.rss_file_bytes;
  for (const auto& [name, value] : result.more) json[name] = value;
  return json;
}

// One line that is written over, on a terminal.
class Progress {
 public:
  void Show(const std::string& what, double part) {
    if (!terminal_) return;
    std::fprintf(stderr, "\r%-40s %3.0f %%", what.c_str(), part * 100);
    std::fflush(stderr);
  }
  void Clear() const {
    if (terminal_) std::fprintf(stderr, "\r%50s\r", "");
  }

 private:
  const bool terminal_ = isatty(STDERR_FILENO) == 1;
};

Json RunEngine(const std::string& engine, const Flags& flags) {
  Json results = Json::array();
  Progress progress;
  WorkloadRunner runner(engine, flags.directory + "/" + engine, flags.sizes,
                        flags.cache_bytes);
  for (const std::string& workload : flags.workloads) {
    const std::string what = engine + " " + workload;
    runner.progress = [&](double part) { progress.Show(what, part); };
    progress.Show(what, 0);
    const auto result = runner.Run(workload);
    if (result.has_value()) results.push_back(ToJson(engine, *result));
  }
  progress.Clear();
  return results;
}

// In a process of its own, so that memory and bytes written are the engine's.
std::optional<Json> RunApart(const std::string& engine, const Flags& flags) {
  const std::string report = flags.directory + "/" + engine + ".json";
  const pid_t child = fork();
  if (child == 0) {
    std::ofstream(report) << RunEngine(engine, flags).dump();
    std::_Exit(0);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
    std::cerr << "db_bench: " << engine << " failed\n";
    return std::nullopt;
  }
  std::ifstream in(report);
  Json results = Json::parse(in);
  std::filesystem::remove(report);
  return results;
}

// --- printing ---

std::string Number(double value) {
  char text[32];
  const char* const format = value >= 100  ? "%.0f"
                             : value >= 10 ? "%.1f"
                                           : "%.2f";
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::vector<std::string> TableRow(const Json& one) {
  const auto number = [&one](const char* name) {
    return one.contains(name) ? one[name].get<double>() : 0.0;
  };
  return {one["engine"],
          Number(number("ops_per_s")),
          one["unit"],
          Number(number("p50_us")),
          Number(number("p99_us")),
          Number(number("p999_us")),
          Number(number("max_us")),
          Number(number("cpu_us")),
          one.contains("written_per_put_byte")
              ? Number(number("written_per_put_byte"))
              : "-",
          Number(number("file_bytes") / kMega),
          Number(number("rss_anon_bytes") / kMega),
          Number(number("rss_file_bytes") / kMega)};
}

void PrintTable(const Flags& flags, const Json& results) {
  const std::vector<std::string> head = {
      "engine", "ops/s",  "of",      "p50 us",  "p99 us",  "p99.9 us",
      "max us", "cpu us", "written", "file MB", "anon MB", "mapped MB"};
  for (const std::string& workload : flags.workloads) {
    std::vector<std::vector<std::string>> rows = {head};
    for (const Json& one : results) {
      if (one["workload"] == workload) rows.push_back(TableRow(one));
    }
    if (rows.size() == 1) continue;
    std::vector<size_t> widths(head.size(), 0);
    for (const auto& row : rows) {
      for (size_t i = 0; i < row.size(); ++i) {
        widths[i] = std::max(widths[i], row[i].size());
      }
    }
    std::cout << workload << ": " << WorkloadRunner::Describe(workload) << "\n";
    for (const auto& row : rows) {
      for (size_t i = 0; i < row.size(); ++i) {
        const std::string pad(widths[i] - row[i].size(), ' ');
        const bool text = i == 0 || i == 2;
        std::cout << "  " << (text ? row[i] + pad : pad + row[i]);
      }
      std::cout << "\n";
    }
    std::cout << "\n";
  }
}

std::string Now() {
  const std::time_t now =
      std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts);
  return text;
}

Json Heading(const Flags& flags, const std::string& command) {
  return {{"bench", "db_bench"},
          {"command", command},
          {"label", flags.label},
          {"date", Now()},
          {"machine", DescribeMachine()},
          {"num", flags.sizes.num},
          {"key_bytes", flags.sizes.key_bytes},
          {"value_bytes", flags.sizes.value_bytes},
          {"compressible", flags.sizes.compressible},
          {"batch", flags.sizes.batch},
          {"sync_batch", flags.sizes.sync_batch},
          {"threads", flags.sizes.threads},
          {"cache_bytes", flags.cache_bytes}};
}

// --- flags ---

void AddFlags(CLI::App* app, Flags* flags) {
  WorkloadSizes* const sizes = &flags->sizes;
  std::vector<std::string> engines = EngineNames();
  engines.emplace_back("strata-btree-fl");
  app->add_option("--engine", flags->engines, "Engines, in this order.")
      ->delimiter(',')
      ->check(CLI::IsMember(engines))
      ->type_name("NAME,...");
  app->add_option("--workloads", flags->workloads, "Workloads, in this order.")
      ->delimiter(',')
      ->check(CLI::IsMember(WorkloadRunner::Names()))
      ->type_name("NAME,...");
  app->add_option("--num", sizes->num, "User keys; fillrev puts each once.")
      ->check(CLI::Range(10U, 100000000U))
      ->capture_default_str();
  app->add_option("--reads", sizes->reads, "Reads of a workload; 0 is --num.")
      ->capture_default_str();
  app->add_option("--key_size", sizes->key_bytes, "Bytes of a user key.")
      ->check(CLI::Range(12U, 1024U))
      ->capture_default_str();
  app->add_option("--value_size", sizes->value_bytes, "Bytes of a value.")
      ->check(CLI::Range(1U, 1U << 19))
      ->capture_default_str();
  app->add_option("--compressible", sizes->compressible,
                  "Part of a value that is zeros; the rest is noise.")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app->add_option("--batch", sizes->batch, "Changes in one commit.")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app->add_option("--sync_batch", sizes->sync_batch,
                  "The same in fillrev-sync and mixed.")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app->add_option("--range", sizes->range, "Keys of one readrange.")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app->add_option("--threads", sizes->threads, "Threads that read.")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app->add_option("--seed", sizes->seed, "Of keys and values.")
      ->capture_default_str();
  app->add_option("--cache_bytes", flags->cache_bytes,
                  "Block cache of the LevelDBs and RocksDB.")
      ->capture_default_str();
  app->add_option("--dir", flags->directory,
                  "Scratch directory, on the disk to be measured.")
      ->capture_default_str();
  app->add_option("--json", flags->json, "Where to write all figures.");
  app->add_option("--label", flags->label, "For the JSON: a commit, a note.");
}

int Run(const Flags& flags, const std::string& command) {
  std::filesystem::create_directories(flags.directory);
  Json all = Heading(flags, command);
  all["results"] = Json::array();
  bool failed = false;
  for (const std::string& engine : flags.engines) {
    const auto results = RunApart(engine, flags);
    failed = failed || !results.has_value();
    if (!results.has_value()) continue;
    for (const Json& one : *results) all["results"].push_back(one);
  }
  std::cout << all["machine"].get<std::string>() << "\n\n";
  PrintTable(flags, all["results"]);
  if (!flags.json.empty()) {
    std::ofstream out(flags.json);
    out << all.dump(1) << "\n";
    failed = failed || !out.good();
  }
  return failed ? 1 : 0;
}

}  // namespace
}  // namespace strata::bench

int main(int argc, char** argv) {
  strata::bench::Flags flags;
  CLI::App app(strata::bench::Introduction(), "db_bench");
  app.footer(strata::bench::kExamples);
  strata::bench::AddFlags(&app, &flags);
  CLI11_PARSE(app, argc, argv);
  std::string command = "db_bench";
  for (int i = 1; i < argc; ++i) command += std::string(" ") + argv[i];
  return strata::bench::Run(flags, command);
}
