#ifndef STRATA_SERVER_VALIDATE_H_
#define STRATA_SERVER_VALIDATE_H_

#include <cstdint>

#include "base/status.h"
#include "rpc/proto/rpc.pb.h"

// What etcd refuses before it proposes anything, in its order and its words.
// Functions of the message alone. Whether a revision is there, or a request is
// too large, is found later: by the store and by the node.
namespace strata {

// An unknown sort order or target is refused at every level, as from etcd 3.5.x
// on (3.4 ignores the one and crashes on the other).
Status CheckRange(const etcdserverpb::RangeRequest& request);
Status CheckPut(const etcdserverpb::PutRequest& request);
Status CheckDeleteRange(const etcdserverpb::DeleteRangeRequest& request);

// `max_ops` bounds the compares and each branch of a transaction; what the
// largest of the three leaves over is the bound of those nested in it. A key
// must not be put twice in a branch, nor put and deleted, those nested in it
// included; but the two branches of a nested one exclude each other.
//
// etcd's own blind spot is kept, as members must agree: a delete that goes on
// to the end of the key space (range_end "\0") is never found to overlap.
Status CheckTxn(const etcdserverpb::TxnRequest& request, int64_t max_ops);

// Transactions nest at most this deep, so that the protobuf library (100
// messages deep) can read them back from the log. etcd has no such bound but
// `max_ops`, which allows 127; deeper ones are "too many operations".
inline constexpr int kMaxTxnDepth = 48;

}  // namespace strata

#endif  // STRATA_SERVER_VALIDATE_H_
