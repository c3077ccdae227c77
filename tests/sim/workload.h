#ifndef STRATA_TESTS_SIM_WORKLOAD_H_
#define STRATA_TESTS_SIM_WORKLOAD_H_

#include <cstdint>
#include <deque>
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
  size_t clients = 20;
  // Of all clients together.
  double operations_per_second = 100;
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
  Workload(Cluster* cluster, Truth* truth, uint64_t seed,
           const WorkloadOptions& options);
  ~Workload();

  void Start();
  // No new calls.
  void Stop() { stopped_ = true; }
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
  uint64_t events() const;
  // The newest operations, a line each.
  std::string LastLines() const;

 private:
  struct Call;
  struct Lease;
  struct Watching;
  using Shared = std::shared_ptr<Call>;

  Member* AnyUp();
  std::string AnyKey();
  std::string NewValue(size_t client);
  void Schedule(size_t client);
  void Begin(size_t client);
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
  void Read(size_t client, Member* member, bool linearizable);
  void ReadStore(const Shared& call, const std::string& key,
                 const std::string& end, bool linearizable);
  void Compact(size_t client, Member* member);

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
  uint64_t calls_ = 0;  // under way
  uint64_t operations_ = 0;
  uint64_t failed_ = 0;
  uint64_t values_ = 0;
  // The highest revision that anybody was told.
  int64_t told_ = 1;
  std::vector<Shared> current_;  // by client
  std::deque<std::string> lines_;
  std::vector<std::unique_ptr<Lease>> leases_;
  std::vector<std::unique_ptr<Watching>> watching_;
  std::map<int64_t, Lease*> lease_of_;
};

}  // namespace strata::sim

#endif  // STRATA_TESTS_SIM_WORKLOAD_H_
