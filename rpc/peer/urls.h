#ifndef STRATA_RPC_PEER_URLS_H_
#define STRATA_RPC_PEER_URLS_H_

#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace strata::peer {

// Where a member is to be found: one URL is used until it fails, then the next.
// Thread-safe.
class Urls {
 public:
  explicit Urls(std::vector<std::string> urls) : urls_(std::move(urls)) {}

  std::string Pick() const {
    const std::lock_guard lock(mutex_);
    return urls_.empty() ? "" : urls_[next_ % urls_.size()];
  }
  void Failed(const std::string& url) {
    const std::lock_guard lock(mutex_);
    if (!urls_.empty() && urls_[next_ % urls_.size()] == url) ++next_;
  }
  std::vector<std::string> All() const {
    const std::lock_guard lock(mutex_);
    return urls_;
  }

 private:
  mutable std::mutex mutex_;
  const std::vector<std::string> urls_;
  size_t next_ = 0;  // guarded by mutex_
};

}  // namespace strata::peer

#endif  // STRATA_RPC_PEER_URLS_H_
