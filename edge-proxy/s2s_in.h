/*
 * s2s_in - one inbound XMPP server stream, from accept to close
 * (RFC 6120, RFC 7590, XEP-0178, XEP-0220).
 *
 * The partner proves by its certificate, after STARTTLS, that it may speak for
 * the domain in its header's from (SASL EXTERNAL), or by server dialback, with
 * or without TLS, that it may speak for a pair; what of this it is offered,
 * and what is accepted, is what the partner's row permits.  What it may then
 * send is a set of pairs (hosted domain, partner domain); a stanza of another
 * pair, or without valid addresses, ends the stream and is never seen by the
 * owner.
 *
 * On a port for direct TLS (XEP-0368) the handshake comes first: the client's
 * SNI picks the certificate, and of protocols (ALPN) it offers none or
 * xmpp-server.  From then on everything is as after STARTTLS.
 *
 * Stream management is offered, without resumption: what the owner reports as
 * handled is acknowledged (XEP-0198).
 *
 * Owns     the connection, the XML parser, its timers.
 * Borrows  loop, clock, hosting, identities, the event table.
 * Ends     on_end fires exactly once for every stream that was handed out;
 *          the stream is freed when it returns.
 * Errors   0 or a negative code.
 */
#ifndef EDGE_S2S_IN_H
#define EDGE_S2S_IN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "edge-proxy/dialback_ask.h"
#include "edge-proxy/stream_error.h"
#include "edge-proxy/stream_info.h"

struct s2s_in;
struct clock;
struct hosting;
struct identities;
struct jid;
struct resolver_client;
struct xml_elem;

struct s2s_in_events {
	/* STREAM_UP once, then STREAM_UPDATE as often as pairs change.  The
	 * end is told by on_end. */
	void (*on_event)(struct s2s_in *s, enum stream_event ev,
	    const struct stream_info *info, void *arg);
	/* A message, presence or iq in jabber:server whose pair is authorised.
	 * from and to are its prepared addresses.  Everything is valid during
	 * the call only.  May pause or close the stream. */
	void (*on_stanza)(struct s2s_in *s, const struct xml_elem *e,
	    const struct jid *from, const struct jid *to, void *arg);
	/* info->reason and info->condition tell why.  was_up: STREAM_UP had been
	 * reported.  s is gone afterwards. */
	void (*on_end)(struct s2s_in *s, bool was_up,
	    const struct stream_info *info, void *arg);
	/* Whether a pair that has proven itself may come in.  Asked before the
	 * partner is told that it did: what he has to send he can still send
	 * elsewhere, or back.  NULL: always. */
	bool (*may_open)(
	    struct s2s_in *s, const char *local, const char *remote, void *arg);
};

struct s2s_in_opts {
	uv_loop_t *loop;
	struct clock *clock;
	const struct hosting *hosting;
	const struct identities *identities;
	bool direct; /* TLS at once */
	/* Without a listener: a connected socket, and whom it speaks for. */
	int fd;
	const struct sockaddr_storage *peer;
	/* To look for TLSA records of those whom no authority of ours vouches
	 * for, or NULL: nobody does. */
	struct resolver_client *resolver;
	const char *id; /* name for the channel, below STREAM_ID_SIZE; copied */
	/* Puts a question about a key to its domain; NULL: nobody can. */
	dialback_asker *ask;
	void *ask_arg;
	const struct s2s_in_events *events; /* borrowed, static */
	void *arg;
};

/* Accepts the connection pending on listener, or, where that is NULL, takes
 * opts->fd over.  opts is copied.  On error *out is untouched, on_end never
 * fires and fd is still the caller's. */
int s2s_in_open(
    struct s2s_in **out, uv_stream_t *listener, const struct s2s_in_opts *opts);
/* Ends the stream.  STREAM_ERR_NONE and STREAM_ERR_SYSTEM_SHUTDOWN, which are
 * not the partner's fault, say goodbye and still take what he sends until he
 * says goodbye too (5 s at most); a partner who counts stanzas (XEP-0198) is
 * told first when all that came is done with, and keeps what he sends after
 * that.  Anything else, or a second call with an error, is sent as stream
 * error and ends the stream at once.  text may be NULL.  Safe in any state and
 * from any callback; the first reason is the one reported. */
void s2s_in_close(struct s2s_in *s, enum stream_error e, const char *text);

/* Ends it at once and without a word, for want of room. */
void s2s_in_drop(struct s2s_in *s, const char *text);

/* Stop and resume reading, also in the middle of a chunk: after a pause no
 * stanza follows before the resume.  Idempotent, not counted. */
void s2s_in_pause(struct s2s_in *s);
void s2s_in_resume(struct s2s_in *s);

/* Called now and then: ends a stream whose stanza takes too long to come; what
 * nothing came on since the last time gives back the
 * memory that it needs only when something comes. */
void s2s_in_rest(struct s2s_in *s);
/* Bytes of a stanza that has come in part. */
size_t s2s_in_partial(const struct s2s_in *s);

/* The first count of all stanzas that on_stanza brought are done with: what the
 * partner is told who asked for stream management (XEP-0198). */
void s2s_in_handled(struct s2s_in *s, uint64_t count);

/* The configuration changed: drops pairs that are permitted no more and closes
 * the stream when none is left. */
void s2s_in_recheck(struct s2s_in *s);

const char *s2s_in_id(const struct s2s_in *s);
/* xml:lang of the latest stream header: what stanzas without one are written
 * in (RFC 6120 4.7.4).  NULL when there was none. */
const char *s2s_in_language(const struct s2s_in *s);
/* "192.0.2.1", the peer's address without port. */
const char *s2s_in_peer_ip(const struct s2s_in *s);
/* Authenticated and not closing. */
bool s2s_in_is_up(const struct s2s_in *s);
/* Never authenticated, and did not need to: the partner had questions about
 * dialback keys. */
bool s2s_in_only_asked(const struct s2s_in *s);
/* Whom the stream said it was from and for, proven or not; views.  False while it
 * has not said. */
bool s2s_in_claim(const struct s2s_in *s, struct stream_pair *out);
/* Fills a view of the stream as it is now. */
void s2s_in_info(const struct s2s_in *s, struct stream_info *out);
/* Whether the stream may carry stanzas of that pair (comparable domains). */
bool
s2s_in_carries(const struct s2s_in *s, const char *local, const char *remote);

/* Owner's data, NULL at first. */
void s2s_in_set_data(struct s2s_in *s, void *data);
void *s2s_in_data(const struct s2s_in *s);

#endif
