#include "engine/store_model.h"

#include <algorithm>
#include <set>

#include "base/crc32c.h"
#include "engine/errors.h"
#include "engine/store_testing.h"

namespace strata::testing {

namespace {

using Row = std::pair<std::string, StoreModel::Pair>;

KeyValue ToKeyValue(const std::string& key, const StoreModel::Pair& pair) {
  return {.key = key,
          .create_revision = Revision(pair.create),
          .mod_revision = Revision(pair.mod),
          .version = pair.version,
          .value = pair.value,
          .lease = LeaseId(pair.lease)};
}

bool Passes(const RangeRequest& r, const StoreModel::Pair& pair) {
  const auto in = [](int64_t x, Revision min, Revision max) {
    return (min.value() == 0 || x >= min.value()) &&
           (max.value() == 0 || x <= max.value());
  };
  return in(pair.mod, r.min_mod_revision, r.max_mod_revision) &&
         in(pair.create, r.min_create_revision, r.max_create_revision);
}

bool Less(SortTarget target, const Row& a, const Row& b) {
  switch (target) {
    case SortTarget::kKey:
      return a.first < b.first;
    case SortTarget::kVersion:
      return a.second.version < b.second.version;
    case SortTarget::kCreate:
      return a.second.create < b.second.create;
    case SortTarget::kMod:
      return a.second.mod < b.second.mod;
    case SortTarget::kValue:
      return a.second.value < b.second.value;
  }
  return false;
}

}  // namespace

void StoreModel::Put(const std::string& key, const std::string& value,
                     int64_t lease) {
  const bool fresh = !open_.contains(key);
  Pair& pair = open_[key];
  pair.mod = revision_ + 1;
  if (fresh) pair.create = pair.mod;
  ++pair.version;
  pair.value = value;
  pair.lease = lease;
  Record(key, &pair);
}

int64_t StoreModel::Delete(const KeyRange& range) {
  std::vector<std::string> keys;
  for (const auto& [key, pair] : open_) {
    if (range.Contains(key)) keys.push_back(key);
  }
  for (const std::string& key : keys) {
    open_.erase(key);
    Record(key, nullptr);
  }
  return static_cast<int64_t>(keys.size());
}

void StoreModel::Record(const std::string& key, const Pair* pair) {
  const KeyValue kv =
      pair == nullptr ? KeyValue{.key = key} : ToKeyValue(key, *pair);
  log_.push_back({{Revision(revision_ + 1), changes_++},
                  pair == nullptr,
                  key,
                  EncodeKeyValue(kv)});
}

void StoreModel::End() {
  if (!changed()) return;
  changes_ = 0;
  states_[++revision_] = open_;
}

bool StoreModel::Compact(int64_t revision) {
  if (revision <= compacted_ || revision > revision_) return false;
  compacted_ = revision;
  return true;
}

std::string StoreModel::Range(const RangeRequest& request, bool in_txn) const {
  const int64_t current = in_txn ? read_revision() : revision_;
  const int64_t wanted = request.revision.value();
  const int64_t at = wanted <= 0 ? current : wanted;
  if (at > current) return errors::FutureRevision().ToString();
  if (at < compacted_) return errors::Compacted().ToString();
  const State& state = at > revision_ ? open_ : states_.at(at);
  std::vector<Row> rows;
  for (const auto& [key, pair] : state) {
    if (request.range.Contains(key)) rows.emplace_back(key, pair);
  }
  std::string text = "rev=" + std::to_string(current) +
                     " count=" + std::to_string(rows.size());
  if (request.count_only) return text;
  const bool filters = request.min_mod_revision.value() != 0 ||
                       request.max_mod_revision.value() != 0 ||
                       request.min_create_revision.value() != 0 ||
                       request.max_create_revision.value() != 0;
  const auto limit = static_cast<size_t>(std::max<int64_t>(request.limit, 0));
  if (request.sort_order == SortOrder::kNone && !filters && limit > 0 &&
      rows.size() > limit + 1) {
    rows.resize(limit + 1);
  }
  std::erase_if(rows,
                [&](const Row& row) { return !Passes(request, row.second); });
  std::stable_sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) {
    return request.sort_order == SortOrder::kDescend
               ? Less(request.sort_target, b, a)
               : Less(request.sort_target, a, b);
  });
  if (limit > 0 && rows.size() > limit) {
    rows.resize(limit);
    text += " more";
  }
  for (Row& row : rows) {
    if (request.keys_only) row.second.value.clear();
    text += "\n  " + ToString(ToKeyValue(row.first, row.second));
  }
  return text;
}

std::optional<uint32_t> StoreModel::Hash(int64_t at) const {
  std::set<std::pair<std::string, int64_t>> kept;
  for (const auto& [key, pair] : states_.at(at)) kept.emplace(key, pair.mod);
  if (kept.empty() && compacted_ > 0) return std::nullopt;
  // The last change of each key in a revision is the one that is kept.
  std::map<std::pair<std::string, int64_t>, uint32_t> last;
  for (const Change& change : log_) {
    last[{change.key, change.id.main.value()}] = change.id.sub;
  }
  uint32_t hash = crc32c::Value("key");
  for (const Change& change : log_) {
    const int64_t main = change.id.main.value();
    if (main > at) break;
    const std::pair<std::string, int64_t> place(change.key, main);
    if (main <= compacted_ &&
        (!kept.contains(place) || last[place] != change.id.sub)) {
      continue;
    }
    const RevisionKey key(change.id, change.tombstone);
    hash = crc32c::Extend(crc32c::Extend(hash, key.view()), change.encoded);
  }
  return hash;
}

}  // namespace strata::testing
