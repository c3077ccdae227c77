#ifndef STRATA_TESTS_SIM_TRUTH_H_
#define STRATA_TESTS_SIM_TRUTH_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/types.h"
#include "tests/sim/member.h"
#include "tests/watch/checker.h"

namespace strata::sim {

// What the cluster has decided, revision by revision: whatever a member, or an
// answer to a client, shows first at a revision, all others must show too. As
// every operation takes effect at the revision that its answer names, this and
// two comparisons are strict serializability: the answer is that of the state
// at its revision, and revisions follow real time.
class Truth {
 public:
  struct Version {
    int64_t revision = 0;
    bool deleted = false;
    std::string value = {};
    int64_t lease = 0;
    Time seen = {};
  };

  explicit Truth(SimWorld* world) : world_(world) {}

  // Reads what the member has applied since it was last looked at.
  void Look(Member* member);
  // It was killed: what it shows next time is compared anew.
  void Forget(MemberId member) { cursors_.erase(member); }
  // The client was told that its put of `value` was made at `revision`.
  void Acknowledged(int64_t revision, const std::string& key,
                    const std::string& value);

  // All up to here is known.
  int64_t known() const { return known_; }
  // The state of a key at a revision; nothing if it did not exist then.
  const Version* At(std::string_view key, int64_t revision) const;
  // Keys in [key, end) that exist at `revision`.
  std::vector<std::pair<std::string_view, const Version*>> Range(
      std::string_view key, std::string_view end, int64_t revision) const;
  const testing::WatchTruth& watched() const { return watched_; }

  // Called with each deletion as it is first seen.
  using OnDelete = std::function<void(const std::string& key,
                                      const Version& before, Time seen)>;
  void SetOnDelete(OnDelete on_delete) { on_delete_ = std::move(on_delete); }

  // What is wrong, the first thing; empty: nothing.
  const std::string& violation() const { return violation_; }
  void Violated(const std::string& what);

 private:
  struct Cursor {
    int64_t next = 0;
    int64_t revision = 0;  // the member's own, which never falls
  };
  void Take(MemberId member, const Change& change);
  void Learn(int64_t revision, const Change& change);

  SimWorld* const world_;
  std::map<std::string, std::vector<Version>, std::less<>> keys_;
  // By revision: what is stored, change after change.
  std::unordered_map<int64_t, std::vector<std::string>> stored_;
  std::unordered_map<std::string, int64_t> made_at_;  // by value
  std::map<MemberId, Cursor> cursors_;
  testing::WatchTruth watched_;
  int64_t known_ = 1;
  OnDelete on_delete_;
  std::string violation_;
};

}  // namespace strata::sim

#endif  // STRATA_TESTS_SIM_TRUTH_H_
