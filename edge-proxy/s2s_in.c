/*
 * s2s_in - one inbound XMPP server stream.
 *
 *   header ──► starttls ──► tls ──► tls-header ──► auth ◄──► response
 *                                                   │           │
 *                   farewell ◄── open ◄── auth-header ◄───────────┘
 *                               │
 *                            goodbye ──► closed    (closed from everywhere)
 *
 * On a port for direct TLS it begins with tls.  Between tls-header and auth may
 * come lookup, for a partner whose certificate is not known to be good yet.
 *
 * The normal path: the partner's header is judged (RFC 6120 4.7), answered with
 * ours, a new unpredictable id and the one feature STARTTLS; after the TLS
 * handshake everything learned is forgotten but the two domains, which are
 * frozen; EXTERNAL is offered only when the certificate proves the from;
 * after it the pair is authorised and stanzas pass.
 *
 * Where the partner's row permits dialback, the first pair that proves itself
 * by it opens the stream from auth, or, without TLS, from starttls.
 *
 * What can go wrong ends in s2s_in_finish(): each refusal is a stream error on
 * the wire and one line in the log.  Before the handshake is complete nothing
 * can be said, so the connection is dropped.  A partner who says goodbye while
 * he waits for acknowledgements is given them first (farewell): he would take
 * for lost what is not acknowledged.  An authenticated partner whose
 * certificate expires is sent away with reset.
 */
#include "edge-proxy/s2s_in_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/conn.h"
#include "common/err.h"
#include "common/jid.h"
#include "common/log_limit.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/identities.h"
#include "edge-proxy/stream_wire.h"
#include "edge-proxy/stream_xml.h"
#include "edge-proxy/xml_stream.h"

enum {
	GOODBYE_MS = 5000,
	STEP_MS = 30000,
	DEAD_MS = 60000, /* a partner's TCP that gives no sign of life */
	/* Bytes of ours that he has not taken: stanzas go by another stream,
	 * here are only answers; but see s2s_in_back_begin(). */
	ANSWERS_HIGH = 32 * 1024,
	ANSWERS_LOW = 8 * 1024,
	ANSWERS_MAX = 1024 * 1024
};

#define BIT(n) (1u << (n))

static const struct {
	const char *name;
	unsigned next;
	unsigned limit_ms; /* time allowed here; 0 = no limit of its own */
} states[IN_COUNT] = {
	[IN_HEADER] = { "header",
	    BIT(IN_STARTTLS) | BIT(IN_TLS) | BIT(IN_CLOSED), STEP_MS },
	[IN_STARTTLS] = { "starttls",
	    BIT(IN_TLS) | BIT(IN_OPEN) | BIT(IN_CLOSED), STEP_MS },
	[IN_TLS] = { "tls", BIT(IN_TLS_HEADER) | BIT(IN_CLOSED), STEP_MS },
	[IN_TLS_HEADER] = { "tls-header",
	    BIT(IN_LOOKUP) | BIT(IN_AUTH) | BIT(IN_CLOSED), STEP_MS },
	[IN_LOOKUP] = { "lookup", BIT(IN_AUTH) | BIT(IN_CLOSED), STEP_MS },
	[IN_AUTH] = { "auth",
	    BIT(IN_RESPONSE) | BIT(IN_AUTH_HEADER) | BIT(IN_OPEN) |
		BIT(IN_CLOSED),
	    STEP_MS },
	[IN_RESPONSE] = { "response",
	    BIT(IN_AUTH) | BIT(IN_AUTH_HEADER) | BIT(IN_OPEN) | BIT(IN_CLOSED),
	    STEP_MS },
	[IN_AUTH_HEADER] = { "auth-header", BIT(IN_OPEN) | BIT(IN_CLOSED),
	    STEP_MS },
	[IN_OPEN] = { "open",
	    BIT(IN_FAREWELL) | BIT(IN_SETTLING) | BIT(IN_GOODBYE) |
		BIT(IN_CLOSED),
	    0 },
	[IN_FAREWELL] = { "farewell", BIT(IN_CLOSED), GOODBYE_MS },
	[IN_SETTLING] = { "settling", BIT(IN_GOODBYE) | BIT(IN_CLOSED),
	    GOODBYE_MS },
	[IN_GOODBYE] = { "goodbye", BIT(IN_CLOSED), GOODBYE_MS },
	[IN_CLOSED] = { "closed", 0, 0 },
};

