#ifndef STRATA_RPC_RANGE_STREAM_H_
#define STRATA_RPC_RANGE_STREAM_H_

#include <cstdint>

#include "base/loop.h"
#include "rpc/stream.h"
#include "server/node.h"

namespace strata {

// KV.RangeStream, as etcd 3.7 has it: a range in pieces, read one by one as the
// client takes them, on `worker`, all at the revision of the first. Merged they
// are the answer of Range: pieces have key-values alone, the last one the
// header, the count and whether the limit left something out. Sorted or
// filtered ranges, which need all keys before the first, are refused. A
// compaction meanwhile ends it in OutOfRange.
StreamMethod RangeStreamMethod(Node* node, Loop* worker,
                               uint64_t max_request_bytes);

}  // namespace strata

#endif  // STRATA_RPC_RANGE_STREAM_H_
