// The embedded facade, durable puts beside what the disk alone costs.
//
//   bazel run -c opt //bench:embedded_bench
//
// p50_us and bare_p50_us are per put and per bare write and fdatasync, by
// turns; ratio_p50 is their quotient. STRATA_BENCH_DIR is where the files go.
#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/env.h"
#include "bench/bare_sync.h"
#include "strata.h"

namespace strata {
namespace {

constexpr size_t kValueBytes = 256;
constexpr size_t kLoggedBytes = 352;  // of such a put

// The log's segments are filled with zeros when it is new; until that is done
// the disk is not the puts' alone.
constexpr std::chrono::seconds kSettling(5);

std::unique_ptr<Db> OpenFresh(DurabilityMode mode) {
  const std::string directory = JoinPath(BenchScratch(), "embedded");
  CHECK_OK(Env::Posix()->RemoveAll(directory));
  auto db = Db::Open(directory, {.durability = {.mode = mode}});
  CHECK_OK(db);
  std::this_thread::sleep_for(kSettling);
  return *std::move(db);
}

void DurablePutOfOneThread(benchmark::State& state) {
  const std::unique_ptr<Db> db = OpenFresh(DurabilityMode::kEachWrite);
  BareFile bare;
  const std::string record(kLoggedBytes, 'x');
  const std::string value(kValueBytes, 'v');
  Times bare_times, put_times;
  uint64_t i = 0;
  for (auto _ : state) {
    bare_times.Add([&] { bare.WriteAndSync(record); });
    const std::string key = std::to_string(i++);
    put_times.Add([&] { CHECK_OK(db->Put(key, value)); });
  }
  CompareWithBare(bare_times, put_times, &state);
  CHECK_OK(db->Close());
}
BENCHMARK(DurablePutOfOneThread)->UseRealTime()->MinTime(3);

std::unique_ptr<Db> shared;  // of the threads of one benchmark

void OpenShared(const benchmark::State& state) {
  shared = OpenFresh(static_cast<DurabilityMode>(state.range(0)));
}

void CloseShared(const benchmark::State&) {
  CHECK_OK(shared->Close());
  shared.reset();
}

// Threads that put at the same time share their syncs. By durability mode: 0
// each write, 1 interval (of 100 ms), 2 none.
void Put(benchmark::State& state) {
  const std::string value(kValueBytes, 'v');
  uint64_t i = 0;
  for (auto _ : state) {
    const std::string key =
        std::to_string(state.thread_index()) + "/" + std::to_string(i++);
    CHECK_OK(shared->Put(key, value));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(Put)
    ->ArgName("mode")
    ->DenseRange(0, 2)
    ->Setup(OpenShared)
    ->Teardown(CloseShared)
    ->Threads(1)
    ->Threads(8)
    ->Threads(64)
    ->UseRealTime();

void FillShared(const benchmark::State& state) {
  shared = OpenFresh(DurabilityMode::kNone);
  const std::string value(kValueBytes, 'v');
  for (int64_t i = 0; i < state.range(0); ++i) {
    CHECK_OK(shared->Put(std::to_string(i), value));
  }
}

void Get(benchmark::State& state) {
  const int64_t keys = state.range(0);
  int64_t i = 0;
  for (auto _ : state) {
    i = (i + 7919) % keys;  // a prime: all keys, far apart
    const auto record = shared->Get(std::to_string(i));
    CHECK_OK(record);
    CHECK(record->has_value());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(Get)->Setup(FillShared)->Teardown(CloseShared)->Arg(100000);

}  // namespace
}  // namespace strata
