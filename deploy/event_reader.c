#include "deploy/event_reader.h"

#include <stdio.h>
#include <string.h>

void
event_reader_init(struct event_reader *r, event_reader_fn *on_event, void *arg)
{
	buf_init(&r->line, EVENT_READER_LINE_MAX);
	buf_init(&r->data, EVENT_READER_LINE_MAX);
	r->event[0] = '\0';
	r->on_event = on_event;
	r->arg = arg;
}

void
event_reader_finish(struct event_reader *r)
{
	buf_finish(&r->line);
	buf_finish(&r->data);
}

/* What stands behind the name, or NULL when the line is another's. */
static const char *
value_of(const char *line, const char *name)
{
	const size_t n = strlen(name);

	if (strncmp(line, name, n) != 0 || line[n] != ':')
		return NULL;
	return line[n + 1] == ' ' ? line + n + 2 : line + n + 1;
}

/* The empty line behind an event. */
static bool
end_event(struct event_reader *r)
{
	const char *data = buf_cstr(&r->data);
	bool more = data != NULL;

	if (more && r->event[0] != '\0')
		more = r->on_event(r->event, data, r->arg);
	r->event[0] = '\0';
	buf_clear(&r->data);
	return more;
}

static bool
take_line(struct event_reader *r)
{
	const char *line = buf_cstr(&r->line), *value;

	if (line == NULL)
		return false;
	if (line[0] == '\0')
		return end_event(r);
	value = value_of(line, "event");
	if (value != NULL)
		snprintf(r->event, sizeof(r->event), "%s", value);
	value = value_of(line, "data");
	return value == NULL || buf_add_str(&r->data, value) == 0;
}

bool
event_reader_feed(struct event_reader *r, const char *data, size_t len)
{
	while (len > 0) {
		const char *end = memchr(data, '\n', len);
		const size_t n = end != NULL ? (size_t)(end - data) : len;

		if (buf_add(&r->line, data, n) < 0)
			return false;
		if (end == NULL)
			return true;
		if (!take_line(r))
			return false;
		buf_clear(&r->line);
		data += n + 1;
		len -= n + 1;
	}
	return true;
}
