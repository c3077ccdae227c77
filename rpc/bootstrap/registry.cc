#include <grpcpp/grpcpp.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/limits.h"
#include "rpc/bootstrap/discovery.h"
#include "rpc/proto/rpc.grpc.pb.h"

// The registry over gRPC: a client of etcd's API.
namespace strata {
namespace {

constexpr uint64_t kMaxPemBytes = 1 << 20;

struct Pems {
  std::string cert = {};
  std::string key = {};
  std::string cacert = {};
};

StatusOr<Pems> ReadPems(Env* env, const DiscoveryOptions& options) {
  Pems pems;
  const std::pair<const std::string&, std::string*> files[] = {
      {options.cert, &pems.cert},
      {options.key, &pems.key},
      {options.cacert, &pems.cacert}};
  for (const auto& [path, into] : files) {
    if (path.empty()) continue;
    ASSIGN_OR_RETURN(*into, ReadFile(env, path, kMaxPemBytes));
  }
  return pems;
}

std::shared_ptr<grpc::ChannelCredentials> TrustingAnyServer(const Pems& pems) {
  using grpc::experimental::IdentityKeyCertPair;
  grpc::experimental::TlsChannelCredentialsOptions tls;
  if (!pems.cert.empty()) {
    tls.set_certificate_provider(
        std::make_shared<grpc::experimental::StaticDataCertificateProvider>(
            "", std::vector<IdentityKeyCertPair>{{pems.key, pems.cert}}));
    tls.watch_identity_key_cert_pairs();
  }
  tls.set_verify_server_certs(false);
  tls.set_check_call_host(false);
  tls.set_certificate_verifier(
      std::make_shared<grpc::experimental::NoOpCertificateVerifier>());
  return grpc::experimental::TlsCredentials(tls);
}

StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Credentials(
    Env* env, const DiscoveryOptions& options, bool tls) {
  if (!tls) return grpc::InsecureChannelCredentials();
  ASSIGN_OR_RETURN(Pems pems, ReadPems(env, options));
  if (options.insecure_skip_tls_verify) return TrustingAnyServer(pems);
  return grpc::SslCredentials({.pem_root_certs = std::move(pems.cacert),
                               .pem_private_key = std::move(pems.key),
                               .pem_cert_chain = std::move(pems.cert)});
}

int Milliseconds(Duration duration) {
  return static_cast<int>(
      std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

Status FromGrpc(const grpc::Status& status) {
  return status.ok() ? Status::Ok() : UnavailableError(status.error_message());
}

// Asks the endpoints in turn, that which answered last first.
class GrpcRegistry : public Registry {
 public:
  explicit GrpcRegistry(const DiscoveryOptions& options) : options_(options) {}

  Status AddEndpoint(Env* env, std::string endpoint) {
    bool tls = !options_.insecure_transport;
    if (endpoint.starts_with("https://")) {
      tls = true;
      endpoint = endpoint.substr(8);
    } else if (endpoint.starts_with("http://")) {
      endpoint = endpoint.substr(7);
    }
    ASSIGN_OR_RETURN(auto credentials, Credentials(env, options_, tls));
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS,
                     Milliseconds(options_.keepalive_time));
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                     Milliseconds(options_.keepalive_timeout));
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS,
                     Milliseconds(options_.dial_timeout));
    channels_.push_back(
        grpc::CreateCustomChannel(endpoint, credentials, arguments));
    return Status::Ok();
  }

  StatusOr<std::vector<Row>> Range(const std::string& key,
                                   const std::string& range_end) override {
    etcdserverpb::RangeRequest request;
    request.set_key(key);
    request.set_range_end(range_end);
    etcdserverpb::RangeResponse response;
    RETURN_IF_ERROR(
        OnAny([&](const Channel& channel, grpc::ClientContext* context) {
          return etcdserverpb::KV::NewStub(channel)->Range(context, request,
                                                           &response);
        }));
    std::vector<Row> rows;
    for (const auto& kv : response.kvs()) {
      rows.push_back({.key = kv.key(),
                      .value = kv.value(),
                      .create_revision = kv.create_revision()});
    }
    return rows;
  }

  Status Put(const std::string& key, const std::string& value) override {
    etcdserverpb::PutRequest request;
    request.set_key(key);
    request.set_value(value);
    etcdserverpb::PutResponse response;
    return OnAny([&](const Channel& channel, grpc::ClientContext* context) {
      return etcdserverpb::KV::NewStub(channel)->Put(context, request,
                                                     &response);
    });
  }

 private:
  using Channel = std::shared_ptr<grpc::Channel>;

  template <typename Call>
  Status OnAny(const Call& call) {
    Status status;
    for (size_t i = 0; i < channels_.size(); ++i) {
      status = On(channels_.front(), call);
      if (status.ok()) return status;
      token_.clear();
      std::rotate(channels_.begin(), channels_.begin() + 1, channels_.end());
    }
    return status;
  }

  template <typename Call>
  Status On(const Channel& channel, const Call& call) {
    if (!channel->WaitForConnected(Deadline(options_.dial_timeout))) {
      return UnavailableError("no connection to the discovery service");
    }
    if (!options_.user.empty() && token_.empty()) {
      RETURN_IF_ERROR(Authenticate(channel));
    }
    grpc::ClientContext context;
    context.set_deadline(Deadline(options_.request_timeout));
    if (!token_.empty()) context.AddMetadata("token", token_);
    return FromGrpc(call(channel, &context));
  }

  Status Authenticate(const Channel& channel) {
    grpc::ClientContext context;
    context.set_deadline(Deadline(options_.request_timeout));
    etcdserverpb::AuthenticateRequest request;
    const size_t colon = options_.user.find(':');
    request.set_name(options_.user.substr(0, colon));
    request.set_password(options_.password.empty() && colon != std::string::npos
                             ? options_.user.substr(colon + 1)
                             : options_.password);
    etcdserverpb::AuthenticateResponse response;
    RETURN_IF_ERROR(FromGrpc(etcdserverpb::Auth::NewStub(channel)->Authenticate(
        &context, request, &response)));
    token_ = response.token();
    return Status::Ok();
  }

  // gRPC wants a point in its own time.
  static gpr_timespec Deadline(Duration duration) {
    return gpr_time_add(
        gpr_now(GPR_CLOCK_MONOTONIC),
        gpr_time_from_millis(Milliseconds(duration), GPR_TIMESPAN));
  }

  const DiscoveryOptions options_;
  std::vector<Channel> channels_;
  std::string token_;
};

}  // namespace

StatusOr<std::unique_ptr<Registry>> Registry::Connect(
    Env* env, const DiscoveryOptions& options) {
  auto registry = std::make_unique<GrpcRegistry>(options);
  for (const std::string& endpoint : options.endpoints) {
    RETURN_IF_ERROR(registry->AddEndpoint(env, endpoint));
  }
  return std::unique_ptr<Registry>(std::move(registry));
}

}  // namespace strata
