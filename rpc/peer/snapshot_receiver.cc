#include "rpc/peer/snapshot_receiver.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "rpc/peer/codec.h"

namespace strata::peer {
namespace {

// What is read ahead of the disk.
constexpr size_t kMaxUnread = 1 << 20;
constexpr size_t kLengthBytes = 8;

// The disk has others to serve, so that it rests as long as a step took it that
// was not short. A step is so much of what came, compressed perhaps.
constexpr size_t kStepBytes = 64 << 10;
constexpr Duration kShortStep = std::chrono::milliseconds(2);
constexpr Duration kLongestRest = std::chrono::seconds(1);

// For a sender that dials again.
constexpr Duration kKeepBroken = std::chrono::seconds(30);

}  // namespace

void BrokenSnapshots::Break(MemberId from, const std::string& name) {
  const auto receiver = begun_.lock();
  if (receiver != nullptr && receiver->Is(from, name)) receiver->Break();
}

void BrokenSnapshots::Keep(Broken broken) {
  kept_ = std::move(broken);
  disk_->After(kKeepBroken, [self = shared_from_this(), kept = ++kept_so_far_] {
    if (self->kept_so_far_ == kept) self->kept_.reset();
  });
}

uint64_t BrokenSnapshots::BytesOf(MemberId from,
                                  const std::string& name) const {
  return kept_ && kept_->from == from && kept_->name == name ? kept_->bytes : 0;
}

std::optional<BrokenSnapshots::Broken> BrokenSnapshots::Take(
    MemberId from, const std::string& name) {
  if (BytesOf(from, name) == 0) return std::nullopt;
  return std::exchange(kept_, std::nullopt);
}

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
  options_.disk->Post([self = shared_from_this()] { self->Over(); });
}

// What came of an unfinished one is removed where it was written, if nobody can
// go on with it.
void SnapshotReceiver::Over() {
  is_over_ = true;
  const bool whole = std::exchange(whole_, false);
  if ((snapshot_ != nullptr || whole) && !options_.name.empty() && bytes_ > 0) {
    options_.broken->Keep({.from = from_,
                           .name = options_.name,
                           .snapshot = std::move(snapshot_),
                           .bytes = bytes_});
  }
  snapshot_.reset();
  Count(false);
}

void SnapshotReceiver::Break() {
  Over();
  sink_->Abort();
}

void SnapshotReceiver::Work() {
  while (!is_over_) {
    if (taken_.empty()) {
      switch (More()) {
        case Next::kBytes:
          break;
        case Next::kEnd:
          return End();
        case Next::kNothing:
          return;
      }
    }
    const Duration took = Step();
    if (took < kShortStep) continue;
    options_.disk->After(std::min(took, kLongestRest),
                         [self = shared_from_this()] { self->Work(); });
    return;
  }
}

SnapshotReceiver::Next SnapshotReceiver::More() {
  bool resume = false;
  Next next = Next::kBytes;
  {
    const std::lock_guard lock(mutex_);
    std::swap(taken_, unread_);
    resume = std::exchange(paused_, false);
    if (taken_.empty() || over_) {
      working_ = false;
      next = body_ended_ && !over_ ? Next::kEnd : Next::kNothing;
    }
    if (over_) return next;
  }
  if (resume) sink_->ReadMore();
  return next;
}

Duration SnapshotReceiver::Step() {
  const Time began = options_.disk->Now();
  const std::string_view bytes =
      std::string_view(taken_).substr(stepped_, kStepBytes);
  if (!refused_) {
    const bool begun = begun_;
    const Status status = Unpack(bytes);
    if (begun && counters_ != nullptr)
      counters_->received_bytes += bytes.size();
    if (!status.ok()) Refuse(status);
  }
  stepped_ += bytes.size();
  if (stepped_ == taken_.size()) {
    taken_.clear();
    stepped_ = 0;
  }
  return options_.disk->Now() - began;
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
  counters_ = options_.counters(from_);
  began_ = options_.disk->Now();
  if (counters_ != nullptr) ++counters_->snapshots_received.under_way;
  if (!options_.name.empty()) options_.broken->Begun(weak_from_this());
  if (options_.offset > 0) return Resume();
  options_.broken->Drop();
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

Status SnapshotReceiver::Resume() {
  auto broken = options_.broken->Take(from_, options_.name);
  if (!broken || broken->bytes != options_.offset) {
    return FailedPreconditionError("it cannot go on from there");
  }
  options_.logger->Info("a snapshot goes on", {{"member", HexId(from_.value())},
                                               {"from-byte", options_.offset}});
  snapshot_ = std::move(broken->snapshot);
  whole_ = snapshot_ == nullptr;
  bytes_ = broken->bytes;
  return Status::Ok();
}

Status SnapshotReceiver::Take(std::string_view bytes) {
  if (begun_) {
    if (bytes.empty()) return Status::Ok();
    if (whole_) return FailedPreconditionError("it is whole already");
    bytes_ += bytes.size();
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
  if (const Status status = Finish(); !status.ok()) return Refuse(status);
  Count(true);
  sink_->Reply(DoneResponse(options_.self));
}

Status SnapshotReceiver::Finish() {
  if (whole_) return Status::Ok();
  RETURN_IF_ERROR(
      options_.gate->With([&](Receiver*) { return snapshot_->Finish(); },
                          UnavailableError("stopping")));
  options_.logger->Info("received a snapshot",
                        {{"member", HexId(from_.value())}});
  snapshot_.reset();
  whole_ = true;
  return Status::Ok();
}

void SnapshotReceiver::Count(bool ok) {
  if (const auto counters = std::exchange(counters_, nullptr)) {
    counters->snapshots_received.Ended(ok, options_.disk->Now() - began_);
  }
}

void SnapshotReceiver::Refuse(const Status& why) {
  refused_ = true;
  snapshot_.reset();
  Count(false);
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
