// Runs the simulator: --seed=N for one run; --seeds=N runs, --minutes=M of runs
// or --hours-simulated=H, from --first on, on as many cores as --jobs says.
// --seconds: simulated, of each run. --plant=TEXT: with the planted mistake
// whose name has it. A run that fails is made again and drawn as a page
// (--timeline=FILE); then the program ends with 1.
#include <malloc.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/sim/plants.h"
#include "tests/sim/simulation.h"

namespace strata::sim {
namespace {

struct Flags {
  uint64_t first = 1;
  uint64_t seeds = 1;
  double minutes = 0;
  double hours_simulated = 0;
  uint64_t seconds = 60;
  uint64_t members = 3;
  bool faults = true;
  uint64_t jobs = 1;
  std::string plant = {};
  std::string timeline = {};  // of the run that fails, or of the last one
};

bool ReadFlag(std::string_view argument, Flags* flags) {
  const size_t equals = argument.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view name = argument.substr(0, equals);
  const std::string value(argument.substr(equals + 1));
  if (name == "--seed" || name == "--first") {
    flags->first = std::stoull(value);
  } else if (name == "--seeds") {
    flags->seeds = std::stoull(value);
  } else if (name == "--minutes") {
    flags->minutes = std::stod(value);
    flags->seeds = UINT64_MAX;
  } else if (name == "--hours-simulated") {
    flags->hours_simulated = std::stod(value);
    flags->seeds = UINT64_MAX;
  } else if (name == "--seconds") {
    flags->seconds = std::stoull(value);
  } else if (name == "--members") {
    flags->members = std::stoull(value);
  } else if (name == "--faults") {
    flags->faults = value != "0";
  } else if (name == "--jobs") {
    flags->jobs = std::clamp<uint64_t>(std::stoull(value), 1, 64);
  } else if (name == "--plant") {
    flags->plant = value;
  } else if (name == "--timeline") {
    flags->timeline = value;
  } else {
    return false;
  }
  return true;
}

SimulationOptions OptionsOf(const Flags& flags, uint64_t seed) {
  SimulationOptions options{.seed = seed,
                            .members = flags.members,
                            .duration = std::chrono::seconds(flags.seconds),
                            .faults = flags.faults};
  if (!flags.plant.empty()) FindPlant(flags.plant)->plant(&options);
  return options;
}

struct Totals {
  uint64_t seeds = 0;
  double simulated = 0;  // seconds
  uint64_t operations = 0;
  uint64_t failed = 0;
  uint64_t revisions = 0;
  uint64_t watch_events = 0;
  uint64_t messages = 0;
  uint64_t snapshots = 0;
  uint64_t elections = 0;
  std::array<uint64_t, kFaults> faults{};

