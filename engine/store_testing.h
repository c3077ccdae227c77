#ifndef STRATA_ENGINE_STORE_TESTING_H_
#define STRATA_ENGINE_STORE_TESTING_H_

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/transcript.h"
#include "engine/store.h"

// Helpers for tests of the store.
namespace strata::testing {

// "foo=1 create=2 mod=3 version=2 lease=7", the lease only if there is one.
std::string ToString(const KeyValue& kv);
// "rev=3 count=2 more" and a line for each KeyValue.
std::string ToString(const RangeResult& result);
std::string ToString(const PutResult& result);
std::string ToString(const DeleteRangeResult& result);
std::string ToString(const TxnResult& result, int depth = 0);

// Runs a command of a transcript against a store, as an entry of its own:
//
//   put k v [lease=] [prev] [ignore_value] [ignore_lease]
//   get k [end] [limit=] [rev=] [order=asc|desc] [target=version|...]
//       [keys_only] [count_only] [min_mod=] [max_mod=] [min_create=]
//       [max_create=]
//   del k [end] [prev]
//   compact rev
//   hash [rev=]
//   grant id ttl | revoke id | checkpoint id seconds
//   leases                   each with what is left of it and its keys
//   record table k [put v | erase]   answers with the whole table
//   txn                      until its end; may be nested
//     if version a = 1 [end=]    or create, mod, value, lease; !=, <, >
//     put, get, del, txn
//   else
//     ...
//   end
class StoreScript {
 public:
  explicit StoreScript(Store* store) : store_(store) {}

  std::string Run(const TranscriptCommand& command);
  void set_store(Store* store) { store_ = store; }

 private:
  // A transaction that is being written down.
  struct Draft {
    std::unique_ptr<TxnRequest> txn;
    bool otherwise = false;  // past its `else`

    std::vector<Op>& ops() { return otherwise ? txn->failure : txn->success; }
  };

  std::string RunOne(const TranscriptCommand& command);
  std::string AddToTxn(const TranscriptCommand& command);
  std::string Compact(const TranscriptCommand& command);
  std::string Hash(const TranscriptCommand& command);
  std::string Record(const TranscriptCommand& command);
  std::string Lease(const TranscriptCommand& command);
  std::string Leases() const;

  Store* store_;
  uint64_t entry_ = 1;
  std::vector<Draft> drafts_;               // the innermost last
  std::deque<TranscriptCommand> commands_;  // what the drafts borrow from
};

// The requests of these commands; they borrow from `command`.
RangeRequest ToRange(const TranscriptCommand& command);
PutRequest ToPut(const TranscriptCommand& command);
DeleteRangeRequest ToDelete(const TranscriptCommand& command);

// Has the tail written to the backend and waits for it.
void FlushAndWait(Store* store);

}  // namespace strata::testing

#endif  // STRATA_ENGINE_STORE_TESTING_H_
