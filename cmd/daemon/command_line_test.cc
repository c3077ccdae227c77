#include "cmd/daemon/command_line.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cmd/daemon/values.h"

namespace strata {
namespace {

using Env = std::map<std::string, std::string>;

StratadOptions Serving(const std::vector<std::string>& arguments,
                       const Env& env = {}) {
  const CommandLine line = ParseCommandLine(arguments, env);
  EXPECT_TRUE(line.serve) << line.error;
  return line.options;
}

// "2: text" of a line that is refused, its first line.
std::string Refused(const std::vector<std::string>& arguments,
                    const Env& env = {}) {
  const CommandLine line = ParseCommandLine(arguments, env);
  EXPECT_FALSE(line.serve);
  EXPECT_EQ(line.output, "");
  return std::to_string(line.exit_code) + ": " + line.error;
}

std::string Addresses(const std::vector<ListenUrl>& urls) {
  std::string text;
  for (const ListenUrl& url : urls) {
    text += (text.empty() ? "" : " ") + url.address + (url.tls ? "+tls" : "");
  }
  return text;
}

TEST(CommandLineTest, Defaults) {
  const StratadOptions options = Serving({});
  EXPECT_EQ(options.node.name, "default");
  EXPECT_EQ(options.node.data_dir, "default.etcd");
  EXPECT_EQ(Addresses(options.client_urls), "127.0.0.1:2379");
  EXPECT_TRUE(options.client_http_urls.empty());
  EXPECT_TRUE(options.metrics_urls.empty());
  EXPECT_EQ(options.node.advertise_client_urls,
            std::vector<std::string>{"http://localhost:2379"});
  EXPECT_EQ(options.node.initial_advertise_peer_urls,
            std::vector<std::string>{"http://localhost:2380"});
  EXPECT_FALSE(options.node.level.has_value());
  EXPECT_TRUE(options.node.fsync);
  EXPECT_TRUE(options.warnings.empty());
}

// Of any release of etcd, as each writes it when it says what it was told.
TEST(CommandLineTest, TakesAllFlagsOfEtcd) {
  const StratadOptions options =
      Serving({"--raft-read-timeout=5s",
               "--raft-write-timeout=5s",
               "--compaction-batch-limit=500",
               "--experimental-compaction-sleep-interval=20ms",
               "--experimental-txn-mode-write-with-shared-buffer",
               "--peer-skip-client-san-verification",
               "--auth-token=simple",
               "--bcrypt-cost=10",
               "--enable-pprof=0",
               "--distributed-tracing-service-name=x",
               "--discovery=",
               "--discovery-fallback=exit",
               "--proxy=off",
               "--enable-v2=false",
               "--v2-deprecation=write-only",
               "--log-package-levels=etcdserver=WARNING",
               "--logger=capnslog",
               "--log-output=stdout",
               "--debug",
               "--socket-reuse-port",
               "--socket-reuse-address",
               "--max-learners=2",
               "--downgrade-check-time=7s",
               "--experimental-snapshot-catch-up-entries=9",
               "--experimental-backend-bbolt-freelist-type=array",
               "--bootstrap-defrag-threshold-megabytes=100"});
  EXPECT_TRUE(options.warnings.empty()) << options.warnings.front();
  EXPECT_EQ(options.log.outputs, std::vector<std::string>{"stdout"});
  EXPECT_EQ(options.log.level, LogLevel::kDebug);
  EXPECT_TRUE(options.reuse_port);
  EXPECT_EQ(options.node.max_learners, 2u);
  EXPECT_EQ(options.node.downgrade_check_period, std::chrono::seconds(7));
  EXPECT_EQ(options.node.snapshot_catch_up_entries, 9u);
  EXPECT_EQ(options.node.btree.freelist_type, FreelistType::kArray);
  EXPECT_EQ(options.defrag_at_start_megabytes, 100u);
}

TEST(CommandLineTest, WhatIsNotHereIsSaid) {
  EXPECT_EQ(Serving({"--enable-pprof", "--auth-token=jwt,sign-method=RS256",
                     "--enable-v2", "--raft-read-timeout=9s"})
                .warnings,
            (std::vector<std::string>{
                "--enable-pprof=true does nothing: /debug/pprof is not served",
                "--auth-token=jwt,sign-method=RS256 does nothing: there is no "
                "authentication yet",
                "--enable-v2=true does nothing: the v2 API and its proxy are "
                "not here",
                "--raft-read-timeout=9s does nothing: it is always 5s"}));
  EXPECT_TRUE(Refused({"--discovery=http://h/x"})
                  .starts_with("2: invalid value \"http://h/x\" for flag "
                               "-discovery: v2 discovery"));
  EXPECT_TRUE(Refused({"--proxy=on"}).starts_with("2: invalid value"));
  EXPECT_TRUE(Refused({"--enable-v2=maybe"}).starts_with("2: invalid value"));
  EXPECT_TRUE(Refused({"--downgrade-check-time=0"}).starts_with("1: "));
}

TEST(CommandLineTest, FeatureGates) {
  const StratadOptions some =
      Serving({"--feature-gates",
               "InitialCorruptCheck=true, CompactHashCheck=1,"
               "FastLeaseKeepAlive=false,StopGRPCServiceOnDefrag=T"});
  EXPECT_TRUE(some.initial_corrupt_check);
  EXPECT_TRUE(some.node.corruption_check.compactions);
  EXPECT_FALSE(some.node.lease_checkpoints);
  const StratadOptions alpha =
      Serving({"--feature-gates=AllAlpha=true,CompactHashCheck=false"});
  EXPECT_TRUE(alpha.node.lease_checkpoints);
  EXPECT_TRUE(alpha.node.persist_lease_checkpoints);
  EXPECT_FALSE(alpha.node.corruption_check.compactions);
  EXPECT_FALSE(Serving({}, {{"ETCD_FEATURE_GATES", "AllBeta=true"}})
                   .node.lease_checkpoints);
  const auto refusal = [](const std::string& gates) {
    const std::string text = Refused({"--feature-gates=" + gates});
    const size_t end = text.find("gates: ");
    return end == std::string::npos ? text : text.substr(end + 7);
  };
  EXPECT_TRUE(refusal("X=true").starts_with("unrecognized feature gate: X"));
  EXPECT_TRUE(refusal("LeaseCheckpoint")
                  .starts_with("missing bool value for LeaseCheckpoint"));
  EXPECT_TRUE(refusal("LeaseCheckpoint=yes")
                  .starts_with("invalid value of LeaseCheckpoint=yes"));
}

TEST(CommandLineTest, GosNotations) {
  EXPECT_EQ(Serving({"-name", "a"}).node.data_dir, "a.etcd");
  EXPECT_EQ(Serving({"--name", "a"}).node.name, "a");
  EXPECT_EQ(Serving({"-name=a"}).node.name, "a");
  EXPECT_EQ(Serving({"--name=a", "--name=b"}).node.name, "b");
  EXPECT_EQ(Serving({"--wal-dir=", "--name=a=b"}).node.name, "a=b");
  EXPECT_FALSE(Serving({"--unsafe-no-fsync"}).node.fsync);
  EXPECT_FALSE(Serving({"-unsafe-no-fsync", "-name", "a"}).node.fsync);
  EXPECT_TRUE(Serving({"--unsafe-no-fsync=F"}).node.fsync);
  EXPECT_EQ(
      Serving({"--grpc-keepalive-interval=1h1.5m10ms"}).grpc.keepalive_interval,
      std::chrono::milliseconds(3690010));
}

TEST(CommandLineTest, BackendFlagsAreChecked) {
  EXPECT_EQ(Refused({"--backend-page-size=5000"}),
            "2: invalid value \"5000\" for flag -backend-page-size: not 0 or a "
            "power of two from 1024 to 65536\n");
  EXPECT_EQ(Refused({"--backend-fill-percent=9"}),
            "2: invalid value \"9\" for flag -backend-fill-percent: not from "
            "10 to 100\n");
  EXPECT_EQ(Refused({"--backend-auto-shrink-percent=101"}),
            "2: invalid value \"101\" for flag -backend-auto-shrink-percent: "
            "not from 0 to 100\n");
  // As in etcd, 0 is the default; and 3.5's name of a flag.
  const StratadOptions options = Serving(
      {"--backend-batch-interval=0s", "--backend-batch-limit=0",
       "--backend-auto-shrink-percent=0", "--experimental-memory-mlock"});
  EXPECT_EQ(options.node.batch_interval, std::chrono::milliseconds(100));
  EXPECT_EQ(options.node.batch_changes, 10000u);
  EXPECT_GE(options.node.shrink.free_fraction, 1);
  EXPECT_TRUE(options.node.btree.mlock);
}

TEST(CommandLineTest, EveryFlagOfTheBackendArrives) {
  const StratadOptions options = Serving(
      {"--memory-mlock", "--backend-batch-interval=20ms",
       "--backend-batch-limit=21", "--scrub-bytes-per-second=22",
       "--scrub-pause=23s", "--backend-bbolt-freelist-type=array",
       "--backend-freelist-sync", "--backend-page-size=8192",
       "--backend-fill-percent=75", "--backend-initial-mmap-size=1000000",
       "--backend-mmap-populate=auto", "--backend-auto-shrink-percent=50",
       "--backend-auto-shrink-bytes=1000", "--quota-backend-bytes=24",
       "--auto-compaction-mode=revision", "--auto-compaction-retention=25",
       "--backend=mem"});
  EXPECT_TRUE(options.node.btree.mlock);
  EXPECT_EQ(options.node.batch_interval, std::chrono::milliseconds(20));
  EXPECT_EQ(options.node.scrub.bytes_per_second, 22u);
  EXPECT_EQ(options.node.scrub.pause, std::chrono::seconds(23));
  EXPECT_EQ(options.node.batch_changes, 21u);
  EXPECT_EQ(options.node.btree.freelist_type, FreelistType::kArray);
  EXPECT_TRUE(options.node.btree.freelist_sync);
  EXPECT_EQ(options.node.btree.page_size, 8192u);
  EXPECT_EQ(options.node.btree.fill_fraction, 0.75);
  EXPECT_EQ(options.node.btree.initial_mmap_bytes, 1000000u);
  EXPECT_EQ(options.node.btree.mmap_populate, MmapPopulate::kAuto);
  EXPECT_EQ(options.node.shrink.free_fraction, 0.5);
  EXPECT_EQ(options.node.shrink.free_bytes, 1000u);
  EXPECT_EQ(options.node.backend, BackendKind::kMem);
  EXPECT_EQ(options.node.quota_backend_bytes, 24);
  EXPECT_EQ(options.node.auto_compaction.revisions, 25);
}

TEST(CommandLineTest, EveryFlagArrives) {
  const StratadOptions options =
      Serving({"--name=n",
               "--data-dir=d",
               "--wal-dir=w",
               "--snapshot-count=11",
               "--snapshot-bytes=111",
               "--max-wals=12",
               "--max-snapshots=13",
               "--max-txn-ops=14",
               "--max-request-bytes=15",
               "--max-concurrent-streams=16",
               "--grpc-keepalive-min-time=17s",
               "--grpc-keepalive-timeout=18s",
               "--grpc-threads=19",
               "--idle-poll-time=27us",
               "--initial-cluster=n=http://127.0.0.1:22",
               "--initial-cluster-token=t",
               "--initial-cluster-state=existing",
               "--initial-advertise-peer-urls=http://127.0.0.1:22",
               "--listen-client-urls=http://127.0.0.1:23,http://[::1]:24",
               "--advertise-client-urls=http://h:25",
               "--etcd-level=3.4",
               "--log-level=debug",
               "--log-format=console",
               "--log-outputs=stdout,f",
               "--logger=zap",
               "--listen-peer-urls=http://127.0.0.1:26"});
  EXPECT_EQ(options.node.name, "n");
  EXPECT_EQ(options.node.data_dir, "d");
  EXPECT_EQ(options.node.wal_dir, "w");
  EXPECT_EQ(options.node.snapshot_count, 11u);
  EXPECT_EQ(options.node.snapshot_bytes, 111u);
  EXPECT_EQ(options.node.max_wals, 12u);
  EXPECT_EQ(options.node.max_snapshots, 13u);
  EXPECT_EQ(options.kv.max_txn_ops, 14);
  EXPECT_EQ(options.grpc.max_request_bytes, 15u);
  EXPECT_EQ(options.node.max_request_bytes, 15u);
  EXPECT_EQ(options.grpc.max_concurrent_streams, 16u);
  EXPECT_EQ(options.grpc.keepalive_min_time, std::chrono::seconds(17));
  EXPECT_EQ(options.grpc.keepalive_timeout, std::chrono::seconds(18));
  EXPECT_EQ(options.grpc.threads, 19);
  EXPECT_EQ(options.grpc.idle_poll_time, std::chrono::microseconds(27));
  EXPECT_EQ(options.node.initial_cluster, "n=http://127.0.0.1:22");
  EXPECT_EQ(options.node.initial_cluster_token, "t");
  EXPECT_TRUE(options.join_existing);
  EXPECT_EQ(options.node.initial_advertise_peer_urls,
            std::vector<std::string>{"http://127.0.0.1:22"});
  EXPECT_EQ(Addresses(options.client_urls), "127.0.0.1:23 [::1]:24");
  EXPECT_EQ(options.node.advertise_client_urls,
            std::vector<std::string>{"http://h:25"});
  EXPECT_EQ(options.node.level, Level::V3_4());
  EXPECT_EQ(options.log.level, LogLevel::kDebug);
  EXPECT_EQ(options.log.format, LogFormat::kConsole);
  EXPECT_EQ(options.log.outputs, (std::vector<std::string>{"stdout", "f"}));
}

TEST(CommandLineTest, HttpAndLogFlagsArrive) {
  const CommandLine line = ParseCommandLine(
      {"--cors=http://a,http://b", "--host-whitelist=x",
       "--enable-grpc-gateway=false", "--metrics=extensive",
       "--experimental-warning-apply-duration=7ms",
       "--warning-unary-request-duration=8ms",
       "--experimental-enable-lease-checkpoint", "--enable-log-rotation",
       "--log-outputs=/tmp/a", "--log-rotation-config-json={\"maxsize\": 3}"},
      {});
  ASSERT_TRUE(line.serve) << line.error;
  const StratadOptions& options = line.options;
  EXPECT_EQ(options.http.access.origins,
            (std::set<std::string>{"http://a", "http://b"}));
  EXPECT_EQ(options.http.access.hosts, std::set<std::string>{"x"});
  EXPECT_FALSE(options.http.gateway);
  EXPECT_EQ(options.node.warning_apply_duration, std::chrono::milliseconds(7));
  EXPECT_EQ(options.warning_unary_duration, std::chrono::milliseconds(8));
  EXPECT_TRUE(options.node.lease_checkpoints);
  EXPECT_TRUE(options.log.rotate);
  EXPECT_EQ(options.log.rotation.max_bytes, uint64_t{3} << 20);
  EXPECT_EQ(options.command_line.size(), 10U);

  EXPECT_EQ(ParseCommandLine({"--enable-log-rotation"}, {}).exit_code, 1);
  EXPECT_EQ(
      ParseCommandLine({"--experimental-enable-lease-checkpoint-persist"}, {})
          .exit_code,
      1);
  EXPECT_EQ(ParseCommandLine({"--metrics=some"}, {}).exit_code, 2);
}

TEST(CommandLineTest, VariablesAreForFlagsNotGiven) {
  const Env env = {{"ETCD_NAME", "env"}, {"ETCD_MAX_WALS", "7"}};
  const StratadOptions options = Serving({"--name=flag"}, env);
  EXPECT_EQ(options.node.name, "flag");
  EXPECT_EQ(options.node.max_wals, 7u);
  EXPECT_EQ(options.warnings,
            std::vector<std::string>{"environment variable ETCD_NAME does "
                                     "nothing: --name is given"});
  EXPECT_EQ(Serving({}, {{"ETCD_NAME", ""}}).node.name, "default");
}

TEST(CommandLineTest, UnknownVariablesAreWarnedOf) {
  EXPECT_EQ(Serving({}, {{"ETCD_DATA_DRI", "x"}, {"PATH", "y"}}).warnings,
            std::vector<std::string>{"unrecognized environment variable "
                                     "ETCD_DATA_DRI; did you mean "
                                     "ETCD_DATA_DIR?"});
  EXPECT_EQ(Refused({}, {{"ETCD_SNAPSHOT_COUNT", "abc"}}),
            "1: invalid value \"abc\" for ETCD_SNAPSHOT_COUNT: parse error. "
            "See 'stratad --help'.\n");
}

TEST(CommandLineTest, UnknownFlags) {
  EXPECT_EQ(Refused({"--nmae", "x"}),
            "2: flag provided but not defined: -nmae\nDid you mean --name?\n");
  EXPECT_EQ(Refused({"-listen-client-url=http://h:1"}),
            "2: flag provided but not defined: -listen-client-url\n"
            "Did you mean --listen-client-urls?\n");
  EXPECT_EQ(Refused({"--xyzzyxyzzy"}),
            "2: flag provided but not defined: -xyzzyxyzzy\n");
  EXPECT_EQ(Refused({"serve"}),
            "1: 'serve' is not a valid flag. See 'stratad --help'.\n");
  EXPECT_EQ(Refused({"--"}),
            "1: '--' is not a valid flag. See 'stratad --help'.\n");
  // A switch takes no word after it.
  EXPECT_EQ(Refused({"--unsafe-no-fsync", "true"}),
            "1: 'true' is not a valid flag. See 'stratad --help'.\n");
}

TEST(CommandLineTest, ValuesThatCannotBeRead) {
  EXPECT_EQ(Refused({"--snapshot-count=abc"}),
            "2: invalid value \"abc\" for flag -snapshot-count: parse error\n");
  EXPECT_EQ(Refused({"--snapshot-count=-1"}),
            "2: invalid value \"-1\" for flag -snapshot-count: parse error\n");
  EXPECT_EQ(Refused({"--max-concurrent-streams=4294967296"}),
            "2: invalid value \"4294967296\" for flag "
            "-max-concurrent-streams: value out of range\n");
  EXPECT_EQ(Refused({"--backend-batch-interval=5"}),
            "2: invalid value \"5\" for flag -backend-batch-interval: parse "
            "error\n");
  EXPECT_EQ(Refused({"--unsafe-no-fsync=maybe"}),
            "2: invalid value \"maybe\" for flag -unsafe-no-fsync: parse "
            "error\n");
  EXPECT_EQ(Refused({"--backend=heap"}),
            "2: invalid value \"heap\" for flag -backend: invalid value; it is "
            "one of btree, leveldb, mem\n");
  EXPECT_EQ(Refused({"--grpc-threads=0"}),
            "1: --grpc-threads must be at least 1\n");
  EXPECT_EQ(Refused({"--name"}), "2: flag needs an argument: -name\n");
  EXPECT_TRUE(Refused({"--etcd-level=3.7"})
                  .starts_with("2: invalid value \"3.7\" for flag "));
}

TEST(CommandLineTest, Urls) {
  const auto refused = [](const std::string& url) {
    return Refused(
        {"--listen-client-urls=" + url, "--advertise-client-urls=http://h:1"});
  };
  const auto invalid = [](const std::string& url, const std::string& why) {
    return "2: invalid value \"" + url +
           "\" for flag -listen-client-urls: " + why + ": " + url + "\n";
  };
  for (const char* url : {"ftp://127.0.0.1:1", "127.0.0.1:1", ""}) {
    EXPECT_EQ(refused(url),
              invalid(url, "URL scheme must be http, https, unix, or unixs"));
  }
  EXPECT_EQ(refused("http://127.0.0.1:1/x"),
            invalid("http://127.0.0.1:1/x", "URL must not contain a path"));
  for (const char* url : {"http://127.0.0.1", "http://:1", "http://h:99999"}) {
    EXPECT_EQ(refused(url),
              invalid(url, "URL address does not have the form \"host:port\""));
  }
  EXPECT_EQ(refused("http://foo:1"),
            "1: expected IP in URL for binding (http://foo:1)\n");
  EXPECT_EQ(Refused({"--listen-client-urls=http://127.0.0.1:1"}),
            "1: --advertise-client-urls is required when --listen-client-urls "
            "is set explicitly. See 'stratad --help'.\n");
}

TEST(CommandLineTest, HelpAndVersion) {
  for (const char* flag : {"-h", "-help", "--help"}) {
    const CommandLine line = ParseCommandLine({"--nmae", flag}, {});
    EXPECT_FALSE(line.serve);
    EXPECT_EQ(line.exit_code, 0);
    EXPECT_NE(line.output.find("\nMember:\n  --name 'default'\n"),
              std::string::npos);
    EXPECT_NE(line.output.find("--data-dir '${name}.etcd'"), std::string::npos);
    EXPECT_EQ(line.error, "");
  }
  const CommandLine line = ParseCommandLine({"--version"}, {});
  EXPECT_EQ(line.exit_code, 0);
  EXPECT_TRUE(line.output.starts_with("strata Version: "));
}

TEST(ParseCompaction, CountsHoursOrRevisions) {
  EXPECT_FALSE(ParseCompaction("periodic", "0")->enabled());
  EXPECT_EQ(ParseCompaction("periodic", "8")->period, std::chrono::hours(8));
  EXPECT_EQ(ParseCompaction("periodic", "90m")->period,
            std::chrono::minutes(90));
  EXPECT_EQ(ParseCompaction("revision", "1000")->revisions, 1000);
  for (const auto& [mode, retention] :
       std::vector<std::pair<std::string, std::string>>{{"weekly", "1"},
                                                        {"periodic", "x"},
                                                        {"revision", "90m"},
                                                        {"revision", "-5"}}) {
    EXPECT_EQ(ParseCompaction(mode, retention).status().code(),
              Code::kInvalidArgument)
        << mode << " " << retention;
  }
}

std::vector<std::string> Listening(const std::string& urls) {
  return {"--listen-client-urls=" + urls, "--advertise-client-urls=http://h:1"};
}

TEST(CommandLineTest, UrlsOfEveryKind) {
  std::vector<std::string> arguments =
      Listening("unix:///a/b,https://127.0.0.1:1,unixs://h:2,http://h:3");
  arguments.insert(arguments.end(), {"--cert-file=c", "--key-file=k"});
  EXPECT_EQ(Refused(arguments),
            "1: expected IP in URL for binding "
            "(http://h:3)\n");
  arguments[0] = "--listen-client-urls=unix:///a/b,https://[::1]:1,unixs://h:2";
  arguments.push_back("--listen-client-http-urls=http://localhost:4");
  arguments.push_back("--listen-metrics-urls=https://localhost:5");
  const StratadOptions options = Serving(arguments);
  EXPECT_EQ(Addresses(options.client_urls),
            "[::1]:1+tls unix:/a/b unix:h:2+tls");
  EXPECT_EQ(Addresses(options.client_http_urls), "127.0.0.1:4");
  EXPECT_EQ(Addresses(options.metrics_urls), "127.0.0.1:5+tls");
  EXPECT_EQ(options.warnings.size(), 2u);
}

TEST(CommandLineTest, Tls) {
  std::vector<std::string> arguments = Listening("https://127.0.0.1:1");
  EXPECT_EQ(Refused(arguments),
            "1: TLS key/cert (--cert-file, --key-file) must be provided for "
            "client url https://127.0.0.1:1 with HTTPS scheme\n");
  arguments.insert(
      arguments.end(),
      {"--cert-file=c", "--key-file=k", "--trusted-ca-file=t",
       "--client-cert-auth", "--client-crl-file=r", "--tls-max-version=TLS1.2",
       "--client-cert-allowed-hostname=a,b",
       "--cipher-suites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,"
       "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305"});
  const TlsOptions tls = Serving(arguments).client_tls.options;
  EXPECT_EQ(tls.cert_file + tls.key_file + tls.trusted_ca_file + tls.crl_file,
            "cktr");
  EXPECT_TRUE(tls.client_cert_auth);
  EXPECT_EQ(tls.allowed_hostnames, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(tls.cipher_suites.size(), 2u);
  EXPECT_EQ(tls.min_version, TlsVersion::k12);
  EXPECT_EQ(tls.max_version, TlsVersion::k12);
  const auto refused = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all = arguments;
    all.insert(all.end(), more.begin(), more.end());
    return Refused(all);
  };
  EXPECT_EQ(refused({"--tls-min-version=TLS1.3"}),
            "1: min version (TLS1.3) is greater than max version (TLS1.2)\n");
  EXPECT_EQ(refused({"--tls-min-version=TLS1.3", "--tls-max-version="}),
            "1: cipher suites cannot be configured when only TLS1.3 is "
            "enabled\n");
  EXPECT_EQ(refused({"--tls-min-version=TLS1.1"}),
            "1: unexpected TLS version \"TLS1.1\". Must be one of: TLS1.2, "
            "TLS1.3\n");
  EXPECT_EQ(refused({"--cipher-suites=AES"}),
            "1: unexpected TLS cipher suite \"AES\"\n");
  EXPECT_EQ(refused({"--auto-tls", "--self-signed-cert-validity=0"}),
            "1: selfSignedCertValidity is invalid,it should be greater than "
            "0\n");
}

}  // namespace
}  // namespace strata
