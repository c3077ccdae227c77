// Clients of a cluster that write down what they did and were told, and whether
// it can have been (tests/history/history.h):
//
//   recorder record FILE SEED ENDPOINT...   until its standard input ends
//   recorder show FILE ENDPOINT...          adds what each member has
//   recorder check FILE                     exit code 1: a violation
//
// Each client has one call at a time, of at most two seconds; it goes to
// another member when one has failed, and now and then anyway. Watchers begin
// again where they were broken off, at another member.
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "rpc/proto/rpc.grpc.pb.h"
#include "tests/history/history.h"

namespace strata::testing {
namespace {

using etcdserverpb::KV;
using etcdserverpb::Watch;
using std::chrono::milliseconds;

constexpr int kClients = 12;
constexpr int kWatchers = 4;
constexpr uint64_t kKeys = 20;
// What is shown of longer ones is how they begin.
constexpr size_t kLongValue = 64;
constexpr auto kCall = std::chrono::seconds(2);
constexpr auto kShow = std::chrono::seconds(30);

int64_t Now() {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

std::chrono::system_clock::time_point In(std::chrono::nanoseconds time) {
  return std::chrono::system_clock::now() +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(time);
}

std::shared_ptr<grpc::Channel> Connect(const std::string& endpoint) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(endpoint, grpc::InsecureChannelCredentials(),
                                   arguments);
}

class File {
 public:
  explicit File(const std::string& path) : out_(path, std::ios::app) {}
  void Write(const std::string& line) {
    const std::lock_guard lock(mutex_);
    out_ << line << '\n';
  }
  bool ok() {
    out_.flush();
    return out_.good();
  }

 private:
  std::mutex mutex_;
  std::ofstream out_;  // guarded by mutex_
};

// Used by one thread.
class Client {
 public:
  Client(int number, uint64_t seed, const std::vector<std::string>& endpoints,
         File* file)
      : name_("c" + std::to_string(number)), random_(seed), file_(file) {
    for (const std::string& endpoint : endpoints) {
      stubs_.push_back(KV::NewStub(Connect(endpoint)));
    }
    at_ = random_.Below(stubs_.size());
  }

  void Run(const std::atomic<bool>& stopping) {
    while (!stopping) {
      if (random_.OneIn(200)) at_ = random_.Below(stubs_.size());
      if (!Step()) {
        at_ = random_.Below(stubs_.size());
        std::this_thread::sleep_for(milliseconds(random_.Between(5, 40)));
      }
      std::this_thread::sleep_for(milliseconds(random_.Below(10)));
    }
  }

 private:
  bool Step() {
    const std::string key = "k" + std::to_string(random_.Below(kKeys));
    const uint64_t draw = random_.Below(100);
    if (draw < 45) return Put(key);
    if (draw < 52) return Delete(key);
    if (draw < 70) return Swap(key);
    return Get(key, draw < 90);
  }

  // Makes the call; true if it was answered.
  template <typename Request, typename Response>
  bool Call(grpc::Status (KV::Stub::*method)(grpc::ClientContext*,
                                             const Request&, Response*),
            const Request& request, Response* response,
            const std::string& what) {
    grpc::ClientContext context;
    context.set_deadline(In(kCall));
    const int64_t start = Now();
    const grpc::Status status =
        (stubs_[at_].get()->*method)(&context, request, response);
    when_ = std::to_string(start) + " " + std::to_string(Now()) + " " + name_ +
            " m" + std::to_string(at_) + " ";
    if (status.ok()) return true;
    file_->Write("lost " + when_ + std::to_string(status.error_code()) + " " +
                 what);
    return false;
  }

  void Answered(const std::string& kind,
                const etcdserverpb::ResponseHeader& header,
                const std::string& rest) {
    file_->Write(kind + " " + when_ + std::to_string(header.revision()) + " " +
                 rest);
  }

  std::string NewValue() { return name_ + "-" + std::to_string(++values_); }

  bool Put(const std::string& key) {
    etcdserverpb::PutRequest request;
    etcdserverpb::PutResponse response;
    request.set_key(key);
    request.set_value(NewValue());
    const std::string what = key + " " + request.value();
    if (!Call(&KV::Stub::Put, request, &response, "put " + what)) return false;
    Answered("put", response.header(), what);
    return true;
  }

  bool Delete(const std::string& key) {
    etcdserverpb::DeleteRangeRequest request;
    etcdserverpb::DeleteRangeResponse response;
    request.set_key(key);
    if (!Call(&KV::Stub::DeleteRange, request, &response,
              "del " + key + " -")) {
      return false;
    }
    Answered("del", response.header(),
             key + " " + std::to_string(response.deleted()));
    return true;
  }

