// Watchers and puts against one server; prints what came and what it took, as
// JSON. watch_compare.py runs it against stratad and etcd.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/load.h"
#include "bench/print_json.h"
#include "bench/watch_load.h"

namespace strata::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto kPatience = std::chrono::seconds(300);

struct Options {
  WatchLoadOptions watch;
  int rate = 0;
  int duration_ms = 5000;
  size_t value_bytes = 256;
  int server_pid = 0;
  // Of --op=catch-up: puts before, and how many of them each stream is told of.
  int64_t history = 500000;
};

void AddPuts(const PacedPuts& puts, const std::string& prefix, Json* json) {
  (*json)[prefix + "puts_per_second"] =
      static_cast<double>(puts.puts) / puts.seconds;
  (*json)[prefix + "put_p50_us"] = puts.latency.Quantile(0.5) / 1000.0;
  (*json)[prefix + "put_p99_us"] = puts.latency.Quantile(0.99) / 1000.0;
}

// Watchers that have seen all, and puts that each of them (or one) is told of.
StatusOr<Json> Deliver(const Options& options) {
  WatchLoad watchers(options.watch);
  RETURN_IF_ERROR(watchers.Start());
  ASSIGN_OR_RETURN(const uint64_t idle_kib, AnonymousKib(options.server_pid));
  ASSIGN_OR_RETURN(const auto cpu_before, CpuTime(options.server_pid));
  const auto begin = std::chrono::steady_clock::now();
  ASSIGN_OR_RETURN(const PacedPuts puts,
                   PutPaced(options.watch, options.rate,
                            std::chrono::milliseconds(options.duration_ms),
                            options.value_bytes));
  const uint64_t each = options.watch.distinct_keys
                            ? 1
                            : static_cast<uint64_t>(options.watch.watchers);
  if (!watchers.WaitForEvents(puts.puts * each, kPatience)) {
    return UnavailableError(
        "events are missing: " + std::to_string(watchers.events()) + " of " +
        std::to_string(puts.puts * each));
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
          .count();
  ASSIGN_OR_RETURN(const auto cpu_after, CpuTime(options.server_pid));
  ASSIGN_OR_RETURN(const uint64_t kib, AnonymousKib(options.server_pid));
  const double cpu =
      std::chrono::duration<double>(cpu_after - cpu_before).count();
  const auto events = static_cast<double>(watchers.events());
  Json json;
  json["events"] = watchers.events();
  json["events_per_second"] = events / seconds;
  json["server_cpu_s"] = cpu;
  json["events_per_cpu_second"] = events / cpu;
  AddPuts(puts, "", &json);
  json["idle_anon_kib"] = idle_kib;
  json["anon_kib"] = kib;
  return json;
}

// A history, puts alone, then the same beside streams that read the history.
StatusOr<Json> CatchUp(const Options& options) {
  WatchLoadOptions keys = options.watch;
  keys.distinct_keys = true;
  keys.watchers = 1000;
  const int fill_rate = 1 << 30;  // as fast as what is outstanding goes
  int64_t filled = 0;
  while (filled < options.history) {
    ASSIGN_OR_RETURN(const PacedPuts puts,
                     PutPaced(keys, fill_rate, std::chrono::seconds(2),
                              options.value_bytes));
    filled += static_cast<int64_t>(puts.puts);
  }
  const std::chrono::milliseconds duration(options.duration_ms);
  ASSIGN_OR_RETURN(const PacedPuts alone,
                   PutPaced(keys, options.rate, duration, options.value_bytes));
  ASSIGN_OR_RETURN(const auto cpu_before, CpuTime(options.server_pid));
  WatchLoadOptions past = keys;
  past.watchers = options.watch.streams * 5;
  past.start_revision = 2;
  const auto begin = std::chrono::steady_clock::now();
  WatchLoad watchers(past);
  RETURN_IF_ERROR(watchers.Start());
  ASSIGN_OR_RETURN(const PacedPuts beside,
                   PutPaced(keys, options.rate, duration, options.value_bytes));
  // Puts go round the 1,000 keys: each watcher of one is told of its share.
  const auto total = static_cast<uint64_t>(filled) + alone.puts + beside.puts;
  const uint64_t expected =
      static_cast<uint64_t>(past.watchers) * (total / 1000) * 9 / 10;
  const bool came = watchers.WaitForEvents(expected, kPatience);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
          .count();
  ASSIGN_OR_RETURN(const auto cpu_after, CpuTime(options.server_pid));
  ASSIGN_OR_RETURN(const uint64_t kib, AnonymousKib(options.server_pid));
  const auto events = static_cast<double>(watchers.events());
  const double cpu =
      std::chrono::duration<double>(cpu_after - cpu_before).count();
  Json json;
  json["history"] = filled;
  json["caught_up"] = came;
  json["events"] = watchers.events();
  json["events_per_second"] = events / seconds;
  json["server_cpu_s"] = cpu;
  json["events_per_cpu_second"] = events / cpu;
  AddPuts(alone, "alone_", &json);
  AddPuts(beside, "", &json);
  json["anon_kib"] = kib;
  return json;
}

int Main(int argc, char** argv) {
  CLI::App app("Watches a v3 server under puts and prints what it took.");
  Options options;
  std::string op = "deliver";
  app.add_option("--op", op, "deliver or catch-up");
  app.add_option("--target", options.watch.target, "host:port");
  app.add_option("--connections", options.watch.connections);
  app.add_option("--streams", options.watch.streams);
  app.add_option("--watchers", options.watch.watchers);
  app.add_flag("--distinct-keys", options.watch.distinct_keys);
  app.add_option("--rate", options.rate, "puts a second; 0: one at a time");
  app.add_option("--duration-ms", options.duration_ms);
  app.add_option("--value-bytes", options.value_bytes);
  app.add_option("--history", options.history);
  app.add_option("--server-pid", options.server_pid)->required();
  CLI11_PARSE(app, argc, argv);
  return PrintJson(op == "catch-up" ? CatchUp(options) : Deliver(options));
}

}  // namespace
}  // namespace strata::bench

int main(int argc, char** argv) { return strata::bench::Main(argc, argv); }
