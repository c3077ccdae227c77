#include "rpc/peer/snapshot_sender.h"

#include <algorithm>
#include <charconv>
#include <future>
#include <utility>

#include "base/bytes.h"
#include "rpc/peer/codec.h"
#include "rpc/peer/zstd_stream.h"

namespace strata::peer {
namespace {

// The receiver makes all of it durable before it answers.
constexpr Duration kIdleTimeout = std::chrono::seconds(60);
constexpr int kNoContent = 204;

Status Cut() { return UnavailableError("the transport has stopped"); }

// A broken connection is dialled again so often, at first after this long.
constexpr int kTries = 5;
constexpr Duration kFirstDelay = std::chrono::milliseconds(200);

constexpr Duration kLeastWait = std::chrono::milliseconds(5);

// Of the time that was lost, so much is made up for.
constexpr Duration kMostCredit = std::chrono::milliseconds(100);

// Lets bytes through at a rate.
class Pace {
 public:
  Pace(uint64_t bytes_per_second, Time now)
      : rate_(bytes_per_second), due_(now) {}

  // How long to wait, after these.
  Duration After(size_t bytes, Time now) {
    if (rate_ == 0) return Duration::zero();
    due_ = std::max(due_, now - kMostCredit) +
           Duration(static_cast<int64_t>(static_cast<double>(bytes) /
                                         static_cast<double>(rate_) * 1e9));
    const Duration early = due_ - now;
    return early < kLeastWait ? Duration::zero() : early;
  }

 private:
  const uint64_t rate_;
  Time due_;  // of what was let through
};

// Passes on what comes after the first `offset` bytes.
class Rest {
 public:
  Rest(uint64_t offset, OutgoingSnapshot::Sink sink)
      : skip_(offset), sink_(std::move(sink)) {}

  Status Write(std::string_view bytes) {
    const uint64_t skipped = std::min<uint64_t>(skip_, bytes.size());
    skip_ -= skipped;
    bytes.remove_prefix(skipped);
    return bytes.empty() ? Status::Ok() : sink_(bytes);
  }

 private:
  uint64_t skip_;
  const OutgoingSnapshot::Sink sink_;
};

// The message, then the database from `offset` on.
Status WriteBody(const OutgoingSnapshot& snapshot, uint64_t offset,
                 const OutgoingSnapshot::Sink& sink) {
  std::string head;
  MessageEncoder().Encode(snapshot.message, &head);
  RETURN_IF_ERROR(sink(head));
  Rest rest(offset, sink);
  return snapshot.write_database(
      [&rest](std::string_view bytes) { return rest.Write(bytes); });
}

Status WriteCompressed(const OutgoingSnapshot& snapshot, uint64_t offset,
                       const OutgoingSnapshot::Sink& sink,
                       const OutgoingSnapshot::Sink& pace) {
  ZstdWriter writer(sink);
  RETURN_IF_ERROR(WriteBody(snapshot, offset, [&](std::string_view bytes) {
    RETURN_IF_ERROR(pace(bytes));
    return writer.Write(bytes);
  }));
  return writer.Finish();
}

}  // namespace

void SnapshotSender::Send(OutgoingSnapshot snapshot, bool ours) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return snapshot.done(false);
  if (thread_ == nullptr)
    thread_ = NewThreadedLoop("snapshot-out", ThreadPriority::kLow);
  auto shared = std::make_shared<OutgoingSnapshot>(std::move(snapshot));
  thread_->Post([this, shared, ours] {
    const std::string to = HexId(shared->message.to.value());
    SnapshotCounters* const counters = &options_.counters->snapshots_sent;
    ++counters->under_way;
    const Time began = options_.client->Now();
    const Status status = SendAll(*shared, ours);
    counters->Ended(status.ok(), options_.client->Now() - began);
    if (status.ok()) {
      options_.logger->Info("sent a snapshot", {{"member", to}});
    } else {
      options_.logger->Warn("failed to send a snapshot",
                            {{"member", to}, {"error", status}});
    }
    shared->done(status.ok());
  });
}

std::shared_ptr<Fetch> SnapshotSender::Begin(
    FetchRequest request, std::function<void(StatusOr<HttpResponse>)> done) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return nullptr;
  fetch_ = FetchWhole(options_.client, std::move(request), std::move(done));
  return fetch_;
}

bool SnapshotSender::stopped() {
  const std::lock_guard lock(mutex_);
  return stopped_;
}

void SnapshotSender::Wait(Duration delay) {
  if (delay == Duration::zero()) return;
  auto over = std::make_shared<std::promise<void>>();
  options_.client->After(delay, [over] { over->set_value(); });
  // Not for ever: a client that is stopped calls nobody.
  over->get_future().wait_for(2 * delay);
}

