#include "rpc/peer/transport.h"

#include <algorithm>
#include <future>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "base/bytes.h"
#include "rpc/peer/peer.h"
#include "rpc/peer/raft_routes.h"
#include "rpc/peer/receiver_gate.h"

namespace strata::peer {
namespace {

// Those who ask and are no members, as far as we know.
constexpr size_t kMaxStrangers = 16;

class HttpTransport : public PeerTransport, private RaftRoutes::Host {
 public:
  HttpTransport(Logger* logger, TlsContext* tls,
                const SnapshotSendOptions& snapshots, const NodeLoops& loops)
      : logger_(logger),
        snapshots_(snapshots),
        loops_(loops),
        client_(HttpClient::New("peers", tls)),
        append_client_(HttpClient::New("appends", tls)),
        snapshot_client_(
            HttpClient::New("snapshots", tls, ThreadPriority::kLow)),
        disk_(NewThreadedLoop("snapshot-in", ThreadPriority::kLow)),
        routes_(this, &gate_, disk_.get(), logger) {}
  ~HttpTransport() override { Stop(); }

  void Start(Receiver* receiver) override {
    gate_.Open(receiver);
    client_->After(Peer::kTickPeriod, [this] { Tick(); });
  }
  void Stop() override;
  void Identify(const PeerIdentity& self) override;
  void Send(std::vector<raft::Message> messages) override;
  void SendSnapshot(OutgoingSnapshot snapshot) override;
  void SetPeer(MemberId member, std::vector<std::string> urls) override;
  void RemovePeer(MemberId member) override;
  bool Active(MemberId member) const override {
    return ActiveFor(member).has_value();
  }
  std::optional<Duration> ActiveFor(MemberId member) const override {
    const auto peer = FindPeer(member);
    return peer == nullptr ? std::nullopt : peer->ActiveFor();
  }
  std::vector<std::string> UrlsOf(MemberId member) const override {
    const auto peer = FindPeer(member);
    return peer == nullptr ? std::vector<std::string>() : peer->urls();
  }
  std::vector<PeerStats> Stats() const override;
  std::vector<HttpRoute> Routes() override { return routes_.Routes(); }
  HttpClient* client() override { return client_.get(); }

 private:
  using Peers = std::map<MemberId, std::shared_ptr<Peer>>;

  // RaftRoutes::Host:
  std::optional<PeerIdentity> Self() const override;
  std::shared_ptr<Peer> FindPeer(MemberId member) const override;
  void MeetStranger(const Sender& sender) override;
  void Deliver(std::vector<raft::Message> messages) override;

  std::shared_ptr<Peer> MakePeer(MemberId member, std::vector<std::string> urls,
                                 bool stranger);
  // Of a stream, on its reader's thread.
  void DeliverAndRun(bool appends, std::vector<raft::Message> messages);
  void Tick();

  Logger* const logger_;
  const SnapshotSendOptions snapshots_;
  const NodeLoops loops_;
  ReceiverGate gate_;
  const std::unique_ptr<HttpClient> client_;
  // Its thread may wait for the disk; no heartbeat comes through it.
  const std::unique_ptr<HttpClient> append_client_;
  const std::unique_ptr<HttpClient> snapshot_client_;
  const std::unique_ptr<Loop> disk_;
  RaftRoutes routes_;

