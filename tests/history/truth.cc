#include "tests/history/truth.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "engine/key_value.h"

namespace strata::testing {

void Truth::Violated(const std::string& what) {
  if (violation_.empty()) violation_ = what;
}

// --- what is decided ---

void Truth::Show(const std::string& member, int64_t revision,
                 std::span<const Shown> changes, Time seen) {
  if (revision <= known_) return Compare(member, revision, changes);
  if (revision != known_ + 1) {
    return Violated("revision " + std::to_string(known_ + 1) +
                    " is missing in a member");
  }
  for (const Shown& change : changes) Learn(revision, change, seen);
  known_ = revision;
}

void Truth::Compare(const std::string& member, int64_t revision,
                    std::span<const Shown> changes) {
  const std::vector<std::string>& stored = stored_[revision];
  if (stored.size() != changes.size()) {
    return Violated("members differ in the number of changes at " +
                    std::to_string(revision));
  }
  for (size_t i = 0; i < stored.size(); ++i) {
    if (stored[i] == changes[i].kv) continue;
    return Violated("member " + member + " has " + Printable(changes[i].kv) +
                    " at revision " + std::to_string(revision) +
                    ", another had " + Printable(stored[i]));
  }
}

void Truth::Learn(int64_t revision, const Shown& change, Time seen) {
  stored_[revision].push_back(change.kv);
  const auto kv = DecodeKeyValue(change.kv);
  CHECK_OK(kv);
  const std::string key(kv->key);
  std::vector<Version>& versions = keys_[key];
  Version before;
  if (change.tombstone && !versions.empty()) before = versions.back();
  versions.push_back({.revision = revision,
                      .deleted = change.tombstone,
                      .value = std::string(kv->value),
                      .lease = kv->lease.value(),
                      .seen = seen});
  if (change.tombstone) {
    watched_.Delete(revision, key);
    if (on_delete_) on_delete_(key, before, seen);
    return;
  }
  watched_.Put(revision, key, std::string(kv->value));
  const auto [at, first] = made_at_.emplace(std::string(kv->value), revision);
  if (!first && at->second != revision) {
    Violated("the put of " + std::string(kv->value) + " was made twice: at " +
             std::to_string(at->second) + " and " + std::to_string(revision));
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

// --- what clients were answered ---

bool Truth::Sees(const Asked& asked, int64_t revision, bool changed) {
  if (revision < asked.floor + (changed ? 1 : 0)) {
    Violated(asked.what + " was answered with revision " +
             std::to_string(revision) + ", but " + std::to_string(asked.floor) +
             " was known before it was asked");
  }
  if (revision > known_) {
    Violated(asked.what + " was answered with revision " +
             std::to_string(revision) + ", which no member has");
  }
  return violation_.empty();
}

void Truth::CheckPut(const Asked& asked, const std::string& key,
                     const std::string& value, int64_t revision) {
  if (!Sees(asked, revision, true)) return;
  const auto at = made_at_.find(value);
  const Version* const there = At(key, revision);
  if (at == made_at_.end() || at->second != revision || there == nullptr ||
      there->value != value) {
    Violated(asked.what + " was acknowledged at revision " +
             std::to_string(revision) + ", which has it not");
  }
}

void Truth::CheckDelete(const Asked& asked, const std::string& key,
                        int64_t deleted, int64_t revision) {
  const bool changed = deleted > 0;
  if (!Sees(asked, revision, changed)) return;
  const bool before = At(key, revision - (changed ? 1 : 0)) != nullptr;
  const bool after = At(key, revision) != nullptr;
  if (before != changed || after) {
    Violated(asked.what + " was answered " + std::to_string(deleted) +
             " at revision " + std::to_string(revision) + ": not so");
  }
}

void Truth::CheckSwap(const Asked& asked, const CompareAndSwap& swap,
                      int64_t revision) {
  if (!Sees(asked, revision, swap.succeeded)) return;
  const Version* const compared =
      At(swap.key, swap.succeeded ? revision - 1 : revision);
  const int64_t found = compared == nullptr ? 0 : compared->revision;
  if ((found == swap.expected) != swap.succeeded) {
    return Violated(asked.what + (swap.succeeded ? " held" : " failed") +
                    " at revision " + std::to_string(revision) +
                    ", where the key is of " + std::to_string(found));
  }
  if (swap.succeeded) return CheckPut(asked, swap.key, swap.value, revision);
  if (swap.found != (compared != nullptr)) {
    Violated(asked.what + " read a key that is there or not");
  }
}

void Truth::CheckRead(const Asked& asked, const std::string& key,
                      const std::string& end, const std::vector<ReadKey>& read,
                      int64_t revision) {
  if (!Sees(asked, revision, false)) return;
  const auto expected = Range(key, end, revision);
  bool same = expected.size() == read.size();
  for (size_t i = 0; same && i < expected.size(); ++i) {
    same = read[i].key == expected[i].first &&
           read[i].value == expected[i].second->value &&
           read[i].revision == expected[i].second->revision;
  }
  if (!same) {
    Violated(asked.what + " at revision " + std::to_string(revision) +
             " is not what was there");
  }
}

}  // namespace strata::testing
