#include "tests/sim/workload.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "engine/key_value.h"
#include "engine/watch/event.h"

namespace strata::sim {
namespace {

constexpr size_t kLines = 200;
// Compactions stay so far behind what is known.
constexpr int64_t kKeepRevisions = 200;
constexpr Duration kLeaseStep = std::chrono::milliseconds(500);
constexpr Duration kWatchStep = std::chrono::milliseconds(300);

std::string Seconds(Time time) {
  std::ostringstream text;
  text.precision(3);
  text << std::fixed << std::chrono::duration<double>(time).count();
  return text.str();
}

// How a value is told of: long ones are filled up.
std::string Short(const std::string& value) {
  return value.substr(0, value.find('.'));
}

}  // namespace

std::string Workload::Operation::ToString() const {
  return Seconds(start) + "-" + Seconds(end) + " c" + std::to_string(client) +
         " at " + member + ": " + what + " -> " + answer;
}

struct Workload::Call {
  size_t client = 0;
  Member* member = nullptr;
  uint64_t life = 0;
  std::string what;
  Time start{};
  int64_t floor = 0;  // what was known to all when it began
  // It is not known whether it was made: by somebody who tries it again.
  std::function<void()> again;
  bool ended = false;
  etcdserverpb::InternalRaftRequest request;
  std::function<void(const Status&)> then;
};

struct Workload::Lease {
  size_t number = 0;
  uint64_t grants = 0;  // asked for; the last one counts
  int64_t id = 0;       // 0: there is none
  int64_t ttl = 0;
  std::string key = {};
  bool has_key = false;
  bool busy = false;
  bool giving_up = false;  // is not renewed any more
  // Asked as long as it is there.
  Member* member = nullptr;
  Time alive_until{};  // as its holder was told
  std::optional<Time> ended = {};
};

struct Workload::Watching {
  explicit Watching(testing::WatchLog::Wanted wanted)
      : log(std::move(wanted)) {}
  testing::WatchLog log;
  Member* member = nullptr;
  std::unique_ptr<WatchStream> stream;
  int64_t start = 0;
  bool created = false;
  bool ready = false;
};

Workload::Workload(Cluster* cluster, Truth* truth, uint64_t seed,
                   const WorkloadOptions& options)
    : cluster_(cluster),
      truth_(truth),
      random_(seed),
      options_(options),
      loop_(cluster->world().NewLoop("clients")),
      current_(options.clients) {
  for (size_t i = options.clients; i > 0; --i) free_.push_back(i - 1);
  for (size_t i = 0; i < options.leases; ++i) {
    leases_.push_back(std::make_unique<Lease>());
    leases_.back()->number = i;
  }
  for (size_t i = 0; i < options.watchers; ++i) {
    testing::WatchLog::Wanted wanted;
    wanted.key = "k";
    wanted.end = "l";
    if (random_.OneIn(2)) {
      wanted.key = AnyKey();
      if (random_.OneIn(2)) wanted.end.clear();
    }
    wanted.no_delete = random_.OneIn(8);
    wanted.prev_kv = random_.OneIn(3);
    watching_.push_back(std::make_unique<Watching>(std::move(wanted)));
  }
  truth_->SetOnDelete([this](const std::string&, const Truth::Version& before,
                             Time seen) { LeaseKeyDeleted(before, seen); });
}

Workload::~Workload() {
  for (auto& watching : watching_) watching->stream.reset();
  loop_->Halt();
}

void Workload::Start() {
  Schedule();
  for (auto& lease : leases_) {
    loop_->After(kLeaseStep, [this, at = lease.get()] { TickLease(at); });
  }
  for (auto& watching : watching_) {
    loop_->After(kWatchStep, [this, at = watching.get()] { TickWatch(at); });
  }
}

Member* Workload::AnyUp() {
  const size_t first = random_.Below(cluster_->size());
  for (size_t i = 0; i < cluster_->size(); ++i) {
    Member& member = cluster_->member((first + i) % cluster_->size());
    if (member.up() && !member.powered_off()) return &member;
  }
  return nullptr;
}

std::string Workload::AnyKey() {
  return "k" + std::to_string(random_.Below(options_.keys));
}

std::string Workload::NewValue(size_t client) {
  std::string value =
      "c" + std::to_string(client) + "-" + std::to_string(++values_);
  // Some do not fit into a sector, or a page.
  if (random_.OneIn(16)) value.append(random_.Between(100, 5000), '.');
  return value;
}

void Workload::Schedule() {
  const double wait = 2 * random_.Fraction() / options_.operations_per_second;
  loop_->After(Duration(static_cast<int64_t>(wait * 1e9)), [this] {
    Schedule();
    BeginOne();
  });
}

void Workload::BeginOne() {
  if (stopped_ || free_.empty()) return;
  Member* const member = AnyUp();
  if (member == nullptr) return;
  const size_t client = free_.back();
  free_.pop_back();
  Begin(client, member);
}

void Workload::Begin(size_t client, Member* member) {
  ++operations_;
  const uint64_t draw = random_.Below(100);
  if (draw < 45) return Put(client, member);
  if (draw < 52) return Delete(client, member);
  if (draw < 68) return Txn(client, member);
  if (draw < 88) return Read(client, member, /*linearizable=*/true);
  if (draw < 99 || !random_.OneIn(4)) {
    return Read(client, member, /*linearizable=*/false);
  }
  Compact(client, member);
}

Workload::Shared Workload::NewCall(size_t client, Member* member,
                                   std::string what) {
  auto call = std::make_shared<Call>();
  call->client = client;
  call->member = member;
  call->life = member->lives();
  call->what = std::move(what);
  call->start = cluster_->world().Now();
  call->floor = told_;
  current_[client] = call;
  ++calls_;
  return call;
}

void Workload::End(const Shared& call, const Status& status,
                   const std::string& what) {
  if (std::exchange(call->ended, true)) return;
  --calls_;
  current_[call->client] = nullptr;
  if (!status.ok()) ++failed_;
  free_.push_back(call->client);
  if (!status.ok() && call->again) call->again();
  last_.push_back({.start = call->start,
                   .end = cluster_->world().Now(),
                   .client = call->client,
                   .member = call->member->options().name,
                   .what = call->what,
                   .answer = status.ok() ? what : status.message(),
                   .ok = status.ok()});
  if (on_end_) on_end_(last_.back());
  if (last_.size() > kLines) last_.pop_front();
  if (status.code() == Code::kDataLoss && !call->member->IsOfRot(status)) {
    truth_->Violated("a client met damage: " + status.ToString());
  }
}

std::string Workload::LastLines() const {
  std::string text;
  for (const Operation& one : last_) text += one.ToString() + "\n";
  return text;
}

// What it asked for may be made or not; nobody will say.
void Workload::GoesDown(Member* member) {
  for (const Shared& call : std::vector<Shared>(current_)) {
    if (call != nullptr && call->member == member) {
      End(call, UnavailableError("the member is gone"), "");
    }
  }
  for (auto& watching : watching_) {
    if (watching->member == member) BreakOff(watching.get());
  }
  truth_->Look(member);
  truth_->Forget(member->id());
}

void Workload::Propose(
    const Shared& call,
    std::function<void(const Shared&, const ApplyResult&)> done) {
  call->member->node()->Propose(
      &call->request,
      [this, call, done = std::move(done)](StatusOr<ApplyResult> result) {
        if (call->ended) return;
        if (!result.ok()) return End(call, result.status(), "");
        done(call, *result);
      });
}

testing::Truth::Asked Workload::Asked(const Shared& call) {
  return {.what = call->what, .floor = call->floor};
}

// Brings the truth up to what the member has; the answer may be of that.
void Workload::Told(const Shared& call, int64_t revision) {
  truth_->Look(call->member);
  told_ = std::max(told_, revision);
}

// --- operations ---

void Workload::Put(size_t client, Member* member) {
  const std::string key = AnyKey();
  const std::string value = NewValue(client);
  const Shared call =
      NewCall(client, member, "put " + key + " " + Short(value));
  call->request.mutable_put()->set_key(key);
  call->request.mutable_put()->set_value(value);
  Propose(call,
          [this, key, value](const Shared& ended, const ApplyResult& result) {
            const auto* put = std::get_if<PutResult>(&result);
            if (put == nullptr)
              return truth_->Violated("a put has another answer");
            const int64_t revision = put->revision.value();
            Told(ended, revision);
            truth_->CheckPut(Asked(ended), key, value, revision);
            ++puts_;
            End(ended, Status::Ok(), std::to_string(revision));
          });
}

void Workload::Delete(size_t client, Member* member) {
  const std::string key = AnyKey();
  const Shared call = NewCall(client, member, "delete " + key);
  call->request.mutable_delete_range()->set_key(key);
  Propose(call, [this, key](const Shared& ended, const ApplyResult& result) {
    const auto* deleted = std::get_if<DeleteRangeResult>(&result);
    if (deleted == nullptr)
      return truth_->Violated(
          "a delete has another "
          "answer");
    const int64_t revision = deleted->revision.value();
    Told(ended, revision);
    truth_->CheckDelete(Asked(ended), key, deleted->deleted, revision);
    End(ended, Status::Ok(), std::to_string(revision));
  });
}

// Compare and swap, on what was last known of the key; else it reads.
void Workload::Txn(size_t client, Member* member) {
  const std::string key = AnyKey();
  const std::string value = NewValue(client);
  const Truth::Version* const last = truth_->At(key, truth_->known());
  Swap(client, member,
       {.key = key,
        .expected = last == nullptr ? 0 : last->revision,
        .value = value});
}

// A revision of a key is replaced once: whoever asks twice is served once. Not
// so if there was no key, which can be again.
void Workload::SwapAgain(const Shared& call,
                         const Truth::CompareAndSwap& swap) {
  if (swap.expected == 0 || random_.OneIn(2)) return;
  const auto wait = Duration(static_cast<int64_t>(1e9 * random_.Fraction()));
  call->again = [this, swap, wait] {
    loop_->After(wait, [this, swap] {
      Member* const member = AnyUp();
      if (stopped_ || free_.empty() || member == nullptr) return;
      const size_t client = free_.back();
      free_.pop_back();
      ++operations_;
      Swap(client, member, swap);
    });
  };
}

void Workload::Swap(size_t client, Member* member,
                    const Truth::CompareAndSwap& swap) {
  const auto& [key, expected, value, succeeded, found] = swap;
  const Shared call = NewCall(
      client, member,
      "txn " + key + " " + std::to_string(expected) + " " + Short(value));
  SwapAgain(call, swap);
  auto* const txn = call->request.mutable_txn();
  auto* const compare = txn->add_compare();
  compare->set_key(key);
  compare->set_target(etcdserverpb::Compare::MOD);
  compare->set_result(etcdserverpb::Compare::EQUAL);
  compare->set_mod_revision(expected);
  auto* const put = txn->add_success()->mutable_request_put();
  put->set_key(key);
  put->set_value(value);
  txn->add_failure()->mutable_request_range()->set_key(key);
  Propose(call, [this, swap](const Shared& ended, const ApplyResult& result) {
    const auto* answer = std::get_if<TxnResult>(&result);
    if (answer == nullptr) return truth_->Violated("a txn has another answer");
    Told(ended, answer->revision.value());
    const auto* range =
        answer->succeeded
            ? nullptr
            : std::get_if<RangeResult>(&answer->responses.front());
    truth_->CheckSwap(Asked(ended),
                      {.key = swap.key,
                       .expected = swap.expected,
                       .value = swap.value,
                       .succeeded = answer->succeeded,
                       .found = range != nullptr && !range->kvs.empty()},
                      answer->revision.value());
    End(ended, Status::Ok(),
        std::string(answer->succeeded ? "put at " : "other at ") +
            std::to_string(answer->revision.value()));
  });
}

void Workload::Read(size_t client, Member* member, bool linearizable) {
  std::string key = AnyKey();
  std::string end;
  if (random_.OneIn(3)) end = "l";
  const Shared call =
      NewCall(client, member,
              std::string(linearizable ? "get " : "serializable get ") + key +
                  (end.empty() ? "" : ".."));
  if (!linearizable) return ReadStore(call, key, end, false);
  member->node()->ReadIndex([this, call, key, end](const Status& status) {
    if (call->ended) return;
    if (!status.ok()) return End(call, status, "");
    ReadStore(call, key, end, true);
  });
}

void Workload::ReadStore(const Shared& call, const std::string& key,
                         const std::string& end, bool linearizable) {
  RangeRequest request;
  request.range.key = key;
  request.range.end = end;
  const auto result = call->member->node()->store()->Range(request);
  if (!result.ok()) return End(call, result.status(), "");
  const int64_t revision = result->revision.value();
  if (!linearizable) call->floor = 0;
  Told(call, revision);
  std::vector<testing::Truth::ReadKey> read;
  for (const auto& bytes : result->kvs) {
    const auto kv = DecodeKeyValue(bytes);
    CHECK_OK(kv);
    read.push_back({.key = std::string(kv->key),
                    .value = std::string(kv->value),
                    .revision = kv->mod_revision.value()});
  }
  truth_->CheckRead(Asked(call), key, end, read, revision);
  End(call, Status::Ok(), std::to_string(revision));
}

void Workload::Compact(size_t client, Member* member) {
  const int64_t revision = truth_->known() - kKeepRevisions;
  if (revision < 2) return Read(client, member, /*linearizable=*/true);
  // What is removed has been seen.
  const Shared call =
      NewCall(client, member, "compact " + std::to_string(revision));
  call->request.mutable_compaction()->set_revision(revision);
  Propose(call, [this](const Shared& ended, const ApplyResult&) {
    End(ended, Status::Ok(), "");
  });
}

// --- leases ---

Member* Workload::HolderOf(Lease* lease) {
  Member* const last = lease->member;
  if (last == nullptr || !last->up() || last->powered_off() ||
      random_.OneIn(40)) {
    lease->member = AnyUp();
  }
  return lease->member;
}

void Workload::TickLease(Lease* lease) {
  loop_->After(kLeaseStep, [this, lease] { TickLease(lease); });
  Member* const member = HolderOf(lease);
  if (member == nullptr || lease->busy || leases_stopped_) return;
  if (lease->id == 0) return GrantLease(lease, member);
  if (lease->ended ||
      cluster_->world().Now() > lease->alive_until + std::chrono::seconds(20)) {
    lease->id = 0;
    return;
  }
  if (!lease->has_key) return PutUnderLease(lease, member);
  if (random_.OneIn(20)) lease->giving_up = true;
  if (!lease->giving_up) RenewLease(lease, member);
}

void Workload::GrantLease(Lease* lease, Member* member) {
  *lease = Lease{
      .number = lease->number, .grants = lease->grants + 1, .member = member};
  lease->ttl = static_cast<int64_t>(random_.Between(2, 5));
  const int64_t id = member->node()->NewLeaseId().value();
  auto call = std::make_shared<Call>();
  call->start = cluster_->world().Now();
  auto* const grant = call->request.mutable_lease_grant();
  grant->set_id(id);
  grant->set_ttl(lease->ttl);
  lease->busy = true;
  lease->key = "lease" + std::to_string(id);
  member->node()->Propose(
      &call->request, [this, call, lease, id, grant_number = lease->grants](
                          const StatusOr<ApplyResult>& result) {
        // A late answer is of a lease that nobody waits for any more.
        if (lease->grants != grant_number) return;
        lease->busy = false;
        if (!result.ok()) return;
        lease->id = id;
        lease->alive_until = call->start + std::chrono::seconds(lease->ttl);
        lease_of_[id] = lease;
      });
  // A member that goes down answers nothing.
  loop_->After(std::chrono::seconds(10), [lease, at = lease->grants] {
    if (lease->grants == at) lease->busy = false;
  });
}

void Workload::PutUnderLease(Lease* lease, Member* member) {
  auto call = std::make_shared<Call>();
  auto* const put = call->request.mutable_put();
  put->set_key(lease->key);
  put->set_value(NewValue(1000 + lease->number));
  put->set_lease(lease->id);
  member->node()->Propose(
      &call->request,
      [call, lease, id = lease->id](const StatusOr<ApplyResult>& result) {
        if (result.ok() && lease->id == id) {
          lease->has_key = true;
        }
      });
}

void Workload::RenewLease(Lease* lease, Member* member) {
  const Time start = cluster_->world().Now();
  member->node()->RenewLease(
      LeaseId(lease->id),
      [this, lease, id = lease->id, start](const StatusOr<int64_t>& ttl) {
        if (!ttl.ok() || lease->id != id) return;
        const Time until = start + std::chrono::seconds(*ttl);
        lease->alive_until = std::max(lease->alive_until, until);
        if (lease->ended) LeaseKeyDeleted({.lease = id}, *lease->ended);
      });
}

// A key under a lease is deleted by nobody but the lease's end.
void Workload::LeaseKeyDeleted(const Truth::Version& before, Time seen) {
  const auto at = lease_of_.find(before.lease);
  if (before.lease == 0 || at == lease_of_.end()) return;
  Lease* const lease = at->second;
  if (lease->id != before.lease) return;
  lease->ended = seen;
  const auto skew = Duration(static_cast<int64_t>(
      options_.clock_skew * static_cast<double>(lease->ttl) * 1e9));
  if (seen + skew + std::chrono::milliseconds(1) < lease->alive_until) {
    truth_->Violated("lease " + std::to_string(lease->id) + " ended at " +
                     Seconds(seen) +
                     ", but its holder was told that it lives "
                     "until " +
                     Seconds(lease->alive_until));
  }
}

void Workload::CheckLeases(Member* member) {
  for (const LeaseRecord& lease : member->node()->store()->leases().List()) {
    truth_->Violated("lease " + std::to_string(lease.id.value()) +
                     " lives on though nobody renews it");
  }
}

// --- watches ---

void Workload::TickWatch(Watching* watching) {
  loop_->After(kWatchStep, [this, watching] { TickWatch(watching); });
  if (watching->member == nullptr) {
    Member* const member = AnyUp();
    if (member != nullptr) BeginWatch(watching, member);
  } else if (random_.OneIn(100) && !stopped_) {
    BreakOff(watching);
  } else {
    if (random_.OneIn(10)) watching->stream->RequestProgress();
    Drain(watching);
  }
}

void Workload::BeginWatch(Watching* watching, Member* member) {
  watching->member = member;
  watching->created = false;
  watching->stream = member->node()->watch_hub()->NewStream(
      [this, watching, member, life = member->lives()] {
        loop_->Post([this, watching, member, life] {
          if (watching->member == member && member->lives() == life) {
            Drain(watching);
          }
        });
      });
  const testing::WatchLog::Wanted& wanted = watching->log.wanted();
  WatchRequest request;
  request.range.key = wanted.key;
  request.range.end = wanted.end;
  request.no_delete = wanted.no_delete;
  request.prev_kv = wanted.prev_kv;
  watching->start = watching->log.resume();
  request.start = Revision(watching->start);
  watching->stream->Watch(request);
  Drain(watching);
}

void Workload::BreakOff(Watching* watching) {
  watching->stream.reset();
  watching->member = nullptr;
}

void Workload::Drain(Watching* watching) {
  if (watching->stream == nullptr) return;
  while (auto response = watching->stream->Next()) {
    if (response->created) {
      if (watching->start == 0)
        watching->start = response->revision.value() + 1;
      watching->log.Begin(watching->start);
      watching->created = true;
      continue;
    }
    if (response->canceled) {
      if (response->compact_revision > Revision()) {
        watching->log.Compacted(response->compact_revision.value());
      } else if (!watching->member->IsOfRot(
                     DataLossError(response->cancel_reason))) {
        truth_->Violated("a watcher was cancelled: " + response->cancel_reason);
      }
      return BreakOff(watching);
    }
    if (response->events.empty()) {
      watching->log.Progress(response->revision.value());
      continue;
    }
    std::vector<testing::WatchedEvent> events;
    for (const auto& event : response->events) {
      const auto kv = DecodeKeyValue(event->kv());
      CHECK_OK(kv);
      testing::WatchedEvent seen{.revision = event->revision().value(),
                                 .is_delete = event->is_delete(),
                                 .key = std::string(event->key()),
                                 .value = std::string(kv->value)};
      if (response->prev_kv && !event->prev_kv().empty()) {
        const auto prev = DecodeKeyValue(event->prev_kv());
        CHECK_OK(prev);
        seen.prev = std::string(prev->value);
      }
      events.push_back(std::move(seen));
    }
    watching->log.Events(std::move(events));
  }
}

void Workload::CheckWatches() {
  for (auto& watching : watching_) {
    if (!watching->created) continue;
    for (const testing::Violation& violation :
         CheckWatch(truth_->watched(), watching->log, truth_->known())) {
      truth_->Violated("watch " + watching->log.wanted().key + ".." +
                       watching->log.wanted().end + " is not " +
                       testing::PromiseName(violation.promise) + ": " +
                       violation.what);
    }
  }
}

uint64_t Workload::events() const {
  uint64_t events = 0;
  for (const auto& watching : watching_) events += watching->log.events();
  return events;
}

}  // namespace strata::sim
