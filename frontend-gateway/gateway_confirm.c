#include "frontend-gateway/gateway_confirm.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/clock.h"
#include "frontend-gateway/edges.h"

struct waiter {
	struct list link;
	struct gateway_confirm *confirm;
	struct clock_timer timer;
	uint64_t counter;
	gateway_confirm_fn *fn;
	void *arg;
};

/* Tells and frees. */
static void
finish(struct waiter *w, json_t *confirmations)
{
	list_remove(&w->link);
	clock_timer_stop(&w->timer);
	w->fn(confirmations, w->arg);
	json_decref(confirmations);
	free(w);
}

static void
on_late(struct clock_timer *t, void *arg)
{
	struct waiter *w = arg;
	size_t open;

	(void)t;
	finish(w, edges_confirmations(w->confirm->edges, w->counter, &open));
}

void
gateway_confirm_init(
    struct gateway_confirm *c, struct clock *clock, const struct edges *edges)
{
	c->clock = clock;
	c->edges = edges;
	list_init(&c->waiting);
}

void
gateway_confirm_wait(struct gateway_confirm *c, uint64_t counter,
    uint64_t wait_ms, gateway_confirm_fn *fn, void *arg)
{
	size_t open;
	json_t *now = edges_confirmations(c->edges, counter, &open);
	struct waiter *w = NULL;

	if (now != NULL && open > 0)
		w = calloc(1, sizeof(*w));
	if (w == NULL) {
		fn(now, arg);
		json_decref(now);
		return;
	}
	json_decref(now);
	w->confirm = c;
	w->counter = counter;
	w->fn = fn;
	w->arg = arg;
	list_init(&w->link);
	list_append(&c->waiting, &w->link);
	clock_timer_init(&w->timer, c->clock, on_late, w);
	clock_timer_start(&w->timer, wait_ms);
}

void
gateway_confirm_look(struct gateway_confirm *c)
{
	LIST_FOREACH_SAFE (it, &c->waiting) {
		struct waiter *w = list_entry(it, struct waiter, link);
		size_t open;
		json_t *now = edges_confirmations(c->edges, w->counter, &open);

		if (now == NULL || open == 0)
			finish(w, now);
		else
			json_decref(now);
	}
}

void
gateway_confirm_stop(struct gateway_confirm *c)
{
	LIST_FOREACH_SAFE (it, &c->waiting)
		on_late(NULL, list_entry(it, struct waiter, link));
}
