#ifndef STRATA_SNAPSHOT_DB_SNAPSHOT_H_
#define STRATA_SNAPSHOT_DB_SNAPSHOT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/env.h"
#include "base/status.h"

namespace strata {

// A copy of the store as etcd's `snapshot save` keeps it: the bytes of a bbolt
// file, then their SHA-256.

inline constexpr uint64_t kSha256Bytes = 32;

using ByteSink = std::function<Status(std::string_view piece)>;
// Writes a database to the sink it is given, piece by piece in file order:
// Backend::WriteSnapshot with its view.
using DatabaseWriter = std::function<Status(const ByteSink& sink)>;

// SHA-256 of a stream. Used by one thread.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Update(std::string_view piece);
  // The 32 bytes. REQUIRES: called once, last.
  std::string Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Streams what `database` writes to `sink`, then the 32 bytes. An error of
// either ends it.
Status StreamDbSnapshot(const DatabaseWriter& database, const ByteSink& sink);

// The same into a file, which is there whole and durably, or not at all.
Status WriteDbSnapshotFile(Env* env, const std::string& path,
                           const DatabaseWriter& database);

// Checks the sum of such a file and returns the bytes of the database in it.
// DataLoss if it does not match or is not there.
StatusOr<uint64_t> VerifyDbSnapshotFile(Env* env, const std::string& path);

}  // namespace strata

#endif  // STRATA_SNAPSHOT_DB_SNAPSHOT_H_
