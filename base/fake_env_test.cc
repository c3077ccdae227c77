// What the fake disk loses, and how it fails.

#include "base/fake_env.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace strata {
namespace {

using Names = std::vector<std::string>;
using Op = DiskOperation;

// A file whose name and content are synced.
std::unique_ptr<File> MakeSynced(Env* env, const std::string& path,
                                 std::string_view content) {
  auto file = env->Open(path, OpenMode::kCreate).value();
  CHECK_OK(file->WriteAt(0, content));
  CHECK_OK(file->Sync());
  CHECK_OK(env->SyncDir(DirName(path)));
  return file;
}

std::string Read(Env* env, const std::string& path) {
  auto content = ReadFile(env, path, 1 << 20);
  return content.ok() ? *content : "<" + content.ToString() + ">";
}

// "a=1 b=2" of the files in the root, as they are after a power loss.
std::string Listing(Env* env) {
  std::string text;
  for (const std::string& name : env->List("/").value()) {
    text += (text.empty() ? "" : " ") + name + "=" + Read(env, name);
  }
  return text;
}

// All that may come of a power loss now.
std::set<std::string> Outcomes(const FakeEnv& env) {
  std::set<std::string> outcomes;
  const size_t things = env.UnsyncedThings();
  CHECK_LE(things, 16u);
  for (uint64_t mask = 0; mask < uint64_t{1} << things; ++mask) {
    outcomes.insert(Listing(env.AfterPowerLoss(PowerLoss::Mask(mask)).get()));
  }
  return outcomes;
}

std::string Sectors(std::string_view letters) {
  std::string bytes;
  for (const char c : letters) bytes.append(512, c);
  return bytes;
}

// "ab0" of what Sectors("ab") and 512 zeros hold; '?' if a sector is mixed.
std::string Letters(const std::string& bytes) {
  std::string letters;
  for (size_t i = 0; i < bytes.size(); i += 512) {
    const std::string sector = bytes.substr(i, 512);
    const bool pure = sector == std::string(sector.size(), sector[0]);
    letters.push_back(!pure ? '?' : sector[0] == '\0' ? '0' : sector[0]);
  }
  return letters;
}

std::set<std::string> SectorOutcomes(const FakeEnv& env) {
  std::set<std::string> outcomes;
  const size_t things = env.UnsyncedThings();
  CHECK_LE(things, 16u);
  for (uint64_t mask = 0; mask < uint64_t{1} << things; ++mask) {
    auto after = env.AfterPowerLoss(PowerLoss::Mask(mask));
    outcomes.insert(Letters(Read(after.get(), "f")));
  }
  return outcomes;
}

using Set = std::set<std::string>;

TEST(PowerLoss, SyncedContentAndNamesStay) {
  FakeEnv env;
  auto file = MakeSynced(&env, "f", "kept");
  EXPECT_EQ(0u, env.UnsyncedThings());
  EXPECT_EQ(Set{"f=kept"}, Outcomes(env));
}

TEST(PowerLoss, AnUnsyncedWriteMayBeLost) {
  FakeEnv env;
  auto file = MakeSynced(&env, "f", "old");
  CHECK_OK(file->WriteAt(0, "new"));
  EXPECT_EQ((Set{"f=old", "f=new"}), Outcomes(env));
  CHECK_OK(file->Sync());
  EXPECT_EQ(Set{"f=new"}, Outcomes(env));
}

TEST(PowerLoss, SectorsAreLostOneByOne) {
  FakeEnv env;
  auto file = MakeSynced(&env, "f", Sectors("abc"));
  CHECK_OK(file->WriteAt(0, Sectors("xyz")));
  EXPECT_EQ(3u, env.UnsyncedThings());
  EXPECT_EQ((Set{"abc", "xbc", "ayc", "xyc", "abz", "xbz", "ayz", "xyz"}),
            SectorOutcomes(env));
}

TEST(PowerLoss, AWriteAcrossASectorTearsThere) {
  FakeEnv env;
  auto file = MakeSynced(&env, "f", Sectors("ab"));
  CHECK_OK(file->WriteAt(500, "123456789012345678901234"));
  auto after = env.AfterPowerLoss(PowerLoss::Mask(1));
  EXPECT_EQ(std::string(500, 'a') + "123456789012" + std::string(512, 'b'),
            Read(after.get(), "f"));
}

TEST(PowerLoss, GrowthMayBeLostOrComeWithoutContent) {
  FakeEnv env;
  auto file = MakeSynced(&env, "f", Sectors("a"));
  CHECK_OK(file->WriteAt(512, Sectors("b")));
  EXPECT_EQ((Set{"a", "a0", "ab"}), SectorOutcomes(env));
  CHECK_OK(file->Resize(2048));
  CHECK_OK(file->Sync());
  EXPECT_EQ(Set{"ab00"}, SectorOutcomes(env));
}

TEST(PowerLoss, AllocatedLengthIsLostLikeAnyOther) {
  FakeEnv env;
  auto file = MakeSynced(&env, "f", Sectors("a"));
  CHECK_OK(file->Allocate(1024));
  EXPECT_EQ((Set{"a", "a0"}), SectorOutcomes(env));
}

TEST(PowerLoss, ALostCutGivesTheOldBytesBack) {
  FakeEnv env;
  auto file = MakeSynced(&env, "f", Sectors("abc"));
  CHECK_OK(file->Resize(512));
  EXPECT_EQ((Set{"abc", "a"}), SectorOutcomes(env));
  CHECK_OK(file->WriteAt(512, Sectors("xy")));
  // The file went from 3 sectors to 1 and to 3: lost, or done with any of xy.
  EXPECT_EQ((Set{"abc", "a00", "ax0", "a0y", "axy"}), SectorOutcomes(env));
  CHECK_OK(file->Sync());
  EXPECT_EQ(Set{"axy"}, SectorOutcomes(env));
}

TEST(PowerLoss, ACutAfterAGrowthIsLostWithIt) {
  FakeEnv env;
  auto file = MakeSynced(&env, "f", Sectors("abc"));
  CHECK_OK(file->Resize(2048));
  CHECK_OK(file->Resize(512));
  Set outcomes;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    auto after = env.AfterPowerLoss(PowerLoss::Random(seed));
    outcomes.insert(Letters(Read(after.get(), "f")));
  }
  EXPECT_EQ((Set{"abc", "a"}), outcomes);
}

