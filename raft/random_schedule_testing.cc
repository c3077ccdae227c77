#include "raft/random_schedule_testing.h"

#include <algorithm>
#include <sstream>

namespace strata::raft {
namespace {

constexpr size_t kMaxNetwork = 300;
constexpr size_t kMaxLines = 100;

}  // namespace

RandomSchedule::RandomSchedule(uint64_t seed, const PlantedBugs* bugs)
    : random_(seed), cluster_(Options(seed, bugs, &random_)) {
  network_ = random_.Between(40, 75);
  faults_ = random_.Between(1, 6);
  admin_ = random_.Between(1, 6);
  loss_ = random_.OneIn(3) ? 0 : random_.Below(20);
  disorder_ = random_.OneIn(3) ? 0 : random_.Below(60);
  apply_by_hand_ = random_.OneIn(2);
  churn_ = random_.OneIn(3);
}

ClusterOptions RandomSchedule::Options(uint64_t seed, const PlantedBugs* bugs,
                                       Random* random) {
  ClusterOptions options{.voters = random->Between(2, 5),
                         .learners = random->Below(2),
                         .spares = random->Below(3),
                         .seed = seed,
                         .auto_disk = false,
                         .auto_apply = false,
                         .through_bytes = true};
  RaftOptions& raft = options.raft;
  raft.election_ticks = 5;
  raft.heartbeat_ticks = static_cast<uint32_t>(random->Between(1, 3));
  raft.pre_vote = random->OneIn(2);
  raft.check_quorum = random->OneIn(2);
  raft.apply_unpersisted = random->OneIn(2);
  raft.max_append_bytes = random->OneIn(2) ? 100 : 10000;
  raft.max_inflight_appends = random->Between(1, 8);
  raft.max_uncommitted_bytes = 2000;
  raft.max_applying_bytes = 500;
  raft.cache_bytes = random->OneIn(2) ? 0 : 1 << 20;
  raft.planted_bugs = bugs;
  return options;
}

Cluster::Node* RandomSchedule::Any() {
  return &cluster_.nodes()[random_.Below(cluster_.nodes().size())];
}

Cluster::Node* RandomSchedule::AnyUp() {
  Cluster::Node* node = Any();
  return node->raft != nullptr ? node : nullptr;
}

void RandomSchedule::Remember() {
  std::istringstream story(cluster_.TakeStory());
  for (std::string line; std::getline(story, line);) {
    lines_.push_back(line);
    if (lines_.size() > kMaxLines) lines_.pop_front();
  }
}

std::string RandomSchedule::LastLines() const {
  std::ostringstream text;
  for (const std::string& line : lines_) text << line << "\n";
  for (const Cluster::Node& node : const_cast<Cluster&>(cluster_).nodes()) {
    text << node.id << ": ";
    if (node.raft == nullptr) {
      text << "down\n";
      continue;
    }
    const Raft& raft = *node.raft;
    text << ToString(raft.role_name()) << " term " << raft.term() << " last "
         << raft.log().last_index() << " commit " << raft.log().committed()
         << " applied " << raft.log().applied() << ' '
         << ToString(raft.configuration()) << "\n";
    if (!raft.is_leader()) continue;
    for (const Peer& peer : std::get<Leader>(raft.role()).peers) {
      text << "  " << peer.id << ": " << ToString(peer.progress) << "\n";
    }
  }
  return text.str();
}

std::string RandomSchedule::Run(int steps) {
  for (int step = 0; step < steps; ++step) {
    Step();
    Remember();
    if (!cluster_.violation().empty()) {
      return cluster_.violation() + " (step " + std::to_string(step) + ")";
    }
  }
  return Recover();
}

void RandomSchedule::Step() {
  const uint64_t draw = random_.Below(100);
  if (draw < network_) {
    StepNetwork();
  } else if (draw < network_ + faults_) {
    StepFault();
  } else if (draw < network_ + faults_ + admin_) {
    StepAdmin();
  } else {
    StepMember();
  }
}

void RandomSchedule::StepNetwork() {
  std::vector<Message>& network = cluster_.network();
  while (network.size() > kMaxNetwork) cluster_.Drop(0);
  if (network.empty()) return;
  // Mostly in order, at times anything.
  const size_t window = random_.Below(100) < disorder_ ? network.size() : 1;
  const size_t at = random_.Below(std::min(window, network.size()));
  if (random_.Below(100) < loss_) return cluster_.Drop(at);
  if (random_.OneIn(20)) cluster_.Duplicate(at);
  cluster_.Deliver(at);
}

void RandomSchedule::StepMember() {
  Cluster::Node* node = AnyUp();
  if (node == nullptr) return;
  const uint64_t draw = random_.Below(100);
  if (draw < 15) {
    cluster_.Tick(node->id);
  } else if (draw < 40) {
    // Refused or lost is as good as done.
    cluster_.Propose(node->id, "x" + std::to_string(next_++)).IgnoreError();
    if (random_.OneIn(2)) cluster_.Pump(node->id);
  } else if (draw < 50) {
    ++counts_.reads;
    cluster_.Read(node->id, ReadId(next_++));
    cluster_.Pump(node->id);
  } else if (draw < 75) {
    cluster_.Persist(node->id, random_.Between(1, 3));
    cluster_.Pump(node->id);
  } else {
    cluster_.Apply(node->id, random_.Between(1, apply_by_hand_ ? 2 : 100));
    cluster_.Pump(node->id);
  }
}

void RandomSchedule::StepFault() {
  Cluster::Node* node = Any();
  const uint64_t draw = churn_ ? random_.Between(4, 30) : random_.Below(10);
  if (node->raft == nullptr) {
    cluster_.Restart(node->id);
  } else if (draw < 3) {
    ++counts_.crashes;
    // Some of it may have reached the disk, though nobody was told.
    cluster_.Persist(node->id, random_.Below(3), /*acknowledge=*/false);
    cluster_.Crash(node->id);
  } else if (draw < 6) {
    Cut();
  } else if (draw < 7) {
    node->raft->ReportUnreachable(Any()->id);
    cluster_.Pump(node->id);
  } else {
    cluster_.Campaign(node->id);
  }
}

void RandomSchedule::Cut() {
  if (!cluster_.cuts().empty() && random_.OneIn(2)) {
    return cluster_.cuts().clear();
  }
  const MemberId one = Any()->id;
  if (random_.OneIn(2)) {  // one way
    cluster_.cuts().insert({one, Any()->id});
    return;
  }
  for (const Cluster::Node& node : cluster_.nodes()) {
    cluster_.cuts().insert({one, node.id});
    cluster_.cuts().insert({node.id, one});
  }
}

void RandomSchedule::StepAdmin() {
  Cluster::Node* node = AnyUp();
  if (node == nullptr) return;
  const uint64_t draw = random_.Below(10);
  if (draw < 4) {
    ++counts_.snapshots;
    cluster_.SaveSnapshot(node->id, random_.Below(5));
  } else if (draw < 6) {
    cluster_.Transfer(node->id, Any()->id);
  } else {
    const MemberId leader = cluster_.LeaderNow();
    ChangeMembers(leader == MemberId() ? node->id : leader);
  }
}

void RandomSchedule::ChangeMembers(MemberId at) {
  ConfChangeV2 change;
  if (cluster_.raft(at)->configuration().joint()) {
    cluster_.ProposeConfChange(at, change).IgnoreError();
    return cluster_.Pump(at);
  }
  change.transition = static_cast<ConfChangeTransition>(random_.Below(3));
  static constexpr ConfChangeType kTypes[] = {ConfChangeType::kAddNode,
                                              ConfChangeType::kRemoveNode,
                                              ConfChangeType::kAddLearnerNode};
  for (uint64_t i = random_.Between(1, 3); i > 0; --i) {
    change.changes.push_back(
        {.type = kTypes[random_.Below(3)], .node = Any()->id});
  }
  if (cluster_.ProposeConfChange(at, change).ok()) ++counts_.changes;
  cluster_.Pump(at);
}

// All is well from now on: within a bounded time there is a leader, it ends
// what joint configuration there is, and all its members apply what it has.
std::string RandomSchedule::Recover() {
  cluster_.cuts().clear();
  for (Cluster::Node& node : cluster_.nodes()) {
    if (node.raft == nullptr) cluster_.Restart(node.id);
  }
  for (int round = 0; round < 400; ++round) {
    RoundWithoutFaults(round);
    Remember();
    if (!cluster_.violation().empty()) {
      return cluster_.violation() + " (recovering)";
    }
    const MemberId leader = cluster_.LeaderNow();
    if (round > 100 && leader != MemberId() && Caught(leader)) return "";
  }
  return "the cluster does not recover";
}

void RandomSchedule::RoundWithoutFaults(int round) {
  for (Cluster::Node& node : cluster_.nodes()) cluster_.Tick(node.id);
  for (size_t n = cluster_.network().size(); n > 0; --n) {
    if (!cluster_.network().empty()) cluster_.Deliver(0);
  }
  for (Cluster::Node& node : cluster_.nodes()) {
    cluster_.Persist(node.id, node.to_persist.size());
    cluster_.Pump(node.id);
    cluster_.Apply(node.id, node.to_apply.size());
    cluster_.Pump(node.id);
  }
  const MemberId leader = cluster_.LeaderNow();
  if (leader == MemberId()) return;
  if (round == 100) cluster_.Propose(leader, "at last").IgnoreError();
  if (cluster_.raft(leader)->configuration().joint()) {
    cluster_.ProposeConfChange(leader, ConfChangeV2()).IgnoreError();
  }
  cluster_.Pump(leader);
}

bool RandomSchedule::Caught(MemberId leader) const {
  Cluster& cluster = const_cast<Cluster&>(cluster_);
  const Raft& raft = *cluster.raft(leader);
  const LogIndex last = raft.log().last_index();
  if (raft.configuration().joint() || raft.log().applied() != last) {
    return false;
  }
  for (MemberId member : raft.configuration().Members()) {
    if (cluster.node(member).machine.applied != last) return false;
  }
  return true;
}

RandomSchedule::Counts RandomSchedule::counts() const {
  Counts counts = counts_;
  counts.committed = cluster_.committed().value();
  for (const Cluster::Node& node : const_cast<Cluster&>(cluster_).nodes()) {
    if (node.raft != nullptr) {
      counts.elections = std::max(counts.elections, node.raft->term().value());
    }
  }
  return counts;
}

}  // namespace strata::raft
