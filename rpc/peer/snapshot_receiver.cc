#include "rpc/peer/snapshot_receiver.h"

#include <utility>

#include "base/bytes.h"
#include "rpc/peer/codec.h"

namespace strata::peer {
namespace {

// What is read ahead of the disk.
constexpr size_t kMaxUnread = 1 << 20;
constexpr size_t kLengthBytes = 8;

}  // namespace

bool SnapshotReceiver::OnBody(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  unread_.append(bytes);
  if (!std::exchange(working_, true)) {
    options_.disk->Post([self = shared_from_this()] { self->Work(); });
  }
  paused_ = unread_.size() >= kMaxUnread;
  return !paused_;
}

void SnapshotReceiver::OnBodyEnd() {
  const std::lock_guard lock(mutex_);
  body_ended_ = true;
  if (!std::exchange(working_, true)) {
    options_.disk->Post([self = shared_from_this()] { self->Work(); });
  }
}

void SnapshotReceiver::OnDone() {
  const std::lock_guard lock(mutex_);
  over_ = true;
  // What came of an unfinished one is removed where it was written.
  options_.disk->Post([self = shared_from_this()] { self->snapshot_.reset(); });
}

void SnapshotReceiver::Work() {
  while (true) {
    std::string bytes;
    bool resume = false;
    bool end = false;
    {
      const std::lock_guard lock(mutex_);
      bytes = std::exchange(unread_, {});
      resume = std::exchange(paused_, false);
      end = bytes.empty() && body_ended_;
      if (bytes.empty() || over_) working_ = false;
      if (over_) return;
    }
    if (resume) sink_->ReadMore();
    if (end) return End();
    if (bytes.empty()) return;
    if (refused_) continue;
    const bool begun = begun_;
    const Status status = Unpack(bytes);
    if (begun) options_.received(from_, bytes.size());
    if (!status.ok()) Refuse(status);
  }
}

Status SnapshotReceiver::TakeHead() {
  if (head_.size() < kLengthBytes) return Status::Ok();
  const uint64_t length = LoadBig64(head_.data());
  if (length > kMaxFrameBytes) return DataLossError("its message is too long");
  if (head_.size() - kLengthBytes < length) return Status::Ok();
  ASSIGN_OR_RETURN(raft::Message message,
                   raft::DecodeMessage(
                       std::string_view(head_).substr(kLengthBytes, length)));
  if (message.type != raft::MessageType::kSnapshot ||
      !message.snapshot.has_value()) {
    return InvalidArgumentError("wrong raft message type");
  }
  head_.erase(0, kLengthBytes + length);
  begun_ = true;
  from_ = message.from;
  options_.logger->Info("receiving a snapshot",
                        {{"member", HexId(from_.value())},
                         {"index", message.snapshot->metadata.index.value()}});
  ASSIGN_OR_RETURN(snapshot_,
                   options_.gate->With(
                       [&](Receiver* receiver) {
                         return receiver->ReceiveSnapshot(std::move(message));
                       },
                       StatusOr<std::unique_ptr<IncomingSnapshot>>(
                           UnavailableError("stopping"))));
  return Status::Ok();
}

Status SnapshotReceiver::Take(std::string_view bytes) {
  if (begun_) {
    return options_.gate->With(
        [&](Receiver*) { return snapshot_->Write(bytes); },
        UnavailableError("stopping"));
  }
  head_ += bytes;
  RETURN_IF_ERROR(TakeHead());
  return begun_ ? Take(std::exchange(head_, {})) : Status::Ok();
}

Status SnapshotReceiver::Unpack(std::string_view bytes) {
  if (!options_.compressed) return Take(bytes);
  if (unpacker_ == nullptr) {
    unpacker_ = std::make_unique<ZstdReader>(
        [this](std::string_view unpacked) { return Take(unpacked); });
  }
  return unpacker_->Write(bytes);
}

void SnapshotReceiver::End() {
  if (refused_) return;
  if (!begun_ || (options_.compressed && !unpacker_->whole())) {
    return Refuse(DataLossError("unexpected EOF"));
  }
  const Status status =
      options_.gate->With([&](Receiver*) { return snapshot_->Finish(); },
                          UnavailableError("stopping"));
  if (!status.ok()) return Refuse(status);
  options_.logger->Info("received a snapshot",
                        {{"member", HexId(from_.value())}});
  snapshot_.reset();
  sink_->Reply(DoneResponse(options_.self));
}

void SnapshotReceiver::Refuse(const Status& why) {
  refused_ = true;
  snapshot_.reset();
  options_.logger->Warn("refused a snapshot", {{"why", why}});
  if (begun_) {
    return sink_->Reply(
        TextResponse(options_.self, 500,
                     "failed to save KV snapshot (" + why.message() + ")"));
  }
  sink_->Reply(TextResponse(
      options_.self, 400,
      why.code() == Code::kInvalidArgument
          ? why.message()
          : "failed to decode raft message (" + why.message() + ")"));
}

}  // namespace strata::peer
