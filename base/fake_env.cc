#include "base/fake_env.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/fake_file.h"

namespace strata {

namespace {

// "c" of "a/b/c/".
std::string BaseName(std::string_view path) {
  while (!path.empty() && path.back() == '/') path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  return std::string(slash == path.npos ? path : path.substr(slash + 1));
}

// What rename(2) answers when `to` is in the way, or 0.
int RenameError(const FakeNode& from, const FakeNode* to) {
  if (to == nullptr) return 0;
  if (from.is_directory() && !to->is_directory()) return ENOTDIR;
  if (!from.is_directory() && to->is_directory()) return EISDIR;
  return to->names.empty() ? 0 : ENOTEMPTY;
}

}  // namespace

FakeEnv::FakeEnv(const FakeEnvOptions& options)
    : options_(options),
      disk_(std::make_unique<FakeDisk>(options.file_bytes_max)) {}

FakeEnv::~FakeEnv() { CHECK_EQ(open_files_, 0u) << "files are still open"; }

// ---- Names.

StatusOr<std::unique_ptr<File>> FakeEnv::Open(const std::string& path,
                                              OpenMode mode) {
  const bool creates =
      mode == OpenMode::kCreate || mode == OpenMode::kCreateNew;
  if (creates && !IsThere(path)) Observe({DiskOperation::kCreate, path});
  const std::string what = "open " + path;
  const std::lock_guard guard(mutex_);
  if (powered_off_) return UnavailableError(what + ": powered off");
  auto node = disk_->Find(path);
  if (node == nullptr) {
    if (!creates) return ErrnoError(what, ENOENT);
    ASSIGN_OR_RETURN(node, Create(path));
  } else if (mode == OpenMode::kCreateNew) {
    return ErrnoError(what, EEXIST);
  }
  if (node->is_directory()) return ErrnoError(what, EISDIR);
  return std::make_unique<FakeFile>(this, std::move(node), path,
                                    mode != OpenMode::kReadOnly);
}

StatusOr<std::shared_ptr<FakeNode>> FakeEnv::Create(const std::string& path) {
  const std::string what = "open " + path;
  ASSIGN_OR_RETURN(auto parent, FindDirectory(what, DirName(path)));
  const Verdict verdict = Admit({DiskOperation::kCreate, path});
  auto node = disk_->NewFile();
  if (verdict.acts) disk_->Apply({{parent, BaseName(path), node}});
  if (!verdict.status.ok()) return verdict.status.WithContext(what);
  return node;
}

bool FakeEnv::IsThere(const std::string& path) const {
  const std::lock_guard guard(mutex_);
  return disk_->Find(path) != nullptr;
}

bool FakeEnv::Exists(const std::string& path) {
  return !powered_off() && IsThere(path);
}

StatusOr<std::shared_ptr<FakeNode>> FakeEnv::FindDirectory(
    const std::string& what, const std::string& path) const {
  auto node = disk_->Find(path);
  if (node == nullptr) return ErrnoError(what, ENOENT);
  if (!node->is_directory()) return ErrnoError(what, ENOTDIR);
  return node;
}

StatusOr<std::vector<std::string>> FakeEnv::List(const std::string& path) {
  const DiskAccess access{DiskOperation::kRead, path};
  Observe(access);
  const std::string what = "list " + path;
  const std::lock_guard guard(mutex_);
  RETURN_IF_ERROR(Admit(access).status.WithContext(what));
  ASSIGN_OR_RETURN(const auto directory, FindDirectory(what, path));
  std::vector<std::string> names;
  for (const auto& [name, node] : directory->names) names.push_back(name);
  return names;
}

Status FakeEnv::MakeDirs(const std::string& path) {
  {
    const std::lock_guard guard(mutex_);
    const std::string what = "mkdir " + path;
    if (powered_off_) return UnavailableError(what + ": powered off");
    if (disk_->Find(path) != nullptr) {
      return FindDirectory(what, path).status();
    }
  }
  const std::string parent = DirName(path);
  RETURN_IF_ERROR(MakeDirs(parent));
  RETURN_IF_ERROR(MakeDir(path));
  return SyncDir(parent);
}

Status FakeEnv::MakeDir(const std::string& path) {
  const DiskAccess access{DiskOperation::kMakeDir, path};
  Observe(access);
  const std::string what = "mkdir " + path;
  const std::lock_guard guard(mutex_);
  ASSIGN_OR_RETURN(auto parent, FindDirectory(what, DirName(path)));
  // Another thread may have been faster.
  if (disk_->Find(path) != nullptr) return FindDirectory(what, path).status();
  const Verdict verdict = Admit(access);
  if (verdict.acts) {
    disk_->Apply({{parent, BaseName(path), disk_->NewDirectory()}});
  }
  return verdict.status.WithContext(what);
}

Status FakeEnv::Rename(const std::string& from, const std::string& to) {
  const DiskAccess access{DiskOperation::kRename, from};
  Observe(access);
  const std::string what = "rename " + from + " to " + to;
  const std::lock_guard guard(mutex_);
  const auto node = disk_->Find(from);
  if (node == nullptr) return ErrnoError(what, ENOENT);
  ASSIGN_OR_RETURN(auto source, FindDirectory(what, DirName(from)));
  ASSIGN_OR_RETURN(auto target, FindDirectory(what, DirName(to)));
  const auto old = disk_->Find(to);
  const int error = RenameError(*node, old.get());
  if (error != 0) return ErrnoError(what, error);
  const Verdict verdict = Admit(access);
  if (verdict.acts && node != old) {
    disk_->Apply(
        {{source, BaseName(from), nullptr}, {target, BaseName(to), node}});
  }
  return verdict.status.WithContext(what);
}

Status FakeEnv::Remove(const std::string& path) {
  const DiskAccess access{DiskOperation::kRemove, path};
  Observe(access);
  const std::string what = "remove " + path;
  const std::lock_guard guard(mutex_);
  const auto node = disk_->Find(path);
  if (node == nullptr) return ErrnoError(what, ENOENT);
  if (!node->names.empty()) return ErrnoError(what, ENOTEMPTY);
  ASSIGN_OR_RETURN(auto parent, FindDirectory(what, DirName(path)));
  const Verdict verdict = Admit(access);
  if (verdict.acts) disk_->Apply({{parent, BaseName(path), nullptr}});
  return verdict.status.WithContext(what);
}

Status FakeEnv::RemoveAll(const std::string& path) {
  if (powered_off())
    return UnavailableError("remove " + path + ": powered off");
  std::vector<std::string> names;
  {
    const std::lock_guard guard(mutex_);
    const auto node = disk_->Find(path);
    if (node == nullptr) return Status::Ok();
    for (const auto& [name, child] : node->names) names.push_back(name);
  }
  for (const std::string& name : names) {
    RETURN_IF_ERROR(RemoveAll(JoinPath(path, name)));
  }
  return Remove(path);
}

Status FakeEnv::SyncDir(const std::string& path) {
  const DiskAccess access{DiskOperation::kSyncDir, path};
  Observe(access);
  const std::string what = "sync " + path;
  const std::lock_guard guard(mutex_);
  ASSIGN_OR_RETURN(const auto directory, FindDirectory(what, path));
  const Verdict verdict = Admit(access);
  if (verdict.status.ok()) disk_->SyncDirectory(directory.get());
  if (verdict.is_fault) disk_->FailSyncDirectory(directory.get());
  return verdict.status.WithContext(what);
}

// ---- Power.

std::unique_ptr<FakeEnv> FakeEnv::AfterPowerLoss(const PowerLoss& loss) const {
  const std::lock_guard guard(mutex_);
  auto after = std::make_unique<FakeEnv>(options_);
  after->disk_ = disk_->After(loss);
  return after;
}

void FakeEnv::Crash(const PowerLoss& loss) {
  const std::lock_guard guard(mutex_);
  disk_ = FakeDisk::After(std::move(disk_), loss);
  ++boots_;
  powered_off_ = false;
  power_off_at_ = UINT64_MAX;
}

size_t FakeEnv::UnsyncedThings() const {
  const std::lock_guard guard(mutex_);
  return disk_->UnsyncedThings();
}

void FakeEnv::PowerOffAt(uint64_t n) {
  CHECK(n > 0);
  const std::lock_guard guard(mutex_);
  power_off_at_ = operations_ + n;
}

bool FakeEnv::powered_off() const {
  const std::lock_guard guard(mutex_);
  return powered_off_;
}

uint64_t FakeEnv::operations() const {
  const std::lock_guard guard(mutex_);
  return operations_;
}

// ---- Faults.

FakeEnv::Verdict FakeEnv::Admit(const DiskAccess& access) {
  const auto off = [] { return UnavailableError("powered off"); };
  if (powered_off_) return Verdict{.status = off(), .acts = false};
  if (access.operation == DiskOperation::kRead) return TakeFault(access);
  if (++operations_ == power_off_at_) {
    powered_off_ = true;
    return Verdict{.status = off()};
  }
  return TakeFault(access);
}

FakeEnv::Verdict FakeEnv::TakeFault(const DiskAccess& access) {
  for (DiskFault& fault : faults_) {
    if (fault.operation != access.operation || fault.count == 0) continue;
    if (access.path.find(fault.path_part) == std::string::npos) continue;
    if (fault.skip > 0) {
      --fault.skip;
      continue;
    }
    --fault.count;
    return Verdict{.status = fault.status,
                   .acts = access.operation == DiskOperation::kWrite,
                   .is_fault = true,
                   .bytes_max = fault.bytes};
  }
  return Verdict{};
}

void FakeEnv::Observe(const DiskAccess& access) const {
  if (observer_) observer_(access);
}

void FakeEnv::Inject(const DiskFault& fault) {
  const std::lock_guard guard(mutex_);
  faults_.push_back(fault);
}

void FakeEnv::ClearFaults() {
  const std::lock_guard guard(mutex_);
  faults_.clear();
}

void FakeEnv::SetObserver(std::function<void(const DiskAccess&)> observer) {
  observer_ = std::move(observer);
}

// ---- Space and rot.

uint64_t FakeEnv::Room(const FakeContent& content, uint64_t offset,
                       uint64_t size) const {
  if (options_.capacity_bytes == UINT64_MAX) return size;
  constexpr uint64_t kBlock = FakeContent::kBlockBytes;
  const uint64_t used = disk_->UsedBytes();
  const uint64_t capacity = options_.capacity_bytes;
  uint64_t free_blocks = capacity > used ? (capacity - used) / kBlock : 0;
  uint64_t at = offset;
  while (at < offset + size) {
    const uint64_t missing = content.BlocksMissing(at, 1);
    if (missing > free_blocks) return at - offset;
    free_blocks -= missing;
    at = (at / kBlock + 1) * kBlock;
  }
  return size;
}

void FakeEnv::SetCapacity(uint64_t bytes) {
  const std::lock_guard guard(mutex_);
  options_.capacity_bytes = bytes;
}

uint64_t FakeEnv::UsedBytes() const {
  const std::lock_guard guard(mutex_);
  return disk_->UsedBytes();
}

void FakeEnv::FlipBit(const std::string& path, uint64_t offset, int bit) {
  const std::lock_guard guard(mutex_);
  const auto node = disk_->Find(path);
  CHECK(node != nullptr && !node->is_directory()) << path;
  node->content->FlipBit(offset, bit);
}

}  // namespace strata
