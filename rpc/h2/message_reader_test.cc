#include "rpc/h2/message_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace strata {
namespace {

using std::string_literals::operator""s;

std::string Framed(const std::string& message, char flag = 0) {
  const size_t size = message.size();
  return flag +
         std::string{static_cast<char>(size >> 24),
                     static_cast<char>(size >> 16),
                     static_cast<char>(size >> 8), static_cast<char>(size)} +
         message;
}

std::string Error(std::string_view bytes, const std::string& encoding = "") {
  MessageReader reader(/*max_message_bytes=*/1000, encoding);
  std::vector<std::string> messages;
  const Status status = reader.Add(bytes, &messages);
  EXPECT_TRUE(messages.empty());
  return status.ToString();
}

TEST(MessageReaderTest, MessagesInPiecesOfAnySize) {
  const std::vector<std::string> sent = {"one", "", std::string(1000, 'x'),
                                         "\0\0"s, ""};
  std::string bytes;
  for (const std::string& message : sent) bytes += Framed(message);
  for (size_t piece = 1; piece <= bytes.size(); piece += 1 + piece / 8) {
    MessageReader reader(1000, "gzip");
    std::vector<std::string> messages;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      ASSERT_TRUE(reader.Add(bytes.substr(at, piece), &messages).ok());
    }
    EXPECT_EQ(messages, sent) << "in pieces of " << piece;
    EXPECT_EQ(reader.kept_bytes(), 0);
  }
}

TEST(MessageReaderTest, KeepsOnlyWhatHasCome) {
  MessageReader reader(1 << 30, "");
  std::vector<std::string> messages;
  ASSERT_TRUE(reader.Add("\0\x20\0\0\0abc"s, &messages).ok());
  EXPECT_TRUE(messages.empty());
  EXPECT_EQ(reader.kept_bytes(), 8);
}

TEST(MessageReaderTest, ErrorsInAGoServersWords) {
  EXPECT_EQ(Error(Framed(std::string(1001, 'x')).substr(0, 5)),
            "ResourceExhausted: grpc: received message larger than max (1001 "
            "vs. 1000)");
  EXPECT_EQ(Error("\0\xff\xff\xff\xff"s),
            "ResourceExhausted: grpc: received message larger than max "
            "(4294967295 vs. 1000)");
  EXPECT_EQ(Error(Framed("x", 1), "gzip"),
            "Unimplemented: grpc: Decompressor is not installed for "
            "grpc-encoding \"gzip\"");
  EXPECT_EQ(Error(Framed("x", 1)),
            "Internal: grpc: compressed flag set with identity or empty "
            "encoding");
  EXPECT_EQ(Error(Framed("x", 2)),
            "Internal: grpc: received unexpected payload format 2");
}

}  // namespace
}  // namespace strata
