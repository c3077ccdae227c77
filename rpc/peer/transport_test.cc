#include "rpc/peer/transport.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/bytes.h"
#include "base/combining_loop.h"
#include "base/random.h"
#include "rpc/http/server.h"
#include "rpc/peer/identity.h"

namespace strata::peer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Nothing that is awaited takes so long, on a busy machine either.
constexpr auto kPatience = seconds(100);

// Keeps what comes.
class Inbox : public Receiver {
 public:
  void Receive(raft::Message message) override {
    if (on_receive) on_receive(message.type);
    Change([&] { messages.push_back(std::move(message)); });
  }
  StatusOr<std::unique_ptr<IncomingSnapshot>> ReceiveSnapshot(
      raft::Message message) override;
  void Unreachable(MemberId) override {
    Change([&] { ++unreachable; });
  }
  void Gone(MemberId member) override {
    Change([&] { gone.insert(member); });
  }
  bool IsRemoved(MemberId member) const override {
    const std::lock_guard lock(mutex);
    return removed.contains(member);
  }
  void RemovedHere() override {
    Change([&] { removed_here = true; });
  }

  template <typename Function>
  void Change(Function function) {
    {
      const std::lock_guard lock(mutex);
      function();
    }
    changed.notify_all();
  }
  // Whether `done` comes true while we wait; it looks at what is below.
  bool Await(const std::function<bool()>& done) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, kPatience, done);
  }
  size_t Count(raft::MessageType type) const {
    return static_cast<size_t>(std::count_if(
        messages.begin(), messages.end(),
        [type](const raft::Message& m) { return m.type == type; }));
  }

  std::function<void(raft::MessageType)> on_receive;  // set before Start

  mutable std::mutex mutex;
  std::condition_variable changed;
  std::vector<raft::Message> messages;
  std::set<MemberId> removed;
  std::set<MemberId> gone;
  size_t received = 0;  // of databases
  int snapshots = 0;    // begun
  int unreachable = 0;
  bool removed_here = false;
  std::string database;       // of the snapshot that came whole
  bool disk_is_full = false;  // no snapshot can be written
  milliseconds write_takes{};
  int writes = 0;
};

class InboxSnapshot : public IncomingSnapshot {
 public:
  InboxSnapshot(Inbox* inbox, raft::Message message)
      : inbox_(inbox), message_(std::move(message)) {}
  Status Write(std::string_view bytes) override {
    if (inbox_->disk_is_full) return ResourceExhaustedError("no space left");
    std::this_thread::sleep_for(inbox_->write_takes);
    database_.append(bytes);
    inbox_->Change([&] {
      inbox_->received += bytes.size();
      ++inbox_->writes;
    });
    return Status::Ok();
  }
  Status Finish() override {
    inbox_->Change([&] {
      inbox_->database = database_;
      inbox_->messages.push_back(message_);
    });
    return Status::Ok();
  }

 private:
  Inbox* const inbox_;
  const raft::Message message_;
  std::string database_;
};

StatusOr<std::unique_ptr<IncomingSnapshot>> Inbox::ReceiveSnapshot(
    raft::Message message) {
  Change([&] { ++snapshots; });
  return std::make_unique<InboxSnapshot>(this, std::move(message));
}

// A transport behind a real port.
class Member {
 public:
  explicit Member(uint64_t id, uint64_t cluster = 0xc,
                  const NodeLoops& loops = {},
                  std::function<void(raft::MessageType)> on_receive = {})
      : id(id),
        transport(PeerTransport::New(Logger::Null(), nullptr, {}, loops)) {
    inbox.on_receive = std::move(on_receive);
    Listen(0);
    transport->Identify({.member = MemberId(id),
                         .cluster = ClusterId(cluster),
                         .version = "3.5.0",
                         .peer_urls = {url()}});
    transport->Start(&inbox);
  }
  ~Member() {
    transport->Stop();
    StopListening();
  }

  void Listen(int with_port) {
    server = HttpServer::New(&thread, transport->Routes());
    const auto got =
        server->Listen("127.0.0.1:" + std::to_string(with_port), {});
    ASSERT_TRUE(got.ok()) << got.status();
    port = *got;
  }
  void StopListening() {
    if (server != nullptr) server->Shutdown(seconds(1));
    server = nullptr;
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port); }
  bool AwaitActive(uint64_t other, bool active) const {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (transport->Active(MemberId(other)) != active || Noted() != active) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(milliseconds(10));
    }
    return true;
  }
  // Whether the other one is counted as active: by the next tick.
  bool Noted() const { return transport->Stats()[0].active; }

  const uint64_t id;
  Inbox inbox;
  IoThread thread{"peer-port"};
  int port = 0;
  std::unique_ptr<PeerTransport> transport;
  std::unique_ptr<HttpServer> server;
};

