/*
 * s2s_out - one outbound XMPP server stream.
 *
 *   connect ─► header ─► features ─► proceed ─► tls ─► tls-header ─►
 *   tls-features ─► sasl ─► auth-header ─► auth-features ─► open ─► goodbye
 *                     └► dialback ─► open
 *                                    (closed is reached from everywhere)
 *
 * A stream for both directions on which the partner waits to be told what has
 * become of his stanzas goes from open to goodbye by settling; when it is he who
 * says goodbye, to closed by farewell.
 *
 * With direct TLS, tls follows on connect.
 *
 * The normal path reads off the states; how it is chosen tells
 * s2s_out_negotiation.c.
 *
 * How it can fail: the connection ends (on_end sorts by state what that means),
 * the partner sends a stream error or a failure, a step takes too long, or the
 * bytes are not a stream.  Each has one s2s_out_why, from which the owner
 * derives whether another target is worth trying and what senders are told.
 */
#include "edge-proxy/s2s_out_impl.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/conn.h"
#include "common/err.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/stream_wire.h"
#include "edge-proxy/stream_xml.h"
#include "edge-proxy/tlsa.h"

enum {
	CONNECT_MS = 8000,
	STEP_MS = 10000,
	DIALBACK_MS = 30000, /* the partner has somebody to ask */
	GOODBYE_MS = 5000
};

#define BIT(n) (1u << (n))

static const struct {
	const char *name;
	unsigned next;
	unsigned limit_ms; /* time allowed here; 0 = no limit of its own */
} states[OUT_COUNT] = {
	/* the connection has its own limit for connecting */
	[OUT_CONNECT] = { "connect",
	    BIT(OUT_HEADER) | BIT(OUT_TLS) | BIT(OUT_CLOSED), 0 },
	[OUT_HEADER] = { "header", BIT(OUT_FEATURES) | BIT(OUT_CLOSED),
	    STEP_MS },
	[OUT_FEATURES] = { "features",
	    BIT(OUT_PROCEED) | BIT(OUT_DIALBACK) | BIT(OUT_ASKING) |
		BIT(OUT_CLOSED),
	    STEP_MS },
	[OUT_PROCEED] = { "proceed", BIT(OUT_TLS) | BIT(OUT_CLOSED), STEP_MS },
	[OUT_TLS] = { "tls", BIT(OUT_TLS_HEADER) | BIT(OUT_CLOSED), STEP_MS },
	[OUT_TLS_HEADER] = { "tls-header",
	    BIT(OUT_TLS_FEATURES) | BIT(OUT_CLOSED), STEP_MS },
	[OUT_TLS_FEATURES] = { "tls-features",
	    BIT(OUT_SASL) | BIT(OUT_DIALBACK) | BIT(OUT_ASKING) |
		BIT(OUT_CLOSED),
	    STEP_MS },
	[OUT_SASL] = { "sasl",
	    BIT(OUT_AUTH_HEADER) | BIT(OUT_DIALBACK) | BIT(OUT_CLOSED),
	    STEP_MS },
	[OUT_DIALBACK] = { "dialback", BIT(OUT_OPEN) | BIT(OUT_CLOSED),
	    DIALBACK_MS },
	[OUT_AUTH_HEADER] = { "auth-header",
	    BIT(OUT_AUTH_FEATURES) | BIT(OUT_CLOSED), STEP_MS },
	[OUT_AUTH_FEATURES] = { "auth-features",
	    BIT(OUT_OPEN) | BIT(OUT_CLOSED), STEP_MS },
	[OUT_ASKING] = { "asking", BIT(OUT_CLOSED), 0 },
	[OUT_OPEN] = { "open",
	    BIT(OUT_FAREWELL) | BIT(OUT_SETTLING) | BIT(OUT_GOODBYE) |
		BIT(OUT_CLOSED),
	    0 },
	[OUT_FAREWELL] = { "farewell", BIT(OUT_CLOSED), GOODBYE_MS },
	[OUT_SETTLING] = { "settling", BIT(OUT_GOODBYE) | BIT(OUT_CLOSED),
	    GOODBYE_MS },
	[OUT_GOODBYE] = { "goodbye", BIT(OUT_CLOSED), GOODBYE_MS },
	[OUT_CLOSED] = { "closed", 0, 0 },
};

void
s2s_out_set_state(struct s2s_out *s, enum out_state to)
{
	assert(states[s->state].next & BIT(to));
	log_debug(&s->log, "state", "from=%s to=%s", states[s->state].name,
	    states[to].name);
	s->state = to;
	clock_timer_stop(&s->limit);
	if (states[to].limit_ms != 0)
		clock_timer_start(&s->limit, states[to].limit_ms);
}

