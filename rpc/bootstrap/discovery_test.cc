#include "rpc/bootstrap/discovery.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>

namespace strata {
namespace {

// A registry in memory, which can be away for some calls. Real ones are in
// tests/e2e/discovery_test.py; here is what is hard to bring about there.
class MemoryRegistry : public Registry {
 public:
  StatusOr<std::vector<Row>> Range(const std::string& key,
                                   const std::string& range_end) override {
    if (away_ > 0) {
      --away_;
      return UnavailableError("away");
    }
    std::vector<Row> rows;
    for (const auto& [at, row] : rows_) {
      if (at == key || (at > key && at < range_end)) rows.push_back(row);
    }
    return rows;
  }

  Status Put(const std::string& key, const std::string& value) override {
    Row& row = rows_[key];
    if (row.create_revision == 0) row.create_revision = ++revision_;
    row.key = key;
    row.value = value;
    return Status::Ok();
  }

  void SetAway(int calls) { away_ = calls; }

 private:
  std::map<std::string, Row> rows_;
  int64_t revision_ = 0;
  int away_ = 0;
};

constexpr char kSize[] = "/_etcd/registry/t/_config/size";
const std::string kMembers = "/_etcd/registry/t/members/";

class DiscoveryTest : public testing::Test {
 protected:
  DiscoveryTest() {
    pause_ = [this](Duration duration) {
      paused_.push_back(duration);
      return on_pause_ != nullptr && on_pause_();
    };
  }
  StatusOr<std::string> Join(uint64_t id, const std::string& self) {
    return JoinByDiscovery(&registry_, "t", MemberId(id), self, pause_,
                           Logger::Null());
  }
  void Set(const std::string& key, const std::string& value) {
    ASSERT_TRUE(registry_.Put(key, value).ok());
  }

  MemoryRegistry registry_;
  Pause pause_;
  std::vector<Duration> paused_;
  std::function<bool()> on_pause_;
};

TEST_F(DiscoveryTest, TheFirstToRegisterAreTheCluster) {
  Set(kSize, "2");
  // By id it would be the first; it came while two others registered.
  on_pause_ = [this] {
    Set(kMembers + "bb", "b=http://b:1,b=http://b:2");
    Set(kMembers + "1", "a=http://a:1");
    return false;
  };
  const auto cluster = Join(0xc, "c=http://c:1");
  ASSERT_TRUE(cluster.ok()) << cluster.status().message();
  EXPECT_EQ(*cluster, "c=http://c:1,b=http://b:1,b=http://b:2");
}

TEST_F(DiscoveryTest, ARaceForTheLastPlaceHasOneWinner) {
  Set(kSize, "1");
  Set(kMembers + "1", "a=http://a:1");
  const auto late = Join(2, "b=http://b:1");
  EXPECT_EQ(late.status().message(), "discovery: cluster is full");
  // The winner finds itself, however often it starts anew.
  const auto cluster = Join(1, "a=http://a:1");
  ASSERT_TRUE(cluster.ok());
  EXPECT_EQ(*cluster, "a=http://a:1");
}

TEST_F(DiscoveryTest, OneThatIsAwayIsAskedAgainLaterAndLater) {
  Set(kSize, "1");
  registry_.SetAway(3);
  ASSERT_TRUE(Join(1, "a=http://a:1").ok());
  using std::chrono::seconds;
  EXPECT_EQ(paused_,
            (std::vector<Duration>{seconds(2), seconds(4), seconds(8)}));
}

TEST_F(DiscoveryTest, AStopEndsTheWait) {
  on_pause_ = [] { return true; };
  Set(kSize, "2");
  EXPECT_EQ(Join(1, "a=http://a:1").status().code(), Code::kUnavailable);
  registry_.SetAway(1);
  EXPECT_EQ(Join(1, "a=http://a:1").status().code(), Code::kUnavailable);
}

TEST_F(DiscoveryTest, ATokenThatNobodyMade) {
  EXPECT_EQ(Join(1, "a=http://a:1").status().message(),
            "discovery: size key not found");
  for (const char* bad : {"0", "-1", "x", "3x", ""}) {
    Set(kSize, bad);
    EXPECT_EQ(Join(1, "a=http://a:1").status().message(),
              "discovery: size key is bad")
        << bad;
  }
}

}  // namespace
}  // namespace strata
