#include "raft/configuration.h"

#include <utility>

namespace strata::raft {
namespace {

void Remove(MemberId member, Configuration* to) {
  to->voters.incoming.Erase(member);
  to->learners.Erase(member);
  to->learners_next.Erase(member);
}

void MakeVoter(MemberId member, Configuration* to) {
  Remove(member, to);
  to->voters.incoming.Insert(member);
}

// Who still votes in the old half learns only when that has gone: no member is
// voter and learner at once.
void MakeLearner(MemberId member, Configuration* to) {
  if (to->learners.Contains(member)) return;
  Remove(member, to);
  if (to->voters.outgoing.Contains(member)) {
    to->learners_next.Insert(member);
  } else {
    to->learners.Insert(member);
  }
}

void ApplyOne(const ConfChangeSingle& change, Configuration* to) {
  if (change.node == MemberId()) return;
  switch (change.type) {
    case ConfChangeType::kAddNode:
      return MakeVoter(change.node, to);
    case ConfChangeType::kAddLearnerNode:
      return MakeLearner(change.node, to);
    case ConfChangeType::kRemoveNode:
      return Remove(change.node, to);
    case ConfChangeType::kUpdateNode:
      return;
  }
}

StatusOr<Configuration> ApplyAll(Configuration next,
                                 const ConfChangeV2& change) {
  for (const ConfChangeSingle& single : change.changes) ApplyOne(single, &next);
  if (next.voters.incoming.empty()) {
    return FailedPreconditionError("raft: the change leaves no voter");
  }
  return next;
}

StatusOr<Configuration> LeaveJoint(Configuration next) {
  if (!next.joint()) {
    return FailedPreconditionError("raft: no joint configuration to leave");
  }
  for (MemberId member : next.learners_next) next.learners.Insert(member);
  next.learners_next = {};
  next.voters.outgoing = {};
  next.auto_leave = false;
  return next;
}

StatusOr<Configuration> EnterJoint(Configuration next,
                                   const ConfChangeV2& change) {
  if (next.voters.incoming.empty()) {
    return FailedPreconditionError("raft: no voters to be joined by others");
  }
  next.voters.outgoing = next.voters.incoming;
  next.auto_leave = change.transition != ConfChangeTransition::kJointExplicit;
  return ApplyAll(std::move(next), change);
}

}  // namespace

Configuration Configuration::From(const ConfState& state) {
  return {.voters = {.incoming = MemberSet(state.voters),
                     .outgoing = MemberSet(state.voters_outgoing)},
          .learners = MemberSet(state.learners),
          .learners_next = MemberSet(state.learners_next),
          .auto_leave = state.auto_leave};
}

ConfState Configuration::ToConfState() const {
  return {.voters = voters.incoming.members(),
          .learners = learners.members(),
          .voters_outgoing = voters.outgoing.members(),
          .learners_next = learners_next.members(),
          .auto_leave = auto_leave};
}

MemberSet Configuration::Members() const {
  MemberSet all = voters.All();
  for (MemberId member : learners) all.Insert(member);
  return all;
}

StatusOr<Configuration> ChangedBy(const Configuration& now,
                                  const ConfChangeV2& change) {
  if (change.LeavesJoint()) return LeaveJoint(now);
  if (now.joint()) {
    return FailedPreconditionError("raft: already in a joint configuration");
  }
  if (change.transition != ConfChangeTransition::kAuto ||
      change.changes.size() > 1) {
    return EnterJoint(now, change);
  }
  ASSIGN_OR_RETURN(Configuration next, ApplyAll(now, change));
  if (MemberSet::Difference(now.voters.incoming, next.voters.incoming) > 1) {
    return FailedPreconditionError("raft: more than one voter in one step");
  }
  return next;
}

std::string ToString(const Configuration& configuration) {
  std::string text = "voters=" + ToString(configuration.voters.incoming);
  if (configuration.joint()) {
    text += " outgoing=" + ToString(configuration.voters.outgoing);
  }
  if (!configuration.learners.empty()) {
    text += " learners=" + ToString(configuration.learners);
  }
  if (!configuration.learners_next.empty()) {
    text += " next=" + ToString(configuration.learners_next);
  }
  return configuration.auto_leave ? text + " auto" : text;
}

}  // namespace strata::raft
