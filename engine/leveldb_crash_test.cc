// Power goes off at every operation of a run of writes, with what was not
// synced surviving in many combinations; afterwards the directory must open, be
// sound, and hold a prefix of the batches with all that were synced. And disks
// that fail, fill up or rot.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/fake_env.h"
#include "base/random.h"
#include "engine/leveldb_backend.h"

namespace strata {
namespace {

constexpr char kPath[] = "d/leveldb";
constexpr Table kTables[] = {Table::kKey, Table::kMeta, Table::kLease};
// LevelDB's least: tables are written every few batches.
constexpr LeveldbOptions kSmall = {.write_buffer_bytes = 64 << 10};

using Model = std::map<std::pair<Table, std::string>, std::string>;

// Batches that append, overwrite and erase, and the state after each of them.
class Story {
 public:
  Story(uint64_t seed, int batches) : random_(seed) {
    states_.push_back({});
    for (int i = 0; i < batches; ++i) AddBatch(i);
  }

  const std::vector<Batch>& batches() const { return batches_; }
  // After that many batches.
  const Model& state(size_t batches) const { return states_[batches]; }
  size_t size() const { return batches_.size(); }

 private:
  void AddBatch(int number) {
    Batch batch;
    Model model = states_.back();
    const uint64_t puts = random_.Between(1, 6);
    for (uint64_t i = 0; i < puts; ++i) {
      const uint64_t size = random_.OneIn(3) ? random_.Below(20000) : 300;
      Put(&batch, &model, Table::kKey, "r" + std::to_string(++revision_ + 1000),
          Noise(size));
    }
    if (number % 3 == 2) {
      for (int i = 0; i < 6 && !model.empty(); ++i) {
        const auto [table, key] = model.begin()->first;
        batch.Erase(table, key);
        model.erase({table, key});
      }
    }
    Put(&batch, &model, Table::kMeta, "applied", std::to_string(number));
    Put(&batch, &model, Table::kLease, "l" + std::to_string(random_.Below(40)),
        std::string(40, 'l'));
    batches_.push_back(std::move(batch));
    states_.push_back(std::move(model));
  }

  std::string Noise(uint64_t size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random_.Next());
    return bytes;
  }

  static void Put(Batch* batch, Model* model, Table table,
                  const std::string& key, const std::string& value) {
    batch->Put(table, key, value);
    (*model)[{table, key}] = value;
  }

