#include "rpc/peer/snapshot_sender.h"

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

// Writes all of the body.
Status WriteBody(const OutgoingSnapshot& snapshot,
                 const OutgoingSnapshot::Sink& sink) {
  std::string head;
  MessageEncoder().Encode(snapshot.message, &head);
  RETURN_IF_ERROR(sink(head));
  return snapshot.write_database(sink);
}

Status WriteCompressed(const OutgoingSnapshot& snapshot,
                       const OutgoingSnapshot::Sink& sink) {
  ZstdWriter writer(sink);
  RETURN_IF_ERROR(WriteBody(
      snapshot, [&](std::string_view bytes) { return writer.Write(bytes); }));
  return writer.Finish();
}

}  // namespace

void SnapshotSender::Send(OutgoingSnapshot snapshot, bool compressed) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return snapshot.done(false);
  if (thread_ == nullptr) thread_ = NewThreadedLoop("snapshot-out");
  auto shared = std::make_shared<OutgoingSnapshot>(std::move(snapshot));
  thread_->Post([this, shared, compressed] {
    const std::string to = HexId(shared->message.to.value());
    const Status status = SendNow(*shared, compressed);
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

Status SnapshotSender::SendNow(const OutgoingSnapshot& snapshot,
                               bool compressed) {
  FetchRequest request;
  request.url = options_.urls->Pick();
  request.method = "POST";
  request.path = "/raft/snapshot";
  request.headers = options_.headers();
  request.headers.emplace_back("Content-Type", "application/octet-stream");
  request.headers.emplace_back("Connection", "close");
  if (compressed) request.headers.emplace_back("Content-Encoding", "zstd");
  request.streams_body = true;
  request.idle_timeout = kIdleTimeout;
  const std::string url = request.url;
  auto answer = std::make_shared<std::promise<StatusOr<HttpResponse>>>();
  const auto fetch = Begin(std::move(request), [answer](auto response) {
    answer->set_value(std::move(response));
  });
  if (fetch == nullptr) return Cut();

  const auto sink = [&](std::string_view bytes) {
    options_.sent(bytes.size());
    return fetch->Write(bytes);
  };
  const Status status =
      compressed ? WriteCompressed(snapshot, sink) : WriteBody(snapshot, sink);
  if (status.ok()) {
    fetch->EndBody();
  } else {
    fetch->Cancel();
  }
  const StatusOr<HttpResponse> response = answer->get_future().get();
  if (response.ok() && response->status == kNoContent) return Status::Ok();
  options_.urls->Failed(url);
  if (response.ok()) {
    return UnavailableError(std::to_string(response->status) + " " +
                            response->body);
  }
  return status.ok() ? response.status() : status;
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
