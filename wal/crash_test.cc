// Every crash point of the log's work, with every small and many random
// combinations of the sectors and names that were not synced: what was
// acknowledged is there, nothing else is but a front part of the batch that was
// under way, and the log goes on.

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/fake_env.h"
#include "base/sim_loop.h"
#include "wal/planted_bugs.h"
#include "wal/wal.h"
#include "wal/wal_suite.h"

namespace strata::wal {
namespace {

constexpr char kDirectory[] = "/data/member/wal";
constexpr uint64_t kMaxMaskedThings = 6;
constexpr uint64_t kRandomLosses = 12;

// Some work on a log; returns at its first error.
using Work = std::function<Status(Env*, const WalOptions&, Ledger*)>;

struct Scenario {
  std::string name;
  Work work;
  bool background = false;
};

WalOptions SmallSegments() {
  return WalOptions{.segment_bytes = 4096,
                    .max_batch_bytes = 2048,
                    .prewrite_bytes_per_second = 0};
}

// In the background whole blocks are zeroed, so there must be some.
WalOptions OptionsOf(const Scenario& scenario) {
  WalOptions options = SmallSegments();
  if (scenario.background) options.segment_bytes = 3 * 4096;
  return options;
}

StatusOr<std::unique_ptr<Wal>> CreateLog(Env* env, const WalOptions& options,
                                         Ledger* ledger) {
  auto wal = Wal::Create(env, kDirectory, "metadata", options, Logger::Null());
  if (wal.ok()) ledger->created = true;
  return wal;
}

StatusOr<std::unique_ptr<Wal>> OpenLog(Env* env, const WalOptions& options,
                                       const Ledger& ledger,
                                       WalContent* content) {
  return Wal::Open(env, kDirectory, ledger.start,
                   ledger.synced.hard_state.commit, options, Logger::Null(),
                   content);
}

// A batch of `entries` entries of `bytes` each and the hard state, as a single
// member logs them.
Status AppendBatch(Wal* wal, Ledger* ledger, int entries, size_t bytes) {
  uint64_t index = ledger->synced.last_index().value();
  const uint64_t term =
      std::max<uint64_t>(1, ledger->synced.hard_state.term.value());
  for (int i = 0; i < entries; ++i) {
    ++index;
    ledger->Append(
        wal, MakeEntry(index, std::string(bytes, 'a' + index % 26), term));
  }
  ledger->Append(wal, MakeState(term, index));
  return ledger->Sync(wal);
}

Status CreateAndFill(Env* env, const WalOptions& options, Ledger* ledger) {
  ASSIGN_OR_RETURN(auto wal, CreateLog(env, options, ledger));
  RETURN_IF_ERROR(AppendBatch(wal.get(), ledger, 1, 20));
  RETURN_IF_ERROR(AppendBatch(wal.get(), ledger, 1, 900));
  RETURN_IF_ERROR(AppendBatch(wal.get(), ledger, 3, 300));
  return AppendBatch(wal.get(), ledger, 2, 0);
}

Status Rotate(Env* env, const WalOptions& options, Ledger* ledger) {
  ASSIGN_OR_RETURN(auto wal, CreateLog(env, options, ledger));
  for (int i = 0; i < 5; ++i) {
    RETURN_IF_ERROR(AppendBatch(wal.get(), ledger, 3, 400));
  }
  return AppendBatch(wal.get(), ledger, 2, 3000);  // larger than a segment
}

// As a follower does that had entries no majority had.
Status Replace(Env* env, const WalOptions& options, Ledger* ledger) {
  ASSIGN_OR_RETURN(auto wal, CreateLog(env, options, ledger));
  RETURN_IF_ERROR(AppendBatch(wal.get(), ledger, 2, 100));
  for (uint64_t i = 3; i <= 6; ++i) {
    ledger->Append(wal.get(), MakeEntry(i, std::string(200, 'x'), 1));
  }
  RETURN_IF_ERROR(ledger->Sync(wal.get()));
  for (uint64_t i = 4; i <= 5; ++i) {
    ledger->Append(wal.get(), MakeEntry(i, std::string(300, 'y'), 2));
  }
  ledger->Append(wal.get(), MakeState(2, 3));
  RETURN_IF_ERROR(ledger->Sync(wal.get()));
  return AppendBatch(wal.get(), ledger, 2, 100);
}

Status Release(Env* env, const WalOptions& options, Ledger* ledger) {
  ASSIGN_OR_RETURN(auto wal, CreateLog(env, options, ledger));
  for (int i = 0; i < 10; ++i) {
    RETURN_IF_ERROR(AppendBatch(wal.get(), ledger, 3, 400));
  }
  const WalSnapshot snapshot{.index = LogIndex(28), .term = Term(1)};
  ledger->Append(wal.get(), snapshot);
  RETURN_IF_ERROR(ledger->Sync(wal.get()));
  ledger->start = snapshot;
  RETURN_IF_ERROR(wal->ReleaseTo(LogIndex(28), 1));
  return AppendBatch(wal.get(), ledger, 1, 400);
}

Status Reopen(Env* env, const WalOptions& options, Ledger* ledger) {
  RETURN_IF_ERROR(CreateAndFill(env, options, ledger));
  for (int i = 0; i < 3; ++i) {
    WalContent content;
    ASSIGN_OR_RETURN(auto wal, OpenLog(env, options, *ledger, &content));
    RETURN_IF_ERROR(AppendBatch(wal.get(), ledger, 1, 700));
  }
  return Status::Ok();
}

// Opens what a crash left, compares and goes on; what is wrong, or nothing.
std::optional<std::string> OpenAndCheck(Env* env, const WalOptions& options,
                                        Ledger ledger) {
  if (!Wal::Exists(env, kDirectory)) {
    if (ledger.created) return "the log is gone";
    auto wal = CreateLog(env, options, &ledger);
    if (!wal.ok()) return "cannot be made anew: " + wal.ToString();
  }
  // Large ones too, so that what a cut left behind is met again.
  for (const size_t bytes : {0, 90, 200, 700, 10, 1500}) {
    WalContent content;
    auto wal = OpenLog(env, options, ledger, &content);
    if (!wal.ok()) return "cannot be opened: " + wal.ToString();
    if (!ledger.Accept(content)) return "another log than was written";
    if (bytes == 0) continue;  // opened twice, nothing between
    const Status status = AppendBatch(wal->get(), &ledger, 1, bytes);
    if (!status.ok()) return "cannot go on: " + status.ToString();
  }
  return std::nullopt;
}

class CrashTest : public ::testing::Test {
 protected:
  // Checks all outcomes of a power loss of `env` now.
  static std::optional<std::string> CheckLosses(const FakeEnv& env,
                                                const WalOptions& options,
                                                const Ledger& ledger) {
    const uint64_t things =
        std::min<uint64_t>(env.UnsyncedThings(), kMaxMaskedThings);
    for (uint64_t mask = 0; mask < uint64_t{1} << things; ++mask) {
      const auto after = env.AfterPowerLoss(PowerLoss::Mask(mask));
      if (auto wrong = OpenAndCheck(after.get(), options, ledger)) {
        return *wrong + " (mask " + std::to_string(mask) + ")";
      }
    }
    if (env.UnsyncedThings() <= kMaxMaskedThings) return std::nullopt;
    for (uint64_t seed = 0; seed < kRandomLosses; ++seed) {
      const auto after = env.AfterPowerLoss(PowerLoss::Random(seed));
      if (auto wrong = OpenAndCheck(after.get(), options, ledger)) {
        return *wrong + " (seed " + std::to_string(seed) + ")";
      }
    }
    return std::nullopt;
  }

