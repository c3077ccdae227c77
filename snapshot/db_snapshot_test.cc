#include "snapshot/db_snapshot.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace strata {
namespace {

class DbSnapshotTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "/db_snapshot_test";
    ASSERT_TRUE(env_->RemoveAll(directory_).ok());
    ASSERT_TRUE(env_->MakeDirs(directory_).ok());
    path_ = JoinPath(directory_, "copy.db");
  }
  // A database of `pages` pages, in pieces of one.
  static DatabaseWriter Pages(int pages) {
    return [pages](const ByteSink& sink) {
      for (int i = 0; i < pages; ++i) {
        RETURN_IF_ERROR(sink(std::string(4096, static_cast<char>('a' + i))));
      }
      return Status::Ok();
    };
  }
  void Flip(uint64_t offset) {
    auto file = *env_->Open(path_, OpenMode::kReadWrite);
    char byte = 0;
    ASSERT_TRUE(file->ReadAt(offset, 1, &byte).ok());
    byte ^= 0x10;
    ASSERT_TRUE(file->WriteAt(offset, std::string_view(&byte, 1)).ok());
  }

  Env* const env_ = Env::Posix();
  std::string directory_;
  std::string path_;
};

TEST_F(DbSnapshotTest, SumOfKnownBytes) {
  Sha256 sum;
  sum.Update("a");
  sum.Update("bc");
  EXPECT_EQ(ToHex(sum.Finish()),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_F(DbSnapshotTest, WrittenAndVerified) {
  ASSERT_TRUE(WriteDbSnapshotFile(env_, path_, Pages(5)).ok());
  EXPECT_EQ(*VerifyDbSnapshotFile(env_, path_), 5U * 4096);
  EXPECT_EQ(*env_->List(directory_), std::vector<std::string>{"copy.db"});
}

TEST_F(DbSnapshotTest, DamageIsFound) {
  for (uint64_t offset : {0, 4095, 20479, 20480, 20511}) {
    ASSERT_TRUE(WriteDbSnapshotFile(env_, path_, Pages(5)).ok());
    Flip(offset);
    EXPECT_EQ(VerifyDbSnapshotFile(env_, path_).status().code(),
              Code::kDataLoss)
        << offset;
  }
  ASSERT_TRUE(WriteDbSnapshotFile(env_, path_, Pages(5)).ok());
  ASSERT_TRUE((*env_->Open(path_, OpenMode::kReadWrite))->Resize(20480).ok());
  EXPECT_EQ(VerifyDbSnapshotFile(env_, path_).status().code(), Code::kDataLoss);
}

TEST_F(DbSnapshotTest, AFailedWriterLeavesNothing) {
  const Status status =
      WriteDbSnapshotFile(env_, path_, [](const ByteSink& sink) {
        RETURN_IF_ERROR(sink("half"));
        return UnavailableError("gone");
      });
  EXPECT_EQ(status, UnavailableError("gone"));
  EXPECT_TRUE(env_->List(directory_)->empty());
}

TEST_F(DbSnapshotTest, AFailedSinkEndsIt) {
  int pieces = 0;
  const Status status = StreamDbSnapshot(Pages(5), [&](std::string_view) {
    return ++pieces == 2 ? UnavailableError("client left") : Status::Ok();
  });
  EXPECT_EQ(status, UnavailableError("client left"));
  EXPECT_EQ(pieces, 2);
}

}  // namespace
}  // namespace strata
