#include "tests/sim/network.h"

#include <algorithm>
#include <optional>

#include "server/errors.h"

namespace strata::sim {
namespace {

constexpr size_t kPieceBytes = 64 << 10;
// Of a database, on the way.
constexpr double kBytesPerSecond = 50e6;
// A snapshot's sender waits so long for an answer that was lost.
constexpr Duration kSnapshotPatience = std::chrono::seconds(2);

}  // namespace

class SimTransport final : public Transport {
 public:
  SimTransport(Network* network, MemberId self)
      : network_(network), self_(self) {}
  ~SimTransport() override { Stop(); }

  void Start(Receiver* receiver) override {
    network_->receivers_[self_] = receiver;
    network_->transports_[self_] = this;
    ++network_->lives_[self_];
    started_ = true;
  }
  void Stop() override {
    if (!std::exchange(started_, false)) return;
    network_->receivers_.erase(self_);
    network_->transports_.erase(self_);
    ++network_->lives_[self_];
  }
  void Send(std::vector<raft::Message> messages) override {
    for (raft::Message& message : messages) {
      if (!peers_.contains(message.to)) continue;
      network_->SendOne(self_, std::move(message));
    }
  }
  void SendSnapshot(OutgoingSnapshot snapshot) override {
    network_->SendSnapshot(self_, std::move(snapshot));
  }
  void SetPeer(MemberId member, std::vector<std::string> urls) override {
    peers_[member] = std::move(urls);
  }
  void RemovePeer(MemberId member) override { peers_.erase(member); }
  // What it says tells where it is: one that has not yet heard of a new member
  // can still answer it.
  void Met(MemberId stranger) { peers_.try_emplace(stranger); }
  bool Active(MemberId member) const override {
    return network_->Reaches(self_, member) && network_->Reaches(member, self_);
  }

 private:
  Network* const network_;
  const MemberId self_;
  bool started_ = false;
  std::map<MemberId, std::vector<std::string>> peers_;
};

class SimLeaderClient final : public LeaderClient {
 public:
  SimLeaderClient(Network* network, MemberId self)
      : network_(network), self_(self) {}

  void RenewLease(MemberId leader, LeaseId id,
                  std::function<void(StatusOr<int64_t>)> reply) override {
    network_->Ask(self_, leader, [id, reply](Node* node) {
      if (node == nullptr) return reply(errors::TimedOut());
      node->RenewLease(id, reply);
    });
  }
  void LeaseTimeLeft(MemberId leader, LeaseId id,
                     std::function<void(StatusOr<Duration>)> reply) override {
    network_->Ask(self_, leader, [id, reply](Node* node) {
      if (node == nullptr) return reply(errors::TimedOut());
      reply(node->LeaseTimeLeft(id));
    });
  }
  void PromoteMember(MemberId leader, MemberId id,
                     std::function<void(StatusOr<Membership>)> reply) override {
    network_->Ask(self_, leader, [id, reply](Node* node) {
      if (node == nullptr) return reply(errors::TimedOut());
      node->PromoteMember(id, reply);
    });
  }
  void Version(MemberId member,
               std::function<void(StatusOr<std::string>)> reply) override {
    network_->AskAny(self_, member, [reply](Node* node) {
      if (node == nullptr) return reply(errors::TimedOut());
      reply(node->level().ClusterVersion());
    });
  }
  void HashKv(MemberId member, Revision revision,
              std::function<void(StatusOr<MemberHash>)> reply) override {
    network_->AskAny(self_, member, [revision, reply](Node* node) {
      if (node == nullptr) return reply(errors::TimedOut());
      const auto hash = node->store()->HashKv(revision);
      if (!hash.ok()) return reply(hash.status());
      reply(MemberHash{.hash = hash->hash,
                       .current = hash->current,
                       .compact_revision = hash->compact_revision});
    });
  }

