#include "rpc/peer/codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>

#include "base/bytes.h"

namespace strata::peer {
namespace {

// What members of etcd 3.4.23 sent: testdata/capture.py.
std::string Captured(const std::string& name) {
  std::ifstream file("rpc/peer/testdata/" + name, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

// Decodes `bytes` given in pieces of `piece`.
std::vector<raft::Message> DecodeAll(Decoder* decoder, std::string_view bytes,
                                     size_t piece) {
  std::vector<raft::Message> messages;
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, piece);
    const Status status = decoder->Decode(part, &messages);
    EXPECT_TRUE(status.ok()) << status;
    if (!status.ok()) return messages;
    bytes.remove_prefix(part.size());
  }
  return messages;
}

std::string EncodeAll(Encoder* encoder,
                      const std::vector<raft::Message>& messages) {
  std::string out;
  for (const raft::Message& message : messages) encoder->Encode(message, &out);
  return out;
}

// A message stream without what only keeps it alive.
std::string WithoutHeartbeats(std::string_view stream) {
  std::string heartbeat;
  MessageEncoder().EncodeHeartbeat(&heartbeat);
  std::string kept;
  while (!stream.empty()) {
    const std::string_view frame = stream.substr(0, 8 + LoadBig64(&stream[0]));
    if (frame != heartbeat) kept += frame;
    stream.remove_prefix(frame.size());
  }
  return kept;
}

// The same of an append stream, whose frames are walked by hand.
std::string AppendsWithoutHeartbeats(std::string_view stream) {
  std::string kept;
  while (!stream.empty()) {
    size_t length = 1;
    if (stream[0] == 2) length += 8 + LoadBig64(&stream[1]);
    if (stream[0] == 1) {
      const uint64_t count = LoadBig64(&stream[1]);
      length += 8;
      for (uint64_t i = 0; i < count; ++i) {
        length += 8 + LoadBig64(&stream[length]);
      }
      length += 8;
    }
    if (stream[0] != 0) kept += stream.substr(0, length);
    stream.remove_prefix(length);
  }
  return kept;
}

TEST(CodecTest, MessageStreamOfEtcd) {
  for (const char* name : {"leader_message.bin", "follower_message.bin"}) {
    const std::string stream = Captured(name);
    std::vector<raft::Message> first;
    for (const size_t piece : {size_t{1}, size_t{7}, size_t{100000}}) {
      MessageDecoder decoder;
      const auto messages = DecodeAll(&decoder, stream, piece);
      ASSERT_GT(messages.size(), 30U);
      if (first.empty()) first = messages;
      EXPECT_EQ(first, messages);
    }
    MessageEncoder encoder;
    EXPECT_EQ(ToHex(EncodeAll(&encoder, first)),
              ToHex(WithoutHeartbeats(stream)));
  }
}

TEST(CodecTest, AppendStreamOfEtcd) {
  const std::string stream = Captured("leader_msgapp.bin");
  std::vector<raft::Message> first;
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{100000}}) {
    AppendDecoder decoder(MemberId(1), MemberId(2));
    const auto messages = DecodeAll(&decoder, stream, piece);
    ASSERT_GT(messages.size(), 10U);
    if (first.empty()) first = messages;
    EXPECT_EQ(first, messages);
  }
  // Each continues the log where the one before has ended.
  for (size_t i = 1; i < first.size(); ++i) {
    if (first[i].from != MemberId(2)) continue;
    EXPECT_EQ(first[i].to, MemberId(1));
    EXPECT_EQ(first[i].term, first[i].log_term);
    LogIndex index = first[i].index;
    for (const raft::Entry& entry : first[i].entries) {
      EXPECT_EQ(entry.index, ++index);
    }
  }
  EXPECT_GT(std::ranges::count(first, MemberId(2), &raft::Message::from), 5);
  AppendEncoder encoder;
  EXPECT_EQ(ToHex(EncodeAll(&encoder, first)),
            ToHex(AppendsWithoutHeartbeats(stream)));
}

