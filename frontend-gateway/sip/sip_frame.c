/*
 * The buffer holds the message in progress from start on.  Lines are walked
 * once: scanned and line remember how far, so a peer that sends a byte at a
 * time costs no more than one that sends all at once.
 *
 * States, by the fields: skipping a body (skip > 0); between messages (line
 * == 0, a CR or LF at start); in the head (head_len == 0); waiting for
 * the body.
 */
#include "frontend-gateway/sip/sip_frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"

enum {
	HEAD_MAX = 256 * 1024,
	HEADERS_MAX = 200,
	BODY_MAX = 256 * 1024,
	SKIP_MAX = 8 * 1024 * 1024,
	LENGTH_DIGITS = 10
};

static size_t
or_default(size_t value, size_t fallback)
{
	return value != 0 ? value : fallback;
}

void
sip_frame_init(struct sip_frame *f, const struct sip_frame_limits *limits)
{
	static const struct sip_frame_limits none;

	if (limits == NULL)
		limits = &none;
	memset(f, 0, sizeof(*f));
	f->limits.head_max = or_default(limits->head_max, HEAD_MAX);
	f->limits.headers_max = or_default(limits->headers_max, HEADERS_MAX);
	f->limits.body_max = or_default(limits->body_max, BODY_MAX);
	f->limits.skip_max = or_default(limits->skip_max, SKIP_MAX);
}

void
sip_frame_finish(struct sip_frame *f)
{
	free(f->data);
	memset(f, 0, sizeof(*f));
}

int
sip_frame_feed(struct sip_frame *f, const uint8_t *data, size_t len)
{
	uint8_t *grown;
	size_t held, cap;

	if (f->failed < 0)
		return f->failed;
	held = f->len - f->start;
	if (f->start > 0) {
		memmove(f->data, f->data + f->start, held);
		f->start = 0;
		f->len = held;
	}
	if (len > f->cap - held) {
		cap = f->cap != 0 ? f->cap : 4096;
		while (cap - held < len)
			cap *= 2;
		grown = realloc(f->data, cap);
		if (grown == NULL)
			return ERR_NOMEM;
		f->data = grown;
		f->cap = cap;
	}
	if (len > 0)
		memcpy(f->data + held, data, len);
	f->len = held + len;
	return 0;
}

/* Content-Length: digits, nothing else but white space around. */
static int
read_length(struct sip_frame *f, const uint8_t *p, size_t len)
{
	size_t value = 0;

	while (len > 0 && (*p == ' ' || *p == '\t')) {
		p++;
		len--;
	}
	while (len > 0 && (p[len - 1] == ' ' || p[len - 1] == '\t'))
		len--;
	if (len == 0 || len > LENGTH_DIGITS || f->has_length)
		return ERR_MALFORMED;
	for (size_t i = 0; i < len; i++) {
		if (p[i] < '0' || p[i] > '9')
			return ERR_MALFORMED;
		value = value * 10 + (size_t)(p[i] - '0');
		if (value > f->limits.skip_max)
			return ERR_TOO_LONG;
	}
	f->has_length = true;
	f->body_len = value;
	return 0;
}

/* Whether the header name before the colon is name; white space may stand
 * between (RFC 3261 7.3.1). */
static bool
is_name(const uint8_t *p, size_t len, const char *name)
{
	while (len > 0 && (p[len - 1] == ' ' || p[len - 1] == '\t'))
		len--;
	return len == strlen(name) &&
	       strncasecmp((const char *)p, name, len) == 0;
}

/* A complete line of the head, without its CRLF. */
static int
take_line(struct sip_frame *f, const uint8_t *p, size_t len)
{
	const uint8_t *colon;
	size_t name;

	if (f->lines++ == 0)
		return 0; /* the start line is the parser's matter */
	if (f->lines > f->limits.headers_max + 1)
		return ERR_TOO_LONG;
	/* A fold continues the line before.  A length so continued would read
	 * differently here and there, so that one must stand alone. */
	if (p[0] == ' ' || p[0] == '\t')
		return f->lines == 2 ? ERR_MALFORMED : 0;
	colon = memchr(p, ':', len);
	if (colon == NULL)
		return 0; /* no header, but a line: the parser's matter too */
	name = (size_t)(colon - p);
	if (is_name(p, name, "Content-Length") || is_name(p, name, "l"))
		return read_length(f, colon + 1, len - name - 1);
	return 0;
}

