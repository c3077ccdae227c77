#include "rpc/tls_stream.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>

#include <array>
#include <string_view>
#include <utility>

#include "rpc/net/socket_stream.h"
#include "rpc/openssl.h"

namespace strata {
namespace {

using OwnedSsl = std::unique_ptr<SSL, OpensslFree<SSL_free>>;

bool IsAddress(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> address;
  return inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

// OpenSSL on the socket itself, which does not block.
class OpensslStream : public TlsStream {
 public:
  OpensslStream(IoThread* thread, int fd,
                std::shared_ptr<const TlsConfig> config, ssl_ctx_st* context)
      : thread_(thread),
        socket_(thread, fd),
        config_(std::move(config)),
        ssl_(SSL_new(context)) {
    SSL_set_fd(ssl_.get(), fd);
  }

  void Accept(const TlsProtocols& protocols) {
    protocols_ = protocols;
    SSL_set_app_data(ssl_.get(), &protocols_);
    SSL_set_accept_state(ssl_.get());
  }

  void Connect(const std::string& dialled) {
    const std::string& host = config_->ServerName(dialled);
    if (IsAddress(host)) {
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str());
    } else {
      SSL_set1_host(ssl_.get(), host.c_str());
      SSL_set_tlsext_host_name(ssl_.get(), host.c_str());
    }
    SSL_set_connect_state(ssl_.get());
  }

  void Handshake(Done done) override {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_.get());
    if (result == 1) return done(Status::Ok());
    const Need need = NeedOf(result);
    if (need == Need::kFailed) return done(HandshakeError());
    AwaitNeed(need, [this, done = std::move(done)] { Handshake(done); });
  }

  Result Read(char* into, size_t size) override {
    if (dead_) return {.outcome = Outcome::kFailed};
    ERR_clear_error();
    size_t got = 0;
    const int result = SSL_read_ex(ssl_.get(), into, size, &got);
    if (result == 1) return {.outcome = Outcome::kDone, .bytes = got};
    return Failed(result, &read_needs_);
  }

  Result Write(std::string_view bytes) override {
    if (dead_) return {.outcome = Outcome::kFailed};
    ERR_clear_error();
    size_t sent = 0;
    const int result =
        SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &sent);
    if (result == 1) return {.outcome = Outcome::kDone, .bytes = sent};
    return Failed(result, &write_needs_);
  }

  void AwaitRead(Ready ready) override {
    // What has been decrypted is not seen on the socket any more.
    if (SSL_pending(ssl_.get()) > 0) {
      return thread_->Post([alive = alive_, ready = std::move(ready)] {
        if (*alive) ready();
      });
    }
    AwaitNeed(std::exchange(read_needs_, Need::kRead), std::move(ready));
  }

  void AwaitWrite(Ready ready) override {
    AwaitNeed(std::exchange(write_needs_, Need::kWrite), std::move(ready));
  }

  void EndWrite() override {
    // Its answer is not waited for.
    if (!dead_ && SSL_is_init_finished(ssl_.get())) SSL_shutdown(ssl_.get());
    ERR_clear_error();
    socket_.EndWrite();
  }

  void Close() override {
    dead_ = true;
    *alive_ = false;
    socket_.Close();
  }

  std::string certificate_name() const override {
    X509* const certificate = SSL_get0_peer_certificate(ssl_.get());
    return certificate == nullptr ? "" : CommonNameOf(certificate);
  }

  ~OpensslStream() override { *alive_ = false; }

 private:
  enum class Need { kRead, kWrite, kEnd, kFailed };

  Need NeedOf(int result) {
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        return Need::kRead;
      case SSL_ERROR_WANT_WRITE:
        return Need::kWrite;
      case SSL_ERROR_ZERO_RETURN:
        return Need::kEnd;
      default:
        return Need::kFailed;
    }
  }

  Result Failed(int result, Need* need) {
    *need = NeedOf(result);
    if (*need == Need::kEnd) return {.outcome = Outcome::kEnd};
    if (*need != Need::kFailed) return {.outcome = Outcome::kWait};
    dead_ = true;
    ERR_clear_error();
    return {.outcome = Outcome::kFailed};
  }

  Status HandshakeError() {
    dead_ = true;
    const long verified = SSL_get_verify_result(ssl_.get());
    const std::string reason = OpensslError();
    if (verified == X509_V_OK) return UnavailableError("tls: " + reason);
    return UnavailableError("tls: " + reason + ": " +
                            X509_verify_cert_error_string(verified));
  }

  void AwaitNeed(Need need, Ready ready) {
    if (need == Need::kWrite) return socket_.AwaitWrite(std::move(ready));
    socket_.AwaitRead(std::move(ready));
  }

  IoThread* const thread_;
  SocketStream socket_;
  const std::shared_ptr<const TlsConfig> config_;
  const OwnedSsl ssl_;
  TlsProtocols protocols_;
  bool dead_ = false;  // OpenSSL must not be asked again
  Need read_needs_ = Need::kRead;
  Need write_needs_ = Need::kWrite;
  // What is posted looks at it.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<TlsStream> TlsStream::Server(
    IoThread* thread, int fd, std::shared_ptr<const TlsConfig> config,
    const TlsProtocols& protocols) {
  ssl_ctx_st* const context = config->server();
  auto stream =
      std::make_unique<OpensslStream>(thread, fd, std::move(config), context);
  stream->Accept(protocols);
  return stream;
}

std::unique_ptr<TlsStream> TlsStream::Client(
    IoThread* thread, int fd, std::shared_ptr<const TlsConfig> config,
    const std::string& host) {
  ssl_ctx_st* const context = config->client();
  auto stream =
      std::make_unique<OpensslStream>(thread, fd, std::move(config), context);
  stream->Connect(host);
  return stream;
}

}  // namespace strata