// Passes bytes on from a port to another, as long as it is let.
class Relay {
 public:
  explicit Relay(int to) : to_(to) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = Address(0);
    EXPECT_EQ(0, bind(listener_, reinterpret_cast<sockaddr*>(&address),
                      sizeof address));
    EXPECT_EQ(0, listen(listener_, 16));
    socklen_t length = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    threads_.emplace_back([this] { Accept(); });
  }
  ~Relay() {
    stopped_ = true;
    stalled_ = false;
    shutdown(listener_, SHUT_RDWR);
    Cut();
    while (true) {
      std::vector<std::thread> threads;
      {
        const std::lock_guard lock(mutex_);
        threads.swap(threads_);
      }
      if (threads.empty()) break;
      for (std::thread& thread : threads) thread.join();
    }
    for (const int fd : fds_) close(fd);
    close(listener_);
  }

  std::string url() const {
    return "http://127.0.0.1:" + std::to_string(port_);
  }
  void Cut() {
    const std::lock_guard lock(mutex_);
    for (const int fd : fds_) shutdown(fd, SHUT_RDWR);
  }
  // Only who has dialled learns of it, this time and after it.
  void CutNearEnds() {
    far_ends_stay_ = true;
    const std::lock_guard lock(mutex_);
    for (size_t i = 0; i < fds_.size(); i += 2) shutdown(fds_[i], SHUT_RDWR);
  }
  // The next connection that brings `text` is cut, and that is lost.
  void LoseOnce(const std::string& text) {
    const std::lock_guard lock(mutex_);
    to_lose_ = text;
  }
  bool HasLost() {
    const std::lock_guard lock(mutex_);
    return to_lose_.empty();
  }
  void Stall(bool stalled) { stalled_ = stalled; }
  // Both ways, so far.
  uint64_t bytes() const { return bytes_; }

 private:
  static sockaddr_in Address(int port) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  void Accept() {
    while (true) {
      const int from = accept(listener_, nullptr, nullptr);
      if (from < 0) return;
      const int to = socket(AF_INET, SOCK_STREAM, 0);
      sockaddr_in address = Address(to_);
      const int failed =
          connect(to, reinterpret_cast<sockaddr*>(&address), sizeof address);
      const std::lock_guard lock(mutex_);
      fds_.push_back(from);
      fds_.push_back(to);
      if (failed != 0 || stopped_) {
        shutdown(from, SHUT_RDWR);
        continue;
      }
      threads_.emplace_back([this, from, to] { Pump(from, to); });
      threads_.emplace_back([this, from, to] { Pump(to, from); });
    }
  }
  void Pump(int from, int to) {
    char bytes[16384];
    while (true) {
      const ssize_t got = read(from, bytes, sizeof bytes);
      while (stalled_) std::this_thread::sleep_for(milliseconds(10));
      if (got <= 0) break;
      bytes_ += static_cast<uint64_t>(got);
      if (Loses({bytes, static_cast<size_t>(got)})) break;
      if (send(to, bytes, static_cast<size_t>(got), MSG_NOSIGNAL) != got) break;
    }
    shutdown(from, SHUT_RDWR);
    if (!far_ends_stay_ || stopped_) shutdown(to, SHUT_RDWR);
  }
  bool Loses(std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    if (to_lose_.empty() || bytes.find(to_lose_) == bytes.npos) return false;
    to_lose_.clear();
    return true;
  }

  const int to_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stopped_ = false;
  std::atomic<bool> stalled_ = false;
  std::atomic<bool> far_ends_stay_ = false;
  std::atomic<uint64_t> bytes_ = 0;
  std::mutex mutex_;
  // Guarded by mutex_.
  std::string to_lose_;
  std::vector<int> fds_;  // by twos: who has dialled, and the other end
  std::vector<std::thread> threads_;
};

