#include "engine/btree/database.h"

#include <algorithm>
#include <array>
#include <deque>
#include <mutex>
#include <utility>
#include <vector>

#include "engine/btree/checker.h"
#include "engine/btree/state.h"
#include "engine/btree/transaction.h"

namespace strata::btree {
namespace {

// Pieces of a snapshot.
constexpr uint64_t kSnapshotPiece = 1 << 20;

class Database : public Backend {
 public:
  Database(std::unique_ptr<PageFile> file, const BtreeOptions& options,
           const PlantedBugs& bugs)
      : file_(std::move(file)),
        options_(options),
        bugs_(bugs),
        freelist_(options.freelist_type) {
    freelist_.ReuseAtOnce(bugs.reuse_at_once);
  }

  ~Database() override {
    for (const auto& state : states_) {
      CHECK(!state->pinned()) << "a view outlives its backend";
    }
  }

  // Reads the file; called once, first.
  Status Load();

  StatusOr<std::shared_ptr<const View>> NewView() override;
  Status Write(const Batch& batch) override;
  Status Sync() override { return failed_; }
  Status Check(const std::function<void(const std::string&)>& report) override;
  Status WriteSnapshot(const View& view, const Sink& sink) override;
  BackendSizes Sizes() const override;

 private:
  StatusOr<std::vector<PageRun>> LoadFreelist(const PageSource& source,
                                              const Meta& meta);
  Status ReleasePages();
  Status Commit(const Batch& batch, bool* decided);
  Status Publish(const Meta& meta);

  // Used by the writing thread alone.
  const std::unique_ptr<PageFile> file_;
  const BtreeOptions options_;
  const PlantedBugs bugs_;
  Freelist freelist_;
  Status failed_;  // what ended writing for good

  mutable std::mutex mutex_;
  // Guarded by mutex_: the current state at the back, before it those that
  // views pin.
  std::deque<std::unique_ptr<State>> states_;
  BackendSizes sizes_;
};

Status Database::Load() {
  ASSIGN_OR_RETURN(Meta meta, file_->Load());
  ASSIGN_OR_RETURN(std::vector<PageRun> free,
                   LoadFreelist(file_->Source(meta), meta));
  CHECK(freelist_.Load(std::move(free)));
  return Publish(meta);
}

// A stored list is taken, and the branches checked against it; else all trees
// are walked.
StatusOr<std::vector<PageRun>> Database::LoadFreelist(const PageSource& source,
                                                      const Meta& meta) {
  const bool stored = meta.freelist != kNoFreelist;
  Status first;
  Checker checker(source, meta,
                  stored ? CheckDepth::kBranches : CheckDepth::kAll,
                  [&](const Status& fault) {
                    first = fault;
                    return false;
                  });
  std::vector<PageRun> free;
  if (stored) {
    ASSIGN_OR_RETURN(free, Freelist::Decode(source, PageId(meta.freelist)));
  }
  checker.Walk();
  if (stored) {
    checker.ExpectUnreached(free);
  } else {
    free = checker.Unreached();
  }
  if (!first.ok()) return first;
  return free;
}

StatusOr<std::shared_ptr<const View>> Database::NewView() {
  State* state = nullptr;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    state = states_.back().get();
    state->Pin();
  }
  return std::make_shared<const StateView>(state);
}

Status Database::Write(const Batch& batch) {
  RETURN_IF_ERROR(failed_);
  if (options_.read_only) {
    return FailedPreconditionError(file_->path() + ": opened read-only");
  }
  RETURN_IF_ERROR(CheckBatch(batch));
  if (batch.empty()) return Status::Ok();
  bool decided = true;
  Status status = Commit(batch, &decided);
  if (!status.ok() && (!decided || status.code() != Code::kResourceExhausted)) {
    failed_ = status;
  }
  return status;
}

// Pages stay as they are while a view can see them; and those of the state
// before the current one too, so that both metas always name whole trees.
Status Database::ReleasePages() {
  std::vector<TxId> visible;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const State* const current = states_.back().get();
    std::erase_if(states_, [current](const auto& state) {
      return state.get() != current && !state->pinned();
    });
    for (const auto& state : states_) {
      if (state.get() == current) visible.push_back(current->id() - 1);
      if (state.get() == current || !bugs_.ignore_views) {
        visible.push_back(state->id());
      }
    }
  }
  std::sort(visible.begin(), visible.end());
  if (freelist_.Release(visible)) return Status::Ok();
  return DataLossError(file_->path() + ": a page was freed twice");
}

