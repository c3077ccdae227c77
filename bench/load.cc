#include "bench/load.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace strata::bench {
namespace {

using Clock = std::chrono::steady_clock;

// A server that starts is seen soon.
constexpr int kReconnectMs = 20;
// Between two looks at whether to stop.
constexpr std::chrono::milliseconds kLongest(50);

// One call after another on one connection.
class Slot {
 public:
  Slot(grpc::GenericStub* stub, grpc::CompletionQueue* queue)
      : stub_(stub), queue_(queue) {}

  // `due`: when the call should have been made.
  void Start(const std::string& method, const std::string& request,
             Clock::time_point due, bool wait_for_ready) {
    started_ = due;
    rpc_.emplace();
    rpc_->context.set_wait_for_ready(wait_for_ready);
    const grpc::Slice slice(request.data(), request.size());
    const grpc::ByteBuffer bytes(&slice, 1);
    rpc_->reader =
        stub_->PrepareUnaryCall(&rpc_->context, method, bytes, queue_);
    rpc_->reader->StartCall();
    rpc_->reader->Finish(&rpc_->response, &rpc_->status, this);
  }

  const grpc::Status& status() const { return rpc_->status; }
  Clock::time_point started() const { return started_; }

 private:
  struct Rpc {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> reader;
    grpc::ByteBuffer response;
    grpc::Status status;
  };

  grpc::GenericStub* const stub_;
  grpc::CompletionQueue* const queue_;
  Clock::time_point started_;
  std::optional<Rpc> rpc_;
};

class Load {
 public:
  Load(const LoadOptions& options, Workload* workload)
      : options_(options), workload_(workload) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    // Or all channels would share one connection.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMs);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMs);
    for (int i = 0; i < options.connections; ++i) {
      stubs_.push_back(
          std::make_unique<grpc::GenericStub>(grpc::CreateCustomChannel(
              options.target, grpc::InsecureChannelCredentials(), arguments)));
    }
    for (int i = 0; i < options.outstanding; ++i) {
      slots_.push_back(
          std::make_unique<Slot>(stubs_[i % stubs_.size()].get(), &queue_));
    }
  }

  StatusOr<LoadResult> Run() {
    begin_ = Clock::now() + options_.warm_up;
    end_ = begin_ + options_.duration;
    due_ = Clock::now();
    for (const auto& slot : slots_) idle_.push_back(slot.get());
    StartDue();
    while (running_ > 0 || !ending_) {
      void* tag = nullptr;
      bool ok = false;
      const auto next =
          idle_.empty() || ending_
              ? std::chrono::system_clock::now() + kLongest
              : std::chrono::system_clock::now() + (due_ - Clock::now());
      const auto got = queue_.AsyncNext(&tag, &ok, next);
      if (got == grpc::CompletionQueue::SHUTDOWN) break;
      if (got == grpc::CompletionQueue::GOT_EVENT) {
        auto* const slot = static_cast<Slot*>(tag);
        --running_;
        if (!slot->status().ok()) Fail(slot->status());
        RETURN_IF_ERROR(Count(*slot));
        idle_.push_back(slot);
      }
      if (options_.stop != nullptr && *options_.stop) ending_ = true;
      StartDue();
    }
    if (counting_ && !counted_) RETURN_IF_ERROR(StopCounting(Clock::now()));
    queue_.Shutdown();
    if (!failed_.ok()) return failed_;
    return std::move(result_);
  }

 private:
  // Makes the calls whose time has come, as far as slots are free.
  void StartDue() {
    const Clock::time_point now = Clock::now();
    while (!ending_ && !idle_.empty() && due_ <= now) {
      if (!workload_->Next(&request_)) {
        ending_ = true;
        return;
      }
      Slot* const slot = idle_.back();
      idle_.pop_back();
      ++running_;
      slot->Start(workload_->method(), request_, options_.rate > 0 ? due_ : now,
                  options_.wait_for_ready);
      if (options_.rate > 0) due_ += Interval();
    }
  }

  Clock::duration Interval() const {
    return std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double>(1 / options_.rate));
  }

  void Fail(const grpc::Status& status) {
    if (options_.keep_going) {
      ++result_.failed;
      return;
    }
    if (failed_.ok()) {
      failed_ = Status(static_cast<Code>(status.error_code()),
                       status.error_message());
    }
    ending_ = true;
  }

  Status Count(const Slot& slot) {
    const Clock::time_point now = Clock::now();
    if (!counting_) {
      if (now < begin_) return Status::Ok();
      counting_ = true;
      begin_ = now;
      return ReadCpu(&client_before_, &server_before_);
    }
    if (counted_) return Status::Ok();
    ++result_.calls;
    const std::chrono::nanoseconds took = now - slot.started();
    result_.latency.Add(static_cast<uint64_t>(took.count()));
    if (options_.timeline.count() > 0) AddToTimeline(now, took);
    if (now < end_) return Status::Ok();
    ending_ = true;
    return StopCounting(now);
  }

  void AddToTimeline(Clock::time_point now, std::chrono::nanoseconds took) {
    const auto at = static_cast<size_t>((now - begin_) / options_.timeline);
    std::vector<std::chrono::nanoseconds>& slowest = result_.slowest;
    if (slowest.size() <= at) slowest.resize(at + 1);
    slowest[at] = std::max(slowest[at], took);
  }

  Status StopCounting(Clock::time_point now) {
    counted_ = true;
    result_.seconds = std::chrono::duration<double>(now - begin_).count();
    std::chrono::nanoseconds client{0}, server{0};
    RETURN_IF_ERROR(ReadCpu(&client, &server));
    result_.client_cpu = client - client_before_;
    result_.server_cpu = server - server_before_;
    return Status::Ok();
  }

  Status ReadCpu(std::chrono::nanoseconds* client,
                 std::chrono::nanoseconds* server) {
    ASSIGN_OR_RETURN(*client, CpuTime(getpid()));
    if (options_.server_pid != 0) {
      ASSIGN_OR_RETURN(*server, CpuTime(options_.server_pid));
    }
    return Status::Ok();
  }

  const LoadOptions options_;
  Workload* const workload_;
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Slot*> idle_;
  Clock::time_point due_;  // of the next call
  std::string request_;    // reused
  Clock::time_point begin_, end_;
  int running_ = 0;
  bool counting_ = false, counted_ = false, ending_ = false;
  Status failed_;
  std::chrono::nanoseconds client_before_{0}, server_before_{0};
  LoadResult result_;
};

}  // namespace

StatusOr<LoadResult> RunLoad(const LoadOptions& options, Workload* workload) {
  return Load(options, workload).Run();
}

StatusOr<std::chrono::nanoseconds> CpuTime(int pid) {
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  std::error_code error;
  int64_t total = 0;
  for (const auto& task : std::filesystem::directory_iterator(tasks, error)) {
    int64_t nanoseconds = 0;
    std::ifstream(task.path() / "schedstat") >> nanoseconds;
    total += nanoseconds;
  }
  if (error) {
    return NotFoundError("process " + std::to_string(pid) + ": " +
                         error.message());
  }
  return std::chrono::nanoseconds(total);
}

}  // namespace strata::bench