void
s2s_in_set_state(struct s2s_in *s, enum in_state to)
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
s2s_in_remember_end(struct s2s_in *s, enum stream_error e, const char *text)
{
	if (s->reason[0] != '\0')
		return;
	s->error = e;
	snprintf(s->reason, sizeof(s->reason), "%s",
	    text != NULL ? text : stream_error_str(e));
}

static void
say_goodbye(struct s2s_in *s)
{
	struct buf out;

	buf_init(&out, 0);
	sm_in_flush(&s->sm, &out);
	if (s->error != STREAM_ERR_NONE)
		stream_xml_error(&out, s->error, NULL);
	stream_xml_goodbye(&out);
	stream_wire_flush(s->conn, &out);
	s2s_in_set_state(s, IN_GOODBYE);
	s2s_in_back_lost(s);
}

/* What the partner sends until he knows is still taken.  One who counts has to
 * be told the truth once more, and what he sends beyond that count is his to
 * send elsewhere (XEP-0198 4): so nothing is read until all is done with. */
static void
take_leave(struct s2s_in *s, enum stream_error e, const char *text)
{
	s2s_in_remember_end(s, e, text);
	clock_timer_stop(&s->idle);
	clock_timer_stop(&s->silence);
	if (!sm_in_owes(&s->sm)) {
		say_goodbye(s);
		return;
	}
	s2s_in_set_state(s, IN_SETTLING);
	s2s_in_hold(s, HOLD_SETTLING);
	s2s_in_back_lost(s);
}

/* Nothing happens on it any more but its end. */
static void
shut(struct s2s_in *s)
{
	s2s_in_set_state(s, IN_CLOSED);
	clock_timer_stop(&s->establish);
	clock_timer_stop(&s->idle);
	clock_timer_stop(&s->silence);
	clock_timer_stop(&s->expiry);
	clock_timer_stop(&s->slow);
	dialback_in_finish(&s->dialback);
	s2s_in_drop_lookup(s);
	cert_watch_end(&s->watch);
	xml_stream_shed(s->xml);
}

void
s2s_in_finish(struct s2s_in *s, enum stream_error e, const char *text)
{
	enum in_state was = s->state;
	struct buf out;

	if (was == IN_CLOSED)
		return;
	s2s_in_remember_end(s, e, text);
	shut(s);
	if (was == IN_TLS) {
		conn_abort(s->conn, CONN_END_LOCAL);
		return;
	}
	buf_init(&out, 0);
	if (!s->header_sent)
		s2s_in_put_header(s, &out);
	if (was != IN_GOODBYE)
		sm_in_flush(&s->sm, &out);
	if (was != IN_GOODBYE && e != STREAM_ERR_NONE)
		stream_xml_error(&out, e, text);
	if (was != IN_GOODBYE)
		stream_xml_goodbye(&out);
	stream_wire_flush(s->conn, &out);
	conn_close(s->conn, CONN_END_LOCAL);
	s2s_in_back_lost(s);
}

void
s2s_in_settled(struct s2s_in *s)
{
	say_goodbye(s);
	s2s_in_let_go(s, HOLD_ALL);
}

void
s2s_in_close(struct s2s_in *s, enum stream_error e, const char *text)
{
	bool kind = e == STREAM_ERR_NONE || e == STREAM_ERR_SYSTEM_SHUTDOWN;

	if (kind && text == NULL)
		text = e == STREAM_ERR_NONE ? "closed by us" : "we shut down";
	if (kind && s->state == IN_OPEN)
		take_leave(s, e, text);
	else if (e != STREAM_ERR_NONE ||
		 (s->state != IN_SETTLING && s->state != IN_GOODBYE))
		s2s_in_finish(s, e, text);
}

