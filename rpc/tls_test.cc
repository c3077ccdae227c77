#include "rpc/tls.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "rpc/net/pump.h"
#include "rpc/tls_stream.h"

namespace strata {
namespace {

using namespace std::chrono_literals;

constexpr int64_t kHour = 3600LL * 1'000'000'000;

std::array<int, 2> SocketPair() {
  std::array<int, 2> ends;
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  return ends;
}

// Collects what a stream has until it ends, and writes what it is given. Bound
// to the thread.
class Talker {
 public:
  explicit Talker(std::unique_ptr<ByteStream> stream)
      : stream_(std::move(stream)) {}

  void Start(std::string say, size_t expect, std::promise<std::string>* heard) {
    say_ = std::move(say);
    expect_ = expect;
    heard_ = heard;
    Write();
    Read();
  }

 private:
  void Write() {
    while (!say_.empty()) {
      const ByteStream::Result sent = stream_->Write(say_);
      if (sent.outcome == ByteStream::Outcome::kWait) {
        return stream_->AwaitWrite([this] { Write(); });
      }
      if (sent.outcome != ByteStream::Outcome::kDone) return;
      say_.erase(0, sent.bytes);
    }
    stream_->EndWrite();
  }
  void Read() {
    std::array<char, 10'000> buffer;
    for (;;) {
      const ByteStream::Result got =
          stream_->Read(buffer.data(), buffer.size());
      if (got.outcome == ByteStream::Outcome::kWait) {
        return stream_->AwaitRead([this] { Read(); });
      }
      if (got.outcome != ByteStream::Outcome::kDone) break;
      read_.append(buffer.data(), got.bytes);
      if (read_.size() >= expect_) break;
    }
    heard_->set_value(read_);
  }

  const std::unique_ptr<ByteStream> stream_;
  std::string say_;
  size_t expect_ = 0;
  std::promise<std::string>* heard_ = nullptr;
  std::string read_;
};

class TlsTest : public testing::Test {
 protected:
  TlsTest()
      : directory_(JoinPath(
            testing::TempDir(),
            testing::UnitTest::GetInstance()->current_test_info()->name())) {}

  // Its own authority, for localhost and 127.0.0.1.
  TlsOptions SelfSigned() {
    TlsOptions options;
    CHECK_OK(UseSelfSigned(Env::Posix(), directory_, {"localhost", "127.0.0.1"},
                           1, NowForOpenssl(), Logger::Null(), &options));
    options.self_signed = false;
    options.trusted_ca_file = options.cert_file;
    return options;
  }
  int64_t NowForOpenssl() { return thread_.WallNow() - kHour; }

  static std::shared_ptr<const TlsConfig> Config(const TlsOptions& options) {
    auto context = TlsContext::Make(options, Env::Posix(), Logger::Null());
    CHECK_OK(context.status());
    return (*context)->Current().value();
  }

  // What both ends say of their handshake: "server, client".
  std::string Shake(const std::shared_ptr<const TlsConfig>& config,
                    const std::string& host) {
    const std::array<int, 2> ends = SocketPair();
    std::promise<std::string> server;
    std::promise<std::string> client;
    thread_.Run([&] {
      server_ = TlsStream::Server(&thread_, ends[0], config, {});
      client_ = TlsStream::Client(&thread_, ends[1], config, host);
      server_->Handshake(
          [&](const Status& status) { server.set_value(status.ToString()); });
      client_->Handshake([&](const Status& status) {
        client.set_value(status.ToString());
        if (!status.ok()) client_->Close();
      });
    });
    const std::string answers =
        server.get_future().get() + ", " + client.get_future().get();
    return answers;
  }

  void TearDown() override {
    thread_.Run([this] {
      server_ = nullptr;
      client_ = nullptr;
      talkers_.clear();
      pump_ = nullptr;
    });
    CHECK_OK(Env::Posix()->RemoveAll(directory_));
  }

