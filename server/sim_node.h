#ifndef STRATA_SERVER_SIM_NODE_H_
#define STRATA_SERVER_SIM_NODE_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/env.h"
#include "base/sim_loop.h"
#include "rpc/proto/raft_internal.pb.h"
#include "server/node.h"

namespace strata {

// A whole node in the caller's thread, on simulated loops and any Env: for
// tests. What is asked of it runs the loops until it is answered.
class SimNode {
 public:
  // The directory is "data"; small segments, so that tests cross them.
  explicit SimNode(Env* env);
  ~SimNode();

  NodeOptions& options() { return options_; }
  Status Open();
  // As a kill -9: what was posted is dropped, nothing is flushed.
  void Kill();

  // The answer, or Unavailable "no answer" if none comes in simulated time.
  StatusOr<ApplyResult> Propose(etcdserverpb::InternalRaftRequest request);
  StatusOr<Revision> Put(std::string_view key, std::string_view value);
  // The value; nullopt if there is none.
  std::optional<std::string> Get(std::string_view key,
                                 Revision revision = Revision());
  // Lets the background work be done.
  void RunFor(Duration duration) { world_.RunFor(duration); }

  Node* operator->() { return node_.get(); }
  const Status& fatal() const { return fatal_; }

 private:
  Env* const env_;
  NodeOptions options_;
  SimWorld world_;
  std::unique_ptr<SimLoop> loop_, flusher_, background_;
  Status fatal_;
  std::unique_ptr<Node> node_;
};

}  // namespace strata

#endif  // STRATA_SERVER_SIM_NODE_H_
