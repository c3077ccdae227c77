#include "cmd/daemon/feature_gates.h"

#include <algorithm>
#include <string_view>

#include "base/strings.h"
#include "cmd/daemon/flag_kinds.h"

namespace strata {
namespace {

struct Gate {
  std::string_view name;
  bool alpha;  // else beta
  // What it switches; null: nothing that is here.
  bool* (*target)(StratadOptions* options);
};

constexpr Gate kGates[] = {
    {"InitialCorruptCheck", true,
     [](StratadOptions* o) { return &o->initial_corrupt_check; }},
    {"CompactHashCheck", true,
     [](StratadOptions* o) { return &o->node.corruption_check.compactions; }},
    {"LeaseCheckpoint", true,
     [](StratadOptions* o) { return &o->node.lease_checkpoints; }},
    {"LeaseCheckpointPersist", true,
     [](StratadOptions* o) { return &o->node.persist_lease_checkpoints; }},
    // Nothing stops while a file is made shorter.
    {"StopGRPCServiceOnDefrag", true, nullptr},
    {"TxnModeWriteWithSharedBuffer", false, nullptr},
    {"SetMemberLocalAddr", true, nullptr},
    {"FastLeaseKeepAlive", false, nullptr},
    {"PriorityRequest", true, nullptr},
};

void Switch(const Gate& gate, bool on, StratadOptions* options) {
  if (gate.target != nullptr) *gate.target(options) = on;
}

Status Take(const std::string& name, bool on, StratadOptions* options) {
  if (name == "AllAlpha" || name == "AllBeta") {
    for (const Gate& gate : kGates) {
      if (gate.alpha == (name == "AllAlpha")) Switch(gate, on, options);
    }
    return Status::Ok();
  }
  const Gate* const gate = std::ranges::find(kGates, name, &Gate::name);
  if (gate == std::end(kGates)) {
    return InvalidArgumentError("unrecognized feature gate: " + name);
  }
  Switch(*gate, on, options);
  return Status::Ok();
}

std::string Trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return "";
  return std::string(
      text.substr(begin, text.find_last_not_of(' ') - begin + 1));
}

}  // namespace

Status TakeFeatureGates(const std::string& gates, StratadOptions* options) {
  for (const std::string& part : SplitCommas(gates)) {
    if (part.empty()) continue;
    const size_t equals = part.find('=');
    const std::string name = Trimmed(part.substr(0, equals));
    if (equals == std::string::npos) {
      return InvalidArgumentError("missing bool value for " + name);
    }
    const std::string value = Trimmed(part.substr(equals + 1));
    bool on = false;
    if (!SwitchFlag("", &on, "").set(value).ok()) {
      return InvalidArgumentError("invalid value of " + name + "=" + value);
    }
    RETURN_IF_ERROR(Take(name, on, options));
  }
  return Status::Ok();
}

}  // namespace strata
