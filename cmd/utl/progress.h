#ifndef STRATA_CMD_UTL_PROGRESS_H_
#define STRATA_CMD_UTL_PROGRESS_H_

#include <chrono>
#include <cstdint>
#include <string>

#include "cmd/utl/context.h"

namespace strata::utl {

// "checking: 12345 of 99999 pages, 12%" on stderr, if that is a terminal; gone
// when the work is done.
class Progress {
 public:
  Progress(const Context& context, std::string what, std::string unit,
           uint64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Add(uint64_t count);
  // Shows a text of the caller's instead.
  void Say(const std::string& text);

 private:
  using Clock = std::chrono::steady_clock;
  void Show(const std::string& text);

  const Context& context_;
  const std::string what_;
  const std::string unit_;
  const uint64_t total_;
  uint64_t done_ = 0;
  bool shown_ = false;
  Clock::time_point next_;
};

}  // namespace strata::utl

#endif  // STRATA_CMD_UTL_PROGRESS_H_
