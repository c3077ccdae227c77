#include "base/posix_lock.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <vector>

namespace strata {

namespace {

std::vector<std::string> Entries(const std::string& directory) {
  std::vector<std::string> names;
  std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(directory.c_str()), closedir);
  if (dir == nullptr) return names;
  while (const dirent* entry = readdir(dir.get())) {
    if (std::isdigit(static_cast<unsigned char>(entry->d_name[0])) != 0) {
      names.emplace_back(entry->d_name);
    }
  }
  return names;
}

// The line of /proc/locks and /proc/PID/fdinfo/FD that belongs to this inode:
//   1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF
std::string InodeInLocks(const struct stat& file) {
  char text[64];
  std::snprintf(text, sizeof text, " %02x:%02x:%lu ", major(file.st_dev),
                minor(file.st_dev), static_cast<unsigned long>(file.st_ino));
  return text;
}

// Whether an open file of a process, as /proc shows it, has a lock on the
// inode.
bool HoldsLock(const std::string& fdinfo, const std::string& inode) {
  std::ifstream lines(fdinfo);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("lock:") && line.find(inode) != std::string::npos) {
      return true;
    }
  }
  return false;
}

// The process that holds a lock on `file`. /proc/locks has no process for an
// open-file-description lock, so each process's open files are looked at; those
// of other users are hidden from all but root.
std::optional<std::string> FindHolder(const struct stat& file) {
  const std::string inode = InodeInLocks(file);
  for (const std::string& process : Entries("/proc")) {
    const std::string fdinfo = "/proc/" + process + "/fdinfo";
    for (const std::string& descriptor : Entries(fdinfo)) {
      if (HoldsLock(fdinfo + "/" + descriptor, inode)) return process;
    }
  }
  return std::nullopt;
}

Status HeldError(int descriptor, const std::string& path) {
  struct stat file;
  std::optional<std::string> holder;
  if (fstat(descriptor, &file) == 0) holder = FindHolder(file);
  if (!holder) return UnavailableError("lock " + path + ": held by another");
  std::string name;
  std::ifstream comm("/proc/" + *holder + "/comm");
  std::getline(comm, name);
  return UnavailableError("lock " + path + ": held by process " + *holder +
                          " (" + name + ")");
}

// flock(2).
int LockWhole(int descriptor) {
  while (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

// An open-file-description lock. One for writing needs a file open for writing.
int LockRange(int descriptor) {
  const bool writable = (fcntl(descriptor, F_GETFL) & O_ACCMODE) != O_RDONLY;
  struct flock range = {};
  range.l_type = writable ? F_WRLCK : F_RDLCK;
  range.l_whence = SEEK_SET;
  while (fcntl(descriptor, F_OFD_SETLK, &range) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

}  // namespace

Status LockDescriptor(int descriptor, const std::string& path) {
  int error = LockWhole(descriptor);
  if (error == 0) {
    error = LockRange(descriptor);
    // Half a lock would keep others out for nothing.
    if (error != 0) flock(descriptor, LOCK_UN);
  }
  if (error == 0) return Status::Ok();
  if (error == EWOULDBLOCK || error == EACCES) {
    return HeldError(descriptor, path);
  }
  return ErrnoError("lock " + path, error);
}

}  // namespace strata
