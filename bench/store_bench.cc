// The store by itself: put, get, range, count, open and compaction, over the
// mem and btree backends. `bazel run //bench:store_bench`
//
// Keys have 32 bytes, values 256. The backend does not sync, so that the
// figures are CPU; durable puts are the log's matter (wal_bench).
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/random.h"
#include "engine/btree_backend.h"
#include "engine/key_index.h"
#include "engine/mem_backend.h"
#include "engine/store.h"
#include "server/replaceable_store.h"

namespace strata {
namespace {

enum BackendKind { kMem, kBtree };

constexpr int64_t kMillion = 1000000;
constexpr char kDirectory[] = "/tmp/strata-store-bench";

std::string Key(uint64_t i) {
  char key[33];
  std::snprintf(key, sizeof key, "/registry/pods/%017llu",
                static_cast<unsigned long long>(i));
  return key;
}

std::unique_ptr<Backend> OpenBackend(BackendKind kind) {
  if (kind == kMem) return NewMemBackend();
  BtreeOptions options;
  options.fsync = false;
  auto backend = OpenBtreeBackend(Env::Posix(), std::string(kDirectory) + "/db",
                                  options, Logger::Null());
  CHECK_OK(backend);
  return std::move(*backend);
}

void Clear() {
  CHECK_OK(Env::Posix()->RemoveAll(kDirectory));
  CHECK_OK(Env::Posix()->MakeDirs(kDirectory));
}

// A store and its flusher.
struct Bed {
  explicit Bed(BackendKind kind) : flusher(NewThreadedLoop("flusher")) {
    StoreOptions options;
    options.flusher = flusher.get();
    auto opened = Store::Open(OpenBackend(kind), options, Logger::Null());
    CHECK_OK(opened);
    store = std::move(*opened);
  }
  ~Bed() {
    if (store != nullptr) CHECK_OK(store->Close());
  }

  void Put(const std::string& key, const std::string& value) {
    CHECK_OK(store->Put({.key = key, .value = value}));
    store->EndEntry(LogIndex(++index), Term(1));
  }

  void Flush() {
    std::promise<Status> done;
    store->Flush([&done](const Status& status) { done.set_value(status); });
    CHECK_OK(done.get_future().get());
  }

