#include "rpc/lease_stream.h"

#include <memory>
#include <mutex>
#include <utility>

#include "rpc/header.h"

namespace strata {
namespace {

class KeepAlive : public StreamHandler,
                  public std::enable_shared_from_this<KeepAlive> {
 public:
  KeepAlive(Node* node, std::shared_ptr<StreamSink> sink)
      : node_(node), sink_(std::move(sink)) {}

  // The next message is read when this one is answered, so that the answers
  // come in order and no more than one is under way.
  bool OnMessage(std::string_view bytes) override {
    etcdserverpb::LeaseKeepAliveRequest request;
    if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      sink_->Finish(InternalError("grpc: error unmarshalling request"));
      return false;
    }
    const LeaseId id(request.id());
    // Of before, as etcd's: a lease that was renewed at a revision was there at
    // it. Of after, it might be one by which it had been revoked.
    const ResponseHeader header = CurrentHeader(node_);
    {
      const std::lock_guard lock(mutex_);
      state_ = State::kAsking;
    }
    node_->RenewLease(id, [self = shared_from_this(), id,
                           header](const StatusOr<int64_t>& ttl) {
      // A lease that is not there is an answer: it lasts no longer.
      if (!ttl.ok() && ttl.status().code() != Code::kNotFound) {
        return self->sink_->Finish(ttl.status());
      }
      self->Answer(header, id, ttl.ok() ? *ttl : 0);
    });
    const std::lock_guard lock(mutex_);
    if (state_ == State::kAnswered && sink_->Writable()) return true;
    paused_ = true;
    return false;
  }
  void OnWritable() override { ReadMore(); }
  void OnReadsDone() override { sink_->Finish(Status::Ok()); }
  void OnDone() override {}

 private:
  enum class State { kAsking, kAnswered };

  void Answer(const ResponseHeader& header, LeaseId id, int64_t ttl) {
    etcdserverpb::LeaseKeepAliveResponse response;
    FillHeader(header, response.mutable_header());
    response.set_id(id.value());
    response.set_ttl(ttl);
    sink_->Write(StreamMessage(response.SerializeAsString()));
    {
      const std::lock_guard lock(mutex_);
      state_ = State::kAnswered;
    }
    ReadMore();
  }

  void ReadMore() {
    {
      const std::lock_guard lock(mutex_);
      if (!paused_ || state_ != State::kAnswered || !sink_->Writable()) return;
      paused_ = false;
    }
    sink_->ReadMore();
  }

  Node* const node_;
  const std::shared_ptr<StreamSink> sink_;
  std::mutex mutex_;
  State state_ = State::kAnswered;  // guarded by mutex_
  bool paused_ = false;             // guarded by mutex_: OnMessage said false
};

}  // namespace

StreamMethod LeaseKeepAliveMethod(Node* node) {
  return {"/etcdserverpb.Lease/LeaseKeepAlive",
          [node](std::shared_ptr<StreamSink> sink) {
            return std::make_shared<KeepAlive>(node, std::move(sink));
          }};
}

}  // namespace strata