TEST(PowerLoss, BytesBeyondALostGrowthDoNotComeBack) {
  FakeEnv env;
  auto file = MakeSynced(&env, "f", Sectors("a"));
  CHECK_OK(file->WriteAt(512, Sectors("b")));
  file.reset();
  env.Crash(PowerLoss::Mask(2));  // the sector without the length
  file = env.Open("f", OpenMode::kReadWrite).value();
  CHECK_OK(file->Resize(1024));
  EXPECT_EQ("a0", Letters(Read(&env, "f")));
}

TEST(PowerLoss, ACutWithinASector) {
  FakeEnv env;
  auto file = MakeSynced(&env, "f", "12345678");
  CHECK_OK(file->Resize(4));
  CHECK_OK(file->Resize(6));
  CHECK_OK(file->Sync());
  EXPECT_EQ((Set{std::string("f=1234\0\0", 8)}), Outcomes(env));
}

TEST(PowerLoss, WritingTheSameBytesAgainRisksNothing) {
  FakeEnv env;
  auto file = MakeSynced(&env, "f", Sectors("ab"));
  CHECK_OK(file->WriteAt(0, Sectors("ab")));
  EXPECT_EQ(0u, env.UnsyncedThings());
}

TEST(PowerLoss, RandomLossAlsoFindsStatesBetween) {
  FakeEnv env;
  auto file = MakeSynced(&env, "f", Sectors("a"));
  CHECK_OK(file->WriteAt(0, Sectors("b")));
  CHECK_OK(file->WriteAt(0, Sectors("c")));
  Set outcomes;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    auto after = env.AfterPowerLoss(PowerLoss::Random(seed));
    outcomes.insert(Letters(Read(after.get(), "f")));
  }
  EXPECT_EQ((Set{"a", "b", "c"}), outcomes);
}

