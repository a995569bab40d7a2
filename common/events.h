/*
 * events - the numbers that log lines bear, and what each means.
 *
 * The rows are those of common/event_table.h, in the order of their numbers.
 */
#ifndef COMMON_EVENTS_H
#define COMMON_EVENTS_H

#include <stddef.h>

#include "common/log.h"

struct event_row {
	const char *component; /* "*" = any */
	const char *event;
	const char *text;
	const char *advice; /* "" = nothing to be done */
	unsigned number;
	enum log_level severity; /* the highest it is logged at */
};

extern const struct event_row events_rows[];
extern const size_t events_count;

/* The row of that component, else the one of any, else the only one that the
 * event has; NULL when there is none. */
const struct event_row *events_find(const char *component, const char *event);
/* NULL when no event has that number. */
const struct event_row *events_numbered(unsigned number);

#endif
