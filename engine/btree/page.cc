#include "engine/btree/page.h"

#include "base/check.h"
#include "engine/btree/sum.h"

namespace strata::btree {

PageSource PageSource::WithSums(SumRule rule, PageNotes* notes) const {
  CHECK_LE(high_water_.value(), notes->pages());
  PageSource source = *this;
  source.sum_rule_ = rule;
  source.notes_ = notes;
  source.known_ = notes;
  return source;
}

PageSource PageSource::CheckedAgain() const {
  PageSource source = *this;
  source.known_ = nullptr;
  return source;
}

Status PageSource::VerifySum(PageId id) const {
  if (sum_rule_ == SumRule::kUnchecked) return Status::Ok();
  const uint64_t bytes = (uint64_t{header(id).overflow} + 1) * page_size_;
  const SumState sum = CheckSum(std::string_view(at(id), bytes));
  const bool missing =
      sum == SumState::kNone && sum_rule_ == SumRule::kEverywhere;
  if (sum == SumState::kWrong || missing) {
    notes_->SetDamaged(id);
    return Damaged(id, missing ? "no checksum, but every page had one"
                               : "checksum mismatch");
  }
  notes_->SetSound(id, /*bare=*/sum == SumState::kNone);
  return Status::Ok();
}

Status PageSource::Damaged(PageId id, std::string_view what) const {
  return DataLossError(*path_ + " offset " +
                       std::to_string(id.value() * page_size_) + ": page " +
                       std::to_string(id.value()) + ": " + std::string(what));
}

}  // namespace strata::btree
