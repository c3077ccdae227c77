// Power goes off at every operation of a run of commits, with what was not
// synced surviving in many combinations; afterwards the file must open, be
// sound, and hold a prefix of the batches with all that were acknowledged.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/fake_env.h"
#include "base/random.h"
#include "engine/btree/database.h"
#include "engine/btree/file_testing.h"
#include "engine/btree/meta.h"

namespace strata::btree {
namespace {

constexpr char kPath[] = "d/db";
constexpr Table kTables[] = {Table::kKey, Table::kMeta, Table::kLease};

using Model = std::map<std::pair<Table, std::string>, std::string>;

// Batches that append, overwrite, erase and grow the file, and the state after
// each of them. From batch `drain` on, each erases half of what is there.
class Story {
 public:
  Story(uint64_t seed, int batches, int drain = 1000)
      : random_(seed), drain_(drain) {
    states_.push_back({});
    for (int i = 0; i < batches; ++i) AddBatch(i);
  }

  const std::vector<Batch>& batches() const { return batches_; }
  // After that many batches.
  const Model& state(size_t batches) const { return states_[batches]; }

 private:
  void AddBatch(int number) {
    Batch batch;
    Model model = states_.back();
    const uint64_t puts = random_.Between(1, 8);
    for (uint64_t i = 0; i < puts; ++i) {
      const uint64_t size = random_.OneIn(6) ? random_.Below(9000) : 200;
      Put(&batch, &model, Table::kKey, "r" + std::to_string(++revision_ + 1000),
          std::string(size, static_cast<char>('a' + number % 26)));
    }
    if (number % 3 == 2) {
      for (int i = 0; i < 6 && !model.empty(); ++i) {
        const auto [table, key] = model.begin()->first;
        batch.Erase(table, key);
        model.erase({table, key});
      }
    }
    if (number >= drain_) EraseHalf(&batch, &model);
    Put(&batch, &model, Table::kMeta, "applied", std::to_string(number));
    Put(&batch, &model, Table::kLease, "l" + std::to_string(random_.Below(40)),
        std::string(40, 'l'));
    batches_.push_back(std::move(batch));
    states_.push_back(std::move(model));
  }

  static void EraseHalf(Batch* batch, Model* model) {
    bool odd = false;
    for (auto at = model->begin(); at != model->end();) {
      odd = !odd;
      if (odd) batch->Erase(at->first.first, at->first.second);
      at = odd ? model->erase(at) : std::next(at);
    }
  }

  static void Put(Batch* batch, Model* model, Table table,
                  const std::string& key, const std::string& value) {
    batch->Put(table, key, value);
    (*model)[{table, key}] = value;
  }

