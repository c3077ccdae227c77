#ifndef STRATA_RPC_WATCH_SERVICE_H_
#define STRATA_RPC_WATCH_SERVICE_H_

#include <cstdint>
#include <vector>

#include "base/limits.h"
#include "engine/watch_hub.h"
#include "rpc/encode.h"
#include "rpc/stream.h"
#include "server/node.h"

namespace strata {

struct WatchServiceOptions {
  // A response that would be larger comes in fragments, to those who take them.
  uint64_t max_request_bytes = limits::kMaxRequestBytes;
};

// etcdserverpb.Watch: a stream of requests to watch and of what happened.
// Thread-safe.
//
// What waits for a client is bounded: a response or a few in the transport's
// queue, responses to its own requests (with too many it is not read from), and
// else a place in the store's changes.
class WatchService {
 public:
  WatchService(Node* node, WatchServiceOptions options)
      : node_(node), options_(options) {}

  // The service outlives its streams.
  StreamMethod Watch();

 private:
  class Handler;

  Node* const node_;
  const WatchServiceOptions options_;
};

// The messages of a response, one unless it is fragmented: each but the last
// says that more follows, and all but those with a single event are smaller
// than `max_bytes`. Large events are referred to, not copied.
std::vector<StreamMessage> EncodeWatchResponse(ResponseHeader header,
                                               const WatchResponse& response,
                                               uint64_t max_bytes);

}  // namespace strata

#endif  // STRATA_RPC_WATCH_SERVICE_H_
