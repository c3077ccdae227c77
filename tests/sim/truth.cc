#include "tests/sim/truth.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "engine/key_value.h"

namespace strata::sim {

void Truth::Violated(const std::string& what) {
  if (violation_.empty()) violation_ = what;
}

void Truth::Look(Member* member) {
  if (!member->up() || !violation_.empty()) return;
  const Store& store = *member->node()->store();
  Cursor& cursor = cursors_[member->id()];
  const int64_t now = store.revision().value();
  if (now < cursor.revision) {
    Violated("the revision of a member falls from " +
             std::to_string(cursor.revision) + " to " + std::to_string(now));
  }
  cursor.revision = now;
  const int64_t compacted = store.compact_revision().value();
  watched_.Compact(compacted);
  cursor.next = std::max({cursor.next, compacted + 1, int64_t{2}});
  while (cursor.next <= now) {
    const auto list = store.ReadChanges(
        {.from = Revision(cursor.next), .end = Revision(now + 1)});
    if (!list.ok()) {
      return Violated("changes cannot be read: " + list.status().ToString());
    }
    // Whole revisions come, each complete.
    size_t begin = 0;
    while (begin < list->changes.size()) {
      const int64_t revision = list->changes[begin].id.main.value();
      size_t end = begin;
      while (end < list->changes.size() &&
             list->changes[end].id.main.value() == revision) {
        ++end;
      }
      const bool known = revision <= known_;
      if (!known && revision != known_ + 1) {
        return Violated("revision " + std::to_string(known_ + 1) +
                        " is missing in a member");
      }
      if (known && stored_[revision].size() != end - begin) {
        return Violated("members differ in the number of changes at " +
                        std::to_string(revision));
      }
      for (size_t i = begin; i < end; ++i) {
        if (known) {
          Take(member->id(), list->changes[i]);
        } else {
          Learn(revision, list->changes[i]);
        }
      }
      if (!known) known_ = revision;
      begin = end;
    }
    cursor.next = list->next.value();
  }
}

void Truth::Take(MemberId member, const Change& change) {
  const std::vector<std::string>& stored = stored_[change.id.main.value()];
  if (stored[change.id.sub] == change.kv) return;
  Violated("member " + std::to_string(member.value()) + " has " +
           Printable(change.kv) + " at revision " +
           std::to_string(change.id.main.value()) + ", another had " +
           Printable(stored[change.id.sub]));
}

void Truth::Learn(int64_t revision, const Change& change) {
  stored_[revision].emplace_back(change.kv);
  const auto kv = DecodeKeyValue(change.kv);
  CHECK_OK(kv);
  const std::string key(kv->key);
  std::vector<Version>& versions = keys_[key];
  const Version before = versions.empty() ? Version{} : versions.back();
  versions.push_back({.revision = revision,
                      .deleted = change.tombstone,
                      .value = std::string(kv->value),
                      .lease = kv->lease.value(),
                      .seen = world_->Now()});
  if (change.tombstone) {
    watched_.Delete(revision, key);
    if (on_delete_) on_delete_(key, before, world_->Now());
    return;
  }
  watched_.Put(revision, key, std::string(kv->value));
  const auto [at, first] = made_at_.emplace(std::string(kv->value), revision);
  if (!first && at->second != revision) {
    Violated("the put of " + std::string(kv->value) + " was made twice: at " +
             std::to_string(at->second) + " and " + std::to_string(revision));
  }
}

void Truth::Acknowledged(int64_t revision, const std::string& key,
                         const std::string& value) {
  const auto at = made_at_.find(value);
  if (at == made_at_.end() || at->second != revision) {
    Violated("a put of " + key + " was acknowledged at revision " +
             std::to_string(revision) + ", which has it not");
  }
}

const Truth::Version* Truth::At(std::string_view key, int64_t revision) const {
  const auto at = keys_.find(key);
  if (at == keys_.end()) return nullptr;
  const std::vector<Version>& versions = at->second;
  auto after = std::upper_bound(
      versions.begin(), versions.end(), revision,
      [](int64_t r, const Version& version) { return r < version.revision; });
  if (after == versions.begin()) return nullptr;
  --after;
  return after->deleted ? nullptr : &*after;
}

std::vector<std::pair<std::string_view, const Truth::Version*>> Truth::Range(
    std::string_view key, std::string_view end, int64_t revision) const {
  std::vector<std::pair<std::string_view, const Version*>> found;
  for (auto at = keys_.lower_bound(key); at != keys_.end(); ++at) {
    if (end.empty() ? at->first != key : at->first >= end) break;
    const Version* const version = At(at->first, revision);
    if (version != nullptr) found.emplace_back(at->first, version);
  }
  return found;
}

}  // namespace strata::sim