  Random random_;
  const int drain_;
  uint64_t revision_ = 0;
  std::vector<Batch> batches_;
  std::vector<Model> states_;
};

StatusOr<std::unique_ptr<Backend>> Open(Env* env, const BtreeOptions& options,
                                        const PlantedBugs& bugs = {}) {
  return OpenDatabase(env, kPath, options, Logger::Null(), bugs);
}

StatusOr<Model> ReadAll(Backend* backend) {
  Model model;
  ASSIGN_OR_RETURN(auto view, backend->NewView());
  for (Table table : kTables) {
    auto it = view->NewIterator(table);
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      model[{table, std::string(it->key())}] = it->value();
    }
    RETURN_IF_ERROR(it->status());
  }
  return model;
}

uint64_t FileBytes(Env* env) {
  auto file = env->Open(kPath, OpenMode::kReadOnly);
  CHECK_OK(file);
  auto size = (*file)->Size();
  CHECK_OK(size);
  return *size;
}

// Whether the file has all pages that either meta names, as a way back to the
// older one's state needs.
std::string FaultOfLength(Env* env) {
  if (!env->Exists(kPath)) return "";  // the power went before it was made
  auto file = env->Open(kPath, OpenMode::kReadOnly);
  if (!file.ok()) return file.ToString();
  uint64_t page_size = 0;
  for (int slot = 0; slot < 2; ++slot) {
    char bytes[kHeaderBytes + sizeof(Meta)];
    CHECK_OK((*file)->ReadAt(slot * page_size, sizeof bytes, bytes));
    Meta meta;
    std::string fault = DecodeMeta(bytes, slot, &meta);
    if (!fault.empty()) return fault;
    page_size = meta.page_size;
    if (meta.high_water * page_size > FileBytes(env)) {
      return "the file ends before the pages of meta " + std::to_string(slot);
    }
  }
  return "";
}

// What is wrong with the database on `env`, if `acknowledged` batches of
// `story` had been written for sure; empty if nothing.
std::string Fault(Env* env, const Story& story, size_t acknowledged,
                  const BtreeOptions& options) {
  std::string fault = FaultOfLength(env);
  if (!fault.empty()) return fault;
  auto backend = Open(env, options);
  if (!backend.ok()) return backend.ToString();
  Status checked = (*backend)->Check([&](const std::string& f) { fault = f; });
  if (!checked.ok()) return checked.ToString();
  if (!fault.empty()) return fault;
  auto model = ReadAll(backend->get());
  if (!model.ok()) return model.ToString();
  size_t written = acknowledged;
  const size_t last = std::min(acknowledged + 1, story.batches().size());
  while (written <= last && *model != story.state(written)) ++written;
  if (written > last) {
    return "not the state after " + std::to_string(acknowledged) +
           " or one more batches";
  }
  // The file can be written on.
  for (size_t i = written; i < story.batches().size() && i < written + 2; ++i) {
    Status status = (*backend)->Write(story.batches()[i]);
    if (!status.ok()) return status.ToString();
    model = ReadAll(backend->get());
    if (!model.ok() || *model != story.state(i + 1)) return "after a write";
  }
  checked = (*backend)->Check([&](const std::string& f) { fault = f; });
  return fault;
}

// All outcomes of losing power now: each combination of the first few unsynced
// things, and random ones of all.
std::string FaultAfterPowerLoss(const FakeEnv& env, const Story& story,
                                size_t acknowledged,
                                const BtreeOptions& options) {
  std::vector<PowerLoss> losses = {PowerLoss::Nothing(),
                                   PowerLoss::Everything()};
  const size_t things = std::min<size_t>(env.UnsyncedThings(), 4);
  for (uint64_t mask = 0; mask < (uint64_t{1} << things); ++mask) {
    losses.push_back(PowerLoss::Mask(mask));
  }
  for (uint64_t seed = 0; seed < 12; ++seed) {
    losses.push_back(PowerLoss::Random(seed));
  }
  for (const PowerLoss& loss : losses) {
    auto after = env.AfterPowerLoss(loss);
    std::string fault = Fault(after.get(), story, acknowledged, options);
    if (!fault.empty()) return fault;
  }
  return "";
}

// How a story is told: with steps of a shrinking after each batch, and to its
// end after the last.
struct Telling {
  BtreeOptions options = {};
  PlantedBugs bugs = {};
  bool shrink = false;
  bool foreign = false;  // what is before was written by bbolt
};

// False if the power is off.
bool Shrink(Backend* backend, int steps) {
  for (int i = 0; i < steps; ++i) {
    auto progress = backend->ShrinkStep(64 << 10);
    if (!progress.ok()) return false;
    if (progress->done) break;
  }
  return true;
}

// Writes the batches from `from` on until the power is off; how many were
// acknowledged in all.
size_t WriteStory(Env* env, const Story& story, size_t from,
                  const Telling& telling) {
  auto backend = Open(env, telling.options, telling.bugs);
  if (!backend.ok()) return from;
  for (size_t i = from; i < story.batches().size(); ++i) {
    if (!(*backend)->Write(story.batches()[i]).ok()) return i;
    if (telling.shrink && !Shrink(backend->get(), 2)) return i + 1;
  }
  if (telling.shrink) Shrink(backend->get(), 200);
  return story.batches().size();
}

struct CrashRun {
  uint64_t points = 0;
  uint64_t cuts = 0;  // of the file, by the run that no power loss ended
  std::string fault;
};

// Power off at every operation of the batches from `from` on.
CrashRun CrashEverywhere(const Story& story, size_t from, Telling telling) {
  telling.options.initial_mmap_bytes = 0;
  const BtreeOptions& options = telling.options;
  FakeEnv start;
  CHECK_OK(start.MakeDirs("d"));
  {
    auto backend = Open(&start, options);
    CHECK_OK(backend);
    for (size_t i = 0; i < from; ++i) {
      CHECK_OK((*backend)->Write(story.batches()[i]));
    }
  }
  if (telling.foreign) {
    auto bytes = ReadFile(&start, kPath, 64 << 20);
    CHECK_OK(bytes);
    CHECK_OK(WriteFileAtomically(&start, kPath, WithoutSums(*bytes)));
  }
  CrashRun run;
  for (;;) {
    auto env = start.AfterPowerLoss(PowerLoss::Everything());
    env->PowerOffAt(run.points + 1);
    run.cuts = 0;
    uint64_t length = FileBytes(env.get());
    env->SetObserver([&](const DiskAccess& access) {
      if (access.operation != DiskOperation::kResize) return;
      run.cuts += access.size < length ? 1 : 0;
      length = access.size;
    });
    const size_t acknowledged = WriteStory(env.get(), story, from, telling);
    if (!env->powered_off()) return run;
    ++run.points;
    run.fault = FaultAfterPowerLoss(*env, story, acknowledged, options);
    if (!run.fault.empty()) {
      run.fault = "point " + std::to_string(run.points) + ": " + run.fault;
      return run;
    }
  }
}

class CrashTest : public testing::TestWithParam<BtreeOptions> {};

INSTANTIATE_TEST_SUITE_P(
    Options, CrashTest,
    testing::Values(BtreeOptions{},
                    BtreeOptions{.freelist_type = FreelistType::kArray,
                                 .freelist_sync = true},
                    BtreeOptions{.page_size = 1024, .freelist_sync = true}));

TEST_P(CrashTest, EveryPointOfYoungFile) {
  Story story(1, 8);
  CrashRun run = CrashEverywhere(story, 0, {.options = GetParam()});
  EXPECT_EQ(run.fault, "");
  EXPECT_GT(run.points, 40u);
}

TEST_P(CrashTest, EveryPointOfOlderFile) {
  Story story(2, 40);
  CrashRun run = CrashEverywhere(story, 32, {.options = GetParam()});
  EXPECT_EQ(run.fault, "");
  EXPECT_GT(run.points, 40u);
}

// The mark that every page has a sum is never there too early.
TEST_P(CrashTest, EveryPointOfForeignFile) {
  Story story(3, 22);
  Telling telling = {.options = GetParam(), .foreign = true};
  CrashRun run = CrashEverywhere(story, 14, telling);
  EXPECT_EQ(run.fault, "");
  EXPECT_GE(run.points, 30u);
  telling.bugs = {.mark_at_once = true};
  EXPECT_NE(CrashEverywhere(story, 14, telling).fault, "");
}

TEST_P(CrashTest, EveryPointOfShrinking) {
  Story story(3, 26, /*drain=*/23);
  CrashRun run =
      CrashEverywhere(story, 22, {.options = GetParam(), .shrink = true});
  EXPECT_EQ(run.fault, "");
  EXPECT_GT(run.points, 40u);
  EXPECT_GT(run.cuts, 0u);
}

// A bug is found if some point of some story shows it.
bool Finds(const PlantedBugs& bugs, const BtreeOptions& options,
           bool shrink = false) {
  const Telling telling = {.options = options, .bugs = bugs, .shrink = shrink};
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    Story story(seed, 16, shrink ? 12 : 1000);
    if (!CrashEverywhere(story, 4, telling).fault.empty()) return true;
  }
  return false;
}

