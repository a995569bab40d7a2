/*
 * sse - a stream of server-sent events (HTML Living Standard 9.2) to one
 * client.
 *
 * What he has not taken waits in a bounded queue.  When that overflows he gets
 * a last event, "cut", behind what is in it, and then the end: better to know
 * that something is missing than to miss it.
 *
 * Owns     itself, the queue.
 * Borrows  clock, the call.
 * Bounds   SSE_QUEUE_BYTES; a comment every SSE_BEAT_MS finds out who has gone.
 * Ends     with the call: on_end fires once, and the stream is freed when it
 *          returns.
 */
#ifndef GATEWAY_ADMIN_SSE_H
#define GATEWAY_ADMIN_SSE_H

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>

struct clock;
struct http_call;
struct sse;

enum {
	SSE_QUEUE_BYTES = 256 * 1024,
	SSE_BEAT_MS = 15000,
	SSE_LAST_BYTES = 192
};

typedef void sse_end_fn(struct sse *s, void *arg);

/* Answers the call with a stream.  ERR_NOMEM: the call is still to be
 * answered. */
int sse_open(struct sse **out, struct http_call *call, struct clock *clock,
    sse_end_fn *on_end, void *arg);
/* A comment as often as that, for one whose leaving shall be seen sooner. */
void sse_set_beat(struct sse *s, uint32_t ms);
/* id may be NULL.  data is one line. */
void
sse_send(struct sse *s, const char *id, const char *event, const char *data);
/* data is taken over; NULL, for want of memory, cuts. */
void sse_send_json(struct sse *s, const char *event, json_t *data);
/* A last event, "cut" with that reason; nothing is sent behind it. */
void sse_cut(struct sse *s, const char *reason);
/* A last event of its own, at most SSE_LAST_BYTES of data, which is taken over,
 * NULL too; nothing is sent behind it. */
void sse_end(struct sse *s, const char *event, json_t *data);
/* Nothing is sent any more: it was cut, perhaps by itself, or has ended. */
bool sse_is_over(const struct sse *s);

#endif