void
s2s_in_drop(struct s2s_in *s, const char *text)
{
	if (s->state == IN_CLOSED)
		return;
	s2s_in_remember_end(s, STREAM_ERR_RESOURCE_CONSTRAINT, text);
	shut(s);
	conn_abort(s->conn, CONN_END_LOCAL);
	s2s_in_back_lost(s);
}

static void
on_limit(struct clock_timer *t, void *arg)
{
	struct s2s_in *s = arg;

	(void)t;
	if (s->state == IN_GOODBYE || s->state == IN_FAREWELL ||
	    s->state == IN_SETTLING)
		s2s_in_finish(s, s->error, NULL);
	else if (s->dialback.answered > 0)
		s2s_in_finish(s, STREAM_ERR_NONE, "wanted keys verified only");
	else
		s2s_in_finish(s, STREAM_ERR_CONNECTION_TIMEOUT,
		    "stream not established in time");
}

static void
on_idle(struct clock_timer *t, void *arg)
{
	(void)t;
	s2s_in_close(arg, STREAM_ERR_NONE, "idle");
}

static void
on_silence(struct clock_timer *t, void *arg)
{
	(void)t;
	s2s_in_close(arg, STREAM_ERR_NONE, "partner sends no keep-alives");
}

static void
on_expiry(struct clock_timer *t, void *arg)
{
	(void)t;
	s2s_in_finish(arg, STREAM_ERR_RESET, "certificate has expired");
}

/* --- what others of this stream need -------------------------------------- */

static uint64_t
idle_ms_of(const struct s2s_in *s)
{
	return hosting_settings(s->opts.hosting, s->ends.to)
	    ->stream_inactivity_ms;
}

/* 0 = he owes none. */
static uint64_t
silence_ms_of(const struct s2s_in *s)
{
	if (!s2s_in_keeps_alive(s))
		return 0;
	return hosting_settings(s->opts.hosting, s->ends.to)->keep_alive_ms;
}

void
s2s_in_restart_idle(struct s2s_in *s)
{
	s->idle_ms = idle_ms_of(s);
	if (s->idle_ms > 0)
		clock_timer_start(&s->idle, s->idle_ms);
}

bool
s2s_in_keeps_alive(const struct s2s_in *s)
{
	const char *from = s->ends.from[0] == '\0' && s->pairs.count > 0
			       ? s->pairs.v[0].remote
			       : s->ends.from;
	const struct partner *p =
	    hosting_partner(s->opts.hosting, s->ends.to, from);

	return p != NULL && p->keep_alive;
}

void
s2s_in_heard(struct s2s_in *s)
{
	s2s_in_restart_idle(s);
	s->silence_ms = silence_ms_of(s);
	if (s->silence_ms > 0)
		clock_timer_start(&s->silence, s->silence_ms);
	else
		clock_timer_stop(&s->silence);
}

/* Other times hold from now on; no news do not make them begin anew. */
static void
recheck_times(struct s2s_in *s)
{
	if (s->idle_ms == idle_ms_of(s) && s->silence_ms == silence_ms_of(s))
		return;
	s2s_in_heard(s);
	s2s_in_back_keep_alive(s);
}

struct stream_limits
s2s_in_limits(const struct s2s_in *s)
{
	const struct hosting_settings *hs =
	    hosting_settings(s->opts.hosting, s->ends.to);
	uint64_t idle_ms = hs->stream_inactivity_ms;

	if (s2s_in_keeps_alive(s) &&
	    (idle_ms == 0 || hs->keep_alive_ms < idle_ms))
		idle_ms = hs->keep_alive_ms;
	return (struct stream_limits){ .max_bytes = hs->stanza_max,
		.idle_s = (uint32_t)(idle_ms / 1000) };
}

void
s2s_in_watch_expiry(struct s2s_in *s)
{
	int64_t now = clock_wall_ms(s->opts.clock);

	if (s->identity.until_ms > now && s->identity.until_ms != INT64_MAX)
		clock_timer_start(
		    &s->expiry, (uint64_t)(s->identity.until_ms - now));
}

