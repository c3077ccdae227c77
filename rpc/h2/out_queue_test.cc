#include "rpc/h2/out_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

namespace strata {
namespace {

using std::string_literals::operator""s;

TEST(OutQueueTest, MessagesWithTheirHeadsInPiecesOfAnySize) {
  const auto shared = std::make_shared<const std::string>(300, 's');
  const std::string expected =
      "\0\0\0\1\x2e<"s + *shared + ">" + "\0\0\0\0\0"s + "\0\0\0\0\3end"s;
  for (size_t piece = 1; piece <= expected.size(); ++piece) {
    OutQueue queue;
    StreamMessage first("<");
    first.AppendShared(*shared, shared);
    first.Append("");
    first.Append(">");
    queue.Push(std::move(first));
    queue.Push(StreamMessage());
    queue.Push(StreamMessage("end"));
    EXPECT_EQ(queue.bytes(), expected.size());
    std::string taken;
    while (queue.bytes() > 0) {
      queue.Take(std::min(piece, queue.bytes()), &taken);
      EXPECT_EQ(taken.size() + queue.bytes(), expected.size());
    }
    EXPECT_EQ(taken, expected);
    EXPECT_EQ(queue.messages(), 0);
  }
}

TEST(OutQueueTest, LetsGoOfWhatWasTaken) {
  auto value = std::make_shared<const std::string>(100, 'v');
  const std::weak_ptr<const std::string> watched = value;
  OutQueue queue;
  StreamMessage message;
  message.AppendShared(*value, value);
  value = nullptr;
  message.Append("more");
  queue.Push(std::move(message));
  std::string taken;
  queue.Take(kMessageHeadBytes + 99, &taken);
  EXPECT_FALSE(watched.expired());
  queue.Take(1, &taken);
  EXPECT_TRUE(watched.expired());
  EXPECT_EQ(queue.messages(), 1);
}

TEST(OutQueueTest, GoesOnAfterItWasCleared) {
  OutQueue queue;
  queue.Push(StreamMessage("gone"));
  std::string taken;
  queue.Take(7, &taken);
  queue.Clear();
  EXPECT_EQ(queue.bytes(), 0);
  queue.Push(StreamMessage("new"));
  taken.clear();
  queue.Take(queue.bytes(), &taken);
  EXPECT_EQ(taken, "\0\0\0\0\3new"s);
}

}  // namespace
}  // namespace strata
