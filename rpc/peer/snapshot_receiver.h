#ifndef STRATA_RPC_PEER_SNAPSHOT_RECEIVER_H_
#define STRATA_RPC_PEER_SNAPSHOT_RECEIVER_H_

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "base/logger.h"
#include "base/loop.h"
#include "rpc/http/handler.h"
#include "rpc/peer/identity.h"
#include "rpc/peer/receiver_gate.h"
#include "rpc/peer/zstd_stream.h"

namespace strata::peer {

// The other end of a SnapshotSender: a POST whose body goes to the receiver's
// disk, on `disk`, while no more of it is read than a bounded piece.
class SnapshotReceiver : public HttpHandler,
                         public std::enable_shared_from_this<SnapshotReceiver> {
 public:
  struct Options {
    PeerIdentity self = {};
    const ReceiverGate* gate = nullptr;
    Loop* disk = nullptr;
    Logger* logger = nullptr;
    bool compressed = false;  // the body is zstd
    std::function<void(MemberId from, size_t bytes)> received = {};
  };
  SnapshotReceiver(Options options, std::shared_ptr<HttpSink> sink)
      : options_(std::move(options)), sink_(std::move(sink)) {}

  bool OnBody(std::string_view bytes) override;
  void OnBodyEnd() override;
  void OnWritable() override {}
  void OnDone() override;

 private:
  // On the disk's loop:
  void Work();
  // What came, still compressed perhaps.
  Status Unpack(std::string_view bytes);
  Status Take(std::string_view bytes);
  // Takes the message off the front of what has come. Ok if it is not whole.
  Status TakeHead();
  void End();
  void Refuse(const Status& why);

  const Options options_;
  const std::shared_ptr<HttpSink> sink_;

  std::mutex mutex_;
  std::string unread_;       // guarded by mutex_: for Work
  bool working_ = false;     // guarded by mutex_: Work is posted
  bool paused_ = false;      // guarded by mutex_: to be asked for more
  bool body_ended_ = false;  // guarded by mutex_
  bool over_ = false;        // guarded by mutex_

  // Used on the disk's loop.
  std::unique_ptr<ZstdReader> unpacker_;
  std::string head_;
  bool begun_ = false;
  bool refused_ = false;
  MemberId from_;
  std::unique_ptr<IncomingSnapshot> snapshot_;
};

}  // namespace strata::peer

#endif  // STRATA_RPC_PEER_SNAPSHOT_RECEIVER_H_
