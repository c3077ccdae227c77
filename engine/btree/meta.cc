#include "engine/btree/meta.h"

#include <bit>
#include <vector>

#include "base/bytes.h"
#include "engine/btree/sum.h"

namespace strata::btree {
namespace {

constexpr size_t kMetaBytes = kHeaderBytes + sizeof(Meta);
// The mark must reach the disk with its meta.
static_assert(kMetaBytes + kSumBytes <= 512);

Status Bad(const File& file, uint64_t offset, const std::string& what) {
  return DataLossError(file.path() + " offset " + std::to_string(offset) +
                       ": " + what);
}

std::string FieldFault(const Meta& meta) {
  if (meta.flags != 0) return "meta with flags " + std::to_string(meta.flags);
  if (meta.high_water < 3) return "meta without pages";
  if (meta.root.root < 2 || meta.root.root >= meta.high_water) {
    return "meta whose root is page " + std::to_string(meta.root.root);
  }
  if (meta.freelist != kNoFreelist &&
      (meta.freelist < 2 || meta.freelist >= meta.high_water)) {
    return "meta whose freelist is page " + std::to_string(meta.freelist);
  }
  return "";
}

}  // namespace

uint64_t MetaChecksum(const Meta& meta) {
  char bytes[sizeof(Meta)];
  std::memcpy(bytes, &meta, sizeof meta);
  uint64_t sum = 0xcbf29ce484222325;
  for (size_t i = 0; i < offsetof(Meta, checksum); ++i) {
    sum = (sum ^ static_cast<unsigned char>(bytes[i])) * 0x100000001b3;
  }
  return sum;
}

std::string EncodeMeta(const Meta& meta, int slot, bool all_sums) {
  Meta sealed = meta;
  sealed.checksum = MetaChecksum(meta);
  PageHeader header = {static_cast<uint64_t>(slot), kMetaPage, 0, 0};
  std::string page(meta.page_size, '\0');
  std::memcpy(page.data(), &header, sizeof header);
  std::memcpy(page.data() + kHeaderBytes, &sealed, sizeof sealed);
  if (all_sums) SetMark(page.data(), page.size());
  return page;
}

std::string DecodeMeta(const char* bytes, int slot, Meta* meta) {
  auto header = Load<PageHeader>(bytes);
  *meta = Load<Meta>(bytes + kHeaderBytes);
  if (meta->magic != kMagic) {
    return "no bbolt file: magic " + HexId(meta->magic);
  }
  if (meta->version != kVersion) {
    return "version " + std::to_string(meta->version) + " of the file format";
  }
  if (meta->checksum != MetaChecksum(*meta)) return "meta checksum mismatch";
  if (header.id != static_cast<uint64_t>(slot) || header.flags != kMetaPage ||
      header.count != 0 || header.overflow != 0) {
    return "no header of a meta page";
  }
  if (!std::has_single_bit(meta->page_size) || meta->page_size < kMinPageSize ||
      meta->page_size > kMaxPageSize) {
    return "page size " + std::to_string(meta->page_size);
  }
  return FieldFault(*meta);
}

int MetaPair::Newest() const {
  if (!faults[0].empty() && !faults[1].empty()) return -1;
  if (!faults[0].empty()) return 1;
  return faults[1].empty() && metas[1].tx > metas[0].tx ? 1 : 0;
}

namespace {

constexpr char kEndsInMetas[] = "the file ends inside its meta pages";

// The meta at pair->offsets[slot], with the rest of its page.
Status ReadMeta(const File& file, uint64_t file_bytes, int slot,
                MetaPair* pair) {
  const uint64_t offset = pair->offsets[slot];
  Meta& meta = pair->metas[slot];
  std::string& fault = pair->faults[slot];
  std::string page(kMetaBytes, '\0');
  RETURN_IF_ERROR(file.ReadAt(offset, page.size(), page.data()));
  fault = DecodeMeta(page.data(), slot, &meta);
  if (!fault.empty()) return Status::Ok();
  // A file cut here is refused for its length.
  if (offset + meta.page_size > file_bytes) return Status::Ok();
  page.resize(meta.page_size);
  RETURN_IF_ERROR(file.ReadAt(offset, page.size(), page.data()));
  const SumState mark = CheckMark(page);
  pair->all_sums[slot] = mark == SumState::kRight;
  if (mark == SumState::kWrong) {
    fault = "behind the meta are neither zeros nor a sound mark";
  }
  return Status::Ok();
}

// Looks for meta 1 where each page size would put it, for when meta 0 is bad
// and cannot tell.
Status FindMeta1(const File& file, uint64_t file_bytes, MetaPair* pair) {
  for (uint64_t size = kMinPageSize; size <= kMaxPageSize; size *= 2) {
    if (size + kMetaBytes > file_bytes) break;
    pair->offsets[1] = size;
    RETURN_IF_ERROR(ReadMeta(file, file_bytes, 1, pair));
    if (pair->faults[1].empty() && pair->metas[1].page_size == size) {
      return Status::Ok();
    }
  }
  pair->offsets[1] = 0;
  pair->faults[1] = "no meta page at any page size";
  return Status::Ok();
}

}  // namespace

StatusOr<MetaPair> ReadBothMetas(const File& file, uint64_t file_bytes) {
  MetaPair pair;
  if (file_bytes < 2 * kMinPageSize) {
    const bool empty = file_bytes == 0;
    for (int slot = 0; slot < 2; ++slot) {
      pair.offsets[slot] = file_bytes;
      pair.faults[slot] = empty ? "the file is empty" : kEndsInMetas;
    }
    return pair;
  }
  RETURN_IF_ERROR(ReadMeta(file, file_bytes, 0, &pair));
  if (!pair.faults[0].empty()) {
    RETURN_IF_ERROR(FindMeta1(file, file_bytes, &pair));
    return pair;
  }
  const uint64_t offset = pair.metas[0].page_size;
  pair.offsets[1] = offset;
  if (offset + kMetaBytes > file_bytes) {
    pair.offsets[1] = file_bytes;
    pair.faults[1] = kEndsInMetas;
    return pair;
  }
  RETURN_IF_ERROR(ReadMeta(file, file_bytes, 1, &pair));
  if (pair.faults[1].empty() && pair.metas[1].page_size != offset) {
    pair.faults[1] = "page size differs from that of meta 0";
  }
  return pair;
}

StatusOr<FoundMeta> ReadMetas(const File& file, uint64_t file_bytes,
                              bool accept_one) {
  ASSIGN_OR_RETURN(const MetaPair pair, ReadBothMetas(file, file_bytes));
  const int newest = pair.Newest();
  for (int slot = 0; slot < 2; ++slot) {
    if (pair.faults[slot].empty() || (accept_one && newest >= 0)) continue;
    return Bad(file, pair.offsets[slot], pair.faults[slot]);
  }
  return FoundMeta{pair.metas[newest], newest, pair.all_sums[newest]};
}

}  // namespace strata::btree
