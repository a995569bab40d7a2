/*
 * sip_transport_impl - what the files of the transport share; for them alone.
 *
 *   sip_transport.c  listeners, the way out, life
 *   sip_peer.c       front ends: connecting to them, back-off, their health
 *   sip_link.c       one TLS connection
 *   sip_hop.c        what concerns one hop: answers of our own, probes
 */
#ifndef FRONTEND_GATEWAY_SIP_SIP_TRANSPORT_IMPL_H
#define FRONTEND_GATEWAY_SIP_SIP_TRANSPORT_IMPL_H

#include <uv.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "frontend-gateway/sip/sip_frame.h"
#include "frontend-gateway/sip/sip_health.h"
#include "frontend-gateway/sip/sip_transport.h"

struct conn;

enum { SIP_PEERS_MAX = SIP_FRONT_ENDS_MAX + 1, SIP_PROBE_BRANCH_SIZE = 40 };

/* One TLS connection. */
struct sip_link {
	struct sip_transport *t;
	struct conn *conn;
	struct list node;
	struct log log;
	struct sip_frame frame;
	struct sip_peer *peer; /* outgoing: whom we call; NULL until proven */
	bool outgoing;
	bool proven;
	bool lost;
	bool broken; /* a write failed; on_end is on its way */
	uint64_t id;
	uint64_t since_ms;
	uint64_t heard_ms, said_ms;
	struct clock_timer idle;
	/* Outgoing: until the next probe, or its answer's time is over. */
	struct clock_timer probe;
	bool probing;
	char probe_branch[SIP_PROBE_BRANCH_SIZE];
};

/* A front end, or the pool as a whole for those that show only its name. */
struct sip_peer {
	struct sip_transport *t;
	size_t index; /* among t->peers */
	char *name;
	struct sockaddr_storage address;
	bool dialled;
	bool wanted;    /* while the front ends change */
	size_t own, up; /* our connections to it; those proven */
	size_t inbound; /* its proven ones to us */
	/* In a row: attempts without proof; connections that were proven and
	 * did not last.  A proof clears the first, time the second. */
	unsigned failures, brief;
	struct clock_timer retry;
	uint64_t retry_at_ms; /* 0 = none is due */
	struct sip_health health;
	struct clock_timer rest;
};

struct sip_listener {
	uv_tcp_t tcp;
	struct sip_transport *t;
};

struct sip_transport {
	struct sip_transport_opts opts;
	char *fqdn, *sent_by, *allow;
	struct log log;
	struct sip_peer *peers[SIP_PEERS_MAX]; /* the pool first; or NULL */
	/* Front ends, then the pool, for matching certificates. */
	const char *names[SIP_PEERS_MAX];
	struct sip_peer *named[SIP_PEERS_MAX];
	size_t peer_count;
	struct sip_listener *listeners;
	size_t listener_count;
	struct list links;
	size_t proven, unproven;
	size_t handles; /* listeners and connections alive */
	uint64_t serial;
	uint64_t turn;             /* spreads what names no dialog */
	const struct sip_tap *tap; /* NULL: nobody looks on */
	bool closing;
};

/* --- sip_transport.c ---------------------------------------------------- */

/* One handle less; with the last one of a closing transport all ends. */
void sip_transport_release(struct sip_transport *t);

/* --- sip_peer.c --------------------------------------------------------- */

/* NULL without memory.  address is NULL for the pool. */
struct sip_peer *sip_peer_add(struct sip_transport *t, size_t index,
    const char *name, const struct sockaddr_storage *address);
/* NULL is allowed. */
void sip_peer_free(struct sip_peer *p);
void sip_peer_list_names(struct sip_transport *t);
/* Starts the connections that are missing: a second one only when there is a
 * first. */
void sip_peer_dial(struct sip_peer *p);
/* A connection of ours is proven; was lost, proven or not. */
void sip_peer_on_up(struct sip_peer *p);
void
sip_peer_on_lost(struct sip_peer *p, const struct sip_link *l, const char *why);
/* After each thing told to p->health: says on the log what has changed. */
void sip_peer_tell(struct sip_peer *p, enum sip_health_state before);

/* --- sip_link.c --------------------------------------------------------- */

/* A connection to p; a failure is told to p by the caller. */
int sip_link_dial(struct sip_peer *p);
void sip_link_accept(struct sip_transport *t, uv_stream_t *listener);
/* Ends it, for that reason. */
void sip_link_drop(struct sip_link *l, const char *why);
/* A failure is told to the owner later: never from within a call of the
 * owner's. */
int sip_link_write(struct sip_link *l, const void *data, size_t len);
/* Whether it may carry messages. */
bool sip_link_is_usable(const struct sip_link *l);

/* --- sip_hop.c ---------------------------------------------------------- */

void sip_hop_init(struct sip_link *l);
/* A framed message: answered here, or handed up. */
void sip_hop_take(struct sip_link *l, const struct sip_frame_item *item);
/* Starts asking a new connection of ours whether it is alive. */
void sip_hop_watch(struct sip_link *l);
/* Asks now. */
void sip_hop_probe(struct sip_link *l);

#endif
