#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string_view>

#include "base/env.h"
#include "base/posix_file.h"

namespace strata {

namespace {

// Only the owner may read what a store holds.
constexpr mode_t kFileMode = 0600;
constexpr mode_t kDirMode = 0700;

int OpenFlags(OpenMode mode) {
  switch (mode) {
    case OpenMode::kReadOnly:
      return O_RDONLY;
    case OpenMode::kReadWrite:
      return O_RDWR;
    case OpenMode::kCreate:
      return O_RDWR | O_CREAT;
    case OpenMode::kCreateNew:
      return O_RDWR | O_CREAT | O_EXCL;
  }
  return O_RDONLY;
}

int OpenRetrying(const std::string& path, int flags) {
  int descriptor = -1;
  do {
    descriptor = open(path.c_str(), flags | O_CLOEXEC, kFileMode);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

bool IsDirectory(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

class PosixEnv : public Env {
 public:
  StatusOr<std::unique_ptr<File>> Open(const std::string& path,
                                       OpenMode mode) override;
  bool Exists(const std::string& path) override;
  StatusOr<std::vector<std::string>> List(const std::string& path) override;
  Status MakeDirs(const std::string& path) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status Remove(const std::string& path) override;
  Status RemoveAll(const std::string& path) override;
  Status SyncDir(const std::string& path) override;
};

StatusOr<std::unique_ptr<File>> PosixEnv::Open(const std::string& path,
                                               OpenMode mode) {
  const int descriptor = OpenRetrying(path, OpenFlags(mode));
  if (descriptor < 0) return ErrnoError("open " + path, errno);
  auto file = NewPosixFile(path, descriptor);
  if (mode == OpenMode::kReadOnly && IsDirectory(path)) {
    return ErrnoError("open " + path, EISDIR);
  }
  return file;
}

bool PosixEnv::Exists(const std::string& path) {
  return access(path.c_str(), F_OK) == 0;
}

StatusOr<std::vector<std::string>> PosixEnv::List(const std::string& path) {
  std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(path.c_str()), closedir);
  if (dir == nullptr) return ErrnoError("list " + path, errno);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return ErrnoError("list " + path, errno);
  std::sort(names.begin(), names.end());
  return names;
}

Status PosixEnv::MakeDirs(const std::string& path) {
  if (IsDirectory(path)) return Status::Ok();
  const std::string parent = DirName(path);
  if (parent != path) RETURN_IF_ERROR(MakeDirs(parent));
  if (mkdir(path.c_str(), kDirMode) != 0) {
    // Another process may have been faster; its directory will do.
    const int error = errno;
    if (!IsDirectory(path)) return ErrnoError("mkdir " + path, error);
  }
  return SyncDir(parent);
}

Status PosixEnv::Rename(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) == 0) return Status::Ok();
  return ErrnoError("rename " + from + " to " + to, errno);
}

Status PosixEnv::Remove(const std::string& path) {
  if (remove(path.c_str()) == 0) return Status::Ok();
  return ErrnoError("remove " + path, errno);
}

Status PosixEnv::RemoveAll(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  return error ? ErrnoError("remove " + path, error.value()) : Status::Ok();
}

Status PosixEnv::SyncDir(const std::string& path) {
  const int descriptor = OpenRetrying(path, O_RDONLY | O_DIRECTORY);
  if (descriptor < 0) return ErrnoError("open " + path, errno);
  int error = 0;
  do {
    error = fsync(descriptor) == 0 ? 0 : errno;
  } while (error == EINTR);
  close(descriptor);
  return error == 0 ? Status::Ok() : ErrnoError("sync " + path, error);
}

}  // namespace

Env* Env::Posix() {
  static PosixEnv env;
  return &env;
}

}  // namespace strata