  void Add(const Outcome& outcome) {
    ++seeds;
    simulated += std::chrono::duration<double>(outcome.simulated).count();
    operations += outcome.operations;
    failed += outcome.failed;
    revisions += outcome.revisions;
    watch_events += outcome.watch_events;
    messages += outcome.messages;
    snapshots += outcome.snapshots;
    elections += outcome.elections;
    for (size_t i = 0; i < kFaults; ++i) faults[i] += outcome.faults[i];
  }
  uint64_t AllFaults() const {
    uint64_t all = 0;
    for (const uint64_t count : faults) all += count;
    return all;
  }
};

double Elapsed(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since)
      .count();
}

// Of this process, in seconds.
double CpuTime() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

void PrintProgress(const Totals& totals) {
  std::cout << "seeds " << totals.seeds << ", simulated " << std::fixed
            << std::setprecision(2) << totals.simulated / 3600 << " h ("
            << std::setprecision(0) << totals.simulated / CpuTime()
            << " s per CPU second), operations " << totals.operations
            << ", faults " << totals.AllFaults() << std::endl;
}

void PrintSummary(const Totals& totals) {
  const double cpu = CpuTime();
  std::cout << std::fixed << std::setprecision(2) << "seeds " << totals.seeds
            << "\nsimulated " << totals.simulated << " s, "
            << totals.simulated / 3600 << " h\noperations " << totals.operations
            << ", " << static_cast<double>(totals.operations) / totals.simulated
            << " per simulated second; " << totals.failed
            << " not answered; revisions " << totals.revisions
            << ", events watched " << totals.watch_events << "\nmessages "
            << totals.messages << ", elections " << totals.elections
            << ", snapshots " << totals.snapshots << "\nfaults "
            << totals.AllFaults() << ":";
  for (size_t i = 0; i < kFaults; ++i) {
    std::cout << (i == 0 ? " " : ", ") << FaultName(static_cast<Fault>(i))
              << ' ' << totals.faults[i];
  }
  std::cout << "\nCPU " << cpu << " s: " << std::setprecision(1)
            << totals.simulated / cpu << " simulated seconds per CPU second"
            << std::endl;
}

// The same run once more, written down.
void Draw(const Flags& flags, uint64_t seed, const std::string& violation) {
  const std::string path =
      flags.timeline.empty()
          ? "/tmp/strata-sim-" + std::to_string(seed) + ".html"
          : flags.timeline;
  Timeline timeline;
  SimulationOptions options = OptionsOf(flags, seed);
  options.timeline = &timeline;
  static_cast<void>(Simulate(options));
  std::string title = "seed " + std::to_string(seed);
  if (!violation.empty()) title += ": " + violation;
  std::ofstream file(path);
  file << timeline.Html(title);
  file.close();
  if (!file) {
    std::cerr << "cannot write " << path << std::endl;
    return;
  }
  std::cout << "drawn: " << path << std::endl;
}

void Report(const Flags& flags, uint64_t seed, const Outcome& outcome) {
  std::cout << outcome.story << "\nseed=" << seed << ": " << outcome.violation
            << "\nagain: bazel run //tests/sim -- --seed=" << seed
            << " --seconds=" << flags.seconds << " --members=" << flags.members
            << " --faults=" << (flags.faults ? 1 : 0)
            << (flags.plant.empty() ? "" : " --plant='" + flags.plant + "'")
            << std::endl;
  Draw(flags, seed, outcome.violation);
}

// Of this thread.
thread_local uint64_t running_seed = 0;

// A failed CHECK ends the program, and so tells no story.
void TellSeed(int signal) {
  std::cerr << "seed=" << running_seed
            << "\nagain: bazel run //tests/sim -- --seed=" << running_seed
            << std::endl;
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

// Seeds one after the other, on several threads: a run is in one of them, and
// knows nothing of the others.
class Runner {
 public:
  explicit Runner(const Flags& flags)
      : flags_(flags), begin_(std::chrono::steady_clock::now()) {}

  int Run() {
    std::vector<std::thread> threads;
    for (uint64_t i = 1; i < flags_.jobs; ++i) {
      threads.emplace_back([this] { Work(); });
    }
    Work();
    for (std::thread& thread : threads) thread.join();
    if (failed_) {
      Report(flags_, failed_->seed, failed_->outcome);
      PrintSummary(totals_);
      return EXIT_FAILURE;
    }
    PrintSummary(totals_);
    if (!flags_.timeline.empty()) Draw(flags_, next_ - 1, "");
    return EXIT_SUCCESS;
  }

 private:
  struct Failed {
    uint64_t seed;
    Outcome outcome;
  };

  void Work() {
    while (const std::optional<uint64_t> seed = Next()) {
      running_seed = *seed;
      Outcome outcome = Simulate(OptionsOf(flags_, *seed));
      const std::lock_guard lock(mutex_);
      Took(*seed, std::move(outcome));
    }
  }

  std::optional<uint64_t> Next() {
    const std::lock_guard lock(mutex_);
    if (failed_ || next_ - flags_.first >= flags_.seeds) return std::nullopt;
    if (flags_.minutes > 0 && Elapsed(begin_) > flags_.minutes * 60) {
      return std::nullopt;
    }
    if (flags_.hours_simulated > 0 &&
        totals_.simulated >= flags_.hours_simulated * 3600) {
      return std::nullopt;
    }
    return next_++;
  }

  void Took(uint64_t seed, Outcome outcome) {
    totals_.Add(outcome);
    if (!outcome.violation.empty() && !failed_) {
      failed_ = Failed{.seed = seed, .outcome = std::move(outcome)};
    }
    if (Elapsed(printed_) > 10) {
      PrintProgress(totals_);
      printed_ = std::chrono::steady_clock::now();
    }
  }

  const Flags flags_;
  const std::chrono::steady_clock::time_point begin_;
  std::mutex mutex_;
  // Guarded by mutex_.
  std::chrono::steady_clock::time_point printed_ = begin_;
  Totals totals_;
  uint64_t next_ = flags_.first;
  std::optional<Failed> failed_;
};

}  // namespace
}  // namespace strata::sim

int main(int argc, char** argv) {
  std::signal(SIGABRT, strata::sim::TellSeed);
  // Runs take and give back the same memory again and again.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 16 << 20);
  strata::sim::Flags flags;
  for (int i = 1; i < argc; ++i) {
    if (!strata::sim::ReadFlag(argv[i], &flags)) {
      std::cerr << "usage: sim [--seed=N] [--first=N] [--seeds=N] "
                   "[--minutes=M] [--hours-simulated=H] [--seconds=S] "
                   "[--members=N] [--faults=0|1] [--jobs=N] [--plant=TEXT] "
                   "[--timeline=FILE]\n";
      return 2;
    }
  }
  if (!flags.plant.empty() && strata::sim::FindPlant(flags.plant) == nullptr) {
    std::cerr << "no planted mistake is called so: " << flags.plant << "\n";
    return 2;
  }
  return strata::sim::Runner(flags).Run();
}
