#include "tests/sim/simulation.h"

#include <algorithm>
#include <map>
#include <memory>
#include <sstream>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "tests/sim/promises.h"

namespace strata::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kStep = milliseconds(50);
// All healed, a cluster works again within it.
constexpr Duration kRecovery = seconds(60);
// A lease's longest time, with what a new leader adds, and some more.
constexpr Duration kLeaseEnd = seconds(9);
// What members can have to do in a step; more has no end.
constexpr uint64_t kMaxStepFunctions = 1'000'000;

class Simulation {
 public:
  explicit Simulation(const SimulationOptions& options)
      : options_(options),
        random_(options.seed),
        cluster_(MakeClusterOptions()),
        truth_(&cluster_.world()),
        workload_(&cluster_, &truth_, random_.Next(), MakeWorkloadOptions()),
        nemesis_(&cluster_, random_.Next(),
                 [this](Member* member) { workload_.GoesDown(member); }) {
    cluster_.network().SetObserver([this](const raft::Message& message,
                                          Time sent) { Watch(message, sent); });
    cluster_.network().SetSnapshotObserver(
        [this](MemberId to) { nemesis_.SnapshotComes(to); });
    if (options_.timeline != nullptr) WriteDown();
  }

  Outcome Run() {
    const Status started = cluster_.StartAll();
    if (!started.ok()) truth_.Violated(started.ToString());
    SetClocks();
    workload_.Start();
    if (options_.faults) nemesis_.Start();
    RunFor(options_.duration);
    nemesis_.Recover();
    if (truth_.violation().empty()) Recover();
    if (truth_.violation().empty()) CheckEnd();
    return Finish();
  }

 private:
  ClusterOptions MakeClusterOptions() {
    ClusterOptions options{.members = options_.members, .seed = options_.seed};
    NodeOptions& node = options.node;
    node.wal_segment_bytes = 64 << 10;
    node.snapshot_count = random_.Between(100, 1000);
    node.snapshot_catch_up_entries = random_.Between(1, 50);
    node.max_wals = 2;
    node.max_snapshots = 2;
    node.pre_vote = !random_.OneIn(4);
    node.batch_interval = milliseconds(random_.Between(20, 300));
    node.watch_progress_interval = seconds(1);
    node.raft_bugs = &options_.raft_bugs;
    node.wal_bugs = &options_.wal_bugs;
    node.bugs = options_.bugs;
    return options;
  }

  WorkloadOptions MakeWorkloadOptions() {
    WorkloadOptions options = options_.workload;
    skew_ = options_.faults && random_.OneIn(2) ? 0.05 : 0;
    // Twice as much between two of them.
    options.clock_skew = 2.5 * skew_;
    return options;
  }

  void SetClocks() {
    for (size_t i = 0; i < cluster_.size(); ++i) {
      cluster_.member(i).SetClockRate(1 + skew_ * (2 * random_.Fraction() - 1));
    }
  }

  void Watch(const raft::Message& message, Time sent) {
    if (const std::string wrong = promises_.Heard(message); !wrong.empty()) {
      truth_.Violated(wrong);
    }
    nemesis_.Heard(message);
    if (options_.timeline != nullptr) {
      options_.timeline->Message(message, sent, cluster_.world().Now());
    }
  }

  void WriteDown() {
    Timeline* const timeline = options_.timeline;
    workload_.SetOnEnd([timeline](const Workload::Operation& operation) {
      timeline->Operation(operation);
    });
    nemesis_.SetOnLine([timeline](Time time, const std::string& line) {
      timeline->Fault(time, line);
    });
  }

  void Step() {
    SimWorld& world = cluster_.world();
    const uint64_t most = world.steps() + kMaxStepFunctions;
    if (world.RunUntil([&] { return world.steps() >= most; }, kStep)) {
      truth_.Violated("members do not come to rest");
    }
    for (size_t i = 0; i < cluster_.size(); ++i) LookAt(&cluster_.member(i));
    if (const std::string wrong = nemesis_.Attend(); !wrong.empty()) {
      truth_.Violated(wrong);
    }
    if (++steps_ % 40 == 0) CompareHashes();
  }

