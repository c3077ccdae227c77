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
    if (!refused_) Take(std::move(bytes));
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

void SnapshotReceiver::Take(std::string bytes) {
  if (!begun_) {
    head_ += bytes;
    if (const Status status = TakeHead(); !status.ok()) {
      const bool ours = begun_;
      return Refuse(
          ours ? 500 : 400,
          ours ? "failed to save KV snapshot (" + status.message() + ")"
          : status.code() == Code::kInvalidArgument
              ? status.message()
              : "failed to decode raft message (" + status.message() + ")");
    }
    if (!begun_) return;
    bytes = std::exchange(head_, {});
  }
  options_.received(from_, bytes.size());
  const Status status =
      options_.gate->With([&](Receiver*) { return snapshot_->Write(bytes); },
                          UnavailableError("stopping"));
  if (!status.ok()) {
    Refuse(500, "failed to save KV snapshot (" + status.message() + ")");
  }
}

void SnapshotReceiver::End() {
  if (refused_) return;
  if (!begun_) {
    return Refuse(400, "failed to decode raft message (unexpected EOF)");
  }
  const Status status =
      options_.gate->With([&](Receiver*) { return snapshot_->Finish(); },
                          UnavailableError("stopping"));
  if (!status.ok()) {
    return Refuse(500, "failed to save KV snapshot (" + status.message() + ")");
  }
  options_.logger->Info("received a snapshot",
                        {{"member", HexId(from_.value())}});
  snapshot_.reset();
  sink_->Reply(DoneResponse(options_.self));
}

void SnapshotReceiver::Refuse(int status, const std::string& text) {
  refused_ = true;
  snapshot_.reset();
  options_.logger->Warn("refused a snapshot", {{"why", text}});
  sink_->Reply(TextResponse(options_.self, status, text));
}

}  // namespace strata::peer
