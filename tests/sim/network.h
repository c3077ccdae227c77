#ifndef STRATA_TESTS_SIM_NETWORK_H_
#define STRATA_TESTS_SIM_NETWORK_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/sim_loop.h"
#include "server/node.h"
#include "server/transport.h"

namespace strata::sim {

class SimTransport;

// What the network does to messages, of each that is sent.
struct NetworkFaults {
  Duration delay_min = std::chrono::microseconds(100);
  Duration delay_max = std::chrono::milliseconds(1);
  // In thousandths.
  uint64_t lost = 0;
  uint64_t repeated = 0;
  // Comes later than what is sent after it, by up to ten times delay_max.
  uint64_t late = 0;
  // Requests for votes come so much later at most.
  Duration vote_delay_max = Duration::zero();
};

// Ways that are cut or held, each from one member to another.
using Ways = std::vector<std::pair<MemberId, MemberId>>;

// Between the members of a simulated cluster: it loses, delays, reorders and
// repeats messages, and is cut in one direction or both.
class Network {
 public:
  Network(SimWorld* world, uint64_t seed);

  // A member's way to the others, for one life of it.
  std::unique_ptr<Transport> NewTransport(MemberId self);
  // A member's way to its leader. `node` gives that member's node, null if it
  // is down.
  std::unique_ptr<LeaderClient> NewLeaderClient(MemberId self);
  void SetNode(MemberId member, Node* node) { nodes_[member] = node; }

  void SetFaults(const NetworkFaults& faults) { faults_ = faults; }
  // A way may be cut by several; it is open when all have mended it.
  void Cut(MemberId from, MemberId to) { cuts_.insert({from, to}); }
  void Cut(const Ways& ways) { cuts_.insert(ways.begin(), ways.end()); }
  void Mend(const Ways& ways);
  // What goes this way from now on waits in a buffer of the receiver's host.
  // Released, it comes, one after the other during `time`, even if the way has
  // been cut meanwhile.
  void Hold(MemberId from, MemberId to) { holds_.insert({from, to}); }
  void ReleaseHeld(Duration time);
  void Heal() { cuts_.clear(); }
  bool IsCut(MemberId from, MemberId to) const {
    return cuts_.contains({from, to});
  }
  bool Reaches(MemberId from, MemberId to) const;

  uint64_t delivered() const { return delivered_; }
  uint64_t dropped() const { return dropped_; }
  uint64_t snapshots() const { return snapshots_; }
  // Called with each message that is delivered, and when it was sent; null:
  // nobody.
  using Observer = std::function<void(const raft::Message&, Time sent)>;
  void SetObserver(Observer observer) { observer_ = std::move(observer); }
  // Called when a snapshot is about to come in at a member.
  using SnapshotObserver = std::function<void(MemberId to)>;
  void SetSnapshotObserver(SnapshotObserver observer) {
    snapshot_observer_ = std::move(observer);
  }

 private:
  friend class SimTransport;
  friend class SimLeaderClient;

  struct Held {
    MemberId from;
    MemberId to;
    raft::Message message;
    Time sent;
  };

  Duration DrawDelay();
  Duration DrawDelay(const raft::Message& message);
  bool Lost() { return faults_.lost > 0 && random_.Below(1000) < faults_.lost; }
  void Deliver(MemberId from, MemberId to, raft::Message message, Time sent);
  void HandOver(MemberId from, MemberId to, raft::Message message, Time sent);
  void SendOne(MemberId from, raft::Message message);
  void SendSnapshot(MemberId from, OutgoingSnapshot snapshot);
  void DeliverSnapshot(MemberId from, const raft::Message& message,
                       const std::string& database, bool whole,
                       const std::function<void(bool)>& done);
  // Runs `call` at `leader`, if it is there and leads, after a delay.
  void Ask(MemberId from, MemberId leader, std::function<void(Node*)> call);
  // The same of any member that is there.
  void AskAny(MemberId from, MemberId member, std::function<void(Node*)> call);

  SimWorld* const world_;
  Random random_;
  NetworkFaults faults_;
  std::unique_ptr<SimLoop> loop_;
  std::map<MemberId, Receiver*> receivers_;
  std::map<MemberId, SimTransport*> transports_;  // the same members
  std::map<MemberId, uint64_t> lives_;
  std::map<MemberId, Node*> nodes_;
  std::multiset<std::pair<MemberId, MemberId>> cuts_;
  std::set<std::pair<MemberId, MemberId>> holds_;
  std::vector<Held> held_;
  Observer observer_;
  SnapshotObserver snapshot_observer_;
  uint64_t delivered_ = 0;
  uint64_t dropped_ = 0;
  uint64_t snapshots_ = 0;
};

}  // namespace strata::sim

#endif  // STRATA_TESTS_SIM_NETWORK_H_
