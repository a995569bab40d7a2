/*
 * The pair machine in a modelled world: random events, legal and illegal,
 * breaks, restarts, failing disks and old backups on either side; then all
 * obstacles go, and both sides must agree, with nothing left over.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "tests/unit/pair_world.h"

enum { RUNS = 3000, TURNS = 150 };

/* PAIR_MODEL_SEED=n plays that run alone, PAIR_MODEL_RUNS=n so many. */
static uint64_t
number(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s != NULL ? strtoull(s, NULL, 10) : otherwise;
}

static void
both_sides_agree_in_the_end(void **state)
{
	uint64_t seed = number("PAIR_MODEL_SEED", 0);
	uint64_t runs = number("PAIR_MODEL_RUNS", seed != 0 ? 1 : RUNS);
	struct pair_world *w = malloc(sizeof(*w));

	(void)state;
	assert_non_null(w);
	for (uint64_t i = 0; i < runs; i++) {
		pair_world_start(w, seed + i);
		for (int turn = 0; turn < TURNS; turn++)
			pair_world_turn(w);
		pair_world_settle(w);
		pair_world_check(w);
	}
	free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_agree_in_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
