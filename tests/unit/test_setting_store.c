/* Settings and the audit trail: written at once or not at all, a trail that
 * only grows and tells when somebody went round it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <sqlite3.h>
#include <uv.h>

#include "common/err.h"
#include "frontend-gateway/store/setting_store.h"
#include "frontend-gateway/store/store.h"

static char dir[64], path[128];
static uv_loop_t loop;
static struct store *store;
static struct setting_store *ss;

static struct seen {
	size_t done, ill, well;
	int rc;
	uint64_t version, generation;
	char why[512];
	char rows[8192];
	size_t row_count;
	uint64_t walked, broken;
	bool closed;
} seen;

static void
on_health(bool well, const char *why, void *arg)
{
	(void)arg;
	if (well)
		seen.well++;
	else
		seen.ill++;
	if (!well)
		assert_non_null(strstr(why, path));
}

static void
on_closed(void *arg)
{
	(void)arg;
	seen.closed = true;
}

static void
start(void)
{
	static const struct setting_store_events events = { on_health };
	char why[512];

	memset(&seen, 0, sizeof(seen));
	assert_int_equal(uv_loop_init(&loop), 0);
	if (store_open(&store, path, why, sizeof(why)) < 0)
		fail_msg("%s", why);
	assert_int_equal(
	    setting_store_open(&ss, store, &loop, &events, NULL), 0);
}

static void
stop(void)
{
	setting_store_close(ss, on_closed, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(seen.closed);
	store_close(store);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static int
on_setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test_settings.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/gateway.db", dir);
	return 0;
}

static int
on_teardown(void **state)
{
	char cmd[128];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	return system(cmd);
}

static void
wait_done(size_t count)
{
	while (seen.done < count)
		uv_run(&loop, UV_RUN_ONCE);
}

static void
on_written(const struct setting_store_outcome *o, void *arg)
{
	(void)arg;
	seen.done++;
	seen.rc = o->rc;
	seen.version = o->version;
	seen.generation = o->generation;
	snprintf(seen.why, sizeof(seen.why), "%s", o->why);
}

static void
begin_to_write(const struct setting_write *w, size_t count, const char *hash)
{
	const struct setting_store_commit c = { .who = "anna",
		.via = "socket",
		.at_ms = 1000,
		.generation_hash = hash };
	struct setting_store_rows *rows;

	assert_int_equal(setting_store_begin(&rows, &c, count), 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(setting_store_add(rows, &w[i]), 0);
	assert_int_equal(setting_store_write(ss, rows, on_written, NULL), 0);
}

static int
write_some(const struct setting_write *w, size_t count, const char *hash)
{
	size_t before = seen.done;

	begin_to_write(w, count, hash);
	/* Never within the call. */
	assert_int_equal(seen.done, before);
	wait_done(before + 1);
	return seen.rc;
}

static int
on_row(const struct setting_row *row, void *arg)
{
	size_t len = strlen(seen.rows);

	(void)arg;
	snprintf(seen.rows + len, sizeof(seen.rows) - len, "%s/%s@%llu=%s;",
	    row->kind, row->key, (unsigned long long)row->version, row->object);
	return 0;
}

static const char *
load(uint64_t *version)
{
	char why[512];

	seen.rows[0] = '\0';
	if (setting_store_load(ss, version, on_row, NULL, why, sizeof(why)) < 0)
		fail_msg("%s", why);
	return seen.rows;
}

static void
on_audit(int rc, const char *why, const struct audit_row *rows, size_t count,
    void *arg)
{
	(void)arg;
	(void)why;
	assert_int_equal(rc, 0);
	seen.done++;
	seen.rows[0] = '\0';
	seen.row_count = count;
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(seen.rows);

		assert_int_equal(
		    strlen(rows[i].chain), SETTING_STORE_CHAIN_LEN);
		snprintf(seen.rows + len, sizeof(seen.rows) - len,
		    "%llu %s %s %s %s/%s %s>%s;",
		    (unsigned long long)rows[i].number, rows[i].who,
		    rows[i].via, rows[i].action, rows[i].kind, rows[i].key,
		    rows[i].before != NULL ? rows[i].before : "-",
		    rows[i].after != NULL ? rows[i].after : "-");
	}
}

static const char *
audit(uint64_t after, size_t limit, bool newest_first)
{
	size_t before = seen.done;

	assert_int_equal(
	    setting_store_audit(ss, after, limit, newest_first, on_audit, NULL),
	    0);
	wait_done(before + 1);
	return seen.rows;
}

static void
on_verified(int rc, const char *why, uint64_t rows, uint64_t broken, void *arg)
{
	(void)why;
	(void)arg;
	assert_int_equal(rc, 0);
	seen.done++;
	seen.walked = rows;
	seen.broken = broken;
}

/* The number of the first row that does not fit. */
static uint64_t
verify(void)
{
	size_t before = seen.done;

	assert_int_equal(setting_store_verify(ss, on_verified, NULL), 0);
	wait_done(before + 1);
	return seen.broken;
}