TEST(PowerLoss, TheSeedDecides) {
  FakeEnv env;
  auto file = MakeSynced(&env, "f", Sectors("aaaaaaaaaaaaaaaa"));
  CHECK_OK(file->WriteAt(0, Sectors("bbbbbbbbbbbbbbbb")));
  Set outcomes;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    auto one = env.AfterPowerLoss(PowerLoss::Random(seed));
    auto two = env.AfterPowerLoss(PowerLoss::Random(seed));
    EXPECT_EQ(Read(one.get(), "f"), Read(two.get(), "f"));
    outcomes.insert(Letters(Read(one.get(), "f")));
  }
  EXPECT_GT(outcomes.size(), 30u);
}

TEST(PowerLoss, NothingAndEverything) {
  FakeEnv env;
  auto file = MakeSynced(&env, "f", "old");
  CHECK_OK(file->WriteAt(0, "new content"));
  EXPECT_EQ("old", Read(env.AfterPowerLoss(PowerLoss::Nothing()).get(), "f"));
  EXPECT_EQ("new content",
            Read(env.AfterPowerLoss(PowerLoss::Everything()).get(), "f"));
  EXPECT_EQ("new content", Read(&env, "f")) << "the first disk runs on";
}

TEST(PowerLoss, ANewFileVanishesWithoutSyncDir) {
  FakeEnv env;
  auto file = env.Open("f", OpenMode::kCreateNew).value();
  CHECK_OK(file->WriteAt(0, "x"));
  CHECK_OK(file->Sync());
  EXPECT_EQ((Set{"", "f=x"}), Outcomes(env));
  CHECK_OK(env.SyncDir("/"));
  EXPECT_EQ(Set{"f=x"}, Outcomes(env));
}

TEST(PowerLoss, ANameWithoutSyncMayComeBackEmpty) {
  FakeEnv env;
  auto file = env.Open("f", OpenMode::kCreateNew).value();
  CHECK_OK(file->WriteAt(0, "x"));
  CHECK_OK(env.SyncDir("/"));
  EXPECT_EQ((Set{"f=", std::string("f=\0", 3), "f=x"}), Outcomes(env));
}

TEST(PowerLoss, ARemovedFileMayComeBack) {
  FakeEnv env;
  MakeSynced(&env, "f", "x");
  CHECK_OK(env.Remove("f"));
  EXPECT_EQ((Set{"", "f=x"}), Outcomes(env));
  CHECK_OK(env.SyncDir("/"));
  EXPECT_EQ(Set{""}, Outcomes(env));
}

TEST(PowerLoss, ARenameIsAtomic) {
  FakeEnv env;
  MakeSynced(&env, "a", "old");
  MakeSynced(&env, "b", "new");
  CHECK_OK(env.Rename("b", "a"));
  EXPECT_EQ((Set{"a=old b=new", "a=new"}), Outcomes(env));
}

TEST(PowerLoss, ARenameBetweenDirectoriesIsOneToo) {
  FakeEnv env;
  CHECK_OK(env.MakeDirs("d"));
  MakeSynced(&env, "f", "x");
  CHECK_OK(env.Rename("f", "d/f"));
  for (const uint64_t mask : {0, 1}) {
    auto after = env.AfterPowerLoss(PowerLoss::Mask(mask));
    EXPECT_NE(after->Exists("f"), after->Exists("d/f"));
  }
}

TEST(PowerLoss, ChangesOfNamesAreLostInAnySubset) {
  FakeEnv env;
  for (const char* name : {"a", "b"}) {
    auto file = env.Open(name, OpenMode::kCreate).value();
    CHECK_OK(file->Sync());
  }
  EXPECT_EQ((Set{"", "a=", "b=", "a= b="}), Outcomes(env));
}

