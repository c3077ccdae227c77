#include "rpc/grpc_server.h"

#include <absl/synchronization/mutex.h>
#include <grpc/support/time.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_posix.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <memory>
#include <mutex>
#include <utility>

#include "rpc/grpc_worker.h"

namespace strata {
namespace {

// gRPC's own bound on a message: so far above ours that a client which goes
// over ours is told so by us, in a Go server's words.
constexpr uint64_t kHardLimitFactor = 4;

// The one that waits for the disk, and the one that waits for the client.
constexpr int kIdlePollThreads = 2;

int Milliseconds(Duration duration) {
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  return static_cast<int>(std::clamp<int64_t>(ms, 0, INT_MAX));
}

void AddArguments(const GrpcServerOptions& options, uint64_t max_message_bytes,
                  grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(static_cast<int>(
      std::min<uint64_t>(max_message_bytes * kHardLimitFactor, INT_MAX)));
  builder->SetMaxSendMessageSize(-1);
  if (options.memory_bytes > 0) {
    builder->SetResourceQuota(
        grpc::ResourceQuota("strata").Resize(options.memory_bytes));
  }
  // Bookkeeping of each call that nobody here looks at.
  builder->AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 0);
  builder->AddChannelArgument(GRPC_ARG_ENABLE_CENSUS, 0);
  // Pings that measure the path, to size windows that are large enough.
  builder->AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                              static_cast<int>(std::min<uint32_t>(
                                  options.max_concurrent_streams, INT_MAX)));
  builder->AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
      Milliseconds(options.keepalive_min_time));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS,
                              options.keepalive_interval > Duration::zero()
                                  ? Milliseconds(options.keepalive_interval)
                                  : INT_MAX);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                              options.keepalive_timeout > Duration::zero()
                                  ? Milliseconds(options.keepalive_timeout)
                                  : INT_MAX);
}

class GrpcServerImpl : public GrpcServer {
 public:
  GrpcServerImpl(const GrpcServerOptions& options,
                 std::vector<UnaryMethod> methods,
                 std::vector<StreamMethod> streams, CombiningLoop* loop)
      : shared_{.service = RawService(std::move(methods)),
                .stream_service = RawStreamService(std::move(streams)),
                .generic = {},
                .loop = loop,
                .max_message_bytes =
                    options.max_request_bytes + limits::kGrpcOverheadBytes,
                .has_leader = options.has_leader,
                .idle_poll = &idle_poll_},
        idle_poll_(options.idle_poll_time, kIdlePollThreads) {}

  Status Start(const GrpcServerOptions& options) {
    // Debian's Abseil looks for deadlocks at every lock that gRPC takes: 4 % of
    // the time of a call.
    absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
    grpc::ServerBuilder builder;
    AddArguments(options, shared_.max_message_bytes, &builder);
    builder.RegisterService(&shared_.service);
    builder.RegisterService(&shared_.stream_service);
    builder.RegisterAsyncGenericService(&shared_.generic);
    for (int i = 0; i < options.threads; ++i) {
      workers_.push_back(
          std::make_unique<GrpcWorker>(&shared_, builder.AddCompletionQueue()));
    }
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) return InternalError("gRPC does not start");
    for (const auto& worker : workers_) {
      worker->Run(NewThread(), shared_.loop == nullptr ? nullptr : NewThread());
    }
    return Status::Ok();
  }

  void Adopt(int fd) override {
    // Held, so that Shutdown finds every connection.
    const std::lock_guard lock(adopting_);
    if (stopping_) {
      close(fd);
      return;
    }
    grpc::AddInsecureChannelFromFd(server_.get(), fd);
  }

  void FinishStreamsForLeader() override {
    for (const auto& worker : workers_) worker->FinishStreamsForLeader();
  }

  void Shutdown(Duration grace) override {
    {
      const std::lock_guard lock(adopting_);
      stopping_ = true;
    }
    for (const auto& worker : workers_) worker->FinishStreams();
    server_->Shutdown(
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                     gpr_time_from_millis(Milliseconds(grace), GPR_TIMESPAN)));
    for (const auto& worker : workers_) worker->WaitUntilDone();
    threads_.clear();  // joins
  }

 private:
  Loop* NewThread() {
    threads_.push_back(
        NewThreadedLoop("grpc-" + std::to_string(threads_.size())));
    return threads_.back().get();
  }

  GrpcShared shared_;
  IdlePoll idle_poll_;
  std::vector<std::unique_ptr<GrpcWorker>> workers_;
  std::unique_ptr<grpc::Server> server_;
  std::vector<std::unique_ptr<Loop>> threads_;

  std::mutex adopting_;
  bool stopping_ = false;  // guarded by adopting_
};

}  // namespace

StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(
    const GrpcServerOptions& options, std::vector<UnaryMethod> methods,
    std::vector<StreamMethod> streams, CombiningLoop* loop) {
  auto server = std::make_unique<GrpcServerImpl>(options, std::move(methods),
                                                 std::move(streams), loop);
  RETURN_IF_ERROR(server->Start(options));
  return server;
}

}  // namespace strata
