#pragma once
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

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

/// A new RSA key with this many bits and the exponent 65537; NULL when OpenSSL has none.
static inline EVP_PKEY *fl_rsa_generate(unsigned int bits) {
  return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
}

/// A new Ed25519 key; NULL when OpenSSL has none.
static inline EVP_PKEY *fl_ed25519_generate(void) { return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"); }

/// The key that these bytes, all of them, are in PKCS #8; NULL when they are none.
static inline EVP_PKEY *fl_pkcs8_read(const uint8_t *bytes, size_t size) {
  const unsigned char *position = bytes;
  PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &position, (long)size);
  EVP_PKEY *key = info && position == bytes + size ? EVP_PKCS82PKEY(info) : NULL;
  PKCS8_PRIV_KEY_INFO_free(info);
  return key;
}

/// Writes `key` in PKCS #8 to memory of its own, and its size; below 0 when it could not.
static inline int fl_pkcs8_write(EVP_PKEY *key, unsigned char **memory) {
  PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
  int size = info ? i2d_PKCS8_PRIV_KEY_INFO(info, memory) : -1;
  PKCS8_PRIV_KEY_INFO_free(info);
  return size;
}

/// Wipes and frees memory that libcrypto gave.
static inline void fl_free_secret(void *memory, size_t size) { OPENSSL_clear_free(memory, size); }

/// Begins to sign with `key`; `digest` is NULL for Ed25519.
static inline int fl_sign_begin(EVP_MD_CTX *context, EVP_PKEY *key, const char *digest) {
  return EVP_DigestSignInit_ex(context, NULL, digest, NULL, NULL, key, NULL);
}

/// Begins to verify with `key`; `digest` is NULL for Ed25519.
static inline int fl_verify_begin(EVP_MD_CTX *context, EVP_PKEY *key, const char *digest) {
  return EVP_DigestVerifyInit_ex(context, NULL, digest, NULL, NULL, key, NULL);
}
