#include "engine/restore_batch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "base/random.h"
#include "engine/mem_backend.h"

namespace strata {
namespace {

struct Change {
  std::string key;
  ChangeId id;
  bool tombstone;

  auto operator<=>(const Change& other) const {
    return std::tie(key, id) <=> std::tie(other.key, other.id);
  }
  bool operator==(const Change&) const = default;
};

// Names that are alike for long, that end early, and the same again and again.
std::string RandomKey(Random* random) {
  const std::string bases[] = {"", "a", "/registry/pods/default/",
                               std::string(40, 'x'), std::string("z\0", 2)};
  std::string key = bases[random->Below(5)];
  for (uint64_t i = random->Below(4); i > 0; --i) {
    key += random->OneIn(3) ? std::string(8, '\0')
                            : std::to_string(random->Below(50));
  }
  return key.empty() ? "e" : key;
}

std::vector<Change> RandomTable(Random* random, int changes, Backend* backend) {
  std::vector<Change> table;
  Batch batch;
  for (int i = 0; i < changes; ++i) {
    const Change change{RandomKey(random),
                        {Revision(2 + i / 3), static_cast<uint32_t>(i % 3)},
                        random->OneIn(5)};
    KeyValue kv{.key = change.key};
    if (!change.tombstone) {
      kv.create_revision = kv.mod_revision = change.id.main;
      kv.version = i + 1;
    }
    std::string value(KeyValueSize(kv), '\0');
    EncodeKeyValue(kv, value.data());
    batch.Put(Table::kKey, RevisionKey(change.id, change.tombstone).view(),
              value);
    table.push_back(change);
  }
  CHECK_OK(backend->Write(batch));
  return table;
}

TEST(RestoreBatchTest, HandsOnInKeyOrder) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    auto backend = NewMemBackend();
    std::vector<Change> table = RandomTable(&random, 2000, backend.get());
    auto view = backend->NewView();
    auto iterator = (*view)->NewIterator(Table::kKey);
    iterator->SeekToFirst();
    RestoreBatch batch;
    for (size_t from = 0; from < table.size(); from += 700) {
      ASSERT_TRUE(batch.Read(iterator.get(), 700).ok());
      const size_t end = std::min(from + 700, table.size());
      std::vector<Change> expected(table.begin() + from, table.begin() + end);
      EXPECT_EQ(batch.newest(), expected.back().id.main);
      std::sort(expected.begin(), expected.end());
      std::vector<Change> found;
      batch.ForEach([&found](const RestoreBatch::Row& row) {
        found.push_back({std::string(row.key), row.id, row.tombstone});
        EXPECT_EQ(row.version == 0, row.tombstone);
      });
      ASSERT_EQ(found, expected) << "seed " << seed << " from " << from;
    }
    ASSERT_TRUE(batch.Read(iterator.get(), 700).ok());
    EXPECT_TRUE(batch.empty());
  }
}

TEST(RestoreBatchTest, OneKeyStaysInRevisionOrder) {
  auto backend = NewMemBackend();
  Batch changes;
  for (int64_t main = 2; main < 500; ++main) {
    const KeyValue kv{.key = "hot", .version = main - 1};
    std::string value(KeyValueSize(kv), '\0');
    EncodeKeyValue(kv, value.data());
    changes.Put(Table::kKey, RevisionKey({Revision(main), 0}, false).view(),
                value);
  }
  CHECK_OK(backend->Write(changes));
  auto view = backend->NewView();
  auto iterator = (*view)->NewIterator(Table::kKey);
  iterator->SeekToFirst();
  RestoreBatch batch;
  ASSERT_TRUE(batch.Read(iterator.get(), SIZE_MAX).ok());
  int64_t expected = 2;
  batch.ForEach([&expected](const RestoreBatch::Row& row) {
    EXPECT_EQ(row.id.main, Revision(expected++));
  });
  EXPECT_EQ(expected, 500);
}

}  // namespace
}  // namespace strata
