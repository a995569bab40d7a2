/*
 * s2s_in - one inbound XMPP server stream.
 *
 *   header ──► starttls ──► tls ──► tls-header ──► auth ◄──► response
 *                                                   │           │
 *                   farewell ◄── open ◄── auth-header ◄───────────┘
 *                               │
 *                            goodbye ──► closed    (closed from everywhere)
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
 * What can go wrong ends in finish(): each refusal is a stream error on the
 * wire and one line in the log.  Before the handshake is complete nothing can
 * be said, so the connection is dropped.  A partner who says goodbye while he
 * waits for acknowledgements is given them first (farewell): he would take for
 * lost what is not acknowledged.  An authenticated partner whose
 * certificate expires is sent away with reset.
 */
#include "edge-proxy/s2s_in.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/conn.h"
#include "common/err.h"
#include "common/log.h"
#include "common/random.h"
#include "common/xml.h"
#include "edge-proxy/addressing.h"
#include "edge-proxy/dialback_in.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/identities.h"
#include "edge-proxy/pair_set.h"
#include "edge-proxy/peer_identity.h"
#include "edge-proxy/sasl_external.h"
#include "edge-proxy/sm_in.h"
#include "edge-proxy/sm_xml.h"
#include "edge-proxy/stream_wire.h"
#include "edge-proxy/stream_xml.h"
#include "edge-proxy/xml_stream.h"

enum {
	AUTH_FAILURES_MAX = 5,
	ID_BYTES = 16,
	GOODBYE_MS = 5000,
	STEP_MS = 30000,
	DEAD_MS = 60000, /* a partner's TCP that gives no sign of life */
	LANGUAGE_SIZE = 36
};

enum in_state {
	IN_HEADER,
	IN_STARTTLS,
	IN_TLS,
	IN_TLS_HEADER,
	IN_AUTH,
	IN_RESPONSE,
	IN_AUTH_HEADER,
	IN_OPEN,
	IN_FAREWELL,
	IN_GOODBYE,
	IN_CLOSED,
	IN_COUNT
};

#define BIT(n)   (1u << (n))
#define OVER_TLS (AUTH_SASL_TLS | AUTH_DIALBACK_TLS)
#define DIALBACK (AUTH_DIALBACK_TLS | AUTH_DIALBACK_TCP)

static const struct {
	const char *name;
	unsigned next;
	unsigned limit_ms; /* time allowed here; 0 = no limit of its own */
} states[IN_COUNT] = {
	[IN_HEADER] = { "header", BIT(IN_STARTTLS) | BIT(IN_CLOSED), STEP_MS },
	[IN_STARTTLS] = { "starttls",
	    BIT(IN_TLS) | BIT(IN_OPEN) | BIT(IN_CLOSED), STEP_MS },
	[IN_TLS] = { "tls", BIT(IN_TLS_HEADER) | BIT(IN_CLOSED), STEP_MS },
	[IN_TLS_HEADER] = { "tls-header", BIT(IN_AUTH) | BIT(IN_CLOSED),
	    STEP_MS },
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
	    BIT(IN_FAREWELL) | BIT(IN_GOODBYE) | BIT(IN_CLOSED), 0 },
	[IN_FAREWELL] = { "farewell", BIT(IN_CLOSED), GOODBYE_MS },
	[IN_GOODBYE] = { "goodbye", BIT(IN_CLOSED), GOODBYE_MS },
	[IN_CLOSED] = { "closed", 0, 0 },
};

struct s2s_in {
	struct s2s_in_opts opts;
	struct log log;
	struct conn *conn;
	struct xml_stream *xml;
	enum in_state state;
	struct clock_timer limit;     /* of the state */
	struct clock_timer establish; /* of all states before open */
	struct clock_timer idle;
	struct clock_timer expiry; /* of the partner's certificate */

	struct stream_ends ends;
	struct peer_identity identity;
	struct pair_set pairs;
	struct sm_in sm;
	struct dialback_in dialback;
	unsigned auth_failures;
	bool header_sent; /* in the stream life that is going on */
	bool tls_wanted;  /* start it when the parser has returned */
	bool secured;
	bool external; /* is offered */
	bool was_up;
	bool paused;
	void *data;

