// Leases of one server; prints what they took, as JSON. member.py runs it
// against stratad and etcd.
//
//   --op=expire      grants --leases at once, hangs a key on each, and tells
//   how
//                    late each key went. A first line says when they are due.
//   --op=keep-alive  grants --leases and renews them as fast as --streams of
//                    renewals, each with some outstanding, go.
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "bench/histogram.h"
#include "bench/load.h"
#include "bench/print_json.h"
#include "rpc/proto/rpc.grpc.pb.h"

namespace strata::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

constexpr int kOutstanding = 256;   // calls that grant or attach
constexpr int kRenewalsAhead = 32;  // of one stream
constexpr auto kPatience = std::chrono::seconds(60);
const std::string kPrefix = "leased/";

struct Options {
  std::string target = "127.0.0.1:2379";
  int leases = 10000;
  int ttl_s = 20;
  int streams = 8;
  int duration_ms = 5000;
  int server_pid = 0;
};

double Seconds(Clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

// One call of many.
template <typename Response>
struct Call {
  int number = 0;
  grpc::ClientContext context;
  Response response;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader;
};

// Makes calls 0 to `count` - 1, some at a time, and tells of each answer.
template <typename Response, typename Begin>
Status CallAll(int count, Begin begin, const std::function<void(int)>& done) {
  grpc::CompletionQueue queue;
  Status failed;
  int sent = 0, answered = 0;
  while (answered < count) {
    if (sent < count && sent - answered < kOutstanding) {
      auto* const call = new Call<Response>;
      call->number = sent++;
      call->reader = begin(call->number, &call->context, &queue);
      call->reader->Finish(&call->response, &call->status, call);
      continue;
    }
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    const std::unique_ptr<Call<Response>> call(
        static_cast<Call<Response>*>(tag));
    ++answered;
    if (!call->status.ok()) {
      failed = UnavailableError(call->status.error_message());
    }
    done(call->number);
  }
  queue.Shutdown();
  return failed;
}

Status GrantAll(const std::shared_ptr<grpc::Channel>& channel,
                const Options& options, const std::function<void(int)>& done) {
  const auto stub = etcdserverpb::Lease::NewStub(channel);
  return CallAll<etcdserverpb::LeaseGrantResponse>(
      options.leases,
      [&](int number, grpc::ClientContext* context,
          grpc::CompletionQueue* queue) {
        etcdserverpb::LeaseGrantRequest request;
        request.set_id(number + 1);
        request.set_ttl(options.ttl_s);
        return stub->AsyncLeaseGrant(context, request, queue);
      },
      done);
}

Status AttachAll(const std::shared_ptr<grpc::Channel>& channel,
                 const Options& options) {
  const auto stub = etcdserverpb::KV::NewStub(channel);
  return CallAll<etcdserverpb::PutResponse>(
      options.leases,
      [&](int number, grpc::ClientContext* context,
          grpc::CompletionQueue* queue) {
        etcdserverpb::PutRequest request;
        request.set_key(kPrefix + std::to_string(number));
        request.set_lease(number + 1);
        return stub->AsyncPut(context, request, queue);
      },
      [](int) {});
}

// When each key was deleted, as a watcher is told.
class Deletions {
 public:
  Deletions(const std::shared_ptr<grpc::Channel>& channel, int keys)
      : stub_(etcdserverpb::Watch::NewStub(channel)),
        at_(static_cast<size_t>(keys)) {
    stream_ = stub_->Watch(&context_);
    etcdserverpb::WatchRequest request;
    auto* const create = request.mutable_create_request();
    create->set_key(kPrefix);
    create->set_range_end("leased0");
    create->add_filters(etcdserverpb::WatchCreateRequest::NOPUT);
    stream_->Write(request);
    reader_ = std::thread([this] { Read(); });
  }
  ~Deletions() {
    context_.TryCancel();
    reader_.join();
  }

  int count() const { return count_.load(); }
  // Once count() is the number of keys.
  const std::vector<Clock::time_point>& at() const { return at_; }

 private:
  void Read() {
    etcdserverpb::WatchResponse response;
    while (stream_->Read(&response)) {
      const auto now = Clock::now();
      for (const auto& event : response.events()) {
        at_.at(std::stoul(event.kv().key().substr(kPrefix.size()))) = now;
      }
      count_ += response.events_size();
    }
  }

  const std::unique_ptr<etcdserverpb::Watch::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<etcdserverpb::WatchRequest,
                                           etcdserverpb::WatchResponse>>
      stream_;
  std::vector<Clock::time_point> at_;
  std::atomic<int> count_ = 0;
  std::thread reader_;
};

StatusOr<Json> Expire(const std::shared_ptr<grpc::Channel>& channel,
                      const Options& options) {
  Deletions deletions(channel, options.leases);
  std::vector<Clock::time_point> due(static_cast<size_t>(options.leases));
  const auto begin = Clock::now();
  RETURN_IF_ERROR(GrantAll(channel, options, [&](int number) {
    due.at(static_cast<size_t>(number)) =
        Clock::now() + std::chrono::seconds(options.ttl_s);
  }));
  const auto granted = Clock::now();
  RETURN_IF_ERROR(AttachAll(channel, options));
  const auto [first, last] = std::minmax_element(due.begin(), due.end());
  std::cout << Json{{"granted_in_s", Seconds(granted - begin)},
                    {"first_due_in_s", Seconds(*first - Clock::now())}}
                   .dump()
            << std::endl;
  while (deletions.count() < options.leases) {
    if (Clock::now() > *last + kPatience) {
      return UnavailableError("only " + std::to_string(deletions.count()) +
                              " keys went");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  Histogram late;
  Clock::duration latest{};
  int early = 0;
  for (size_t i = 0; i < due.size(); ++i) {
    const auto after = deletions.at()[i] - due[i];
    // A lease is granted some time before its client is told.
    early += after < -std::chrono::milliseconds(500) ? 1 : 0;
    latest = std::max(latest, after);
    late.Add(static_cast<uint64_t>(std::max<int64_t>(0, after.count())));
  }
  const Json json = {{"leases", options.leases},
                     {"due_within_s", Seconds(*last - *first)},
                     {"late_p50_s", late.Quantile(0.5) / 1e9},
                     {"late_max_s", Seconds(latest)},
                     {"early", early}};
  return json;
}

// Renews leases in turn until `end`; returns how many.
uint64_t RenewUntil(const std::shared_ptr<grpc::Channel>& channel, int first,
                    const Options& options, Clock::time_point end) {
  const auto stub = etcdserverpb::Lease::NewStub(channel);
  grpc::ClientContext context;
  const auto stream = stub->LeaseKeepAlive(&context);
  etcdserverpb::LeaseKeepAliveRequest request;
  etcdserverpb::LeaseKeepAliveResponse response;
  uint64_t renewed = 0;
  int next = first;
  int ahead = 0;
  while (Clock::now() < end) {
    for (; ahead < kRenewalsAhead; ++ahead) {
      request.set_id(next + 1);
      next = (next + options.streams) % options.leases;
      if (!stream->Write(request)) return 0;
    }
    if (!stream->Read(&response) || response.ttl() <= 0) return 0;
    --ahead;
    ++renewed;
  }
  context.TryCancel();
  return renewed;
}

StatusOr<Json> KeepAlive(const std::shared_ptr<grpc::Channel>& channel,
                         const Options& options) {
  RETURN_IF_ERROR(GrantAll(channel, options, [](int) {}));
  ASSIGN_OR_RETURN(const auto cpu_before, CpuTime(options.server_pid));
  const auto begin = Clock::now();
  const auto end = begin + std::chrono::milliseconds(options.duration_ms);
  std::vector<uint64_t> renewed(static_cast<size_t>(options.streams));
  std::vector<std::thread> threads;
  for (int i = 0; i < options.streams; ++i) {
    threads.emplace_back([&, i] {
      renewed[static_cast<size_t>(i)] = RenewUntil(channel, i, options, end);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = Seconds(Clock::now() - begin);
  ASSIGN_OR_RETURN(const auto cpu_after, CpuTime(options.server_pid));
  uint64_t total = 0;
  for (const uint64_t one : renewed) {
    if (one == 0) return UnavailableError("a stream of renewals has ended");
    total += one;
  }
  const auto all = static_cast<double>(total);
  const std::chrono::duration<double, std::micro> cpu = cpu_after - cpu_before;
  const Json json = {{"leases", options.leases},
                     {"per_second", all / seconds},
                     {"server_cpu_us", cpu.count() / all}};
  return json;
}

int Main(int argc, char** argv) {
  CLI::App app("Grants leases to a v3 server and lets them end, or renews.");
  Options options;
  std::string op = "expire";
  app.add_option("--op", op, "expire or keep-alive");
  app.add_option("--target", options.target, "host:port");
  app.add_option("--leases", options.leases);
  app.add_option("--ttl", options.ttl_s, "seconds");
  app.add_option("--streams", options.streams);
  app.add_option("--duration-ms", options.duration_ms);
  app.add_option("--server-pid", options.server_pid)->required();
  CLI11_PARSE(app, argc, argv);
  const auto channel =
      grpc::CreateChannel(options.target, grpc::InsecureChannelCredentials());
  return PrintJson(op == "keep-alive" ? KeepAlive(channel, options)
                                      : Expire(channel, options));
}

}  // namespace
}  // namespace strata::bench

int main(int argc, char** argv) { return strata::bench::Main(argc, argv); }
