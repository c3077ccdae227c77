#include "bench/workload.h"

#include <utility>

#include "base/wire.h"

namespace strata::bench {
namespace {

std::string KeyOf(uint64_t number, size_t bytes) {
  std::string key(bytes, '0');
  for (size_t i = bytes; i > 0 && number > 0; number /= 10) {
    key[--i] = static_cast<char>('0' + number % 10);
  }
  return key;
}

// Field numbers of etcdserverpb's RangeRequest and PutRequest.
constexpr uint32_t kKey = 1, kPutValue = 2;
constexpr uint32_t kRangeEnd = 2, kLimit = 3, kSortOrder = 5;
constexpr uint32_t kSerializable = 7, kCountOnly = 9;
constexpr uint64_t kDescend = 2;

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
  if (options.op == "scan") return Workload(options, Op::kScan, range);
  if (options.op == "count") return Workload(options, Op::kCount, range);
  if (options.op == "last") return Workload(options, Op::kLast, range);
  if (options.op == "echo") {
    return Workload(options, Op::kEcho, "/strata.bench.Echo/Echo");
  }
  return InvalidArgumentError("unknown --op " + options.op);
}

// A serializable range from `from` to the end of all keys.
void Workload::AddAll(std::string_view from, std::string* request) const {
  wire::AppendBytes(request, kKey, from);
  wire::AppendBytes(request, kRangeEnd, std::string(1, '\0'));
}

bool Workload::Next(std::string* request) {
  request->clear();
  if (options_.calls > 0 && calls_++ == options_.calls) return false;
  const auto key = [this](uint64_t number) {
    return KeyOf(number, options_.key_bytes);
  };
  switch (op_) {
    case Op::kFill:
      if (next_ == options_.keys) return false;
      wire::AppendBytes(request, kKey, key(next_++));
      wire::AppendBytes(request, kPutValue, value_);
      return true;
    case Op::kPut:
      wire::AppendBytes(request, kKey, key(random_.Below(options_.keys)));
      wire::AppendBytes(request, kPutValue, value_);
      return true;
    case Op::kGet:
      wire::AppendBytes(request, kKey, key(random_.Below(options_.keys)));
      return true;
    case Op::kGetSerializable:
      wire::AppendBytes(request, kKey, key(random_.Below(options_.keys)));
      break;
    case Op::kRange:
      AddAll(key(random_.Below(options_.keys)), request);
      wire::AppendUint(request, kLimit, options_.range_keys);
      break;
    case Op::kScan:
      AddAll(key(next_), request);
      wire::AppendUint(request, kLimit, options_.range_keys);
      next_ = (next_ + options_.range_keys) % options_.keys;
      break;
    case Op::kCount:
      AddAll(std::string(1, '\0'), request);
      wire::AppendUint(request, kCountOnly, 1);
      return true;
    case Op::kLast:
      AddAll(std::string(1, '\0'), request);
      wire::AppendUint(request, kLimit, options_.range_keys);
      wire::AppendUint(request, kSortOrder, kDescend);
      return true;
    case Op::kEcho:
      wire::AppendBytes(request, kKey, value_);
      return true;
  }
  wire::AppendUint(request, kSerializable, 1);
  return true;
}

}  // namespace strata::bench
