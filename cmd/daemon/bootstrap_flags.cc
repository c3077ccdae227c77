#include "cmd/daemon/bootstrap_flags.h"

#include <algorithm>

#include "cmd/daemon/flag_kinds.h"

namespace strata {

void AddBootstrapFlags(BootstrapFlags* target, FlagSet* flags) {
  DiscoveryOptions* const v3 = &target->discovery;
  flags->Add(TextFlag("discovery-srv", &target->srv_domain,
                      "DNS domain whose SRV records name the members of a new "
                      "cluster; without --peer-trusted-ca-file also whom their "
                      "certificates must be for while it is made."));
  flags->Add(TextFlag("discovery-srv-name", &target->srv_name,
                      "What stands behind _etcd-server- in the names of those "
                      "records."));
  flags->Add(TextFlag("discovery-dns-servers", &target->dns_servers,
                      "Strata's own: DNS servers to ask for them, as "
                      "host:port,...; the system's if not given."));
  flags->Add(TextFlag("discovery-token", &v3->token,
                      "Under which the members of a new cluster meet in "
                      "another cluster."));
  flags->Add(ListFlag("discovery-endpoints", &v3->endpoints,
                      "Of that other cluster."));
  flags->Add(DurationFlag("discovery-dial-timeout", &v3->dial_timeout, "2s",
                          "For connecting to it."));
  flags->Add(DurationFlag("discovery-request-timeout", &v3->request_timeout,
                          "5s", "For a request to it."));
  flags->Add(DurationFlag("discovery-keepalive-time", &v3->keepalive_time, "2s",
                          "Between pings of it."));
  flags->Add(DurationFlag("discovery-keepalive-timeout", &v3->keepalive_timeout,
                          "6s",
                          "Without an answer to one the connection is given "
                          "up."));
  flags->Add(SwitchFlag("discovery-insecure-transport", &v3->insecure_transport,
                        "Without TLS."));
  flags->Add(SwitchFlag("discovery-insecure-skip-tls-verify",
                        &v3->insecure_skip_tls_verify,
                        "Whoever it is: for tests alone."));
  flags->Add(
      TextFlag("discovery-cert", &v3->cert, "Certificate to show it, PEM."));
  flags->Add(TextFlag("discovery-key", &v3->key, "Its key."));
  flags->Add(TextFlag("discovery-cacert", &v3->cacert,
                      "Authorities that its certificate may be from."));
  flags->Add(
      TextFlag("discovery-user", &v3->user, "name[:password] to use it by."));
  flags->Add(TextFlag("discovery-password", &v3->password,
                      "The password, if it is not in --discovery-user."));
}

Status CheckBootstrap(const BootstrapFlags& given, bool initial_cluster_given) {
  if (given.discovery.token.empty() == given.by_discovery()) {
    return InvalidArgumentError(
        "both --discovery-token and --discovery-endpoints must be set");
  }
  if (std::ranges::any_of(given.discovery.endpoints,
                          [](const auto& one) { return one.empty(); })) {
    return InvalidArgumentError(
        "--discovery-endpoints must not contain empty endpoints");
  }
  const int ways = (initial_cluster_given ? 1 : 0) +
                   (given.srv_domain.empty() ? 0 : 1) +
                   (given.by_discovery() ? 1 : 0);
  if (ways > 1) {
    return InvalidArgumentError(
        "multiple discovery or bootstrap flags are set. Choose one of "
        "\"initial-cluster\", \"discovery\", \"discovery-endpoints\" or "
        "\"discovery-srv\"");
  }
  if (!given.discovery.password.empty() && given.discovery.user.empty()) {
    return InvalidArgumentError("--discovery-password needs --discovery-user");
  }
  return Status::Ok();
}

}  // namespace strata