raft::Message Append(uint64_t from, uint64_t to, uint64_t index,
                     size_t bytes = 3) {
  raft::Entry entry = {Term(1), LogIndex(index + 1), {}, ""};
  entry.data.assign(bytes, static_cast<char>('a' + index % 26));
  return {.type = raft::MessageType::kAppend,
          .to = MemberId(to),
          .from = MemberId(from),
          .term = Term(1),
          .log_term = Term(1),
          .index = LogIndex(index),
          .entries = {entry},
          .commit = LogIndex(index)};
}

raft::Message Heartbeat(uint64_t from, uint64_t to, uint64_t commit) {
  return {.type = raft::MessageType::kHeartbeat,
          .to = MemberId(to),
          .from = MemberId(from),
          .term = Term(1),
          .commit = LogIndex(commit)};
}

class TransportTest : public testing::Test {
 protected:
  // Each knows the other; what 1 asks of 2 goes through the relay.
  void Connect() {
    one_.transport->SetPeer(MemberId(2), {relay_.url()});
    two_.transport->SetPeer(MemberId(1), {one_.url()});
    ASSERT_TRUE(one_.AwaitActive(2, true));
    ASSERT_TRUE(two_.AwaitActive(1, true));
  }
  void SendOverBreaks(const std::function<void()>& cut);
  // What is told how a snapshot of one's ends.
  std::function<void(bool)> Told() {
    return [this](bool ok) {
      one_.inbox.Change([&] { ++(ok ? sent_ : failed_); });
    };
  }

  // Of snapshots; told by the members until they end.
  std::atomic<int> sent_ = 0;
  std::atomic<int> failed_ = 0;
  Member one_{1};
  Member two_{2};
  Relay relay_{two_.port};
};

TEST_F(TransportTest, MessagesArriveInOrderAndWhole) {
  Connect();
  std::vector<raft::Message> appends;
  for (uint64_t i = 0; i < 200; ++i) {
    appends.push_back(Append(1, 2, i, i == 100 ? 1500000 : 10));
  }
  one_.transport->Send(appends);
  for (uint64_t i = 1; i <= 50; ++i) {
    two_.transport->Send({Heartbeat(2, 1, i)});
  }
  ASSERT_TRUE(
      two_.inbox.Await([&] { return two_.inbox.messages.size() == 200; }));
  EXPECT_EQ(two_.inbox.messages, appends);
  ASSERT_TRUE(
      one_.inbox.Await([&] { return one_.inbox.messages.size() == 50; }));
  for (uint64_t i = 0; i < 50; ++i) {
    EXPECT_EQ(one_.inbox.messages[i].commit, LogIndex(i + 1));
  }
  std::vector<PeerStats> stats;
  do {
    stats = one_.transport->Stats();
    ASSERT_EQ(stats.size(), 1U);
  } while (stats[0].last_round_trip == Duration::zero());
  EXPECT_GT(stats[0].sent_bytes, 1500000U);
  EXPECT_GT(stats[0].received_bytes, 50U);
}

// Who reads an append carries it through to the disk, and while it waits there,
// who reads heartbeats has the node to itself.
TEST_F(TransportTest, ReadersRunTheReceiversLoops) {
  struct Seen {
    std::thread::id node;
    std::thread::id log;
  };
  CombiningLoop node("node");
  CombiningLoop log("log");
  std::mutex mutex;
  std::condition_variable changed;
  std::map<raft::MessageType, Seen> seen;
  const auto note = [&](raft::MessageType type, std::thread::id Seen::*where) {
    const std::lock_guard lock(mutex);
    seen[type].*where = std::this_thread::get_id();
    changed.notify_all();
  };
  const auto at = [&](raft::MessageType type, std::thread::id Seen::*where) {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, kPatience,
                     [&] { return seen[type].*where != std::thread::id(); });
    return seen[type].*where;
  };
  using enum raft::MessageType;
  Member three(3, 0xc, {.node = &node, .log = &log},
               [&](raft::MessageType type) {
                 node.Post([&, type] {
                   note(type, &Seen::node);
                   log.Post([&, type] {
                     if (type == kAppend) at(kHeartbeat, &Seen::node);
                     note(type, &Seen::log);
                   });
                 });
               });
  one_.transport->SetPeer(MemberId(3), {three.url()});
  three.transport->SetPeer(MemberId(1), {one_.url()});
  ASSERT_TRUE(one_.AwaitActive(3, true));
  ASSERT_TRUE(three.AwaitActive(1, true));
  one_.transport->Send({Append(1, 3, 1)});
  const std::thread::id appends = at(kAppend, &Seen::node);
  one_.transport->Send({Heartbeat(1, 3, 1)});
  EXPECT_EQ(at(kAppend, &Seen::log), appends);
  EXPECT_NE(at(kHeartbeat, &Seen::node), appends);
  EXPECT_NE(at(kHeartbeat, &Seen::log), at(kHeartbeat, &Seen::node));
  three.transport->Stop();
}

