#include "rpc/h2/connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "rpc/h2/head.h"
#include "rpc/h2/stream_call.h"
#include "rpc/h2/unary_call.h"
#include "rpc/h2/worker.h"
#include "rpc/services.h"

namespace strata {
namespace {

// What a client may send on a call, or on all of them, before we have taken it.
constexpr uint32_t kCallWindowBytes = 256 << 10;
constexpr int32_t kConnectionWindowBytes = 1 << 20;
// So much is given to the socket at once.
constexpr size_t kSendBytes = 64 << 10;
// And so much before others have their turn; a client's window may be larger.
constexpr size_t kTurnBytes = 1 << 20;
// What is kept for sending while there is nothing to send: on a connection with
// calls, and on one without.
constexpr size_t kKeptBytes = 16 << 10;
constexpr size_t kKeptIdleBytes = 1 << 10;
// A larger message of a stream is left to the poller: the thread it comes from
// may have a low priority, and would keep the poller waiting for the
// connection.
constexpr size_t kSentDirectlyBytes = 4 << 10;
// Single calls of a client that are served while the size of its answers is not
// known.
constexpr size_t kServedUnseen = 16;
// Frames that wait for a client that does not read; with more it is not read
// from either, as by a Go server. Those of messages do not count: theirs is the
// window.
constexpr size_t kJammedFrames = 1000;
// A call without its messages.
constexpr uint64_t kCallBytes = 4 << 10;
// A client that has not said by then how it wants to be spoken to never will.
constexpr Duration kSettingsTimeout = std::chrono::seconds(10);
constexpr std::string_view kTooManyPings = "too_many_pings";

nghttp2_nv Header(std::string_view name, std::string_view value) {
  auto bytes = [](std::string_view text) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NO_COPY_NAME};
}

constexpr std::string_view kStatusName = ":status";
constexpr std::string_view kTypeName = "content-type";
constexpr std::string_view kType = "application/grpc";

// The headers of a call's end; they refer to it.
class Trailers {
 public:
  explicit Trailers(const Status& status)
      : code_(std::to_string(static_cast<int>(status.code()))),
        message_(PercentEncoded(status.message())) {}

  void AddTo(std::vector<nghttp2_nv>* headers) const {
    headers->push_back(Header("grpc-status", code_));
    if (!message_.empty()) headers->push_back(Header("grpc-message", message_));
  }

 private:
  const std::string code_;
  const std::string message_;
};

Status OutOfMemoryError() {
  return ResourceExhaustedError(
      "etcdserver: too many requests (--grpc-memory-bytes is used up)");
}

}  // namespace

// The connection's mutex, and what came up meanwhile: events are told to the
// worker when it has been let go.
class GrpcConnection::Hold {
 public:
  explicit Hold(GrpcConnection* connection) : connection_(connection) {
    connection_->mutex_.lock();
  }
  ~Hold() {
    std::vector<CallEvent> events = std::move(connection_->events_);
    connection_->events_.clear();
    connection_->mutex_.unlock();
    if (!events.empty()) connection_->worker_->Post(std::move(events));
  }

  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  GrpcConnection* const connection_;
};

// What nghttp2 calls, all of it while the mutex is held.
struct GrpcConnection::Callbacks {
  static GrpcConnection* From(void* data) {
    return static_cast<GrpcConnection*>(data);
  }
  static GrpcCall* CallOf(nghttp2_data_source* source) {
    return static_cast<GrpcCall*>(source->ptr);
  }
  static std::string_view Text(const uint8_t* bytes, size_t size) {
    return {reinterpret_cast<const char*>(bytes), size};
  }
  static bool IsRequest(const nghttp2_frame* frame) {
    return frame->hd.type == NGHTTP2_HEADERS &&
           frame->headers.cat == NGHTTP2_HCAT_REQUEST;
  }

