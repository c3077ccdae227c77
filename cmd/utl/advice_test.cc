#include "cmd/utl/advice.h"

#include <gtest/gtest.h>

namespace strata::utl {
namespace {

// A member whose files are whole: revision 9, entries 5 to 20, 18 of them
// applied.
Facts WholeMember() {
  Facts facts;
  facts.db.path = "db";
  facts.db.exists = true;
  facts.db.newest = 0;
  facts.db.states[0] = {.transaction = 7,
                        .records = 30,
                        .revision = Revision(9),
                        .applied = LogIndex(18)};
  facts.db.states[1] = {.transaction = 6,
                        .records = 29,
                        .revision = Revision(8),
                        .applied = LogIndex(17)};
  facts.has_data_dir = true;
  facts.log.exists = true;
  facts.log.first_index = LogIndex(5);
  facts.log.last_index = LogIndex(20);
  facts.self = MemberId(0xa);
  return facts;
}

void DamageMeta0(Facts* facts) {
  facts->db.file_faults = {"db offset 0: meta checksum mismatch"};
  facts->db.states[0] = {.meta_fault = "meta checksum mismatch"};
  facts->db.newest = 1;
}

void DamageTree(Facts* facts) {
  facts->db.states[0].faults = 2;
  facts->db.states[0].first_fault = "db offset 8192: page 2: ...";
}

bool Says(const Advice& advice, const std::string& text) {
  return (advice.action + advice.why + advice.loses).find(text) !=
         std::string::npos;
}

TEST(AdviceTest, NothingForWholeFiles) {
  EXPECT_TRUE(Advise(WholeMember()).empty());
}

TEST(AdviceTest, TheOtherMetaAndTheLogLoseNothing) {
  Facts facts = WholeMember();
  DamageMeta0(&facts);
  const auto advice = Advise(facts);
  ASSERT_EQ(advice.size(), 1);
  EXPECT_TRUE(Says(advice[0], "db copy"));
  EXPECT_TRUE(Says(advice[0], "meta 1 names transaction 6"));
  EXPECT_TRUE(Says(advice[0], "revision 8"));
  EXPECT_EQ(advice[0].loses, "nothing");
}

TEST(AdviceTest, TheOtherMetaAloneMayLoseSomething) {
  Facts facts = WholeMember();
  DamageMeta0(&facts);
  facts.has_data_dir = false;
  facts.log = {};
  const auto alone = Advise(facts);
  ASSERT_EQ(alone.size(), 1);
  EXPECT_NE(alone[0].loses, "nothing");
  // Nor is a log of use that begins later.
  facts = WholeMember();
  DamageMeta0(&facts);
  facts.log.first_index = LogIndex(19);
  EXPECT_NE(Advise(facts)[0].loses, "nothing");
}

TEST(AdviceTest, ALogFromTheFirstEntryMakesTheFileAgain) {
  Facts facts = WholeMember();
  DamageTree(&facts);
  facts.log.first_index = LogIndex(1);
  facts.snap_files = {"a.snap"};
  const auto advice = Advise(facts);
  ASSERT_FALSE(advice.empty());
  EXPECT_TRUE(Says(advice[0], "move away db, a.snap"));
  EXPECT_EQ(advice[0].loses, "nothing");
  // What can be read comes last.
  EXPECT_TRUE(Says(advice.back(), "db dump"));
  EXPECT_TRUE(Says(advice.back(), "30 records"));
}

TEST(AdviceTest, OtherMembersHaveEverything) {
  Facts facts = WholeMember();
  DamageTree(&facts);
  facts.others = {
      {.id = MemberId(0xb), .peer_urls = {"http://b:2380"}, .name = "bee"}};
  const auto advice = Advise(facts);
  ASSERT_FALSE(advice.empty());
  EXPECT_TRUE(Says(advice[0], "etcdctl member remove a"));
  EXPECT_TRUE(Says(advice[0], "bee (http://b:2380)"));
}

TEST(AdviceTest, AWholeDbOutlivesItsLog) {
  Facts facts = WholeMember();
  facts.log.faults = {"wal offset 77: crc mismatch"};
  const auto advice = Advise(facts);
  ASSERT_EQ(advice.size(), 1);
  EXPECT_TRUE(Says(advice[0], "snapshot restore"));
  EXPECT_TRUE(Says(advice[0], "revision 9"));
  EXPECT_TRUE(Says(advice[0], "after entry 18"));
}

TEST(AdviceTest, TheNewestWholeSnapshotIsChosen) {
  Facts facts = WholeMember();
  DamageTree(&facts);
  facts.backups = {{.path = "old", .revision = 5},
                   {.path = "best", .revision = 7},
                   {.path = "bad", .fault = "no", .revision = 9}};
  const auto advice = Advise(facts);
  ASSERT_FALSE(advice.empty());
  EXPECT_TRUE(Says(advice[0], "snapshot restore best"));
  EXPECT_TRUE(Says(advice[0], "after revision 7"));
}

TEST(AdviceTest, AMissingFileIsMadeFromTheWholeLog) {
  Facts facts = WholeMember();
  facts.db = DbFacts();
  facts.db.path = "db";
  facts.log.first_index = LogIndex(1);
  const auto advice = Advise(facts);
  ASSERT_EQ(advice.size(), 1);
  EXPECT_EQ(advice[0].loses, "nothing");
}

}  // namespace
}  // namespace strata::utl