TEST_F(TransportTest, HeartbeatsDoNotWaitBehindAppends) {
  Connect();
  std::vector<raft::Message> messages;
  for (uint64_t i = 0; i < 48; ++i) {
    messages.push_back(Append(2, 1, i, 1 << 20));
  }
  messages.push_back(Heartbeat(2, 1, 1));
  two_.transport->Send(std::move(messages));
  size_t appends_before = 48;
  ASSERT_TRUE(one_.inbox.Await([&] {
    if (one_.inbox.Count(raft::MessageType::kHeartbeat) == 0) return false;
    appends_before = one_.inbox.Count(raft::MessageType::kAppend);
    return true;
  }));
  EXPECT_LT(appends_before, 40U);
  EXPECT_TRUE(one_.inbox.Await(
      [&] { return one_.inbox.Count(raft::MessageType::kAppend) == 48; }));
}

// One whose connections are cut may be well; one that refuses new ones is not.
TEST_F(TransportTest, TellsThatAMemberIsGone) {
  Connect();
  relay_.Cut();
  ASSERT_TRUE(one_.AwaitActive(2, true));
  one_.StopListening();
  EXPECT_TRUE(
      two_.inbox.Await([&] { return two_.inbox.gone.contains(MemberId(1)); }));
  const std::lock_guard lock(one_.inbox.mutex);
  EXPECT_TRUE(one_.inbox.gone.empty());
}

TEST_F(TransportTest, CutConnectionsAreDialledAgain) {
  Connect();
  for (uint64_t round = 1; round <= 3; ++round) {
    relay_.Cut();
    // Something arrives soon, be it by another way.
    for (uint64_t i = 0; i < 200; ++i) {
      two_.transport->Send({Heartbeat(2, 1, round)});
      std::unique_lock lock(one_.inbox.mutex);
      if (one_.inbox.changed.wait_for(lock, milliseconds(20), [&] {
            return !one_.inbox.messages.empty() &&
                   one_.inbox.messages.back().commit == LogIndex(round);
          })) {
        break;
      }
    }
    ASSERT_EQ(one_.inbox.messages.back().commit, LogIndex(round));
    ASSERT_TRUE(one_.AwaitActive(2, true));
    ASSERT_TRUE(two_.AwaitActive(1, true));
  }
}

TEST_F(TransportTest, RestartOfAServer) {
  Connect();
  two_.StopListening();
  relay_.Cut();
  ASSERT_TRUE(one_.AwaitActive(2, false));
  two_.Listen(two_.port);
  ASSERT_TRUE(one_.AwaitActive(2, true));
  ASSERT_TRUE(two_.AwaitActive(1, true));
  one_.transport->Send({Heartbeat(1, 2, 8)});
  EXPECT_TRUE(two_.inbox.Await([&] {
    return !two_.inbox.messages.empty() &&
           two_.inbox.messages.back().commit == LogIndex(8);
  }));
  EXPECT_EQ(one_.transport->Stats()[0].times_lost, 1U);
}

TEST_F(TransportTest, AStalledConnectionIsNoticedAndBounded) {
  Connect();
  relay_.Stall(true);
  // Far more than the kernel and our queue hold.
  for (uint64_t i = 0; i < 120; ++i) {
    two_.transport->Send({Append(2, 1, i, 1 << 20)});
  }
  EXPECT_TRUE(two_.inbox.Await([&] { return two_.inbox.unreachable > 0; }));
  ASSERT_TRUE(one_.AwaitActive(2, false));
  relay_.Stall(false);
  ASSERT_TRUE(one_.AwaitActive(2, true));
  two_.transport->Send({Heartbeat(2, 1, 9)});
  EXPECT_TRUE(one_.inbox.Await(
      [&] { return one_.inbox.Count(raft::MessageType::kHeartbeat) == 1; }));
}

