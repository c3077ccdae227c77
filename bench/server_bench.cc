// Loads a server of the v3 API, ours or etcd's, or bench/echo_server, and
// prints what it took as one line of JSON. --op=fdatasync measures the disk
// instead: a record written and synced, again and again, into a file prewritten
// with zeros, as a log would.

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "bench/histogram.h"
#include "bench/load.h"
#include "bench/print_json.h"
#include "bench/workload.h"

namespace strata::bench {
namespace {

using Json = nlohmann::ordered_json;

double Microseconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

void AddLatency(const Histogram& latency, Json* json) {
  const auto us = [&](double q) {
    return static_cast<double>(latency.Quantile(q)) / 1000;
  };
  (*json)["p50_us"] = us(0.5);
  (*json)["p99_us"] = us(0.99);
  (*json)["p999_us"] = us(0.999);
  (*json)["max_us"] = static_cast<double>(latency.max()) / 1000;
}

StatusOr<Json> LoadServer(const LoadOptions& options,
                          const WorkloadOptions& workload_options) {
  ASSIGN_OR_RETURN(Workload workload, Workload::Make(workload_options));
  ASSIGN_OR_RETURN(const LoadResult result, RunLoad(options, &workload));
  const auto calls = static_cast<double>(result.calls);
  Json json;
  json["op"] = workload_options.op;
  json["outstanding"] = options.outstanding;
  json["connections"] = options.connections;
  json["calls"] = result.calls;
  json["per_second"] = calls / result.seconds;
  AddLatency(result.latency, &json);
  json["server_cpu_us"] = Microseconds(result.server_cpu) / calls;
  json["client_cpu_us"] = Microseconds(result.client_cpu) / calls;
  if (options.keep_going) json["failed"] = result.failed;
  if (options.timeline.count() > 0) {
    Json& slowest = json["slowest_us"] = Json::array();
    for (const auto& took : result.slowest) {
      slowest.push_back(Microseconds(took));
    }
  }
  return json;
}

// What one put of 256 bytes takes in the log, about.
constexpr size_t kRecordBytes = 512;
constexpr size_t kFileBytes = 16 << 20;

StatusOr<Json> SyncDisk(const std::string& path,
                        std::chrono::milliseconds duration) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0) return ErrnoError("open " + path, errno);
  const std::string zeros(kFileBytes, '\0');
  const std::string record(kRecordBytes, 'r');
  Status status;
  if (write(fd, zeros.data(), zeros.size()) !=
          static_cast<ssize_t>(zeros.size()) ||
      fsync(fd) != 0) {
    status = ErrnoError("prewrite " + path, errno);
  }
  Histogram latency;
  const auto end = std::chrono::steady_clock::now() + duration;
  for (size_t offset = 0; status.ok();
       offset = (offset + record.size()) % kFileBytes) {
    const auto before = std::chrono::steady_clock::now();
    if (before >= end) break;
    if (pwrite(fd, record.data(), record.size(), static_cast<off_t>(offset)) <
            0 ||
        fdatasync(fd) != 0) {
      status = ErrnoError("write " + path, errno);
    }
    latency.Add(static_cast<uint64_t>(
        (std::chrono::steady_clock::now() - before).count()));
  }
  close(fd);
  unlink(path.c_str());
  if (!status.ok()) return status;
  Json json;
  json["op"] = "fdatasync";
  json["calls"] = latency.total();
  AddLatency(latency, &json);
  return json;
}

// Whoever started this closes its input to end it. The thread goes with the
// process.
std::atomic<bool> stopped{false};

void StopAtEndOfInput() {
  std::thread([] {
    while (std::cin.get() != EOF) {
    }
    stopped = true;
  }).detach();
}

int Main(int argc, char** argv) {
  CLI::App app("Loads a v3 server and prints what it took.");
  LoadOptions options;
  WorkloadOptions workload;
  int64_t warm_up_ms = 500, duration_ms = 3000, timeline_ms = 0;
  std::string path = "fdatasync.tmp";
  app.add_option("--op", workload.op,
                 "fill, put, get, get-serializable, range, scan, count, last, "
                 "echo or fdatasync");
  app.add_option("--target", options.target, "host:port");
  app.add_option("--connections", options.connections);
  app.add_option("--outstanding", options.outstanding);
  app.add_option("--warm-up-ms", warm_up_ms);
  app.add_option("--duration-ms", duration_ms);
  app.add_flag("--keep-going", options.keep_going,
               "count calls that the server fails instead of ending");
  app.add_option("--timeline-ms", timeline_ms,
                 "print the slowest call of each such stretch of time");
  app.add_option("--keys", workload.keys);
  app.add_option("--key-bytes", workload.key_bytes);
  app.add_option("--calls", workload.calls, "end after so many");
  app.add_option("--rate", options.rate, "calls per second; 0: all it can");
  app.add_flag("--wait-for-ready", options.wait_for_ready,
               "wait for a server that is not there yet");
  bool until_input_ends = false;
  app.add_flag("--until-input-ends", until_input_ends,
               "end when standard input does, and not before");
  app.add_option("--value-bytes", workload.value_bytes);
  app.add_option("--range-keys", workload.range_keys);
  app.add_option("--seed", workload.seed);
  app.add_option("--server-pid", options.server_pid, "whose CPU time to read");
  app.add_option("--path", path, "the file of --op=fdatasync");
  CLI11_PARSE(app, argc, argv);
  options.warm_up = std::chrono::milliseconds(warm_up_ms);
  options.duration = std::chrono::milliseconds(duration_ms);
  options.timeline = std::chrono::milliseconds(timeline_ms);
  options.stop = &stopped;
  if (until_input_ends) {
    StopAtEndOfInput();
    options.duration = std::chrono::hours(24);
  }

  return PrintJson(workload.op == "fdatasync" ? SyncDisk(path, options.duration)
                                              : LoadServer(options, workload));
}

}  // namespace
}  // namespace strata::bench

int main(int argc, char** argv) { return strata::bench::Main(argc, argv); }
