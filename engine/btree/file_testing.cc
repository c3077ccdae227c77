#include "engine/btree/file_testing.h"

#include <string_view>

#include "base/check.h"
#include "engine/btree/checker.h"
#include "engine/btree/sum.h"

namespace strata::btree {

Layout LayoutOf(const std::string& file) {
  Layout layout;
  Meta metas[2];
  CHECK(DecodeMeta(file.data(), 0, &metas[0]).empty());
  const uint32_t page_size = metas[0].page_size;
  CHECK(DecodeMeta(file.data() + page_size, 1, &metas[1]).empty());
  layout.slot = metas[1].tx > metas[0].tx ? 1 : 0;
  layout.meta = metas[layout.slot];
  const std::string path = "a file in memory";
  const PageSource source(file.data(), page_size,
                          PageId(layout.meta.high_water), &path);
  Checker checker(source, layout.meta, CheckDepth::kAll,
                  [](const Status& fault) {
                    CHECK_OK(fault);
                    return true;
                  });
  checker.Walk();
  layout.first_of.resize(file.size() / page_size);
  for (uint64_t id = 2; id < layout.meta.high_water; ++id) {
    if (!checker.heads()[id]) continue;
    const uint64_t pages = uint64_t{source.header(PageId(id)).overflow} + 1;
    for (uint64_t i = 0; i < pages; ++i) layout.first_of[id + i] = id;
  }
  return layout;
}

std::vector<uint64_t> FirstPages(const Layout& layout) {
  std::vector<uint64_t> pages;
  for (uint64_t id = 2; id < layout.first_of.size(); ++id) {
    if (layout.first_of[id] == id) pages.push_back(id);
  }
  return pages;
}

void ClearSum(std::string* file, const Layout& layout, uint64_t first) {
  CHECK_EQ(layout.first_of[first], first);
  uint64_t end = first + 1;
  while (end < layout.first_of.size() && layout.first_of[end] == first) ++end;
  file->replace(end * layout.meta.page_size - kSumBytes, kSumBytes, kSumBytes,
                '\0');
}

void ClearMark(std::string* file, const Layout& layout, int slot) {
  const size_t at =
      slot * size_t{layout.meta.page_size} + kHeaderBytes + sizeof(Meta);
  file->replace(at, kSumBytes, kSumBytes, '\0');
}

std::string WithoutSums(std::string file) {
  const Layout layout = LayoutOf(file);
  for (uint64_t first : FirstPages(layout)) ClearSum(&file, layout, first);
  for (int slot = 0; slot < 2; ++slot) ClearMark(&file, layout, slot);
  return file;
}

bool HasMark(const std::string& file, const Layout& layout, int slot) {
  const size_t size = layout.meta.page_size;
  return CheckMark(std::string_view(file).substr(slot * size, size)) ==
         SumState::kRight;
}

}  // namespace strata::btree
