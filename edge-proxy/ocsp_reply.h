/*
 * ocsp_reply - what an authority says of one certificate at one time
 * (RFC 6960), stapled to a handshake (RFC 6066 8) or fetched.  Pure.
 *
 * An answer counts when it is signed by the certificate's issuer, or by one
 * whom that has appointed for it, speaks of this very certificate, and is in
 * force.  Nonces are not asked for: answers are made ahead and shared.
 */
#ifndef EDGE_OCSP_REPLY_H
#define EDGE_OCSP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/x509.h>

struct buf;

enum { OCSP_REPLY_MAX = 64 * 1024 };

enum ocsp_said { OCSP_SAID_GOOD, OCSP_SAID_REVOKED, OCSP_SAID_UNKNOWN };

struct ocsp_reply {
	enum ocsp_said said;
	int64_t from_ms, until_ms; /* since 1970 */
};

/* Whose answer is wanted; all of it borrowed. */
struct ocsp_about {
	X509 *cert, *issuer;
	X509_STORE *trust;
};

/* Judges an answer at the time now_ms.  ERR_CERT with why (static): it says
 * nothing that counts. */
int ocsp_reply_read(struct ocsp_reply *out, const void *der, size_t len,
    const struct ocsp_about *about, int64_t now_ms, const char **why);

/* The question for it.  ERR_NOMEM. */
int ocsp_reply_ask(struct buf *out, X509 *cert, X509 *issuer);

/* Whether the certificate wants to be shown with an answer stapled to it
 * (RFC 7633, status_request). */
bool ocsp_reply_is_demanded(X509 *cert);

#endif
