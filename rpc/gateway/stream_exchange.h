#ifndef STRATA_RPC_GATEWAY_STREAM_EXCHANGE_H_
#define STRATA_RPC_GATEWAY_STREAM_EXCHANGE_H_

#include <cstdint>
#include <memory>

#include "base/loop.h"
#include "engine/level.h"
#include "rpc/gateway/codec.h"
#include "rpc/http/handler.h"
#include "rpc/stream.h"

namespace strata {

// What the exchanges of one streaming method have in common; outlives them.
struct StreamPlace {
  StreamMethod method;
  Codec codec;
  Level level;
  Loop* loop;
  uint64_t max_value_bytes;  // of one JSON value in a body
};

// One call of a streaming method over HTTP: the JSON values in the body are the
// client's messages, and each answer is a line. A method that the API does not
// have as a stream gets one value, and its answer is the whole body.
std::shared_ptr<HttpHandler> NewStreamExchange(
    std::shared_ptr<const StreamPlace> place, std::shared_ptr<HttpSink> sink);

}  // namespace strata

#endif  // STRATA_RPC_GATEWAY_STREAM_EXCHANGE_H_
