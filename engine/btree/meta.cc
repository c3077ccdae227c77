#include "engine/btree/meta.h"

#include <bit>
#include <optional>
#include <vector>

#include "base/bytes.h"

namespace strata::btree {
namespace {

constexpr size_t kMetaBytes = kHeaderBytes + sizeof(Meta);

Status Bad(const File& file, uint64_t offset, const std::string& what) {
  return DataLossError(file.path() + " offset " + std::to_string(offset) +
                       ": " + what);
}

// Looks for meta 1 where each page size would put it, for when meta 0 is bad
// and cannot tell.
std::optional<Meta> FindMeta1(const File& file, uint64_t file_bytes) {
  char bytes[kMetaBytes];
  for (uint32_t size = kMinPageSize; size <= kMaxPageSize; size *= 2) {
    Meta meta;
    if (size + kMetaBytes > file_bytes) break;
    if (!file.ReadAt(size, kMetaBytes, bytes).ok()) break;
    if (DecodeMeta(bytes, 1, &meta).empty() && meta.page_size == size) {
      return meta;
    }
  }
  return std::nullopt;
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

std::string EncodeMeta(const Meta& meta, int slot) {
  Meta sealed = meta;
  sealed.checksum = MetaChecksum(meta);
  PageHeader header = {static_cast<uint64_t>(slot), kMetaPage, 0, 0};
  std::string page(meta.page_size, '\0');
  std::memcpy(page.data(), &header, sizeof header);
  std::memcpy(page.data() + kHeaderBytes, &sealed, sizeof sealed);
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

StatusOr<MetaPair> ReadBothMetas(const File& file, uint64_t file_bytes) {
  MetaPair pair;
  if (file_bytes < 2 * kMinPageSize) {
    const bool empty = file_bytes == 0;
    for (int slot = 0; slot < 2; ++slot) {
      pair.offsets[slot] = file_bytes;
      pair.faults[slot] =
          empty ? "the file is empty" : "the file ends inside its meta pages";
    }
    return pair;
  }
  char bytes[kMetaBytes];
  RETURN_IF_ERROR(file.ReadAt(0, kMetaBytes, bytes));
  pair.faults[0] = DecodeMeta(bytes, 0, &pair.metas[0]);
  if (!pair.faults[0].empty()) {
    const std::optional<Meta> found = FindMeta1(file, file_bytes);
    if (found) {
      pair.metas[1] = *found;
      pair.offsets[1] = found->page_size;
    } else {
      pair.faults[1] = "no meta page at any page size";
    }
    return pair;
  }
  const uint64_t offset = pair.metas[0].page_size;
  pair.offsets[1] = offset;
  if (offset + kMetaBytes > file_bytes) {
    pair.offsets[1] = file_bytes;
    pair.faults[1] = "the file ends inside its meta pages";
    return pair;
  }
  RETURN_IF_ERROR(file.ReadAt(offset, kMetaBytes, bytes));
  pair.faults[1] = DecodeMeta(bytes, 1, &pair.metas[1]);
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
  return FoundMeta{pair.metas[newest], newest};
}

}  // namespace strata::btree
