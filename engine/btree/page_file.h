#ifndef STRATA_ENGINE_BTREE_PAGE_FILE_H_
#define STRATA_ENGINE_BTREE_PAGE_FILE_H_

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/env.h"
#include "engine/btree/meta.h"
#include "engine/btree/transaction.h"
#include "engine/btree_options.h"

namespace strata::btree {

// Bugs to plant, for the crash test that must find them.
struct PlantedBugs {
  bool no_page_sync = false;    // the meta may reach the disk before its pages
  bool no_growth_sync = false;  // nor is a longer file synced before its meta
  bool meta_before_pages = false;
  bool reuse_at_once = false;  // pages of the last durable state are written
  bool ignore_views = false;   // and those that only a view sees
  bool no_sums_checked = false;
  bool mark_at_once = false;    // without knowing that every page has a sum
  bool cut_under_meta = false;  // the file ends before the older meta's pages
  bool cut_under_view = false;  // or before those of a view
};

// The file: its lock, its length, its mapping, and the order in which a commit
// reaches it. Used by one thread; mappings given out live on by themselves.
class PageFile {
 public:
  // Opens and locks `path`; NotFound if it is missing.
  static StatusOr<std::unique_ptr<PageFile>> Open(Env* env,
                                                  const std::string& path,
                                                  const BtreeOptions& options,
                                                  const PlantedBugs& bugs);

  // Makes a file with empty tables, atomically: after a crash it is there as a
  // whole or not at all.
  static Status Create(Env* env, const std::string& path,
                       const BtreeOptions& options);

  // Reads the metas and maps the file.
  StatusOr<FoundMeta> Load();
  // Reads both metas again.
  Status CheckMetas() const;

  // Everything `meta` names is in the mapping.
  const std::shared_ptr<const Mapping>& mapping() const { return mapping_; }
  PageSource Source(const Meta& meta) const;

  // Makes room for all pages below meta.high_water, then writes pages and meta,
  // in an order such that a crash leaves the state before or the one after:
  // grow, sync; pages, sync; meta, sync. `*decided` tells whether a failure
  // left the outcome open: then the file must not be written again.
  // `all_sums`: as EncodeMeta() has it.
  Status Commit(const Meta& meta, bool all_sums,
                const std::vector<DirtyRun>& dirty, bool* decided);

  // Cuts the file off behind `pages` pages, or behind all that one of the two
  // metas names, if these are more, and syncs. The caller knows that no view
  // has more. A failure leaves it as it was.
  Status Cut(uint64_t pages);

  uint64_t file_bytes() const { return file_bytes_; }
  // Pages that the file must have for either meta.
  uint64_t meta_pages() const {
    return bugs_.cut_under_meta ? pages_[0] : std::max(pages_[0], pages_[1]);
  }
  const std::string& path() const { return file_->path(); }

 private:
  PageFile(std::unique_ptr<File> file, const BtreeOptions& options,
           const PlantedBugs& bugs)
      : file_(std::move(file)), options_(options), bugs_(bugs) {}

  Status Grow(uint64_t bytes, bool* grown);
  Status Map(uint64_t bytes);
  Status WriteRuns(const std::vector<DirtyRun>& dirty, uint32_t page_size);
  Status WriteMeta(const Meta& meta, bool all_sums);
  Status Sync();

  std::unique_ptr<File> file_;
  const BtreeOptions options_;
  const PlantedBugs bugs_;
  uint64_t file_bytes_ = 0;
  int slot_ = 0;  // of the newest meta
  // High water marks of the newest meta and the older one.
  std::array<uint64_t, 2> pages_ = {};
  uint32_t page_size_ = 0;
  std::shared_ptr<const Mapping> mapping_;
  std::string together_;  // what one write takes; its memory is kept
};

}  // namespace strata::btree

#endif  // STRATA_ENGINE_BTREE_PAGE_FILE_H_