/* --- the end ------------------------------------------------------------- */

void
s2s_out_remember_end(struct s2s_out *s, enum s2s_out_why why, const char *text)
{
	if (s->ended)
		return;
	s->ended = true;
	s->end.why = why;
	s->end.was_up = s->was_up;
	s->end.joining = s->was_up && !list_empty(&s->dialback.pairs);
	snprintf(s->reason, sizeof(s->reason), "%s", text);
}

void
s2s_out_leave_open(struct s2s_out *s)
{
	clock_timer_stop(&s->idle);
	clock_timer_stop(&s->keep_alive);
	clock_timer_stop(&s->expiry);
	sm_out_finish(&s->sm);
}

void
s2s_out_tell_down(struct s2s_out *s, enum out_state was)
{
	if (was == OUT_OPEN && s->events->on_down != NULL)
		s->events->on_down(s, &s->end, s->arg);
}

/* Servers use a stream error for what XEP-0220 has a dialback error for. */
static void
fail_dialback(struct s2s_out *s, const char *reason)
{
	bool unknown = s->end.error == STREAM_ERR_HOST_UNKNOWN ||
		       s->end.error == STREAM_ERR_HOST_GONE;

	dialback_out_fail(&s->dialback,
	    unknown ? COND_REMOTE_SERVER_NOT_FOUND : COND_REMOTE_SERVER_TIMEOUT,
	    reason);
}

void
s2s_out_finish(struct s2s_out *s, enum s2s_out_why why, enum stream_error e,
    const char *text)
{
	enum out_state was = s->state;
	bool in_stream = was == OUT_HEADER || was == OUT_FEATURES ||
			 was == OUT_PROCEED || was >= OUT_TLS_HEADER;
	struct buf out;

	if (was == OUT_CLOSED)
		return;
	s2s_out_remember_end(s, why, text);
	s2s_out_set_state(s, OUT_CLOSED);
	s2s_out_leave_open(s);
	cert_watch_end(&s->watch);
	fail_dialback(s, text);
	if (!in_stream) {
		conn_abort(s->conn, CONN_END_LOCAL);
	} else {
		buf_init(&out, 0);
		if (was != OUT_GOODBYE)
			s2s_out_back_flush(s, &out);
		if (e != STREAM_ERR_NONE)
			stream_xml_error(&out, e, text);
		if (was != OUT_GOODBYE)
			stream_xml_goodbye(&out);
		stream_wire_flush(s->conn, &out);
		conn_close(s->conn, CONN_END_LOCAL);
	}
	s2s_out_tell_down(s, was);
}

void
s2s_out_close(struct s2s_out *s, enum stream_error e, const char *text)
{
	if (text == NULL)
		text =
		    e != STREAM_ERR_NONE ? stream_error_str(e) : "closed by us";
	if (e != STREAM_ERR_NONE || s->state != OUT_OPEN) {
		if (s->state < OUT_FAREWELL || e != STREAM_ERR_NONE)
			s2s_out_finish(s, S2S_OUT_LOCAL, e, text);
		return;
	}
	s2s_out_remember_end(s, S2S_OUT_LOCAL, text);
	s2s_out_leave_open(s);
	if (!s2s_out_back_settles(s)) {
		stream_wire_send(s->conn, stream_xml_goodbye);
		s2s_out_set_state(s, OUT_GOODBYE);
	}
	s2s_out_tell_down(s, OUT_OPEN);
}

static void
on_limit(struct clock_timer *t, void *arg)
{
	struct s2s_out *s = arg;

	(void)t;
	s2s_out_finish(s, S2S_OUT_LOST,
	    s->state >= OUT_FAREWELL ? STREAM_ERR_NONE
				     : STREAM_ERR_CONNECTION_TIMEOUT,
	    "partner did not answer in time");
}

static void
on_idle(struct clock_timer *t, void *arg)
{
	(void)t;
	s2s_out_close(arg, STREAM_ERR_NONE, "idle");
}

static void
on_expiry(struct clock_timer *t, void *arg)
{
	(void)t;
	s2s_out_close(arg, STREAM_ERR_RESET, "certificate has expired");
}

static const struct partner *
row_of(const struct s2s_out *s)
{
	const struct stream_pair *pair = &s->pairs.v[0];

	return hosting_partner(s->hosting, pair->local, pair->remote);
}

