// Watchers under load, and whether they were told what they were promised:
//
//   watch_load HOST:PORT WATCHERS SECONDS SEED
//
// One writer changes keys, alone, in transactions and by ranges, and compacts;
// watchers on a quarter as many streams begin anywhere, cancel, begin again,
// read slowly. Whoever runs it may kill and restart the server meanwhile. In
// the end every log is checked (tests/watch/checker.h), then spoiled in every
// way that has a name, to see that the checker finds it. Exit code 1 if
// anything is wrong.
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/random.h"
#include "rpc/proto/rpc.grpc.pb.h"
#include "tests/watch/checker.h"

namespace strata::testing {
namespace {

using etcdserverpb::KV;
using etcdserverpb::Watch;
using std::chrono::milliseconds;

constexpr int kKeys = 60;
constexpr int kWatchersOfStream = 4;
constexpr auto kWritePause = std::chrono::microseconds(1500);
constexpr auto kCall = std::chrono::seconds(10);
constexpr auto kPatience = std::chrono::seconds(60);

std::string Key(uint64_t i) {
  return "k" + std::to_string(i / 10) + std::to_string(i % 10);
}

// Large values keep slow readers behind; what is logged is before the bar.
std::string Padded(const std::string& value, Random* random) {
  return value + "|" + std::string(random->Below(4000), 'x');
}
std::string Unpadded(const std::string& value) {
  return value.substr(0, value.find('|'));
}

// The one who writes, and so knows what was written.
class Writer {
 public:
  Writer(const std::shared_ptr<grpc::Channel>& channel, uint64_t seed)
      : stub_(KV::NewStub(channel)), random_(seed) {}

  // Until `end`; returns the last revision, or nothing if it lost its server.
  std::optional<int64_t> Run(std::chrono::steady_clock::time_point end) {
    if (!Learn()) return std::nullopt;
    while (std::chrono::steady_clock::now() < end) {
      if (!Step()) return std::nullopt;
      std::this_thread::sleep_for(kWritePause);
    }
    return revision_;
  }
  const WatchTruth& truth() const { return truth_; }

 private:
  using Ops = std::vector<std::pair<std::string, std::optional<std::string>>>;

  bool Step() {
    if (random_.OneIn(400)) return Compact();
    const uint64_t dice = random_.Below(20);
    if (dice == 0) return DeleteAll();
    Ops ops;
    const uint64_t count = dice < 4 ? random_.Between(2, 5) : 1;
    std::set<std::string> used;
    for (uint64_t i = 0; i < count; ++i) {
      const std::string key = Key(random_.Below(kKeys));
      if (!used.insert(key).second) continue;
      if (now_.contains(key) && random_.OneIn(5)) {
        ops.emplace_back(key, std::nullopt);
      } else {
        ops.emplace_back(key, "v" + std::to_string(++values_));
      }
    }
    return Change(ops);
  }

  // All keys of a range, as one request.
  bool DeleteAll() {
    const std::string begin = Key(random_.Below(kKeys));
    const std::string end = begin + "~";
    Ops ops;
    for (auto at = now_.lower_bound(begin); at != now_.end() && *at < end;
         ++at) {
      ops.emplace_back(*at, std::nullopt);
    }
    if (ops.empty()) return true;
    etcdserverpb::TxnRequest request;
    auto* erase = request.add_success()->mutable_request_delete_range();
    erase->set_key(begin);
    erase->set_range_end(end);
    return Send(request, ops);
  }

  bool Change(const Ops& ops) {
    etcdserverpb::TxnRequest request;
    for (const auto& [key, value] : ops) {
      if (value.has_value()) {
        auto* put = request.add_success()->mutable_request_put();
        put->set_key(key);
        put->set_value(Padded(*value, &random_));
      } else {
        request.add_success()->mutable_request_delete_range()->set_key(key);
      }
    }
    return Send(request, ops);
  }

