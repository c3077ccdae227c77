#ifndef STRATA_RPC_CLAIM_H_
#define STRATA_RPC_CLAIM_H_

#include <functional>
#include <memory>
#include <string>

#include "base/loop.h"
#include "base/status.h"
#include "rpc/event_reader.h"
#include "rpc/header.h"
#include "server/node.h"

namespace strata {

// The transaction holds only while the key is the one created at `created`; 0:
// while there is none.
void AddCreateCompare(const std::string& key, Revision created,
                      etcdserverpb::TxnRequest* txn);

// What a claim works on. All outlive it.
struct ClaimWorld {
  Node* node = nullptr;
  WatchHub* hub = nullptr;
  Loop* loop = nullptr;  // the claim's own steps
};

// Waits to be the first of those who claim a name, by etcd's recipe for locks
// and elections, which clients play too: each claimant puts a key of its own,
// "name/" and its lease in hexadecimal; the key that was created first holds
// the name; the others each wait for the key created just before theirs to go.
// After the wait the own key is looked at once more: its lease may have ended
// meanwhile, and then nothing is held.
class Claim : public std::enable_shared_from_this<Claim> {
 public:
  struct Request {
    std::string name;
    LeaseId lease;  // 0: one of 60 seconds is granted
    std::string value;
    Status lost;  // the answer if the key went while it waited
  };
  struct Held {
    std::string key;
    Revision created;
    LeaseId lease;
    ResponseHeader header;
  };
  using Done = std::function<void(StatusOr<Held>)>;

  // Any thread; `done` is called once, on the loop. Its errors are Unknown with
  // etcd's text: etcd's locks are clients of its own, whose errors come out so.
  static std::shared_ptr<Claim> Start(const ClaimWorld& world, Request request,
                                      Done done);
  Claim(const ClaimWorld& world, Request request, Done done);

  // Nobody waits any more: takes the key back unless `done` has been called.
  // Any thread.
  void Abandon();

 private:
  // Each on the loop, one after the other.
  void GrantLease();
  void Enter();
  void Entered(const TxnResult& result);
  void Proclaim();
  void AddPut(etcdserverpb::TxnRequest* txn) const;
  void Look();
  void LookNow();
  void CheckOwnKey();
  void End(StatusOr<Held> outcome);
  void TakeBack();

  // Proposes, and goes on with `next` on the loop, or ends with the error.
  void Propose(std::shared_ptr<etcdserverpb::InternalRaftRequest> request,
               std::function<void(ApplyResult)> next);

  const ClaimWorld world_;
  const Request request_;
  Done done_;  // null: over
  LeaseId lease_;
  std::string key_;
  Revision created_;
  bool waited_ = false;
  Revision entered_;  // the store's revision then
  EventReader reader_;
};

}  // namespace strata

#endif  // STRATA_RPC_CLAIM_H_
