#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/clock.h"
#include "common/random.h"

static char fired[64];

struct probe {
	struct clock_timer timer;
	char name;
};

static void
on_probe(struct clock_timer *t, void *arg)
{
	struct probe *p = arg;
	size_t n = strlen(fired);

	assert_false(clock_timer_running(t));
	fired[n] = p->name;
	fired[n + 1] = '\0';
}

static void
probe_init(struct probe *p, struct clock *c, char name)
{
	p->name = name;
	clock_timer_init(&p->timer, c, on_probe, p);
}

static void
test_order(void **state)
{
	struct clock *c;
	struct probe p[4];

	(void)state;
	fired[0] = '\0';
	assert_int_equal(clock_open_manual(&c, 1000, 5000), 0);
	for (int i = 0; i < 4; i++)
		probe_init(&p[i], c, (char)('a' + i));
	clock_timer_start(&p[0].timer, 30);
	clock_timer_start(&p[1].timer, 10);
	clock_timer_start(&p[2].timer, 10);
	clock_timer_start(&p[3].timer, 20);
	assert_true(clock_timer_running(&p[0].timer));
	clock_advance(c, 9);
	assert_string_equal(fired, "");
	clock_advance(c, 1);
	assert_string_equal(fired, "bc");
	clock_timer_stop(&p[3].timer);
	clock_timer_stop(&p[3].timer);
	clock_timer_start(&p[0].timer, 30); /* from now: due at 1040 */
	clock_advance(c, 29);
	assert_string_equal(fired, "bc");
	clock_advance(c, 1);
	assert_string_equal(fired, "bca");
	assert_int_equal(clock_now_ms(c), 1040);
	assert_int_equal(clock_wall_ms(c), 5040);
	clock_close(c);
}

/* A timer that restarts itself and, in the end, frees itself. */
struct repeater {
	struct clock_timer timer;
	int left;
	uint64_t *last_ms;
};

static void
on_repeat(struct clock_timer *t, void *arg)
{
	struct repeater *r = arg;

	*r->last_ms = clock_now_ms(t->clock);
	if (--r->left > 0)
		clock_timer_start(t, 100);
	else
		free(r);
}

static void
test_restart_and_free(void **state)
{
	struct repeater *r = malloc(sizeof(*r));
	uint64_t last_ms = 0;
	struct clock *c;

	(void)state;
	assert_non_null(r);
	assert_int_equal(clock_open_manual(&c, 0, 0), 0);
	clock_timer_init(&r->timer, c, on_repeat, r);
	r->left = 5;
	r->last_ms = &last_ms;
	clock_timer_start(&r->timer, 100);
	clock_advance(c, 8 * 3600 * 1000);
	assert_int_equal(last_ms, 500);
	clock_close(c);
}

/* Stops the others that are due at the same time. */
static void
on_stop_others(struct clock_timer *t, void *arg)
{
	struct probe *p = arg;

	(void)t;
	clock_timer_stop(&p[0].timer);
	clock_timer_stop(&p[1].timer);
}

static void
test_stop_from_callback(void **state)
{
	struct clock *c;
	struct clock_timer stopper;
	struct probe p[2];

	(void)state;
	fired[0] = '\0';
	assert_int_equal(clock_open_manual(&c, 0, 0), 0);
	clock_timer_init(&stopper, c, on_stop_others, p);
	clock_timer_start(&stopper, 5);
	for (int i = 0; i < 2; i++) {
		probe_init(&p[i], c, 'x');
		clock_timer_start(&p[i].timer, 5);
	}
	clock_advance(c, 100);
	assert_string_equal(fired, "");
	clock_close(c);
}

static uint64_t last_due;

static void
on_in_order(struct clock_timer *t, void *arg)
{
	unsigned *left = arg;

	assert_true(t->due_ms >= last_due);
	last_due = t->due_ms;
	(*left)--;
}

static void
test_many(void **state)
{
	enum { COUNT = 5000 };
	struct clock_timer *t = calloc(COUNT, sizeof(*t));
	unsigned left = COUNT;
	struct clock *c;

	(void)state;
	assert_non_null(t);
	last_due = 0;
	assert_int_equal(clock_open_manual(&c, 0, 0), 0);
	for (size_t i = 0; i < COUNT; i++) {
		clock_timer_init(&t[i], c, on_in_order, &left);
		clock_timer_start(&t[i], random_below(10000));
	}
	for (size_t i = 0; i < COUNT; i += 3) {
		clock_timer_stop(&t[i]);
		left--;
	}
	for (size_t i = 0; i < COUNT; i += 6) {
		clock_timer_start(&t[i], random_below(10000));
		left++;
	}
	clock_advance(c, 10000);
	assert_int_equal(left, 0);
	clock_close(c);
	free(t);
}

static int spins;

static void
on_spin(struct clock_timer *t, void *arg)
{
	(void)arg;
	if (++spins < 50)
		clock_timer_start(t, 0);
}

static void
on_end(struct clock_timer *t, void *arg)
{
	uint64_t *began = arg;

	assert_in_range(clock_now_ms(t->clock) - *began, 20, 2000);
	clock_close(t->clock);
}

static void
test_on_a_loop(void **state)
{
	struct clock_timer spin, end;
	uint64_t began;
	struct clock *c;
	uv_loop_t loop;

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(clock_open_uv(&c, &loop), 0);
	began = clock_now_ms(c);
	assert_true(clock_wall_ms(c) > 1700000000000);
	clock_timer_init(&spin, c, on_spin, NULL);
	clock_timer_init(&end, c, on_end, &began);
	clock_timer_start(&end, 5000);
	clock_timer_start(&end, 20);
	clock_timer_start(&spin, 0);
	assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(spins, 50);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static unsigned looks;

/* The loop has looked for events. */
static void
on_look(uv_check_t *h)
{
	looks++;
	if (spins == 50)
		uv_close((uv_handle_t *)h, NULL);
}

static void
on_late_spin(struct clock_timer *t, void *arg)
{
	const uint64_t began = clock_now_ms(t->clock);

	(void)arg;
	/* It is due before it has ended. */
	clock_timer_start(t, (uint64_t)spins % 2);
	while (clock_now_ms(t->clock) < began + 2)
		;
	if (++spins < 50)
		return;
	clock_timer_stop(t);
	clock_close(t->clock);
}

/* Whoever starts himself again and again leaves the loop its turns. */
static void
test_no_timer_holds_the_loop(void **state)
{
	struct clock_timer spin;
	struct clock *c;
	uv_loop_t loop;
	uv_check_t check;

	(void)state;
	spins = 0;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(clock_open_uv(&c, &loop), 0);
	assert_int_equal(uv_check_init(&loop, &check), 0);
	assert_int_equal(uv_check_start(&check, on_look), 0);
	clock_timer_init(&spin, c, on_late_spin, NULL);
	clock_timer_start(&spin, 0);
	assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(spins, 50);
	assert_true(looks >= 25);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_restart_and_free),
		cmocka_unit_test(test_stop_from_callback),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_on_a_loop),
		cmocka_unit_test(test_no_timer_holds_the_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