  // On what it was last told of the key.
  bool Swap(const std::string& key) {
    etcdserverpb::TxnRequest request;
    etcdserverpb::TxnResponse response;
    auto* const compare = request.add_compare();
    compare->set_key(key);
    compare->set_target(etcdserverpb::Compare::MOD);
    compare->set_result(etcdserverpb::Compare::EQUAL);
    compare->set_mod_revision(last_[key]);
    auto* const put = request.add_success()->mutable_request_put();
    put->set_key(key);
    put->set_value(NewValue());
    request.add_failure()->mutable_request_range()->set_key(key);
    if (!Call(&KV::Stub::Txn, request, &response,
              "cas " + key + " " + put->value())) {
      return false;
    }
    const int64_t expected = last_[key];
    bool found = false;
    if (response.succeeded()) {
      last_[key] = response.header().revision();
    } else if (response.responses_size() == 1) {
      const auto& range = response.responses(0).response_range();
      found = range.kvs_size() > 0;
      last_[key] = found ? range.kvs(0).mod_revision() : 0;
    }
    Answered("cas", response.header(),
             key + " " + std::to_string(expected) + " " + put->value() +
                 (response.succeeded() ? " 1" : " 0") + (found ? " 1" : " 0"));
    return true;
  }

  bool Get(const std::string& key, bool linearizable) {
    etcdserverpb::RangeRequest request;
    etcdserverpb::RangeResponse response;
    request.set_key(key);
    if (random_.OneIn(3)) request.set_range_end("l");
    request.set_serializable(!linearizable);
    const std::string end =
        request.range_end().empty() ? "-" : request.range_end();
    if (!Call(&KV::Stub::Range, request, &response, "get " + key + " -")) {
      return false;
    }
    std::string read = key + " " + end + (linearizable ? " l" : " s");
    for (const auto& kv : response.kvs()) {
      read += " " + kv.key() + " " + kv.value() + " " +
              std::to_string(kv.mod_revision());
    }
    Answered("get", response.header(), read);
    return true;
  }

  const std::string name_;
  Random random_;
  File* const file_;
  std::vector<std::unique_ptr<KV::Stub>> stubs_;
  size_t at_ = 0;
  std::string when_;
  uint64_t values_ = 0;
  std::map<std::string, int64_t> last_;
};

// One watcher, on one stream after another. Used by one thread; Stop by any.
class Watcher {
 public:
  Watcher(int number, uint64_t seed, const std::vector<std::string>& endpoints,
          File* file)
      : name_("w" + std::to_string(number)), random_(seed), file_(file) {
    for (const std::string& endpoint : endpoints) {
      stubs_.push_back(Watch::NewStub(Connect(endpoint)));
    }
    key_ = number % 2 == 0 ? "k" : "k" + std::to_string(random_.Below(kKeys));
    end_ = number % 2 == 0 ? "l" : "";
    file_->Write("watch " + name_ + " " + key_ + " " +
                 (end_.empty() ? "-" : end_));
  }

  void Run(const std::atomic<bool>& stopping) {
    while (!stopping) {
      Stream();
      std::this_thread::sleep_for(milliseconds(50));
    }
  }
  // Again and again until Run has returned.
  void Stop() {
    const std::lock_guard lock(mutex_);
    if (context_ != nullptr) context_->TryCancel();
  }

 private:
  // Streams end by themselves after a while, so that none hangs on a member
  // that is cut off.
  void Stream() {
    grpc::ClientContext context;
    context.set_deadline(In(milliseconds(random_.Between(500, 6000))));
    {
      const std::lock_guard lock(mutex_);
      context_ = &context;
    }
    const auto stream = stubs_[random_.Below(stubs_.size())]->Watch(&context);
    etcdserverpb::WatchRequest request;
    auto* const create = request.mutable_create_request();
    create->set_key(key_);
    create->set_range_end(end_);
    create->set_start_revision(resume_);
    if (stream->Write(request)) {
      etcdserverpb::WatchResponse response;
      while (stream->Read(&response)) Take(response);
    }
    stream->Finish().ok();
    const std::lock_guard lock(mutex_);
    context_ = nullptr;
  }

  void Take(const etcdserverpb::WatchResponse& response) {
    if (response.created()) {
      file_->Write("begin " + name_ + " " + std::to_string(resume_));
      return;
    }
    if (response.events_size() == 0) return;
    std::string line = "events " + name_;
    for (const auto& event : response.events()) {
      const bool put = event.type() == mvccpb::Event::PUT;
      line += (put ? " put " : " del ") +
              std::to_string(event.kv().mod_revision()) + " " +
              event.kv().key() + " " + (put ? event.kv().value() : "-");
      resume_ = event.kv().mod_revision() + 1;
    }
    file_->Write(line);
  }

