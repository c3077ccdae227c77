#include "raft/progress.h"

#include <algorithm>
#include <sstream>

#include "base/check.h"

namespace strata::raft {

void Inflights::Add(LogIndex last, uint64_t bytes) {
  CHECK(!Full());
  if (count_ == ring_.size()) Grow();
  ring_[(begin_ + count_) % ring_.size()] = {last, bytes};
  ++count_;
  bytes_ += bytes;
}

void Inflights::Grow() {
  std::vector<Sent> larger(std::max<size_t>(8, 2 * ring_.size()));
  for (size_t i = 0; i < count_; ++i) {
    larger[i] = ring_[(begin_ + i) % ring_.size()];
  }
  ring_ = std::move(larger);
  begin_ = 0;
}

void Inflights::FreeTo(LogIndex index) {
  while (count_ > 0 && ring_[begin_].last <= index) FreeFirst();
}

void Inflights::FreeFirst() {
  if (count_ == 0) return;
  bytes_ -= ring_[begin_].bytes;
  begin_ = (begin_ + 1) % ring_.size();
  --count_;
}

void Inflights::Clear() {
  begin_ = 0;
  count_ = 0;
  bytes_ = 0;
}

void Progress::Enter(ProgressState state) {
  state_ = state;
  pending_snapshot_ = LogIndex();
  probe_sent_ = false;
  inflights_.Clear();
}

void Progress::BecomeProbe() {
  const LogIndex had = std::max(match_, pending_snapshot_);
  Enter(ProgressState::kProbe);
  next_ = had + 1;
  must_send = true;
}

void Progress::BecomeReplicate() {
  Enter(ProgressState::kReplicate);
  next_ = match_ + 1;
}

void Progress::BecomeSnapshot(LogIndex index) {
  Enter(ProgressState::kSnapshot);
  pending_snapshot_ = index;
  next_ = index + 1;
}

bool Progress::Paused() const {
  switch (state_) {
    case ProgressState::kProbe:
      return probe_sent_;
    case ProgressState::kReplicate:
      return inflights_.Full();
    case ProgressState::kSnapshot:
      return true;
  }
  return true;
}

void Progress::Sent(LogIndex last, uint64_t bytes, bool entries) {
  must_send = false;
  if (state_ == ProgressState::kProbe) {
    probe_sent_ = true;
  } else if (entries) {
    next_ = last + 1;
    inflights_.Add(last, bytes);
  }
}

bool Progress::Accepted(LogIndex index) {
  next_ = std::max(next_, index + 1);
  inflights_.FreeTo(index);
  if (index <= match_) return false;
  match_ = index;
  probe_sent_ = false;
  return true;
}

bool Progress::Rejected(LogIndex rejected, LogIndex hint) {
  if (state_ == ProgressState::kReplicate) {
    if (rejected <= match_) return false;
    BecomeProbe();
    return true;
  }
  if (state_ == ProgressState::kSnapshot || next_ - 1 != rejected) return false;
  next_ = std::max(std::min(rejected, hint + 1), match_ + 1);
  probe_sent_ = false;
  must_send = true;
  return true;
}

void Progress::HeartbeatAnswered() {
  probe_sent_ = false;
  if (inflights_.Full()) inflights_.FreeFirst();
}

void Progress::SnapshotReported(bool ok) {
  if (!ok) pending_snapshot_ = LogIndex();
  BecomeProbe();
  probe_sent_ = true;
}

std::string ToString(const Progress& progress) {
  static constexpr const char* kNames[] = {"probe", "replicate", "snapshot"};
  std::ostringstream text;
  text << kNames[static_cast<int>(progress.state())]
       << " match=" << progress.match() << " next=" << progress.next();
  if (progress.state() == ProgressState::kSnapshot) {
    text << " snapshot=" << progress.pending_snapshot();
  }
  if (progress.inflights().count() > 0) {
    text << " inflight=" << progress.inflights().count();
  }
  if (progress.Paused()) text << " paused";
  return text.str();
}

}  // namespace strata::raft
