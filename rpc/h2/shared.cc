#include "rpc/h2/shared.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace strata {
namespace {

// The one that waits for the disk, and the one that waits for the client.
constexpr int kIdlePollThreads = 2;

// Of the budget; but a large answer is to fit.
constexpr uint64_t kConnectionShare = 4;
constexpr uint64_t kMinUnsentBytes = 16 << 20;

uint64_t MaxUnsentBytes(uint64_t budget) {
  if (budget == 0) return UINT64_MAX;
  return std::max(kMinUnsentBytes, budget / kConnectionShare);
}

}  // namespace

GrpcShared::GrpcShared(const GrpcServerOptions& given,
                       std::vector<UnaryMethod> unary,
                       std::vector<StreamMethod> streams,
                       const NodeLoops& node_loops)
    : options(given),
      max_message_bytes(given.max_request_bytes + limits::kGrpcOverheadBytes),
      max_unsent_bytes(MaxUnsentBytes(given.memory_bytes)),
      loops(node_loops),
      budget(given.memory_bytes),
      idle_poll(given.idle_poll_time, kIdlePollThreads) {
  for (UnaryMethod& method : unary) {
    methods[method.path].unary = std::move(method);
  }
  for (StreamMethod& method : streams) {
    methods[method.path].stream = std::move(method);
  }
}

const GrpcMethod* GrpcShared::Find(std::string_view path) const {
  const auto found = methods.find(path);
  return found == methods.end() ? nullptr : &found->second;
}

}  // namespace strata
