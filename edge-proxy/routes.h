/*
 * routes - the way out: for each pair (hosted domain, partner domain) one
 * outbound stream, or the queue that waits for it.
 *
 * A stanza given to routes_send() is settled exactly once by on_settled:
 * delivered with the best proof the partner can give, or failed with the
 * condition its sender gets (RFC 6120 10.4.3).  Stanzas of one pair are written
 * in the order they were given.  Queues are bounded in stanzas and bytes by the
 * hosting settings; a full one fails what comes (resource-constraint).  After a
 * failed attempt the pair is in back-off for a random time that grows with each
 * failure; what comes meanwhile fails at once.  It is over when the partner
 * comes to us (routes_heard).
 *
 * Proof: a stanza with a barrier is delivered when the ping of that or a later
 * id of the same stream has been answered (routes_proof), or, where the
 * partner answers no pings, when his XEP-0198 count covers it, or, where he does
 * not count, when his TCP has acknowledged the bytes (barrier_stream.h).  A stanza
 * without one is delivered when the stream has taken it.
 *
 * Owns     the streams and attempts, copies of the stanzas, its timers.
 * Borrows  loop, clock, resolver, hosting, identities.
 * Ends     routes_close() fails all that is unsettled, then on_closed fires
 *          once, when the last connection is gone; the memory goes after it.
 * Errors   0 or a negative code.
 */
#ifndef EDGE_ROUTES_H
#define EDGE_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "edge-proxy/stream_info.h"

struct channel_result;
struct clock;
struct dane_conf;
struct dialback_ask;
struct hosting;
struct identities;
struct reach;
struct jid;
struct resolver_client;
struct routes;
struct s2s_in;
struct s2s_out;
struct xml_elem;

struct route_stanza {
	const char *local;  /* hosted domain, comparable form */
	const char *remote; /* partner domain, comparable form */
	const void *xml;    /* one serialised stanza, namespace jabber:server */
	size_t len;
	const char *barrier; /* id of the ping behind it, or NULL */
	void *cookie;        /* names it; unique while unsettled */
};

struct routes_opts {
	uv_loop_t *loop;
	struct clock *clock;
	struct resolver_client *resolver;
	const struct hosting *hosting;
	const struct identities *identities;
	/* Source addresses; AF_UNSPEC (0) means any. */
	struct sockaddr_storage outgoing4, outgoing6;
	const struct reach *reach; /* borrowed; may change */
	/* Whether signed DNS has a part; the same.  NULL: none. */
	const struct dane_conf *dane;
	/* Writes a new stream name (STREAM_ID_SIZE bytes). */
	void (*make_id)(char *out, void *arg);
	/* May fire from within routes_send(), routes_proof() and the like;
	 * r is borrowed for the call. */
	void (*on_settled)(
	    void *arg, void *cookie, const struct channel_result *r);
	/* Outbound streams: up, update, down, failed. */
	stream_event_fn *on_event;
	/* Stanzas of a pair were written to a stream, in the order of writing;
	 * pings of ours are among them.  May be NULL. */
	void (*on_written)(void *arg, const char *stream, const char *local,
	    const char *remote, const void *xml, size_t len);
	/* What a partner sends on a stream of ours that goes both ways
	 * (XEP-0288); as s2s_in_events.on_stanza.  *inlet is NULL at first, and
	 * then what the owner leaves there; the end of the stream is told with
	 * it unless it is NULL.  NULL: nobody takes it. */
	void (*on_returned)(void *arg, struct s2s_out *s, void **inlet,
	    const struct xml_elem *e, const struct jid *from,
	    const struct jid *to);
	void (*on_returns_end)(void *arg, void *inlet);
	/* Whether a stream of the partner's own is up.  NULL: nobody knows. */
	bool (*is_here)(void *arg, const char *remote);
	void (*on_closed)(void *arg);
	void *arg;
};

int routes_open(struct routes **out, const struct routes_opts *opts);
/* Says goodbye on every stream. */
void routes_close(struct routes *r);

/* Takes a stanza; everything is copied.  0: on_settled will tell (or has told).
 * ERR_NOMEM, ERR_EXISTS (cookie in use), ERR_TOO_LONG (barrier), ERR_CLOSED
 * (after routes_close): not taken, on_settled stays silent. */
int routes_send(struct routes *r, const struct route_stanza *s);
/* The gateway tries what the stream of a pair can prove: s->barrier is sent as
 * a ping of its own (xml is ignored).  Settled like a stanza: delivered by
 * PROOF_PING when the proof comes; delivered by PROOF_ACK or PROOF_TCP when the
 * partner answered none within 10 s; failed when no stream is up. */
int routes_probe(struct routes *r, const struct route_stanza *s);
/* The gateway has verified the answer to a ping of ours.  Settles what it
 * covers; an id that is not outstanding is ignored. */
void routes_proof(struct routes *r, const char *barrier);
/* A gateway node came back as a new boot: answers to the pings with its ids
 * ("sp1-<node>-...") can no longer be verified.  What they covered waits for
 * the next barrier or its withdrawal. */
void routes_forget_pings(struct routes *r, const char *node);
/* A stream of a partner's is up on which stanzas may go back (s2s_in_back.h):
 * the pairs that it carries may use it, as long as it lasts. */
void routes_add_back(struct routes *r, struct s2s_in *s);
/* The partner's domain has authenticated on a stream of its own. */
void routes_heard(struct routes *r, const char *remote);
/* Puts a question about a dialback key to the authoritative server of its remote
 * domain.  As dialback_asker (edge-proxy/dialback_ask.h). */
int routes_verify(struct routes *r, struct dialback_ask *a);
/* The owner has given up on a stanza: on_settled will not fire.  A stanza that
 * still waits in the queue is not sent.  False when the cookie is unknown
 * (settled already). */
bool routes_withdraw(struct routes *r, void *cookie);
/* The configuration changed: closes streams and fails queues of pairs that are
 * permitted no more. */
void routes_recheck(struct routes *r);

typedef void routes_each_fn(const struct stream_info *info, void *arg);
/* Every outbound stream that is up. */
void routes_each_stream(struct routes *r, routes_each_fn *fn, void *arg);
/* A pair that is left alone for a while. */
struct routes_waiting {
	const char *local, *remote;
	const char *reason;
	unsigned failures; /* in a row */
	uint64_t left_ms;
};
typedef void routes_waiting_fn(const struct routes_waiting *w, void *arg);
void
routes_each_waiting(const struct routes *r, routes_waiting_fn *fn, void *arg);
/* From now on no pair may have more stanzas waiting than that, whatever is
 * configured; 0: than is configured. */
void routes_limit_queues(struct routes *r, size_t stanzas);
/* Called now and then: idle streams give back memory that they do not need. */
void routes_rest(struct routes *r);
/* Stanzas not yet settled. */
size_t routes_unsettled(const struct routes *r);

#endif
