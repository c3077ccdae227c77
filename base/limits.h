#ifndef STRATA_BASE_LIMITS_H_
#define STRATA_BASE_LIMITS_H_

#include <cstddef>
#include <cstdint>

// Every bound of the system in one place. Where etcd has a limit, its default
// is ours; each line says which flag moves it.
namespace strata::limits {

// A client's request, without gRPC's own 512 KiB. --max-request-bytes
inline constexpr uint64_t kMaxRequestBytes = 1536 * 1024;
inline constexpr uint64_t kGrpcOverheadBytes = 512 * 1024;
// Operations in one transaction; nested ones share what is left. --max-txn-ops
inline constexpr uint64_t kMaxTxnOps = 128;

// Single calls that one poller of the gRPC server has taken and not answered;
// with more it does not read, and they wait with their clients.
inline constexpr uint64_t kMaxCallsPerPoller = 16384;
// What waits to be sent on one stream before its handler is asked to wait.
inline constexpr uint64_t kStreamQueueBytes = 64 << 10;
inline constexpr uint64_t kStreamQueueMessages = 64;
// Watchers of one member.
inline constexpr uint64_t kMaxWatchers = 10'000'000;
// Events that wait for watchers, together; who is later reads the store.
inline constexpr uint64_t kWatchWindowEvents = 65536;
inline constexpr uint64_t kWatchWindowBytes = 16 << 20;
// Events that wait for one watcher, beside those of a last whole revision.
inline constexpr uint64_t kWatchPendingEvents = 256;
// Watchers of one stream that are behind and fed at once.
inline constexpr uint64_t kWatchersPerStep = 512;
// A response with events is closed when it reaches this, at the end of a
// revision: what is kept for a client that has stopped reading.
inline constexpr uint64_t kWatchResponseBytes = 64 << 10;
// Responses to the requests of one watch stream that wait for the client; with
// more, nothing is read from it.
inline constexpr uint64_t kWatchControls = 128;
// Proposals waiting for the log; one more is "too many requests".
inline constexpr uint64_t kMaxPendingProposals = 5000;
inline constexpr uint64_t kMaxPendingProposalBytes = 256 << 20;
// One write and fdatasync of the log; a batch is closed when it reaches either.
inline constexpr uint64_t kMaxLogBatchBytes = 4 << 20;
inline constexpr uint64_t kMaxLogBatchEntries = 4096;

// A log segment, as etcd cuts it.
inline constexpr uint64_t kLogSegmentBytes = 64 * 1000 * 1000;
// A log record: an entry can hold one request.
inline constexpr uint64_t kMaxLogRecordBytes = 64 << 20;

// The run of recent changes is frozen at either, or after 100 ms
// (--backend-batch-limit, --backend-batch-interval).
inline constexpr uint64_t kTailChanges = 10000;
inline constexpr uint64_t kTailBytes = 16 << 20;
// With this many bytes not yet in the backend, requests are refused before they
// are proposed.
inline constexpr uint64_t kTailBytesMax = 256 << 20;

// Seconds a lease lasts at least, with etcd's default election timeout of 1 s,
// and at most: 285 years.
inline constexpr int64_t kMinLeaseTtlSeconds = 2;
inline constexpr int64_t kMaxLeaseTtlSeconds = 9'000'000'000;

// Revocations of leases that have ended under way at once.
inline constexpr int kMaxPendingRevokes = 1000;

// Keys a range looks at before it lets go of the index for a moment.
inline constexpr uint64_t kRangeChunkKeys = 1000;
// Revisions that a compaction has in memory at a time, at least: see
// engine/store_compact.cc.
inline constexpr uint64_t kCompactionStage = 256 << 10;

// Applied entries between raft snapshots. --snapshot-count
inline constexpr uint64_t kSnapshotCount = 10000;
// Entries kept in the log behind a snapshot for slow followers.
inline constexpr uint64_t kSnapshotCatchUpEntries = 5000;
// Log files and snapshots kept. --max-wals, --max-snapshots
inline constexpr uint64_t kMaxWals = 5;
inline constexpr uint64_t kMaxSnapshots = 5;

// One append to a peer, and what may be on its way to it unanswered.
inline constexpr uint64_t kMaxAppendBytes = 1 << 20;
inline constexpr uint64_t kMaxInflightAppends = 512;
inline constexpr uint64_t kMaxInflightAppendBytes = 64 << 20;
// A leader's entries that are not yet committed; one more is refused.
inline constexpr uint64_t kMaxUncommittedBytes = 256 << 20;
// Committed entries handed out and not yet applied.
inline constexpr uint64_t kMaxApplyingBytes = 16 << 20;
// Durable entries that raft keeps in memory for followers that keep up.
inline constexpr uint64_t kRaftCacheBytes = 16 << 20;
// Linearizable reads that wait for a round of heartbeats, and such rounds.
inline constexpr uint64_t kMaxPendingReads = 65536;
inline constexpr uint64_t kMaxReadRounds = 8;

static_assert(kMaxRequestBytes < kMaxLogBatchBytes);
static_assert(kMaxAppendBytes <= kMaxInflightAppendBytes);
static_assert(kMaxInflightAppendBytes <= kMaxUncommittedBytes);
static_assert(kMaxLogBatchBytes < kLogSegmentBytes);
static_assert(kTailBytes < kTailBytesMax);
static_assert(kSnapshotCatchUpEntries <= kSnapshotCount);

}  // namespace strata::limits

#endif  // STRATA_BASE_LIMITS_H_
