#include "engine/store_model.h"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>

#include "base/random.h"
#include "engine/btree_backend.h"
#include "engine/leveldb_backend.h"
#include "engine/mem_backend.h"
#include "engine/store_impl.h"
#include "engine/store_testing.h"

namespace strata::testing {
namespace {

// A backend that outlives the store that writes it, as a disk does, and whose
// disk is full now and then.
class Lent : public Backend {
 public:
  explicit Lent(std::shared_ptr<Backend> backend)
      : backend_(std::move(backend)) {}

  StatusOr<std::shared_ptr<const View>> NewView() override {
    return backend_->NewView();
  }
  Status Write(const Batch& batch) override {
    if (++writes_ % 5 == 0) return ResourceExhaustedError("no space left");
    return backend_->Write(batch);
  }
  Status Sync() override { return backend_->Sync(); }
  Status Check(const std::function<void(const std::string&)>& report) override {
    return backend_->Check(report);
  }
  Status WriteSnapshot(const View& view, const Sink& sink) override {
    return backend_->WriteSnapshot(view, sink);
  }
  BackendSizes Sizes() const override { return backend_->Sizes(); }

 private:
  const std::shared_ptr<Backend> backend_;
  int writes_ = 0;
};

using MakeBackend = std::function<std::shared_ptr<Backend>(bool first)>;

std::shared_ptr<Backend> OpenBtree(const std::string& directory, bool first) {
  if (first) {
    CHECK_OK(Env::Posix()->RemoveAll(directory));
    CHECK_OK(Env::Posix()->MakeDirs(directory));
  }
  BtreeOptions options;
  options.fsync = false;
  auto backend = OpenBtreeBackend(Env::Posix(), directory + "/db", options,
                                  Logger::Null());
  CHECK_OK(backend.status());
  return std::move(*backend);
}

std::shared_ptr<Backend> OpenLeveldb(const std::string& directory, bool first) {
  if (first) CHECK_OK(Env::Posix()->RemoveAll(directory));
  auto backend = OpenLeveldbBackend(
      Env::Posix(), directory, {.write_buffer_bytes = 64 << 10, .fsync = false},
      Logger::Null());
  CHECK_OK(backend.status());
  return std::move(*backend);
}

// An entry of the log: a list of operations in one transaction, or a
// compaction.
struct Entry {
  std::vector<std::string> lines;
  std::string answer;  // the first time; the same when it is replayed
};

std::string Key(Random* random) {
  const char* const bases[] = {"a", "b", "longer/than/a/head/", "\xff"};
  return std::string(bases[random->Below(4)]) +
         std::to_string(random->Below(6));
}

// A store and the model, given the same things to do.
class Pair {
 public:
  Pair(uint64_t seed, Level level, MakeBackend make_backend)
      : random_(seed),
        level_(level),
        make_backend_(std::move(make_backend)),
        disk_(make_backend_(true)) {
    Open();
    for (const char* const lease : {"1", "2"}) {
      Add({.lines = {std::string("grant ") + lease}, .answer = {}});
    }
  }

  ~Pair() {
    store_.reset();
    flusher_.reset();
  }

  void Step() {
    switch (random_.Below(20)) {
      case 0:
        return Compact();
      case 1:
        if (random_.OneIn(10)) Crash();
        return;
      case 2:
      case 3:
        return CheckHash();
      case 4:
      case 5:
      case 6:
      case 7:
      case 8:
      case 9:
        return CheckRange();
      default:
        return Change();
    }
  }

  void CheckAll() {
    for (int64_t at = std::max<int64_t>(model_.compacted(), 1);
         at <= model_.revision(); ++at) {
      RangeRequest all{
          .range = {std::string_view("\0", 1), std::string_view("\0", 1)},
          .revision = Revision(at)};
      ASSERT_EQ(Range(all), model_.Range(all, false)) << "at " << at;
    }
    CheckHash();
    static_cast<StoreImpl*>(store_.get())->Check();
  }

  void Crash() {
    const bool clean = random_.OneIn(3);
    if (clean) {
      // A full disk fails it now and then; what it lacks is replayed.
      store_->Close().IgnoreError();
    }
    store_.reset();
    flusher_.reset();
    CHECK_OK(
        disk_->Check([](const std::string& fault) { ADD_FAILURE() << fault; }));
    disk_.reset();
    disk_ = make_backend_(false);
    Open();
    const uint64_t flushed = store_->flushed().value();
    ASSERT_LE(flushed, log_.size());
    for (uint64_t i = flushed; i < log_.size(); ++i) {
      ASSERT_EQ(ApplyToStore(log_[i]), log_[i].answer) << "entry " << i + 1;
      store_->EndEntry(LogIndex(i + 1), Term(1));
    }
    ASSERT_EQ(store_->revision(), Revision(model_.revision()));
    ASSERT_EQ(store_->compact_revision(), Revision(model_.compacted()));
    CheckAll();
  }

