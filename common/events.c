#include "common/events.h"

#include <string.h>

#define EVENT(number, component, event, severity, text, advice)                \
	{ component, event, text, advice, number, LOG_##severity },

const struct event_row events_rows[] = {
#include "common/event_table.h"
};

const size_t events_count = sizeof(events_rows) / sizeof(*events_rows);

const struct event_row *
events_find(const char *component, const char *event)
{
	const struct event_row *only = NULL;
	size_t count = 0;

	for (size_t i = 0; i < events_count; i++) {
		const struct event_row *r = &events_rows[i];

		if (strcmp(r->event, event) != 0)
			continue;
		if (strcmp(r->component, component) == 0)
			return r;
		/* One of any comes before those of others. */
		if (count == 0 || r->component[0] == '*')
			only = r;
		count += r->component[0] != '*';
	}
	return count < 2 || only->component[0] == '*' ? only : NULL;
}

const struct event_row *
events_numbered(unsigned number)
{
	for (size_t i = 0; i < events_count; i++)
		if (events_rows[i].number == number)
			return &events_rows[i];
	return NULL;
}
