#include "engine/btree/scrubber.h"

#include <algorithm>
#include <bit>

namespace strata::btree {

void Scrubber::Start(PageId high_water, const std::vector<PageRun>& free) {
  SetUsed({PageId(kFirst), high_water.value() - kFirst}, true);
  for (const PageRun& run : free) SetUsed(run, false);
}

void Scrubber::Commit(const Transaction& tx, PageNotes* notes) {
  for (const PageRun& run : tx.freed()) SetUsed(run, false);
  for (const DirtyRun& dirty : tx.dirty()) {
    const PageRun run = {dirty.first, dirty.bytes.size() / tx.meta().page_size};
    SetUsed(run, true);
    for (uint64_t i = 0; i < run.count; ++i) {
      notes->SetSound(run.first + i, /*bare=*/false);
    }
    const uint64_t first = run.first.value();
    if (first < position_ && position_ < first + run.count) {
      position_ = first + run.count;
    }
  }
}

bool Scrubber::AllHaveSums(const PageNotes& notes) const {
  return all_checked_ && !notes.AnyBare(used_);
}

ScrubProgress Scrubber::Step(const PageSource& source, uint64_t max_bytes,
                             const Report& report) {
  ScrubProgress progress;
  const uint64_t end = source.high_water().value();
  for (;;) {
    position_ = NextUsed(position_, end);
    if (position_ >= end || progress.checked_bytes >= max_bytes) break;
    progress.checked_bytes += CheckOne(source, report) * source.page_size();
  }
  progress.position = position_ * source.page_size();
  if (position_ >= end) {
    progress.finished = true;
    all_checked_ |= pass_faultless_;
    position_ = kFirst;
    lost_ = false;
    pass_faultless_ = true;
  }
  return progress;
}

uint64_t Scrubber::CheckOne(const PageSource& source, const Report& report) {
  const PageId id(position_);
  if (source.CheckExtent(id) != nullptr && lost_) {
    ++position_;
    return 1;
  }
  const Status status = source.Verify(id);
  const uint64_t pages =
      status.ok() ? uint64_t{source.header(id).overflow} + 1 : 1;
  position_ += pages;
  lost_ = !status.ok();
  if (!status.ok()) {
    pass_faultless_ = false;
    report(status.message());
  }
  return pages;
}

void Scrubber::SetUsed(PageRun run, bool used) {
  const uint64_t end = run.first.value() + run.count;
  used_.resize(std::max<uint64_t>(used_.size(), (end + kBits - 1) / kBits));
  for (uint64_t id = run.first.value(); id < end;) {
    const uint64_t within = id % kBits;
    const uint64_t count = std::min(kBits - within, end - id);
    const uint64_t bits = (~uint64_t{0} >> (kBits - count)) << within;
    uint64_t& word = used_[id / kBits];
    word = used ? word | bits : word & ~bits;
    id += count;
  }
}

uint64_t Scrubber::NextUsed(uint64_t id, uint64_t end) const {
  end = std::min<uint64_t>(end, used_.size() * kBits);
  while (id < end) {
    const uint64_t word = used_[id / kBits] >> (id % kBits);
    if (word != 0) return std::min<uint64_t>(id + std::countr_zero(word), end);
    id = (id / kBits + 1) * kBits;
  }
  return end;
}

}  // namespace strata::btree