TEST(PowerLoss, SyncDirTakesWhatANameDependsOn) {
  FakeEnv env;
  CHECK_OK(env.MakeDirs("d"));
  auto file = env.Open("f", OpenMode::kCreate).value();
  CHECK_OK(env.Rename("f", "d/f"));
  CHECK_OK(env.SyncDir("d"));
  auto after = env.AfterPowerLoss(PowerLoss::Everything());
  EXPECT_TRUE(after->Exists("d/f"));
  EXPECT_FALSE(after->Exists("f")) << "it would have two names";
}

TEST(PowerLoss, MakeDirsIsDurable) {
  FakeEnv env;
  CHECK_OK(env.MakeDirs("a/b/c"));
  EXPECT_TRUE(env.AfterPowerLoss(PowerLoss::Nothing())->Exists("a/b/c"));
}

TEST(PowerLoss, WriteFileAtomicallyAtEveryCrashPoint) {
  uint64_t points = 0;
  for (;;) {
    FakeEnv env;
    CHECK_OK(WriteFileAtomically(&env, "f", "old"));
    env.PowerOffAt(++points);
    const Status status = WriteFileAtomically(&env, "f", "newer");
    if (!env.powered_off()) break;
    EXPECT_EQ(Code::kUnavailable, status.code());
    for (uint64_t mask = 0; mask < uint64_t{1} << env.UnsyncedThings();
         ++mask) {
      auto after = env.AfterPowerLoss(PowerLoss::Mask(mask));
      const std::string content = Read(after.get(), "f");
      EXPECT_TRUE(content == "old" || content == "newer")
          << points << " " << mask << ": " << content;
    }
  }
  EXPECT_EQ(7u, points) << "create, resize, write, sync, rename, sync of dir";
}

TEST(Power, OffInTheMiddleOfAnOperation) {
  FakeEnv env;
  auto file = MakeSynced(&env, "f", Sectors("ab"));
  env.PowerOffAt(2);
  CHECK_OK(file->WriteAt(0, Sectors("x")));
  EXPECT_EQ(Code::kUnavailable, file->WriteAt(512, Sectors("y")).code());
  EXPECT_TRUE(env.powered_off());
  EXPECT_EQ((Set{"ab", "xb", "ay", "xy"}), SectorOutcomes(env))
      << "the write under way may have got through";
}

TEST(Power, NothingWorksWhileItIsOff) {
  FakeEnv env;
  auto file = MakeSynced(&env, "f", "x");
  env.PowerOffAt(1);
  EXPECT_EQ(Code::kUnavailable, file->Sync().code());
  char byte;
  EXPECT_FALSE(file->ReadAt(0, 1, &byte).ok());
  EXPECT_FALSE(file->WriteAt(0, "y").ok());
  EXPECT_FALSE(file->Size().ok());
  EXPECT_FALSE(file->Map(1, {}).ok());
  EXPECT_FALSE(file->Lock().ok());
  EXPECT_FALSE(env.Open("f", OpenMode::kReadOnly).ok());
  EXPECT_FALSE(env.Exists("f"));
  EXPECT_FALSE(env.List("/").ok());
  EXPECT_FALSE(env.MakeDirs("d").ok());
  EXPECT_FALSE(env.Rename("f", "g").ok());
  EXPECT_FALSE(env.Remove("f").ok());
  EXPECT_FALSE(env.RemoveAll("f").ok());
  EXPECT_FALSE(env.SyncDir("/").ok());
  env.Crash(PowerLoss::Everything());
  EXPECT_EQ("f=x", Listing(&env));
}

TEST(Power, ASyncUnderWaySyncsNothingForSure) {
  FakeEnv env;
  auto file = MakeSynced(&env, "f", "old");
  CHECK_OK(file->WriteAt(0, "new"));
  env.PowerOffAt(1);
  EXPECT_FALSE(file->Sync().ok());
  EXPECT_EQ((Set{"f=old", "f=new"}), Outcomes(env));
}

