#ifndef STRATA_CMD_UTL_ADVICE_H_
#define STRATA_CMD_UTL_ADVICE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/types.h"
#include "snapshot/snap_file.h"

namespace strata::utl {

// What one meta page of a db file names.
struct StateFacts {
  std::string meta_fault = {};  // empty: the meta is sound
  uint64_t transaction = 0;
  uint64_t faults = 0;           // in its tree
  std::string first_fault = {};  // with file and offset
  uint64_t records = 0;          // that can be read
  Revision revision = {};
  LogIndex applied = {};  // the last log entry in it

  bool whole() const { return meta_fault.empty() && faults == 0; }
};

struct DbFacts {
  std::string path = {};
  bool exists = false;
  std::vector<std::string> file_faults = {};  // of the metas and the length
  StateFacts states[2] = {};
  int newest = -1;  // the newer of the sound metas

  bool whole() const {
    return exists && file_faults.empty() && newest >= 0 &&
           states[newest].whole();
  }
};

struct LogFacts {
  std::string directory = {};
  bool exists = false;
  std::vector<std::string> faults = {};
  LogIndex first_index = {};
  LogIndex last_index = {};
  std::string torn = {};

  bool whole() const { return exists && faults.empty(); }
  // Whether it has all that comes after `applied`.
  bool GoesOnFrom(LogIndex applied) const {
    return whole() && first_index != LogIndex() && first_index <= applied + 1 &&
           last_index >= applied;
  }
};

// A file that a snapshot was saved to.
struct BackupFacts {
  std::string path = {};
  std::string fault = {};  // empty: whole
  uint64_t revision = 0;
};

struct Facts {
  DbFacts db = {};
  LogFacts log = {};  // nothing of it without a data directory
  bool has_data_dir = false;
  std::vector<std::string> snap_files = {};  // that are whole
  std::vector<std::string> bad_snap_files = {};
  MemberId self = {};
  std::vector<MemberRecord> others = {};
  std::vector<BackupFacts> backups = {};

  bool whole() const { return db.whole() && (!has_data_dir || log.whole()); }
};

// One way out, without changing a byte of what is damaged.
struct Advice {
  std::string action = {};  // what to do, in one line
  std::string why = {};     // why it works, and on what it rests
  std::string loses = {};   // what is gone after it; "nothing"
};

// All that can be done, that which loses least first; empty if nothing is
// damaged. A pure function of the facts.
std::vector<Advice> Advise(const Facts& facts);

}  // namespace strata::utl

#endif  // STRATA_CMD_UTL_ADVICE_H_
