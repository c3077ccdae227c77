#include "server/durability.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/fake_env.h"
#include "strata.h"

// What each mode promises, against a disk that loses power: on which sectors
// that were not synced stay or go as a seed says.
namespace strata {
namespace {

std::unique_ptr<Db> OpenOn(Env* env, const Durability& durability) {
  auto db = Db::Open("data", {.btree = {.initial_mmap_bytes = 1 << 20},
                              .durability = durability,
                              .env = env,
                              .on_fatal = [](const Status&) {}});
  CHECK_OK(db);
  return *std::move(db);
}

// Values of different lengths, some of many sectors.
std::string Value(int64_t i) {
  return std::to_string(i) + std::string(i * 37 % 3000, 'v');
}

void Put(Db* db, int64_t i) {
  CHECK_OK(db->Put("key" + std::to_string(i), Value(i)));
}

// How many of the changes are there: all up to some one, and none after it.
int64_t Prefix(Env* env) {
  const auto db = OpenOn(env, {});
  const int64_t count = db->revision().value() - 1;
  for (int64_t i = 0; i < count; ++i) {
    const auto record = db->Get("key" + std::to_string(i));
    CHECK_OK(record);
    CHECK(record->has_value()) << i << " of " << count;
    CHECK_EQ((**record)->value, Value(i));
  }
  CHECK_OK(db->Close());
  return count;
}

int64_t PrefixAfter(const FakeEnv& env, const PowerLoss& loss) {
  return Prefix(env.AfterPowerLoss(loss).get());
}

TEST(DurabilityTest, EachWriteLosesNothing) {
  FakeEnv env;
  const auto db = OpenOn(&env, {.mode = DurabilityMode::kEachWrite});
  for (int64_t i = 0; i < 30; ++i) {
    Put(db.get(), i);
    if (i % 6 != 0) continue;
    EXPECT_GE(PrefixAfter(env, PowerLoss::Random(i)), i + 1);
    EXPECT_GE(PrefixAfter(env, PowerLoss::Nothing()), i + 1);
  }
  CHECK_OK(db->Close());
}

// Puts on a thread of its own until it is destroyed.
class Writer {
 public:
  explicit Writer(Db* db)
      : thread_([this, db] {
          for (int64_t i = 0; !stop_; ++i) {
            Put(db, i);
            acknowledged_ = i + 1;
            if (i % 16 == 0) std::this_thread::yield();
          }
        }) {}
  ~Writer() {
    stop_ = true;
    thread_.join();
  }
  int64_t acknowledged() const { return acknowledged_; }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<int64_t> acknowledged_{0};
  std::thread thread_;
};

// While puts go on: at whatever moment, what is left is a prefix.
void LoseManyTimes(const Durability& durability) {
  FakeEnv env;
  const auto db = OpenOn(&env, durability);
  {
    const Writer writer(db.get());
    for (uint64_t seed = 1; seed <= 4; ++seed) {
      while (writer.acknowledged() < static_cast<int64_t>(seed) * 40) {
        std::this_thread::yield();
      }
      PrefixAfter(env, PowerLoss::Random(seed));
      PrefixAfter(env, PowerLoss::Nothing());
    }
  }
  CHECK_OK(db->Close());
}

TEST(DurabilityTest, IntervalLeavesAPrefix) {
  LoseManyTimes({.mode = DurabilityMode::kInterval,
                 .interval = std::chrono::milliseconds(10)});
}

TEST(DurabilityTest, NoneLeavesAPrefix) {
  LoseManyTimes({.mode = DurabilityMode::kNone});
}

// Whether a power loss right after a put takes it, at least once in some tries.
bool LosesTheNewest(const Durability& durability) {
  FakeEnv env;
  const auto db = OpenOn(&env, durability);
  bool lost = false;
  for (int64_t i = 0; i < 12 && !lost; ++i) {
    Put(db.get(), i);
    lost = PrefixAfter(env, PowerLoss::Nothing()) <= i;
  }
  CHECK_OK(db->Close());
  return lost;
}

TEST(DurabilityTest, OnlyEachWriteWaitsForTheDisk) {
  EXPECT_FALSE(LosesTheNewest({.mode = DurabilityMode::kEachWrite}));
  EXPECT_TRUE(LosesTheNewest(
      {.mode = DurabilityMode::kInterval, .interval = std::chrono::hours(1)}));
  EXPECT_TRUE(LosesTheNewest({.mode = DurabilityMode::kNone}));
}

// The log is synced though nothing more is put, and no flush is due to do it:
// that one is much later than the first interval.
TEST(DurabilityTest, IntervalSyncsByItself) {
  FakeEnv env;
  const auto db = OpenOn(&env, {.mode = DurabilityMode::kInterval,
                                .interval = std::chrono::milliseconds(1)});
  for (int64_t i = 0; i < 5; ++i) {
    Put(db.get(), i);
    while (PrefixAfter(env, PowerLoss::Nothing()) <= i) {
      std::this_thread::yield();
    }
  }
  CHECK_OK(db->Close());
}

// The end of the process takes nothing: what the system has been given stays.
TEST(DurabilityTest, AKilledProcessLosesNothing) {
  for (const DurabilityMode mode :
       {DurabilityMode::kEachWrite, DurabilityMode::kInterval,
        DurabilityMode::kNone}) {
    FakeEnv env;
    const auto db = OpenOn(&env, {.mode = mode});
    for (int64_t i = 0; i < 30; ++i) {
      Put(db.get(), i);
      if (i % 10 != 9) continue;
      EXPECT_EQ(PrefixAfter(env, PowerLoss::Everything()), i + 1);
    }
    CHECK_OK(db->Close());
  }
}

}  // namespace
}  // namespace strata