  const std::string directory_;
  IoThread thread_{"tls-test"};
  // Bound to the thread.
  std::unique_ptr<TlsStream> server_;
  std::unique_ptr<TlsStream> client_;
  std::vector<std::unique_ptr<Talker>> talkers_;
  std::unique_ptr<Pump> pump_;
};

TEST_F(TlsTest, Handshakes) {
  const auto config = Config(SelfSigned());
  EXPECT_EQ(Shake(config, "localhost"), "OK, OK");
  EXPECT_EQ(Shake(config, "127.0.0.1"), "OK, OK");
  EXPECT_NE(Shake(config, "other.example").find("mismatch"), std::string::npos);
}

TEST_F(TlsTest, ManyBytesBothWaysThroughAPump) {
  EXPECT_EQ(Shake(Config(SelfSigned()), "localhost"), "OK, OK");
  const std::array<int, 2> inside = SocketPair();
  const std::string there(3'000'000, 'a');
  const std::string back(2'000'000, 'b');
  std::promise<std::string> heard_there;
  std::promise<std::string> heard_back;
  std::promise<void> done;
  thread_.Run([&] {
    pump_ = std::make_unique<Pump>(&thread_, std::move(server_),
                                   NewPlainStream(&thread_, inside[0]),
                                   [&] { done.set_value(); });
    pump_->Start("first ");
    talkers_.push_back(
        std::make_unique<Talker>(NewPlainStream(&thread_, inside[1])));
    talkers_.push_back(std::make_unique<Talker>(std::move(client_)));
    talkers_[0]->Start(back, there.size() + 6, &heard_there);
    talkers_[1]->Start(there, back.size(), &heard_back);
  });
  EXPECT_EQ(heard_there.get_future().get(), "first " + there);
  EXPECT_EQ(heard_back.get_future().get(), back);
  EXPECT_EQ(done.get_future().wait_for(5s), std::future_status::ready);
}

// Nobody reads at the other end: what waits in the pump is bounded.
TEST_F(TlsTest, APumpDoesNotTakeWhatItCannotGive) {
  const std::array<int, 2> in = SocketPair();
  const std::array<int, 2> out = SocketPair();
  thread_.Run([&] {
    pump_ = std::make_unique<Pump>(&thread_, NewPlainStream(&thread_, in[0]),
                                   NewPlainStream(&thread_, out[0]), [] {});
    pump_->Start("");
  });
  const std::string piece(10'000, 'x');
  size_t sent = 0;
  int refused = 0;
  while (sent < 10'000'000 && refused < 20) {
    if (send(in[1], piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >
        0) {
      sent += piece.size();
      refused = 0;
    } else {
      ++refused;
      usleep(5000);
    }
  }
  EXPECT_LT(sent, 3'000'000U);  // mostly the kernel's buffers
  close(in[1]);
  close(out[1]);
}

TEST_F(TlsTest, GarbageIsNoHandshake) {
  const auto config = Config(SelfSigned());
  for (const std::string& garbage :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(1000, '\0'),
        std::string("\x16\x03\x01\x00\x05hello", 10)}) {
    const std::array<int, 2> ends = SocketPair();
    std::promise<bool> ok;
    thread_.Run([&] {
      server_ = TlsStream::Server(&thread_, ends[0], config, {});
      server_->Handshake(
          [&](const Status& status) { ok.set_value(status.ok()); });
    });
    EXPECT_EQ(write(ends[1], garbage.data(), garbage.size()),
              static_cast<ssize_t>(garbage.size()));
    EXPECT_FALSE(ok.get_future().get());
    close(ends[1]);
  }
}

TEST_F(TlsTest, WhatIsWrongWithFiles) {
  TlsOptions options;
  const auto made = [&] {
    return TlsContext::Make(options, Env::Posix(), Logger::Null())
        .status()
        .message();
  };
  EXPECT_EQ(made(), "KeyFile and CertFile must both be present[key: , cert: ]");
  options = SelfSigned();
  options.allowed_names = {"a"};
  options.allowed_hostnames = {"b"};
  EXPECT_EQ(made(),
            "AllowedCN and AllowedHostname are mutually exclusive (cn=\"a\", "
            "hostname=\"b\")");
  options.allowed_names = {};
  options.trusted_ca_file = options.key_file;
  EXPECT_EQ(made(), options.key_file + ": no certificate in it");
  options.trusted_ca_file = "";
  options.crl_file = options.key_file;
  EXPECT_EQ(made(), options.key_file + ": no list of revoked certificates");
  options.crl_file = "/none";
  EXPECT_EQ(made(), "open /none: no such file or directory");
}

TEST_F(TlsTest, SelfSignedOnesAreKept) {
  const TlsOptions first = SelfSigned();
  const std::string cert =
      ReadFile(Env::Posix(), first.cert_file, 1 << 20).value();
  EXPECT_EQ(SelfSigned().cert_file, first.cert_file);
  EXPECT_EQ(ReadFile(Env::Posix(), first.cert_file, 1 << 20).value(), cert);
}

}  // namespace
}  // namespace strata