TEST(Power, CrashEndsOldFilesAndLocks) {
  FakeEnv env;
  auto file = MakeSynced(&env, "f", "old");
  CHECK_OK(file->Lock());
  CHECK_OK(file->WriteAt(0, "new"));
  env.Crash(PowerLoss::Nothing());
  EXPECT_EQ(Code::kUnavailable, file->WriteAt(0, "late").code());
  EXPECT_EQ(Code::kUnavailable, file->Sync().code());
  auto again = env.Open("f", OpenMode::kReadWrite).value();
  CHECK_OK(again->Lock());
  EXPECT_EQ("old", Read(&env, "f"));
  EXPECT_EQ(0u, env.UnsyncedThings());
}

TEST(Power, OperationsAreCounted) {
  FakeEnv env;
  auto file = env.Open("f", OpenMode::kCreate).value();
  EXPECT_EQ(1u, env.operations());
  CHECK_OK(file->WriteAt(0, "x"));
  CHECK_OK(file->Resize(10));
  CHECK_OK(file->Allocate(20));
  CHECK_OK(file->Sync());
  EXPECT_EQ(5u, env.operations());
  Read(&env, "f");
  env.List("/").value();
  CHECK_OK(env.Open("f", OpenMode::kCreate));
  EXPECT_EQ(5u, env.operations()) << "they change nothing";
  CHECK_OK(env.MakeDirs("a/b"));
  EXPECT_EQ(9u, env.operations()) << "two directories, two syncs";
}

TEST(Faults, AFailingWriteWritesAPrefix) {
  FakeEnv env;
  auto file = MakeSynced(&env, "f", "12345678");
  env.Inject({.operation = Op::kWrite, .path_part = "f", .bytes = 3});
  const Status status = file->WriteAt(1, "abcdef");
  EXPECT_EQ(Code::kDataLoss, status.code());
  EXPECT_EQ("write f offset 4: injected: Input/output error", status.message());
  EXPECT_EQ("1abc5678", Read(&env, "f"));
  CHECK_OK(file->WriteAt(1, "abcdef"));
}

TEST(Faults, SkipCountAndPath) {
  FakeEnv env;
  auto a = MakeSynced(&env, "a", "x");
  auto b = MakeSynced(&env, "b", "x");
  env.Inject({.operation = Op::kSync,
              .path_part = "b",
              .skip = 1,
              .count = 2,
              .status = UnavailableError("slow")});
  CHECK_OK(a->Sync());
  CHECK_OK(b->Sync());
  EXPECT_EQ(Code::kUnavailable, b->Sync().code());
  CHECK_OK(a->Sync());
  EXPECT_EQ(Code::kUnavailable, b->Sync().code());
  CHECK_OK(b->Sync());
}

TEST(Faults, EveryOperationCanFailAndThenChangesNothing) {
  FakeEnv env;
  auto file = MakeSynced(&env, "f", "x");
  for (const Op op :
       {Op::kRead, Op::kWrite, Op::kResize, Op::kAllocate, Op::kSync,
        Op::kMakeDir, Op::kCreate, Op::kRename, Op::kRemove, Op::kSyncDir}) {
    env.Inject({.operation = op});
  }
  char byte;
  EXPECT_FALSE(file->ReadAt(0, 1, &byte).ok());
  EXPECT_FALSE(file->WriteAt(0, "y").ok());
  EXPECT_FALSE(file->Resize(0).ok());
  EXPECT_FALSE(file->Allocate(100).ok());
  EXPECT_FALSE(file->Sync().ok());
  EXPECT_FALSE(env.MakeDirs("d").ok());
  EXPECT_FALSE(env.Open("g", OpenMode::kCreate).ok());
  EXPECT_FALSE(env.Rename("f", "g").ok());
  EXPECT_FALSE(env.Remove("f").ok());
  EXPECT_FALSE(env.SyncDir("/").ok());
  EXPECT_EQ("f=x", Listing(&env));
}

