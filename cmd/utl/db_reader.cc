#include "cmd/utl/db_reader.h"

#include <algorithm>
#include <utility>

#include "engine/btree/cursor.h"
#include "engine/meta.h"

namespace strata::utl {
namespace {

using btree::Bucket;
using btree::Checker;
using btree::PageId;

// Faults shown one by one; a ruined file has one for each page.
constexpr uint64_t kFaultsShown = 100;
// Of the bucket of buckets: there are ten of them.
constexpr uint64_t kNamePagesMax = 256;

// Gives the records of a leaf to `visit`; false once it said so.
bool VisitLeaf(PageId id, const btree::Page& leaf,
               const std::function<bool(const Record&)>& visit) {
  btree::Item item;
  for (int i = 0; i < leaf.count(); ++i) {
    if (!leaf.Get(i, &item)) return true;  // the walk tells it
    if (item.flags != 0) continue;
    if (!visit({id, i, item.key, item.value})) return false;
  }
  return true;
}

}  // namespace

void FaultLog::Add(const Status& fault) {
  if (++count_ <= kFaultsShown) {
    *context_->err << "damaged: " << fault.message() << "\n";
  } else if (count_ == kFaultsShown + 1) {
    *context_->err << "damaged: and more\n";
  }
}

Status FaultLog::Result(const std::string& path) const {
  if (count_ == 0) return Status::Ok();
  return DataLossError(path + " is damaged: " + std::to_string(count_) +
                       (count_ == 1 ? " fault" : " faults") +
                       "; what is shown is what could be read");
}

btree::PageMap MapTree(const Context& context, const btree::Tree& tree,
                       FaultLog* faults, const Checker::Visitor& visit) {
  Progress progress(context, "reading", "pages", tree.meta.high_water);
  return btree::MapPages(
      tree,
      [&](const Status& fault) {
        faults->Add(fault);
        return true;
      },
      [&](const Checker::Visit& page) {
        progress.Add(1);
        if (visit) visit(page);
      });
}

StatusOr<std::unique_ptr<btree::Inspection>> OpenInspection(
    const Context& context, const std::string& path, FaultLog* faults) {
  ASSIGN_OR_RETURN(auto file, btree::Inspection::Open(context.env, path));
  for (const Status& fault : file->faults()) faults->Add(fault);
  return file;
}

StatusOr<std::unique_ptr<DbReader>> DbReader::Open(const Context& context,
                                                   const std::string& path) {
  FaultLog faults(context);
  ASSIGN_OR_RETURN(auto file, OpenInspection(context, path, &faults));
  const int newest = file->metas().Newest();
  if (newest < 0) {
    return DataLossError(path + ": no meta page is left to read it by");
  }
  const btree::Tree tree = file->TreeOf(newest);
  return std::unique_ptr<DbReader>(
      new DbReader(context, std::move(file), faults, tree));
}

std::vector<std::string> DbReader::BucketNames() {
  std::vector<std::string> names;
  uint64_t pages_left = kNamePagesMax;
  AddNames(PageId(tree_.meta.root.root), &pages_left, &names);
  return names;
}

void DbReader::AddNames(PageId id, uint64_t* pages_left,
                        std::vector<std::string>* names) {
  if (*pages_left == 0) return;  // a damaged tree leads round and round
  --*pages_left;
  const auto page = tree_.raw.Read(id);
  if (!page.ok()) {
    faults_.Add(page.status());
    return;
  }
  btree::Item item;
  for (int i = 0; i < page->count() && page->Get(i, &item); ++i) {
    if (!page->is_leaf()) {
      AddNames(item.child, pages_left, names);
    } else if (item.flags == btree::kBucketFlag) {
      names->emplace_back(item.key);
    }
  }
}

void DbReader::ForEach(std::string_view bucket,
                       const std::function<bool(const Record&)>& visit) {
  const PageId root(tree_.meta.root.root);
  auto found = btree::FindBucket(tree_.source, root, bucket);
  if (!found.ok()) {
    faults_.Add(found.status());
    found = btree::FindBucket(tree_.raw, root, bucket);
    if (!found.ok()) return;
  }
  if (!found->exists) return;
  if (found->root == 0) {
    VisitLeaf(found->where, found->leaf, visit);
    return;
  }
  // A walk over this bucket's tree alone.
  btree::Meta meta = tree_.meta;
  meta.root.root = found->root;
  meta.freelist = btree::kNoFreelist;
  bool go_on = true;
  Checker checker(tree_.raw, meta, btree::CheckDepth::kStrict,
                  [&](const Status& fault) {
                    if (go_on) faults_.Add(fault);
                    return go_on;
                  });
  Progress progress(context_, "reading", "pages", meta.high_water);
  checker.SetVisitor([&](const Checker::Visit& page) {
    progress.Add(1);
    const Status sum =
        page.is_inline ? Status::Ok() : tree_.source.CheckSumOf(page.id);
    if (go_on && !sum.ok()) faults_.Add(sum);
    if (!go_on || !page.page.is_leaf() || !page.bucket.empty()) return;
    go_on = VisitLeaf(page.id, page.page, visit);
  });
  checker.Walk();
}

void DbReader::ForEachChange(
    const std::function<bool(const ChangeRecord&)>& visit) {
  ForEach(TableName(Table::kKey), [&](const Record& record) {
    const std::string where =
        "element " + std::to_string(record.element) + ": ";
    ChangeRecord change;
    if (!ParseRevisionKey(record.key, &change.id, &change.tombstone)) {
      faults_.Add(tree_.source.Damaged(
          record.page,
          where + "key " + Printable(record.key) + " is no revision"));
      return true;
    }
    const StatusOr<KeyValue> kv = DecodeKeyValue(record.value);
    if (!kv.ok()) {
      faults_.Add(
          tree_.source.Damaged(record.page, where + kv.status().message()));
      return true;
    }
    change.kv = *kv;
    return visit(change);
  });
}

std::optional<uint64_t> DbReader::MetaNumber(std::string_view name) {
  std::optional<uint64_t> number;
  ForEach(TableName(Table::kMeta), [&](const Record& record) {
    if (record.key == name && record.value.size() >= sizeof(uint64_t)) {
      number = LoadBig64(record.value.data());
    }
    return true;
  });
  return number;
}

Revision DbReader::CompactRevision() {
  const uint64_t scheduled = MetaNumber(meta::kScheduledCompact).value_or(0);
  const uint64_t finished = MetaNumber(meta::kFinishedCompact).value_or(0);
  return Revision(static_cast<int64_t>(std::max(scheduled, finished)));
}

}  // namespace strata::utl