OutgoingSnapshot Snapshot(size_t bytes, std::function<void(bool)> done) {
  raft::Message message = {.type = raft::MessageType::kSnapshot,
                           .to = MemberId(2),
                           .from = MemberId(1),
                           .term = Term(4),
                           .snapshot = raft::Snapshot{}};
  message.snapshot->metadata.index = LogIndex(77);
  message.snapshot->metadata.term = Term(3);
  OutgoingSnapshot snapshot;
  snapshot.message = message;
  snapshot.database_bytes = bytes;
  snapshot.write_database = [bytes](const OutgoingSnapshot::Sink& sink) {
    for (size_t at = 0; at < bytes; at += 50000) {
      RETURN_IF_ERROR(sink(std::string(std::min(bytes - at, size_t{50000}),
                                       static_cast<char>('a' + at % 23))));
    }
    return Status::Ok();
  };
  snapshot.done = std::move(done);
  return snapshot;
}

std::string DatabaseOf(const OutgoingSnapshot& snapshot) {
  std::string database;
  const Status status = snapshot.write_database([&](std::string_view bytes) {
    database += bytes;
    return Status::Ok();
  });
  EXPECT_TRUE(status.ok()) << status;
  return database;
}

TEST_F(TransportTest, SnapshotsArriveWhole) {
  Connect();
  constexpr size_t kBytes = 20'000'000;
  one_.transport->SendSnapshot(Snapshot(kBytes, Told()));
  ASSERT_TRUE(one_.inbox.Await([&] { return sent_ + failed_ > 0; }));
  EXPECT_EQ(sent_, 1);
  // Both are ours, so it was compressed on its way.
  EXPECT_LT(relay_.bytes(), kBytes / 4);
  EXPECT_TRUE(two_.inbox.database == DatabaseOf(Snapshot(kBytes, nullptr)));
  ASSERT_EQ(two_.inbox.messages.size(), 1U);
  EXPECT_EQ(two_.inbox.messages[0], Snapshot(0, nullptr).message);
}

// Nor does it take a stream to know that the other is ours.
TEST_F(TransportTest, SnapshotsToWhoIsNewAreCompressedToo) {
  one_.transport->SetPeer(MemberId(2), {relay_.url()});
  constexpr size_t kBytes = 10'000'000;
  one_.transport->SendSnapshot(Snapshot(kBytes, Told()));
  ASSERT_TRUE(one_.inbox.Await([&] { return sent_ + failed_ > 0; }));
  EXPECT_EQ(sent_, 1);
  EXPECT_EQ(two_.inbox.received, kBytes);
  EXPECT_LT(relay_.bytes(), kBytes / 4);
}

// Connections that break are no reason to begin anew.
void TransportTest::SendOverBreaks(const std::function<void()>& cut) {
  Connect();
  constexpr size_t kBytes = 40'000'000;
  one_.transport->SendSnapshot(Snapshot(kBytes, Told()));
  for (size_t at = 1; at <= 2; ++at) {
    ASSERT_TRUE(two_.inbox.Await(
        [&] { return two_.inbox.received > at * kBytes / 4; }));
    cut();
  }
  ASSERT_TRUE(one_.inbox.Await([&] { return sent_ + failed_ > 0; }));
  EXPECT_EQ(sent_, 1);
  EXPECT_EQ(two_.inbox.received, kBytes);
  EXPECT_EQ(two_.inbox.snapshots, 1);
  EXPECT_TRUE(two_.inbox.database == DatabaseOf(Snapshot(kBytes, nullptr)));
  const std::vector<PeerStats> stats = one_.transport->Stats();
  ASSERT_EQ(stats.size(), 1U);
  EXPECT_EQ(stats[0].snapshots_sent.succeeded, 1U);
  EXPECT_EQ(stats[0].snapshots_sent.under_way, 0U);
}

TEST_F(TransportTest, SnapshotsGoOnAfterABreak) {
  SendOverBreaks([&] { relay_.Cut(); });
}

TEST_F(TransportTest, SnapshotsGoOnAfterABreakThatTheOtherEndDoesNotSee) {
  SendOverBreaks([&] { relay_.CutNearEnds(); });
}

TEST_F(TransportTest, SnapshotsGoOnAfterABreakThatLasts) {
  SendOverBreaks([&] {
    relay_.LoseOnce("GET /raft/snapshot/progress/");
    relay_.Cut();
  });
  EXPECT_TRUE(relay_.HasLost());
}

