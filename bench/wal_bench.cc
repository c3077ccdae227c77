// Durable appends to the log, each beside a bare pwrite and fdatasync of as
// many bytes on a file of zeros: the floor of this disk at that moment.
//
//   bazel run -c opt //bench:wal_bench -- --benchmark_repetitions=5
//
// p50_us and bare_p50_us are per sync, ratio_p50 is their quotient; p10 is
// what a machine with other work shows least of that work in.
// STRATA_BENCH_DIR is where the files go; by default /tmp.
#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/env.h"
#include "base/limits.h"
#include "base/logger.h"
#include "base/loop.h"
#include "bench/bare_sync.h"
#include "raft/types.h"
#include "wal/wal.h"

namespace strata {
namespace {

constexpr uint64_t kEntryBytes = 256;
// Of an entry in the log: length, record, raftpb.Entry.
constexpr uint64_t kFramedBytes = 288;

std::unique_ptr<Wal> NewWal(const std::string& directory, Loop* background) {
  CHECK_OK(Env::Posix()->RemoveAll(directory));
  auto wal = Wal::Create(Env::Posix(), directory, "metadata",
                         WalOptions{.background = background}, Logger::Null());
  CHECK_OK(wal.status());
  return *std::move(wal);
}

void DurableAppend(benchmark::State& state) {
  const std::string directory = JoinPath(BenchScratch(), "wal");
  const auto background = NewThreadedLoop("wal-background");
  std::unique_ptr<Wal> wal = NewWal(directory, background.get());
  BareFile bare;
  // Two segments are being filled with zeros meanwhile.
  std::this_thread::sleep_for(std::chrono::seconds(5));
  std::vector<raft::Entry> entries(static_cast<size_t>(state.range(0)));
  for (raft::Entry& entry : entries) {
    entry.term = Term(1);
    entry.data.assign(kEntryBytes, 'x');
  }
  const std::string batch(entries.size() * kFramedBytes, 'x');
  const raft::HardState hard_state{.term = Term(1), .vote = MemberId(1)};
  uint64_t index = 0;
  Times bare_times;
  Times wal_times;
  for (auto _ : state) {
    bare_times.Add([&] { bare.WriteAndSync(batch); });
    for (raft::Entry& entry : entries) entry.index = LogIndex(++index);
    wal_times.Add([&] {
      wal->Append(entries, hard_state);
      CHECK_OK(wal->Sync());
    });
  }
  CompareWithBare(bare_times, wal_times, &state);
  wal.reset();
  CHECK_OK(Env::Posix()->RemoveAll(directory));
}

// The processor's share alone: a disk that takes everything at once.
void WalAppendWithoutSync(benchmark::State& state) {
  Env* const env = Env::Posix();
  const std::string directory = JoinPath(BenchScratch(), "wal");
  CHECK_OK(env->RemoveAll(directory));
  auto wal = *Wal::Create(env, directory, "metadata",
                          WalOptions{.fsync = false}, Logger::Null());
  const std::string entry = raft::EncodeEntry(
      {.term = Term(1), .index = LogIndex(1), .data = std::string(256, 'x')});
  uint64_t index = 0;
  for (auto _ : state) {
    for (int64_t i = 0; i < state.range(0); ++i) {
      wal->AppendEncoded(LogIndex(++index), Term(1), entry);
    }
    CHECK_OK(wal->Sync());
    if (wal->GetStats().segments > 3) {
      CHECK_OK(wal->ReleaseTo(LogIndex(index), 1));
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  wal.reset();
  CHECK_OK(env->RemoveAll(directory));
}

void CreateAndClose(benchmark::State& state) {
  Env* const env = Env::Posix();
  const std::string directory = JoinPath(BenchScratch(), "wal");
  const auto background = NewThreadedLoop("wal-background");
  for (auto _ : state) {
    const auto wal = NewWal(directory, background.get());
    benchmark::DoNotOptimize(wal.get());
  }
  CHECK_OK(env->RemoveAll(directory));
}

BENCHMARK(DurableAppend)->Arg(1)->Arg(64)->UseRealTime();
BENCHMARK(WalAppendWithoutSync)->Arg(1)->Arg(64)->UseRealTime();
BENCHMARK(CreateAndClose)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace strata

BENCHMARK_MAIN();
