#include "raft/types.h"

#include <string>
#include <vector>

#include "base/bytes.h"
#include "gtest/gtest.h"

namespace strata::raft {
namespace {

std::string Bytes(std::string_view hex) {
  std::string bytes;
  EXPECT_TRUE(FromHex(hex, &bytes)) << hex;
  return bytes;
}

// The bytes below are from the log of an etcd 3.4.23 member;
// tests/logs/etcd_log_test.py compares a whole log.
TEST(EntryTest, BytesOfEtcd) {
  const Entry first{.term = Term(2), .index = LogIndex(2)};
  EXPECT_EQ(ToHex(EncodeEntry(first)), "080010021802");
  const Entry put{.term = Term(2),
                  .index = LogIndex(300),
                  .type = EntryType::kConfChange,
                  .data = "ab"};
  EXPECT_EQ(ToHex(EncodeEntry(put)), "0801100218ac0222026162");
}

TEST(EntryTest, ComesBack) {
  for (const std::string& data : {std::string(), std::string(70000, 'x')}) {
    const Entry entry{.term = Term(7),
                      .index = LogIndex(~uint64_t{0}),
                      .type = EntryType::kConfChangeV2,
                      .data = data};
    EXPECT_EQ(*DecodeEntry(EncodeEntry(entry)), entry);
  }
}

TEST(EntryTest, OtherBytesAreRefused) {
  for (const char* hex : {
           "",                      // nothing
           "08001002",              // no index
           "080310021802",          // a type that is none
           "0800100218022801",      // a field that is none
           "08001002180222056162",  // data cut short
           "080010021d02000000",    // index in another wire type
       }) {
    EXPECT_EQ(DecodeEntry(Bytes(hex)).status().code(), Code::kDataLoss) << hex;
  }
}

TEST(HardStateTest, BytesOfEtcd) {
  const HardState state{.term = Term(2),
                        .vote = MemberId(0xc137cfae40bcdb4c),
                        .commit = LogIndex(40)};
  EXPECT_EQ(ToHex(EncodeHardState(state)), "080210ccb6f385e4f5f39bc1011828");
  EXPECT_EQ(*DecodeHardState(EncodeHardState(state)), state);
  EXPECT_EQ(ToHex(EncodeHardState(HardState{})), "080010001800");
}

TEST(HardStateTest, AnEntryWithDataIsNone) {
  const Entry entry{.term = Term(1), .index = LogIndex(1), .data = "x"};
  EXPECT_FALSE(DecodeHardState(EncodeEntry(entry)).ok());
  EXPECT_FALSE(DecodeHardState(Bytes("08021001")).ok());
}

TEST(ConfStateTest, BytesOfEtcd) {
  const ConfState one{.voters = {MemberId(0xc137cfae40bcdb4c)}};
  EXPECT_EQ(ToHex(EncodeConfState(one)), "08ccb6f385e4f5f39bc1012800");
}

TEST(ConfStateTest, ComesBackPackedOrNot) {
  const ConfState state{.voters = {MemberId(1), MemberId(2)},
                        .learners = {MemberId(3)},
                        .voters_outgoing = {MemberId(4), MemberId(500)},
                        .learners_next = {MemberId(6)},
                        .auto_leave = true};
  EXPECT_EQ(*DecodeConfState(EncodeConfState(state)), state);
  const ConfState packed{.voters = {MemberId(1), MemberId(300)}};
  EXPECT_EQ(*DecodeConfState(Bytes("0a0301ac02")), packed);
  EXPECT_FALSE(DecodeConfState(Bytes("0a0201ac")).ok());
}

TEST(ConfChangeTest, BytesOfEtcd) {
  const ConfChange change{.id = 0,
                          .type = ConfChangeType::kAddNode,
                          .node = MemberId(0xc137cfae40bcdb4c),
                          .context = "{}"};
  EXPECT_EQ(ToHex(EncodeConfChange(change)),
            "0800100018ccb6f385e4f5f39bc10122027b7d");
  EXPECT_EQ(*DecodeConfChange(EncodeConfChange(change)), change);
  EXPECT_FALSE(DecodeConfChange(Bytes("1004")).ok());
}

}  // namespace
}  // namespace strata::raft
