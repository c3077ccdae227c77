#include "tests/watch/checker.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace strata::testing {
namespace {

// A log of one watcher of everything, over changes of the revisions 2 to 6, of
// which 4 changes three keys; each test spoils it in one way.
class CheckerTest : public ::testing::Test {
 protected:
  CheckerTest() {
    truth_.Put(2, "a", "1");
    truth_.Put(3, "b", "1");
    truth_.Put(4, "a", "2");
    truth_.Delete(4, "b");
    truth_.Put(4, "c", "1");
    truth_.Put(5, "a", "3");
    truth_.Delete(6, "a");
  }

  static WatchLog NewLog() {
    return WatchLog({.key = std::string(1, '\0'),
                     .end = std::string(1, '\0'),
                     .prev_kv = true});
  }
  // The events of a revision, as they are right.
  std::vector<WatchedEvent> At(int64_t revision) const {
    std::vector<WatchedEvent> events;
    for (const WatchedEvent& event : truth_.events()) {
      if (event.revision == revision) events.push_back(event);
    }
    return events;
  }
  static std::vector<WatchedEvent> Join(std::vector<WatchedEvent> a,
                                        const std::vector<WatchedEvent>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  }
  // The names of what is broken: "" if nothing.
  std::string Broken(const WatchLog& log, int64_t until = 6) const {
    std::string names;
    for (const Violation& violation : CheckWatch(truth_, log, until)) {
      names += (names.empty() ? "" : " ") + PromiseName(violation.promise);
    }
    return names;
  }

  WatchTruth truth_;
  WatchLog log_ = NewLog();
};

TEST_F(CheckerTest, AllIsWell) {
  log_.Begin(2);
  log_.Events(Join(At(2), At(3)));
  log_.Progress(3);
  log_.Events(At(4));
  EXPECT_EQ(log_.resume(), 5);
  log_.Begin(log_.resume());
  log_.Events(At(5));
  log_.Progress(5);
  log_.Events(At(6));
  EXPECT_EQ(Broken(log_), "");
}

TEST_F(CheckerTest, FiltersAndRanges) {
  WatchLog log({.key = "a", .end = "b", .no_delete = true});
  log.Begin(0);
  auto without_prev = [this](int64_t revision) {
    auto event = At(revision).front();
    event.prev.reset();
    return std::vector<WatchedEvent>{event};
  };
  log.Events(without_prev(2));
  log.Events(without_prev(4));
  log.Events(without_prev(5));
  EXPECT_EQ(Broken(log), "");
  log.Events(without_prev(6));
  EXPECT_EQ(Broken(log), "faithful");
}

TEST_F(CheckerTest, Ordered) {
  log_.Begin(2);
  log_.Events(At(2));
  log_.Events(At(4));
  log_.Events(At(3));
  log_.Events(At(5));
  log_.Events(At(6));
  EXPECT_EQ(Broken(log_), "reliable ordered");
}

TEST_F(CheckerTest, Unique) {
  log_.Begin(2);
  log_.Events(Join(At(2), At(3)));
  log_.Events(Join(At(3), At(4)));
  log_.Events(Join(At(5), At(6)));
  EXPECT_EQ(Broken(log_), "atomic unique");
  WatchLog inside = NewLog();
  inside.Begin(5);
  inside.Events(Join(At(5), Join(At(5), At(6))));
  EXPECT_EQ(Broken(inside), "unique");
}

TEST_F(CheckerTest, Reliable) {
  log_.Begin(2);
  log_.Events(At(2));
  log_.Events(At(4));
  log_.Events(Join(At(5), At(6)));
  EXPECT_EQ(Broken(log_), "reliable");
  WatchLog cut = NewLog();
  cut.Begin(2);
  cut.Events(Join(At(2), At(3)));
  EXPECT_EQ(Broken(cut), "reliable");  // at the end
  EXPECT_EQ(Broken(cut, /*until=*/3), "");
}

TEST_F(CheckerTest, Atomic) {
  log_.Begin(2);
  log_.Events(Join(At(2), At(3)));
  auto first = At(4);
  auto rest = std::vector<WatchedEvent>{first.back()};
  first.pop_back();
  WatchLog fragmented = log_;
  log_.Events(first);
  log_.Events(rest);
  log_.Events(Join(At(5), At(6)));
  EXPECT_EQ(Broken(log_), "atomic");
  // Fragments may do that; where it broke off the revision is asked for again.
  fragmented.Events(first, /*more=*/true);
  EXPECT_EQ(fragmented.resume(), 4);
  WatchLog broken_off = fragmented;
  fragmented.Events(rest);
  fragmented.Events(Join(At(5), At(6)));
  EXPECT_EQ(Broken(fragmented), "");
  broken_off.Begin(4);
  broken_off.Events(Join(At(4), Join(At(5), At(6))));
  EXPECT_EQ(Broken(broken_off), "");
}

TEST_F(CheckerTest, Resumable) {
  for (const int64_t wrong : {2, 4}) {
    WatchLog log = NewLog();
    log.Begin(2);
    log.Events(At(2));
    log.Begin(3);
    if (wrong == 2) log.Events(At(2));  // seen before
    if (wrong != 4) log.Events(At(3));  // or left out
    log.Events(At(4));
    log.Events(Join(At(5), At(6)));
    EXPECT_EQ(Broken(log), "resumable") << wrong;
  }
}

TEST_F(CheckerTest, Bookmarkable) {
  log_.Begin(2);
  log_.Events(At(2));
  log_.Progress(3);
  log_.Events(At(4));
  log_.Events(Join(At(5), At(6)));
  EXPECT_EQ(Broken(log_), "bookmarkable");
  WatchLog late = NewLog();
  late.Begin(5);
  late.Events(At(5));
  late.Progress(6);
  late.Events(At(6));
  EXPECT_EQ(Broken(late), "bookmarkable ordered");
}

TEST_F(CheckerTest, Faithful) {
  for (int i = 0; i < 4; ++i) {
    WatchLog log = NewLog();
    log.Begin(5);
    auto event = At(5).front();
    if (i == 0) event.value = "4";
    if (i == 1) event.is_delete = true;
    if (i == 2) event.prev = "1";
    if (i == 3) event.prev.reset();
    log.Events({event});
    EXPECT_EQ(Broken(log, /*until=*/5), "faithful") << i;
  }
  log_.Begin(6);
  log_.Events({{.revision = 6, .key = "none", .value = "1"}});
  EXPECT_EQ(Broken(log_, /*until=*/5), "faithful");
}

TEST_F(CheckerTest, WhatWasCompactedNeedNotCome) {
  log_.Begin(2);
  log_.Events(At(2));
  log_.Compacted(4);
  truth_.Compact(4);
  EXPECT_EQ(log_.resume(), 4);
  log_.Begin(4);
  auto some = At(4);
  some.erase(some.begin() + 1);  // the tombstone went
  log_.Events(some);
  log_.Events(Join(At(5), At(6)));
  EXPECT_EQ(Broken(log_), "");
  // But all after it.
  WatchLog lost = NewLog();
  lost.Begin(4);
  lost.Events(At(6));
  EXPECT_EQ(Broken(lost), "reliable");
  // Who got it after all, and goes back before it, is to get it again.
  WatchLog again = NewLog();
  again.Begin(2);
  again.Events(At(2));
  again.Compacted(3);
  again.Begin(3);
  again.Events(Join(At(3), At(4)));
  again.Begin(1);
  again.Events(Join(At(3), At(4)));
  again.Events(Join(At(5), At(6)));
  EXPECT_EQ(Broken(again), "resumable");
}

}  // namespace
}  // namespace strata::testing