/* Whether the line that follows at next folds the one at p, which must not
 * happen to Content-Length. */
static bool
is_folded_length(const uint8_t *p, size_t len, const uint8_t *next)
{
	const uint8_t *colon;

	if (*next != ' ' && *next != '\t')
		return false;
	colon = memchr(p, ':', len);
	return colon != NULL &&
	       (is_name(p, (size_t)(colon - p), "Content-Length") ||
		   is_name(p, (size_t)(colon - p), "l"));
}

/* Walks the lines of the head as far as there are bytes.  Sets head_len at
 * its end. */
static int
scan_head(struct sip_frame *f)
{
	const uint8_t *p = f->data + f->start;
	size_t have = f->len - f->start;
	size_t i = f->scanned;
	size_t len;
	int rc;

	for (; i < have; i++) {
		if (p[i] == '\n') {
			if (i == f->line || p[i - 1] != '\r')
				return ERR_MALFORMED;
			len = i - 1 - f->line;
			if (len == 0) {
				f->head_len = i + 1;
				break;
			}
			/* One byte more tells whether the line is folded. */
			if (i + 1 == have)
				break;
			if (is_folded_length(p + f->line, len, p + i + 1))
				return ERR_MALFORMED;
			rc = take_line(f, p + f->line, len);
			if (rc < 0)
				return rc;
			f->line = i + 1;
		} else if (i > f->line && p[i - 1] == '\r') {
			return ERR_MALFORMED;
		}
		if (i >= f->limits.head_max)
			return ERR_TOO_LONG;
	}
	f->scanned = i;
	if (f->head_len > f->limits.head_max)
		return ERR_TOO_LONG;
	if (f->head_len > 0 && !f->has_length)
		return ERR_MALFORMED;
	return 0;
}

/* Skips CRLF between messages.  True when a ping was completed. */
static int
skip_crlf(struct sip_frame *f, bool *ping)
{
	const uint8_t *p;

	*ping = false;
	while (f->start < f->len) {
		p = f->data + f->start;
		if (*p == '\n')
			return ERR_MALFORMED;
		if (*p != '\r') {
			f->crlf = 0;
			return 0;
		}
		if (f->len - f->start < 2)
			return 0;
		if (p[1] != '\n')
			return ERR_MALFORMED;
		f->start += 2;
		if (++f->crlf == 2) {
			f->crlf = 0;
			*ping = true;
			return 0;
		}
	}
	return 0;
}

/* Drops what there is of a body nobody wants. */
static void
skip_body(struct sip_frame *f)
{
	size_t have = f->len - f->start;
	size_t n = have < f->skip ? have : f->skip;

	f->start += n;
	f->skip -= n;
}

static void
begin_message(struct sip_frame *f)
{
	f->scanned = f->line = f->lines = 0;
	f->head_len = f->body_len = 0;
	f->has_length = false;
}

static int
next(struct sip_frame *f, struct sip_frame_item *out)
{
	bool ping;
	int rc;

	skip_body(f);
	if (f->skip > 0)
		return 0;
	if (f->lines == 0 && f->scanned == 0) {
		rc = skip_crlf(f, &ping);
		if (rc < 0)
			return rc;
		if (ping) {
			out->kind = SIP_FRAME_PING;
			return 0;
		}
		if (f->start == f->len || f->data[f->start] == '\r')
			return 0;
	}
	if (f->head_len == 0) {
		rc = scan_head(f);
		if (rc < 0 || f->head_len == 0)
			return rc;
	}
	out->head = f->data + f->start;
	out->head_len = f->head_len;
	if (f->body_len > f->limits.body_max) {
		out->kind = SIP_FRAME_TOO_LARGE;
		f->skip = f->body_len;
		f->start += f->head_len;
		begin_message(f);
		return 0;
	}
	if (f->len - f->start - f->head_len < f->body_len) {
		out->head = NULL;
		out->head_len = 0;
		return 0;
	}
	out->kind = SIP_FRAME_MESSAGE;
	out->body = out->head + f->head_len;
	out->body_len = f->body_len;
	f->start += f->head_len + f->body_len;
	begin_message(f);
	return 0;
}

int
sip_frame_next(struct sip_frame *f, struct sip_frame_item *out)
{
	int rc;

	memset(out, 0, sizeof(*out));
	if (f->failed < 0)
		return f->failed;
	rc = next(f, out);
	if (rc < 0)
		f->failed = rc;
	return rc;
}
