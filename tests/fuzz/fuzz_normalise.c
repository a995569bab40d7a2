/*
 * Any bytes as stanzas of a partner, through the parser of the streams.  What
 * becomes a frame can be read, rendered, and comes back as the same frame;
 * what is answered or refused is well-formed XML.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/jid.h"
#include "edge-proxy/normalise.h"
#include "edge-proxy/render.h"
#include "edge-proxy/xml_stream.h"
#include "proto/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct jid from, to;
	struct normalised first, again;
	bool second; /* looking at what we rendered */
	unsigned seen;
};

static void
require(int truth)
{
	if (!truth)
		abort();
}

static bool feed(struct run *run, const void *xml, size_t len);

static void
on_header(struct xml_stream *xs, const struct stream_header *h, void *arg)
{
	(void)xs;
	(void)h;
	(void)arg;
}

static void
on_goodbye(struct xml_stream *xs, void *arg)
{
	(void)xs;
	(void)arg;
}

/* Renders the frame in run->first and takes it in again. */
static void
round_trip(struct run *run)
{
	struct frame f;
	struct buf xml;

	require(
	    frame_decode(&f, run->first.frame.data, run->first.frame.len) == 0);
	require(!frame_has(&f, FIELD_SEQ));
	/* The fact of encryption alone is never written. */
	if (frame_has(&f, FIELD_ENCRYPTED))
		return;
	buf_init(&xml, 0);
	require(render_frame(&xml, &f) == 0);
	run->second = true;
	run->seen = 0;
	require(feed(run, xml.data, xml.len) && run->seen == 1);
	run->second = false;
	require(run->again.outcome == NORMALISE_FRAME);
	require(run->again.frame.len == run->first.frame.len);
	require(memcmp(run->again.frame.data, run->first.frame.data,
		    run->first.frame.len) == 0);
	buf_finish(&xml);
}

static void
on_element(struct xml_stream *xs, const struct xml_elem *e, void *arg)
{
	struct run *run = arg;
	struct normalise_ctx ctx = { &run->from, &run->to, "s1", "en" };
	struct normalised *out = run->second ? &run->again : &run->first;

	(void)xs;
	run->seen++;
	if (normalise_stanza(out, e, &ctx) < 0 || run->second)
		return;
	switch (out->outcome) {
	case NORMALISE_FRAME:
		round_trip(run);
		break;
	case NORMALISE_ANSWER:
	case NORMALISE_REFUSE:
		require(out->frame.len == 0 && out->xml.len > 0);
		run->second = true;
		require(feed(run, out->xml.data, out->xml.len));
		run->second = false;
		break;
	case NORMALISE_DROP:
		require(out->frame.len == 0 && out->xml.len == 0);
		break;
	}
}

static bool
feed(struct run *run, const void *xml, size_t len)
{
	static const struct xml_stream_events events = { on_header, on_element,
		on_goodbye };
	static const char header[] =
	    "<stream:stream xmlns='jabber:server' "
	    "xmlns:stream='http://etherx.jabber.org/streams'>";
	struct xml_stream_limits limits = xml_stream_limits_open(512 * 1024);
	struct xml_stream *xs;
	size_t used;
	bool ok;

	require(xml_stream_open(&xs, &limits, &events, run) == 0);
	require(xml_stream_feed(xs, header, strlen(header), &used) == 0);
	ok = xml_stream_feed(xs, xml, len, &used) == 0;
	xml_stream_close(xs);
	return ok;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run run = { 0 };
	const char *to;

	if (size < 1)
		return 0;
	to = (data[0] & 1) != 0 ? "contoso.example" : "anna@contoso.example";
	require(jid_parse(&run.from, "bo@partner.example/r", 20) == 0);
	require(jid_parse(&run.to, to, strlen(to)) == 0);
	normalise_init(&run.first);
	normalise_init(&run.again);
	feed(&run, data + 1, size - 1);
	normalise_finish(&run.first);
	normalise_finish(&run.again);
	jid_finish(&run.from);
	jid_finish(&run.to);
	return 0;
}