static int
sql(const char *text)
{
	sqlite3 *db;
	int rc;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	rc = sqlite3_exec(db, text, NULL, NULL, NULL);
	sqlite3_close(db);
	return rc;
}

#define PUT(key_, object_, before_, after_)                                    \
	{                                                                      \
		.kind = "partner", .key = (key_), .object = (object_),         \
		.action = "put", .before = (before_), .after = (after_)        \
	}

static const struct setting_write first[] = {
	PUT("a.example", "{\"s\":1}", NULL, "{}"),
	PUT("b.example", "{}", NULL, "{}"),
};
static const struct setting_write second[] = {
	PUT("b.example", "{\"t\":2}", "{}", "{\"t\":2}"),
	{ .kind = "partner",
	    .key = "a.example",
	    .action = "remove",
	    .before = "{}" },
};

static void
a_commit_is_there_after_a_restart(void **state)
{
	uint64_t version = 77;

	(void)state;
	start();
	assert_string_equal(load(&version), "");
	assert_int_equal(version, 0);
	assert_int_equal(write_some(first, 2, NULL), 0);
	assert_int_equal(seen.version, 1);
	assert_int_equal(seen.generation, 0);
	assert_int_equal(write_some(second, 2, NULL), 0);
	assert_int_equal(seen.version, 2);
	stop();
	start();
	assert_string_equal(load(&version), "partner/b.example@2={\"t\":2};");
	assert_int_equal(version, 2);
	assert_string_equal(audit(0, 10, false),
	    "1 anna socket put partner/a.example ->{};"
	    "2 anna socket put partner/b.example ->{};"
	    "3 anna socket put partner/b.example {}>{\"t\":2};"
	    "4 anna socket remove partner/a.example {}>-;");
	assert_int_equal(verify(), 0);
	assert_int_equal(seen.walked, 4);
	stop();
}

static void
the_trail_is_read_in_pages(void **state)
{
	(void)state;
	start();
	for (int i = 0; i < 3; i++)
		assert_int_equal(write_some(first, 2, NULL), 0);
	audit(4, 1, false);
	assert_int_equal(seen.row_count, 1);
	assert_int_equal(seen.rows[0], '5');
	audit(0, 4, true);
	assert_int_equal(seen.row_count, 4);
	assert_int_equal(seen.rows[0], '6');
	audit(3, 10, true);
	assert_int_equal(seen.row_count, 2);
	assert_int_equal(seen.rows[0], '2');
	audit(6, 10, false);
	assert_int_equal(seen.row_count, 0);
	audit(UINT64_MAX, 10, false);
	assert_int_equal(seen.row_count, 0);
	audit(0, SIZE_MAX, false);
	assert_int_equal(seen.row_count, 6);
	stop();
}

static void
the_generation_is_numbered_in_the_same_transaction(void **state)
{
	char why[512];
	uint64_t counter = 0;

	(void)state;
	start();
	assert_int_equal(
	    store_generation(&counter, store, "aa", why, sizeof(why)), 0);
	assert_int_equal(counter, 1);
	assert_int_equal(write_some(first, 2, "bb"), 0);
	assert_int_equal(seen.generation, 2);
	assert_int_equal(write_some(first, 2, "bb"), 0);
	assert_int_equal(seen.generation, 2);
	assert_int_equal(
	    store_generation(&counter, store, "bb", why, sizeof(why)), 0);
	assert_int_equal(counter, 2);
	stop();
}

/* A row beyond its bounds takes the whole commit with it. */
static void
a_commit_is_all_or_nothing(void **state)
{
	struct setting_write bad[] = { PUT("c.example", "{}", NULL, "{}"),
		PUT("", "{}", NULL, "{}") };
	uint64_t version;

	(void)state;
	start();
	assert_int_equal(write_some(first, 2, NULL), 0);
	assert_int_equal(write_some(bad, 2, "cc"), ERR_STORE);
	assert_non_null(strstr(seen.why, path));
	assert_int_equal(seen.version, 0);
	assert_null(strstr(load(&version), "c.example"));
	assert_int_equal(version, 1);
	audit(0, 10, false);
	assert_int_equal(seen.row_count, 2);
	assert_int_equal(seen.ill, 1);
	assert_int_equal(write_some(bad, 1, NULL), 0);
	assert_int_equal(seen.version, 2);
	assert_int_equal(seen.well, 1);
	stop();
}

