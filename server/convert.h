#ifndef STRATA_SERVER_CONVERT_H_
#define STRATA_SERVER_CONVERT_H_

#include "engine/requests.h"
#include "rpc/proto/rpc.pb.h"

// Between etcd's messages and the store's requests. What FromProto returns
// borrows its bytes from the message. A number that is none of an enum's names
// is passed on as it is: validation and the store say what etcd does with it.
namespace strata {

RangeRequest FromProto(const etcdserverpb::RangeRequest& request);
PutRequest FromProto(const etcdserverpb::PutRequest& request);
DeleteRangeRequest FromProto(const etcdserverpb::DeleteRangeRequest& request);
TxnRequest FromProto(const etcdserverpb::TxnRequest& request);

void ToProto(const RangeRequest& request, etcdserverpb::RangeRequest* message);
void ToProto(const PutRequest& request, etcdserverpb::PutRequest* message);
void ToProto(const DeleteRangeRequest& request,
             etcdserverpb::DeleteRangeRequest* message);
void ToProto(const TxnRequest& request, etcdserverpb::TxnRequest* message);

}  // namespace strata

#endif  // STRATA_SERVER_CONVERT_H_