void
s2s_in_tell(struct s2s_in *s, enum stream_event ev)
{
	struct stream_info info;

	s2s_in_info(s, &info);
	s->opts.events->on_event(s, ev, &info, s->opts.arg);
}

/* --- the connection ------------------------------------------------------ */

void
s2s_in_after_parsing(struct s2s_in *s, int rc)
{
	if (rc < 0)
		s2s_in_finish(
		    s, xml_stream_error(s->xml), xml_stream_error_text(s->xml));
}

static void
begin_tls(struct s2s_in *s, size_t leftover)
{
	const struct tls_identity *id;
	bool named;

	s->tls_wanted = false;
	id = identities_pick(s->opts.identities, s->ends.to, &named);
	if (id == NULL) {
		log_limited_error(&s->log, s2s_in_peer_ip(s), "no-certificate",
		    "to=%s", s->ends.to);
		s2s_in_finish(
		    s, STREAM_ERR_INTERNAL_SERVER_ERROR, "no certificate");
		return;
	}
	if (!named)
		log_debug(
		    &s->log, "certificate-of-other-name", "to=%s", s->ends.to);
	if (leftover > 0)
		s2s_in_remember_end(
		    s, STREAM_ERR_NONE, "plaintext behind STARTTLS");
	if (conn_start_tls_server(s->conn, id->server, leftover) < 0)
		s2s_in_finish(
		    s, STREAM_ERR_INTERNAL_SERVER_ERROR, "TLS not started");
}

/* The certificate for the name a client asks for.  Names that are none are
 * answered like those we do not know: by the first certificate. */
static SSL_CTX *
on_server_name(const char *name, void *arg)
{
	const struct s2s_in *s = arg;
	const struct tls_identity *id;
	char ascii[256];
	bool named;

	if (jid_domain_ascii(ascii, sizeof(ascii), name, strlen(name)) < 0)
		return NULL;
	id = identities_pick(s->opts.identities, ascii, &named);
	return id != NULL && named ? id->server : NULL;
}

/* Nothing was said yet, so that no name is known but the client's SNI. */
static void
begin_direct_tls(struct s2s_in *s)
{
	static const uint8_t alpn[] = STREAM_WIRE_ALPN;

	s->accept = (struct tls_accept){
		.pick = on_server_name,
		.arg = s,
		.alpn = alpn,
		.alpn_len = sizeof(alpn) - 1,
	};
	s2s_in_set_state(s, IN_TLS);
	begin_tls(s, 0);
	if (s->state == IN_TLS &&
	    tls_accept_set(conn_ssl(s->conn), &s->accept) < 0)
		s2s_in_finish(s, STREAM_ERR_RESOURCE_CONSTRAINT, NULL);
}

static void
on_data(struct conn *c, const uint8_t *data, size_t len, void *arg)
{
	struct s2s_in *s = arg;
	size_t used;
	int rc;

	(void)c;
	if (s->state == IN_CLOSED)
		return;
	s->heard = true;
	if (s->state == IN_OPEN)
		s2s_in_heard(s);
	rc = xml_stream_feed(s->xml, data, len, &used);
	s2s_in_after_parsing(s, rc);
	if (s->tls_wanted && s->state == IN_TLS)
		begin_tls(s, len - used);
}

static void
on_secured(struct conn *c, void *arg)
{
	struct s2s_in *s = arg;
	struct xml_stream_limits limits = xml_stream_limits_strict();
	SSL *ssl = conn_ssl(c);

	if (s->state != IN_TLS)
		return;
	s->tls = SSL_get_version(ssl);
	s->cipher = SSL_get_cipher_name(ssl);
	s->secured = true;
	s2s_in_set_state(s, IN_TLS_HEADER);
	s->header_sent = false;
	xml_stream_restart(s->xml, &limits);
	if (peer_identity_read(&s->identity, ssl) < 0) {
		s2s_in_finish(s, STREAM_ERR_RESOURCE_CONSTRAINT, NULL);
		return;
	}
	s2s_in_judge_status(s);
	if (s->identity.presented && s->identity.verdict == X509_V_OK)
		s2s_in_watch_expiry(s);
}

