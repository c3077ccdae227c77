#ifndef STRATA_RPC_PEER_SNAPSHOT_SENDER_H_
#define STRATA_RPC_PEER_SNAPSHOT_SENDER_H_

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/logger.h"
#include "base/loop.h"
#include "rpc/peer/http_client.h"
#include "rpc/peer/stats.h"
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
    std::shared_ptr<PeerCounters> counters = {};
    // Of the database; 0: no bound.
    uint64_t bytes_per_second = 0;
    bool compress = true;  // for members of ours
  };
  explicit SnapshotSender(Options options) : options_(std::move(options)) {}
  ~SnapshotSender() { Stop(); }

  // `snapshot.done` is called from the thread. `ours`: the other end is known
  // to be a member of ours, which reads zstd and lets us go on after a break;
  // else it is asked.
  void Send(OutgoingSnapshot snapshot, bool ours);
  // Cuts what is on its way; every `done` has been called. Blocks.
  void Stop();

 private:
  // What is wrong, and whether another try may go on.
  struct Outcome {
    Status status = {};
    bool broken = false;
  };
  Status SendAll(const OutgoingSnapshot& snapshot, bool ours);
  Outcome SendFrom(const OutgoingSnapshot& snapshot, bool ours,
                   const std::string& name, uint64_t offset);
  std::optional<uint64_t> AskProgress(const std::string& name);
  void Wait(Duration delay);
  bool stopped();
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
