#include "rpc/net/socket_stream.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <utility>

namespace strata {

SocketStream::SocketStream(IoThread* thread, int fd)
    : thread_(thread), descriptor_(*thread->context(), fd) {
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

SocketStream::~SocketStream() { *open_ = false; }

ByteStream::Result SocketStream::Read(char* into, size_t size) {
  return Receive(into, size, /*flags=*/0);
}

ByteStream::Result SocketStream::Peek(char* into, size_t size) {
  return Receive(into, size, MSG_PEEK);
}

ByteStream::Result SocketStream::Receive(char* into, size_t size, int flags) {
  if (closed()) return {.outcome = Outcome::kFailed};
  for (;;) {
    const ssize_t got = recv(fd(), into, size, flags);
    if (got > 0) {
      return {.outcome = Outcome::kDone, .bytes = static_cast<size_t>(got)};
    }
    if (got == 0) return {.outcome = Outcome::kEnd};
    if (errno == EAGAIN) return {.outcome = Outcome::kWait};
    if (errno != EINTR) return {.outcome = Outcome::kFailed};
  }
}

ByteStream::Result SocketStream::Write(std::string_view bytes) {
  if (closed()) return {.outcome = Outcome::kFailed};
  for (;;) {
    const ssize_t sent = send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      return {.outcome = Outcome::kDone, .bytes = static_cast<size_t>(sent)};
    }
    if (errno == EAGAIN) return {.outcome = Outcome::kWait};
    if (errno != EINTR) return {.outcome = Outcome::kFailed};
  }
}

void SocketStream::AwaitRead(Ready ready) {
  Await(Descriptor::wait_read, std::move(ready));
}

void SocketStream::AwaitWrite(Ready ready) {
  Await(Descriptor::wait_write, std::move(ready));
}

void SocketStream::EndWrite() {
  if (!closed()) shutdown(fd(), SHUT_WR);
}

void SocketStream::Close() {
  *open_ = false;
  boost::system::error_code ignored;  // there is nothing to be done about it
  descriptor_.close(ignored);
}

int SocketStream::Release() {
  *open_ = false;
  return descriptor_.release();
}

void SocketStream::Await(Descriptor::wait_type what, Ready ready) {
  if (closed()) return;
  descriptor_.async_wait(what, [open = open_, ready = std::move(ready)](
                                   const boost::system::error_code& error) {
    if (!error && *open) ready();
  });
}

std::unique_ptr<PlainStream> NewPlainStream(IoThread* thread, int fd) {
  return std::make_unique<SocketStream>(thread, fd);
}

}  // namespace strata
