#include "common/events.h"

#include <string.h>

#define EVENT(number, component, event, severity, text, advice)                \
	{ number, component, event, LOG_##severity, text, advice },

const struct event_row events_rows[] = {
#include "common/event_table.h"
};

const size_t events_count = sizeof(events_rows) / sizeof(*events_rows);

const struct event_row *
events_find(const char *component, const char *event)
{
	const struct event_row *any = NULL;

	for (size_t i = 0; i < events_count; i++) {
		const struct event_row *r = &events_rows[i];

		if (strcmp(r->event, event) != 0)
			continue;
		if (strcmp(r->component, component) == 0)
			return r;
		if (r->component[0] == '*')
			any = r;
	}
	return any;
}

const struct event_row *
events_numbered(unsigned number)
{
	for (size_t i = 0; i < events_count; i++)
		if (events_rows[i].number == number)
			return &events_rows[i];
	return NULL;
}
