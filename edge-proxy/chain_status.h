/*
 * chain_status - a chain of certificates, as it goes from one process to
 * another, is checked, and looked for in revocation lists (RFC 5280 6.3).
 * Pure.
 */
#ifndef EDGE_CHAIN_STATUS_H
#define EDGE_CHAIN_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/x509.h>

struct buf;

enum { CHAIN_STATUS_BYTES_MAX = 64 * 1024, CHAIN_STATUS_KEY = 32 };

/* Appends the certificates, the leaf first, in DER one after the other.
 * ERR_FULL, ERR_NOMEM. */
int chain_status_write(struct buf *out, const STACK_OF(X509) * chain);
/* The other way; the stack and what is in it are the caller's.
 * ERR_MALFORMED, ERR_NOMEM. */
int chain_status_read(STACK_OF(X509) * *out, const void *der, size_t len);
/* The name by which two processes speak of a chain: a hash of the bytes. */
void chain_status_key(
    uint8_t out[static CHAIN_STATUS_KEY], const void *der, size_t len);

/* From the leaf to a trusted root, as a server's certificate; the caller's.
 * ERR_CERT with why (static), when it leads to none. */
int chain_status_verify(STACK_OF(X509) * *out, const STACK_OF(X509) * sent,
    X509_STORE *trust, const char **why);

struct chain_status {
	/* X509_V_OK: no list names any of them, and each is spoken of;
	 * X509_V_ERR_CERT_REVOKED; else why not all are spoken of. */
	int verdict;
	int depth; /* of the certificate the verdict is about */
};

/* Looks a verified chain up; the root itself is not asked about.  leaf_known:
 * that of the first one is not needed.  ERR_NOMEM. */
int chain_status_judge(struct chain_status *out, const STACK_OF(X509) * chain,
    X509_STORE *trust, STACK_OF(X509_CRL) * lists, bool leaf_known);

#endif
