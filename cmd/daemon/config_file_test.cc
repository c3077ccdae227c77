#include "cmd/daemon/config_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "cmd/daemon/command_line.h"

namespace strata {
namespace {

using std::chrono::seconds;

TEST(ConfigFileTest, YamlAndJson) {
  const FlagValues expected = {{"name", "abc"},
                               {"snapshot-count", "7"},
                               {"log-outputs", "stderr,/tmp/x"},
                               {"pre-vote", "true"}};
  const auto yaml = ParseConfig(
      "# a member\nname: abc\nsnapshot-count: 7\n"
      "log-outputs: [stderr, \"/tmp/x\"]\npre-vote: true\nwal-dir:\n");
  ASSERT_TRUE(yaml.ok()) << yaml.status();
  EXPECT_EQ(*yaml, expected);
  const auto json = ParseConfig(
      R"({"name": "abc", "snapshot-count": 7,
          "log-outputs": ["stderr", "/tmp/x"], "pre-vote": true})");
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(*json, expected);
  EXPECT_TRUE(ParseConfig("")->empty());
}

TEST(ConfigFileTest, Sections) {
  const auto values = ParseConfig(
      "client-transport-security:\n  cert-file: c\n  client-cert-auth: true\n"
      "peer-transport-security:\n  cert-file: p\n  allowed-cn: x\n");
  ASSERT_TRUE(values.ok());
  EXPECT_EQ(*values, (FlagValues{{"cert-file", "c"},
                                 {"client-cert-auth", "true"},
                                 {"peer-cert-file", "p"},
                                 {"peer-cert-allowed-cn", "x"}}));
}

TEST(ConfigFileTest, WhatIsNone) {
  EXPECT_EQ(ParseConfig("name: [1").status().code(), Code::kInvalidArgument);
  EXPECT_EQ(ParseConfig("just words").status().message(),
            "no keys with values");
  EXPECT_EQ(ParseConfig("name: {a: b}").status().message(),
            "\"name\" is a section, not a value");
  EXPECT_EQ(ParseConfig("peer-transport-security: x").status().message(),
            "\"peer-transport-security\" is a value, not a section");
  EXPECT_EQ(ReadConfigFile("/nonexistent/file").status().code(),
            Code::kNotFound);
}

class ConfiguredTest : public testing::Test {
 protected:
  CommandLine Parse(const std::string& config,
                    std::vector<std::string> more = {},
                    std::map<std::string, std::string> env = {}) {
    const std::string path = testing::TempDir() + "config.yml";
    std::ofstream(path) << config;
    more.push_back("--config-file=" + path);
    return ParseCommandLine(more, env);
  }
};

// As with etcd, nothing but the file counts then.
TEST_F(ConfiguredTest, TheFileAlone) {
  const CommandLine line = Parse(
      "name: abc\nmax-txn-ops: 7\ngrpc-keepalive-min-time: 3000000000\n"
      "grpc-keepalive-timeout: 9s\n",
      {"--name=other", "--snapshot-count=5"}, {{"ETCD_MAX_WALS", "9"}});
  ASSERT_TRUE(line.serve) << line.error;
  EXPECT_EQ(line.options.node.name, "abc");
  EXPECT_EQ(line.options.node.data_dir, "abc.etcd");
  EXPECT_EQ(line.options.kv.max_txn_ops, 7);
  EXPECT_EQ(line.options.grpc.keepalive_min_time, seconds(3));
  EXPECT_EQ(line.options.grpc.keepalive_timeout, seconds(9));
  EXPECT_EQ(line.options.node.snapshot_count, NodeOptions().snapshot_count);
  EXPECT_EQ(line.options.node.max_wals, NodeOptions().max_wals);
}

// The keys of the file that comes with etcd 3.4, and some of later releases.
TEST_F(ConfiguredTest, TheKeysOfEtcdsOwnFile) {
  const CommandLine line = Parse(R"(
name: 'm0'
data-dir: d
wal-dir:
snapshot-count: 10000
heartbeat-interval: 100
election-timeout: 1000
quota-backend-bytes: 0
listen-peer-urls: http://localhost:2380
listen-client-urls: http://localhost:2379
max-snapshots: 5
max-wals: 5
cors:
initial-advertise-peer-urls: http://localhost:2380
advertise-client-urls: http://localhost:2379
discovery:
discovery-fallback: 'proxy'
discovery-proxy:
discovery-srv:
initial-cluster: m0=http://localhost:2380
initial-cluster-token: 'etcd-cluster'
initial-cluster-state: 'new'
strict-reconfig-check: false
enable-v2: true
enable-pprof: true
proxy: 'off'
proxy-failure-wait: 5000
proxy-refresh-interval: 30000
proxy-dial-timeout: 1000
proxy-write-timeout: 5000
proxy-read-timeout: 0
client-transport-security:
  cert-file:
  key-file:
  client-cert-auth: false
  trusted-ca-file:
  auto-tls: false
peer-transport-security:
  cert-file:
  key-file:
  client-cert-auth: false
  trusted-ca-file:
  auto-tls: false
self-signed-cert-validity: 1
debug: false
logger: zap
log-level: debug
log-outputs: [stderr]
force-new-cluster: false
auto-compaction-mode: periodic
auto-compaction-retention: "1"
socket-options:
  reuse-port: true
  reuse-address: true
feature-gates: LeaseCheckpoint=true
)");
  ASSERT_TRUE(line.serve) << line.error;
  EXPECT_EQ(line.options.node.name, "m0");
  EXPECT_TRUE(line.options.reuse_port);
  EXPECT_TRUE(line.options.node.lease_checkpoints);
  // The file itself, and what is not here: enable-v2 and enable-pprof.
  EXPECT_EQ(line.options.warnings.size(), 3U);
}

TEST_F(ConfiguredTest, ByTheEnvironment) {
  const std::string path = testing::TempDir() + "env.yml";
  std::ofstream(path) << "name: abc\n";
  const CommandLine line =
      ParseCommandLine({"--name=x"}, {{"ETCD_CONFIG_FILE", path}});
  ASSERT_TRUE(line.serve) << line.error;
  EXPECT_EQ(line.options.node.name, "abc");
}

TEST_F(ConfiguredTest, Refusals) {
  CommandLine line = Parse("nam: abc\n");
  EXPECT_FALSE(line.serve);
  EXPECT_EQ(line.exit_code, 1);
  EXPECT_NE(line.error.find("unknown key \"nam\"; did you mean name?"),
            std::string::npos)
      << line.error;
  line = Parse("snapshot-count: abc\n");
  EXPECT_EQ(line.exit_code, 1);
  EXPECT_NE(line.error.find("invalid value \"abc\" for snapshot-count"),
            std::string::npos)
      << line.error;
  EXPECT_EQ(Parse("name: [1").exit_code, 1);
  EXPECT_EQ(ParseCommandLine({"--config-file=/none"}, {}).exit_code, 1);
  EXPECT_EQ(Parse("name: a\n", {"--no-such-flag"}).exit_code, 2);
}

}  // namespace
}  // namespace strata
