#ifndef STRATA_SERVER_CONVERT_H_
#define STRATA_SERVER_CONVERT_H_

#include "engine/requests.h"
#include "rpc/proto/rpc.pb.h"

// From etcd's messages to the store's requests. The results borrow their bytes
// from the message. A number that is none of an enum's names is passed on as it
// is: validation and the store say what etcd does with it.
namespace strata {

RangeRequest FromProto(const etcdserverpb::RangeRequest& request);
PutRequest FromProto(const etcdserverpb::PutRequest& request);
DeleteRangeRequest FromProto(const etcdserverpb::DeleteRangeRequest& request);
TxnRequest FromProto(const etcdserverpb::TxnRequest& request);

}  // namespace strata

#endif  // STRATA_SERVER_CONVERT_H_
