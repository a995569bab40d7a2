/*
 * s2s_out - one outbound XMPP server stream.
 *
 *   connect ─► header ─► features ─► proceed ─► tls ─► tls-header ─►
 *   tls-features ─► sasl ─► auth-header ─► auth-features ─► open ─► goodbye
 *                     └► dialback ─► open
 *                                    (closed is reached from everywhere)
 *
 * The normal path reads off the states.  With tls-features, or, where the row
 * permits it and the partner has no TLS, with features, the way is chosen:
 * EXTERNAL, dialback, or (asking) nothing at all.  EXTERNAL that fails gives
 * way to dialback.
 *
 * What a partner says before TLS decides nothing, unless the row permits to do
 * without.  The certificate is judged the moment the handshake is done; one
 * that does not prove the wanted domain ends the stream before the new header
 * is sent, unless the row permits dialback, which does not ask for it.
 *
 * How it can fail: the connection ends (on_end sorts by state what that means),
 * the partner sends a stream error or a failure, a step takes too long, or the
 * bytes are not a stream.  Each has one s2s_out_why, from which the owner
 * derives whether another target is worth trying and what senders are told.
 */
#include "edge-proxy/s2s_out.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/conn.h"
#include "common/err.h"
#include "common/log.h"
#include "common/xml.h"
#include "edge-proxy/dialback_out.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/identities.h"
#include "edge-proxy/peer_identity.h"
#include "edge-proxy/sasl_external.h"
#include "edge-proxy/sm_out.h"
#include "edge-proxy/sm_xml.h"
#include "edge-proxy/stream_wire.h"
#include "edge-proxy/stream_xml.h"
#include "edge-proxy/xml_stream.h"

enum {
	CONNECT_MS = 8000,
	STEP_MS = 10000,
	DIALBACK_MS = 30000, /* the partner has somebody to ask */
	GOODBYE_MS = 5000,
	KEEP_ALIVE_MS = 300000,
	DEAD_MS = 60000 /* a partner's TCP that gives no sign of life */
};

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
	OUT_GOODBYE,
	OUT_CLOSED,
	OUT_COUNT
};

#define BIT(n)   (1u << (n))
#define OVER_TLS (AUTH_SASL_TLS | AUTH_DIALBACK_TLS)
#define DIALBACK (AUTH_DIALBACK_TLS | AUTH_DIALBACK_TCP)

static const struct {
	const char *name;
	unsigned next;
	unsigned limit_ms; /* time allowed here; 0 = no limit of its own */
} states[OUT_COUNT] = {
	/* the connection has its own limit for connecting */
	[OUT_CONNECT] = { "connect", BIT(OUT_HEADER) | BIT(OUT_CLOSED), 0 },
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
	[OUT_OPEN] = { "open", BIT(OUT_GOODBYE) | BIT(OUT_CLOSED), 0 },
	[OUT_GOODBYE] = { "goodbye", BIT(OUT_CLOSED), GOODBYE_MS },
	[OUT_CLOSED] = { "closed", 0, 0 },
};

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
	struct clock_timer expiry; /* of the partner's certificate */
	struct sm_out sm;
	bool sm_offered; /* in the features that came last */

	bool tls_wanted; /* start it when the parser has returned */
	bool asks, plain;
	bool secured;
	const char *unproven; /* why the certificate is not the partner's */
	bool challenged;
	struct dialback_out dialback;
	struct dialback_pair request; /* of the pair */
	bool was_up;
	struct s2s_out_end end;
	bool ended; /* end is settled: the first reason counts */

	char id[STREAM_ID_SIZE];
	char local[256], remote[256];
	struct stream_pair pair;
	char peer[STREAM_PEER_SIZE];
	const char *tls, *cipher, *auth;
	unsigned proofs;
	char reason[200];
};

/* The only place that writes s->state. */
static void
set_state(struct s2s_out *s, enum out_state to)
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

static void
remember_end(struct s2s_out *s, enum s2s_out_why why, const char *text)
{
	if (s->ended)
		return;
	s->ended = true;
	s->end.why = why;
	s->end.was_up = s->was_up;
	snprintf(s->reason, sizeof(s->reason), "%s", text);
}

static void
leave_open(struct s2s_out *s)
{
	clock_timer_stop(&s->idle);
	clock_timer_stop(&s->keep_alive);
	clock_timer_stop(&s->expiry);
	sm_out_finish(&s->sm);
}

/* Tells the owner once that an open stream takes no more.  It may hand the
 * stream on or close it again from there; both are harmless. */
