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
  if (!context_.err_is_terminal || Clock::now() < next_) return;
  Show(std::to_string(done_) + " of " + std::to_string(total_) + " " + unit_ +
       ", " + std::to_string(std::min<uint64_t>(100, done_ * 100 / total_)) +
       "%");
}

void Progress::Say(const std::string& text) {
  if (context_.err_is_terminal && Clock::now() >= next_) Show(text);
}

void Progress::Show(const std::string& text) {
  *context_.err << "\r\x1b[K" << what_ << ": " << text << std::flush;
  shown_ = true;
  next_ = Clock::now() + kStep;
}

}  // namespace strata::utl
