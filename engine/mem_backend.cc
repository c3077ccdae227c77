#include "engine/mem_backend.h"

#include <array>
#include <map>
#include <mutex>

#include "engine/btree/image.h"

namespace strata {
namespace {

constexpr uint32_t kSnapshotPageSize = 4096;

using Map = std::map<std::string, std::string, std::less<>>;

// The tables after some Write. Maps that did not change are shared between
// versions.
struct Version {
  std::array<std::shared_ptr<Map>, kTableCount> tables;
  uint64_t bytes = 0;  // of all keys and values
};

class MapIterator : public View::Iterator {
 public:
  explicit MapIterator(const Map* map) : map_(map), at_(map->end()) {}

  void SeekToFirst() override { at_ = map_->begin(); }
  void Seek(std::string_view key) override { at_ = map_->lower_bound(key); }
  bool Valid() const override { return at_ != map_->end(); }
  void Next() override { ++at_; }
  std::string_view key() const override { return at_->first; }
  std::string_view value() const override { return at_->second; }
  Status status() const override { return Status::Ok(); }

 private:
  const Map* map_;
  Map::const_iterator at_;
};

class MemView : public View {
 public:
  // Versions and maps are counted under `mutex` alone, so that the writer can
  // tell what it may change in place.
  MemView(std::mutex* mutex, std::shared_ptr<const Version> version)
      : mutex_(mutex), version_(std::move(version)) {}

  ~MemView() override {
    std::lock_guard<std::mutex> lock(*mutex_);
    version_.reset();
  }

  StatusOr<std::optional<std::string_view>> Get(
      Table table, std::string_view key) const override {
    const Map& map = this->map(table);
    auto found = map.find(key);
    if (found == map.end()) return std::optional<std::string_view>();
    return std::optional<std::string_view>(found->second);
  }

  std::unique_ptr<Iterator> NewIterator(Table table) const override {
    return std::make_unique<MapIterator>(&map(table));
  }

 private:
  const Map& map(Table table) const {
    return *version_->tables[static_cast<int>(table)];
  }

  std::mutex* const mutex_;
  std::shared_ptr<const Version> version_;
};

class MemBackend : public Backend {
 public:
  MemBackend() : current_(std::make_shared<Version>()) {
    for (auto& table : current_->tables) table = std::make_shared<Map>();
  }

  StatusOr<std::shared_ptr<const View>> NewView() override {
    std::lock_guard<std::mutex> lock(mutex_);
    return std::make_shared<const MemView>(&mutex_, current_);
  }

  Status Write(const Batch& batch) override {
    RETURN_IF_ERROR(CheckBatch(batch));
    std::lock_guard<std::mutex> lock(mutex_);
    if (current_.use_count() > 1) {
      current_ = std::make_shared<Version>(*current_);
    }
    for (const Batch::Change& change : batch.changes()) Apply(change);
    return Status::Ok();
  }

  Status Sync() override { return Status::Ok(); }

  Status Check(const std::function<void(const std::string&)>&) override {
    return Status::Ok();
  }

  Status WriteSnapshot(const View& view, const Sink& sink) override {
    return btree::WriteImage(&view, kSnapshotPageSize, sink);
  }

  BackendSizes Sizes() const override {
    std::lock_guard<std::mutex> lock(mutex_);
    return {.file_bytes = current_->bytes, .in_use_bytes = current_->bytes};
  }

 private:
  // REQUIRES: mutex_ is held and no view has current_.
  void Apply(const Batch::Change& change) {
    std::shared_ptr<Map>& table =
        current_->tables[static_cast<int>(change.table)];
    if (table.use_count() > 1) table = std::make_shared<Map>(*table);
    auto found = table->find(change.key);
    if (found != table->end()) {
      current_->bytes -= found->first.size() + found->second.size();
      if (change.erase) {
        table->erase(found);
      } else {
        found->second = change.value;
      }
    } else if (!change.erase) {
      table->emplace(std::string(change.key), std::string(change.value));
    }
    if (!change.erase) {
      current_->bytes += change.key.size() + change.value.size();
    }
  }

  mutable std::mutex mutex_;
  std::shared_ptr<Version> current_;  // guarded by mutex_
};

}  // namespace

std::unique_ptr<Backend> NewMemBackend() {
  return std::make_unique<MemBackend>();
}

}  // namespace strata