Status Database::Commit(const Batch& batch, bool* decided) {
  RETURN_IF_ERROR(ReleasePages());
  // The current state goes only with the next, which is made below.
  const State& current = *states_.back();
  Transaction tx(current.source(), current.meta(), &freelist_,
                 {options_.fill_fraction, options_.freelist_sync});
  std::array<std::vector<Change>, kTableCount> changes;
  for (const Batch::Change& change : batch.changes()) {
    changes[static_cast<int>(change.table)].push_back(
        {.key = change.key, .value = change.value, .erase = change.erase});
  }
  auto run = [&]() -> Status {
    for (int i = 0; i < kTableCount; ++i) {
      SortChanges(&changes[i]);
      RETURN_IF_ERROR(tx.Apply(TableName(static_cast<Table>(i)), changes[i]));
    }
    ASSIGN_OR_RETURN(bool changed, tx.Finish());
    if (!changed) return Status::Ok();
    RETURN_IF_ERROR(file_->Commit(tx.meta(), tx.dirty(), decided));
    *decided = false;
    return Publish(tx.meta());
  };
  Status status = run();
  if (status.ok()) {
    freelist_.Commit();
  } else {
    freelist_.Rollback(tx.id());
  }
  return status;
}

// Makes `meta`, which is in the file, what new views see.
Status Database::Publish(const Meta& meta) {
  ASSIGN_OR_RETURN(auto state,
                   State::Make(file_->Source(meta), meta, file_->mapping()));
  std::lock_guard<std::mutex> lock(mutex_);
  sizes_.file_bytes = meta.high_water * meta.page_size;
  sizes_.in_use_bytes =
      (meta.high_water - freelist_.free_count()) * meta.page_size;
  states_.push_back(std::move(state));
  return Status::Ok();
}

Status Database::Check(const std::function<void(const std::string&)>& report) {
  const State& current = *states_.back();
  Checker checker(current.source(), current.meta(), CheckDepth::kStrict,
                  [&](const Status& fault) {
                    report(fault.message());
                    return true;
                  });
  checker.Walk();
  std::vector<PageRun> free;
  if (!freelist_.All(&free)) report(file_->path() + ": a page is free twice");
  checker.CompareFreelist(free);
  if (current.meta().freelist != kNoFreelist) {
    ASSIGN_OR_RETURN(free, Freelist::Decode(current.source(),
                                            PageId(current.meta().freelist)));
    checker.CompareFreelist(free);
  }
  return Status::Ok();
}

Status Database::WriteSnapshot(const View& view, const Sink& sink) {
  const State& state = dynamic_cast<const StateView&>(view).state();
  const Meta& meta = state.meta();
  Meta older = meta;
  --older.tx;
  for (int slot = 0; slot < 2; ++slot) {
    const bool newest = static_cast<int>(meta.tx % 2) == slot;
    RETURN_IF_ERROR(sink(EncodeMeta(newest ? meta : older, slot)));
  }
  const uint64_t end = meta.high_water * meta.page_size;
  for (uint64_t at = 2 * uint64_t{meta.page_size}; at < end;) {
    const uint64_t bytes = std::min(kSnapshotPiece, end - at);
    const char* from = state.source().at(PageId(0)) + at;
    RETURN_IF_ERROR(sink(std::string_view(from, bytes)));
    at += bytes;
  }
  return Status::Ok();
}

BackendSizes Database::Sizes() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return sizes_;
}

}  // namespace

StatusOr<std::unique_ptr<Backend>> OpenDatabase(Env* env,
                                                const std::string& path,
                                                const BtreeOptions& options,
                                                Logger* logger,
                                                const PlantedBugs& bugs) {
  if (!options.read_only && !env->Exists(path)) {
    RETURN_IF_ERROR(PageFile::Create(env, path, options));
    logger->Info("created a database", {{"path", path}});
  }
  ASSIGN_OR_RETURN(auto file, PageFile::Open(env, path, options, bugs));
  auto backend = std::make_unique<Database>(std::move(file), options, bugs);
  RETURN_IF_ERROR(backend->Load());
  return backend;
}

}  // namespace strata::btree
