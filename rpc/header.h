#ifndef STRATA_RPC_HEADER_H_
#define STRATA_RPC_HEADER_H_

#include "rpc/encode.h"
#include "rpc/proto/rpc.pb.h"
#include "server/node.h"

namespace strata {

// The header of an answer about the store as it is now.
ResponseHeader CurrentHeader(Node* node);
void FillHeader(const ResponseHeader& header,
                etcdserverpb::ResponseHeader* out);

}  // namespace strata

#endif  // STRATA_RPC_HEADER_H_
