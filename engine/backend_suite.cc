#include "engine/backend_suite.h"

#include <array>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/env.h"
#include "base/random.h"
#include "engine/btree_backend.h"

namespace strata {
namespace {

using Rows = std::map<std::string, std::string, std::less<>>;
using Model = std::array<Rows, kTableCount>;
using Pairs = std::vector<std::pair<std::string, std::string>>;

constexpr std::array<Table, kTableCount> kTables = {
    Table::kKey,       Table::kMeta,     Table::kLease,          Table::kAlarm,
    Table::kCluster,   Table::kMembers,  Table::kMembersRemoved, Table::kAuth,
    Table::kAuthUsers, Table::kAuthRoles};

Rows& RowsOf(Model* model, Table table) {
  return (*model)[static_cast<int>(table)];
}

std::optional<std::string> Get(const View& view, Table table,
                               std::string_view key) {
  auto got = view.Get(table, key);
  EXPECT_TRUE(got.ok()) << got.ToString();
  if (!got.ok() || !got->has_value()) return std::nullopt;
  return std::string(**got);
}

Pairs Scan(const View& view, Table table, std::string_view from = "") {
  Pairs pairs;
  auto it = view.NewIterator(table);
  for (from.empty() ? it->SeekToFirst() : it->Seek(from); it->Valid();
       it->Next()) {
    pairs.emplace_back(it->key(), it->value());
  }
  EXPECT_TRUE(it->status().ok()) << it->status();
  return pairs;
}

std::shared_ptr<const View> ViewOf(Backend* backend) {
  auto view = backend->NewView();
  CHECK_OK(view);
  return *view;
}

// 17 bytes, as revisions are.
std::string RevisionKey(uint64_t major, uint64_t sub = 0) {
  std::string key;
  AppendBig64(&key, major);
  key += '_';
  AppendBig64(&key, sub);
  return key;
}

void ExpectEqual(const View& view, const Model& model) {
  for (Table table : kTables) {
    const Rows& rows = model[static_cast<int>(table)];
    ASSERT_EQ(Scan(view, table), Pairs(rows.begin(), rows.end()))
        << TableName(table);
  }
}

}  // namespace

void BackendSuite::SetUp() {
  home_ = GetParam().make_home();
  Reopen();
}

void BackendSuite::Reopen() {
  backend_.reset();
  auto opened = home_->Open();
  ASSERT_TRUE(opened.ok()) << opened.ToString();
  backend_ = std::move(opened).value();
}

void BackendSuite::TearDown() {
  if (backend_ == nullptr) return;
  const auto fail = [](const std::string& fault) { ADD_FAILURE() << fault; };
  Status checked = backend_->Check(fail);
  EXPECT_TRUE(checked.ok()) << checked;
  const auto scrubbed = backend_->ScrubStep(UINT64_MAX, fail);
  EXPECT_TRUE(scrubbed.ok() && scrubbed->finished);
}

TEST_P(BackendSuite, EmptyAtFirst) {
  auto view = ViewOf(backend_.get());
  for (Table table : kTables) {
    EXPECT_EQ(Get(*view, table, "a"), std::nullopt);
    EXPECT_EQ(Scan(*view, table), Pairs());
    EXPECT_EQ(Scan(*view, table, "a"), Pairs());
  }
}

TEST_P(BackendSuite, PutGetErase) {
  Batch batch;
  batch.Put(Table::kKey, "a", "1");
  batch.Put(Table::kMeta, "a", "2");
  batch.Put(Table::kLease, "empty", "");
  ASSERT_TRUE(backend_->Write(batch).ok());
  auto view = ViewOf(backend_.get());
  EXPECT_EQ(Get(*view, Table::kKey, "a"), "1");
  EXPECT_EQ(Get(*view, Table::kMeta, "a"), "2");
  EXPECT_EQ(Get(*view, Table::kLease, "empty"), "");
  EXPECT_EQ(Get(*view, Table::kAlarm, "a"), std::nullopt);
  EXPECT_EQ(Get(*view, Table::kKey, "b"), std::nullopt);
  EXPECT_EQ(Get(*view, Table::kKey, ""), std::nullopt);

  batch.Clear();
  batch.Erase(Table::kKey, "a");
  batch.Erase(Table::kKey, "never there");
  batch.Put(Table::kMeta, "a", "3");
  ASSERT_TRUE(backend_->Write(batch).ok());
  auto later = ViewOf(backend_.get());
  EXPECT_EQ(Get(*later, Table::kKey, "a"), std::nullopt);
  EXPECT_EQ(Get(*later, Table::kMeta, "a"), "3");
}

TEST_P(BackendSuite, ChangesOfOneBatchApplyInOrder) {
  Batch batch;
  batch.Put(Table::kKey, "a", "1");
  batch.Put(Table::kKey, "a", "2");
  batch.Put(Table::kKey, "b", "1");
  batch.Erase(Table::kKey, "b");
  batch.Erase(Table::kKey, "c");
  batch.Put(Table::kKey, "c", "1");
  ASSERT_TRUE(backend_->Write(batch).ok());
  EXPECT_EQ(Scan(*ViewOf(backend_.get()), Table::kKey),
            (Pairs{{"a", "2"}, {"c", "1"}}));
}

TEST_P(BackendSuite, AnEmptyBatchIsFine) {
  EXPECT_TRUE(backend_->Write(Batch()).ok());
  EXPECT_TRUE(backend_->Sync().ok());
}

TEST_P(BackendSuite, AViewStaysAsItWas) {
  Batch batch;
  batch.Put(Table::kKey, "a", "1");
  ASSERT_TRUE(backend_->Write(batch).ok());
  auto view = ViewOf(backend_.get());
  auto it = view->NewIterator(Table::kKey);
  it->SeekToFirst();
  for (int i = 0; i < 20; ++i) {
    batch.Clear();
    batch.Erase(Table::kKey, "a");
    batch.Put(Table::kKey, "b", std::string(5000, 'x'));
    ASSERT_TRUE(backend_->Write(batch).ok());
  }
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), "a");
  EXPECT_EQ(it->value(), "1");
  it->Next();
  EXPECT_FALSE(it->Valid());
  EXPECT_EQ(Get(*view, Table::kKey, "a"), "1");
  EXPECT_EQ(Get(*view, Table::kKey, "b"), std::nullopt);
}

