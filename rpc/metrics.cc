#include "rpc/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <chrono>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/process_stats.h"
#include "base/status.h"
#include "rpc/proto/rpc.pb.h"

namespace strata {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

// The families as they are written down, one after another.
class Families {
 public:
  template <typename Number>
  void Counter(const char* name, const char* help, Number value) {
    Family(name, help, MetricType::Counter);
    Sample(static_cast<double>(value));
  }
  template <typename Number>
  void Gauge(const char* name, const char* help, Number value) {
    Family(name, help, MetricType::Gauge);
    Sample(static_cast<double>(value));
  }
  // 1 for what the label says.
  void Fact(const char* name, const char* help, const char* label,
            std::string value) {
    Family(name, help, MetricType::Gauge);
    Sample(1, {{label, std::move(value)}});
  }
  void Histogram(const char* name, const char* help,
                 const HistogramValue& value) {
    Family(name, help, MetricType::Histogram);
    AddHistogram(value, {});
  }

  // Begins one with labels; its samples follow.
  void Family(const char* name, const char* help, MetricType type) {
    families_.push_back(
        {.name = name, .help = help, .type = type, .metric = {}});
  }
  void Sample(double value, Labels labels = {}) {
    ClientMetric metric;
    metric.label = std::move(labels);
    metric.counter.value = value;
    metric.gauge.value = value;
    families_.back().metric.push_back(std::move(metric));
  }
  void AddHistogram(const HistogramValue& value, Labels labels);

  std::string Text() const {
    return prometheus::TextSerializer().Serialize(families_);
  }