	char id[STREAM_ID_SIZE];
	char peer[STREAM_PEER_SIZE];
	char language[LANGUAGE_SIZE]; /* of the latest header, or "" */
	const char *tls, *cipher, *auth;
	enum stream_error error;
	char reason[200];
};

static void finish(struct s2s_in *s, enum stream_error e, const char *text);

/* The only place that writes s->state. */
static void
set_state(struct s2s_in *s, enum in_state to)
{
	assert(states[s->state].next & BIT(to));
	log_debug(&s->log, "state", "from=%s to=%s", states[s->state].name,
	    states[to].name);
	s->state = to;
	clock_timer_stop(&s->limit);
	if (states[to].limit_ms != 0)
		clock_timer_start(&s->limit, states[to].limit_ms);
}

/* --- our side of the wire ------------------------------------------------ */

/* What is permitted to him who names himself, else to anybody. */
static unsigned
methods(const struct s2s_in *s)
{
	if (s->ends.from[0] == '\0')
		return hosting_all_methods(s->opts.hosting, s->ends.to);
	return hosting_methods(s->opts.hosting, s->ends.to, s->ends.from);
}

static void
put_header(struct s2s_in *s, struct buf *out)
{
	char id[2 * ID_BYTES + 1];
	bool served = s->ends.to[0] != '\0' &&
		      hosting_serves(s->opts.hosting, s->ends.to);

	random_hex(id, ID_BYTES);
	stream_xml_header(out,
	    &(struct stream_xml_header){
		.from = served ? s->ends.to : "",
		.to = s->ends.from[0] != '\0' ? s->ends.from : NULL,
		.id = id,
	    },
	    (methods(s) & DIALBACK) != 0);
	dialback_in_begin(&s->dialback, id, s->secured);
	s->header_sent = true;
}

static void
send_header(struct s2s_in *s, const struct stream_xml_features *features)
{
	struct buf out;

	buf_init(&out, 0);
	put_header(s, &out);
	stream_xml_features(&out, features);
	stream_wire_flush(s->conn, &out);
}

/* --- the end ------------------------------------------------------------- */

static void
remember_end(struct s2s_in *s, enum stream_error e, const char *text)
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

	remember_end(s, STREAM_ERR_NONE, "closed by us");
	buf_init(&out, 0);
	sm_in_flush(&s->sm, &out);
	stream_xml_goodbye(&out);
	stream_wire_flush(s->conn, &out);
	clock_timer_stop(&s->idle);
	set_state(s, IN_GOODBYE);
}

/* Sends the error, if there is one, and the closing tag; then closes.  text is
 * for the log and, where it is ours to tell, for the partner. */
static void
finish(struct s2s_in *s, enum stream_error e, const char *text)
{
	enum in_state was = s->state;
	struct buf out;

	if (was == IN_CLOSED)
		return;
	remember_end(s, e, text);
	set_state(s, IN_CLOSED);
	clock_timer_stop(&s->establish);
	clock_timer_stop(&s->idle);
	clock_timer_stop(&s->expiry);
	dialback_in_finish(&s->dialback);
	if (was == IN_TLS) {
		conn_abort(s->conn, CONN_END_LOCAL);
		return;
	}
	buf_init(&out, 0);
	if (!s->header_sent)
		put_header(s, &out);
	if (was != IN_GOODBYE)
		sm_in_flush(&s->sm, &out);
	if (e != STREAM_ERR_NONE)
		stream_xml_error(&out, e, text);
	if (was != IN_GOODBYE)
		stream_xml_goodbye(&out);
	stream_wire_flush(s->conn, &out);
	conn_close(s->conn, CONN_END_LOCAL);
}

void
s2s_in_close(struct s2s_in *s, enum stream_error e, const char *text)
{
	if (e != STREAM_ERR_NONE) {
		finish(s, e, text);
		return;
	}
	if (s->state == IN_GOODBYE || s->state == IN_CLOSED)
		return;
	remember_end(s, STREAM_ERR_NONE, text != NULL ? text : "closed by us");
	if (s->state == IN_OPEN)
		say_goodbye(s);
	else
		finish(s, STREAM_ERR_NONE, text);
}

