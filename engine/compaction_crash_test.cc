#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/fake_env.h"
#include "base/sim_loop.h"
#include "engine/btree_backend.h"
#include "engine/key_value.h"
#include "engine/meta.h"
#include "engine/store_impl.h"
#include "engine/store_testing.h"

// A compaction that loses power at each operation of the disk in turn, in each
// of its steps, with another one asked for while it works. Whatever was left,
// the next start reads the same and ends it.
namespace strata {
namespace {

constexpr int kKeys = 25;
constexpr int kRounds = 8;
constexpr int64_t kFirstAt = 100;
const std::string kAll("\0", 1);

std::string Key(int i) { return "key" + std::to_string(i); }

// A store on a fake disk. The disk may fail it at any time.
class Bed {
 public:
  explicit Bed(FakeEnv* env) : flusher_(world_.NewLoop("flusher")) {
    BtreeOptions btree;
    btree.page_size = 1024;
    btree.initial_mmap_bytes = 1 << 20;
    auto backend = OpenBtreeBackend(env, "db", btree, Logger::Null());
    if (!backend.ok()) return;
    StoreOptions options;
    options.flusher = flusher_.get();
    options.compaction_batch = 1;
    options.compaction_stage = 15;
    options.on_fatal = [](const Status&) {};
    auto store = Store::Open(std::move(*backend), options, Logger::Null());
    if (!store.ok()) return;
    store_ = std::move(*store);
    index_ = store_->flushed().value();
  }
  ~Bed() {
    flusher_->Halt();
    store_.reset();
  }

  bool open() const { return store_ != nullptr; }
  Store* store() { return store_.get(); }

  // Rounds of puts, in which some keys are deleted now and then.
  void Fill() {
    for (int round = 0; round < kRounds; ++round) {
      for (int i = 0; i < kKeys; ++i) {
        const std::string key = Key(i);
        if (round % 2 == 1 && i % 4 == round % 3) {
          CHECK_OK(store_->DeleteRange({.range = {key, {}}}));
        } else {
          // Now and then with a page of its own.
          const std::string value(i % 5 == 0 ? 3000 : 20, 'a' + round);
          CHECK_OK(store_->Put({.key = key, .value = value}));
        }
        store_->EndEntry(LogIndex(++index_), Term(1));
      }
    }
  }

  void Compact(int64_t at) {
    CHECK_OK(store_->Compact(Revision(at), nullptr));
    store_->EndEntry(LogIndex(++index_), Term(1));
  }

  void Work() { world_.RunFor(std::chrono::seconds(2)); }
  void WorkFor(Duration duration) { world_.RunFor(duration); }

 private:
  SimWorld world_;
  std::unique_ptr<SimLoop> flusher_;
  std::unique_ptr<Store> store_;
  uint64_t index_ = 0;
};

// What can be read: the answer at each revision, by revision.
std::map<int64_t, std::string> Reads(const Store& store) {
  std::map<int64_t, std::string> reads;
  const int64_t from = std::max<int64_t>(1, store.compact_revision().value());
  for (int64_t at = from; at <= store.revision().value(); ++at) {
    RangeRequest all{.range = {kAll, kAll}, .revision = Revision(at)};
    const auto result = store.Range(all);
    CHECK_OK(result);
    reads[at] = testing::ToString(*result);
  }
  return reads;
}

// The keys of the key table, and the meta records that tell of compactions.
std::string Tables(FakeEnv* env) {
  BtreeOptions btree;
  btree.initial_mmap_bytes = 1 << 20;
  auto backend = OpenBtreeBackend(env, "db", btree, Logger::Null());
  CHECK_OK(backend);
  CHECK_OK((*backend)->Check(
      [](const std::string& fault) { ADD_FAILURE() << fault; }));
  auto view = (*backend)->NewView();
  CHECK_OK(view);
  std::string text;
  auto iterator = (*view)->NewIterator(Table::kKey);
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
    text += ToHex(iterator->key()) + "\n";
  }
  for (const auto name : {meta::kScheduledCompact, meta::kFinishedCompact}) {
    const auto record = (*view)->Get(Table::kMeta, name);
    CHECK_OK(record);
    text += record->has_value() ? ToHex(**record) : "none";
    text += "\n";
  }
  return text;
}

// From a disk that has all changes to one where both compactions are through;
// `work` is called before each is asked for and at the end.
void CompactTwice(Bed* bed) {
  bed->Compact(kFirstAt);
  bed->WorkFor(std::chrono::milliseconds(103));  // into the middle of it
  bed->Compact(bed->store()->revision().value() - 3);
  bed->Work();
}

// Power is back: the watermark may be the old, the first or the second, and
// reads are right for it. The compaction goes on; then, if the second was lost,
// the log asks for it again.
void ExpectGoesOn(FakeEnv* after, const std::map<int64_t, std::string>& reads,
                  const std::string& tables) {
  {
    Bed bed(after);
    ASSERT_TRUE(bed.open());
    const auto check = [&] {
      for (const auto& [at, text] : Reads(*bed.store())) {
        ASSERT_EQ(text, reads.at(at)) << "at " << at;
      }
    };
    check();
    bed.Work();
    check();
    static_cast<StoreImpl*>(bed.store())->Check();
    const int64_t last = bed.store()->revision().value() - 3;
    if (bed.store()->compact_revision() < Revision(last)) bed.Compact(last);
    bed.Work();
    check();
  }
  EXPECT_EQ(Tables(after), tables);
}

TEST(CompactionCrashTest, GoesOnFromEachStep) {
  FakeEnv filled;
  std::map<int64_t, std::string> reads;
  {
    Bed bed(&filled);
    bed.Fill();
    bed.Work();
    reads = Reads(*bed.store());
  }
  const auto whole = filled.AfterPowerLoss(PowerLoss::Everything());
  {
    Bed bed(whole.get());
    CompactTwice(&bed);
  }
  const std::string tables = Tables(whole.get());
  uint64_t point = 1;
  for (;; ++point) {
    const auto env = filled.AfterPowerLoss(PowerLoss::Everything());
    {
      Bed bed(env.get());
      ASSERT_TRUE(bed.open());
      env->PowerOffAt(point);
      CompactTwice(&bed);
    }
    if (!env->powered_off()) break;
    for (uint64_t seed = 0; seed < 3; ++seed) {
      SCOPED_TRACE("point " + std::to_string(point) + " seed " +
                   std::to_string(seed));
      const PowerLoss loss =
          seed == 0 ? PowerLoss::Nothing() : PowerLoss::Random(seed * point);
      const auto after = env->AfterPowerLoss(loss);
      ExpectGoesOn(after.get(), reads, tables);
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(point, 60u) << "too few steps to be a test";
}

}  // namespace
}  // namespace strata