 private:
  void Open() {
    flusher_ = NewThreadedLoop("flusher");
    StoreOptions options;
    options.level = level_;
    options.flusher = flusher_.get();
    options.batch_interval = std::chrono::milliseconds(random_.Between(1, 5));
    options.batch_changes = random_.Between(1, 60);
    options.compaction_batch = random_.Between(1, 20);
    options.compaction_stage = random_.Between(1, 40);
    auto store =
        Store::Open(std::make_unique<Lent>(disk_), options, Logger::Null());
    CHECK_OK(store.status());
    store_ = std::move(*store);
  }

  std::string Range(const RangeRequest& request) {
    const auto result = store_->Range(request);
    return result.ok() ? ToString(*result) : result.ToString();
  }

  std::string RangeLine() {
    std::string line = "get " + Key(&random_);
    if (!random_.OneIn(4)) {
      line += random_.OneIn(4) ? " end=\\x00" : " end=" + Key(&random_);
    }
    if (random_.OneIn(3)) {
      line += " limit=" + std::to_string(random_.Below(6));
    }
    const char* const orders[] = {"", "", " order=asc", " order=desc"};
    const char* const targets[] = {"", " target=version", " target=mod",
                                   " target=create", " target=value"};
    line += orders[random_.Below(4)];
    line += targets[random_.Below(5)];
    if (random_.OneIn(4)) line += " keys_only";
    if (random_.OneIn(8)) line += " count_only";
    const char* const filters[] = {
        " min_mod=", " max_mod=", " min_create=", " max_create="};
    for (const char* const filter : filters) {
      if (random_.OneIn(8)) line += filter + std::to_string(PastRevision());
    }
    return line;
  }

  int64_t PastRevision() {
    const auto now = static_cast<uint64_t>(model_.revision());
    const uint64_t back = random_.Below(std::min<uint64_t>(now, 60));
    return model_.revision() - static_cast<int64_t>(back);
  }

  void CheckRange() {
    std::string line = RangeLine();
    if (random_.OneIn(2)) {
      line += " rev=" +
              std::to_string(PastRevision() + (random_.OneIn(20) ? 60 : 0));
    }
    const TranscriptCommand command = ParseTranscriptCommand(line);
    const RangeRequest request = ToRange(command);
    ASSERT_EQ(Range(request), model_.Range(request, false)) << line;
  }

  void CheckHash() {
    const int64_t at = random_.OneIn(2) ? model_.revision() : PastRevision();
    const auto ours = store_->HashKv(Revision(at));
    const bool refused =
        at < model_.compacted() ||
        (at == model_.compacted() && !level_.HashesCompactRevision());
    ASSERT_EQ(ours.ok(), !refused) << at << " " << model_.compacted();
    if (refused) return;
    const auto theirs = model_.Hash(at);
    if (theirs.has_value()) {
      ASSERT_EQ(ours->hash, *theirs) << "at " << at;
    }
  }

  void Compact() {
    const int64_t at = PastRevision();
    Add({.lines = {"compact " + std::to_string(at)}, .answer = {}});
  }

  void Change() {
    Entry entry;
    const uint64_t operations = random_.OneIn(2) ? 1 : random_.Between(1, 6);
    for (uint64_t i = 0; i < operations; ++i) {
      entry.lines.push_back(ChangeLine(operations > 1));
    }
    Add(std::move(entry));
  }

  std::string ChangeLine(bool in_txn) {
    const std::string key = Key(&random_);
    if (in_txn && random_.OneIn(3)) return RangeLine();
    if (random_.OneIn(4)) {
      std::string line = "del " + key;
      if (random_.OneIn(3)) line += " end=" + Key(&random_);
      return line;
    }
    std::string line =
        "put " + key + " v" + std::to_string(random_.Below(1000));
    if (random_.OneIn(5)) {
      line += " lease=" + std::to_string(random_.Between(1, 2));
    }
    return line;
  }

  void Add(Entry entry) {
    const std::string expected = ApplyToModel(entry);
    entry.answer = ApplyToStore(entry);
    ASSERT_EQ(entry.answer, expected) << entry.lines[0];
    log_.push_back(std::move(entry));
    store_->EndEntry(LogIndex(log_.size()), Term(1));
  }

