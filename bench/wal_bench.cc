// Durable appends to the log, each beside a bare pwrite and fdatasync of as
// many bytes on a file of zeros: the floor of this disk at that moment.
//
//   bazel run -c opt //bench:wal_bench -- --benchmark_repetitions=5
//
// wal_p50_us and bare_p50_us are per sync, ratio_p50 is their quotient; p10 is
// what a machine with other work shows least of that work in.
// STRATA_BENCH_DIR is where the files go; by default /tmp.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/env.h"
#include "base/limits.h"
#include "base/logger.h"
#include "base/loop.h"
#include "raft/types.h"
#include "wal/wal.h"

namespace strata {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kEntryBytes = 256;
// Of an entry in the log: length, record, raftpb.Entry.
constexpr uint64_t kFramedBytes = 288;

std::string Scratch() {
  const char* const directory = std::getenv("STRATA_BENCH_DIR");
  return std::string(directory == nullptr ? "/tmp" : directory) +
         "/strata-wal-bench";
}

// The times of one run's syncs.
class Times {
 public:
  template <typename Function>
  void Add(const Function& function) {
    const Clock::time_point begin = Clock::now();
    function();
    times_.push_back(Clock::now() - begin);
  }
  double Microseconds(double fraction) {
    const auto place =
        times_.begin() + static_cast<ptrdiff_t>(
                             fraction * static_cast<double>(times_.size() - 1));
    std::nth_element(times_.begin(), place, times_.end());
    return std::chrono::duration<double, std::micro>(*place).count();
  }

 private:
  std::vector<Clock::duration> times_;
};

// A file of zeros, laid out as the log lays out its segments, written from
// front to end and again.
class BareFile {
 public:
  BareFile() : path_(JoinPath(Scratch(), "bare")) {
    CHECK_OK(env_->MakeDirs(Scratch()));
    file_ = *env_->Open(path_, OpenMode::kCreate);
    CHECK_OK(file_->Allocate(kFileBytes));
    const std::string zeros(1 << 20, '\0');
    for (uint64_t at = 0; at < kFileBytes; at += zeros.size()) {
      CHECK_OK(file_->WriteAt(at, zeros));
    }
    CHECK_OK(file_->Sync());
  }
  ~BareFile() { CHECK_OK(env_->Remove(path_)); }

  void WriteAndSync(const std::string& batch) {
    CHECK_OK(file_->WriteAt(offset_, batch));
    CHECK_OK(file_->Sync());
    offset_ = (offset_ + batch.size()) % (kFileBytes - batch.size());
  }

 private:
  static constexpr uint64_t kFileBytes = 64 << 20;

  Env* const env_ = Env::Posix();
  const std::string path_;
  std::unique_ptr<File> file_;
  uint64_t offset_ = 0;
};

std::unique_ptr<Wal> NewWal(const std::string& directory, Loop* background) {
  CHECK_OK(Env::Posix()->RemoveAll(directory));
  auto wal = Wal::Create(Env::Posix(), directory, "metadata",
                         WalOptions{.background = background}, Logger::Null());
  CHECK_OK(wal.status());
  return *std::move(wal);
}

void DurableAppend(benchmark::State& state) {
  const std::string directory = JoinPath(Scratch(), "wal");
  const auto background = NewThreadedLoop("wal-background");
  std::unique_ptr<Wal> wal = NewWal(directory, background.get());
  BareFile bare;
  // Two segments are being filled with zeros meanwhile.
  std::this_thread::sleep_for(std::chrono::seconds(2));
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
  for (const auto& [name, fraction] : {std::pair{"p10", 0.1}, {"p50", 0.5}}) {
    const double bare_us = bare_times.Microseconds(fraction);
    const double wal_us = wal_times.Microseconds(fraction);
    state.counters["bare_" + std::string(name) + "_us"] = bare_us;
    state.counters["wal_" + std::string(name) + "_us"] = wal_us;
    state.counters["ratio_" + std::string(name)] = wal_us / bare_us;
  }
  wal.reset();
  CHECK_OK(Env::Posix()->RemoveAll(directory));
}

// The processor's share alone: a disk that takes everything at once.
void WalAppendWithoutSync(benchmark::State& state) {
  Env* const env = Env::Posix();
  const std::string directory = JoinPath(Scratch(), "wal");
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
  const std::string directory = JoinPath(Scratch(), "wal");
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
