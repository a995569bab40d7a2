/*
 * From our first header to the open stream.
 *
 * Where TLS comes at once (XEP-0368) there is no before: STARTTLS is not looked
 * for again.  Else what a partner says before TLS decides nothing, unless the row permits to do
 * without.  The certificate is judged the moment the handshake is done; one
 * that does not prove the wanted domain ends the stream before the new header
 * is sent, unless the row permits dialback, which does not ask for it.
 *
 * A server whose header has no version sends no features: where the row permits
 * dialback on plain TCP, that follows at once.
 *
 * With the features after TLS, or, where the row permits it and the partner has
 * no TLS, with those before, the way is chosen: EXTERNAL, dialback, or (asking)
 * nothing at all.  EXTERNAL that fails gives way to dialback.
 *
 * Where TLSA records are known of the server (RFC 7673), TLS and a certificate
 * that they prove are demanded in any case: to fall back on less is what they
 * were signed against.
 */
#include "edge-proxy/s2s_out_impl.h"

#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/conn.h"
#include "common/err.h"
#include "common/xml.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/identities.h"
#include "edge-proxy/sasl_external.h"
#include "edge-proxy/sm_xml.h"
#include "edge-proxy/stream_wire.h"
#include "edge-proxy/stream_xml.h"

/* What the partner's row permits on this stream. */
static unsigned
methods(const struct s2s_out *s)
{
	unsigned m = hosting_methods(s->hosting, s->local, s->remote);

	if (s->tlsa != NULL)
		return m & S2S_OUT_OVER_TLS;
	return s->plain && (m & AUTH_DIALBACK_TCP) ? AUTH_DIALBACK_TCP : m;
}

void
s2s_out_send_header(struct s2s_out *s)
{
	struct buf out;

	buf_init(&out, 0);
	stream_xml_header(&out,
	    &(struct stream_xml_header){ .from = s->local, .to = s->remote },
	    (methods(s) & S2S_OUT_DIALBACK_ANY) != 0);
	stream_wire_flush(s->conn, &out);
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
		s2s_out_finish(s, S2S_OUT_LOST,
		    STREAM_ERR_INTERNAL_SERVER_ERROR, "out of memory");
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
	s2s_out_set_state(s, OUT_OPEN);
	s->was_up = true;
	s2s_out_touch(s);
	s2s_out_back_begin(s);
	log_info(&s->log, "stream-up",
	    "local=%s remote=%s auth=%s tls=%s "
	    "cipher=%s direct=%d bidi=%d",
	    s->local, s->remote, s->auth, s->tls, s->cipher, s->direct,
	    s->back.open);
	if (s->sm_offered)
		enable_sm(s);
	s->events->on_up(s, s->arg);
}

/* How a stream is called whose server TLSA records have proven. */
static const char *
auth_name(const struct s2s_out *s, bool external)
{
	if (peer_identity_proven_by_dane(&s->identity, s->remote))
		return external ? "dane" : "dialback+dane";
	return external ? "external" : "dialback";
}

/* Nothing is to be proven. */
static void
open_asking(struct s2s_out *s)
{
	s2s_out_set_state(s, OUT_ASKING);
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
		s->pairs.v[0].method =
		    s->secured ? AUTH_DIALBACK_TLS : AUTH_DIALBACK_TCP;
		open_stream(s, auth_name(s, false));
		return;
	}
	s->end.condition = condition;
	s2s_out_finish(s, S2S_OUT_DIALBACK, STREAM_ERR_NONE, reason);
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
		s2s_out_finish(s, S2S_OUT_AUTH, STREAM_ERR_NONE,
		    rc == ERR_NOT_FOUND ? "no dialback: the stream has no id, "
					  "or the gateway gave no secret"
					: err_str(rc));
		return;
	}
	s2s_out_set_state(s, OUT_DIALBACK);
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

	if ((m & S2S_OUT_OVER_TLS) && (offered || !can_do_without)) {
		if (!offered)
			log_warn(&s->log, "starttls-not-offered", "remote=%s",
			    s->remote);
		stream_wire_send(s->conn, stream_xml_starttls);
		s2s_out_set_state(s, OUT_PROCEED);
	} else if (!can_do_without) {
		s2s_out_finish(s, S2S_OUT_AUTH, STREAM_ERR_NONE,
		    m == 0 ? "no longer permitted"
			   : "partner does not offer dialback without TLS");
	} else if (s->asks) {
		open_asking(s);
	} else {
		request_pair(s);
	}
}

