/* sm_xml - see the header. */
#include "edge-proxy/sm_xml.h"

#include <inttypes.h>

#include "common/buf.h"
#include "common/xml.h"
#include "edge-proxy/stanza_ns.h"
#include "edge-proxy/xml_stream.h"

void
sm_xml_feature(struct buf *out)
{
	buf_add_str(out, "<sm xmlns='" XML_NS_SM "'/>");
}

void
sm_xml_enable(struct buf *out)
{
	buf_add_str(out, "<enable xmlns='" XML_NS_SM "'/>");
}

void
sm_xml_enabled(struct buf *out)
{
	buf_add_str(out, "<enabled xmlns='" XML_NS_SM "'/>");
}

void
sm_xml_failed(struct buf *out, const char *condition)
{
	buf_addf(out,
	    "<failed xmlns='" XML_NS_SM "'><%s xmlns='" NS_STANZA_ERRORS
	    "'/></failed>",
	    condition);
}

void
sm_xml_request(struct buf *out)
{
	buf_add_str(out, "<r xmlns='" XML_NS_SM "'/>");
}

void
sm_xml_ack(struct buf *out, uint32_t h)
{
	buf_addf(out, "<a xmlns='" XML_NS_SM "' h='%" PRIu32 "'/>", h);
}

void
sm_xml_too_high(struct buf *out, uint32_t h, uint32_t sent)
{
	buf_addf(out,
	    "<stream:error><undefined-condition xmlns='" XML_NS_STREAM_ERRORS
	    "'/><handled-count-too-high xmlns='" XML_NS_SM "' h='%" PRIu32
	    "' send-count='%" PRIu32 "'/></stream:error>",
	    h, sent);
}

bool
sm_xml_read_h(uint32_t *h, const struct xml_elem *a)
{
	const char *text = xml_attr(a, "h");
	uint64_t value = 0;
	unsigned digits = 0;

	if (text == NULL)
		return false;
	for (; *text >= '0' && *text <= '9' && digits <= 10; text++, digits++)
		value = value * 10 + (uint64_t)(*text - '0');
	if (digits == 0 || *text != '\0' || value > UINT32_MAX)
		return false;
	*h = (uint32_t)value;
	return true;
}
