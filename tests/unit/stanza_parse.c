#include "tests/unit/stanza_parse.h"

#include <string.h>

#include "edge-proxy/xml_stream.h"

struct parse {
	stanza_parse_fn *fn;
	void *arg;
	int count;
};

static void
on_header(struct xml_stream *xs, const struct stream_header *h, void *arg)
{
	(void)xs;
	(void)h;
	(void)arg;
}

static void
on_element(struct xml_stream *xs, const struct xml_elem *e, void *arg)
{
	struct parse *p = arg;

	(void)xs;
	p->count++;
	p->fn(e, p->arg);
}

static void
on_goodbye(struct xml_stream *xs, void *arg)
{
	(void)xs;
	(void)arg;
}

int
stanza_parse(const char *text, size_t len, stanza_parse_fn *fn, void *arg)
{
	static const struct xml_stream_events events = { on_header, on_element,
		on_goodbye };
	static const char header[] =
	    "<stream:stream xmlns='jabber:server' "
	    "xmlns:stream='http://etherx.jabber.org/streams' "
	    "from='partner.example' to='contoso.example' version='1.0'>";
	struct xml_stream_limits limits = xml_stream_limits_open(512 * 1024);
	struct parse p = { fn, arg, 0 };
	struct xml_stream *xs;
	size_t used;

	if (xml_stream_open(&xs, &limits, &events, &p) < 0)
		return -1;
	if (xml_stream_feed(xs, header, strlen(header), &used) < 0 ||
	    xml_stream_feed(xs, text, len, &used) < 0)
		p.count = -1;
	xml_stream_close(xs);
	return p.count;
}