  mutable std::shared_mutex mutex_;
  // guarded by mutex_:
  std::optional<PeerIdentity> self_;
  std::map<MemberId, std::vector<std::string>> unmade_;  // before Identify
  Peers peers_;
  size_t strangers_ = 0;
  bool stopped_ = false;
};

std::shared_ptr<Peer> HttpTransport::MakePeer(MemberId member,
                                              std::vector<std::string> urls,
                                              bool stranger) {
  return std::make_shared<Peer>(Peer::Options{
      .member = member,
      .urls = std::move(urls),
      .stranger = stranger,
      .client = client_.get(),
      .append_client = append_client_.get(),
      .snapshot_client = snapshot_client_.get(),
      .snapshots = snapshots_,
      .logger = logger_,
      // Copied, as it does not change.
      .self = [self = *self_] { return self; },
      .receive =
          [this](bool appends, std::vector<raft::Message> messages) {
            DeliverAndRun(appends, std::move(messages));
          },
      .lost =
          [this, member] {
            gate_.With([member](Receiver* receiver) {
              receiver->Unreachable(member);
            });
          },
      .gone =
          [this, member] {
            gate_.With(
                [member](Receiver* receiver) { receiver->Gone(member); });
          },
      .removed =
          [this] {
            gate_.With([](Receiver* receiver) { receiver->RemovedHere(); });
          }});
}

void HttpTransport::Identify(const PeerIdentity& self) {
  const std::lock_guard lock(mutex_);
  self_ = self;
  for (auto& [member, urls] : std::exchange(unmade_, {})) {
    if (member == self.member) continue;
    peers_[member] = MakePeer(member, std::move(urls), false);
  }
}

std::optional<PeerIdentity> HttpTransport::Self() const {
  const std::shared_lock lock(mutex_);
  return stopped_ ? std::nullopt : self_;
}

std::shared_ptr<Peer> HttpTransport::FindPeer(MemberId member) const {
  const std::shared_lock lock(mutex_);
  const auto found = peers_.find(member);
  return found == peers_.end() ? nullptr : found->second;
}

void HttpTransport::MeetStranger(const Sender& sender) {
  const std::lock_guard lock(mutex_);
  if (stopped_ || strangers_ >= kMaxStrangers ||
      sender.member == self_->member || peers_.contains(sender.member)) {
    return;
  }
  ++strangers_;
  peers_[sender.member] = MakePeer(sender.member, sender.urls, true);
}

void HttpTransport::Deliver(std::vector<raft::Message> messages) {
  const auto self = Self();
  if (!self.has_value()) return;
  gate_.With([&](Receiver* receiver) {
    for (raft::Message& message : messages) {
      // A snapshot without its database is of no use.
      if (message.to != self->member || receiver->IsRemoved(message.from) ||
          message.type == raft::MessageType::kSnapshot) {
        continue;
      }
      receiver->Receive(std::move(message));
    }
  });
}

void HttpTransport::DeliverAndRun(bool appends,
                                  std::vector<raft::Message> messages) {
  const auto deliver = [&] { Deliver(std::move(messages)); };
  appends ? loops_.RunNodeAndLog(deliver) : loops_.RunNode(deliver);
}

void HttpTransport::Send(std::vector<raft::Message> messages) {
  std::vector<std::shared_ptr<Peer>> touched;
  for (const raft::Message& message : messages) {
    auto peer = std::find_if(touched.begin(), touched.end(), [&](auto& p) {
      return p->member() == message.to;
    });
    if (peer == touched.end()) {
      auto found = FindPeer(message.to);
      if (found == nullptr) continue;
      peer = touched.insert(touched.end(), std::move(found));
    }
    (*peer)->Send(message);
  }
  for (const auto& peer : touched) peer->Flush();
}

void HttpTransport::SendSnapshot(OutgoingSnapshot snapshot) {
  const auto peer = FindPeer(snapshot.message.to);
  if (peer == nullptr) return snapshot.done(false);
  peer->SendSnapshot(std::move(snapshot));
}

void HttpTransport::SetPeer(MemberId member, std::vector<std::string> urls) {
  std::shared_ptr<Peer> old;
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  if (!self_.has_value()) {
    unmade_[member] = std::move(urls);
    return;
  }
  if (member == self_->member) return;
  std::shared_ptr<Peer>& peer = peers_[member];
  if (peer != nullptr && peer->stranger()) --strangers_;
  if (peer != nullptr && !peer->stranger() && peer->urls() == urls) return;
  old = std::move(peer);
  peer = MakePeer(member, std::move(urls), false);
  // Its connections are closed where blocking does no harm.
  if (old != nullptr) disk_->Post([old] { old->Stop(); });
}

void HttpTransport::RemovePeer(MemberId member) {
  const std::lock_guard lock(mutex_);
  unmade_.erase(member);
  const auto found = peers_.find(member);
  if (stopped_ || found == peers_.end()) return;
  if (found->second->stranger()) --strangers_;
  disk_->Post([old = found->second] { old->Stop(); });
  peers_.erase(found);
}

std::vector<PeerStats> HttpTransport::Stats() const {
  std::vector<PeerStats> stats;
  const std::shared_lock lock(mutex_);
  for (const auto& [member, peer] : peers_) {
    if (!peer->stranger()) stats.push_back(peer->stats());
  }
  return stats;
}

void HttpTransport::Tick() {
  Peers peers;
  {
    const std::shared_lock lock(mutex_);
    peers = peers_;
  }
  for (const auto& [member, peer] : peers) peer->Tick();
  client_->After(Peer::kTickPeriod, [this] { Tick(); });
}

void HttpTransport::Stop() {
  Peers peers;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(stopped_, true)) return;
    peers = std::exchange(peers_, {});
  }
  gate_.Shut();
  for (const auto& [member, peer] : peers) peer->Stop();
  // Peers that were let go of before are stopped there.
  std::promise<void> stopped;
  disk_->Post([&] { stopped.set_value(); });
  stopped.get_future().wait();
  client_->Stop();
  append_client_->Stop();
  snapshot_client_->Stop();
}

}  // namespace

std::unique_ptr<PeerTransport> PeerTransport::New(
    Logger* logger, TlsContext* tls, const SnapshotSendOptions& snapshots,
    const NodeLoops& loops) {
  return std::make_unique<HttpTransport>(logger, tls, snapshots, loops);
}

}  // namespace strata::peer
