#include "rpc/metrics.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <sstream>

#include "rpc/member_testing.h"

namespace strata {
namespace {

// Keeps what was logged.
class KeepingLogger : public Logger {
 public:
  bool Enabled(LogLevel) const override { return true; }
  void Log(LogLevel, std::string_view message,
           std::initializer_list<LogField> fields) override {
    const std::lock_guard lock(mutex_);
    lines_ += std::string(message);
    for (const LogField& field : fields)
      lines_ += " " + std::string(field.name);
    lines_ += "\n";
  }
  std::string lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  mutable std::mutex mutex_;
  std::string lines_;
};

class MetricsTest : public testing::Test {
 protected:
  void SetUp() override {
    methods_ = calls_.Observe(member_.services()->Methods());
    streams_ = calls_.Observe(member_.services()->Streams());
  }

  StatusOr<std::string> Call(const std::string& path,
                             const std::string& request) {
    for (const UnaryMethod& method : methods_) {
      if (method.path != path) continue;
      google::protobuf::Arena arena;
      std::promise<StatusOr<std::string>> answered;
      method.call(request, &arena, [&](StatusOr<std::string> answer) {
        answered.set_value(std::move(answer));
      });
      return answered.get_future().get();
    }
    return UnknownMethodError(path);
  }

  Status Put(const std::string& key, const std::string& value) {
    etcdserverpb::PutRequest request;
    request.set_key(key);
    request.set_value(value);
    return Call("/etcdserverpb.KV/Put", request.SerializeAsString()).status();
  }

  // The value of a line "name{labels} value"; -1 if there is none.
  double Value(const std::string& name) {
    std::istringstream text(MetricsText(
        {.node = member_.node(), .calls = &calls_, .health = nullptr}));
    for (std::string line; std::getline(text, line);) {
      if (line.starts_with(name + " ")) {
        return std::stod(line.substr(name.size() + 1));
      }
    }
    return -1;
  }

  TestMember member_{Level::V3_5()};
  KeepingLogger logger_;
  CallObserver calls_{std::chrono::nanoseconds(1), member_.worker(), &logger_};
  std::vector<UnaryMethod> methods_;
  std::vector<StreamMethod> streams_;
};

std::string Labels(const std::string& method, const std::string& code) {
  return "{grpc_code=\"" + code + "\",grpc_method=\"" + method +
         "\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"}";
}

TEST_F(MetricsTest, CountsWhatIsDone) {
  ASSERT_TRUE(Put("a", "12345").ok());
  ASSERT_TRUE(Put("b", "").ok());
  EXPECT_FALSE(Put("", "").ok());
  etcdserverpb::RangeRequest range;
  range.set_key("a");
  ASSERT_TRUE(Call("/etcdserverpb.KV/Range", range.SerializeAsString()).ok());

  EXPECT_EQ(Value("etcd_mvcc_put_total"), 2);
  EXPECT_EQ(Value("etcd_mvcc_range_total"), 1);
  EXPECT_EQ(Value("etcd_debugging_mvcc_total_put_size_in_bytes"), 7);
  EXPECT_EQ(Value("etcd_debugging_mvcc_current_revision"), 3);
  EXPECT_EQ(Value("grpc_server_handled_total" + Labels("Put", "OK")), 2);
  EXPECT_EQ(
      Value("grpc_server_handled_total" + Labels("Put", "InvalidArgument")), 1);
  EXPECT_EQ(Value("grpc_server_handled_total" + Labels("Range", "OK")), 1);
  EXPECT_EQ(Value("etcd_server_client_requests_total{client_api_version="
                  "\"unknown\",type=\"unary\"}"),
            4);
  EXPECT_GT(Value("etcd_network_client_grpc_received_bytes_total"), 0);
  EXPECT_GT(Value("etcd_network_client_grpc_sent_bytes_total"), 0);
  EXPECT_EQ(Value("etcd_server_has_leader"), 1);
  EXPECT_EQ(Value("etcd_server_version{server_version=\"3.5.0\"}"), 1);
  EXPECT_EQ(Value("etcd_cluster_version{cluster_version=\"3.5\"}"), 1);
  EXPECT_EQ(Value("etcd_server_proposals_applied_total"),
            Value("etcd_server_proposals_committed_total"));
  EXPECT_GE(Value("etcd_disk_wal_fsync_duration_seconds_count"), 2);
  EXPECT_EQ(Value("etcd_disk_wal_fsync_duration_seconds_bucket{le=\"+Inf\"}"),
            Value("etcd_disk_wal_fsync_duration_seconds_count"));
  EXPECT_GT(Value("etcd_disk_wal_write_bytes_total"), 0);
  EXPECT_GT(Value("process_resident_memory_bytes"), 1 << 20);
  EXPECT_GT(Value("strata_tail_bytes"), -1);
}

TEST_F(MetricsTest, SlowCallsAreTold) {
  ASSERT_TRUE(Put("a", "1").ok());
  EXPECT_EQ(logger_.lines(),
            "request stats time spent response type request size response "
            "size error lines-left-out\n");
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(Put("a", "1").ok());
  const std::string lines = logger_.lines();
  const auto told = std::ranges::count(lines, '\n');
  EXPECT_GE(told, 10);
  EXPECT_LT(told, 40);  // no more than ten a second
}

TEST_F(MetricsTest, Streams) {
  for (const StreamMethod& stream : streams_) {
    if (stream.path != "/etcdserverpb.Watch/Watch") continue;
    class Sink : public StreamSink {
     public:
      bool Writable() const override { return true; }
      void Write(StreamMessage) override {}
      void ReadMore() override {}
      void Finish(const Status&) override {}
    };
    const auto handler = stream.open(std::make_shared<Sink>());
    etcdserverpb::WatchRequest request;
    request.mutable_create_request()->set_key("a");
    handler->OnMessage(request.SerializeAsString());
    EXPECT_EQ(Value("etcd_debugging_mvcc_watcher_total"), 1);
    handler->OnDone();
  }
  const std::string labels =
      "{grpc_method=\"Watch\",grpc_service=\"etcdserverpb.Watch\","
      "grpc_type=\"bidi_stream\"}";
  EXPECT_EQ(Value("grpc_server_started_total" + labels), 1);
  EXPECT_EQ(Value("grpc_server_msg_received_total" + labels), 1);
  EXPECT_EQ(Value("grpc_server_msg_sent_total" + labels), 1);
  EXPECT_EQ(Value("grpc_server_handled_total{grpc_code=\"Canceled\"," +
                  labels.substr(1)),
            1);
  EXPECT_EQ(Value("etcd_debugging_mvcc_watcher_total"), 0);
}

}  // namespace
}  // namespace strata
