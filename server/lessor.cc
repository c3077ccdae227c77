#include "server/lessor.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "engine/errors.h"
#include "server/errors.h"

namespace strata {
namespace {

// Leases looked at in one step of the loop.
constexpr size_t kStepLeases = 1000;
// A revocation that was refused (too many requests) is tried again after it.
constexpr Duration kRetry = std::chrono::seconds(1);
// Leases of one entry with checkpoints, as etcd's.
constexpr size_t kCheckpointLeases = 1000;

}  // namespace

Lessor::Lessor(Loop* loop, Revoke revoke, Checkpoint checkpoint)
    : loop_(loop),
      revoke_(std::move(revoke)),
      checkpoint_(std::move(checkpoint)),
      anchor_(std::make_shared<Anchor>()),
      wheel_(loop->Now()) {
  anchor_->lessor = this;
}

Lessor::~Lessor() { Stop(); }

void Lessor::Stop() {
  const std::lock_guard anchored(anchor_->mutex);
  anchor_->lessor = nullptr;
}

void Lessor::Promote(const std::vector<LeaseRecord>& leases, Duration extend) {
  const std::lock_guard lock(mutex_);
  leading_ = true;
  for (const LeaseRecord& lease : leases) Start(lease, extend);
  ScheduleWork();
}

void Lessor::Demote() {
  std::vector<std::function<void(StatusOr<int64_t>)>> waiting;
  {
    const std::lock_guard lock(mutex_);
    leading_ = false;
    for (auto& [id, lease] : leases_) {
      wheel_.Cancel(&lease);
      std::move(lease.waiting.begin(), lease.waiting.end(),
                std::back_inserter(waiting));
    }
    leases_.clear();
    ended_.clear();
    checkpoints_.clear();
  }
  // Whether it ends is the next leader's to say.
  for (const auto& reply : waiting) reply(errors::LeaderChanged());
}

void Lessor::Granted(const LeaseRecord& lease) {
  const std::lock_guard lock(mutex_);
  if (!leading_) return;
  Start(lease, Duration::zero());
  ScheduleWork();
}

void Lessor::Start(const LeaseRecord& record, Duration extend) {
  Lease& lease = leases_[record.id];
  lease.id = record.id;
  lease.ttl_seconds = record.ttl_seconds;
  const int64_t left = record.remaining_seconds > 0 ? record.remaining_seconds
                                                    : record.ttl_seconds;
  // Seconds that a Time can count.
  const int64_t most =
      (Time::max() - loop_->Now() - extend) / std::chrono::seconds(1);
  SetDue(&lease, std::chrono::seconds(std::min(left, most - 1)) + extend);
  lease.checkpointed = record.remaining_seconds > 0 || lease.checkpointing;
  SetCheckpoint(&lease, kCheckpointInterval);
}

void Lessor::SetDue(Lease* lease, Duration left) {
  lease->due = loop_->Now() + left;
  wheel_.Set(lease, lease->due);
}

// Not for a lease that ends before.
void Lessor::SetCheckpoint(Lease* lease, Duration after) {
  if (checkpoint_ == nullptr) return;
  ClearCheckpoint(lease);
  const Time at = loop_->Now() + after;
  if (lease->ended || lease->due <= at) return;
  lease->checkpoint_at = at;
  checkpoints_.emplace(at, lease->id);
}

void Lessor::ClearCheckpoint(Lease* lease) {
  if (lease->checkpoint_at == Time()) return;
  checkpoints_.erase({lease->checkpoint_at, lease->id});
  lease->checkpoint_at = Time();
}

void Lessor::Revoked(LeaseId id) {
  std::vector<std::function<void(StatusOr<int64_t>)>> waiting;
  {
    const std::lock_guard lock(mutex_);
    const auto at = leases_.find(id);
    if (at == leases_.end()) return;
    wheel_.Cancel(&at->second);
    ClearCheckpoint(&at->second);
    waiting = std::move(at->second.waiting);
    leases_.erase(at);
  }
  for (const auto& reply : waiting) reply(errors::LeaseNotFound());
}

void Lessor::Checkpointed(LeaseId id, int64_t remaining_seconds) {
  const std::lock_guard lock(mutex_);
  const auto at = leases_.find(id);
  if (at == leases_.end()) return;
  at->second.checkpointed = remaining_seconds > 0 || at->second.checkpointing;
  SetCheckpoint(&at->second, kCheckpointInterval);
  ScheduleWork();
}

void Lessor::Renew(LeaseId id, std::function<void(StatusOr<int64_t>)> reply) {
  Renew(id, /*cleared=*/false, std::move(reply));
}

void Lessor::Renew(LeaseId id, bool cleared,
                   std::function<void(StatusOr<int64_t>)> reply) {
  int64_t ttl = 0;
  {
    std::unique_lock lock(mutex_);
    if (!leading_) {
      lock.unlock();
      return reply(errors::NotLeader());
    }
    const auto at = leases_.find(id);
    if (at != leases_.end() && at->second.ended) {
      at->second.waiting.push_back(std::move(reply));
      return;
    }
    if (at != leases_.end() && at->second.checkpointed && !cleared &&
        checkpoint_ != nullptr) {
      lock.unlock();
      return Clear(id, std::move(reply));
    }
    if (at != leases_.end()) {
      ttl = at->second.ttl_seconds;
      ++counts_.renewed;
      Start({.id = id, .ttl_seconds = ttl}, Duration::zero());
      ScheduleWork();
    }
  }
  if (ttl == 0) return reply(errors::LeaseNotFound());
  reply(ttl);
}

void Lessor::Clear(LeaseId id, std::function<void(StatusOr<int64_t>)> reply) {
  checkpoint_({{id, 0}},
              [this, id, reply = std::move(reply)](const Status& recorded) {
                if (!recorded.ok()) return reply(recorded);
                Renew(id, /*cleared=*/true, reply);
              });
}

Lessor::Counts Lessor::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

std::optional<Duration> Lessor::Remaining(LeaseId id) const {
  const std::lock_guard lock(mutex_);
  const auto at = leases_.find(id);
  if (at == leases_.end()) return std::nullopt;
  const Duration left = at->second.due - loop_->Now();
  if (at->second.ended || left < Duration::zero()) return std::nullopt;
  return left;
}

bool Lessor::leading() const {
  const std::lock_guard lock(mutex_);
  return leading_;
}

std::vector<LeaseId> Lessor::List() const {
  std::vector<std::pair<Time, LeaseId>> order;
  {
    const std::lock_guard lock(mutex_);
    order.reserve(leases_.size());
    for (const auto& [id, lease] : leases_) order.emplace_back(lease.due, id);
  }
  std::sort(order.begin(), order.end());
  std::vector<LeaseId> ids;
  ids.reserve(order.size());
  for (const auto& [due, id] : order) ids.push_back(id);
  return ids;
}

std::optional<Time> Lessor::NextWork() const {
  const std::optional<Time> end = wheel_.NextWork();
  if (checkpoints_.empty() || checkpointing_) return end;
  const Time checkpoint = checkpoints_.begin()->first;
  return end.has_value() ? std::min(*end, checkpoint) : checkpoint;
}

// At most one timer waits, for the earliest work there is.
void Lessor::ScheduleWork() {
  const std::optional<Time> next = NextWork();
  if (!next.has_value() || (work_at_.has_value() && *work_at_ <= *next)) return;
  if (work_at_.has_value()) loop_->Cancel(work_timer_);
  work_at_ = next;
  const Duration delay = std::max(*next - loop_->Now(), Duration::zero());
  work_timer_ = loop_->After(delay, [anchor = anchor_] {
    const std::lock_guard anchored(anchor->mutex);
    if (anchor->lessor != nullptr) anchor->lessor->Work();
  });
}

void Lessor::Work() {
  {
    const std::lock_guard lock(mutex_);
    work_at_.reset();
    std::vector<TimingWheel::Timer*> due;
    wheel_.Advance(loop_->Now(), kStepLeases, &due);
    for (TimingWheel::Timer* timer : due) {
      auto* const lease = static_cast<Lease*>(timer);
      lease->ended = true;
      ended_.push_back(lease->id);
    }
  }
  StartRevokes();
  StartCheckpoint();
  const std::lock_guard lock(mutex_);
  ScheduleWork();
}

void Lessor::StartRevokes() {
  if (std::exchange(starting_, true)) return;  // a refusal came back at once
  for (;;) {
    LeaseId id;
    {
      const std::lock_guard lock(mutex_);
      if (ended_.empty() || revoking_ >= limits::kMaxPendingRevokes) break;
      id = ended_.front();
      ended_.pop_front();
      // Revoked by another, it may have been granted anew.
      const auto at = leases_.find(id);
      if (at == leases_.end() || !at->second.ended) continue;
      ++revoking_;
      ++counts_.expired;
    }
    revoke_(id, [this, id](const Status& status) { EndRevoke(id, status); });
  }
  starting_ = false;
}

Lessor::LeftOf Lessor::TakeDueCheckpoints() {
  LeftOf due;
  const Time now = loop_->Now();
  while (due.size() < kCheckpointLeases && !checkpoints_.empty() &&
         checkpoints_.begin()->first <= now) {
    Lease& lease = leases_.at(checkpoints_.begin()->second);
    ClearCheckpoint(&lease);
    if (lease.ended || lease.due <= now) continue;
    const int64_t left =
        std::chrono::ceil<std::chrono::seconds>(lease.due - now).count();
    if (left < lease.ttl_seconds) {
      due.emplace_back(lease.id, left);
      // From now on: a renewal that comes before the entry is applied has to be
      // behind it in the log.
      lease.checkpointed = lease.checkpointing = true;
    } else {
      SetCheckpoint(&lease, kCheckpointInterval);
    }
  }
  return due;
}

void Lessor::StartCheckpoint() {
  LeftOf due;
  {
    const std::lock_guard lock(mutex_);
    if (checkpointing_) return;
    due = TakeDueCheckpoints();
    if (due.empty()) return;
    checkpointing_ = true;
  }
  checkpoint_(
      due, [this, due](const Status& status) { EndCheckpoint(due, status); });
}

// Those that the log has not taken are tried again; the others have had their
// next time set when they were applied.
void Lessor::EndCheckpoint(const LeftOf& leases, const Status& status) {
  const std::lock_guard lock(mutex_);
  checkpointing_ = false;
  for (const auto& [id, left] : leases) {
    const auto at = leases_.find(id);
    if (at == leases_.end()) continue;
    at->second.checkpointing = false;
    if (status.ok() || at->second.checkpoint_at != Time()) continue;
    SetCheckpoint(&at->second, kRetry);
  }
  ScheduleWork();
}

// What was not revoked is tried again; it stays ended for its clients.
void Lessor::EndRevoke(LeaseId id, const Status& status) {
  {
    const std::lock_guard lock(mutex_);
    --revoking_;
    const auto at = leases_.find(id);
    if (!status.ok() && at != leases_.end() && at->second.ended) {
      wheel_.Set(&at->second, loop_->Now() + kRetry);
    }
    ScheduleWork();
  }
  StartRevokes();
}

}  // namespace strata
