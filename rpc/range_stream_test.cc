#include "rpc/range_stream.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "rpc/member_testing.h"

namespace strata {
namespace {

// Has room for some messages, and for more after MakeRoom.
class SlowSink : public StreamSink {
 public:
  explicit SlowSink(int room) : room_(room) {}

  bool Writable() const override {
    const std::lock_guard lock(mutex_);
    return room_ > 0;
  }
  void Write(StreamMessage message) override {
    const std::lock_guard lock(mutex_);
    --room_;
    etcdserverpb::RangeStreamResponse piece;
    std::string bytes;
    for (const auto& part : message.pieces()) bytes += part.own;
    EXPECT_TRUE(piece.ParseFromString(bytes));
    pieces_.push_back(piece);
    changed_.notify_all();
  }
  void ReadMore() override {}
  void Finish(const Status& status) override {
    const std::lock_guard lock(mutex_);
    status_ = status;
    changed_.notify_all();
  }

  void MakeRoom(int more) {
    const std::lock_guard lock(mutex_);
    room_ += more;
  }
  size_t AwaitPieces(size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(10),
                                  [&] { return pieces_.size() >= count; }));
    return pieces_.size();
  }
  Status AwaitEnd() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(10),
                                  [&] { return status_.has_value(); }));
    return status_.value_or(InternalError("no end"));
  }
  size_t LargestPiece() {
    const std::lock_guard lock(mutex_);
    size_t bytes = 0;
    for (const auto& piece : pieces_) {
      bytes = std::max(bytes, piece.ByteSizeLong());
    }
    return bytes;
  }
  // All pieces, as one.
  std::string Merged() {
    const std::lock_guard lock(mutex_);
    etcdserverpb::RangeStreamResponse all;
    for (const auto& piece : pieces_) all.MergeFrom(piece);
    return all.range_response().SerializeAsString();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_:
  int room_;
  std::vector<etcdserverpb::RangeStreamResponse> pieces_;
  std::optional<Status> status_;
};

class RangeStreamTest : public testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < 60; ++i) Put(i, std::string(40 << 10, 'v'));
  }

  StatusOr<std::string> Call(const std::string& path,
                             const google::protobuf::Message& request) {
    for (const UnaryMethod& method : member_.services()->Methods()) {
      if (method.path != path) continue;
      google::protobuf::Arena arena;
      std::promise<StatusOr<std::string>> answered;
      method.call(request.SerializeAsString(), &arena,
                  [&](StatusOr<std::string> answer) {
                    answered.set_value(std::move(answer));
                  });
      return answered.get_future().get();
    }
    return UnknownMethodError(path);
  }
  void Put(int key, const std::string& value) {
    etcdserverpb::PutRequest request;
    request.set_key("k" + std::to_string(1000 + key));
    request.set_value(value);
    EXPECT_TRUE(Call("/etcdserverpb.KV/Put", request).ok());
  }
  static etcdserverpb::RangeRequest Parse(const std::string& text) {
    etcdserverpb::RangeRequest request;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &request));
    return request;
  }
  std::shared_ptr<StreamHandler> Begin(const std::shared_ptr<SlowSink>& sink,
                                       const std::string& request) {
    const auto handler =
        RangeStreamMethod(member_.node(), member_.worker()).open(sink);
    handler->OnMessage(Parse(request).SerializeAsString());
    return handler;
  }

  TestMember member_{Level::V3_6()};
};

