#include "edge-proxy/domain_iq.h"

#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "edge-proxy/iq_payload.h"
#include "edge-proxy/render.h"
#include "edge-proxy/render_out.h"
#include "edge-proxy/stanza_ns.h"

static const char *const features[] = { NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PING,
	NS_VERSION };

static void
disco_info(struct buf *out)
{
	size_t i;

	buf_add_str(out,
	    "<query xmlns='" NS_DISCO_INFO "'>"
	    "<identity category='server' type='im' name='Sallyport'/>");
	for (i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		buf_addf(out, "<feature var='%s'/>", features[i]);
	buf_add_str(out, "</query>");
}

/* What is answered here; COND_COUNT when it is, else why not. */
static enum condition
judge(const struct xml_elem *iq, enum iq_request request,
    const struct xml_elem *payload)
{
	const char *type = xml_attr(iq, "type");

	if (type == NULL || strcmp(type, "get") != 0)
		return COND_SERVICE_UNAVAILABLE;
	switch (request) {
	case IQ_PING:
	case IQ_VERSION:
		return COND_COUNT;
	case IQ_DISCO_INFO:
	case IQ_DISCO_ITEMS:
		/* There are no nodes at a hosted domain. */
		return xml_attr(payload, "node") == NULL ? COND_COUNT
							 : COND_ITEM_NOT_FOUND;
	case IQ_NONE:
	case IQ_TIME:
	case IQ_VCARD:
		break;
	}
	return COND_SERVICE_UNAVAILABLE;
}

static void
content(struct buf *out, enum iq_request request)
{
	if (request == IQ_DISCO_INFO)
		disco_info(out);
	else if (request == IQ_DISCO_ITEMS)
		buf_add_str(out, "<query xmlns='" NS_DISCO_ITEMS "'/>");
	else if (request == IQ_VERSION)
		buf_add_str(out,
		    "<query xmlns='" NS_VERSION "'><name>Sallyport</name>"
		    "<version>" SALLYPORT_VERSION "</version></query>");
}

int
domain_iq_answer(struct buf *out, bool *refused, enum condition *condition,
    const struct xml_elem *iq, const char *from, const char *to)
{
	const struct xml_elem *payload = xml_child(iq, NULL, NULL);
	enum iq_request request =
	    payload != NULL ? iq_payload_of(payload) : IQ_NONE;
	enum condition c = judge(iq, request, payload);
	struct render_stanza_error e = { .name = "iq" };
	size_t before = out->len;
	int rc;

	if (c != COND_COUNT) {
		e.from = to;
		e.to = from;
		e.id = xml_attr(iq, "id");
		e.condition = c;
		rc = render_stanza_error(out, &e);
		if (rc < 0)
			return rc;
		*refused = true;
		*condition = c;
		return 0;
	}
	buf_add_str(out, "<iq");
	render_out_attr(out, "from", to);
	render_out_attr(out, "to", from);
	render_out_attr(out, "id", xml_attr(iq, "id"));
	buf_add_str(out, " type='result'>");
	content(out, request);
	buf_add_str(out, "</iq>");
	if (buf_failed(out)) {
		if (out->len > before)
			out->len = before;
		return out->limit != 0 ? ERR_FULL : ERR_NOMEM;
	}
	*refused = false;
	return 0;
}
