#ifndef STRATA_RPC_GATEWAY_CODEC_H_
#define STRATA_RPC_GATEWAY_CODEC_H_

#include <google/protobuf/message.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace strata {

// The messages of one method, between JSON and bytes. A value.
class Codec {
 public:
  // Of "/etcdserverpb.KV/Range". CHECKs that there is such a method.
  explicit Codec(std::string_view method);

  // The request that the JSON value `text` is; an empty text is an empty one.
  StatusOr<std::string> Decode(std::string_view text) const;
  StatusOr<std::string> Encode(std::string_view response) const;

  // What the API says the method is; a handler of ours may be a stream though
  // the client knows none.
  bool client_streams() const { return client_streams_; }
  bool server_streams() const { return server_streams_; }

 private:
  const google::protobuf::Message* request_ = nullptr;
  const google::protobuf::Message* response_ = nullptr;
  bool client_streams_ = false;
  bool server_streams_ = false;
};

}  // namespace strata

#endif  // STRATA_RPC_GATEWAY_CODEC_H_
