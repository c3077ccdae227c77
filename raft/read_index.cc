#include "raft/read_index.h"

#include <utility>

#include "base/bytes.h"
#include "base/limits.h"

namespace strata::raft {

std::string EncodeRound(uint64_t round) {
  std::string context;
  AppendBig64(&context, round);
  return context;
}

uint64_t DecodeRound(std::string_view context) {
  return context.size() == 8 ? LoadBig64(context.data()) : 0;
}

bool ReadRounds::Add(MemberId from, std::string context) {
  if (pending_ >= limits::kMaxPendingReads) return false;
  waiting_.push_back({.from = from, .context = std::move(context)});
  ++pending_;
  return true;
}

bool ReadRounds::CanStart() const {
  return !waiting_.empty() && rounds_.size() < limits::kMaxReadRounds;
}

uint64_t ReadRounds::Start(LogIndex index) {
  for (Request& request : waiting_) request.index = index;
  rounds_.push_back({.number = ++last_, .requests = std::move(waiting_)});
  waiting_.clear();
  return last_;
}

uint64_t ReadRounds::Newest() const {
  return rounds_.empty() ? 0 : rounds_.back().number;
}

std::vector<ReadRounds::Request> ReadRounds::Confirm(uint64_t round) {
  std::vector<Request> confirmed;
  while (!rounds_.empty() && rounds_.front().number <= round) {
    for (Request& request : rounds_.front().requests) {
      confirmed.push_back(std::move(request));
    }
    rounds_.pop_front();
  }
  pending_ -= confirmed.size();
  return confirmed;
}

bool LocalReads::Add(ReadId id) {
  if (count_ >= limits::kMaxPendingReads) return false;
  gathering_.push_back(id);
  ++count_;
  return true;
}

void LocalReads::TakeUnasked(std::vector<std::string>* contexts) {
  if (!gathering_.empty()) {
    requests_.push_back({.number = next_++,
                         .age = std::exchange(gathering_age_, 0),
                         .ids = std::exchange(gathering_, {})});
    ++unasked_;
  }
  if (unasked_ == 0) return;
  for (Request& request : requests_) {
    if (std::exchange(request.asked, true)) continue;
    contexts->push_back(EncodeRound(request.number));
  }
  unasked_ = 0;
}

void LocalReads::AskAgain() {
  for (Request& request : requests_) request.asked = false;
  unasked_ = requests_.size();
}

void LocalReads::Answer(std::string_view context, LogIndex index,
                        std::vector<SafeRead>* reads) {
  for (auto at = requests_.begin(); at != requests_.end(); ++at) {
    if (EncodeRound(at->number) != context) continue;
    for (ReadId id : at->ids) reads->push_back({.id = id, .index = index});
    count_ -= at->ids.size();
    if (!at->asked) --unasked_;
    requests_.erase(at);
    return;
  }
}

void LocalReads::Tick(uint32_t again, uint32_t limit,
                      std::vector<ReadId>* lost) {
  if (count_ == 0) return;
  if (!gathering_.empty() && ++gathering_age_ >= limit) {
    lost->insert(lost->end(), gathering_.begin(), gathering_.end());
    count_ -= gathering_.size();
    gathering_.clear();
    gathering_age_ = 0;
  }
  for (Request& request : requests_) {
    if (++request.age % again != 0 || !request.asked) continue;
    request.asked = false;
    ++unasked_;
  }
  while (!requests_.empty() && requests_.front().age >= limit) {
    const Request& old = requests_.front();
    lost->insert(lost->end(), old.ids.begin(), old.ids.end());
    count_ -= old.ids.size();
    if (!old.asked) --unasked_;
    requests_.pop_front();
  }
}

}  // namespace strata::raft
