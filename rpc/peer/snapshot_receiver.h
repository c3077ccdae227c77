#ifndef STRATA_RPC_PEER_SNAPSHOT_RECEIVER_H_
#define STRATA_RPC_PEER_SNAPSHOT_RECEIVER_H_

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/logger.h"
#include "base/loop.h"
#include "rpc/http/handler.h"
#include "rpc/peer/identity.h"
#include "rpc/peer/receiver_gate.h"
#include "rpc/peer/stats.h"
#include "rpc/peer/zstd_stream.h"

namespace strata::peer {

class SnapshotReceiver;

// Snapshots whose connections broke, kept for a while so that their senders,
// members of ours, can go on where they were: at most one. That one came whole
// is remembered as long, as its sender may not have got the answer. Bound to
// the disk's loop.
class BrokenSnapshots : public std::enable_shared_from_this<BrokenSnapshots> {
 public:
  struct Broken {
    MemberId from = {};
    std::string name = {};                            // the sender's for it
    std::unique_ptr<IncomingSnapshot> snapshot = {};  // null: it was whole
    uint64_t bytes = 0;  // of the database that it has
  };
  explicit BrokenSnapshots(Loop* disk) : disk_(disk) {}

  // It could be kept, if its connection broke.
  void Begun(std::weak_ptr<SnapshotReceiver> receiver) {
    begun_ = std::move(receiver);
  }
  // The sender has lost the connection that its snapshot came on: it has ended,
  // whether that is known here or not.
  void Break(MemberId from, const std::string& name);
  void Keep(Broken broken);
  // 0: it is not here.
  uint64_t BytesOf(MemberId from, const std::string& name) const;
  std::optional<Broken> Take(MemberId from, const std::string& name);
  // Before another one begins.
  void Drop() { kept_.reset(); }

 private:
  Loop* const disk_;
  std::weak_ptr<SnapshotReceiver> begun_;  // the last one
  std::optional<Broken> kept_;
  uint64_t kept_so_far_ = 0;
};

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
    // Of a sender who can go on: its name for the snapshot, and where it goes
    // on.
    std::string name = {};
    uint64_t offset = 0;
    std::shared_ptr<BrokenSnapshots> broken = {};
    // Of who sends it; null: it is no member.
    std::function<std::shared_ptr<PeerCounters>(MemberId from)> counters = {};
  };
  SnapshotReceiver(Options options, std::shared_ptr<HttpSink> sink)
      : options_(std::move(options)), sink_(std::move(sink)) {}

  bool OnBody(std::string_view bytes) override;
  void OnBodyEnd() override;
  void OnWritable() override {}
  void OnDone() override;

  // On the disk's loop:
  bool Is(MemberId from, const std::string& name) const {
    return from == from_ && name == options_.name;
  }
  // As if the connection had ended: what comes on it from now on is not taken.
  void Break();

 private:
  enum class Next : uint8_t { kBytes, kEnd, kNothing };

  // On the disk's loop:
  void Work();
  // Takes over what has come, once what was taken is done with.
  Next More();
  // Does a part of what was taken; how long that took.
  Duration Step();
  // What came, still compressed perhaps.
  Status Unpack(std::string_view bytes);
  Status Take(std::string_view bytes);
  // Takes the message off the front of what has come. Ok if it is not whole.
  Status TakeHead();
  Status Resume();
  // The connection has ended.
  void Over();
  void End();
  Status Finish();
  void Refuse(const Status& why);
  void Count(bool ok);  // once

  const Options options_;
  const std::shared_ptr<HttpSink> sink_;

  std::mutex mutex_;
  std::string unread_;       // guarded by mutex_: for Work
  bool working_ = false;     // guarded by mutex_: Work is posted
  bool paused_ = false;      // guarded by mutex_: to be asked for more
  bool body_ended_ = false;  // guarded by mutex_
  bool over_ = false;        // guarded by mutex_

  // Used on the disk's loop.
  std::string taken_;
  size_t stepped_ = 0;  // of taken_
  std::unique_ptr<ZstdReader> unpacker_;
  std::string head_;
  bool begun_ = false;
  bool refused_ = false;
  bool is_over_ = false;  // by its end, or broken off
  bool whole_ = false;    // finished, now or on an earlier connection
  MemberId from_;
  std::shared_ptr<PeerCounters> counters_;  // null: not counted
  Time began_ = {};
  std::unique_ptr<IncomingSnapshot> snapshot_;
  uint64_t bytes_ = 0;  // of the database, with those before the offset
};

}  // namespace strata::peer

#endif  // STRATA_RPC_PEER_SNAPSHOT_RECEIVER_H_
