#include "server/slow_log.h"

#include <gtest/gtest.h>

#include <chrono>

#include "base/sim_loop.h"
#include "server/describe_request.h"

namespace strata {
namespace {

using std::chrono::milliseconds;

class Lines : public Logger {
 public:
  bool Enabled(LogLevel) const override { return true; }
  void Log(LogLevel, std::string_view message,
           std::initializer_list<LogField> fields) override {
    ++count;
    last = std::string(message);
    for (const LogField& field : fields) {
      const auto* const text = std::get_if<std::string>(&field.value);
      const auto* const number = std::get_if<uint64_t>(&field.value);
      last += " " + std::string(field.name) + "=" +
              (text != nullptr ? *text : std::to_string(*number));
    }
  }

  int count = 0;
  std::string last;
};

TEST(SlowLogTest, SaysWhatTookLong) {
  SimWorld world;
  const auto loop = world.NewLoop("loop");
  Lines lines;
  SlowLog log(milliseconds(100), loop.get(), &lines);
  EXPECT_FALSE(log.IsSlow(milliseconds(100)));
  EXPECT_TRUE(log.IsSlow(milliseconds(101)));
  log.ApplyTook(milliseconds(101), "read-only range ", Status::Ok(),
                [] { return std::string("key:\"a\" "); });
  EXPECT_EQ(lines.last,
            "apply request took too long took=101ms expected-duration=100ms "
            "prefix=read-only range  request=key:\"a\"  error= "
            "lines-left-out=0");
  log.RequestTook(milliseconds(1500),
                  {{"waited", milliseconds(1)}, {"applied", milliseconds(2)}},
                  [] { return std::string("r"); });
  EXPECT_EQ(lines.last,
            "slow request duration=1.5s request=r steps=waited 1ms; applied "
            "2ms lines-left-out=0");
  EXPECT_EQ(log.slow_applies(), 1U);
}

TEST(SlowLogTest, TenLinesASecond) {
  SimWorld world;
  const auto loop = world.NewLoop("loop");
  Lines lines;
  SlowLog log(milliseconds(1), loop.get(), &lines);
  const auto tell = [&] {
    log.ApplyTook(milliseconds(2), "", Status::Ok(), [] { return "x"; });
  };
  for (int i = 0; i < 25; ++i) tell();
  EXPECT_EQ(lines.count, 10);
  EXPECT_EQ(log.slow_applies(), 25U);
  world.RunFor(std::chrono::seconds(2));
  tell();
  EXPECT_EQ(lines.count, 11);
  EXPECT_TRUE(lines.last.ends_with("lines-left-out=15")) << lines.last;
}

TEST(SlowLogTest, NothingIsSlow) {
  SimWorld world;
  const auto loop = world.NewLoop("loop");
  SlowLog log(Duration::zero(), loop.get(), Logger::Null());
  EXPECT_FALSE(log.IsSlow(std::chrono::hours(1)));
}

TEST(GoDurationTest, AsGoPrintsIt) {
  EXPECT_EQ(GoDuration(milliseconds(100)), "100ms");
  EXPECT_EQ(GoDuration(std::chrono::microseconds(1500)), "1.5ms");
  EXPECT_EQ(GoDuration(milliseconds(2100)), "2.1s");
  EXPECT_EQ(GoDuration(Duration::zero()), "0ms");
}

TEST(DescribeRequestTest, NeverTheValues) {
  etcdserverpb::InternalRaftRequest request;
  request.mutable_header()->set_id(7);
  request.mutable_put()->set_key("a\xff");
  request.mutable_put()->set_value("secret");
  EXPECT_EQ(DescribeRequest(request),
            "header:<ID:7 > put:<key:\"a\\xff\" value_size:6 >");
  request.Clear();
  for (int i = 0; i < 100; ++i) {
    request.mutable_txn()->add_success()->mutable_request_put()->set_key("k");
  }
  const std::string text = DescribeRequest(request);
  EXPECT_LT(text.size(), 500U);
  EXPECT_NE(text.find("92 more"), std::string::npos) << text;
  request.Clear();
  request.mutable_delete_range()->set_key(std::string(5000, 'x'));
  EXPECT_LT(DescribeRequest(request).size(), 1100U);
}

}  // namespace
}  // namespace strata
