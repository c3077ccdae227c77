#include "engine/btree/database.h"

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "engine/btree/checker.h"
#include "engine/btree/scrubber.h"
#include "engine/btree/shrinker.h"
#include "engine/btree/state.h"
#include "engine/btree/transaction.h"

namespace strata::btree {
namespace {

// Pieces of a snapshot.
constexpr uint64_t kSnapshotPiece = 1 << 20;
// A file is cut while it shrinks once so much is to be won, as a cut is synced.
constexpr uint64_t kWorthCutting = 4 << 20;
// A state so many commits back is old for a shrinking: what it pins would else
// be free by now.
constexpr uint64_t kOldCommits = 3;

uint64_t PagesOf(const std::vector<DirtyRun>& dirty, uint32_t page_size) {
  uint64_t bytes = 0;
  for (const DirtyRun& run : dirty) bytes += run.bytes.size();
  return bytes / page_size;
}

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
  StatusOr<ScrubProgress> ScrubStep(
      uint64_t max_bytes,
      const std::function<void(const std::string&)>& report) override;
  Status WriteSnapshot(const View& view, const Sink& sink) override;
  BackendSizes Sizes() const override;
  StatusOr<ShrinkProgress> ShrinkStep(uint64_t max_bytes) override;
  void EndShrink() override;
  std::vector<OldView> OldViews() const override;

 private:
  using Changes = std::function<Status(Transaction* tx)>;

  StatusOr<std::vector<PageRun>> LoadFreelist(const PageSource& source,
                                              const Meta& meta);
  Status ReleasePages();
  Status CheckWritable() const;
  // Makes one transaction with `changes`, and records a failure for good.
  Status Commit(const Changes& changes, bool shrink);
  Status TryCommit(const Changes& changes, bool shrink, bool* decided);
  Shrinker::File ShrinkFile() const;
  // Cuts off what neither a meta nor a view can see.
  Status CutFile(uint64_t least_bytes);
  Status Publish(const Meta& meta, SumRule rule);
  void MakeNotes(uint64_t pages);
  PageSource Source(const Meta& meta, SumRule rule) const;

  // Used by the writing thread alone.
  const std::unique_ptr<PageFile> file_;
  const BtreeOptions options_;
  const PlantedBugs bugs_;
  Freelist freelist_;
  PageBuffers buffers_;
  Scrubber scrubber_;
  std::shared_ptr<PageNotes> notes_;
  Status failed_;                       // what ended writing for good
  std::unique_ptr<Shrinker> shrinker_;  // while shrinking
  uint64_t shrink_written_ = 0;         // pages, since it began

  mutable std::mutex mutex_;
  // Guarded by mutex_: the current state at the back, before it those that
  // views pin.
  std::deque<std::unique_ptr<State>> states_;
  BackendSizes sizes_;
};

Status Database::Load() {
  ASSIGN_OR_RETURN(const FoundMeta found, file_->Load());
  const Meta& meta = found.meta;
  const SumRule rule =
      found.all_sums ? SumRule::kEverywhere : SumRule::kIfThere;
  MakeNotes(meta.high_water);
  ASSIGN_OR_RETURN(std::vector<PageRun> free,
                   LoadFreelist(Source(meta, rule), meta));
  scrubber_.Start(PageId(meta.high_water), free);
  if (meta.freelist == kNoFreelist) scrubber_.AllChecked();
  CHECK(freelist_.Load(free));
  return Publish(meta, rule);
}

// Twice the room that is needed, so that more is seldom asked for.
void Database::MakeNotes(uint64_t pages) {
  if (notes_ == nullptr) {
    notes_ = std::make_shared<PageNotes>(2 * pages);
  } else if (notes_->pages() < pages) {
    notes_ = std::make_shared<PageNotes>(2 * pages, *notes_);
  }
}

PageSource Database::Source(const Meta& meta, SumRule rule) const {
  const PageSource source = file_->Source(meta);
  if (bugs_.no_sums_checked) return source;
  return source.WithSums(rule, notes_.get());
}

// A stored list that has a sum is ours, and is taken. The branches are checked
// against one that has none. Without a list all trees are walked.
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
    if (source.sum_rule() == SumRule::kEverywhere) return free;
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
  RETURN_IF_ERROR(CheckWritable());
  RETURN_IF_ERROR(CheckBatch(batch));
  if (batch.empty()) return Status::Ok();
  std::array<std::vector<Change>, kTableCount> changes;
  for (const Batch::Change& change : batch.changes()) {
    changes[static_cast<int>(change.table)].push_back(
        {.key = change.key, .value = change.value, .erase = change.erase});
  }
  auto apply = [&changes](Transaction* tx) -> Status {
    for (int i = 0; i < kTableCount; ++i) {
      SortChanges(&changes[i]);
      RETURN_IF_ERROR(tx->Apply(TableName(static_cast<Table>(i)), changes[i]));
    }
    return Status::Ok();
  };
  return Commit(apply, /*shrink=*/false);
}