/* A server from before XMPP 1.0: no features, no TLS, no SASL (RFC 6120 4.7.5). */
static void
choose_without_features(struct s2s_out *s, const struct stream_header *h)
{
	dialback_out_header(&s->dialback, h);
	s->limits = (struct stream_limits){ 0 };
	log_debug(&s->log, "no-version", "dialback=%d", s->dialback.offered);
	s2s_out_set_state(s, OUT_FEATURES);
	if (s->asks)
		open_asking(s);
	else if (s->dialback.offered)
		request_pair(s);
	else
		s2s_out_finish(s, S2S_OUT_AUTH, STREAM_ERR_NONE,
		    "partner speaks neither XMPP 1.0 nor dialback");
}

void
s2s_out_on_header(
    struct xml_stream *xs, const struct stream_header *h, void *arg)
{
	struct s2s_out *s = arg;

	(void)xs;
	s->back.language[0] = '\0';
	if (h->lang != NULL && strlen(h->lang) < sizeof(s->back.language))
		snprintf(
		    s->back.language, sizeof(s->back.language), "%s", h->lang);
	if (h->version == NULL && s->state == OUT_HEADER &&
	    (methods(s) & AUTH_DIALBACK_TCP) != 0) {
		choose_without_features(s, h);
		return;
	}
	if (h->version == NULL || strncmp(h->version, "1.", 2) != 0) {
		/* no features, no STARTTLS, no SASL */
		s2s_out_finish(s, S2S_OUT_PROTOCOL,
		    STREAM_ERR_UNSUPPORTED_VERSION,
		    "partner does not speak XMPP 1.0");
		return;
	}
	dialback_out_header(&s->dialback, h);
	if (s->state == OUT_HEADER)
		s2s_out_set_state(s, OUT_FEATURES);
	else if (s->state == OUT_TLS_HEADER)
		s2s_out_set_state(s, OUT_TLS_FEATURES);
	else if (s->state == OUT_AUTH_HEADER)
		s2s_out_set_state(s, OUT_AUTH_FEATURES);
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
		s2s_out_back_request(s, e);
		send_auth(s, false);
		s2s_out_set_state(s, OUT_SASL);
	} else if (may_use_dialback(s)) {
		s2s_out_back_request(s, e);
		request_pair(s);
	} else {
		s2s_out_finish(s, S2S_OUT_AUTH, STREAM_ERR_NONE,
		    s->unproven != NULL
			? s->unproven
			: "partner did not accept our certificate: it does "
			  "not offer EXTERNAL");
	}
}

void
s2s_out_take_features(struct s2s_out *s, const struct xml_elem *e)
{
	dialback_out_features(&s->dialback, e);
	s->sm_offered = xml_child(e, XML_NS_SM, "sm") != NULL;
	s->limits = stream_limits_read(e);
	if (s->state == OUT_FEATURES)
		choose_before_tls(s, e);
	else if (s->state == OUT_TLS_FEATURES)
		choose_after_tls(s, e);
	else if (s->state == OUT_AUTH_FEATURES)
		open_stream(s, auth_name(s, true));
}