/* Twice in the time after which partners of the same mind would close, and in
 * time for what this one calls idle (XEP-0478). */
static void
restart_keep_alive(struct s2s_out *s)
{
	const struct partner *p = row_of(s);
	uint64_t quiet = stream_limits_quiet_ms(&s->limits);
	uint64_t ms =
	    hosting_settings(s->hosting, s->pairs.v[0].local)->keep_alive_ms /
	    2;

	if (p != NULL && p->keep_alive)
		clock_timer_start(
		    &s->keep_alive, quiet > 0 && quiet < ms ? quiet : ms);
	else
		clock_timer_stop(&s->keep_alive);
}

/* RFC 6120 4.6: a request that has to be answered where the partner counts,
 * else a space between stanzas, which his TCP at least has to acknowledge. */
static void
on_keep_alive(struct clock_timer *t, void *arg)
{
	struct s2s_out *s = arg;

	(void)t;
	if (s->sm.state == SM_OUT_ON)
		s2s_out_request_ack(s);
	else
		conn_write(s->conn, " ", 1);
	restart_keep_alive(s);
}

/* One that we do not read now is not expected to be heard. */
static void
on_silent(struct clock_timer *t, void *arg)
{
	struct s2s_out *s = arg;

	if (s->back.holds != 0) {
		clock_timer_start(t, SM_OUT_ANSWER_MS);
		return;
	}
	s2s_out_finish(s, S2S_OUT_LOST, STREAM_ERR_CONNECTION_TIMEOUT,
	    "partner does not acknowledge any more");
}

/* To whom no keep-alives are sent, in order and before he finds it idle. */
void
s2s_out_restart_idle(struct s2s_out *s)
{
	const struct partner *p = row_of(s);
	uint64_t quiet = stream_limits_quiet_ms(&s->limits);
	uint64_t ms = hosting_settings(s->hosting, s->pairs.v[0].local)
			  ->stream_inactivity_ms;

	if ((p == NULL || !p->keep_alive) && quiet > 0 &&
	    (ms == 0 || quiet < ms))
		ms = quiet;
	if (ms > 0)
		clock_timer_start(&s->idle, ms);
}

/* 0 = the partner gets no signs of life. */
static uint64_t
keep_alive_ms_of(const struct s2s_out *s)
{
	const struct partner *p = row_of(s);

	if (p == NULL || !p->keep_alive)
		return 0;
	return hosting_settings(s->hosting, s->pairs.v[0].local)->keep_alive_ms;
}

static uint64_t
idle_ms_of(const struct s2s_out *s)
{
	return hosting_settings(s->hosting, s->pairs.v[0].local)
	    ->stream_inactivity_ms;
}

void
s2s_out_touch(struct s2s_out *s)
{
	s->idle_ms = idle_ms_of(s);
	s->keep_alive_ms = keep_alive_ms_of(s);
	s2s_out_restart_idle(s);
	restart_keep_alive(s);
}

void
s2s_out_recheck(struct s2s_out *s)
{
	if (s->state == OUT_OPEN &&
	    (s->idle_ms != idle_ms_of(s) ||
		s->keep_alive_ms != keep_alive_ms_of(s)))
		s2s_out_touch(s);
}

/* --- the connection ------------------------------------------------------ */

static void
on_connected(struct conn *c, void *arg)
{
	struct s2s_out *s = arg;

	(void)c;
	if (s->state != OUT_CONNECT)
		return;
	if (s->direct) {
		s2s_out_set_state(s, OUT_TLS);
		s2s_out_begin_tls(s, 0);
	} else {
		s2s_out_set_state(s, OUT_HEADER);
		s2s_out_send_header(s);
	}
	if (s->events->on_connected != NULL)
		s->events->on_connected(s, s->arg);
}

static void
on_data(struct conn *c, const uint8_t *data, size_t len, void *arg)
{
	struct s2s_out *s = arg;
	size_t used;

	(void)c;
	if (s->state == OUT_CLOSED)
		return;
	s->heard = true;
	if (s2s_out_back_is_open(s))
		s2s_out_restart_idle(s);
	if (xml_stream_feed(s->xml, data, len, &used) < 0)
		s2s_out_finish(s, S2S_OUT_PROTOCOL, xml_stream_error(s->xml),
		    xml_stream_error_text(s->xml));
	if (s->tls_wanted && s->state == OUT_TLS)
		s2s_out_begin_tls(s, len - used);
}

static void
on_drained(struct conn *c, void *arg)
{
	struct s2s_out *s = arg;

	(void)c;
	if (s->state == OUT_OPEN)
		s->events->on_drained(s, s->arg);
}

