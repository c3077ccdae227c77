#include "rpc/front.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <functional>
#include <map>
#include <utility>

#include "rpc/net/pump.h"
#include "rpc/net/rare_log.h"
#include "rpc/preface.h"
#include "rpc/tls_stream.h"

namespace strata {
namespace {

// While a connection's first bytes are some, and not enough, they are looked at
// again after this, and after twice as long each time.
constexpr Duration kFirstLook = std::chrono::milliseconds(5);

class FrontImpl;

// The first byte of a ClientHello's record.
constexpr char kTlsHandshake = 0x16;
constexpr Duration kLogInterval = std::chrono::seconds(1);

// A connection that is nobody's yet. Bound to the thread.
class Newcomer {
 public:
  Newcomer(FrontImpl* front, const FrontAddress* address, int fd,
           std::string peer);
  void Start();

 private:
  bool TakesTls() const { return address_->tls != nullptr; }
  // Looks at what comes without TLS, and leaves it to be read.
  void Look();
  void Judge(std::string_view first_bytes);
  void StartTls();
  void OnHandshake(const Status& status);
  // Reads what comes inside of TLS.
  void ReadTls();
  void GiveToGrpc();
  void GiveToHttp();
  void Leave();

  FrontImpl* const front_;
  const FrontAddress* const address_;
  const std::string peer_;
  // One of the two, and none once it is given away.
  std::unique_ptr<PlainStream> plain_;
  std::unique_ptr<TlsStream> tls_;
  std::string read_;  // from tls_
  Deadline deadline_;
  Deadline look_;
  Duration look_after_ = kFirstLook;
};

class FrontImpl : public Front {
 public:
  FrontImpl(IoThread* thread, const FrontOptions& options,
            std::vector<FrontAddress> addresses)
      : thread_(thread), options_(options), addresses_(std::move(addresses)) {}

  Status Start() {
    std::vector<std::unique_ptr<Listener>> listeners;
    for (const FrontAddress& address : addresses_) {
      ASSIGN_OR_RETURN(std::unique_ptr<Listener> listener,
                       Listener::Open(address.address, options_.listen));
      ports_.push_back(listener->port());
      listeners.push_back(std::move(listener));
    }
    thread_->Run([&] {
      listeners_ = std::move(listeners);
      for (size_t i = 0; i < listeners_.size(); ++i) {
        listeners_[i]->Accept(thread_, [this, i](int fd, std::string peer) {
          Accepted(addresses_[i], fd, std::move(peer));
        });
      }
    });
    return Status::Ok();
  }

  std::vector<int> ports() const override { return ports_; }

  ~FrontImpl() override {
    Shutdown();
    thread_->Run([this] { pumps_.clear(); });
  }

  void Shutdown() override {
    thread_->Run([this] {
      listeners_.clear();
      newcomers_.clear();
    });
  }

  IoThread* thread() const { return thread_; }
  const FrontOptions& options() const { return options_; }
  // Destroys it.
  void Remove(Newcomer* newcomer) { newcomers_.erase(newcomer); }

  // gRPC gets one end of a pair, of which the other has what is inside of TLS.
  void PumpToGrpc(std::unique_ptr<ByteStream> stream, GrpcServer* grpc,
                  std::string_view first_bytes) {
    std::array<int, 2> ends;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                   ends.data()) != 0) {
      return LogRejected("", ErrnoError("socketpair", errno));
    }
    const auto key = ++last_pump_;
    auto pump = std::make_unique<Pump>(thread_, std::move(stream),
                                       NewPlainStream(thread_, ends[0]),
                                       [this, key] { pumps_.erase(key); });
    Pump* const started = pump.get();
    pumps_[key] = std::move(pump);
    grpc->Adopt(ends[1]);
    started->Start(first_bytes);
  }

  void LogRejected(const std::string& peer, const Status& why) {
    uint64_t more = 0;
    if (!rejected_.Due(thread_->Now(), &more)) return;
    options_.listen.logger->Warn(
        "rejected connection",
        {{"remote-addr", peer}, {"error", why}, {"rejected-before", more}});
  }

 private:
  void Accepted(const FrontAddress& address, int fd, std::string peer) {
    auto newcomer =
        std::make_unique<Newcomer>(this, &address, fd, std::move(peer));
    Newcomer* const started = newcomer.get();
    newcomers_[started] = std::move(newcomer);
    started->Start();
  }

