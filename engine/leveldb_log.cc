#include "engine/leveldb_log.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/crc32c.h"

namespace strata {
namespace {

constexpr uint64_t kBlockBytes = 32 << 10;
constexpr size_t kFragmentHeader = 7;

enum FragmentType : uint8_t {
  kUnwritten = 0,
  kWhole = 1,
  kFirst = 2,
  kMiddle = 3,
  kLast = 4,
};

bool AllZero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

// Walks the fragments of one block after the other.
class Measurer {
 public:
  using Record = std::function<void(std::string_view)>;

  Measurer(const File& file, const Record& record)
      : file_(file), record_(record) {}

  StatusOr<LeveldbLogExtent> Run() {
    ASSIGN_OR_RETURN(const uint64_t size, file_.Size());
    std::string block;
    for (uint64_t at = 0; at < size; at += kBlockBytes) {
      block.resize(std::min(kBlockBytes, size - at));
      RETURN_IF_ERROR(file_.ReadAt(at, block.size(), block.data()));
      Take(block, at);
    }
    // A record whose end never came, or a hole before one.
    if ((in_record_ && !broken_) || extent_.sound_after > 0) {
      extent_.torn = true;
    }
    return extent_;
  }

 private:
  void Take(std::string_view block, uint64_t at) {
    size_t from = 0;
    while (block.size() - from >= kFragmentHeader) {
      const size_t bytes = Fragment(block.substr(from), at + from);
      if (bytes == 0) {
        Break(block.substr(from));
        return;
      }
      from += bytes;
    }
    if (!AllZero(block.substr(from))) Break(block.substr(from));
  }

  // The length of the sound fragment at the front of `bytes`; 0 if there is
  // none.
  size_t Fragment(std::string_view bytes, uint64_t at) {
    const size_t size =
        kFragmentHeader + LoadLittle16(bytes.data() + sizeof(uint32_t));
    const auto type = static_cast<uint8_t>(bytes[kFragmentHeader - 1]);
    if (type < kWhole || type > kLast || size > bytes.size()) return 0;
    const uint32_t crc = crc32c::Value(
        bytes.substr(kFragmentHeader - 1, size - kFragmentHeader + 1));
    if (LeveldbMaskedCrc(crc) != LoadLittle32(bytes.data())) return 0;
    if (broken_) {
      const bool begins = type == kWhole || type == kFirst;
      if (begins && extent_.sound_after == 0) extent_.sound_after = at;
    } else if (!Follows(type)) {
      Break(bytes);
    } else {
      Count(type, at + size);
      Gather(type, bytes.substr(kFragmentHeader, size - kFragmentHeader));
    }
    return size;
  }

  bool Follows(uint8_t type) const {
    return in_record_ == (type == kMiddle || type == kLast);
  }

  void Count(uint8_t type, uint64_t end) {
    in_record_ = type == kFirst || type == kMiddle;
    if (in_record_) return;
    extent_.sound_bytes = end;
    ++extent_.records;
  }

  void Gather(uint8_t type, std::string_view payload) {
    if (record_ == nullptr) return;
    if (type == kWhole || type == kFirst) gathered_.clear();
    gathered_ += payload;
    if (!in_record_) record_(gathered_);
  }

  void Break(std::string_view rest) {
    broken_ = true;
    if (in_record_ || !AllZero(rest)) extent_.torn = true;
  }

  const File& file_;
  const Record& record_;
  std::string gathered_;
  LeveldbLogExtent extent_;
  bool in_record_ = false;
  bool broken_ = false;
};

}  // namespace

uint32_t LeveldbMaskedCrc(uint32_t crc) {
  constexpr uint32_t kDelta = 0xa282ead8U;
  return ((crc >> 15) | (crc << 17)) + kDelta;
}

StatusOr<LeveldbLogExtent> MeasureLeveldbLog(
    const File& file, const std::function<void(std::string_view)>& record) {
  return Measurer(file, record).Run();
}

std::optional<uint64_t> LogNumberOfManifestEdit(std::string_view record) {
  constexpr uint64_t kLogNumber = 2;
  // The fields behind each tag: v a number, s a size and bytes.
  const auto fields_of = [](uint64_t tag) -> std::string_view {
    constexpr std::string_view kFields[] = {"",   "s",  "v",     "v", "v",
                                            "vs", "vv", "vvvss", "",  "v"};
    return tag < std::size(kFields) ? kFields[tag] : "";
  };
  std::optional<uint64_t> found;
  uint64_t tag = 0;
  while (ConsumeVarint64(&record, &tag)) {
    if (fields_of(tag).empty()) return found;
    for (const char field : fields_of(tag)) {
      uint64_t number = 0;
      if (!ConsumeVarint64(&record, &number)) return found;
      if (tag == kLogNumber) found = number;
      if (field != 's') continue;
      if (number > record.size()) return found;
      record.remove_prefix(number);
    }
  }
  return found;
}

}  // namespace strata