static void
on_limit(struct clock_timer *t, void *arg)
{
	struct s2s_in *s = arg;

	(void)t;
	if (s->state == IN_GOODBYE || s->state == IN_FAREWELL)
		finish(s, STREAM_ERR_NONE, NULL);
	else if (s->dialback.answered > 0)
		finish(s, STREAM_ERR_NONE, "wanted keys verified only");
	else
		finish(s, STREAM_ERR_CONNECTION_TIMEOUT,
		    "stream not established in time");
}

static void
on_idle(struct clock_timer *t, void *arg)
{
	(void)t;
	s2s_in_close(arg, STREAM_ERR_NONE, "idle");
}

static void
on_expiry(struct clock_timer *t, void *arg)
{
	(void)t;
	finish(arg, STREAM_ERR_RESET, "certificate has expired");
}

/* --- negotiation --------------------------------------------------------- */

/* Before TLS: whoever is to have it is told so. */
static void
offer_tls(struct s2s_in *s)
{
	unsigned m = methods(s);
	bool plain = (m & AUTH_DIALBACK_TCP) != 0;

	send_header(s, &(struct stream_xml_features){
			   .starttls = (m & OVER_TLS) != 0,
			   .optional = plain,
			   .dialback = plain,
			   .sm = plain,
		       });
	set_state(s, IN_STARTTLS);
}

/* After TLS the certificate decides what can be offered. */
static void
offer_auth(struct s2s_in *s)
{
	const char *why = peer_identity_why_not(&s->identity, s->ends.from);
	unsigned m = methods(s);
	bool dialback = (m & AUTH_DIALBACK_TLS) != 0;
	char text[256];

	s->external = why == NULL && (m & AUTH_SASL_TLS) != 0;
	if (!s->external && !dialback) {
		(void)peer_identity_explain(
		    &s->identity, s->ends.from, text, sizeof(text));
		finish(s, STREAM_ERR_POLICY_VIOLATION,
		    why != NULL ? text : "TLS is not permitted");
		return;
	}
	send_header(s, &(struct stream_xml_features){ .external = s->external,
			   .dialback = dialback,
			   .sm = dialback });
	set_state(s, IN_AUTH);
}

static void
restart_idle(struct s2s_in *s)
{
	uint64_t ms =
	    hosting_settings(s->opts.hosting, s->ends.to)->stream_inactivity_ms;

	if (ms > 0)
		clock_timer_start(&s->idle, ms);
}

static void
tell(struct s2s_in *s, enum stream_event ev)
{
	struct stream_info info;

	s2s_in_info(s, &info);
	s->opts.events->on_event(s, ev, &info, s->opts.arg);
}

/* The first pair is in. */
static void
open_stream(struct s2s_in *s, const char *auth)
{
	const struct stream_pair *pair = &s->pairs.v[0];

	s->auth = auth;
	if (!s->secured)
		s->tls = "-";
	set_state(s, IN_OPEN);
	clock_timer_stop(&s->establish);
	restart_idle(s);
	s->was_up = true;
	log_info(&s->log, "stream-up",
	    "local=%s remote=%s auth=%s tls=%s "
	    "cipher=%s",
	    pair->local, pair->remote, s->auth, s->tls, s->cipher);
	tell(s, STREAM_UP);
}

/* EXTERNAL has ended with a new stream; further pairs may come by dialback. */
static void
open_external(struct s2s_in *s)
{
	if (pair_set_add(&s->pairs, s->ends.to, s->ends.from, AUTH_SASL_TLS) <
	    0) {
		finish(s, STREAM_ERR_RESOURCE_CONSTRAINT, NULL);
		return;
	}
	send_header(s, &(struct stream_xml_features){ .sm = true,
			   .dialback = (methods(s) & AUTH_DIALBACK_TLS) != 0 });
	open_stream(s, "external");
}

