#include "frontend-gateway/admin/sse.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "frontend-gateway/admin/http_server.h"

/* Room for the last event, beyond the bound. */
enum { LAST_BYTES = SSE_LAST_BYTES + 64 };

struct sse {
	struct http_call *call;
	struct buf queue;
	struct clock_timer beat;
	uint32_t beat_ms;
	bool over; /* the last event is in the queue */
	sse_end_fn *on_end;
	void *arg;
};

static ssize_t
on_read(void *arg, char *out, size_t size)
{
	struct sse *s = arg;
	const size_t n = s->queue.len < size ? s->queue.len : size;

	if (n == 0)
		return s->over ? HTTP_STREAM_END : 0;
	memcpy(out, s->queue.data, n);
	buf_consume(&s->queue, n);
	clock_timer_start(&s->beat, s->beat_ms);
	return (ssize_t)n;
}

static void
on_call_end(void *arg)
{
	struct sse *s = arg;

	clock_timer_stop(&s->beat);
	if (s->on_end != NULL)
		s->on_end(s, s->arg);
	buf_finish(&s->queue);
	free(s);
}

static void
on_beat(struct clock_timer *t, void *arg)
{
	struct sse *s = arg;

	/* With something queued he has been told enough. */
	if (s->queue.len == 0 && !s->over)
		(void)buf_add_str(&s->queue, ":\n\n");
	clock_timer_start(t, s->beat_ms);
	http_call_wake(s->call);
}

int
sse_open(struct sse **out, struct http_call *call, struct clock *clock,
    sse_end_fn *on_end, void *arg)
{
	struct sse *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return ERR_NOMEM;
	buf_init(&s->queue, SSE_QUEUE_BYTES + LAST_BYTES);
	if (buf_add_str(&s->queue, "retry: 2000\n\n") < 0) {
		free(s);
		return ERR_NOMEM;
	}
	s->call = call;
	s->beat_ms = SSE_BEAT_MS;
	clock_timer_init(&s->beat, clock, on_beat, s);
	if (http_call_stream(
		call, &(struct http_stream){ .type = "text/event-stream",
			  .read = on_read,
			  .on_end = on_call_end,
			  .arg = s,
			  .endless = true }) < 0) {
		buf_finish(&s->queue);
		free(s);
		return ERR_NOMEM;
	}
	s->on_end = on_end;
	s->arg = arg;
	clock_timer_start(&s->beat, s->beat_ms);
	*out = s;
	return 0;
}

void
sse_set_beat(struct sse *s, uint32_t ms)
{
	s->beat_ms = ms;
	clock_timer_start(&s->beat, ms);
}

void
sse_send(struct sse *s, const char *id, const char *event, const char *data)
{
	/* Whole or not at all. */
	const size_t len = (id != NULL ? strlen(id) : 0) + strlen(event) +
			   strlen(data) + sizeof("id: \nevent: \ndata: \n\n");

	if (s->over)
		return;
	if (s->queue.len + len > SSE_QUEUE_BYTES) {
		sse_cut(s, "too slow");
		return;
	}
	if (id != NULL)
		(void)buf_addf(&s->queue, "id: %s\n", id);
	(void)buf_addf(&s->queue, "event: %s\ndata: %s\n\n", event, data);
	if (buf_failed(&s->queue))
		sse_cut(s, "out of memory");
	http_call_wake(s->call);
}

void
sse_send_json(struct sse *s, const char *event, json_t *data)
{
	char *text = data != NULL ? json_dumps(data, JSON_COMPACT) : NULL;

	json_decref(data);
	if (text != NULL)
		sse_send(s, NULL, event, text);
	else
		sse_cut(s, "out of memory");
	free(text);
}

void
sse_cut(struct sse *s, const char *reason)
{
	if (s->over)
		return;
	s->over = true;
	s->queue.failed = false;
	(void)buf_addf(
	    &s->queue, "event: cut\ndata: {\"reason\":\"%s\"}\n\n", reason);
	http_call_wake(s->call);
}

void
sse_end(struct sse *s, const char *event, json_t *data)
{
	char *text = data != NULL ? json_dumps(data, JSON_COMPACT) : NULL;

	json_decref(data);
	if (!s->over) {
		s->over = true;
		s->queue.failed = false;
		(void)buf_addf(&s->queue, "event: %s\ndata: %s\n\n", event,
		    text != NULL ? text : "{}");
		http_call_wake(s->call);
	}
	free(text);
}

bool
sse_is_over(const struct sse *s)
{
	return s->over;
}