TEST_P(BackendSuite, SeekFindsTheNextKey) {
  Batch batch;
  for (int i = 0; i < 2000; i += 2) {
    batch.Put(Table::kKey, RevisionKey(i), std::string(100, 'v'));
  }
  ASSERT_TRUE(backend_->Write(batch).ok());
  auto view = ViewOf(backend_.get());
  auto it = view->NewIterator(Table::kKey);
  for (int i = 0; i < 1999; ++i) {
    it->Seek(RevisionKey(i));
    ASSERT_TRUE(it->Valid()) << i;
    EXPECT_EQ(it->key(), RevisionKey((i + 1) / 2 * 2));
  }
  it->Seek(RevisionKey(1999));
  EXPECT_FALSE(it->Valid());
}

TEST_P(BackendSuite, BinaryKeysSortAsBytes) {
  Batch batch;
  std::vector<std::string> keys = {std::string(1, '\0'),
                                   std::string(2, '\0'),
                                   "a",
                                   std::string("a\0", 2),
                                   "ab",
                                   "\x7f",
                                   "\x80",
                                   "\xff",
                                   "\xff\xff"};
  for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
    batch.Put(Table::kKey, *key, "v");
  }
  ASSERT_TRUE(backend_->Write(batch).ok());
  std::vector<std::string> found;
  for (auto& [key, value] : Scan(*ViewOf(backend_.get()), Table::kKey)) {
    found.push_back(key);
  }
  EXPECT_EQ(found, keys);
}

TEST_P(BackendSuite, LargeValues) {
  std::map<std::string, size_t> sizes = {{"a", 4000},   {"b", 4096},
                                         {"c", 100000}, {"d", 3 << 20},
                                         {"e", 1},      {"f", 65536}};
  Batch batch;
  for (auto& [key, size] : sizes) {
    batch.Put(Table::kKey, key, std::string(size, key[0]));
  }
  ASSERT_TRUE(backend_->Write(batch).ok());
  batch.Clear();
  batch.Erase(Table::kKey, "c");
  batch.Put(Table::kKey, "e", std::string(70000, 'E'));
  ASSERT_TRUE(backend_->Write(batch).ok());
  auto view = ViewOf(backend_.get());
  EXPECT_EQ(Get(*view, Table::kKey, "b"), std::string(4096, 'b'));
  EXPECT_EQ(Get(*view, Table::kKey, "c"), std::nullopt);
  EXPECT_EQ(Get(*view, Table::kKey, "d"), std::string(3 << 20, 'd'));
  EXPECT_EQ(Get(*view, Table::kKey, "e"), std::string(70000, 'E'));
}

