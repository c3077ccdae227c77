#ifndef STRATA_SERVER_LOG_WRITER_H_
#define STRATA_SERVER_LOG_WRITER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/logger.h"
#include "base/loop.h"
#include "base/status.h"
#include "raft/options.h"
#include "server/node_stats.h"
#include "server/planted_bugs.h"
#include "snapshot/snap_file.h"
#include "wal/wal.h"

namespace strata {

// What one output of raft has for the disk.
struct LogBatch {
  LogBatch() = default;
  // Takes what is to be persisted; the entries stay where they are.
  explicit LogBatch(const raft::Output& output);

  struct Record {
    LogIndex index = {};
    Term term = {};
    size_t end = 0;  // of its bytes
  };

  raft::OutputSequence sequence = {};
  bool must_sync = false;
  std::optional<RaftSnapshot> snapshot = {};
  std::optional<raft::HardState> hard_state = {};
  std::vector<Record> records = {};
  std::string bytes = {};  // the entries, encoded
};

// Makes raft's outputs durable, on a loop of its own, so that no tick and no
// heartbeat ever waits for the disk. While one write and sync is under way the
// next outputs gather: they share one. A commit index alone wakes nobody: it
// goes with the next write.
//
// A full disk is not the end: what did not fit is tried again until it does,
// and waiting() tells that it takes long. Any other failure is the end.
//
// Must be stopped, or its loops have ended, before it is destroyed.
class LogWriter {
 public:
  struct Options {
    Env* env = nullptr;
    Loop* log = nullptr;   // where it writes
    Loop* node = nullptr;  // where it calls back
    Logger* logger = nullptr;
    NodeCounters* counters = nullptr;
    std::string snap_directory = {};
    // Of the log that is there.
    LogIndex last_index = {};
    raft::HardState hard_state = {};
    // A snapshot's record names the members.
    bool conf_state_in_log = true;
    // Everything of the outputs up to this one is durable. Called on `log`.
    std::function<void(raft::OutputSequence)> persisted = nullptr;
    // Called on `node`.
    std::function<void(const Status&)> failed = nullptr;
    ServerBugs bugs = {};  // for tests
  };

  LogWriter(std::unique_ptr<Wal> wal, Options options);

  // The node's loop.
  void Write(LogBatch batch);
  // Records that a `.snap` file covers the log, once all that was given before
  // is durable, and lets go of old segments. `done` is called on the node's
  // loop.
  void SnapshotTaken(const WalSnapshot& snapshot, LogIndex release,
                     uint64_t keep, std::function<void(Status)> done);
  // For how long the oldest of what is not yet durable has waited.
  Duration Waiting() const;

  // Writes what it has and ends. Blocks; not on one of the two loops.
  Status Stop();

 private:
  void Gather(LogBatch batch);  // REQUIRES: mutex_
  void Run();
  Status WriteAll();
  void Append(const LogBatch& batch);
  void AppendState(LogIndex end);
  Status SaveSnapshot(const RaftSnapshot& snapshot);
  void TryAgain(const Status& status);
  void Fail(const Status& status);

  const Options options_;

  // Bound to options_.log.
  std::unique_ptr<Wal> wal_;
  std::vector<LogBatch> writing_;  // until it is durable
  LogIndex written_index_;         // the log's end after the last write
  raft::HardState written_state_;
  LogIndex last_index_;    // and with what was appended since
  raft::HardState state_;  // the newest
  Status failed_;
  bool retrying_ = false;

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::vector<LogBatch> queue_;
  bool posted_ = false;
  std::optional<Time> waiting_since_;
};

}  // namespace strata

#endif  // STRATA_SERVER_LOG_WRITER_H_
