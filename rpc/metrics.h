#ifndef STRATA_RPC_METRICS_H_
#define STRATA_RPC_METRICS_H_

#include <functional>
#include <string>

#include "rpc/call_stats.h"
#include "rpc/peer/stats.h"
#include "rpc/plain_http.h"
#include "server/node.h"

namespace strata {

// Where the numbers are. All outlive their use.
struct MetricsSources {
  Node* node = nullptr;
  const CallObserver* calls = nullptr;
  std::function<HealthCounts()> health = nullptr;  // null: not told
  // Of all other members; null: there are none.
  std::function<std::vector<peer::PeerStats>()> peers = nullptr;
};

// All there is to be measured, in Prometheus' text format: etcd's metrics by
// etcd's names, types and labels as far as what they count exists here, and our
// own by names that begin with strata_. Nothing is kept for it: each is read
// where it is counted. Any thread.
std::string MetricsText(const MetricsSources& sources);

}  // namespace strata

#endif  // STRATA_RPC_METRICS_H_
