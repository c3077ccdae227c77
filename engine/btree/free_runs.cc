#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "engine/btree/freelist.h"

namespace strata::btree {
namespace {

bool ByFirst(const PageRun& a, const PageRun& b) { return a.first < b.first; }

// Sorted ids, the lowest run that fits is taken: small, and the file's end
// empties first; taking one costs a walk.
class ArrayRuns : public FreeRuns {
 public:
  std::optional<PageId> Take(uint64_t count) override {
    uint64_t length = 0;
    for (size_t i = 0; i < ids_.size(); ++i) {
      length = i > 0 && ids_[i] == ids_[i - 1] + 1 ? length + 1 : 1;
      if (length < count) continue;
      PageId first = ids_[i + 1 - count];
      ids_.erase(ids_.begin() + (i + 1 - count), ids_.begin() + (i + 1));
      return first;
    }
    return std::nullopt;
  }

  bool Give(std::vector<PageRun> runs) override {
    std::vector<PageId> added;
    std::sort(runs.begin(), runs.end(), ByFirst);
    for (const PageRun& run : runs) {
      for (uint64_t i = 0; i < run.count; ++i) added.push_back(run.first + i);
    }
    std::vector<PageId> merged;
    merged.reserve(ids_.size() + added.size());
    std::merge(ids_.begin(), ids_.end(), added.begin(), added.end(),
               std::back_inserter(merged));
    ids_ = std::move(merged);
    return std::adjacent_find(ids_.begin(), ids_.end(),
                              std::greater_equal<PageId>()) == ids_.end();
  }

  uint64_t count() const override { return ids_.size(); }

  std::vector<PageRun> runs() const override {
    std::vector<PageRun> runs;
    for (PageId id : ids_) {
      if (!runs.empty() && runs.back().first + runs.back().count == id) {
        ++runs.back().count;
      } else {
        runs.push_back({id, 1});
      }
    }
    return runs;
  }

 private:
  std::vector<PageId> ids_;
};

// Runs by place and by length, the shortest that fits is taken: every step is
// logarithmic, however many pages are free.
class MapRuns : public FreeRuns {
 public:
  std::optional<PageId> Take(uint64_t count) override {
    auto fit = by_length_.lower_bound({count, PageId(0)});
    if (fit == by_length_.end()) return std::nullopt;
    auto [length, first] = *fit;
    Remove(by_first_.find(first));
    if (length > count) Insert(first + count, length - count);
    count_ -= count;
    return first;
  }

  bool Give(std::vector<PageRun> runs) override {
    for (PageRun run : runs) {
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
  if (type == FreelistType::kArray) return std::make_unique<ArrayRuns>();
  return std::make_unique<MapRuns>();
}

bool Normalize(std::vector<PageRun>* runs) {
  std::sort(runs->begin(), runs->end(), ByFirst);
  std::vector<PageRun> joined;
  for (const PageRun& run : *runs) {
    if (joined.empty() ||
        joined.back().first + joined.back().count < run.first) {
      joined.push_back(run);
    } else if (joined.back().first + joined.back().count == run.first) {
      joined.back().count += run.count;
    } else {
      return false;
    }
  }
  *runs = std::move(joined);
  return true;
}

}  // namespace strata::btree
