#include "rpc/h2/out_queue.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/check.h"

namespace strata {
namespace {

std::string_view BytesOf(const StreamMessage::Piece& piece) {
  return piece.pin != nullptr ? piece.shared : std::string_view(piece.own);
}

std::string HeadOf(const StreamMessage& message) {
  std::string head(kMessageHeadBytes, '\0');
  for (size_t i = 1; i < kMessageHeadBytes; ++i) {
    head[i] =
        static_cast<char>(message.size() >> (8 * (kMessageHeadBytes - 1 - i)));
  }
  return head;
}

}  // namespace

void OutQueue::Push(StreamMessage message) {
  CHECK(message.size() <= UINT32_MAX);
  bytes_ += kMessageHeadBytes + message.size();
  if (messages_.empty()) head_ = HeadOf(message);
  messages_.push_back(std::move(message));
}

std::string_view OutQueue::Front() const {
  const std::string_view whole =
      piece_ == 0 ? std::string_view(head_)
                  : BytesOf(messages_.front().pieces()[piece_ - 1]);
  return whole.substr(offset_);
}

void OutQueue::Advance(size_t count) {
  bytes_ -= count;
  offset_ += count;
  while (Front().empty()) {
    offset_ = 0;
    if (piece_ > 0) messages_.front().pieces()[piece_ - 1] = {};
    if (piece_++ < messages_.front().pieces().size()) continue;
    piece_ = 0;
    messages_.pop_front();
    if (messages_.empty()) return;
    head_ = HeadOf(messages_.front());
  }
}

void OutQueue::Take(size_t count, std::string* to) {
  while (count > 0) {
    CHECK(!messages_.empty());
    const std::string_view bytes = Front().substr(0, count);
    to->append(bytes);
    count -= bytes.size();
    Advance(bytes.size());
  }
}

void OutQueue::Clear() {
  messages_.clear();
  bytes_ = 0;
  piece_ = 0;
  offset_ = 0;
}

}  // namespace strata
