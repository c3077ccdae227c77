#include "rpc/net/pump.h"

#include <utility>

namespace strata {
namespace {

// Pieces moved in one go, so that others of the thread get their turn.
constexpr int kPiecesAtOnce = 4;
// The client of a server that has closed still gets what it has sent.
constexpr Duration kLinger = std::chrono::seconds(1);

}  // namespace

Pump::Pump(IoThread* thread, std::unique_ptr<ByteStream> a,
           std::unique_ptr<ByteStream> b, std::function<void()> done)
    : thread_(thread),
      a_(std::move(a)),
      b_(std::move(b)),
      done_(std::move(done)),
      there_{.from = a_.get(), .to = b_.get()},
      back_{.from = b_.get(), .to = a_.get()} {}

void Pump::Start(std::string_view first_bytes) {
  there_.waiting = std::string(first_bytes);
  if (Move(&back_)) Move(&there_);
}

bool Pump::Move(Way* way) {
  if (!way->waiting.empty()) {
    const std::string bytes = std::exchange(way->waiting, {});
    if (!Write(way, bytes)) return false;
  }
  for (int i = 0; i < kPiecesAtOnce && way->waiting.empty(); ++i) {
    char* const scratch = thread_->scratch();
    const ByteStream::Result got =
        way->from->Read(scratch, IoThread::kScratchBytes);
    if (got.outcome == ByteStream::Outcome::kWait) break;
    if (got.outcome == ByteStream::Outcome::kEnd) {
      way->ended = true;
      way->to->EndWrite();
    }
    if (got.outcome == ByteStream::Outcome::kFailed ||
        (there_.ended && back_.ended)) {
      Done();
      return false;
    }
    if (way->ended) {
      if (way == &back_) {
        linger_ = std::make_unique<Deadline>(thread_, done_);
        linger_->Set(kLinger);
      }
      return true;
    }
    if (!Write(way, {scratch, got.bytes})) return false;
  }
  Continue(way);
  return true;
}

bool Pump::Write(Way* way, std::string_view bytes) {
  while (!bytes.empty()) {
    const ByteStream::Result sent = way->to->Write(bytes);
    if (sent.outcome == ByteStream::Outcome::kWait) break;
    if (sent.outcome != ByteStream::Outcome::kDone) {
      Done();
      return false;
    }
    bytes.remove_prefix(sent.bytes);
  }
  way->waiting = std::string(bytes);
  return true;
}

void Pump::Continue(Way* way) {
  // The streams are ours: none calls once we are gone.
  if (way->waiting.empty()) {
    way->from->AwaitRead([this, way] { Move(way); });
  } else {
    way->to->AwaitWrite([this, way] { Move(way); });
  }
}

void Pump::Done() {
  const auto done = done_;  // which ends us, and itself
  done();
}

}  // namespace strata
