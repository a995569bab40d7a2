/*
 * s2s_in_impl - what the files of an inbound stream share.  Nobody else
 * includes it.
 *
 * s2s_in.c              states, life and end, the owner's side
 * s2s_in_negotiation.c  from the first header to the first pair
 * s2s_in_dane.c         TLSA records of who dials us
 * s2s_in_status.c       whether the certificate has been taken back
 * s2s_in_elements.c     what a partner sends, sorted; the open stream
 * s2s_in_flow.c         when he is read, and when he has to wait
 * s2s_in_back.c         the way back on a stream for both directions
 */
#ifndef EDGE_S2S_IN_IMPL_H
#define EDGE_S2S_IN_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/tls_accept.h"
#include "common/token_bucket.h"
#include "edge-proxy/addressing.h"
#include "edge-proxy/cert_status.h"
#include "edge-proxy/dane_lookup.h"
#include "edge-proxy/dialback_in.h"
#include "edge-proxy/pair_set.h"
#include "edge-proxy/peer_identity.h"
#include "edge-proxy/s2s_in.h"
#include "edge-proxy/s2s_in_back.h"
#include "edge-proxy/sm_in.h"
#include "edge-proxy/sm_out.h"
#include "edge-proxy/stream_limits.h"
#include "edge-proxy/xml_stream.h"

struct conn;

enum { S2S_IN_LANGUAGE_SIZE = 36 };

enum in_state {
	IN_HEADER,
	IN_STARTTLS,
	IN_TLS,
	IN_TLS_HEADER,
	IN_LOOKUP,
	IN_AUTH,
	IN_RESPONSE,
	IN_AUTH_HEADER,
	IN_OPEN,
	IN_FAREWELL,
	IN_SETTLING,
	IN_GOODBYE,
	IN_CLOSED,
	IN_COUNT
};

/* Why a partner is not read. */
enum in_hold {
	HOLD_OWNER = 1,
	HOLD_SETTLING = 2,
	HOLD_RATE = 4,
	HOLD_BACKLOG = 8,
	HOLD_LOOKUP = 16,
	HOLD_STATUS = 32,
	HOLD_ALL = 63
};

/* Of streams that come and go, in the log, a minute, for each address. */
enum { S2S_IN_STREAM_LINES = 300 };

struct s2s_in {
	struct s2s_in_opts opts;
	struct log log;
	struct conn *conn;
	struct xml_stream *xml;
	enum in_state state;
	struct clock_timer limit;     /* of the state */
	struct clock_timer establish; /* of all states before open */
	struct clock_timer idle;
	struct clock_timer silence;   /* a keep-alive of the partner's is due */
	uint64_t idle_ms, silence_ms; /* what they were started with; 0 = not */
	struct clock_timer expiry;    /* of the partner's certificate */
	uint64_t accepted_ms;

	struct tls_accept accept; /* with direct TLS */
	struct stream_ends ends;
	struct peer_identity identity;
	struct dane_lookup *lookup; /* in IN_LOOKUP */
	struct cert_watch watch;
	bool held; /* the header after TLS is in, the watch waits */
	struct pair_set pairs;
	struct sm_in sm;
	struct dialback_in dialback;
	struct {
		bool offered;
		bool open; /* the partner has asked for it */
		struct sm_out sm;
		struct stream_limits limits; /* the partner's */
		struct clock_timer keep_alive;
		unsigned proofs;                         /* as in stream_info */
		const struct s2s_in_back_events *events; /* NULL: unused */
		void *arg;
	} back;
	unsigned auth_failures;
	bool header_sent; /* in the stream life that is going on */
	bool tls_wanted;  /* start it when the parser has returned */
	bool secured;
	bool external; /* is offered */
	bool old;      /* the partner's header has no version */
	bool was_up;
	unsigned holds; /* of enum in_hold: why he is not read */
	struct token_bucket rate;
	struct clock_timer slow; /* until he may go on */
	bool heard;              /* since s2s_in_rest() looked last */
	uint64_t whole_ms; /* when nothing of a stanza waited for its rest */
	void *data;

	char id[STREAM_ID_SIZE];
	char peer[STREAM_PEER_SIZE];
	char language[S2S_IN_LANGUAGE_SIZE]; /* of the latest header, or "" */
	const char *tls, *cipher, *auth;
	enum stream_error error; /* why it ends */
	char reason[200];
};

/* --- s2s_in.c ------------------------------------------------------------ */

