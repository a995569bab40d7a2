/*
 * s2s_out_impl - what the files of an outbound stream share.  Nobody else
 * includes it.
 *
 * s2s_out.c              states, life and end, the owner's side
 * s2s_out_negotiation.c  from our first header to the open stream
 * s2s_out_status.c       whether the certificate has been taken back
 * s2s_out_elements.c     what a partner sends, sorted; the open stream
 * s2s_out_pairs.c        further pairs on the open stream
 * s2s_out_back.c         what comes back on a stream for both directions
 */
#ifndef EDGE_S2S_OUT_IMPL_H
#define EDGE_S2S_OUT_IMPL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/token_bucket.h"
#include "edge-proxy/cert_status.h"
#include "edge-proxy/dane.h"
#include "edge-proxy/dialback_in.h"
#include "edge-proxy/dialback_out.h"
#include "edge-proxy/pair_set.h"
#include "edge-proxy/peer_identity.h"
#include "edge-proxy/s2s_out.h"
#include "edge-proxy/s2s_out_back.h"
#include "edge-proxy/sm_in.h"
#include "edge-proxy/sm_out.h"
#include "edge-proxy/xml_stream.h"

enum out_state {
	OUT_CONNECT,
	OUT_HEADER,
	OUT_FEATURES,
	OUT_PROCEED,
	OUT_TLS,
	OUT_TLS_HEADER,
	OUT_TLS_FEATURES,
	OUT_SASL,
	OUT_DIALBACK,
	OUT_AUTH_HEADER,
	OUT_AUTH_FEATURES,
	OUT_ASKING,
	OUT_OPEN,
	OUT_FAREWELL,
	OUT_SETTLING,
	OUT_GOODBYE,
	OUT_CLOSED,
	OUT_COUNT
};

/* Why nothing is read, in bits. */
enum back_hold {
	BACK_OWNER = 1,
	BACK_SETTLING = 2,
	BACK_RATE = 4,
	BACK_ALL = 7
};

#define S2S_OUT_OVER_TLS     (AUTH_SASL_TLS | AUTH_DIALBACK_TLS)
#define S2S_OUT_DIALBACK_ANY (AUTH_DIALBACK_TLS | AUTH_DIALBACK_TCP)

struct s2s_out {
	uv_loop_t *loop;
	struct clock *clock;
	const struct hosting *hosting;
	const struct identities *identities;
	const struct s2s_out_events *events;
	void *arg;
	struct log log;
	struct conn *conn;
	struct xml_stream *xml;
	enum out_state state;
	struct clock_timer limit; /* of the state */
	struct clock_timer idle;
	struct clock_timer keep_alive;
	uint64_t idle_ms, keep_alive_ms; /* as the settings had them */
	struct clock_timer expiry;       /* of the partner's certificate */
	struct sm_out sm;
	bool sm_offered; /* in the features that came last */

	bool heard;                  /* since s2s_out_rest() looked last */
	struct stream_limits limits; /* as the partner announced them last */
	struct {
		bool open;      /* we have asked for it */
		unsigned holds; /* of enum back_hold: why it is not read */
		struct token_bucket rate;
		struct clock_timer slow; /* until he may go on */
		struct sm_in sm;
		struct dialback_in answers; /* to questions about our keys */
		char language[36];          /* of the partner's header, or "" */
	} back;

	bool tls_wanted; /* start it when the parser has returned */
	bool asks, plain, direct;
	bool secured;
	/* of signed DNS: host leads to host_name or is NULL, tlsa is ours */
	struct dane_server server;
	char host_name[256];
	struct tlsa_set *tlsa;
	struct peer_identity identity;
	struct cert_watch watch;
	const char *unproven; /* why the certificate is not the partner's */
	bool challenged;
	struct dialback_out dialback;
	struct dialback_pair request; /* of the pair it was opened for */
	bool was_up;
	struct s2s_out_end end;
	bool ended; /* end is settled: the first reason counts */

