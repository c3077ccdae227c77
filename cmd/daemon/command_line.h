#ifndef STRATA_CMD_DAEMON_COMMAND_LINE_H_
#define STRATA_CMD_DAEMON_COMMAND_LINE_H_

#include <map>
#include <string>
#include <vector>

#include "cmd/daemon/bootstrap_flags.h"
#include "cmd/daemon/logger.h"
#include "cmd/daemon/tls_flags.h"
#include "cmd/daemon/values.h"
#include "rpc/grpc_server.h"
#include "rpc/http/access.h"
#include "rpc/services.h"
#include "server/node.h"

namespace strata {

struct HttpOptions {
  bool gateway = true;  // --enable-grpc-gateway
  HttpAccess access = {};
};

struct StratadOptions {
  NodeOptions node;
  KvOptions kv;
  GrpcServerOptions grpc;
  HttpOptions http;
  LogOptions log;
  std::vector<std::string> command_line = {};  // as it was, for /debug/vars
  Duration warning_unary_duration = std::chrono::milliseconds(300);
  std::vector<std::string> listen_client_urls;
  // With these the ones above are gRPC's alone.
  std::vector<std::string> listen_client_http_urls = {};
  std::vector<std::string> listen_metrics_urls = {};
  std::vector<ListenUrl> client_urls = {};  // the same, to be listened on
  std::vector<ListenUrl> client_http_urls = {};
  std::vector<ListenUrl> metrics_urls = {};
  TlsFlags client_tls = {};
  SharedTlsFlags tls = {};
  std::vector<std::string> listen_peer_urls;
  // The keys are compared with the others' before anybody is served.
  bool initial_corrupt_check = false;
  // Others are listened to: the flags say so.
  bool serve_peers = false;
  std::vector<ListenUrl> peer_urls;  // of listen_peer_urls
  TlsFlags peer_tls = {};
  std::string compaction_mode = "periodic";
  std::string compaction_retention = "0";
  bool reuse_port = false;  // --socket-reuse-port
  // The file is made shorter at the start if that frees so many; 0: never.
  uint64_t defrag_at_start_megabytes = 0;
  bool join_existing = false;  // --initial-cluster-state=existing
  BootstrapFlags bootstrap = {};
  // Said when the log is open.
  std::vector<std::string> warnings;
};

// What a command line asks for: to serve, or to print and leave.
struct CommandLine {
  bool serve = false;
  StratadOptions options;  // if `serve`
  int exit_code = 0;       // if not
  std::string output;      // for stdout
  std::string error;       // for stderr
};

// Understands etcd's flags (-name x, --name x, --name=x) and, for those not
// given, its variables (ETCD_NAME=x). As etcd's: an unknown flag or a value
// that cannot be read exits 2, or 1 if it is a variable's; an unknown ETCD_
// variable is a warning. With --config-file nothing else counts, and what is
// wrong with the file exits 1. `arguments` is without the program's name.
CommandLine ParseCommandLine(const std::vector<std::string>& arguments,
                             const std::map<std::string, std::string>& env);

}  // namespace strata

#endif  // STRATA_CMD_DAEMON_COMMAND_LINE_H_
