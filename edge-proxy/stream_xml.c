/*
 * stream_xml - see the header.  One style, the one every server reads: default
 * namespace jabber:server, prefix stream for the stream's own elements,
 * prefix db for dialback, no line breaks.
 */
#include "edge-proxy/stream_xml.h"

#include <string.h>

#include "common/buf.h"
#include "common/xml.h"
#include "edge-proxy/sm_xml.h"
#include "edge-proxy/xml_stream.h"

static void
attribute(struct buf *out, const char *name, const char *value)
{
	if (value == NULL)
		return;
	buf_addf(out, " %s='", name);
	xml_escape_attr(out, value, strlen(value));
	buf_add_char(out, '\'');
}

void
stream_xml_header(
    struct buf *out, const struct stream_xml_header *h, bool dialback)
{
	buf_add_str(out,
	    "<?xml version='1.0'?><stream:stream xmlns='" XML_NS_SERVER
	    "' xmlns:stream='" XML_NS_STREAMS "'");
	if (dialback)
		buf_add_str(out, " xmlns:db='" XML_NS_DIALBACK "'");
	attribute(out, "from", h->from);
	attribute(out, "to", h->to);
	attribute(out, "id", h->id);
	if (!h->old)
		buf_add_str(out, " version='1.0'");
	buf_add_str(out, " xml:lang='en'>");
}

void
stream_xml_goodbye(struct buf *out)
{
	buf_add_str(out, "</stream:stream>");
}

void
stream_xml_error(struct buf *out, enum stream_error e, const char *text)
{
	buf_addf(out, "<stream:error><%s xmlns='" XML_NS_STREAM_ERRORS "'/>",
	    stream_error_str(e));
	if (text != NULL && text[0] != '\0') {
		buf_add_str(out,
		    "<text xmlns='" XML_NS_STREAM_ERRORS "' xml:lang='en'>");
		xml_escape_text(out, text, strlen(text));
		buf_add_str(out, "</text>");
	}
	buf_add_str(out, "</stream:error>");
}

void
stream_xml_features(struct buf *out, const struct stream_xml_features *f)
{
	bool limits = f->limits.max_bytes > 0 || f->limits.idle_s > 0;

	if (!f->starttls && !f->external && !f->dialback && !f->sm &&
	    !f->bidi && !limits) {
		buf_add_str(out, "<stream:features/>");
		return;
	}
	buf_add_str(out, "<stream:features>");
	if (f->starttls)
		buf_addf(out, "<starttls xmlns='" XML_NS_TLS "'>%s</starttls>",
		    f->optional ? "" : "<required/>");
	if (f->external)
		buf_add_str(out,
		    "<mechanisms xmlns='" XML_NS_SASL
		    "'><mechanism>EXTERNAL</mechanism></mechanisms>");
	if (f->dialback)
		buf_add_str(out, "<dialback xmlns='" XML_NS_DIALBACK_FEATURE
				 "'><errors/></dialback>");
	if (f->bidi)
		buf_add_str(out, "<bidi xmlns='" XML_NS_BIDI_FEATURE "'/>");
	if (f->sm)
		sm_xml_feature(out);
	stream_limits_write(out, &f->limits);
	buf_add_str(out, "</stream:features>");
}

void
stream_xml_bidi(struct buf *out, const struct stream_limits *limits)
{
	buf_add_str(out, "<bidi xmlns='" XML_NS_BIDI "'>");
	stream_limits_write(out, limits);
	buf_add_str(out, "</bidi>");
}

void
stream_xml_starttls(struct buf *out)
{
	buf_add_str(out, "<starttls xmlns='" XML_NS_TLS "'/>");
}

void
stream_xml_proceed(struct buf *out)
{
	buf_add_str(out, "<proceed xmlns='" XML_NS_TLS "'/>");
}

void
stream_xml_tls_failure(struct buf *out)
{
	buf_add_str(out, "<failure xmlns='" XML_NS_TLS "'/>");
}

void
stream_xml_auth(struct buf *out, const char *mechanism, const char *base64)
{
	buf_addf(out, "<auth xmlns='" XML_NS_SASL "' mechanism='%s'>%s</auth>",
	    mechanism, base64);
}

void
stream_xml_challenge(struct buf *out)
{
	buf_add_str(out, "<challenge xmlns='" XML_NS_SASL "'/>");
}

void
stream_xml_response(struct buf *out, const char *base64)
{
	buf_addf(
	    out, "<response xmlns='" XML_NS_SASL "'>%s</response>", base64);
}

void
stream_xml_success(struct buf *out)
{
	buf_add_str(out, "<success xmlns='" XML_NS_SASL "'/>");
}

void
stream_xml_sasl_failure(struct buf *out, const char *condition)
{
	buf_addf(
	    out, "<failure xmlns='" XML_NS_SASL "'><%s/></failure>", condition);
}

void
stream_xml_ping(
    struct buf *out, const char *from, const char *to, const char *id)
{
	buf_add_str(out, "<iq type='get'");
	attribute(out, "id", id);
	attribute(out, "from", from);
	attribute(out, "to", to);
	buf_add_str(out, "><ping xmlns='urn:xmpp:ping'/></iq>");
}
