/* The content of an XHTML body as a partner's user might send it, through the
 * parser of the streams: what is left of it has the form that passes the
 * channel, is bounded by what came, and reducing it again changes nothing. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "edge-proxy/stanza_ns.h"
#include "edge-proxy/xhtml.h"
#include "edge-proxy/xml_stream.h"
#include "proto/rich_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct buf rich;
	int seen;
};

static void
require(int truth)
{
	if (!truth)
		abort();
}

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

static void
on_element(struct xml_stream *xs, const struct xml_elem *e, void *arg)
{
	struct run *run = arg;

	(void)xs;
	/* A fragment may close the body and go on. */
	if (run->seen++ > 0)
		return;
	require(xhtml_reduce(&run->rich, e) == 0);
	require(rich_body_valid((char *)run->rich.data, run->rich.len));
}

static bool
reduce(struct run *run, const void *xhtml, size_t len)
{
	static const struct xml_stream_events events = { on_header, on_element,
		on_goodbye };
	static const char header[] =
	    "<stream:stream xmlns='jabber:server' "
	    "xmlns:stream='http://etherx.jabber.org/streams'>"
	    "<body xmlns='" NS_XHTML "'>";
	struct xml_stream_limits limits = xml_stream_limits_open(512 * 1024);
	struct xml_stream *xs;
	size_t used;
	bool ok;

	require(xml_stream_open(&xs, &limits, &events, run) == 0);
	ok = xml_stream_feed(xs, header, strlen(header), &used) == 0 &&
	     xml_stream_feed(xs, xhtml, len, &used) == 0 &&
	     xml_stream_feed(xs, "</body>", 7, &used) == 0;
	xml_stream_close(xs);
	return ok && run->seen > 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run first = { 0 }, second = { 0 };

	if (reduce(&first, data, size)) {
		require(first.rich.len <= 6 * size + 64);
		require(reduce(&second, first.rich.data, first.rich.len));
		require(second.rich.len == first.rich.len);
		require(first.rich.len == 0 ||
			memcmp(second.rich.data, first.rich.data,
			    first.rich.len) == 0);
	}
	buf_finish(&first.rich);
	buf_finish(&second.rich);
	return 0;
}
