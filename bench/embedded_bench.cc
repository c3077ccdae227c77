// The embedded facade beside what the disk alone costs, in one run:
//   bazel run //bench:embedded_bench
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "base/check.h"
#include "base/env.h"
#include "strata.h"

namespace strata {
namespace {

constexpr size_t kValueBytes = 256;
constexpr uint64_t kFileBytes = 64 << 20;

// A fresh directory on the disk that the benchmark is started on.
std::string FreshDirectory(const std::string& name) {
  const char* base = std::getenv("STRATA_BENCH_DIR");
  const std::filesystem::path path =
      std::filesystem::path(base != nullptr ? base : ".") /
      ("bench-" + name + ".data");
  std::filesystem::remove_all(path);
  std::filesystem::create_directories(path);
  return path.string();
}

// The floor: write 512 bytes in a file prewritten with zeros, and fdatasync.
void BareFdatasync(benchmark::State& state) {
  const std::string directory = FreshDirectory("bare");
  auto file =
      Env::Posix()->Open(JoinPath(directory, "log"), OpenMode::kCreateNew);
  CHECK_OK(file);
  const std::string zeros(1 << 20, '\0');
  for (uint64_t at = 0; at < kFileBytes; at += zeros.size()) {
    CHECK_OK((*file)->WriteAt(at, zeros));
  }
  CHECK_OK((*file)->Sync());
  const std::string record(512, 'x');
  uint64_t at = 0;
  for (auto _ : state) {
    CHECK_OK((*file)->WriteAt(at, record));
    CHECK_OK((*file)->Sync());
    at = (at + record.size()) % kFileBytes;
  }
}
BENCHMARK(BareFdatasync)->UseRealTime();

std::unique_ptr<Db> shared;  // of the threads of one benchmark

void OpenShared(const benchmark::State&) {
  auto db = Db::Open(FreshDirectory("embedded"));
  CHECK_OK(db);
  shared = std::move(*db);
}

void CloseShared(const benchmark::State&) {
  CHECK_OK(shared->Close());
  shared.reset();
}

void DurablePut(benchmark::State& state) {
  const std::string value(kValueBytes, 'v');
  uint64_t i = 0;
  for (auto _ : state) {
    const std::string key =
        std::to_string(state.thread_index()) + "/" + std::to_string(i++);
    CHECK_OK(shared->Put(key, value));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(DurablePut)
    ->Setup(OpenShared)
    ->Teardown(CloseShared)
    ->Threads(1)
    ->Threads(8)
    ->Threads(64)
    ->UseRealTime();

void FillShared(const benchmark::State& state) {
  auto db = Db::Open(FreshDirectory("embedded"), {.fsync = false});
  CHECK_OK(db);
  shared = std::move(*db);
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
