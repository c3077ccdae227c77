#include "rpc/h2/ping_guard.h"

#include <gtest/gtest.h>

#include <chrono>

namespace strata {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

// The number of the ping that was one too many, each `apart` after the one
// before; 0: none of a hundred was.
int TooMany(Duration apart, bool has_calls, bool sends = false) {
  PingGuard guard(seconds(5));
  Time now = hours(1000);
  for (int i = 1; i <= 100; ++i) {
    if (guard.Ping(now, has_calls)) return i;
    if (sends) guard.Sent();
    now += apart;
  }
  return 0;
}

TEST(PingGuardTest, TheFourthInARowThatCameTooSoon) {
  EXPECT_EQ(TooMany(seconds(4), /*has_calls=*/true), 4);
  EXPECT_EQ(TooMany(seconds(5), /*has_calls=*/true), 0);
}

TEST(PingGuardTest, WithoutCallsTwoHours) {
  EXPECT_EQ(TooMany(seconds(5), /*has_calls=*/false), 4);
  EXPECT_EQ(TooMany(hours(2), /*has_calls=*/false), 0);
}

TEST(PingGuardTest, WhoIsSentDataMayPing) {
  EXPECT_EQ(TooMany(seconds(0), /*has_calls=*/true, /*sends=*/true), 0);
  EXPECT_EQ(TooMany(seconds(0), /*has_calls=*/false, /*sends=*/true), 0);
}

TEST(PingGuardTest, EarlierOnesAreForgivenThen) {
  PingGuard guard(seconds(5));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(guard.Ping(hours(1), true));
  guard.Sent();
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(guard.Ping(hours(1), true));
  EXPECT_TRUE(guard.Ping(hours(1), true));
}

}  // namespace
}  // namespace strata
