#include "base/fake_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace strata {

namespace {

class FakeMapping : public Mapping {
 public:
  FakeMapping(std::shared_ptr<FakeRegion> region, size_t size)
      : region_(std::move(region)), size_(size) {}

  const char* data() const override { return region_->data(); }
  size_t size() const override { return size_; }

 private:
  // Shared with the file, whose memory must outlive it.
  const std::shared_ptr<FakeRegion> region_;
  const size_t size_;
};

}  // namespace

FakeFile::FakeFile(FakeEnv* env, std::shared_ptr<FakeNode> node,
                   std::string path, bool writable)
    : env_(env),
      node_(std::move(node)),
      path_(std::move(path)),
      writable_(writable),
      boot_(env->boots_) {
  if (node_->content != nullptr) {
    failed_syncs_seen_ = node_->content->failed_syncs();
  }
  ++env_->open_files_;
}

FakeFile::~FakeFile() {
  const Guard guard(env_->mutex_);
  if (node_->lock_holder == this) node_->lock_holder = nullptr;
  --env_->open_files_;
}

std::string FakeFile::What(const char* operation) const {
  return std::string(operation) + " " + path_;
}

std::string FakeFile::What(const char* operation, uint64_t offset) const {
  return What(operation) + " offset " + std::to_string(offset);
}

Status FakeFile::CheckUsable() const {
  if (env_->powered_off_) return UnavailableError("powered off");
  if (boot_ == env_->boots_) return Status::Ok();
  return UnavailableError("opened before the power loss");
}

int FakeFile::WriteError(uint64_t end) const {
  if (!writable_) return EBADF;
  return end > content().bytes_max() ? EFBIG : 0;
}

Status FakeFile::ReadAt(uint64_t offset, size_t size, char* out) const {
  const DiskAccess access{DiskOperation::kRead, path_, offset, size};
  env_->Observe(access);
  const Guard guard(env_->mutex_);
  Status status = CheckUsable();
  if (status.ok()) status = env_->Admit(access).status;
  if (!status.ok()) return status.WithContext(What("read", offset));
  const uint64_t end = content().size();
  if (offset > end || size > end - offset) {
    return OutOfRangeError(What("read", std::max(offset, end)) +
                           ": end of file");
  }
  if (size > 0) std::memcpy(out, content().region()->data() + offset, size);
  return Status::Ok();
}

Status FakeFile::WriteAt(uint64_t offset, std::string_view data) {
  if (data.empty()) return Status::Ok();
  const DiskAccess access{DiskOperation::kWrite, path_, offset, data.size()};
  env_->Observe(access);
  const Guard guard(env_->mutex_);
  if (const Status status = CheckUsable(); !status.ok()) {
    return status.WithContext(What("write", offset));
  }
  if (const int error = WriteError(offset + data.size()); error != 0) {
    return ErrnoError(What("write", offset), error);
  }
  const FakeEnv::Verdict verdict = env_->Admit(access);
  const uint64_t room = env_->Room(content(), offset, data.size());
  const uint64_t n = std::min(verdict.bytes_max, room);
  if (verdict.acts && n > 0) {
    content().AddBlocks(offset, n);
    content().Write(offset, data.substr(0, n));
  }
  if (!verdict.status.ok()) {
    return verdict.status.WithContext(What("write", offset + n));
  }
  if (room == data.size()) return Status::Ok();
  return ErrnoError(What("write", offset + n), ENOSPC);
}

Status FakeFile::Resize(uint64_t size) {
  const DiskAccess access{DiskOperation::kResize, path_, 0, size};
  env_->Observe(access);
  const std::string what = What("resize", size);
  const Guard guard(env_->mutex_);
  RETURN_IF_ERROR(CheckUsable().WithContext(what));
  if (const int error = WriteError(size); error != 0) {
    return ErrnoError(what, error);
  }
  const FakeEnv::Verdict verdict = env_->Admit(access);
  if (verdict.acts) content().Resize(size);
  return verdict.status.WithContext(what);
}

Status FakeFile::Allocate(uint64_t size) {
  const DiskAccess access{DiskOperation::kAllocate, path_, 0, size};
  env_->Observe(access);
  const std::string what = What("allocate", size);
  const Guard guard(env_->mutex_);
  RETURN_IF_ERROR(CheckUsable().WithContext(what));
  if (const int error = WriteError(size); error != 0) {
    return ErrnoError(what, error);
  }
  const FakeEnv::Verdict verdict = env_->Admit(access);
  if (env_->Room(content(), 0, size) < size) return ErrnoError(what, ENOSPC);
  if (verdict.acts) {
    content().AddBlocks(0, size);
    if (size > content().size()) content().Resize(size);
  }
  return verdict.status.WithContext(what);
}

Status FakeFile::Sync() {
  const DiskAccess access{DiskOperation::kSync, path_};
  env_->Observe(access);
  const Guard guard(env_->mutex_);
  Status status = CheckUsable();
  if (status.ok()) {
    const FakeEnv::Verdict verdict = env_->Admit(access);
    if (verdict.status.ok()) content().Sync();
    if (verdict.is_fault) content().FailSync();
    const uint64_t failed = content().failed_syncs();
    const bool news = std::exchange(failed_syncs_seen_, failed) != failed;
    status = verdict.status;
    if (status.ok() && news) status = ErrnoError("told late", EIO);
  }
  return status.ok() ? status : status.WithContext(What("sync"));
}

StatusOr<uint64_t> FakeFile::Size() const {
  const Guard guard(env_->mutex_);
  RETURN_IF_ERROR(CheckUsable().WithContext(What("stat")));
  return content().size();
}

StatusOr<std::unique_ptr<Mapping>> FakeFile::Map(size_t size,
                                                 const MapOptions&) {
  const Guard guard(env_->mutex_);
  RETURN_IF_ERROR(CheckUsable().WithContext(What("map")));
  if (size == 0) return InvalidArgumentError(What("map") + ": no bytes");
  if (size > content().bytes_max()) {
    return ErrnoError(What("map", size), ENOMEM);
  }
  return std::make_unique<FakeMapping>(content().region(), size);
}

Status FakeFile::Lock() {
  const Guard guard(env_->mutex_);
  RETURN_IF_ERROR(CheckUsable().WithContext(What("lock")));
  if (node_->lock_holder == nullptr) node_->lock_holder = this;
  if (node_->lock_holder == this) return Status::Ok();
  return UnavailableError(What("lock") + ": held by another");
}

}  // namespace strata
