#ifndef STRATA_ENGINE_WATCH_EVENT_H_
#define STRATA_ENGINE_WATCH_EVENT_H_

#include <mutex>
#include <string>
#include <string_view>

#include "base/types.h"
#include "engine/changes.h"

namespace strata {

class Store;

// A change as watchers get it: an mvccpb.Event, encoded once for all of them.
// Shared; immutable but for the previous value, which is read when the first
// watcher wants it.
//
//   type     1, left out for a put; 1 for a delete
//   kv       2, the KeyValue as stored; of a delete, key and mod_revision
//   prev_kv  3, follows in the encoding: it is kept apart
class WatchEvent {
 public:
  // `live`: it is fed as it happens, and the store still holds what was before
  // it, whatever has been compacted.
  WatchEvent(const Change& change, bool live);

  Revision revision() const { return id_.main; }
  ChangeId id() const { return id_; }
  bool is_delete() const { return tombstone_; }

  // The Event without prev_kv.
  std::string_view encoded() const { return encoded_; }
  // Its KeyValue; its key.
  std::string_view kv() const {
    return std::string_view(encoded_).substr(kv_at_);
  }
  std::string_view key() const {
    return {encoded_.data() + key_at_, key_size_};
  }

  // Reads the previous value, unless that has been done. Any thread.
  void ReadPrev(const Store& store) const;
  // An encoded KeyValue; empty if there was none: the key was created, or what
  // was before has been compacted, as etcd has it. REQUIRES: ReadPrev
  std::string_view prev_kv() const { return prev_; }

  // Roughly, in memory.
  size_t bytes() const { return sizeof(*this) + encoded_.size(); }

 private:
  std::string FindPrev(const Store& store) const;

  const ChangeId id_;
  const bool tombstone_;
  const bool live_;
  std::string encoded_;
  uint32_t kv_at_ = 0;
  uint32_t key_at_ = 0;
  uint32_t key_size_ = 0;
  bool created_ = false;  // it is the key's first put

  mutable std::once_flag read_prev_;
  mutable std::string prev_;
};

}  // namespace strata

#endif  // STRATA_ENGINE_WATCH_EVENT_H_