static void
tell_down(struct s2s_out *s, enum out_state was)
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

/* Ends the stream: with a stream error of ours, a closing tag, or neither where
 * no stream exists that could carry them. */
static void
finish(struct s2s_out *s, enum s2s_out_why why, enum stream_error e,
    const char *text)
{
	enum out_state was = s->state;
	bool in_stream = was == OUT_HEADER || was == OUT_FEATURES ||
			 was == OUT_PROCEED || was >= OUT_TLS_HEADER;
	struct buf out;

	if (was == OUT_CLOSED)
		return;
	remember_end(s, why, text);
	set_state(s, OUT_CLOSED);
	leave_open(s);
	fail_dialback(s, text);
	if (!in_stream) {
		conn_abort(s->conn, CONN_END_LOCAL);
	} else {
		buf_init(&out, 0);
		if (e != STREAM_ERR_NONE)
			stream_xml_error(&out, e, text);
		if (was != OUT_GOODBYE)
			stream_xml_goodbye(&out);
		stream_wire_flush(s->conn, &out);
		conn_close(s->conn, CONN_END_LOCAL);
	}
	tell_down(s, was);
}

/* The partner's certificate is not the one we want: TLS ends, and with it all;
 * nothing is said to a stranger. */
static void
reject_certificate(struct s2s_out *s, const char *why)
{
	remember_end(s, S2S_OUT_TLS, why);
	set_state(s, OUT_CLOSED);
	fail_dialback(s, why);
	conn_close(s->conn, CONN_END_LOCAL);
}

void
s2s_out_close(struct s2s_out *s, enum stream_error e, const char *text)
{
	if (text == NULL)
		text =
		    e != STREAM_ERR_NONE ? stream_error_str(e) : "closed by us";
	if (e != STREAM_ERR_NONE || s->state != OUT_OPEN) {
		if (s->state != OUT_GOODBYE || e != STREAM_ERR_NONE)
			finish(s, S2S_OUT_LOCAL, e, text);
		return;
	}
	remember_end(s, S2S_OUT_LOCAL, text);
	stream_wire_send(s->conn, stream_xml_goodbye);
	leave_open(s);
	set_state(s, OUT_GOODBYE);
	tell_down(s, OUT_OPEN);
}

