#ifndef STRATA_RPC_READ_TXN_H_
#define STRATA_RPC_READ_TXN_H_

#include "base/status.h"
#include "engine/requests.h"
#include "engine/store.h"
#include "rpc/proto/rpc.pb.h"

namespace strata {

// As etcd sees it: nothing but ranges at the top level. Such a transaction does
// not go through the log.
bool IsReadOnly(const etcdserverpb::TxnRequest& txn);
// All its ranges may be answered from what this member has.
bool IsSerializable(const etcdserverpb::TxnRequest& txn);

// Runs a transaction of ranges on the store as it is at one revision, which is
// the one the result names. REQUIRES: IsReadOnly of what it was made from.
StatusOr<TxnResult> ReadTxn(const Store& store, const TxnRequest& txn);

}  // namespace strata

#endif  // STRATA_RPC_READ_TXN_H_
