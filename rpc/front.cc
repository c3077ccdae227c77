#include "rpc/front.h"

#include <array>
#include <functional>
#include <map>
#include <utility>

#include "rpc/preface.h"

namespace strata {
namespace {

// While a connection's first bytes are some, and not enough, they are looked at
// again after this, and after twice as long each time.
constexpr Duration kFirstLook = std::chrono::milliseconds(5);

class FrontImpl;

// A connection that is nobody's yet. Bound to the thread.
class Newcomer {
 public:
  Newcomer(FrontImpl* front, const FrontAddress* address, int fd,
           std::string peer);
  void Start();

 private:
  void Look();
  void GiveToGrpc();
  void GiveToHttp();
  void Leave();

  FrontImpl* const front_;
  const FrontAddress* const address_;
  const std::string peer_;
  std::unique_ptr<PlainStream> stream_;
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
};

Newcomer::Newcomer(FrontImpl* front, const FrontAddress* address, int fd,
                   std::string peer)
    : front_(front),
      address_(address),
      peer_(std::move(peer)),
      stream_(NewPlainStream(front->thread(), fd)),
      deadline_(front->thread(), [this] { Leave(); }),
      look_(front->thread(), [this] { Look(); }) {}

void Newcomer::Start() {
  if (address_->grpc == nullptr) return GiveToHttp();
  deadline_.Set(front_->options().first_bytes_timeout);
  Look();
}

void Newcomer::Look() {
  std::array<char, kHttp2FirstBytes> bytes;
  const ByteStream::Result got = stream_->Peek(bytes.data(), bytes.size());
  if (got.outcome == ByteStream::Outcome::kWait) {
    return stream_->AwaitRead([this] { Look(); });
  }
  if (got.outcome != ByteStream::Outcome::kDone) return Leave();
  switch (ProtocolOf({bytes.data(), got.bytes})) {
    case Protocol::kHttp2:
      return GiveToGrpc();
    case Protocol::kHttp1:
      return address_->http == nullptr ? Leave() : GiveToHttp();
    case Protocol::kUnknown:
      look_.Set(look_after_);
      look_after_ *= 2;
  }
}

void Newcomer::GiveToGrpc() {
  address_->grpc->Adopt(stream_->Release());
  Leave();
}

void Newcomer::GiveToHttp() {
  address_->http->Adopt(std::move(stream_), {.peer = peer_});
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
