#include "rpc/plain_http.h"

#include <gtest/gtest.h>

#include <future>
#include <nlohmann/json.hpp>

#include "rpc/http/access.h"
#include "rpc/member_testing.h"

namespace strata {
namespace {

class PlainHttpTest : public testing::Test {
 protected:
  void Open(Level level) {
    member_ = std::make_unique<TestMember>(level);
    http_ = std::make_unique<PlainHttp>(
        PlainHttpOptions{.node = member_->node(),
                         .loop = member_->worker(),
                         .metrics = [] { return "some_metric 1\n"; },
                         .command_line = {"--name=x"},
                         .file_descriptor_limit = 77});
    routes_ = WithAccess({}, http_->Routes());
  }

  void SetAlarm(etcdserverpb::AlarmRequest::AlarmAction action,
                etcdserverpb::AlarmType type) {
    etcdserverpb::AlarmRequest request;
    request.set_action(action);
    request.set_alarm(type);
    request.set_memberid(5);
    for (const UnaryMethod& method : member_->services()->Methods()) {
      if (method.path != "/etcdserverpb.Maintenance/Alarm") continue;
      google::protobuf::Arena arena;
      std::promise<bool> done;
      method.call(
          request.SerializeAsString(), &arena,
          [&](const StatusOr<std::string>& a) { done.set_value(a.ok()); });
      ASSERT_TRUE(done.get_future().get());
    }
  }

  TestAnswer Get(const std::string& target) {
    return Ask(routes_, "GET", target);
  }

