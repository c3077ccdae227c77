#include "engine/watch/event.h"

#include <utility>

#include "base/check.h"
#include "base/wire.h"
#include "engine/store.h"

namespace strata {
namespace {

enum Field : uint32_t { kType = 1, kKv = 2 };
constexpr uint64_t kDelete = 1;

}  // namespace

WatchEvent::WatchEvent(const Change& change, bool live)
    : id_(change.id), tombstone_(change.tombstone), live_(live) {
  auto kv = DecodeKeyValue(change.kv);
  CHECK(kv.ok()) << "the store has checked it: " << kv.status();
  std::string tombstone;
  std::string_view bytes = change.kv;
  if (tombstone_) {
    const KeyValue erased{.key = kv->key, .mod_revision = id_.main};
    tombstone = EncodeKeyValue(erased);
    bytes = tombstone;
    wire::AppendUint(&encoded_, kType, kDelete);
  } else {
    created_ = kv->create_revision == kv->mod_revision;
  }
  encoded_.reserve(encoded_.size() + bytes.size() + 6);
  wire::AppendBytes(&encoded_, kKv, bytes);
  kv_at_ = static_cast<uint32_t>(encoded_.size() - bytes.size());
  // The key is the first field of what we and etcd write.
  std::string_view key;
  CHECK(DecodeKey(this->kv(), &key)) << "a KeyValue without a key";
  key_at_ = static_cast<uint32_t>(key.data() - encoded_.data());
  key_size_ = static_cast<uint32_t>(key.size());
}

void WatchEvent::ReadPrev(const Store& store) const {
  std::call_once(read_prev_, [&] { prev_ = FindPrev(store); });
}

// What cannot be read is left out, as etcd does.
std::string WatchEvent::FindPrev(const Store& store) const {
  if (created_) return {};
  auto before = store.ReadBefore(key(), revision(), /*held=*/live_);
  if (!before.ok() || !before->has_value()) return {};
  return std::move(**before);
}

}  // namespace strata
