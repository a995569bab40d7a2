/*
 * From the first header to the first pair.
 *
 * The features follow from what the partner's row permits and, after TLS, from
 * what his certificate proves: EXTERNAL is offered to nobody who could not
 * succeed.  Dialback may open the stream wherever it is permitted, and bring
 * further pairs later.
 */
#include "edge-proxy/s2s_in_impl.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log_limit.h"
#include "common/random.h"
#include "common/xml.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/sasl_external.h"
#include "edge-proxy/stream_wire.h"
#include "edge-proxy/stream_xml.h"

enum { AUTH_FAILURES_MAX = 5, ID_BYTES = 16 };

#define OVER_TLS (AUTH_SASL_TLS | AUTH_DIALBACK_TLS)
#define DIALBACK (AUTH_DIALBACK_TLS | AUTH_DIALBACK_TCP)

/* --- our side of the wire ------------------------------------------------ */

/* What is permitted to him who names himself, else to anybody. */
static unsigned
methods(const struct s2s_in *s)
{
	if (s->ends.from[0] == '\0')
		return hosting_all_methods(s->opts.hosting, s->ends.to);
	return hosting_methods(s->opts.hosting, s->ends.to, s->ends.from);
}

void
s2s_in_put_header(struct s2s_in *s, struct buf *out)
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
		.old = s->old,
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
	s2s_in_put_header(s, &out);
	stream_xml_features(&out, features);
	stream_wire_flush(s->conn, &out);
}

/* --- negotiation --------------------------------------------------------- */

/* From before XMPP 1.0: there are no features to be had, and nothing but
 * dialback is known to him. */
static void
await_dialback(struct s2s_in *s)
{
	struct buf out;

	buf_init(&out, 0);
	s2s_in_put_header(s, &out);
	stream_wire_flush(s->conn, &out);
	s2s_in_set_state(s, IN_STARTTLS);
}

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
			   .limits = plain ? s2s_in_limits(s)
					   : (struct stream_limits){ 0 },
		       });
	s2s_in_set_state(s, IN_STARTTLS);
}

void
s2s_in_offer_auth(struct s2s_in *s)
{
	const char *why = peer_identity_why_not(&s->identity, s->ends.from);
	unsigned m = methods(s);
	bool dialback = (m & AUTH_DIALBACK_TLS) != 0;
	char text[256];

	s->external = why == NULL && (m & AUTH_SASL_TLS) != 0;
	if (!s->external && !dialback) {
		(void)peer_identity_explain(
		    &s->identity, s->ends.from, text, sizeof(text));
		s2s_in_finish(s, STREAM_ERR_POLICY_VIOLATION,
		    why != NULL ? text : "TLS is not permitted");
		return;
	}
	s->back.offered = s2s_in_back_may_offer(s);
	send_header(s, &(struct stream_xml_features){ .external = s->external,
			   .dialback = dialback,
			   .sm = dialback,
			   .bidi = s->back.offered,
			   .limits = s2s_in_limits(s) });
	s2s_in_set_state(s, IN_AUTH);
}

/* The first pair is in. */
static void
open_stream(struct s2s_in *s, const char *auth)
{
	const struct stream_pair *pair = &s->pairs.v[0];

	s->auth = auth;
	if (!s->secured)
		s->tls = "-";
	s2s_in_set_state(s, IN_OPEN);
	clock_timer_stop(&s->establish);
	s2s_in_heard(s);
	s->was_up = true;
	log_limited(&(const struct log_limit){ .log = &s->log,
			.level = LOG_INFO,
			.event = "stream-up",
			.peer = s2s_in_peer_ip(s),
			.lines = S2S_IN_STREAM_LINES },
	    "local=%s remote=%s auth=%s tls=%s "
	    "cipher=%s direct=%d bidi=%d",
	    pair->local, pair->remote, s->auth, s->tls, s->cipher,
	    s->opts.direct, s->back.open);
	s2s_in_back_begin(s);
	s2s_in_tell(s, STREAM_UP);
}

static bool
may_open(struct s2s_in *s, const char *local, const char *remote)
{
	const struct s2s_in_events *events = s->opts.events;

	return events->may_open == NULL ||
	       events->may_open(s, local, remote, s->opts.arg);
}

/* EXTERNAL has ended with a new stream; further pairs may come by dialback. */
static void
open_external(struct s2s_in *s)
{
	if (!may_open(s, s->ends.to, s->ends.from)) {
		s2s_in_finish(
		    s, STREAM_ERR_RESOURCE_CONSTRAINT, "too many connections");
		return;
	}
	if (pair_set_add(&s->pairs, s->ends.to, s->ends.from, AUTH_SASL_TLS) <
	    0) {
		s2s_in_finish(s, STREAM_ERR_RESOURCE_CONSTRAINT, NULL);
		return;
	}
	send_header(s, &(struct stream_xml_features){ .sm = true,
			   .limits = s2s_in_limits(s),
			   .dialback = (methods(s) & AUTH_DIALBACK_TLS) != 0 });
	open_stream(s, peer_identity_proven_by_dane(&s->identity, s->ends.from)
			   ? "dane"
			   : "external");
}

