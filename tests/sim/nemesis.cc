#include "tests/sim/nemesis.h"

#include <algorithm>
#include <numeric>
#include <sstream>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"

namespace strata::sim {
namespace {

constexpr size_t kLines = 60;
constexpr size_t kMaxMembers = 5;

constexpr std::array<std::string_view, kFaults> kNames = {
    "bad network", "isolate",   "split",      "one way",    "flap",
    "kill",        "power",     "power@disk", "all power",  "pause",
    "slow disk",   "stall",     "full disk",  "transfer",   "add",
    "remove",      "promote",   "long down",  "rot",        "long cut",
    "install",     "elections", "old mail",   "old leases", "crash loop",
    "lose leader"};

}  // namespace

std::string_view FaultName(Fault fault) {
  return kNames[static_cast<size_t>(fault)];
}

Nemesis::Nemesis(Cluster* cluster, uint64_t seed,
                 std::function<void(Member*)> goes_down)
    : cluster_(cluster),
      random_(seed),
      goes_down_(std::move(goes_down)),
      loop_(cluster->world().NewLoop("nemesis")) {
  // Some of all, so that what one hides another run shows.
  for (size_t i = 0; i < kFaults; ++i) {
    if (random_.OneIn(2)) chosen_.push_back(static_cast<Fault>(i));
  }
  if (chosen_.empty()) chosen_.push_back(Fault::kKill);
  // One that is aimed comes more often.
  const auto first = static_cast<uint64_t>(Fault::kLongCut);
  const auto focus = static_cast<Fault>(random_.Between(first, kFaults - 1));
  chosen_.insert(chosen_.end(), chosen_.size() / 3, focus);
  mean_seconds_ = 0.5 + 4 * random_.Fraction();
}

void Nemesis::Tell(const std::string& line) {
  std::ostringstream text;
  text.precision(3);
  text << std::fixed
       << std::chrono::duration<double>(cluster_->world().Now()).count() << ' '
       << line;
  if (on_line_) on_line_(cluster_->world().Now(), line);
  lines_.push_back(text.str());
  if (lines_.size() > kLines) lines_.erase(lines_.begin());
}

std::string Nemesis::LastLines() const {
  std::string text;
  for (const std::string& line : lines_) text += line + "\n";
  return text;
}

uint64_t Nemesis::total() const {
  return std::accumulate(counts_.begin(), counts_.end(), uint64_t{0});
}

Duration Nemesis::Draw(int64_t ms_min, int64_t ms_max) {
  return std::chrono::milliseconds(random_.Between(
      static_cast<uint64_t>(ms_min), static_cast<uint64_t>(ms_max)));
}

void Nemesis::Later(Duration delay, std::function<void()> function) {
  loop_->After(delay, [this, function = std::move(function)] {
    if (!recovering_) function();
  });
}

void Nemesis::Start() { Schedule(); }

void Nemesis::Schedule() {
  Later(Draw(100, static_cast<int64_t>(2000 * mean_seconds_)),
        [this] { Strike(); });
}

void Nemesis::Strike() {
  const Fault fault = chosen_[random_.Below(chosen_.size())];
  ++counts_[static_cast<size_t>(fault)];
  Bring(fault);
  Schedule();
}

Member* Nemesis::AnyUp() {
  const size_t first = random_.Below(cluster_->size());
  for (size_t i = 0; i < cluster_->size(); ++i) {
    Member& member = cluster_->member((first + i) % cluster_->size());
    if (member.up()) return &member;
  }
  return nullptr;
}

size_t Nemesis::CountUp() const {
  size_t up = 0;
  for (size_t i = 0; i < cluster_->size(); ++i) {
    up += cluster_->member(i).up() ? 1 : 0;
  }
  return up;
}

void Nemesis::Bring(Fault fault) {
  switch (fault) {
    case Fault::kBadNetwork:
    case Fault::kIsolate:
    case Fault::kSplit:
    case Fault::kOneWay:
    case Fault::kFlap:
      return BringNetwork(fault);
    case Fault::kAllLose:
      Tell("all lose power");
      for (size_t i = 0; i < cluster_->size(); ++i) {
        Member* const member = &cluster_->member(i);
        if (!member->up()) continue;
        Down(member, /*power_loss=*/true);
        StartLater(member, Draw(10, 2000));
      }
      return;
    case Fault::kAddMember:
    case Fault::kRemoveMember:
    case Fault::kPromote:
      return BringMembership(fault);
    case Fault::kLongCut:
    case Fault::kInstall:
    case Fault::kElections:
    case Fault::kOldMail:
    case Fault::kOldLeases:
    case Fault::kCrashLoop:
    case Fault::kLoseLeader:
      return BringAimed(fault);
    default:
      Member* const member = AnyUp();
      if (member != nullptr) BringMember(fault, member);
  }
}

void Nemesis::BringNetwork(Fault fault) {
  Network& network = cluster_->network();
  const size_t a = random_.Below(cluster_->size());
  const Duration time = Draw(200, 6000);
  Tell(std::string(FaultName(fault)) + " " +
       cluster_->member(a).options().name);
  if (fault == Fault::kFlap) return Flap(10, {});
  if (fault == Fault::kBadNetwork) {
    network.SetFaults({.delay_min = std::chrono::microseconds(100),
                       .delay_max = Draw(1, 100),
                       .lost = random_.Below(200),
                       .repeated = random_.Below(100),
                       .late = random_.Below(200)});
    return Later(time, [&network] { network.SetFaults({}); });
  }
  CutFor(WaysOf(fault, a), time);
}

Ways Nemesis::WaysOf(Fault fault, size_t a) const {
  Ways ways;
  const MemberId first = cluster_->member(a).id();
  const size_t beside = (a + 1) % cluster_->size();
  for (size_t b = 0; b < cluster_->size(); ++b) {
    const MemberId other = cluster_->member(b).id();
    if (first == other) continue;
    if (fault == Fault::kOneWay) {
      ways.push_back(a % 2 == 0 ? std::pair(first, other)
                                : std::pair(other, first));
    } else if (fault == Fault::kIsolate) {
      ways.insert(ways.end(), {{first, other}, {other, first}});
    } else if (b != beside) {
      // a and the one after it against the rest.
      for (const MemberId side : {first, cluster_->member(beside).id()}) {
        ways.insert(ways.end(), {{side, other}, {other, side}});
      }
    }
  }
  return ways;
}

void Nemesis::CutFor(const Ways& ways, Duration time) {
  cluster_->network().Cut(ways);
  Later(time, [this, ways] {
    Tell("healed");
    cluster_->network().Mend(ways);
  });
}

void Nemesis::Flap(int times, const Ways& cut) {
  cluster_->network().Mend(cut);
  if (times == 0) return;
  Ways next;
  if (times % 2 == 0) {
    next = AllWays(cluster_->member(random_.Below(cluster_->size())));
    cluster_->network().Cut(next);
  }
  Later(Draw(50, 800), [this, times, next] { Flap(times - 1, next); });
}

void Nemesis::Down(Member* member, bool power_loss) {
  goes_down_(member);
  if (power_loss) {
    member->LosePower(random_.Next());
  } else {
    member->Kill();
  }
}

void Nemesis::StartLater(Member* member, Duration delay) {
  starting_.push_back(member);
  Later(delay, [this, member] {
    if (member->up()) return;
    Tell("start " + member->options().name);
    member->env()->SetCapacity(UINT64_MAX);
    std::erase(starting_, member);
    const Status started = member->Start();
    if (started.ok()) return CrashLoop(member);
    // It lost power while it started.
    if (member->powered_off()) return StartLater(member, Draw(10, 1000));
    Tell("does not start: " + started.message());
    if (started.code() == Code::kDataLoss) {
      unable_ =
          member->options().name + " does not start: " + started.message();
    }
  });
}

void Nemesis::BringMember(Fault fault, Member* member) {
  Tell(std::string(FaultName(fault)) + " " + member->options().name);
  switch (fault) {
    case Fault::kKill:
    case Fault::kPowerLoss:
      Down(member, fault == Fault::kPowerLoss);
      return StartLater(member, Draw(0, 3000));
    case Fault::kLongDown:
      Down(member, random_.OneIn(2));
      return StartLater(member, Draw(5000, 15000));
    case Fault::kRot:
      Down(member, random_.OneIn(2));
      member->Rot(&random_);
      return StartLater(member, Draw(0, 1000));
    case Fault::kPowerAtDisk:
      return member->LosePowerAt(random_.Between(1, 60));
    case Fault::kPause:
      member->Pause();
      return Later(Draw(100, 6000),
                   [this, member] { member->Resume(random_.OneIn(2)); });
    case Fault::kSlowDisk:
      member->SetDiskDelay(Draw(1, 100), Draw(1, 200));
      return Later(Draw(500, 6000), [member] {
        member->SetDiskDelay(std::chrono::microseconds(300), {});
      });
    case Fault::kStalledDisk:
      return member->StallDisk(Draw(500, 6000));
    case Fault::kFullDisk:
      member->env()->SetCapacity(member->env()->UsedBytes() +
                                 random_.Below(100000));
      return Later(Draw(500, 6000),
                   [member] { member->env()->SetCapacity(UINT64_MAX); });
    default: {
      Member* const leader = cluster_->Leader();
      if (leader == nullptr || leader == member) return;
      leader->node()->MoveLeader(member->id(), [](const Status&) {});
    }
  }
}

// --- members ---

void Nemesis::BringMembership(Fault fault) {
  if (changing_members_ || cluster_->Leader() == nullptr) return;
  if (fault == Fault::kAddMember) return AddMember();
  if (fault == Fault::kRemoveMember) return RemoveMember();
  Promote();
}

void Nemesis::AddMember() {
  Member* const by = AnyUp();
  if (by == nullptr || by->node()->membership().members.size() >= kMaxMembers) {
    return;
  }
  const auto urls = Cluster::UrlsOf(cluster_->size());
  Tell("add a member");
  changing_members_ = true;
  Later(std::chrono::seconds(10), [this] { changing_members_ = false; });
  by->node()->AddMember(
      urls, random_.OneIn(2),
      [this, by, urls](const StatusOr<MemberRecord>& added) {
        if (!added.ok()) return Tell("not added: " + added.status().message());
        loop_->Post([this, by, urls, id = added->id] {
          if (!by->up() || recovering_) return;
          for (size_t i = 0; i < cluster_->size(); ++i) {
            if (cluster_->member(i).id() == id) return;
          }
          size_t from = 0;
          while (&cluster_->member(from) != by) ++from;
          Member* const member = cluster_->AddNew(from, id, urls);
          StartLater(member, Draw(0, 1000));
          ++added_;
        });
      });
}

void Nemesis::RemoveMember() {
  Member* const by = AnyUp();
  if (by == nullptr || by->node()->membership().members.size() <= 3) return;
  Member* const gone = &cluster_->member(random_.Below(cluster_->size()));
  Tell("remove " + gone->options().name);
  by->node()->RemoveMember(gone->id(), [this](const StatusOr<Membership>& m) {
    Tell(m.ok() ? "removed" : "not removed: " + m.status().message());
  });
}

void Nemesis::Promote() {
  Member* const by = cluster_->Leader();
  for (const auto& [id, member] : by->node()->membership().members) {
    if (!member.is_learner) continue;
    Tell("promote " + member.name);
    by->node()->PromoteMember(id, [this](const StatusOr<Membership>& m) {
      Tell(m.ok() ? "promoted" : "not promoted: " + m.status().message());
    });
    return;
  }
}

// --- what comes of it ---

std::string Nemesis::Attend() {
  if (!unable_.empty()) return unable_;
  for (size_t i = 0; i < cluster_->size(); ++i) {
    Member* const member = &cluster_->member(i);
    if (!member->up()) continue;
    if (member->powered_off()) {
      Tell("power went off at " + member->options().name);
      Down(member, /*power_loss=*/true);
      const bool again = crash_loops_[member] > 0;
      StartLater(member, again ? Draw(1, 30) : Draw(0, 2000));
    } else if (member->rot_met() || member->IsOfRot(member->fatal())) {
      Tell(member->options().name + " has met a flipped bit");
      Down(member, /*power_loss=*/false);
      StartLater(member, Draw(0, 1000));
    } else if (!member->fatal().ok()) {
      const std::string why = member->fatal().message();
      Tell(member->options().name + " stops: " + why);
      Down(member, /*power_loss=*/false);
      if (why.find("permanently removed") != std::string::npos) continue;
      return member->options().name + " stops: " + why;
    }
  }
  return "";
}

void Nemesis::Recover() {
  recovering_ = true;
  cluster_->network().Heal();
  cluster_->network().ReleaseHeld(Duration::zero());
  cluster_->network().SetFaults({});
  for (size_t i = 0; i < cluster_->size(); ++i) {
    Member* const member = &cluster_->member(i);
    member->env()->SetCapacity(UINT64_MAX);
    if (member->paused()) member->Resume();
    member->SetDiskDelay({}, {});
  }
  for (Member* const member : std::exchange(starting_, {})) {
    if (member->up()) continue;
    const Status started = member->Start();
    if (started.code() == Code::kDataLoss) {
      unable_ =
          member->options().name + " does not start: " + started.message();
    }
  }
}

}  // namespace strata::sim
