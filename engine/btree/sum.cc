#include "engine/btree/sum.h"

#include <algorithm>

#include "base/check.h"
#include "base/crc32c.h"
#include "engine/btree/meta.h"
#include "engine/btree/page.h"

namespace strata::btree {
namespace {

constexpr size_t kMarkAt = kHeaderBytes + sizeof(Meta);

uint32_t RunCrc(std::string_view run) {
  return crc32c::Value(run.substr(0, run.size() - sizeof(Sum::crc)));
}

uint32_t MetaPageCrc(std::string_view page) {
  constexpr size_t kCrcAt = kMarkAt + offsetof(Sum, crc);
  const uint32_t before =
      crc32c::Value(page.substr(kHeaderBytes, kCrcAt - kHeaderBytes));
  return crc32c::Extend(before, page.substr(kMarkAt + kSumBytes));
}

// Whether the elements go on where a sum would be, as they may on pages that
// bbolt filled: there the magic is a part of some value.
bool ReachesEnd(std::string_view run) {
  Page page;
  const char* reason = nullptr;
  Item last;
  if (!Page::Parse(run, &page, &reason)) return false;
  if (page.count() == 0 || !page.Get(page.count() - 1, &last)) return false;
  return page.PositionOf(last) + last.key.size() + last.value.size() >
         RoomIn(run.size());
}

}  // namespace

void Seal(char* run, size_t bytes) {
  Sum sum = {kSumMagic, 0};
  CHECK_EQ(Load<uint64_t>(run + RoomIn(bytes)), 0u);
  std::memcpy(run + RoomIn(bytes), &sum, sizeof sum);
  sum.crc = RunCrc({run, bytes});
  std::memcpy(run + RoomIn(bytes), &sum, sizeof sum);
}

SumState CheckSum(std::string_view run) {
  const auto sum = Load<Sum>(run.data() + RoomIn(run.size()));
  if (sum.magic != kSumMagic) return SumState::kNone;
  if (sum.crc == RunCrc(run)) return SumState::kRight;
  return ReachesEnd(run) ? SumState::kNone : SumState::kWrong;
}

void SetMark(char* page, size_t bytes) {
  Sum mark = {kMarkMagic, 0};
  std::memcpy(page + kMarkAt, &mark, sizeof mark);
  mark.crc = MetaPageCrc({page, bytes});
  std::memcpy(page + kMarkAt, &mark, sizeof mark);
}

SumState CheckMark(std::string_view page) {
  const auto mark = Load<Sum>(page.data() + kMarkAt);
  if (mark.magic == kMarkMagic && mark.crc == MetaPageCrc(page)) {
    return SumState::kRight;
  }
  const std::string_view slack = page.substr(kMarkAt);
  const bool empty = std::all_of(slack.begin(), slack.end(),
                                 [](char byte) { return byte == 0; });
  return empty ? SumState::kNone : SumState::kWrong;
}

}  // namespace strata::btree
