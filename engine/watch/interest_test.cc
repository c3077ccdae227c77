#include "engine/watch/interest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "engine/watch/hub_impl.h"

namespace strata {
namespace {

std::string RandomKey(Random* random) {
  std::string key;
  for (uint64_t i = random->Below(4); i > 0; --i) {
    key.push_back(static_cast<char>('a' + random->Below(3)));
  }
  return key.empty() ? std::string(1, '\0') : key;
}

struct Entry {
  Watcher watcher;
  std::string key, end;

  KeyRange range() const { return {.key = key, .end = end}; }
};

std::set<const Watcher*> Found(const InterestIndex& index,
                               const std::string& key) {
  std::set<const Watcher*> found;
  index.ForEach(key, [&](Watcher* watcher) {
    EXPECT_TRUE(found.insert(watcher).second) << "twice";
  });
  return found;
}

std::set<const Watcher*> Expected(
    const std::vector<std::unique_ptr<Entry>>& entries,
    const std::string& key) {
  std::set<const Watcher*> expected;
  for (const auto& entry : entries) {
    if (entry->range().Contains(key)) expected.insert(&entry->watcher);
  }
  return expected;
}

// Keys, ranges, open ends, many alike, added and removed, beside a plain list.
TEST(InterestTest, FindsWhatAListFinds) {
  Random random(7);
  InterestIndex index(1);
  std::vector<std::unique_ptr<Entry>> entries;
  for (int step = 0; step < 4000; ++step) {
    // Grows, then shrinks to nothing, and again.
    const bool grow = step % 2000 < 1000 ? !random.OneIn(4) : random.OneIn(4);
    if (grow) {
      auto entry = std::make_unique<Entry>();
      entry->key = RandomKey(&random);
      if (random.OneIn(8)) {
        entry->end = std::string(1, '\0');
      } else if (random.OneIn(2)) {
        entry->end = RandomKey(&random);
        if (entry->end == std::string(1, '\0')) entry->end = "d";
        if (entry->end <= entry->key) continue;
      }
      Watcher* const watcher = &entry->watcher;
      watcher->interest = index.Add(entry->range(), watcher);
      watcher->interest_slot = watcher->interest->watchers.size() - 1;
      entries.push_back(std::move(entry));
    } else if (!entries.empty()) {
      std::swap(entries[random.Below(entries.size())], entries.back());
      Watcher* const watcher = &entries.back()->watcher;
      Watcher* const moved =
          index.Remove(watcher->interest, watcher->interest_slot);
      if (moved != nullptr) moved->interest_slot = watcher->interest_slot;
      entries.pop_back();
    }
    if (step % 50 == 0) index.Check();
    const std::string key = RandomKey(&random);
    ASSERT_EQ(Found(index, key), Expected(entries, key)) << "step " << step;
  }
}

}  // namespace
}  // namespace strata
