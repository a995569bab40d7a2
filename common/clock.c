/* A binary heap ordered by due time, then by the order of starting.  The uv
 * clock keeps one uv_timer armed for the heap's top; the manual clock fires
 * from clock_advance().  A timer leaves the heap before its callback runs,
 * so the callback may free its owner.
 *
 * What falls due while timers fire waits for the next turn of the loop.  A
 * uv_timer without delay would not: the loop goes on with its timers until none
 * is due.  An idle handle does, and lets the loop look for events in between. */
#include "common/clock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/err.h"

struct clock {
	struct clock_timer **heap;
	size_t count;
	size_t cap;
	uint64_t next_order;
	uint64_t manual_now_ms;
	int64_t manual_wall_ms;
	bool manual;
	bool firing; /* arming is left to the end of the batch */
	uv_timer_t timer;
	uv_idle_t turn;  /* runs while something is due in the next turn */
	unsigned closed; /* of these two */
};

enum { FIRST_CAP = 64 };

static void on_timer(uv_timer_t *h);
static void on_turn(uv_idle_t *h);

/* Room for twice the timers, or for the first. */
static int
grow(struct clock *c)
{
	size_t cap = c->cap == 0 ? FIRST_CAP : c->cap * 2;
	struct clock_timer **heap = realloc(c->heap, cap * sizeof(*heap));

	if (heap == NULL)
		return ERR_NOMEM;
	c->heap = heap;
	c->cap = cap;
	return 0;
}

static void
clock_free(struct clock *c)
{
	free(c->heap);
	free(c);
}

static struct clock *
clock_new(void)
{
	struct clock *c = calloc(1, sizeof(*c));

	if (c != NULL && grow(c) < 0) {
		free(c);
		return NULL;
	}
	return c;
}

int
clock_open_uv(struct clock **out, uv_loop_t *loop)
{
	struct clock *c = clock_new();
	int rc;

	if (c == NULL)
		return ERR_NOMEM;
	rc = uv_timer_init(loop, &c->timer);
	if (rc < 0) {
		clock_free(c);
		return rc;
	}
	c->timer.data = c;
	(void)uv_idle_init(loop, &c->turn); /* always 0 */
	c->turn.data = c;
	*out = c;
	return 0;
}

int
clock_open_manual(struct clock **out, uint64_t now_ms, int64_t wall_ms)
{
	struct clock *c = clock_new();

	if (c == NULL)
		return ERR_NOMEM;
	c->manual = true;
	c->manual_now_ms = now_ms;
	c->manual_wall_ms = wall_ms;
	*out = c;
	return 0;
}

static void
on_handle_closed(uv_handle_t *h)
{
	struct clock *c = h->data;

	if (++c->closed == 2)
		clock_free(c);
}

void
clock_close(struct clock *c)
{
	assert(c->count == 0);
	if (c->manual) {
		clock_free(c);
		return;
	}
	uv_close((uv_handle_t *)&c->timer, on_handle_closed);
	uv_close((uv_handle_t *)&c->turn, on_handle_closed);
}

uint64_t
clock_now_ms(const struct clock *c)
{
	/* Not uv_now(): that one stands still while a callback works. */
	return c->manual ? c->manual_now_ms : uv_hrtime() / 1000000;
}

int64_t
clock_wall_ms(const struct clock *c)
{
	struct timespec ts;

	if (c->manual)
		return c->manual_wall_ms;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- the heap ----------------------------------------------------------- */

static bool
before(const struct clock_timer *a, const struct clock_timer *b)
{
	if (a->due_ms != b->due_ms)
		return a->due_ms < b->due_ms;
	return a->order < b->order;
}

static void
place(struct clock *c, size_t i, struct clock_timer *t)
{
	c->heap[i] = t;
	t->slot = i + 1;
}

static void
sift_up(struct clock *c, size_t i, struct clock_timer *t)
{
	while (i > 0 && before(t, c->heap[(i - 1) / 2])) {
		place(c, i, c->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(c, i, t);
}

static void
sift_down(struct clock *c, size_t i, struct clock_timer *t)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= c->count)
			break;
		if (child + 1 < c->count &&
		    before(c->heap[child + 1], c->heap[child]))
			child++;
		if (before(t, c->heap[child]))
			break;
		place(c, i, c->heap[child]);
		i = child;
	}
	place(c, i, t);
}

