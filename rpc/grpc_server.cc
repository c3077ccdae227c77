#include "rpc/grpc_server.h"

#include <absl/synchronization/mutex.h>
#include <grpc/support/time.h>
#include <grpcpp/grpcpp.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <memory>
#include <utility>

#include "rpc/grpc_worker.h"

namespace strata {
namespace {

// gRPC's own bound on a message: so far above ours that a client which goes
// over ours is told so by us, in a Go server's words.
constexpr uint64_t kHardLimitFactor = 4;

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
  // Bookkeeping of each call that nobody here looks at.
  builder->AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 0);
  builder->AddChannelArgument(GRPC_ARG_ENABLE_CENSUS, 0);
  // Pings that measure the path, to size windows that are large enough.
  builder->AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  // A second server on the port is an error.
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
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

// Why an address cannot be listened on, which gRPC keeps to itself: found by
// trying. OK if it could be, now.
Status TryToListen(const std::string& address) {
  const size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), address.substr(colon + 1).c_str(),
                                &hints, &found);
  if (error != 0) return UnavailableError(address + ": " + gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found,
                                                                 freeaddrinfo);
  const int fd =
      socket(found->ai_family, found->ai_socktype, found->ai_protocol);
  if (fd < 0) return ErrnoError(address, errno);
  const int on = 1;
  Status status;
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      bind(fd, found->ai_addr, found->ai_addrlen) != 0 ||
      listen(fd, /*backlog=*/1) != 0) {
    status = ErrnoError(address, errno);
  }
  close(fd);
  return status;
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
                .has_leader = options.has_leader} {}

  Status Start(const GrpcServerOptions& options) {
    // Debian's Abseil looks for deadlocks at every lock that gRPC takes: 4 % of
    // the time of a call.
    absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
    grpc::ServerBuilder builder;
    AddArguments(options, shared_.max_message_bytes, &builder);
    // gRPC writes through these pointers: the vector must not move.
    ports_.resize(options.addresses.size());
    for (size_t i = 0; i < options.addresses.size(); ++i) {
      builder.AddListeningPort(options.addresses[i],
                               grpc::InsecureServerCredentials(), &ports_[i]);
    }
    builder.RegisterService(&shared_.service);
    builder.RegisterService(&shared_.stream_service);
    builder.RegisterAsyncGenericService(&shared_.generic);
    for (int i = 0; i < options.threads; ++i) {
      workers_.push_back(
          std::make_unique<GrpcWorker>(&shared_, builder.AddCompletionQueue()));
    }
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) return ListenError(options);
    for (const auto& worker : workers_) {
      worker->Run(NewThread(), shared_.loop == nullptr ? nullptr : NewThread());
    }
    return Status::Ok();
  }

  std::vector<int> ports() const override { return ports_; }

  void FinishStreamsForLeader() override {
    for (const auto& worker : workers_) worker->FinishStreamsForLeader();
  }

  void Shutdown(Duration grace) override {
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

  static Status ListenError(const GrpcServerOptions& options) {
    for (const std::string& address : options.addresses) {
      if (const Status status = TryToListen(address); !status.ok()) {
        return UnavailableError("cannot listen on " + status.message());
      }
    }
    return UnavailableError("cannot listen");
  }

  GrpcShared shared_;
  std::vector<int> ports_;
  std::vector<std::unique_ptr<GrpcWorker>> workers_;
  std::unique_ptr<grpc::Server> server_;
  std::vector<std::unique_ptr<Loop>> threads_;
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
