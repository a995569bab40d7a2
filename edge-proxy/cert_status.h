/*
 * cert_status - whether a partner's certificate has been taken back, as the
 * streams process sees it: by the answer stapled to his handshake (RFC 6066 8),
 * and by what the fetcher knows of revocation lists.
 *
 * A stream watches its peer's chain from the handshake on.  Where the setting
 * is soft it goes on at once with what is known, and what is found out counts
 * from then on; where it is hard it waits for the fetcher's word, a few seconds
 * at most.  A stream whose certificate turns out to be revoked hears of it
 * whenever that is.  A certificate that demands a staple (RFC 7633) is nothing
 * without one, whatever the setting.
 *
 * Inbound streams have no staple: OpenSSL does not ask clients for one.
 *
 * Owns     what is known, by chain.
 * Borrows  loop's clock; the line to the fetcher is given by the owner.
 * Ends     cert_status_free(), after the last watch has ended.
 */
#ifndef EDGE_CERT_STATUS_H
#define EDGE_CERT_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>
#include <openssl/ssl.h>

#include "common/clock.h"
#include "common/list.h"
#include "edge-proxy/keeper_wire.h"

struct cert_entry;
struct cert_status;
struct keeper_link;

/* Beside the verdicts of OpenSSL: it will be told. */
enum { CERT_WATCH_WAIT = -1 };

/* One stream's interest; embedded in it. */
struct cert_watch {
	struct list node;
	struct cert_status *status;
	struct cert_entry *entry; /* NULL: watches nothing */
	bool waiting;
	struct clock_timer limit;
	/* After CERT_WATCH_WAIT, once: X509_V_OK or why not.  Later, or without
	 * waiting: X509_V_ERR_CERT_REVOKED. */
	void (*fn)(struct cert_watch *w, long verdict);
};

void cert_watch_init(
    struct cert_watch *w, void (*fn)(struct cert_watch *w, long verdict));
/* After a handshake whose chain was found good.  X509_V_OK, CERT_WATCH_WAIT, or
 * why the certificate is not to be believed.  status may be NULL: nobody is
 * asked. */
long
cert_watch_begin(struct cert_watch *w, struct cert_status *status, SSL *ssl);
void cert_watch_end(struct cert_watch *w);

int cert_status_new(struct cert_status **out, struct clock *clock);
void cert_status_free(struct cert_status *s);
/* hard: who is not known to be good is refused.  ask: the fetcher has lists or
 * fetches them. */
void cert_status_set(struct cert_status *s, bool hard, bool ask);
/* The line to the fetcher; NULL: there is none now. */
void cert_status_attach(struct cert_status *s, struct keeper_link *line);
/* What the fetcher says: KW_JUDGED, KW_ANEW. */
void cert_status_judged(struct cert_status *s, const struct keeper_blob *blobs);
void cert_status_anew(struct cert_status *s);
/* {mode, fetcher, chains, good, revoked, unknown}, or NULL without memory. */
json_t *cert_status_describe(const struct cert_status *s);

#endif
