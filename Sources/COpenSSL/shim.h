#pragma once
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

/// A new context of `hmac` over SHA-256 that waits for its key; NULL when OpenSSL has none.
static inline EVP_MAC_CTX *fl_hmac_sha256_new(EVP_MAC *hmac) {
  char digest[] = "SHA256";
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end(),
  };
  EVP_MAC_CTX *context = EVP_MAC_CTX_new(hmac);
  if (context && EVP_MAC_CTX_set_params(context, parameters) != 1) {
    EVP_MAC_CTX_free(context);
    return NULL;
  }
  return context;
}

/// Fills `out` by HKDF (RFC 5869) over SHA-256, extract and expand; 1 when it worked.
static inline int fl_hkdf_sha256(
    EVP_KDF *hkdf, const uint8_t *secret, size_t secret_size, const uint8_t *salt, size_t salt_size,
    const uint8_t *info, size_t info_size, uint8_t *out, size_t out_size) {
  char digest[] = "SHA256";
  OSSL_PARAM parameters[5];
  int count = 0;
  parameters[count++] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
  parameters[count++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret, secret_size);
  if (salt_size > 0)
    parameters[count++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt, salt_size);
  if (info_size > 0)
    parameters[count++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, info_size);
  parameters[count] = OSSL_PARAM_construct_end();
  EVP_KDF_CTX *context = EVP_KDF_CTX_new(hkdf);
  int result = context ? EVP_KDF_derive(context, out, out_size, parameters) : 0;
  EVP_KDF_CTX_free(context);
  return result;
}