  Random random_;
  uint64_t revision_ = 0;
  std::vector<Batch> batches_;
  std::vector<Model> states_;
};

StatusOr<std::unique_ptr<Backend>> Open(
    Env* env, const LeveldbBugs& bugs = {},
    const LeveldbOptions& options = kSmall) {
  return OpenLeveldbBackend(env, kPath, options, Logger::Null(), bugs);
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

std::string FaultOf(Backend* backend) {
  std::string fault;
  Status checked = backend->Check([&](const std::string& f) { fault = f; });
  return checked.ok() ? fault : checked.ToString();
}

// How far a run came: all before `synced` must be there, none from `tried` on.
struct Progress {
  size_t synced = 0;
  size_t tried = 0;
};

// What is wrong with the backend on `env`; empty if nothing.
std::string Fault(Env* env, const Story& story, Progress progress,
                  const LeveldbBugs& bugs) {
  auto backend = Open(env, bugs);
  if (!backend.ok()) return backend.ToString();
  if (std::string fault = FaultOf(backend->get()); !fault.empty()) return fault;
  auto model = ReadAll(backend->get());
  if (!model.ok()) return model.ToString();
  size_t written = progress.synced;
  while (written <= progress.tried && *model != story.state(written)) {
    ++written;
  }
  if (written > progress.tried) {
    return "not the state after " + std::to_string(progress.synced) + " to " +
           std::to_string(progress.tried) + " batches";
  }
  // It can be written on, and is the same when it is opened again.
  for (size_t i = written; i < story.size() && i < written + 2; ++i) {
    Status status = (*backend)->Write(story.batches()[i]);
    if (!status.ok()) return status.ToString();
    written = i + 1;
  }
  backend->reset();
  backend = Open(env, bugs);
  if (!backend.ok()) return "again: " + backend.ToString();
  model = ReadAll(backend->get());
  if (!model.ok() || *model != story.state(written)) return "after a write";
  return FaultOf(backend->get());
}

// All outcomes of losing power now: each combination of the first few unsynced
// things, and random ones of all.
std::string FaultAfterPowerLoss(const FakeEnv& env, const Story& story,
                                Progress progress, const LeveldbBugs& bugs) {
  std::vector<PowerLoss> losses = {PowerLoss::Nothing(),
                                   PowerLoss::Everything()};
  const size_t things = std::min<size_t>(env.UnsyncedThings(), 3);
  for (uint64_t mask = 0; mask < (uint64_t{1} << things); ++mask) {
    losses.push_back(PowerLoss::Mask(mask));
  }
  for (uint64_t seed = 0; seed < 6; ++seed) {
    losses.push_back(PowerLoss::Random(seed));
  }
  for (const PowerLoss& loss : losses) {
    auto after = env.AfterPowerLoss(loss);
    std::string fault = Fault(after.get(), story, progress, bugs);
    if (!fault.empty()) return fault;
  }
  return "";
}

// Writes until the power is off; every third batch, and the last, is synced.
Progress WriteStory(Env* env, const Story& story, Progress progress,
                    const LeveldbBugs& bugs) {
  auto backend = Open(env, bugs);
  if (!backend.ok()) return progress;
  for (size_t i = progress.tried; i < story.size(); ++i) {
    progress.tried = i + 1;
    if (!(*backend)->Write(story.batches()[i]).ok()) return progress;
    if (i % 3 != 0 && i + 1 < story.size()) continue;
    if (!(*backend)->Sync().ok()) return progress;
    progress.synced = i + 1;
  }
  return progress;
}

struct CrashRun {
  uint64_t points = 0;
  std::string fault;
};

FakeEnvOptions SmallDisk() { return {.file_bytes_max = 8 << 20}; }

// Power off at every `stride`-th operation of the batches from `from` on.
CrashRun CrashEverywhere(const Story& story, size_t from, uint64_t stride,
                         const LeveldbBugs& bugs) {
  FakeEnv start(SmallDisk());
  {
    auto backend = Open(&start);
    CHECK_OK(backend);
    for (size_t i = 0; i < from; ++i) {
      CHECK_OK((*backend)->Write(story.batches()[i]));
    }
    CHECK_OK((*backend)->Sync());
  }
  CrashRun run;
  for (uint64_t point = 1;; point += stride) {
    auto env = start.AfterPowerLoss(PowerLoss::Everything());
    env->PowerOffAt(point);
    const Progress progress =
        WriteStory(env.get(), story, {.synced = from, .tried = from}, bugs);
    if (!env->powered_off()) return run;
    ++run.points;
    run.fault = FaultAfterPowerLoss(*env, story, progress, bugs);
    if (!run.fault.empty()) {
      run.fault = "point " + std::to_string(point) + ": " + run.fault;
      return run;
    }
  }
}

TEST(LeveldbCrashTest, EveryPointOfAYoungDirectory) {
  const CrashRun run = CrashEverywhere(Story(1, 12), 0, 1, {});
  EXPECT_EQ(run.fault, "");
  EXPECT_GT(run.points, 60u);
}

// Long enough for tables to be merged.
TEST(LeveldbCrashTest, PointsOfAnOlderDirectory) {
  const CrashRun run = CrashEverywhere(Story(2, 60), 36, 3, {});
  EXPECT_EQ(run.fault, "");
  EXPECT_GT(run.points, 30u);
}

TEST(LeveldbCrashTest, EveryPointOfCreation) {
  const Story story(1, 2);
  for (uint64_t point = 1;; ++point) {
    FakeEnv env(SmallDisk());
    env.PowerOffAt(point);
    Open(&env).status().IgnoreError();  // may be cut off
    if (!env.powered_off()) {
      EXPECT_GT(point, 10u);
      return;
    }
    ASSERT_EQ(FaultAfterPowerLoss(env, story, {}, {}), "") << point;
  }
}

// A bug is found if some point of some story shows it.
bool Finds(const LeveldbBugs& bugs) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    if (!CrashEverywhere(Story(seed, 24), 3, 1, bugs).fault.empty()) {
      return true;
    }
  }
  return false;
}

TEST(LeveldbCrashTest, PlantedBugsAreFound) {
  EXPECT_TRUE(Finds({.no_sync_at_log_close = true}));
  EXPECT_TRUE(Finds({.no_directory_sync = true}));
  EXPECT_TRUE(Finds({.keep_torn_tail = true}));
}

