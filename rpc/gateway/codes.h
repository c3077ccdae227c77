#ifndef STRATA_RPC_GATEWAY_CODES_H_
#define STRATA_RPC_GATEWAY_CODES_H_

#include "base/status.h"
#include "engine/level.h"
#include "rpc/http/handler.h"

// Errors as the JSON gateway of an etcd of some level answers them.
namespace strata {

// 404 for NotFound, and so on.
int HttpStatusOf(Code code, Level level);

// The answer to a call that failed before there was anything to answer.
HttpResponse GatewayError(const Status& status, Level level);

// The last object of a stream that fails: {"error":{...}}.
std::string StreamError(const Status& status, Level level);

// A path, or a method of HTTP, that the gateway does not serve.
HttpResponse NoSuchPath(Level level);
HttpResponse NoSuchMethod(Level level);

}  // namespace strata

#endif  // STRATA_RPC_GATEWAY_CODES_H_
