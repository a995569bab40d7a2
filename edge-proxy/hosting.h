/*
 * hosting - what the gateways told this edge: hosted domains, partners, limits,
 * timers, secrets.  Kept in memory only.
 *
 * Each gateway node that holds a channel owns one configuration generation.
 * Of two that claim one hosted domain the higher epoch is obeyed.  Look-ups
 * are by comparable domain (common/jid.h) and exact: a sub-domain is another
 * domain.  Pointers handed out are valid until the next change
 * (hosting_on_change) and must not be kept.
 */
#ifndef EDGE_HOSTING_H
#define EDGE_HOSTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "proto/negotiation.h"

struct hosting;
struct frame;
struct buf;

enum partner_type {
	PARTNER_FEDERATED,
	PARTNER_PUBLIC_VERIFIED,
	PARTNER_PUBLIC_UNVERIFIED
};

/* One allowed domain; additional domains of a partner have rows of their
 * own that differ in domain only. */
struct partner {
	char domain[256];
	char primary[256]; /* of the same row; names the partner */
	enum partner_type type;
	enum negotiation tls;
	enum negotiation sasl;
	bool dialback;
	unsigned methods; /* AUTH_ bits that the three permit; never 0 */
	bool keep_alive;
	char proxy_fqdn[256];      /* "" = by SRV */
	uint32_t connection_limit; /* for all domains of the row together */
};

struct hosting_settings {
	uint64_t stream_establishment_ms;
	uint64_t stream_inactivity_ms;
	uint64_t stream_silence_ms; /* of a partner's TCP, outward */
	uint64_t keep_alive_ms;     /* a partner has to be heard of */
	bool bidi;                  /* streams may go both ways (XEP-0288) */
	bool bodies; /* texts may be logged, if this edge's file agrees */
	uint64_t inward_deadline_ms;  /* result of an inward stanza */
	uint64_t outward_deadline_ms; /* proof of an outward stanza */
	uint32_t inward_window;       /* stanzas a stream may run ahead */
	uint32_t stanza_max;          /* bytes */
	uint32_t connection_limit;
	uint32_t half_open_limit;   /* not authenticated, of strangers */
	uint32_t address_limit;     /* of one address */
	uint32_t address_half_open; /* the same, not authenticated */
	uint32_t stanza_rate;       /* a second, on one stream; 0 = any */
	uint64_t memory_max;        /* bytes, of all streams together */
	uint32_t queue_frames;      /* per route while connecting */
	uint32_t queue_bytes;
	char language[36]; /* of texts in several, the one to choose */
};

int hosting_new(struct hosting **out);
void hosting_free(struct hosting *h);

bool hosting_serves(const struct hosting *h, const char *ascii);
/* NULL when the domain is not a listed partner of that hosted domain. */
const struct partner *hosting_partner(const struct hosting *h,
    const char *hosted_ascii, const char *partner_ascii);
/* The AUTH_ bits permitted between the two; 0 when they are no partners. */
unsigned hosting_methods(const struct hosting *h, const char *hosted_ascii,
    const char *partner_ascii);
/* Those that some partner of the hosted domain may use. */
unsigned hosting_all_methods(const struct hosting *h, const char *hosted_ascii);
/* Settings of the gateway that owns the hosted domain; never NULL (defaults
 * when nobody owns it). */
const struct hosting_settings *
hosting_settings(const struct hosting *h, const char *hosted_ascii);
/* Node name of the gateway that owns the hosted domain, or NULL. */
const char *hosting_owner(const struct hosting *h, const char *hosted_ascii);

/* Dialback secrets (hex) of the gateway that owns the hosted domain; false when
 * it gave none.  *previous is NULL when there is no older one. */
bool hosting_dialback(const struct hosting *h, const char *hosted_ascii,
    const char **current, const char **previous);
/* What holds for all of whom nothing is known yet, or for all together: of each
 * the most that any gateway permits. */
struct hosting_bounds {
	size_t connections; /* inbound; as many may be outbound */
	size_t half_open;
	size_t address, address_half_open;
	size_t memory_max;
};
void hosting_bounds(const struct hosting *h, struct hosting_bounds *out);
/* How long whoever connects may take until it is known for whom he comes: the
 * longest any gateway permits. */
uint64_t hosting_establishment_ms(const struct hosting *h);
/* Whether a gateway that is not absent owns a domain: there is somebody to
 * receive for. */
bool hosting_open(const struct hosting *h);

/* Takes the config frame of a node.  Writes the confirm frame to send back
 * into confirm.  A generation whose number was seen with another hash, or a
 * number lower than the one in force from the same store, is refused.
 * 0, ERR_CONFIG (refused, nothing changed, confirm says why), ERR_NOMEM
 * (nothing to send; nothing changed, or all of it did). */
int hosting_apply(struct hosting *h, const char *node, const char *store,
    uint64_t epoch, const struct frame *config, struct buf *confirm);
/* How many of its domains the node lost to a higher epoch; that can change
 * whenever another node's configuration does. */
size_t hosting_fenced(const struct hosting *h, const char *node);
/* For an operator: {epoch, generation, domains, fenced} of the node, or NULL
 * when it has no configuration here. */
json_t *hosting_describe(const struct hosting *h, const char *node);
/* The confirm frame for what is in force of the node.  ERR_NOT_FOUND, ERR_NOMEM.
 */
int
hosting_confirm(const struct hosting *h, const char *node, struct buf *confirm);
/* An absent node keeps its domains only as long as no other node claims them. */
void hosting_set_absent(struct hosting *h, const char *node, bool absent);
/* The node is gone for good; its domains are served no longer. */
void hosting_drop(struct hosting *h, const char *node);

typedef void hosting_change_fn(void *arg);
/* Called after every change. */
void hosting_on_change(struct hosting *h, hosting_change_fn *fn, void *arg);

#endif