// --- A disk that is full, fails, or rots. ---

class LeveldbDiskTest : public testing::Test {
 protected:
  LeveldbDiskTest() : env_(SmallDisk()) { Reopen(); }

  void Reopen() {
    backend_.reset();
    auto opened = Open(&env_);
    CHECK_OK(opened);
    backend_ = std::move(opened).value();
  }

  Status Put(const std::string& key, size_t size = 10) {
    Batch batch;
    batch.Put(Table::kKey, key, std::string(size, 'v'));
    RETURN_IF_ERROR(backend_->Write(batch));
    return backend_->Sync();
  }

  bool Has(const std::string& key) {
    auto view = backend_->NewView();
    CHECK_OK(view);
    auto got = (*view)->Get(Table::kKey, key);
    CHECK_OK(got);
    return got->has_value();
  }

  FakeEnv env_;
  std::unique_ptr<Backend> backend_;
};

TEST_F(LeveldbDiskTest, AFullDiskIsWaitedOutByTheLog) {
  ASSERT_TRUE(Put("a").ok());
  env_.SetCapacity(env_.UsedBytes() + 20000);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Put("big", 2000000).code(), Code::kResourceExhausted);
    EXPECT_FALSE(Has("big"));
    EXPECT_TRUE(Has("a"));
  }
  EXPECT_TRUE(Put("small").ok());
  env_.SetCapacity(UINT64_MAX);
  EXPECT_TRUE(Put("big", 2000000).ok());
  EXPECT_EQ(FaultOf(backend_.get()), "");
  Reopen();
  EXPECT_TRUE(Has("a") && Has("small") && Has("big"));
}

// Nor is a new log that finds no room the end.
TEST_F(LeveldbDiskTest, AFullDiskIsWaitedOutByTheNextLog) {
  Batch large;
  large.Put(Table::kKey, "a", std::string(100000, 'v'));
  ASSERT_TRUE(backend_->Write(large).ok());
  env_.SetCapacity(env_.UsedBytes());
  EXPECT_EQ(Put("b").code(), Code::kResourceExhausted);
  EXPECT_FALSE(Has("b"));
  env_.SetCapacity(UINT64_MAX);
  EXPECT_TRUE(Put("b").ok());
  EXPECT_EQ(FaultOf(backend_.get()), "");
  Reopen();
  EXPECT_TRUE(Has("a") && Has("b"));
}

// After any other failure nothing more is written, and what is on the disk is
// the state before or one after.
TEST_F(LeveldbDiskTest, AFailedOperationIsFinal) {
  ASSERT_TRUE(Put("a").ok());
  const std::vector<DiskOperation> kinds = {
      DiskOperation::kSync, DiskOperation::kWrite, DiskOperation::kCreate,
      DiskOperation::kSyncDir};
  int failures = 0;
  for (DiskOperation kind : kinds) {
    for (uint64_t skip = 0; skip < 8; ++skip) {
      const std::string key =
          "k" + std::to_string(kind == kinds[0]) + std::to_string(skip);
      env_.Inject({.operation = kind, .skip = skip});
      Status status = Put(key, 70000);
      if (status.ok()) status = Put(key + "b", 70000);
      if (status.ok()) status = Put(key + "c", 70000);
      env_.ClearFaults();
      if (status.ok()) continue;
      ++failures;
      EXPECT_NE(status.code(), Code::kResourceExhausted) << status;
      EXPECT_EQ(Put("later"), status);
      EXPECT_EQ(backend_->Sync(), status);
      EXPECT_TRUE(Has("a"));
      Reopen();
      EXPECT_TRUE(Has("a"));
      EXPECT_FALSE(Has("later"));
      EXPECT_EQ(FaultOf(backend_.get()), "");
    }
  }
  EXPECT_GT(failures, 8);
}

TEST_F(LeveldbDiskTest, ASecondOpenIsTurnedAway) {
  EXPECT_EQ(Open(&env_).status().code(), Code::kUnavailable);
}

// --- Damage. ---

std::vector<std::string> FilesOf(Env* env) {
  auto names = env->List(kPath);
  CHECK_OK(names);
  return *names;
}

uint64_t SizeOf(Env* env, const std::string& path) {
  auto file = env->Open(path, OpenMode::kReadOnly);
  CHECK_OK(file);
  return *(*file)->Size();
}