TEST(CodecTest, SnapshotAndPipelineOfEtcd) {
  const std::string snapshot = Captured("snapshot_head.bin");
  const uint64_t length = LoadBig64(snapshot.data());
  const auto message = raft::DecodeMessage(snapshot.substr(8, length));
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(message->type, raft::MessageType::kSnapshot);
  ASSERT_TRUE(message->snapshot.has_value());
  EXPECT_GT(message->snapshot->metadata.index, LogIndex(0));
  EXPECT_EQ(ToHex(raft::EncodeMessage(*message)),
            ToHex(snapshot.substr(8, length)));
  const auto posted = raft::DecodeMessage(Captured("pipeline.bin"));
  ASSERT_TRUE(posted.ok()) << posted.status();
  EXPECT_EQ(raft::EncodeMessage(*posted), Captured("pipeline.bin"));
}

raft::Message Append(uint64_t term, uint64_t log_term, uint64_t index,
                     std::vector<raft::Entry> entries) {
  return {.type = raft::MessageType::kAppend,
          .to = MemberId(1),
          .from = MemberId(2),
          .term = Term(term),
          .log_term = Term(log_term),
          .index = LogIndex(index),
          .entries = std::move(entries),
          .commit = LogIndex(4)};
}

// format.md's example.
TEST(CodecTest, AppendsThatFollowHaveNoHead) {
  AppendEncoder encoder;
  std::string first;
  encoder.Encode(Append(3, 2, 4, {{Term(3), LogIndex(5), {}, "a"}}), &first);
  EXPECT_EQ(first[0], 2);
  std::string second;
  encoder.Encode(Append(3, 3, 5, {{Term(3), LogIndex(6), {}, "b"}}), &second);
  EXPECT_EQ(ToHex(second),
            "01"
            "0000000000000001"
            "0000000000000009"
            "080010031806220162"
            "0000000000000004");
  // One that does not: it starts again at 5.
  std::string third;
  encoder.Encode(Append(3, 3, 5, {}), &third);
  EXPECT_EQ(third[0], 2);
  // A new term, at the right index.
  std::string fourth;
  encoder.Encode(Append(4, 3, 5, {}), &fourth);
  EXPECT_EQ(fourth[0], 2);
  // Nothing but a commit index.
  std::string fifth;
  encoder.Encode(Append(4, 4, 5, {}), &fifth);
  EXPECT_EQ(fifth[0], 1);
  AppendDecoder decoder(MemberId(1), MemberId(2));
  const auto messages =
      DecodeAll(&decoder, first + second + third + fourth + fifth, 3);
  ASSERT_EQ(messages.size(), 5U);
  EXPECT_EQ(messages[1], Append(3, 3, 5, {{Term(3), LogIndex(6), {}, "b"}}));
  EXPECT_EQ(messages[4], Append(4, 4, 5, {}));
}

TEST(CodecTest, DamageIsRefused) {
  std::vector<raft::Message> messages;
  AppendDecoder unknown(MemberId(1), MemberId(2));
  EXPECT_EQ(unknown.Decode("\x07", &messages).code(), Code::kDataLoss);
  AppendDecoder too_many(MemberId(1), MemberId(2));
  EXPECT_EQ(too_many.Decode("\x01" + std::string(8, '\x7f'), &messages).code(),
            Code::kDataLoss);
  MessageDecoder too_long;
  EXPECT_EQ(too_long.Decode(std::string(8, '\x7f'), &messages).code(),
            Code::kDataLoss);
  MessageDecoder no_message;
  EXPECT_EQ(no_message.Decode(std::string(7, '\0') + "\x02\xff\xff", &messages)
                .code(),
            Code::kDataLoss);
  EXPECT_TRUE(messages.empty());
}

}  // namespace
}  // namespace strata::peer
