#include "rpc/h2/message_reader.h"

#include <algorithm>
#include <utility>

namespace strata {

uint64_t MessageReader::length() const {
  uint64_t length = 0;
  for (size_t i = 1; i < kMessageHeadBytes; ++i) {
    length = length << 8 | static_cast<uint8_t>(partial_[i]);
  }
  return length;
}

Status MessageReader::CheckHead() const {
  if (length() > max_message_bytes_) {
    return ResourceExhaustedError("grpc: received message larger than max (" +
                                  std::to_string(length()) + " vs. " +
                                  std::to_string(max_message_bytes_) + ")");
  }
  if (partial_[0] == 0) return Status::Ok();
  if (partial_[0] != 1) {
    return InternalError("grpc: received unexpected payload format " +
                         std::to_string(static_cast<uint8_t>(partial_[0])));
  }
  if (encoding_.empty() || encoding_ == "identity") {
    return InternalError(
        "grpc: compressed flag set with identity or empty encoding");
  }
  return UnimplementedError(
      "grpc: Decompressor is not installed for grpc-encoding \"" + encoding_ +
      "\"");
}

Status MessageReader::Add(std::string_view bytes,
                          std::vector<std::string>* messages) {
  while (!bytes.empty()) {
    const bool has_head = partial_.size() >= kMessageHeadBytes;
    const size_t wanted =
        has_head ? kMessageHeadBytes + length() : kMessageHeadBytes;
    const size_t taken = std::min(bytes.size(), wanted - partial_.size());
    partial_.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    if (partial_.size() < wanted) break;
    if (!has_head) {
      RETURN_IF_ERROR(CheckHead());
      if (length() > 0) continue;
    }
    partial_.erase(0, kMessageHeadBytes);
    messages->push_back(std::exchange(partial_, {}));
  }
  return Status::Ok();
}

}  // namespace strata