static void
on_header(struct xml_stream *xs, const struct stream_header *h, void *arg)
{
	struct s2s_in *s = arg;
	const char *why = "";
	enum stream_error e;

	(void)xs;
	/* Who names one too long to be any has named none. */
	s->language[0] = '\0';
	if (h->lang != NULL && strlen(h->lang) < sizeof(s->language))
		strcpy(s->language, h->lang);
	e = addressing_header(
	    &s->ends, h, s->state == IN_TLS_HEADER, s->opts.hosting, &why);
	if (e != STREAM_ERR_NONE)
		finish(s, e, why);
	else if (s->state == IN_HEADER)
		offer_tls(s);
	else if (s->state == IN_TLS_HEADER)
		offer_auth(s);
	else if (s->state == IN_AUTH_HEADER)
		open_external(s);
}

static void
take_starttls(struct s2s_in *s)
{
	if ((methods(s) & OVER_TLS) == 0) {
		stream_wire_send(s->conn, stream_xml_tls_failure);
		finish(s, STREAM_ERR_NONE, "TLS is not permitted");
		return;
	}
	stream_wire_send(s->conn, stream_xml_proceed);
	set_state(s, IN_TLS);
	s->tls_wanted = true;
	xml_stream_stop(s->xml);
}

static void
fail_auth(struct s2s_in *s, const char *condition)
{
	struct buf out;

	log_info(&s->log, "auth-failed", "from=%s condition=%s", s->ends.from,
	    condition);
	buf_init(&out, 0);
	stream_xml_sasl_failure(&out, condition);
	stream_wire_flush(s->conn, &out);
	if (++s->auth_failures >= AUTH_FAILURES_MAX)
		finish(s, STREAM_ERR_POLICY_VIOLATION,
		    "too many authentication failures");
	else if (s->state == IN_RESPONSE)
		set_state(s, IN_AUTH);
}

static void
succeed_auth(struct s2s_in *s)
{
	struct xml_stream_limits limits = xml_stream_limits_open(
	    hosting_settings(s->opts.hosting, s->ends.to)->stanza_max);

	stream_wire_send(s->conn, stream_xml_success);
	set_state(s, IN_AUTH_HEADER);
	s->header_sent = false;
	xml_stream_restart(s->xml, &limits);
}

static void
act_on_auth(struct s2s_in *s, enum sasl_answer a)
{
	if (a == SASL_SUCCESS) {
		succeed_auth(s);
	} else if (a == SASL_CHALLENGE) {
		stream_wire_send(s->conn, stream_xml_challenge);
		set_state(s, IN_RESPONSE);
	} else {
		fail_auth(s, sasl_external_str(a));
	}
}

static void
take_auth(struct s2s_in *s, const struct xml_elem *e)
{
	enum sasl_answer a = SASL_TEMPORARY_AUTH_FAILURE;
	struct buf text;
	bool response = strcmp(e->name, "response") == 0;

	if (s->state == IN_RESPONSE ? !response : response) {
		fail_auth(s, "malformed-request");
		return;
	}
	buf_init(&text, 0);
	if (xml_text(e, &text) == 0 && buf_cstr(&text) != NULL)
		a = response
			? sasl_external_response(
			      (const char *)text.data, text.len, s->ends.from)
			: sasl_external_auth(xml_attr(e, "mechanism"),
			      (const char *)text.data, text.len, s->ends.from);
	buf_finish(&text);
	act_on_auth(s, a);
}

static void
take_sasl(struct s2s_in *s, const struct xml_elem *e)
{
	bool asks =
	    strcmp(e->name, "auth") == 0 || strcmp(e->name, "response") == 0;

	if (s->state == IN_STARTTLS && asks)
		fail_auth(s, "encryption-required");
	else if (s->state == IN_AUTH && asks && !s->external)
		/* Dialback may follow. */
		fail_auth(s, "not-authorized");
	else if (s->state != IN_AUTH && s->state != IN_RESPONSE)
		finish(s, STREAM_ERR_UNSUPPORTED_STANZA_TYPE,
		    "authentication is over");
	else if (asks)
		take_auth(s, e);
	else if (strcmp(e->name, "abort") == 0)
		fail_auth(s, "aborted");
	else
		finish(s, STREAM_ERR_UNSUPPORTED_STANZA_TYPE, NULL);
}

/* --- elements ------------------------------------------------------------ */

