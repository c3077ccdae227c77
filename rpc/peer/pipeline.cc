#include "rpc/peer/pipeline.h"

#include <utility>

namespace strata::peer {
namespace {

// As etcd's.
constexpr int kConnections = 4;
constexpr size_t kMaxQueued = 64;

constexpr int kNoContent = 204;
constexpr int kForbidden = 403;

}  // namespace

bool Pipeline::Send(const raft::Message& message) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return true;
  if (queue_.size() >= kMaxQueued) return false;
  queue_.push_back(raft::EncodeMessage(message));
  StartNext();
  return true;
}

void Pipeline::StartNext() {
  while (!stopped_ && posting_ < kConnections && !queue_.empty()) {
    ++posting_;
    FetchRequest request;
    request.url = options_.urls->Pick();
    request.method = "POST";
    request.path = "/raft";
    request.headers = options_.headers();
    request.headers.emplace_back("Content-Type", "application/protobuf");
    request.headers.emplace_back("Connection", "close");
    request.body = std::move(queue_.front());
    queue_.pop_front();
    const std::string url = request.url;
    const size_t bytes = request.body.size();
    FetchWhole(options_.client, std::move(request),
               [self = shared_from_this(), url, bytes](auto response) {
                 if (response.ok()) self->options_.sent(bytes);
                 self->Answered(url, response);
               });
  }
}

void Pipeline::Answered(const std::string& url,
                        const StatusOr<HttpResponse>& response) {
  const bool arrived = response.ok() && response->status == kNoContent;
  if (!arrived) {
    options_.urls->Failed(url);
    options_.lost();
  }
  if (response.ok() && response->status == kForbidden &&
      response->body.find("removed") != std::string::npos) {
    options_.removed();
  }
  const std::lock_guard lock(mutex_);
  --posting_;
  StartNext();
}

void Pipeline::Stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  queue_.clear();
}

}  // namespace strata::peer