TEST_P(CrashTest, PlantedBugsAreFound) {
  EXPECT_TRUE(Finds({.no_page_sync = true}, GetParam()));
  EXPECT_TRUE(Finds({.no_growth_sync = true}, GetParam()));
  EXPECT_TRUE(Finds({.meta_before_pages = true}, GetParam()));
  EXPECT_TRUE(Finds({.reuse_at_once = true}, GetParam()));
  EXPECT_TRUE(Finds({.no_page_sync = true}, GetParam(), /*shrink=*/true));
  EXPECT_TRUE(Finds({.reuse_at_once = true}, GetParam(), /*shrink=*/true));
  EXPECT_TRUE(Finds({.cut_under_meta = true}, GetParam(), /*shrink=*/true));
}

TEST(CrashOfCreationTest, EveryPoint) {
  Story story(1, 2);
  BtreeOptions options;
  options.initial_mmap_bytes = 0;
  for (uint64_t point = 1;; ++point) {
    FakeEnv env;
    CHECK_OK(env.MakeDirs("d"));
    env.PowerOffAt(point);
    Open(&env, options).status().IgnoreError();  // may be cut off
    if (!env.powered_off()) {
      EXPECT_GT(point, 5u);
      return;
    }
    EXPECT_EQ(FaultAfterPowerLoss(env, story, 0, options), "") << point;
  }
}

// Once OpenDatabase() returned, the new file's name is there to stay.
TEST(CrashOfCreationTest, TheNameIsDurable) {
  FakeEnv env;
  CHECK_OK(env.MakeDirs("d"));
  BtreeOptions options;
  options.initial_mmap_bytes = 0;
  CHECK_OK(Open(&env, options));
  EXPECT_TRUE(env.AfterPowerLoss(PowerLoss::Nothing())->Exists(kPath));
}

// --- The order of a commit, as the disk sees it. ---

std::string OrderOf(FakeEnv* env, Backend* backend, const Batch& batch) {
  std::string order;
  uint64_t page_size = 4096;
  env->SetObserver([&](const DiskAccess& access) {
    char letter = 0;
    switch (access.operation) {
      case DiskOperation::kWrite:
        letter = access.offset < 2 * page_size ? 'm' : 'p';
        break;
      case DiskOperation::kSync:
        letter = 's';
        break;
      case DiskOperation::kResize:
        letter = 'g';
        break;
      case DiskOperation::kRead:
        return;
      default:
        letter = '?';
    }
    if (letter != 'p' || order.empty() || order.back() != 'p') order += letter;
  });
  EXPECT_TRUE(backend->Write(batch).ok());
  env->SetObserver({});
  return order;
}

