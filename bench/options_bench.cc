// What each option of the page store does (docs/storage.md), without fsync but
// where it is the subject. One item is one key.
//
//   bazel run //bench:options_bench -- --benchmark_filter=Open

#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/env.h"
#include "base/random.h"
#include "engine/btree_backend.h"

namespace strata {
namespace {

constexpr int kKeys = 200000;
constexpr int kBatchKeys = 1000;
constexpr int kValueBytes = 256;

std::string RevisionKey(uint64_t revision) {
  std::string key;
  AppendBig64(&key, revision);
  key += '_';
  AppendBig64(&key, 0);
  return key;
}

// A backend in a directory of its own.
class Subject {
 public:
  explicit Subject(const BtreeOptions& options) : options_(options) {
    options_.fsync = false;
    char name[] = "/tmp/options_bench.XXXXXX";
    CHECK(mkdtemp(name) != nullptr);
    directory_ = name;
    Open();
  }
  ~Subject() {
    backend_.reset();
    CHECK_OK(Env::Posix()->RemoveAll(directory_));
  }

  void Open() {
    backend_.reset();
    auto opened =
        OpenBtreeBackend(Env::Posix(), path(), options_, Logger::Null());
    CHECK_OK(opened);
    backend_ = std::move(opened).value();
  }

  void Append(int keys) {
    const std::string value(kValueBytes, 'v');
    Batch batch;
    for (int i = 1; i <= keys; ++i) {
      batch.Put(Table::kKey, RevisionKey(++revision_), value);
      if (i % kBatchKeys == 0) Write(&batch);
    }
    Write(&batch);
  }
  // One in `n` stays, as after a compaction.
  void EraseMost(int n) {
    Batch batch;
    for (uint64_t i = 1; i <= revision_; ++i) {
      if (i % n != 0) batch.Erase(Table::kKey, RevisionKey(i));
      if (batch.changes().size() == kBatchKeys) Write(&batch);
    }
    Write(&batch);
  }
  void Write(Batch* batch) {
    CHECK_OK(backend_->Write(*batch));
    batch->Clear();
  }

  Backend* backend() { return backend_.get(); }
  std::string path() const { return directory_ + "/db"; }
  uint64_t revision() const { return revision_; }

