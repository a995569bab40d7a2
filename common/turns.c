#include "common/turns.h"

#include <assert.h>

enum { WINDOW_S = 60, NS_OF_MS = 1000000, NS_OF_US = 1000 };

static const uint64_t window_ns = (uint64_t)WINDOW_S * 1000 * NS_OF_MS;

/* A window that went by without a turn tells nothing. */
static void
move_window(struct turns *t, uint64_t now)
{
	if (now - t->window_ns < window_ns)
		return;
	t->former_ns = now - t->window_ns < 2 * window_ns ? t->longest_ns : 0;
	t->longest_ns = 0;
	t->window_ns = now;
}

/* The loop is about to look for events. */
static void
on_turn_over(uv_prepare_t *h)
{
	struct turns *t = h->data;
	const uint64_t now = uv_hrtime();
	const uint64_t idle = uv_metrics_idle_time(h->loop);
	const uint64_t took = now - t->last_ns - (idle - t->idle_ns);

	t->last_ns = now;
	t->idle_ns = idle;
	move_window(t, now);
	if (took > t->longest_ns)
		t->longest_ns = took;
	histogram_observe(&t->took, took / NS_OF_MS);
	t->busy_ns += took;
	t->took.sum_ms = t->busy_ns / NS_OF_MS;
}

void
turns_open(struct turns *t, uv_loop_t *loop)
{
	int rc = uv_loop_configure(loop, UV_METRICS_IDLE_TIME);

	*t = (struct turns){ .last_ns = uv_hrtime() };
	assert(rc == 0);
	t->window_ns = t->last_ns;
	t->idle_ns = uv_metrics_idle_time(loop);
	/* Neither ever fails. */
	(void)uv_prepare_init(loop, &t->handle);
	t->handle.data = t;
	(void)uv_prepare_start(&t->handle, on_turn_over);
	uv_unref((uv_handle_t *)&t->handle);
}

void
turns_close(struct turns *t)
{
	uv_close((uv_handle_t *)&t->handle, NULL);
}

json_t *
turns_json(const struct turns *t)
{
	const uint64_t longest =
	    t->longest_ns > t->former_ns ? t->longest_ns : t->former_ns;

	return json_pack("{s:o,s:I}", "took", histogram_json(&t->took),
	    "longest_us", (json_int_t)(longest / NS_OF_US));
}