/* The partner gave up on the stream. */
static void
take_error(struct s2s_in *s, const struct xml_elem *e)
{
	const struct xml_elem *c = xml_child(e, XML_NS_STREAM_ERRORS, NULL);
	char text[120];

	snprintf(text, sizeof(text), "partner sent %s",
	    c != NULL ? stream_error_str(stream_error_parse(c->name))
		      : "an error without condition");
	log_warn(&s->log, "stream-error-received", "condition=%s",
	    c != NULL ? c->name : "");
	finish(s, STREAM_ERR_NONE, text);
}

static bool
is_stanza(const struct xml_elem *e)
{
	return strcmp(e->ns, XML_NS_SERVER) == 0 &&
	       (strcmp(e->name, "message") == 0 ||
		   strcmp(e->name, "presence") == 0 ||
		   strcmp(e->name, "iq") == 0);
}

static void
take_stanza(struct s2s_in *s, const struct xml_elem *e)
{
	struct jid from, to;
	const char *why = "";
	enum stream_error error;

	if (s->state != IN_OPEN && s->state != IN_GOODBYE) {
		finish(s, STREAM_ERR_NOT_AUTHORIZED,
		    "stanza before authentication");
		return;
	}
	error =
	    addressing_stanza(&from, &to, e, &s->pairs, s->opts.hosting, &why);
	if (error != STREAM_ERR_NONE) {
		log_warn(&s->log, "stanza-refused",
		    "condition=%s why=%s from=%s to=%s",
		    stream_error_str(error), why, xml_attr(e, "from"),
		    xml_attr(e, "to"));
		finish(s, error, why);
		return;
	}
	sm_in_received(&s->sm);
	s->opts.events->on_stanza(s, e, &from, &to, s->opts.arg);
	jid_finish(&from);
	jid_finish(&to);
}

/* --- dialback ------------------------------------------------------------ */

static bool
on_proves(const char *domain, void *arg)
{
	struct s2s_in *s = arg;

	return peer_identity_proves(&s->identity, domain);
}

static void
on_dialback_send(struct buf *out, void *arg)
{
	struct s2s_in *s = arg;

	if (s->state == IN_CLOSED)
		buf_finish(out);
	else
		stream_wire_flush(s->conn, out);
}

/* A pair has proven itself: the first one opens the stream. */
static bool
on_pair_valid(const char *local, const char *remote, unsigned method, void *arg)
{
	struct s2s_in *s = arg;
	struct xml_stream_limits limits = xml_stream_limits_open(
	    hosting_settings(s->opts.hosting, local)->stanza_max);

	if (pair_set_add(&s->pairs, local, remote, method) < 0)
		return false;
	if (s->was_up) {
		tell(s, STREAM_UPDATE);
	} else {
		xml_stream_widen(s->xml, &limits);
		open_stream(s, "dialback");
	}
	return true;
}

static void
on_dialback_close(enum stream_error e, const char *why, void *arg)
{
	finish(arg, e, why);
}

static const struct dialback_in_events dialback_events = {
	.proves = on_proves,
	.on_send = on_dialback_send,
	.on_valid = on_pair_valid,
	.on_close = on_dialback_close,
};

static int
ask_nobody(struct dialback_ask *a, void *arg)
{
	(void)a;
	(void)arg;
	return ERR_CLOSED;
}

/* --- elements of an open stream ------------------------------------------ */

static void
take_sm(struct s2s_in *s, const struct xml_elem *e)
{
	enum sm_in_verdict verdict;
	struct buf out;

	buf_init(&out, 0);
	verdict = sm_in_take(&s->sm, e, &out);
	stream_wire_flush(s->conn, &out);
	switch (verdict) {
	case SM_IN_FINE:
		break;
	case SM_IN_TWICE:
		finish(s, STREAM_ERR_POLICY_VIOLATION,
		    "stream management is enabled already");
		break;
	case SM_IN_TOO_HIGH:
		finish(s, STREAM_ERR_NONE,
		    "partner acknowledged what was not sent");
		break;
	case SM_IN_UNKNOWN:
		log_debug(&s->log, "element-ignored", "name=%s ns=%s", e->name,
		    e->ns);
		break;
	}
}

