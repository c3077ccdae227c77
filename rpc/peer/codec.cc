#include "rpc/peer/codec.h"

#include <utility>

#include "base/bytes.h"

namespace strata::peer {
namespace {

constexpr size_t kNumberBytes = 8;
// Kinds of frames on an append stream.
constexpr char kHeartbeatFrame = 0;
constexpr char kFollowingFrame = 1;
constexpr char kMessageFrame = 2;
// An entry with nothing in it still has its kind, term and index.
constexpr uint64_t kMaxFrameEntries = kMaxFrameBytes / 8;

Status TooLong(uint64_t bytes) {
  return DataLossError("a frame of " + std::to_string(bytes) +
                       " bytes or entries");
}

// Takes a number, and as many bytes, off the front of `in`; nothing if they
// have not all come.
Status TakeBlock(std::string_view* in, bool* whole, std::string_view* block) {
  *whole = in->size() >= kNumberBytes;
  if (!*whole) return Status::Ok();
  const uint64_t length = LoadBig64(in->data());
  if (length > kMaxFrameBytes) return TooLong(length);
  *whole = in->size() - kNumberBytes >= length;
  if (!*whole) return Status::Ok();
  *block = in->substr(kNumberBytes, length);
  in->remove_prefix(kNumberBytes + length);
  return Status::Ok();
}

void AppendBlock(std::string* out, std::string_view block) {
  AppendBig64(out, block.size());
  out->append(block);
}

}  // namespace

bool IsLinkHeartbeat(const raft::Message& message) {
  return message.type == raft::MessageType::kHeartbeat &&
         message.from == MemberId(0) && message.to == MemberId(0);
}

raft::Message LinkHeartbeat() {
  return {.type = raft::MessageType::kHeartbeat};
}

void FrameBuffer::Append(std::string_view bytes) {
  if (begin_ == bytes_.size()) {
    bytes_.clear();
  } else {
    bytes_.erase(0, begin_);
  }
  begin_ = 0;
  bytes_.append(bytes);
}

void MessageEncoder::Encode(const raft::Message& message, std::string* out) {
  AppendBlock(out, raft::EncodeMessage(message));
}

Status MessageDecoder::Decode(std::string_view bytes,
                              std::vector<raft::Message>* messages) {
  buffer_.Append(bytes);
  while (true) {
    std::string_view rest = buffer_.rest();
    const size_t before = rest.size();
    bool whole = false;
    std::string_view block;
    RETURN_IF_ERROR(TakeBlock(&rest, &whole, &block));
    if (!whole) return Status::Ok();
    ASSIGN_OR_RETURN(raft::Message message, raft::DecodeMessage(block));
    buffer_.Consume(before - rest.size());
    if (!IsLinkHeartbeat(message)) messages->push_back(std::move(message));
  }
}

void AppendEncoder::Encode(const raft::Message& message, std::string* out) {
  if (IsLinkHeartbeat(message)) {
    out->push_back(kHeartbeatFrame);
    return;
  }
  if (message.index == index_ && message.log_term == term_ &&
      message.term == term_) {
    out->push_back(kFollowingFrame);
    AppendBig64(out, message.entries.size());
    for (const raft::Entry& entry : message.entries) {
      const size_t at = out->size();
      AppendBig64(out, 0);
      raft::AppendEntry(out, entry);
      StoreBig64(out->data() + at, out->size() - at - kNumberBytes);
    }
    AppendBig64(out, message.commit.value());
  } else {
    out->push_back(kMessageFrame);
    AppendBlock(out, raft::EncodeMessage(message));
    term_ = message.term;
    index_ = message.index;
  }
  if (!message.entries.empty()) index_ = message.entries.back().index;
}

Status AppendDecoder::TakeFollowing(std::string_view* in, bool* whole,
                                    std::vector<raft::Message>* messages) {
  *whole = in->size() >= kNumberBytes;
  if (!*whole) return Status::Ok();
  const uint64_t count = LoadBig64(in->data());
  if (count > kMaxFrameEntries) return TooLong(count);
  in->remove_prefix(kNumberBytes);
  // Nothing is decoded before all has come: it may come in many pieces.
  std::vector<std::string_view> blocks;
  for (uint64_t i = 0; i < count; ++i) {
    RETURN_IF_ERROR(TakeBlock(in, whole, &blocks.emplace_back()));
    if (!*whole) return Status::Ok();
  }
  *whole = in->size() >= kNumberBytes;
  if (!*whole) return Status::Ok();
  raft::Message message = {.type = raft::MessageType::kAppend,
                           .to = local_,
                           .from = remote_,
                           .term = term_,
                           .log_term = term_,
                           .index = index_};
  for (const std::string_view block : blocks) {
    ASSIGN_OR_RETURN(raft::Entry entry, raft::DecodeEntry(block));
    message.entries.push_back(std::move(entry));
  }
  message.commit = LogIndex(LoadBig64(in->data()));
  in->remove_prefix(kNumberBytes);
  index_ = index_ + count;
  messages->push_back(std::move(message));
  return Status::Ok();
}

Status AppendDecoder::TakeMessage(std::string_view* in, bool* whole,
                                  std::vector<raft::Message>* messages) {
  std::string_view block;
  RETURN_IF_ERROR(TakeBlock(in, whole, &block));
  if (!*whole) return Status::Ok();
  ASSIGN_OR_RETURN(raft::Message message, raft::DecodeMessage(block));
  term_ = message.term;
  index_ =
      message.entries.empty() ? message.index : message.entries.back().index;
  messages->push_back(std::move(message));
  return Status::Ok();
}

Status AppendDecoder::TakeFrame(std::string_view* in, bool* whole,
                                std::vector<raft::Message>* messages) {
  *whole = !in->empty();
  if (!*whole) return Status::Ok();
  const char kind = in->front();
  in->remove_prefix(1);
  switch (kind) {
    case kHeartbeatFrame:
      return Status::Ok();
    case kFollowingFrame:
      return TakeFollowing(in, whole, messages);
    case kMessageFrame:
      return TakeMessage(in, whole, messages);
    default:
      return DataLossError("a frame of unknown kind " +
                           std::to_string(static_cast<unsigned char>(kind)));
  }
}

Status AppendDecoder::Decode(std::string_view bytes,
                             std::vector<raft::Message>* messages) {
  buffer_.Append(bytes);
  for (bool whole = true; whole;) {
    std::string_view rest = buffer_.rest();
    const size_t before = rest.size();
    RETURN_IF_ERROR(TakeFrame(&rest, &whole, messages));
    if (whole) buffer_.Consume(before - rest.size());
  }
  return Status::Ok();
}

}  // namespace strata::peer
