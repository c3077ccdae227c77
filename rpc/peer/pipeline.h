#ifndef STRATA_RPC_PEER_PIPELINE_H_
#define STRATA_RPC_PEER_PIPELINE_H_

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "raft/message.h"
#include "rpc/peer/http_client.h"
#include "rpc/peer/urls.h"

namespace strata::peer {

// Messages to a member that has no stream to us (yet): a POST each, a few at a
// time. They may overtake each other. Thread-safe.
class Pipeline : public std::enable_shared_from_this<Pipeline> {
 public:
  struct Options {
    HttpClient* client = nullptr;
    std::shared_ptr<Urls> urls = {};
    std::function<std::vector<HttpRequest::Header>()> headers = {};
    std::function<void()> lost = {};  // a message did not arrive
    std::function<void(size_t bytes)> sent = {};
    std::function<void()> removed = {};  // it says that we are removed
  };
  explicit Pipeline(Options options) : options_(std::move(options)) {}

  // False: too many wait.
  bool Send(const raft::Message& message);
  // Sends nothing more.
  void Stop();

 private:
  // REQUIRES: mutex_ is held
  void StartNext();
  void Answered(const std::string& url, const StatusOr<HttpResponse>& response);

  const Options options_;
  std::mutex mutex_;
  std::deque<std::string> queue_;  // guarded by mutex_
  int posting_ = 0;                // guarded by mutex_
  bool stopped_ = false;           // guarded by mutex_
};

}  // namespace strata::peer

#endif  // STRATA_RPC_PEER_PIPELINE_H_
