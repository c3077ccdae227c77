#include "bench/workload.h"

#include <utility>

#include "base/wire.h"

namespace strata::bench {
namespace {

constexpr size_t kKeyDigits = 8;

std::string KeyOf(uint64_t number) {
  std::string key(kKeyDigits, '0');
  for (size_t i = kKeyDigits; i > 0 && number > 0; number /= 10) {
    key[--i] = static_cast<char>('0' + number % 10);
  }
  return key;
}

// Field numbers of etcdserverpb's RangeRequest and PutRequest.
constexpr uint32_t kKey = 1, kPutValue = 2;
constexpr uint32_t kRangeEnd = 2, kLimit = 3, kSerializable = 7;

}  // namespace

StatusOr<Workload> Workload::Make(const WorkloadOptions& options) {
  const std::string put = "/etcdserverpb.KV/Put";
  const std::string range = "/etcdserverpb.KV/Range";
  if (options.op == "fill") return Workload(options, Op::kFill, put);
  if (options.op == "put") return Workload(options, Op::kPut, put);
  if (options.op == "get") return Workload(options, Op::kGet, range);
  if (options.op == "get-serializable") {
    return Workload(options, Op::kGetSerializable, range);
  }
  if (options.op == "range") return Workload(options, Op::kRange, range);
  if (options.op == "echo") {
    return Workload(options, Op::kEcho, "/strata.bench.Echo/Echo");
  }
  return InvalidArgumentError("unknown --op " + options.op);
}

bool Workload::Next(std::string* request) {
  request->clear();
  switch (op_) {
    case Op::kFill:
      if (filled_ == options_.keys) return false;
      wire::AppendBytes(request, kKey, KeyOf(filled_++));
      wire::AppendBytes(request, kPutValue, value_);
      break;
    case Op::kPut:
      wire::AppendBytes(request, kKey, KeyOf(random_.Below(options_.keys)));
      wire::AppendBytes(request, kPutValue, value_);
      break;
    case Op::kGet:
    case Op::kGetSerializable:
      wire::AppendBytes(request, kKey, KeyOf(random_.Below(options_.keys)));
      if (op_ == Op::kGetSerializable) {
        wire::AppendUint(request, kSerializable, 1);
      }
      break;
    case Op::kRange:
      wire::AppendBytes(request, kKey, KeyOf(random_.Below(options_.keys)));
      wire::AppendBytes(request, kRangeEnd, std::string(1, '\0'));
      wire::AppendUint(request, kLimit, options_.range_keys);
      wire::AppendUint(request, kSerializable, 1);
      break;
    case Op::kEcho:
      wire::AppendBytes(request, kKey, value_);
      break;
  }
  return true;
}

}  // namespace strata::bench
