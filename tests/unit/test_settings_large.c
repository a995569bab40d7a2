/* Commits of thousands of settings: the loop has its turns while they are worked
 * on, nothing of them is seen before all of it is, what else is committed waits
 * its turn, and they may end at any moment. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sqlite3.h>

#include "common/clock.h"
#include "common/err.h"
#include "frontend-gateway/settings/settings_order.h"
#include "frontend-gateway/settings/settings_slice.h"
#include "frontend-gateway/settings/settings_view_impl.h"
#include "frontend-gateway/store/setting_store.h"
#include "tests/unit/settings_world.h"

enum { LARGE = 5000 };

static struct settings_test t;

/* --- commits ---------------------------------------------------------------- */

/* How one ended. */
struct ending {
	unsigned order; /* the first is 1; 0 = not yet */
	int rc;
	size_t changed, problem;
	uint64_t version;
};

static unsigned endings;

static void
on_done(const struct settings_outcome *o, void *arg)
{
	struct ending *e = arg;

	assert_int_equal(e->order, 0);
	e->order = ++endings;
	e->rc = o->rc;
	e->version = o->version;
	for (size_t i = 0; i < o->delta_count; i++)
		e->changed += o->deltas[i].before != o->deltas[i].after;
	if (o->report != NULL && o->report->problem_count > 0)
		e->problem = o->report->problems[0].change;
}

static void
commit(const struct settings_change *v, size_t count, struct ending *e)
{
	*e = (struct ending){ 0 };
	settings_commit(t.settings,
	    &(struct settings_commit){
		.changes = v, .count = count, .who = "anna", .via = "test" },
	    on_done, e);
}

/* Users u0 .. are to have a policy.  Not in the order of their names. */
static struct settings_change *
grants(size_t count, const char *policy)
{
	struct settings_change *v = calloc(count, sizeof(*v));
	json_t *object = json_pack("{s:s}", "PolicyName", policy);

	assert_non_null(v);
	for (size_t i = 0; i < count; i++) {
		char *key;

		assert_true(asprintf(&key, "u%zu@contoso.example",
				i * 7919 % count) > 0);
		v[i] = (struct settings_change){ .kind = &setting_kind_grant,
			.key = key,
			.action = SETTINGS_PUT,
			.object = json_incref(object),
			.version = SETTINGS_ANY };
	}
	json_decref(object);
	return v;
}

static void
forget(struct settings_change *v, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free((void *)(uintptr_t)v[i].key);
		json_decref((json_t *)(uintptr_t)v[i].object);
	}
	free(v);
}

static size_t
granted(void)
{
	return settings_view_count(
	    settings_now(t.settings), &setting_kind_grant);
}

static void
start(bool live)
{
	endings = 0;
	if (live)
		settings_test_init_live(&t);
	else
		settings_test_init(&t);
	assert_int_equal(settings_test_put(&t, "policy", "tag:Sales", "{}"), 0);
	assert_int_equal(settings_test_put(&t, "policy", "tag:Lab", "{}"), 0);
}

/* --- turns ------------------------------------------------------------------ */

static unsigned looks;

static void
on_look(uv_check_t *h)
{
	(void)h;
	looks++;
}

/* What a listener hears, and what he prepares in how many steps. */
struct listener {
	struct settings_listener link;
	unsigned steps, prepared, dropped, changes;
	size_t deltas, granted;
};

static void
on_change(const struct settings_view *now, const struct settings_delta *deltas,
    size_t count, void *arg)
{
	struct listener *l = arg;

	(void)deltas;
	l->changes++;
	l->deltas = count;
	l->granted = settings_view_count(now, &setting_kind_grant);
	assert_true(l->steps == 0 || l->prepared == l->steps);
}

static bool
on_prepare(const struct settings_view *after,
    const struct settings_delta *deltas, size_t count, void *arg)
{
	struct listener *l = arg;

	(void)deltas;
	/* Nobody sees it yet. */
	assert_true(settings_now(t.settings) != after);
	assert_true(count > 0 && l->prepared < l->steps);
	return ++l->prepared == l->steps;
}

