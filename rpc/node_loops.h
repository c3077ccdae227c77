#ifndef STRATA_RPC_NODE_LOOPS_H_
#define STRATA_RPC_NODE_LOOPS_H_

#include <functional>

#include "base/combining_loop.h"

namespace strata {

// The loops of a node, which threads that bring it work run (RunAfter), so that
// no other has to wake for that. They outlive all that is given them. Null: the
// node sees to it itself.
struct NodeLoops {
  CombiningLoop* node = nullptr;
  // Waits for the disk; null: there is none, or the node's loop does.
  CombiningLoop* log = nullptr;

  // Calls `start`, then runs what the node has to do after it.
  void RunNode(const std::function<void()>& start) const {
    node == nullptr ? start() : void(node->RunAfter(start));
  }
  // And then what it has for the log, and what comes of that: from one socket
  // to the other it is one thread.
  void RunNodeAndLog(const std::function<void()>& start) const {
    if (log == nullptr) return RunNode(start);
    log->RunAfter([&] { RunNode(start); });
  }
};

}  // namespace strata

#endif  // STRATA_RPC_NODE_LOOPS_H_
