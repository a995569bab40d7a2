/*
 * xml_stream - see the header.
 *
 * The normal path: bytes pass a check of the very first ones (expat would take
 * UTF-16 and a byte order mark), go to expat, and its events build a tree
 * (xml_build); the end of a first-level element hands it out and clears it.
 *
 * Bytes are counted outside expat, which gathers a whole tag before it says
 * anything: base is the offset at which the first-level element in progress
 * began, and received - base may not pass the limit.
 *
 * Reparse deferral is off, because it would hold a complete stanza back until
 * more bytes come.  Instead, while a long tag is incomplete, bytes without a
 * '>' are held here: they cannot complete it.  A peer that sends '>' inside
 * attribute values, a few bytes at a time, makes the parser read the tag again
 * and again; what that costs is counted against a budget.
 *
 * An idle parser costs more than the stream around it.  At rest, between two
 * first-level elements, there is none; the next bytes wake it: a new one is
 * fed the opening tag, kept for that, and is where the old one was.
 *
 * Stopping, pausing and restarting suspend expat, so that nothing behind the
 * element in hand is seen.  The parser is replaced after it has returned.
 */
#include "edge-proxy/xml_stream_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

enum {
	HOLD_FROM = 1024, /* bytes of an incomplete tag */
	SPACE_MAX = 1024  /* white space skipped at a restart */
};
#define REREAD_BUDGET ((uint64_t)64 << 20)

struct xml_stream_limits
xml_stream_limits_strict(void)
{
	return (struct xml_stream_limits){
		.header_max = 8192,
		.element_max = 8192,
		.depth_max = 8,
		.attrs_max = 16,
		.ns_max = 16,
		.children_max = 32,
		.elements_max = 32,
		.name_max = 128,
		.uri_max = 256,
	};
}

struct xml_stream_limits
xml_stream_limits_open(size_t stanza_max)
{
	return (struct xml_stream_limits){
		.header_max = 8192,
		.element_max = stanza_max,
		.depth_max = 64,
		.attrs_max = 64,
		.ns_max = 16,
		.children_max = 1024,
		.elements_max = 8192,
		.name_max = 256,
		.uri_max = 1024,
	};
}

/* --- the parser ---------------------------------------------------------- */

/* A parser that tells nobody. */
static XML_Parser
make_quiet_parser(void)
{
	XML_Parser p = XML_ParserCreateNS("UTF-8", XML_BUILD_SEPARATOR);

	if (p == NULL)
		return NULL;
	XML_SetReparseDeferralEnabled(p, XML_FALSE);
	XML_SetBillionLaughsAttackProtectionMaximumAmplification(p, 10.0f);
	return p;
}

static XML_Parser
make_parser(struct xml_stream *xs)
{
	XML_Parser p = make_quiet_parser();

	if (p != NULL)
		xml_stream_listen(xs, p);
	return p;
}

/* Everything that belongs to one stream life. */
static void
begin(struct xml_stream *xs)
{
	xs->state = XS_RUNNING;
	xs->error = STREAM_ERR_NONE;
	xs->error_text = "";
	xs->restart = false;
	xs->suspended = false;
	xs->first_bytes = 0;
	xs->skipped = 0;
	xs->received = xs->fed = xs->base = xs->reread = 0;
	buf_clear(&xs->opening);
	buf_clear(&xs->held);
	buf_clear(&xs->later);
	xs->in_stream = false;
	xs->ns_declared = 0;
	xs->default_ns_wrong = false;
	xs->dialback = false;
}

/* A new parser and tree in place of the old ones.  Not from within expat. */
static void
renew(struct xml_stream *xs)
{
	struct xml_build build;
	XML_Parser p = make_parser(xs);

	begin(xs);
	if (p == NULL || xml_build_init(&build, &xs->limits) < 0) {
		if (p != NULL)
			XML_ParserFree(p);
		xs->state = XS_FAILED;
		xs->error = STREAM_ERR_RESOURCE_CONSTRAINT;
		xs->error_text = "out of memory";
		return;
	}
	XML_ParserFree(xs->parser);
	xml_build_finish(&xs->build);
	xs->parser = p;
	xs->build = build;
	xs->skip_space = true;
}

