/*
 * A binary heap over an array of pointers; each item knows its slot, so that
 * it can leave from the middle.
 *
 * Turns are counted in thousandths: each millisecond earns `rate` of them,
 * up to what PACE_BURST_MS earns (but always one turn), and a turn costs 1000.
 */
#include "frontend-gateway/presence/pace.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/err.h"

enum { TURN = 1000, FIRST_CAP = 64 };

struct pace {
	struct clock *clock;
	struct clock_timer timer;
	uint32_t rate;
	bool held;
	uint64_t credit; /* thousandths of turns */
	uint64_t since_ms;
	struct pace_item **heap;
	size_t count, cap;
	pace_fn *fn;
	void *arg;
};

/* --- heap --------------------------------------------------------------- */

static void
place(struct pace *p, size_t i, struct pace_item *item)
{
	p->heap[i] = item;
	item->slot = i + 1;
}

static void
rise(struct pace *p, size_t i)
{
	struct pace_item *item = p->heap[i];

	while (i > 0 && p->heap[(i - 1) / 2]->weight < item->weight) {
		place(p, i, p->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(p, i, item);
}

static void
sink(struct pace *p, size_t i)
{
	struct pace_item *item = p->heap[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= p->count)
			break;
		if (child + 1 < p->count &&
		    p->heap[child + 1]->weight > p->heap[child]->weight)
			child++;
		if (p->heap[child]->weight <= item->weight)
			break;
		place(p, i, p->heap[child]);
		i = child;
	}
	place(p, i, item);
}

static void
take_out(struct pace *p, struct pace_item *item)
{
	size_t i = item->slot - 1;
	struct pace_item *last = p->heap[--p->count];

	item->slot = 0;
	if (last == item)
		return;
	place(p, i, last);
	rise(p, i);
	sink(p, last->slot - 1);
}

/* --- turns -------------------------------------------------------------- */

static uint64_t
most(const struct pace *p)
{
	uint64_t burst = (uint64_t)p->rate * PACE_BURST_MS;

	return burst > TURN ? burst : TURN;
}

static void
earn(struct pace *p)
{
	uint64_t now = clock_now_ms(p->clock);
	uint64_t earned = (now - p->since_ms) * p->rate;

	p->since_ms = now;
	p->credit += earned;
	if (p->credit > most(p))
		p->credit = most(p);
}

static void
arm(struct pace *p)
{
	uint64_t missing = p->credit >= TURN ? 0 : TURN - p->credit;

	if (p->count == 0 || p->held)
		clock_timer_stop(&p->timer);
	else
		clock_timer_start(&p->timer, (missing + p->rate - 1) / p->rate);
}

static void
on_timer(struct clock_timer *t, void *arg)
{
	struct pace *p = arg;

	(void)t;
	earn(p);
	while (p->credit >= TURN && p->count > 0 && !p->held) {
		struct pace_item *item = p->heap[0];

		p->credit -= TURN;
		take_out(p, item);
		p->fn(item, p->arg);
	}
	arm(p);
}

int
pace_new(struct pace **out, struct clock *clock, uint32_t per_second,
    pace_fn *fn, void *arg)
{
	struct pace *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return ERR_NOMEM;
	p->clock = clock;
	p->rate = per_second;
	p->credit = TURN;
	p->since_ms = clock_now_ms(clock);
	p->fn = fn;
	p->arg = arg;
	clock_timer_init(&p->timer, clock, on_timer, p);
	*out = p;
	return 0;
}

void
pace_free(struct pace *p)
{
	if (p == NULL)
		return;
	clock_timer_stop(&p->timer);
	for (size_t i = 0; i < p->count; i++)
		p->heap[i]->slot = 0;
	free(p->heap);
	free(p);
}

void
pace_set_rate(struct pace *p, uint32_t per_second)
{
	earn(p);
	p->rate = per_second;
	arm(p);
}

void
pace_hold(struct pace *p, bool held)
{
	earn(p);
	p->held = held;
	arm(p);
}

int
pace_put(struct pace *p, struct pace_item *item, int64_t weight)
{
	if (item->slot != 0)
		return 0;
	if (p->count == p->cap) {
		size_t cap = p->cap > 0 ? 2 * p->cap : FIRST_CAP;
		struct pace_item **heap = realloc(p->heap, cap * sizeof(*heap));

		if (heap == NULL)
			return ERR_NOMEM;
		p->heap = heap;
		p->cap = cap;
	}
	item->weight = weight;
	p->heap[p->count++] = item;
	rise(p, p->count - 1);
	if (!clock_timer_running(&p->timer)) {
		earn(p);
		arm(p);
	}
	return 0;
}

void
pace_remove(struct pace *p, struct pace_item *item)
{
	if (item->slot != 0)
		take_out(p, item);
}

size_t
pace_count(const struct pace *p)
{
	return p->count;
}
