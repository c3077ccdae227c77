#include "rpc/net/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

#include "rpc/net/rare_log.h"

namespace strata {
namespace {

constexpr std::string_view kUnix = "unix:";
// Connections taken in one go, so that others of the thread get their turn.
constexpr int kAcceptedAtOnce = 64;
// When no descriptor is left at all.
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);
constexpr Duration kLogInterval = std::chrono::seconds(10);
// A peer that is gone without a word is noticed by the kernel, as by etcd's.
constexpr int kKeepAliveSeconds = 30;

void SetOption(int fd, int level, int option, int value) {
  // Of use, and not needed: a unix socket has none of these.
  setsockopt(fd, level, option, &value, sizeof value);
}

void SetUp(int fd) {
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveSeconds);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveSeconds);
}

std::string PeerName(const sockaddr_storage& address, socklen_t size) {
  if (address.ss_family == AF_UNIX) return "@";
  std::array<char, NI_MAXHOST> host;
  std::array<char, NI_MAXSERV> port;
  if (getnameinfo(reinterpret_cast<const sockaddr*>(&address), size,
                  host.data(), host.size(), port.data(), port.size(),
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "unknown";
  }
  const bool six = std::strchr(host.data(), ':') != nullptr;
  return (six ? "[" + std::string(host.data()) + "]" : host.data()) + ":" +
         port.data();
}

// A socket of ours until it is given away.
class OwnedFd {
 public:
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  ~OwnedFd() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

Status Bind(int fd, const sockaddr* address, socklen_t size,
            const std::string& name) {
  if (bind(fd, address, size) != 0 || listen(fd, SOMAXCONN) != 0) {
    return ErrnoError(name, errno);
  }
  return Status::Ok();
}

StatusOr<int> ListenOnTcp(const std::string& address, bool reuse_port) {
  const size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), address.substr(colon + 1).c_str(),
                                &hints, &found);
  if (error != 0) return UnavailableError(address + ": " + gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found,
                                                                 freeaddrinfo);
  OwnedFd fd(socket(found->ai_family,
                    found->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    found->ai_protocol));
  if (fd.get() < 0) return ErrnoError(address, errno);
  SetOption(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (reuse_port) SetOption(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  RETURN_IF_ERROR(Bind(fd.get(), found->ai_addr, found->ai_addrlen, address));
  return fd.Release();
}

// Whether a server has left its socket behind: a file that nobody answers on.
bool IsStale(const sockaddr_un& address) {
  struct stat found = {};
  if (lstat(address.sun_path, &found) != 0 || !S_ISSOCK(found.st_mode)) {
    return false;
  }
  const OwnedFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return connect(probe.get(), reinterpret_cast<const sockaddr*>(&address),
                 sizeof address) != 0 &&
         errno == ECONNREFUSED;
}

StatusOr<int> ListenOnUnix(const std::string& path, Env* env) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return InvalidArgumentError("unix:" + path +
                                ": the path must have 1 to 107 bytes");
  }
  path.copy(address.sun_path, path.size());
  if (IsStale(address)) RETURN_IF_ERROR(env->Remove(path));
  OwnedFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return ErrnoError("unix:" + path, errno);
  RETURN_IF_ERROR(Bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                       sizeof address, "unix:" + path));
  return fd.Release();
}

int MaxDescriptor(const ListenOptions& options) {
  if (options.max_descriptor > 0) return options.max_descriptor;
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t open_max = std::min<rlim_t>(limit.rlim_cur, INT_MAX);
  return std::max(static_cast<int>(open_max) - kReservedDescriptors,
                  kReservedDescriptors);
}

class SocketListener : public Listener {
 public:
  SocketListener(int fd, std::string unix_path, const ListenOptions& options)
      : fd_(fd),
        unix_path_(std::move(unix_path)),
        options_(options),
        max_descriptor_(MaxDescriptor(options)) {}

  ~SocketListener() override {
    if (accepting_ != nullptr) {
      *open_ = false;
      accepting_->release();
    }
    if (!unix_path_.empty()) {
      // If it is gone already, all the better.
      options_.env->Remove(unix_path_).IgnoreError();
    }
  }

  void Accept(IoThread* thread, Accepted accepted) override {
    thread_ = thread;
    accepted_ = std::move(accepted);
    pause_ = std::make_unique<Deadline>(thread, [this] { Await(); });
    accepting_ = std::make_unique<boost::asio::posix::stream_descriptor>(
        *thread->context(), fd_.get());
    Await();
  }

  int port() const override {
    if (!unix_path_.empty()) return 0;
    sockaddr_in6 address = {};
    socklen_t size = sizeof address;
    getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin6_port);  // where IPv4 has it, too
  }

 private:
  void Await() {
    accepting_->async_wait(
        boost::asio::posix::stream_descriptor::wait_read,
        [this, open = open_](const boost::system::error_code& error) {
          if (!error && *open) AcceptSome();
        });
  }

  void AcceptSome() {
    for (int i = 0; i < kAcceptedAtOnce; ++i) {
      sockaddr_storage address = {};
      socklen_t size = sizeof address;
      const int fd = accept4(fd_.get(), reinterpret_cast<sockaddr*>(&address),
                             &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        if (errno == EAGAIN) break;
        // Whoever gave up before it was its turn is no reason to wait.
        if (errno == ECONNABORTED || errno == EINTR) continue;
        return PauseAfter(errno);
      }
      if (fd >= max_descriptor_) {
        close(fd);
        LogRefused();
        continue;
      }
      SetUp(fd);
      accepted_(fd, PeerName(address, size));
    }
    Await();
  }

  void PauseAfter(int error) {
    options_.logger->Warn("cannot accept connections",
                          {{"error", ErrnoError("accept", error)}});
    pause_->Set(kAcceptPause);
  }

  void LogRefused() {
    uint64_t more = 0;
    if (!refused_.Due(thread_->Now(), &more)) return;
    options_.logger->Warn(
        "too many connections: new ones are closed at once; the limit of open "
        "files (ulimit -n) less what the server needs is the most",
        {{"max-descriptor", max_descriptor_}, {"refused-before", more}});
  }

  const OwnedFd fd_;
  const std::string unix_path_;
  const ListenOptions options_;
  const int max_descriptor_;
  IoThread* thread_ = nullptr;
  Accepted accepted_;
  std::unique_ptr<Deadline> pause_;
  std::unique_ptr<boost::asio::posix::stream_descriptor> accepting_;
  std::shared_ptr<bool> open_ = std::make_shared<bool>(true);
  RareLog refused_{kLogInterval};
};

}  // namespace

StatusOr<std::unique_ptr<Listener>> Listener::Open(
    const std::string& address, const ListenOptions& options) {
  const bool on_unix = address.starts_with(kUnix);
  const std::string path = on_unix ? address.substr(kUnix.size()) : "";
  const StatusOr<int> fd = on_unix ? ListenOnUnix(path, options.env)
                                   : ListenOnTcp(address, options.reuse_port);
  if (!fd.ok()) {
    return UnavailableError("cannot listen on " + fd.status().message());
  }
  return std::make_unique<SocketListener>(*fd, path, options);
}

}  // namespace strata