  // The work with power off at operation `point`; false if it has fewer.
  static bool RunTo(uint64_t point, const Scenario& scenario,
                    WalOptions options, FakeEnv* env, Ledger* ledger) {
    SimWorld world;
    const auto loop = world.NewLoop("background");
    if (scenario.background) {
      options.background = loop.get();
      ledger->after_sync = [&world] { world.Step(); };
    }
    env->PowerOffAt(point);
    const Status status = scenario.work(env, options, ledger);
    EXPECT_TRUE(status.ok() || env->powered_off()) << status;
    loop->Halt();
    ledger->after_sync = nullptr;
    return env->powered_off();
  }

  static std::optional<std::string> CheckAllPoints(const Scenario& scenario,
                                                   const WalOptions& options) {
    for (uint64_t point = 1;; ++point) {
      FakeEnv env;
      Ledger ledger;
      if (!RunTo(point, scenario, options, &env, &ledger)) break;
      if (auto wrong = CheckLosses(env, options, ledger)) {
        return std::string(scenario.name) + ", operation " +
               std::to_string(point) + ": " + *wrong;
      }
    }
    return std::nullopt;
  }
};

class CrashPointTest : public CrashTest,
                       public ::testing::WithParamInterface<Scenario> {};

TEST_P(CrashPointTest, NothingAcknowledgedIsLost) {
  const auto wrong = CheckAllPoints(GetParam(), OptionsOf(GetParam()));
  EXPECT_FALSE(wrong.has_value()) << *wrong;
}

INSTANTIATE_TEST_SUITE_P(
    Works, CrashPointTest,
    ::testing::Values(Scenario{"Append", CreateAndFill},
                      Scenario{"Rotate", Rotate}, Scenario{"Replace", Replace},
                      Scenario{"Release", Release}, Scenario{"Reopen", Reopen},
                      Scenario{"RotateInTheBackground", Rotate, true},
                      Scenario{"ReleaseInTheBackground", Release, true},
                      Scenario{"ReopenInTheBackground", Reopen, true}),
    [](const auto& info) { return std::string(info.param.name); });

// A power loss while a torn tail is being cut.
TEST_F(CrashTest, RepairCanBeCutShortToo) {
  const Scenario scenario{"Append", CreateAndFill};
  const WalOptions options = OptionsOf(scenario);
  int repairs = 0;
  for (uint64_t point = 1;; ++point) {
    FakeEnv env;
    Ledger ledger;
    if (!RunTo(point, scenario, options, &env, &ledger)) break;
    if (!ledger.created) continue;
    for (uint64_t seed = 0; seed < 8; ++seed) {
      for (uint64_t step = 1;; ++step) {
        const auto torn = env.AfterPowerLoss(PowerLoss::Random(seed));
        torn->PowerOffAt(step);
        WalContent content;
        const auto wal = OpenLog(torn.get(), options, ledger, &content);
        if (!torn->powered_off()) {
          if (content.cut_tail.has_value()) ++repairs;
          break;
        }
        EXPECT_FALSE(wal.ok());
        const auto wrong = CheckLosses(*torn, options, ledger);
        ASSERT_FALSE(wrong.has_value())
            << "operation " << point << ", repair operation " << step << ": "
            << *wrong;
      }
    }
  }
  EXPECT_GT(repairs, 5);
}

// The process dies, its disk's cache does not: what the next one reads must
// stay, even if the power goes off then, and even if it was a sync that failed.
TEST_F(CrashTest, WhatWasReadStays) {
  const WalOptions options = SmallSegments();
  int more_than_acknowledged = 0;
  for (const DiskOperation operation :
       {DiskOperation::kSync, DiskOperation::kSyncDir}) {
    for (uint64_t skip = 0; skip < 40; ++skip) {
      FakeEnv env;
      Ledger ledger;
      env.Inject({.operation = operation, .path_part = {}, .skip = skip});
      if (Rotate(&env, options, &ledger).ok()) break;
      if (!ledger.created) continue;
      WalContent content;
      {
        const auto wal = OpenLog(&env, options, ledger, &content);
        ASSERT_TRUE(wal.ok()) << wal.ToString();
      }
      const LogIndex acknowledged = ledger.synced.last_index();
      ASSERT_TRUE(ledger.Accept(content));
      if (ledger.synced.last_index() > acknowledged) ++more_than_acknowledged;
      const auto wrong = CheckLosses(env, options, ledger);
      ASSERT_FALSE(wrong.has_value()) << "fault " << skip << ": " << *wrong;
    }
  }
  EXPECT_GT(more_than_acknowledged, 3);
}

struct Planted {
  std::string name;
  PlantedBugs bugs;
  Work work;
};

class PlantedBugTest : public CrashTest,
                       public ::testing::WithParamInterface<Planted> {};

TEST_P(PlantedBugTest, IsFound) {
  const Scenario scenario{GetParam().name, GetParam().work};
  WalOptions options = OptionsOf(scenario);
  options.planted_bugs = &GetParam().bugs;
  const auto wrong = CheckAllPoints(scenario, options);
  ASSERT_TRUE(wrong.has_value());
  RecordProperty("found", *wrong);
}

INSTANTIATE_TEST_SUITE_P(
    Bugs, PlantedBugTest,
    ::testing::Values(
        Planted{"SkipFileSync", {.skip_file_sync = true}, CreateAndFill},
        Planted{
            "SkipRotationDirSync", {.skip_rotation_dir_sync = true}, Rotate},
        Planted{"SyncLate", {.sync_late = true}, CreateAndFill},
        Planted{"KeepTornTail", {.keep_torn_tail = true}, CreateAndFill},
        Planted{"RestartCrc", {.restart_crc = true}, Rotate}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace strata::wal
