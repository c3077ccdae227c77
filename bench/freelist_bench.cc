// What a commit costs beside many free pages: one transaction of 20 small
// changes spread over a tree, some of them large enough for overflow pages, in
// memory alone. `alloc_ns` is the cost of one page taken and one given back,
// `bytes` what the commit would write.
//
//   bazel run //bench:freelist_bench

#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "engine/btree/image.h"
#include "engine/btree/transaction.h"

namespace strata::btree {
namespace {

constexpr uint32_t kPageSize = 4096;
constexpr int kKeys = 20000;
constexpr int kChanges = 20;

// A page store in memory with a tree of some keys, and `free` free pages behind
// it in runs of one to four, a page apart.
class Store {
 public:
  Store(FreelistType type, bool sync, uint64_t free)
      : freelist_(type), sync_(sync) {
    std::string image;
    CHECK_OK(WriteImage(nullptr, kPageSize, [&](std::string_view piece) {
      image += piece;
      return Status::Ok();
    }));
    CHECK(DecodeMeta(image.data(), 0, &meta_).empty());
    // Not cleared: what is not written takes no memory.
    pages_.reset(new char[(3 * free + 100000) * kPageSize]);
    std::copy(image.begin(), image.end(), pages_.get());
    Put(kKeys, 200);
    std::vector<PageRun> runs;
    for (uint64_t given = 0; given < free;) {
      const PageRun run = {PageId(meta_.high_water), random_.Between(1, 4)};
      runs.push_back(run);
      given += run.count;
      meta_.high_water += run.count + 1;
    }
    CHECK(freelist_.Load(runs));
  }

  // Commits; the bytes written.
  uint64_t Put(int changes, size_t value_bytes) {
    std::vector<std::string> keys;
    for (int i = 0; i < changes; ++i) {
      const uint64_t key = changes == kKeys ? i : random_.Below(kKeys);
      keys.push_back(std::to_string(1000000 + key));
    }
    const std::string value(value_bytes, 'v');
    const std::string large(4 * kPageSize, 'v');
    std::vector<Change> list;
    for (int i = 0; i < changes; ++i) {
      list.push_back({.key = keys[i], .value = i % 10 == 9 ? large : value});
    }
    SortChanges(&list);
    return Commit(list);
  }

  // One page taken and one given back.
  void TakeAndGive() {
    const TxId tx(++meta_.tx);
    const auto page = freelist_.Allocate(tx, 1);
    CHECK(page.has_value());
    freelist_.Free(tx, {*page, 1});
    freelist_.Commit();
    CHECK(freelist_.Release({tx - 1, tx}));
  }

 private:
  uint64_t Commit(const std::vector<Change>& changes) {
    CHECK(freelist_.Release({TxId(meta_.tx - 1), TxId(meta_.tx)}));
    const PageSource source(pages_.get(), kPageSize, PageId(meta_.high_water),
                            &path_);
    Transaction tx(source, meta_, &freelist_, &buffers_,
                   {.fill = 0.9, .freelist_sync = sync_});
    CHECK_OK(tx.Apply("key", changes));
    CHECK_OK(tx.Finish());
    uint64_t bytes = kPageSize;  // the meta
    for (const DirtyRun& run : tx.dirty()) {
      bytes += run.bytes.size();
      std::copy(run.bytes.begin(), run.bytes.end(),
                pages_.get() + run.first.value() * kPageSize);
    }
    meta_ = tx.meta();
    freelist_.Commit();
    return bytes;
  }

  const std::string path_ = "memory";
  Random random_{1};
  Freelist freelist_;
  PageBuffers buffers_;
  const bool sync_;
  Meta meta_;
  std::unique_ptr<char[]> pages_;
};

FreelistType TypeOf(const benchmark::State& state) {
  return state.range(0) == 0 ? FreelistType::kArray : FreelistType::kMap;
}

void SetLabel(benchmark::State* state, bool sync) {
  state->SetLabel(std::string(state->range(0) == 0 ? "array" : "map") +
                  (sync ? ", list stored" : ", list not stored"));
}

void BM_Commit(benchmark::State& state) {
  const bool sync = state.range(1) != 0;
  Store store(TypeOf(state), sync, state.range(2));
  uint64_t bytes = 0;
  for (auto _ : state) bytes += store.Put(kChanges, 200);
  state.counters["bytes"] = benchmark::Counter(
      static_cast<double>(bytes), benchmark::Counter::kAvgIterations);
  SetLabel(&state, sync);
}
BENCHMARK(BM_Commit)
    ->ArgNames({"map", "sync", "free"})
    ->ArgsProduct({{0, 1}, {0, 1}, {1000, 100000, 1000000}})
    ->Unit(benchmark::kMicrosecond);

void BM_TakeAndGive(benchmark::State& state) {
  Store store(TypeOf(state), false, state.range(1));
  for (auto _ : state) store.TakeAndGive();
  SetLabel(&state, false);
}
BENCHMARK(BM_TakeAndGive)
    ->ArgNames({"map", "free"})
    ->ArgsProduct({{0, 1}, {1000, 100000, 1000000}});

}  // namespace
}  // namespace strata::btree

BENCHMARK_MAIN();
