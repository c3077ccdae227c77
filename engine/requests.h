#ifndef STRATA_ENGINE_REQUESTS_H_
#define STRATA_ENGINE_REQUESTS_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <variant>
#include <vector>

#include "base/types.h"

// What the store is asked and what it answers, as plain values. Requests borrow
// their bytes from the caller; results borrow theirs from what `pin` keeps.
namespace strata {

// etcd's rule for ranges: an empty `end` is the one key; "\0" is all from `key`
// on; otherwise [key, end).
struct KeyRange {
  std::string_view key{};
  std::string_view end{};

  bool single() const { return end.empty(); }
  bool open_ended() const { return end.size() == 1 && end[0] == '\0'; }
  bool Contains(std::string_view k) const {
    if (single()) return k == key;
    return k >= key && (open_ended() || k < end);
  }
};

struct KeyValue {
  std::string_view key{};
  Revision create_revision{};
  Revision mod_revision{};
  int64_t version = 0;
  std::string_view value{};
  LeaseId lease{};
};

enum class SortOrder { kNone, kAscend, kDescend };
enum class SortTarget { kKey, kVersion, kCreate, kMod, kValue };

struct RangeRequest {
  KeyRange range{};
  int64_t limit = 0;    // 0: all
  Revision revision{};  // <= 0: the current one
  SortOrder sort_order = SortOrder::kNone;
  SortTarget sort_target = SortTarget::kKey;
  bool keys_only = false;
  bool count_only = false;
  // 0: no bound; inclusive.
  Revision min_mod_revision{}, max_mod_revision{};
  Revision min_create_revision{}, max_create_revision{};
  // For one that is read in pieces, each from the last key of the one before:
  bool uncounted = false;  // `count` is not wanted: it may need all the keys
  // Of key-values; fewer are `more`, but at least one comes. 0: no bound.
  uint64_t max_bytes = 0;
};

// KeyValues in their stored encoding (mvccpb.KeyValue), ready for the wire:
// DecodeKeyValue (engine/key_value.h) reads them.
struct RangeResult {
  std::vector<std::string_view> kvs;
  bool more = false;
  int64_t count = 0;                // in the range, before limit and filters
  Revision revision{};              // of the store when the range was read
  std::shared_ptr<const void> pin;  // keeps what `kvs` points to
};

struct PutRequest {
  std::string_view key{};
  std::string_view value{};
  LeaseId lease{};
  bool prev_kv = false;
  bool ignore_value = false;  // keep the value, which must exist
  bool ignore_lease = false;  // keep the lease
};

struct PutResult {
  Revision revision{};
  RangeResult prev;  // one or none; only if asked for
};

struct DeleteRangeRequest {
  KeyRange range{};
  bool prev_kv = false;
};

struct DeleteRangeResult {
  Revision revision{};  // unchanged if nothing was deleted
  int64_t deleted = 0;
  RangeResult prev;  // only if asked for
};

enum class CompareResult { kEqual, kGreater, kLess, kNotEqual };
enum class CompareTarget { kVersion, kCreate, kMod, kValue, kLease };

// Holds if it holds for every key of the range. Where there is no key, be it a
// missing one or an empty range, version, create, mod and lease compare as 0,
// and a compare of the value fails whatever it asks.
struct Compare {
  KeyRange range{};
  CompareResult result = CompareResult::kEqual;
  CompareTarget target = CompareTarget::kVersion;
  int64_t number = 0;  // for all targets but kValue
  std::string_view value{};
};

struct TxnRequest;
using Op = std::variant<RangeRequest, PutRequest, DeleteRangeRequest,
                        std::unique_ptr<TxnRequest>>;
struct TxnRequest {
  std::vector<Compare> compare;
  std::vector<Op> success;
  std::vector<Op> failure;
};

struct TxnResult;
using OpResult = std::variant<RangeResult, PutResult, DeleteRangeResult,
                              std::unique_ptr<TxnResult>>;
struct TxnResult {
  Revision revision{};  // 0 in a nested one, as etcd leaves it
  bool succeeded = false;
  std::vector<OpResult> responses;
};

struct HashKvResult {
  uint32_t hash = 0;
  Revision current{};  // of the store
  Revision compact_revision{};
  Revision hash_revision{};  // what was hashed up to
};

}  // namespace strata

#endif  // STRATA_ENGINE_REQUESTS_H_
