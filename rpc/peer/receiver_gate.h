#ifndef STRATA_RPC_PEER_RECEIVER_GATE_H_
#define STRATA_RPC_PEER_RECEIVER_GATE_H_

#include <mutex>
#include <shared_mutex>
#include <utility>
#include <vector>

#include "server/transport.h"

namespace strata::peer {

// The way to the receiver, which can be shut: then no call is running or will
// come. Thread-safe; not from within a call to the receiver.
class ReceiverGate {
 public:
  void Open(Receiver* receiver) {
    const std::lock_guard lock(mutex_);
    receiver_ = receiver;
  }
  void Shut() {
    const std::lock_guard lock(mutex_);
    receiver_ = nullptr;
  }

  // `use(receiver)`, or `otherwise` if the gate is shut.
  template <typename Use, typename Result>
  Result With(Use use, Result otherwise) const {
    const std::shared_lock lock(mutex_);
    if (receiver_ == nullptr) return otherwise;
    return use(receiver_);
  }
  template <typename Use>
  void With(Use use) const {
    const std::shared_lock lock(mutex_);
    if (receiver_ != nullptr) use(receiver_);
  }

 private:
  mutable std::shared_mutex mutex_;
  Receiver* receiver_ = nullptr;  // guarded by mutex_
};

}  // namespace strata::peer

#endif  // STRATA_RPC_PEER_RECEIVER_GATE_H_
