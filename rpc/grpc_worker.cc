#include "rpc/grpc_worker.h"

#include <grpc/support/time.h>
#include <grpcpp/alarm.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/byte_buffer.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/limits.h"
#include "rpc/services.h"
#include "server/errors.h"

namespace strata {
namespace {

// Calls of a method that a worker awaits at once; more wait inside gRPC.
constexpr int kAwaited = 16;
// With more calls being served, replies are gathered.
constexpr int kServedDirectly = 2;
// Once calls were seen to come in together, so many are not carried through by
// the poller: they would wait for each other instead of sharing a sync.
constexpr int kCrowdCalls = 64;
// A poller that has not come back after one to two of these is replaced. Other
// calls may wait for it so long, once.
constexpr Duration kCheckInterval = std::chrono::milliseconds(2);
// While it stops, a worker looks this often whether answers have been sent.
constexpr int kStoppingPollMs = 5;
// Answers up to this size are copied rather than handed over.
constexpr size_t kCopiedBytes = 4096;
// What the arena of a call has without asking for more: enough for most.
constexpr size_t kArenaBytes = 2048;

// A request or an answer, as gRPC's templates want it.
struct Received {
  grpc::ByteBuffer bytes;
};
struct Answered {
  std::string bytes;
};

grpc::Slice ToSlice(std::string bytes) {
  if (bytes.size() <= kCopiedBytes) {
    return grpc::Slice(bytes.data(), bytes.size());
  }
  auto* owned = new std::string(std::move(bytes));
  return grpc::Slice(
      owned->data(), owned->size(),
      [](void* string) { delete static_cast<std::string*>(string); }, owned);
}

}  // namespace
}  // namespace strata

template <>
class grpc::SerializationTraits<strata::Received> {
 public:
  static grpc::Status Deserialize(grpc::ByteBuffer* from,
                                  strata::Received* to) {
    to->bytes.Swap(from);
    return grpc::Status::OK;
  }
};

template <>
class grpc::SerializationTraits<strata::Answered> {
 public:
  static grpc::Status Serialize(const strata::Answered& from,
                                grpc::ByteBuffer* to, bool* own) {
    // gRPC is done with the answer when this returns.
    grpc::Slice slice =
        strata::ToSlice(std::move(const_cast<strata::Answered&>(from).bytes));
    grpc::ByteBuffer(&slice, 1).Swap(to);
    *own = true;
    return grpc::Status::OK;
  }
};

namespace strata {

RawService::RawService(std::vector<UnaryMethod> methods)
    : methods_(std::move(methods)) {
  for (size_t i = 0; i < methods_.size(); ++i) {
    AddMethod(new grpc::internal::RpcServiceMethod(
        methods_[i].path.c_str(), grpc::internal::RpcMethod::NORMAL_RPC,
        /*handler=*/nullptr));
    MarkMethodRaw(static_cast<int>(i));
  }
}

// One call after another: awaited, served, answered, and again.
class GrpcWorker::Call : public GrpcEvent {
 public:
  explicit Call(GrpcWorker* worker) : worker_(worker) {}

  void Await(size_t method) {
    method_ = method;
    serving_ = false;
    rpc_.emplace();
    worker_->shared_->service.RequestAsyncUnary(
        static_cast<int>(method), &rpc_->context, &rpc_->request,
        &rpc_->responder, &worker_->sent_queue_, worker_->queue_.get(), this);
  }

  void Happened(bool ok) override {
    if (serving_) return worker_->EndCall(this);  // the answer was sent, or not
    if (!ok) {
      worker_->StopAwaiting();
      return worker_->EndCall(this);
    }
    serving_ = true;
    worker_->shared_->idle_poll->Touch();
    if (worker_->serving_.fetch_add(1, std::memory_order_relaxed) > 0) {
      worker_->crowd_ = kCrowdCalls;
    }
    worker_->Await(method_);
    worker_->Serve(this);
  }

  // As soon as the handler has replied, the call may be used for another.
  void Serve() {
    const grpc::ByteBuffer& bytes = rpc_->request.bytes;
    const uint64_t max = worker_->shared_->max_message_bytes;
    if (bytes.Length() > max) {
      return Answer(
          ResourceExhaustedError("grpc: received message larger than max (" +
                                 std::to_string(bytes.Length()) + " vs. " +
                                 std::to_string(max) + ")"));
    }
    const auto& has_leader = worker_->shared_->has_leader;
    if (has_leader != nullptr && AsksForLeader(rpc_->context) &&
        !has_leader()) {
      return Answer(errors::NoLeader());
    }
    grpc::Slice slice;
    if (!bytes.TrySingleSlice(&slice).ok() &&
        !bytes.DumpToSingleSlice(&slice).ok()) {
      return Answer(InternalError("grpc: failed to decompress the message"));
    }
    worker_->shared_->service.methods()[method_].call(
        {reinterpret_cast<const char*>(slice.begin()), slice.size()}, &arena_,
        [this](StatusOr<std::string> answer) { Answer(std::move(answer)); });
  }

