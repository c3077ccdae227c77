#include "cmd/utl/offline_store.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "base/bytes.h"
#include "engine/btree_backend.h"
#include "engine/meta.h"

namespace strata::utl {
namespace {

constexpr std::string_view kStorageVersion = "storageVersion";

// Shows what the file has; what is written to it is dropped. A compaction that
// a crash interrupted is then finished in the store's memory alone.
class FrozenBackend : public Backend {
 public:
  explicit FrozenBackend(std::unique_ptr<Backend> backend)
      : backend_(std::move(backend)) {}

  StatusOr<std::shared_ptr<const View>> NewView() override {
    return backend_->NewView();
  }
  Status Write(const Batch& /*batch*/) override { return Status::Ok(); }
  Status Sync() override { return Status::Ok(); }
  Status Check(const std::function<void(const std::string&)>& report) override {
    return backend_->Check(report);
  }
  Status WriteSnapshot(const View& view, const Sink& sink) override {
    return backend_->WriteSnapshot(view, sink);
  }
  BackendSizes Sizes() const override { return backend_->Sizes(); }

 private:
  const std::unique_ptr<Backend> backend_;
};

StatusOr<std::optional<uint64_t>> Number(const View& view,
                                         std::string_view name) {
  ASSIGN_OR_RETURN(const auto value, view.Get(Table::kMeta, name));
  if (!value || value->size() != sizeof(uint64_t)) {
    return std::optional<uint64_t>();
  }
  return std::optional<uint64_t>(LoadBig64(value->data()));
}

// By the records that came with each release.
StatusOr<Level> LevelOf(const View& view, const std::string& wanted) {
  if (!wanted.empty()) return Level::Parse(wanted);
  ASSIGN_OR_RETURN(const auto version, view.Get(Table::kMeta, kStorageVersion));
  if (version) return Level::V3_6();
  ASSIGN_OR_RETURN(const auto term, Number(view, meta::kTerm));
  return term ? Level::V3_5() : Level::V3_4();
}

}  // namespace

// What the flusher tells the one who waits.
struct OfflineStore::Outcome {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Status> status;  // guarded by mutex

  void Set(const Status& result) {
    const std::lock_guard<std::mutex> lock(mutex);
    if (!status) status = result;
    changed.notify_all();
  }
  Status Wait() {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [this] { return status.has_value(); });
    return *status;
  }
};

OfflineStore::OfflineStore() : outcome_(std::make_unique<Outcome>()) {}

OfflineStore::~OfflineStore() {
  // What a failed write left is told by Compact().
  if (store_ != nullptr && !closed_) store_->Close().IgnoreError();
}

StatusOr<std::unique_ptr<OfflineStore>> OfflineStore::Open(
    const Context& context, const std::string& path, const std::string& level,
    Use use) {
  BtreeOptions btree;
  btree.read_only = use == Use::kRead;
  btree.initial_mmap_bytes = 0;
  if (!context.env->Exists(path)) return NotFoundError(path + ": no such file");
  ASSIGN_OR_RETURN(std::unique_ptr<Backend> backend,
                   OpenBtreeBackend(context.env, path, btree, Logger::Null()));
  std::unique_ptr<OfflineStore> offline(new OfflineStore());
  StoreOptions options;
  {
    ASSIGN_OR_RETURN(const auto view, backend->NewView());
    ASSIGN_OR_RETURN(options.level, LevelOf(*view, level));
    ASSIGN_OR_RETURN(const auto term, Number(*view, meta::kTerm));
    offline->term_ = Term(term.value_or(0));
  }
  if (use == Use::kRead) {
    backend = std::make_unique<FrozenBackend>(std::move(backend));
  }
  offline->flusher_ = NewThreadedLoop("flusher");
  options.flusher = offline->flusher_.get();
  options.on_fatal = [outcome = offline->outcome_.get()](const Status& status) {
    outcome->Set(status);
  };
  ASSIGN_OR_RETURN(
      offline->store_,
      Store::Open(std::move(backend), std::move(options), Logger::Null()));
  return offline;
}

Status OfflineStore::Compact(Revision revision) {
  Outcome* const outcome = outcome_.get();
  RETURN_IF_ERROR(
      store_->Compact(revision, [outcome] { outcome->Set(Status::Ok()); }));
  // The record of it belongs to an entry: the last one again.
  store_->EndEntry(store_->applied(), term_);
  RETURN_IF_ERROR(outcome->Wait());
  closed_ = true;
  return store_->Close();
}

}  // namespace strata::utl