void
s2s_out_take_tls(struct s2s_out *s, const struct xml_elem *e)
{
	if (s->state != OUT_PROCEED) {
		s2s_out_finish(s, S2S_OUT_PROTOCOL,
		    STREAM_ERR_UNSUPPORTED_STANZA_TYPE,
		    "unexpected TLS element");
	} else if (strcmp(e->name, "proceed") == 0) {
		s2s_out_set_state(s, OUT_TLS);
		s->tls_wanted = true;
		xml_stream_stop(s->xml);
	} else {
		s2s_out_finish(s, S2S_OUT_TLS, STREAM_ERR_NONE,
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
	s2s_out_finish(s, S2S_OUT_AUTH, STREAM_ERR_NONE, text);
}

void
s2s_out_take_sasl(struct s2s_out *s, const struct xml_elem *e)
{
	struct xml_stream_limits limits = xml_stream_limits_open(
	    hosting_settings(s->hosting, s->local)->stanza_max);

	if (s->state != OUT_SASL) {
		s2s_out_finish(s, S2S_OUT_PROTOCOL,
		    STREAM_ERR_UNSUPPORTED_STANZA_TYPE,
		    "unexpected SASL element");
	} else if (strcmp(e->name, "success") == 0) {
		s->pairs.v[0].method = AUTH_SASL_TLS;
		s2s_out_set_state(s, OUT_AUTH_HEADER);
		xml_stream_restart(s->xml, &limits);
		s2s_out_send_header(s);
	} else if (strcmp(e->name, "challenge") == 0 && !s->challenged) {
		s->challenged = true;
		send_auth(s, true);
	} else {
		fail_auth(s, e);
	}
}

/* --- TLS ----------------------------------------------------------------- */

/* The partner's certificate is not the one we want: TLS ends, and with it all;
 * nothing is said to a stranger. */
static void
reject_certificate(struct s2s_out *s, const char *why)
{
	s2s_out_remember_end(s, S2S_OUT_TLS, why);
	s2s_out_set_state(s, OUT_CLOSED);
	conn_close(s->conn, CONN_END_LOCAL);
}

void
s2s_out_begin_tls(struct s2s_out *s, size_t leftover)
{
	static const uint8_t alpn[] = STREAM_WIRE_ALPN;
	bool named;
	const struct tls_identity *id =
	    identities_pick(s->identities, s->local, &named);
	bool literal = s->remote[0] == '[' ||
		       strspn(s->remote, "0123456789.") == strlen(s->remote);

	s->tls_wanted = false;
	if (id == NULL) {
		s2s_out_finish(
		    s, S2S_OUT_AUTH, STREAM_ERR_NONE, "no certificate");
		return;
	}
	if (leftover > 0)
		s2s_out_remember_end(
		    s, S2S_OUT_TLS, "plaintext behind STARTTLS");
	if (conn_start_tls_client(s->conn, id->client, leftover,
		literal ? NULL : s->remote, s->direct ? alpn : NULL,
		s->direct ? sizeof(alpn) - 1 : 0) < 0)
		s2s_out_finish(
		    s, S2S_OUT_TLS, STREAM_ERR_NONE, "TLS not started");
}

/* Whether a certificate that does not prove the partner is the end of it. */
static bool
must_be_proven(const struct s2s_out *s)
{
	return s->tlsa != NULL || (methods(s) & AUTH_DIALBACK_TLS) == 0;
}

/* What is known about whom the certificate proves, with all there is to know.
 * ERR_NOMEM, ERR_CERT. */
static int
identify(struct s2s_out *s, SSL *ssl)
{
	const struct peer_identity_dns *d = &s->identity.dns;
	int rc = peer_identity_read(&s->identity, ssl);

	if (rc == 0)
		rc = peer_identity_hear_dns(
		    &s->identity, ssl, s->remote, &s->server);
	if (rc == 0 && peer_identity_proven_by_dane(&s->identity, s->remote))
		log_info(&s->log, "proven-by-dane",
		    "remote=%s server=%s usage=%u selector=%u matching=%u",
		    s->remote, d->host, (unsigned)d->usage,
		    (unsigned)d->selector, (unsigned)d->matching);
	return rc;
}

static void
watch_expiry(struct s2s_out *s)
{
	int64_t now = clock_wall_ms(s->clock);

	if (s->identity.until_ms > now && s->identity.until_ms != INT64_MAX)
		clock_timer_start(
		    &s->expiry, (uint64_t)(s->identity.until_ms - now));
}

void
s2s_out_judge(struct s2s_out *s)
{
	SSL *ssl = conn_ssl(s->conn);

	s->tls = SSL_get_version(ssl);
	s->cipher = SSL_get_cipher_name(ssl);
	if (identify(s, ssl) < 0) {
		reject_certificate(s, "certificate could not be read");
		return;
	}
	s->secured = true;
	if (!s2s_out_awaits_status(s))
		s2s_out_go_on(s);
}

void
s2s_out_go_on(struct s2s_out *s)
{
	struct xml_stream_limits limits = xml_stream_limits_strict();
	char text[256];

	s->unproven = peer_identity_why_not(&s->identity, s->remote);
	if (s->unproven != NULL && must_be_proven(s)) {
		(void)peer_identity_explain(
		    &s->identity, s->remote, text, sizeof(text));
		reject_certificate(s, text);
		return;
	}
	if (s->unproven != NULL)
		log_info(
		    &s->log, "certificate-unproven", "reason=%s", s->unproven);
	else
		watch_expiry(s);
	s2s_out_set_state(s, OUT_TLS_HEADER);
	xml_stream_restart(s->xml, &limits);
	s2s_out_send_header(s);
}
