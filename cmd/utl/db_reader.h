#ifndef STRATA_CMD_UTL_DB_READER_H_
#define STRATA_CMD_UTL_DB_READER_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cmd/utl/context.h"
#include "cmd/utl/progress.h"
#include "engine/btree/inspect.h"
#include "engine/key_value.h"

namespace strata::utl {

// The faults met on the way: each is said on stderr, up to a bound, and all are
// counted. A value.
class FaultLog {
 public:
  explicit FaultLog(const Context& context) : context_(&context) {}
  void Add(const Status& fault);
  uint64_t count() const { return count_; }
  // DataLoss if there was one.
  Status Result(const std::string& path) const;

 private:
  const Context* context_;
  uint64_t count_ = 0;
};

// One record of a bucket. The bytes are the file's.
struct Record {
  btree::PageId page;
  int element;
  std::string_view key;
  std::string_view value;
};

// One change of the key table.
struct ChangeRecord {
  ChangeId id;
  bool tombstone;
  KeyValue kv;
};

// Reads what is left of a db file: where a page is damaged its records are
// missing, which Finish() makes an error of. Used by one thread.
class DbReader {
 public:
  // Not OK if the file is missing, in use, or no meta is sound.
  static StatusOr<std::unique_ptr<DbReader>> Open(const Context& context,
                                                  const std::string& path);

  const btree::Inspection& file() const { return *file_; }
  const btree::Tree& tree() const { return tree_; }
  FaultLog* faults() { return &faults_; }

  // Those of the first level, in order.
  std::vector<std::string> BucketNames();
  // All records of a bucket of the first level, in key order, until `visit`
  // says false.
  void ForEach(std::string_view bucket,
               const std::function<bool(const Record&)>& visit);
  // The key table. `visit` may not keep what it is shown.
  void ForEachChange(const std::function<bool(const ChangeRecord&)>& visit);
  // A big-endian number of the meta table.
  std::optional<uint64_t> MetaNumber(std::string_view name);
  // What reads may no longer see; 0: nothing was compacted.
  Revision CompactRevision();

  // DataLoss if any damage was met.
  Status Finish() const { return faults_.Result(file_->path()); }

 private:
  void AddNames(btree::PageId id, uint64_t* pages_left,
                std::vector<std::string>* names);

  DbReader(const Context& context, std::unique_ptr<btree::Inspection> file,
           const FaultLog& faults, const btree::Tree& tree)
      : context_(context),
        file_(std::move(file)),
        tree_(tree),
        faults_(faults) {}

  const Context& context_;
  const std::unique_ptr<btree::Inspection> file_;
  const btree::Tree tree_;
  FaultLog faults_;
};

// btree::MapPages with progress, faults told.
btree::PageMap MapTree(const Context& context, const btree::Tree& tree,
                       FaultLog* faults, const btree::Checker::Visitor& visit);

// Opens the file and tells what is wrong with its metas and its length; a file
// without a sound meta is fine too.
StatusOr<std::unique_ptr<btree::Inspection>> OpenInspection(
    const Context& context, const std::string& path, FaultLog* faults);

}  // namespace strata::utl

#endif  // STRATA_CMD_UTL_DB_READER_H_