void
s2s_in_limit_establishment(struct s2s_in *s)
{
	const struct hosting *h = s->opts.hosting;
	uint64_t ms =
	    s->ends.to[0] == '\0'
		? hosting_establishment_ms(h)
		: hosting_settings(h, s->ends.to)->stream_establishment_ms;
	uint64_t spent = clock_now_ms(s->opts.clock) - s->accepted_ms;

	clock_timer_start(&s->establish, ms > spent ? ms - spent : 0);
}

void
s2s_in_on_header(
    struct xml_stream *xs, const struct stream_header *h, void *arg)
{
	struct s2s_in *s = arg;
	const char *why = "";
	enum stream_error e;

	(void)xs;
	/* Who names one too long to be any has named none. */
	s->language[0] = '\0';
	if (h->lang != NULL && strlen(h->lang) < sizeof(s->language))
		snprintf(s->language, sizeof(s->language), "%s", h->lang);
	e = addressing_header(
	    &s->ends, h, s->state == IN_TLS_HEADER, s->opts.hosting, &why);
	if (e != STREAM_ERR_NONE) {
		s2s_in_finish(s, e, why);
	} else if (h->version == NULL && s->state != IN_HEADER) {
		s2s_in_finish(s, STREAM_ERR_UNSUPPORTED_VERSION,
		    "header has lost its version");
	} else if (h->version == NULL) {
		s->old = true;
		s2s_in_limit_establishment(s);
		await_dialback(s);
	} else if (s->state == IN_HEADER) {
		s2s_in_limit_establishment(s);
		offer_tls(s);
	} else if (s->state == IN_TLS_HEADER) {
		if (!s2s_in_hold_for_status(s) && !s2s_in_look_up(s))
			s2s_in_offer_auth(s);
	} else if (s->state == IN_AUTH_HEADER) {
		open_external(s);
	}
}

void
s2s_in_take_starttls(struct s2s_in *s)
{
	if ((methods(s) & OVER_TLS) == 0) {
		stream_wire_send(s->conn, stream_xml_tls_failure);
		s2s_in_finish(s, STREAM_ERR_NONE, "TLS is not permitted");
		return;
	}
	stream_wire_send(s->conn, stream_xml_proceed);
	s2s_in_set_state(s, IN_TLS);
	s->tls_wanted = true;
	xml_stream_stop(s->xml);
}

static void
fail_auth(struct s2s_in *s, const char *condition)
{
	struct buf out;

	log_limited_info(&s->log, s2s_in_peer_ip(s), "auth-failed",
	    "from=%s condition=%s", s->ends.from, condition);
	buf_init(&out, 0);
	stream_xml_sasl_failure(&out, condition);
	stream_wire_flush(s->conn, &out);
	if (++s->auth_failures >= AUTH_FAILURES_MAX)
		s2s_in_finish(s, STREAM_ERR_POLICY_VIOLATION,
		    "too many authentication failures");
	else if (s->state == IN_RESPONSE)
		s2s_in_set_state(s, IN_AUTH);
}

static void
succeed_auth(struct s2s_in *s)
{
	struct xml_stream_limits limits = xml_stream_limits_open(
	    hosting_settings(s->opts.hosting, s->ends.to)->stanza_max);

	stream_wire_send(s->conn, stream_xml_success);
	s2s_in_set_state(s, IN_AUTH_HEADER);
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
		s2s_in_set_state(s, IN_RESPONSE);
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

void
s2s_in_take_sasl(struct s2s_in *s, const struct xml_elem *e)
{
	bool asks =
	    strcmp(e->name, "auth") == 0 || strcmp(e->name, "response") == 0;

	if (s->state == IN_STARTTLS && asks)
		fail_auth(s, "encryption-required");
	else if (s->state == IN_AUTH && asks && !s->external)
		/* Dialback may follow. */
		fail_auth(s, "not-authorized");
	else if (s->state != IN_AUTH && s->state != IN_RESPONSE)
		s2s_in_finish(s, STREAM_ERR_UNSUPPORTED_STANZA_TYPE,
		    "authentication is over");
	else if (asks)
		take_auth(s, e);
	else if (strcmp(e->name, "abort") == 0)
		fail_auth(s, "aborted");
	else
		s2s_in_finish(s, STREAM_ERR_UNSUPPORTED_STANZA_TYPE, NULL);
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

	if (!may_open(s, local, remote) ||
	    pair_set_add(&s->pairs, local, remote, method) < 0)
		return false;
	if (s->was_up) {
		s2s_in_tell(s, STREAM_UPDATE);
	} else {
		xml_stream_widen(s->xml, &limits);
		open_stream(s, "dialback");
	}
	return true;
}

static void
on_dialback_close(enum stream_error e, const char *why, void *arg)
{
	s2s_in_finish(arg, e, why);
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

void
s2s_in_init_dialback(struct s2s_in *s)
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