/* The count has grown, and this turn of the loop is over. */
static void
on_tell(struct clock_timer *t, void *arg)
{
	struct s2s_in *s = arg;
	struct buf out;

	(void)t;
	if (s->state != IN_OPEN && s->state != IN_FAREWELL)
		return;
	buf_init(&out, 0);
	sm_in_flush(&s->sm, &out);
	stream_wire_flush(s->conn, &out);
	if (s->state == IN_FAREWELL && !sm_in_owes(&s->sm))
		finish(s, STREAM_ERR_NONE, NULL);
}

static void
on_element(struct xml_stream *xs, const struct xml_elem *e, void *arg)
{
	struct s2s_in *s = arg;

	(void)xs;
	if (s->state == IN_CLOSED)
		return;
	if (is_stanza(e))
		take_stanza(s, e);
	else if (xml_is(e, XML_NS_STREAMS, "error"))
		take_error(s, e);
	else if (strcmp(e->ns, XML_NS_SASL) == 0)
		take_sasl(s, e);
	else if (xml_is(e, XML_NS_TLS, "starttls") && s->state == IN_STARTTLS)
		take_starttls(s);
	else if (strcmp(e->ns, XML_NS_DIALBACK) == 0 && s->state != IN_GOODBYE)
		dialback_in_take(&s->dialback, e);
	else if (s->state == IN_OPEN && strcmp(e->ns, XML_NS_SM) == 0)
		take_sm(s, e);
	else if (s->state == IN_OPEN && strcmp(e->ns, XML_NS_TLS) != 0 &&
		 strcmp(e->ns, XML_NS_SERVER) != 0)
		log_debug(&s->log, "element-ignored", "name=%s ns=%s", e->name,
		    e->ns);
	else
		finish(s, STREAM_ERR_UNSUPPORTED_STANZA_TYPE, NULL);
}

static void
on_goodbye(struct xml_stream *xs, void *arg)
{
	struct s2s_in *s = arg;

	(void)xs;
	remember_end(s, STREAM_ERR_NONE, "closed by the partner");
	if (s->state == IN_OPEN && sm_in_owes(&s->sm)) {
		clock_timer_stop(&s->idle);
		set_state(s, IN_FAREWELL);
	} else {
		finish(s, STREAM_ERR_NONE, NULL);
	}
}

static const struct xml_stream_events xml_events = { on_header, on_element,
	on_goodbye };

/* --- the connection ------------------------------------------------------ */

/* The parser has returned from bytes or a resume. */
static void
after_parsing(struct s2s_in *s, int rc)
{
	if (rc < 0)
		finish(
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
		log_error(&s->log, "no-certificate", "to=%s", s->ends.to);
		finish(s, STREAM_ERR_INTERNAL_SERVER_ERROR, "no certificate");
		return;
	}
	if (!named)
		log_debug(
		    &s->log, "certificate-of-other-name", "to=%s", s->ends.to);
	if (leftover > 0)
		remember_end(s, STREAM_ERR_NONE, "plaintext behind STARTTLS");
	if (conn_start_tls_server(s->conn, id->server, leftover) < 0)
		finish(s, STREAM_ERR_INTERNAL_SERVER_ERROR, "TLS not started");
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
	if (s->state == IN_OPEN)
		restart_idle(s);
	rc = xml_stream_feed(s->xml, data, len, &used);
	after_parsing(s, rc);
	if (s->tls_wanted && s->state == IN_TLS)
		begin_tls(s, len - used);
}

static void
watch_expiry(struct s2s_in *s)
{
	int64_t now = clock_wall_ms(s->opts.clock);

	if (s->identity.presented && s->identity.verdict == X509_V_OK &&
	    s->identity.until_ms > now && s->identity.until_ms != INT64_MAX)
		clock_timer_start(
		    &s->expiry, (uint64_t)(s->identity.until_ms - now));
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
	set_state(s, IN_TLS_HEADER);
	s->header_sent = false;
	xml_stream_restart(s->xml, &limits);
	if (peer_identity_read(&s->identity, ssl) < 0) {
		finish(s, STREAM_ERR_RESOURCE_CONSTRAINT, NULL);
		return;
	}
	watch_expiry(s);
}

