#ifndef STRATA_RPC_RANGE_STREAM_H_
#define STRATA_RPC_RANGE_STREAM_H_

#include "base/loop.h"
#include "rpc/stream.h"
#include "server/node.h"

namespace strata {

// KV.RangeStream, as etcd 3.7 has it: a range in pieces, all at the revision of
// the first, each read on `worker` when the client has taken those before it.
// So for a client that does not read there is a cursor and one piece. Merged
// the pieces are the answer of Range: all have key-values, the last one the
// header, the count and whether the limit left something out.
//
// A range in another order than its keys', which would have to be read whole
// before its first piece, is refused as Unimplemented: its client asks Range. A
// compaction that passes the revision meanwhile ends the stream in OutOfRange.
StreamMethod RangeStreamMethod(Node* node, Loop* worker);

}  // namespace strata

#endif  // STRATA_RPC_RANGE_STREAM_H_
