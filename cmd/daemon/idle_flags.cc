#include "cmd/daemon/idle_flags.h"

#include <string_view>
#include <utility>

#include "cmd/daemon/flag_kinds.h"

namespace strata {
namespace {

// What is said of a value that is not etcd's default.
enum class Say { kNothing, kWarning, kRefusal };

struct IdleFlag {
  std::string_view name;
  std::string_view usual;  // etcd's default
  Say say;
  std::string_view why;  // it does nothing
  bool is_switch = false;
};

constexpr std::string_view kNoAuth = "there is no authentication yet";
constexpr std::string_view kNoTraces = "no traces are sent";
constexpr std::string_view kNoV2 = "the v2 API and its proxy are not here";
constexpr std::string_view kNoV2Discovery =
    "v2 discovery is not here; --discovery-token and --discovery-endpoints are";
constexpr std::string_view kOwnPace = "compactions find their own pace";
constexpr std::string_view kSilence = "it is always 5s";
constexpr std::string_view kNoSan =
    "where a member with a certificate calls from is never compared with it";
constexpr std::string_view kNoOld = "it is of etcd 3.4 alone";

constexpr IdleFlag kFlags[] = {
    {"socket-reuse-address", "false", Say::kNothing, "it is always done", true},
    {"raft-read-timeout", "5s", Say::kWarning, kSilence},
    {"raft-write-timeout", "5s", Say::kWarning, kSilence},
    {"compaction-batch-limit", "1000", Say::kNothing, kOwnPace},
    {"experimental-compaction-batch-limit", "1000", Say::kNothing, kOwnPace},
    {"compaction-sleep-interval", "10ms", Say::kNothing, kOwnPace},
    {"experimental-compaction-sleep-interval", "10ms", Say::kNothing, kOwnPace},
    {"experimental-txn-mode-write-with-shared-buffer", "true", Say::kNothing,
     "reads wait for no write", true},
    {"experimental-stop-grpc-service-on-defrag", "false", Say::kNothing,
     "the service goes on while the file is made shorter", true},
    {"peer-skip-client-san-verification", "false", Say::kNothing, kNoSan, true},
    {"experimental-peer-skip-client-san-verification", "false", Say::kNothing,
     kNoSan, true},
    {"auth-token", "simple", Say::kWarning, kNoAuth},
    {"auth-token-ttl", "300", Say::kWarning, kNoAuth},
    {"bcrypt-cost", "10", Say::kWarning, kNoAuth},
    {"enable-pprof", "false", Say::kWarning, "/debug/pprof is not served",
     true},
    {"enable-distributed-tracing", "false", Say::kWarning, kNoTraces, true},
    {"experimental-enable-distributed-tracing", "false", Say::kWarning,
     kNoTraces, true},
    {"distributed-tracing-address", "localhost:4317", Say::kNothing, kNoTraces},
    {"experimental-distributed-tracing-address", "localhost:4317",
     Say::kNothing, kNoTraces},
    {"distributed-tracing-service-name", "etcd", Say::kNothing, kNoTraces},
    {"experimental-distributed-tracing-service-name", "etcd", Say::kNothing,
     kNoTraces},
    {"distributed-tracing-instance-id", "", Say::kNothing, kNoTraces},
    {"experimental-distributed-tracing-instance-id", "", Say::kNothing,
     kNoTraces},
    {"distributed-tracing-sampling-rate", "0", Say::kNothing, kNoTraces},
    {"experimental-distributed-tracing-sampling-rate", "0", Say::kNothing,
     kNoTraces},
    {"discovery", "", Say::kRefusal, kNoV2Discovery},
    {"discovery-fallback", "proxy", Say::kNothing, kNoV2Discovery},
    {"discovery-proxy", "", Say::kNothing, kNoV2Discovery},
    {"enable-v2", "false", Say::kWarning, kNoV2, true},
    {"experimental-enable-v2v3", "", Say::kWarning, kNoV2},
    {"v2-deprecation", "", Say::kNothing, kNoV2},
    {"proxy", "off", Say::kRefusal, kNoV2},
    {"proxy-failure-wait", "5000", Say::kNothing, kNoV2},
    {"proxy-refresh-interval", "30000", Say::kNothing, kNoV2},
    {"proxy-dial-timeout", "1000", Say::kNothing, kNoV2},
    {"proxy-write-timeout", "5000", Say::kNothing, kNoV2},
    {"proxy-read-timeout", "0", Say::kNothing, kNoV2},
    {"log-package-levels", "", Say::kNothing, kNoOld},
};

// "true" and "1" are one value of a switch.
bool IsUsual(const IdleFlag& flag, const std::string& value) {
  if (!flag.is_switch) return value == flag.usual;
  bool truth = false;
  const Status read = SwitchFlag("", &truth, "").set(value);
  return !read.ok() || (truth ? "true" : "false") == flag.usual;
}

Status Take(const IdleFlag& flag, const std::string& value,
            std::vector<std::string>* warnings) {
  if (flag.is_switch) {
    bool truth = false;
    RETURN_IF_ERROR(SwitchFlag("", &truth, "").set(value));
  }
  if (flag.say == Say::kNothing || IsUsual(flag, value)) return Status::Ok();
  if (flag.say == Say::kRefusal) {
    return InvalidArgumentError(std::string(flag.why));
  }
  warnings->push_back("--" + std::string(flag.name) + "=" + value +
                      " does nothing: " + std::string(flag.why));
  return Status::Ok();
}

}  // namespace

void AddIdleFlags(std::vector<std::string>* warnings, FlagSet* flags) {
  flags->Group("Taken for etcd's sake, without effect");
  for (const IdleFlag& flag : kFlags) {
    flags->Add({.name = std::string(flag.name),
                .shown_default = std::string(flag.usual),
                .help = std::string(flag.why) + ".",
                .set =
                    [&flag, warnings](const std::string& value) {
                      return Take(flag, value, warnings);
                    },
                .is_switch = flag.is_switch});
  }
}

}  // namespace strata