static void
destroy(struct s2s_in *s)
{
	clock_timer_stop(&s->limit);
	clock_timer_stop(&s->establish);
	clock_timer_stop(&s->idle);
	clock_timer_stop(&s->expiry);
	sm_in_finish(&s->sm);
	dialback_in_finish(&s->dialback);
	if (s->xml != NULL)
		xml_stream_close(s->xml);
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
		set_state(s, IN_CLOSED);
	/* The one line about a refusal, whoever was refused. */
	log_event(&s->log, s->error != STREAM_ERR_NONE ? LOG_WARN : LOG_INFO,
	    "stream-end", "local=%s remote=%s was_up=%d condition=%s reason=%s",
	    s->ends.to, s->ends.from, s->was_up, stream_error_str(s->error),
	    s->reason);
	s->conn = NULL;
	s2s_in_info(s, &info);
	s->opts.events->on_end(s, s->was_up, &info, s->opts.arg);
	destroy(s);
}

static const struct conn_events conn_events = {
	.on_secured = on_secured,
	.on_data = on_data,
	.on_end = on_end,
};

static void
init_dialback(struct s2s_in *s)
{
	const struct dialback_in_opts opts = {
		.hosting = s->opts.hosting,
		.pairs = &s->pairs,
		.ask = s->opts.ask != NULL ? s->opts.ask : ask_nobody,
		.ask_arg = s->opts.ask_arg,
		.events = &dialback_events,
		.arg = s,
	};

	dialback_in_init(&s->dialback, &opts);
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
	clock_timer_init(&s->expiry, opts->clock, on_expiry, s);
	sm_in_init(&s->sm, opts->clock, on_tell, s);
	init_dialback(s);
	rc = xml_stream_open(&s->xml, &limits, &xml_events, s);
	if (rc < 0)
		goto fail;
	rc = conn_accept(&s->conn, listener,
	    &(struct conn_opts){
		.loop = opts->loop,
		.clock = opts->clock,
		.events = &conn_events,
		.arg = s,
		.dead_ms = DEAD_MS,
	    });
	if (rc < 0)
		goto fail;
	snprintf(s->peer, sizeof(s->peer), "%s", conn_peer(s->conn));
	log_object(&s->log, "stream=%s peer=%s", s->id, s->peer);
	log_object(&s->dialback.log, "stream=%s peer=%s", s->id, s->peer);
	log_debug(&s->log, "accepted", "ip=%s", conn_peer_ip(s->conn));
	clock_timer_start(&s->limit, states[IN_HEADER].limit_ms);
	clock_timer_start(&s->establish,
	    hosting_settings(opts->hosting, "")->stream_establishment_ms);
	*out = s;
	return 0;

fail:
	destroy(s);
	return rc;
}

/* --- the owner's side ---------------------------------------------------- */

void
s2s_in_pause(struct s2s_in *s)
{
	if (s->paused || s->state == IN_CLOSED)
		return;
	s->paused = true;
	xml_stream_pause(s->xml);
	conn_pause(s->conn);
}

void
s2s_in_resume(struct s2s_in *s)
{
	if (!s->paused)
		return;
	s->paused = false;
	if (s->conn == NULL)
		return;
	conn_resume(s->conn);
	if (s->state != IN_CLOSED)
		after_parsing(s, xml_stream_resume(s->xml));
}

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

	if (s->state != IN_OPEN)
		return;
	for (size_t i = s->pairs.count; i-- > 0;) {
		if (still_permitted(s, &s->pairs.v[i]))
			continue;
		if (s->pairs.count == 1) {
			/* It stays: the end tells whose stream it was. */
			finish(s,
			    hosting_serves(s->opts.hosting, s->pairs.v[0].local)
				? STREAM_ERR_POLICY_VIOLATION
				: STREAM_ERR_HOST_GONE,
			    "no longer permitted");
			return;
		}
		pair_set_remove(&s->pairs, i);
	}
	if (s->pairs.count != before)
		tell(s, STREAM_UPDATE);
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