  static int BeginHead(nghttp2_session*, const nghttp2_frame* frame,
                       void* data) {
    if (IsRequest(frame)) From(data)->head_ = {};
    return 0;
  }
  static int Header(nghttp2_session*, const nghttp2_frame* frame,
                    const uint8_t* name, size_t name_size, const uint8_t* value,
                    size_t value_size, uint8_t, void* data) {
    if (IsRequest(frame)) {
      AddToHead(Text(name, name_size), Text(value, value_size),
                &From(data)->head_);
    }
    return 0;
  }
  static int Frame(nghttp2_session*, const nghttp2_frame* frame, void* data) {
    From(data)->Received(frame);
    return 0;
  }
  static int Data(nghttp2_session*, uint8_t, int32_t stream,
                  const uint8_t* bytes, size_t size, void* data) {
    From(data)->ReceivedData(stream, Text(bytes, size));
    return 0;
  }
  static int Close(nghttp2_session*, int32_t stream, uint32_t, void* data) {
    From(data)->Closed(stream);
    return 0;
  }
  static int Sent(nghttp2_session*, const nghttp2_frame* frame, void* data) {
    From(data)->Sent(frame);
    return 0;
  }
  static ssize_t Offer(nghttp2_session*, int32_t, uint8_t*, size_t room,
                       uint32_t* flags, nghttp2_data_source* source,
                       void* data) {
    return From(data)->Offer(CallOf(source), room, flags);
  }
  static int SendData(nghttp2_session*, nghttp2_frame*, const uint8_t* head,
                      size_t size, nghttp2_data_source* source, void* data) {
    From(data)->SendData(CallOf(source), Text(head, kFrameHeadBytes), size);
    return 0;
  }

  static constexpr size_t kFrameHeadBytes = 9;

  static nghttp2_session* NewSession(GrpcConnection* connection);
};

nghttp2_session* GrpcConnection::Callbacks::NewSession(
    GrpcConnection* connection) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;
  CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
  CHECK(nghttp2_option_new(&option) == 0);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, BeginHead);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Close);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, Sent);
  nghttp2_session_callbacks_set_send_data_callback(callbacks, SendData);
  // The window of a call is given back as its handler takes its messages.
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_session* session = nullptr;
  CHECK(nghttp2_session_server_new2(&session, callbacks, connection, option) ==
        0);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  return session;
}

GrpcConnection::GrpcConnection(GrpcWorker* worker, GrpcShared* shared, int fd,
                               Time now)
    : worker_(worker),
      shared_(shared),
      begun_(now),
      fd_(fd),
      session_(Callbacks::NewSession(this)),
      ping_guard_(shared->options.keepalive_min_time),
      now_(now) {}

GrpcConnection::~GrpcConnection() {
  nghttp2_session_del(session_);
  if (fd_ >= 0) close(fd_);
}

void GrpcConnection::Start() {
  const Hold hold(this);
  const std::array settings = {
      nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                             shared_->options.max_concurrent_streams},
      nghttp2_settings_entry{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
                             kCallWindowBytes}};
  CHECK(nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(),
                                settings.size()) == 0);
  CHECK(nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                              kConnectionWindowBytes) == 0);
  FlushHeld();
}

GrpcConnection::ReadOutcome GrpcConnection::Read(
    char* buffer, size_t size, Time now, std::vector<CallEvent>* events) {
  const ssize_t got = recv(fd_, buffer, size, MSG_DONTWAIT);
  if (got < 0 && errno == EINTR) return ReadOutcome::kMore;
  if (got < 0 && errno == EAGAIN) return ReadOutcome::kAll;
  if (got <= 0) return ReadOutcome::kEnd;
  const std::lock_guard lock(mutex_);
  now_ = now;
  awaits_pong_ = false;
  const ssize_t taken = nghttp2_session_mem_recv(
      session_, reinterpret_cast<uint8_t*>(buffer), static_cast<size_t>(got));
  std::move(events_.begin(), events_.end(), std::back_inserter(*events));
  events_.clear();
  if (taken != got || over_) {
    FlushHeld();  // why
    return ReadOutcome::kEnd;
  }
  SendSoon(/*now=*/false);
  return static_cast<size_t>(got) < size ? ReadOutcome::kAll
                                         : ReadOutcome::kMore;
}

void GrpcConnection::CanWrite() {
  const Hold hold(this);
  if (std::exchange(blocked_, false)) FlushHeld();
}

void GrpcConnection::Flush() {
  const Hold hold(this);
  flush_asked_ = false;
  FlushHeld();
}

void GrpcConnection::GoAway() {
  const Hold hold(this);
  if (session_ == nullptr) return;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_),
                        NGHTTP2_NO_ERROR, nullptr, 0);
  FlushHeld();
}

