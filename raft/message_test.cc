#include "raft/message.h"

#include <string>

#include "base/bytes.h"
#include "base/wire.h"
#include "gtest/gtest.h"

namespace strata::raft {
namespace {

std::string Bytes(std::string_view hex) {
  std::string bytes;
  EXPECT_TRUE(FromHex(hex, &bytes)) << hex;
  return bytes;
}

// As etcd 3.4's generated code writes a heartbeat: every number, and an empty
// snapshot with its metadata (conf_state with auto_leave, index, term).
TEST(MessageTest, BytesOfEtcd) {
  const Message heartbeat{.type = MessageType::kHeartbeat,
                          .to = MemberId(2),
                          .from = MemberId(1),
                          .term = Term(3),
                          .commit = LogIndex(7)};
  EXPECT_EQ(ToHex(EncodeMessage(heartbeat)),
            "08081002180120032800300040074a0a1208"
            "0a022800100018005000"
            "5800");
}

TEST(MessageTest, ComesBack) {
  const Message full{
      .type = MessageType::kSnapshot,
      .to = MemberId(0xc137cfae40bcdb4c),
      .from = MemberId(2),
      .term = Term(9),
      .log_term = Term(8),
      .index = LogIndex(300),
      .entries = {{.term = Term(9), .index = LogIndex(301), .data = "a"},
                  {.term = Term(9),
                   .index = LogIndex(302),
                   .type = EntryType::kConfChangeV2}},
      .commit = LogIndex(299),
      .snapshot =
          Snapshot{.data = std::string(1000, 's'),
                   .metadata = {.conf_state = {.voters = {MemberId(1)},
                                               .learners = {MemberId(2)}},
                                .index = LogIndex(250),
                                .term = Term(7)}},
      .reject = true,
      .reject_hint = LogIndex(12),
      .context = std::string(kTransferContext)};
  EXPECT_EQ(*DecodeMessage(EncodeMessage(full)), full);
  EXPECT_EQ(*DecodeMessage(EncodeMessage(Message{})), Message{});
}

TEST(MessageTest, OtherBytesAreRefused) {
  for (const char* hex : {
           "",          // nothing, not even a type
           "0800",      // hup: a member says that to itself only
           "0813",      // a type of etcd 3.6 that does not travel
           "08081201",  // a number in another wire type
           "08083a02",  // an entry cut short
           "08083a0108",
           "08084d00000000",
       }) {
    EXPECT_EQ(DecodeMessage(Bytes(hex)).status().code(), Code::kDataLoss)
        << hex;
  }
}

// etcd 3.6 has more fields, for talk within a member.
TEST(MessageTest, FieldsOfLaterReleasesArePassedOver) {
  std::string bytes = EncodeMessage(Message{});
  wire::AppendUint(&bytes, 13, 5);
  wire::AppendBytes(&bytes, 14, "x");
  EXPECT_EQ(*DecodeMessage(bytes), Message{});
}

TEST(MessageTest, NamesAreThoseOfEtcd) {
  EXPECT_EQ(MessageTypeName(MessageType::kAppend), "MsgApp");
  EXPECT_EQ(MessageTypeName(MessageType::kPreVoteResponse), "MsgPreVoteResp");
  EXPECT_EQ(MessageTypeName(static_cast<MessageType>(1)), "");
}

TEST(ConfChangeV2Test, BytesAndBack) {
  const ConfChangeV2 change{
      .transition = ConfChangeTransition::kJointExplicit,
      .changes = {{.type = ConfChangeType::kAddNode, .node = MemberId(4)},
                  {.type = ConfChangeType::kRemoveNode, .node = MemberId(1)}},
      .context = "c"};
  EXPECT_EQ(ToHex(EncodeConfChangeV2(change)),
            "0802"
            "120408001004"
            "120408011001"
            "1a0163");
  EXPECT_EQ(*DecodeConfChangeV2(EncodeConfChangeV2(change)), change);
  EXPECT_TRUE(DecodeConfChangeV2("")->LeavesJoint());
  EXPECT_FALSE(DecodeConfChangeV2(Bytes("0803")).ok());
  EXPECT_FALSE(DecodeConfChangeV2(Bytes("12020804")).ok());
}

TEST(ConfChangeV2Test, AnEntryHoldsEitherForm) {
  const ConfChange one{.type = ConfChangeType::kAddLearnerNode,
                       .node = MemberId(7),
                       .context = "{}"};
  const Entry first{.type = EntryType::kConfChange,
                    .data = EncodeConfChange(one)};
  EXPECT_EQ(*DecodeConfChangeEntry(first), AsV2(one));
  const Entry second{.type = EntryType::kConfChangeV2};
  EXPECT_TRUE(DecodeConfChangeEntry(second)->LeavesJoint());
}

TEST(SnapshotTest, OtherBytesAreRefused) {
  EXPECT_TRUE(DecodeSnapshot("").ok());
  EXPECT_FALSE(DecodeSnapshot(Bytes("1800")).ok());
  EXPECT_FALSE(DecodeSnapshot(Bytes("12022001")).ok());
}

}  // namespace
}  // namespace strata::raft
