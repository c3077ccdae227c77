#ifndef STRATA_RPC_GATEWAY_JSON_MESSAGE_H_
#define STRATA_RPC_GATEWAY_JSON_MESSAGE_H_

#include <google/protobuf/message.h>

#include <string>
#include <string_view>

#include "base/status.h"
#include "rpc/gateway/json_value.h"

// Messages of the API as JSON, as etcd's gateway reads and writes them.
namespace strata {

// Sets the fields that `value` names, by their names in the .proto file or in
// camel case. Numbers may be in quotes, bytes are base64, an enum is its name
// or its number, null leaves a field as it is; names that are not known are
// passed over. InvalidArgument, in the words of Go's packages, for the rest.
Status ReadJson(const JsonValue& value, google::protobuf::Message* message);

// On one line; names as in the .proto file, 64-bit numbers in quotes, what has
// its default left out. Internal for a string that is no UTF-8.
StatusOr<std::string> WriteJson(const google::protobuf::Message& message);

// `text` as a JSON string, in quotes; <, > and & are escaped, as Go does.
std::string QuoteJson(std::string_view text);

}  // namespace strata

#endif  // STRATA_RPC_GATEWAY_JSON_MESSAGE_H_
