#include "rpc/tls.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <utility>

#include "rpc/openssl.h"

namespace strata {
namespace {

constexpr uint64_t kMaxFileBytes = 16 << 20;

// What Go calls these two otherwise than the RFC.
std::string StandardName(const std::string& name) {
  return name.ends_with("_CHACHA20_POLY1305") ? name + "_SHA256" : name;
}

// OpenSSL's name of a suite; null: none.
const char* OpensslName(const std::string& name) {
  const char* const found = OPENSSL_cipher_name(StandardName(name).c_str());
  return std::string_view(found) == "(NONE)" ? nullptr : found;
}

// What begins with TLS_AES_ or TLS_CHACHA20_ is of TLS 1.3, where there is
// nothing to choose.
bool IsTls13(const std::string& name) {
  return name.find("_WITH_") == std::string::npos;
}

int ProtocolVersion(TlsVersion version) {
  switch (version) {
    case TlsVersion::kUnset:
      return 0;
    case TlsVersion::k12:
      return TLS1_2_VERSION;
    case TlsVersion::k13:
      return TLS1_3_VERSION;
  }
  return 0;
}

// No one is there to be asked for a password.
int NoPassword(char*, int, int, void*) { return 0; }

std::vector<OwnedX509> ReadCertificates(std::string_view pem) {
  std::vector<OwnedX509> found;
  const OwnedBio bio = ReadingBio(pem);
  while (X509* const one =
             PEM_read_bio_X509(bio.get(), nullptr, NoPassword, nullptr)) {
    found.emplace_back(one);
  }
  ERR_clear_error();
  return found;
}

std::string SerialOf(const ASN1_INTEGER* serial) {
  return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(
                         reinterpret_cast<const ASN1_STRING*>(serial))),
                     static_cast<size_t>(ASN1_STRING_length(
                         reinterpret_cast<const ASN1_STRING*>(serial))));
}

bool IsFor(X509* certificate, const std::string& host) {
  if (X509_check_ip_asc(certificate, host.c_str(), 0) == 1) return true;
  return X509_check_host(certificate, host.data(), host.size(),
                         X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                             X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                         nullptr) == 1;
}

// Whether a client may come in: after the signatures, what the options say.
int VerifyClient(X509_STORE_CTX* store, void* config) {
  if (X509_verify_cert(store) <= 0) return 0;
  const auto* const self = static_cast<const TlsConfig*>(config);
  X509* const leaf = X509_STORE_CTX_get0_cert(store);
  if (!self->Allows(leaf)) {
    X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH);
    return 0;
  }
  STACK_OF(X509)* const sent = X509_STORE_CTX_get0_untrusted(store);
  bool revoked = self->IsRevoked(leaf);
  for (int i = 0; i < sk_X509_num(sent); ++i) {
    revoked = revoked || self->IsRevoked(sk_X509_value(sent, i));
  }
  if (revoked) X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REVOKED);
  return revoked ? 0 : 1;
}

// As they stand in a ClientHello.
constexpr std::string_view kHttp11 = "\x08http/1.1";
constexpr std::string_view kH2 = "\x02h2";

// Whether `list`, as in a ClientHello, has `protocol`; and where.
bool Has(std::string_view list, std::string_view protocol,
         const unsigned char** out, unsigned char* out_size) {
  for (size_t at = 0; at < list.size();
       at += 1 + static_cast<unsigned char>(list[at])) {
    if (list.substr(at, protocol.size()) != protocol) continue;
    *out = reinterpret_cast<const unsigned char*>(list.data()) + at + 1;
    *out_size = static_cast<unsigned char>(protocol.size() - 1);
    return true;
  }
  return false;
}

int ChooseProtocol(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                   const unsigned char* in, unsigned in_size, void*) {
  const auto* const protocols =
      static_cast<const TlsProtocols*>(SSL_get_app_data(ssl));
  const std::string_view offered(reinterpret_cast<const char*>(in), in_size);
  const bool found =
      (protocols->http_1_1 && Has(offered, kHttp11, out, out_size)) ||
      (protocols->h2 && Has(offered, kH2, out, out_size));
  return found ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

Status TrustAuthorities(SSL_CTX* context, const std::string& file,
                        const std::string& pem, bool names_them) {
  if (file.empty()) {
    SSL_CTX_set_default_verify_paths(context);
    return Status::Ok();
  }
  const std::vector<OwnedX509> authorities = ReadCertificates(pem);
  if (authorities.empty()) {
    return InvalidArgumentError(file + ": no certificate in it");
  }
  for (const OwnedX509& authority : authorities) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get());
    if (names_them) SSL_CTX_add_client_CA(context, authority.get());
  }
  // Any of the file's is trusted by itself, as in Go.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context),
                              X509_V_FLAG_PARTIAL_CHAIN);
  return Status::Ok();
}

}  // namespace

std::string CommonNameOf(x509_st* certificate) {
  const X509_NAME* const subject = X509_get_subject_name(certificate);
  int last = -1;
  for (int next = -1; (next = X509_NAME_get_index_by_NID(
                           subject, NID_commonName, next)) >= 0;) {
    last = next;
  }
  if (last < 0) return "";
  const ASN1_STRING* const name =
      X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last));
  return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name)),
                     static_cast<size_t>(ASN1_STRING_length(name)));
}