  const std::string name_;
  Random random_;
  File* const file_;
  std::vector<std::unique_ptr<Watch::Stub>> stubs_;
  std::string key_;
  std::string end_;
  int64_t resume_ = 2;
  std::mutex mutex_;
  grpc::ClientContext* context_ = nullptr;  // guarded by mutex_
};

int Record(const std::string& path, uint64_t seed,
           const std::vector<std::string>& endpoints) {
  File file(path);
  Random seeds(seed);
  std::atomic<bool> stopping = false;
  std::vector<std::unique_ptr<Client>> clients;
  std::vector<std::unique_ptr<Watcher>> watchers;
  std::vector<std::thread> threads;
  std::atomic<int> running = kClients + kWatchers;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(
        std::make_unique<Client>(i, seeds.Next(), endpoints, &file));
    threads.emplace_back([&, client = clients.back().get()] {
      client->Run(stopping);
      --running;
    });
  }
  for (int i = 0; i < kWatchers; ++i) {
    watchers.push_back(
        std::make_unique<Watcher>(i, seeds.Next(), endpoints, &file));
    threads.emplace_back([&, watcher = watchers.back().get()] {
      watcher->Run(stopping);
      --running;
    });
  }
  for (std::string line; std::getline(std::cin, line);) {
  }
  stopping = true;
  while (running > 0) {
    for (const auto& watcher : watchers) watcher->Stop();
    std::this_thread::sleep_for(milliseconds(10));
  }
  for (std::thread& thread : threads) thread.join();
  return file.ok() ? 0 : 2;
}

// Revision 0 if the member does not answer.
int64_t NewestRevision(KV::Stub* stub) {
  grpc::ClientContext context;
  context.set_deadline(In(kCall));
  etcdserverpb::RangeRequest request;
  etcdserverpb::RangeResponse response;
  request.set_key("k");
  request.set_count_only(true);
  return stub->Range(&context, request, &response).ok()
             ? response.header().revision()
             : 0;
}

// All changes up to `until`, as the member tells a watcher from the start.
bool ShowMember(const std::string& member, const std::string& endpoint,
                int64_t until, File* file) {
  const auto stub = Watch::NewStub(Connect(endpoint));
  grpc::ClientContext context;
  context.set_deadline(In(kShow));
  const auto stream = stub->Watch(&context);
  etcdserverpb::WatchRequest request;
  request.mutable_create_request()->set_key(std::string(1, '\0'));
  request.mutable_create_request()->set_range_end(std::string(1, '\0'));
  request.mutable_create_request()->set_start_revision(2);
  int64_t shown = 1;
  etcdserverpb::WatchResponse response;
  if (!stream->Write(request)) return false;
  while (shown < until && stream->Read(&response)) {
    for (const auto& event : response.events()) {
      shown = event.kv().mod_revision();
      if (shown > until) return false;  // there is still load
      mvccpb::KeyValue kv = event.kv();
      if (kv.value().size() > kLongValue) {
        kv.set_value(kv.value().substr(0, kLongValue));
      }
      file->Write("shown " + member + " " + std::to_string(shown) +
                  (event.type() == mvccpb::Event::PUT ? " put " : " del ") +
                  ToHex(kv.SerializeAsString()));
    }
  }
  context.TryCancel();
  stream->Finish().ok();
  return shown == until;
}

int Show(const std::string& path, const std::vector<std::string>& endpoints) {
  File file(path);
  int64_t until = 0;
  const int64_t deadline = Now() + std::chrono::nanoseconds(kShow).count();
  while (until == 0 && Now() < deadline) {
    until = NewestRevision(KV::NewStub(Connect(endpoints.front())).get());
  }
  for (size_t i = 0; i < endpoints.size(); ++i) {
    const std::string member = "m" + std::to_string(i);
    if (until < 2 || !ShowMember(member, endpoints[i], until, &file)) {
      std::cerr << member << " does not show revision " << until << "\n";
      return 1;
    }
  }
  return file.ok() ? 0 : 2;
}

int Check(const std::string& path) {
  std::ifstream in(path);
  const auto history = History::Read(&in);
  if (!history.ok()) {
    std::cerr << history.status().ToString() << "\n";
    return 2;
  }
  std::cout << history->calls() << " calls answered, " << history->lost()
            << " not, " << history->revisions() << " revisions, "
            << history->watchers() << " watchers\n";
  const std::string violation = history->Check();
  if (violation.empty()) return 0;
  std::cout << "violation: " << violation << "\n";
  return 1;
}

int Main(std::vector<std::string> words) {
  const std::string what = words.empty() ? "" : words[0];
  uint64_t seed = 0;
  if (what == "check" && words.size() == 2) return Check(words[1]);
  if (what == "show" && words.size() > 2) {
    return Show(words[1], {words.begin() + 2, words.end()});
  }
  if (what == "record" && words.size() > 3 &&
      std::from_chars(words[2].data(), words[2].data() + words[2].size(), seed)
              .ec == std::errc()) {
    return Record(words[1], seed, {words.begin() + 3, words.end()});
  }
  std::cerr << "usage: recorder record FILE SEED ENDPOINT... | "
               "show FILE ENDPOINT... | check FILE\n";
  return 2;
}

}  // namespace
}  // namespace strata::testing

int main(int argc, char** argv) {
  return strata::testing::Main({argv + 1, argv + argc});
}
