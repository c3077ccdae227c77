#ifndef STRATA_ENGINE_BTREE_INSPECT_H_
#define STRATA_ENGINE_BTREE_INSPECT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/env.h"
#include "engine/btree/checker.h"
#include "engine/btree/meta.h"
#include "engine/btree/page.h"

// For tools that look at a file: what is damaged is told, not refused.
namespace strata::btree {

// What one meta names, as far as it is in the file.
struct Tree {
  // The meta's, but with a high water mark that is inside the file.
  Meta meta;
  PageSource source;  // checks the sums
  PageSource raw;     // does not: what can be read of a damaged page
  std::shared_ptr<PageNotes> notes;
};

// A file opened to be looked at; nothing is ever written. Used by one thread.
class Inspection {
 public:
  // Takes the file's lock: Unavailable, naming who holds it, if it is in use.
  static StatusOr<std::unique_ptr<Inspection>> Open(Env* env,
                                                    const std::string& path);

  const std::string& path() const { return file_->path(); }
  uint64_t file_bytes() const { return file_bytes_; }
  const char* data() const { return mapping_ ? mapping_->data() : nullptr; }
  // As a sound meta has it; a guess if there is none.
  uint32_t page_size() const { return page_size_; }
  // The whole pages that are there.
  uint64_t pages() const { return file_bytes_ / page_size_; }

  const MetaPair& metas() const { return metas_; }
  // What is wrong with the metas and the file's length, as the DataLoss that an
  // open would give.
  const std::vector<Status>& faults() const { return faults_; }
  // REQUIRES: the meta is sound
  Tree TreeOf(int slot) const;

 private:
  explicit Inspection(std::unique_ptr<File> file) : file_(std::move(file)) {}
  Status Load();
  void RefuseHalfMetas();
  void AddFault(uint64_t offset, const std::string& what);

  const std::unique_ptr<File> file_;
  uint64_t file_bytes_ = 0;
  uint32_t page_size_ = 0;
  MetaPair metas_;
  std::vector<Status> faults_;
  std::unique_ptr<Mapping> mapping_;
};

enum class PageRole : uint8_t {
  kUnreached,  // below damage, or nowhere
  kMeta,
  kBranch,
  kLeaf,
  kFreelist,
  kOverflow,  // continues another page
  kFree,
  kDamaged,  // has a place in a tree, but is no page of one
};
// "leaf"
const char* PageRoleName(PageRole role);

struct PageUse {
  PageRole role = PageRole::kUnreached;
  uint16_t count = 0;       // of elements, or of free ids
  uint32_t overflow = 0;    // pages that follow
  uint32_t bucket = 0;      // into PageMap::buckets
  int depth = 0;            // below its bucket's root
  PageId parent = {};       // whose element leads here; whose overflow it is
  uint64_t used_bytes = 0;  // of header, elements, keys and values
};

// What each page below the high water mark is for.
struct PageMap {
  std::vector<PageUse> pages;
  // Names with '/' between nested ones; the first is "", the bucket of buckets.
  std::vector<std::string> buckets = {""};
  uint64_t faults = 0;
};

// Walks all of `tree`, checks it as kStrict does, with its freelist and all
// sums, and tells each fault to `report`. `visit`, which may be null, sees each
// page, even one with a wrong sum, if it still has the form of a page.
PageMap MapPages(const Tree& tree, const Checker::Report& report,
                 const Checker::Visitor& visit);

// The bytes of `page` that mean something.
uint64_t UsedBytes(const Page& page);

}  // namespace strata::btree

#endif  // STRATA_ENGINE_BTREE_INSPECT_H_