TEST_P(BackendSuite, LongestKey) {
  Batch batch;
  std::string a(kMaxBackendKeyBytes, 'a');
  for (char c = 'a'; c < 'k'; ++c) {
    a.back() = c;
    batch.Put(Table::kKey, a, "v");
  }
  ASSERT_TRUE(backend_->Write(batch).ok());
  EXPECT_EQ(Scan(*ViewOf(backend_.get()), Table::kKey).size(), 10u);
}

TEST_P(BackendSuite, ABadBatchChangesNothing) {
  for (std::string key :
       {std::string(), std::string(kMaxBackendKeyBytes + 1, 'k')}) {
    Batch batch;
    batch.Put(Table::kKey, "a", "1");
    batch.Put(Table::kKey, key, "1");
    EXPECT_EQ(backend_->Write(batch).code(), Code::kInvalidArgument);
  }
  EXPECT_EQ(Scan(*ViewOf(backend_.get()), Table::kKey), Pairs());
  Batch batch;
  batch.Put(Table::kKey, "b", "1");
  EXPECT_TRUE(backend_->Write(batch).ok());
}

TEST_P(BackendSuite, EverythingErasedAgain) {
  Batch batch;
  for (int i = 0; i < 3000; ++i) {
    batch.Put(Table::kKey, RevisionKey(i), std::string(100, 'v'));
  }
  ASSERT_TRUE(backend_->Write(batch).ok());
  for (int from = 0; from < 3000; from += 500) {
    batch.Clear();
    for (int i = from; i < from + 500; ++i) {
      batch.Erase(Table::kKey, RevisionKey(i));
    }
    ASSERT_TRUE(backend_->Write(batch).ok());
    EXPECT_EQ(Scan(*ViewOf(backend_.get()), Table::kKey).size(), 2500u - from);
  }
}

TEST_P(BackendSuite, ReopenKeepsWhatWasSynced) {
  if (!home_->durable()) return;
  Batch batch;
  Pairs expected;
  for (int i = 0; i < 500; ++i) {
    batch.Put(Table::kKey, RevisionKey(i), std::to_string(i));
    expected.emplace_back(RevisionKey(i), std::to_string(i));
  }
  batch.Put(Table::kMeta, "consistent_index", "7");
  ASSERT_TRUE(backend_->Write(batch).ok());
  ASSERT_TRUE(backend_->Sync().ok());
  for (int i = 0; i < 3; ++i) {
    Reopen();
    auto view = ViewOf(backend_.get());
    EXPECT_EQ(Scan(*view, Table::kKey), expected);
    EXPECT_EQ(Get(*view, Table::kMeta, "consistent_index"), "7");
  }
}

TEST_P(BackendSuite, SizesFollowTheContent) {
  BackendSizes before = backend_->Sizes();
  Batch batch;
  for (int i = 0; i < 1000; ++i) {
    batch.Put(Table::kKey, RevisionKey(i), std::string(1000, 'v'));
  }
  ASSERT_TRUE(backend_->Write(batch).ok());
  BackendSizes full = backend_->Sizes();
  EXPECT_GE(full.in_use_bytes, before.in_use_bytes + 1000 * 1000);
  EXPECT_GE(full.file_bytes, full.in_use_bytes);
  batch.Clear();
  for (int i = 0; i < 1000; ++i) batch.Erase(Table::kKey, RevisionKey(i));
  ASSERT_TRUE(backend_->Write(batch).ok());
  for (int i = 0; i < 4; ++i) {
    batch.Clear();
    batch.Put(Table::kMeta, "tick", std::to_string(i));
    ASSERT_TRUE(backend_->Write(batch).ok());
  }
  EXPECT_LT(backend_->Sizes().in_use_bytes, before.in_use_bytes + 100 * 1000);
}

