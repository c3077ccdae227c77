// Many writers at once, until the server dies; says what was acknowledged.
//
//   writers HOST:PORT WRITERS ROUND [WRITES]
//
// With WRITES, each writer stops after that many.
//
// Each writer has one request outstanding. Most put a key of their own that is
// never written again; some put three keys in one txn; some overwrite a key.
// When all have stopped or failed once it prints the ledger, one line a
// write:
//
//   acked KIND KEY VALUE REVISION
//   unknown KIND KEY VALUE        (sent, never answered: may be there or not)
//
// KIND is put, txn (the keys are KEY/a, KEY/b, KEY/c) or over.
#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "rpc/proto/rpc.grpc.pb.h"

namespace {

using etcdserverpb::KV;

constexpr int kConnections = 8;
constexpr const char* kParts[] = {"/a", "/b", "/c"};

struct Options {
  std::string endpoint;
  int writers = 0;
  std::string round;  // makes the keys of this run its own
  int64_t writes = INT64_MAX;
};

// One writer: sends the next write when the last one was answered. Bound to the
// thread that drains its queue.
class Writer {
 public:
  Writer(int id, const Options& options,
         const std::shared_ptr<grpc::Channel>& channel,
         grpc::CompletionQueue* queue)
      : id_(std::to_string(id)),
        round_(options.round),
        writes_(options.writes),
        stub_(KV::NewStub(channel)),
        queue_(queue) {}

  void Send() {
    ++count_;
    context_ = std::make_unique<grpc::ClientContext>();
    value_ = round_ + "." + id_ + "." + std::to_string(count_);
    switch (count_ % 16) {
      case 3:
      case 11:
        SendTxn();
        break;
      case 7:
        SendPut("over", "over/" + id_);
        break;
      default:
        SendPut("put", "put/" + value_);
    }
  }

  // The answer came. Returns whether there is more to send.
  bool Answered(std::ostream& ledger) {
    if (!status_.ok()) {
      ledger << "unknown " << kind_ << ' ' << key_ << ' ' << value_ << '\n';
      return false;
    }
    const int64_t revision = kind_ == "txn" ? txn_reply_.header().revision()
                                            : put_reply_.header().revision();
    ledger << "acked " << kind_ << ' ' << key_ << ' ' << value_ << ' '
           << revision << '\n';
    return count_ < writes_;
  }

 private:
  void SendPut(const std::string& kind, const std::string& key) {
    kind_ = kind;
    key_ = key;
    etcdserverpb::PutRequest request;
    request.set_key(key);
    request.set_value(value_);
    put_ = stub_->AsyncPut(context_.get(), request, queue_);
    put_->Finish(&put_reply_, &status_, this);
  }

  void SendTxn() {
    kind_ = "txn";
    key_ = "txn/" + value_;
    etcdserverpb::TxnRequest request;
    for (const char* part : kParts) {
      auto* put = request.add_success()->mutable_request_put();
      put->set_key(key_ + part);
      put->set_value(value_);
    }
    txn_ = stub_->AsyncTxn(context_.get(), request, queue_);
    txn_->Finish(&txn_reply_, &status_, this);
  }

  const std::string id_;
  const std::string round_;
  const int64_t writes_;
  const std::unique_ptr<KV::Stub> stub_;
  grpc::CompletionQueue* const queue_;

  // The write on its way.
  int64_t count_ = 0;
  std::string kind_, key_, value_;
  grpc::Status status_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<etcdserverpb::PutResponse>>
      put_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<etcdserverpb::TxnResponse>>
      txn_;
  etcdserverpb::PutResponse put_reply_;
  etcdserverpb::TxnResponse txn_reply_;
};

void Run(const Options& options) {
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < kConnections; ++i) {
    grpc::ChannelArguments arguments;
    // Channels with equal arguments would share one connection.
    arguments.SetInt("strata.connection", i);
    channels.push_back(grpc::CreateCustomChannel(
        options.endpoint, grpc::InsecureChannelCredentials(), arguments));
  }
  grpc::CompletionQueue queue;
  std::vector<std::unique_ptr<Writer>> writers;
  for (int i = 0; i < options.writers; ++i) {
    writers.push_back(std::make_unique<Writer>(
        i, options, channels[i % kConnections], &queue));
    writers.back()->Send();
  }
  std::ostringstream ledger;
  void* tag = nullptr;
  bool ok = false;
  for (size_t alive = writers.size(); alive > 0 && queue.Next(&tag, &ok);) {
    auto* writer = static_cast<Writer*>(tag);
    if (writer->Answered(ledger)) {
      writer->Send();
    } else {
      --alive;
    }
  }
  std::cout << ledger.str();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) {
    std::cerr << "usage: writers HOST:PORT WRITERS ROUND [WRITES]\n";
    return 2;
  }
  Options options = {argv[1], std::stoi(argv[2]), argv[3]};
  if (argc == 5) options.writes = std::stoll(argv[4]);
  Run(options);
  return 0;
}
