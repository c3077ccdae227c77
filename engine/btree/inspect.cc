#include "engine/btree/inspect.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"

namespace strata::btree {
namespace {

constexpr uint32_t kUsualPageSize = 4096;

std::string JoinNames(const std::vector<std::string_view>& names) {
  std::string joined;
  for (const std::string_view name : names) {
    if (!joined.empty()) joined += '/';
    joined += name;
  }
  return joined;
}

// Fills a PageMap from what the walk shows.
class Mapper {
 public:
  explicit Mapper(const Tree& tree) : tree_(tree) {
    map_.pages.resize(tree.meta.high_water);
    for (uint64_t slot = 0; slot < 2; ++slot) {
      map_.pages[slot] = {.role = PageRole::kMeta,
                          .used_bytes = kHeaderBytes + sizeof(Meta)};
    }
  }

  void Add(const Checker::Visit& visit);
  void AddFreelist(const Checker& checker);
  void MarkRuns(const std::vector<PageRun>& runs);
  void MarkDamaged();
  PageMap& map() { return map_; }

 private:
  uint32_t BucketOf(const std::vector<std::string_view>& names);
  void SetParents(const Checker::Visit& visit);
  void SetParent(uint64_t child, PageId parent);
  void MarkOverflow(PageId id, uint32_t overflow);

