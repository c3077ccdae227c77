#include "base/process_stats.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>

namespace strata {
namespace {

TEST(ProcessStatsTest, TellsOfThisProcess) {
  const ProcessStats before = ReadProcessStats();
  EXPECT_GT(before.resident_bytes, uint64_t{1} << 20);
  EXPECT_GT(before.virtual_bytes, before.resident_bytes);
  EXPECT_GT(before.max_open_files, before.open_files);
  EXPECT_GT(before.max_virtual_bytes, 0U);
  const double now = std::chrono::duration<double>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count();
  EXPECT_NEAR(before.start_seconds, now, 600);

  const int file = open("/dev/null", O_RDONLY);
  EXPECT_EQ(ReadProcessStats().open_files, before.open_files + 1);
  close(file);

  const auto end =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
  while (std::chrono::steady_clock::now() < end) {
  }
  const double worked = ReadProcessStats().cpu_seconds - before.cpu_seconds;
  EXPECT_GT(worked, 0.02);
  EXPECT_LT(worked, 5);
}

}  // namespace
}  // namespace strata
