#ifndef STRATA_RPC_BOOTSTRAP_DNS_H_
#define STRATA_RPC_BOOTSTRAP_DNS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "base/status.h"

namespace strata {

// Where a service is, as DNS says it (RFC 2782).
struct SrvRecord {
  std::string target = {};  // without the dot at its end
  uint16_t port = 0;
  uint16_t priority = 0;

  friend bool operator==(const SrvRecord&, const SrvRecord&) = default;
};

// Asks the system's DNS servers, or others. All calls block until there is an
// answer or the servers have had their time. Used by one thread.
class Dns {
 public:
  // `servers`: "127.0.0.1:5353,[::1]:53" instead of those of the system; empty:
  // the system's. InvalidArgument if they cannot be read.
  static StatusOr<std::unique_ptr<Dns>> New(const std::string& servers,
                                            Duration timeout);
  ~Dns();

  // By priority, then by name: the same with every call. NotFound if there is
  // none.
  StatusOr<std::vector<SrvRecord>> LookupSrv(const std::string& name);

  // The addresses of a host, as text: "127.0.0.1", "::1"; those of a numeric
  // one are itself.
  StatusOr<std::vector<std::string>> LookupHost(const std::string& host);

 private:
  struct Channel;
  explicit Dns(std::unique_ptr<Channel> channel);

  const std::unique_ptr<Channel> channel_;
};

}  // namespace strata

#endif  // STRATA_RPC_BOOTSTRAP_DNS_H_