bool GrpcConnection::Jammed() const {
  const std::lock_guard lock(mutex_);
  return session_ != nullptr && blocked_ &&
         nghttp2_session_get_outbound_queue_size(session_) > kJammedFrames;
}

bool GrpcConnection::Drained() const {
  const std::lock_guard lock(mutex_);
  return calls_.empty() && out_.empty() &&
         nghttp2_session_want_write(session_) == 0;
}

bool GrpcConnection::Tick(Time now, Time* again) {
  const Hold hold(this);
  const GrpcServerOptions& options = shared_->options;
  if (!settled_) {
    *again = begun_ + kSettingsTimeout;
    if (now >= *again) return false;
    // It may settle at once, and be idle from then on.
    if (options.keepalive_interval > Duration::zero()) {
      *again = std::min(*again, now + options.keepalive_interval);
    }
    return true;
  }
  if (awaits_pong_) {
    *again = pinged_ + options.keepalive_timeout;
    return now < *again;
  }
  if (options.keepalive_interval <= Duration::zero()) return true;
  *again = now_ + options.keepalive_interval;
  if (now < *again) return true;
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  pinged_ = now;
  awaits_pong_ = options.keepalive_timeout > Duration::zero();
  *again = awaits_pong_ ? now + options.keepalive_timeout
                        : now + options.keepalive_interval;
  if (!awaits_pong_) now_ = now;
  FlushHeld();
  return true;
}

void GrpcConnection::Close(std::vector<CallEvent>* events) {
  const std::lock_guard lock(mutex_);
  if (session_ == nullptr) return;
  std::move(events_.begin(), events_.end(), std::back_inserter(*events));
  events_.clear();
  // nghttp2 does not tell of calls that end with their session.
  for (const auto& call : calls_) {
    MarkOver(call.get());
    events->push_back({call, GrpcCall::Event::kOver});
  }
  calls_.clear();
  for (const CallEvent& event : waiting_) LetGo(event.call.get());
  waiting_.clear();
  nghttp2_session_del(std::exchange(session_, nullptr));
  out_ = {};
  // What is still unread would have the kernel tell the client of an error
  // before it has read our last words.
  std::array<char, 4096> unread;
  for (int i = 0; i < 16; ++i) {
    if (recv(fd_, unread.data(), unread.size(), MSG_DONTWAIT) <= 0) break;
  }
  close(std::exchange(fd_, -1));
}

void GrpcConnection::Received(const nghttp2_frame* frame) {
  const int32_t stream = frame->hd.stream_id;
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
      if (Callbacks::IsRequest(frame)) ReceivedHead(stream);
      [[fallthrough]];
    case NGHTTP2_DATA:
      if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) ReceivedEnd(stream);
      break;
    case NGHTTP2_SETTINGS:
      settled_ = true;
      break;
    case NGHTTP2_PING:
      if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) ReceivedPing();
      break;
    default:
      break;
  }
}

void GrpcConnection::ReceivedHead(int32_t stream) {
  head_.method = shared_->Find(head_.path);
  if (head_.method != nullptr) head_.path = {};
  GrpcCall* const call = NewCall(stream);
  if (!call->head().is_grpc) {
    const std::array headers = {Header(kStatusName, "415")};
    nghttp2_submit_response(session_, stream, headers.data(), headers.size(),
                            nullptr);
    call->http2_.refused = true;
    call->http2_.end = Status::Ok();
    return;
  }
  if (call->head().method == nullptr) {
    return Refuse(call, UnknownMethodError(call->head().path));
  }
  if (!Charge(call, kCallBytes)) return Refuse(call, OutOfMemoryError());
  if (call->is_stream()) Add(call, GrpcCall::Event::kOpened);
}

GrpcCall* GrpcConnection::NewCall(int32_t stream) {
  std::shared_ptr<GrpcCall> call;
  const GrpcMethod* const method = head_.method;
  if (method != nullptr && method->is_stream()) {
    call = std::make_shared<GrpcStreamCall>(worker_, shared_from_this(), stream,
                                            std::move(head_));
  } else {
    call = std::make_shared<GrpcUnaryCall>(worker_, shared_from_this(), stream,
                                           std::move(head_));
  }
  call->http2_.index = calls_.size();
  calls_.push_back(call);
  nghttp2_session_set_stream_user_data(session_, stream, call.get());
  return call.get();
}