/* What the end of the connection means where the stream stood. */
static enum s2s_out_why
sort_end(const struct s2s_out *s, enum conn_end why)
{
	if (s->state == OUT_CONNECT)
		return S2S_OUT_CONNECT;
	if (s->state == OUT_TLS)
		return S2S_OUT_TLS;
	/* With TLS 1.3 the refusal of our certificate comes late. */
	if (why == CONN_END_TLS && s->state < OUT_OPEN)
		return S2S_OUT_AUTH;
	return S2S_OUT_LOST;
}

static void
destroy(struct s2s_out *s)
{
	clock_timer_stop(&s->limit);
	s2s_out_leave_open(s);
	s2s_out_back_finish(s);
	cert_watch_end(&s->watch);
	if (s->xml != NULL)
		xml_stream_close(s->xml);
	peer_identity_finish(&s->identity);
	tlsa_set_free(s->tlsa);
	pair_set_finish(&s->pairs);
	free(s);
}

static void
on_end(struct conn *c, enum conn_end why, int rc, const char *detail, void *arg)
{
	struct s2s_out *s = arg;
	struct stream_info info;
	enum out_state was = s->state;
	char text[sizeof(s->reason)];

	(void)c;
	(void)rc;
	snprintf(text, sizeof(text), "%s%s%s", conn_end_str(why),
	    detail[0] != '\0' ? ": " : "", detail);
	s2s_out_remember_end(s, sort_end(s, why), text);
	s->conn = NULL;
	if (was != OUT_CLOSED) {
		s2s_out_set_state(s, OUT_CLOSED);
		s2s_out_leave_open(s);
		fail_dialback(s, s->reason);
		s2s_out_tell_down(s, was);
	}
	log_info(&s->log, "stream-end",
	    "local=%s remote=%s was_up=%d reason=%s", s->local, s->remote,
	    s->was_up, s->reason);
	s2s_out_info(s, &info);
	s->events->on_end(s, &s->end, &info, s->arg);
	destroy(s);
}

static void
on_secured(struct conn *c, void *arg)
{
	struct s2s_out *s = arg;

	(void)c;
	if (s->state == OUT_TLS)
		s2s_out_judge(s);
}

static const struct conn_events conn_events = {
	.on_connected = on_connected,
	.on_secured = on_secured,
	.on_data = on_data,
	.on_drained = on_drained,
	.on_end = on_end,
};

/* ERR_NOMEM. */
static int
copy_server(struct s2s_out *s, const struct dane_server *server)
{
	if (server == NULL)
		return 0;
	if (server->host != NULL) {
		snprintf(
		    s->host_name, sizeof(s->host_name), "%s", server->host);
		s->server.host = s->host_name;
	}
	if (server->tlsa == NULL)
		return 0;
	s->tlsa = tlsa_set_copy(server->tlsa);
	s->server.tlsa = s->tlsa;
	return s->tlsa != NULL ? 0 : ERR_NOMEM;
}

int
s2s_out_open(struct s2s_out **out, const struct s2s_out_opts *opts)
{
	struct xml_stream_limits limits = xml_stream_limits_strict();
	struct s2s_out *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return ERR_NOMEM;
	s->loop = opts->loop;
	s->clock = opts->clock;
	s->hosting = opts->hosting;
	s->identities = opts->identities;
	s->events = opts->events;
	s->arg = opts->arg;
	s->tls = s->cipher = s->auth = "";
	snprintf(s->id, sizeof(s->id), "%s", opts->id);
	snprintf(s->local, sizeof(s->local), "%s", opts->local);
	snprintf(s->remote, sizeof(s->remote), "%s", opts->remote);
	s->asks = opts->asks;
	s->plain = opts->plain;
	s->direct = opts->direct;
	log_init(&s->log, "s2s_out");
	dialback_out_init(&s->dialback, s->hosting);
	s2s_out_init_status(s);
	list_init(&s->request.link);
	clock_timer_init(&s->limit, s->clock, on_limit, s);
	clock_timer_init(&s->idle, s->clock, on_idle, s);
	clock_timer_init(&s->keep_alive, s->clock, on_keep_alive, s);
	clock_timer_init(&s->expiry, s->clock, on_expiry, s);
	sm_out_init(&s->sm, s->clock, on_silent, s);
	s2s_out_back_init(s);
	memcpy(&s->addr, opts->addr,
	    opts->addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					      : sizeof(struct sockaddr_in));
	rc = copy_server(s, opts->server);
	if (rc < 0)
		goto fail;
	rc = pair_set_add(&s->pairs, s->local, s->remote, 0);
	if (rc < 0)
		goto fail;
	rc = xml_stream_open(&s->xml, &limits, &s2s_out_xml_events, s);
	if (rc < 0)
		goto fail;
	rc = conn_connect(&s->conn, opts->addr,
	    &(struct conn_opts){
		.loop = s->loop,
		.clock = s->clock,
		.events = &conn_events,
		.arg = s,
		.connect_ms = CONNECT_MS,
		.dead_ms =
		    hosting_settings(s->hosting, s->local)->stream_silence_ms,
		.bind = opts->bind,
	    });
	if (rc < 0)
		goto fail;
	snprintf(s->peer, sizeof(s->peer), "%s", conn_peer(s->conn));
	log_object(&s->log, "stream=%s peer=%s", s->id, s->peer);
	log_object(&s->dialback.log, "stream=%s peer=%s", s->id, s->peer);
	log_object(&s->back.answers.log, "stream=%s peer=%s", s->id, s->peer);
	*out = s;
	return 0;

fail:
	destroy(s);
	return rc;
}