StatusOr<TlsVersion> ParseTlsVersion(std::string_view text) {
  if (text.empty()) return TlsVersion::kUnset;
  if (text == "TLS1.2") return TlsVersion::k12;
  if (text == "TLS1.3") return TlsVersion::k13;
  return InvalidArgumentError("unexpected TLS version \"" + std::string(text) +
                              "\". Must be one of: TLS1.2, TLS1.3");
}

Status CheckCipherSuites(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (OpensslName(name) == nullptr) {
      return InvalidArgumentError("unexpected TLS cipher suite \"" + name +
                                  "\"");
    }
  }
  return Status::Ok();
}

TlsConfig::TlsConfig(const TlsOptions& options, Files files)
    : options_(options), files_(std::move(files)) {}

TlsConfig::~TlsConfig() {
  SSL_CTX_free(server_);
  SSL_CTX_free(client_);
}

StatusOr<std::shared_ptr<const TlsConfig>> TlsConfig::Make(
    const TlsOptions& options, Files files) {
  const std::shared_ptr<TlsConfig> config(
      new TlsConfig(options, std::move(files)));
  RETURN_IF_ERROR(config->ReadRevoked());
  RETURN_IF_ERROR(config->MakeServer());
  RETURN_IF_ERROR(config->MakeClient());
  return std::shared_ptr<const TlsConfig>(config);
}

Status TlsConfig::MakeServer() {
  server_ = SSL_CTX_new(TLS_server_method());
  RETURN_IF_ERROR(SetCommon(server_));
  RETURN_IF_ERROR(UseCertificate(server_, files_.cert, files_.key));
  SSL_CTX_set_alpn_select_cb(server_, ChooseProtocol, nullptr);
  // A session that is taken up again would go around the checks of
  // certificates.
  SSL_CTX_set_session_cache_mode(server_, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(server_, 0);
  SSL_CTX_set_options(server_, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE);
  if (!options_.client_cert_auth && options_.trusted_ca_file.empty()) {
    return Status::Ok();
  }
  SSL_CTX_set_verify(server_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                     nullptr);
  SSL_CTX_set_cert_verify_callback(server_, VerifyClient, this);
  return TrustAuthorities(server_, options_.trusted_ca_file, files_.ca,
                          /*names_them=*/true);
}

Status TlsConfig::MakeClient() {
  client_ = SSL_CTX_new(TLS_client_method());
  RETURN_IF_ERROR(SetCommon(client_));
  RETURN_IF_ERROR(
      options_.client_cert_file.empty()
          ? UseCertificate(client_, files_.cert, files_.key)
          : UseCertificate(client_, files_.client_cert, files_.client_key));
  SSL_CTX_set_verify(client_,
                     options_.self_signed ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
                     nullptr);
  return TrustAuthorities(client_, options_.trusted_ca_file, files_.ca,
                          /*names_them=*/false);
}

Status TlsConfig::SetCommon(ssl_ctx_st* context) const {
  SSL_CTX_set_min_proto_version(context, ProtocolVersion(options_.min_version));
  SSL_CTX_set_max_proto_version(context, ProtocolVersion(options_.max_version));
  // Whoever writes tries the same bytes again, maybe from another place; an
  // idle connection holds no buffers.
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  RETURN_IF_ERROR(CheckCipherSuites(options_.cipher_suites));
  std::string suites;
  for (const std::string& name : options_.cipher_suites) {
    if (IsTls13(name)) continue;
    suites += (suites.empty() ? "" : ":") + std::string(OpensslName(name));
  }
  if (!suites.empty() &&
      SSL_CTX_set_cipher_list(context, suites.c_str()) != 1) {
    return InvalidArgumentError("cipher suites: " + OpensslError());
  }
  return Status::Ok();
}

Status TlsConfig::UseCertificate(ssl_ctx_st* context, const std::string& cert,
                                 const std::string& key) const {
  const std::vector<OwnedX509> chain = ReadCertificates(cert);
  if (chain.empty()) {
    return InvalidArgumentError(
        "tls: failed to find any PEM data in certificate input");
  }
  const OwnedBio bio = ReadingBio(key);
  const OwnedKey private_key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassword, nullptr));
  if (private_key == nullptr) {
    ERR_clear_error();
    return InvalidArgumentError(
        "tls: failed to find any PEM data in key input");
  }
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1) {
    return InvalidArgumentError("tls: certificate: " + OpensslError());
  }
  if (SSL_CTX_use_PrivateKey(context, private_key.get()) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    ERR_clear_error();
    return InvalidArgumentError("tls: private key does not match public key");
  }
  for (size_t i = 1; i < chain.size(); ++i) {
    SSL_CTX_add1_chain_cert(context, chain[i].get());
  }
  return Status::Ok();
}