  std::unique_ptr<TestMember> member_;
  std::unique_ptr<PlainHttp> http_;
  std::vector<HttpRoute> routes_;
};

TEST_F(PlainHttpTest, HealthAsEtcd34) {
  Open(Level::V3_4());
  const TestAnswer well = Get("/health");
  EXPECT_EQ(well.status, 200);
  EXPECT_EQ(well.body, R"({"health":"true"})");
  EXPECT_EQ(well.Header("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(Get("/health?serializable=true").status, 200);

  SetAlarm(etcdserverpb::AlarmRequest::ACTIVATE, etcdserverpb::NOSPACE);
  const TestAnswer unwell = Get("/health");
  EXPECT_EQ(unwell.status, 503);
  EXPECT_EQ(unwell.body, "{\"health\":\"false\"}\n");
  EXPECT_EQ(Get("/health?exclude=CORRUPT").status, 503);
  EXPECT_EQ(Get("/health?exclude=CORRUPT&exclude=NOSPACE").status, 200);
  EXPECT_EQ(Get("/health?exclude=NO%53PACE").status, 200);

  EXPECT_EQ(Get("/livez").status, 404);
  EXPECT_EQ(Get("/readyz").body, "404 page not found\n");
  EXPECT_EQ(http_->counts().succeeded, 4U);
  EXPECT_EQ(http_->counts().failed, 2U);
}

TEST_F(PlainHttpTest, HealthSaysWhy) {
  Open(Level::V3_5());
  EXPECT_EQ(Get("/health").body, R"({"health":"true","reason":""})");
  SetAlarm(etcdserverpb::AlarmRequest::ACTIVATE, etcdserverpb::CORRUPT);
  EXPECT_EQ(Get("/health").body,
            "{\"health\":\"false\",\"reason\":\"ALARM CORRUPT\"}\n");
}

TEST_F(PlainHttpTest, ChecksByName) {
  Open(Level::V3_5());
  EXPECT_EQ(Get("/livez").body, "ok\n");
  EXPECT_EQ(Get("/livez?verbose").body, "[+]serializable_read ok\nok\n");
  EXPECT_EQ(Get("/readyz?verbose").body,
            "[+]data_corruption ok\n[+]serializable_read ok\n"
            "[+]linearizable_read ok\n[+]non_learner ok\nok\n");
  EXPECT_EQ(
      Get("/readyz?verbose&exclude=non_learner&exclude=data_corruption").body,
      "[+]serializable_read ok\n[+]linearizable_read ok\nok\n");
  EXPECT_EQ(Get("/readyz/linearizable_read").body, "ok\n");
  EXPECT_EQ(Get("/livez/linearizable_read").status, 404);

  SetAlarm(etcdserverpb::AlarmRequest::ACTIVATE, etcdserverpb::CORRUPT);
  const TestAnswer failed = Get("/readyz?exclude=serializable_read");
  EXPECT_EQ(failed.status, 503);
  EXPECT_TRUE(failed.body.starts_with(
      "[-]data_corruption failed: alarm activated: CORRUPT\n"))
      << failed.body;
  EXPECT_EQ(Get("/readyz/data_corruption").status, 503);

  const HealthCounts counts = http_->counts();
  EXPECT_EQ(counts.checks.at({"livez", "serializable_read"}).succeeded, 2U);
  const auto& corruption = counts.checks.at({"readyz", "data_corruption"});
  EXPECT_EQ(corruption.failed, 2U);
  EXPECT_FALSE(corruption.ok);
}

TEST_F(PlainHttpTest, OtherPages) {
  Open(Level::V3_6());
  EXPECT_EQ(
      Get("/version").body,
      R"({"etcdserver":"3.6.0","etcdcluster":"3.6.0","storage":"3.6.0"})");
  EXPECT_EQ(Get("/version").Header("Content-Type"), "application/json");
  EXPECT_EQ(Get("/metrics").body, "some_metric 1\n");
  EXPECT_EQ(Get("/metrics").Header("Content-Type"),
            "text/plain; version=0.0.4; charset=utf-8");
  const auto vars = nlohmann::json::parse(Get("/debug/vars").body);
  EXPECT_EQ(vars["cmdline"][1], "--name=x");
  EXPECT_EQ(vars["file_descriptor_limit"], 77);
  EXPECT_EQ(vars["raft.status"]["raftState"], "StateLeader");
  EXPECT_EQ(Get("/").status, 404);
  for (const std::string path : {"/health", "/version", "/readyz"}) {
    const TestAnswer refused = Ask(routes_, "POST", path, "x");
    EXPECT_EQ(refused.status, 405) << path;
    EXPECT_EQ(refused.Header("Allow"), "GET");
    EXPECT_EQ(refused.body, "Method Not Allowed\n");
  }
}

TEST_F(PlainHttpTest, MetricsListenerHasNoMore) {
  Open(Level::V3_5());
  routes_ = WithAccess({}, http_->MetricsRoutes());
  EXPECT_EQ(Get("/health").status, 200);
  EXPECT_EQ(Get("/metrics").status, 200);
  EXPECT_EQ(Get("/version").status, 404);
}

TEST_F(PlainHttpTest, Access) {
  Open(Level::V3_5());
  const TestAnswer any = Get("/version");
  EXPECT_EQ(any.Header("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(any.Header("Access-Control-Allow-Methods"),
            "POST, GET, OPTIONS, PUT, DELETE");
  EXPECT_EQ(Get("/nothing").Header("Access-Control-Allow-Origin"), "*");
  const TestAnswer options = Ask(routes_, "OPTIONS", "/version");
  EXPECT_EQ(options.status, 200);
  EXPECT_EQ(options.body, "");

  routes_ = WithAccess({.origins = {"http://a"}, .hosts = {"name", "::1"}},
                       http_->Routes());
  const auto ask = [this](const std::string& host, const std::string& origin) {
    return Ask(routes_, "GET", "/version", "",
               {{"host", host}, {"origin", origin}});
  };
  EXPECT_EQ(ask("name:2379", "http://a").Header("Access-Control-Allow-Origin"),
            "http://a");
  EXPECT_EQ(ask("name", "http://b").Header("Access-Control-Allow-Origin"), "");
  EXPECT_EQ(ask("name", "http://b").status, 200);
  EXPECT_EQ(ask("[::1]:2379", "http://b").status, 200);
  EXPECT_EQ(ask("other:2379", "http://a").status, 421);
  EXPECT_EQ(Get("/version").status, 421);
}

}  // namespace
}  // namespace strata
