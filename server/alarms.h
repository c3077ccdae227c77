#ifndef STRATA_SERVER_ALARMS_H_
#define STRATA_SERVER_ALARMS_H_

#include <atomic>
#include <mutex>
#include <set>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "engine/store.h"
#include "rpc/proto/raft_internal.pb.h"
#include "server/apply_result.h"

namespace strata {

// The alarms that members have raised: part of the replicated state, kept in
// the alarm table as etcd keeps them. While one is raised, some requests are
// refused when they are applied, on every member alike. Changed by the apply
// thread; read by any.
class Alarms {
 public:
  // What the store holds: before any other call, and when its content has been
  // replaced.
  Status Restore(const Store& store);

  // Lists, raises or clears, as the request says; returns what it was about. An
  // alarm that is raised already stays so; clearing one that is not answers
  // nothing.
  AlarmResult Apply(const etcdserverpb::AlarmRequest& request, Store* store);

  // Why a request cannot be applied now; OK if it can. Under NOSPACE what adds
  // data is refused: a put, a transaction with a put of its own (not one nested
  // deeper: as etcd), a lease. Under CORRUPT nearly all is.
  Status Refusal(const etcdserverpb::InternalRaftRequest& request) const;

  std::vector<AlarmRecord> List() const;
  bool IsRaised(const AlarmRecord& alarm) const;

 private:
  std::vector<AlarmRecord> ListType(int type) const;  // 0: all
  void Raise(const AlarmRecord& alarm, Store* store);
  void Clear(const AlarmRecord& alarm, Store* store);
  void Count();

  mutable std::mutex mutex_;
  std::set<AlarmRecord> raised_;  // guarded by mutex_
  // Any thread.
  std::atomic<bool> no_space_ = false;
  std::atomic<bool> corrupt_ = false;
};

}  // namespace strata

#endif  // STRATA_SERVER_ALARMS_H_
