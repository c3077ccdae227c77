#include "cmd/daemon/tls_flags.h"

#include <algorithm>
#include <utility>

#include "cmd/daemon/flag_kinds.h"

namespace strata {
namespace {

// "127.0.0.1" of "127.0.0.1:2379", "::1" of "[::1]:2379".
std::string HostOf(const ListenUrl& url) {
  std::string host = url.address.substr(0, url.address.rfind(':'));
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
  return host;
}

}  // namespace

void AddTlsFlags(const std::string& prefix, TlsFlags* tls, FlagSet* flags) {
  TlsOptions* const options = &tls->options;
  const bool peer = !prefix.empty();
  const std::string who = peer ? "members" : "clients";
  flags->Add(TextFlag(prefix + "cert-file", &options->cert_file,
                      "Our certificate for " + who + ", in PEM."));
  flags->Add(TextFlag(prefix + "key-file", &options->key_file,
                      "The certificate's private key."));
  flags->Add(SwitchFlag(prefix + "client-cert-auth", &options->client_cert_auth,
                        "Let nobody in without a certificate."));
  flags->Add(TextFlag(prefix + "client-cert-file", &options->client_cert_file,
                      "The certificate that we show as a client, if another."));
  flags->Add(TextFlag(prefix + "client-key-file", &options->client_key_file,
                      "That certificate's private key."));
  flags->Add(TextFlag(prefix + "trusted-ca-file", &options->trusted_ca_file,
                      "Who signs the certificates of " + who + "."));
  flags->Add(TextFlag(peer ? "peer-crl-file" : "client-crl-file",
                      &options->crl_file,
                      "A list of revoked certificates, in DER or PEM."));
  flags->Add(ListFlag(
      peer ? "peer-cert-allowed-hostname" : "client-cert-allowed-hostname",
      &options->allowed_hostnames,
      "Comma-separated: a certificate must be for one of these."));
  if (peer) {
    flags->Add(ListFlag("peer-cert-allowed-cn", &options->allowed_names,
                        "Comma-separated: a certificate must have one of these "
                        "common names."));
  }
  flags->Add(SwitchFlag(prefix + "auto-tls", &tls->auto_tls,
                        "Make a certificate that signs itself, if no files "
                        "are given."));
}

void AddSharedTlsFlags(SharedTlsFlags* shared, FlagSet* flags) {
  flags->Add(NumberFlag("self-signed-cert-validity", &shared->self_signed_years,
                        "Years that certificates made by auto-tls last."));
  flags->Add(ListFlag("cipher-suites", &shared->cipher_suites,
                      "Comma-separated suites of TLS 1.2, by Go's names."));
  flags->Add(TextFlag("tls-min-version", &shared->min_version,
                      "TLS1.2 or TLS1.3: the lowest that is spoken."));
  flags->Add(TextFlag("tls-max-version", &shared->max_version,
                      "TLS1.2 or TLS1.3: the highest."));
}

Status CompleteTls(const SharedTlsFlags& shared, TlsFlags* tls) {
  TlsOptions* const options = &tls->options;
  options->cipher_suites = shared.cipher_suites;
  RETURN_IF_ERROR(CheckCipherSuites(shared.cipher_suites));
  ASSIGN_OR_RETURN(options->min_version, ParseTlsVersion(shared.min_version));
  ASSIGN_OR_RETURN(options->max_version, ParseTlsVersion(shared.max_version));
  if (options->max_version != TlsVersion::kUnset &&
      options->min_version > options->max_version) {
    return InvalidArgumentError("min version (" + shared.min_version +
                                ") is greater than max version (" +
                                shared.max_version + ")");
  }
  if (options->min_version == TlsVersion::k13 &&
      !shared.cipher_suites.empty()) {
    return InvalidArgumentError(
        "cipher suites cannot be configured when only TLS1.3 is enabled");
  }
  // As Go: nothing below 1.2 is spoken.
  if (options->min_version == TlsVersion::kUnset) {
    options->min_version = TlsVersion::k12;
  }
  if (tls->auto_tls && shared.self_signed_years == 0) {
    return InvalidArgumentError(
        "selfSignedCertValidity is invalid,it should be greater than 0");
  }
  return Status::Ok();
}

Status CheckTlsFor(const ListenUrl& url, const TlsFlags& tls,
                   std::vector<std::string>* warnings) {
  if (url.tls && tls.options.empty() && !tls.auto_tls) {
    return InvalidArgumentError(
        "TLS key/cert (--cert-file, --key-file) must be provided for client "
        "url " +
        url.url + " with HTTPS scheme");
  }
  if (!url.tls && !tls.options.empty()) {
    warnings->push_back(
        "scheme is HTTP while key and cert files are present; ignoring key and "
        "cert files for " +
        url.url);
  }
  if (!url.tls && tls.options.client_cert_auth) {
    warnings->push_back(
        "scheme is HTTP while --client-cert-auth is enabled; ignoring client "
        "cert auth for " +
        url.url);
  }
  return Status::Ok();
}

StatusOr<std::unique_ptr<TlsContext>> OpenTls(
    const TlsFlags& tls, const SharedTlsFlags& shared,
    const std::vector<ListenUrl>& urls, const std::string& directory, Env* env,
    int64_t wall_now, Logger* logger) {
  TlsOptions options = tls.options;
  if (std::ranges::none_of(urls, &ListenUrl::tls)) {
    return std::unique_ptr<TlsContext>();
  }
  std::vector<std::string> hosts;
  for (const ListenUrl& url : urls) {
    if (url.tls && !url.address.starts_with("unix:")) {
      hosts.push_back(HostOf(url));
    }
  }
  if (options.empty()) {
    RETURN_IF_ERROR(UseSelfSigned(env, directory, hosts,
                                  shared.self_signed_years, wall_now, logger,
                                  &options));
  } else if (tls.auto_tls) {
    logger->Warn("ignoring auto TLS since certificates are given");
  }
  return TlsContext::Make(options, env, logger);
}

}  // namespace strata
