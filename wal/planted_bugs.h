#ifndef STRATA_WAL_PLANTED_BUGS_H_
#define STRATA_WAL_PLANTED_BUGS_H_

namespace strata {

// Mistakes that the log can be told to make, so that a test can show that the
// crash test finds them. For tests only.
struct PlantedBugs {
  bool skip_file_sync = false;          // a batch is written, not synced
  bool skip_rotation_dir_sync = false;  // nor is the new segment's name
  bool sync_late = false;       // acknowledged first, synced by the next
  bool keep_torn_tail = false;  // what is torn is not zeroed
  bool restart_crc = false;     // each segment's sum starts at 0
};

}  // namespace strata

#endif  // STRATA_WAL_PLANTED_BUGS_H_
