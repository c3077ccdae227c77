#ifndef STRATA_TESTS_HISTORY_TRUTH_H_
#define STRATA_TESTS_HISTORY_TRUTH_H_

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/loop.h"
#include "tests/watch/checker.h"

namespace strata::testing {

// What a cluster has decided, revision by revision: whatever a member shows
// first at a revision, all others must show too. As every operation takes
// effect at the revision that its answer names, this and two comparisons are
// strict serializability: the answer is that of the state at its revision, and
// revisions follow real time.
//
// It knows no member and no wire: the simulator shows it stores, a recorded
// history (history.h) what processes told.
class Truth {
 public:
  struct Version {
    int64_t revision = 0;
    bool deleted = false;
    std::string value = {};
    int64_t lease = 0;
    Time seen = {};
  };
  // A change as it is stored.
  struct Shown {
    std::string kv = {};  // a KeyValue message
    bool tombstone = false;
  };
  // What a client asked for, and the highest revision that anybody had been
  // told when it did.
  struct Asked {
    std::string what = {};
    int64_t floor = 0;
  };
  struct CompareAndSwap {
    std::string key = {};
    int64_t expected = 0;  // the key's revision; 0: there is no such key
    std::string value = {};
    bool succeeded = false;
    bool found = false;  // if not: whether the key was read
  };
  struct ReadKey {
    std::string key = {};
    std::string value = {};
    int64_t revision = 0;
  };

  // All changes of one revision, in a member that has all before it.
  void Show(const std::string& member, int64_t revision,
            std::span<const Shown> changes, Time seen);
  void Compacted(int64_t revision) { watched_.Compact(revision); }

  // --- answers; what they name must have been shown ---

  // Real time: what was told to anybody before this was asked is in the
  // answer, and a change comes after it. False: it is not so.
  bool Sees(const Asked& asked, int64_t revision, bool changed);
  void CheckPut(const Asked& asked, const std::string& key,
                const std::string& value, int64_t revision);
  void CheckDelete(const Asked& asked, const std::string& key, int64_t deleted,
                   int64_t revision);
  void CheckSwap(const Asked& asked, const CompareAndSwap& swap,
                 int64_t revision);
  void CheckRead(const Asked& asked, const std::string& key,
                 const std::string& end, const std::vector<ReadKey>& read,
                 int64_t revision);

  // All up to here is known.
  int64_t known() const { return known_; }
  // The state of a key at a revision; nothing if it did not exist then.
  const Version* At(std::string_view key, int64_t revision) const;
  // Keys in [key, end) that exist at `revision`.
  std::vector<std::pair<std::string_view, const Version*>> Range(
      std::string_view key, std::string_view end, int64_t revision) const;
  const WatchTruth& watched() const { return watched_; }

  // Called with each deletion as it is first seen.
  using OnDelete = std::function<void(const std::string& key,
                                      const Version& before, Time seen)>;
  void SetOnDelete(OnDelete on_delete) { on_delete_ = std::move(on_delete); }

  // What is wrong, the first thing; empty: nothing.
  const std::string& violation() const { return violation_; }
  void Violated(const std::string& what);

 private:
  void Compare(const std::string& member, int64_t revision,
               std::span<const Shown> changes);
  void Learn(int64_t revision, const Shown& change, Time seen);

  std::map<std::string, std::vector<Version>, std::less<>> keys_;
  // By revision: what is stored, change after change.
  std::unordered_map<int64_t, std::vector<std::string>> stored_;
  std::unordered_map<std::string, int64_t> made_at_;  // by value
  WatchTruth watched_;
  int64_t known_ = 1;
  OnDelete on_delete_;
  std::string violation_;
};

}  // namespace strata::testing

#endif  // STRATA_TESTS_HISTORY_TRUTH_H_
