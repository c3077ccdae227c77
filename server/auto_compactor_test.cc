#include "server/auto_compactor.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "base/sim_loop.h"

namespace strata {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

// A store that changes every second.
class AutoCompactorTest : public ::testing::Test {
 protected:
  void Start(const AutoCompaction& keep) {
    compactor_ = std::make_unique<AutoCompactor>(
        keep, loop_.get(),
        AutoCompactor::Store{
            [this] { return Revision(1 + Seconds() * moving_); },
            [this](Revision revision, auto done) {
              compactions_.emplace_back(Seconds(), revision.value());
              done(outcome_);
            }},
        Logger::Null());
    compactor_->Start();
  }
  int64_t Seconds() const { return loop_->Now() / seconds(1); }

  int64_t moving_ = 1;
  Status outcome_;
  std::vector<std::pair<int64_t, int64_t>> compactions_;  // when, to what
  SimWorld world_;
  std::unique_ptr<SimLoop> loop_ = world_.NewLoop("node");
  std::unique_ptr<AutoCompactor> compactor_;
};

using Compactions = std::vector<std::pair<int64_t, int64_t>>;

TEST_F(AutoCompactorTest, NothingIsDoneUnlessAsked) {
  Start({});
  world_.RunFor(hours(100));
  EXPECT_TRUE(compactions_.empty());
}

TEST_F(AutoCompactorTest, AShortPeriodIsKept) {
  Start({.period = minutes(10)});
  world_.RunFor(minutes(31));
  EXPECT_EQ(compactions_, (Compactions{{600, 1}, {1200, 541}, {1800, 1141}}));
}

TEST_F(AutoCompactorTest, ALongPeriodIsKeptHourByHour) {
  Start({.period = hours(3)});
  world_.RunFor(hours(5) + seconds(1));
  EXPECT_EQ(compactions_,
            (Compactions{{10800, 1}, {14400, 3241}, {18000, 6841}}));
}

TEST_F(AutoCompactorTest, ARevisionIsCompactedOnce) {
  moving_ = 0;
  Start({.period = minutes(10)});
  world_.RunFor(hours(2));
  EXPECT_EQ(compactions_, (Compactions{{600, 1}}));
}

TEST_F(AutoCompactorTest, AFailureIsTriedAgainSoon) {
  outcome_ = UnavailableError("no");
  Start({.period = minutes(10)});
  world_.RunFor(minutes(12));
  EXPECT_EQ(compactions_, (Compactions{{600, 1}, {660, 1}, {720, 61}}));
  outcome_ =
      OutOfRangeError("etcdserver: mvcc: required revision has been compacted");
  world_.RunFor(minutes(5));  // as good as done: others compact too
  EXPECT_EQ(compactions_.size(), 4u);
}

TEST_F(AutoCompactorTest, TheLastRevisionsAreKept) {
  Start({.revisions = 400});
  world_.RunFor(minutes(16));
  EXPECT_EQ(compactions_, (Compactions{{600, 201}, {900, 501}}));
}

}  // namespace
}  // namespace strata
