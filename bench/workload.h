#ifndef STRATA_BENCH_WORKLOAD_H_
#define STRATA_BENCH_WORKLOAD_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/status.h"

namespace strata::bench {

struct WorkloadOptions {
  std::string op = "put";
  uint64_t keys = 100'000;
  uint64_t key_bytes = 8;
  uint64_t value_bytes = 256;
  uint64_t range_keys = 100;  // of one range
  uint64_t calls = 0;         // then it ends; 0: when the op does
  uint64_t seed = 1;
};

// What a client asks for, call after call. Used by one thread.
//
//   fill   puts each key once, in order, then ends
//   put    a random key
//   get    a random key, linearizable; get-serializable
//   range  the `range_keys` keys from a random one on, serializable
//   scan   all keys, `range_keys` at a time, again and again
//   count  how many keys there are
//   last   the last `range_keys` keys by name, descending
//   echo   the value, of bench/echo_server
class Workload {
 public:
  static StatusOr<Workload> Make(const WorkloadOptions& options);

  const std::string& method() const { return method_; }
  // The next serialized request; false: there are no more.
  bool Next(std::string* request);

 private:
  enum class Op {
    kFill,
    kPut,
    kGet,
    kGetSerializable,
    kRange,
    kScan,
    kCount,
    kLast,
    kEcho
  };

  Workload(const WorkloadOptions& options, Op op, std::string method)
      : options_(options),
        op_(op),
        method_(std::move(method)),
        value_(options.value_bytes, 'v'),
        random_(options.seed) {}

  WorkloadOptions options_;
  Op op_;
  std::string method_;
  std::string value_;
  Random random_;
  void AddAll(std::string_view from, std::string* request) const;

  uint64_t next_ = 0;  // key, of those that go in order
  uint64_t calls_ = 0;
};

}  // namespace strata::bench

#endif  // STRATA_BENCH_WORKLOAD_H_
