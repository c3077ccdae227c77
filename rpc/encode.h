#ifndef STRATA_RPC_ENCODE_H_
#define STRATA_RPC_ENCODE_H_

#include <string>

#include "base/types.h"
#include "engine/requests.h"

// The store's results as serialized messages of the API. Written straight from
// the result, whose key-values are already encoded: a value is copied once,
// from where the store has it into the answer.
namespace strata {

// etcd's ResponseHeader.
struct ResponseHeader {
  ClusterId cluster_id;
  MemberId member_id;
  Revision revision;
  Term term;
};

// The header's revision is the result's; that of `header` is not looked at.
std::string EncodeRangeResponse(ResponseHeader header,
                                const RangeResult& result);
// A piece of the same, as a RangeStreamResponse: the key-values alone or, with
// a header, which is taken as it is, everything.
std::string EncodeRangePiece(const RangeResult& piece,
                             const ResponseHeader* header);
std::string EncodePutResponse(ResponseHeader header, const PutResult& result);
std::string EncodeDeleteRangeResponse(ResponseHeader header,
                                      const DeleteRangeResult& result);
// The answers inside carry a header with the revision alone, those of nested
// transactions an empty one, as etcd's do.
std::string EncodeTxnResponse(ResponseHeader header, const TxnResult& result);

// An answer that is nothing but a header, such as CompactionResponse.
std::string EncodeHeaderResponse(const ResponseHeader& header);

}  // namespace strata

#endif  // STRATA_RPC_ENCODE_H_