TEST_F(TransportTest, ASnapshotWhoseAnswerIsLostIsNotSentAgain) {
  Connect();
  relay_.LoseOnce("HTTP/1.1 204");
  constexpr size_t kBytes = 10'000'000;
  one_.transport->SendSnapshot(Snapshot(kBytes, Told()));
  ASSERT_TRUE(one_.inbox.Await([&] { return sent_ + failed_ > 0; }));
  EXPECT_EQ(sent_, 1);
  EXPECT_TRUE(relay_.HasLost());
  EXPECT_EQ(two_.inbox.received, kBytes);
  EXPECT_EQ(two_.inbox.snapshots, 1);
  EXPECT_EQ(two_.inbox.messages.size(), 1U);
}

// At 32 MiB a second.
TEST_F(TransportTest, SnapshotsAreSentNoFasterThanAllowed) {
  Connect();
  const auto begin = std::chrono::steady_clock::now();
  one_.transport->SendSnapshot(Snapshot(size_t{32} << 20, Told()));
  ASSERT_TRUE(one_.inbox.Await([&] { return sent_ == 1; }));
  EXPECT_GT(std::chrono::steady_clock::now() - begin, milliseconds(900));
}

TEST_F(TransportTest, ASnapshotInAHurryIsSentAsFastAsItGoes) {
  Connect();
  OutgoingSnapshot snapshot = Snapshot(size_t{256} << 20, Told());
  snapshot.hurry = true;
  const auto begin = std::chrono::steady_clock::now();
  one_.transport->SendSnapshot(std::move(snapshot));
  ASSERT_TRUE(one_.inbox.Await([&] { return sent_ == 1; }));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(7));
}

// Others that use the disk get as much of it.
TEST_F(TransportTest, ASlowDiskRestsBetweenWrites) {
  Connect();
  two_.inbox.write_takes = milliseconds(50);
  const auto begin = std::chrono::steady_clock::now();
  one_.transport->SendSnapshot(Snapshot(1 << 20, Told()));
  ASSERT_TRUE(one_.inbox.Await([&] { return sent_ == 1; }));
  EXPECT_GE(std::chrono::steady_clock::now() - begin,
            2 * two_.inbox.writes * two_.inbox.write_takes);
}

// The rest is not waited for by the connection's end.
TEST_F(TransportTest, AConnectionMayEndWhileTheDiskRests) {
  Connect();
  two_.inbox.write_takes = milliseconds(3);
  OutgoingSnapshot snapshot = Snapshot(0, Told());
  // More than is taken at once, compressed too.
  snapshot.write_database = [](const OutgoingSnapshot::Sink& sink) {
    Random random(1);
    std::string bytes(24 << 20, 0);
    for (size_t at = 0; at < bytes.size(); at += sizeof(uint64_t)) {
      StoreLittle64(&bytes[at], random.Next());
    }
    return sink(bytes);
  };
  one_.transport->SendSnapshot(std::move(snapshot));
  ASSERT_TRUE(two_.inbox.Await([&] { return two_.inbox.writes > 3; }));
  one_.transport->Stop();
  EXPECT_EQ(failed_, 1);
  // What is on its way still comes.
  const auto refused = [&] {
    return two_.transport->Stats()[0].snapshots_received.failed == 1;
  };
  for (int i = 0; i < 1000 && !refused(); ++i) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_TRUE(refused());
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(two_.inbox.Count(raft::MessageType::kSnapshot), 0U);
}

TEST_F(TransportTest, FailedSnapshotsAreTold) {
  Connect();
  two_.inbox.disk_is_full = true;
  one_.transport->SendSnapshot(Snapshot(10'000'000, Told()));
  ASSERT_TRUE(one_.inbox.Await([&] { return failed_ == 1; }));
  two_.inbox.disk_is_full = false;
  // The store cannot be read to its end: the receiver must not take it.
  OutgoingSnapshot broken = Snapshot(10, Told());
  broken.write_database = [](const OutgoingSnapshot::Sink& sink) {
    RETURN_IF_ERROR(sink("half"));
    return DataLossError("page 7");
  };
  one_.transport->SendSnapshot(std::move(broken));
  ASSERT_TRUE(one_.inbox.Await([&] { return failed_ == 2; }));
  EXPECT_TRUE(two_.inbox.messages.empty());
  OutgoingSnapshot unknown = Snapshot(10, Told());
  unknown.message.to = MemberId(9);
  one_.transport->SendSnapshot(std::move(unknown));
  EXPECT_EQ(failed_, 3);
}

