#include <algorithm>
#include <array>
#include <map>

#include "cmd/utl/commands.h"
#include "cmd/utl/db_reader.h"
#include "cmd/utl/describe.h"
#include "cmd/utl/output.h"
#include "cmd/utl/target.h"

namespace strata::utl {
namespace {

using btree::PageRole;
using btree::PageUse;

constexpr size_t kFillClasses = 10;

struct Large {
  uint64_t bytes = 0;
  uint64_t page = 0;
  std::string key;
};

struct BucketStats {
  uint64_t branch_pages = 0;  // without those that follow them
  uint64_t leaf_pages = 0;
  uint64_t overflow_pages = 0;
  int depth = 0;  // levels of pages; 0: inline
  uint64_t records = 0;
  uint64_t used_bytes = 0;
  uint64_t page_bytes = 0;
  // Pages by how full they are: [0] to 10 %, [9] above 90 %.
  std::array<uint64_t, kFillClasses> fill = {};
  std::vector<Large> largest;  // values, the largest first
};

class Stats {
 public:
  explicit Stats(size_t top) : top_(top) {}

  void Visit(const btree::Checker::Visit& visit);
  void Take(const btree::Tree& tree, const btree::PageMap& map);
  void PrintFile(const Context& context, const DbReader& reader) const;
  void PrintBuckets(const Context& context) const;
  void PrintLargest(const Context& context) const;
  Json ToJson(const DbReader& reader) const;

 private:
  void Keep(BucketStats* bucket, Large large) const;
  Json FileFields(const DbReader& reader) const;

