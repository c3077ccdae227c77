#include "base/fake_content.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace strata {

namespace {

// States kept of a sector or a length between two syncs.
constexpr size_t kMaxStates = 6;

constexpr char kZeros[FakeContent::kBlockBytes] = {};

}  // namespace

FakeRegion::FakeRegion(size_t size) : size_(size) {
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(memory != MAP_FAILED) << "no address space for " << size << " bytes";
  data_ = static_cast<char*>(memory);
}

FakeRegion::~FakeRegion() { munmap(data_, size_); }

FakeContent::FakeContent(uint64_t bytes_max)
    : region_(std::make_shared<FakeRegion>(bytes_max)) {
  CHECK_EQ(bytes_max % kBlockBytes, 0u);
}

std::string_view FakeContent::SectorBytes(uint64_t sector) const {
  if (sector * kSectorBytes >= touched_end_) return {kZeros, kSectorBytes};
  return {region_->data() + sector * kSectorBytes, kSectorBytes};
}

FakeContent::Sectors::iterator FakeContent::Place(uint64_t sector) {
  // Most writes go on where the one before ended.
  if (unsynced_.empty() || unsynced_.back().number < sector) {
    return unsynced_.end();
  }
  return std::lower_bound(
      unsynced_.begin(), unsynced_.end(), sector,
      [](const Sector& a, uint64_t number) { return a.number < number; });
}

void FakeContent::Remember(uint64_t sector, Sectors::iterator place) {
  if (!IsUnsynced(place, sector)) {
    place = unsynced_.insert(place, Sector{.number = sector});
  }
  place->doomed = false;
  // The synced state and the newest stay.
  if (place->states() >= kMaxStates) {
    place->older.erase(kSectorBytes, kSectorBytes);
  }
  place->older += SectorBytes(sector);
}

void FakeContent::WriteInSector(uint64_t offset, std::string_view data) {
  const uint64_t sector = offset / kSectorBytes;
  const auto place = Place(sector);
  const std::string_view now =
      SectorBytes(sector).substr(offset % kSectorBytes, data.size());
  // The same bytes again leave nothing to lose.
  if (now == data) {
    if (IsUnsynced(place, sector)) place->doomed = false;
    return;
  }
  Remember(sector, place);
  std::memcpy(region_->data() + offset, data.data(), data.size());
  touched_end_ = std::max(touched_end_, (sector + 1) * kSectorBytes);
}

void FakeContent::Write(uint64_t offset, std::string_view data) {
  const uint64_t end = offset + data.size();
  CHECK(end <= region_->size());
  while (!data.empty()) {
    const size_t n =
        std::min<uint64_t>(data.size(), kSectorBytes - offset % kSectorBytes);
    WriteInSector(offset, data.substr(0, n));
    data.remove_prefix(n);
    offset += n;
  }
  written_end_ = std::max(written_end_, end);
  if (end > size()) SetSize(end);
}

void FakeContent::SetSize(uint64_t size) {
  size_doomed_ = false;
  // The synced one and the newest stay.
  if (sizes_.size() >= kMaxStates) sizes_.erase(sizes_.begin() + 1);
  sizes_.push_back(size);
}

void FakeContent::Resize(uint64_t size) {
  CHECK(size <= region_->size());
  if (size == this->size()) return;
  if (size < this->size()) Cut(size);
  SetSize(size);
}

void FakeContent::Cut(uint64_t size) {
  const uint64_t whole = (size + kSectorBytes - 1) / kSectorBytes;
  const uint64_t end =
      (std::min(this->size(), written_end_) + kSectorBytes - 1) / kSectorBytes;
  if (size % kSectorBytes != 0 && size < written_end_) {
    const uint64_t n =
        std::min(whole * kSectorBytes - size, written_end_ - size);
    WriteInSector(size, std::string_view(kZeros, n));
  }
  for (uint64_t sector = whole; sector < end; ++sector) {
    const auto place = Place(sector);
    const bool synced = !IsUnsynced(place, sector);
    cut_.emplace(sector, synced ? SectorBytes(sector) : place->State(0));
  }
  const auto first = Place(whole);
  unsynced_.erase(first, std::max(first, Place(end)));
  Clear(whole * kSectorBytes, end * kSectorBytes);
  CutBlocks(size);
  written_end_ = std::min(written_end_, size);
}

void FakeContent::Clear(uint64_t from, uint64_t to) {
  to = std::min(to, touched_end_);
  if (from < to) std::memset(region_->data() + from, 0, to - from);
}

