/*
 * crl_cache - the revocation lists that certificates point to: fetched when
 * first asked for, verified, kept until they are out of date.
 *
 * A list counts when the authority whose certificate pointed to it has signed
 * it and it is in force.  It is fetched again at half of its life, at the
 * latest after four hours; while that fails the old one serves until its end.
 * What could not be had is not asked for again for a minute.
 *
 * Owns     the lists and the fetches under way.
 * Borrows  the place fetches start from.
 * Bounds   entries, bytes of one list and of all, fetches at a time, time.
 * Ends     crl_cache_free(); no waiter is called after it.
 */
#ifndef EDGE_CRL_CACHE_H
#define EDGE_CRL_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include <openssl/x509.h>

#include "common/list.h"

struct crl_cache;
struct http_fetch_place;

enum crl_cache_answer {
	CRL_CACHE_HELD,   /* *list is in force */
	CRL_CACHE_FAILED, /* it was not to be had, just now */
	CRL_CACHE_COMING  /* the waiter will be called; ask again then */
};

struct crl_waiter {
	struct list node;
	void (*fn)(struct crl_waiter *w);
};
void crl_waiter_init(struct crl_waiter *w, void (*fn)(struct crl_waiter *w));
/* Wants to know no more; harmless when it does not wait. */
void crl_waiter_stop(struct crl_waiter *w);

/* on_change (may be NULL): what crl_cache_describe() tells is another. */
int crl_cache_new(struct crl_cache **out, const struct http_fetch_place *place,
    void (*on_change)(void *arg), void *arg);
void crl_cache_free(struct crl_cache *c);

/* The list at that address for certificates of that issuer.  *list is borrowed
 * until the next turn of the loop; *fresh_s, of one that is held, tells in how
 * many seconds it is worth asking again; why (static or the cache's), of one
 * that failed. */
struct crl_cache_got {
	X509_CRL *list;
	uint32_t fresh_s;
	const char *why;
};
enum crl_cache_answer
crl_cache_get(struct crl_cache *c, struct crl_cache_got *got, const char *url,
    X509 *issuer, struct crl_waiter *w);

/* [{url, state, until, bytes, revoked, why}], or NULL without memory. */
json_t *crl_cache_describe(const struct crl_cache *c);

#endif
