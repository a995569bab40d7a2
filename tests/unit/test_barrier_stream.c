/* barrier_stream: one ping at a time, what each answer proves, and which lesser
 * proof counts when.  Item n is stanza n of its stream and ends at byte 10 n. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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
	uint64_t bytes;        /* that TCP has acknowledged */
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
	const struct barrier_place place = { .stanza = (uint64_t)i,
		.bytes = (uint64_t)i * 10 };

	barrier_stream_written(&t->b, &t->items[i], id, place);
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

static uint64_t
bytes_acknowledged(void *arg)
{
	return ((struct bench *)arg)->bytes;
}

static const struct barrier_events events = { on_ping, on_proven, on_ability,
	on_dead, bytes_acknowledged };

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
	enum proof by;

	assert_string_equal(seen, t->seen);
	while (barrier_stream_take(&t->b, &by) != NULL)
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
	t.bytes = 9;
	clock_advance(t.clock, 100);
	assert_string_equal("p:a p:a p:a p:a p:a +tcp ", t.seen);
	t.bytes = 10;
	clock_advance(t.clock, 100);
	write_item(&t, 2, "b");
	write_item(&t, 3, "c");
	t.bytes = 20;
	clock_advance(t.clock, 100);
	assert_string_equal("p:a p:a p:a p:a p:a +tcp 1/tcp 2/tcp ", t.seen);
	t.bytes = 30;
	clock_advance(t.clock, 100);
	finish(&t, "p:a p:a p:a p:a p:a +tcp 1/tcp 2/tcp 3/tcp ");
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
	t.bytes = 1000;
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
	t.bytes = 1000;
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

/* Progress keeps a slow partner's stream alive. */
static void
test_slow_is_not_dead(void **state)
{
	struct bench t;

	(void)state;
	begin(&t);
	write_item(&t, 1, "a");
	write_item(&t, 2, "b");
	write_item(&t, 3, "c");
	clock_advance(t.clock, 60000);
	t.bytes = 10;
	clock_advance(t.clock, 50000);
	t.bytes = 20;
	clock_advance(t.clock, 50000);
	assert_string_equal("p:a p:a p:a p:a p:a +tcp 1/tcp 2/tcp ", t.seen);
	clock_advance(t.clock, 10000);
	finish(&t, "p:a p:a p:a p:a p:a +tcp 1/tcp 2/tcp dead ");
}

/* What one does to the stream, as text: w<n> writes item n (its id is that
 * letter), a<n> the partner's count, m he promises to count, p<id> the answer to
 * a ping, t<ms> time passes, b<n> bytes are acknowledged. */
static const struct {
	const char *name, *steps, *seen;
} ranks[] = {
	{ "a count waits for the ping", "m w1 a1 t9999 p1 w2 a2 p2",
	    "p:1 +ack p:1 p:1 p:1 p:1 1/ping +ping p:2 2/ping " },
	{ "and stands in for it", "m w1 w2 a1 t10000 a2",
	    "p:1 +ack p:1 p:1 p:1 p:1 1/ack 2/ack " },
	{ "then at once", "m w1 a1 t10000 w2 w3 a2 a3",
	    "p:1 +ack p:1 p:1 p:1 p:1 1/ack 2/ack 3/ack " },
	{ "TCP does not, for one who counts", "m b100 w1 t60000 a1",
	    "p:1 p:1 p:1 p:1 p:1 +ack 1/ack " },
	{ "nor when the promise comes late", "b0 w1 t10050 m b100 t5000 a1",
	    "p:1 p:1 p:1 p:1 p:1 +tcp +ack 1/ack " },
	{ "who answered pings is not dead if he counts",
	    "m w1 p1 a1 w2 a2 t10000 t30000 w3 a3",
	    "p:1 1/ping +ping +ack p:2 2/ack 3/ack " },
	{ "a late answer is the best again", "m w1 a1 t10000 w2 p1 w3 a2 a3 p3",
	    "p:1 +ack p:1 p:1 p:1 p:1 1/ack +ping p:3 2/ack 3/ping " },
	{ "pings are tried again", "m w1 a1 t10000 t59999 w2 t1 w3 a3 p3 w4 p4",
	    "p:1 +ack p:1 p:1 p:1 p:1 1/ack p:3 2/ack 3/ack +ping p:4 "
	    "4/ping " },
	{ "in vain", "m w1 a1 t70000 w2 a2 t10000 w3 a3",
	    "p:1 +ack p:1 p:1 p:1 p:1 1/ack p:2 2/ack 3/ack " },
	{ "a count that stands still is death",
	    "m a0 w1 w2 t10000 a1 t59900 "
	    "t100",
	    "+ack p:1 p:1 p:1 p:1 p:1 1/ack dead " },
	{ "a count in front of it is none", "m a0 w1 t10000 a0 a0 a1",
	    "+ack p:1 p:1 p:1 p:1 p:1 1/ack " },
};

static void
step(struct bench *t, const char *s)
{
	unsigned long n = strtoul(s + 1, NULL, 10);
	char id[10];

	snprintf(id, sizeof(id), "%lu", n);
	switch (s[0]) {
	case 'w':
		write_item(t, (int)n, id);
		break;
	case 'a':
		barrier_stream_acknowledged(&t->b, n);
		break;
	case 'm':
		barrier_stream_promised(&t->b);
		break;
	case 'p':
		assert_true(barrier_stream_proof(&t->b, id));
		break;
	case 't':
		clock_advance(t->clock, n);
		break;
	case 'b':
		t->bytes = n;
		break;
	default:
		fail();
	}
}

static void
test_ranks(void **state)
{
	struct bench t;
	char steps[200], *rest;

	(void)state;
	for (size_t i = 0; i < sizeof(ranks) / sizeof(ranks[0]); i++) {
		print_message("%s\n", ranks[i].name);
		begin(&t);
		snprintf(steps, sizeof(steps), "%s", ranks[i].steps);
		for (char *s = strtok_r(steps, " ", &rest); s != NULL;
		     s = strtok_r(NULL, " ", &rest))
			step(&t, s);
		finish(&t, ranks[i].seen);
	}
}

/* The stream breaks: the last count tells what the partner has. */
static void
test_what_a_count_is_worth_at_the_end(void **state)
{
	static const enum proof want[] = { PROOF_ACK, PROOF_ACK, PROOF_NONE };
	struct bench t;
	enum proof by;

	(void)state;
	for (int counts = 0; counts < 2; counts++) {
		begin(&t);
		for (int i = 1; i <= 3; i++)
			write_item(&t, i, "a");
		if (counts)
			barrier_stream_acknowledged(&t.b, 2);
		t.bytes = 1000;
		for (int i = 0; i < 3; i++) {
			assert_ptr_equal(
			    barrier_stream_take(&t.b, &by), &t.items[i + 1]);
			assert_int_equal(by, counts ? want[i] : PROOF_NONE);
		}
		assert_null(barrier_stream_take(&t.b, &by));
		/* and nothing on the next one */
		barrier_stream_reset(&t.b);
		write_item(&t, 1, "b");
		assert_non_null(barrier_stream_take(&t.b, &by));
		assert_int_equal(by, PROOF_NONE);
		finish(&t, counts ? "p:a +ack p:b " : "p:a p:b ");
	}
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
		cmocka_unit_test(test_slow_is_not_dead),
		cmocka_unit_test(test_ranks),
		cmocka_unit_test(test_what_a_count_is_worth_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
