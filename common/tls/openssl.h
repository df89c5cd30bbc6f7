/* Every OpenSSL header that we use. Include this one and never <openssl/…> itself: OpenSSL has a type ERR_STATE, and so have we
 * a constant of that name; theirs, which no interface needs, gives way. */
#ifndef CULVER_COMMON_TLS_OPENSSL_H
#define CULVER_COMMON_TLS_OPENSSL_H

#define ERR_STATE OPENSSL_ERR_STATE_
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#undef ERR_STATE

#endif
