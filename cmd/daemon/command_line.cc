#include "cmd/daemon/command_line.h"

#include <algorithm>
#include <bit>
#include <thread>
#include <utility>

#include "base/memory.h"
#include "base/strings.h"
#include "cmd/daemon/config_file.h"
#include "cmd/daemon/feature_gates.h"
#include "cmd/daemon/flag_kinds.h"
#include "cmd/daemon/flag_set.h"
#include "cmd/daemon/idle_flags.h"
#include "cmd/daemon/tls_flags.h"
#include "cmd/daemon/values.h"

namespace strata {
namespace {

constexpr std::string_view kIntroduction =
    R"(Strata: a durable, revision-keyed store that speaks etcd's v3 API and keeps
etcd's data directory.

Usage:

  stratad [flags]
    Serve the store in --data-dir to etcd's clients.

  stratad --version
    Show the versions of strata and of the etcd it stands in for.

  stratad -h | --help
    Show this.

Flags and their environment variables are etcd's: --data-dir is ETCD_DATA_DIR.
A flag wins over its variable. For a first try:

  stratad --data-dir /tmp/strata
  etcdctl put greeting hello
)";

constexpr std::string_view kVersionText =
    "strata Version: 0.1.0\netcd Level: 3.5 by default; 3.4, 3.5, 3.6\n";

constexpr uint64_t kMinPageBytes = 1024;
constexpr uint64_t kMaxPageBytes = 65536;

// Of how calls are taken and answered.
void AddGrpcFlags(GrpcServerOptions* grpc, FlagSet* flags) {
  flags->Add(NumberFlag("max-request-bytes", &grpc->max_request_bytes,
                        "Bytes of a request, at most."));
  flags->Add(NumberFlag("max-concurrent-streams", &grpc->max_concurrent_streams,
                        "Calls at a time on one connection, at most."));
  flags->Add(DurationFlag("grpc-keepalive-min-time", &grpc->keepalive_min_time,
                          "5s", "Clients that ping more often are closed."));
  flags->Add(DurationFlag("grpc-keepalive-interval", &grpc->keepalive_interval,
                          "2h", "How often clients are pinged (0: never)."));
  flags->Add(
      DurationFlag("grpc-keepalive-timeout", &grpc->keepalive_timeout, "20s",
                   "A client that does not answer a ping is closed after."));
  Flag memory = NumberFlag("grpc-memory-bytes", &grpc->memory_bytes,
                           "Strata's own: memory for requests and answers of "
                           "calls together, above which calls are refused; 0: "
                           "no bound.");
  memory.shown_default = "a quarter of what is free at the start";
  flags->Add(std::move(memory));
  flags->Add(NumberFlag("grpc-threads", &grpc->threads,
                        "Strata's own: threads that serve calls; by default "
                        "one for every two processors."));
  flags->Add(DurationFlag(
      "idle-poll-time", &grpc->idle_poll_time, "0s",
      "Strata's own: for so long after a call, two processors poll rather than "
      "sleep (0: never), which takes their idle time and makes a single "
      "client's calls quicker."));
}

void AddMemberFlags(StratadOptions* options, FlagSet* flags) {
  NodeOptions* const node = &options->node;
  flags->Group("Member");
  flags->Add(TextFlag("name", &node->name, "Human-readable name."));
  Flag data_dir = TextFlag("data-dir", &node->data_dir,
                           "Directory of the data; made if missing.");
  data_dir.shown_default = "${name}.etcd";
  flags->Add(std::move(data_dir));
  flags->Add(TextFlag("wal-dir", &node->wal_dir,
                      "Directory of the log, if it is to be elsewhere."));
  flags->Add(NumberFlag("snapshot-count", &node->snapshot_count,
                        "Log entries between raft snapshots (0: as many as if "
                        "not given)."));
  flags->Add(NumberFlag("snapshot-bytes", &node->snapshot_bytes,
                        "Strata's own: bytes of the log between raft "
                        "snapshots, at most (0: any number)."));
  for (const char* flag :
       {"experimental-snapshot-catch-up-entries",
        "experimental-snapshot-catchup-entries", "snapshot-catchup-entries"}) {
    flags->Add(NumberFlag(flag, &node->snapshot_catch_up_entries,
                          "Log entries kept behind a raft snapshot, for "
                          "followers that are slow."));
  }
  flags->Add(UrlsFlag("listen-client-urls", &options->listen_client_urls,
                      "Comma-separated URLs to serve clients on: gRPC and, "
                      "unless the next flag is given, HTTP."));
  flags->Add(UrlsFlag("listen-client-http-urls",
                      &options->listen_client_http_urls,
                      "URLs for HTTP alone, which the client URLs then do not "
                      "serve."));
  flags->Add(UrlsFlag("listen-metrics-urls", &options->listen_metrics_urls,
                      "URLs for /metrics and /health alone, besides."));
  flags->Add(NumberFlag("max-snapshots", &node->max_snapshots,
                        "Snapshot files kept (0 is all)."));
  flags->Add(
      NumberFlag("max-wals", &node->max_wals, "Log files kept (0 is all)."));
  flags->Add(NumberFlag("max-txn-ops", &options->kv.max_txn_ops,
                        "Operations in a transaction, at most."));
  for (const char* flag : {"experimental-watch-progress-notify-interval",
                           "watch-progress-notify-interval"}) {
    flags->Add(DurationFlag(flag, &node->watch_progress_interval, "10m",
                            "Between progress notices to watchers."));
  }
  flags->Add(SwitchFlag("socket-reuse-port", &options->reuse_port,
                        "Let other processes listen on our ports too."));
  flags->Add({.name = "feature-gates",
              .shown_default = "",
              .help = "NAME=true or false, ...: of etcd's, "
                      "InitialCorruptCheck, CompactHashCheck, LeaseCheckpoint "
                      "and LeaseCheckpointPersist; its others are taken "
                      "without effect.",
              .set = [options](const std::string& value) {
                return TakeFeatureGates(value, options);
              }});
  flags->Add(SwitchFlag("memory-mlock", &node->btree.mlock,
                        "Keep the backend's pages in memory."));
  flags->Add(SwitchFlag("experimental-memory-mlock", &node->btree.mlock,
                        "etcd 3.5's name of --memory-mlock."));
}

// A number of which only some are taken.
Flag CheckedFlag(std::string name, std::string shown, std::string help,
                 std::function<Status(uint64_t)> take) {
  auto set = [take = std::move(take)](const std::string& value) {
    uint64_t parsed = 0;
    RETURN_IF_ERROR(NumberFlag("", &parsed, "").set(value));
    return take(parsed);
  };
  return {.name = std::move(name),
          .shown_default = std::move(shown),
          .help = std::move(help),
          .set = std::move(set)};
}

Status TakePageSize(uint64_t bytes, BtreeOptions* btree) {
  if (bytes != 0 && (!std::has_single_bit(bytes) || bytes < kMinPageBytes ||
                     bytes > kMaxPageBytes)) {
    return InvalidArgumentError("not 0 or a power of two from 1024 to 65536");
  }
  btree->page_size = static_cast<uint32_t>(bytes);
  return Status::Ok();
}

Status TakeFillPercent(uint64_t percent, BtreeOptions* btree) {
  if (percent < 10 || percent > 100) {
    return InvalidArgumentError("not from 10 to 100");
  }
  btree->fill_fraction = static_cast<double>(percent) / 100;
  return Status::Ok();
}

Status TakeShrinkPercent(uint64_t percent, ShrinkOptions* shrink) {
  if (percent > 100) return InvalidArgumentError("not from 0 to 100");
  shrink->free_fraction = percent == 0 ? 1 : static_cast<double>(percent) / 100;
  return Status::Ok();
}

// The file of --backend=btree.
void AddBtreeFlags(NodeOptions* node, FlagSet* flags) {
  BtreeOptions* const btree = &node->btree;
  flags->Add(SwitchFlag("backend-freelist-sync", &btree->freelist_sync,
                        "Strata's own: store the list of free pages in each "
                        "commit, for a start that need not look for them."));
  flags->Add(CheckedFlag(
      "backend-page-size", "0",
      "Strata's own: bytes of a page of a new file; 0 is the system's.",
      [btree](uint64_t bytes) { return TakePageSize(bytes, btree); }));
  flags->Add(CheckedFlag(
      "backend-fill-percent", "100",
      "Strata's own: how full the pages of a split are, 10 to 100.",
      [btree](uint64_t percent) { return TakeFillPercent(percent, btree); }));
  flags->Add(NumberFlag("backend-initial-mmap-size", &btree->initial_mmap_bytes,
                        "Strata's own: address space reserved for the file to "
                        "grow into; takes no memory."));
  auto populate = [btree](MmapPopulate value) {
    return [btree, value] { btree->mmap_populate = value; };
  };
  flags->Add(ChoiceFlag("backend-mmap-populate", "off",
                        {{"off", populate(MmapPopulate::kOff)},
                         {"on", populate(MmapPopulate::kOn)},
                         {"auto", populate(MmapPopulate::kAuto)}},
                        "Strata's own: read the file in at start: on, off, or "
                        "auto, if it is at most half of the free memory."));
  ShrinkOptions* const shrink = &node->shrink;
  flags->Add(CheckedFlag(
      "backend-auto-shrink-percent", "30",
      "Strata's own: make the file shorter when so much of it is free (0: "
      "only when asked to, by Defragment).",
      [shrink](uint64_t percent) {
        return TakeShrinkPercent(percent, shrink);
      }));
  flags->Add(NumberFlag("backend-auto-shrink-bytes", &shrink->free_bytes,
                        "Strata's own: and at least so many bytes."));
}

void AddBackendFlags(StratadOptions* options, FlagSet* flags) {
  NodeOptions* const node = &options->node;
  flags->Group("Backend");
  flags->Add(DurationFlag("backend-batch-interval", &node->batch_interval,
                          "100ms",
                          "Changes are written to the backend after this."));
  flags->Add(NumberFlag("backend-batch-limit", &node->batch_changes,
                        "Changes are written to the backend after so many."));
  flags->Add(NumberFlag("quota-backend-bytes", &node->quota_backend_bytes,
                        "Live data above this raise the NOSPACE alarm (0: 2 "
                        "GiB, negative: no limit)."));
  flags->Add(TextFlag("auto-compaction-mode", &options->compaction_mode,
                      "periodic or revision: what auto-compaction-retention "
                      "counts."));
  flags->Add(TextFlag("auto-compaction-retention",
                      &options->compaction_retention,
                      "History kept without being asked: hours or a duration "
                      "(8, 90m), or a number of revisions; 0 keeps all."));
  const auto freelist = [node](FreelistType type) {
    return [node, type] { node->btree.freelist_type = type; };
  };
  for (const char* flag : {"experimental-backend-bbolt-freelist-type",
                           "backend-bbolt-freelist-type"}) {
    flags->Add(ChoiceFlag(flag, "map",
                          {{"map", freelist(FreelistType::kMap)},
                           {"array", freelist(FreelistType::kArray)}},
                          "How free pages are kept in memory: map or array."));
  }
  for (const char* flag : {"experimental-bootstrap-defrag-threshold-megabytes",
                           "bootstrap-defrag-threshold-megabytes"}) {
    flags->Add(NumberFlag(flag, &options->defrag_at_start_megabytes,
                          "At the start, make the file shorter if so many "
                          "megabytes of it are free (0: do not)."));
  }
  flags->Add(NumberFlag("scrub-bytes-per-second", &node->scrub.bytes_per_second,
                        "Strata's own: how fast the backend's checksums are "
                        "checked in the background; 0: not at all."));
  flags->Add(DurationFlag("scrub-pause", &node->scrub.pause, "24h0m0s",
                          "Strata's own: between two such passes through the "
                          "file."));
  AddBtreeFlags(node, flags);
  flags->Add(ChoiceFlag(
      "backend", "btree",
      {{"btree", [node] { node->backend = BackendKind::kBtree; }},
       {"leveldb", [node] { node->backend = BackendKind::kLevelDb; }},
       {"mem", [node] { node->backend = BackendKind::kMem; }}},
      "Strata's own: btree, a file as etcd's; leveldb, which etcd "
      "cannot read; or mem, nothing but the log on disk."));
}

void AddClusteringFlags(StratadOptions* options, FlagSet* flags) {
  NodeOptions* const node = &options->node;
  flags->Group("Clustering");
  flags->Add(UrlsFlag("initial-advertise-peer-urls",
                      &node->initial_advertise_peer_urls,
                      "Peer URLs of a new member; they make its id."));
  flags->Add(TextFlag("initial-cluster", &node->initial_cluster,
                      "name=url,... of all members at first; without it this "
                      "member alone."));
  flags->Add(TextFlag("initial-cluster-token", &node->initial_cluster_token,
                      "Makes the ids of one new cluster differ from "
                      "another's."));
  flags->Add(
      ChoiceFlag("initial-cluster-state", "new",
                 {{"new", [options] { options->join_existing = false; }},
                  {"existing", [options] { options->join_existing = true; }}},
                 "new; or existing, to join a cluster whose members have been "
                 "told. Of no meaning once there are data."));
  AddBootstrapFlags(&options->bootstrap, flags);
  flags->Add(UrlsFlag("advertise-client-urls", &node->advertise_client_urls,
                      "Client URLs that this member tells others."));
  flags->Add(UrlsFlag("listen-peer-urls", &options->listen_peer_urls,
                      "Comma-separated URLs to serve other members on. Neither "
                      "this nor --initial-cluster: the member stays alone, and "
                      "listens to none."));
  flags->Add(MillisecondsFlag("heartbeat-interval", &node->heartbeat_interval,
                              "Milliseconds between a leader's heartbeats."));
  flags->Add(MillisecondsFlag("election-timeout", &node->election_timeout,
                              "Milliseconds without a leader until a member "
                              "campaigns, and up to twice that."));
  flags->Add(SwitchFlag("initial-election-tick-advance",
                        &node->initial_election_tick_advance,
                        "At a start, hold an election soon if there are enough "
                        "members and no leader."));
  flags->Add(SwitchFlag("pre-vote", &node->pre_vote,
                        "Ask whether an election can be won before holding "
                        "it."));
  flags->Add(SwitchFlag("strict-reconfig-check", &node->strict_reconfig_check,
                        "Refuse changes of members that could cost the "
                        "quorum."));
  flags->Add(NumberFlag("max-learners", &node->max_learners,
                        "Members that are learners, at most; the same on all "
                        "members."));
  for (const char* flag :
       {"experimental-downgrade-check-time", "downgrade-check-time"}) {
    flags->Add(DurationFlag(flag, &node->downgrade_check_period, "5s",
                            "How often the leader looks at the members' "
                            "versions."));
  }
  flags->Add(SwitchFlag("auto-promote-learners", &node->auto_promote_learners,
                        "Strata's own: as the leader, make a learner a voter "
                        "as soon as it has caught up."));
  auto set = [node](const std::string& value) {
    ASSIGN_OR_RETURN(node->level, Level::Parse(value));
    return Status::Ok();
  };
  flags->Add({.name = "etcd-level",
              .shown_default = "3.5",
              .help = "Strata's own: the etcd release whose rules are "
                      "followed, 3.4, 3.5 or 3.6; an existing directory has "
                      "its own.",
              .set = set});
}

void AddSecurityFlags(StratadOptions* options, FlagSet* flags) {
  flags->Group("Security");
  AddTlsFlags("", &options->client_tls, flags);
  AddTlsFlags("peer-", &options->peer_tls, flags);
  AddSharedTlsFlags(&options->tls, flags);
}

// A comma-separated set; "*" or nothing is all there is.
Flag NamesFlag(std::string name, std::set<std::string>* target,
               std::string help) {
  auto set = [target](const std::string& value) {
    target->clear();
    for (std::string& part : SplitCommas(value)) {
      if (!part.empty()) target->insert(std::move(part));
    }
    return Status::Ok();
  };
  return {.name = std::move(name),
          .shown_default = "*",
          .help = std::move(help),
          .set = std::move(set)};
}

void AddHttpFlags(StratadOptions* options, FlagSet* flags) {
  HttpOptions* const http = &options->http;
  flags->Group("HTTP");
  flags->Add(SwitchFlag("enable-grpc-gateway", &http->gateway,
                        "Serve the API in JSON too."));
  flags->Add(NamesFlag("cors", &http->access.origins,
                       "Comma-separated origins whose web pages may ask (* "
                       "or nothing: all)."));
  flags->Add(NamesFlag("host-whitelist", &http->access.hosts,
                       "Comma-separated names that clients without TLS may "
                       "know us by (* or nothing: all)."));
  flags->Group("Monitoring");
  static const auto ignore = [] {};
  flags->Add(ChoiceFlag("metrics", "basic",
                        {{"basic", ignore}, {"extensive", ignore}},
                        "Taken for etcd's sake: all there is is always "
                        "told."));
  for (const char* name :
       {"warning-apply-duration", "experimental-warning-apply-duration"}) {
    flags->Add(DurationFlag(name, &options->node.warning_apply_duration,
                            "100ms",
                            "What takes longer to apply or to read is "
                            "logged (0: nothing is)."));
  }
  for (const char* name : {"warning-unary-request-duration",
                           "experimental-warning-unary-request-duration"}) {
    flags->Add(DurationFlag(name, &options->warning_unary_duration, "300ms",
                            "Calls that take longer are logged (0: none "
                            "is)."));
  }
}

void AddSnapshotSendFlags(NodeOptions* node, FlagSet* flags) {
  flags->Add(NumberFlag(
      "snapshot-send-bytes-per-second", &node->snapshot_send.bytes_per_second,
      "Of a snapshot to another member (0: no bound); one that "
      "came too late is followed by one without."));
  flags->Add(SwitchFlag("snapshot-send-compressed",
                        &node->snapshot_send.compress,
                        "Send snapshots in zstd, to members of strata."));
}

void AddCorruptionFlags(StratadOptions* options, FlagSet* flags) {
  CorruptionCheckOptions* const check = &options->node.corruption_check;
  flags->Add(SwitchFlag("experimental-initial-corrupt-check",
                        &options->initial_corrupt_check,
                        "Compare the keys with the other members' before "
                        "anybody is served; if they differ, do not start."));
  for (const char* name :
       {"corrupt-check-time", "experimental-corrupt-check-time"}) {
    flags->Add(DurationFlag(name, &check->period, "0s",
                            "How often the leader compares the keys of all "
                            "members (0: never)."));
  }
  flags->Add(SwitchFlag("experimental-compact-hash-check-enabled",
                        &check->compactions,
                        "The leader compares the keys of all members after "
                        "each compaction."));
  for (const char* name :
       {"compact-hash-check-time", "experimental-compact-hash-check-time"}) {
    flags->Add(DurationFlag(name, &check->compaction_period, "1m0s",
                            "How often it looks for new compactions."));
  }
}

void AddLeaseFlags(StratadOptions* options, FlagSet* flags) {
  flags->Add(SwitchFlag("experimental-enable-lease-checkpoint",
                        &options->node.lease_checkpoints,
                        "The leader tells the others every five minutes what "
                        "is left of leases that last longer, so that they "
                        "end however often it changes."));
  flags->Add(SwitchFlag("experimental-enable-lease-checkpoint-persist",
                        &options->node.persist_lease_checkpoints,
                        "Keep that over restarts too, as from level 3.6 on is "
                        "always done; needs the one above."));
}

Status TakeRotation(const std::string& text, LogRotation* rotation) {
  StatusOr<LogRotation> parsed = ParseLogRotation(text);
  if (!parsed.ok()) return parsed.status();
  *rotation = *parsed;
  return Status::Ok();
}

void AddLoggingFlags(LogOptions* log, FlagSet* flags) {
  const auto level = [log](LogLevel value) {
    return [log, value] { log->level = value; };
  };
  flags->Group("Logging");
  flags->Add(ChoiceFlag("logger", "zap", {{"zap", [] {}}, {"capnslog", [] {}}},
                        "Lines in the shape of zap's, also if capnslog, etcd "
                        "3.4's, is asked for."));
  auto set_outputs = [log](const std::string& value) {
    log->outputs = SplitCommas(value);
    return Status::Ok();
  };
  for (const char* flag : {"log-output", "log-outputs"}) {
    flags->Add({.name = flag,
                .shown_default = "default",
                .help = "Comma-separated: default or stderr (systemd/journal "
                        "is the same), stdout, files.",
                .set = set_outputs});
  }
  // 3.4's way to ask for more.
  auto set_debug = [log](const std::string& value) {
    bool debug = false;
    RETURN_IF_ERROR(SwitchFlag("", &debug, "").set(value));
    if (debug) log->level = LogLevel::kDebug;
    return Status::Ok();
  };
  flags->Add({.name = "debug",
              .shown_default = "false",
              .help = "etcd 3.4's name of --log-level=debug.",
              .set = set_debug,
              .is_switch = true});
  flags->Add(ChoiceFlag("log-level", "info",
                        {{"debug", level(LogLevel::kDebug)},
                         {"info", level(LogLevel::kInfo)},
                         {"warn", level(LogLevel::kWarn)},
                         {"error", level(LogLevel::kError)},
                         {"panic", level(LogLevel::kError)},
                         {"fatal", level(LogLevel::kError)}},
                        "debug, info, warn or error."));
  flags->Add(
      ChoiceFlag("log-format", "json",
                 {{"json", [log] { log->format = LogFormat::kJson; }},
                  {"console", [log] { log->format = LogFormat::kConsole; }}},
                 "json, or console for people."));
  flags->Add(SwitchFlag("enable-log-rotation", &log->rotate,
                        "Begin a new file when the log's only one is full."));
  auto set_rotation = [log](const std::string& value) {
    return TakeRotation(value, &log->rotation);
  };
  flags->Add({.name = "log-rotation-config-json",
              .shown_default =
                  R"({"maxsize": 100, "maxage": 0, "maxbackups": 0, )"
                  R"("localtime": false, "compress": false})",
              .help = "How: maxsize in MB; maxbackups files are kept, 0 is "
                      "1000; no ages, no compression.",
              .set = set_rotation});
}

// As etcd.
constexpr Duration kMinWatchProgressInterval = std::chrono::milliseconds(100);

// As etcd.
constexpr int64_t kElectionTimeoutMaxMs = 50'000;
constexpr int64_t kHeartbeatsPerElection = 5;

Status CheckTimeouts(const NodeOptions& node) {
  using std::chrono::milliseconds;
  const auto in_ms = [](Duration duration) {
    return std::chrono::duration_cast<milliseconds>(duration).count();
  };
  const int64_t heartbeat = in_ms(node.heartbeat_interval);
  const int64_t election = in_ms(node.election_timeout);
  const auto text = [](int64_t ms) { return std::to_string(ms) + "ms"; };
  if (heartbeat == 0) {
    return InvalidArgumentError("--heartbeat-interval must be >0 (set to 0ms)");
  }
  if (election == 0) {
    return InvalidArgumentError("--election-timeout must be >0 (set to 0ms)");
  }
  if (kHeartbeatsPerElection * heartbeat > election) {
    return InvalidArgumentError(
        "--election-timeout[" + text(election) +
        "] should be at least as 5 times as --heartbeat-interval[" +
        text(heartbeat) + "]");
  }
  if (election > kElectionTimeoutMaxMs) {
    return InvalidArgumentError(
        "--election-timeout[" + text(election) +
        "] is too long, and should be set less than 50000ms");
  }
  return Status::Ok();
}

// What makes a member one that may have others.
Status CompleteCluster(const FlagSet& flags, StratadOptions* options) {
  NodeOptions* const node = &options->node;
  RETURN_IF_ERROR(CheckTimeouts(*node));
  // As etcd's, in whole ticks and then in whole seconds.
  const int64_t ticks = node->election_timeout / node->heartbeat_interval;
  node->min_lease_ttl_seconds = std::chrono::ceil<std::chrono::seconds>(
                                    3 * ticks / 2 * node->heartbeat_interval)
                                    .count();
  options->serve_peers = flags.Given("listen-peer-urls") ||
                         flags.Given("initial-cluster") ||
                         options->bootstrap.any() || options->join_existing;
  RETURN_IF_ERROR(
      CheckBootstrap(options->bootstrap, flags.Given("initial-cluster")));
  if (flags.Given("listen-peer-urls") &&
      !flags.Given("initial-advertise-peer-urls") &&
      !flags.Given("initial-cluster")) {
    node->initial_advertise_peer_urls = options->listen_peer_urls;
  }
  ASSIGN_OR_RETURN(options->peer_urls,
                   ParseListenUrls(options->listen_peer_urls));
  RETURN_IF_ERROR(CompleteTls(options->tls, &options->peer_tls));
  if (!options->serve_peers) return Status::Ok();
  for (const ListenUrl& url : options->peer_urls) {
    RETURN_IF_ERROR(CheckTlsFor(url, options->peer_tls, &options->warnings));
  }
  return Status::Ok();
}

Status CompleteClientTls(StratadOptions* options) {
  RETURN_IF_ERROR(CompleteTls(options->tls, &options->client_tls));
  for (const auto* urls : {&options->client_urls, &options->client_http_urls,
                           &options->metrics_urls}) {
    for (const ListenUrl& url : *urls) {
      RETURN_IF_ERROR(
          CheckTlsFor(url, options->client_tls, &options->warnings));
    }
  }
  return Status::Ok();
}

// What can be known only when all flags are.
Status Complete(const FlagSet& flags, StratadOptions* options) {
  NodeOptions* const node = &options->node;
  if (options->grpc.threads < 1) {
    return InvalidArgumentError("--grpc-threads must be at least 1");
  }
  if (node->data_dir.empty()) node->data_dir = node->name + ".etcd";
  node->max_request_bytes = options->grpc.max_request_bytes;
  if (node->downgrade_check_period <= Duration::zero()) {
    return InvalidArgumentError("--downgrade-check-time must be >0");
  }
  if (node->persist_lease_checkpoints && !node->lease_checkpoints) {
    return InvalidArgumentError(
        "setting experimental-enable-lease-checkpoint-persist requires "
        "experimental-enable-lease-checkpoint");
  }
  RETURN_IF_ERROR(CheckLogRotation(options->log));
  if (node->watch_progress_interval < kMinWatchProgressInterval) {
    node->watch_progress_interval = kMinWatchProgressInterval;
    options->warnings.push_back(
        "adjusting watch progress notify interval to minimum period");
  }
  // As in etcd, 0 is the default.
  if (node->batch_interval == Duration::zero()) {
    node->batch_interval = NodeOptions().batch_interval;
  }
  if (node->batch_changes == 0) {
    node->batch_changes = NodeOptions().batch_changes;
  }
  if (flags.Given("listen-client-urls") &&
      !flags.Given("advertise-client-urls")) {
    return InvalidArgumentError(
        "--advertise-client-urls is required when --listen-client-urls is set "
        "explicitly. See 'stratad --help'.");
  }
  ASSIGN_OR_RETURN(
      node->auto_compaction,
      ParseCompaction(options->compaction_mode, options->compaction_retention));
  ASSIGN_OR_RETURN(options->client_urls,
                   ParseListenUrls(options->listen_client_urls));
  ASSIGN_OR_RETURN(options->client_http_urls,
                   ParseListenUrls(options->listen_client_http_urls));
  ASSIGN_OR_RETURN(options->metrics_urls,
                   ParseListenUrls(options->listen_metrics_urls));
  RETURN_IF_ERROR(CompleteClientTls(options));
  RETURN_IF_ERROR(CompleteCluster(flags, options));
  return Status::Ok();
}

CommandLine Print(std::string output) {
  return {.serve = false,
          .options = {},
          .exit_code = 0,
          .output = std::move(output),
          .error = ""};
}

CommandLine Refuse(const FlagError& error) {
  return {.serve = false,
          .options = {},
          .exit_code = error.exit_code,
          .output = "",
          .error = error.text + "\n"};
}

// The options with their defaults, and the flags that set them.
struct Flags {
  explicit Flags(StratadOptions* options);
  FlagSet set;
  bool no_fsync = false;
  std::string config_file;
};

Flags::Flags(StratadOptions* options) {
  *options = StratadOptions();
  options->listen_client_urls = {"http://localhost:2379"};
  options->listen_peer_urls = {"http://localhost:2380"};
  options->grpc.threads =
      static_cast<int>(std::max(1U, std::thread::hardware_concurrency() / 2));
  options->grpc.memory_bytes = AvailableMemoryBytes() / 4;
  options->node.scrub.bytes_per_second = kScrubBytesPerSecond;
  options->node.advertise_client_urls = {"http://localhost:2379"};
  options->node.initial_advertise_peer_urls = {"http://localhost:2380"};
  AddMemberFlags(options, &set);
  AddGrpcFlags(&options->grpc, &set);
  AddBackendFlags(options, &set);
  AddClusteringFlags(options, &set);
  AddSecurityFlags(options, &set);
  AddHttpFlags(options, &set);
  AddLeaseFlags(options, &set);
  AddCorruptionFlags(options, &set);
  AddSnapshotSendFlags(&options->node, &set);
  AddLoggingFlags(&options->log, &set);
  AddIdleFlags(&options->warnings, &set);
  set.Group("Configuration file");
  set.Add(TextFlag("config-file", &config_file,
                   "YAML or JSON with etcd's keys; all other flags and "
                   "variables are then ignored."));
  set.Group("Unsafe feature");
  set.Add(SwitchFlag("force-new-cluster", &options->node.force_new_cluster,
                     "Make a cluster of this member alone from its data, when "
                     "the others are lost for good: they are removed, and what "
                     "may not have been agreed on is cut off."));
  set.Add(SwitchFlag("unsafe-no-fsync", &no_fsync,
                     "Do not sync: a power loss loses data."));
}

// The flags of a configuration file, in place of all others.
FlagError TakeConfigFile(const std::string& path, StratadOptions* options,
                         Flags* flags) {
  const StatusOr<FlagValues> values = ReadConfigFile(path);
  if (!values.ok()) {
    return {1, "error verifying flags, " + values.status().message() +
                   ". See 'stratad --help'."};
  }
  FlagError error = flags->set.ParseConfig(*values);
  if (error.exit_code != 0) error.text = path + ": " + error.text;
  options->warnings.push_back("read the configuration from " + path +
                              "; other flags and variables are ignored");
  return error;
}

CommandLine Finish(const Flags& flags, CommandLine* result) {
  StratadOptions* const options = &result->options;
  options->node.fsync = !flags.no_fsync;
  if (Status status = Complete(flags.set, options); !status.ok()) {
    return Refuse({1, status.message()});
  }
  result->serve = true;
  return std::move(*result);
}

}  // namespace

CommandLine ParseCommandLine(const std::vector<std::string>& arguments,
                             const std::map<std::string, std::string>& env) {
  CommandLine result;
  StratadOptions* const options = &result.options;
  Flags given(options);
  for (const std::string& argument : arguments) {
    if (argument == "-h" || argument == "-help" || argument == "--help") {
      return Print(std::string(kIntroduction) + given.set.Help());
    }
    if (argument == "-version" || argument == "--version") {
      return Print(std::string(kVersionText));
    }
  }
  FlagError error = given.set.ParseArguments(arguments);
  if (error.exit_code == 0) {
    error = given.set.ParseEnvironment(env, &options->warnings);
  }
  if (error.exit_code != 0) return Refuse(error);
  if (given.config_file.empty()) {
    options->command_line = arguments;
    return Finish(given, &result);
  }
  Flags filed(options);
  error = TakeConfigFile(given.config_file, options, &filed);
  if (error.exit_code != 0) return Refuse(error);
  options->command_line = arguments;
  return Finish(filed, &result);
}

}  // namespace strata
