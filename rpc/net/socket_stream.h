#ifndef STRATA_RPC_NET_SOCKET_STREAM_H_
#define STRATA_RPC_NET_SOCKET_STREAM_H_

#include <boost/asio/posix/stream_descriptor.hpp>

#include "rpc/net/byte_stream.h"

namespace strata {

// What byte streams on a socket have in common: the waiting. Only for the .cc
// files of this folder.
class SocketStream : public PlainStream {
 public:
  SocketStream(IoThread* thread, int fd);
  ~SocketStream() override;

  Result Read(char* into, size_t size) override;
  Result Write(std::string_view bytes) override;
  bool any_thread_writes() const override { return true; }
  void AwaitRead(Ready ready) override;
  void AwaitWrite(Ready ready) override;
  void EndWrite() override;
  void Close() override;
  Result Peek(char* into, size_t size) override;
  int Release() override;

 protected:
  using Descriptor = boost::asio::posix::stream_descriptor;

  int fd() { return descriptor_.native_handle(); }
  bool closed() const { return !descriptor_.is_open(); }
  IoThread* thread() const { return thread_; }
  void Await(Descriptor::wait_type what, Ready ready);

 private:
  Result Receive(char* into, size_t size, int flags);

  IoThread* const thread_;
  Descriptor descriptor_;
  // What awaits looks at it before it calls: gone once closed.
  std::shared_ptr<bool> open_ = std::make_shared<bool>(true);
};

}  // namespace strata

#endif  // STRATA_RPC_NET_SOCKET_STREAM_H_