static void
destroy(struct s2s_in *s)
{
	clock_timer_stop(&s->limit);
	clock_timer_stop(&s->establish);
	clock_timer_stop(&s->idle);
	clock_timer_stop(&s->silence);
	clock_timer_stop(&s->expiry);
	clock_timer_stop(&s->slow);
	sm_in_finish(&s->sm);
	s2s_in_back_finish(s);
	dialback_in_finish(&s->dialback);
	s2s_in_drop_lookup(s);
	if (s->xml != NULL)
		xml_stream_close(s->xml);
	cert_watch_end(&s->watch);
	peer_identity_finish(&s->identity);
	pair_set_finish(&s->pairs);
	free(s);
}

static void
on_end(struct conn *c, enum conn_end why, int rc, const char *detail, void *arg)
{
	struct s2s_in *s = arg;
	struct stream_info info;

	(void)c;
	(void)rc;
	if (s->reason[0] == '\0')
		snprintf(s->reason, sizeof(s->reason), "%s%s%s",
		    conn_end_str(why), detail[0] != '\0' ? ": " : "", detail);
	if (s->state != IN_CLOSED)
		s2s_in_set_state(s, IN_CLOSED);
	s2s_in_back_lost(s);
	/* The one line about a refusal, whoever was refused. */
	log_limited(
	    &(const struct log_limit){ .log = &s->log,
		.level = s->error != STREAM_ERR_NONE ? LOG_WARN : LOG_INFO,
		.event = "stream-end",
		.peer = conn_peer_ip(c),
		.lines = S2S_IN_STREAM_LINES },
	    "local=%s remote=%s was_up=%d condition=%s reason=%s", s->ends.to,
	    s->ends.from, s->was_up, stream_error_str(s->error), s->reason);
	s->conn = NULL;
	s2s_in_info(s, &info);
	s->opts.events->on_end(s, s->was_up, &info, s->opts.arg);
	destroy(s);
}

static const struct conn_events conn_events = {
	.on_secured = on_secured,
	.on_data = on_data,
	.on_backlog = s2s_in_on_backlog,
	.on_drained = s2s_in_on_drained,
	.on_end = on_end,
};

static int
take_connection(struct s2s_in *s, uv_stream_t *listener)
{
	const struct conn_opts opts = {
		.loop = s->opts.loop,
		.clock = s->opts.clock,
		.events = &conn_events,
		.arg = s,
		.dead_ms = DEAD_MS,
		.write_high = ANSWERS_HIGH,
		.write_low = ANSWERS_LOW,
		.write_max = ANSWERS_MAX,
	};

	if (listener != NULL)
		return conn_accept(&s->conn, listener, &opts);
	return conn_adopt(
	    &s->conn, s->opts.fd, (const struct sockaddr *)s->opts.peer, &opts);
}

int
s2s_in_open(
    struct s2s_in **out, uv_stream_t *listener, const struct s2s_in_opts *opts)
{
	struct xml_stream_limits limits = xml_stream_limits_strict();
	struct s2s_in *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return ERR_NOMEM;
	s->opts = *opts;
	s->tls = s->cipher = s->auth = "";
	snprintf(s->id, sizeof(s->id), "%s", opts->id);
	s->opts.id = s->id;
	log_init(&s->log, "s2s_in");
	clock_timer_init(&s->limit, opts->clock, on_limit, s);
	clock_timer_init(&s->establish, opts->clock, on_limit, s);
	clock_timer_init(&s->idle, opts->clock, on_idle, s);
	clock_timer_init(&s->silence, opts->clock, on_silence, s);
	clock_timer_init(&s->expiry, opts->clock, on_expiry, s);
	clock_timer_init(&s->slow, opts->clock, s2s_in_on_slow_over, s);
	s2s_in_back_init(s);
	sm_in_init(&s->sm, opts->clock, s2s_in_on_handled, s);
	s2s_in_init_dialback(s);
	s2s_in_init_status(s);
	rc = xml_stream_open(&s->xml, &limits, &s2s_in_xml_events, s);
	if (rc < 0)
		goto fail;
	rc = take_connection(s, listener);
	s->opts.peer = NULL; /* lives no longer than this call */
	if (rc < 0)
		goto fail;
	snprintf(s->peer, sizeof(s->peer), "%s", conn_peer(s->conn));
	log_object(&s->log, "stream=%s peer=%s", s->id, s->peer);
	log_object(&s->dialback.log, "stream=%s peer=%s", s->id, s->peer);
	s->dialback.opts.peer_ip = conn_peer_ip(s->conn);
	log_debug(&s->log, "accepted", "ip=%s", conn_peer_ip(s->conn));
	s->accepted_ms = clock_now_ms(opts->clock);
	if (opts->direct)
		begin_direct_tls(s);
	else
		clock_timer_start(&s->limit, states[IN_HEADER].limit_ms);
	s2s_in_limit_establishment(s);
	*out = s;
	return 0;

fail:
	destroy(s);
	return rc;
}

