#ifndef STRATA_RPC_PEER_SNAPSHOT_SENDER_H_
#define STRATA_RPC_PEER_SNAPSHOT_SENDER_H_

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/logger.h"
#include "base/loop.h"
#include "rpc/peer/http_client.h"
#include "rpc/peer/urls.h"
#include "server/transport.h"

namespace strata::peer {

// Snapshots to one member, one after another: a POST whose body is read from
// the store while it is sent, on a thread and a connection of its own.
// Thread-safe.
class SnapshotSender {
 public:
  struct Options {
    HttpClient* client = nullptr;  // for nothing else: it may be busy for long
    Logger* logger = nullptr;
    std::shared_ptr<Urls> urls = {};
    std::function<std::vector<HttpRequest::Header>()> headers = {};
    std::function<void(size_t bytes)> sent = {};
  };
  explicit SnapshotSender(Options options) : options_(std::move(options)) {}
  ~SnapshotSender() { Stop(); }

  // `snapshot.done` is called from the thread. `compressed`: the other end
  // reads zstd.
  void Send(OutgoingSnapshot snapshot, bool compressed);
  // Cuts what is on its way; every `done` has been called. Blocks.
  void Stop();

 private:
  Status SendNow(const OutgoingSnapshot& snapshot, bool compressed);
  std::shared_ptr<Fetch> Begin(
      FetchRequest request, std::function<void(StatusOr<HttpResponse>)> done);

  const Options options_;
  std::mutex mutex_;
  bool stopped_ = false;          // guarded by mutex_
  std::shared_ptr<Fetch> fetch_;  // guarded by mutex_
  std::unique_ptr<Loop> thread_;  // guarded by mutex_; made when needed
};

}  // namespace strata::peer

#endif  // STRATA_RPC_PEER_SNAPSHOT_SENDER_H_
