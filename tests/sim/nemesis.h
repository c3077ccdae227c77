#ifndef STRATA_TESTS_SIM_NEMESIS_H_
#define STRATA_TESTS_SIM_NEMESIS_H_

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/sim/cluster.h"

namespace strata::sim {

// What goes wrong. Each run has some of them, as its seed decides.
enum class Fault {
  kBadNetwork,   // messages are lost, late, repeated
  kIsolate,      // one member hears nobody
  kSplit,        // two halves
  kOneWay,       // one member is heard but does not hear, or the reverse
  kFlap,         // cut and healed many times
  kKill,         // kill -9
  kPowerLoss,    // what was not synced is lost, in part
  kPowerAtDisk,  // the same in the middle of a disk operation
  kAllLose,      // all members lose power
  kPause,        // a process stands still
  kSlowDisk,
  kStalledDisk,
  kFullDisk,
  kTransfer,  // the leader is asked to hand over
  kAddMember,
  kRemoveMember,
  kPromote,
  kLongDown,  // a member is away until it needs a snapshot
  kRot,       // a bit flips on a member's disk
  // Aimed: several things at the moment at which they hurt most (aimed.cc).
  kLongCut,     // a member that works is cut off until it needs a snapshot
  kInstall,     // the same, and it loses power while it installs that
  kElections,   // leaders go again and again, and those who have just voted
  kOldMail,     // a leader stands still, is deposed, and gets only old messages
  kOldLeases,   // the same, until leases have ended that are renewed elsewhere
  kCrashLoop,   // power goes off in the middle of a write, again and again
  kLoseLeader,  // with all that its slow disk has not yet
};
inline constexpr size_t kFaults = 26;
std::string_view FaultName(Fault fault);

// Brings faults over a cluster and takes them back again.
class Nemesis {
 public:
  // `goes_down` is called before a member is killed.
  Nemesis(Cluster* cluster, uint64_t seed,
          std::function<void(Member*)> goes_down);

  void Start();
  // No new faults, and all that can be are undone; members are started.
  void Recover();
  // A message was delivered.
  void Heard(const raft::Message& message);
  // A snapshot is about to come in.
  void SnapshotComes(MemberId to);
  // A member stopped itself, or its disk lost power: to be called often.
  // Returns what must not be.
  std::string Attend();

  const std::array<uint64_t, kFaults>& counts() const { return counts_; }
  uint64_t total() const;
  std::string LastLines() const;
  // Called with each line of the story.
  using OnLine = std::function<void(Time, const std::string&)>;
  void SetOnLine(OnLine on_line) { on_line_ = std::move(on_line); }

 private:
  void Schedule();
  void Strike();
  void Bring(Fault fault);
  void BringNetwork(Fault fault);
  void BringMember(Fault fault, Member* member);
  void BringMembership(Fault fault);
  Ways WaysOf(Fault fault, size_t a) const;
  // Cut now, mended after `time`.
  void CutFor(const Ways& ways, Duration time);
  void Flap(int times, const Ways& cut);
  void BringAimed(Fault fault);
  void CutLong(bool power_loss_at_install);
  void Elections(int times);
  void OldMail();
  void OldLeases();
  void CrashLoop(Member* member);
  void LoseLeader();
  // To the member and from it.
  Ways AllWays(const Member& member) const;
  Member* Find(MemberId id);
  Member* AnyUpBut(const Member* member);
  void AddMember();
  void RemoveMember();
  void Promote();
  Member* AnyUp();
  size_t CountUp() const;
  void Down(Member* member, bool power_loss);
  void StartLater(Member* member, Duration delay);
  void Later(Duration delay, std::function<void()> function);
  Duration Draw(int64_t ms_min, int64_t ms_max);
  void Tell(const std::string& line);

  Cluster* const cluster_;
  Random random_;
  const std::function<void(Member*)> goes_down_;
  std::unique_ptr<SimLoop> loop_;
  std::vector<Fault> chosen_;
  double mean_seconds_ = 3;
  bool recovering_ = false;
  bool changing_members_ = false;
  size_t added_ = 0;
  std::vector<Member*> starting_;  // to be started later
  // Losing power soon after each start, so many times more.
  std::map<Member*, int> crash_loops_;
  bool killing_voters_ = false;
  bool crash_at_install_ = false;
  OnLine on_line_;
  std::string unable_;  // why a member does not start
  std::array<uint64_t, kFaults> counts_{};
  std::vector<std::string> lines_;
};

}  // namespace strata::sim

#endif  // STRATA_TESTS_SIM_NEMESIS_H_