Status Database::CheckWritable() const {
  if (!options_.read_only) return Status::Ok();
  return FailedPreconditionError(file_->path() + ": opened read-only");
}

Status Database::Commit(const Changes& changes, bool shrink) {
  bool decided = true;
  Status status = TryCommit(changes, shrink, &decided);
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

Status Database::TryCommit(const Changes& changes, bool shrink, bool* decided) {
  RETURN_IF_ERROR(ReleasePages());
  // The current state goes only with the next, which is made below.
  const State& current = *states_.back();
  // What rotted since it was found sound must not be copied under a new sum.
  Transaction tx(current.source().CheckedAgain(), current.meta(), &freelist_,
                 &buffers_,
                 {.fill = shrink ? 1.0 : options_.fill_fraction,
                  .freelist_sync = options_.freelist_sync,
                  .shrink = shrink});
  // What a commit writes has sums.
  const bool all_sums = current.source().sum_rule() == SumRule::kEverywhere ||
                        scrubber_.AllHaveSums(*notes_) || bugs_.mark_at_once;
  const SumRule rule = all_sums ? SumRule::kEverywhere : SumRule::kIfThere;
  auto run = [&]() -> Status {
    RETURN_IF_ERROR(changes(&tx));
    ASSIGN_OR_RETURN(bool changed, tx.Finish());
    if (!changed) return Status::Ok();
    RETURN_IF_ERROR(file_->Commit(tx.meta(), rule == SumRule::kEverywhere,
                                  tx.dirty(), decided));
    *decided = false;
    MakeNotes(tx.meta().high_water);
    scrubber_.Commit(tx, notes_.get());
    if (shrink) shrink_written_ += PagesOf(tx.dirty(), tx.meta().page_size);
    return Publish(tx.meta(), rule);
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
Status Database::Publish(const Meta& meta, SumRule rule) {
  ASSIGN_OR_RETURN(auto state, State::Make(Source(meta, rule), meta,
                                           file_->mapping(), notes_));
  std::lock_guard<std::mutex> lock(mutex_);
  sizes_.file_bytes = meta.high_water * meta.page_size;
  sizes_.in_use_bytes =
      (meta.high_water - freelist_.free_count()) * meta.page_size;
  sizes_.pending_bytes = freelist_.pending_count() * meta.page_size;
  states_.push_back(std::move(state));
  return Status::Ok();
}

// --- shrinking ---

StatusOr<ShrinkProgress> Database::ShrinkStep(uint64_t max_bytes) {
  RETURN_IF_ERROR(failed_);
  RETURN_IF_ERROR(CheckWritable());
  if (shrinker_ == nullptr) {
    shrinker_ = std::make_unique<Shrinker>();
    shrink_written_ = 0;
    freelist_.PreferLow(true);
  }
  const State& current = *states_.back();
  const uint32_t page_size = current.meta().page_size;
  ASSIGN_OR_RETURN(
      const Shrinker::Step step,
      shrinker_->Next(current.source(), PageId(current.meta().root.root),
                      ShrinkFile(), max_bytes / page_size));
  if (step.commit) {
    auto touch = [&step](Transaction* tx) -> Status {
      for (const auto& [bucket, keys] : step.touches.keys) {
        RETURN_IF_ERROR(tx->Touch(bucket, keys));
      }
      return Status::Ok();
    };
    RETURN_IF_ERROR(Commit(touch, /*shrink=*/true));
  }
  RETURN_IF_ERROR(CutFile(step.touches.pages > 0 ? kWorthCutting : 1));
  if (step.done) EndShrink();
  const Shrinker::File file = ShrinkFile();
  ShrinkProgress progress = {.done = step.done,
                             .file_bytes = file_->file_bytes(),
                             .live_bytes = file.live * page_size,
                             .written_bytes = shrink_written_ * page_size};
  if (step.blocked) {
    const std::vector<OldView> views = OldViews();
    if (!views.empty()) progress.blocker = views.front();
  }
  return progress;
}

void Database::EndShrink() {
  shrinker_.reset();
  freelist_.PreferLow(false);
}

Shrinker::File Database::ShrinkFile() const {
  const Meta& meta = states_.back()->meta();
  std::lock_guard<std::mutex> lock(mutex_);
  return {.high_water = meta.high_water,
          .live = meta.high_water - freelist_.free_count() -
                  freelist_.pending_count(),
          .pages = file_->file_bytes() / meta.page_size,
          .has_old_view =
              std::any_of(states_.begin(), states_.end(), [&](const auto& s) {
                return s->pinned() && s->meta().tx + kOldCommits < meta.tx;
              })};
}

Status Database::CutFile(uint64_t least_bytes) {
  uint64_t pages = file_->meta_pages();
  uint64_t bytes = 0;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& state : states_) {
      const bool seen = state == states_.back() || state->pinned();
      if (seen && !bugs_.cut_under_view) {
        pages = std::max(pages, state->meta().high_water);
      }
    }
    bytes = pages * states_.back()->meta().page_size;
  }
  if (bytes + least_bytes > file_->file_bytes()) return Status::Ok();
  Status status = file_->Cut(pages);
  if (!status.ok() && status.code() != Code::kResourceExhausted) {
    failed_ = status;
  }
  return status;
}

std::vector<OldView> Database::OldViews() const {
  std::vector<OldView> views;
  std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& state : states_) {
    if (state == states_.back() || !state->pinned()) continue;
    views.push_back({.id = state->meta().tx,
                     .pinned_bytes = freelist_.WaitingFor(state->id()) *
                                     state->meta().page_size});
  }
  return views;
}

