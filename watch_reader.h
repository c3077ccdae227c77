#ifndef STRATA_WATCH_READER_H_
#define STRATA_WATCH_READER_H_

#include <memory>

#include "strata.h"

namespace strata {

// A stream of the hub with one watcher, whose reader waits. See Db::Watch.
StatusOr<std::unique_ptr<WatchReader>> NewWatchReader(
    WatchHub* hub, const WatchRequest& request);

}  // namespace strata

#endif  // STRATA_WATCH_READER_H_