 private:
  Network* const network_;
  const MemberId self_;
};

Network::Network(SimWorld* world, uint64_t seed)
    : world_(world), random_(seed), loop_(world->NewLoop("network")) {}

std::unique_ptr<Transport> Network::NewTransport(MemberId self) {
  return std::make_unique<SimTransport>(this, self);
}

std::unique_ptr<LeaderClient> Network::NewLeaderClient(MemberId self) {
  return std::make_unique<SimLeaderClient>(this, self);
}

bool Network::Reaches(MemberId from, MemberId to) const {
  return receivers_.contains(to) && !cuts_.contains({from, to});
}

Duration Network::DrawDelay() {
  const auto spread =
      static_cast<uint64_t>((faults_.delay_max - faults_.delay_min).count());
  Duration delay =
      faults_.delay_min +
      Duration(static_cast<int64_t>(spread == 0 ? 0 : random_.Below(spread)));
  if (faults_.late > 0 && random_.Below(1000) < faults_.late) {
    delay += faults_.delay_max * static_cast<int64_t>(random_.Below(10));
  }
  return delay;
}

Duration Network::DrawDelay(const raft::Message& message) {
  const bool asks = message.type == raft::MessageType::kVote;
  if (!asks || faults_.vote_delay_max == Duration::zero()) return DrawDelay();
  const auto most = static_cast<uint64_t>(faults_.vote_delay_max.count());
  return DrawDelay() + Duration(static_cast<int64_t>(random_.Below(most)));
}

void Network::Mend(const Ways& ways) {
  for (const auto& way : ways) {
    const auto at = cuts_.find(way);
    if (at != cuts_.end()) cuts_.erase(at);
  }
}

void Network::ReleaseHeld(Duration time) {
  holds_.clear();
  if (held_.empty()) return;
  const Duration step = time / static_cast<int64_t>(held_.size());
  Duration delay = Duration::zero();
  for (Held& held : std::exchange(held_, {})) {
    auto shared = std::make_shared<Held>(std::move(held));
    loop_->After(delay, [this, shared] {
      HandOver(shared->from, shared->to, std::move(shared->message),
               shared->sent);
    });
    delay += step;
  }
}

void Network::SendOne(MemberId from, raft::Message message) {
  const MemberId to = message.to;
  if (cuts_.contains({from, to}) || Lost()) {
    ++dropped_;
    return;
  }
  const Time sent = world_->Now();
  // A proposal that came twice would be made twice.
  if (faults_.repeated > 0 && message.type != raft::MessageType::kPropose &&
      random_.Below(1000) < faults_.repeated) {
    loop_->After(DrawDelay(message), [this, from, to, message, sent] {
      Deliver(from, to, message, sent);
    });
  }
  const Duration delay = DrawDelay(message);
  // Shared, as a std::function is copied.
  auto shared = std::make_shared<raft::Message>(std::move(message));
  loop_->After(delay, [this, from, to, shared, sent] {
    Deliver(from, to, std::move(*shared), sent);
  });
}

void Network::Deliver(MemberId from, MemberId to, raft::Message message,
                      Time sent) {
  if (cuts_.contains({from, to})) {
    ++dropped_;
  } else if (holds_.contains({from, to})) {
    held_.push_back({from, to, std::move(message), sent});
  } else {
    HandOver(from, to, std::move(message), sent);
  }
}

void Network::HandOver(MemberId from, MemberId to, raft::Message message,
                       Time sent) {
  const auto at = receivers_.find(to);
  if (at == receivers_.end()) {
    ++dropped_;
    // Half of those that are down are so without their machines, which say it.
    const auto back = receivers_.find(from);
    if (at == receivers_.end() && back != receivers_.end() &&
        lives_[to] % 4 == 0 && !cuts_.contains({to, from})) {
      back->second->Gone(to);
    }
    return;
  }
  // As 410 Gone from etcd's peer handlers.
  if (at->second->IsRemoved(from)) {
    const auto back = receivers_.find(from);
    if (back != receivers_.end() && !cuts_.contains({to, from})) {
      back->second->RemovedHere();
    }
  }
  ++delivered_;
  if (observer_) observer_(message, sent);
  transports_.at(to)->Met(from);
  at->second->Receive(std::move(message));
}

void Network::SendSnapshot(MemberId from, OutgoingSnapshot snapshot) {
  auto database = std::make_shared<std::string>();
  const Status written =
      snapshot.write_database([&database](std::string_view piece) {
        database->append(piece);
        return Status::Ok();
      });
  const auto done = [this, from, life = lives_[from],
                     done = std::move(snapshot.done)](bool ok) {
    if (lives_[from] == life && receivers_.contains(from)) done(ok);
  };
  const MemberId to = snapshot.message.to;
  const bool lost = !written.ok() || cuts_.contains({from, to}) || Lost();
  // It may break off on the way.
  const bool whole = !Lost();
  const Duration time =
      DrawDelay() +
      Duration(static_cast<int64_t>(
          1e9 * static_cast<double>(database->size()) / kBytesPerSecond));
  loop_->After(
      lost ? kSnapshotPatience : time,
      [this, from, lost, whole, message = snapshot.message, database, done] {
        if (lost) return done(false);
        DeliverSnapshot(from, message, *database, whole, done);
      });
}

void Network::DeliverSnapshot(MemberId from, const raft::Message& message,
                              const std::string& database, bool whole,
                              const std::function<void(bool)>& done) {
  const MemberId to = message.to;
  const auto at = receivers_.find(to);
  if (at == receivers_.end() || cuts_.contains({from, to})) return done(false);
  if (snapshot_observer_) snapshot_observer_(to);
  transports_.at(to)->Met(from);
  auto incoming = at->second->ReceiveSnapshot(message);
  Status status = incoming.status();
  size_t size = database.size();
  if (!whole) size = random_.Below(size + 1);
  for (size_t begin = 0; status.ok() && begin < size; begin += kPieceBytes) {
    status = (*incoming)->Write(std::string_view(database).substr(
        begin, std::min(kPieceBytes, size - begin)));
  }
  if (status.ok() && whole) {
    status = (*incoming)->Finish();
    ++snapshots_;
  }
  // The answer may be lost, too: then it seems to have failed.
  done(status.ok() && whole && !cuts_.contains({to, from}));
}

void Network::Ask(MemberId from, MemberId leader,
                  std::function<void(Node*)> call) {
  AskAny(from, leader, [leader, call = std::move(call)](Node* node) {
    call(node != nullptr && node->replication().leader == leader ? node
                                                                 : nullptr);
  });
}

void Network::AskAny(MemberId from, MemberId member,
                     std::function<void(Node*)> call) {
  const bool lost = cuts_.contains({from, member}) ||
                    cuts_.contains({member, from}) || Lost();
  loop_->After(
      lost ? kSnapshotPatience : DrawDelay(),
      [this, from, member, lost, life = lives_[from], call = std::move(call)] {
        // Nobody is left to be told.
        if (lives_[from] != life) return;
        const auto at = nodes_.find(member);
        call(lost || at == nodes_.end() || !receivers_.contains(member)
                 ? nullptr
                 : at->second);
      });
}

}  // namespace strata::sim