Status TlsConfig::ReadRevoked() {
  if (options_.crl_file.empty()) return Status::Ok();
  const OwnedBio pem = ReadingBio(files_.crl);
  OwnedCrl list(PEM_read_bio_X509_CRL(pem.get(), nullptr, NoPassword, nullptr));
  if (list == nullptr) {
    const OwnedBio der = ReadingBio(files_.crl);
    list.reset(d2i_X509_CRL_bio(der.get(), nullptr));
  }
  ERR_clear_error();
  if (list == nullptr) {
    return InvalidArgumentError(options_.crl_file +
                                ": no list of revoked certificates");
  }
  STACK_OF(X509_REVOKED)* const revoked = X509_CRL_get_REVOKED(list.get());
  for (int i = 0; i < sk_X509_REVOKED_num(revoked); ++i) {
    revoked_.insert(SerialOf(
        X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(revoked, i))));
  }
  return Status::Ok();
}

bool TlsConfig::Allows(x509_st* certificate) const {
  if (!options_.allowed_names.empty()) {
    return std::ranges::count(options_.allowed_names,
                              CommonNameOf(certificate)) > 0;
  }
  if (options_.allowed_hostnames.empty()) return true;
  return std::ranges::any_of(
      options_.allowed_hostnames,
      [&](const std::string& host) { return IsFor(certificate, host); });
}

bool TlsConfig::IsRevoked(x509_st* certificate) const {
  return revoked_.contains(SerialOf(X509_get0_serialNumber(certificate)));
}

namespace {

// In Go's words.
Status ReadTo(Env* env, const std::string& path, std::string* content) {
  if (path.empty()) return Status::Ok();
  auto read = ReadFile(env, path, kMaxFileBytes);
  if (!read.ok() && read.status().code() == Code::kNotFound) {
    return NotFoundError("open " + path + ": no such file or directory");
  }
  ASSIGN_OR_RETURN(*content, std::move(read));
  return Status::Ok();
}

Status Quoted(const std::string& what, const TlsOptions& options) {
  return InvalidArgumentError(what +
                              " must both be present[key: " + options.key_file +
                              ", cert: " + options.cert_file + "]");
}

}  // namespace

StatusOr<std::unique_ptr<TlsContext>> TlsContext::Make(
    const TlsOptions& options, Env* env, Logger* logger) {
  if (options.cert_file.empty() || options.key_file.empty()) {
    return Quoted("KeyFile and CertFile", options);
  }
  if (options.client_cert_file.empty() != options.client_key_file.empty()) {
    return InvalidArgumentError(
        "ClientKeyFile and ClientCertFile must both be present or both absent: "
        "key: " +
        options.client_key_file + ", cert: " + options.client_cert_file + "]");
  }
  if (!options.allowed_names.empty() && !options.allowed_hostnames.empty()) {
    return InvalidArgumentError(
        "AllowedCN and AllowedHostname are mutually exclusive (cn=\"" +
        options.allowed_names.front() + "\", hostname=\"" +
        options.allowed_hostnames.front() + "\")");
  }
  std::unique_ptr<TlsContext> context(new TlsContext(options, env, logger));
  ASSIGN_OR_RETURN(TlsConfig::Files files, context->ReadFiles());
  ASSIGN_OR_RETURN(context->current_,
                   TlsConfig::Make(options, std::move(files)));
  return context;
}

StatusOr<TlsConfig::Files> TlsContext::ReadFiles() const {
  TlsConfig::Files files;
  RETURN_IF_ERROR(ReadTo(env_, options_.cert_file, &files.cert));
  RETURN_IF_ERROR(ReadTo(env_, options_.key_file, &files.key));
  RETURN_IF_ERROR(ReadTo(env_, options_.client_cert_file, &files.client_cert));
  RETURN_IF_ERROR(ReadTo(env_, options_.client_key_file, &files.client_key));
  RETURN_IF_ERROR(ReadTo(env_, options_.trusted_ca_file, &files.ca));
  RETURN_IF_ERROR(ReadTo(env_, options_.crl_file, &files.crl));
  return files;
}

StatusOr<std::shared_ptr<const TlsConfig>> TlsContext::Current() {
  const std::lock_guard lock(mutex_);
  StatusOr<TlsConfig::Files> files = ReadFiles();
  if (files.ok() && *files == current_->files()) return current_;
  Status wrong = files.status();
  if (files.ok()) {
    auto made = TlsConfig::Make(options_, *files);
    if (made.ok()) {
      current_ = *made;
      logger_->Info("TLS files have changed; new connections use them",
                    {{"cert-file", options_.cert_file}});
      return current_;
    }
    wrong = made.status();
  }
  const bool crl_stands = options_.crl_file.empty() ||
                          (files.ok() && files->crl == current_->files().crl);
  // Said once, not at every connection.
  if (!files.ok() || !(*files == refused_)) {
    logger_->Warn(crl_stands ? "TLS files have changed and are of no use; "
                               "those of before hold"
                             : "TLS files are of no use; no connection is let "
                               "in",
                  {{"error", wrong}});
    if (files.ok()) refused_ = *files;
  }
  if (crl_stands) return current_;
  return wrong;
}

}  // namespace strata
