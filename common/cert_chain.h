/*
 * cert_chain - what concerns a whole chain of certificates.  Pure.
 */
#ifndef COMMON_CERT_CHAIN_H
#define COMMON_CERT_CHAIN_H

#include <stdint.h>
#include <openssl/x509.h>

/* When the first of them expires, in ms since 1970; INT64_MAX without any
 * (NULL too), or without a date that can be read. */
int64_t cert_chain_end_ms(const STACK_OF(X509) * chain);

#endif
