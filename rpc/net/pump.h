#ifndef STRATA_RPC_NET_PUMP_H_
#define STRATA_RPC_NET_PUMP_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "rpc/net/byte_stream.h"
#include "rpc/net/io_thread.h"

namespace strata {

// Joins two streams: what one end reads the other writes, both ways, until both
// have ended, `b` has for a second, or one has failed. What a slow end does not
// take is not read from the other: at most IoThread::kScratchBytes wait, each
// way. Bound to the thread; closes both when destroyed.
class Pump {
 public:
  // `done` is called once, when it is of no more use; it may destroy the pump.
  Pump(IoThread* thread, std::unique_ptr<ByteStream> a,
       std::unique_ptr<ByteStream> b, std::function<void()> done);

  // `first_bytes` have been read from `a` already.
  void Start(std::string_view first_bytes);

 private:
  // One way.
  struct Way {
    ByteStream* from;
    ByteStream* to;
    std::string waiting = {};  // read, and not taken yet
    bool ended = false;        // and the other end knows
  };

  // False: the pump is gone.
  bool Move(Way* way);
  bool Write(Way* way, std::string_view bytes);
  void Continue(Way* way);
  void Done();

  IoThread* const thread_;
  const std::unique_ptr<ByteStream> a_;
  const std::unique_ptr<ByteStream> b_;
  const std::function<void()> done_;
  Way there_;
  Way back_;
  std::unique_ptr<Deadline> linger_;
};

}  // namespace strata

#endif  // STRATA_RPC_NET_PUMP_H_