static void
on_dropped(void *arg)
{
	((struct listener *)arg)->dropped++;
}

static void
join(struct listener *l, unsigned steps)
{
	*l = (struct listener){ .link = { .on_change = on_change, .arg = l },
		.steps = steps };
	if (steps > 0) {
		l->link.prepare = on_prepare;
		l->link.on_dropped = on_dropped;
	}
	settings_listen(t.settings, &l->link);
}

static void
the_loop_has_its_turns(void **state)
{
	struct settings_change *v = grants(LARGE, "tag:Sales");
	struct listener l;
	struct ending e;
	uv_check_t check;

	(void)state;
	start(true);
	join(&l, 0);
	assert_int_equal(uv_check_init(&t.loop, &check), 0);
	assert_int_equal(uv_check_start(&check, on_look), 0);
	looks = 0;
	commit(v, LARGE, &e);
	/* The objects are its own; what named them is not needed. */
	forget(v, LARGE);
	while (e.order == 0) {
		assert_int_equal(granted(), l.changes == 0 ? 0 : LARGE);
		uv_run(&t.loop, UV_RUN_ONCE);
	}
	/* Read, checked, collected, each a thousand at a time. */
	assert_true(looks >= 3 * LARGE / SETTINGS_SLICE_STEPS);
	assert_int_equal(e.rc, 0);
	assert_int_equal(e.changed, LARGE);
	assert_int_equal(l.changes, 1);
	assert_int_equal(l.deltas, LARGE);
	assert_int_equal(l.granted, LARGE);
	settings_unlisten(&l.link);
	uv_close((uv_handle_t *)&check, NULL);
	settings_test_finish(&t);
}

/* --- who waits -------------------------------------------------------------- */

static void
others_wait_and_see_what_it_did(void **state)
{
	struct settings_change *v = grants(LARGE, "tag:Sales");
	json_t *lab = json_pack("{s:s}", "PolicyName", "tag:Lab");
	struct settings_change one = { .kind = &setting_kind_grant,
		.key = "u17@contoso.example",
		.action = SETTINGS_PUT,
		.object = lab,
		.version = SETTINGS_ABSENT };
	struct settings_change two = one;
	struct ending large, absent, any;

	(void)state;
	start(false);
	two.version = SETTINGS_ANY;
	commit(v, LARGE, &large);
	commit(&one, 1, &absent);
	commit(&two, 1, &any);
	assert_int_equal(large.order, 0);
	while (any.order == 0)
		settings_test_turn(&t);
	assert_int_equal(large.order, 1);
	assert_int_equal(absent.order, 2);
	assert_int_equal(any.order, 3);
	assert_int_equal(large.rc, 0);
	/* It was not there when it was asked for. */
	assert_int_equal(absent.rc, ERR_EXISTS);
	assert_int_equal(any.rc, 0);
	assert_int_equal(any.version, large.version + 1);
	json_decref(lab);
	forget(v, LARGE);
	settings_test_finish(&t);
}

static void
a_conflict_with_what_came_before_takes_all_along(void **state)
{
	struct settings_change *v = grants(LARGE, "tag:Sales");
	json_t *lab = json_pack("{s:s}", "PolicyName", "tag:Lab");
	struct settings_change one = { .kind = &setting_kind_grant,
		.key = v[LARGE - 1].key,
		.action = SETTINGS_PUT,
		.object = lab,
		.version = SETTINGS_ANY };
	struct ending first, large;

	(void)state;
	start(false);
	v[LARGE - 1].version = SETTINGS_ABSENT;
	commit(&one, 1, &first);
	commit(v, LARGE, &large);
	while (large.order == 0)
		settings_test_turn(&t);
	assert_int_equal(first.rc, 0);
	assert_int_equal(large.rc, ERR_EXISTS);
	assert_int_equal(large.problem, LARGE - 1);
	assert_int_equal(granted(), 1);
	settings_test_restart(&t);
	assert_int_equal(granted(), 1);
	json_decref(lab);
	forget(v, LARGE);
	settings_test_finish(&t);
}

