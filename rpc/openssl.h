#ifndef STRATA_RPC_OPENSSL_H_
#define STRATA_RPC_OPENSSL_H_

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

// OpenSSL's objects, owned. Only for .cc files.
namespace strata {

template <auto kFree>
struct OpensslFree {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};

using OwnedBio = std::unique_ptr<BIO, OpensslFree<BIO_free_all>>;
using OwnedX509 = std::unique_ptr<X509, OpensslFree<X509_free>>;
using OwnedCrl = std::unique_ptr<X509_CRL, OpensslFree<X509_CRL_free>>;
using OwnedKey = std::unique_ptr<EVP_PKEY, OpensslFree<EVP_PKEY_free>>;

// `bytes` are borrowed.
inline OwnedBio ReadingBio(std::string_view bytes) {
  return OwnedBio(
      BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

// Why the last call of this thread failed; forgets it.
inline std::string OpensslError() {
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  const char* const reason = ERR_reason_error_string(error);
  return reason == nullptr ? "unknown error" : reason;
}

}  // namespace strata

#endif  // STRATA_RPC_OPENSSL_H_
