// The keys and values of the key table: what can be decoded is encoded again as
// it was, by us or at least to the same meaning.

#include <string>

#include "base/check.h"
#include "engine/key_value.h"
#include "tests/fuzz/input.h"

namespace strata {
namespace {

void TestKey(std::string_view bytes) {
  ChangeId id;
  bool tombstone = false;
  if (!ParseRevisionKey(bytes, &id, &tombstone)) return;
  CHECK(RevisionKey(id, tombstone).view() == bytes);
}

// What other decoders of the same bytes find must agree.
void TestValue(std::string_view bytes) {
  const auto kv = DecodeKeyValue(bytes);
  std::string_view key;
  std::string_view before;
  std::string_view after;
  const bool has_key = DecodeKey(bytes, &key);
  const bool splits = SplitAtValue(bytes, &before, &after);
  if (!kv.ok()) {
    CHECK(kv.status().code() == Code::kDataLoss) << kv.status();
    return;
  }
  const std::string again = EncodeKeyValue(*kv);
  CHECK(again.size() == KeyValueSize(*kv));
  const auto twice = DecodeKeyValue(again);
  CHECK_OK(twice);
  CHECK(EncodeKeyValue(*twice) == again);
  if (again != bytes) return;  // not as we and etcd write it
  CHECK(!has_key || key == kv->key);
  if (!splits) return;
  KeyValue empty = *kv;
  empty.value = {};
  CHECK(std::string(before) + std::string(after) == EncodeKeyValue(empty));
}

void TestBuilt(fuzz::Input* input) {
  const std::string key = input->Bytes(40);
  const std::string value = input->Bytes(300);
  KeyValue kv;
  kv.key = key;
  kv.value = value;
  kv.create_revision = Revision(static_cast<int64_t>(input->Below(1 << 20)));
  kv.mod_revision = Revision(static_cast<int64_t>(input->Below(UINT64_MAX)));
  kv.version = static_cast<int64_t>(input->Below(300));
  kv.lease = LeaseId(static_cast<int64_t>(input->Below(UINT64_MAX)));
  const std::string bytes = EncodeKeyValue(kv);
  const auto decoded = DecodeKeyValue(bytes);
  CHECK_OK(decoded);
  CHECK(decoded->key == key && decoded->value == value);
  CHECK(EncodeKeyValue(*decoded) == bytes);
  TestValue(bytes);
}

}  // namespace
}  // namespace strata

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  strata::fuzz::Input input(data, size);
  const uint8_t kind = input.Byte();
  if (kind % 3 == 0) {
    strata::TestBuilt(&input);
    return 0;
  }
  const std::string_view bytes = input.TakeRest();
  strata::TestKey(bytes);
  strata::TestKey(bytes.substr(0, 17));
  strata::TestValue(bytes);
  return 0;
}
