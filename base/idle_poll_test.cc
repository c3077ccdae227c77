#include "base/idle_poll.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace strata {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Far beyond what it takes, also on a busy machine, where idle threads get next
// to nothing.
constexpr Duration kPatience = seconds(30);

bool Becomes(const IdlePoll& poll, int polling) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (poll.polling() != polling) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return true;
}

TEST(IdlePollTest, PollsForAWhileAfterWork) {
  IdlePoll poll(milliseconds(100), 1);
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(Becomes(poll, 0)) << "it goes on without work";
    poll.Touch();
    EXPECT_TRUE(Becomes(poll, 1)) << "work " << i << " does not wake it";
  }
}

TEST(IdlePollTest, GoesOnAsLongAsThereIsWork) {
  IdlePoll poll(seconds(5), 1);
  ASSERT_TRUE(Becomes(poll, 1));
  for (int i = 0; i < 100; ++i) {
    poll.Touch();
    std::this_thread::sleep_for(milliseconds(1));
    ASSERT_EQ(poll.polling(), 1);
  }
}

TEST(IdlePollTest, WithoutATimeThereAreNoThreads) {
  IdlePoll poll(Duration::zero(), 2);
  poll.Touch();
  std::this_thread::sleep_for(milliseconds(10));
  EXPECT_EQ(poll.polling(), 0);
}

}  // namespace
}  // namespace strata
