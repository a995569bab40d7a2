#include "frontend-gateway/trace/trace_sdp.h"

#include <stdbool.h>
#include <string.h>

#include "common/buf.h"

enum { LINE_MAX_SHOWN = 512, LINES_MAX = 256 };

/* Lines that are shown whole; of "a" those below. */
static const char shown_types[] = "vocbtrm";

static const char *const shown_attributes[] = { "accept-types",
	"accept-wrapped-types", "connection", "group", "inactive", "label",
	"max-size", "maxptime", "mid", "msrp-cema", "path", "ptime", "recvonly",
	"rtcp", "rtcp-mux", "rtpmap", "sendonly", "sendrecv", "setup" };

static void
add_ascii(struct buf *out, const char *s, size_t len)
{
	const size_t max = len > LINE_MAX_SHOWN ? LINE_MAX_SHOWN : len;

	for (size_t i = 0; i < max; i++)
		buf_add_char(out, s[i] >= ' ' && s[i] < 0x7f ? s[i] : '?');
	if (max < len)
		buf_addf(out, "[%zu bytes]", len - max);
}

static bool
is_shown_attribute(const char *name, size_t len)
{
	const size_t n = sizeof(shown_attributes) / sizeof(shown_attributes[0]);

	for (size_t i = 0; i < n; i++)
		if (strlen(shown_attributes[i]) == len &&
		    memcmp(shown_attributes[i], name, len) == 0)
			return true;
	return false;
}

/* The names of sessions that mean nothing. */
static bool
is_dull_name(const char *s, size_t len)
{
	return (len == 1 && *s == '-') ||
	       (len == 7 && memcmp(s, "session", 7) == 0);
}

static void
add_line(struct buf *out, const char *s, size_t len)
{
	const char *value = s + 2, *colon;
	size_t n = len - 2, name;

	if (len < 2 || s[1] != '=' || s[0] < 'a' || s[0] > 'z') {
		buf_addf(out, "[%zu bytes]\n", len);
		return;
	}
	buf_addf(out, "%c=", s[0]);
	colon = memchr(value, ':', n);
	name = colon != NULL ? (size_t)(colon - value) : n;
	if (strchr(shown_types, s[0]) != NULL ||
	    (s[0] == 's' && is_dull_name(value, n)) ||
	    (s[0] == 'a' && is_shown_attribute(value, name)))
		add_ascii(out, value, n);
	else
		buf_addf(out, "[%zu bytes]", n);
	buf_add_char(out, '\n');
}

void
trace_sdp_write(struct buf *out, const char *sdp, size_t len)
{
	for (size_t lines = 0; len > 0; lines++) {
		const char *end = memchr(sdp, '\n', len);
		size_t n = end != NULL ? (size_t)(end - sdp) : len;
		const size_t next = end != NULL ? n + 1 : n;

		if (lines == LINES_MAX) {
			buf_addf(out, "[%zu bytes]\n", len);
			return;
		}
		if (n > 0 && sdp[n - 1] == '\r')
			n--;
		if (n > 0)
			add_line(out, sdp, n);
		sdp += next;
		len -= next;
	}
}