TEST_F(TransportTest, AStopCutsASnapshot) {
  Connect();
  relay_.Stall(true);
  one_.transport->SendSnapshot(Snapshot(100'000'000, Told()));
  std::this_thread::sleep_for(milliseconds(200));
  one_.transport->Stop();
  EXPECT_EQ(failed_, 1);
}

TEST_F(TransportTest, ARemovedMemberIsTold) {
  Connect();
  two_.inbox.Change([&] { two_.inbox.removed.insert(MemberId(1)); });
  two_.transport->RemovePeer(MemberId(1));
  EXPECT_TRUE(one_.inbox.Await([&] { return one_.inbox.removed_here; }));
  one_.transport->Send({Heartbeat(1, 2, 3)});
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_TRUE(two_.inbox.messages.empty());
}

TEST_F(TransportTest, AStrangerIsAnswered) {
  // Two does not know one: it gets what it sends, and may answer it.
  one_.transport->SetPeer(MemberId(2), {two_.url()});
  one_.transport->Send({Heartbeat(1, 2, 5)});
  ASSERT_TRUE(two_.inbox.Await([&] { return !two_.inbox.messages.empty(); }));
  two_.transport->Send({Heartbeat(2, 1, 6)});
  ASSERT_TRUE(one_.inbox.Await([&] { return !one_.inbox.messages.empty(); }));
  EXPECT_EQ(one_.inbox.messages[0].commit, LogIndex(6));
  EXPECT_FALSE(two_.transport->Active(MemberId(1)));
}

TEST(RefusalTest, AnotherClusterIsNotListenedTo) {
  Member one(1, 0xc);
  Member two(2, 0xd);
  one.transport->SetPeer(MemberId(2), {two.url()});
  two.transport->SetPeer(MemberId(1), {one.url()});
  one.transport->Send({Heartbeat(1, 2, 5)});
  EXPECT_TRUE(one.inbox.Await([&] { return one.inbox.unreachable > 0; }));
  EXPECT_TRUE(two.inbox.messages.empty());
  EXPECT_FALSE(one.transport->Active(MemberId(2)));
}

HttpRequest Request(std::vector<HttpRequest::Header> headers) {
  return {.method = "GET",
          .path = "/raft/stream/message/1",
          .query = "",
          .headers = std::move(headers),
          .peer = ""};
}

TEST(IdentityTest, VersionsAndClusters) {
  const PeerIdentity self = {.member = MemberId(0xab),
                             .cluster = ClusterId(0xc),
                             .version = "3.4.0",
                             .peer_urls = {"http://a:1", "http://b:2"}};
  const auto headers = RequestHeaders(self, MemberId(0xcd));
  EXPECT_EQ(headers[0].second, "ab");
  EXPECT_EQ(headers[4], HttpRequest::Header("X-Raft-To", "cd"));
  EXPECT_EQ(headers[5],
            HttpRequest::Header("X-PeerURLs", "http://a:1,http://b:2"));
  EXPECT_FALSE(CheckRequest(self, Request(headers), "GET").has_value());
  EXPECT_EQ(CheckRequest(self, Request(headers), "POST")->status, 405);

  const auto with = [&](size_t at, const std::string& value) {
    auto changed = headers;
    changed[at].second = value;
    return CheckRequest(self, Request(changed), "GET");
  };
  // A newer release that goes with ours, and one that does not any more.
  EXPECT_FALSE(with(1, "3.6.1").has_value());
  EXPECT_EQ(with(2, "3.5.0")->body, "incompatible version\n");
  EXPECT_EQ(with(1, "2.3.0")->status, 412);
  EXPECT_EQ(with(1, "")->status, 412);
  EXPECT_EQ(with(3, "d")->body, "cluster ID mismatch\n");
  EXPECT_EQ(with(3, "d")->status, 412);
}

TEST(IdentityTest, Values) {
  EXPECT_EQ(UtcTime(1795287547'253424854), "2026-11-21T18:59:07.253424854Z");
  EXPECT_EQ(ParseHexId("8e9e05c52164694d"), 0x8e9e05c52164694d);
  EXPECT_EQ(ParseHexId(""), std::nullopt);
  EXPECT_EQ(ParseHexId("12g"), std::nullopt);
}

}  // namespace
}  // namespace strata::peer
