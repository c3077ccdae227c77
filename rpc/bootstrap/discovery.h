#ifndef STRATA_RPC_BOOTSTRAP_DISCOVERY_H_
#define STRATA_RPC_BOOTSTRAP_DISCOVERY_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/logger.h"
#include "base/loop.h"
#include "base/status.h"
#include "base/types.h"

namespace strata {

// etcd's v3 discovery: the members of a new cluster meet in another cluster
// (etcd's or ours), under a token that somebody has made there:
//
//   /_etcd/registry/TOKEN/_config/size     how many they will be, in decimal
//   /_etcd/registry/TOKEN/members/ID       "name=url,name=url" of one of them
//
// Those that registered first, up to the size, are the cluster.
struct DiscoveryOptions {
  std::string token = {};
  std::vector<std::string> endpoints = {};  // HOST:PORT or URLs
  Duration dial_timeout = std::chrono::seconds(2);
  Duration request_timeout = std::chrono::seconds(5);
  Duration keepalive_time = std::chrono::seconds(2);
  Duration keepalive_timeout = std::chrono::seconds(6);
  bool insecure_transport = true;  // but for https:// endpoints
  bool insecure_skip_tls_verify = false;
  std::string cert = {};
  std::string key = {};
  std::string cacert = {};
  std::string user = {};
  std::string password = {};
};

// The cluster where the members meet: the little of a client that is needed.
// Each call blocks, up to the request's timeout. Used by one thread.
class Registry {
 public:
  struct Row {
    std::string key = {};
    std::string value = {};
    int64_t create_revision = 0;
  };
  virtual ~Registry() = default;
  // In key order. Empty `range_end`: one key.
  virtual StatusOr<std::vector<Row>> Range(const std::string& key,
                                           const std::string& range_end) = 0;
  virtual Status Put(const std::string& key, const std::string& value) = 0;

  static StatusOr<std::unique_ptr<Registry>> Connect(
      Env* env, const DiscoveryOptions& options);
};

// Waits; true: the process is to end.
using Pause = std::function<bool(Duration)>;

// Registers `self` ("name=url,...") and waits until all are there. In the form
// of --initial-cluster. A cluster that does not answer is asked again, for
// ever; other errors are etcd's.
StatusOr<std::string> JoinByDiscovery(Registry* registry,
                                      const std::string& token, MemberId id,
                                      const std::string& self,
                                      const Pause& pause, Logger* logger);

}  // namespace strata

#endif  // STRATA_RPC_BOOTSTRAP_DISCOVERY_H_