  const Tree& tree_;
  PageMap map_;
  std::vector<int> root_depths_;  // of the buckets, as the walk counts
};

// Buckets come one after the other, nested ones inside: the last is tried
// first.
uint32_t Mapper::BucketOf(const std::vector<std::string_view>& names) {
  std::string name = JoinNames(names);
  if (map_.buckets.back() == name) {
    return static_cast<uint32_t>(map_.buckets.size() - 1);
  }
  const auto found = std::find(map_.buckets.begin(), map_.buckets.end(), name);
  if (found != map_.buckets.end()) {
    return static_cast<uint32_t>(found - map_.buckets.begin());
  }
  map_.buckets.push_back(std::move(name));
  return static_cast<uint32_t>(map_.buckets.size() - 1);
}

void Mapper::SetParent(uint64_t child, PageId parent) {
  if (child < map_.pages.size()) map_.pages[child].parent = parent;
}

void Mapper::SetParents(const Checker::Visit& visit) {
  Item item;
  for (int i = 0; i < visit.page.count(); ++i) {
    if (!visit.page.Get(i, &item)) return;
    if (!visit.page.is_leaf()) {
      SetParent(item.child.value(), visit.id);
    } else if (item.flags == kBucketFlag &&
               item.value.size() >= sizeof(BucketHeader)) {
      const auto header = Load<BucketHeader>(item.value.data());
      if (header.root != 0) SetParent(header.root, visit.id);
    }
  }
}

void Mapper::MarkOverflow(PageId id, uint32_t overflow) {
  const PageUse& first = map_.pages[id.value()];
  for (uint64_t i = 1; i <= overflow; ++i) {
    const uint64_t at = id.value() + i;
    if (at >= map_.pages.size()) return;
    map_.pages[at] = {.role = PageRole::kOverflow,
                      .bucket = first.bucket,
                      .depth = first.depth,
                      .parent = id};
  }
}

void Mapper::Add(const Checker::Visit& visit) {
  const uint32_t bucket = BucketOf(visit.bucket);
  SetParents(visit);
  if (visit.is_inline) return;
  PageUse& use = map_.pages[visit.id.value()];
  const PageHeader header = tree_.source.header(visit.id);
  use.role = visit.page.is_leaf() ? PageRole::kLeaf : PageRole::kBranch;
  use.count = header.count;
  use.overflow = header.overflow;
  use.bucket = bucket;
  root_depths_.resize(map_.buckets.size(), visit.depth);
  use.depth = visit.depth - root_depths_[bucket];
  use.used_bytes = UsedBytes(visit.page);
  MarkOverflow(visit.id, header.overflow);
}

void Mapper::AddFreelist(const Checker& checker) {
  if (tree_.meta.freelist == kNoFreelist) {
    // Behind a damaged branch may be pages that the walk could not reach.
    if (map_.faults == 0) MarkRuns(checker.Unreached());
    return;
  }
  const PageId id(tree_.meta.freelist);
  if (tree_.source.CheckExtent(id) != nullptr) return;
  const PageHeader header = tree_.source.header(id);
  uint64_t ids = header.count;
  if (ids == 0xFFFF) {
    ids = 1 + LoadLittle64(tree_.source.at(id) + kHeaderBytes);
  }
  const uint64_t room =
      (uint64_t{header.overflow} + 1) * tree_.source.page_size();
  map_.pages[id.value()] = {
      .role = PageRole::kFreelist,
      .count = header.count,
      .overflow = header.overflow,
      .used_bytes = std::min(room, kHeaderBytes + ids * sizeof(uint64_t))};
  MarkOverflow(id, header.overflow);
}

void Mapper::MarkRuns(const std::vector<PageRun>& runs) {
  for (const PageRun& run : runs) {
    for (uint64_t i = 0; i < run.count; ++i) {
      const uint64_t id = run.first.value() + i;
      if (id < map_.pages.size() &&
          map_.pages[id].role == PageRole::kUnreached) {
        map_.pages[id].role = PageRole::kFree;
      }
    }
  }
}

void Mapper::MarkDamaged() {
  for (PageUse& use : map_.pages) {
    if (use.role == PageRole::kUnreached && use.parent != PageId()) {
      use.role = PageRole::kDamaged;
    }
  }
}

}  // namespace

StatusOr<std::unique_ptr<Inspection>> Inspection::Open(
    Env* env, const std::string& path) {
  ASSIGN_OR_RETURN(auto file, env->Open(path, OpenMode::kReadOnly));
  RETURN_IF_ERROR(file->Lock());
  std::unique_ptr<Inspection> inspection(new Inspection(std::move(file)));
  RETURN_IF_ERROR(inspection->Load());
  return inspection;
}

Status Inspection::Load() {
  ASSIGN_OR_RETURN(file_bytes_, file_->Size());
  ASSIGN_OR_RETURN(metas_, ReadBothMetas(*file_, file_bytes_));
  RefuseHalfMetas();
  for (int slot = 0; slot < 2; ++slot) {
    if (metas_.faults[slot].empty()) continue;
    AddFault(metas_.offsets[slot],
             "meta " + std::to_string(slot) + ": " + metas_.faults[slot]);
    if (file_bytes_ < 2 * kMinPageSize) break;  // one fault, not two
  }
  const int newest = metas_.Newest();
  page_size_ = newest < 0 ? kUsualPageSize : metas_.metas[newest].page_size;
  if (newest >= 0 && metas_.metas[newest].high_water > pages()) {
    AddFault(file_bytes_, "the file ends here, but it has " +
                              std::to_string(metas_.metas[newest].high_water) +
                              " pages of " + std::to_string(page_size_) +
                              " bytes");
  }
  if (file_bytes_ == 0) return Status::Ok();
  ASSIGN_OR_RETURN(mapping_, file_->Map(file_bytes_, {.random = false}));
  return Status::Ok();
}

// A file of less than two pages has no room for a tree, whatever its metas say.
void Inspection::RefuseHalfMetas() {
  const int newest = metas_.Newest();
  if (newest < 0 || file_bytes_ >= 2 * metas_.metas[newest].page_size) return;
  for (int slot = 0; slot < 2; ++slot) {
    if (!metas_.faults[slot].empty()) continue;
    metas_.faults[slot] = "the file ends inside its meta pages";
    metas_.offsets[slot] = file_bytes_;
  }
}

void Inspection::AddFault(uint64_t offset, const std::string& what) {
  faults_.push_back(DataLossError(path() + " offset " + std::to_string(offset) +
                                  ": " + what));
}

Tree Inspection::TreeOf(int slot) const {
  CHECK(metas_.faults[slot].empty());
  Tree tree;
  tree.meta = metas_.metas[slot];
  tree.meta.high_water = std::min(tree.meta.high_water, pages());
  tree.notes = std::make_shared<PageNotes>(tree.meta.high_water);
  tree.raw = PageSource(data(), tree.meta.page_size,
                        PageId(tree.meta.high_water), &path());
  tree.source = tree.raw.WithSums(
      metas_.all_sums[slot] ? SumRule::kEverywhere : SumRule::kIfThere,
      tree.notes.get());
  return tree;
}

const char* PageRoleName(PageRole role) {
  switch (role) {
    case PageRole::kUnreached:
      return "unreached";
    case PageRole::kMeta:
      return "meta";
    case PageRole::kBranch:
      return "branch";
    case PageRole::kLeaf:
      return "leaf";
    case PageRole::kFreelist:
      return "freelist";
    case PageRole::kOverflow:
      return "overflow";
    case PageRole::kFree:
      return "free";
    case PageRole::kDamaged:
      return "damaged";
  }
  return "?";
}

uint64_t UsedBytes(const Page& page) {
  uint64_t used = kHeaderBytes + page.count() * kElementBytes;
  Item item;
  for (int i = 0; i < page.count() && page.Get(i, &item); ++i) {
    used += item.key.size() + item.value.size();
  }
  return std::min<uint64_t>(used, page.bytes());
}

PageMap MapPages(const Tree& tree, const Checker::Report& report,
                 const Checker::Visitor& visit) {
  Mapper mapper(tree);
  const auto count = [&](const Status& fault) {
    ++mapper.map().faults;
    return report(fault);
  };
  const auto check_sum = [&](PageId id) {
    const Status sum = tree.source.CheckSumOf(id);
    if (!sum.ok()) count(sum);
  };
  Checker checker(tree.raw, tree.meta, CheckDepth::kStrict, count);
  checker.SetVisitor([&](const Checker::Visit& page) {
    if (!page.is_inline) check_sum(page.id);
    mapper.Add(page);
    if (visit) visit(page);
  });
  checker.Walk();
  mapper.AddFreelist(checker);
  mapper.MarkDamaged();
  if (tree.meta.freelist == kNoFreelist) return std::move(mapper.map());
  const PageId list(tree.meta.freelist);
  if (tree.raw.CheckExtent(list) == nullptr) check_sum(list);
  const auto free = Freelist::Decode(tree.raw, list);
  if (!free.ok()) {
    count(free.status());
  } else {
    mapper.MarkRuns(*free);
    // What a damaged branch hides would be told page by page.
    if (mapper.map().faults == 0) {
      checker.CompareFreelist(*free);
    } else {
      checker.ExpectUnreached(*free);
    }
  }
  return std::move(mapper.map());
}

}  // namespace strata::btree