TEST_F(RangeStreamTest, PiecesMergedAreTheAnswerOfRange) {
  for (const std::string request :
       {"key: 'k1000'", "key: 'k' range_end: 'l'", "key: 'x' range_end: 'y'",
        "key: 'k' range_end: 'l' limit: 50",
        "key: 'k' range_end: 'l' limit: 10",
        "key: 'k' range_end: 'l' limit: 60",
        "key: 'k' range_end: 'l' min_mod_revision: 20 max_mod_revision: 50",
        "key: 'k' range_end: 'l' min_create_revision: 7 limit: 20",
        "key: 'k' range_end: '\\0' keys_only: true limit: 60",
        "key: 'k' range_end: 'l' count_only: true",
        "key: 'k' range_end: 'l' revision: 20",
        "key: 'k' range_end: 'l' sort_order: ASCEND serializable: true"}) {
    const auto sink = std::make_shared<SlowSink>(1000);
    const auto handler = Begin(sink, request);
    EXPECT_TRUE(sink->AwaitEnd().ok()) << request;
    EXPECT_EQ(sink->Merged(), *Call("/etcdserverpb.KV/Range", Parse(request)))
        << request;
    EXPECT_LE(sink->LargestPiece(), size_t{257} << 10) << request;
    handler->OnDone();
  }
}

TEST_F(RangeStreamTest, OneLargeValueIsAPieceOfItsOwn) {
  Put(7, std::string(1 << 20, 'x'));
  const auto sink = std::make_shared<SlowSink>(1000);
  const auto handler = Begin(sink, "key: 'k1006' range_end: 'k1009'");
  EXPECT_TRUE(sink->AwaitEnd().ok());
  EXPECT_EQ(sink->AwaitPieces(3), 3U);
  handler->OnDone();
}

TEST_F(RangeStreamTest, Refusals) {
  for (const auto& [request, code] :
       {std::pair{"", Code::kInvalidArgument},
        {"key: 'k' range_end: 'l' sort_order: DESCEND", Code::kUnimplemented},
        {"key: 'k' range_end: 'l' sort_order: ASCEND sort_target: MOD",
         Code::kUnimplemented},
        {"key: 'k' revision: 9999", Code::kOutOfRange}}) {
    const auto sink = std::make_shared<SlowSink>(1000);
    const auto handler = Begin(sink, request);
    EXPECT_EQ(sink->AwaitEnd().code(), code) << request;
    handler->OnDone();
  }
}

// A client that does not read has nothing read for it, and sees one state
// however long it takes.
TEST_F(RangeStreamTest, ASlowClient) {
  const std::string before =
      *Call("/etcdserverpb.KV/Range", Parse("key: 'k' range_end: 'l'"));
  const auto sink = std::make_shared<SlowSink>(1);
  const auto handler = Begin(sink, "key: 'k' range_end: 'l'");
  EXPECT_EQ(sink->AwaitPieces(1), 1U);
  for (int i = 0; i < 60; ++i) Put(i, "another");
  EXPECT_EQ(sink->AwaitPieces(1), 1U);
  sink->MakeRoom(1000);
  handler->OnWritable();
  EXPECT_TRUE(sink->AwaitEnd().ok());
  EXPECT_EQ(sink->Merged(), before);
  handler->OnDone();
}

TEST_F(RangeStreamTest, CompactedMeanwhile) {
  const auto sink = std::make_shared<SlowSink>(1);
  const auto handler = Begin(sink, "key: 'k' range_end: 'l'");
  EXPECT_EQ(sink->AwaitPieces(1), 1U);
  Put(1, "x");
  Put(1, "y");
  etcdserverpb::CompactionRequest compaction;
  compaction.set_revision(member_.node()->store()->revision().value());
  ASSERT_TRUE(Call("/etcdserverpb.KV/Compact", compaction).ok());
  sink->MakeRoom(1000);
  handler->OnWritable();
  EXPECT_EQ(sink->AwaitEnd().code(), Code::kOutOfRange);
  handler->OnDone();
}

// A client that goes away has nothing read for it any more.
TEST_F(RangeStreamTest, GoneMeanwhile) {
  const auto sink = std::make_shared<SlowSink>(1);
  const auto handler = Begin(sink, "key: 'k' range_end: 'l'");
  EXPECT_EQ(sink->AwaitPieces(1), 1U);
  handler->OnDone();
  sink->MakeRoom(1000);
  handler->OnWritable();
  EXPECT_EQ(sink->AwaitPieces(1), 1U);
}

}  // namespace
}  // namespace strata