  size_t method() const { return method_; }

  void Reset() {
    rpc_.reset();
    answer_.reset();
    arena_.Reset();
  }

  // As soon as the answer is with gRPC, Happened may be called on the worker's
  // thread, and with it the next call begin.
  void Send() {
    worker_->serving_.fetch_sub(1, std::memory_order_relaxed);
    if (answer_->ok()) {
      const Answered answered{std::move(**answer_)};
      worker_->sent_.fetch_add(1, std::memory_order_release);
      return rpc_->responder.Finish(answered, grpc::Status::OK, this);
    }
    const Status& status = answer_->status();
    const grpc::Status error(static_cast<grpc::StatusCode>(status.code()),
                             status.message());
    worker_->sent_.fetch_add(1, std::memory_order_release);
    rpc_->responder.FinishWithError(error, this);
  }

 private:
  // What gRPC cannot use twice.
  struct Rpc {
    Rpc() : responder(&context) {}

    grpc::ServerContext context;
    Received request;
    grpc::ServerAsyncResponseWriter<Answered> responder;
  };

  static google::protobuf::ArenaOptions ArenaOptionsFor(char* block) {
    google::protobuf::ArenaOptions options;
    options.initial_block = block;
    options.initial_block_size = kArenaBytes;
    return options;
  }

  // Any thread.
  void Answer(StatusOr<std::string> answer) {
    answer_.emplace(std::move(answer));
    if (worker_->SendsDirectly()) return Send();
    worker_->SendLater(this);
  }

  GrpcWorker* const worker_;
  size_t method_ = 0;
  bool serving_ = false;
  std::optional<Rpc> rpc_;
  std::optional<StatusOr<std::string>> answer_;
  alignas(8) std::array<char, kArenaBytes> block_;
  google::protobuf::Arena arena_{ArenaOptionsFor(block_.data())};
};

// Calls of methods that are not there, one at a time.
class GrpcWorker::UnknownCall : public GrpcEvent {
 public:
  explicit UnknownCall(GrpcWorker* worker) : worker_(worker) { Await(); }

  void Happened(bool ok) override {
    if (answering_) {
      if (!worker_->stopping_) return Await();
    } else if (ok) {
      answering_ = true;
      const Status status = UnknownMethodError(rpc_->context.method());
      return rpc_->stream.Finish(
          grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                       status.message()),
          this);
    }
    --worker_->pending_;
    worker_->StopAwaiting();
  }

 private:
  struct Rpc {
    Rpc() : stream(&context) {}

    grpc::GenericServerContext context;
    grpc::GenericServerAsyncReaderWriter stream;
  };

  void Await() {
    answering_ = false;
    rpc_.emplace();
    worker_->shared_->generic.RequestCall(&rpc_->context, &rpc_->stream,
                                          worker_->queue_.get(),
                                          worker_->queue_.get(), this);
  }

  GrpcWorker* const worker_;
  bool answering_ = false;
  std::optional<Rpc> rpc_;
};

// Calls the poller to the answers that were gathered.
class GrpcWorker::Wake : public GrpcEvent {
 public:
  explicit Wake(GrpcWorker* worker) : worker_(worker) {}

  // REQUIRES: it has happened since the last time.
  void Set() {
    alarm_.Set(worker_->queue_.get(), gpr_time_0(GPR_CLOCK_MONOTONIC), this);
  }
  void Happened(bool) override { worker_->SendAnswered(); }

 private:
  GrpcWorker* const worker_;
  grpc::Alarm alarm_;
};

GrpcWorker::GrpcWorker(GrpcShared* shared,
                       std::unique_ptr<grpc::ServerCompletionQueue> queue)
    : shared_(shared),
      queue_(std::move(queue)),
      streams_(&shared->stream_service, queue_.get(), shared->max_message_bytes,
               shared->has_leader),
      starved_(shared->service.methods().size()),
      wake_(std::make_unique<Wake>(this)) {}

GrpcWorker::~GrpcWorker() = default;

void GrpcWorker::Run(Loop* poller, Loop* standby) {
  poller_ = poller;
  standby_ = standby;
  poller->Post([this] {
    AwaitAll();
    Poll(/*turn=*/0);
  });
}

void GrpcWorker::AwaitAll() {
  for (size_t method = 0; method < starved_.size(); ++method) {
    for (int i = 0; i < kAwaited; ++i) Await(method);
  }
  ++pending_;
  unknown_ = std::make_unique<UnknownCall>(this);
  streams_.AwaitAll();
}

void GrpcWorker::Poll(uint64_t turn) {
  thread_ = std::this_thread::get_id();
  void* tag = nullptr;
  bool ok = false;
  while (Next(&tag, &ok)) {
    if (tag != nullptr) static_cast<GrpcEvent*>(tag)->Happened(ok);
    // From here on all belongs to the one that took over.
    if (turn_.load(std::memory_order_relaxed) != turn) return;
    EndSent();
    CloseIfIdle();
  }
  sent_queue_.Shutdown();
  CHECK(!sent_queue_.Next(&tag, &ok));
  const std::lock_guard lock(turn_mutex_);
  done_ = true;
  done_changed_.notify_all();
}

