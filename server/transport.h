#ifndef STRATA_SERVER_TRANSPORT_H_
#define STRATA_SERVER_TRANSPORT_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "raft/message.h"

namespace strata {

// The fourth seam: what carries messages to the other members. It may lose,
// delay, reorder and repeat them; raft expects no more of it. But a proposal
// (kPropose) is not repeated: it would be made twice. Over HTTP in
// rpc/peer/, a fake network in the simulator.

// A snapshot on its way out: a message of kind kSnapshot and the database that
// belongs to it.
struct OutgoingSnapshot {
  using Sink = std::function<Status(std::string_view bytes)>;

  raft::Message message;
  // Writes the database, piece by piece, until the sink fails. Blocks: to be
  // called once, on a thread for such work. Dropped uncalled if the transport
  // gives up before.
  std::function<Status(const Sink& sink)> write_database;
  uint64_t database_bytes = 0;  // as far as known before; for progress
  // The receiver has just been sent one that was too old when it was there: at
  // no bounded rate, then.
  bool hurry = false;
  // Whether the receiver has got all of it. Called once, on any thread.
  std::function<void(bool ok)> done;
};

// Where the database of a snapshot that comes in goes. One thread at a time.
class IncomingSnapshot {
 public:
  virtual ~IncomingSnapshot() = default;  // unfinished: what came is removed
  virtual Status Write(std::string_view bytes) = 0;
  // All of it has come: makes it durable, then hands the message to raft.
  virtual Status Finish() = 0;
};

// Who gets what members send. Any thread; must not block but for Write and
// Finish above.
class Receiver {
 public:
  virtual ~Receiver() = default;
  virtual void Receive(raft::Message message) = 0;
  virtual StatusOr<std::unique_ptr<IncomingSnapshot>> ReceiveSnapshot(
      raft::Message message) = 0;
  // Nothing reached `member` for now.
  virtual void Unreachable(MemberId member) = 0;
  // The process of `member`, which was there before, is not: nobody listens at
  // its addresses.
  virtual void Gone(MemberId member) = 0;
  // A removed member never comes back: it is told so, and not listened to.
  virtual bool IsRemoved(MemberId member) const = 0;
  // Another member says that this one has been removed.
  virtual void RemovedHere() = 0;
};

// How snapshots are sent.
struct SnapshotSendOptions {
  // Of the database; 0: no bound. A gigabyte takes half a minute, beside which
  // others that use the same processors and disk hardly wait any longer.
  uint64_t bytes_per_second = 32 << 20;
  bool compress = true;  // if the receiver reads it
};

class Transport {
 public:
  virtual ~Transport() = default;

  // Begins to deliver to `receiver`, which outlives the transport or its Stop.
  virtual void Start(Receiver* receiver) = 0;
  // No call to the receiver is running or will come after it. Blocks.
  virtual void Stop() = 0;

  // The following from any thread; none of them blocks.

  // In order as far as it gets there. What does not fit into the bounded queue
  // of its member is dropped, which Receiver::Unreachable tells.
  virtual void Send(std::vector<raft::Message> messages) = 0;
  virtual void SendSnapshot(OutgoingSnapshot snapshot) = 0;

  // Who there is to send to. Setting new URLs drops the old connections.
  virtual void SetPeer(MemberId member, std::vector<std::string> urls) = 0;
  virtual void RemovePeer(MemberId member) = 0;
  // Whether the connections to `member` work at present.
  virtual bool Active(MemberId member) const = 0;
};

}  // namespace strata

#endif  // STRATA_SERVER_TRANSPORT_H_
