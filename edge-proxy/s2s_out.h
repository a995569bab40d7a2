/*
 * s2s_out - one outbound XMPP server stream to one address: connect, STARTTLS,
 * prove that the partner is who we want, SASL EXTERNAL or server dialback, open
 * (RFC 6120, RFC 7590, XEP-0178, XEP-0220).
 *
 * The partner's row decides what is good enough (proto/negotiation.h); of that
 * the best is taken: EXTERNAL over TLS, dialback over TLS, dialback.  Unless
 * the row permits dialback on plain TCP, STARTTLS is asked for even when it is
 * not offered and nothing goes on in the clear; unless it permits dialback
 * over TLS, nothing goes on with a certificate that does not prove the wanted
 * domain.
 *
 * Where TLS comes at once (XEP-0368) the partner's domain is its SNI and
 * xmpp-server its ALPN; from then on everything is as after STARTTLS.
 *
 * An open stream may be asked to carry further pairs, by dialback.
 *
 * A stream may also be opened to ask the partner whether keys are its own,
 * and for nothing else.
 *
 * Where the partner offers both directions and the gateway of our domain wants
 * them, he is asked for them; what he sends then is told as what comes on
 * inbound streams is (edge-proxy/s2s_out_back.h).
 *
 * Where the partner offers stream management it is enabled, without resumption,
 * and his count reported (XEP-0198).
 *
 * Owns     the connection, the XML parser, its timers.
 * Borrows  loop, clock, hosting, identities, the event table.
 * Ends     on_end fires exactly once for every stream that was handed out;
 *          the stream is freed when it returns.
 * Errors   0 or a negative code.
 */
#ifndef EDGE_S2S_OUT_H
#define EDGE_S2S_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "common/clock.h"
#include "edge-proxy/dialback_ask.h"
#include "edge-proxy/dialback_out.h"
#include "edge-proxy/stream_error.h"
#include "edge-proxy/stream_info.h"
#include "edge-proxy/stream_limits.h"

struct s2s_out;
struct dane_server;
struct hosting;
struct identities;
struct jid;
struct xml_elem;

enum s2s_out_why {
	S2S_OUT_CONNECT,     /* TCP did not come up */
	S2S_OUT_TLS,         /* no TLS, or a certificate of somebody else */
	S2S_OUT_AUTH,        /* the partner did not accept us */
	S2S_OUT_DIALBACK,    /* the same, by dialback: see condition */
	S2S_OUT_ERROR,       /* the partner sent a stream error */
	S2S_OUT_PROTOCOL,    /* the partner does not speak XMPP as it should */
	S2S_OUT_LOST,        /* connection lost, partner silent */
	S2S_OUT_PEER_CLOSED, /* the partner said goodbye */
	S2S_OUT_LOCAL        /* s2s_out_close() */
};

struct s2s_out_end {
	enum s2s_out_why why;
	enum stream_error error; /* with S2S_OUT_ERROR: what the partner sent */
	enum condition condition; /* with S2S_OUT_DIALBACK: for senders */
	bool was_up;
	bool joining; /* a further pair was asking to be let in */
};

struct s2s_out_events {
	/* TCP is up, and the header or TLS on its way.  May be NULL, as the events of
	 * stream management may. */
	void (*on_connected)(struct s2s_out *s, void *arg);
	/* Authenticated: stanzas may be written.  With opts->asks: questions
	 * may be put. */
	void (*on_up)(struct s2s_out *s, void *arg);
	/* The backlog has gone: there is room again. */
	void (*on_drained)(struct s2s_out *s, void *arg);
	/* The partner will count our stanzas (XEP-0198) ... */
	void (*on_managed)(struct s2s_out *s, void *arg);
	/* ... and has taken over the first so many, by s2s_out_stanzas(). */
	void (*on_acknowledged)(struct s2s_out *s, uint64_t count, void *arg);
	/* A stanza of the partner's, on a stream for both directions (XEP-0288),
	 * whose pair is authorised.  from and to are its prepared addresses.
	 * Everything is valid during the call only.  May pause or close the
	 * stream.  May be NULL. */
	void (*on_stanza)(struct s2s_out *s, const struct xml_elem *e,
	    const struct jid *from, const struct jid *to, void *arg);
	/* The stream takes no more: it is closing or its connection has gone.
	 * Fires once for a stream that was up, before on_end.  May be NULL. */
	void (*on_down)(
	    struct s2s_out *s, const struct s2s_out_end *end, void *arg);
	/* s is gone afterwards. */
	void (*on_end)(struct s2s_out *s, const struct s2s_out_end *end,
	    const struct stream_info *info, void *arg);
};

