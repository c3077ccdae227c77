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

// Makes room for one more state: the synced one and the newest stay.
template <typename T>
void Forget(std::vector<T>* states) {
  if (states->size() >= kMaxStates) states->erase(states->begin() + 1);
}

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
  return {region_->data() + sector * kSectorBytes, kSectorBytes};
}

void FakeContent::Remember(uint64_t sector) {
  Sector& history = unsynced_[sector];
  history.doomed = false;
  Forget(&history.older);
  history.older.emplace_back(SectorBytes(sector));
}

void FakeContent::WriteInSector(uint64_t offset, std::string_view data) {
  char* at = region_->data() + offset;
  // The same bytes again leave nothing to lose.
  const uint64_t sector = offset / kSectorBytes;
  if (std::memcmp(at, data.data(), data.size()) == 0) {
    if (const auto it = unsynced_.find(sector); it != unsynced_.end()) {
      it->second.doomed = false;
    }
    return;
  }
  Remember(sector);
  std::memcpy(at, data.data(), data.size());
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
  Forget(&sizes_);
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
    const auto history = unsynced_.find(sector);
    const bool synced = history == unsynced_.end();
    cut_.emplace(sector, synced ? std::string(SectorBytes(sector))
                                : history->second.older.front());
    if (!synced) unsynced_.erase(history);
  }
  Clear(whole * kSectorBytes, end * kSectorBytes);
  const uint64_t blocks = (size + kBlockBytes - 1) / kBlockBytes;
  blocks_.erase(blocks_.lower_bound(blocks), blocks_.end());
  written_end_ = std::min(written_end_, size);
}

void FakeContent::Clear(uint64_t from, uint64_t to) {
  if (from < to) std::memset(region_->data() + from, 0, to - from);
}

uint64_t FakeContent::BlocksMissing(uint64_t offset, uint64_t size) const {
  if (size == 0) return 0;
  const uint64_t first = offset / kBlockBytes;
  const uint64_t last = (offset + size - 1) / kBlockBytes;
  const auto there =
      std::distance(blocks_.lower_bound(first), blocks_.upper_bound(last));
  return last - first + 1 - static_cast<uint64_t>(there);
}

void FakeContent::AddBlocks(uint64_t offset, uint64_t size) {
  if (size == 0) return;
  const uint64_t last = (offset + size - 1) / kBlockBytes;
  for (uint64_t b = offset / kBlockBytes; b <= last; ++b) blocks_.insert(b);
}

void FakeContent::Sync() {
  std::erase_if(unsynced_, [](const auto& s) { return !s.second.doomed; });
  if (size_doomed_) return;
  sizes_ = {size()};
  cut_.clear();
}

void FakeContent::FailSync() {
  for (auto& [sector, history] : unsynced_) history.doomed = true;
  size_doomed_ = sizes_.size() > 1;
}

void FakeContent::FlipBit(uint64_t offset, int bit) {
  CHECK(offset < size() && bit >= 0 && bit < 8) << offset << " " << bit;
  const auto mask = static_cast<char>(1 << bit);
  region_->data()[offset] ^= mask;
  written_end_ = std::max(written_end_, offset + 1);
  const auto history = unsynced_.find(offset / kSectorBytes);
  if (history == unsynced_.end()) return;
  for (std::string& older : history->second.older) {
    older[offset % kSectorBytes] ^= mask;
  }
}

size_t FakeContent::UnsyncedThings() const {
  return (sizes_.size() > 1 ? 1 : 0) + unsynced_.size();
}

std::unique_ptr<FakeContent> FakeContent::After(PowerLoss* loss) const {
  const size_t newest = sizes_.size() - 1;
  size_t state = newest > 0 ? loss->Pick(newest) : 0;
  if (!cut_.empty() && state != newest) state = 0;
  auto after = std::make_unique<FakeContent>(bytes_max());
  after->CopyBytes(*this);
  for (const auto& [sector, history] : unsynced_) {
    const size_t survivor = loss->Pick(history.older.size());
    if (survivor == history.older.size()) continue;
    after->PutSector(sector, history.older[survivor]);
  }
  if (state == 0) {
    for (const auto& [sector, content] : cut_)
      after->PutSector(sector, content);
  }
  const uint64_t size = sizes_[state];
  after->Clear(size, after->written_end_);
  after->written_end_ = std::min(after->written_end_, size);
  after->sizes_ = {size};
  const uint64_t blocks = (size + kBlockBytes - 1) / kBlockBytes;
  for (const uint64_t block : blocks_) {
    if (block < blocks) after->blocks_.insert(block);
  }
  return after;
}

void FakeContent::CopyBytes(const FakeContent& from) {
  for (uint64_t at = 0; at < from.written_end_; at += kBlockBytes) {
    const char* bytes = from.region_->data() + at;
    if (std::memcmp(bytes, kZeros, kBlockBytes) == 0) continue;
    std::memcpy(region_->data() + at, bytes, kBlockBytes);
  }
  written_end_ = from.written_end_;
}

void FakeContent::PutSector(uint64_t sector, std::string_view bytes) {
  const uint64_t at = sector * kSectorBytes;
  std::memcpy(region_->data() + at, bytes.data(), kSectorBytes);
  written_end_ = std::max(written_end_, at + kSectorBytes);
  AddBlocks(at, kSectorBytes);
}

}  // namespace strata