/* --- the owner's side ---------------------------------------------------- */

void
s2s_in_handled(struct s2s_in *s, uint64_t count)
{
	sm_in_handled(&s->sm, count);
}

/* Whether a pair would still come to be by the method that proved it. */
static bool
still_permitted(const struct s2s_in *s, const struct stream_pair *p)
{
	return (hosting_methods(s->opts.hosting, p->local, p->remote) &
		   p->method) != 0;
}

void
s2s_in_recheck(struct s2s_in *s)
{
	size_t before = s->pairs.count;

	if (s->state < IN_OPEN)
		s2s_in_limit_establishment(s);
	if (s->state != IN_OPEN)
		return;
	for (size_t i = s->pairs.count; i-- > 0;) {
		if (still_permitted(s, &s->pairs.v[i]))
			continue;
		if (s->pairs.count == 1) {
			/* It stays: the end tells whose stream it was. */
			s2s_in_finish(s,
			    hosting_serves(s->opts.hosting, s->pairs.v[0].local)
				? STREAM_ERR_POLICY_VIOLATION
				: STREAM_ERR_HOST_GONE,
			    "no longer permitted");
			return;
		}
		pair_set_remove(&s->pairs, i);
	}
	if (s->pairs.count != before)
		s2s_in_tell(s, STREAM_UPDATE);
	recheck_times(s);
}

const char *
s2s_in_language(const struct s2s_in *s)
{
	return s->language[0] != '\0' ? s->language : NULL;
}

const char *
s2s_in_id(const struct s2s_in *s)
{
	return s->id;
}

const char *
s2s_in_peer_ip(const struct s2s_in *s)
{
	return s->conn != NULL ? conn_peer_ip(s->conn) : "";
}

bool
s2s_in_is_up(const struct s2s_in *s)
{
	return s->state == IN_OPEN;
}

bool
s2s_in_only_asked(const struct s2s_in *s)
{
	return !s->was_up && s->error == STREAM_ERR_NONE &&
	       s->dialback.answered > 0;
}

bool
s2s_in_claim(const struct s2s_in *s, struct stream_pair *out)
{
	*out = (struct stream_pair){ s->ends.to, s->ends.from, 0 };
	return s->ends.to[0] != '\0' && s->ends.from[0] != '\0';
}

void
s2s_in_info(const struct s2s_in *s, struct stream_info *out)
{
	*out = (struct stream_info){
		.id = s->id,
		.direction = STREAM_IN,
		.pairs = s->pairs.v,
		.pair_count = s->pairs.count,
		.peer = s->peer,
		.auth = s->auth,
		.tls = s->tls,
		.cipher = s->cipher,
		.bidi = s->back.open,
		.proofs = s->back.proofs,
		.reason = s->reason[0] != '\0' ? s->reason : NULL,
		.condition = s->error != STREAM_ERR_NONE
				 ? stream_error_str(s->error)
				 : NULL,
	};
}

bool
s2s_in_carries(const struct s2s_in *s, const char *local, const char *remote)
{
	return pair_set_has(&s->pairs, local, remote);
}

void
s2s_in_set_data(struct s2s_in *s, void *data)
{
	s->data = data;
}

void *
s2s_in_data(const struct s2s_in *s)
{
	return s->data;
}
