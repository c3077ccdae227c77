#ifndef STRATA_CMD_DAEMON_TLS_FLAGS_H_
#define STRATA_CMD_DAEMON_TLS_FLAGS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/logger.h"
#include "base/status.h"
#include "cmd/daemon/flag_set.h"
#include "cmd/daemon/values.h"
#include "rpc/tls.h"

// etcd's flags of TLS: one set for clients (--cert-file and so on), one for
// members (--peer-cert-file), and some that hold for both.
namespace strata {

struct TlsFlags {
  TlsOptions options = {};
  bool auto_tls = false;
};

struct SharedTlsFlags {
  std::vector<std::string> cipher_suites = {};
  std::string min_version = "TLS1.2";
  std::string max_version = {};
  uint64_t self_signed_years = 1;
};

// `prefix` is "" or "peer-".
void AddTlsFlags(const std::string& prefix, TlsFlags* tls, FlagSet* flags);
void AddSharedTlsFlags(SharedTlsFlags* shared, FlagSet* flags);

// What can be known only when all flags are.
Status CompleteTls(const SharedTlsFlags& shared, TlsFlags* tls);
// Whether a URL has the certificates that it needs; warns of those that it does
// not use.
Status CheckTlsFor(const ListenUrl& url, const TlsFlags& tls,
                   std::vector<std::string>* warnings);

// The files, read; null: no URL needs them. With auto-TLS, made first if they
// are missing, in `directory` (data-dir/fixtures/client), for the hosts of
// `urls`.
StatusOr<std::unique_ptr<TlsContext>> OpenTls(
    const TlsFlags& tls, const SharedTlsFlags& shared,
    const std::vector<ListenUrl>& urls, const std::string& directory, Env* env,
    int64_t wall_now, Logger* logger);

}  // namespace strata

#endif  // STRATA_CMD_DAEMON_TLS_FLAGS_H_
