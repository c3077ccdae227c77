// What every Env keeps, the machine's and the fake one alike.

#include "base/env.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/fake_env.h"

namespace strata {
namespace {

using Names = std::vector<std::string>;

enum class Kind { kPosix, kFake };

// An Env and an empty directory in it.
class EnvTest : public testing::TestWithParam<Kind> {
 protected:
  EnvTest() {
    if (GetParam() == Kind::kFake) {
      fake_ = std::make_unique<FakeEnv>();
      env_ = fake_.get();
      root_ = "/root";
      CHECK_OK(env_->MakeDirs(root_));
    } else {
      std::string name = testing::TempDir() + "/env_test.XXXXXX";
      CHECK(mkdtemp(name.data()) != nullptr) << std::strerror(errno);
      env_ = Env::Posix();
      root_ = name;
    }
  }
  ~EnvTest() override { CHECK_OK(env_->RemoveAll(root_)); }

  std::string At(std::string_view name) const { return JoinPath(root_, name); }
  std::unique_ptr<File> Open(std::string_view name,
                             OpenMode mode = OpenMode::kCreate) {
    return env_->Open(At(name), mode).value();
  }
  std::string Read(const std::string& name) {
    return ReadFile(env_, At(name), 1 << 20).value();
  }

  std::unique_ptr<FakeEnv> fake_;
  Env* env_ = nullptr;
  std::string root_;
};

std::string KindName(const testing::TestParamInfo<Kind>& info) {
  return info.param == Kind::kFake ? "Fake" : "Posix";
}

INSTANTIATE_TEST_SUITE_P(Both, EnvTest,
                         testing::Values(Kind::kPosix, Kind::kFake), KindName);

// The error has this code and names the file and whatever else is given.
void ExpectError(const Status& status, Code code, std::string_view a,
                 std::string_view b = "") {
  EXPECT_EQ(code, status.code()) << status;
  EXPECT_NE(std::string::npos, status.message().find(a)) << status;
  EXPECT_NE(std::string::npos, status.message().find(b)) << status;
}

TEST_P(EnvTest, OpenModes) {
  ExpectError(env_->Open(At("a"), OpenMode::kReadOnly).status(),
              Code::kNotFound, At("a"));
  ExpectError(env_->Open(At("a"), OpenMode::kReadWrite).status(),
              Code::kNotFound, At("a"));
  CHECK_OK(env_->Open(At("a"), OpenMode::kCreateNew));
  ExpectError(env_->Open(At("a"), OpenMode::kCreateNew).status(),
              Code::kAlreadyExists, At("a"));
  CHECK_OK(env_->Open(At("a"), OpenMode::kCreate));
  CHECK_OK(env_->Open(At("a"), OpenMode::kReadWrite));
  EXPECT_EQ(At("a"), Open("a", OpenMode::kReadOnly)->path());
  ExpectError(env_->Open(At("no/a"), OpenMode::kCreate).status(),
              Code::kNotFound, At("no/a"));
  EXPECT_FALSE(env_->Open(At("a/b"), OpenMode::kCreate).ok());
  EXPECT_FALSE(env_->Open(root_, OpenMode::kReadOnly).ok());
  EXPECT_FALSE(env_->Open(root_, OpenMode::kReadWrite).ok());
}

TEST_P(EnvTest, OpenKeepsWhatIsThere) {
  CHECK_OK(Open("a")->WriteAt(0, "kept"));
  Open("a", OpenMode::kCreate);
  EXPECT_EQ("kept", Read("a"));
}

TEST_P(EnvTest, WriteAndReadAnywhere) {
  auto file = Open("a");
  CHECK_OK(file->WriteAt(1000, "hello"));
  CHECK_OK(file->WriteAt(1002, "LL"));
  EXPECT_EQ(1005u, *file->Size());
  char bytes[5];
  CHECK_OK(file->ReadAt(1000, 5, bytes));
  EXPECT_EQ("heLLo", std::string_view(bytes, 5));
  CHECK_OK(file->ReadAt(0, 5, bytes));
  EXPECT_EQ(std::string_view("\0\0\0\0\0", 5), std::string_view(bytes, 5));
  CHECK_OK(file->ReadAt(1005, 0, bytes));
  CHECK_OK(file->WriteAt(5000, ""));
  EXPECT_EQ(1005u, *file->Size()) << "nothing written, nothing grown";
}

TEST_P(EnvTest, ReadBeyondTheEndNamesFileAndOffset) {
  auto file = Open("a");
  CHECK_OK(file->WriteAt(0, "12345"));
  char bytes[8];
  ExpectError(file->ReadAt(3, 4, bytes), Code::kOutOfRange, At("a"),
              "offset 5");
  ExpectError(file->ReadAt(9, 1, bytes), Code::kOutOfRange, "offset 9");
}

TEST_P(EnvTest, AReadOnlyFileIsNotWritten) {
  CHECK_OK(Open("a")->WriteAt(0, "x"));
  auto file = Open("a", OpenMode::kReadOnly);
  EXPECT_FALSE(file->WriteAt(0, "y").ok());
  EXPECT_FALSE(file->Resize(0).ok());
  EXPECT_EQ("x", Read("a"));
}

TEST_P(EnvTest, ResizeCutsAndFillsWithZeros) {
  auto file = Open("a");
  CHECK_OK(file->WriteAt(0, std::string(3000, 'x')));
  CHECK_OK(file->Resize(1000));
  EXPECT_EQ(1000u, *file->Size());
  CHECK_OK(file->Resize(2000));
  EXPECT_EQ(std::string(1000, 'x') + std::string(1000, '\0'), Read("a"));
}

TEST_P(EnvTest, AllocateGrowsButNeverShrinks) {
  auto file = Open("a");
  CHECK_OK(file->WriteAt(0, "abc"));
  CHECK_OK(file->Allocate(0));
  CHECK_OK(file->Allocate(10000));
  EXPECT_EQ(10000u, *file->Size());
  CHECK_OK(file->Allocate(100));
  EXPECT_EQ(10000u, *file->Size());
  EXPECT_EQ("abc" + std::string(9997, '\0'), Read("a"));
}

TEST_P(EnvTest, SyncOfFileAndDirectory) {
  auto file = Open("a");
  CHECK_OK(file->WriteAt(0, "abc"));
  CHECK_OK(file->Sync());
  CHECK_OK(env_->SyncDir(root_));
  EXPECT_FALSE(env_->SyncDir(At("no")).ok());
  EXPECT_FALSE(env_->SyncDir(At("a")).ok());
}

TEST_P(EnvTest, AMappingShowsWritesOfEveryHandle) {
  auto file = Open("a");
  CHECK_OK(file->WriteAt(0, std::string(4096, 'a')));
  auto mapping = file->Map(1 << 20, {}).value();
  EXPECT_EQ(size_t{1} << 20, mapping->size());
  EXPECT_EQ('a', mapping->data()[4095]);
  auto other = Open("a", OpenMode::kReadWrite);
  CHECK_OK(other->WriteAt(1, "b"));
  EXPECT_EQ('b', mapping->data()[1]);
  CHECK_OK(other->WriteAt(4096, std::string(4096, 'c')));
  EXPECT_EQ('c', mapping->data()[8191]) << "the file has grown into it";
  other.reset();
  file.reset();
  EXPECT_EQ('b', mapping->data()[1]) << "still valid after close";
  EXPECT_FALSE(Open("a")->Map(0, {}).ok());
}

TEST_P(EnvTest, MapOptions) {
  auto file = Open("a");
  CHECK_OK(file->WriteAt(0, std::string(10000, 'a')));
  for (const bool random : {false, true}) {
    const MapOptions options{.populate = true, .lock = true, .random = random};
    auto mapping = file->Map(1 << 16, options);
    CHECK_OK(mapping);
    EXPECT_EQ('a', (*mapping)->data()[9999]);
  }
}

TEST_P(EnvTest, MapOfAnEmptyFileMayBePopulated) {
  auto file = Open("a");
  auto mapping = file->Map(8192, {.populate = true, .lock = false});
  CHECK_OK(mapping);
  CHECK_OK(file->WriteAt(0, "x"));
  EXPECT_EQ('x', (*mapping)->data()[0]);
}

TEST_P(EnvTest, ALockKeepsOtherFilesOut) {
  auto first = Open("a");
  CHECK_OK(first->Lock());
  CHECK_OK(first->Lock());
  auto second = Open("a");
  ExpectError(second->Lock(), Code::kUnavailable, At("a"), "held by");
  CHECK_OK(second->WriteAt(0, "it is advisory"));
  first.reset();
  CHECK_OK(second->Lock());
  auto reader = Open("a", OpenMode::kReadOnly);
  EXPECT_FALSE(reader->Lock().ok());
  second.reset();
  CHECK_OK(reader->Lock());
}

TEST_P(EnvTest, NamesAreListedInOrder) {
  for (const char* name : {"b", "a", ".hidden", "c"}) Open(name);
  CHECK_OK(env_->MakeDirs(At("d/e")));
  EXPECT_EQ((Names{".hidden", "a", "b", "c", "d"}), *env_->List(root_));
  EXPECT_EQ(Names{"e"}, *env_->List(At("d")));
  EXPECT_EQ(Names{}, *env_->List(At("d/e")));
  ExpectError(env_->List(At("no")).status(), Code::kNotFound, At("no"));
  EXPECT_FALSE(env_->List(At("a")).ok());
}

TEST_P(EnvTest, MakeDirsMakesParentsAndAcceptsWhatIsThere) {
  CHECK_OK(env_->MakeDirs(At("a/b/c")));
  CHECK_OK(env_->MakeDirs(At("a/b/c/")));
  EXPECT_TRUE(env_->Exists(At("a/b/c")));
  Open("file");
  EXPECT_FALSE(env_->MakeDirs(At("file")).ok());
  EXPECT_FALSE(env_->MakeDirs(At("file/d")).ok());
}

TEST_P(EnvTest, RenameReplaces) {
  CHECK_OK(Open("old")->WriteAt(0, "old"));
  auto file = Open("new");
  CHECK_OK(file->WriteAt(0, "new"));
  CHECK_OK(env_->Rename(At("new"), At("old")));
  EXPECT_EQ(Names{"old"}, *env_->List(root_));
  EXPECT_EQ("new", Read("old"));
  CHECK_OK(file->WriteAt(0, "still open"));
  EXPECT_EQ("still open", Read("old"));
  ExpectError(env_->Rename(At("no"), At("x")), Code::kNotFound, At("no"));
  CHECK_OK(env_->Rename(At("old"), At("old")));
  EXPECT_EQ("still open", Read("old"));
}

TEST_P(EnvTest, RenameOfDirectories) {
  CHECK_OK(env_->MakeDirs(At("a/b")));
  CHECK_OK(Open("a/b/f")->WriteAt(0, "x"));
  CHECK_OK(env_->Rename(At("a"), At("z")));
  EXPECT_EQ("x", Read("z/b/f"));
  EXPECT_FALSE(env_->Exists(At("a")));
  CHECK_OK(env_->MakeDirs(At("a")));
  EXPECT_FALSE(env_->Rename(At("a"), At("z")).ok()) << "z is not empty";
  Open("file");
  EXPECT_FALSE(env_->Rename(At("a"), At("file")).ok());
  EXPECT_FALSE(env_->Rename(At("file"), At("a")).ok());
}

TEST_P(EnvTest, Remove) {
  auto file = Open("a");
  CHECK_OK(file->WriteAt(0, "x"));
  CHECK_OK(env_->Remove(At("a")));
  EXPECT_FALSE(env_->Exists(At("a")));
  char byte = 0;
  CHECK_OK(file->ReadAt(0, 1, &byte));
  EXPECT_EQ('x', byte) << "an open file outlives its name";
  ExpectError(env_->Remove(At("a")), Code::kNotFound, At("a"));
}

TEST_P(EnvTest, RemoveAll) {
  CHECK_OK(env_->MakeDirs(At("a/b/c")));
  Open("a/b/f");
  Open("a/g");
  EXPECT_FALSE(env_->Remove(At("a")).ok()) << "it is not empty";
  CHECK_OK(env_->RemoveAll(At("a")));
  EXPECT_EQ(Names{}, *env_->List(root_));
  CHECK_OK(env_->RemoveAll(At("a")));
}

TEST_P(EnvTest, ReadFileHasALimit) {
  CHECK_OK(Open("a")->WriteAt(0, "12345"));
  EXPECT_EQ("12345", *ReadFile(env_, At("a"), 5));
  ExpectError(ReadFile(env_, At("a"), 4).status(), Code::kOutOfRange, At("a"));
  ExpectError(ReadFile(env_, At("b"), 4).status(), Code::kNotFound, At("b"));
}

TEST_P(EnvTest, WriteFileAtomicallyLeavesOnlyTheFile) {
  CHECK_OK(WriteFileAtomically(env_, At("a"), "a longer first content"));
  CHECK_OK(WriteFileAtomically(env_, At("a"), "second"));
  EXPECT_EQ("second", Read("a"));
  CHECK_OK(WriteFileAtomically(env_, At("a"), ""));
  EXPECT_EQ("", Read("a"));
  EXPECT_EQ(Names{"a"}, *env_->List(root_));
  EXPECT_FALSE(WriteFileAtomically(env_, At("no/a"), "x").ok());
}

TEST(Paths, Join) {
  EXPECT_EQ("data/member/wal", JoinPath("data", "member/wal"));
  EXPECT_EQ("data/x", JoinPath("data//", "/x"));
  EXPECT_EQ("/x", JoinPath("/", "x"));
  EXPECT_EQ("x", JoinPath("", "x"));
}

TEST(Paths, DirName) {
  EXPECT_EQ("a/b", DirName("a/b/c"));
  EXPECT_EQ("a/b", DirName("a/b/c/"));
  EXPECT_EQ("a", DirName("a//b"));
  EXPECT_EQ(".", DirName("c"));
  EXPECT_EQ("/", DirName("/c"));
  EXPECT_EQ("/", DirName("/"));
}

}  // namespace
}  // namespace strata
