#include "engine/backend_dir.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/fake_env.h"

namespace strata {
namespace {

constexpr char kSnap[] = "member/snap";
using Rows = std::map<std::string, std::string>;

BackendOptions Kind(BackendKind kind) {
  BackendOptions options;
  options.kind = kind;
  options.btree.initial_mmap_bytes = 0;
  options.leveldb.write_buffer_bytes = 64 << 10;
  return options;
}

BackendKind Other(BackendKind kind) {
  return kind == BackendKind::kBtree ? BackendKind::kLevelDb
                                     : BackendKind::kBtree;
}

StatusOr<std::unique_ptr<Backend>> Open(Env* env, BackendKind kind) {
  return OpenBackend(env, kSnap, Kind(kind), Logger::Null());
}

StatusOr<ConvertResult> Convert(Env* env, BackendKind to, bool keep = false) {
  return ConvertBackend(env, kSnap, {.to = Kind(to), .keep_old = keep},
                        Logger::Null());
}

void Fill(Env* env, BackendKind kind, int rows) {
  auto backend = Open(env, kind);
  CHECK_OK(backend);
  Batch batch;
  for (int i = 0; i < rows; ++i) {
    batch.Put(Table::kKey, "r" + std::to_string(100000 + i),
              std::string(i % 500, 'v'));
    batch.Put(static_cast<Table>(i % kTableCount), "x" + std::to_string(i),
              "y");
  }
  batch.Put(Table::kMeta, "consistent_index", "12345678");
  CHECK_OK((*backend)->Write(batch));
  CHECK_OK((*backend)->Sync());
}

Rows ReadAll(Env* env, BackendKind kind) {
  auto backend = Open(env, kind);
  CHECK_OK(backend);
  EXPECT_TRUE(
      (*backend)
          ->Check([](const std::string& fault) { ADD_FAILURE() << fault; })
          .ok());
  auto view = (*backend)->NewView();
  CHECK_OK(view);
  Rows rows;
  for (int i = 0; i < kTableCount; ++i) {
    auto row = (*view)->NewIterator(static_cast<Table>(i));
    for (row->SeekToFirst(); row->Valid(); row->Next()) {
      rows[std::to_string(i) + ":" + std::string(row->key())] = row->value();
    }
    CHECK_OK(row->status());
  }
  return rows;
}

class BackendDirTest : public testing::TestWithParam<BackendKind> {
 protected:
  FakeEnv env_{{.file_bytes_max = 32 << 20}};
};

INSTANTIATE_TEST_SUITE_P(From, BackendDirTest,
                         testing::Values(BackendKind::kBtree,
                                         BackendKind::kLevelDb),
                         [](const auto& info) {
                           return std::string(BackendName(info.param));
                         });

TEST_P(BackendDirTest, TheWrongKindIsRefusedByName) {
  EXPECT_EQ(*FindBackend(&env_, kSnap), std::nullopt);
  Fill(&env_, GetParam(), 10);
  EXPECT_EQ(*FindBackend(&env_, kSnap), GetParam());
  const auto opened = Open(&env_, Other(GetParam()));
  EXPECT_EQ(opened.status().code(), Code::kFailedPrecondition);
  const std::string text = opened.ToString();
  const std::string there(BackendName(GetParam()));
  EXPECT_NE(text.find(BackendPath(kSnap, GetParam()) + " is there"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("--backend=" + there), std::string::npos) << text;
  EXPECT_NE(text.find("stratautl db convert"), std::string::npos) << text;
  EXPECT_EQ(Open(&env_, BackendKind::kMem).status().code(),
            Code::kFailedPrecondition);
}

TEST_P(BackendDirTest, ThereAndBack) {
  Fill(&env_, GetParam(), 3000);
  const Rows rows = ReadAll(&env_, GetParam());
  const auto there = Convert(&env_, Other(GetParam()));
  ASSERT_TRUE(there.ok()) << there.ToString();
  EXPECT_EQ(there->from, GetParam());
  EXPECT_EQ(there->rows, rows.size());
  EXPECT_GT(there->new_bytes, 0u);
  EXPECT_EQ(*FindBackend(&env_, kSnap), Other(GetParam()));
  EXPECT_EQ(ReadAll(&env_, Other(GetParam())), rows);
  const auto back = Convert(&env_, GetParam(), /*keep=*/true);
  ASSERT_TRUE(back.ok()) << back.ToString();
  EXPECT_EQ(ReadAll(&env_, GetParam()), rows);
  EXPECT_TRUE(env_.Exists(BackendPath(kSnap, Other(GetParam())) + ".replaced"));
}

TEST_P(BackendDirTest, NothingToDoIsSaid) {
  EXPECT_EQ(Convert(&env_, GetParam()).status().code(), Code::kNotFound);
  Fill(&env_, GetParam(), 10);
  EXPECT_EQ(Convert(&env_, GetParam()).status().code(),
            Code::kFailedPrecondition);
}

TEST_P(BackendDirTest, AnOpenBackendIsNotConverted) {
  Fill(&env_, GetParam(), 10);
  const auto backend = Open(&env_, GetParam());
  ASSERT_TRUE(backend.ok());
  EXPECT_EQ(Convert(&env_, Other(GetParam())).status().code(),
            Code::kUnavailable);
}

// Two that differ are nobody's to choose from.
TEST_P(BackendDirTest, TwoThatDifferStay) {
  Fill(&env_, GetParam(), 10);
  ASSERT_TRUE(Convert(&env_, Other(GetParam()), /*keep=*/true).ok());
  const std::string old = BackendPath(kSnap, GetParam());
  CHECK_OK(env_.Rename(BackendPath(kSnap, Other(GetParam())), "aside"));
  CHECK_OK(env_.Rename(old + ".replaced", old));
  Fill(&env_, GetParam(), 20);
  CHECK_OK(env_.Rename("aside", BackendPath(kSnap, Other(GetParam()))));
  EXPECT_EQ(FindBackend(&env_, kSnap).status().code(),
            Code::kFailedPrecondition);
  const auto converted = Convert(&env_, Other(GetParam()));
  EXPECT_EQ(converted.status().code(), Code::kFailedPrecondition);
  EXPECT_NE(converted.ToString().find("differ in table"), std::string::npos)
      << converted.ToString();
}

// Power goes off at every operation of a conversion; with what is left, a
// second one finishes, and at no point does an empty backend come up.
TEST_P(BackendDirTest, EveryPointOfACrash) {
  const BackendKind to = Other(GetParam());
  Fill(&env_, GetParam(), 60);
  const Rows rows = ReadAll(&env_, GetParam());
  for (uint64_t point = 1;; ++point) {
    SCOPED_TRACE("point " + std::to_string(point));
    auto env = env_.AfterPowerLoss(PowerLoss::Everything());
    env->PowerOffAt(point);
    Convert(env.get(), to).status().IgnoreError();  // may be cut off
    if (!env->powered_off()) {
      EXPECT_GT(point, 20u);
      return;
    }
    for (uint64_t seed = 0; seed < 8; ++seed) {
      auto after = env->AfterPowerLoss(seed == 0   ? PowerLoss::Nothing()
                                       : seed == 1 ? PowerLoss::Everything()
                                                   : PowerLoss::Random(seed));
      const auto found = FindBackend(after.get(), kSnap);
      ASSERT_TRUE(!found.ok() || found->has_value());
      if (!found.ok() || **found == GetParam()) {
        const auto again = Convert(after.get(), to);
        ASSERT_TRUE(again.ok()) << again.ToString();
      }
      ASSERT_EQ(ReadAll(after.get(), to), rows);
    }
  }
}

}  // namespace
}  // namespace strata