GrpcCall* GrpcConnection::Find(int32_t stream) const {
  return static_cast<GrpcCall*>(
      nghttp2_session_get_stream_user_data(session_, stream));
}

void GrpcConnection::Refuse(GrpcCall* call, const Status& status) {
  call->http2_.refused = true;
  SubmitEnd(call, status);
}

void GrpcConnection::ReceivedData(int32_t stream, std::string_view bytes) {
  nghttp2_session_consume_connection(session_, bytes.size());
  GrpcCall* const call = Find(stream);
  if (call == nullptr) return;
  GrpcCall::Http2& http2 = call->http2_;
  http2.unconsumed += bytes.size();
  if (http2.refused) return GiveWindow(call);
  // A second message of a single call is dropped.
  if (!call->is_stream() && http2.untaken > 0) return GiveWindow(call);
  if (!Charge(call, bytes.size())) return Refuse(call, OutOfMemoryError());
  const Status status = http2.reader.Add(bytes, &messages_);
  for (std::string& message : messages_) {
    if (!call->is_stream() && http2.untaken > 0) break;
    ++http2.untaken;
    Add(call, GrpcCall::Event::kMessage, std::move(message));
  }
  messages_.clear();
  if (!status.ok()) return Refuse(call, status);
  if (http2.untaken == 0 || !call->is_stream()) GiveWindow(call);
}

bool GrpcConnection::MayServe(GrpcCall* call, std::string* request) {
  const Hold hold(this);
  GrpcCall::Http2& http2 = call->http2_;
  if (http2.over) {
    if (http2.admitted) --serving_;
    LetGo(call);
    ReleaseWaiting();
    return false;
  }
  if (http2.admitted) return true;
  http2.held = true;
  if (waiting_.empty() && HasRoomForAnswer()) {
    ++serving_;
    return true;
  }
  waiting_.push_back({call->shared_from_this(), GrpcCall::Event::kMessage,
                      std::move(*request)});
  return false;
}

bool GrpcConnection::HasRoomForAnswer() const {
  const uint64_t max = shared_->max_unsent_bytes;
  if (unsent_ > max) return false;
  if (usual_answer_ == 0) return serving_ < kServedUnseen;
  return serving_ == 0 || unsent_ + (serving_ + 1) * usual_answer_ <= max;
}

void GrpcConnection::ReleaseWaiting() {
  while (!waiting_.empty() && HasRoomForAnswer()) {
    CallEvent event = std::move(waiting_.front());
    waiting_.pop_front();
    if (event.call->http2_.over) {
      LetGo(event.call.get());
      continue;
    }
    event.call->http2_.admitted = true;
    ++serving_;
    events_.push_back(std::move(event));
  }
}

void GrpcConnection::ReceivedEnd(int32_t stream) {
  GrpcCall* const call = Find(stream);
  if (call == nullptr) return;
  call->http2_.reads_done = true;
  if (call->http2_.refused) return;
  if (call->is_stream()) return Add(call, GrpcCall::Event::kReadsDone);
  if (call->http2_.untaken == 0) Refuse(call, Status(Code::kUnknown, "EOF"));
}

void GrpcConnection::ReceivedPing() {
  if (!ping_guard_.Ping(now_, !calls_.empty())) return;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_),
                        NGHTTP2_ENHANCE_YOUR_CALM,
                        reinterpret_cast<const uint8_t*>(kTooManyPings.data()),
                        kTooManyPings.size());
  over_ = true;
}

void GrpcConnection::Sent(const nghttp2_frame* frame) {
  if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) {
    return;
  }
  ping_guard_.Sent();
  if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return;
  const GrpcCall* const call = Find(frame->hd.stream_id);
  if (call == nullptr || call->http2_.reads_done) return;
  // The client need not go on.
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                            NGHTTP2_NO_ERROR);
}

void GrpcConnection::MarkOver(GrpcCall* call) {
  GrpcCall::Http2& http2 = call->http2_;
  http2.over = true;
  if (!call->is_stream()) unsent_ -= http2.out.bytes();
  http2.out.Clear();
  // A client that takes a call back does not so get room for the next one's
  // request while that of this one is still there.
  if (!http2.held) Uncharge(call, http2.charged);
}

void GrpcConnection::LetGo(GrpcCall* call) {
  GrpcCall::Http2& http2 = call->http2_;
  http2.held = false;
  if (http2.over) Uncharge(call, http2.charged);
}

