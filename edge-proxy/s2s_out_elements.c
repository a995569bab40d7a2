/*
 * What a partner sends, sorted by who is to judge it.  Nobody may send us stanzas
 * on a stream that we opened, unless it is one for both directions (XEP-0288);
 * what has no place here is ignored.
 */
#include "edge-proxy/s2s_out_impl.h"

#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/xml.h"
#include "edge-proxy/sm_xml.h"
#include "edge-proxy/stream_wire.h"

static void
take_error(struct s2s_out *s, const struct xml_elem *e)
{
	char text[120];

	s->end.error = stream_error_read(e);
	snprintf(text, sizeof(text), "partner sent %s",
	    stream_error_str(s->end.error));
	log_warn(&s->log, "stream-error-received", "condition=%s",
	    stream_error_str(s->end.error));
	s2s_out_finish(s, S2S_OUT_ERROR, STREAM_ERR_NONE, text);
}

static void
take_sm(struct s2s_out *s, const struct xml_elem *e)
{
	enum sm_out_verdict verdict;
	struct buf out;

	if (s->back.open && strcmp(e->name, "r") == 0) {
		s2s_out_back_take_sm(s, e);
		return;
	}
	buf_init(&out, 0);
	verdict = sm_out_take(&s->sm, e, &out);
	stream_wire_flush(s->conn, &out);
	switch (verdict) {
	case SM_OUT_FINE:
		break;
	case SM_OUT_ENABLED:
		s2s_out_back_counted(s);
		if (s->events->on_managed != NULL)
			s->events->on_managed(s, s->arg);
		break;
	case SM_OUT_ACKNOWLEDGED:
		if (s->events->on_acknowledged != NULL)
			s->events->on_acknowledged(s, s->sm.acked, s->arg);
		break;
	case SM_OUT_TOO_HIGH:
		s2s_out_finish(s, S2S_OUT_PROTOCOL, STREAM_ERR_NONE,
		    "partner acknowledged what was not sent");
		break;
	case SM_OUT_UNKNOWN:
		log_debug(&s->log, "element-ignored", "name=%s ns=%s", e->name,
		    e->ns);
		break;
	}
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
on_element(struct xml_stream *xs, const struct xml_elem *e, void *arg)
{
	struct s2s_out *s = arg;

	(void)xs;
	if (s->state == OUT_CLOSED)
		return;
	if (xml_is(e, XML_NS_STREAMS, "error"))
		take_error(s, e);
	else if (xml_is(e, XML_NS_STREAMS, "features"))
		s2s_out_take_features(s, e);
	else if (strcmp(e->ns, XML_NS_TLS) == 0)
		s2s_out_take_tls(s, e);
	else if (strcmp(e->ns, XML_NS_SASL) == 0)
		s2s_out_take_sasl(s, e);
	else if (s->back.open && is_stanza(e))
		s2s_out_back_take_stanza(s, e);
	else if (s2s_out_back_is_open(s) &&
		 strcmp(e->ns, XML_NS_DIALBACK) == 0 &&
		 xml_attr(e, "type") == NULL)
		s2s_out_back_take_dialback(s, e);
	else if (strcmp(e->ns, XML_NS_DIALBACK) == 0)
		dialback_out_take(&s->dialback, e);
	else if (s->state == OUT_OPEN && strcmp(e->ns, XML_NS_SM) == 0)
		take_sm(s, e);
	else
		log_debug(&s->log, "element-ignored", "name=%s ns=%s", e->name,
		    e->ns);
	s2s_out_back_count_rate(s);
}

static void
on_goodbye(struct xml_stream *xs, void *arg)
{
	struct s2s_out *s = arg;

	(void)xs;
	s2s_out_remember_end(s, S2S_OUT_PEER_CLOSED, "closed by the partner");
	if (s2s_out_back_stays(s))
		return;
	s2s_out_finish(
	    s, S2S_OUT_PEER_CLOSED, STREAM_ERR_NONE, "closed by the partner");
}

const struct xml_stream_events s2s_out_xml_events = { s2s_out_on_header,
	on_element, on_goodbye };
