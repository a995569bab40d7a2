/*
 * A budget begins with the first line of its kind and peer and ends a minute
 * later, by a timer that runs for the oldest one.  Budgets stand in the order
 * of their beginnings; each lasts equally long, so the first in the list is
 * the next to end.
 */
#include "common/log_limit.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/list.h"
#include "common/map.h"

enum { PART_MAX = 80, KEY_MAX = 4 * PART_MAX };

struct budget {
	struct map_node node;
	struct list by_begin;
	uint64_t begin_ms;
	unsigned written;
	unsigned long long suppressed;
	enum log_level level; /* of the gravest line */
	/* Copies: whose they were may be gone when the minute is over. */
	char component[PART_MAX], event[PART_MAX], what[PART_MAX];
	char peer[PART_MAX];
	size_t key_len;
	char key[KEY_MAX];
};

static struct {
	struct clock *clock; /* NULL: no limit */
	struct clock_timer timer;
	struct map map;
	struct list budgets;
} state;

/* Told under the component the lines would have had. */
static void
tell(const struct budget *b)
{
	struct log log;

	if (b->suppressed == 0)
		return;
	log_init(&log, b->component);
	log_event(&log, b->level, "suppressed",
	    "event=%s what=%s peer=%s lines=%llu seconds=%d", b->event,
	    b->what[0] != '\0' ? b->what : NULL,
	    b->peer[0] != '\0' ? b->peer : NULL, b->suppressed,
	    LOG_LIMIT_MS / 1000);
}

static void
end(struct budget *b)
{
	tell(b);
	map_remove(&state.map, &b->node);
	list_remove(&b->by_begin);
	free(b);
}

static struct budget *
oldest(void)
{
	struct list *n = list_first(&state.budgets);

	return n == NULL ? NULL : list_entry(n, struct budget, by_begin);
}

static void
await_oldest(void)
{
	struct budget *b = oldest();

	if (b != NULL)
		clock_timer_start(&state.timer,
		    b->begin_ms + LOG_LIMIT_MS - clock_now_ms(state.clock));
}

static void
on_over(struct clock_timer *t, void *arg)
{
	uint64_t now = clock_now_ms(state.clock);
	struct budget *b;

	(void)t;
	(void)arg;
	while ((b = oldest()) != NULL && now - b->begin_ms >= LOG_LIMIT_MS)
		end(b);
	await_oldest();
}

/* The parts, each with its NUL. */
static size_t
make_key(char key[static KEY_MAX], const struct log_limit *l, const char *peer)
{
	const char *parts[] = { l->log->component, l->event, l->what, peer };
	size_t len = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		const char *part = parts[i] != NULL ? parts[i] : "";
		int n = snprintf(key + len, PART_MAX, "%s", part);

		len += (n < PART_MAX ? (size_t)n : PART_MAX - 1) + 1;
	}
	return len;
}

static struct budget *
find(const struct log_limit *l, const char *peer)
{
	char key[KEY_MAX];
	size_t len = make_key(key, l, peer);
	struct map_node *n = map_get(&state.map, key, len);

	return n == NULL ? NULL : map_entry(n, struct budget, node);
}

static struct budget *
add(const struct log_limit *l, const char *peer)
{
	struct budget *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	snprintf(b->component, PART_MAX, "%s", l->log->component);
	snprintf(b->event, PART_MAX, "%s", l->event);
	snprintf(b->what, PART_MAX, "%s", l->what != NULL ? l->what : "");
	snprintf(b->peer, PART_MAX, "%s", peer != NULL ? peer : "");
	b->level = l->level;
	b->begin_ms = clock_now_ms(state.clock);
	b->key_len = make_key(b->key, l, peer);
	list_init(&b->by_begin);
	if (map_put(&state.map, &b->node, b->key, b->key_len) < 0) {
		free(b);
		return NULL;
	}
	list_append(&state.budgets, &b->by_begin);
	if (!clock_timer_running(&state.timer))
		await_oldest();
	return b;
}

/* NULL without memory: then the line is written. */
static struct budget *
budget_of(const struct log_limit *l)
{
	struct budget *b = find(l, l->peer);

	if (b == NULL && state.map.count < LOG_LIMIT_PEERS)
		return add(l, l->peer);
	if (b == NULL)
		b = find(l, "(others)");
	/* One for each kind of line there is in our code. */
	return b != NULL ? b : add(l, "(others)");
}

static bool
may_write(const struct log_limit *l)
{
	struct budget *b;

	if (state.clock == NULL)
		return true;
	b = budget_of(l);
	if (b == NULL)
		return true;
	if (b->written < (l->lines > 0 ? l->lines : LOG_LIMIT_LINES)) {
		b->written++;
		return true;
	}
	b->suppressed++;
	if (l->level < b->level)
		b->level = l->level;
	return false;
}

void
log_limited(const struct log_limit *limit, const char *fmt, ...)
{
	va_list ap;

	if (!log_enabled(limit->log, limit->level) || !may_write(limit))
		return;
	va_start(ap, fmt);
	log_vevent(limit->log, limit->level, limit->event, fmt, ap);
	va_end(ap);
}

int
log_limit_start(struct clock *clock)
{
	int rc;

	assert(state.clock == NULL);
	rc = map_init(&state.map);
	if (rc < 0)
		return rc;
	list_init(&state.budgets);
	clock_timer_init(&state.timer, clock, on_over, NULL);
	state.clock = clock;
	return 0;
}

void
log_limit_stop(void)
{
	struct budget *b;

	if (state.clock == NULL)
		return;
	clock_timer_stop(&state.timer);
	while ((b = oldest()) != NULL)
		end(b);
	map_finish(&state.map);
	state.clock = NULL;
}
