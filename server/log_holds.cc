#include "server/log_holds.h"

#include <algorithm>

namespace strata {

void LogHolds::Sending(MemberId to, LogIndex index) {
  holds_[to] = {.index = index};
}

void LogHolds::Sent(MemberId to, Time now) {
  const auto at = holds_.find(to);
  if (at != holds_.end()) at->second.until = now + kAfterwards;
}

bool LogHolds::WasSent(MemberId to) const {
  const auto at = holds_.find(to);
  return at != holds_.end() && at->second.until.has_value();
}

LogIndex LogHolds::Limit(LogIndex wanted, Time now) {
  std::erase_if(holds_, [now](const auto& one) {
    return one.second.until && now >= *one.second.until;
  });
  for (const auto& [to, hold] : holds_) wanted = std::min(wanted, hold.index);
  return wanted;
}

}  // namespace strata