  std::unique_ptr<Loop> flusher;
  std::unique_ptr<Store> store;
  uint64_t index = 0;
};

// A store of `keys` keys put in random order, all in the backend; kept from one
// benchmark to the next.
Bed* Filled(BackendKind kind, int64_t keys) {
  static std::unique_ptr<Bed> bed;
  static std::pair<int, int64_t> filled{-1, 0};
  if (filled == std::pair<int, int64_t>(kind, keys)) return bed.get();
  bed.reset();
  Clear();
  filled = {kind, keys};
  bed = std::make_unique<Bed>(kind);
  std::vector<uint64_t> order(static_cast<size_t>(keys));
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  Random random(1);
  for (size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[random.Below(i)]);
  }
  const std::string value(256, 'v');
  for (const uint64_t i : order) {
    bed->Put(Key(i), value);
    while (bed->store->tail_bytes() > limits::kTailBytesMax / 2) bed->Flush();
  }
  bed->Flush();
  return bed.get();
}

void BM_Put(benchmark::State& state) {
  const auto kind = static_cast<BackendKind>(state.range(0));
  const auto keys = static_cast<uint64_t>(state.range(1));
  Clear();
  {
    Bed bed(kind);
    Random random(2);
    const std::string value(256, 'v');
    for (auto _ : state) {
      bed.Put(Key(random.Below(keys)), value);
      if (bed.store->tail_bytes() > limits::kTailBytesMax / 2) {
        state.PauseTiming();
        bed.Flush();
        state.ResumeTiming();
      }
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Put)
    ->ArgNames({"btree", "keys"})
    ->Args({kMem, 10000})
    ->Args({kBtree, 10000})
    ->Args({kBtree, kMillion})
    ->MeasureProcessCPUTime();  // the flusher's too

void BM_GetHot(benchmark::State& state) {
  Bed* bed = Filled(static_cast<BackendKind>(state.range(0)), 100000);
  const std::string key = Key(777);
  for (auto _ : state) {
    auto result = bed->store->Range({.range = {key, {}}});
    benchmark::DoNotOptimize(result->kvs.data());
  }
}
BENCHMARK(BM_GetHot)->ArgName("btree")->Arg(kMem)->Arg(kBtree);

// The same through what lets another member's snapshot take the store's place.
void BM_GetReplaceable(benchmark::State& state) {
  Bed bed(kMem);
  for (uint64_t i = 0; i < 1000; ++i) bed.Put(Key(i), "value");
  bed.Flush();
  std::unique_ptr<Store> store = std::move(bed.store);
  if (state.range(0) == 1) {
    store = std::make_unique<ReplaceableStore>(std::move(store));
  }
  const std::string key = Key(777);
  for (auto _ : state) {
    auto result = store->Range({.range = {key, {}}});
    benchmark::DoNotOptimize(result->kvs.data());
  }
  CHECK_OK(store->Close());
}
BENCHMARK(BM_GetReplaceable)->ArgName("replaceable")->Arg(0)->Arg(1);

void BM_RevisionReplaceable(benchmark::State& state) {
  Bed bed(kMem);
  std::unique_ptr<Store> store = std::move(bed.store);
  if (state.range(0) == 1) {
    store = std::make_unique<ReplaceableStore>(std::move(store));
  }
  for (auto _ : state) benchmark::DoNotOptimize(store->revision());
  CHECK_OK(store->Close());
}
BENCHMARK(BM_RevisionReplaceable)->ArgName("replaceable")->Arg(0)->Arg(1);

void BM_GetRandom(benchmark::State& state) {
  Bed* bed = Filled(static_cast<BackendKind>(state.range(0)), kMillion);
  Random random(3);
  std::vector<std::string> keys;
  for (int i = 0; i < 100000; ++i) keys.push_back(Key(random.Below(kMillion)));
  size_t i = 0;
  for (auto _ : state) {
    auto result = bed->store->Range({.range = {keys[i], {}}});
    benchmark::DoNotOptimize(result->kvs.data());
    if (++i == keys.size()) i = 0;
  }
}
BENCHMARK(BM_GetRandom)->ArgName("btree")->Arg(kMem)->Arg(kBtree);

void BM_Range100(benchmark::State& state) {
  Bed* bed = Filled(static_cast<BackendKind>(state.range(0)), kMillion);
  Random random(4);
  const std::string end(1, '\0');
  for (auto _ : state) {
    const std::string key = Key(random.Below(kMillion - 200));
    auto result = bed->store->Range({.range = {key, end}, .limit = 100});
    CHECK_EQ(result->kvs.size(), 100u);
    benchmark::DoNotOptimize(result->kvs.data());
  }
}
BENCHMARK(BM_Range100)->ArgName("btree")->Arg(kMem)->Arg(kBtree);

void BM_CountAll(benchmark::State& state) {
  Bed* bed = Filled(kBtree, kMillion);
  const std::string all(1, '\0');
  for (auto _ : state) {
    auto result = bed->store->Range({.range = {all, all}, .count_only = true});
    CHECK_EQ(result->count, kMillion);
  }
}
BENCHMARK(BM_CountAll);

void BM_Last10(benchmark::State& state) {
  Bed* bed = Filled(kBtree, kMillion);
  const std::string all(1, '\0');
  for (auto _ : state) {
    auto result = bed->store->Range(
        {.range = {all, all}, .limit = 10, .sort_order = SortOrder::kDescend});
    CHECK_EQ(result->kvs.size(), 10u);
  }
}
BENCHMARK(BM_Last10);

void BM_Range100000(benchmark::State& state) {
  Bed* bed = Filled(kBtree, kMillion);
  const std::string end(1, '\0');
  for (auto _ : state) {
    const std::string key = Key(1000);
    auto result = bed->store->Range({.range = {key, end}, .limit = 100000});
    CHECK_EQ(result->kvs.size(), 100000u);
  }
}
BENCHMARK(BM_Range100000)->Unit(benchmark::kMillisecond);

// What the index alone takes, as the allocator counts it.
void BM_IndexMemory(benchmark::State& state) {
  for (auto _ : state) {
    const size_t empty = mallinfo2().uordblks + mallinfo2().hblkhd;
    KeyIndex index;
    for (uint64_t i = 0; i < kMillion; ++i) {
      index.Put(Key(i * 7919 % kMillion),
                {Revision(static_cast<int64_t>(i) + 2), 0});
    }
    state.counters["MB"] =
        static_cast<double>(mallinfo2().uordblks + mallinfo2().hblkhd - empty) /
        1e6;
  }
}
BENCHMARK(BM_IndexMemory)->Unit(benchmark::kMillisecond)->Iterations(1);

// Of a restart, the part that finds the free pages.
void BM_OpenBackend(benchmark::State& state) {
  Bed* filled = Filled(kBtree, kMillion);
  CHECK_OK(filled->store->Close());
  filled->store.reset();
  for (auto _ : state) OpenBackend(kBtree);
  StoreOptions options;
  options.flusher = filled->flusher.get();
  auto opened = Store::Open(OpenBackend(kBtree), options, Logger::Null());
  CHECK_OK(opened);
  filled->store = std::move(*opened);
}
BENCHMARK(BM_OpenBackend)->Unit(benchmark::kMillisecond)->Iterations(3);

// Restart: the index is read back from the key table.
void BM_Open(benchmark::State& state) {
  Bed* filled = Filled(kBtree, kMillion);
  CHECK_OK(filled->store->Close());
  filled->store.reset();
  for (auto _ : state) {
    StoreOptions options;
    options.flusher = filled->flusher.get();
    options.helper = filled->flusher.get();
    auto opened = Store::Open(OpenBackend(kBtree), options, Logger::Null());
    CHECK_OK(opened);
    state.PauseTiming();
    filled->store = std::move(*opened);
    if (state.iterations() + 1 < state.max_iterations) filled->store.reset();
    state.ResumeTiming();
  }
}
BENCHMARK(BM_Open)->Unit(benchmark::kMillisecond)->Iterations(3);

}  // namespace
}  // namespace strata

BENCHMARK_MAIN();
