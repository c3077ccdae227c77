#include "rpc/grpc_server.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "rpc/h2/shared.h"
#include "rpc/h2/worker.h"

namespace strata {
namespace {

class GrpcServerImpl : public GrpcServer {
 public:
  GrpcServerImpl(const GrpcServerOptions& options,
                 std::vector<UnaryMethod> methods,
                 std::vector<StreamMethod> streams, const NodeLoops& loops)
      : shared_(options, std::move(methods), std::move(streams), loops) {}

  Status Start() {
    for (int i = 0; i < std::max(shared_.options.threads, 1); ++i) {
      workers_.push_back(std::make_unique<GrpcWorker>(&shared_));
      RETURN_IF_ERROR(workers_.back()->Open());
    }
    for (const auto& worker : workers_) {
      worker->Run(NewThread(),
                  shared_.loops.node == nullptr ? nullptr : NewThread());
    }
    return Status::Ok();
  }

  void Adopt(int fd) override {
    workers_[adopted_++ % workers_.size()]->Adopt(fd);
  }

  void FinishStreamsForLeader() override {
    for (const auto& worker : workers_) worker->FinishStreamsForLeader();
  }

  void Shutdown(Duration grace) override {
    for (const auto& worker : workers_) worker->FinishStreams();
    for (const auto& worker : workers_) worker->Shutdown(grace);
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
  std::vector<std::unique_ptr<GrpcWorker>> workers_;
  std::atomic<size_t> adopted_ = 0;
  std::vector<std::unique_ptr<Loop>> threads_;
};

}  // namespace

StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(
    const GrpcServerOptions& options, std::vector<UnaryMethod> methods,
    std::vector<StreamMethod> streams, const NodeLoops& loops) {
  auto server = std::make_unique<GrpcServerImpl>(options, std::move(methods),
                                                 std::move(streams), loops);
  RETURN_IF_ERROR(server->Start());
  return server;
}

}  // namespace strata
