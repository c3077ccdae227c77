// A bare gRPC server that sends back what it gets: the floor under every figure
// of a server on this machine. Two ways of writing one: with completion queues
// (--api=cq, --threads of them) and with callbacks (--api=callback).

#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/echo.grpc.pb.h"

namespace {

using strata::bench::Echo;
using strata::bench::EchoMessage;

class CallbackEcho : public Echo::CallbackService {
  grpc::ServerUnaryReactor* Echo(grpc::CallbackServerContext* context,
                                 const EchoMessage* request,
                                 EchoMessage* response) override {
    response->set_payload(request->payload());
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

// One call after another on a completion queue; never freed.
class QueuedCall {
 public:
  QueuedCall(Echo::AsyncService* service, grpc::ServerCompletionQueue* queue)
      : service_(service), queue_(queue) {
    Await();
  }

  void Happened() {
    if (answered_) {
      Await();
      return;
    }
    answered_ = true;
    response_.set_payload(rpc_->request.payload());
    rpc_->responder.Finish(response_, grpc::Status::OK, this);
  }

 private:
  struct Rpc {
    grpc::ServerContext context;
    EchoMessage request;
    grpc::ServerAsyncResponseWriter<EchoMessage> responder{&context};
  };

  void Await() {
    answered_ = false;
    rpc_ = std::make_unique<Rpc>();
    service_->RequestEcho(&rpc_->context, &rpc_->request, &rpc_->responder,
                          queue_, queue_, this);
  }

  Echo::AsyncService* const service_;
  grpc::ServerCompletionQueue* const queue_;
  bool answered_ = false;
  std::unique_ptr<Rpc> rpc_;
  EchoMessage response_;
};

void ServeQueue(Echo::AsyncService* service,
                grpc::ServerCompletionQueue* queue) {
  constexpr int kCalls = 1024;
  std::vector<std::unique_ptr<QueuedCall>> calls;
  for (int i = 0; i < kCalls; ++i) {
    calls.push_back(std::make_unique<QueuedCall>(service, queue));
  }
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) {
    if (ok) static_cast<QueuedCall*>(tag)->Happened();
  }
}

// Both end by a signal, which ends the process.
void ServeCallbacks(grpc::ServerBuilder* builder) {
  CallbackEcho service;
  builder->RegisterService(&service);
  builder->BuildAndStart()->Wait();
}

void ServeQueues(grpc::ServerBuilder* builder, int threads) {
  Echo::AsyncService service;
  builder->RegisterService(&service);
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
  for (int i = 0; i < threads; ++i) {
    queues.push_back(builder->AddCompletionQueue());
  }
  const std::unique_ptr<grpc::Server> server = builder->BuildAndStart();
  std::vector<std::thread> workers;
  for (const auto& queue : queues) {
    workers.emplace_back(ServeQueue, &service, queue.get());
  }
  for (std::thread& worker : workers) worker.join();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A gRPC server that echoes.");
  std::string api = "cq", listen = "127.0.0.1:23690";
  int threads = 1;
  app.add_option("--api", api)->check(CLI::IsMember({"cq", "callback"}));
  app.add_option("--threads", threads, "Completion queues, each with a thread");
  app.add_option("--listen", listen);
  CLI11_PARSE(app, argc, argv);

  grpc::ServerBuilder builder;
  builder.AddListeningPort(listen, grpc::InsecureServerCredentials());
  if (api == "callback") {
    ServeCallbacks(&builder);
  } else {
    ServeQueues(&builder, threads);
  }
  return 0;
}
