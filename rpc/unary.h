#ifndef STRATA_RPC_UNARY_H_
#define STRATA_RPC_UNARY_H_

#include <google/protobuf/arena.h>
#include <google/protobuf/message.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

// A method of the API without a transport: bytes in, bytes out. What serves it
// (gRPC, the JSON gateway, the simulator) decides where the bytes come from.
namespace strata {

// Takes the serialized answer, or why there is none. Called exactly once, on
// any thread, perhaps before the call has returned. The request and its arena
// may be gone as soon as it is called.
using Reply = std::function<void(StatusOr<std::string>)>;

struct UnaryMethod {
  std::string path = {};  // "/etcdserverpb.KV/Range"
  // Thread-safe. `request` is borrowed during the call, `arena` until `reply`.
  std::function<void(std::string_view request, google::protobuf::Arena* arena,
                     Reply reply)>
      call = {};
  // Most of it is done on the node's loop, which logs and syncs.
  bool through_log = false;
};

// The method `path`, served by `(service->*method)(Request* request, reply)`:
// the request lives on the arena. Bytes that are no Request answer Internal, as
// a Go server does.
template <typename Request, typename Service>
UnaryMethod MakeUnary(const std::string& path, Service* service,
                      void (Service::*method)(Request*, Reply)) {
  auto call = [service, method](std::string_view bytes,
                                google::protobuf::Arena* arena, Reply reply) {
    auto* request = google::protobuf::Arena::CreateMessage<Request>(arena);
    if (!request->ParseFromArray(bytes.data(),
                                 static_cast<int>(bytes.size()))) {
      return reply(
          InternalError("grpc: error unmarshalling request: not a " +
                        std::string(Request::descriptor()->full_name())));
    }
    (service->*method)(request, std::move(reply));
  };
  return {.path = path, .call = std::move(call)};
}

}  // namespace strata

#endif  // STRATA_RPC_UNARY_H_
