/*
 * fuzz_xml_stream - bytes of a stranger, as the receiving and as the initiating
 * side reads them.  The first byte chooses the side, whether elements pause the
 * stream and whether it rests at the cut, the second where the others are cut in
 * two feeds.  However it is fed,
 * what is seen and what is refused must be the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/xml.h"
#include "edge-proxy/stream_limits.h"
#include "edge-proxy/xml_stream.h"

struct run {
	bool initiator, pause, rest;
	bool stopped;
	struct buf seen;
	struct xml_stream *xs;
};

static void
on_header(struct xml_stream *xs, const struct stream_header *h, void *arg)
{
	struct run *r = arg;

	(void)xs;
	buf_addf(&r->seen, "[%s|%s|%s|%s|%s|%d]", h->to ? h->to : "",
	    h->from ? h->from : "", h->id ? h->id : "",
	    h->version ? h->version : "", h->lang ? h->lang : "", h->dialback);
}

static void
on_element(struct xml_stream *xs, const struct xml_elem *e, void *arg)
{
	struct xml_stream_limits limits = xml_stream_limits_open(10000);
	struct stream_limits bears = stream_limits_read(e);
	struct run *r = arg;

	xml_write(&r->seen, e, XML_NS_SERVER);
	stream_limits_write(&r->seen, &bears);
	if (xml_is(e, XML_NS_TLS, r->initiator ? "proceed" : "starttls")) {
		r->stopped = true;
		xml_stream_stop(xs);
	} else if (xml_is(e, XML_NS_SASL, r->initiator ? "success" : "auth")) {
		/* no restart while elements are left from before a pause */
		if (!r->pause)
			xml_stream_restart(xs, &limits);
	} else if (r->pause) {
		xml_stream_pause(xs);
	}
}

static void
on_goodbye(struct xml_stream *xs, void *arg)
{
	struct run *r = arg;

	(void)xs;
	buf_add_char(&r->seen, '.');
}

static const struct xml_stream_events events = { on_header, on_element,
	on_goodbye };

static void
feed(struct run *r, const uint8_t *data, size_t len)
{
	size_t used;

	if (r->stopped)
		return;
	(void)xml_stream_feed(r->xs, data, len, &used);
	if (used > len)
		abort();
	/* more resumes than there can be elements in what was fed */
	for (size_t i = 0; r->pause && i <= len; i++)
		(void)xml_stream_resume(r->xs);
}

static void
run(struct run *r, const uint8_t *data, size_t len, size_t cut)
{
	struct xml_stream_limits limits = xml_stream_limits_strict();

	buf_init(&r->seen, 0);
	if (xml_stream_open(&r->xs, &limits, &events, r) < 0)
		abort();
	feed(r, data, cut);
	if (r->rest)
		(void)xml_stream_rest(r->xs);
	feed(r, data + cut, len - cut);
	/* completes what is held back as incomplete */
	feed(r, (const uint8_t *)">", 1);
	/* Which of two faults is named may depend on the cut. */
	if (xml_stream_error(r->xs) != STREAM_ERR_NONE)
		buf_add_str(&r->seen, " refused");
	xml_stream_close(r->xs);
}

static void
must_agree(const struct run *a, const struct run *b)
{
	if (a->seen.len != b->seen.len)
		abort();
	if (a->seen.len > 0 &&
	    memcmp(a->seen.data, b->seen.data, a->seen.len) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run whole, cut, paused, rested;
	size_t at;

	if (size < 2 || size > 8000)
		return 0;
	at = (size - 2) * data[1] / 256;
	whole = cut = (struct run){ .initiator = data[0] & 1 };
	run(&whole, data + 2, size - 2, 0);
	run(&cut, data + 2, size - 2, at);
	must_agree(&whole, &cut);
	if (data[0] & 4) {
		rested = (struct run){ .initiator = data[0] & 1, .rest = true };
		run(&rested, data + 2, size - 2, at);
		must_agree(&cut, &rested);
		buf_finish(&rested.seen);
	}
	buf_finish(&whole.seen);
	buf_finish(&cut.seen);
	if (data[0] & 2) {
		paused =
		    (struct run){ .initiator = data[0] & 1, .pause = true };
		run(&paused, data + 2, size - 2, at);
		buf_finish(&paused.seen);
	}
	return 0;
}
