#ifndef STRATA_BASE_FAKE_ENV_H_
#define STRATA_BASE_FAKE_ENV_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/fake_disk.h"
#include "base/power_loss.h"

namespace strata {

struct FakeEnvOptions {
  // Space for files' blocks (of 4 KiB); a write that needs more gets as far as
  // there is room and fails as with ENOSPC.
  uint64_t capacity_bytes = UINT64_MAX;
  // No file can grow beyond it; a multiple of 4096. Address space is reserved
  // for each file, not memory; a test that makes thousands of disks is faster
  // with less, above all under a sanitizer.
  uint64_t file_bytes_max = uint64_t{1} << 30;
};

// What is counted, can be made to fail, and changes the disk; and kRead.
enum class DiskOperation {
  kRead,
  kWrite,
  kResize,
  kAllocate,
  kSync,
  kMakeDir,
  kCreate,
  kRename,
  kRemove,
  kSyncDir,
};

struct DiskAccess {
  DiskOperation operation;
  std::string path;  // of a rename, the old one
  uint64_t offset = 0;
  uint64_t size = 0;
};

// A failure to come. One of kSync and kSyncDir leaves what was not synced in
// memory but marked as clean, as Linux does: it may be lost even if a later
// sync returns OK.
struct DiskFault {
  DiskOperation operation;
  std::string path_part = {};  // of the path; "" is every path
  uint64_t skip = 0;           // so many operations work before
  uint64_t count = 1;          // so many fail
  uint64_t bytes = 0;          // of a failing write, the prefix that is written
  Status status = ErrnoError("injected", 5);  // EIO: DataLoss
};

// A disk in memory that keeps env.h's promises and nothing beyond them: it
// loses power, fills up, fails and rots. Thread-safe.
//
// What is not synced is kept apart from what is: each 512-byte sector, each
// file's length and each change of names is one thing that a power loss may
// take or leave (power_loss.h); a rename is one thing. A shrinking that is lost
// gives the cut bytes back. The names of removed files, too, come back if their
// directory was not synced.
//
// A test of all crash points of some work:
//
//   for (uint64_t point = 1;; ++point) {
//     FakeEnv env;
//     env.PowerOffAt(point);
//     const Acknowledged acknowledged = Work(&env);  // errors end it early
//     if (!env.powered_off()) break;                 // it had fewer operations
//     const size_t things = env.UnsyncedThings();
//     for (uint64_t mask = 0; mask < (1 << std::min(things, 6ul)); ++mask) {
//       auto after = env.AfterPowerLoss(PowerLoss::Mask(mask));
//       OpenAndCheck(after.get(), acknowledged);
//     }
//     for (uint64_t seed = 0; seed < 20; ++seed) {
//       OpenAndCheck(env.AfterPowerLoss(PowerLoss::Random(seed)).get(), ...);
//     }
//   }
//
// Files must be closed before their FakeEnv goes; mappings may stay.
class FakeEnv : public Env {
 public:
  FakeEnv() : FakeEnv(FakeEnvOptions{}) {}
  explicit FakeEnv(const FakeEnvOptions& options);
  ~FakeEnv() override;

  // env.h. A relative path starts at the root, which is there.
  StatusOr<std::unique_ptr<File>> Open(const std::string& path,
                                       OpenMode mode) override;
  bool Exists(const std::string& path) override;
  StatusOr<std::vector<std::string>> List(const std::string& path) override;
  Status MakeDirs(const std::string& path) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status Remove(const std::string& path) override;
  Status RemoveAll(const std::string& path) override;
  Status SyncDir(const std::string& path) override;

  // Power. The disk as it comes up after losing power now: everything on it is
  // synced, nothing is locked, no fault is set. This one stays as it is.
  std::unique_ptr<FakeEnv> AfterPowerLoss(const PowerLoss& loss) const;
  // The same in place: power is back at once; Files opened before fail with
  // Unavailable, mappings made before show nothing new. Faults stay set.
  void Crash(const PowerLoss& loss);
  // Things for which PowerLoss decides.
  size_t UnsyncedThings() const;

  // Power goes off in the middle of the n-th operation from now (all but reads
  // count; 1 is the next): what it changes is done but not synced, and it and
  // all that follow fail with Unavailable "powered off", until Crash().
  void PowerOffAt(uint64_t n);
  bool powered_off() const;
  // Operations so far, without reads.
  uint64_t operations() const;

  // Faults. Each operation takes the first one that fits it.
  void Inject(const DiskFault& fault);
  void ClearFaults();
  // Called before each read and operation, without a lock: to be slow, or to
  // look on. Set before use.
  void SetObserver(std::function<void(const DiskAccess&)> observer);

  void SetCapacity(uint64_t bytes);
  uint64_t UsedBytes() const;

  // Bit rot: the medium's bit flips, as if it had always been so.
  // REQUIRES: the file has the byte
  void FlipBit(const std::string& path, uint64_t offset, int bit);

 private:
  friend class FakeFile;

  // Whether an operation goes on.
  struct Verdict {
    Status status;
    bool acts = true;  // it changes the disk, whatever the status
    bool is_fault = false;
    uint64_t bytes_max = UINT64_MAX;  // of a write
  };
  Verdict Admit(const DiskAccess& access);
  Verdict TakeFault(const DiskAccess& access);
  void Observe(const DiskAccess& access) const;
  // Bytes of [offset, offset + size) for which there is room, from the start.
  uint64_t Room(const FakeContent& content, uint64_t offset,
                uint64_t size) const;
  StatusOr<std::shared_ptr<FakeNode>> FindDirectory(
      const std::string& what, const std::string& path) const;
  bool IsThere(const std::string& path) const;
  StatusOr<std::shared_ptr<FakeNode>> Create(const std::string& path);
  Status MakeDir(const std::string& path);

  // Set before use.
  std::function<void(const DiskAccess&)> observer_;

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  FakeEnvOptions options_;
  std::unique_ptr<FakeDisk> disk_;
  std::vector<DiskFault> faults_;
  uint64_t operations_ = 0;
  uint64_t power_off_at_ = UINT64_MAX;
  bool powered_off_ = false;
  uint64_t boots_ = 0;  // a File of an earlier boot is dead
  uint64_t open_files_ = 0;
};

}  // namespace strata

#endif  // STRATA_BASE_FAKE_ENV_H_
