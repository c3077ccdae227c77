#include <utility>

#include "base/check.h"
#include "base/env.h"
#include "base/logger.h"
#include "base/loop.h"
#include "bench/db_engines/engine.h"
#include "engine/backend.h"
#include "engine/btree_backend.h"
#include "engine/leveldb_backend.h"
#include "engine/mem_backend.h"

namespace strata::bench {
namespace {

constexpr uint64_t kShrinkStepBytes = 4 << 20;

class StrataReader : public Engine::Reader {
 public:
  explicit StrataReader(Backend* backend) {
    auto view = backend->NewView();
    CHECK_OK(view);
    view_ = std::move(*view);
  }

  // As the store reads: what has to be copied goes with the fork.
  std::string_view Get(std::string_view key) override {
    fork_ = view_->Fork();
    auto value = (fork_ == nullptr ? view_ : fork_)->Get(Table::kKey, key);
    CHECK_OK(value);
    CHECK(value->has_value()) << "a revision is missing";
    return **value;
  }

  void Scan(const Row& row) override {
    auto at = view_->NewIterator(Table::kKey);
    for (at->SeekToFirst(); at->Valid(); at->Next())
      row(at->key(), at->value());
    CHECK_OK(at->status());
  }

 private:
  std::shared_ptr<const View> view_;
  std::shared_ptr<const View> fork_;
};

class StrataEngine : public Engine {
 public:
  StrataEngine(const std::string& name, const EngineOptions& options)
      : directory_(options.directory) {
    if (name == "strata-mem") {
      backend_ = NewMemBackend();
    } else if (name == "strata-leveldb") {
      compactor_ = NewThreadedLoop("compactor");
      LeveldbOptions leveldb{.block_cache_bytes = options.cache_bytes,
                             .compactor = compactor_.get()};
      sync_commits_ = options.sync_commits;
      Take(OpenLeveldbBackend(Env::Posix(), directory_, leveldb,
                              Logger::Null()));
    } else {
      BtreeOptions btree;
      btree.freelist_sync = name == "strata-btree-fl";
      // A commit of the btree is durable, or nothing of it is.
      btree.fsync = options.sync_commits;
      Take(OpenBtreeBackend(Env::Posix(), Database(), btree, Logger::Null()));
    }
  }

  void Commit(std::span<const Change> changes) override {
    Batch batch;
    for (const Change& change : changes) {
      if (change.erase) {
        batch.Erase(Table::kKey, change.key);
      } else {
        batch.Put(Table::kKey, change.key, change.value);
      }
    }
    CHECK_OK(backend_->Write(batch));
    if (sync_commits_) CHECK_OK(backend_->Sync());
  }

  void Finish() override {
    CHECK_OK(backend_->Sync());
    if (!Env::Posix()->Exists(Database())) return;
    auto file = Env::Posix()->Open(Database(), OpenMode::kReadWrite);
    CHECK_OK(file);
    CHECK_OK((*file)->Sync());
  }

  std::unique_ptr<Reader> NewReader() override {
    return std::make_unique<StrataReader>(backend_.get());
  }

  // In the steps in which a server does it between commits.
  bool Shrink() override {
    if (!Env::Posix()->Exists(Database())) return false;
    for (bool done = false; !done;) {
      const auto step = backend_->ShrinkStep(kShrinkStepBytes);
      CHECK_OK(step);
      CHECK(!step->blocker.has_value()) << "a reader is left";
      done = step->done;
    }
    return true;
  }

 private:
  std::string Database() const { return JoinPath(directory_, "db"); }

  void Take(StatusOr<std::unique_ptr<Backend>> opened) {
    CHECK_OK(opened);
    backend_ = std::move(*opened);
  }

  const std::string directory_;
  bool sync_commits_ = false;
  std::unique_ptr<Loop> compactor_;
  std::unique_ptr<Backend> backend_;
};

}  // namespace

std::unique_ptr<Engine> OpenStrata(const std::string& name,
                                   const EngineOptions& options) {
  for (const char* const known :
       {"strata-btree", "strata-btree-fl", "strata-leveldb", "strata-mem"}) {
    if (name == known) return std::make_unique<StrataEngine>(name, options);
  }
  return nullptr;
}

}  // namespace strata::bench