	char id[STREAM_ID_SIZE];
	char local[256], remote[256]; /* the names it was opened with */
	/* What it carries; while it comes up, what it was opened for.  It is
	 * never empty: the end tells whose stream it was. */
	struct pair_set pairs;
	struct sockaddr_storage addr;
	char peer[STREAM_PEER_SIZE];
	const char *tls, *cipher, *auth;
	unsigned proofs;
	char reason[200];
};

/* --- s2s_out.c ----------------------------------------------------------- */

/* The only place that writes s->state. */
void s2s_out_set_state(struct s2s_out *s, enum out_state to);
/* Ends the stream: with a stream error of ours, a closing tag, or neither where
 * no stream exists that could carry them. */
void s2s_out_finish(struct s2s_out *s, enum s2s_out_why why,
    enum stream_error e, const char *text);
/* Why the stream will have ended; the first reason counts. */
void
s2s_out_remember_end(struct s2s_out *s, enum s2s_out_why why, const char *text);
/* Something was written: the stream is not idle. */
void s2s_out_touch(struct s2s_out *s);
/* Something was written or has come. */
void s2s_out_restart_idle(struct s2s_out *s);
/* What ends with the state of being open. */
void s2s_out_leave_open(struct s2s_out *s);
/* Tells the owner once that a stream that was in that state takes no more.  He
 * may hand it on or close it again from there; both are harmless. */
void s2s_out_tell_down(struct s2s_out *s, enum out_state was);

/* --- s2s_out_negotiation.c ----------------------------------------------- */

void s2s_out_send_header(struct s2s_out *s);
/* The partner's header: first, after TLS, or after SASL. */
void s2s_out_on_header(
    struct xml_stream *xs, const struct stream_header *h, void *arg);
void s2s_out_take_features(struct s2s_out *s, const struct xml_elem *e);
void s2s_out_take_tls(struct s2s_out *s, const struct xml_elem *e);
void s2s_out_take_sasl(struct s2s_out *s, const struct xml_elem *e);
void s2s_out_begin_tls(struct s2s_out *s, size_t leftover);
/* The handshake is done: the certificate is judged. */
void s2s_out_judge(struct s2s_out *s);
/* Everything is known of it. */
void s2s_out_go_on(struct s2s_out *s);

/* --- s2s_out_status.c ---------------------------------------------------- */

void s2s_out_init_status(struct s2s_out *s);
/* Whether it has been taken back is asked; true when the answer is waited for,
 * which will then go on. */
bool s2s_out_awaits_status(struct s2s_out *s);

/* --- s2s_out_back.c ------------------------------------------------------ */

void s2s_out_back_init(struct s2s_out *s);
void s2s_out_back_finish(struct s2s_out *s);
/* Asks for both directions, if the partner offers them and they are wanted. */
void s2s_out_back_request(struct s2s_out *s, const struct xml_elem *features);
/* The stream is up. */
void s2s_out_back_begin(struct s2s_out *s);
/* The partner counts, and so do we. */
void s2s_out_back_counted(struct s2s_out *s);
/* A first-level element came; holds the stream when that was too many. */
void s2s_out_back_count_rate(struct s2s_out *s);
void s2s_out_back_take_stanza(struct s2s_out *s, const struct xml_elem *e);
/* <r/>, the only thing that the partner says of his own stanzas. */
void s2s_out_back_take_sm(struct s2s_out *s, const struct xml_elem *e);
/* A dialback element that answers nothing. */
void s2s_out_back_take_dialback(struct s2s_out *s, const struct xml_elem *e);
/* Goodbye from our side, from the partner's: true when there is something to be
 * settled first. */
bool s2s_out_back_settles(struct s2s_out *s);
bool s2s_out_back_stays(struct s2s_out *s);
/* Appends the last word about his stanzas. */
void s2s_out_back_flush(struct s2s_out *s, struct buf *out);

/* --- s2s_out_elements.c -------------------------------------------------- */

extern const struct xml_stream_events s2s_out_xml_events;

#endif
