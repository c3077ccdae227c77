#ifndef STRATA_RPC_NET_BYTE_STREAM_H_
#define STRATA_RPC_NET_BYTE_STREAM_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "rpc/net/io_thread.h"

namespace strata {

// Who is at the other end. A value.
struct ConnectionInfo {
  std::string peer;  // "127.0.0.1:34567", "@" on a unix socket
  bool tls = false;
  // The common name of the client's verified certificate; empty: none.
  std::string certificate_name = {};
};

// An established connection, plain or TLS. Nothing here blocks: who wants to
// read or write tries, and is told when to try again. So a connection that is
// idle holds no buffer. Bound to an IoThread. Closed by its destructor.
class ByteStream {
 public:
  enum class Outcome {
    kDone,    // `bytes` of them, at least one
    kWait,    // nothing now: await
    kEnd,     // reading: the other end has written all it will
    kFailed,  // the connection is of no more use
  };
  struct Result {
    Outcome outcome = Outcome::kFailed;
    size_t bytes = 0;
  };
  using Ready = std::function<void()>;

  virtual ~ByteStream() = default;

  virtual Result Read(char* into, size_t size) = 0;
  virtual Result Write(std::string_view bytes) = 0;
  // Whether any thread may write, one at a time, while others read and await;
  // not while it is closed.
  virtual bool any_thread_writes() const { return false; }

  // Calls `ready`, once and never at once, when reading (writing) is worth
  // another try. One of each may be awaited. It is dropped by Close.
  virtual void AwaitRead(Ready ready) = 0;
  virtual void AwaitWrite(Ready ready) = 0;

  // Nothing more will be written: the other end sees the end, after what was
  // written before.
  virtual void EndWrite() = 0;
  virtual void Close() = 0;
};

// A socket without TLS.
class PlainStream : public ByteStream {
 public:
  // As Read, but the bytes stay to be read again. `bytes` are what has come so
  // far; to await more of them is to be told at once.
  virtual Result Peek(char* into, size_t size) = 0;
  // Gives the socket away. Nothing else may be called after it.
  virtual int Release() = 0;
};

// A connected socket of any family, owned from now on. Made non-blocking.
std::unique_ptr<PlainStream> NewPlainStream(IoThread* thread, int fd);

}  // namespace strata

#endif  // STRATA_RPC_NET_BYTE_STREAM_H_