struct s2s_out_opts {
	uv_loop_t *loop;
	struct clock *clock;
	const struct hosting *hosting;
	const struct identities *identities;
	const char *id;    /* name for the channel; copied */
	const char *local; /* comparable forms; copied */
	const char *remote;
	const struct sockaddr *addr; /* of the target; copied */
	const struct sockaddr *bind; /* our address, or NULL; copied */
	bool asks;   /* only to put questions; no pair of ours is let in */
	bool plain;  /* try no TLS, where the row permits to do without */
	bool direct; /* TLS at once, without STARTTLS (XEP-0368) */
	/* What signed DNS says of the server, or NULL; copied.  With TLSA
	 * records nothing is done without TLS, nor under a certificate that
	 * they do not prove, whatever the row permits (RFC 7673 3.4). */
	const struct dane_server *server;
	const struct s2s_out_events *events; /* borrowed, static */
	void *arg;
};

/* On error *out is untouched and no event fires. */
int s2s_out_open(struct s2s_out **out, const struct s2s_out_opts *opts);
/* STREAM_ERR_NONE: goodbye in good order; else with that stream error.  Safe in
 * any state and from any callback; the first reason counts. */
void s2s_out_close(struct s2s_out *s, enum stream_error e, const char *text);

/* One whole stanza of a pair of the stream.  ERR_BAD_STATE when not up; other codes mean
 * that the stream is ending. */
int s2s_out_write(struct s2s_out *s, const void *xml, size_t len);
bool s2s_out_is_up(const struct s2s_out *s);
/* The address it was opened to. */
const struct sockaddr_storage *s2s_out_addr(const struct s2s_out *s);
/* More should wait for on_drained. */
bool s2s_out_backlogged(const struct s2s_out *s);
/* The configuration changed: its times hold from now on. */
void s2s_out_recheck(struct s2s_out *s);
/* What the partner has said that he bears (XEP-0478). */
const struct stream_limits *s2s_out_limits(const struct s2s_out *s);
/* Asks the partner to acknowledge what was written so far, if he counts; many
 * calls make few requests.  Left unanswered for 30 s it ends the stream. */
void s2s_out_request_ack(struct s2s_out *s);
/* The number of the stanza written last. */
uint64_t s2s_out_stanzas(const struct s2s_out *s);
/* Bytes written so far, and how many the partner's TCP has acknowledged. */
uint64_t s2s_out_bytes(const struct s2s_out *s);
uint64_t s2s_out_bytes_acknowledged(const struct s2s_out *s);

/* Puts the question about a key to the partner's server: on a stream that is up,
 * whatever it was opened for.  ERR_BAD_STATE, ERR_FULL. */
int s2s_out_ask(struct s2s_out *s, struct dialback_ask *a);

/* --- further pairs (XEP-0220 2.6) --- */

/* A pair that asks to be let in on a stream that is up; zeroed when idle. */
struct s2s_out_join {
	struct dialback_pair request;
	struct s2s_out *stream;
	struct clock_timer limit;
	/* Not from within s2s_out_join().  reason: for an admin, when the pair
	 * is not in. */
	void (*on_joined)(
	    struct s2s_out_join *j, bool joined, const char *reason);
};

/* Whether the stream may be asked to carry that pair too.  It takes a partner
 * that does dialback errors, and a row that permits dialback on a connection
 * like this one and nothing better than what is had here.  That the pair's
 * domains lead here is for the caller to know. */
bool s2s_out_may_join(
    const struct s2s_out *s, const char *local, const char *remote);
/* Asks for it; j's on_joined is set, local and remote are borrowed.  0: on_joined
 * will tell, in bounded time.  Any error: it stays silent. */
int s2s_out_join(struct s2s_out *s, struct s2s_out_join *j, const char *local,
    const char *remote);
/* on_joined will not fire.  Harmless when nothing is asked. */
void s2s_out_join_cancel(struct s2s_out_join *j);
/* The stream carries the pair no more; others are left. */
void s2s_out_leave(struct s2s_out *s, const char *local, const char *remote);
/* Whether the partner's row still permits how the pair was let in. */
bool
s2s_out_permits(const struct s2s_out *s, const char *local, const char *remote);

/* As s2s_in_rest(). */
void s2s_out_rest(struct s2s_out *s);

/* Notes a proof that the partner has been seen to give (enum proof). */
void s2s_out_add_proof(struct s2s_out *s, unsigned proof);
void s2s_out_info(const struct s2s_out *s, struct stream_info *out);
const char *s2s_out_id(const struct s2s_out *s);

/* The owner hands the stream on: later events go there. */
void s2s_out_set_owner(
    struct s2s_out *s, const struct s2s_out_events *events, void *arg);

#endif
