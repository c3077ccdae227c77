#ifndef STRATA_RPC_H2_MESSAGE_READER_H_
#define STRATA_RPC_H2_MESSAGE_READER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace strata {

// Bytes in front of each message of gRPC: a flag, 1 if it is compressed, and
// its length, big-endian. gRPC's "HTTP2 protocol", Length-Prefixed-Message.
inline constexpr size_t kMessageHeadBytes = 5;

// Finds the messages in what comes in on a call, in pieces of any size. Keeps
// no more than what has come of one message. A value; for one thread.
class MessageReader {
 public:
  // `encoding` is the call's grpc-encoding; none is known, as none is to a
  // member of etcd's.
  MessageReader(uint64_t max_message_bytes, std::string encoding)
      : max_message_bytes_(max_message_bytes), encoding_(std::move(encoding)) {}

  // Adds the messages that `bytes` completes to `messages`. An error, in a Go
  // server's words, ends the call; nothing more is to be added after it.
  Status Add(std::string_view bytes, std::vector<std::string>* messages);

  // Of a message that is not complete.
  size_t kept_bytes() const { return partial_.size(); }

 private:
  // Once the head is there.
  Status CheckHead() const;
  uint64_t length() const;

  const uint64_t max_message_bytes_;
  const std::string encoding_;
  std::string partial_;  // with its head, as far as it has come
};

}  // namespace strata

#endif  // STRATA_RPC_H2_MESSAGE_READER_H_
