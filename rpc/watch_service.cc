#include "rpc/watch_service.h"

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "rpc/proto/rpc.pb.h"
#include "rpc/services.h"

namespace strata {
namespace {

using etcdserverpb::WatchCreateRequest;

// The strings stay the message's.
WatchRequest FromProto(const WatchCreateRequest& create) {
  WatchRequest request{
      .range = {.key = create.key(), .end = create.range_end()},
      .start = Revision(create.start_revision()),
      .id = WatchId(create.watch_id()),
      .prev_kv = create.prev_kv(),
      .progress_notify = create.progress_notify(),
      .fragment = create.fragment()};
  for (const int filter : create.filters()) {
    request.no_put = request.no_put || filter == WatchCreateRequest::NOPUT;
    request.no_delete =
        request.no_delete || filter == WatchCreateRequest::NODELETE;
  }
  return request;
}

}  // namespace

// One stream. What it says is taken from the hub when there is room for it, on
// the hub's pump or the transport's thread, whichever comes.
class WatchService::Handler : public StreamHandler {
 public:
  static std::shared_ptr<Handler> New(WatchService* service,
                                      std::shared_ptr<StreamSink> sink) {
    auto handler = std::make_shared<Handler>(service, std::move(sink));
    const std::weak_ptr<Handler> weak = handler;
    handler->stream_ = service->node_->watch_hub()->NewStream([weak] {
      if (const auto self = weak.lock()) self->OnReady();
    });
    return handler;
  }

  Handler(WatchService* service, std::shared_ptr<StreamSink> sink)
      : service_(service), sink_(std::move(sink)) {}

  bool OnMessage(std::string_view bytes) override {
    etcdserverpb::WatchRequest request;
    if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      sink_->Finish(
          InternalError("grpc: error unmarshalling request: not a "
                        "etcdserverpb.WatchRequest"));
      return false;
    }
    const std::lock_guard lock(mutex_);
    Handle(request);
    Send();
    paused_ = stream_->controls() >= limits::kWatchControls;
    return !paused_;
  }

  void OnWritable() override { OnReady(); }

  // It goes on to be told, as by etcd.
  void OnReadsDone() override {}

  void OnDone() override {
    std::unique_ptr<WatchStream> stream;
    const std::lock_guard lock(mutex_);
    stream = std::move(stream_);
  }

 private:
  void OnReady() {
    const std::lock_guard lock(mutex_);
    if (stream_ == nullptr) return;
    Send();
    if (!paused_ || stream_->controls() >= limits::kWatchControls / 2) return;
    paused_ = false;
    sink_->ReadMore();
  }

  // All below REQUIRE: mutex_
  void Handle(const etcdserverpb::WatchRequest& request) {
    switch (request.request_union_case()) {
      case etcdserverpb::WatchRequest::kCreateRequest:
        return stream_->Watch(FromProto(request.create_request()));
      case etcdserverpb::WatchRequest::kCancelRequest:
        return stream_->Cancel(WatchId(request.cancel_request().watch_id()));
      case etcdserverpb::WatchRequest::kProgressRequest:
        return stream_->RequestProgress();
      case etcdserverpb::WatchRequest::REQUEST_UNION_NOT_SET:
        return;  // nothing, or what a later release asks
    }
  }

  void Send() {
    while (sink_->Writable()) {
      if (messages_.empty() && !TakeResponse()) return;
      sink_->Write(std::move(messages_.front()));
      messages_.pop_front();
    }
  }

  // False if there is nothing to say.
  bool TakeResponse() {
    const std::optional<WatchResponse> response = stream_->Next();
    if (!response.has_value()) return false;
    ResponseHeader header = CurrentHeader(service_->node_);
    header.revision = response->revision;
    const uint64_t max_bytes =
        service_->options_.max_request_bytes + limits::kGrpcOverheadBytes;
    for (StreamMessage& message :
         EncodeWatchResponse(header, *response, max_bytes)) {
      messages_.push_back(std::move(message));
    }
    return true;
  }

  WatchService* const service_;
  const std::shared_ptr<StreamSink> sink_;

  std::mutex mutex_;
  // Guarded by mutex_:
  std::unique_ptr<WatchStream> stream_;  // null once the call is over
  std::deque<StreamMessage> messages_;   // of one response
  bool paused_ = false;                  // nothing is read from the client
};

StreamMethod WatchService::Watch() {
  return {"/etcdserverpb.Watch/Watch",
          [this](std::shared_ptr<StreamSink> sink) {
            return Handler::New(this, std::move(sink));
          }};
}

}  // namespace strata