void GrpcWorker::WaitUntilDone() {
  std::unique_lock lock(turn_mutex_);
  done_changed_.wait(lock, [this] { return done_; });
}

void GrpcWorker::Serve(Call* call) {
  ShouldLead(*call) ? Lead(call) : call->Serve();
}

bool GrpcWorker::ShouldLead(const Call& call) {
  if (standby_ == nullptr || stopping_) return false;
  if (!shared_->service.methods()[call.method()].through_log) return false;
  if (crowd_ > 0) {
    --crowd_;
    return false;
  }
  if (HasNext()) crowd_ = kCrowdCalls;
  return crowd_ == 0;
}

void GrpcWorker::Lead(Call* call) {
  uint64_t turn = 0;
  {
    const std::lock_guard lock(turn_mutex_);
    turn = turn_;
    leading_ = true;
    ++leads_;
    if (!checking_) CheckLater(leads_);
  }
  shared_->loop->RunAfter([call] { call->Serve(); });
  const std::lock_guard lock(turn_mutex_);
  if (turn_ == turn) leading_ = false;
}

void GrpcWorker::CheckLater(uint64_t lead) {
  checking_ = true;
  standby_->After(kCheckInterval, [this, lead] { CheckOnPoller(lead); });
}

void GrpcWorker::CheckOnPoller(uint64_t lead) {
  uint64_t turn = 0;
  {
    const std::lock_guard lock(turn_mutex_);
    checking_ = false;
    // As long as there are leads this goes on, so that none has to wake us.
    if (leads_ != lead) return CheckLater(leads_);
    if (!leading_) return;
    leading_ = false;
    std::swap(poller_, standby_);
    turn = ++turn_;
  }
  Poll(turn);
}

bool GrpcWorker::HasNext() {
  if (has_next_) return true;
  has_next_ = queue_->AsyncNext(&next_tag_, &next_ok_,
                                gpr_time_0(GPR_CLOCK_MONOTONIC)) ==
              grpc::CompletionQueue::GOT_EVENT;
  return has_next_;
}

bool GrpcWorker::Next(void** tag, bool* ok) {
  if (std::exchange(has_next_, false)) {
    *tag = next_tag_;
    *ok = next_ok_;
    return true;
  }
  *tag = nullptr;
  if (!stopping_) return queue_->Next(tag, ok);
  // Nothing comes in any more that would have the answers looked at.
  const gpr_timespec soon =
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                   gpr_time_from_millis(kStoppingPollMs, GPR_TIMESPAN));
  return queue_->AsyncNext(tag, ok, soon) != grpc::CompletionQueue::SHUTDOWN;
}

void GrpcWorker::EndSent() {
  while (sent_.load(std::memory_order_relaxed) > 0) {
    void* tag = nullptr;
    bool ok = false;
    if (sent_queue_.AsyncNext(&tag, &ok, gpr_time_0(GPR_CLOCK_MONOTONIC)) !=
        grpc::CompletionQueue::GOT_EVENT) {
      return;  // on its way
    }
    // What the replying thread did before it sent has been done.
    sent_.fetch_sub(1, std::memory_order_acq_rel);
    static_cast<GrpcEvent*>(tag)->Happened(ok);
  }
}

void GrpcWorker::Await(size_t method) {
  if (stopping_) return;
  if (free_.empty()) {
    if (calls_.size() >= limits::kMaxCallsPerQueue) {
      starved_[method] = true;
      return;
    }
    calls_.push_back(std::make_unique<Call>(this));
    free_.push_back(calls_.back().get());
  }
  Call* const call = free_.back();
  free_.pop_back();
  ++pending_;
  call->Await(method);
}

void GrpcWorker::EndCall(Call* call) {
  call->Reset();
  free_.push_back(call);
  --pending_;
  for (size_t method = 0; method < starved_.size() && !free_.empty();
       ++method) {
    if (!starved_[method]) continue;
    starved_[method] = false;
    Await(method);
  }
}

bool GrpcWorker::SendsDirectly() const {
  return serving_.load(std::memory_order_relaxed) <= kServedDirectly ||
         thread_.load(std::memory_order_relaxed) == std::this_thread::get_id();
}

void GrpcWorker::SendLater(Call* call) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = answered_.empty();
    answered_.push_back(call);
  }
  if (first) wake_->Set();
}

void GrpcWorker::SendAnswered() {
  {
    const std::lock_guard lock(mutex_);
    sending_.swap(answered_);
  }
  for (Call* call : sending_) call->Send();
  sending_.clear();
}

void GrpcWorker::StopAwaiting() { stopping_ = true; }

void GrpcWorker::CloseIfIdle() {
  if (!stopping_ || closed_ || pending_ > 0 || !streams_.Idle()) return;
  closed_ = true;
  queue_->Shutdown();
}

}  // namespace strata
