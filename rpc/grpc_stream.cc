#include "rpc/grpc_stream.h"

#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/byte_buffer.h>

#include <atomic>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/limits.h"
#include "server/errors.h"

namespace strata {
namespace {

// Pieces up to this size are copied rather than referred to.
constexpr size_t kCopiedBytes = 1024;

grpc::Slice ToSlice(StreamMessage::Piece piece) {
  const std::string_view bytes =
      piece.pin != nullptr ? piece.shared : std::string_view(piece.own);
  if (bytes.size() <= kCopiedBytes) {
    return grpc::Slice(bytes.data(), bytes.size());
  }
  auto* const kept = new StreamMessage::Piece(std::move(piece));
  const std::string_view at =
      kept->pin != nullptr ? kept->shared : std::string_view(kept->own);
  return grpc::Slice(
      const_cast<char*>(at.data()), at.size(),
      [](void* kept) { delete static_cast<StreamMessage::Piece*>(kept); },
      kept);
}

grpc::ByteBuffer ToByteBuffer(StreamMessage message) {
  if (message.pieces().size() == 1) {
    const grpc::Slice slice = ToSlice(std::move(message.pieces().front()));
    return grpc::ByteBuffer(&slice, 1);
  }
  std::vector<grpc::Slice> slices;
  slices.reserve(message.pieces().size());
  for (StreamMessage::Piece& piece : message.pieces()) {
    slices.push_back(ToSlice(std::move(piece)));
  }
  return grpc::ByteBuffer(slices.data(), slices.size());
}

Status StoppedError() { return UnavailableError("etcdserver: server stopped"); }

}  // namespace

bool AsksForLeader(const grpc::ServerContext& context) {
  const auto found = context.client_metadata().find("hasleader");
  return found != context.client_metadata().end() && found->second == "true";
}

RawStreamService::RawStreamService(std::vector<StreamMethod> methods)
    : methods_(std::move(methods)) {
  for (size_t i = 0; i < methods_.size(); ++i) {
    AddMethod(new grpc::internal::RpcServiceMethod(
        methods_[i].path.c_str(), grpc::internal::RpcMethod::BIDI_STREAMING,
        /*handler=*/nullptr));
    MarkMethodRaw(static_cast<int>(i));
  }
}

// Which operation of which stream has ended.
class GrpcStreams::Tag : public GrpcEvent {
 public:
  using Then = void (Stream::*)(bool ok);

  Tag(Stream* stream, Then then) : stream_(stream), then_(then) {}

  void Happened(bool ok) override { (stream_->*then_)(ok); }

