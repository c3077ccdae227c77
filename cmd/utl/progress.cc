#include "cmd/utl/progress.h"

#include <algorithm>
#include <utility>

namespace strata::utl {
namespace {

// Short work shows nothing.
constexpr auto kFirst = std::chrono::milliseconds(500);
constexpr auto kStep = std::chrono::milliseconds(200);

}  // namespace

Progress::Progress(const Context& context, std::string what, std::string unit,
                   uint64_t total)
    : context_(context),
      what_(std::move(what)),
      unit_(std::move(unit)),
      total_(std::max<uint64_t>(total, 1)),
      next_(Clock::now() + kFirst) {}

Progress::~Progress() {
  if (shown_) *context_.err << "\r\x1b[K" << std::flush;
}

void Progress::Add(uint64_t count) {
  done_ += count;
  if (context_.err_is_terminal && Clock::now() >= next_) Show();
}

void Progress::Show() {
  *context_.err << "\r\x1b[K" << what_ << ": " << done_ << " of " << total_
                << " " << unit_ << ", "
                << std::min<uint64_t>(100, done_ * 100 / total_) << "%"
                << std::flush;
  shown_ = true;
  next_ = Clock::now() + kStep;
}

}  // namespace strata::utl