  bool Send(const etcdserverpb::TxnRequest& request, const Ops& ops) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kCall);
    etcdserverpb::TxnResponse response;
    const int64_t before = revision_;
    if (stub_->Txn(&context, request, &response).ok()) {
      revision_ = response.header().revision();
    } else if (!Learn()) {  // it may have been made or not
      return false;
    }
    if (revision_ == before) return true;
    for (const auto& [key, value] : ops) {
      if (value.has_value()) {
        truth_.Put(revision_, key, *value);
        now_.insert(key);
      } else {
        truth_.Delete(revision_, key);
        now_.erase(key);
      }
    }
    return true;
  }

  bool Compact() {
    if (revision_ < 100) return true;
    etcdserverpb::CompactionRequest request;
    const auto back = static_cast<int64_t>(random_.Below(400));
    request.set_revision(std::max(truth_.compacted() + 1, revision_ - back));
    truth_.Compact(request.revision());
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kCall);
    etcdserverpb::CompactionResponse response;
    return stub_->Compact(&context, request, &response).ok() || Learn();
  }

  // Waits for the server to be there, and asks for its revision.
  bool Learn() {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < end) {
      etcdserverpb::RangeRequest request;
      request.set_key("none");
      grpc::ClientContext context;
      context.set_wait_for_ready(true);
      context.set_deadline(std::chrono::system_clock::now() +
                           milliseconds(1000));
      etcdserverpb::RangeResponse response;
      if (stub_->Range(&context, request, &response).ok()) {
        revision_ = response.header().revision();
        return true;
      }
      std::this_thread::sleep_for(milliseconds(50));
    }
    return false;
  }

  const std::unique_ptr<KV::Stub> stub_;
  Random random_;
  WatchTruth truth_;
  std::set<std::string> now_;
  int64_t revision_ = 0;
  int64_t values_ = 0;
};

// One stream after another with the same watchers on them.
class Client {
 public:
  Client(std::shared_ptr<grpc::Channel> channel, int watchers, uint64_t seed)
      : stub_(Watch::NewStub(std::move(channel))), random_(seed) {
    for (int i = 0; i < watchers; ++i) logs_.emplace_back(RandomWanted());
    active_.resize(logs_.size());
    from_.resize(logs_.size());
  }