static void
on_limit(struct clock_timer *t, void *arg)
{
	struct s2s_out *s = arg;

	(void)t;
	finish(s, S2S_OUT_LOST,
	    s->state == OUT_GOODBYE ? STREAM_ERR_NONE
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

/* RFC 6120 4.6: a request that has to be answered where the partner counts,
 * else a space between stanzas, which his TCP at least has to acknowledge. */
static void
on_keep_alive(struct clock_timer *t, void *arg)
{
	struct s2s_out *s = arg;

	if (s->sm.state == SM_OUT_ON)
		s2s_out_request_ack(s);
	else
		conn_write(s->conn, " ", 1);
	clock_timer_start(t, KEEP_ALIVE_MS);
}

static void
on_silent(struct clock_timer *t, void *arg)
{
	(void)t;
	finish(arg, S2S_OUT_LOST, STREAM_ERR_CONNECTION_TIMEOUT,
	    "partner does not acknowledge any more");
}

/* --- negotiation --------------------------------------------------------- */

/* What the partner's row permits on this stream. */
static unsigned
methods(const struct s2s_out *s)
{
	unsigned m = hosting_methods(s->hosting, s->local, s->remote);

	return s->plain && (m & AUTH_DIALBACK_TCP) ? AUTH_DIALBACK_TCP : m;
}

static void
send_header(struct s2s_out *s)
{
	struct buf out;

	buf_init(&out, 0);
	stream_xml_header(&out,
	    &(struct stream_xml_header){ .from = s->local, .to = s->remote },
	    (methods(s) & DIALBACK) != 0);
	stream_wire_flush(s->conn, &out);
}

/* Something was written: the stream is not idle. */
static void
touch(struct s2s_out *s)
{
	const struct partner *p =
	    hosting_partner(s->hosting, s->local, s->remote);
	uint64_t ms =
	    hosting_settings(s->hosting, s->local)->stream_inactivity_ms;

	if (ms > 0)
		clock_timer_start(&s->idle, ms);
	if (p != NULL && p->keep_alive)
		clock_timer_start(&s->keep_alive, KEEP_ALIVE_MS);
}

static void
on_header(struct xml_stream *xs, const struct stream_header *h, void *arg)
{
	struct s2s_out *s = arg;

	(void)xs;
	if (h->version == NULL || strncmp(h->version, "1.", 2) != 0) {
		/* no features, no STARTTLS, no SASL */
		finish(s, S2S_OUT_PROTOCOL, STREAM_ERR_UNSUPPORTED_VERSION,
		    "partner does not speak XMPP 1.0");
		return;
	}
	dialback_out_header(&s->dialback, h);
	if (s->state == OUT_HEADER)
		set_state(s, OUT_FEATURES);
	else if (s->state == OUT_TLS_HEADER)
		set_state(s, OUT_TLS_FEATURES);
	else if (s->state == OUT_AUTH_HEADER)
		set_state(s, OUT_AUTH_FEATURES);
}

static bool
offers_external(const struct xml_elem *features)
{
	const struct xml_elem *list =
	    xml_child(features, XML_NS_SASL, "mechanisms");
	const struct xml_elem *m;
	bool found = false;

	if (list == NULL)
		return false;
	for (m = xml_child(list, XML_NS_SASL, "mechanism"); m != NULL && !found;
	     m = xml_next(list, m, XML_NS_SASL, "mechanism")) {
		struct buf text;
		const char *name;

		buf_init(&text, 64);
		xml_text(m, &text);
		name = buf_cstr(&text);
		found = name != NULL && strcmp(name, "EXTERNAL") == 0;
		buf_finish(&text);
	}
	return found;
}

static void
send_auth(struct s2s_out *s, bool response)
{
	struct buf out, initial;
	const char *base64 = NULL;

	buf_init(&initial, 0);
	buf_init(&out, 0);
	if (sasl_external_initial(&initial, s->local) == 0)
		base64 = buf_cstr(&initial);
	if (base64 == NULL)
		finish(s, S2S_OUT_LOST, STREAM_ERR_INTERNAL_SERVER_ERROR,
		    "out of memory");
	else if (response)
		stream_xml_response(&out, base64);
	else
		stream_xml_auth(&out, "EXTERNAL", base64);
	stream_wire_flush(s->conn, &out);
	buf_finish(&initial);
}

/* Stanzas are numbered from here on: before the owner writes the first. */
static void
enable_sm(struct s2s_out *s)
{
	struct buf out;

	buf_init(&out, 0);
	sm_out_enable(&s->sm, &out);
	stream_wire_flush(s->conn, &out);
}

static void
open_stream(struct s2s_out *s, const char *auth)
{
	s->auth = auth;
	if (!s->secured)
		s->tls = "-";
	set_state(s, OUT_OPEN);
	s->was_up = true;
	touch(s);
	log_info(&s->log, "stream-up",
	    "local=%s remote=%s auth=%s tls=%s "
	    "cipher=%s",
	    s->local, s->remote, s->auth, s->tls, s->cipher);
	if (s->sm_offered)
		enable_sm(s);
	s->events->on_up(s, s->arg);
}

/* Nothing is to be proven. */
static void
open_asking(struct s2s_out *s)
{
	set_state(s, OUT_ASKING);
	s->events->on_up(s, s->arg);
}

/* The partner has judged our key. */
static void
on_verdict(struct dialback_pair *p, enum dialback_type verdict,
    enum condition condition, const char *reason)
{
	struct s2s_out *s = list_entry(p, struct s2s_out, request);

	if (s->state != OUT_DIALBACK)
		return; /* the stream has ended for another reason */
	if (verdict == DIALBACK_VALID) {
		s->pair.method =
		    s->secured ? AUTH_DIALBACK_TLS : AUTH_DIALBACK_TCP;
		open_stream(s, "dialback");
		return;
	}
	s->end.condition = condition;
	finish(s, S2S_OUT_DIALBACK, STREAM_ERR_NONE, reason);
}

static void
request_pair(struct s2s_out *s)
{
	struct buf out;
	int rc;

	s->request = (struct dialback_pair){
		.local = s->local,
		.remote = s->remote,
		.on_verdict = on_verdict,
	};
	buf_init(&out, 0);
	rc = dialback_out_request(&s->dialback, &s->request, &out);
	if (rc < 0) {
		buf_finish(&out);
		finish(s, S2S_OUT_AUTH, STREAM_ERR_NONE,
		    rc == ERR_NOT_FOUND ? "no dialback: the stream has no id, "
					  "or the gateway gave no secret"
					: err_str(rc));
		return;
	}
	set_state(s, OUT_DIALBACK);
	stream_wire_flush(s->conn, &out);
}

/* STARTTLS, if it is there or must be; else dialback as it is. */
static void
choose_before_tls(struct s2s_out *s, const struct xml_elem *e)
{
	bool offered = xml_child(e, XML_NS_TLS, "starttls") != NULL;
	unsigned m = methods(s);
	bool can_do_without =
	    (m & AUTH_DIALBACK_TCP) && (s->asks || s->dialback.offered);

	if ((m & OVER_TLS) && (offered || !can_do_without)) {
		if (!offered)
			log_warn(&s->log, "starttls-not-offered", "remote=%s",
			    s->remote);
		stream_wire_send(s->conn, stream_xml_starttls);
		set_state(s, OUT_PROCEED);
	} else if (!can_do_without) {
		finish(s, S2S_OUT_AUTH, STREAM_ERR_NONE,
		    m == 0 ? "no longer permitted"
			   : "partner does not offer dialback without TLS");
	} else if (s->asks) {
		open_asking(s);
	} else {
		request_pair(s);
	}
}

static bool
may_use_dialback(const struct s2s_out *s)
{
	return (methods(s) & AUTH_DIALBACK_TLS) && s->dialback.offered;
}

static void
choose_after_tls(struct s2s_out *s, const struct xml_elem *e)
{
	if (s->asks) {
		open_asking(s);
	} else if ((methods(s) & AUTH_SASL_TLS) && s->unproven == NULL &&
		   offers_external(e)) {
		send_auth(s, false);
		set_state(s, OUT_SASL);
	} else if (may_use_dialback(s)) {
		request_pair(s);
	} else {
		finish(s, S2S_OUT_AUTH, STREAM_ERR_NONE,
		    s->unproven != NULL
			? s->unproven
			: "partner did not accept our certificate: it does "
			  "not offer EXTERNAL");
	}
}

static void
take_features(struct s2s_out *s, const struct xml_elem *e)
{
	dialback_out_features(&s->dialback, e);
	s->sm_offered = xml_child(e, XML_NS_SM, "sm") != NULL;
	if (s->state == OUT_FEATURES)
		choose_before_tls(s, e);
	else if (s->state == OUT_TLS_FEATURES)
		choose_after_tls(s, e);
	else if (s->state == OUT_AUTH_FEATURES)
		open_stream(s, "external");
}

static void
take_tls(struct s2s_out *s, const struct xml_elem *e)
{
	if (s->state != OUT_PROCEED) {
		finish(s, S2S_OUT_PROTOCOL, STREAM_ERR_UNSUPPORTED_STANZA_TYPE,
		    "unexpected TLS element");
	} else if (strcmp(e->name, "proceed") == 0) {
		set_state(s, OUT_TLS);
		s->tls_wanted = true;
		xml_stream_stop(s->xml);
	} else {
		finish(s, S2S_OUT_TLS, STREAM_ERR_NONE,
		    "partner refused STARTTLS");
	}
}

static void
fail_auth(struct s2s_out *s, const struct xml_elem *e)
{
	const struct xml_elem *c = NULL,
			      *next = xml_child(e, XML_NS_SASL, NULL);
	char text[120];

	while (next != NULL && strcmp(next->name, "text") == 0)
		next = xml_next(e, next, XML_NS_SASL, NULL);
	c = next;
	snprintf(text, sizeof(text), "authentication failed: %.60s",
	    c != NULL ? c->name : "not-authorized");
	if (may_use_dialback(s)) {
		log_info(&s->log, "external-failed", "reason=%s", text);
		request_pair(s);
		return;
	}
	finish(s, S2S_OUT_AUTH, STREAM_ERR_NONE, text);
}

static void
take_sasl(struct s2s_out *s, const struct xml_elem *e)
{
	struct xml_stream_limits limits = xml_stream_limits_open(
	    hosting_settings(s->hosting, s->local)->stanza_max);

	if (s->state != OUT_SASL) {
		finish(s, S2S_OUT_PROTOCOL, STREAM_ERR_UNSUPPORTED_STANZA_TYPE,
		    "unexpected SASL element");
	} else if (strcmp(e->name, "success") == 0) {
		s->pair.method = AUTH_SASL_TLS;
		set_state(s, OUT_AUTH_HEADER);
		xml_stream_restart(s->xml, &limits);
		send_header(s);
	} else if (strcmp(e->name, "challenge") == 0 && !s->challenged) {
		s->challenged = true;
		send_auth(s, true);
	} else {
		fail_auth(s, e);
	}
}

static void
take_error(struct s2s_out *s, const struct xml_elem *e)
{
	const struct xml_elem *c = xml_child(e, XML_NS_STREAM_ERRORS, NULL);
	char text[120];

	s->end.error = c != NULL ? stream_error_parse(c->name)
				 : STREAM_ERR_UNDEFINED_CONDITION;
	snprintf(text, sizeof(text), "partner sent %s",
	    stream_error_str(s->end.error));
	log_warn(&s->log, "stream-error-received", "condition=%s",
	    c != NULL ? c->name : "");
	finish(s, S2S_OUT_ERROR, STREAM_ERR_NONE, text);
}

static void
take_sm(struct s2s_out *s, const struct xml_elem *e)
{
	enum sm_out_verdict verdict;
	struct buf out;

	buf_init(&out, 0);
	verdict = sm_out_take(&s->sm, e, &out);
	stream_wire_flush(s->conn, &out);
	switch (verdict) {
	case SM_OUT_FINE:
		break;
	case SM_OUT_ENABLED:
		if (s->events->on_managed != NULL)
			s->events->on_managed(s, s->arg);
		break;
	case SM_OUT_ACKNOWLEDGED:
		if (s->events->on_acknowledged != NULL)
			s->events->on_acknowledged(s, s->sm.acked, s->arg);
		break;
	case SM_OUT_TOO_HIGH:
		finish(s, S2S_OUT_PROTOCOL, STREAM_ERR_NONE,
		    "partner acknowledged what was not sent");
		break;
	case SM_OUT_UNKNOWN:
		log_debug(&s->log, "element-ignored", "name=%s ns=%s", e->name,
		    e->ns);
		break;
	}
}

static void
on_element(struct xml_stream *xs, const struct xml_elem *e, void *arg)
{
	struct s2s_out *s = arg;

	(void)xs;
	if (s->state == OUT_CLOSED)
		return;
	if (xml_is(e, XML_NS_STREAMS, "error"))
		take_error(s, e);
	else if (xml_is(e, XML_NS_STREAMS, "features"))
		take_features(s, e);
	else if (strcmp(e->ns, XML_NS_TLS) == 0)
		take_tls(s, e);
	else if (strcmp(e->ns, XML_NS_SASL) == 0)
		take_sasl(s, e);
	else if (strcmp(e->ns, XML_NS_DIALBACK) == 0)
		dialback_out_take(&s->dialback, e);
	else if (s->state == OUT_OPEN && strcmp(e->ns, XML_NS_SM) == 0)
		take_sm(s, e);
	else /* nobody may send us stanzas on a stream that we opened */
		log_debug(&s->log, "element-ignored", "name=%s ns=%s", e->name,
		    e->ns);
}

static void
on_goodbye(struct xml_stream *xs, void *arg)
{
	struct s2s_out *s = arg;

	(void)xs;
	finish(
	    s, S2S_OUT_PEER_CLOSED, STREAM_ERR_NONE, "closed by the partner");
}

static const struct xml_stream_events xml_events = { on_header, on_element,
	on_goodbye };

/* --- the connection ------------------------------------------------------ */

static void
on_connected(struct conn *c, void *arg)
{
	struct s2s_out *s = arg;

	(void)c;
	if (s->state != OUT_CONNECT)
		return;
	set_state(s, OUT_HEADER);
	send_header(s);
	if (s->events->on_connected != NULL)
		s->events->on_connected(s, s->arg);
}

static void
begin_tls(struct s2s_out *s, size_t leftover)
{
	bool named;
	const struct tls_identity *id =
	    identities_pick(s->identities, s->local, &named);
	bool literal = s->remote[0] == '[' ||
		       strspn(s->remote, "0123456789.") == strlen(s->remote);

	s->tls_wanted = false;
	if (id == NULL) {
		finish(s, S2S_OUT_AUTH, STREAM_ERR_NONE, "no certificate");
		return;
	}
	if (leftover > 0)
		remember_end(s, S2S_OUT_TLS, "plaintext behind STARTTLS");
	if (conn_start_tls_client(s->conn, id->client, leftover,
		literal ? NULL : s->remote, NULL, 0) < 0)
		finish(s, S2S_OUT_TLS, STREAM_ERR_NONE, "TLS not started");
}

static void
on_data(struct conn *c, const uint8_t *data, size_t len, void *arg)
{
	struct s2s_out *s = arg;
	size_t used;

	(void)c;
	if (s->state == OUT_CLOSED)
		return;
	if (xml_stream_feed(s->xml, data, len, &used) < 0)
		finish(s, S2S_OUT_PROTOCOL, xml_stream_error(s->xml),
		    xml_stream_error_text(s->xml));
	if (s->tls_wanted && s->state == OUT_TLS)
		begin_tls(s, len - used);
}

static void
on_secured(struct conn *c, void *arg)
{
	struct s2s_out *s = arg;
	struct xml_stream_limits limits = xml_stream_limits_strict();
	struct peer_identity identity;
	const char *why;
	char text[256];
	int64_t now = clock_wall_ms(s->clock);

	if (s->state != OUT_TLS)
		return;
	s->tls = SSL_get_version(conn_ssl(c));
	s->cipher = SSL_get_cipher_name(conn_ssl(c));
	if (peer_identity_read(&identity, conn_ssl(c)) < 0) {
		reject_certificate(s, "certificate could not be read");
		return;
	}
	s->secured = true;
	why = peer_identity_why_not(&identity, s->remote);
	if (why != NULL && !(methods(s) & AUTH_DIALBACK_TLS)) {
		(void)peer_identity_explain(
		    &identity, s->remote, text, sizeof(text));
		reject_certificate(s, text);
	} else {
		s->unproven = why;
		if (why != NULL)
			log_info(
			    &s->log, "certificate-unproven", "reason=%s", why);
		else if (identity.until_ms > now &&
			 identity.until_ms != INT64_MAX)
			clock_timer_start(
			    &s->expiry, (uint64_t)(identity.until_ms - now));
		set_state(s, OUT_TLS_HEADER);
		xml_stream_restart(s->xml, &limits);
		send_header(s);
	}
	peer_identity_finish(&identity);
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
	leave_open(s);
	if (s->xml != NULL)
		xml_stream_close(s->xml);
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
	remember_end(s, sort_end(s, why), text);
	s->conn = NULL;
	if (was != OUT_CLOSED) {
		set_state(s, OUT_CLOSED);
		leave_open(s);
		fail_dialback(s, s->reason);
		tell_down(s, was);
	}
	log_info(&s->log, "stream-end",
	    "local=%s remote=%s was_up=%d reason=%s", s->local, s->remote,
	    s->was_up, s->reason);
	s2s_out_info(s, &info);
	s->events->on_end(s, &s->end, &info, s->arg);
	destroy(s);
}

static const struct conn_events conn_events = {
	.on_connected = on_connected,
	.on_secured = on_secured,
	.on_data = on_data,
	.on_drained = on_drained,
	.on_end = on_end,
};

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
	s->pair = (struct stream_pair){ s->local, s->remote, 0 };
	s->asks = opts->asks;
	s->plain = opts->plain;
	log_init(&s->log, "s2s_out");
	dialback_out_init(&s->dialback, s->hosting);
	list_init(&s->request.link);
	clock_timer_init(&s->limit, s->clock, on_limit, s);
	clock_timer_init(&s->idle, s->clock, on_idle, s);
	clock_timer_init(&s->keep_alive, s->clock, on_keep_alive, s);
	clock_timer_init(&s->expiry, s->clock, on_expiry, s);
	sm_out_init(&s->sm, s->clock, on_silent, s);
	rc = xml_stream_open(&s->xml, &limits, &xml_events, s);
	if (rc < 0)
		goto fail;
	rc = conn_connect(&s->conn, opts->addr,
	    &(struct conn_opts){
		.loop = s->loop,
		.clock = s->clock,
		.events = &conn_events,
		.arg = s,
		.connect_ms = CONNECT_MS,
		.dead_ms = DEAD_MS,
		.bind = opts->bind,
	    });
	if (rc < 0)
		goto fail;
	snprintf(s->peer, sizeof(s->peer), "%s", conn_peer(s->conn));
	log_object(&s->log, "stream=%s peer=%s", s->id, s->peer);
	log_object(&s->dialback.log, "stream=%s peer=%s", s->id, s->peer);
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
	touch(s);
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
		touch(s);
	stream_wire_flush(s->conn, &out);
	return 0;
}

bool
s2s_out_permitted(const struct s2s_out *s)
{
	unsigned m = hosting_methods(s->hosting, s->local, s->remote);

	return s->pair.method == 0 ? m != 0 : (m & s->pair.method) != 0;
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
		.pairs = &s->pair,
		.pair_count = 1,
		.peer = s->peer,
		.auth = s->auth,
		.tls = s->tls,
		.cipher = s->cipher,
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
