#ifndef STRATA_RPC_CLUSTER_SERVICE_H_
#define STRATA_RPC_CLUSTER_SERVICE_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "rpc/proto/rpc.pb.h"
#include "rpc/unary.h"
#include "server/node.h"

namespace strata {

struct ClusterServiceOptions {
  // Whether messages go both ways with a member. Unset: there are no others.
  std::function<bool(MemberId member)> is_active = {};
  // Calls back, on any thread, with whether somebody answers at each of `urls`
  // (why not: the error). Unset: new members are not looked for.
  std::function<void(const std::vector<std::string>& urls,
                     std::function<void(const Status&)> done)>
      probe = {};
  // --strict-reconfig-check: the node refuses a voter while one is down.
  bool strict = true;
};

// Who is in the cluster, and changes of that. Thread-safe.
//
// A new voter that has to be up at once, because those who are make no quorum
// with it, is looked for before the change is proposed: if it does not answer,
// the cluster would be stuck, and the change could not be taken back. A learner
// never costs the quorum.
class ClusterService {
 public:
  ClusterService(Node* node, ClusterServiceOptions options)
      : node_(node), options_(std::move(options)) {}

  std::vector<UnaryMethod> Methods();

  void MemberAdd(etcdserverpb::MemberAddRequest* request, Reply reply);
  void MemberRemove(etcdserverpb::MemberRemoveRequest* request, Reply reply);
  void MemberUpdate(etcdserverpb::MemberUpdateRequest* request, Reply reply);
  void MemberList(etcdserverpb::MemberListRequest* request, Reply reply);
  void MemberPromote(etcdserverpb::MemberPromoteRequest* request, Reply reply);

 private:
  bool NeedsNewVoterAtOnce() const;
  void Add(const std::vector<std::string>& urls, bool is_learner,
           Reply reply) const;
  void AnswerMemberList(const Reply& reply) const;

  Node* const node_;
  const ClusterServiceOptions options_;
};

}  // namespace strata

#endif  // STRATA_RPC_CLUSTER_SERVICE_H_
