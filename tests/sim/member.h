#ifndef STRATA_TESTS_SIM_MEMBER_H_
#define STRATA_TESTS_SIM_MEMBER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/fake_env.h"
#include "base/random.h"
#include "server/node.h"
#include "tests/sim/member_loop.h"
#include "tests/sim/network.h"

namespace strata::sim {

// One member: the real server over a disk in memory, loops of the simulated
// world and a simulated network. It is down until Start().
class Member {
 public:
  // `options` has all but the data directory.
  Member(SimWorld* world, Network* network, MemberId id, NodeOptions options,
         uint64_t seed);
  ~Member();
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  // An error is kept in failed(): the member stays down.
  Status Start();
  // As kill -9: what was posted is dropped, what was written stays.
  void Kill();
  // As a power loss: of what was not synced, anything may be lost.
  void LosePower(uint64_t seed);
  // The disk fails in the middle of the n-th operation from now, by losing
  // power.
  void LosePowerAt(uint64_t operation) { env_->PowerOffAt(operation); }
  // All that it had is gone, as with a new disk.
  void Wipe();
  // A bit flips in a file of its log, in its database or in a snapshot, and may
  // be found at the next start or by a read; false if there is nothing yet. A
  // start that fails for it is made again with the bit as it was, as by one who
  // has a second copy: the failed one must have changed nothing.
  // REQUIRES: it is down.
  bool Rot(Random* random);
  // It was met while the member was up; to be killed and started again.
  bool rot_met() const { return rot_met_; }
  // Whether this is what a bit that has flipped may lead to.
  bool IsOfRot(const Status& status);
  uint64_t rots_found() const { return rots_found_; }

  bool up() const { return node_ != nullptr; }
  Node* node() { return node_.get(); }
  Node* operator->() { return node_.get(); }
  MemberId id() const { return id_; }
  FakeEnv* env() { return env_.get(); }
  NodeOptions& options() { return options_; }
  uint64_t lives() const { return lives_; }
  // Why it stopped itself; OK if it did not.
  const Status& fatal() const { return fatal_; }
  bool powered_off() const { return env_->powered_off(); }

  void Pause() { clock_.paused = true; }
  // With what is due before what has come in (member_loop.h).
  void Resume(bool timers_first = false);
  bool paused() const { return clock_.paused; }
  void SetClockRate(double rate) { clock_.rate = rate; }
  // Each write of the log, and of the backend, takes so long.
  void SetDiskDelay(Duration log, Duration backend);
  void StallDisk(Duration duration);

 private:
  // A bit that has flipped, and not back.
  struct Flipped {
    std::string path;
    uint64_t offset = 0;
    int bit = 0;
    char byte = 0;  // as it is since
  };
  Status StartOnce();
  void FlipBack();
  void Unflip();

  SimWorld* const world_;
  Network* const network_;
  const MemberId id_;
  NodeOptions options_;
  const uint64_t seed_;
  std::unique_ptr<FakeEnv> env_;
  MemberClock clock_;
  Duration log_delay_ = Duration::zero();
  Duration backend_delay_ = Duration::zero();
  uint64_t lives_ = 0;
  Status fatal_;
  std::optional<Flipped> flipped_;
  bool rot_met_ = false;
  uint64_t rots_found_ = 0;
  std::unique_ptr<MemberLoop> loop_, log_, flusher_, background_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<LeaderClient> leader_client_;
  std::unique_ptr<Node> node_;
};

}  // namespace strata::sim

#endif  // STRATA_TESTS_SIM_MEMBER_H_