  // Until all watchers know all up to `*until`, once that is not 0.
  void Run(const std::atomic<int64_t>* until) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::hours(1);
    while (!finished_ && std::chrono::steady_clock::now() < end) {
      RunStream(until);
    }
  }
  void Stop() {
    finished_ = true;
    const std::lock_guard lock(mutex_);
    if (context_ != nullptr) context_->TryCancel();
  }
  // From time to time, by somebody else: also wakes who waits for an event.
  void AskForProgress() {
    etcdserverpb::WatchRequest request;
    request.mutable_progress_request();
    const std::lock_guard lock(mutex_);
    if (stream_ != nullptr) stream_->Write(request);
  }

  const std::vector<WatchLog>& logs() const { return logs_; }
  const std::vector<int64_t>& known() const { return known_; }

 private:
  using Responses = etcdserverpb::WatchResponse;

  WatchLog::Wanted RandomWanted() {
    WatchLog::Wanted wanted;
    wanted.key = Key(random_.Below(kKeys));
    if (random_.OneIn(2)) {
      wanted.end = random_.OneIn(4) ? std::string(1, '\0') : wanted.key + "~";
      if (random_.OneIn(2)) wanted.key.pop_back();  // ten keys
    }
    wanted.no_put = random_.OneIn(10);
    wanted.no_delete = !wanted.no_put && random_.OneIn(10);
    wanted.prev_kv = random_.OneIn(3);
    return wanted;
  }

  void RunStream(const std::atomic<int64_t>* until) {
    {
      const std::lock_guard lock(mutex_);
      context_ = std::make_unique<grpc::ClientContext>();
      // A call that waits also sees to the connection; if all only try and
      // sleep, gRPC looks at it every 5 s.
      context_->set_wait_for_ready(true);
      stream_ = stub_->Watch(context_.get());
    }
    for (size_t i = 0; i < logs_.size(); ++i) Create(i);
    Responses response;
    while (!finished_ && stream_->Read(&response)) {
      Take(response);
      if (IsFinished(response, *until)) finished_ = true;
      Disturb();
    }
    context_->TryCancel();
    std::unique_ptr<Stream> ended;
    {
      const std::lock_guard lock(mutex_);
      ended = std::move(stream_);
    }
    ended->Finish();
    active_.assign(logs_.size(), false);
    if (!finished_) std::this_thread::sleep_for(milliseconds(50));
  }

  // Goes on where the watcher was, or begins anywhere else.
  void Create(size_t i) {
    etcdserverpb::WatchRequest request;
    auto* create = request.mutable_create_request();
    const WatchLog::Wanted& wanted = logs_[i].wanted();
    create->set_key(wanted.key);
    create->set_range_end(wanted.end);
    create->set_prev_kv(wanted.prev_kv);
    create->set_fragment(random_.OneIn(2));
    create->set_watch_id(static_cast<int64_t>(i) + 1);
    if (wanted.no_put) create->add_filters(request.create_request().NOPUT);
    if (wanted.no_delete)
      create->add_filters(request.create_request().NODELETE);
    from_[i] = logs_[i].resume();
    if (random_.OneIn(8)) {
      from_[i] = std::max<int64_t>(
          1, from_[i] - static_cast<int64_t>(random_.Below(300)));
    }
    create->set_start_revision(from_[i]);
    Write(request);
  }

  void Take(const Responses& response) {
    if (response.watch_id() == -1) {
      for (size_t i = 0; i < logs_.size(); ++i) {
        if (active_[i]) logs_[i].Progress(response.header().revision());
      }
      return;
    }
    const auto i = static_cast<size_t>(response.watch_id() - 1);
    if (response.created()) {
      const int64_t now = response.header().revision() + 1;
      logs_[i].Begin(from_[i] == 0 ? now : from_[i]);
      active_[i] = true;
    } else if (response.compact_revision() != 0) {
      logs_[i].Compacted(response.compact_revision());
      active_[i] = false;
      Create(i);
    } else if (response.canceled()) {
      active_[i] = false;
      Create(i);
    } else {
      logs_[i].Events(ToEvents(response), response.fragment());
    }
  }

  static std::vector<WatchedEvent> ToEvents(const Responses& response) {
    std::vector<WatchedEvent> events;
    for (const mvccpb::Event& from : response.events()) {
      WatchedEvent& event = events.emplace_back();
      event.revision = from.kv().mod_revision();
      event.is_delete = from.type() == mvccpb::Event::DELETE;
      event.key = from.kv().key();
      event.value = Unpadded(from.kv().value());
      if (from.has_prev_kv()) event.prev = Unpadded(from.prev_kv().value());
    }
    return events;
  }

  // A progress response for all of them says that nothing is missing.
  bool IsFinished(const Responses& response, int64_t until) {
    if (until == 0 || response.watch_id() != -1) return false;
    for (const bool active : active_) {
      if (!active) return false;
    }
    if (response.header().revision() < until) return false;
    known_.assign(logs_.size(), response.header().revision());
    return true;
  }

  void Disturb() {
    if (random_.OneIn(300)) {
      etcdserverpb::WatchRequest request;
      request.mutable_cancel_request()->set_watch_id(
          static_cast<int64_t>(random_.Below(logs_.size())) + 1);
      Write(request);
    }
    if (random_.OneIn(200)) {
      std::this_thread::sleep_for(milliseconds(random_.Below(2000)));
    }
  }

  void Write(const etcdserverpb::WatchRequest& request) {
    const std::lock_guard lock(mutex_);
    stream_->Write(request);
  }

  using Stream =
      grpc::ClientReaderWriter<etcdserverpb::WatchRequest, Responses>;

  const std::unique_ptr<Watch::Stub> stub_;
  Random random_;
  std::vector<WatchLog> logs_;
  std::vector<bool> active_;
  std::vector<int64_t> from_;   // what was asked for last
  std::vector<int64_t> known_;  // in the end
  std::atomic<bool> finished_ = false;

  std::mutex mutex_;  // of writes, and of what they are written to
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<Stream> stream_;
};