uint64_t FakeContent::BlocksMissing(uint64_t offset, uint64_t size) const {
  if (size == 0) return 0;
  const uint64_t last = (offset + size - 1) / kBlockBytes;
  uint64_t missing = 0;
  for (uint64_t block = offset / kBlockBytes; block <= last; ++block) {
    missing += block >= blocks_.size() || !blocks_[block] ? 1 : 0;
  }
  return missing;
}

void FakeContent::AddBlocks(uint64_t offset, uint64_t size) {
  if (size == 0) return;
  const uint64_t last = (offset + size - 1) / kBlockBytes;
  if (last >= blocks_.size()) blocks_.resize(last + 1);
  for (uint64_t block = offset / kBlockBytes; block <= last; ++block) {
    if (blocks_[block]) continue;
    blocks_[block] = true;
    ++block_count_;
  }
}

void FakeContent::CutBlocks(uint64_t size) {
  const uint64_t blocks = (size + kBlockBytes - 1) / kBlockBytes;
  if (blocks >= blocks_.size()) return;
  blocks_.resize(blocks);
  block_count_ = static_cast<uint64_t>(std::ranges::count(blocks_, true));
}

void FakeContent::Sync() {
  std::erase_if(unsynced_, [](const Sector& s) { return !s.doomed; });
  if (size_doomed_) return;
  sizes_ = {size()};
  cut_.clear();
}

void FakeContent::FailSync() {
  ++failed_syncs_;
  for (Sector& sector : unsynced_) sector.doomed = true;
  size_doomed_ = sizes_.size() > 1;
}

void FakeContent::FlipBit(uint64_t offset, int bit) {
  CHECK(offset < size() && bit >= 0 && bit < 8) << offset << " " << bit;
  const auto mask = static_cast<char>(1 << bit);
  region_->data()[offset] ^= mask;
  written_end_ = std::max(written_end_, offset + 1);
  const uint64_t sector = offset / kSectorBytes;
  touched_end_ = std::max(touched_end_, (sector + 1) * kSectorBytes);
  const auto place = Place(sector);
  if (!IsUnsynced(place, sector)) return;
  for (size_t at = offset % kSectorBytes; at < place->older.size();
       at += kSectorBytes) {
    place->older[at] ^= mask;
  }
}

size_t FakeContent::UnsyncedThings() const {
  return (sizes_.size() > 1 ? 1 : 0) + unsynced_.size();
}

void FakeContent::LosePower(PowerLoss* loss) {
  const size_t newest = sizes_.size() - 1;
  size_t state = newest > 0 ? loss->Pick(newest) : 0;
  if (!cut_.empty() && state != newest) state = 0;
  for (const Sector& sector : unsynced_) {
    const size_t survivor = loss->Pick(sector.states());
    if (survivor == sector.states()) continue;
    PutSector(sector.number, sector.State(survivor));
  }
  if (state == 0) {
    for (const auto& [sector, content] : cut_) PutSector(sector, content);
  }
  const uint64_t size = sizes_[state];
  Clear(size, written_end_);
  written_end_ = std::min(written_end_, size);
  sizes_ = {size};
  size_doomed_ = false;
  unsynced_.clear();
  cut_.clear();
  CutBlocks(size);
}

std::unique_ptr<FakeContent> FakeContent::Copy() const {
  auto copy = std::make_unique<FakeContent>(bytes_max());
  const uint64_t end = std::min(written_end_, touched_end_);
  for (uint64_t at = 0; at < end; at += kBlockBytes) {
    const char* bytes = region_->data() + at;
    if (std::memcmp(bytes, kZeros, kBlockBytes) == 0) continue;
    std::memcpy(copy->region_->data() + at, bytes, kBlockBytes);
  }
  copy->written_end_ = written_end_;
  copy->touched_end_ = touched_end_;
  copy->sizes_ = sizes_;
  copy->size_doomed_ = size_doomed_;
  copy->unsynced_ = unsynced_;
  copy->cut_ = cut_;
  copy->blocks_ = blocks_;
  copy->block_count_ = block_count_;
  return copy;
}

void FakeContent::PutSector(uint64_t sector, std::string_view bytes) {
  const uint64_t at = sector * kSectorBytes;
  std::memcpy(region_->data() + at, bytes.data(), kSectorBytes);
  written_end_ = std::max(written_end_, at + kSectorBytes);
  touched_end_ = std::max(touched_end_, at + kSectorBytes);
  AddBlocks(at, kSectorBytes);
}

}  // namespace strata