// Whether the flipped bit is refused or reported with the file's name, or
// changes nothing, or (in the newest log) leaves an earlier state.
void ExpectNoticed(FakeEnv* env, const std::string& name, const Story& story) {
  auto backend = Open(env);
  if (!backend.ok()) {
    EXPECT_EQ(backend.status().code(), Code::kDataLoss) << backend.ToString();
    return;
  }
  const std::string fault = FaultOf(backend->get());
  if (!fault.empty()) {
    EXPECT_NE(fault.find(name), std::string::npos) << fault;
    return;
  }
  auto model = ReadAll(backend->get());
  ASSERT_TRUE(model.ok()) << model.ToString();
  size_t written = story.size();
  const size_t least = name.ends_with(".log") ? 0 : written;
  while (written > least && *model != story.state(written)) --written;
  EXPECT_EQ(*model, story.state(written));
}

TEST(LeveldbDamageTest, FlippedBitsAreNoticed) {
  const Story story(7, 40);
  FakeEnv start(SmallDisk());
  {
    auto backend = Open(&start);
    CHECK_OK(backend);
    for (const Batch& batch : story.batches()) {
      CHECK_OK((*backend)->Write(batch));
    }
    CHECK_OK((*backend)->Sync());
  }
  Random random(1);
  int tables = 0;
  for (const std::string& name : FilesOf(&start)) {
    const std::string path = JoinPath(kPath, name);
    const uint64_t size = SizeOf(&start, path);
    tables += name.ends_with(".ldb");
    for (uint64_t i = 0; i < std::min<uint64_t>(size, 60); ++i) {
      // Half of them near the end, where the footer and the index are.
      const uint64_t at = i % 2 == 0
                              ? random.Below(size)
                              : size - 1 - random.Below(std::min(size, 200ul));
      SCOPED_TRACE(path + " byte " + std::to_string(at));
      auto env = start.AfterPowerLoss(PowerLoss::Everything());
      env->FlipBit(path, at, static_cast<int>(random.Below(8)));
      ExpectNoticed(env.get(), name, story);
      if (testing::Test::HasFailure()) return;
    }
  }
  EXPECT_GT(tables, 2);
}

// A scrub goes through the tables a few at a time and names the damaged one.
TEST(LeveldbDamageTest, AScrubFindsADamagedTable) {
  const Story story(7, 40);
  FakeEnv env(SmallDisk());
  {
    auto backend = Open(&env);
    CHECK_OK(backend);
    for (const Batch& batch : story.batches()) {
      CHECK_OK((*backend)->Write(batch));
    }
  }
  auto backend = Open(&env);
  CHECK_OK(backend);
  const auto scrub = [&backend](int* steps) {
    std::string faults;
    for (bool finished = false; !finished; ++*steps) {
      auto step = (*backend)->ScrubStep(
          1, [&faults](const std::string& fault) { faults += fault; });
      CHECK_OK(step);
      finished = step->finished;
    }
    return faults;
  };
  int steps = 0;
  EXPECT_EQ(scrub(&steps), "");
  EXPECT_GT(steps, 1);
  std::string table;
  for (const std::string& name : FilesOf(&env)) {
    if (name.ends_with(".ldb")) table = name;
  }
  env.FlipBit(JoinPath(kPath, table), 100, 3);
  EXPECT_NE(scrub(&steps).find(table + " offset 0"), std::string::npos);
}

TEST(LeveldbDamageTest, AMissingFileIsNamed) {
  const Story story(7, 40);
  FakeEnv start(SmallDisk());
  {
    auto backend = Open(&start);
    CHECK_OK(backend);
    for (const Batch& batch : story.batches()) {
      CHECK_OK((*backend)->Write(batch));
    }
  }
  for (const std::string& name : FilesOf(&start)) {
    if (name == "LOCK" || name.ends_with(".log")) continue;
    auto env = start.AfterPowerLoss(PowerLoss::Everything());
    CHECK_OK(env->Remove(JoinPath(kPath, name)));
    auto opened = Open(env.get());
    ASSERT_FALSE(opened.ok()) << name;
    EXPECT_EQ(opened.status().code(), Code::kDataLoss) << opened.ToString();
    EXPECT_NE(opened.ToString().find(kPath), std::string::npos);
  }
}

}  // namespace
}  // namespace strata