 private:
  Stream* const stream_;
  const Then then_;
};

// One call. The handler is called on the poller's thread alone; messages to be
// sent come from any.
//
// It lives until every operation it began has come back: `operations_` counts
// them, and none begins after the call is over.
class GrpcStreams::Stream : public StreamSink,
                            public std::enable_shared_from_this<Stream> {
 public:
  Stream(GrpcStreams* all, size_t method)
      : all_(all), method_(method), stream_(&context_) {}

  void Await() {
    context_.AsyncNotifyWhenDone(&over_tag_);
    all_->service_->RequestAsyncBidiStreaming(static_cast<int>(method_),
                                              &context_, &stream_, all_->queue_,
                                              all_->queue_, &accepted_tag_);
  }

  bool Writable() const override {
    const std::lock_guard lock(mutex_);
    if (Room()) return true;
    starved_ = true;
    return false;
  }

  void Write(StreamMessage message) override {
    {
      const std::lock_guard lock(mutex_);
      if (over_ || finish_.has_value()) return;
      queued_bytes_ += message.size();
      queue_.push_back(std::move(message));
      if (!BeginSending()) return;
    }
    SendFront();
  }

  void ReadMore() override {
    {
      const std::lock_guard lock(mutex_);
      if (over_ || !paused_) {
        more_ = true;
        return;
      }
      paused_ = false;
      ++operations_;
    }
    stream_.Read(&incoming_, &read_tag_);
  }

  void Finish(const Status& status) override {
    {
      const std::lock_guard lock(mutex_);
      if (over_ || finish_.has_value()) return;
      finish_ = status;
      if (!BeginSending()) return;
    }
    SendFront();
  }

  size_t method() const { return method_; }
  bool asks_for_leader() const { return asks_for_leader_; }
  // On the poller's thread; the call has been accepted.
  void Open() {
    operations_ = 2;  // its end, and the first read
    handler_ = all_->service_->methods()[method_].open(shared_from_this());
    asks_for_leader_ = AsksForLeader(context_);
    if (asks_for_leader_ && all_->has_leader_ != nullptr &&
        !all_->has_leader_()) {
      Finish(errors::NoLeader());
    }
    stream_.Read(&incoming_, &read_tag_);
  }

 private:
  bool Room() const {  // REQUIRES: mutex_
    return queued_bytes_ < limits::kStreamQueueBytes &&
           queue_.size() < limits::kStreamQueueMessages;
  }

  // Whether the caller has to call SendFront. REQUIRES: mutex_
  bool BeginSending() {
    if (sending_ || over_ || (queue_.empty() && !finish_.has_value())) {
      return false;
    }
    sending_ = true;
    ++operations_;
    return true;
  }

  // Sends the first message that waits or, if there is none, the status. One
  // thread at a time: the one to which BeginSending has said so.
  void SendFront() {
    std::optional<StreamMessage> message;
    grpc::WriteOptions options;
    {
      const std::lock_guard lock(mutex_);
      if (!queue_.empty()) {
        message = std::move(queue_.front());
        queue_.pop_front();
        sending_bytes_ = message->size();
        // gRPC may wait for the next one to fill a packet.
        if (!queue_.empty()) options.set_buffer_hint();
      }
    }
    if (message.has_value()) {
      stream_.Write(ToByteBuffer(std::move(*message)), options, &sent_tag_);
    } else {
      stream_.Finish(
          grpc::Status(static_cast<grpc::StatusCode>(finish_->code()),
                       finish_->message()),
          &finished_tag_);
    }
  }

  void Accepted(bool ok) {
    if (ok) return all_->Accepted(shared_from_this());
    all_->Ended(shared_from_this());  // the server is being shut down
  }

  void Received(bool ok) {
    if (!ok) {
      if (!IsOver()) handler_->OnReadsDone();
    } else if (!IsOver() && Handle()) {
      stream_.Read(&incoming_, &read_tag_);
      return;  // the operation goes on
    }
    EndOperation();
  }

  // Whether to read on.
  bool Handle() {
    if (incoming_.Length() > all_->max_message_bytes_) {
      Finish(ResourceExhaustedError(
          "grpc: received message larger than max (" +
          std::to_string(incoming_.Length()) + " vs. " +
          std::to_string(all_->max_message_bytes_) + ")"));
      return false;
    }
    grpc::Slice slice;
    if (!incoming_.TrySingleSlice(&slice).ok() &&
        !incoming_.DumpToSingleSlice(&slice).ok()) {
      Finish(InternalError("grpc: failed to decompress the message"));
      return false;
    }
    {
      const std::lock_guard lock(mutex_);
      more_ = false;
    }
    if (handler_->OnMessage(
            {reinterpret_cast<const char*>(slice.begin()), slice.size()})) {
      return true;
    }
    const std::lock_guard lock(mutex_);
    paused_ = !more_;
    return more_;
  }

  void Sent(bool ok) {
    bool tell = false;
    bool go_on = false;
    {
      const std::lock_guard lock(mutex_);
      queued_bytes_ -= sending_bytes_;
      sending_ = false;
      if (!ok) DropQueue();
      go_on = ok && BeginSending();
      // Not for each message: a handler that fills the queue again sends
      // several at a time.
      tell = ok && starved_ && queued_bytes_ < limits::kStreamQueueBytes / 2 &&
             queue_.size() < limits::kStreamQueueMessages / 2;
      if (tell) starved_ = false;
    }
    if (go_on) SendFront();
    if (tell && !IsOver()) handler_->OnWritable();
    EndOperation();
  }

  void Finished(bool) { EndOperation(); }

  // Nothing can be sent or will come any more.
  void Over(bool) {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
      DropQueue();
    }
    handler_->OnDone();
    handler_.reset();
    EndOperation();
  }

