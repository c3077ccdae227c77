#include "snapshot/db_snapshot.h"

#include <openssl/evp.h>

#include <algorithm>

#include "base/check.h"

namespace strata {
namespace {

constexpr uint64_t kPieceBytes = 1 << 20;
// A bbolt file is whole pages, so the sum is what is left over.
constexpr uint64_t kSmallestPageBytes = 512;

}  // namespace

struct Sha256::State {
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  CHECK(state_->context != nullptr);
  CHECK_EQ(EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr), 1);
}

Sha256::~Sha256() = default;

void Sha256::Update(std::string_view piece) {
  CHECK_EQ(EVP_DigestUpdate(state_->context, piece.data(), piece.size()), 1);
}

std::string Sha256::Finish() {
  std::string sum(kSha256Bytes, '\0');
  unsigned int size = 0;
  CHECK_EQ(
      EVP_DigestFinal_ex(state_->context,
                         reinterpret_cast<unsigned char*>(sum.data()), &size),
      1);
  CHECK_EQ(size, kSha256Bytes);
  return sum;
}

Status StreamDbSnapshot(const DatabaseWriter& database, const ByteSink& sink) {
  Sha256 sum;
  RETURN_IF_ERROR(database([&](std::string_view piece) {
    sum.Update(piece);
    return sink(piece);
  }));
  return sink(sum.Finish());
}

Status WriteDbSnapshotFile(Env* env, const std::string& path,
                           const DatabaseWriter& database) {
  const std::string part = path + ".part";
  if (env->Exists(part)) RETURN_IF_ERROR(env->Remove(part));
  ASSIGN_OR_RETURN(std::unique_ptr<File> file,
                   env->Open(part, OpenMode::kCreateNew));
  uint64_t offset = 0;
  Status status = StreamDbSnapshot(database, [&](std::string_view piece) {
    const uint64_t at = offset;
    offset += piece.size();
    return file->WriteAt(at, piece);
  });
  if (status.ok()) status = file->Sync();
  file.reset();
  if (status.ok()) status = env->Rename(part, path);
  if (!status.ok()) {
    // The first error is the one to tell; a leftover is removed next time.
    env->Remove(part).IgnoreError();
    return status;
  }
  return env->SyncDir(DirName(path));
}

StatusOr<uint64_t> VerifyDbSnapshotFile(Env* env, const std::string& path) {
  ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                   env->Open(path, OpenMode::kReadOnly));
  ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  if (size % kSmallestPageBytes != kSha256Bytes) {
    return DataLossError(path + ": no snapshot with its SHA-256: " +
                         std::to_string(size) + " bytes");
  }
  const uint64_t database_bytes = size - kSha256Bytes;
  Sha256 sum;
  std::string piece;
  for (uint64_t at = 0; at < database_bytes; at += piece.size()) {
    piece.resize(std::min(kPieceBytes, database_bytes - at));
    RETURN_IF_ERROR(file->ReadAt(at, piece.size(), piece.data()));
    sum.Update(piece);
  }
  std::string expected(kSha256Bytes, '\0');
  RETURN_IF_ERROR(file->ReadAt(database_bytes, kSha256Bytes, expected.data()));
  if (sum.Finish() != expected) {
    return DataLossError(path + " offset " + std::to_string(database_bytes) +
                         ": the SHA-256 does not match the database");
  }
  return database_bytes;
}

}  // namespace strata
