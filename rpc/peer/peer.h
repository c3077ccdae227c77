#ifndef STRATA_RPC_PEER_PEER_H_
#define STRATA_RPC_PEER_PEER_H_

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/logger.h"
#include "rpc/peer/http_client.h"
#include "rpc/peer/identity.h"
#include "rpc/peer/pipeline.h"
#include "rpc/peer/snapshot_sender.h"
#include "rpc/peer/stats.h"
#include "rpc/peer/stream_reader.h"
#include "rpc/peer/stream_writer.h"
#include "rpc/peer/urls.h"
#include "server/transport.h"

namespace strata::peer {

// All that connects us with one other member. Thread-safe.
class Peer {
 public:
  struct Options {
    MemberId member = {};
    std::vector<std::string> urls = {};
    // It is no member yet, or we do not know it as one yet: it is answered, but
    // not listened to.
    bool stranger = false;
    HttpClient* client = nullptr;
    HttpClient* append_client = nullptr;  // for the stream of appends
    HttpClient* snapshot_client = nullptr;
    SnapshotSendOptions snapshots = {};
    Logger* logger = nullptr;
    std::function<PeerIdentity()> self = {};
    // On the thread of the stream's client. `appends`: of which stream.
    std::function<void(bool appends, std::vector<raft::Message>)> receive = {};
    // Something was lost on the way to it. Any thread, not under a lock.
    std::function<void()> lost = {};
    // It was there, and now nobody listens at its addresses. Any thread.
    std::function<void()> gone = {};
    std::function<void()> removed = {};  // it says that we are removed
  };
  // Begins to dial.
  explicit Peer(Options options);
  ~Peer() { Stop(); }

  // For the next Flush.
  void Send(const raft::Message& message);
  void SendSnapshot(OutgoingSnapshot snapshot);
  void Flush();
  // Lets go of all connections; sends and hands on nothing more. Blocks while
  // a snapshot is cut off.
  void Stop();

  // It has dialled a stream. `appends`: which one.
  std::shared_ptr<HttpHandler> Attach(bool appends,
                                      const std::shared_ptr<HttpSink>& sink);

  // The rest of a period of keeping alive, measuring and looking has passed:
  // call it every kTickPeriod.
  static constexpr Duration kTickPeriod = std::chrono::milliseconds(100);
  void Tick();

  // For how long messages have gone both ways; nullopt: they do not.
  std::optional<Duration> ActiveFor() const;
  MemberId member() const { return options_.member; }
  bool stranger() const { return options_.stranger; }
  std::vector<std::string> urls() const { return urls_->All(); }
  PeerStats stats() const;
  std::shared_ptr<PeerCounters> counters() const { return counters_; }

 private:
  std::shared_ptr<StreamReader> MakeReader(bool appends);
  std::shared_ptr<StreamWriter> MakeWriter(bool appends);
  void Probe();

  const Options options_;
  const std::shared_ptr<Urls> urls_;
  const std::shared_ptr<PeerCounters> counters_;
  const std::shared_ptr<StreamWriter> messages_out_;
  const std::shared_ptr<StreamWriter> appends_out_;
  const std::shared_ptr<Pipeline> pipeline_;
  // Used on their clients' threads, but for working().
  const std::shared_ptr<StreamReader> messages_in_;
  const std::shared_ptr<StreamReader> appends_in_;
  SnapshotSender snapshots_;
  std::atomic<bool> stopped_ = false;
  std::atomic<int64_t> active_since_ = 0;  // 0: not active
  int ticks_ = 0;                          // used by Tick alone
};

}  // namespace strata::peer

#endif  // STRATA_RPC_PEER_PEER_H_
