#ifndef STRATA_BENCH_WATCH_LOAD_H_
#define STRATA_BENCH_WATCH_LOAD_H_

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "bench/histogram.h"

namespace strata::bench {

struct WatchLoadOptions {
  std::string target = "127.0.0.1:2379";
  int connections = 10;
  int streams = 100;
  int watchers = 1000;  // over all streams
  // One key for all, or each its own.
  bool distinct_keys = false;
  int64_t start_revision = 0;
};

// Streams with watchers, that count what comes. One thread reads them all; the
// events are counted, not decoded.
class WatchLoad {
 public:
  explicit WatchLoad(const WatchLoadOptions& options);
  ~WatchLoad();

  // Creates all watchers and returns when the server has said so.
  Status Start();
  uint64_t events() const { return events_.load(); }
  // False if they have not come in time.
  bool WaitForEvents(uint64_t count, std::chrono::seconds patience) const;

 private:
  class Stream;

  void Read();

  const WatchLoadOptions options_;
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::atomic<uint64_t> events_ = 0;
  std::atomic<uint64_t> created_ = 0;
  std::atomic<uint64_t> failed_ = 0;
  std::thread reader_;
};

// The key of the `i`th watcher.
std::string WatchedKey(const WatchLoadOptions& options, int i);

struct PacedPuts {
  Histogram latency;
  uint64_t puts = 0;
  double seconds = 0;
};

// Puts `rate` times a second, whatever the answers take (but with at most some
// hundred outstanding), to the keys of the watchers in turn; 0: as fast as one
// outstanding put goes.
StatusOr<PacedPuts> PutPaced(const WatchLoadOptions& options, int rate,
                             std::chrono::milliseconds duration,
                             size_t value_bytes);

// Anonymous memory of a process, in KiB.
StatusOr<uint64_t> AnonymousKib(int pid);

}  // namespace strata::bench

#endif  // STRATA_BENCH_WATCH_LOAD_H_
