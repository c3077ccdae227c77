#ifndef STRATA_RPC_H2_OUT_QUEUE_H_
#define STRATA_RPC_H2_OUT_QUEUE_H_

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

#include "rpc/h2/message_reader.h"
#include "rpc/stream.h"

namespace strata {

// The messages of a call that are to be sent, as a row of bytes: each with its
// head. What a message shares with others is let go as soon as it was taken.
// Not thread-safe.
class OutQueue {
 public:
  void Push(StreamMessage message);
  // Adds the next `count` bytes to `to`. REQUIRES: count <= bytes()
  void Take(size_t count, std::string* to);
  void Clear();

  // With heads; of messages, also those of which a part was taken.
  size_t bytes() const { return bytes_; }
  size_t messages() const { return messages_.size(); }

 private:
  // Of the first message, from where it was taken to.
  std::string_view Front() const;
  void Advance(size_t count);

  std::deque<StreamMessage> messages_;
  size_t bytes_ = 0;
  // Where in the first message: its head, which is made when it comes to the
  // front, then its pieces.
  std::string head_;
  size_t piece_ = 0;   // 0: in the head; i: in piece i - 1
  size_t offset_ = 0;  // there
};

}  // namespace strata

#endif  // STRATA_RPC_H2_OUT_QUEUE_H_
