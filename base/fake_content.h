#ifndef STRATA_BASE_FAKE_CONTENT_H_
#define STRATA_BASE_FAKE_CONTENT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/power_loss.h"

namespace strata {

// A reserved range of zeros that takes memory only where it is written.
class FakeRegion {
 public:
  explicit FakeRegion(size_t size);
  ~FakeRegion();
  FakeRegion(const FakeRegion&) = delete;
  FakeRegion& operator=(const FakeRegion&) = delete;

  char* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  char* data_;
  const size_t size_;
};

// What a file of the fake disk holds: its bytes as programs see them, and for
// each sector and for the length what they were when last synced and since.
// Not thread-safe; FakeEnv guards it.
//
// Bytes from size() on are zero.
class FakeContent {
 public:
  static constexpr uint64_t kSectorBytes = 512;
  static constexpr uint64_t kBlockBytes = 4096;  // what space is counted in

  // REQUIRES: bytes_max is a multiple of kBlockBytes
  explicit FakeContent(uint64_t bytes_max);

  uint64_t size() const { return sizes_.back(); }
  uint64_t bytes_max() const { return region_->size(); }
  const std::shared_ptr<FakeRegion>& region() const { return region_; }

  // REQUIRES: offset + data.size() <= bytes_max(), likewise below.
  void Write(uint64_t offset, std::string_view data);
  void Resize(uint64_t size);

  // Blocks of [offset, offset + size) that have no space yet.
  uint64_t BlocksMissing(uint64_t offset, uint64_t size) const;
  void AddBlocks(uint64_t offset, uint64_t size);
  uint64_t block_count() const { return block_count_; }

  void Sync();
  // As Linux has it: what could not be written stays in memory but counts as
  // clean, so that a later Sync() does not write it either, unless it is
  // written anew.
  void FailSync();
  uint64_t failed_syncs() const { return failed_syncs_; }

  // Turns a bit over on the medium; not a write.
  void FlipBit(uint64_t offset, int bit);

  size_t UnsyncedThings() const;
  // A power loss: what is there then is all synced.
  void LosePower(PowerLoss* loss);
  std::unique_ptr<FakeContent> Copy() const;
  // Whether somebody else has its bytes, too: a mapping.
  bool shared() const { return region_.use_count() > 1; }

 private:
  struct Sector {
    uint64_t number = 0;
    // Its contents before the present one, one after another; the first is the
    // synced one.
    std::string older = {};
    bool doomed = false;

    size_t states() const { return older.size() / kSectorBytes; }
    std::string_view State(size_t at) const {
      return std::string_view(older).substr(at * kSectorBytes, kSectorBytes);
    }
  };
  using Sectors = std::vector<Sector>;  // in the order of their numbers

  std::string_view SectorBytes(uint64_t sector) const;
  // The place of `sector` in unsynced_, or where it would be.
  Sectors::iterator Place(uint64_t sector);
  bool IsUnsynced(Sectors::const_iterator place, uint64_t sector) const {
    return place != unsynced_.end() && place->number == sector;
  }
  void Remember(uint64_t sector, Sectors::iterator place);
  void WriteInSector(uint64_t offset, std::string_view data);
  void SetSize(uint64_t size);
  void Cut(uint64_t size);
  void CutBlocks(uint64_t size);
  void PutSector(uint64_t sector, std::string_view bytes);
  void Clear(uint64_t from, uint64_t to);

  std::shared_ptr<FakeRegion> region_;
  uint64_t written_end_ = 0;  // no byte from here on was ever written
  // No sector from here on was ever anything but zeros: its memory is left
  // alone, as the first touch of a page is slow.
  uint64_t touched_end_ = 0;
  std::vector<uint64_t> sizes_ = {0};  // the synced one first, the present last
  bool size_doomed_ = false;
  uint64_t failed_syncs_ = 0;
  Sectors unsynced_;
  // Synced content of sectors that an unsynced shrinking cut off. They come
  // back, all of them, if the shrinking is lost, and else never.
  std::map<uint64_t, std::string> cut_;
  std::vector<bool> blocks_;  // those that have space, as far as there are any
  uint64_t block_count_ = 0;
};

}  // namespace strata

#endif  // STRATA_BASE_FAKE_CONTENT_H_
