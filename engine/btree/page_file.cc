#include "engine/btree/page_file.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "base/memory.h"
#include "engine/btree/image.h"

namespace strata::btree {
namespace {

// The file grows by an eighth and a bit, but by no more than this: what was cut
// off would else be half back with the next page.
constexpr uint64_t kGrowthStep = 16 << 20;
constexpr uint64_t kSmallestFile = 32 << 10;
// Neighbouring pages are written together, up to this many bytes.
constexpr size_t kWriteBytes = 1 << 20;

uint64_t GrownSize(uint64_t bytes) {
  const uint64_t step =
      std::clamp(std::bit_floor(bytes / 8), kSmallestFile, kGrowthStep);
  return (bytes + step - 1) / step * step;
}

// After a failed sync nothing is known; so even a full disk is final then.
Status Final(Status status) {
  if (status.code() != Code::kResourceExhausted) return status;
  return DataLossError(status.message());
}

uint32_t PageSizeFor(const BtreeOptions& options) {
  if (options.page_size != 0) return options.page_size;
  return static_cast<uint32_t>(sysconf(_SC_PAGESIZE));
}

Status WriteNew(Env* env, const std::string& path, uint32_t page_size) {
  ASSIGN_OR_RETURN(auto file, env->Open(path, OpenMode::kCreate));
  RETURN_IF_ERROR(file->Lock());
  RETURN_IF_ERROR(file->Resize(0));
  uint64_t at = 0;
  RETURN_IF_ERROR(
      WriteImage(nullptr, page_size, [&](std::string_view piece) -> Status {
        RETURN_IF_ERROR(file->WriteAt(at, piece));
        at += piece.size();
        return Status::Ok();
      }));
  return file->Sync();
}

}  // namespace

StatusOr<std::unique_ptr<PageFile>> PageFile::Open(Env* env,
                                                   const std::string& path,
                                                   const BtreeOptions& options,
                                                   const PlantedBugs& bugs) {
  if (options.fill_fraction < 0.1 || options.fill_fraction > 1) {
    return InvalidArgumentError("fill fraction " +
                                std::to_string(options.fill_fraction));
  }
  ASSIGN_OR_RETURN(auto file,
                   env->Open(path, options.read_only ? OpenMode::kReadOnly
                                                     : OpenMode::kReadWrite));
  RETURN_IF_ERROR(file->Lock());
  return std::unique_ptr<PageFile>(
      new PageFile(std::move(file), options, bugs));
}

Status PageFile::Create(Env* env, const std::string& path,
                        const BtreeOptions& options) {
  const uint32_t page_size = PageSizeFor(options);
  if (!std::has_single_bit(page_size) || page_size < kMinPageSize ||
      page_size > kMaxPageSize) {
    return InvalidArgumentError("page size " + std::to_string(page_size));
  }
  const std::string temporary = path + ".tmp";
  RETURN_IF_ERROR(WriteNew(env, temporary, page_size));
  RETURN_IF_ERROR(env->Rename(temporary, path));
  return env->SyncDir(DirName(path));
}

StatusOr<FoundMeta> PageFile::Load() {
  ASSIGN_OR_RETURN(file_bytes_, file_->Size());
  ASSIGN_OR_RETURN(FoundMeta found,
                   ReadMetas(*file_, file_bytes_, options_.accept_one_meta));
  const Meta& meta = found.meta;
  slot_ = found.slot;
  const uint64_t pages = file_bytes_ / meta.page_size;
  if (pages < meta.high_water) {
    return DataLossError(path() + " offset " + std::to_string(file_bytes_) +
                         ": the file ends here, but it has " +
                         std::to_string(meta.high_water) + " pages of " +
                         std::to_string(meta.page_size) + " bytes");
  }
  // What the older meta names is not looked at; it will be overwritten soon.
  pages_ = {meta.high_water, pages};
  page_size_ = meta.page_size;
  RETURN_IF_ERROR(Map(file_bytes_));
  return found;
}

Status PageFile::CheckMetas() const {
  return ReadMetas(*file_, file_bytes_, /*accept_one=*/false).status();
}

PageSource PageFile::Source(const Meta& meta) const {
  CHECK_LE(meta.high_water * meta.page_size, mapping_->size());
  return PageSource(mapping_->data(), meta.page_size, PageId(meta.high_water),
                    &path());
}

Status PageFile::Commit(const Meta& meta, bool all_sums,
                        const std::vector<DirtyRun>& dirty, bool* decided) {
  *decided = true;
  bool grown = false;
  RETURN_IF_ERROR(Grow(meta.high_water * meta.page_size, &grown));
  if (bugs_.meta_before_pages) RETURN_IF_ERROR(WriteMeta(meta, all_sums));
  if (bugs_.meta_before_pages) RETURN_IF_ERROR(Sync());
  RETURN_IF_ERROR(WriteRuns(dirty, meta.page_size));
  const bool skip = bugs_.no_page_sync || (bugs_.no_growth_sync && grown);
  *decided = false;
  if (!skip) RETURN_IF_ERROR(Sync());
  RETURN_IF_ERROR(Final(WriteMeta(meta, all_sums)));
  RETURN_IF_ERROR(Sync());
  slot_ = 1 - slot_;
  pages_ = {meta.high_water, pages_[0]};
  return Status::Ok();
}

Status PageFile::Cut(uint64_t pages) {
  const uint64_t bytes = std::max(pages, meta_pages()) * page_size_;
  if (bytes >= file_bytes_) return Status::Ok();
  RETURN_IF_ERROR(file_->Resize(bytes));
  file_bytes_ = bytes;
  return Sync();
}

Status PageFile::Grow(uint64_t bytes, bool* grown) {
  if (bytes > file_bytes_) {
    const uint64_t size = GrownSize(bytes);
    RETURN_IF_ERROR(file_->Resize(size));
    file_bytes_ = size;
    *grown = true;
    if (!bugs_.no_growth_sync) RETURN_IF_ERROR(Sync());
  }
  return bytes > mapping_->size() ? Map(bytes) : Status::Ok();
}

Status PageFile::Map(uint64_t bytes) {
  // Read-ahead stays on: a cold start walks the whole file. Twice as much as
  // is needed, so that mapping anew stays rare.
  uint64_t size = std::max(options_.initial_mmap_bytes, GrownSize(bytes));
  if (mapping_ != nullptr) size = std::max<uint64_t>(size, 2 * bytes);
  const bool fits = file_bytes_ <= AvailableMemoryBytes() / 2;
  const bool populate = options_.mmap_populate == MmapPopulate::kOn ||
                        (options_.mmap_populate == MmapPopulate::kAuto && fits);
  ASSIGN_OR_RETURN(mapping_, file_->Map(size, {.populate = populate,
                                               .lock = options_.mlock,
                                               .random = false}));
  return Status::Ok();
}

Status PageFile::WriteRuns(const std::vector<DirtyRun>& dirty,
                           uint32_t page_size) {
  for (size_t i = 0; i < dirty.size();) {
    const uint64_t offset = dirty[i].first.value() * page_size;
    size_t end = i + 1;
    uint64_t bytes = dirty[i].bytes.size();
    while (end < dirty.size() && bytes < kWriteBytes &&
           dirty[end].first.value() * page_size == offset + bytes) {
      bytes += dirty[end++].bytes.size();
    }
    if (end == i + 1) {
      RETURN_IF_ERROR(file_->WriteAt(offset, dirty[i].bytes));
    } else {
      together_.clear();
      for (size_t j = i; j < end; ++j) together_ += dirty[j].bytes;
      RETURN_IF_ERROR(file_->WriteAt(offset, together_));
    }
    i = end;
  }
  if (together_.capacity() > 2 * kWriteBytes) together_ = {};
  return Status::Ok();
}

// Over the older of the two metas.
Status PageFile::WriteMeta(const Meta& meta, bool all_sums) {
  const int slot = 1 - slot_;
  return file_->WriteAt(uint64_t{meta.page_size} * slot,
                        EncodeMeta(meta, slot, all_sums));
}

Status PageFile::Sync() {
  return options_.fsync ? Final(file_->Sync()) : Status::Ok();
}

}  // namespace strata::btree
