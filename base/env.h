#ifndef STRATA_BASE_ENV_H_
#define STRATA_BASE_ENV_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace strata {

// The disk, passed in. Nothing outside base/ opens a file by itself, so that a
// test can put a disk of its own beneath the whole system: base/fake_env.h has
// one that loses power, fills up, fails and rots.
//
// What survives a power loss: a file's bytes after File::Sync() returned OK; a
// file's name (created, renamed, removed) after SyncDir() of its directory
// returned OK. Anything else may survive in any subset of its 512-byte sectors.
//
// After a Sync() or SyncDir() that failed nothing is known about what is on
// disk: the caller must stop, not retry.

// Memory backed by a file. Reads show what was written to the file through any
// handle (a shared mapping). The memory stays valid until the Mapping is
// destroyed, even after the File is closed; touching a page beyond the file's
// end is an error of ours (SIGBUS).
class Mapping {
 public:
  virtual ~Mapping() = default;
  virtual const char* data() const = 0;
  virtual size_t size() const = 0;
};

struct MapOptions {
  bool populate = false;  // read the whole range in before returning
  bool lock = false;      // keep it in memory (mlock)
  bool random = true;     // no read-ahead: pages are used one by one
};

// An open file. Thread-safe, as pread and pwrite are. Closed by its destructor.
class File {
 public:
  virtual ~File() = default;

  // Reads exactly `size` bytes at `offset` into `out`; fewer before the end of
  // the file is OutOfRange, with the file's name and the offset.
  virtual Status ReadAt(uint64_t offset, size_t size, char* out) const = 0;

  // Writes all of `data` at `offset`, growing the file where needed. On an
  // error a prefix may have been written.
  virtual Status WriteAt(uint64_t offset, std::string_view data) = 0;

  // Sets the length; new bytes read as zero.
  virtual Status Resize(uint64_t size) = 0;

  // Makes sure that blocks for [0, size) are there, so that later writes inside
  // it do not fail for want of space. The length becomes at least `size`.
  virtual Status Allocate(uint64_t size) = 0;

  // Makes content and length durable (fdatasync).
  virtual Status Sync() = 0;

  virtual StatusOr<uint64_t> Size() const = 0;

  // Maps [0, size) for reading; `size` may go beyond the end of the file, for a
  // file that will grow into it.
  virtual StatusOr<std::unique_ptr<Mapping>> Map(size_t size,
                                                 const MapOptions& options) = 0;

  // Takes an exclusive advisory lock, held until the File is closed (or the
  // process ends). Unavailable if another File, of this or another process,
  // holds it; with the process's id and name if they can be found. Excludes
  // both users of flock(2), as bbolt is, and of open-file-description locks, as
  // etcd's log is.
  virtual Status Lock() = 0;

  virtual const std::string& path() const = 0;
};

enum class OpenMode {
  kReadOnly,   // NotFound if missing
  kReadWrite,  // NotFound if missing
  kCreate,     // made if missing
  kCreateNew,  // AlreadyExists if there
};

// Thread-safe.
class Env {
 public:
  virtual ~Env() = default;

  virtual StatusOr<std::unique_ptr<File>> Open(const std::string& path,
                                               OpenMode mode) = 0;
  virtual bool Exists(const std::string& path) = 0;
  // Names (not paths) in a directory, sorted; without "." and "..".
  virtual StatusOr<std::vector<std::string>> List(const std::string& path) = 0;
  // With all missing parents, mode 0700; OK if it is there. The parents of
  // every directory made are synced.
  virtual Status MakeDirs(const std::string& path) = 0;
  // Atomic; replaces `to` if it exists.
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  virtual Status Remove(const std::string& path) = 0;
  // Removes a directory and all below it; OK if it is missing.
  virtual Status RemoveAll(const std::string& path) = 0;
  // Makes the names in a directory durable.
  virtual Status SyncDir(const std::string& path) = 0;

  // The machine's disk. Lives as long as the process.
  static Env* Posix();
};

// Joins with one '/': JoinPath("data", "member/wal").
std::string JoinPath(std::string_view directory, std::string_view name);
// "a/b" of "a/b/c"; "." of "c".
std::string DirName(std::string_view path);

// Reads a whole file of at most `limit` bytes.
StatusOr<std::string> ReadFile(Env* env, const std::string& path,
                               uint64_t limit);
// Writes `path` so that after a crash it has its old content or all of the new:
// a temporary file beside it, sync, rename, sync of the directory.
Status WriteFileAtomically(Env* env, const std::string& path,
                           std::string_view content);

}  // namespace strata

#endif  // STRATA_BASE_ENV_H_
