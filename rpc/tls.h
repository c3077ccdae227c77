#ifndef STRATA_RPC_TLS_H_
#define STRATA_RPC_TLS_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/logger.h"
#include "base/status.h"

struct ssl_ctx_st;
struct x509_st;

namespace strata {

enum class TlsVersion { kUnset, k12, k13 };

// What etcd's flags say of TLS, of --cert-file and the others for clients or of
// --peer-cert-file and the others for members. A value.
struct TlsOptions {
  // Ours, as a server, and as a client unless the next two are given.
  std::string cert_file = {};
  std::string key_file = {};
  std::string client_cert_file = {};
  std::string client_key_file = {};
  // Whoever connects needs a certificate, if either is given: of this authority
  // or, without, of one that the system trusts. Servers that we connect to need
  // the same.
  std::string trusted_ca_file = {};
  bool client_cert_auth = false;
  // Certificates with these serial numbers are refused. PEM or DER.
  std::string crl_file = {};
  // A client's certificate must have one of these common names, or be for one
  // of these hosts. Not both.
  std::vector<std::string> allowed_names = {};
  std::vector<std::string> allowed_hostnames = {};
  std::vector<std::string> cipher_suites = {};  // Go's names; of TLS 1.2
  TlsVersion min_version = TlsVersion::k12;
  TlsVersion max_version = TlsVersion::kUnset;
  // Servers that we connect to must show a certificate for it, wherever they
  // are; empty: for the host that was dialled.
  std::string server_name = {};
  // Ours is self-signed, and so may be those of servers that we connect to.
  bool self_signed = false;

  bool empty() const { return cert_file.empty() && key_file.empty(); }
};

// What a server agrees to when a client names the protocols that it speaks
// (ALPN). One that names http/1.1 gets it: what comes with h2 alone is gRPC.
struct TlsProtocols {
  bool http_1_1 = true;
  bool h2 = true;
};

// "TLS1.2"; empty is kUnset.
StatusOr<TlsVersion> ParseTlsVersion(std::string_view text);
// OK if we know all of these suites.
Status CheckCipherSuites(const std::vector<std::string>& names);

// A certificate's common name, the last one as Go has it; empty: none.
std::string CommonNameOf(x509_st* certificate);

// The options with what the files say at one time. Immutable; connections keep
// theirs.
class TlsConfig {
 public:
  struct Files {
    std::string cert, key, client_cert, client_key, ca, crl;
    bool operator==(const Files&) const = default;
  };

  static StatusOr<std::shared_ptr<const TlsConfig>> Make(
      const TlsOptions& options, Files files);
  ~TlsConfig();
  TlsConfig(const TlsConfig&) = delete;
  TlsConfig& operator=(const TlsConfig&) = delete;

  const Files& files() const { return files_; }
  // OpenSSL's, for what accepts and what connects; they hold a pointer to this.
  // A server's connection has TlsProtocols as its application data; a client's
  // has to say whom it means to reach (SSL_set1_host).
  ssl_ctx_st* server() const { return server_; }
  ssl_ctx_st* client() const { return client_; }

  // Whether a client's certificate, verified already, is also one of those that
  // the options allow.
  bool Allows(x509_st* certificate) const;
  // Whom the server at `host` has to be.
  const std::string& ServerName(const std::string& host) const {
    return options_.server_name.empty() ? host : options_.server_name;
  }
  bool IsRevoked(x509_st* certificate) const;

 private:
  TlsConfig(const TlsOptions& options, Files files);

  Status MakeServer();
  Status MakeClient();
  Status SetCommon(ssl_ctx_st* context) const;
  Status UseCertificate(ssl_ctx_st* context, const std::string& cert,
                        const std::string& key) const;
  Status ReadRevoked();

  const TlsOptions options_;
  const Files files_;
  ssl_ctx_st* server_ = nullptr;
  ssl_ctx_st* client_ = nullptr;
  std::set<std::string> revoked_;  // serial numbers
};

// TLS as the files are now: renewed certificates hold for new connections,
// without a restart. Thread-safe.
class TlsContext {
 public:
  // Reads the files; an error says what is wrong with them, as etcd's.
  static StatusOr<std::unique_ptr<TlsContext>> Make(const TlsOptions& options,
                                                    Env* env, Logger* logger);

  // For a new connection. While new files are of no use, as when a certificate
  // has been replaced and its key not yet, those of before hold; but not of a
  // list of revoked certificates, without which nobody is let in.
  StatusOr<std::shared_ptr<const TlsConfig>> Current();

  const TlsOptions& options() const { return options_; }

 private:
  TlsContext(const TlsOptions& options, Env* env, Logger* logger)
      : options_(options), env_(env), logger_(logger) {}

  StatusOr<TlsConfig::Files> ReadFiles() const;

  const TlsOptions options_;
  Env* const env_;
  Logger* const logger_;
  std::mutex mutex_;
  // Guarded by mutex_.
  std::shared_ptr<const TlsConfig> current_;
  TlsConfig::Files refused_;  // the last ones of no use
};

// A key and a certificate for it that it signs itself, as etcd's --auto-tls
// makes them: DIRECTORY/cert.pem and key.pem, for `hosts` (addresses or names),
// good from now (nanoseconds since 1970) for so many years. Both that are there
// already are kept. Sets the files of `options`.
Status UseSelfSigned(Env* env, const std::string& directory,
                     const std::vector<std::string>& hosts, uint64_t years,
                     int64_t wall_now, Logger* logger, TlsOptions* options);

}  // namespace strata

#endif  // STRATA_RPC_TLS_H_
