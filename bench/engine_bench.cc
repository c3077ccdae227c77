// The backends alone: batches of sequential revision keys as the store writes
// them, gets by revision, scans. One item is one key.
//
//   bazel run //bench:engine_bench -- --benchmark_filter=Get

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/env.h"
#include "base/random.h"
#include "engine/btree_backend.h"
#include "engine/mem_backend.h"

namespace strata {
namespace {

constexpr int kKeys = 200000;
constexpr int kValueBytes = 256;

std::string RevisionKey(uint64_t revision) {
  std::string key;
  AppendBig64(&key, revision);
  key += '_';
  AppendBig64(&key, 0);
  return key;
}

enum Kind { kMem, kBtree, kBtreeSynced };

// A backend in a directory of its own.
class Subject {
 public:
  Subject(int64_t kind, bool fsync) {
    if (kind == kMem) {
      backend_ = NewMemBackend();
      return;
    }
    char name[] = "/tmp/engine_bench.XXXXXX";
    CHECK(mkdtemp(name) != nullptr);
    directory_ = name;
    options_.fsync = fsync;
    options_.freelist_sync = kind == kBtreeSynced;
    Reopen();
  }

  ~Subject() {
    backend_.reset();
    if (!directory_.empty()) CHECK_OK(Env::Posix()->RemoveAll(directory_));
  }

  // REQUIRES: not kMem
  void Reopen() {
    backend_.reset();
    auto opened = OpenBtreeBackend(Env::Posix(), directory_ + "/db", options_,
                                   Logger::Null());
    CHECK_OK(opened);
    backend_ = std::move(opened).value();
  }

  void Append(int keys, int batch_keys) {
    const std::string value(kValueBytes, 'v');
    Batch batch;
    for (int i = 0; i < keys; ++i) {
      batch.Put(Table::kKey, RevisionKey(++revision_), value);
      if (static_cast<int>(batch.changes().size()) < batch_keys) continue;
      CHECK_OK(backend_->Write(batch));
      batch.Clear();
    }
    CHECK_OK(backend_->Write(batch));
  }

  std::shared_ptr<const View> NewView() {
    auto view = backend_->NewView();
    CHECK_OK(view);
    return *view;
  }

  Backend* backend() { return backend_.get(); }

 private:
  std::string directory_;
  BtreeOptions options_;
  std::unique_ptr<Backend> backend_;
  uint64_t revision_ = 0;
};

void Names(benchmark::internal::Benchmark* bench) {
  bench->ArgName("backend")->Arg(kMem)->Arg(kBtree);
}

void SetLabel(benchmark::State* state, int64_t kind) {
  constexpr const char* kLabels[] = {"mem", "btree", "btree, freelist synced"};
  state->SetLabel(kLabels[kind]);
}

// Without fsync: the work of the tree itself.
void BM_Put(benchmark::State& state) {
  Subject subject(state.range(0), /*fsync=*/false);
  const int batch = static_cast<int>(state.range(1));
  for (auto _ : state) subject.Append(batch, batch);
  state.SetItemsProcessed(state.iterations() * batch);
  SetLabel(&state, state.range(0));
}
BENCHMARK(BM_Put)
    ->ArgNames({"backend", "batch"})
    ->ArgsProduct({{kMem, kBtree, kBtreeSynced}, {1, 100, 10000}});

void BM_DurablePut(benchmark::State& state) {
  Subject subject(kBtree, /*fsync=*/true);
  const int batch = static_cast<int>(state.range(0));
  for (auto _ : state) subject.Append(batch, batch);
  state.SetItemsProcessed(state.iterations() * batch);
}
BENCHMARK(BM_DurablePut)->ArgName("batch")->Arg(1)->Arg(10000)->UseRealTime();

void BM_NewView(benchmark::State& state) {
  Subject subject(state.range(0), /*fsync=*/false);
  for (auto _ : state) benchmark::DoNotOptimize(subject.NewView());
  SetLabel(&state, state.range(0));
}
BENCHMARK(BM_NewView)->Apply(Names);

void BM_Get(benchmark::State& state) {
  Subject subject(state.range(0), /*fsync=*/false);
  subject.Append(kKeys, 10000);
  auto view = subject.NewView();
  Random random(1);
  for (auto _ : state) {
    auto got = view->Get(Table::kKey, RevisionKey(random.Between(1, kKeys)));
    benchmark::DoNotOptimize(got);
    CHECK(got.ok() && got->has_value());
  }
  state.SetItemsProcessed(state.iterations());
  SetLabel(&state, state.range(0));
}
BENCHMARK(BM_Get)->Apply(Names);

// Gets right after an open, each of another page until all were met: the first
// use of a page costs its checksum. Without a synced freelist the open itself
// is the first use.
void BM_OpenAndGet(benchmark::State& state) {
  Subject subject(state.range(0), /*fsync=*/false);
  subject.Append(kKeys, 10000);
  const int step = static_cast<int>(state.range(1));
  for (auto _ : state) {
    subject.Reopen();
    auto view = subject.NewView();
    for (int i = 1; i <= kKeys; i += step) {
      auto got = view->Get(Table::kKey, RevisionKey(i));
      CHECK(got.ok() && got->has_value());
    }
  }
  SetLabel(&state, state.range(0));
}
BENCHMARK(BM_OpenAndGet)
    ->ArgNames({"backend", "step"})
    ->ArgsProduct({{kBtree, kBtreeSynced}, {10, kKeys}})
    ->Unit(benchmark::kMillisecond);

void BM_Scan(benchmark::State& state) {
  Subject subject(state.range(0), /*fsync=*/false);
  subject.Append(kKeys, 10000);
  auto view = subject.NewView();
  for (auto _ : state) {
    uint64_t bytes = 0;
    auto it = view->NewIterator(Table::kKey);
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      bytes += it->value().size();
    }
    CHECK(bytes == uint64_t{kKeys} * kValueBytes);
  }
  state.SetItemsProcessed(state.iterations() * kKeys);
  SetLabel(&state, state.range(0));
}
BENCHMARK(BM_Scan)->Apply(Names)->Unit(benchmark::kMillisecond);

// The removal of old revisions, in steps as a compaction makes them.
void BM_EraseAndPut(benchmark::State& state) {
  constexpr int kStep = 1000;
  Subject subject(state.range(0), /*fsync=*/false);
  subject.Append(kKeys, 10000);
  uint64_t first = 1;
  for (auto _ : state) {
    Batch batch;
    for (int i = 0; i < kStep; ++i) {
      batch.Erase(Table::kKey, RevisionKey(first++));
    }
    CHECK_OK(subject.backend()->Write(batch));
    subject.Append(kStep, kStep);
  }
  state.SetItemsProcessed(state.iterations() * 2 * kStep);
  SetLabel(&state, state.range(0));
}
BENCHMARK(BM_EraseAndPut)->Apply(Names);

}  // namespace
}  // namespace strata

BENCHMARK_MAIN();
