#ifndef STRATA_CMD_UTL_LOG_CHECK_H_
#define STRATA_CMD_UTL_LOG_CHECK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cmd/utl/context.h"
#include "wal/wal.h"

namespace strata::utl {

// What a check of a log found.
struct LogReport {
  std::vector<Status> faults;
  std::string metadata;   // of the first record
  uint64_t segments = 0;  // those that a start would read, and older ones
  uint64_t records = 0;
  LogIndex first_index;  // of the entries that are there; 0: none
  LogIndex last_index;   // also of a snapshot beyond them
  raft::HardState hard_state;
  std::vector<WalSnapshot> snapshots;
  std::vector<raft::Entry> entries;  // after the oldest snapshot
  std::string torn;                  // what a start would cut; empty: nothing

  bool whole() const { return faults.empty(); }
};

// Reads a log as a start would, and all of it: frames, sums, order, meaning,
// tail. `applied` is what the db file has; a log that ends before it is
// damaged. Not OK if the log is missing, in use or cannot be read.
StatusOr<LogReport> CheckLog(const Context& context,
                             const std::string& directory, LogIndex applied);

}  // namespace strata::utl

#endif  // STRATA_CMD_UTL_LOG_CHECK_H_
