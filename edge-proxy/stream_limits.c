/* stream_limits - see the header. */
#include "edge-proxy/stream_limits.h"

#include <inttypes.h>

#include "common/buf.h"
#include "common/xml.h"

enum { BYTES_LEAST = 10000, QUIET_LEAST_MS = 5000 };

static void
write_number(struct buf *out, const char *name, uint32_t value)
{
	if (value > 0)
		buf_addf(out, "<%s>%" PRIu32 "</%s>", name, value, name);
}

void
stream_limits_write(struct buf *out, const struct stream_limits *l)
{
	if (l->max_bytes == 0 && l->idle_s == 0)
		return;
	buf_add_str(out, "<limits xmlns='" XML_NS_LIMITS "'>");
	write_number(out, "max-bytes", l->max_bytes);
	write_number(out, "idle-seconds", l->idle_s);
	buf_add_str(out, "</limits>");
}

/* 0 for what is no number, and for one so large that it is no limit. */
static uint32_t
read_number(const struct xml_elem *limits, const char *name)
{
	const struct xml_elem *e = xml_child(limits, XML_NS_LIMITS, name);
	uint64_t value = 0;
	struct buf text;
	const char *s;

	if (e == NULL)
		return 0;
	buf_init(&text, 64);
	s = xml_text(e, &text) == 0 ? buf_cstr(&text) : NULL;
	for (; s != NULL && *s >= '0' && *s <= '9' && value <= UINT32_MAX; s++)
		value = 10 * value + (uint64_t)(*s - '0');
	if (s == NULL || *s != '\0' || value > UINT32_MAX)
		value = 0;
	buf_finish(&text);
	return (uint32_t)value;
}

struct stream_limits
stream_limits_read(const struct xml_elem *parent)
{
	const struct xml_elem *limits =
	    xml_child(parent, XML_NS_LIMITS, "limits");
	struct stream_limits l = { 0 };

	if (limits == NULL)
		return l;
	l.max_bytes = read_number(limits, "max-bytes");
	l.idle_s = read_number(limits, "idle-seconds");
	if (l.max_bytes > 0 && l.max_bytes < BYTES_LEAST)
		l.max_bytes = BYTES_LEAST;
	return l;
}

bool
stream_limits_fits(const struct stream_limits *l, size_t bytes)
{
	return l->max_bytes == 0 || bytes <= l->max_bytes;
}

uint64_t
stream_limits_quiet_ms(const struct stream_limits *l)
{
	uint64_t ms = 750 * (uint64_t)l->idle_s;

	if (l->idle_s == 0)
		return 0;
	return ms > QUIET_LEAST_MS ? ms : QUIET_LEAST_MS;
}