int
xml_stream_open(struct xml_stream **out, const struct xml_stream_limits *limits,
    const struct xml_stream_events *events, void *arg)
{
	struct xml_stream *xs = calloc(1, sizeof(*xs));

	if (xs == NULL)
		return ERR_NOMEM;
	xs->limits = *limits;
	xs->events = events;
	xs->arg = arg;
	xs->error_text = "";
	buf_init(&xs->opening, 0);
	buf_init(&xs->held, 0);
	buf_init(&xs->later, 0);
	if (xml_build_init(&xs->build, limits) < 0)
		goto fail;
	xs->parser = make_parser(xs);
	if (xs->parser == NULL)
		goto fail;
	begin(xs);
	*out = xs;
	return 0;

fail:
	xml_build_finish(&xs->build);
	free(xs);
	return ERR_NOMEM;
}

static void
destroy(struct xml_stream *xs)
{
	XML_ParserFree(xs->parser);
	xml_build_finish(&xs->build);
	buf_finish(&xs->opening);
	buf_finish(&xs->held);
	buf_finish(&xs->later);
	free(xs);
}

void
xml_stream_close(struct xml_stream *xs)
{
	if (xs->busy > 0) {
		xs->dead = true;
		if (xs->state == XS_RUNNING)
			xs->state = XS_ENDED;
		XML_StopParser(xs->parser, XML_FALSE);
		return;
	}
	destroy(xs);
}

/* --- feeding ------------------------------------------------------------- */

/* RFC 6120 11.6: neither UTF-16 nor a byte order mark may reach expat, which
 * would take them.  Looks at bytes until two others than space were seen. */
static void
check_first_bytes(struct xml_stream *xs, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len && xs->first_bytes < 2; i++) {
		uint8_t c = p[i];

		if (xs->first_bytes == 1) {
			if (c == 0)
				xml_stream_refuse(xs,
				    STREAM_ERR_UNSUPPORTED_ENCODING, "UTF-16");
			xs->first_bytes = 2;
		} else if (c == '<') {
			xs->first_bytes = 1;
		} else if (c == 0xef || (c > 0x20 && c < 0x7f)) {
			xml_stream_refuse(xs, STREAM_ERR_NOT_WELL_FORMED,
			    "stream does not begin with a tag");
			return;
		} else if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
			xml_stream_refuse(xs, STREAM_ERR_UNSUPPORTED_ENCODING,
			    "stream does not begin with a tag in UTF-8");
			return;
		}
	}
}

/* White space that was still on its way when the stream was restarted. */
static size_t
skip_space(struct xml_stream *xs, const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (n < len && xml_stream_is_space((const char *)p + n, 1))
		n++;
	xs->skipped += n;
	if (xs->skipped > SPACE_MAX)
		xml_stream_too_much(xs, "white space before the stream header");
	if (n < len)
		xs->skip_space = false;
	return n;
}

static void
after_parse(struct xml_stream *xs, enum XML_Status status)
{
	if (status == XML_STATUS_SUSPENDED)
		xs->suspended = true;
	else if (status == XML_STATUS_ERROR && xs->state == XS_RUNNING &&
		 !xs->dead)
		xml_stream_refuse_expat(xs);
}

static size_t
pending(const struct xml_stream *xs)
{
	uint64_t at = (uint64_t)XML_GetCurrentByteIndex(xs->parser);

	return xs->fed > at ? (size_t)(xs->fed - at) : 0;
}

bool
xml_stream_rest(struct xml_stream *xs)
{
	if (xs->parser == NULL)
		return true;
	if (xs->busy > 0 || xs->state != XS_RUNNING || !xs->in_stream ||
	    xs->paused || xs->suspended || xs->build.depth > 0 ||
	    xs->held.len > 0 || xs->later.len > 0 || pending(xs) > 0)
		return false;
	XML_ParserFree(xs->parser);
	xs->parser = NULL;
	buf_trim(&xs->opening);
	buf_finish(&xs->held);
	buf_finish(&xs->later);
	return true;
}

