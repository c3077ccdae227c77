// stratad: serves a store to etcd's clients.

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cmd/daemon/command_line.h"
#include "cmd/daemon/logger.h"
#include "cmd/daemon/serve.h"

namespace {

std::map<std::string, std::string> Environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string::npos) {
      variables[text.substr(0, equals)] = text.substr(equals + 1);
    }
  }
  return variables;
}

// SIGTERM and SIGINT, once blocked, reach WaitForSignal alone. The second one
// ends the process at once.
sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// To what it may be: connections need descriptors. Go does the same for etcd.
void RaiseFileLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void WaitForSignal(strata::Logger* logger) {
  const sigset_t signals = StopSignals();
  int signal = 0;
  sigwait(&signals, &signal);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  logger->Info("received signal; shutting down",
               {{"signal", signal == SIGTERM ? "terminated" : "interrupt"}});
}

// True if a signal came meanwhile.
bool PauseOrStop(strata::Duration duration) {
  const sigset_t signals = StopSignals();
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(duration);
  const timespec time = {
      .tv_sec = seconds.count(),
      .tv_nsec = std::chrono::nanoseconds(duration - seconds).count()};
  return sigtimedwait(&signals, nullptr, &time) > 0;
}

int Run(const strata::StratadOptions& options) {
  auto logger = strata::NewLogger(options.log);
  if (!logger.ok()) {
    std::cerr << logger.status().message() << "\n";
    return EXIT_FAILURE;
  }
  strata::Logger* const log = logger->get();
  const strata::Status status = strata::Serve(
      options, log, PauseOrStop, [log] { WaitForSignal(log); },
      [log](const strata::Status& fatal) {
        log->Error("stopping at once", {{"error", fatal}});
        std::_Exit(EXIT_FAILURE);
      });
  if (status.ok()) return EXIT_SUCCESS;
  log->Error("failed", {{"error", status}});
  return EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
  const strata::CommandLine line = strata::ParseCommandLine(
      std::vector<std::string>(argv + 1, argv + argc), Environment());
  std::cout << line.output;
  std::cerr << line.error;
  if (!line.serve) return line.exit_code;
  RaiseFileLimit();
  // gRPC's own log lines are not in our format; what matters comes back as an
  // error.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return Run(line.options);
}