Status Database::Check(const std::function<void(const std::string&)>& report) {
  const State& current = *states_.back();
  bool faultless = true;
  const PageSource source = current.source().CheckedAgain();
  Checker checker(source, current.meta(), CheckDepth::kStrict,
                  [&](const Status& fault) {
                    faultless = false;
                    report(fault.message());
                    return true;
                  });
  if (Status metas = file_->CheckMetas(); !metas.ok()) {
    report(metas.message());
  }
  checker.Walk();
  if (faultless) scrubber_.AllChecked();
  // What lies below damage would be told page by page.
  const auto compare = [&](const std::vector<PageRun>& free) {
    if (faultless) {
      checker.CompareFreelist(free);
    } else {
      checker.ExpectUnreached(free);
    }
  };
  std::vector<PageRun> free;
  if (!freelist_.All(&free)) report(file_->path() + ": a page is free twice");
  compare(free);
  if (current.meta().freelist != kNoFreelist) {
    auto stored = Freelist::Decode(source, PageId(current.meta().freelist));
    if (!stored.ok()) {
      report(stored.status().message());
    } else {
      compare(*stored);
    }
  }
  return Status::Ok();
}

StatusOr<ScrubProgress> Database::ScrubStep(
    uint64_t max_bytes, const std::function<void(const std::string&)>& report) {
  if (scrubber_.at_start()) {
    Status metas = file_->CheckMetas();
    if (!metas.ok()) report(metas.message());
  }
  return scrubber_.Step(states_.back()->source().CheckedAgain(), max_bytes,
                        report);
}

Status Database::WriteSnapshot(const View& view, const Sink& sink) {
  const State& state = dynamic_cast<const StateView&>(view).state();
  const Meta& meta = state.meta();
  Meta older = meta;
  --older.tx;
  // A copy is for others: it must not take damage along.
  const PageSource source = state.source().CheckedAgain();
  Status fault;
  Checker checker(source, meta, CheckDepth::kBranches, [&](const Status& s) {
    fault = s;
    return false;
  });
  checker.Walk();
  RETURN_IF_ERROR(fault);
  const bool all_sums = source.sum_rule() == SumRule::kEverywhere;
  for (int slot = 0; slot < 2; ++slot) {
    const bool newest = static_cast<int>(meta.tx % 2) == slot;
    RETURN_IF_ERROR(sink(EncodeMeta(newest ? meta : older, slot, all_sums)));
  }
  const uint64_t step = kSnapshotPiece / meta.page_size;
  for (uint64_t id = 2; id < meta.high_water; id += step) {
    const uint64_t end = std::min(id + step, meta.high_water);
    for (uint64_t i = id; i < end; ++i) {
      if (checker.heads()[i]) RETURN_IF_ERROR(source.Verify(PageId(i)));
    }
    RETURN_IF_ERROR(sink({source.at(PageId(id)), (end - id) * meta.page_size}));
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