  void DropQueue() {  // REQUIRES: mutex_
    queue_.clear();
    queued_bytes_ = 0;
    sending_bytes_ = 0;
  }

  bool IsOver() const {
    const std::lock_guard lock(mutex_);
    return over_;
  }

  void EndOperation() {
    {
      const std::lock_guard lock(mutex_);
      if (--operations_ > 0) return;
    }
    all_->Ended(shared_from_this());
  }

  GrpcStreams* const all_;
  const size_t method_;
  Tag accepted_tag_{this, &Stream::Accepted};
  Tag read_tag_{this, &Stream::Received};
  Tag sent_tag_{this, &Stream::Sent};
  Tag finished_tag_{this, &Stream::Finished};
  Tag over_tag_{this, &Stream::Over};
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer> stream_;

  std::atomic<bool> asks_for_leader_ = false;

  // Bound to the poller's thread.
  std::shared_ptr<StreamHandler> handler_;
  grpc::ByteBuffer incoming_;

  mutable std::mutex mutex_;
  // Guarded by mutex_:
  std::deque<StreamMessage> queue_;
  size_t queued_bytes_ = 0;  // with what is being sent
  size_t sending_bytes_ = 0;
  bool sending_ = false;
  mutable bool starved_ = false;  // somebody was told that there is no room
  std::optional<Status> finish_;  // set once
  bool paused_ = false;           // no message is asked for
  bool more_ = false;             // ReadMore came before that
  bool over_ = false;
  int operations_ = 0;
};

GrpcStreams::GrpcStreams(RawStreamService* service,
                         grpc::ServerCompletionQueue* queue,
                         uint64_t max_message_bytes,
                         std::function<bool()> has_leader)
    : service_(service),
      queue_(queue),
      max_message_bytes_(max_message_bytes),
      has_leader_(std::move(has_leader)) {}

GrpcStreams::~GrpcStreams() = default;

void GrpcStreams::AwaitAll() {
  for (size_t method = 0; method < service_->methods().size(); ++method) {
    Await(method);
  }
}

bool GrpcStreams::Idle() const {
  const std::lock_guard lock(mutex_);
  return awaited_.empty() && streams_.empty();
}

void GrpcStreams::Await(size_t method) {
  auto stream = std::make_shared<Stream>(this, method);
  {
    const std::lock_guard lock(mutex_);
    awaited_.insert(stream);
  }
  stream->Await();
}

void GrpcStreams::Accepted(const std::shared_ptr<Stream>& stream) {
  stream->Open();
  bool finish = false;
  {
    const std::lock_guard lock(mutex_);
    awaited_.erase(stream);
    streams_.insert(stream);
    finish = finish_all_;
  }
  if (finish) stream->Finish(StoppedError());
  Await(stream->method());
}

void GrpcStreams::Ended(const std::shared_ptr<Stream>& stream) {
  const std::lock_guard lock(mutex_);
  awaited_.erase(stream);
  streams_.erase(stream);
}

void GrpcStreams::FinishForLeader() {
  std::set<std::shared_ptr<Stream>> streams;
  {
    const std::lock_guard lock(mutex_);
    streams = streams_;
  }
  for (const auto& stream : streams) {
    if (stream->asks_for_leader()) stream->Finish(errors::NoLeader());
  }
}

void GrpcStreams::FinishAll() {
  std::set<std::shared_ptr<Stream>> streams;
  {
    const std::lock_guard lock(mutex_);
    finish_all_ = true;
    streams = streams_;
  }
  for (const auto& stream : streams) stream->Finish(StoppedError());
}

}  // namespace strata
