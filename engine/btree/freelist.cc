#include "engine/btree/freelist.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"

namespace strata::btree {
namespace {

// With this many ids the header's count says so, and the first number behind
// the header is the real count.
constexpr uint64_t kCountInFirst = 0xFFFF;

uint64_t NumbersFor(uint64_t ids) { return ids + (ids >= kCountInFirst); }

}  // namespace

std::optional<PageId> Freelist::Allocate(uint64_t count) {
  std::optional<PageId> first = free_->Take(count);
  if (first) taken_.push_back({*first, count});
  return first;
}

void Freelist::Free(TxId tx, PageRun run) {
  CHECK(run.first >= PageId(2)) << "page " << run.first << " is a meta";
  if (reuse_at_once_) {
    CHECK(free_->Give({run}));
    return;
  }
  pending_[tx].push_back(run);
  pending_count_ += run.count;
}

bool Freelist::Release(TxId last) {
  while (!pending_.empty() && pending_.begin()->first <= last) {
    for (const PageRun& run : pending_.begin()->second)
      pending_count_ -= run.count;
    if (!free_->Give(std::move(pending_.begin()->second))) return false;
    pending_.erase(pending_.begin());
  }
  return true;
}

void Freelist::Rollback(TxId tx) {
  auto freed = pending_.find(tx);
  if (freed != pending_.end()) {
    for (const PageRun& run : freed->second) pending_count_ -= run.count;
    pending_.erase(freed);
  }
  CHECK(free_->Give(std::exchange(taken_, {})));
}

bool Freelist::All(std::vector<PageRun>* runs) const {
  *runs = free_->runs();
  for (const auto& [tx, freed] : pending_) {
    runs->insert(runs->end(), freed.begin(), freed.end());
  }
  return Normalize(runs);
}

uint64_t Freelist::PagesFor(uint64_t ids, uint32_t page_size) {
  uint64_t bytes = kHeaderBytes + NumbersFor(ids) * sizeof(uint64_t);
  return (bytes + page_size - 1) / page_size;
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
  CHECK_LE(static_cast<size_t>(out - page.data()), page.size());
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