int Check(const WatchTruth& truth, const WatchLog& log, int64_t until) {
  int wrong = 0;
  for (const Violation& violation : CheckWatch(truth, log, until)) {
    std::cout << PromiseName(violation.promise) << ": " << violation.what
              << "\n";
    ++wrong;
  }
  return wrong;
}

// Whether the checker finds what is done to a log that was right.
int Spoil(const WatchTruth& truth, const WatchLog& log, int64_t until) {
  int missed = 0;
  for (const Promise promise :
       {Promise::kOrdered, Promise::kUnique, Promise::kReliable,
        Promise::kAtomic, Promise::kResumable, Promise::kBookmarkable,
        Promise::kFaithful}) {
    const std::optional<WatchLog> spoiled = log.Spoiled(promise);
    if (!spoiled.has_value()) continue;
    bool found = false;
    for (const Violation& violation : CheckWatch(truth, *spoiled, until)) {
      found = found || violation.promise == promise;
    }
    if (found) continue;
    std::cout << "not found: " << PromiseName(promise) << "\n";
    ++missed;
  }
  return missed;
}

int Run(const std::string& endpoint, int watchers, int seconds, uint64_t seed) {
  const auto connect = [&endpoint](int connection) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 300 + connection % 2);
    return grpc::CreateCustomChannel(
        endpoint, grpc::InsecureChannelCredentials(), arguments);
  };
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < 8; ++i) channels.push_back(connect(i));
  std::vector<std::unique_ptr<Client>> clients;
  std::vector<std::thread> threads;
  std::atomic<int64_t> until = 0;
  for (int i = 0; i < watchers / kWatchersOfStream; ++i) {
    clients.push_back(std::make_unique<Client>(
        channels[static_cast<size_t>(i) % channels.size()], kWatchersOfStream,
        seed + 1 + static_cast<uint64_t>(i)));
    threads.emplace_back(
        [client = clients.back().get(), &until] { client->Run(&until); });
  }
  std::atomic<bool> over = false;
  std::thread asker([&] {
    while (!over) {
      for (const auto& client : clients) client->AskForProgress();
      std::this_thread::sleep_for(milliseconds(200));
    }
  });
  Writer writer(connect(0), seed);
  const auto last = writer.Run(std::chrono::steady_clock::now() +
                               std::chrono::seconds(seconds));
  until = last.value_or(0);
  std::thread deadline([&] {
    for (int i = 0; i < 600 && !over; ++i) {
      std::this_thread::sleep_for(milliseconds(100));
    }
    for (const auto& client : clients) client->Stop();
  });
  for (std::thread& thread : threads) thread.join();
  over = true;
  asker.join();
  deadline.join();

  int wrong = last.has_value() ? 0 : 1;
  size_t events = 0, spoiled = 0;
  for (const auto& client : clients) {
    if (client->known().empty()) {
      std::cout << "a client did not come to the end\n";
      ++wrong;
    }
    for (const WatchLog& log : client->logs()) {
      wrong += Check(writer.truth(), log, client->known().empty() ? 0 : *last);
      events += log.events();
      if (spoiled++ < 20) wrong += Spoil(writer.truth(), log, *last);
    }
  }
  std::cout << watchers << " watchers, " << last.value_or(0) << " revisions, "
            << events << " events: " << wrong << " wrong\n";
  return wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace strata::testing

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: watch_load HOST:PORT WATCHERS SECONDS SEED\n";
    return 2;
  }
  return strata::testing::Run(argv[1], std::stoi(argv[2]), std::stoi(argv[3]),
                              std::stoull(argv[4]));
}