TEST(Faults, ClearFaults) {
  FakeEnv env;
  auto file = MakeSynced(&env, "f", "x");
  env.Inject({.operation = Op::kSync});
  env.ClearFaults();
  CHECK_OK(file->Sync());
}

TEST(Faults, AfterAFailedSyncALaterOneProvesNothing) {
  FakeEnv env;
  auto file = MakeSynced(&env, "f", Sectors("abc"));
  CHECK_OK(file->WriteAt(0, Sectors("xy")));
  env.Inject({.operation = Op::kSync});
  EXPECT_FALSE(file->Sync().ok());
  CHECK_OK(file->WriteAt(1024, Sectors("z")));
  CHECK_OK(file->Sync());
  EXPECT_EQ((Set{"abz", "xbz", "ayz", "xyz"}), SectorOutcomes(env));
  CHECK_OK(file->WriteAt(0, Sectors("xy")));
  CHECK_OK(file->Sync());
  EXPECT_EQ(Set{"xyz"}, SectorOutcomes(env)) << "written anew";
}

// As Linux does: each open file is told once, and one that is opened later not.
TEST(Faults, AFailedSyncIsToldToEachOpenFileOnce) {
  FakeEnv env;
  auto file = MakeSynced(&env, "f", "x");
  auto other = env.Open("f", OpenMode::kReadWrite).value();
  env.Inject({.operation = Op::kSync});
  EXPECT_FALSE(file->Sync().ok());
  CHECK_OK(file->Sync());
  EXPECT_EQ(Code::kDataLoss, other->Sync().code());
  CHECK_OK(other->Sync());
  CHECK_OK(env.Open("f", OpenMode::kReadWrite).value()->Sync());
}

TEST(Faults, AFailedSyncMayLoseTheLength) {
  FakeEnv env;
  auto file = MakeSynced(&env, "f", Sectors("a"));
  CHECK_OK(file->Resize(1024));
  env.Inject({.operation = Op::kSync});
  EXPECT_FALSE(file->Sync().ok());
  CHECK_OK(file->Sync());
  EXPECT_EQ((Set{"a", "a0"}), SectorOutcomes(env));
}

TEST(Faults, AFailedSyncDirMayLoseTheNames) {
  FakeEnv env;
  CHECK_OK(env.Open("f", OpenMode::kCreate));
  env.Inject({.operation = Op::kSyncDir});
  EXPECT_FALSE(env.SyncDir("/").ok());
  CHECK_OK(env.SyncDir("/"));
  EXPECT_EQ((Set{"", "f="}), Outcomes(env));
}

TEST(Space, AWriteGetsAsFarAsThereIsRoom) {
  FakeEnv env({.capacity_bytes = 3 * 4096});
  auto file = env.Open("f", OpenMode::kCreate).value();
  const Status status = file->WriteAt(1, std::string(5 * 4096, 'x'));
  EXPECT_EQ(Code::kResourceExhausted, status.code());
  EXPECT_EQ("write f offset 12288: No space left on device", status.message());
  EXPECT_EQ(3u * 4096, *file->Size());
  EXPECT_EQ(3u * 4096, env.UsedBytes());
  CHECK_OK(file->WriteAt(0, std::string(3 * 4096, 'y'))) /* in place */;
}

TEST(Space, AllocateReservesAndResizeDoesNot) {
  FakeEnv env({.capacity_bytes = 4 * 4096});
  auto file = env.Open("f", OpenMode::kCreate).value();
  CHECK_OK(file->Resize(100 * 4096));
  EXPECT_EQ(0u, env.UsedBytes());
  CHECK_OK(file->Allocate(3 * 4096));
  EXPECT_EQ(Code::kResourceExhausted, file->Allocate(5 * 4096).code());
  auto other = env.Open("g", OpenMode::kCreate).value();
  CHECK_OK(other->WriteAt(0, std::string(4096, 'x')));
  EXPECT_FALSE(other->WriteAt(4096, "x").ok());
  CHECK_OK(file->WriteAt(0, std::string(3 * 4096, 'x')));
}