  IoThread* const thread_;
  const FrontOptions options_;
  const std::vector<FrontAddress> addresses_;
  std::vector<int> ports_;
  // Bound to the thread.
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::map<Newcomer*, std::unique_ptr<Newcomer>> newcomers_;
  std::map<uint64_t, std::unique_ptr<Pump>> pumps_;
  uint64_t last_pump_ = 0;
  RareLog rejected_{kLogInterval};
};

Newcomer::Newcomer(FrontImpl* front, const FrontAddress* address, int fd,
                   std::string peer)
    : front_(front),
      address_(address),
      peer_(std::move(peer)),
      plain_(NewPlainStream(front->thread(), fd)),
      deadline_(front->thread(), [this] { Leave(); }),
      look_(front->thread(), [this] { Look(); }) {}

void Newcomer::Start() {
  deadline_.Set(front_->options().first_bytes_timeout);
  if (!address_->plain) return StartTls();
  if (!TakesTls() && address_->grpc == nullptr) return GiveToHttp();
  Look();
}

void Newcomer::Look() {
  std::array<char, kHttp2FirstBytes> bytes;
  const ByteStream::Result got = plain_->Peek(bytes.data(), bytes.size());
  if (got.outcome == ByteStream::Outcome::kWait) {
    return plain_->AwaitRead([this] { Look(); });
  }
  if (got.outcome != ByteStream::Outcome::kDone) return Leave();
  if (TakesTls() && bytes[0] == kTlsHandshake) return StartTls();
  Judge({bytes.data(), got.bytes});
}

void Newcomer::Judge(std::string_view first_bytes) {
  switch (ProtocolOf(first_bytes)) {
    case Protocol::kHttp2:
      return address_->grpc == nullptr ? GiveToHttp() : GiveToGrpc();
    case Protocol::kHttp1:
      return address_->http == nullptr ? Leave() : GiveToHttp();
    case Protocol::kUnknown:
      if (tls_ != nullptr) {
        return tls_->AwaitRead([this] { ReadTls(); });
      }
      look_.Set(look_after_);
      look_after_ *= 2;
  }
}

void Newcomer::StartTls() {
  auto config = address_->tls->Current();
  if (!config.ok()) {
    front_->LogRejected(peer_, config.status());
    return Leave();
  }
  tls_ = TlsStream::Server(
      front_->thread(), plain_->Release(), std::move(*config),
      {.http_1_1 = address_->http != nullptr, .h2 = address_->grpc != nullptr});
  plain_ = nullptr;
  tls_->Handshake([this](const Status& status) { OnHandshake(status); });
}

void Newcomer::OnHandshake(const Status& status) {
  if (!status.ok()) {
    front_->LogRejected(peer_, status);
    return Leave();
  }
  if (address_->grpc == nullptr) return GiveToHttp();
  ReadTls();
}

void Newcomer::ReadTls() {
  std::array<char, kHttp2FirstBytes> bytes;
  const ByteStream::Result got =
      tls_->Read(bytes.data(), bytes.size() - read_.size());
  if (got.outcome == ByteStream::Outcome::kWait) {
    return tls_->AwaitRead([this] { ReadTls(); });
  }
  if (got.outcome != ByteStream::Outcome::kDone) return Leave();
  read_.append(bytes.data(), got.bytes);
  Judge(read_);
}

void Newcomer::GiveToGrpc() {
  if (tls_ != nullptr) {
    front_->PumpToGrpc(std::move(tls_), address_->grpc, read_);
  } else {
    address_->grpc->Adopt(plain_->Release());
  }
  Leave();
}

void Newcomer::GiveToHttp() {
  if (tls_ != nullptr) {
    std::string name = tls_->certificate_name();
    address_->http->Adopt(
        std::move(tls_),
        {.peer = peer_, .tls = true, .certificate_name = std::move(name)},
        read_);
  } else {
    address_->http->Adopt(std::move(plain_), {.peer = peer_});
  }
  Leave();
}

void Newcomer::Leave() { front_->Remove(this); }

}  // namespace

StatusOr<std::unique_ptr<Front>> Front::Start(
    IoThread* thread, const FrontOptions& options,
    const std::vector<FrontAddress>& addresses) {
  auto front = std::make_unique<FrontImpl>(thread, options, addresses);
  RETURN_IF_ERROR(front->Start());
  return front;
}

}  // namespace strata
