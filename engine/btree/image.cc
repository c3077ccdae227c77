#include "engine/btree/image.h"

#include <algorithm>
#include <deque>
#include <vector>

#include "engine/btree/transaction.h"

namespace strata::btree {
namespace {

constexpr uint64_t kFirstFreelist = 2;
constexpr uint64_t kFirstRoot = 3;
constexpr uint64_t kFirstHighWater = 4;

Meta FirstMeta(uint32_t page_size, uint64_t tx) {
  Meta meta;
  meta.page_size = page_size;
  meta.root.root = kFirstRoot;
  meta.freelist = kFirstFreelist;
  meta.high_water = kFirstHighWater;
  meta.tx = tx;
  return meta;
}

Status AddTable(const View& view, Table table, Transaction* tx) {
  std::vector<Change> changes;
  std::deque<std::string> copies;
  auto it = view.NewIterator(table);
  const auto kept = [&](std::string_view bytes) -> std::string_view {
    if (it->stays()) return bytes;
    return copies.emplace_back(bytes);
  };
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    changes.push_back({.key = kept(it->key()), .value = kept(it->value())});
  }
  RETURN_IF_ERROR(it->status());
  return tx->Apply(TableName(table), changes);
}

Status WriteZeros(uint64_t bytes, const Backend::Sink& sink) {
  const std::string zeros(std::min<uint64_t>(bytes, 1 << 20), '\0');
  while (bytes > 0) {
    const uint64_t piece = std::min<uint64_t>(bytes, zeros.size());
    RETURN_IF_ERROR(sink(std::string_view(zeros).substr(0, piece)));
    bytes -= piece;
  }
  return Status::Ok();
}

}  // namespace

std::string EmptyImage(uint32_t page_size) {
  std::string image =
      EncodeMeta(FirstMeta(page_size, 0), 0, /*all_sums=*/false) +
      EncodeMeta(FirstMeta(page_size, 1), 1, /*all_sums=*/false);
  image.resize(kFirstHighWater * page_size);
  PageHeader freelist = {kFirstFreelist, kFreelistPage, 0, 0};
  PageHeader leaf = {kFirstRoot, kLeafPage, 0, 0};
  std::memcpy(image.data() + kFirstFreelist * page_size, &freelist,
              sizeof freelist);
  std::memcpy(image.data() + kFirstRoot * page_size, &leaf, sizeof leaf);
  return image;
}

Status WriteImage(const View* view, uint32_t page_size,
                  const Backend::Sink& sink) {
  const std::string first = EmptyImage(page_size);
  const std::string path = "a new image";
  PageSource source(first.data(), page_size, PageId(kFirstHighWater), &path);
  Freelist freelist(FreelistType::kMap);
  PageBuffers buffers;
  Transaction tx(source, FirstMeta(page_size, 1), &freelist, &buffers, {});
  for (int i = 0; i < kTableCount; ++i) {
    const auto table = static_cast<Table>(i);
    bool any = false;
    if (view != nullptr) {
      auto it = view->NewIterator(table);
      it->SeekToFirst();
      any = it->Valid();
      RETURN_IF_ERROR(it->status());
    }
    RETURN_IF_ERROR(any ? AddTable(*view, table, &tx)
                        : tx.CreateBucket(TableName(table)));
  }
  ASSIGN_OR_RETURN(bool changed, tx.Finish());
  CHECK(changed);

  Meta older = tx.meta();
  --older.tx;
  for (int slot = 0; slot < 2; ++slot) {
    const bool newest = static_cast<int>(tx.meta().tx % 2) == slot;
    RETURN_IF_ERROR(
        sink(EncodeMeta(newest ? tx.meta() : older, slot, /*all_sums=*/true)));
  }
  uint64_t at = 2 * uint64_t{page_size};
  for (const DirtyRun& run : tx.dirty()) {
    const uint64_t offset = run.first.value() * page_size;
    RETURN_IF_ERROR(WriteZeros(offset - at, sink));
    RETURN_IF_ERROR(sink(run.bytes));
    at = offset + run.bytes.size();
  }
  return WriteZeros(tx.meta().high_water * page_size - at, sink);
}

}  // namespace strata::btree
