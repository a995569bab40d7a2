/*
 * What a partner sends, sorted by who is to judge it.  Stanzas pass only on an
 * open stream, and only between authorised pairs; an element that has no place
 * in the state the stream is in ends it.
 */
#include "edge-proxy/s2s_in_impl.h"

#include <stdio.h>
#include <string.h>

#include "common/log_limit.h"
#include "common/xml.h"
#include "edge-proxy/sm_xml.h"
#include "edge-proxy/stream_wire.h"
#include "edge-proxy/stream_xml.h"

/* The partner gave up on the stream. */
static void
take_error(struct s2s_in *s, const struct xml_elem *e)
{
	enum stream_error error = stream_error_read(e);
	char text[120];

	snprintf(
	    text, sizeof(text), "partner sent %s", stream_error_str(error));
	log_limited_warn(&s->log, s2s_in_peer_ip(s), "stream-error-received",
	    "condition=%s", stream_error_str(error));
	s2s_in_finish(s, STREAM_ERR_NONE, text);
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
		s2s_in_finish(s, STREAM_ERR_NOT_AUTHORIZED,
		    "stanza before authentication");
		return;
	}
	/* Beyond the last count: he knows that we have not got it. */
	if (s->state == IN_GOODBYE && s->sm.enabled)
		return;
	error =
	    addressing_stanza(&from, &to, e, &s->pairs, s->opts.hosting, &why);
	if (error != STREAM_ERR_NONE) {
		log_limited_warn(&s->log, s2s_in_peer_ip(s), "stanza-refused",
		    "condition=%s why=%s from=%s to=%s",
		    stream_error_str(error), why, xml_attr(e, "from"),
		    xml_attr(e, "to"));
		s2s_in_finish(s, error, why);
		return;
	}
	sm_in_received(&s->sm);
	s->opts.events->on_stanza(s, e, &from, &to, s->opts.arg);
	jid_finish(&from);
	jid_finish(&to);
}

static void
take_sm(struct s2s_in *s, const struct xml_elem *e)
{
	bool enabled = s->sm.enabled;
	enum sm_in_verdict verdict;
	struct buf out;

	if (s->back.open && strcmp(e->name, "a") == 0) {
		s2s_in_back_take_ack(s, e);
		return;
	}
	buf_init(&out, 0);
	verdict = sm_in_take(&s->sm, e, &out);
	stream_wire_flush(s->conn, &out);
	switch (verdict) {
	case SM_IN_FINE:
		if (s->sm.enabled && !enabled)
			s2s_in_back_counted(s);
		break;
	case SM_IN_TWICE:
		s2s_in_finish(s, STREAM_ERR_POLICY_VIOLATION,
		    "stream management is enabled already");
		break;
	case SM_IN_TOO_HIGH:
		s2s_in_finish(s, STREAM_ERR_NONE,
		    "partner acknowledged what was not sent");
		break;
	case SM_IN_UNKNOWN:
		log_debug(&s->log, "element-ignored", "name=%s ns=%s", e->name,
		    e->ns);
		break;
	}
}

void
s2s_in_on_handled(struct clock_timer *t, void *arg)
{
	struct s2s_in *s = arg;
	struct buf out;

	(void)t;
	if (s->state == IN_SETTLING && !sm_in_owes(&s->sm)) {
		s2s_in_settled(s);
		return;
	}
	if (s->state != IN_OPEN && s->state != IN_FAREWELL &&
	    s->state != IN_SETTLING)
		return;
	buf_init(&out, 0);
	sm_in_flush(&s->sm, &out);
	stream_wire_flush(s->conn, &out);
	if (s->state == IN_FAREWELL && !sm_in_owes(&s->sm))
		s2s_in_finish(s, STREAM_ERR_NONE, NULL);
}

static void
on_element(struct xml_stream *xs, const struct xml_elem *e, void *arg)
{
	struct s2s_in *s = arg;

	(void)xs;
	s->whole_ms = clock_now_ms(s->opts.clock);
	if (s->state == IN_CLOSED)
		return;
	if (is_stanza(e))
		take_stanza(s, e);
	else if (xml_is(e, XML_NS_STREAMS, "error"))
		take_error(s, e);
	else if (strcmp(e->ns, XML_NS_SASL) == 0)
		s2s_in_take_sasl(s, e);
	else if (xml_is(e, XML_NS_TLS, "starttls") && s->state == IN_STARTTLS &&
		 !s->old)
		s2s_in_take_starttls(s);
	else if (strcmp(e->ns, XML_NS_DIALBACK) == 0 && s->state != IN_GOODBYE)
		dialback_in_take(&s->dialback, e);
	else if (s->state == IN_OPEN && strcmp(e->ns, XML_NS_SM) == 0)
		take_sm(s, e);
	else if (xml_is(e, XML_NS_BIDI, "bidi") && s->state == IN_AUTH &&
		 s->back.offered)
		s2s_in_back_request(s, e);
	else if (xml_is(e, XML_NS_BIDI_FEATURE, "bidi") && s->state == IN_AUTH)
		/* Some ask in the namespace of the offer; that is no request. */
		log_debug(&s->log, "element-ignored", "name=%s ns=%s", e->name,
		    e->ns);
	else if (s->state == IN_GOODBYE ||
		 (s->state == IN_OPEN && strcmp(e->ns, XML_NS_TLS) != 0 &&
		     strcmp(e->ns, XML_NS_SERVER) != 0))
		log_debug(&s->log, "element-ignored", "name=%s ns=%s", e->name,
		    e->ns);
	else
		s2s_in_finish(s, STREAM_ERR_UNSUPPORTED_STANZA_TYPE, NULL);
	s2s_in_count_rate(s);
}

static void
on_goodbye(struct xml_stream *xs, void *arg)
{
	struct s2s_in *s = arg;

	(void)xs;
	s2s_in_remember_end(s, STREAM_ERR_NONE, "closed by the partner");
	if (s->state == IN_OPEN && sm_in_owes(&s->sm)) {
		clock_timer_stop(&s->idle);
		clock_timer_stop(&s->silence);
		s2s_in_set_state(s, IN_FAREWELL);
		s2s_in_back_lost(s);
	} else {
		s2s_in_finish(s, STREAM_ERR_NONE, NULL);
	}
}

const struct xml_stream_events s2s_in_xml_events = { s2s_in_on_header,
	on_element, on_goodbye };
