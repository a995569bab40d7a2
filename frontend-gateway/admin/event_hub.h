/*
 * event_hub - what happens, told to everybody who listens to /v1/events.
 *
 * Events are numbered; the last EVENT_HUB_KEPT are kept, so that a client who
 * comes back with the number of the last one he saw (Last-Event-ID) misses
 * nothing, or is told by an event "missed" that he did.
 *
 * Owns     listeners, kept events.
 * Borrows  clock.
 * Bounds   EVENT_HUB_LISTENERS, EVENT_HUB_KEPT.
 * Ends     event_hub_free(), when the calls have ended.
 */
#ifndef GATEWAY_ADMIN_EVENT_HUB_H
#define GATEWAY_ADMIN_EVENT_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

struct clock;
struct event_hub;
struct http_call;

enum {
	EVENT_HUB_LISTENERS = 16,
	EVENT_HUB_KEPT = 256,
	EVENT_HUB_OWNER_SIZE = 16
};

/* Whether the token of that id is still good; asked before he is told
 * anything. */
typedef bool event_hub_may_fn(const char *owner, void *arg);
int event_hub_new(struct event_hub **out, struct clock *clock,
    event_hub_may_fn *may, void *arg);
void event_hub_free(struct event_hub *h);

/* data is taken over; NULL is accepted: the event is lost, and its number
 * shows it.  event is static. */
void event_hub_tell(struct event_hub *h, const char *event, json_t *data);
/* Streams to the call from now on.  owner: the id of the token he came with, ""
 * = none; last: the id he saw last, or NULL.  ERR_FULL, ERR_NOMEM: the call is
 * still to be answered. */
int event_hub_join(struct event_hub *h, struct http_call *call,
    const char *owner, const char *last);
/* That token is no more: its listeners are cut. */
void event_hub_drop(struct event_hub *h, const char *owner);
size_t event_hub_count(const struct event_hub *h);

#endif
