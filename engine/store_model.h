#ifndef STRATA_ENGINE_STORE_MODEL_H_
#define STRATA_ENGINE_STORE_MODEL_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/key_value.h"
#include "engine/requests.h"

namespace strata::testing {

// The store as one would write it in an afternoon: every change ever made in a
// list, and the whole state after each revision in a map. What the store is
// compared with. A transaction is made of Begin, changes and End.
class StoreModel {
 public:
  struct Pair {
    int64_t create = 0;
    int64_t mod = 0;
    int64_t version = 0;
    std::string value;
    int64_t lease = 0;
  };
  using State = std::map<std::string, Pair>;

  StoreModel() { states_[1]; }

  int64_t revision() const { return revision_; }
  int64_t compacted() const { return compacted_; }
  // As a reader of the open transaction sees it.
  int64_t read_revision() const { return revision_ + (changed() ? 1 : 0); }

  void Begin() { open_ = states_[revision_]; }
  void Put(const std::string& key, const std::string& value, int64_t lease);
  int64_t Delete(const KeyRange& range);
  void End();

  // False if it must be refused.
  bool Compact(int64_t revision);

  // As the store should print it (ToString of a RangeResult). `in_txn` reads
  // the open transaction at its revision.
  std::string Range(const RangeRequest& request, bool in_txn) const;

  // What HashKV at `at` should be; nothing if etcd itself would let it depend
  // on how far compactions have come.
  std::optional<uint32_t> Hash(int64_t at) const;

 private:
  struct Change {
    ChangeId id;
    bool tombstone;
    std::string key;
    std::string encoded;
  };

  bool changed() const { return changes_ > 0; }
  void Record(const std::string& key, const Pair* pair);

  int64_t revision_ = 1;
  int64_t compacted_ = -1;
  uint32_t changes_ = 0;
  State open_;
  std::map<int64_t, State> states_;  // by revision
  std::vector<Change> log_;
};

}  // namespace strata::testing

#endif  // STRATA_ENGINE_STORE_MODEL_H_
