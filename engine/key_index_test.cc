#include "engine/key_index.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <map>
#include <set>

#include "base/random.h"
#include "base/transcript.h"

namespace strata {
namespace {

ChangeId At(int64_t main, uint32_t sub = 0) { return {Revision(main), sub}; }

// "5" or "5.2"
ChangeId ParseChange(const std::string& text) {
  const size_t dot = text.find('.');
  const auto sub =
      dot == std::string::npos ? 0 : std::stoul(text.substr(dot + 1));
  return At(std::stoll(text), static_cast<uint32_t>(sub));
}

std::string Name(ChangeId id) {
  return std::to_string(id.main.value()) + "." + std::to_string(id.sub);
}

// A story about one key.
class HistoryScript {
 public:
  std::string Run(const TranscriptCommand& command) {
    const std::string& name = command.name;
    if (name == "new") {
      history_.emplace();
      return "";
    }
    const std::string& arg = command.args.empty() ? "" : command.args[0];
    if (name == "put") {
      const KeyState state = history_->Put(ParseChange(arg));
      return Describe(state);
    }
    if (name == "del") {
      history_->Delete(ParseChange(arg));
    } else if (name == "restore") {
      if (command.args.size() == 2) {
        history_->RestoreTombstone(ParseChange(arg));
      } else {
        history_->Restore(ParseChange(arg), Revision(command.Number("create")),
                          command.Number("version"));
      }
    } else if (name == "compact") {
      return Compact(command);
    } else if (name == "get") {
      const auto state = history_->Get(Revision(std::stoll(arg)));
      return state.has_value() ? Describe(*state) : "none";
    } else if (name == "since") {
      std::string text = "since:";
      for (const ChangeId id : history_->Since(Revision(std::stoll(arg)))) {
        text += " " + Name(id);
      }
      return text;
    }
    history_->Check();
    return history_->ToString();
  }

 private:
  static std::string Describe(const KeyState& state) {
    return Name(state.id) +
           " create=" + std::to_string(state.create_revision.value()) +
           " version=" + std::to_string(state.version);
  }

  std::string Compact(const TranscriptCommand& command) {
    std::vector<RemovedChange> removed;
    history_->Compact(Revision(std::stoll(command.args[0])),
                      command.args.size() > 1, &removed);
    history_->Check();
    std::string text = history_->ToString() + " removed:";
    for (const RemovedChange& change : removed) {
      text += " " + Name(change.id()) + (change.tombstone ? "t" : "");
    }
    return text;
  }