TEST_P(BackendSuite, SnapshotIsADatabase) {
  Batch batch;
  Model model;
  for (int i = 0; i < 3000; ++i) {
    batch.Put(Table::kKey, RevisionKey(i), std::string(i, 'v'));
    RowsOf(&model, Table::kKey)[RevisionKey(i)] = std::string(i, 'v');
  }
  batch.Put(Table::kMeta, "consistent_index", "7");
  RowsOf(&model, Table::kMeta)["consistent_index"] = "7";
  ASSERT_TRUE(backend_->Write(batch).ok());
  auto view = ViewOf(backend_.get());
  batch.Clear();
  for (int i = 0; i < 2000; ++i) batch.Erase(Table::kKey, RevisionKey(i));
  ASSERT_TRUE(backend_->Write(batch).ok());

  std::string copy;
  ASSERT_TRUE(backend_
                  ->WriteSnapshot(*view,
                                  [&](std::string_view piece) {
                                    copy += piece;
                                    return Status::Ok();
                                  })
                  .ok());
  std::string path = testing::TempDir() + "/snapshot.db";
  ASSERT_TRUE(WriteFileAtomically(Env::Posix(), path, copy).ok());
  auto opened = OpenBtreeBackend(Env::Posix(), path, {}, Logger::Null());
  ASSERT_TRUE(opened.ok()) << opened.ToString();
  ExpectEqual(*ViewOf(opened->get()), model);
  ASSERT_TRUE(
      (*opened)
          ->Check([](const std::string& fault) { ADD_FAILURE() << fault; })
          .ok());

  int pieces = 0;
  Status stopped = backend_->WriteSnapshot(*view, [&](std::string_view) {
    return ++pieces == 2 ? UnavailableError("enough") : Status::Ok();
  });
  EXPECT_EQ(stopped.code(), Code::kUnavailable);
  EXPECT_EQ(pieces, 2);
}

// --- Random batches beside a model, with views held at many states. ---

namespace {

class RandomRun {
 public:
  explicit RandomRun(uint64_t seed) : random_(seed) {}

  Batch NextBatch() {
    Batch batch;
    uint64_t shape = random_.Below(10);
    uint64_t changes = random_.Below(shape == 0 ? 600 : 30);
    for (uint64_t i = 0; i < changes; ++i) {
      if (shape < 4) {
        Put(&batch, Table::kKey, RevisionKey(++revision_));
      } else if (shape < 6) {
        Erase(&batch, Table::kKey, RevisionKey(random_.Below(revision_ + 1)));
      } else if (shape == 6) {
        EraseFirst(&batch);
      } else {
        Table table = kTables[random_.Below(kTableCount)];
        std::string key = "k" + std::to_string(random_.Below(300));
        if (random_.OneIn(3)) {
          Erase(&batch, table, key);
        } else {
          Put(&batch, table, key);
        }
      }
    }
    return batch;
  }

  const Model& model() const { return model_; }
  Random* random() { return &random_; }

 private:
  void Put(Batch* batch, Table table, const std::string& key) {
    uint64_t size = random_.OneIn(40)   ? random_.Below(20000)
                    : random_.OneIn(10) ? random_.Below(1500)
                                        : random_.Below(60);
    std::string value(size, static_cast<char>('a' + random_.Below(26)));
    batch->Put(table, key, value);
    RowsOf(&model_, table)[key] = value;
  }

  void Erase(Batch* batch, Table table, const std::string& key) {
    batch->Erase(table, key);
    RowsOf(&model_, table).erase(key);
  }

  // As a compaction does: from the left edge.
  void EraseFirst(Batch* batch) {
    Rows& rows = RowsOf(&model_, Table::kKey);
    if (!rows.empty()) {
      Erase(batch, Table::kKey, std::string(rows.begin()->first));
    }
  }

  Random random_;
  uint64_t revision_ = 0;
  Model model_;
};

struct Held {
  std::shared_ptr<const View> view;
  Model model;
};

}  // namespace

TEST_P(BackendSuite, RandomAgainstAModel) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    home_ = nullptr;
    backend_.reset();
    home_ = GetParam().make_home();
    Reopen();
    RandomRun run(seed);
    std::vector<Held> held;
    for (int step = 0; step < GetParam().random_steps; ++step) {
      ASSERT_TRUE(backend_->Write(run.NextBatch()).ok());
      if (run.random()->OneIn(8)) {
        held.push_back({ViewOf(backend_.get()), run.model()});
      }
      if (!held.empty() && run.random()->OneIn(8)) {
        size_t i = run.random()->Below(held.size());
        ExpectEqual(*held[i].view, held[i].model);
        held.erase(held.begin() + i);
      }
      if (home_->durable() && run.random()->OneIn(60)) {
        held.clear();
        ASSERT_TRUE(backend_->Sync().ok());
        Reopen();
      }
      if (HasFatalFailure()) return;
    }
    for (const Held& one : held) ExpectEqual(*one.view, one.model);
    ExpectEqual(*ViewOf(backend_.get()), run.model());
    held.clear();
    TearDown();
  }
}

}  // namespace strata
