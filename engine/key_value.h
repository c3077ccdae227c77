#ifndef STRATA_ENGINE_KEY_VALUE_H_
#define STRATA_ENGINE_KEY_VALUE_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/status.h"
#include "base/types.h"
#include "engine/requests.h"

// The two encodings of the key table, byte for byte etcd's: HashKV hashes them.
//
//   key    main: 8 bytes big-endian, '_', sub: 8 bytes big-endian, and 't' if
//          the change is a tombstone
//   value  mvccpb.KeyValue: 1 key, 2 create_revision, 3 mod_revision,
//          4 version, 5 value, 6 lease; zero fields are left out. A tombstone
//          has the key alone.
//
// {main 5, sub 0} of `put a b`:  00..05 5f 00..00  ->  0a 01 61 10 05 18 05
//                                                      20 01 2a 01 62
namespace strata {

// One change: the revision it belongs to and its place in it.
struct ChangeId {
  Revision main;
  uint32_t sub = 0;

  friend constexpr auto operator<=>(const ChangeId&, const ChangeId&) = default;
};

// Where a change is in the key table.
class RevisionKey {
 public:
  static constexpr size_t kBytes = 17;
  static constexpr char kTombstoneMark = 't';

  RevisionKey(ChangeId id, bool tombstone)
      : size_(tombstone ? kBytes + 1 : kBytes) {
    StoreBig64(bytes_.data(), static_cast<uint64_t>(id.main.value()));
    bytes_[8] = '_';
    StoreBig64(bytes_.data() + 9, id.sub);
    bytes_[kBytes] = kTombstoneMark;
  }

  // Views into this object.
  std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  std::array<char, kBytes + 1> bytes_;
  uint8_t size_;
};

// False if `bytes` is no key of the key table.
bool ParseRevisionKey(std::string_view bytes, ChangeId* id, bool* tombstone);

// The encoded size, and the encoding itself into `out`, which has that size.
size_t KeyValueSize(const KeyValue& kv);
void EncodeKeyValue(const KeyValue& kv, char* out);
std::string EncodeKeyValue(const KeyValue& kv);

// What it returns points into `bytes`. DataLoss if it is no KeyValue.
StatusOr<KeyValue> DecodeKeyValue(std::string_view bytes);

// The key alone, the first field of what we and etcd write; false if it is not.
bool DecodeKey(std::string_view bytes, std::string_view* key);

// Splits an encoding around its value field: `before` + `after` is the encoding
// with an empty value. False if it is no KeyValue as we and etcd write it.
bool SplitAtValue(std::string_view bytes, std::string_view* before,
                  std::string_view* after);

}  // namespace strata

#endif  // STRATA_ENGINE_KEY_VALUE_H_