  std::optional<KeyHistory> history_;
};

TEST(KeyHistoryTest, Transcript) {
  HistoryScript script;
  EXPECT_EQ(RunTranscript("engine/testdata/key_history.txt",
                          [&script](const TranscriptCommand& command) {
                            return script.Run(command);
                          }),
            "");
}

std::string RandomKey(Random* random, uint64_t keys) {
  static const char* const kPrefixes[] = {"", "a", "/registry/pods/", "\xff",
                                          "/registry/"};
  std::string key = kPrefixes[random->Below(5)];
  key += std::to_string(random->Below(keys));
  if (random->OneIn(8)) key += std::string(random->Between(1, 9), '\0');
  return key;
}

// Keys that exist, in [key, end).
uint64_t CountIn(const std::set<std::string>& live, const KeyRange& range) {
  uint64_t count = 0;
  for (const std::string& key : live) count += range.Contains(key) ? 1 : 0;
  return count;
}

void ExpectWalks(const KeyIndex& index, const std::set<std::string>& all) {
  auto cursor = index.First();
  for (const std::string& key : all) {
    ASSERT_TRUE(cursor.Valid());
    ASSERT_EQ(cursor->key(), key);
    cursor.Next();
  }
  ASSERT_FALSE(cursor.Valid());
  cursor = index.Last();
  for (auto key = all.rbegin(); key != all.rend(); ++key) {
    ASSERT_TRUE(cursor.Valid());
    ASSERT_EQ(cursor->key(), *key);
    cursor.Prev();
  }
  ASSERT_FALSE(cursor.Valid());
}

void ExpectSeeks(const KeyIndex& index, const std::set<std::string>& all,
                 const std::string& key) {
  const auto bound = all.lower_bound(key);
  const auto cursor = index.LowerBound(key);
  ASSERT_EQ(cursor.Valid(), bound != all.end());
  if (cursor.Valid()) {
    ASSERT_EQ(cursor->key(), *bound);
  }
  const auto before = index.Before(key);
  ASSERT_EQ(before.Valid(), bound != all.begin());
  if (before.Valid()) {
    ASSERT_EQ(before->key(), *std::prev(bound));
  }
  ASSERT_EQ(index.Find(key) != nullptr, all.contains(key));
}

// Compacts all, in steps of a few keys, and drops from `all` what it empties.
void CompactAll(KeyIndex* index, Revision at, std::set<std::string>* all) {
  std::string resume;
  std::vector<RemovedChange> removed;
  while (!index->CompactStep(at, false, 100, &resume, &removed)) {
  }
  std::erase_if(*all, [index](const std::string& key) {
    return index->Find(key) == nullptr;
  });
  ASSERT_EQ(index->size(), all->size());
}

// Against a set, with few keys (deletions, merges) and with many (depth).
TEST(KeyIndexTest, AgreesWithASet) {
  for (const uint64_t keys : {uint64_t{40}, uint64_t{3000}}) {
    Random random(keys);
    KeyIndex index;
    std::set<std::string> all, live;
    for (int64_t main = 2; main < 30000; ++main) {
      const std::string key = RandomKey(&random, keys);
      if (live.contains(key) && random.OneIn(2)) {
        index.Delete(key, At(main));
        live.erase(key);
      } else {
        index.Put(key, At(main));
        live.insert(key);
        all.insert(key);
      }
      if (random.OneIn(7)) ExpectSeeks(index, all, RandomKey(&random, keys));
      if (random.OneIn(200)) {
        const std::string a = RandomKey(&random, keys);
        const std::string b =
            random.OneIn(4) ? std::string(1, '\0') : RandomKey(&random, keys);
        ASSERT_EQ(index.CountLive({a, b}), CountIn(live, {a, b}));
      }
      if (random.OneIn(4000)) CompactAll(&index, Revision(main), &all);
      if (random.OneIn(2000)) {
        index.Check();
        ExpectWalks(index, all);
      }
    }
    ASSERT_EQ(index.live(), live.size());
    // What is deleted and compacted leaves nothing behind.
    int64_t main = 30000;
    for (const std::string& key : live) index.Delete(key, At(main++));
    CompactAll(&index, Revision(main), &all);
    index.Check();
    ASSERT_EQ(index.size(), 0u);
    ASSERT_TRUE(all.empty());
    index.Put("again", At(main + 1));
    index.Check();
  }
}

// Keys that come in order fill their leaves: 64 to a leaf, 64 leaves to a node.
TEST(KeyIndexTest, KeysInOrderBothWays) {
  for (const bool up : {true, false}) {
    KeyIndex index;
    std::set<std::string> all;
    for (int i = 0; i < 20000; ++i) {
      char key[32];
      std::snprintf(key, sizeof key, "/key/%08d", up ? i : 20000 - i);
      index.Put(key, At(i + 2));
      all.insert(key);
    }
    index.Check();
    ExpectWalks(index, all);
    EXPECT_EQ(index.CountLive({"/key/00000100", "/key/00000200"}), 100u);
    EXPECT_EQ(index.CountLive({"/", std::string_view("\0", 1)}), 20000u);
  }
}

// A million keys of 32 bytes with one revision each must fit into 120 MB.
TEST(KeyIndexTest, MemoryOfAKey) {
  constexpr uint64_t kKeys = 200000;
  constexpr uint64_t kBytesMax = 120;
  const size_t before = mallinfo2().uordblks;
  void* const probe = ::operator new(1 << 16);
  const bool counted = mallinfo2().uordblks >= before + (1 << 16);
  ::operator delete(probe);
  if (!counted) GTEST_SKIP() << "this allocator does not count";
  for (const bool in_order : {true, false}) {
    const size_t empty = mallinfo2().uordblks + mallinfo2().hblkhd;
    KeyIndex index;
    for (uint64_t i = 0; i < kKeys; ++i) {
      char key[33];
      std::snprintf(
          key, sizeof key, "/registry/pods/%017llu",
          static_cast<unsigned long long>(in_order ? i : i * 7919 % kKeys));
      index.Put(key, At(static_cast<int64_t>(i) + 2));
    }
    ASSERT_EQ(index.size(), kKeys);
    const size_t bytes =
        (mallinfo2().uordblks + mallinfo2().hblkhd - empty) / kKeys;
    EXPECT_LE(bytes, kBytesMax) << (in_order ? "in order" : "out of order");
    EXPECT_GE(bytes, 32u) << "the counter does not count";
    RecordProperty(in_order ? "in_order" : "out_of_order",
                   std::to_string(bytes));
  }
}

TEST(KeyIndexTest, RestoresWhatACompactionLeft) {
  for (const bool keep : {false, true}) {
    KeyIndex index;
    index.Restore("a", At(7), Revision(2), 4);
    EXPECT_EQ(index.Get("a", Revision(9))->version, 4);
    EXPECT_EQ(index.RestoreTombstone("gone", At(8), keep), keep);
    EXPECT_TRUE(index.RestoreTombstone("a", At(9), keep));
    EXPECT_FALSE(index.RestoreTombstone("a", At(10), keep));
    EXPECT_FALSE(index.Get("gone", Revision(8)).has_value());
    EXPECT_EQ(index.size(), keep ? 2u : 1u);
    EXPECT_EQ(index.live(), 0u);
    index.Check();
  }
}

}  // namespace
}  // namespace strata