  void LookAt(Member* member) {
    truth_.Look(member);
    if (options_.timeline != nullptr) {
      options_.timeline->State(cluster_.world().Now(), member);
    }
    if (!member->up()) return;
    const std::string wrong =
        promises_.Check(member->id(), member->node()->replication());
    if (!wrong.empty()) truth_.Violated(wrong);
    const Status members = member->node()->CheckMembers();
    if (!members.ok() && member->fatal().ok()) {
      truth_.Violated(member->options().name + ": " + members.message());
    }
  }

  void RunFor(Duration duration) {
    const Time end = cluster_.world().Now() + duration;
    while (cluster_.world().Now() < end && truth_.violation().empty()) Step();
  }

  // Those that are at the same revision now have the same hash.
  void CompareHashes() {
    std::map<std::pair<int64_t, int64_t>, uint32_t> hashes;
    for (size_t i = 0; i < cluster_.size(); ++i) {
      Member& member = cluster_.member(i);
      if (!member.up()) continue;
      const auto hash = member->store()->HashKv(Revision(0));
      if (!hash.ok()) {
        if (member.IsOfRot(hash.status())) continue;
        return truth_.Violated(hash.status().ToString());
      }
      const auto [at, first] = hashes.emplace(
          std::pair(hash->current.value(), hash->compact_revision.value()),
          hash->hash);
      if (!first && at->second != hash->hash) {
        truth_.Violated("members differ at revision " +
                        std::to_string(hash->current.value()));
      }
    }
  }

  bool IsMember(const Member& member, const Membership& membership) const {
    return membership.members.contains(member.id());
  }

  // All who are members are up and have all.
  bool Converged() {
    Member* const leader = cluster_.Leader();
    if (leader == nullptr || !workload_.idle()) return false;
    const Membership membership = leader->node()->membership();
    for (size_t i = 0; i < cluster_.size(); ++i) {
      Member& member = cluster_.member(i);
      if (!IsMember(member, membership)) continue;
      if (!member.up() ||
          member->store()->applied() != leader->node()->store()->applied() ||
          member->replication().committed !=
              leader->node()->replication().committed ||
          leader->node()->store()->applied() !=
              leader->node()->replication().committed) {
        return false;
      }
    }
    return true;
  }

  void StartWhoIsDown() {
    Member* const leader = cluster_.Leader();
    for (size_t i = 0; i < cluster_.size(); ++i) {
      Member& member = cluster_.member(i);
      if (member.up()) continue;
      const bool gone =
          leader != nullptr && !IsMember(member, leader->node()->membership());
      if (!gone) member.Start().IgnoreError();
    }
  }

  void Recover() {
    RunFor(seconds(5));
    workload_.StopLeases();
    Converge();
    workload_.GoOn();
    RunFor(kLeaseEnd);
    Member* const leader = cluster_.Leader();
    if (leader != nullptr) workload_.CheckLeases(leader);
    Converge();
    if (truth_.violation().empty()) WorkInMajority();
    Converge();
    RunFor(seconds(2));  // watchers hear of all
  }

  // Clients wait until all are equal.
  void Converge() {
    workload_.Stop();
    const Time end = cluster_.world().Now() + kRecovery;
    while (truth_.violation().empty() && !Converged()) {
      if (cluster_.world().Now() > end) {
        return truth_.Violated("the cluster does not recover");
      }
      StartWhoIsDown();
      Step();
    }
    StopTheRemoved();
  }

  // One that was removed while it was away may never hear of it, nor of
  // anything else.
  void StopTheRemoved() {
    Member* const leader = cluster_.Leader();
    if (leader == nullptr) return;
    const Membership membership = leader->node()->membership();
    for (size_t i = 0; i < cluster_.size(); ++i) {
      Member* const member = &cluster_.member(i);
      if (!member->up() || IsMember(*member, membership)) continue;
      workload_.GoesDown(member);
      member->Kill();
    }
  }

