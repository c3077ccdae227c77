#ifndef STRATA_BENCH_BARE_SYNC_H_
#define STRATA_BENCH_BARE_SYNC_H_

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/env.h"

// The floor that durable writes are measured against: what a bare pwrite and
// fdatasync of as many bytes costs on this disk at that moment. The two are
// done by turns, so that both see the same disk.
namespace strata {

// $STRATA_BENCH_DIR, by default /tmp, and a folder of ours in it.
inline std::string BenchScratch() {
  const char* const directory = std::getenv("STRATA_BENCH_DIR");
  return std::string(directory == nullptr ? "/tmp" : directory) +
         "/strata-bench";
}

// How long each of many calls took.
class Times {
 public:
  template <typename Function>
  void Add(const Function& function) {
    const auto begin = std::chrono::steady_clock::now();
    function();
    times_.push_back(std::chrono::steady_clock::now() - begin);
  }
  double Microseconds(double fraction) {
    const auto place =
        times_.begin() + static_cast<ptrdiff_t>(
                             fraction * static_cast<double>(times_.size() - 1));
    std::nth_element(times_.begin(), place, times_.end());
    return std::chrono::duration<double, std::micro>(*place).count();
  }

 private:
  std::vector<std::chrono::steady_clock::duration> times_;
};

// A file of zeros, laid out as the log lays out its segments, written from
// front to end and again.
class BareFile {
 public:
  BareFile() : path_(JoinPath(BenchScratch(), "bare")) {
    CHECK_OK(env_->MakeDirs(BenchScratch()));
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

// Sets the counters p10_us, p50_us, the same of the bare ones, and the ratios.
inline void CompareWithBare(Times& bare, Times& ours, benchmark::State* state) {
  for (const auto& [name, fraction] : {std::pair{"p10", 0.1}, {"p50", 0.5}}) {
    const double bare_us = bare.Microseconds(fraction);
    const double our_us = ours.Microseconds(fraction);
    state->counters["bare_" + std::string(name) + "_us"] = bare_us;
    state->counters[std::string(name) + "_us"] = our_us;
    state->counters["ratio_" + std::string(name)] = our_us / bare_us;
  }
}

}  // namespace strata

#endif  // STRATA_BENCH_BARE_SYNC_H_
