// Locks between processes, of both kinds that an etcd takes.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "base/env.h"

namespace strata {
namespace {

bool TryFlock(int descriptor) {
  return flock(descriptor, LOCK_EX | LOCK_NB) == 0;
}

bool TryRange(int descriptor) {
  struct flock range = {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  return fcntl(descriptor, F_OFD_SETLK, &range) == 0;
}

// Another process that has locked a file, until this object goes.
class Holder {
 public:
  Holder(const std::string& path, bool (*try_lock)(int)) {
    int ready[2];
    CHECK(pipe(ready) == 0);
    process_ = fork();
    if (process_ == 0) {
      const int descriptor = open(path.c_str(), O_RDWR);
      const char answer = try_lock(descriptor) ? 'y' : 'n';
      if (write(ready[1], &answer, 1) == 1) pause();
      _exit(0);
    }
    char answer = 0;
    CHECK(read(ready[0], &answer, 1) == 1);
    got_it_ = answer == 'y';
    close(ready[0]);
    close(ready[1]);
  }
  ~Holder() {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }

  bool got_it() const { return got_it_; }
  std::string process() const { return std::to_string(process_); }

 private:
  pid_t process_ = -1;
  bool got_it_ = false;
};

class PosixLock : public testing::TestWithParam<bool (*)(int)> {
 protected:
  PosixLock() {
    CHECK(mkdtemp(directory_.data()) != nullptr);
    path_ = JoinPath(directory_, "db");
    CHECK_OK(Env::Posix()->Open(path_, OpenMode::kCreateNew));
  }
  ~PosixLock() override { CHECK_OK(Env::Posix()->RemoveAll(directory_)); }

  std::string directory_ = testing::TempDir() + "/posix_lock.XXXXXX";
  std::string path_;
};

INSTANTIATE_TEST_SUITE_P(FlockAndRange, PosixLock,
                         testing::Values(TryFlock, TryRange),
                         [](const auto& info) {
                           return info.index == 0 ? "Flock" : "Range";
                         });

TEST_P(PosixLock, TheErrorNamesTheHolder) {
  auto file = Env::Posix()->Open(path_, OpenMode::kReadWrite).value();
  {
    const Holder holder(path_, GetParam());
    ASSERT_TRUE(holder.got_it());
    const Status status = file->Lock();
    EXPECT_EQ(Code::kUnavailable, status.code()) << status;
    EXPECT_NE(std::string::npos,
              status.message().find("process " + holder.process()))
        << status;
  }
  CHECK_OK(file->Lock()) /* the holder is gone */;
}

TEST_P(PosixLock, KeepsTheOtherKindOut) {
  auto file = Env::Posix()->Open(path_, OpenMode::kReadWrite).value();
  CHECK_OK(file->Lock());
  EXPECT_FALSE(Holder(path_, GetParam()).got_it());
  file.reset();
  EXPECT_TRUE(Holder(path_, GetParam()).got_it());
}

TEST_P(PosixLock, AFailedLockLeavesNothingLocked) {
  auto file = Env::Posix()->Open(path_, OpenMode::kReadWrite).value();
  {
    const Holder holder(path_, GetParam());
    EXPECT_FALSE(file->Lock().ok());
  }
  EXPECT_TRUE(Holder(path_, TryFlock).got_it());
  EXPECT_TRUE(Holder(path_, TryRange).got_it());
}

}  // namespace
}  // namespace strata
