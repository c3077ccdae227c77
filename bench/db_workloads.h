#ifndef STRATA_BENCH_DB_WORKLOADS_H_
#define STRATA_BENCH_DB_WORKLOADS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "bench/db_engines/engine.h"
#include "bench/histogram.h"
#include "engine/key_index.h"

namespace strata::bench {

struct WorkloadSizes {
  uint64_t num = 100000;    // keys
  uint64_t reads = 0;       // of the reading workloads; 0: as `num`
  uint64_t key_bytes = 32;  // at least 12
  uint64_t value_bytes = 256;
  double compressible = 0.5;  // of a value, zeros
  uint64_t batch = 1000;      // changes in a commit
  uint64_t sync_batch = 100;  // where every commit is synced, and in `mixed`
  uint64_t range = 100;       // keys of one readrange
  int threads = 1;            // that read
  uint64_t seed = 1;

  uint64_t reads_or_num() const { return reads == 0 ? num : reads; }
};

struct WorkloadResult {
  std::string workload = {};
  std::string unit = "op";  // what one op is
  uint64_t ops = 0;
  double seconds = 0;
  double cpu_seconds = 0;  // of the process, making keys and values included
  Histogram latency = {};  // of what `latency_of` says
  std::string latency_of = "op";
  uint64_t put_bytes = 0;      // keys and values given to the engine
  uint64_t written_bytes = 0;  // by the process, meanwhile
  uint64_t file_bytes = 0;     // afterwards
  uint64_t rss_anon_bytes = 0;
  uint64_t rss_file_bytes = 0;
  // Of this workload alone, by name; a name ends in its unit.
  std::map<std::string, double> more = {};
};

// One engine with the key index above it, as a store has them: a put appends a
// revision to the engine's table and to the key's history in the index. The
// index (engine/key_index.h) is the same one, in memory, over every engine, so
// that what differs is the engine; a table on disk instead would cost the peers
// more, and then not be what a revision store does.
//
// Workloads go on from where the one before ended.
class WorkloadRunner {
 public:
  WorkloadRunner(std::string engine, std::string directory,
                 const WorkloadSizes& sizes, uint64_t cache_bytes);
  ~WorkloadRunner();

  // In the order in which they are run by default.
  static std::vector<std::string> Names();
  static std::string Describe(const std::string& name);

  // Called now and then with the part done, 0 to 1.
  std::function<void(double)> progress;

  // Nothing if the engine can not do it. REQUIRES: a name of Names()
  std::optional<WorkloadResult> Run(const std::string& name);

 private:
  // What one reading thread has.
  struct Slot {
    Random random;
    Revision at;  // of the reader's state
    std::unique_ptr<Engine::Reader> reader;
    uint64_t reads = 0;
  };
  using Read = std::function<void(Slot*)>;
  // The result of it lacks only what every workload has.
  using Workload = std::optional<WorkloadResult> (WorkloadRunner::*)();
  struct Named {
    const char* name;
    const char* what;
    Workload run;
  };
  static const std::vector<Named>& All();

  std::optional<WorkloadResult> FillRev();
  std::optional<WorkloadResult> FillRevSync();
  std::optional<WorkloadResult> Overwrite();
  std::optional<WorkloadResult> ReadRev();
  std::optional<WorkloadResult> ReadKey();
  std::optional<WorkloadResult> ReadRange();
  std::optional<WorkloadResult> ReadHot();
  std::optional<WorkloadResult> ScanHistory();
  std::optional<WorkloadResult> Compact();
  std::optional<WorkloadResult> Shrink();
  std::optional<WorkloadResult> Mixed();
  std::optional<WorkloadResult> Open();

  void OpenEngineAs(bool sync_commits);
  std::string KeyOf(uint64_t number) const;
  std::string_view NextValue();
  // Puts `count` revisions in commits of `batch`, of keys by `key_of`.
  WorkloadResult Put(uint64_t count, uint64_t batch,
                     const std::function<uint64_t()>& key_of);
  void CommitPuts(const std::vector<std::string>& keys, uint64_t* bytes);
  // `reads` of it, by all threads together, one op each.
  WorkloadResult ReadWith(uint64_t reads, const Read& read);
  void ReadLoop(uint64_t reads, uint64_t seed, const Read& read,
                Histogram* latency, bool tell);
  void Refresh(Slot* slot);
  void GetKey(Slot* slot, std::string_view key);
  void RebuildIndex();
  void Tell(uint64_t done, uint64_t all) const;

  const std::string name_;
  const std::string directory_;
  const WorkloadSizes sizes_;
  const uint64_t cache_bytes_;
  std::string random_bytes_;  // values are cut from it
  uint64_t next_value_ = 0;
  Random random_;

  bool sync_commits_ = false;
  std::unique_ptr<Engine> engine_;
  // Guards the index and revision_ where a workload reads beside writing.
  std::shared_mutex mutex_;
  std::unique_ptr<KeyIndex> index_;
  Revision revision_{1};
  Revision compacted_{0};
  std::vector<uint32_t> order_;  // of the first puts
};

}  // namespace strata::bench

#endif  // STRATA_BENCH_DB_WORKLOADS_H_
