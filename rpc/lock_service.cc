#include "rpc/lock_service.h"

#include <utility>

#include "rpc/long_call.h"
#include "rpc/propose.h"

namespace strata {

std::vector<UnaryMethod> LockService::Methods() {
  return {MakeUnary("/v3lockpb.Lock/Unlock", this, &LockService::Unlock)};
}

std::vector<StreamMethod> LockService::Streams() {
  using v3lockpb::LockRequest;
  return {MakeLongCall<LockRequest>(
      "/v3lockpb.Lock/Lock",
      [this](const LockRequest& request, Reply reply) -> std::function<void()> {
        auto claim = Claim::Start(
            world_,
            {.name = request.name(),
             .lease = LeaseId(request.lease()),
             .value = "",
             .lost = Status(Code::kUnknown, "mutex: session is expired")},
            [reply = std::move(reply)](const StatusOr<Claim::Held>& held) {
              if (!held.ok()) return reply(held.status());
              v3lockpb::LockResponse response;
              FillHeader(held->header, response.mutable_header());
              response.set_key(held->key);
              reply(response.SerializeAsString());
            });
        return [claim] { claim->Abandon(); };
      })};
}

void LockService::Unlock(v3lockpb::UnlockRequest* request, Reply reply) {
  auto* const proposal = NewRaftRequest(request);
  proposal->mutable_delete_range()->set_key(request->key());
  Propose<DeleteRangeResult>(
      world_.node, proposal,
      [](ResponseHeader header, const DeleteRangeResult& result) {
        header.revision = result.revision;
        return EncodeHeaderResponse(header);
      },
      std::move(reply));
}

}  // namespace strata
