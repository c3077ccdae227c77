// What holds of the key index, whatever is put, deleted and compacted: it knows
// each key at each revision as a list of all changes would.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/key_index.h"

namespace strata {
namespace {

struct Life {
  int64_t create = 0;
  int64_t version = 0;
};
// By revision: what the key was from then on; nothing: deleted.
using History = std::map<int64_t, std::optional<Life>>;

std::string Key(uint8_t number) {
  const std::string base = number % 3 == 0 ? "longer/than/a/head/" : "k";
  return base + std::to_string(number % 90);
}

class Model {
 public:
  void Put(const std::string& key, int64_t revision) {
    const auto now = At(key, revision);
    keys_[key][revision] = now ? Life{now->create, now->version + 1}
                               : Life{.create = revision, .version = 1};
  }
  void Delete(const std::string& key, int64_t revision) {
    keys_[key][revision] = std::nullopt;
  }
  std::optional<Life> At(const std::string& key, int64_t revision) const {
    const auto found = keys_.find(key);
    if (found == keys_.end()) return std::nullopt;
    auto after = found->second.upper_bound(revision);
    if (after == found->second.begin()) return std::nullopt;
    return std::prev(after)->second;
  }
  uint64_t Live(const std::string& from, const std::string& to,
                int64_t now) const {
    uint64_t live = 0;
    for (const auto& [key, history] : keys_) {
      if (key >= from && key < to && At(key, now)) ++live;
    }
    return live;
  }
  const std::map<std::string, History>& keys() const { return keys_; }

 private:
  std::map<std::string, History> keys_;
};

void Compact(KeyIndex* index, int64_t at, size_t step_keys) {
  std::string resume;
  std::vector<RemovedChange> removed;
  while (!index->CompactStep(Revision(at), /*keep_tombstone=*/false, step_keys,
                             &resume, &removed)) {
  }
}

void Compare(const KeyIndex& index, const Model& model, int64_t from,
             int64_t now) {
  for (const auto& [key, history] : model.keys()) {
    for (int64_t at = from; at <= now; ++at) {
      const auto got = index.Get(key, Revision(at));
      const auto expected = model.At(key, at);
      RC_ASSERT(got.has_value() == expected.has_value());
      if (!got) continue;
      RC_ASSERT(got->create_revision.value() == expected->create);
      RC_ASSERT(got->version == expected->version);
    }
  }
}

RC_GTEST_PROP(KeyIndexProperty, KnowsWhatAListOfAllChangesKnows,
              (const std::vector<std::pair<uint8_t, uint8_t>>& steps)) {
  KeyIndex index;
  Model model;
  int64_t now = 1;
  int64_t compacted = 1;
  for (const auto& [what, number] : steps) {
    const std::string key = Key(number);
    if (what % 8 == 0) {
      compacted = std::max(compacted, now - number % 10);
      Compact(&index, compacted, 1 + number % 20);
    } else if (what % 4 == 1 && model.At(key, now)) {
      index.Delete(key, {Revision(++now), 0});
      model.Delete(key, now);
    } else {
      index.Put(key, {Revision(++now), 0});
      model.Put(key, now);
    }
    const std::string from = Key(what);
    const std::string to = from + "\x7f";
    RC_ASSERT(index.CountLive({from, to}) == model.Live(from, to, now));
    RC_ASSERT(index.live() == model.Live("", "\x7f", now));
    index.Check();
  }
  Compare(index, model, compacted, now);
}

}  // namespace
}  // namespace strata
