#include "engine/btree/freelist.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "engine/btree/sum.h"

namespace strata::btree {
namespace {

// With this many ids the header's count says so, and the first number behind
// the header is the real count.
constexpr uint64_t kCountInFirst = 0xFFFF;

uint64_t NumbersFor(uint64_t ids) { return ids + (ids >= kCountInFirst); }

}  // namespace

std::optional<PageId> Freelist::Allocate(TxId tx, uint64_t count) {
  std::optional<PageId> first =
      prefer_low_ ? free_->TakeLowest(count) : free_->Take(count);
  if (!first) return first;
  taken_.push_back({*first, count});
  Taken(tx, *first);
  return first;
}

void Freelist::Taken(TxId tx, PageId first) {
  if (first_tx_ == TxId(0)) first_tx_ = tx;
  if (taken_at_.size() <= first.value()) {
    taken_at_.resize(std::max<size_t>(first.value() + 1, taken_at_.size() * 2));
  }
  taken_at_[first.value()] =
      static_cast<uint32_t>(std::min<uint64_t>(tx - first_tx_ + 1, UINT32_MAX));
}

TxId Freelist::TakenBy(PageId first) const {
  if (first.value() >= taken_at_.size()) return TxId(0);
  const uint32_t at = taken_at_[first.value()];
  return at == 0 ? TxId(0) : first_tx_ + (at - 1);
}

void Freelist::Free(TxId tx, PageRun run) {
  CHECK(run.first >= PageId(2)) << "page " << run.first << " is a meta";
  if (reuse_at_once_) {
    CHECK(free_->Give({run}));
    return;
  }
  freed_.push_back({run, TakenBy(run.first), tx});
  pending_count_ += run.count;
}

bool Freelist::Release(const std::vector<TxId>& visible) {
  std::vector<Pending> again = std::exchange(freed_, {});
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    if (std::binary_search(visible.begin(), visible.end(), at->first)) {
      ++at;
      continue;
    }
    again.insert(again.end(), at->second.begin(), at->second.end());
    at = waiting_.erase(at);
  }
  std::vector<PageRun> released;
  for (const Pending& page : again) {
    auto after = std::lower_bound(visible.begin(), visible.end(), page.freed);
    if (after != visible.begin() && *std::prev(after) >= page.taken) {
      waiting_[*std::prev(after)].push_back(page);
    } else {
      released.push_back(page.run);
      pending_count_ -= page.run.count;
    }
  }
  return free_->Give(released);
}

void Freelist::Rollback(TxId tx) {
  std::erase_if(freed_, [this, tx](const Pending& page) {
    if (page.freed != tx) return false;
    pending_count_ -= page.run.count;
    return true;
  });
  CHECK(free_->Give(std::exchange(taken_, {})));
}

uint64_t Freelist::CutTail(PageId high_water) {
  const uint64_t count = free_->TakeTail(high_water);
  if (count > 0) {
    taken_.push_back({PageId(high_water.value() - count), count});
  }
  return count;
}

uint64_t Freelist::WaitingFor(TxId state) const {
  auto found = waiting_.find(state);
  if (found == waiting_.end()) return 0;
  uint64_t pages = 0;
  for (const Pending& page : found->second) pages += page.run.count;
  return pages;
}

bool Freelist::All(std::vector<PageRun>* runs) const {
  std::vector<PageRun> pending;
  for (const Pending& page : freed_) pending.push_back(page.run);
  for (const auto& [state, pages] : waiting_) {
    for (const Pending& page : pages) pending.push_back(page.run);
  }
  return MergeRuns(free_->runs(), std::move(pending), runs);
}

uint64_t Freelist::PagesFor(uint64_t ids, uint32_t page_size) {
  return PagesForBytes(kHeaderBytes + NumbersFor(ids) * sizeof(uint64_t),
                       page_size);
}

std::string Freelist::Encode(const std::vector<PageRun>& runs, PageId id,
                             uint64_t pages, uint32_t page_size) {
  uint64_t ids = 0;
  for (const PageRun& run : runs) ids += run.count;
  PageHeader header = {id.value(), kFreelistPage,
                       static_cast<uint16_t>(std::min(ids, kCountInFirst)),
                       static_cast<uint32_t>(pages - 1)};
  std::string page(pages * page_size, '\0');
  std::memcpy(page.data(), &header, sizeof header);
  char* out = page.data() + kHeaderBytes;
  auto append = [&out](uint64_t number) {
    StoreLittle64(out, number);
    out += sizeof number;
  };
  if (ids >= kCountInFirst) append(ids);
  for (const PageRun& run : runs) {
    for (uint64_t i = 0; i < run.count; ++i) append(run.first.value() + i);
  }
  CHECK_LE(static_cast<size_t>(out - page.data()), RoomIn(page.size()));
  return page;
}

StatusOr<std::vector<PageRun>> Freelist::Decode(const PageSource& source,
                                                PageId id) {
  if (const char* reason = source.CheckExtent(id)) {
    return source.Damaged(id, reason);
  }
  PageHeader header = source.header(id);
  if (header.flags != kFreelistPage) {
    return source.Damaged(id, "not a freelist");
  }
  RETURN_IF_ERROR(source.CheckSumOf(id));
  const char* in = source.at(id) + kHeaderBytes;
  const uint64_t room =
      ((uint64_t{header.overflow} + 1) * source.page_size() - kHeaderBytes) /
      sizeof(uint64_t);
  uint64_t count = header.count;
  if (count == kCountInFirst) {
    count = LoadLittle64(in);
    in += sizeof count;
    if (count < kCountInFirst || count > room - 1) {
      return source.Damaged(id, "more free ids than fit");
    }
  } else if (count > room) {
    return source.Damaged(id, "more free ids than fit");
  }
  const PageRun own = {id, uint64_t{header.overflow} + 1};
  std::vector<PageRun> runs = {
      own};  // so that an own page among the ids is found
  for (uint64_t i = 0; i < count; ++i, in += sizeof(uint64_t)) {
    PageId free(LoadLittle64(in));
    if (free < PageId(2) || free >= source.high_water()) {
      return source.Damaged(
          id, "page " + std::to_string(free.value()) + " cannot be free");
    }
    PageRun& last = runs.back();
    if (runs.size() > 1 && last.first + last.count == free) {
      ++last.count;
    } else {
      runs.push_back({free, 1});
    }
  }
  std::vector<PageRun> all = runs;
  if (!Normalize(&all)) return source.Damaged(id, "a page is free twice");
  runs.erase(runs.begin());
  return runs;
}

}  // namespace strata::btree