TEST(CommitTest, Order) {
  FakeEnv env;
  CHECK_OK(env.MakeDirs("d"));
  BtreeOptions options;
  options.initial_mmap_bytes = 0;
  auto backend = Open(&env, options);
  CHECK_OK(backend);
  Batch small;
  small.Put(Table::kMeta, "a", "1");
  Batch large;
  large.Put(Table::kKey, "a", std::string(100000, 'v'));
  OrderOf(&env, backend->get(), small);
  OrderOf(&env, backend->get(), small);
  OrderOf(&env, backend->get(), small);
  EXPECT_EQ(OrderOf(&env, backend->get(), small), "psms");
  EXPECT_EQ(OrderOf(&env, backend->get(), large), "gspsms");
  EXPECT_EQ(OrderOf(&env, backend->get(), Batch()), "");
}

// --- A disk that is full or fails. ---

class FailingDiskTest : public testing::Test {
 protected:
  void SetUp() override {
    CHECK_OK(env_.MakeDirs("d"));
    options_.initial_mmap_bytes = 0;
    Reopen();
  }

  void Reopen() {
    backend_.reset();
    auto opened = Open(&env_, options_);
    CHECK_OK(opened);
    backend_ = std::move(opened).value();
  }

  Status Put(const std::string& key, size_t size = 10) {
    Batch batch;
    batch.Put(Table::kKey, key, std::string(size, 'v'));
    return backend_->Write(batch);
  }

  bool Has(const std::string& key) {
    auto view = backend_->NewView();
    CHECK_OK(view);
    auto got = (*view)->Get(Table::kKey, key);
    CHECK_OK(got);
    return got->has_value();
  }

  void ExpectSound() {
    EXPECT_TRUE(
        backend_
            ->Check([](const std::string& fault) { ADD_FAILURE() << fault; })
            .ok());
  }

  FakeEnv env_;
  BtreeOptions options_;
  std::unique_ptr<Backend> backend_;
};

TEST_F(FailingDiskTest, AFullDiskIsWaitedOut) {
  ASSERT_TRUE(Put("a").ok());
  env_.SetCapacity(env_.UsedBytes() + 20000);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Put("big", 200000).code(), Code::kResourceExhausted);
    EXPECT_FALSE(Has("big"));
    EXPECT_TRUE(Has("a"));
    ExpectSound();
  }
  EXPECT_TRUE(Put("small").ok());
  env_.SetCapacity(UINT64_MAX);
  EXPECT_TRUE(Put("big", 200000).ok());
  ExpectSound();
  Reopen();
  EXPECT_TRUE(Has("a") && Has("small") && Has("big"));
  ExpectSound();
}

// After any other failure nothing more is written, and what is on the disk is
// the state before or the one after.
TEST_F(FailingDiskTest, AFailedOperationIsFinal) {
  ASSERT_TRUE(Put("a").ok());
  const std::vector<DiskOperation> kinds = {
      DiskOperation::kResize, DiskOperation::kSync, DiskOperation::kWrite};
  int failures = 0;
  for (DiskOperation kind : kinds) {
    for (uint64_t skip = 0; skip < 4; ++skip) {
      const std::string key = "k" + std::to_string(++failures);
      env_.Inject({.operation = kind, .skip = skip});
      Status status = Put(key, 100000 * failures);
      env_.ClearFaults();
      if (status.ok()) continue;
      EXPECT_EQ(status.code(), Code::kDataLoss);
      EXPECT_EQ(Put("later"), status);
      EXPECT_EQ(backend_->Sync(), status);
      EXPECT_FALSE(Has(key));
      EXPECT_TRUE(Has("a"));
      Reopen();
      EXPECT_TRUE(Has("a"));
      EXPECT_FALSE(Has("later"));
      ExpectSound();
    }
  }
}

// A sync that fails for want of space is final too.
TEST_F(FailingDiskTest, ASyncThatFindsNoSpaceIsFinal) {
  env_.Inject({.operation = DiskOperation::kSync,
               .status = ResourceExhaustedError("no space")});
  EXPECT_EQ(Put("a").code(), Code::kDataLoss);
  EXPECT_EQ(Put("b").code(), Code::kDataLoss);
}

TEST_F(FailingDiskTest, ASecondOpenIsTurnedAway) {
  EXPECT_EQ(Open(&env_, options_).status().code(), Code::kUnavailable);
}

}  // namespace
}  // namespace strata::btree
