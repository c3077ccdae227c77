#include "server/slow_log.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <utility>

namespace strata {
namespace {

constexpr int kLinesPerSecond = 10;

}  // namespace

bool SlowLog::Take(uint64_t* left_out) {
  const std::lock_guard lock(mutex_);
  const Time now = clock_->Now();
  if (now - second_ >= std::chrono::seconds(1)) {
    second_ = now;
    said_ = 0;
  }
  if (said_ >= kLinesPerSecond) {
    ++left_out_;
    return false;
  }
  ++said_;
  *left_out = std::exchange(left_out_, 0);
  return true;
}

void SlowLog::ApplyTook(Duration took, std::string_view prefix,
                        const Status& status,
                        const std::function<std::string()>& describe) {
  slow_applies_.fetch_add(1, std::memory_order_relaxed);
  uint64_t left_out = 0;
  if (!logger_->Enabled(LogLevel::kWarn) || !Take(&left_out)) return;
  logger_->Warn("apply request took too long",
                {{"took", GoDuration(took)},
                 {"expected-duration", GoDuration(expected_)},
                 {"prefix", prefix},
                 {"request", describe()},
                 {"error", status.ok() ? "" : status.message()},
                 {"lines-left-out", left_out}});
}

void SlowLog::RequestTook(Duration took, const std::vector<Step>& steps,
                          const std::function<std::string()>& describe) {
  uint64_t left_out = 0;
  if (!logger_->Enabled(LogLevel::kInfo) || !Take(&left_out)) return;
  std::string text;
  for (const Step& step : steps) {
    text += (text.empty() ? "" : "; ") + std::string(step.name) + " " +
            GoDuration(step.took);
  }
  logger_->Info("slow request", {{"duration", GoDuration(took)},
                                 {"request", describe()},
                                 {"steps", text},
                                 {"lines-left-out", left_out}});
}

void SlowLog::CallTook(Duration took, std::string_view method,
                       uint64_t request_bytes, uint64_t response_bytes,
                       const Status& status) {
  uint64_t left_out = 0;
  if (!logger_->Enabled(LogLevel::kWarn) || !Take(&left_out)) return;
  logger_->Warn("request stats",
                {{"time spent", GoDuration(took)},
                 {"response type", method},
                 {"request size", request_bytes},
                 {"response size", response_bytes},
                 {"error", status.ok() ? "" : status.message()},
                 {"lines-left-out", left_out}});
}

std::string GoDuration(Duration duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  std::array<char, 32> text;
  const bool whole = seconds >= 1;
  const int size =
      whole ? std::snprintf(text.data(), text.size(), "%.9f", seconds)
            : std::snprintf(text.data(), text.size(), "%.6f", seconds * 1000);
  std::string digits(text.data(), static_cast<size_t>(size));
  digits.erase(digits.find_last_not_of('0') + 1);
  if (digits.ends_with('.')) digits.pop_back();
  return digits + (whole ? "s" : "ms");
}

}  // namespace strata
