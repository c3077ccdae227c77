#ifndef STRATA_TESTS_SIM_WORKLOAD_H_
#define STRATA_TESTS_SIM_WORKLOAD_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "rpc/proto/raft_internal.pb.h"
#include "tests/sim/cluster.h"
#include "tests/sim/truth.h"
#include "tests/watch/checker.h"

namespace strata::sim {

struct WorkloadOptions {
  // Of all clients together: begun, whether those before are answered or not,
  // as long as a client is free.
  double operations_per_second = 110;
  size_t clients = 1000;
  size_t keys = 20;
  size_t watchers = 6;
  size_t leases = 4;
  // A member's clock goes by so much more or less.
  double clock_skew = 0;
};

// Clients of a simulated cluster, each with one call at a time; what they are
// answered is compared with the truth at once, watches in the end. Members are
// told to be down before they are, so that nobody waits for them.
class Workload {
 public:
  struct Operation {
    Time start{};
    Time end{};
    size_t client = 0;
    std::string member = {};
    std::string what = {};
    std::string answer = {};
    bool ok = false;  // otherwise nobody knows whether it was made

    std::string ToString() const;
  };

  Workload(Cluster* cluster, Truth* truth, uint64_t seed,
           const WorkloadOptions& options);
  ~Workload();

  void Start();
  // No new calls, and again.
  void Stop() { stopped_ = true; }
  void GoOn() { stopped_ = false; }
  // Leases are left to end.
  void StopLeases() { leases_stopped_ = true; }
  // The member is about to be killed.
  void GoesDown(Member* member);
  // Everybody has heard of all, the cluster works: what watchers were told is
  // checked up to the end.
  void CheckWatches();
  // No lease is renewed any more since `since`, none may be there later than
  // its time and some more.
  void CheckLeases(Member* member);

  bool idle() const { return calls_ == 0; }
  uint64_t operations() const { return operations_; }
  uint64_t failed() const { return failed_; }
  // Puts that were made, as their clients know.
  uint64_t puts() const { return puts_; }
  uint64_t events() const;
  // The newest operations, a line each.
  std::string LastLines() const;
  // Called with each operation that has ended.
  using OnEnd = std::function<void(const Operation&)>;
  void SetOnEnd(OnEnd on_end) { on_end_ = std::move(on_end); }

 private:
  struct Call;
  struct Lease;
  struct Watching;
  using Shared = std::shared_ptr<Call>;

  Member* AnyUp();
  std::string AnyKey();
  std::string NewValue(size_t client);
  void Schedule();
  void BeginOne();
  void Begin(size_t client, Member* member);
  void End(const Shared& call, const Status& status, const std::string& what);
  Shared NewCall(size_t client, Member* member, std::string what);
  void Propose(const Shared& call,
               std::function<void(const Shared&, const ApplyResult&)> done);
  // `call` is answered with `revision`.
  void Told(const Shared& call, int64_t revision);
  static testing::Truth::Asked Asked(const Shared& call);

  void Put(size_t client, Member* member);
  void Delete(size_t client, Member* member);
  void Txn(size_t client, Member* member);
  void Swap(size_t client, Member* member,
            const testing::Truth::CompareAndSwap& swap);
  void SwapAgain(const Shared& call,
                 const testing::Truth::CompareAndSwap& swap);
  void Read(size_t client, Member* member, bool linearizable);
  void ReadStore(const Shared& call, const std::string& key,
                 const std::string& end, bool linearizable);
  void Compact(size_t client, Member* member);

  Member* HolderOf(Lease* lease);
  void TickLease(Lease* lease);
  void GrantLease(Lease* lease, Member* member);
  void PutUnderLease(Lease* lease, Member* member);
  void RenewLease(Lease* lease, Member* member);
  void LeaseKeyDeleted(const Truth::Version& before, Time seen);

  void TickWatch(Watching* watching);
  void BeginWatch(Watching* watching, Member* member);
  void Drain(Watching* watching);
  void BreakOff(Watching* watching);

  Cluster* const cluster_;
  Truth* const truth_;
  Random random_;
  const WorkloadOptions options_;
  std::unique_ptr<SimLoop> loop_;
  bool stopped_ = false;
  bool leases_stopped_ = false;
  uint64_t calls_ = 0;  // under way
  uint64_t operations_ = 0;
  uint64_t failed_ = 0;
  uint64_t puts_ = 0;
  uint64_t values_ = 0;
  // The highest revision that anybody was told.
  int64_t told_ = 1;
  std::vector<Shared> current_;  // by client
  std::vector<size_t> free_;     // clients
  std::deque<Operation> last_;
  OnEnd on_end_;
  std::vector<std::unique_ptr<Lease>> leases_;
  std::vector<std::unique_ptr<Watching>> watching_;
  std::map<int64_t, Lease*> lease_of_;
};

}  // namespace strata::sim

#endif  // STRATA_TESTS_SIM_WORKLOAD_H_