 private:
  std::vector<MetricFamily> families_;
};

void Families::AddHistogram(const HistogramValue& value, Labels labels) {
  ClientMetric metric;
  metric.label = std::move(labels);
  uint64_t count = 0;
  for (size_t place = 0; place < value.counts.size(); ++place) {
    count += value.counts[place];
    metric.histogram.bucket.push_back(
        {.cumulative_count = count,
         .upper_bound = place < value.bounds.size()
                            ? value.bounds[place]
                            : std::numeric_limits<double>::infinity()});
  }
  metric.histogram.sample_count = count;
  metric.histogram.sample_sum = value.sum;
  families_.back().metric.push_back(std::move(metric));
}

void AddMember(Node* node, Families* out) {
  const ReplicatorStatus raft = node->replication();
  const Membership membership = node->membership();
  const auto self = membership.members.find(node->member_id());
  const std::string& version = membership.cluster_version;
  out->Fact("etcd_cluster_version",
            "The cluster's version, major and minor, is the label.",
            "cluster_version", version.substr(0, version.rfind('.')));
  out->Fact("etcd_server_version", "The server's version is the label.",
            "server_version", node->level().ClusterVersion());
  out->Fact("etcd_server_id", "The member's id, in hexadecimal, is the label.",
            "server_id", HexId(node->member_id().value()));
  const bool led = raft.leader != MemberId(0);
  out->Gauge("etcd_server_has_leader", "Whether there is a leader.", led);
  out->Gauge("etcd_server_is_leader", "Whether this member leads.",
             raft.leader == node->member_id());
  out->Gauge("etcd_server_is_learner", "Whether this member is a learner.",
             self != membership.members.end() && self->second.is_learner);
  out->Counter("etcd_server_leader_changes_seen_total",
               "Changes of the leader that this member saw.",
               node->stats().leader_changes);
  out->Gauge("etcd_server_proposals_committed_total",
             "Index of the last entry that was decided.",
             raft.committed.value());
  out->Gauge("etcd_server_proposals_applied_total",
             "Index of the last entry that was applied.",
             node->store()->applied().value());
  out->Family("etcd_debugging_server_alarms", "Alarms that are raised.",
              MetricType::Gauge);
  for (const AlarmRecord& alarm : node->alarms()) {
    const auto type = static_cast<etcdserverpb::AlarmType>(alarm.type);
    out->Sample(1, {{"alarm_type", etcdserverpb::AlarmType_Name(type)},
                    {"server_id", HexId(alarm.member.value())}});
  }
}

void AddRequests(const NodeStats& stats, Families* out) {
  out->Gauge("etcd_server_proposals_pending", "Proposals not yet answered.",
             stats.proposals_pending);
  out->Counter("etcd_server_proposals_failed_total",
               "Proposals that the log refused.", stats.proposals_failed);
  out->Counter("etcd_server_slow_apply_total",
               "Requests that took longer than --warning-apply-duration.",
               stats.slow_applies);
  out->Gauge("etcd_server_quota_backend_bytes", "--quota-backend-bytes.",
             stats.quota_bytes);
  out->Counter("etcd_debugging_lease_granted_total", "Leases granted.",
               stats.leases_granted);
  out->Counter("etcd_debugging_lease_revoked_total", "Leases revoked.",
               stats.leases_revoked);
  out->Counter("etcd_debugging_lease_renewed_total", "Leases kept alive.",
               stats.leases_renewed);
  out->Counter("etcd_debugging_server_lease_expired_total", "Leases expired.",
               stats.leases_expired);
  out->Histogram("etcd_debugging_lease_ttl_total",
                 "Leases by their time to live, in seconds.", stats.lease_ttl);
}

void AddKeys(const StoreStats& store, Node* node, Families* out) {
  const std::pair<const char*, uint64_t> counts[] = {
      {"range_total", store.ranges},
      {"put_total", store.puts},
      {"delete_total", store.deletes},
      {"txn_total", store.txns}};
  for (const auto& [name, value] : counts) {
    for (const std::string prefix : {"etcd_mvcc_", "etcd_debugging_mvcc_"}) {
      out->Counter((prefix + name).c_str(),
                   "Requests of this kind; a txn has more than one operation.",
                   value);
    }
  }
  out->Gauge("etcd_debugging_mvcc_total_put_size_in_bytes",
             "Bytes of the keys and values put.", store.put_bytes);
  out->Gauge("etcd_debugging_mvcc_keys_total", "Keys in the index.",
             store.keys);
  out->Gauge("etcd_debugging_mvcc_current_revision", "The store's revision.",
             node->store()->revision().value());
  out->Gauge("etcd_debugging_mvcc_compact_revision",
             "The revision of the last compaction.",
             node->store()->compact_revision().value());
  out->Counter("etcd_debugging_mvcc_db_compaction_keys_total",
               "Changes that compactions removed.", store.removed_changes);
  out->Gauge("etcd_debugging_mvcc_db_compaction_last",
             "When the last compaction was through, in seconds since 1970.",
             store.last_compaction_wall / 1'000'000'000);
  out->Histogram(
      "etcd_debugging_mvcc_db_compaction_total_duration_milliseconds",
      "Compactions, from the first step to the last.", store.compaction_ms);
  out->Histogram(
      "etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds",
      "Steps of compactions in the backend.", store.compaction_pause_ms);
  out->Histogram(
      "etcd_debugging_mvcc_index_compaction_pause_duration_milliseconds",
      "Steps of compactions in the index.", store.compaction_index_pause_ms);
  out->Histogram("etcd_mvcc_hash_duration_seconds", "Maintenance.Hash.",
                 store.hash);
  out->Histogram("etcd_mvcc_hash_rev_duration_seconds", "Maintenance.HashKV.",
                 store.hash_revision);
}

void AddDisk(const NodeStats& stats, Node* node, Families* out) {
  const BackendSizes sizes = node->store()->Sizes();
  out->Histogram("etcd_disk_wal_fsync_duration_seconds",
                 "A batch of entries, written to the log and synced.",
                 stats.log_sync);
  out->Gauge("etcd_disk_wal_write_bytes_total", "Bytes written to the log.",
             stats.log_bytes);
  out->Histogram("etcd_disk_backend_commit_duration_seconds",
                 "A run of changes, written to the backend and synced.",
                 stats.store.commit);
  out->Histogram("etcd_debugging_disk_backend_commit_write_duration_seconds",
                 "Of that, the writing.", stats.store.commit_write);
  out->Histogram("etcd_disk_backend_snapshot_duration_seconds",
                 "Snapshots of the backend, sent to a client or a file.",
                 stats.store.snapshot);
  out->Histogram("etcd_disk_backend_defrag_duration_seconds",
                 "Defragmentations; requests go on meanwhile.",
                 stats.store.shrink);
  out->Gauge("etcd_disk_defrag_inflight", "Whether the file is made shorter.",
             stats.store.shrinking);
  out->Histogram("etcd_debugging_snap_save_total_duration_seconds",
                 "A .snap file, written and synced.", stats.snap_save);
  for (const char* name : {"etcd_mvcc_db_total_size_in_bytes",
                           "etcd_debugging_mvcc_db_total_size_in_bytes"}) {
    out->Gauge(name, "Size of the backend's file.", sizes.file_bytes);
  }
  out->Gauge("etcd_mvcc_db_total_size_in_use_in_bytes",
             "Of the backend's file, what is in use.", sizes.in_use_bytes);
  out->Gauge("etcd_mvcc_db_open_read_transactions",
             "Readers of states that are no longer the newest.",
             stats.store.readers);
}

void AddWatches(const WatchCounters& watches, Families* out) {
  out->Gauge("etcd_debugging_mvcc_watch_stream_total", "Open watch streams.",
             watches.watch_stream_total);
  out->Gauge("etcd_debugging_mvcc_watcher_total", "Watchers.",
             watches.watcher_total);
  out->Gauge("etcd_debugging_mvcc_slow_watcher_total",
             "Watchers that are behind.", watches.slow_watcher_total);
  out->Gauge("etcd_debugging_mvcc_pending_events_total",
             "Events that wait for their clients.",
             watches.pending_events_total);
  out->Counter("etcd_debugging_mvcc_events_total", "Events sent.",
               watches.events_total);
}

Labels LabelsOf(const CallStats& call) {
  return {{"grpc_method", call.method},
          {"grpc_service", call.service},
          {"grpc_type", call.type}};
}

void AddPerMethod(const CallObserver& calls, const char* name, const char* help,
                  std::atomic<uint64_t> CallStats::*count, Families* out) {
  out->Family(name, help, MetricType::Counter);
  for (const auto& call : calls.stats()) {
    out->Sample(static_cast<double>((*call).*count), LabelsOf(*call));
  }
}

void AddCalls(const CallObserver& calls, Families* out) {
  AddPerMethod(calls, "grpc_server_started_total", "Calls begun.",
               &CallStats::started, out);
  AddPerMethod(calls, "grpc_server_msg_received_total", "Messages received.",
               &CallStats::received, out);
  AddPerMethod(calls, "grpc_server_msg_sent_total", "Messages sent.",
               &CallStats::sent, out);
  out->Family("grpc_server_handled_total", "Calls ended, by their outcome.",
              MetricType::Counter);
  for (const auto& call : calls.stats()) {
    for (size_t code = 0; code < CallStats::kCodes; ++code) {
      Labels labels = LabelsOf(*call);
      labels.insert(
          labels.begin(),
          {"grpc_code", std::string(CodeName(static_cast<Code>(code)))});
      out->Sample(static_cast<double>(call->handled[code]), std::move(labels));
    }
  }
  uint64_t received = 0;
  uint64_t sent = 0;
  std::map<std::string, uint64_t> by_type = {{"unary", 0}, {"stream", 0}};
  for (const auto& call : calls.stats()) {
    received += call->received_bytes;
    sent += call->sent_bytes;
    by_type[call->type == "unary" ? "unary" : "stream"] += call->started;
  }
  out->Counter("etcd_network_client_grpc_received_bytes_total",
               "Bytes of the requests of clients.", received);
  out->Counter("etcd_network_client_grpc_sent_bytes_total",
               "Bytes of the answers to clients.", sent);
  // What a client says of its version does not come as far as the methods.
  out->Family("etcd_server_client_requests_total", "Calls by clients.",
              MetricType::Counter);
  for (const auto& [type, count] : by_type) {
    out->Sample(static_cast<double>(count),
                {{"client_api_version", "unknown"}, {"type", type}});
  }
}

using peer::PeerStats;

Labels Of(const char* direction, const PeerStats& peer) {
  return {{direction, HexId(peer.member.value())}};
}

// Bounds as etcd's: 0.1 ms, doubled.
HistogramValue RoundTrips(const PeerStats& peer) {
  static constexpr auto kBounds =
      DoublingBounds<PeerStats::kRoundTripBuckets - 1>(0.0001);
  return {.bounds = kBounds,
          .counts = {peer.round_trips.begin(), peer.round_trips.end()},
          .sum = std::chrono::duration<double>(peer.round_trips_total).count()};
}

void AddPeerCounts(const std::vector<PeerStats>& peers, Families* out) {
  const auto count = [&](const char* name, const char* help,
                         const char* direction, uint64_t PeerStats::*value) {
    out->Family(name, help, MetricType::Counter);
    for (const PeerStats& peer : peers) {
      out->Sample(static_cast<double>(peer.*value), Of(direction, peer));
    }
  };
  count("etcd_network_peer_sent_bytes_total", "Bytes sent to a member.", "To",
        &PeerStats::sent_bytes);
  count("etcd_network_peer_received_bytes_total",
        "Bytes received from a member.", "From", &PeerStats::received_bytes);
  count("etcd_network_peer_sent_failures_total",
        "Messages to a member that were lost.", "To",
        &PeerStats::sent_failures);
  out->Family("etcd_network_peer_round_trip_time_seconds",
              "To a member and back.", MetricType::Histogram);
  for (const PeerStats& peer : peers) {
    out->AddHistogram(RoundTrips(peer), Of("To", peer));
  }
}

// `direction`: of the label, "To" or "From"; `verb` as in the metric's name.
void AddSnapshots(const std::vector<PeerStats>& peers, const char* direction,
                  const std::string& verb,
                  peer::SnapshotStats PeerStats::*snapshots, Families* out) {
  const std::string prefix = "etcd_network_snapshot_" + verb + "_";
  const auto each = [&](const char* name, const char* help, MetricType type,
                        uint64_t peer::SnapshotStats::*value) {
    out->Family((prefix + name).c_str(), help, type);
    for (const PeerStats& peer : peers) {
      out->Sample(static_cast<double>((peer.*snapshots).*value),
                  Of(direction, peer));
    }
  };
  each("success", "Snapshots that got there.", MetricType::Counter,
       &peer::SnapshotStats::succeeded);
  each("failures", "Snapshots that did not.", MetricType::Counter,
       &peer::SnapshotStats::failed);
  each("inflights_total", "Snapshots under way.", MetricType::Gauge,
       &peer::SnapshotStats::under_way);
  out->Family((prefix + "total_duration_seconds").c_str(),
              "How long they took.", MetricType::Histogram);
  for (const PeerStats& peer : peers) {
    out->AddHistogram((peer.*snapshots).took, Of(direction, peer));
  }
}

void AddPeers(const std::vector<PeerStats>& peers, MemberId self,
              Families* out) {
  if (peers.empty()) return;
  const auto both = [&](const PeerStats& peer) {
    return Labels{{"Local", HexId(self.value())},
                  {"Remote", HexId(peer.member.value())}};
  };
  out->Family("etcd_network_known_peers", "Members that are known.",
              MetricType::Gauge);
  for (const PeerStats& peer : peers) out->Sample(1, both(peer));
  out->Family("etcd_network_active_peers", "Members that are reached.",
              MetricType::Gauge);
  for (const PeerStats& peer : peers) out->Sample(peer.active, both(peer));
  out->Family("etcd_network_disconnected_peers_total",
              "Times that a member was not reached any more.",
              MetricType::Counter);
  for (const PeerStats& peer : peers) {
    out->Sample(static_cast<double>(peer.times_lost), both(peer));
  }
  AddPeerCounts(peers, out);
  AddSnapshots(peers, "To", "send", &PeerStats::snapshots_sent, out);
  AddSnapshots(peers, "From", "receive", &PeerStats::snapshots_received, out);
}

void AddHealth(const HealthCounts& health, Families* out) {
  out->Counter("etcd_server_health_success", "Times that /health was well.",
               health.succeeded);
  out->Counter("etcd_server_health_failures", "Times that it was not.",
               health.failed);
  if (health.checks.empty()) return;
  out->Family("etcd_server_healthcheck", "What a check found the last time.",
              MetricType::Gauge);
  for (const auto& [key, check] : health.checks) {
    out->Sample(check.ok, {{"name", key.second}, {"type", key.first}});
  }
  out->Family("etcd_server_healthchecks_total", "Checks, by their outcome.",
              MetricType::Counter);
  for (const auto& [key, check] : health.checks) {
    for (const auto& [status, count] :
         {std::pair{"success", check.succeeded}, {"error", check.failed}}) {
      out->Sample(
          static_cast<double>(count),
          {{"name", key.second}, {"status", status}, {"type", key.first}});
    }
  }
}

void AddProcess(Families* out) {
  const ProcessStats process = ReadProcessStats();
  out->Gauge("os_fd_limit", "Files that may be open.", process.max_open_files);
  out->Gauge("os_fd_used", "Files that are open.", process.open_files);
  out->Gauge("process_max_fds", "Files that may be open.",
             process.max_open_files);
  out->Gauge("process_open_fds", "Files that are open.", process.open_files);
  out->Counter("process_cpu_seconds_total", "Time on the processors.",
               process.cpu_seconds);
  out->Gauge("process_start_time_seconds", "When it was started.",
             process.start_seconds);
  out->Gauge("process_resident_memory_bytes", "Memory that it has.",
             process.resident_bytes);
  out->Gauge("process_virtual_memory_bytes", "Address space that it uses.",
             process.virtual_bytes);
  out->Gauge("process_virtual_memory_max_bytes",
             "Address space that it may use.", process.max_virtual_bytes);
}

void AddOurOwn(const NodeStats& stats, Node* node, Families* out) {
  const ScrubStats scrub = node->store()->scrub_stats();
  out->Gauge("strata_tail_bytes", "Changes that the backend has not yet.",
             node->store()->tail_bytes());
  out->Gauge("strata_flushed_index",
             "Index of the last entry whose changes the backend has.",
             node->store()->flushed().value());
  out->Counter("strata_scrub_passes_total",
               "Times that all checksums were checked.", scrub.passes);
  out->Counter("strata_scrub_bytes_total", "Bytes whose sums were checked.",
               scrub.bytes);
  out->Counter("strata_checksum_failures_total",
               "Places found damaged; one that stays counts in each pass.",
               scrub.faults);
  out->Counter("strata_shrink_written_bytes_total",
               "Bytes moved to make the backend's file shorter.",
               stats.store.shrink_written_bytes);
  out->Gauge("strata_backend_pending_bytes",
             "Free space that readers of old states still pin.",
             node->store()->Sizes().pending_bytes);
}

}  // namespace

std::string MetricsText(const MetricsSources& sources) {
  Families families;
  const NodeStats stats = sources.node->stats();
  AddMember(sources.node, &families);
  AddRequests(stats, &families);
  AddKeys(stats.store, sources.node, &families);
  AddDisk(stats, sources.node, &families);
  AddWatches(sources.node->watch_hub()->counters(), &families);
  if (sources.calls != nullptr) AddCalls(*sources.calls, &families);
  if (sources.health != nullptr) AddHealth(sources.health(), &families);
  if (sources.peers != nullptr) {
    AddPeers(sources.peers(), sources.node->member_id(), &families);
  }
  AddProcess(&families);
  AddOurOwn(stats, sources.node, &families);
  return families.Text();
}

}  // namespace strata
