/* barrier_stream: one ping at a time, and what each answer proves. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/clock.h"
#include "edge-proxy/barrier_stream.h"

/* What happened, as text: "p:<id>" a ping, "<n>/<proof>" an item, "+<proof>"
 * an ability, "dead". */
struct bench {
	struct clock *clock;
	struct barrier_stream b;
	struct barrier_item items[50];
	char seen[400];
	bool acknowledged;
	int write_when_proven; /* item to write from within on_proven, or 0 */
};

static void
note(struct bench *t, const char *text)
{
	size_t n = strlen(t->seen);

	snprintf(t->seen + n, sizeof(t->seen) - n, "%s ", text);
}

static void
write_item(struct bench *t, int i, const char *id)
{
	barrier_stream_written(&t->b, &t->items[i], id);
}

static void
on_ping(const char *id, void *arg)
{
	char text[300];

	snprintf(text, sizeof(text), "p:%s", id);
	note(arg, text);
}

static void
on_proven(struct barrier_item *item, enum proof by, void *arg)
{
	struct bench *t = arg;
	char text[40];
	int again = t->write_when_proven;

	snprintf(
	    text, sizeof(text), "%d/%s", (int)(item - t->items), proof_str(by));
	note(t, text);
	t->write_when_proven = 0;
	if (again != 0)
		write_item(t, again, "again");
}

static void
on_ability(enum proof by, void *arg)
{
	char text[20];

	snprintf(text, sizeof(text), "+%s", proof_str(by));
	note(arg, text);
}

static void
on_dead(void *arg)
{
	note(arg, "dead");
}

static bool
all_acknowledged(void *arg)
{
	return ((struct bench *)arg)->acknowledged;
}

static const struct barrier_events events = { on_ping, on_proven, on_ability,
	on_dead, all_acknowledged };

static void
begin(struct bench *t)
{
	memset(t, 0, sizeof(*t));
	assert_int_equal(0, clock_open_manual(&t->clock, 0, 0));
	barrier_stream_init(&t->b, t->clock, &events, t);
}

static void
finish(struct bench *t, const char *seen)
{
	assert_string_equal(seen, t->seen);
	while (barrier_stream_take(&t->b) != NULL)
		continue;
	barrier_stream_finish(&t->b);
	clock_close(t->clock);
}

static void
test_one_at_a_time(void **state)
{
	struct bench t;

	(void)state;
	begin(&t);
	write_item(&t, 1, "a");
	write_item(&t, 2, "b");
	write_item(&t, 3, "c");
	assert_false(barrier_stream_proof(&t.b, "b"));
	assert_false(barrier_stream_proof(&t.b, ""));
	assert_true(barrier_stream_proof(&t.b, "a"));
	assert_false(barrier_stream_proof(&t.b, "a"));
	write_item(&t, 4, "d");
	assert_true(barrier_stream_proof(&t.b, "c"));
	assert_true(barrier_stream_proof(&t.b, "d"));
	write_item(&t, 5, "e");
	finish(&t, "p:a 1/ping p:c +ping 2/ping 3/ping p:d 4/ping p:e ");
}

/* Items may be taken away, and written, from within an event. */
static void
test_reentrance(void **state)
{
	struct bench t;

	(void)state;
	begin(&t);
	write_item(&t, 1, "a");
	write_item(&t, 2, "b");
	write_item(&t, 3, "c");
	list_remove(&t.items[2].link);
	t.write_when_proven = 4;
	barrier_stream_proof(&t.b, "a");
	barrier_stream_proof(&t.b, "again");
	finish(&t, "p:a 1/ping p:again +ping 3/ping 4/ping ");
}

static void
test_cannot_ping(void **state)
{
	struct bench t;

	(void)state;
	begin(&t);
	write_item(&t, 1, "a");
	clock_advance(t.clock, 9999);
	assert_string_equal("p:a p:a p:a p:a p:a ", t.seen);
	clock_advance(t.clock, 1);
	clock_advance(t.clock, 500);
	t.acknowledged = true;
	clock_advance(t.clock, 100);
	write_item(&t, 2, "b");
	clock_advance(t.clock, 100);
	finish(&t, "p:a p:a p:a p:a p:a +tcp 1/tcp 2/tcp ");
	/* nothing acknowledged either */
	begin(&t);
	write_item(&t, 1, "a");
	clock_advance(t.clock, 70000);
	finish(&t, "p:a p:a p:a p:a p:a +tcp dead ");
}

