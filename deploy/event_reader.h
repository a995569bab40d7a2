/*
 * event_reader - cuts server-sent events (HTML Living Standard 9.2) out of
 * bytes, as far as our gateway sends them: event and data, a line each.  Pure.
 *
 * Owns     the line it is in.
 * Bounds   EVENT_READER_LINE_MAX.
 */
#ifndef DEPLOY_EVENT_READER_H
#define DEPLOY_EVENT_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"

enum { EVENT_READER_LINE_MAX = 1 << 20, EVENT_READER_NAME_SIZE = 32 };

/* False to stop. */
typedef bool event_reader_fn(const char *event, const char *data, void *arg);

struct event_reader {
	struct buf line, data;
	char event[EVENT_READER_NAME_SIZE];
	event_reader_fn *on_event;
	void *arg;
};

void
event_reader_init(struct event_reader *r, event_reader_fn *on_event, void *arg);
void event_reader_finish(struct event_reader *r);
/* Takes bytes, cut anywhere.  False when the listener wants no more, or the
 * stream is none (a line too long, or no memory). */
bool event_reader_feed(struct event_reader *r, const char *data, size_t len);

#endif