/* --- the owner's side ---------------------------------------------------- */

int
s2s_out_write(struct s2s_out *s, const void *xml, size_t len)
{
	if (s->state != OUT_OPEN)
		return ERR_BAD_STATE;
	s2s_out_touch(s);
	sm_out_sent(&s->sm);
	return conn_write(s->conn, xml, len);
}

void
s2s_out_request_ack(struct s2s_out *s)
{
	struct buf out;

	if (s->state != OUT_OPEN)
		return;
	buf_init(&out, 0);
	sm_out_ask(&s->sm, &out);
	stream_wire_flush(s->conn, &out);
}

uint64_t
s2s_out_stanzas(const struct s2s_out *s)
{
	return s->sm.sent;
}

uint64_t
s2s_out_bytes(const struct s2s_out *s)
{
	return s->conn != NULL ? conn_bytes_written(s->conn) : 0;
}

uint64_t
s2s_out_bytes_acknowledged(const struct s2s_out *s)
{
	return s->conn != NULL ? conn_bytes_acknowledged(s->conn) : 0;
}

bool
s2s_out_is_up(const struct s2s_out *s)
{
	return s->state == OUT_OPEN;
}

const struct sockaddr_storage *
s2s_out_addr(const struct s2s_out *s)
{
	return &s->addr;
}

const struct stream_limits *
s2s_out_limits(const struct s2s_out *s)
{
	return &s->limits;
}

bool
s2s_out_backlogged(const struct s2s_out *s)
{
	return s->state == OUT_OPEN && conn_backlogged(s->conn);
}

int
s2s_out_ask(struct s2s_out *s, struct dialback_ask *a)
{
	struct buf out;
	int rc;

	if (s->state != OUT_OPEN && s->state != OUT_ASKING)
		return ERR_BAD_STATE;
	buf_init(&out, 0);
	rc = dialback_out_ask(&s->dialback, a, &out);
	if (rc < 0) {
		buf_finish(&out);
		return rc;
	}
	if (s->state == OUT_OPEN)
		s2s_out_touch(s);
	stream_wire_flush(s->conn, &out);
	return 0;
}

void
s2s_out_add_proof(struct s2s_out *s, unsigned proof)
{
	s->proofs |= BIT(proof);
}

void
s2s_out_info(const struct s2s_out *s, struct stream_info *out)
{
	*out = (struct stream_info){
		.id = s->id,
		.direction = STREAM_OUT,
		.pairs = s->pairs.v,
		.pair_count = s->pairs.count,
		.peer = s->peer,
		.auth = s->auth,
		.tls = s->tls,
		.cipher = s->cipher,
		.bidi = s->back.open,
		.proofs = s->proofs,
		.reason = s->ended ? s->reason : NULL,
		.condition = s->end.error != STREAM_ERR_NONE
				 ? stream_error_str(s->end.error)
				 : NULL,
	};
}

const char *
s2s_out_id(const struct s2s_out *s)
{
	return s->id;
}

void
s2s_out_set_owner(
    struct s2s_out *s, const struct s2s_out_events *events, void *arg)
{
	s->events = events;
	s->arg = arg;
}

void
s2s_out_rest(struct s2s_out *s)
{
	if (!s->heard && s->state == OUT_OPEN)
		(void)xml_stream_rest(s->xml);
	s->heard = false;
}