  // More than half of the voters are enough, whoever they are.
  void WorkInMajority() {
    const Membership membership = cluster_.Leader()->node()->membership();
    std::vector<Member*> voters;
    std::vector<Member*> down;
    for (size_t i = 0; i < cluster_.size(); ++i) {
      Member* const member = &cluster_.member(i);
      const auto at = membership.members.find(member->id());
      if (at == membership.members.end()) continue;
      (at->second.is_learner ? down : voters).push_back(member);
    }
    // One may have been added that was never started.
    const auto all = static_cast<size_t>(std::ranges::count_if(
        membership.members,
        [](const auto& member) { return !member.second.is_learner; }));
    while (voters.size() > all / 2 + 1) {
      const size_t at = random_.Below(voters.size());
      down.push_back(voters[at]);
      voters.erase(voters.begin() + static_cast<ptrdiff_t>(at));
    }
    for (Member* const member : down) {
      workload_.GoesDown(member);
      member->Kill();
    }
    const uint64_t before = workload_.puts();
    const Time end = cluster_.world().Now() + kRecovery;
    workload_.GoOn();
    while (truth_.violation().empty() && workload_.puts() < before + 20) {
      if (cluster_.world().Now() > end) {
        return truth_.Violated("more than half of the voters do not work");
      }
      Step();
    }
  }

  void CheckEnd() {
    Member* const leader = cluster_.Leader();
    if (leader == nullptr) return truth_.Violated("nobody leads any more");
    const Membership membership = leader->node()->membership();
    for (size_t i = 0; i < cluster_.size(); ++i) {
      Member& member = cluster_.member(i);
      if (!member.up() || !IsMember(member, membership)) continue;
      if (member->membership() != membership) {
        truth_.Violated("members do not agree on who they are");
      }
      if (member->store()->revision().value() != truth_.known()) {
        truth_.Violated("a member ends at revision " +
                        std::to_string(member->store()->revision().value()) +
                        ", not " + std::to_string(truth_.known()));
      }
    }
    CompareHashes();
    workload_.CheckWatches();
  }

  Outcome Finish() {
    Outcome outcome{.violation = truth_.violation(),
                    .story = {},
                    .simulated = cluster_.world().Now()};
    outcome.operations = workload_.operations();
    outcome.failed = workload_.failed();
    outcome.revisions = static_cast<uint64_t>(truth_.known());
    outcome.watch_events = workload_.events();
    outcome.messages = cluster_.network().delivered();
    outcome.snapshots = cluster_.network().snapshots();
    outcome.elections = promises_.reigns();
    outcome.faults = nemesis_.counts();
    if (!outcome.violation.empty()) outcome.story = Story();
    for (size_t i = 0; i < cluster_.size(); ++i) {
      outcome.rots_found += cluster_.member(i).rots_found();
      workload_.GoesDown(&cluster_.member(i));
      cluster_.member(i).Kill();
    }
    return outcome;
  }

  std::string Story() {
    std::ostringstream story;
    story << "--- operations\n" << workload_.LastLines();
    story << "--- faults\n" << nemesis_.LastLines();
    story << "--- members\n";
    for (size_t i = 0; i < cluster_.size(); ++i) {
      Member& member = cluster_.member(i);
      story << member.options().name << ' ' << HexId(member.id().value());
      if (!member.up()) {
        story << " down: " << member.fatal().ToString() << "\n";
        continue;
      }
      const ReplicatorStatus status = member->replication();
      story << " term " << status.term << " leader "
            << HexId(status.leader.value()) << " last " << status.last_index
            << " committed " << status.committed << " applied "
            << member->store()->applied() << " revision "
            << member->store()->revision() << " members";
      for (const auto& [id, record] : member->membership().members) {
        story << ' ' << HexId(id.value()) << (record.is_learner ? "?" : "");
      }
      story << "\n";
    }
    return story.str();
  }

  const SimulationOptions options_;
  Random random_;
  double skew_ = 0;
  Cluster cluster_;
  Truth truth_;
  Workload workload_;
  Nemesis nemesis_;
  Promises promises_;
  uint64_t steps_ = 0;
};

}  // namespace

Outcome Simulate(const SimulationOptions& options) {
  return Simulation(options).Run();
}

}  // namespace strata::sim