void
xml_stream_shed(struct xml_stream *xs)
{
	if (xs->busy > 0)
		return;
	if (xs->state == XS_RUNNING)
		xs->state = XS_ENDED;
	XML_ParserFree(xs->parser);
	xs->parser = NULL;
	xml_build_clear(&xs->build);
	buf_finish(&xs->opening);
	buf_finish(&xs->held);
	buf_finish(&xs->later);
}

size_t
xml_stream_partial(const struct xml_stream *xs)
{
	return (size_t)(xs->received - xs->base) + xs->later.len;
}

/* The new parser is told, before it tells anybody, what the old one knew. */
static void
wake(struct xml_stream *xs)
{
	XML_Parser p = make_quiet_parser();

	if (p == NULL ||
	    XML_Parse(p, (const char *)xs->opening.data, (int)xs->opening.len,
		XML_FALSE) != XML_STATUS_OK) {
		if (p != NULL)
			XML_ParserFree(p);
		xml_stream_refuse(
		    xs, STREAM_ERR_RESOURCE_CONSTRAINT, "out of memory");
		return;
	}
	xml_stream_listen(xs, p);
	xs->parser = p;
	xs->received = xs->fed = xs->base = xs->opening.len;
	xs->reread = 0;
	xs->ns_declared = 0;
}

static void
parse(struct xml_stream *xs, const uint8_t *p, size_t len)
{
	size_t left = xs->fed == 0 ? 0 : pending(xs);

	if (left > 0) {
		xs->reread += left + len;
		if (xs->reread > REREAD_BUDGET) {
			xml_stream_too_much(xs, "one tag in too many pieces");
			return;
		}
	}
	xs->fed += len;
	/* A chunk is far below INT_MAX: what comes from the network is read in
	 * pieces, and what is held is bounded by the limits. */
	after_parse(
	    xs, XML_Parse(xs->parser, (const char *)p, (int)len, XML_FALSE));
}

/* Feeds, or holds what cannot complete the tag in progress. */
static void
take(struct xml_stream *xs, const uint8_t *p, size_t len)
{
	bool waiting =
	    xs->held.len > 0 || (xs->fed > 0 && pending(xs) > HOLD_FROM);

	if (!waiting) {
		parse(xs, p, len);
		return;
	}
	if (buf_add(&xs->held, p, len) < 0) {
		xml_stream_refuse(
		    xs, STREAM_ERR_RESOURCE_CONSTRAINT, "out of memory");
		return;
	}
	if (memchr(p, '>', len) != NULL) {
		parse(xs, xs->held.data, xs->held.len);
		buf_clear(&xs->held);
	}
}

/* What has arrived of the element in progress may not pass the limit. */
static void
check_size(struct xml_stream *xs)
{
	size_t max =
	    xs->in_stream ? xs->limits.element_max : xs->limits.header_max;

	if (xs->state != XS_RUNNING || xs->suspended)
		return;
	if (xs->received - xs->base > max)
		xml_stream_too_much(xs, xs->in_stream
					    ? "element too large"
					    : "stream header too long");
}

static int
outcome(const struct xml_stream *xs)
{
	return xs->state == XS_FAILED ? ERR_PROTOCOL : 0;
}

/* Ends a feed or resume; xs may be gone afterwards. */
static int
leave(struct xml_stream *xs)
{
	int rc = outcome(xs);

	xs->busy--;
	if (xs->dead && xs->busy == 0) {
		destroy(xs);
		return 0;
	}
	return rc;
}

/* One stretch of bytes up to an event that stops or restarts.  Returns how many
 * were consumed. */
static size_t
feed_some(struct xml_stream *xs, const uint8_t *p, size_t len)
{
	uint64_t before;

	if (xs->skip_space) {
		size_t n = skip_space(xs, p, len);

		if (n > 0)
			return n;
	}
	check_first_bytes(xs, p, len);
	if (xs->state != XS_RUNNING)
		return len;
	if (xs->parser == NULL)
		wake(xs);
	if (!xs->in_stream && buf_add(&xs->opening, p, len) < 0)
		xml_stream_refuse(
		    xs, STREAM_ERR_RESOURCE_CONSTRAINT, "out of memory");
	if (xs->state != XS_RUNNING)
		return len;
	before = xs->received;
	xs->received += len;
	take(xs, p, len);
	if (!xs->dead && (xs->restart || xs->state == XS_STOPPED))
		return (size_t)(xs->stop_at - before);
	check_size(xs);
	return len;
}