TEST(Space, CuttingAndRemovingGiveItBack) {
  FakeEnv env({.capacity_bytes = 4 * 4096});
  auto file = env.Open("f", OpenMode::kCreate).value();
  CHECK_OK(file->WriteAt(0, std::string(4 * 4096, 'x')));
  CHECK_OK(file->Resize(4097));
  EXPECT_EQ(2u * 4096, env.UsedBytes());
  CHECK_OK(env.Remove("f"));
  EXPECT_EQ(0u, env.UsedBytes());
  env.SetCapacity(0);
  auto other = env.Open("g", OpenMode::kCreate).value();
  EXPECT_FALSE(other->WriteAt(0, "x").ok());
  env.SetCapacity(4096);
  CHECK_OK(other->WriteAt(0, "x"));
}

TEST(Rot, AFlippedBitIsThereAtOnceAndAfterACrash) {
  FakeEnv env;
  auto file = MakeSynced(&env, "f", "abc");
  auto mapping = file->Map(4096, {}).value();
  env.FlipBit("f", 1, 0);
  EXPECT_EQ("acc", Read(&env, "f"));
  EXPECT_EQ('c', mapping->data()[1]);
  EXPECT_EQ(Set{"f=acc"}, Outcomes(env));
  CHECK_OK(file->WriteAt(0, "x"));
  env.FlipBit("f", 2, 1);
  EXPECT_EQ((Set{"f=aca", "f=xca"}), Outcomes(env));
}

TEST(Observer, SeesEachOperation) {
  FakeEnv env;
  Names seen;
  env.SetObserver([&seen](const DiskAccess& access) {
    seen.push_back(access.path + "@" + std::to_string(access.offset) + "+" +
                   std::to_string(access.size));
  });
  auto file = env.Open("f", OpenMode::kCreate).value();
  CHECK_OK(file->WriteAt(5, "abc"));
  CHECK_OK(file->Sync());
  EXPECT_EQ((Names{"f@0+0", "f@5+3", "f@0+0"}), seen);
}

TEST(Limits, AFileHasALargestSize) {
  FakeEnv env({.file_bytes_max = 8192});
  auto file = env.Open("f", OpenMode::kCreate).value();
  CHECK_OK(file->WriteAt(8191, "x"));
  EXPECT_FALSE(file->WriteAt(8192, "x").ok());
  EXPECT_FALSE(file->Resize(8193).ok());
  EXPECT_FALSE(file->Allocate(8193).ok());
  EXPECT_FALSE(file->Map(8193, {}).ok());
}

// A plain model beside the disk: random work, then what was synced is there.
TEST(PowerLoss, SyncedBytesSurviveRandomWork) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Random random(seed);
    FakeEnv env({.file_bytes_max = 1 << 16});
    auto file = MakeSynced(&env, "f", "");
    std::string now;
    std::string synced;
    for (int step = 0; step < 60; ++step) {
      const uint64_t at = random.Below(3000);
      if (random.OneIn(8)) {
        CHECK_OK(file->Sync());
        synced = now;
      } else if (random.OneIn(4)) {
        CHECK_OK(file->Resize(at));
        now.resize(at, '\0');
      } else {
        const std::string bytes(random.Between(1, 900),
                                static_cast<char>('a' + step % 26));
        CHECK_OK(file->WriteAt(at, bytes));
        now.resize(std::max<size_t>(now.size(), at + bytes.size()), '\0');
        now.replace(at, bytes.size(), bytes);
      }
      ASSERT_EQ(now, Read(&env, "f")) << seed;
      auto lost = env.AfterPowerLoss(PowerLoss::Nothing());
      ASSERT_EQ(synced, Read(lost.get(), "f")) << seed << " step " << step;
      auto kept = env.AfterPowerLoss(PowerLoss::Everything());
      ASSERT_EQ(now, Read(kept.get(), "f")) << seed << " step " << step;
    }
  }
}

}  // namespace
}  // namespace strata
