#ifndef STRATA_TESTS_SIM_CLUSTER_H_
#define STRATA_TESTS_SIM_CLUSTER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/proto/raft_internal.pb.h"
#include "tests/sim/member.h"
#include "tests/sim/network.h"

namespace strata::sim {

struct ClusterOptions {
  size_t members = 3;
  uint64_t seed = 1;
  NodeOptions node = {};  // names and URLs are filled in
};

// A cluster of whole nodes in the caller's thread.
class Cluster {
 public:
  explicit Cluster(const ClusterOptions& options);
  ~Cluster();

  SimWorld& world() { return world_; }
  Network& network() { return network_; }
  size_t size() const { return members_.size(); }
  Member& member(size_t at) { return *members_[at]; }

  // All that are down.
  Status StartAll();
  void RunFor(Duration duration) { world_.RunFor(duration); }
  bool RunUntil(const std::function<bool()>& done, Duration patience) {
    return world_.RunUntil(done, patience);
  }
  // The one that leads in the highest term, as members see it; null if nobody.
  Member* Leader();
  // Waits for one.
  Member* WaitForLeader();
  // `a` and all of `others` no longer hear each other.
  void Isolate(size_t a);

  // Another member, down, that joins the cluster as it is known to `from` once
  // it is started.
  Member* AddNew(size_t from, MemberId id,
                 const std::vector<std::string>& urls);
  static std::vector<std::string> UrlsOf(size_t number);

  // --- calls that run the world until they are answered ---
  StatusOr<ApplyResult> Propose(Member* member,
                                etcdserverpb::InternalRaftRequest request);
  StatusOr<Revision> Put(Member* member, std::string_view key,
                         std::string_view value);
  // Linearizable.
  StatusOr<std::optional<std::string>> Get(Member* member,
                                           std::string_view key);
  Status Wait(const std::function<void(std::function<void(Status)>)>& start);

 private:
  NodeOptions OptionsOf(size_t number) const;

  const ClusterOptions options_;
  SimWorld world_;
  Network network_;
  std::string initial_cluster_;
  std::vector<std::unique_ptr<Member>> members_;
};

// What the member has of `key` now; nothing if there is none.
std::optional<std::string> ReadHere(Member* member, std::string_view key);

}  // namespace strata::sim

#endif  // STRATA_TESTS_SIM_CLUSTER_H_
