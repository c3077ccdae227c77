// The main of a fuzz target without libFuzzer: random inputs, so many or for so
// long. It takes libFuzzer's flags of that name, and files to run again.
//
//   wal_fuzz -runs=1000 -seed=7 -max_total_time=60 [input file...]

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/env.h"
#include "base/random.h"
#include "tests/fuzz/input.h"

namespace strata::fuzz {
namespace {

constexpr size_t kInputBytesMax = 2048;
constexpr char kLastInput[] = "/last_fuzz_input";

struct Plan {
  uint64_t runs = 1000;
  uint64_t seed = 1;
  uint64_t max_total_time = 0;  // seconds; 0: no bound
};

bool TakeFlag(std::string_view argument, std::string_view name,
              uint64_t* value) {
  if (!argument.starts_with(name)) return false;
  *value = std::strtoull(argument.data() + name.size(), nullptr, 10);
  return true;
}

void Run(std::string_view input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()),
                         input.size());
}

// Mostly short ones: a few decisions can be told apart.
std::string RandomInput(Random* random) {
  const size_t most = random->OneIn(4) ? kInputBytesMax : 64;
  std::string input(random->Below(most + 1), '\0');
  for (char& byte : input) byte = static_cast<char>(random->Below(256));
  return input;
}

int RunPlan(const Plan& plan) {
  const char* const directory = std::getenv("TEST_UNDECLARED_OUTPUTS_DIR");
  const std::string last =
      std::string(directory == nullptr ? "/tmp" : directory) + kLastInput;
  const auto file = Env::Posix()->Open(last, OpenMode::kCreate);
  CHECK_OK(file);
  const auto start = std::chrono::steady_clock::now();
  Random random(plan.seed);
  uint64_t runs = 0;
  for (; runs < plan.runs; ++runs) {
    const auto spent = std::chrono::steady_clock::now() - start;
    if (plan.max_total_time > 0 &&
        spent > std::chrono::seconds(plan.max_total_time)) {
      break;
    }
    const std::string input = RandomInput(&random);
    CHECK_OK((*file)->Resize(0));
    CHECK_OK((*file)->WriteAt(0, input));
    Run(input);
  }
  std::printf("%llu inputs\n", static_cast<unsigned long long>(runs));
  return 0;
}

int Main(int count, char** arguments) {
  Plan plan;
  bool again = false;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    if (TakeFlag(argument, "-runs=", &plan.runs) ||
        TakeFlag(argument, "-seed=", &plan.seed) ||
        TakeFlag(argument, "-max_total_time=", &plan.max_total_time)) {
      continue;
    }
    const auto input = ReadFile(Env::Posix(), argument, 64 << 20);
    CHECK_OK(input);
    Run(*input);
    again = true;
  }
  return again ? 0 : RunPlan(plan);
}

}  // namespace
}  // namespace strata::fuzz

int main(int count, char** arguments) {
  return strata::fuzz::Main(count, arguments);
}