// How much of it the other end has; nothing if it does not say, as etcd, or
// cannot be reached.
std::optional<uint64_t> SnapshotSender::AskProgress(const std::string& name) {
  FetchRequest request;
  request.url = options_.urls->Pick();
  request.path = "/raft/snapshot/progress/" + name;
  const std::string url = request.url;
  request.headers = options_.headers();
  request.headers.emplace_back("Connection", "close");
  auto answer = std::make_shared<std::promise<StatusOr<HttpResponse>>>();
  if (Begin(std::move(request), [answer](auto response) {
        answer->set_value(std::move(response));
      }) == nullptr) {
    return std::nullopt;
  }
  const StatusOr<HttpResponse> response = answer->get_future().get();
  uint64_t bytes = 0;
  if (!response.ok()) options_.urls->Failed(url);
  if (!response.ok() || response->status != 200) return std::nullopt;
  const std::string& text = response->body;
  std::from_chars(text.data(), text.data() + text.size(), bytes);
  return bytes;
}

Status SnapshotSender::SendAll(const OutgoingSnapshot& snapshot, bool ours) {
  // Who has just been added may need a snapshot before it has given us a
  // stream, which would have said it.
  ours = ours || AskProgress("none").has_value();
  const raft::SnapshotMetadata& metadata = snapshot.message.snapshot->metadata;
  // Another image of the same entry may have other bytes.
  const std::string name =
      ours ? HexId(metadata.index.value()) + "-" +
                 std::to_string(options_.client->Now().count())
           : "";
  Outcome outcome = SendFrom(snapshot, ours, name, 0);
  Duration delay = kFirstDelay;
  for (int tries = 1; tries < kTries && ours && outcome.broken; ++tries) {
    if (stopped()) break;
    Wait(delay);
    delay *= 2;
    const std::optional<uint64_t> offset = AskProgress(name);
    // Who cannot say it now may have it.
    if (!offset.has_value()) continue;
    options_.logger->Info("a snapshot is sent on after a break",
                          {{"from-byte", *offset}});
    outcome = SendFrom(snapshot, ours, name, *offset);
  }
  return outcome.status;
}

SnapshotSender::Outcome SnapshotSender::SendFrom(
    const OutgoingSnapshot& snapshot, bool ours, const std::string& name,
    uint64_t offset) {
  const bool compress = ours && options_.compress;
  FetchRequest request;
  request.url = options_.urls->Pick();
  request.method = "POST";
  request.path = "/raft/snapshot";
  request.headers = options_.headers();
  request.headers.emplace_back("Content-Type", "application/octet-stream");
  request.headers.emplace_back("Connection", "close");
  if (ours) {
    if (compress) request.headers.emplace_back("Content-Encoding", "zstd");
    request.headers.emplace_back("X-Strata-Snapshot", name);
    request.headers.emplace_back("X-Strata-Offset", std::to_string(offset));
  }
  request.streams_body = true;
  request.idle_timeout = kIdleTimeout;
  const std::string url = request.url;
  auto answer = std::make_shared<std::promise<StatusOr<HttpResponse>>>();
  const auto fetch = Begin(std::move(request), [answer](auto response) {
    answer->set_value(std::move(response));
  });
  if (fetch == nullptr) return {.status = Cut()};

  Pace pace(snapshot.hurry ? 0 : options_.bytes_per_second,
            options_.client->Now());
  const auto wait = [&](std::string_view bytes) {
    Wait(pace.After(bytes.size(), options_.client->Now()));
    return Status::Ok();
  };
  const auto send = [&](std::string_view bytes) {
    options_.counters->sent_bytes += bytes.size();
    return fetch->Write(bytes);
  };
  const Status status =
      compress ? WriteCompressed(snapshot, offset, send, wait)
               : WriteBody(snapshot, offset, [&](std::string_view bytes) {
                   RETURN_IF_ERROR(wait(bytes));
                   return send(bytes);
                 });
  if (status.ok()) {
    fetch->EndBody();
  } else {
    fetch->Cancel();
  }
  const StatusOr<HttpResponse> response = answer->get_future().get();
  if (response.ok() && response->status == kNoContent) return {};
  options_.urls->Failed(url);
  if (response.ok()) {
    return {.status = UnavailableError(std::to_string(response->status) + " " +
                                       response->body)};
  }
  // What cannot be read will not be so the next time.
  const bool broken = status.ok() || status.code() == Code::kUnavailable;
  return {.status = status.ok() ? response.status() : status, .broken = broken};
}

void SnapshotSender::Stop() {
  std::unique_ptr<Loop> thread;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    if (fetch_ != nullptr) fetch_->Cancel();
    thread = std::move(thread_);
  }
}

}  // namespace strata::peer