/* Lets expat go on with what it has kept, unless a pause forbids it. */
static void
drain(struct xml_stream *xs)
{
	while (xs->suspended && !xs->paused && !xs->dead && !xs->restart &&
	       xs->state == XS_RUNNING) {
		xs->suspended = false;
		after_parse(xs, XML_ResumeParser(xs->parser));
	}
}

/* Returns how many bytes were consumed. */
static size_t
feed_all(struct xml_stream *xs, const uint8_t *p, size_t len)
{
	size_t off = 0;

	while (
	    off < len && xs->state == XS_RUNNING && !xs->dead && !xs->paused) {
		off += feed_some(xs, p + off, len - off);
		if (xs->restart && !xs->dead)
			renew(xs);
		drain(xs);
	}
	return off;
}

static int
keep_for_later(struct xml_stream *xs, const uint8_t *p, size_t len)
{
	if (xs->state == XS_RUNNING && buf_add(&xs->later, p, len) < 0)
		xml_stream_refuse(
		    xs, STREAM_ERR_RESOURCE_CONSTRAINT, "out of memory");
	return outcome(xs);
}

int
xml_stream_feed(
    struct xml_stream *xs, const void *data, size_t len, size_t *consumed)
{
	size_t n;

	assert(xs->busy == 0);
	*consumed = len;
	if (xs->paused)
		return keep_for_later(xs, data, len);
	xs->busy++;
	n = feed_all(xs, data, len);
	if (xs->state == XS_STOPPED)
		*consumed = n;
	else if (xs->paused && n < len)
		keep_for_later(xs, (const uint8_t *)data + n, len - n);
	return leave(xs);
}

void
xml_stream_stop(struct xml_stream *xs)
{
	assert(xs->busy > 0 && xs->build.depth == 0);
	if (xs->state != XS_RUNNING)
		return;
	xs->state = XS_STOPPED;
	XML_StopParser(xs->parser, XML_TRUE);
}

void
xml_stream_restart(
    struct xml_stream *xs, const struct xml_stream_limits *limits)
{
	if (limits != NULL)
		xs->limits = *limits;
	if (xs->busy == 0) {
		renew(xs);
		return;
	}
	assert(!xs->suspended && xs->build.depth == 0);
	if (xs->state != XS_RUNNING)
		return;
	xs->restart = true;
	XML_StopParser(xs->parser, XML_TRUE);
}

void
xml_stream_widen(struct xml_stream *xs, const struct xml_stream_limits *limits)
{
	xs->limits = *limits;
	xml_build_widen(&xs->build, limits);
}

void
xml_stream_pause(struct xml_stream *xs)
{
	if (xs->paused || xs->state != XS_RUNNING)
		return;
	xs->paused = true;
	if (xs->busy > 0)
		XML_StopParser(xs->parser, XML_TRUE);
}

int
xml_stream_resume(struct xml_stream *xs)
{
	struct buf later;
	size_t n;

	if (!xs->paused)
		return outcome(xs);
	xs->paused = false;
	if (xs->busy > 0) /* from within an event: the call around it goes on */
		return outcome(xs);
	xs->busy++;
	drain(xs);
	if (!xs->paused && !xs->dead)
		check_size(xs);
	later = xs->later;
	buf_init(&xs->later, 0);
	n = feed_all(xs, later.data, later.len);
	if (xs->paused && n < later.len)
		keep_for_later(xs, later.data + n, later.len - n);
	buf_finish(&later);
	return leave(xs);
}

enum stream_error
xml_stream_error(const struct xml_stream *xs)
{
	return xs->error;
}

const char *
xml_stream_error_text(const struct xml_stream *xs)
{
	return xs->error_text;
}

size_t
xml_stream_element_size(const struct xml_stream *xs)
{
	return xs->element_size;
}