 private:
  BtreeOptions options_;
  std::string directory_;
  std::unique_ptr<Backend> backend_;
  uint64_t revision_ = 0;
};

uint64_t Scan(Backend* backend) {
  auto view = backend->NewView();
  CHECK_OK(view);
  uint64_t bytes = 0;
  auto it = (*view)->NewIterator(Table::kKey);
  for (it->SeekToFirst(); it->Valid(); it->Next()) bytes += it->value().size();
  return bytes;
}

double PageFaults() {
  rusage usage = {};
  CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
  return static_cast<double>(usage.ru_minflt + usage.ru_majflt);
}

struct OpenCase {
  const char* name;
  BtreeOptions options;
};
const OpenCase kOpenCases[] = {
    {"as default: a scan for free pages", {}},
    {"freelist sync", {.freelist_sync = true}},
    {"populate on", {.mmap_populate = MmapPopulate::kOn}},
    {"populate auto", {.mmap_populate = MmapPopulate::kAuto}},
    {"freelist sync, populate on",
     {.freelist_sync = true, .mmap_populate = MmapPopulate::kOn}},
    {"freelist sync, mlock", {.freelist_sync = true, .mlock = true}},
};

// An open, and the first scan after it, apart.
void BM_Open(benchmark::State& state) {
  const OpenCase& which = kOpenCases[state.range(0)];
  Subject subject(which.options);
  subject.Append(kKeys);
  for (auto _ : state) subject.Open();
  state.SetLabel(which.name);
}
BENCHMARK(BM_Open)->DenseRange(0, 5)->Unit(benchmark::kMillisecond);

void BM_FirstScanAfterOpen(benchmark::State& state) {
  const OpenCase& which = kOpenCases[state.range(0)];
  Subject subject(which.options);
  subject.Append(kKeys);
  double faults = 0;
  for (auto _ : state) {
    state.PauseTiming();
    subject.Open();
    const double before = PageFaults();
    state.ResumeTiming();
    benchmark::DoNotOptimize(Scan(subject.backend()));
    faults += PageFaults() - before;
  }
  state.counters["page_faults"] =
      benchmark::Counter(faults, benchmark::Counter::kAvgIterations);
  state.SetItemsProcessed(state.iterations() * kKeys);
  state.SetLabel(which.name);
}
BENCHMARK(BM_FirstScanAfterOpen)
    ->DenseRange(0, 5)
    ->Unit(benchmark::kMillisecond);

// A file that outgrows its mapping is mapped anew.
void BM_PutInitialMmap(benchmark::State& state) {
  for (auto _ : state) {
    Subject subject(
        {.initial_mmap_bytes = static_cast<uint64_t>(state.range(0)) << 20});
    subject.Append(kKeys);
  }
  state.SetItemsProcessed(state.iterations() * kKeys);
}
BENCHMARK(BM_PutInitialMmap)
    ->ArgName("MiB")
    ->Arg(0)
    ->Arg(10 << 10)
    ->Unit(benchmark::kMillisecond);

// Appends, and gets from what came of it; how long the file is.
void Measure(benchmark::State& state, const BtreeOptions& options) {
  Subject subject(options);
  for (auto _ : state) subject.Append(kBatchKeys);
  state.SetItemsProcessed(state.iterations() * kBatchKeys);
  state.counters["file_bytes_per_key"] =
      static_cast<double>(subject.backend()->Sizes().in_use_bytes) /
      static_cast<double>(subject.revision());
}

void BM_PageSize(benchmark::State& state) {
  Measure(state, {.page_size = static_cast<uint32_t>(state.range(0))});
}
BENCHMARK(BM_PageSize)
    ->ArgName("bytes")
    ->RangeMultiplier(4)
    ->Range(1024, 65536);

void BM_Fill(benchmark::State& state) {
  Measure(state, {.fill_fraction = static_cast<double>(state.range(0)) / 100});
}
BENCHMARK(BM_Fill)->ArgName("percent")->Arg(50)->Arg(70)->Arg(90)->Arg(100);

// Keys in no order: how full the pages stay.
void BM_FillAtRandom(benchmark::State& state) {
  Subject subject({.fill_fraction = static_cast<double>(state.range(0)) / 100});
  Random random(1);
  const std::string value(kValueBytes, 'v');
  uint64_t keys = 0;
  for (auto _ : state) {
    Batch batch;
    for (int i = 0; i < kBatchKeys; ++i) {
      batch.Put(Table::kLease, RevisionKey(random.Next()), value);
    }
    subject.Write(&batch);
    keys += kBatchKeys;
  }
  state.SetItemsProcessed(state.iterations() * kBatchKeys);
  state.counters["file_bytes_per_key"] =
      static_cast<double>(subject.backend()->Sizes().in_use_bytes) /
      static_cast<double>(keys);
}
BENCHMARK(BM_FillAtRandom)->ArgName("percent")->Arg(50)->Arg(90);

// All of a shrinking after `one in n` keys stayed; the slowest step, and the
// file's length against the bytes of keys and values.
void BM_Shrink(benchmark::State& state) {
  const int n = static_cast<int>(state.range(0));
  double steps = 0;
  double share = 0;
  double written = 0;
  for (auto _ : state) {
    state.PauseTiming();
    Subject subject({});
    subject.Append(kKeys);
    subject.EraseMost(n);
    state.ResumeTiming();
    for (bool done = false; !done; ++steps) {
      auto progress = subject.backend()->ShrinkStep(1 << 20);
      CHECK_OK(progress);
      done = progress->done;
      const double live = kKeys / n * (kValueBytes + 17.0);
      share = static_cast<double>(progress->file_bytes) / live;
      written = static_cast<double>(progress->written_bytes) / live;
    }
  }
  state.counters["steps"] =
      benchmark::Counter(steps, benchmark::Counter::kAvgIterations);
  state.counters["file_to_live"] = share;
  state.counters["written_to_live"] = written;
}
BENCHMARK(BM_Shrink)->ArgName("one_in")->Arg(2)->Arg(10)->Unit(
    benchmark::kMillisecond);

}  // namespace
}  // namespace strata

BENCHMARK_MAIN();