/* The first answer was lost on a way that was not there yet. */
static void
test_repeated(void **state)
{
	struct bench t;

	(void)state;
	begin(&t);
	write_item(&t, 1, "a");
	clock_advance(t.clock, 2000);
	write_item(&t, 2, "b");
	assert_true(barrier_stream_proof(&t.b, "a"));
	assert_true(barrier_stream_proof(&t.b, "b"));
	finish(&t, "p:a p:a 1/ping p:b +ping 2/ping ");
}

/* Who gave no answer is asked again, a minute later and not before; TCP does
 * not wait for it. */
static void
test_tried_again(void **state)
{
	struct bench t;

	(void)state;
	begin(&t);
	write_item(&t, 1, "a");
	clock_advance(t.clock, 10000);
	t.acknowledged = true;
	clock_advance(t.clock, 1000);
	t.seen[0] = '\0';
	clock_advance(t.clock, 58999);
	write_item(&t, 2, "b");
	clock_advance(t.clock, 1000);
	write_item(&t, 3, "c");
	clock_advance(t.clock, 100);
	write_item(&t, 4, "d");
	clock_advance(t.clock, 100);
	assert_true(barrier_stream_proof(&t.b, "c"));
	write_item(&t, 5, "e");
	clock_advance(t.clock, 29999);
	finish(&t, "2/tcp p:c 3/tcp 4/tcp +ping p:e ");
}

/* The answer comes after all: from then on pings prove again, and what was
 * promised to TCP is still settled by it. */
static void
test_late_answer(void **state)
{
	struct bench t;

	(void)state;
	begin(&t);
	write_item(&t, 1, "a");
	clock_advance(t.clock, 10000);
	write_item(&t, 2, "b");
	assert_true(barrier_stream_proof(&t.b, "a"));
	write_item(&t, 3, "c");
	t.acknowledged = true;
	clock_advance(t.clock, 100);
	assert_true(barrier_stream_proof(&t.b, "c"));
	finish(&t, "p:a p:a p:a p:a p:a +tcp 1/ping +ping p:c 2/tcp 3/ping ");
}

static void
test_dead(void **state)
{
	struct bench t;

	(void)state;
	begin(&t);
	write_item(&t, 1, "a");
	barrier_stream_proof(&t.b, "a");
	write_item(&t, 2, "b");
	clock_advance(t.clock, 29999);
	assert_null(strstr(t.seen, "dead"));
	clock_advance(t.clock, 1);
	finish(&t, "p:a 1/ping +ping p:b dead ");
}

static void
test_forget(void **state)
{
	struct bench t;

	(void)state;
	begin(&t);
	write_item(&t, 1, "sp1-gw1-0-a");
	write_item(&t, 2, "sp1-gw2-0-a");
	barrier_stream_forget(&t.b, "sp1-gw3-");
	assert_string_equal("p:sp1-gw1-0-a ", t.seen);
	/* the one that waits is another node's and goes out */
	barrier_stream_forget(&t.b, "sp1-gw1-");
	assert_string_equal("p:sp1-gw1-0-a p:sp1-gw2-0-a ", t.seen);
	assert_false(barrier_stream_proof(&t.b, "sp1-gw1-0-a"));
	write_item(&t, 3, "sp1-gw2-1-a");
	barrier_stream_forget(&t.b, "sp1-gw2-");
	clock_advance(t.clock, 100000);
	assert_string_equal("p:sp1-gw1-0-a p:sp1-gw2-0-a ", t.seen);
	write_item(&t, 4, "new");
	assert_true(barrier_stream_proof(&t.b, "new"));
	finish(&t,
	    "p:sp1-gw1-0-a p:sp1-gw2-0-a p:new 1/ping 2/ping 3/ping 4/ping "
	    "+ping ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_at_a_time),
		cmocka_unit_test(test_reentrance),
		cmocka_unit_test(test_cannot_ping),
		cmocka_unit_test(test_repeated),
		cmocka_unit_test(test_tried_again),
		cmocka_unit_test(test_late_answer),
		cmocka_unit_test(test_dead),
		cmocka_unit_test(test_forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
