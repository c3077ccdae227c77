#include "bench/watch_load.h"

#include <algorithm>
#include <deque>
#include <fstream>
#include <utility>

#include "base/wire.h"
#include "rpc/proto/rpc.grpc.pb.h"

namespace strata::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMaxOutstanding = 256;
constexpr auto kStartPatience = std::chrono::seconds(60);

std::shared_ptr<grpc::Channel> Connect(const std::string& target) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(),
                                   arguments);
}

grpc::ByteBuffer ToBytes(const google::protobuf::Message& message) {
  const std::string bytes = message.SerializeAsString();
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace

std::string WatchedKey(const WatchLoadOptions& options, int i) {
  std::string number = std::to_string(options.distinct_keys ? i : 0);
  return "watched/" + std::string(8 - number.size(), '0') + number;
}

// Writes its requests one after the other, and reads for ever.
class WatchLoad::Stream {
 public:
  struct Tag {
    Stream* stream;
    bool read;
  };

  Stream(grpc::GenericStub* stub, grpc::CompletionQueue* queue) {
    call_ = stub->PrepareCall(&context_, "/etcdserverpb.Watch/Watch", queue);
  }
  void Add(const std::string& key, int64_t start_revision) {
    etcdserverpb::WatchRequest request;
    request.mutable_create_request()->set_key(key);
    request.mutable_create_request()->set_start_revision(start_revision);
    requests_.push_back(ToBytes(request));
  }
  void Start() { call_->StartCall(&write_); }
  void Cancel() { context_.TryCancel(); }

  // A request has been written, or the call has begun.
  void Written() {
    if (!reading_) {
      reading_ = true;
      call_->Read(&response_, &read_);
    }
    if (requests_.empty()) return;
    call_->Write(requests_.front(), &write_);
    requests_.pop_front();
  }
  // Counts what came and reads on.
  void Received(std::atomic<uint64_t>* events, std::atomic<uint64_t>* created) {
    grpc::Slice all;
    if (response_.TrySingleSlice(&all).ok() ||
        response_.DumpToSingleSlice(&all).ok()) {
      wire::Reader reader(
          {reinterpret_cast<const char*>(all.begin()), all.size()});
      wire::Field field;
      uint64_t count = 0;
      while (reader.Next(&field)) {
        if (field.number == 11) ++count;
        if (field.number == 3) created->fetch_add(1);
      }
      events->fetch_add(count);
    }
    call_->Read(&response_, &read_);
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  std::deque<grpc::ByteBuffer> requests_;
  grpc::ByteBuffer response_;
  bool reading_ = false;
  Tag write_{this, false};
  Tag read_{this, true};
};

WatchLoad::WatchLoad(const WatchLoadOptions& options) : options_(options) {
  for (int i = 0; i < options.connections; ++i) {
    stubs_.push_back(
        std::make_unique<grpc::GenericStub>(Connect(options.target)));
  }
  for (int i = 0; i < options.streams; ++i) {
    streams_.push_back(std::make_unique<Stream>(
        stubs_[static_cast<size_t>(i) % stubs_.size()].get(), &queue_));
  }
  for (int i = 0; i < options.watchers; ++i) {
    streams_[static_cast<size_t>(i) % streams_.size()]->Add(
        WatchedKey(options, i), options.start_revision);
  }
}

WatchLoad::~WatchLoad() {
  for (const auto& stream : streams_) stream->Cancel();
  // What is under way comes back, refused.
  queue_.Shutdown();
  if (reader_.joinable()) reader_.join();
}

Status WatchLoad::Start() {
  for (const auto& stream : streams_) stream->Start();
  reader_ = std::thread([this] { Read(); });
  const auto end = Clock::now() + kStartPatience;
  while (created_ < static_cast<uint64_t>(options_.watchers)) {
    if (failed_ > 0 || Clock::now() > end) {
      return UnavailableError("only " + std::to_string(created_.load()) +
                              " watchers were created");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return Status::Ok();
}

void WatchLoad::Read() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
    const auto* at = static_cast<const Stream::Tag*>(tag);
    if (!ok) {
      ++failed_;
    } else if (at->read) {
      at->stream->Received(&events_, &created_);
    } else {
      at->stream->Written();
    }
  }
}

bool WatchLoad::WaitForEvents(uint64_t count,
                              std::chrono::seconds patience) const {
  const auto end = Clock::now() + patience;
  while (events() < count) {
    if (Clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

// --- puts ---

namespace {

struct Put {
  grpc::ClientContext context;
  etcdserverpb::PutResponse response;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<etcdserverpb::PutResponse>>
      reader;
  Clock::time_point due;
};

}  // namespace

StatusOr<PacedPuts> PutPaced(const WatchLoadOptions& options, int rate,
                             std::chrono::milliseconds duration,
                             size_t value_bytes) {
  const auto stub = etcdserverpb::KV::NewStub(Connect(options.target));
  grpc::CompletionQueue queue;
  PacedPuts result;
  etcdserverpb::PutRequest request;
  request.set_value(std::string(value_bytes, 'v'));
  const auto begin = Clock::now();
  const auto end = begin + duration;
  const auto step = rate > 0 ? std::chrono::nanoseconds(1'000'000'000 / rate)
                             : std::chrono::nanoseconds(0);
  const int max_outstanding = rate > 0 ? kMaxOutstanding : 1;
  auto next = begin;
  int outstanding = 0;
  int sent = 0;
  Status failed;
  for (;;) {
    const auto now = Clock::now();
    const bool more = now < end && failed.ok();
    if (!more && outstanding == 0) break;
    if (more && now >= next && outstanding < max_outstanding) {
      auto* const put = new Put;
      // Of when it should have been sent: what waits here waits for the server.
      put->due = rate > 0 ? next : now;
      request.set_key(WatchedKey(options, sent++ % options.watchers));
      put->reader = stub->AsyncPut(&put->context, request, &queue);
      put->reader->Finish(&put->response, &put->status, put);
      ++outstanding;
      next += step;
      continue;
    }
    void* tag = nullptr;
    bool ok = false;
    const auto wait =
        !more || outstanding == max_outstanding
            ? std::chrono::system_clock::now() + std::chrono::milliseconds(100)
            : std::chrono::system_clock::now() + (next - now);
    if (queue.AsyncNext(&tag, &ok, wait) != grpc::CompletionQueue::GOT_EVENT) {
      continue;
    }
    const std::unique_ptr<Put> put(static_cast<Put*>(tag));
    --outstanding;
    if (!put->status.ok()) {
      failed = UnavailableError(put->status.error_message());
    }
    result.latency.Add(
        static_cast<uint64_t>((Clock::now() - put->due).count()));
    ++result.puts;
  }
  queue.Shutdown();
  result.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  if (!failed.ok()) return failed;
  return result;
}

StatusOr<uint64_t> AnonymousKib(int pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  std::string word;
  while (status >> word) {
    uint64_t kib = 0;
    if (word == "RssAnon:" && status >> kib) return kib;
  }
  return NotFoundError("no memory of process " + std::to_string(pid));
}

}  // namespace strata::bench
