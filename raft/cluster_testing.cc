#include "raft/cluster_testing.h"

#include <functional>
#include <sstream>

#include "base/bytes.h"
#include "base/check.h"

namespace strata::raft {
namespace {

std::string Who(const Cluster::Node& node) {
  std::ostringstream text;
  text << node.id << ": ";
  return text.str();
}

std::string EncodeDigest(uint64_t digest) {
  std::string bytes;
  AppendBig64(&bytes, digest);
  return bytes;
}

}  // namespace

Cluster::Cluster(const ClusterOptions& options) : options_(options) {
  const uint64_t members = options.voters + options.learners;
  nodes_.resize(members + options.spares);
  for (uint64_t i = 1; i <= members; ++i) {
    (i <= options.voters ? first_members_.voters : first_members_.learners)
        .push_back(MemberId(i));
  }
  invariants_.StartWith(first_members_);
  for (size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[i].id = MemberId(i + 1);
    Start(&nodes_[i]);
  }
}

void Cluster::Start(Node* node) {
  RaftOptions options = options_.raft;
  options.id = node->id;
  options.random_seed =
      options_.seed * 1000003 + node->id.value() * 1009 + node->lives++;
  const Snapshot& snapshot = node->disk.snapshot();
  node->machine = {.digest = 0, .applied = {}, .members = first_members_};
  if (snapshot.metadata.index != LogIndex()) {
    node->machine = {.digest = LoadBig64(snapshot.data.data()),
                     .applied = snapshot.metadata.index,
                     .members = snapshot.metadata.conf_state};
  }
  const RaftStart start{.hard_state = node->disk.hard_state,
                        .applied = node->machine.applied,
                        .conf_state = node->machine.members};
  node->raft = std::make_unique<Raft>(options, start, &node->disk);
}

void Cluster::Preset(MemberId id, const std::vector<Term>& terms,
                     const HardState& hard_state) {
  Node& it = node(id);
  std::vector<Entry> entries;
  for (Term term : terms) {
    entries.push_back({.term = term, .index = LogIndex(entries.size() + 1)});
  }
  it.disk.Append(std::move(entries));
  it.disk.hard_state = hard_state;
  Start(&it);
  Pump(id);
}

MemberId Cluster::LeaderNow() const {
  MemberId leader;
  Term term;
  for (const Node& node : nodes_) {
    if (node.raft == nullptr || !node.raft->is_leader()) continue;
    if (node.raft->term() < term) continue;
    leader = node.id;
    term = node.raft->term();
  }
  return leader;
}

void Cluster::Violated(const std::string& what) {
  if (violation_.empty()) violation_ = what;
}

void Cluster::Check() {
  if (!options_.check || !violation_.empty()) return;
  std::vector<MemberView> views;
  for (const Node& node : nodes_) {
    views.push_back(
        {.id = node.id, .raft = node.raft.get(), .storage = &node.disk});
  }
  Violated(invariants_.Check(views));
}

void Cluster::Tick(MemberId id) {
  raft(id)->Tick();
  Pump(id);
}

void Cluster::Campaign(MemberId id) {
  raft(id)->Campaign();
  Pump(id);
}

Status Cluster::Propose(MemberId id, std::string data) {
  return raft(id)->Propose(std::move(data));
}

Status Cluster::ProposeConfChange(MemberId id, const ConfChangeV2& change) {
  // In the older form where it has one, as etcd does.
  if (change.transition != ConfChangeTransition::kAuto ||
      change.changes.size() != 1) {
    return raft(id)->ProposeConfChange(change);
  }
  return raft(id)->ProposeConfChange(ConfChange{
      .type = change.changes[0].type, .node = change.changes[0].node});
}

void Cluster::Read(MemberId id, ReadId read) {
  if (!raft(id)->ReadIndex(read).ok()) return;
  node(id).reads[read] = invariants_.committed();
}

void Cluster::Transfer(MemberId id, MemberId to) {
  raft(id)->TransferLeadership(to);
  Pump(id);
}

void Cluster::Pump(MemberId id) {
  Node& it = node(id);
  while (TakeOutput(&it)) {
    Check();
    if (options_.auto_disk) Persist(id, it.to_persist.size());
    if (options_.auto_apply) Apply(id, it.to_apply.size());
  }
  Check();
}

// False if there was nothing.
bool Cluster::TakeOutput(Node* node) {
  node->raft->TakeOutput(&output_);
  if (output_.empty()) return false;
  for (Message& message : output_.messages) Emit(node, std::move(message));
  if (output_.snapshot) node->to_apply.push_back({output_.snapshot, {}});
  for (Entry& entry : output_.committed) {
    node->to_apply.push_back({std::nullopt, std::move(entry)});
  }
  AnswerReads(node, output_);
  if (output_.soft_state) {
    std::ostringstream text;
    text << Who(*node) << ToString(output_.soft_state->role) << " of term "
         << output_.soft_state->term;
    const MemberId leader = output_.soft_state->leader;
    if (leader != MemberId() && leader != node->id) text << " under " << leader;
    Tell(text.str());
  }
  if (output_.sequence != OutputSequence()) {
    node->to_persist.push_back({.sequence = output_.sequence,
                                .must_sync = output_.must_sync,
                                .snapshot = std::move(output_.snapshot),
                                .hard_state = output_.hard_state,
                                .entries = std::exchange(output_.entries, {})});
  }
  return true;
}

void Cluster::AnswerReads(Node* node, const Output& output) {
  for (const SafeRead& read : output.reads) {
    std::ostringstream text;
    text << Who(*node) << "read " << read.id << " at " << read.index;
    Tell(text.str());
    auto asked = node->reads.find(read.id);
    if (asked == node->reads.end()) {
      Violated(text.str() + ": nobody asked");
      continue;
    }
    Violated(Invariants::SeeRead(asked->second, read.index));
    node->reads.erase(asked);
  }
  for (ReadId lost : output.lost_reads) {
    Tell(Who(*node) + "read " + std::to_string(lost.value()) + " is lost");
    node->reads.erase(lost);
  }
}

// The shell completes a snapshot: of the state as it is now, for the one that
// it has may be older than the membership of the receiver.
void Cluster::Emit(Node* node, Message message) {
  Violated(invariants_.SeeMessage(message));
  if (message.type == MessageType::kSnapshot) {
    message.snapshot = StateNow(*node);
  }
  network_.push_back(std::move(message));
}

Snapshot Cluster::StateNow(const Node& node) {
  const Machine& machine = node.machine;
  return {.data = EncodeDigest(machine.digest),
          .metadata = {.conf_state = machine.members,
                       .index = machine.applied,
                       .term = *node.raft->log().TermAt(machine.applied)}};
}

void Cluster::Persist(MemberId id, size_t count, bool acknowledge) {
  Node& it = node(id);
  for (; count > 0 && !it.to_persist.empty(); --count) {
    ToPersist next = std::move(it.to_persist.front());
    it.to_persist.pop_front();
    if (next.snapshot) it.disk.Install(*next.snapshot);
    if (next.hard_state) it.disk.hard_state = *next.hard_state;
    if (!next.entries.empty() &&
        (next.entries.front().index > it.disk.LastIndex() + 1 ||
         next.entries.front().index < it.disk.FirstIndex())) {
      return Violated(Who(it) + "its log would not fit to what is on disk");
    }
    it.disk.Append(std::move(next.entries));
    if (acknowledge) it.raft->Persisted(next.sequence);
  }
  Check();
}

void Cluster::Apply(MemberId id, size_t count) {
  Node& it = node(id);
  while (count > 0 && ApplyOne(&it)) --count;
  Check();
}

bool Cluster::ApplyOne(Node* node) {
  if (node->to_apply.empty()) return false;
  ToApply& next = node->to_apply.front();
  if (next.snapshot) {
    const SnapshotMetadata& metadata = next.snapshot->metadata;
    // It has to be on disk first.
    if (node->disk.snapshot().metadata.index < metadata.index) return false;
    node->machine = {.digest = LoadBig64(next.snapshot->data.data()),
                     .applied = metadata.index,
                     .members = metadata.conf_state};
    Tell(Who(*node) + "installed " + std::to_string(metadata.index.value()));
    Violated(invariants_.SeeState(metadata.index, node->machine.digest));
  } else if (next.entry.index > node->machine.applied) {
    ApplyEntry(node, next.entry);
  }
  node->to_apply.pop_front();
  if (node->machine.applied >= node->raft->log().applied() &&
      node->machine.applied <= node->raft->log().applying()) {
    node->raft->Applied(node->machine.applied);
  }
  return true;
}

void Cluster::ApplyEntry(Node* node, const Entry& entry) {
  Machine& machine = node->machine;
  machine.digest = machine.digest * 31 + std::hash<std::string>()(entry.data) +
                   entry.term.value();
  if (entry.index != machine.applied + 1) {
    Violated(Who(*node) + "applies " + Describe(entry) + " out of order");
  }
  machine.applied = entry.index;
  if (!entry.data.empty() || entry.type != EntryType::kNormal) {
    Tell(Who(*node) + "applies " + Describe(entry));
  }
  Violated(invariants_.SeeState(entry.index, machine.digest));
  if (entry.type == EntryType::kNormal) return;
  const StatusOr<ConfChangeV2> change = DecodeConfChangeEntry(entry);
  CHECK_OK(change.status());
  const StatusOr<ConfState> members = node->raft->ApplyConfChange(*change);
  if (!members.ok()) {
    return Tell(Who(*node) + members.status().message());
  }
  machine.members = *members;
  Tell(Who(*node) + ToString(Configuration::From(*members)));
  Violated(invariants_.SeeConfiguration(entry.index, *members));
}

void Cluster::SaveSnapshot(MemberId id, uint64_t keep) {
  Node& it = node(id);
  const LogIndex applied = it.machine.applied;
  // Only what the log on disk has too.
  if (applied > it.disk.LastIndex() || applied > it.raft->log().stable() ||
      applied <= it.disk.snapshot().metadata.index) {
    return;
  }
  it.disk.Save(StateNow(it));
  if (applied > LogIndex(keep)) it.disk.CompactTo(applied - keep);
  Check();
}

void Cluster::Crash(MemberId id) {
  Node& it = node(id);
  it.raft.reset();
  it.to_persist.clear();
  it.to_apply.clear();
  it.reads.clear();
  Check();
}

void Cluster::Restart(MemberId id) {
  Start(&node(id));
  Pump(id);
}

void Cluster::ReportIfSnapshot(const Message& message, bool ok) {
  if (message.type != MessageType::kSnapshot) return;
  if (raft(message.from) == nullptr) return;
  raft(message.from)->ReportSnapshot(message.to, ok);
  Pump(message.from);
}

void Cluster::Deliver(size_t at) {
  Message message = std::move(network_[at]);
  network_.erase(network_.begin() + static_cast<ptrdiff_t>(at));
  const bool cut = cuts_.contains({message.from, message.to});
  Raft* to = message.to.value() <= nodes_.size() ? raft(message.to) : nullptr;
  if (cut || to == nullptr) return ReportIfSnapshot(message, false);
  Tell(Describe(message));
  const MemberId id = message.to;
  if (options_.through_bytes) {
    StatusOr<Message> decoded = DecodeMessage(EncodeMessage(message));
    CHECK_OK(decoded.status());
    if (*decoded != message)
      Violated("not the same bytes: " + Describe(message));
  }
  const Message sent = {
      .type = message.type, .to = message.to, .from = message.from};
  const Status stepped = to->Step(std::move(message));
  if (!stepped.ok()) {
    Tell(Who(node(id)) + stepped.message());
    Violated(stepped.ToString());
  }
  Pump(id);
  ReportIfSnapshot(sent, true);
}

void Cluster::Drop(size_t at) {
  Message message = std::move(network_[at]);
  network_.erase(network_.begin() + static_cast<ptrdiff_t>(at));
  ReportIfSnapshot(message, false);
}

void Cluster::Settle() {
  // Enough for every story; a storm of messages would be a fault.
  for (int steps = 0; !network_.empty() && violation_.empty(); ++steps) {
    CHECK_LT(steps, 100000) << "messages without end";
    Deliver(0);
  }
}

}  // namespace strata::raft
