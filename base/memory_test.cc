#include "base/memory.h"

#include <gtest/gtest.h>

namespace strata {
namespace {

TEST(MemoryTest, IsWhatTheSystemSays) {
  EXPECT_EQ(ParseAvailableMemory("MemTotal:       100 kB\n"
                                 "MemAvailable:   20 kB\nBuffers: 3 kB\n"),
            20u << 10);
  EXPECT_EQ(ParseAvailableMemory("MemTotal: 100 kB\n"), 0u);
  EXPECT_EQ(ParseAvailableMemory("MemAvailable:"), 0u);
  EXPECT_GT(AvailableMemoryBytes(), 1u << 20);
}

}  // namespace
}  // namespace strata
