#include <utility>

#include "tests/sim/nemesis.h"

// Faults that are several things at once, at the moment at which a mistake in
// the protocol or in the log would show. Chance alone brings them together too
// seldom.
namespace strata::sim {

Ways Nemesis::AllWays(const Member& member) const {
  Ways ways;
  for (size_t i = 0; i < cluster_->size(); ++i) {
    const MemberId other = cluster_->member(i).id();
    if (other == member.id()) continue;
    ways.insert(ways.end(), {{member.id(), other}, {other, member.id()}});
  }
  return ways;
}

Member* Nemesis::Find(MemberId id) {
  for (size_t i = 0; i < cluster_->size(); ++i) {
    if (cluster_->member(i).id() == id) return &cluster_->member(i);
  }
  return nullptr;
}

Member* Nemesis::AnyUpBut(const Member* member) {
  const size_t first = random_.Below(cluster_->size());
  for (size_t i = 0; i < cluster_->size(); ++i) {
    Member& other = cluster_->member((first + i) % cluster_->size());
    if (other.up() && &other != member) return &other;
  }
  return nullptr;
}

void Nemesis::BringAimed(Fault fault) {
  Tell(std::string(FaultName(fault)));
  switch (fault) {
    case Fault::kLongCut:
      return CutLong(/*power_loss_at_install=*/false);
    case Fault::kInstall:
      return CutLong(/*power_loss_at_install=*/true);
    case Fault::kElections:
      return Elections(8);
    case Fault::kOldMail:
      return OldMail();
    case Fault::kOldLeases:
      return OldLeases();
    case Fault::kLoseLeader:
      return LoseLeader();
    default: {
      Member* const member = AnyUp();
      if (member == nullptr || crash_loops_[member] > 0) return;
      // What gathers behind a slow disk is written at once.
      member->SetDiskDelay(Draw(1, 50), {});
      crash_loops_[member] = static_cast<int>(random_.Between(3, 10));
      CrashLoop(member);
    }
  }
}

void Nemesis::CutLong(bool power_loss_at_install) {
  Member* const member = AnyUp();
  if (member == nullptr) return;
  if (power_loss_at_install) crash_at_install_ = true;
  CutFor(AllWays(*member), Draw(4000, 15000));
}

void Nemesis::SnapshotComes(MemberId to) {
  Member* const member = Find(to);
  if (recovering_ || !crash_at_install_ || member == nullptr) return;
  if (random_.OneIn(4)) crash_at_install_ = false;
  Tell("power will go off while " + member->options().name + " installs");
  // The log is behind the database.
  if (random_.OneIn(2)) {
    member->SetDiskDelay(Draw(20, 300), {});
    Later(std::chrono::seconds(1), [member] { member->SetDiskDelay({}, {}); });
  }
  member->LosePowerAt(random_.Between(1, 30));
}

// The requests of two candidates are under way at once, and a voter forgets
// what it did not make durable between them.
void Nemesis::Elections(int times) {
  Network& network = cluster_->network();
  killing_voters_ = times > 0;
  if (times == 0) return network.SetFaults({});
  network.SetFaults({.vote_delay_max = Draw(100, 900)});
  Member* const leader = cluster_->Leader();
  if (leader != nullptr && leader->up()) {
    Tell("kill the leader " + leader->options().name);
    Down(leader, random_.OneIn(2));
    StartLater(leader, Draw(10, 900));
  }
  Later(Draw(800, 2200), [this, times] { Elections(times - 1); });
}

void Nemesis::Heard(const raft::Message& message) {
  if (!killing_voters_ || recovering_ || message.reject ||
      message.type != raft::MessageType::kVoteResponse || random_.OneIn(3)) {
    return;
  }
  Member* const voter = Find(message.from);
  if (voter == nullptr) return;
  Later(Duration::zero(), [this, voter] {
    if (!voter->up() || CountUp() <= 1) return;
    Tell("power " + voter->options().name + ", which has voted");
    Down(voter, /*power_loss=*/true);
    StartLater(voter, Draw(1, 50));
  });
}

// A leader that stands still does not see that it is deposed. What it was sent
// before comes when it goes on; what is sent after does not.
void Nemesis::OldMail() {
  Member* const leader = cluster_->Leader();
  Member* const other = AnyUpBut(leader);
  if (leader == nullptr || other == nullptr || leader->paused()) return;
  Network& network = cluster_->network();
  network.Hold(other->id(), leader->id());
  const Ways ways = AllWays(*leader);
  const Duration still = Draw(50, 400);
  const Duration resume = still + Draw(1300, 5000);
  // Sometimes it hears of all before it goes on.
  const Duration heal =
      random_.OneIn(3) ? resume - Draw(10, 200) : resume + Draw(500, 9000);
  Later(still, [this, leader, ways] {
    cluster_->network().Cut(ways);
    leader->Pause();
  });
  Later(resume, [this, leader] {
    Tell(leader->options().name + " goes on");
    leader->Resume(random_.OneIn(2));
  });
  Later(resume + Draw(10, 200),
        [this] { cluster_->network().ReleaseHeld(Draw(100, 1200)); });
  Later(heal, [this, ways] {
    Tell("healed");
    cluster_->network().Mend(ways);
  });
}

// A leader stands still until leases have ended by its clock that are renewed
// at the next one. When it goes on, it finds both: that they have ended, and
// that it has been deposed.
void Nemesis::OldLeases() {
  Member* const leader = cluster_->Leader();
  if (leader == nullptr || leader->paused()) return;
  const Ways ways = AllWays(*leader);
  cluster_->network().Cut(ways);
  leader->Pause();
  const Duration still = Draw(2500, 8000);
  Later(still - Draw(50, 500), [this, ways] {
    Tell("healed");
    cluster_->network().Mend(ways);
  });
  Later(still, [this, leader] {
    Tell(leader->options().name + " goes on");
    leader->Resume(!random_.OneIn(4));
  });
}

// After each start, until it has had enough.
void Nemesis::CrashLoop(Member* member) {
  int& times = crash_loops_[member];
  if (times == 0) return;
  if (--times == 0) return member->SetDiskDelay({}, {});
  member->LosePowerAt(random_.Between(1, 12));
}

// A quorum of the leader and one more has what the leader's own disk lacks.
// Then the leader loses power and that one is cut off: what was acknowledged
// must be there all the same.
void Nemesis::LoseLeader() {
  Member* const leader = cluster_->Leader();
  Member* const behind = AnyUpBut(leader);
  if (leader == nullptr || behind == nullptr || cluster_->size() < 3) return;
  const Ways late = {{leader->id(), behind->id()}};
  cluster_->network().Cut(late);
  leader->SetDiskDelay(Draw(50, 400), {});
  Later(Draw(300, 900), [this, leader, behind, late] {
    leader->SetDiskDelay({}, {});
    cluster_->network().Mend(late);
    if (!leader->up()) return;
    for (size_t i = 0; i < cluster_->size(); ++i) {
      Member& member = cluster_->member(i);
      if (&member == leader || &member == behind) continue;
      if (cluster_->size() < 4 || random_.OneIn(2)) {
        CutFor(AllWays(member), Draw(1500, 4000));
      }
    }
    Down(leader, /*power_loss=*/true);
    StartLater(leader, Draw(1, 100));
  });
}

}  // namespace strata::sim