  const size_t top_;
  std::map<std::string, BucketStats> buckets_;
  uint64_t pages_ = 0;
  uint64_t free_pages_ = 0;
  uint64_t lost_pages_ = 0;  // damaged or beneath damage
  uint64_t page_size_ = 0;
  uint64_t used_bytes_ = 0;
};

void Stats::Keep(BucketStats* bucket, Large large) const {
  auto& all = bucket->largest;
  const auto place = std::find_if(all.begin(), all.end(), [&](const Large& l) {
    return l.bytes < large.bytes;
  });
  if (static_cast<size_t>(place - all.begin()) >= top_) return;
  all.insert(place, std::move(large));
  if (all.size() > top_) all.pop_back();
}

void Stats::Visit(const btree::Checker::Visit& visit) {
  if (visit.bucket.empty()) return;
  std::string name;
  for (const std::string_view part : visit.bucket) {
    name += (name.empty() ? "" : "/") + std::string(part);
  }
  BucketStats& bucket = buckets_[name];
  if (!visit.page.is_leaf()) return;
  btree::Item item;
  for (int i = 0; i < visit.page.count() && visit.page.Get(i, &item); ++i) {
    if (item.flags != 0) continue;
    ++bucket.records;
    if (bucket.largest.size() < top_ ||
        (top_ > 0 && item.value.size() > bucket.largest.back().bytes)) {
      Keep(&bucket,
           {item.value.size(), visit.id.value(), DescribeKey(name, item.key)});
    }
  }
}

void Stats::Take(const btree::Tree& tree, const btree::PageMap& map) {
  page_size_ = tree.meta.page_size;
  pages_ = map.pages.size();
  for (const PageUse& use : map.pages) {
    used_bytes_ += use.used_bytes;
    free_pages_ += use.role == PageRole::kFree;
    lost_pages_ +=
        use.role == PageRole::kDamaged || use.role == PageRole::kUnreached;
    const bool branch = use.role == PageRole::kBranch;
    if (!branch && use.role != PageRole::kLeaf) continue;
    BucketStats& bucket = buckets_[map.buckets[use.bucket]];
    ++(branch ? bucket.branch_pages : bucket.leaf_pages);
    bucket.overflow_pages += use.overflow;
    const uint64_t bytes = (uint64_t{use.overflow} + 1) * page_size_;
    bucket.page_bytes += bytes;
    bucket.used_bytes += use.used_bytes;
    ++bucket.fill[std::min(kFillClasses - 1,
                           use.used_bytes * kFillClasses / bytes)];
    bucket.depth = std::max(bucket.depth, use.depth + 1);
  }
}

Json Stats::FileFields(const DbReader& reader) const {
  const uint64_t in_use = pages_ - free_pages_;
  return {{"file", reader.file().path()},
          {"file_bytes", reader.file().file_bytes()},
          {"page_size", page_size_},
          {"transaction", reader.tree().meta.tx},
          {"pages", pages_},
          {"free_pages", free_pages_},
          {"damaged_or_unreached_pages", lost_pages_},
          {"size_bytes", pages_ * page_size_},
          {"in_use_bytes", in_use * page_size_},
          {"live_bytes", used_bytes_},
          {"freelist", reader.tree().meta.freelist == btree::kNoFreelist
                           ? "not stored"
                           : "stored"}};
}

void Stats::PrintFile(const Context& context, const DbReader& reader) const {
  PrintFields(context, FileFields(reader));
}

void Stats::PrintBuckets(const Context& context) const {
  Rows rows(context, {{"bucket", 15},
                      {"records", 8},
                      {"depth", 5},
                      {"branch", 6},
                      {"leaf", 6},
                      {"overflow", 8},
                      {"live_bytes", 10},
                      {"page_bytes", 10},
                      {"pages_by_tenths_full", 0}});
  for (const auto& [name, bucket] : buckets_) {
    std::string fill;
    for (const uint64_t count : bucket.fill) {
      fill += (fill.empty() ? "" : " ") + std::to_string(count);
    }
    rows.Add({name.empty() ? "(root)" : name, bucket.records, bucket.depth,
              bucket.branch_pages, bucket.leaf_pages, bucket.overflow_pages,
              bucket.used_bytes, bucket.page_bytes, fill});
  }
  rows.Finish();
}

void Stats::PrintLargest(const Context& context) const {
  Rows rows(context,
            {{"bytes_of_value", 14}, {"bucket", 15}, {"key", 20}, {"page", 0}});
  for (const auto& [name, bucket] : buckets_) {
    for (const Large& large : bucket.largest) {
      rows.Add({large.bytes, name, large.key, large.page});
    }
  }
  rows.Finish();
}

Json Stats::ToJson(const DbReader& reader) const {
  Json all = FileFields(reader);
  all["buckets"] = Json::array();
  for (const auto& [name, bucket] : buckets_) {
    Json one = {{"bucket", name},
                {"records", bucket.records},
                {"depth", bucket.depth},
                {"branch_pages", bucket.branch_pages},
                {"leaf_pages", bucket.leaf_pages},
                {"overflow_pages", bucket.overflow_pages},
                {"live_bytes", bucket.used_bytes},
                {"page_bytes", bucket.page_bytes},
                {"pages_by_tenths_full", bucket.fill}};
    for (const Large& large : bucket.largest) {
      one["largest_values"].push_back(
          {{"bytes", large.bytes}, {"key", large.key}, {"page", large.page}});
    }
    all["buckets"].push_back(std::move(one));
  }
  return all;
}

struct Options {
  Target target;
  uint64_t top = 3;
  bool only_buckets = false;
};

Status ShowStats(const Context& context, const Options& options) {
  ASSIGN_OR_RETURN(const std::string path,
                   DatabasePath(context.env, options.target));
  ASSIGN_OR_RETURN(const auto reader, DbReader::Open(context, path));
  Stats stats(options.only_buckets ? 0 : options.top);
  const btree::PageMap map =
      MapTree(context, reader->tree(), reader->faults(),
              [&](const btree::Checker::Visit& visit) { stats.Visit(visit); });
  stats.Take(reader->tree(), map);
  if (options.only_buckets) {
    stats.PrintBuckets(context);
  } else if (context.format == Format::kJson) {
    *context.out << Dump(stats.ToJson(*reader)) << "\n";
  } else {
    stats.PrintFile(context, *reader);
    *context.out << "\n";
    stats.PrintBuckets(context);
    *context.out << "\n";
    if (options.top > 0) stats.PrintLargest(context);
  }
  return reader->Finish();
}

void AddOne(CLI::App* db, Action* chosen, bool only_buckets) {
  auto options = std::make_shared<Options>();
  options->only_buckets = only_buckets;
  CLI::App* command =
      only_buckets
          ? AddCommand(db, "buckets", "List the buckets and their sizes")
          : AddCommand(db, "stats", "How the space is used, bucket by bucket");
  AddTarget(command, &options->target, "FILE");
  if (only_buckets) {
    SetNotes(command, "Example:\n\n  stratautl db buckets data/member/snap/db");
  } else {
    AddOption(command, "--top", &options->top,
              "of each bucket, so many of its largest values");
    SetNotes(
        command,
        "Live bytes are those of headers, elements, keys and values; bytes in\n"
        "use are all pages that are not free. `pages by tenths full` counts a\n"
        "bucket's pages: up to a tenth full, up to two tenths, and so on.\n"
        "Example:\n\n"
        "  stratautl db stats --data-dir /var/lib/etcd/default");
  }
  Choose(command, options, ShowStats, chosen);
}

}  // namespace

void AddDbStats(CLI::App* db, Action* chosen) {
  AddOne(db, chosen, /*only_buckets=*/false);
  AddOne(db, chosen, /*only_buckets=*/true);
}

}  // namespace strata::utl