static void
a_full_disk_is_told_and_passes(void **state)
{
	struct rlimit before, tight = { 0, 0 };
	uint64_t version;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	start();
	assert_int_equal(write_some(first, 2, NULL), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	tight.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(write_some(second, 2, "dd"), ERR_STORE);
	assert_int_equal(seen.ill, 1);
	/* What is there can still be read. */
	assert_non_null(strstr(load(&version), "a.example@1"));
	assert_int_equal(version, 1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(write_some(second, 2, "dd"), 0);
	assert_int_equal(seen.well, 1);
	assert_int_equal(seen.version, 2);
	stop();
	signal(SIGXFSZ, SIG_DFL);
}

static void
the_file_refuses_changes_to_the_trail(void **state)
{
	static const char row[] =
	    "INSERT OR REPLACE INTO audit VALUES (%d, 0, 'x', 'x', 'x', 'x',"
	    " 'x', NULL, NULL,"
	    " '"
	    "0000000000000000000000000000000000000000000000000000000000000000'"
	    ")";
	char text[512];

	(void)state;
	start();
	assert_int_equal(write_some(first, 2, NULL), 0);
	stop();
	assert_int_equal(sql("UPDATE audit SET who = 'bo'"), SQLITE_CONSTRAINT);
	assert_int_equal(
	    sql("DELETE FROM audit WHERE number = 2"), SQLITE_CONSTRAINT);
	for (int i = 1; i < 5; i++) {
		snprintf(text, sizeof(text), row, i);
		if (i != 3)
			assert_int_equal(sql(text), SQLITE_CONSTRAINT);
	}
	start();
	assert_int_equal(verify(), 0);
	assert_int_equal(seen.walked, 2);
	stop();
}

/* Who writes to the file itself gets round the triggers, not the hashes. */
static void
who_goes_round_it_is_found(void **state)
{
	static const struct {
		const char *change;
		uint64_t broken;
	} table[] = {
		{ "UPDATE audit SET who = 'bo' WHERE number = 2", 2 },
		{ "UPDATE audit SET at_ms = 1001 WHERE number = 3", 3 },
		{ "UPDATE audit SET before = '' WHERE number = 1", 1 },
		{ "UPDATE audit SET action = 'putt', kind = 'parner'"
		  " WHERE number = 4",
		    4 },
		{ "DELETE FROM audit WHERE number = 2", 2 },
		{ "DELETE FROM audit WHERE number = 1", 1 },
		/* Nothing behind them tells. */
		{ "DELETE FROM audit WHERE number = 4", 4 },
		{ "DELETE FROM audit WHERE number > 2", 3 },
		{ "DELETE FROM audit", 1 },
		/* Another one in its place: the end is not that any more. */
		{ "UPDATE settings_meta SET trail_chain = '0'", 4 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char text[512];

		start();
		assert_int_equal(write_some(first, 2, NULL), 0);
		assert_int_equal(write_some(second, 2, NULL), 0);
		assert_int_equal(verify(), 0);
		stop();
		snprintf(text, sizeof(text),
		    "DROP TRIGGER audit_no_update; DROP TRIGGER "
		    "audit_no_delete; %s",
		    table[i].change);
		assert_int_equal(sql(text), SQLITE_OK);
		start();
		assert_int_equal(verify(), table[i].broken);
		/* And what is written from now on does not heal it. */
		assert_int_equal(write_some(first, 2, NULL), 0);
		assert_int_not_equal(verify(), 0);
		stop();
		assert_int_equal(on_teardown(state), 0);
		assert_int_equal(on_setup(state), 0);
	}
}

static void
closing_waits_for_what_is_under_way(void **state)
{
	uint64_t version;

	(void)state;
	start();
	begin_to_write(first, 2, NULL);
	assert_int_equal(setting_store_verify(ss, on_verified, NULL), 0);
	stop();
	assert_int_equal(seen.done, 2);
	start();
	assert_non_null(strstr(load(&version), "a.example"));
	stop();
}

/* Many rows: the walk goes page by page. */
static void
a_long_trail_is_walked(void **state)
{
	enum { COUNT = 2500 };
	static struct setting_write many[COUNT];
	static char keys[COUNT][32];

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		snprintf(keys[i], sizeof(keys[i]), "p%04d.example", i);
		many[i] = (struct setting_write)PUT(keys[i], "{}", NULL, "{}");
	}
	start();
	assert_int_equal(write_some(many, COUNT, NULL), 0);
	assert_int_equal(verify(), 0);
	assert_int_equal(seen.walked, COUNT);
	audit(0, 5000, true);
	assert_int_equal(seen.row_count, SETTING_STORE_AUDIT_MAX);
	stop();
	assert_int_equal(sql("DROP TRIGGER audit_no_update;"
			     "UPDATE audit SET key = 'x' WHERE number = 2345"),
	    SQLITE_OK);
	start();
	assert_int_equal(verify(), 2345);
	stop();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, on_setup, on_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_commit_is_there_after_a_restart),
		TEST(the_trail_is_read_in_pages),
		TEST(the_generation_is_numbered_in_the_same_transaction),
		TEST(a_commit_is_all_or_nothing),
		TEST(a_full_disk_is_told_and_passes),
		TEST(the_file_refuses_changes_to_the_trail),
		TEST(who_goes_round_it_is_found),
		TEST(closing_waits_for_what_is_under_way),
		TEST(a_long_trail_is_walked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