static void
one_bad_change_of_thousands_is_named(void **state)
{
	static const struct {
		size_t at;
		const char *key, *policy;
		size_t problem; /* SIZE_MAX: the first of a key's two */
	} table[] = {
		{ 0, "no user", "tag:Sales", 0 },
		{ LARGE - 1, "no user", "tag:Sales", LARGE - 1 },
		{ 4321, "v@contoso.example", "tag:None", 4321 },
		{ 4321, "u0@contoso.example", "tag:Sales", 0 },
	};

	(void)state;
	start(false);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct settings_change *v = grants(LARGE, "tag:Sales");
		struct settings_change *bad = &v[table[i].at];
		struct ending e;

		free((void *)(uintptr_t)bad->key);
		json_decref((json_t *)(uintptr_t)bad->object);
		bad->key = strdup(table[i].key);
		bad->object = json_pack("{s:s}", "PolicyName", table[i].policy);
		commit(v, LARGE, &e);
		while (e.order == 0)
			settings_test_turn(&t);
		assert_int_equal(e.rc, ERR_CONFIG);
		assert_int_equal(e.problem, table[i].problem);
		assert_int_equal(granted(), 0);
		forget(v, LARGE);
	}
	settings_test_finish(&t);
}

/* --- ends ------------------------------------------------------------------- */

/* Closing after so many turns; whether it still ended well. */
static bool
close_after(unsigned turns)
{
	struct settings_change *v = grants(LARGE, "tag:Sales");
	struct listener l;
	struct ending large, waiting;
	bool done;

	start(true);
	join(&l, 3);
	commit(v, LARGE, &large);
	commit(v, 1, &waiting);
	for (unsigned i = 0; i < turns && large.order == 0; i++)
		uv_run(&t.loop, UV_RUN_NOWAIT);
	settings_unlisten(&l.link);
	settings_test_stop(&t);
	done = large.rc == 0;
	assert_true(large.order > 0 && waiting.order > large.order);
	assert_true(done || large.rc == ERR_CLOSED);
	assert_true(waiting.rc == ERR_CLOSED || (done && waiting.rc == 0));
	/* All of it was written, or nothing. */
	settings_test_start(&t);
	assert_int_equal(granted(), done ? LARGE : 0);
	settings_test_finish(&t);
	forget(v, LARGE);
	return done;
}

static void
it_may_be_closed_at_any_moment(void **state)
{
	unsigned turns = 0, aborted = 0;

	(void)state;
	/* Turns that wait for the disk are many, and alike. */
	while (!close_after(turns)) {
		turns += 3;
		aborted++;
	}
	assert_true(aborted > 2);
}