void GrpcConnection::Closed(int32_t stream) {
  GrpcCall* const call = Find(stream);
  if (call == nullptr) return;
  MarkOver(call);
  const size_t index = call->http2_.index;
  std::shared_ptr<GrpcCall> kept = std::move(calls_[index]);
  if (index + 1 < calls_.size()) {
    calls_[index] = std::move(calls_.back());
    calls_[index]->http2_.index = index;
  }
  calls_.pop_back();
  // Single calls do not ask, and the poller need not wake for them.
  if (kept->is_stream()) {
    events_.push_back({std::move(kept), GrpcCall::Event::kOver});
  }
  ReleaseWaiting();
}

bool GrpcConnection::Charge(GrpcCall* call, uint64_t bytes) {
  if (!shared_->budget.Take(bytes)) return false;
  call->http2_.charged += bytes;
  return true;
}

void GrpcConnection::Uncharge(GrpcCall* call, uint64_t bytes) {
  bytes = std::min(bytes, call->http2_.charged);
  call->http2_.charged -= bytes;
  shared_->budget.Return(bytes);
}

void GrpcConnection::GiveWindow(GrpcCall* call) {
  nghttp2_session_consume_stream(session_, call->http2_.id,
                                 std::exchange(call->http2_.unconsumed, 0));
}

void GrpcConnection::Add(GrpcCall* call, GrpcCall::Event event,
                         std::string bytes) {
  events_.push_back({call->shared_from_this(), event, std::move(bytes)});
}

// --- What goes out ---

