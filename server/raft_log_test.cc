#include "server/raft_log.h"

#include <gtest/gtest.h>

#include "base/check.h"

namespace strata {
namespace {

raft::Entry MakeEntry(uint64_t index, uint64_t term, size_t bytes = 1) {
  return {.term = Term(term),
          .index = LogIndex(index),
          .data = std::string(bytes, 'x')};
}

RaftLog MakeLog(uint64_t max_bytes) {
  return RaftLog(LogIndex(3), Term(1),
                 {MakeEntry(4, 1), MakeEntry(5, 2), MakeEntry(6, 2)}, max_bytes,
                 [] { return raft::SnapshotMetadata{}; });
}

TEST(RaftLogTest, KnowsTheTermBeforeItsFirstEntry) {
  const RaftLog log = MakeLog(1000);
  EXPECT_EQ(log.FirstIndex(), LogIndex(4));
  EXPECT_EQ(log.LastIndex(), LogIndex(6));
  EXPECT_EQ(log.TermAt(LogIndex(2)), std::nullopt);
  EXPECT_EQ(log.TermAt(LogIndex(3)), Term(1));
  EXPECT_EQ(log.TermAt(LogIndex(5)), Term(2));
  EXPECT_EQ(log.TermAt(LogIndex(7)), std::nullopt);
}

TEST(RaftLogTest, GivesAtLeastOneEntryAndNotMuchMoreThanWanted) {
  const RaftLog log = MakeLog(1000);
  std::vector<raft::Entry> entries;
  CHECK_OK(log.Entries(LogIndex(4), LogIndex(7), 1, &entries));
  EXPECT_EQ(entries.size(), 1U);
  entries.clear();
  CHECK_OK(log.Entries(LogIndex(4), LogIndex(7), 2 * 33, &entries));
  EXPECT_EQ(entries.size(), 2U);
  EXPECT_EQ(log.Entries(LogIndex(3), LogIndex(7), 1000, &entries).code(),
            Code::kOutOfRange);
}

TEST(RaftLogTest, LaterEntriesReplaceTheRest) {
  RaftLog log = MakeLog(1000);
  log.Append({MakeEntry(5, 3)});
  EXPECT_EQ(log.LastIndex(), LogIndex(5));
  EXPECT_EQ(log.TermAt(LogIndex(5)), Term(3));
}

TEST(RaftLogTest, LetsGoOfOldEntriesOnlyWhenTheyAreApplied) {
  RaftLog log = MakeLog(10);
  log.Bound(LogIndex(4));
  EXPECT_EQ(log.FirstIndex(), LogIndex(5));
  EXPECT_EQ(log.TermAt(LogIndex(4)), Term(1));
  log.ReleaseTo(LogIndex(5));
  EXPECT_EQ(log.FirstIndex(), LogIndex(6));
  log.Restart(LogIndex(100), Term(9));
  EXPECT_EQ(log.LastIndex(), LogIndex(100));
  EXPECT_EQ(log.TermAt(LogIndex(100)), Term(9));
}

}  // namespace
}  // namespace strata
