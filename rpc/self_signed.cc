#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/x509v3.h>

#include <array>
#include <utility>

#include "rpc/openssl.h"
#include "rpc/tls.h"

namespace strata {
namespace {

constexpr int kSerialBits = 127;  // positive
constexpr int64_t kSecondsOfYear = 365LL * 24 * 3600;

using OwnedExtension =
    std::unique_ptr<X509_EXTENSION, OpensslFree<X509_EXTENSION_free>>;
using OwnedNumber = std::unique_ptr<BIGNUM, OpensslFree<BN_free>>;

bool IsAddress(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> address;
  return inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

bool AddExtension(X509* certificate, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const OwnedExtension extension(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  return extension != nullptr &&
         X509_add_ext(certificate, extension.get(), -1) == 1;
}

std::string AlternativeNames(const std::vector<std::string>& hosts) {
  std::string names;
  for (const std::string& host : hosts) {
    names += (names.empty() ? "" : ",") +
             std::string(IsAddress(host) ? "IP:" : "DNS:") + host;
  }
  return names;
}

bool SetSerial(X509* certificate) {
  const OwnedNumber number(BN_new());
  return BN_rand(number.get(), kSerialBits, BN_RAND_TOP_ANY,
                 BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) !=
             nullptr;
}

bool Fill(X509* certificate, EVP_PKEY* key,
          const std::vector<std::string>& hosts, int64_t from, int64_t until) {
  X509_NAME* const subject = X509_get_subject_name(certificate);
  const std::string names = AlternativeNames(hosts);
  return X509_set_version(certificate, X509_VERSION_3) == 1 &&
         SetSerial(certificate) &&
         ASN1_TIME_set(X509_getm_notBefore(certificate), from) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), until) != nullptr &&
         X509_NAME_add_entry_by_txt(
             subject, "O", MBSTRING_ASC,
             reinterpret_cast<const unsigned char*>("strata"), -1, -1,
             0) == 1 &&
         X509_set_issuer_name(certificate, subject) == 1 &&
         X509_set_pubkey(certificate, key) == 1 &&
         AddExtension(certificate, NID_key_usage,
                      "critical,digitalSignature,keyEncipherment") &&
         AddExtension(certificate, NID_ext_key_usage,
                      "serverAuth,clientAuth") &&
         AddExtension(certificate, NID_basic_constraints,
                      "critical,CA:FALSE") &&
         (names.empty() ||
          AddExtension(certificate, NID_subject_alt_name, names)) &&
         X509_sign(certificate, key, EVP_sha512()) > 0;
}

std::string ContentOf(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<size_t>(size));
}

}  // namespace

Status UseSelfSigned(Env* env, const std::string& directory,
                     const std::vector<std::string>& hosts, uint64_t years,
                     int64_t wall_now, Logger* logger, TlsOptions* options) {
  if (years == 0) {
    return InvalidArgumentError(
        "selfSignedCertValidity is invalid,it should be greater than 0");
  }
  options->cert_file = JoinPath(directory, "cert.pem");
  options->key_file = JoinPath(directory, "key.pem");
  options->self_signed = true;
  if (env->Exists(options->cert_file) && env->Exists(options->key_file)) {
    return Status::Ok();
  }
  const OwnedKey key(EVP_EC_gen("P-521"));
  const OwnedX509 certificate(X509_new());
  const int64_t now = wall_now / 1'000'000'000;
  const OwnedBio cert_pem(BIO_new(BIO_s_mem()));
  const OwnedBio key_pem(BIO_new(BIO_s_mem()));
  if (key == nullptr ||
      !Fill(certificate.get(), key.get(), hosts, now,
            now + static_cast<int64_t>(years) * kSecondsOfYear) ||
      PEM_write_bio_X509(cert_pem.get(), certificate.get()) != 1 ||
      PEM_write_bio_PrivateKey(key_pem.get(), key.get(), nullptr, nullptr, 0,
                               nullptr, nullptr) != 1) {
    return InternalError("cannot make a certificate: " + OpensslError());
  }
  RETURN_IF_ERROR(env->MakeDirs(directory));
  RETURN_IF_ERROR(
      WriteFileAtomically(env, options->key_file, ContentOf(key_pem.get())));
  RETURN_IF_ERROR(
      WriteFileAtomically(env, options->cert_file, ContentOf(cert_pem.get())));
  logger->Warn("made a certificate that it signs itself",
               {{"cert-file", options->cert_file}, {"years", years}});
  return Status::Ok();
}

}  // namespace strata
