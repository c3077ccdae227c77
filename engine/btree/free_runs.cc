#include "engine/btree/free_runs.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "engine/btree/free_bits.h"

namespace strata::btree {
namespace {

bool ByFirst(const PageRun& a, const PageRun& b) { return a.first < b.first; }

// FreelistType::kMap.
class MapRuns : public FreeRuns {
 public:
  std::optional<PageId> Take(uint64_t count) override {
    auto fit = by_length_.lower_bound({count, PageId(0)});
    if (fit == by_length_.end()) return std::nullopt;
    return TakeFrom(by_first_.find(fit->second), count);
  }

  std::optional<PageId> TakeLowest(uint64_t count) override {
    if (by_first_.empty()) return std::nullopt;
    if (by_first_.begin()->second >= count) {
      return TakeFrom(by_first_.begin(), count);
    }
    std::optional<PageId> lowest;
    auto fit = by_length_.lower_bound({count, PageId(0)});
    while (fit != by_length_.end()) {
      if (!lowest || fit->second < *lowest) lowest = fit->second;
      fit = by_length_.lower_bound({fit->first + 1, PageId(0)});
    }
    if (!lowest) return std::nullopt;
    return TakeFrom(by_first_.find(*lowest), count);
  }

  uint64_t TakeTail(PageId end) override {
    if (by_first_.empty()) return 0;
    auto [first, length] = *by_first_.rbegin();
    if (first + length != end) return 0;
    Remove(std::prev(by_first_.end()));
    count_ -= length;
    return length;
  }

  bool Give(const std::vector<PageRun>& runs) override {
    for (const PageRun& run : runs) {
      if (!GiveOne(run)) return false;
    }
    return true;
  }

  uint64_t count() const override { return count_; }

  std::vector<PageRun> runs() const override {
    std::vector<PageRun> runs;
    for (auto [first, length] : by_first_) runs.push_back({first, length});
    return runs;
  }

 private:
  using Place = std::map<PageId, uint64_t>;

  PageId TakeFrom(Place::iterator at, uint64_t count) {
    auto [first, length] = *at;
    Remove(at);
    if (length > count) Insert(first + count, length - count);
    count_ -= count;
    return first;
  }

  bool GiveOne(PageRun run) {
    const uint64_t added = run.count;
    auto after = by_first_.lower_bound(run.first);
    if (after != by_first_.end()) {
      if (after->first < run.first + run.count) return false;
      if (after->first == run.first + run.count) {
        run.count += after->second;
        after = Remove(after);
      }
    }
    if (after != by_first_.begin()) {
      auto before = std::prev(after);
      if (before->first + before->second > run.first) return false;
      if (before->first + before->second == run.first) {
        run = {before->first, before->second + run.count};
        Remove(before);
      }
    }
    Insert(run.first, run.count);
    count_ += added;
    return true;
  }

  void Insert(PageId first, uint64_t length) {
    by_first_.emplace(first, length);
    by_length_.emplace(length, first);
  }

  Place::iterator Remove(Place::iterator at) {
    by_length_.erase({at->second, at->first});
    return by_first_.erase(at);
  }

  Place by_first_;
  std::set<std::pair<uint64_t, PageId>> by_length_;
  uint64_t count_ = 0;
};

}  // namespace

std::unique_ptr<FreeRuns> FreeRuns::New(FreelistType type) {
  if (type == FreelistType::kArray) return std::make_unique<FreeBits>();
  return std::make_unique<MapRuns>();
}

bool Normalize(std::vector<PageRun>* runs) {
  return MergeRuns({}, std::move(*runs), runs);
}

bool MergeRuns(std::vector<PageRun> sorted, std::vector<PageRun> more,
               std::vector<PageRun>* merged) {
  std::sort(more.begin(), more.end(), ByFirst);
  std::vector<PageRun> all;
  all.reserve(sorted.size() + more.size());
  std::merge(sorted.begin(), sorted.end(), more.begin(), more.end(),
             std::back_inserter(all), ByFirst);
  std::vector<PageRun> joined;
  joined.reserve(all.size());
  for (const PageRun& run : all) {
    if (joined.empty() || joined.back().end() < run.first) {
      joined.push_back(run);
    } else if (joined.back().end() == run.first) {
      joined.back().count += run.count;
    } else {
      return false;
    }
  }
  *merged = std::move(joined);
  return true;
}

}  // namespace strata::btree
