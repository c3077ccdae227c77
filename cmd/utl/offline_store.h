#ifndef STRATA_CMD_UTL_OFFLINE_STORE_H_
#define STRATA_CMD_UTL_OFFLINE_STORE_H_

#include <memory>
#include <string>

#include "base/loop.h"
#include "cmd/utl/context.h"
#include "engine/level.h"
#include "engine/store.h"

namespace strata::utl {

// A store on a db file that no server has open. Used by one thread.
class OfflineStore {
 public:
  enum class Use {
    kRead,   // the file stays as it is, whatever the store would write
    kWrite,  // what the store writes goes into the file
  };

  // Takes the file's lock. A damaged file is refused. `level` is "3.4" and so
  // on, or empty for what the file looks like.
  static StatusOr<std::unique_ptr<OfflineStore>> Open(const Context& context,
                                                      const std::string& path,
                                                      const std::string& level,
                                                      Use use);
  ~OfflineStore();

  Store* store() { return store_.get(); }

  // Compacts as a server would, and returns when the space is free.
  Status Compact(Revision revision);

 private:
  struct Outcome;
  OfflineStore();

  const std::unique_ptr<Outcome> outcome_;
  Term term_;  // of the applied index
  std::unique_ptr<Loop> flusher_;
  std::unique_ptr<Store> store_;
  bool closed_ = false;
};

}  // namespace strata::utl

#endif  // STRATA_CMD_UTL_OFFLINE_STORE_H_