ssize_t GrpcConnection::Offer(GrpcCall* call, size_t room, uint32_t* flags) {
  GrpcCall::Http2& http2 = call->http2_;
  const size_t bytes = std::min(room, http2.out.bytes());
  if (bytes == 0 && !http2.end.has_value()) {
    http2.deferred = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (bytes == http2.out.bytes() && http2.end.has_value()) {
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    const Trailers trailers(*http2.end);
    std::vector<nghttp2_nv> headers;
    trailers.AddTo(&headers);
    nghttp2_submit_trailer(session_, http2.id, headers.data(), headers.size());
  }
  return static_cast<ssize_t>(bytes);
}

void GrpcConnection::SendData(GrpcCall* call, std::string_view frame_head,
                              size_t size) {
  GrpcCall::Http2& http2 = call->http2_;
  out_.append(frame_head);
  http2.out.Take(size, &out_);
  Uncharge(call, size);
  if (!call->is_stream()) {
    unsent_ -= size;
    ReleaseWaiting();
  }
  // Not for each message: a handler that fills the queue again sends several
  // at a time.
  if (http2.starved && http2.out.bytes() < limits::kStreamQueueBytes / 2 &&
      http2.out.messages() < limits::kStreamQueueMessages / 2) {
    http2.starved = false;
    Add(call, GrpcCall::Event::kWritable);
  }
}

void GrpcConnection::SubmitData(GrpcCall* call) {
  GrpcCall::Http2& http2 = call->http2_;
  if (http2.responding) {
    if (std::exchange(http2.deferred, false)) {
      nghttp2_session_resume_data(session_, http2.id);
    }
    return;
  }
  http2.responding = true;
  const std::array headers = {Header(kStatusName, "200"),
                              Header(kTypeName, kType)};
  const nghttp2_data_provider provider = {.source = {.ptr = call},
                                          .read_callback = Callbacks::Offer};
  nghttp2_submit_response(session_, http2.id, headers.data(), headers.size(),
                          &provider);
}

void GrpcConnection::SubmitEnd(GrpcCall* call, const Status& status) {
  GrpcCall::Http2& http2 = call->http2_;
  http2.end = status;
  if (http2.responding || http2.out.bytes() > 0) return SubmitData(call);
  // Nothing was sent, and nothing will be: one frame says all.
  http2.responding = true;
  const Trailers trailers(status);
  std::vector<nghttp2_nv> headers = {Header(kStatusName, "200"),
                                     Header(kTypeName, kType)};
  trailers.AddTo(&headers);
  nghttp2_submit_response(session_, http2.id, headers.data(), headers.size(),
                          nullptr);
}

void GrpcConnection::SubmitMessage(GrpcCall* call, StreamMessage message) {
  if (!Charge(call, kMessageHeadBytes + message.size())) {
    return SubmitEnd(call, OutOfMemoryError());
  }
  if (!call->is_stream()) unsent_ += kMessageHeadBytes + message.size();
  call->http2_.out.Push(std::move(message));
  SubmitData(call);
}

void GrpcConnection::Send(GrpcCall* call, StreamMessage message) {
  const Hold hold(this);
  if (!Open(call)) return;
  const bool small = message.size() <= kSentDirectlyBytes;
  SubmitMessage(call, std::move(message));
  SendSoon(small && worker_->SendsNow());
}

void GrpcConnection::End(GrpcCall* call, const Status& status) {
  const Hold hold(this);
  if (!Open(call)) return;
  SubmitEnd(call, status);
  SendSoon(worker_->SendsNow());
}

void GrpcConnection::Answer(GrpcCall* call, StatusOr<std::string> answer) {
  const Hold hold(this);
  --serving_;
  // The largest one of late.
  usual_answer_ = std::max(answer.ok() ? answer->size() + kMessageHeadBytes : 1,
                           usual_answer_ - usual_answer_ / 16);
  LetGo(call);
  if (Open(call)) SubmitAnswer(call, std::move(answer));
  ReleaseWaiting();
}

void GrpcConnection::SubmitAnswer(GrpcCall* call,
                                  StatusOr<std::string> answer) {
  if (answer.ok()) {
    // Before the message, so that both are sent in one go.
    call->http2_.end = Status::Ok();
    SubmitMessage(call, StreamMessage(std::move(*answer)));
  } else {
    SubmitEnd(call, answer.status());
  }
  SendSoon(/*now=*/true);
}

bool GrpcConnection::Open(const GrpcCall* call) const {
  return !call->http2_.over && !call->http2_.end.has_value();
}

bool GrpcConnection::HasRoom(const GrpcCall* call) {
  const std::lock_guard lock(mutex_);
  const OutQueue& out = call->http2_.out;
  const bool room = out.bytes() < limits::kStreamQueueBytes &&
                    out.messages() < limits::kStreamQueueMessages;
  call->http2_.starved |= !room;
  return room;
}

void GrpcConnection::TookMessage(GrpcCall* call, size_t size) {
  const Hold hold(this);
  GrpcCall::Http2& http2 = call->http2_;
  if (http2.over) return;
  Uncharge(call, kMessageHeadBytes + size);
  if (--http2.untaken > 0) return;
  GiveWindow(call);
  SendSoon(/*now=*/false);
}

void GrpcConnection::SendSoon(bool now) {
  if (now && !worker_->InRound()) return FlushHeld();
  if (nghttp2_session_want_write(session_) != 0) AskFlush();
}

void GrpcConnection::AskFlush() {
  if (std::exchange(flush_asked_, true)) return;
  worker_->AskFlush(shared_from_this());
}

void GrpcConnection::FlushHeld() {
  if (session_ == nullptr) return;
  size_t sent = 0;
  while (!blocked_ && !failed_) {
    if (sent >= kTurnBytes) return AskFlush();
    while (out_.size() < kSendBytes) {
      const uint8_t* bytes = nullptr;
      const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
      failed_ |= size < 0;
      if (size <= 0) break;
      out_.append(reinterpret_cast<const char*>(bytes),
                  static_cast<size_t>(size));
    }
    if (out_.empty()) break;
    sent += WriteOut();
  }
  if (!out_.empty()) return;
  if (out_.capacity() > (calls_.empty() ? kKeptIdleBytes : kKeptBytes)) {
    out_ = {};
  }
  // An end by either side's error.
  failed_ |= nghttp2_session_want_read(session_) == 0 &&
             nghttp2_session_want_write(session_) == 0;
  // The poller will read the end.
  if (failed_) shutdown(fd_, SHUT_RDWR);
}

size_t GrpcConnection::WriteOut() {
  const ssize_t sent =
      send(fd_, out_.data(), out_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent >= 0) {
    out_.erase(0, static_cast<size_t>(sent));
    return static_cast<size_t>(sent);
  }
  if (errno == EAGAIN) {
    blocked_ = true;
  } else if (errno != EINTR) {
    failed_ = true;
    out_.clear();
  }
  return 0;
}

}  // namespace strata
