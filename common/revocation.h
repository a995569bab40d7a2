/*
 * revocation - the authorities' lists of certificates they have taken back
 * (RFC 5280 section 5), and what to do where there is none.
 *
 * Lists come as files of the admin's, in DER or in PEM; a PEM file may hold
 * several.  They are parsed once and shared by every context made with them.
 * Nothing here fetches a list.
 *
 * A certificate that a list names is refused, be that list out of date.  One
 * whose authority has no list in force here passes, unless hard is set.
 *
 * Owns     the lists.
 */
#ifndef COMMON_REVOCATION_H
#define COMMON_REVOCATION_H

#include <stdbool.h>
#include <stddef.h>
#include <openssl/ssl.h>

struct revocation {
	STACK_OF(X509_CRL) * lists; /* NULL: none yet */
	bool hard;
};

/* Adds what a file held; *r begins zeroed.  On error nothing is added and why
 * says what is wrong with the file: "no revocation list in PEM or DER form".
 * ERR_CERT, ERR_NOMEM. */
int revocation_add(
    struct revocation *r, const void *data, size_t len, char *why, size_t size);
void revocation_finish(struct revocation *r);

/* Whether all lists from the one at index first on are in force now.  If not,
 * why has the first that is not: "the list of CN = Some CA has expired, Nov
 * 20 08:00:00 2026 GMT". */
bool revocation_in_force(
    const struct revocation *r, int first, char *why, size_t size);
int revocation_count(const struct revocation *r);

/* Makes verification with ctx obey the lists.  ERR_NOMEM. */
int revocation_set(const struct revocation *r, SSL_CTX *ctx);
/* Whether an error met in a verification is no more than that no list in force
 * speaks of the certificate. */
bool revocation_unknown(int error);

#endif