/* The only place that writes s->state. */
void s2s_in_set_state(struct s2s_in *s, enum in_state to);
/* Sends the error, if there is one, and the closing tag; then closes.  text is
 * for the log and, where it is ours to tell, for the partner. */
void s2s_in_finish(struct s2s_in *s, enum stream_error e, const char *text);
/* Why the stream will have ended; the first reason counts. */
void
s2s_in_remember_end(struct s2s_in *s, enum stream_error e, const char *text);
/* Settling, and the partner knows of all that is done with: goodbye. */
void s2s_in_settled(struct s2s_in *s);
/* Something was sent or has come. */
void s2s_in_restart_idle(struct s2s_in *s);
/* The stream ends when what proves the partner expires. */
void s2s_in_watch_expiry(struct s2s_in *s);
/* ... and it has come from the partner. */
void s2s_in_heard(struct s2s_in *s);
/* Either side sends something now and then (EnableKeepAlive). */
bool s2s_in_keeps_alive(const struct s2s_in *s);
/* What we bear of the partner (XEP-0478). */
struct stream_limits s2s_in_limits(const struct s2s_in *s);
void s2s_in_tell(struct s2s_in *s, enum stream_event ev);
/* The parser has returned from bytes or a resume. */
void s2s_in_after_parsing(struct s2s_in *s, int rc);

/* --- s2s_in_negotiation.c ------------------------------------------------ */

/* Before the first pair can come by dialback. */
void s2s_in_init_dialback(struct s2s_in *s);
/* What he for whom the partner comes grants, from the beginning on; as long as
 * nobody is named, the longest that anybody does. */
void s2s_in_limit_establishment(struct s2s_in *s);
void s2s_in_put_header(struct s2s_in *s, struct buf *out);
/* The partner's header: first, after TLS, or after SASL. */
void s2s_in_on_header(
    struct xml_stream *xs, const struct stream_header *h, void *arg);
/* After TLS: what the partner may do follows from what he has proven. */
/* After TLS the certificate decides what can be offered. */
void s2s_in_offer_auth(struct s2s_in *s);
void s2s_in_take_starttls(struct s2s_in *s);
void s2s_in_take_sasl(struct s2s_in *s, const struct xml_elem *e);

/* --- s2s_in_dane.c ------------------------------------------------------- */

/* Whether what he is offered waits for a look-up, which has begun. */
bool s2s_in_look_up(struct s2s_in *s);
void s2s_in_drop_lookup(struct s2s_in *s);

/* --- s2s_in_status.c ----------------------------------------------------- */

void s2s_in_init_status(struct s2s_in *s);
/* The handshake is done, the certificate read. */
void s2s_in_judge_status(struct s2s_in *s);
/* The header after TLS is in: true when it has to wait for the status, which
 * will then go on from here. */
bool s2s_in_hold_for_status(struct s2s_in *s);

/* --- s2s_in_back.c ------------------------------------------------------- */

void s2s_in_back_init(struct s2s_in *s);
void s2s_in_back_finish(struct s2s_in *s);
/* It is permitted that the partner asks for both directions. */
bool s2s_in_back_may_offer(const struct s2s_in *s);
/* He does. */
void s2s_in_back_request(struct s2s_in *s, const struct xml_elem *e);
/* The stream is up. */
void s2s_in_back_begin(struct s2s_in *s);
/* Other times hold for it, or none. */
void s2s_in_back_keep_alive(struct s2s_in *s);
/* He counts from now on what we send. */
void s2s_in_back_counted(struct s2s_in *s);
void s2s_in_back_take_ack(struct s2s_in *s, const struct xml_elem *a);
/* The connection has room again. */
void s2s_in_back_drained(struct s2s_in *s);
/* The stream is open no more: tells it once. */
void s2s_in_back_lost(struct s2s_in *s);

/* --- s2s_in_elements.c --------------------------------------------------- */

extern const struct xml_stream_events s2s_in_xml_events;
/* The count has grown, and this turn of the loop is over. */
void s2s_in_on_handled(struct clock_timer *t, void *arg);

/* --- s2s_in_flow.c ------------------------------------------------------- */

void s2s_in_hold(struct s2s_in *s, enum in_hold why);
/* which: bits of enum in_hold. */
void s2s_in_let_go(struct s2s_in *s, unsigned which);
/* A first-level element came; holds the stream when that was too many. */
void s2s_in_count_rate(struct s2s_in *s);
void s2s_in_on_slow_over(struct clock_timer *t, void *arg);
void s2s_in_on_backlog(struct conn *c, void *arg);
void s2s_in_on_drained(struct conn *c, void *arg);

#endif