/* The disk has no room for u4999. */
static void
spoil_the_disk(void)
{
	sqlite3 *db;

	settings_test_stop(&t);
	assert_int_equal(sqlite3_open(t.path, &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db,
		"CREATE TRIGGER no_room BEFORE INSERT ON setting WHEN"
		" NEW.key = 'u4999@contoso.example'"
		" BEGIN SELECT RAISE(ABORT, 'no room'); END",
		NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	settings_test_start(&t);
}

/* What was prepared is dropped, and the next commit finds everything as it
 * was. */
static void
a_disk_that_fails_leaves_nothing(void **state)
{
	static const struct {
		size_t count;
		int rc;
		unsigned dropped, changes;
	} table[] = {
		{ LARGE, ERR_STORE, 1, 0 },
		{ LARGE - 1, 0, 1, 1 },
	};
	struct listener l;

	(void)state;
	start(false);
	spoil_the_disk();
	join(&l, 3);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct settings_change *v = grants(table[i].count, "tag:Sales");
		struct ending e;

		l.prepared = 0;
		commit(v, table[i].count, &e);
		while (e.order == 0)
			settings_test_turn(&t);
		assert_int_equal(e.rc, table[i].rc);
		assert_int_equal(l.prepared, 3);
		assert_int_equal(l.dropped, table[i].dropped);
		assert_int_equal(l.changes, table[i].changes);
		assert_int_equal(granted(), e.rc == 0 ? table[i].count : 0);
		forget(v, table[i].count);
	}
	settings_unlisten(&l.link);
	settings_test_finish(&t);
}

/* --- the trail -------------------------------------------------------------- */

static struct {
	size_t count;
	uint64_t rows, broken;
	bool done;
} trail;

static void
on_page(int rc, const char *why, const struct audit_row *rows, size_t count,
    void *arg)
{
	const struct settings_change *v = arg;

	(void)why;
	assert_int_equal(rc, 0);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(rows[i].key, v[i].key);
	trail.count = count;
}

static void
on_walked(int rc, const char *why, uint64_t rows, uint64_t broken, void *arg)
{
	(void)why;
	(void)arg;
	assert_int_equal(rc, 0);
	trail.rows = rows;
	trail.broken = broken;
	trail.done = true;
}

static void
the_trail_has_all_of_it_in_its_order(void **state)
{
	struct settings_change *v = grants(LARGE, "tag:Sales");
	struct ending e;

	(void)state;
	start(false);
	commit(v, LARGE, &e);
	while (e.order == 0)
		settings_test_turn(&t);
	/* Behind the two policies. */
	assert_int_equal(setting_store_audit(t.setting_store, 2,
			     SETTING_STORE_AUDIT_MAX, false, on_page, v),
	    0);
	assert_int_equal(
	    setting_store_verify(t.setting_store, on_walked, NULL), 0);
	while (!trail.done)
		uv_run(&t.loop, UV_RUN_ONCE);
	assert_int_equal(trail.count, SETTING_STORE_AUDIT_MAX);
	assert_int_equal(trail.rows, LARGE + 2);
	assert_int_equal(trail.broken, 0);
	forget(v, LARGE);
	settings_test_finish(&t);
}

/* --- sorting ---------------------------------------------------------------- */

static void
check_order(size_t count, size_t spread)
{
	struct settings_entry *v = calloc(count + 1, sizeof(*v));
	char(*keys)[16] = calloc(count + 1, sizeof(*keys));
	struct settings_order o;
	size_t steps = 0;

	assert_non_null(v);
	assert_non_null(keys);
	for (size_t i = 0; i < count; i++) {
		snprintf(keys[i], sizeof(keys[i]), "%zu", i * 7919 % spread);
		v[i] =
		    (struct settings_entry){ .kind = setting_kinds[i * 31 % 3],
			    .key = keys[i],
			    .change = i };
	}
	assert_int_equal(settings_order_begin(&o, v, count), 0);
	while (settings_order_step(&o))
		steps++;
	settings_order_finish(&o);
	for (size_t i = 1; i < count; i++) {
		int order = settings_order_compare(&v[i - 1], &v[i]);

		assert_true(order <= 0);
		assert_true(order < 0 || v[i - 1].change < v[i].change);
	}
	assert_true(steps >= count / 256);
	free(keys);
	free(v);
}

static void
any_number_is_sorted(void **state)
{
	static const size_t counts[] = { 0, 1, 2, 255, 256, 257, 511, 512, 513,
		1023, 5000, 20011 };

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		check_order(counts[i], 1000003); /* all of them differ */
		check_order(counts[i], 7);       /* hardly any */
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_loop_has_its_turns),
		cmocka_unit_test(others_wait_and_see_what_it_did),
		cmocka_unit_test(
		    a_conflict_with_what_came_before_takes_all_along),
		cmocka_unit_test(one_bad_change_of_thousands_is_named),
		cmocka_unit_test(it_may_be_closed_at_any_moment),
		cmocka_unit_test(a_disk_that_fails_leaves_nothing),
		cmocka_unit_test(the_trail_has_all_of_it_in_its_order),
		cmocka_unit_test(any_number_is_sorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
