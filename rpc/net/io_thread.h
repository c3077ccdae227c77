#ifndef STRATA_RPC_NET_IO_THREAD_H_
#define STRATA_RPC_NET_IO_THREAD_H_

#include <functional>
#include <memory>
#include <string>

#include "base/loop.h"

namespace boost::asio {
class io_context;
}

namespace strata {

// A thread that waits for sockets. What is bound to it (byte streams,
// listeners, connections) is used on it alone. SIGPIPE is blocked on it.
class IoThread {
 public:
  static constexpr size_t kScratchBytes = 64 << 10;

  explicit IoThread(const std::string& name,
                    ThreadPriority priority = ThreadPriority::kNormal);
  // Joins. REQUIRES: what is bound to it was closed, on it.
  ~IoThread();

  // Runs `function` on the thread, after all that was posted before. Any
  // thread.
  void Post(std::function<void()> function);
  // Runs `function` on the thread and waits for its end. Not on the thread.
  void Run(const std::function<void()>& function);
  bool InThread() const;

  // Any thread.
  Time Now() const;
  int64_t WallNow() const;

  boost::asio::io_context* context();
  // Bytes for whoever runs on the thread, until it returns.
  char* scratch() { return scratch_.get(); }

 private:
  struct Impl;

  const std::unique_ptr<char[]> scratch_;
  const std::unique_ptr<Impl> impl_;
};

// Calls back once when a time has passed that may be moved as often as one
// likes, at the cost of a store. Bound to the thread.
class Deadline {
 public:
  // The function is not called after the destructor.
  Deadline(IoThread* thread, std::function<void()> passed);
  ~Deadline();

  void Set(Duration from_now);
  void Clear();

 private:
  struct Timer;

  const std::shared_ptr<Timer> timer_;
};

}  // namespace strata

#endif  // STRATA_RPC_NET_IO_THREAD_H_
