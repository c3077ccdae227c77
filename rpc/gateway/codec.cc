#include "rpc/gateway/codec.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>

#include "base/check.h"
#include "rpc/gateway/json_message.h"

namespace strata {
namespace {

const google::protobuf::Message* PrototypeOf(
    const google::protobuf::Descriptor* type) {
  return google::protobuf::MessageFactory::generated_factory()->GetPrototype(
      type);
}

}  // namespace

Codec::Codec(std::string_view method) {
  std::string name(method.substr(1));
  std::ranges::replace(name, '/', '.');
  const auto* const found =
      google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(
          name);
  CHECK(found != nullptr) << name;
  request_ = PrototypeOf(found->input_type());
  response_ = PrototypeOf(found->output_type());
  client_streams_ = found->client_streaming();
  server_streams_ = found->server_streaming();
}

StatusOr<std::string> Codec::Decode(std::string_view text) const {
  if (text.empty()) return std::string();
  ASSIGN_OR_RETURN(const JsonValue value, ParseJson(text));
  const std::unique_ptr<google::protobuf::Message> request(request_->New());
  RETURN_IF_ERROR(ReadJson(value, request.get()));
  return request->SerializeAsString();
}

StatusOr<std::string> Codec::Encode(std::string_view response) const {
  const std::unique_ptr<google::protobuf::Message> message(response_->New());
  if (!message->ParseFromArray(response.data(),
                               static_cast<int>(response.size()))) {
    return InternalError("the answer cannot be written as JSON");
  }
  return WriteJson(*message);
}

}  // namespace strata
