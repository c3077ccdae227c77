#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "raft/trio_testing.h"

// The core of raft alone: three members in one thread, messages handed over,
// disks in memory. bazel run //bench:raft_bench
namespace strata::raft {
namespace {

// Entries of so many bytes, proposed in batches, until there were so many in
// all: what one costs must not depend on how many there were.
void CommittedEntries(benchmark::State& state) {
  const uint64_t entries = state.range(0);
  const std::string data(state.range(1), 'x');
  const uint64_t batch = std::min<uint64_t>(entries, state.range(2));
  for (auto _ : state) {
    Trio trio;
    for (uint64_t done = 0; done < entries; done += batch) {
      trio.Propose(batch, data);
      trio.Settle();
    }
    CHECK_GE(trio.applied(0), LogIndex(entries));
    CHECK_GE(trio.applied(2), LogIndex(entries));
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * entries));
}
BENCHMARK(CommittedEntries)
    ->ArgNames({"entries", "bytes", "batch"})
    ->Args({1000, 8, 500})
    ->Args({10000, 8, 500})
    ->Args({100000, 8, 500})
    ->Args({1000000, 8, 500})
    ->Args({10000000, 8, 500})
    ->Args({1000000, 256, 500})
    ->Args({1000000, 8, 1})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace strata::raft

BENCHMARK_MAIN();