  std::string ApplyToModel(const Entry& entry) {
    if (entry.lines[0].starts_with("grant")) return "ok";
    if (entry.lines[0].starts_with("compact")) {
      const int64_t at = std::stoll(entry.lines[0].substr(8));
      return model_.Compact(at) ? "ok" : "refused";
    }
    std::string answer;
    model_.Begin();
    for (const std::string& line : entry.lines) {
      const TranscriptCommand command = ParseTranscriptCommand(line);
      if (command.name == "put") {
        const PutRequest put = ToPut(command);
        model_.Put(std::string(put.key), std::string(put.value),
                   put.lease.value());
        answer += "put";
      } else if (command.name == "del") {
        answer +=
            "del " + std::to_string(model_.Delete(ToDelete(command).range));
      } else {
        answer += model_.Range(ToRange(command), true);
      }
      answer += " at " + std::to_string(model_.read_revision()) + "\n";
    }
    model_.End();
    return answer;
  }

  std::string ApplyToStore(const Entry& entry) {
    if (entry.lines[0].starts_with("grant")) {
      const LeaseId lease(std::stoll(entry.lines[0].substr(6)));
      const LeaseRecord record{.id = lease, .ttl_seconds = 100};
      return store_->GrantLease(record).ok() ? "ok" : "refused";
    }
    if (entry.lines[0].starts_with("compact")) {
      const Revision at(std::stoll(entry.lines[0].substr(8)));
      return store_->Compact(at, nullptr).ok() ? "ok" : "refused";
    }
    std::deque<TranscriptCommand> commands;
    TxnRequest txn;
    for (const std::string& line : entry.lines) {
      const auto& command = commands.emplace_back(ParseTranscriptCommand(line));
      if (command.name == "put") {
        txn.success.emplace_back(ToPut(command));
      } else if (command.name == "del") {
        txn.success.emplace_back(ToDelete(command));
      } else {
        txn.success.emplace_back(ToRange(command));
      }
    }
    const auto result = store_->Txn(txn);
    CHECK_OK(result.status());
    std::string answer;
    for (const OpResult& op : result->responses) answer += Describe(op) + "\n";
    return answer;
  }

  static std::string Describe(const OpResult& op) {
    if (auto* put = std::get_if<PutResult>(&op)) {
      return "put at " + std::to_string(put->revision.value());
    }
    if (auto* erase = std::get_if<DeleteRangeResult>(&op)) {
      return "del " + std::to_string(erase->deleted) + " at " +
             std::to_string(erase->revision.value());
    }
    const auto& range = std::get<RangeResult>(op);
    return ToString(range) + " at " + std::to_string(range.revision.value());
  }

  Random random_;
  const Level level_;
  const MakeBackend make_backend_;
  std::shared_ptr<Backend> disk_;
  std::unique_ptr<Loop> flusher_;
  std::unique_ptr<Store> store_;
  StoreModel model_;
  std::vector<Entry> log_;
};

void RunSeed(uint64_t seed, int steps, Level level,
             const MakeBackend& make_backend) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  Pair pair(seed, level, make_backend);
  for (int i = 0; i < steps; ++i) {
    pair.Step();
    if (::testing::Test::HasFailure()) return;
  }
  pair.Crash();
}

Level LevelOf(uint64_t seed) {
  return seed % 2 == 0 ? Level::V3_4() : Level::V3_5();
}

TEST(StoreModelTest, AgreesOverMem) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    const std::shared_ptr<Backend> memory = NewMemBackend();
    RunSeed(seed, 1500, LevelOf(seed), [memory](bool) { return memory; });
    if (HasFailure()) return;
  }
}

TEST(StoreModelTest, AgreesOverBtree) {
  const std::string directory = ::testing::TempDir() + "/store_model";
  for (uint64_t seed = 101; seed <= 108; ++seed) {
    RunSeed(seed, 1500, LevelOf(seed),
            [directory](bool first) { return OpenBtree(directory, first); });
    if (HasFailure()) return;
  }
}

// Many short ones, each from an empty store and with all its checks at the end.
// store_model_long_test has 10,000 of them.
#ifndef STRATA_SEQUENCES
#define STRATA_SEQUENCES 40
#endif

TEST(StoreModelTest, ManySequences) {
  const std::string directory = ::testing::TempDir() + "/store_sequences";
  for (uint64_t seed = 1001; seed <= 1000 + STRATA_SEQUENCES; ++seed) {
    RunSeed(seed, 150, LevelOf(seed),
            [directory](bool first) { return OpenBtree(directory, first); });
    if (HasFailure()) return;
  }
}

TEST(StoreModelTest, AgreesOverLeveldb) {
  const std::string directory = ::testing::TempDir() + "/store_model_leveldb";
  for (uint64_t seed = 201; seed <= 204; ++seed) {
    RunSeed(seed, 1500, LevelOf(seed),
            [directory](bool first) { return OpenLeveldb(directory, first); });
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace strata::testing
