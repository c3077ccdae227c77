#ifndef STRATA_RPC_PEER_CODEC_H_
#define STRATA_RPC_PEER_CODEC_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "raft/message.h"

// The frames of the two kinds of streams between members, as format.md has
// them. Values, no I/O; each belongs to one connection.
namespace strata::peer {

// A frame that says it is longer is taken for damage.
inline constexpr uint64_t kMaxFrameBytes = 128 << 20;

// Whether this only keeps a connection alive.
bool IsLinkHeartbeat(const raft::Message& message);
raft::Message LinkHeartbeat();

// What came of a connection and is not decoded yet.
class FrameBuffer {
 public:
  void Append(std::string_view bytes);
  std::string_view rest() const {
    return std::string_view(bytes_).substr(begin_);
  }
  void Consume(size_t count) { begin_ += count; }

 private:
  std::string bytes_;
  size_t begin_ = 0;  // decoded before
};

// One kind of stream, to be written: appends frames to `out`.
class Encoder {
 public:
  virtual ~Encoder() = default;
  virtual void Encode(const raft::Message& message, std::string* out) = 0;
  void EncodeHeartbeat(std::string* out) { Encode(LinkHeartbeat(), out); }
};

// One kind of stream, as its bytes come in, however they are cut.
class Decoder {
 public:
  virtual ~Decoder() = default;
  // Adds the messages that are whole now, without those that only keep the
  // connection alive. DataLoss: drop the connection.
  virtual Status Decode(std::string_view bytes,
                        std::vector<raft::Message>* messages) = 0;
};

class MessageEncoder : public Encoder {
 public:
  void Encode(const raft::Message& message, std::string* out) override;
};

class MessageDecoder : public Decoder {
 public:
  Status Decode(std::string_view bytes,
                std::vector<raft::Message>* messages) override;

 private:
  FrameBuffer buffer_;
};

class AppendEncoder : public Encoder {
 public:
  void Encode(const raft::Message& message, std::string* out) override;

 private:
  Term term_;
  LogIndex index_;  // of the last entry sent
};

class AppendDecoder : public Decoder {
 public:
  AppendDecoder(MemberId local, MemberId remote)
      : local_(local), remote_(remote) {}
  Status Decode(std::string_view bytes,
                std::vector<raft::Message>* messages) override;

 private:
  // Each takes one frame off the front of `in`, or nothing if it is not whole:
  // then `*whole` is false.
  Status TakeFrame(std::string_view* in, bool* whole,
                   std::vector<raft::Message>* messages);
  Status TakeFollowing(std::string_view* in, bool* whole,
                       std::vector<raft::Message>* messages);
  Status TakeMessage(std::string_view* in, bool* whole,
                     std::vector<raft::Message>* messages);

  const MemberId local_;
  const MemberId remote_;
  Term term_;
  LogIndex index_;
  FrameBuffer buffer_;
};

}  // namespace strata::peer

#endif  // STRATA_RPC_PEER_CODEC_H_