static void
heap_add(struct clock *c, struct clock_timer *t)
{
	/* Well before it is needed: a moment without memory does no harm. */
	if (c->count >= c->cap / 4 * 3 && grow(c) < 0 && c->count == c->cap) {
		fputs("no memory for timers, giving up\n", stderr);
		abort();
	}
	sift_up(c, c->count++, t);
}

static void
heap_remove(struct clock *c, struct clock_timer *t)
{
	size_t i = t->slot - 1;
	struct clock_timer *last = c->heap[--c->count];

	t->slot = 0;
	if (last == t)
		return;
	if (i > 0 && before(last, c->heap[(i - 1) / 2]))
		sift_up(c, i, last);
	else
		sift_down(c, i, last);
}

/* --- firing ------------------------------------------------------------- */

/* Arms the uv timer for the top of the heap. */
static void
arm(struct clock *c)
{
	uint64_t now, due;
	int rc;

	if (c->manual || c->firing)
		return;
	if (c->count == 0) {
		uv_timer_stop(&c->timer);
		return;
	}
	now = clock_now_ms(c);
	due = c->heap[0]->due_ms;
	uv_update_time(c->timer.loop);
	rc = uv_timer_start(&c->timer, on_timer, due > now ? due - now : 0, 0);
	/* It fails only on a closing handle: a timer outlived its clock. */
	assert(rc == 0);
}

static void
fire_top(struct clock *c)
{
	struct clock_timer *t = c->heap[0];

	heap_remove(c, t);
	t->fn(t, t->arg);
}

/* Timers started by these callbacks wait for the next turn of the loop, so that
 * one that restarts itself without delay cannot hold the loop up. */
static void
fire_due(struct clock *c)
{
	uint64_t now = clock_now_ms(c), last_order = c->next_order;

	c->firing = true;
	while (c->count > 0 && c->heap[0]->due_ms <= now &&
	       c->heap[0]->order < last_order)
		fire_top(c);
	c->firing = false;
	if (c->count > 0 && c->heap[0]->due_ms <= clock_now_ms(c))
		(void)uv_idle_start(&c->turn, on_turn); /* always 0 */
	else
		arm(c);
}

static void
on_timer(uv_timer_t *h)
{
	fire_due(h->data);
}

static void
on_turn(uv_idle_t *h)
{
	(void)uv_idle_stop(h); /* always 0 */
	fire_due(h->data);
}

void
clock_advance(struct clock *c, uint64_t ms)
{
	uint64_t target;

	assert(c->manual && !c->firing);
	target = c->manual_now_ms + ms;
	c->firing = true;
	while (c->count > 0 && c->heap[0]->due_ms <= target) {
		uint64_t due = c->heap[0]->due_ms;

		if (due > c->manual_now_ms) {
			c->manual_wall_ms += (int64_t)(due - c->manual_now_ms);
			c->manual_now_ms = due;
		}
		fire_top(c);
	}
	c->firing = false;
	c->manual_wall_ms += (int64_t)(target - c->manual_now_ms);
	c->manual_now_ms = target;
}

void
clock_timer_init(
    struct clock_timer *t, struct clock *c, clock_timer_fn *fn, void *arg)
{
	*t = (struct clock_timer){ .clock = c, .fn = fn, .arg = arg };
}

void
clock_timer_start(struct clock_timer *t, uint64_t delay_ms)
{
	struct clock *c = t->clock;
	uint64_t now = clock_now_ms(c);

	if (t->slot != 0)
		heap_remove(c, t);
	t->due_ms = delay_ms > UINT64_MAX - now ? UINT64_MAX : now + delay_ms;
	t->order = c->next_order++;
	heap_add(c, t);
	if (t->slot == 1)
		arm(c);
}

void
clock_timer_stop(struct clock_timer *t)
{
	bool was_top = t->slot == 1;

	if (t->slot == 0)
		return;
	heap_remove(t->clock, t);
	if (was_top)
		arm(t->clock);
}

bool
clock_timer_running(const struct clock_timer *t)
{
	return t->slot != 0;
}
