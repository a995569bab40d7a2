/* Pairs and dialogs: kept, replaced, dropped, and disks that refuse. */
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
#include <sys/wait.h>
#include <unistd.h>
#include <sqlite3.h>
#include <uv.h>

#include "common/err.h"
#include "frontend-gateway/store/pair_store.h"
#include "frontend-gateway/store/store.h"

#define ANNA "anna@contoso.example"
#define BO   "bo@partner.example"
#define CARL "carl@partner.example"

/* What is read back, and what done and on_health said. */
struct seen {
	char pairs[4096], dialogs[4096];
	size_t pair_count, dialog_count;
	int done[64];
	size_t done_count, failed;
	size_t ill, well;
	char why[256];
	bool closed;
	int refuse; /* what on_pair returns */
};

static char dir[64], path[128];
static uv_loop_t loop;
static struct store *store;
static struct pair_store *ps;
static struct seen seen;

static void
on_health(bool well, const char *why, void *arg)
{
	struct seen *o = arg;

	if (well)
		o->well++;
	else
		o->ill++;
	if (!well)
		snprintf(o->why, sizeof(o->why), "%s", why);
}

static void
on_closed(void *arg)
{
	((struct seen *)arg)->closed = true;
}

static void
on_done(int rc, void *arg)
{
	if (rc < 0)
		seen.failed++;
	if (seen.done_count < 64)
		seen.done[seen.done_count] = (int)(intptr_t)arg;
	seen.done_count++;
}

static void
start(void)
{
	static const struct pair_store_events events = { on_health };
	char why[512];

	memset(&seen, 0, sizeof(seen));
	assert_int_equal(uv_loop_init(&loop), 0);
	if (store_open(&store, path, why, sizeof(why)) < 0)
		fail_msg("%s", why);
	assert_int_equal(pair_store_open(&ps, store, &loop, &events, &seen), 0);
}

static void
stop(void)
{
	pair_store_close(ps, on_closed, &seen);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(seen.closed);
	store_close(store);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void
wait_done(size_t count)
{
	while (seen.done_count < count)
		uv_run(&loop, UV_RUN_ONCE);
}

static int
on_setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test_pair_store.XXXXXX");
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
add(char *out, size_t size, const char *text)
{
	size_t len = strlen(out);

	snprintf(out + len, size - len, "%s", text);
}

static int
on_pair(const struct pair_row *p, void *arg)
{
	struct seen *o = arg;
	char line[512];

	o->pair_count++;
	if (o->pair_count > 8)
		return o->refuse;
	snprintf(line, sizeof(line),
	    "%s %s %u %u %lld %lld %lld %lld %s %.*s/%zu %.*s/%zu\n", p->user,
	    p->contact, p->roster, p->flags, (long long)p->asked_ms,
	    (long long)p->refused_ms, (long long)p->remove_ms,
	    (long long)p->used_ms, p->name != NULL ? p->name : "-",
	    p->told != NULL ? (int)p->told_len : 1,
	    p->told != NULL ? (const char *)p->told : "-", p->told_len,
	    p->seen != NULL ? (int)p->seen_len : 1,
	    p->seen != NULL ? (const char *)p->seen : "-", p->seen_len);
	add(o->pairs, sizeof(o->pairs), line);
	return o->refuse;
}

static int
on_dialog(const struct dialog_row *d, void *arg)
{
	struct seen *o = arg;
	char line[256];

	snprintf(line, sizeof(line), "%llu %s %s %d %lld %zu\n",
	    (unsigned long long)d->id, d->user, d->contact, (int)d->role,
	    (long long)d->expires_ms, d->image_len);
	add(o->dialogs, sizeof(o->dialogs), line);
	o->dialog_count++;
	return 0;
}

static const struct pair_store_reader reader = { on_pair, on_dialog };

static void
read_back(void)
{
	char why[512];

	if (pair_store_load(ps, &reader, &seen, why, sizeof(why)) < 0)
		fail_msg("%s", why);
}

static void
put(const char *user, const char *contact, uint32_t roster, intptr_t mark)
{
	struct pair_row row = { .user = user,
		.contact = contact,
		.roster = roster,
		.flags = 4294967295u,
		.asked_ms = 1,
		.refused_ms = 2,
		.remove_ms = 3,
		.used_ms = 1795262400000,
		.name = roster == 7 ? NULL : "Bo \"B\" Øl",
		.told = roster == 7 ? NULL : "told",
		.told_len = roster == 7 ? 0 : 4,
		.seen = "",
		.seen_len = 0 };

	assert_int_equal(pair_store_put(ps, &row, on_done, (void *)mark), 0);
}

static void
put_dialog(uint64_t id, const char *contact, size_t len, intptr_t mark)
{
	static const uint8_t image[PAIR_STORE_BLOB_MAX + 1];
	struct dialog_row row = { .id = id,
		.user = ANNA,
		.contact = contact,
		.role = id % 2 ? PAIR_STORE_SUBSCRIBER : PAIR_STORE_NOTIFIER,
		.expires_ms = (int64_t)id * 1000,
		.image = image,
		.image_len = len };

	assert_int_equal(
	    pair_store_put_dialog(ps, &row, on_done, (void *)mark), 0);
}

static void
rows_come_back_as_they_were(void **state)
{
	(void)state;
	start();
	put(ANNA, BO, 8, 1);
	put(ANNA, CARL, 7, 2);
	put_dialog(11, BO, 100, 3);
	put_dialog(12, BO, 0, 4);
	put_dialog(13, CARL, PAIR_STORE_BLOB_MAX, 5);
	stop();
	assert_int_equal(seen.done_count, 5);
	assert_int_equal(seen.failed, 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(seen.done[i], i + 1);
	start();
	read_back();
	assert_string_equal(seen.pairs,
	    ANNA " " BO " 8 4294967295 1 2 3 1795262400000 Bo \"B\" Øl "
		 "told/4 /0\n" ANNA " " CARL
		 " 7 4294967295 1 2 3 1795262400000 - -/0 /0\n");
	assert_string_equal(seen.dialogs,
	    "11 " ANNA " " BO " 1 11000 100\n12 " ANNA " " BO
	    " 2 12000 0\n13 " ANNA " " CARL " 1 13000 65536\n");
	stop();
}

static void
later_rows_replace_and_drops_take_dialogs_along(void **state)
{
	(void)state;
	start();
	put(ANNA, BO, 1, 1);
	put(ANNA, CARL, 2, 2);
	put(ANNA, BO, 3, 3);
	put_dialog(1, BO, 1, 4);
	put_dialog(2, CARL, 1, 5);
	put_dialog(2, CARL, 9, 6);
	put_dialog(3, CARL, 1, 7);
	assert_int_equal(pair_store_drop(ps, ANNA, BO, on_done, (void *)8), 0);
	assert_int_equal(pair_store_drop_dialog(ps, 3, on_done, (void *)9), 0);
	/* What is not there can be dropped. */
	assert_int_equal(
	    pair_store_drop(ps, ANNA, "who@x", on_done, (void *)10), 0);
	stop();
	assert_int_equal(seen.done_count, 10);
	assert_int_equal(seen.failed, 0);
	start();
	read_back();
	assert_int_equal(seen.pair_count, 1);
	assert_non_null(strstr(seen.pairs, ANNA " " CARL " 2 "));
	assert_string_equal(seen.dialogs, "2 " ANNA " " CARL " 2 2000 9\n");
	stop();
}

/* done is a promise about the disk: a process that is killed right after it
 * leaves the row behind. */
static void
what_is_done_outlives_a_kill(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		start();
		put(ANNA, BO, 8, 1);
		put_dialog(1, BO, 1, 2);
		wait_done(2);
		kill(getpid(), SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	start();
	read_back();
	assert_int_equal(seen.pair_count, 1);
	assert_int_equal(seen.dialog_count, 1);
	stop();
}

/* A row beyond its bounds fails alone. */
static void
one_bad_row_spoils_no_other(void **state)
{
	struct pair_row bad = { .user = "", .contact = BO };

	(void)state;
	start();
	put(ANNA, BO, 1, 1);
	assert_int_equal(pair_store_put(ps, &bad, on_done, NULL), 0);
	put_dialog(5, BO, PAIR_STORE_BLOB_MAX + 1, 2);
	put(ANNA, CARL, 2, 3);
	wait_done(4);
	assert_int_equal(seen.failed, 2);
	assert_int_equal(seen.ill, 1);
	assert_non_null(strstr(seen.why, "CHECK constraint"));
	assert_int_equal(seen.well, 1);
	stop();
	start();
	read_back();
	assert_int_equal(seen.pair_count, 2);
	assert_int_equal(seen.dialog_count, 0);
	stop();
}

/* Files cannot grow any more: writes fail, say so once, and go on when there
 * is room again. */
static void
a_full_disk_is_told_and_survived(void **state)
{
	struct rlimit before, tight = { 0, 0 };
	struct pair_store_stats stats;
	size_t tries = 0;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	start();
	put(ANNA, BO, 8, 1);
	wait_done(1);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	tight.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	for (; tries < 5; tries++) {
		put(ANNA, CARL, 3, 2);
		wait_done(2 + tries);
	}
	assert_int_equal(seen.failed, tries);
	assert_int_equal(seen.ill, 1);
	assert_non_null(strstr(seen.why, path));
	pair_store_get_stats(ps, &stats);
	assert_false(stats.well);
	assert_int_equal(stats.failed, tries);
	/* What is there can still be read. */
	read_back();
	assert_int_equal(seen.pair_count, 1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	put(ANNA, CARL, 4, 3);
	wait_done(2 + tries);
	assert_int_equal(seen.failed, tries);
	assert_int_equal(seen.well, 1);
	stop();
	start();
	read_back();
	assert_int_equal(seen.pair_count, 2);
	assert_non_null(strstr(seen.pairs, ANNA " " CARL " 4 "));
	stop();
	signal(SIGXFSZ, SIG_DFL);
}

/* The loop does not run, so nothing leaves the books. */
static void
the_queue_is_bounded(void **state)
{
	static const uint8_t image[PAIR_STORE_BLOB_MAX];
	struct dialog_row row = { .user = ANNA,
		.contact = BO,
		.role = PAIR_STORE_NOTIFIER,
		.image = image,
		.image_len = sizeof(image) };
	struct pair_store_stats stats;
	int rc = 0;

	(void)state;
	start();
	for (row.id = 1; rc == 0; row.id++)
		rc = pair_store_put_dialog(ps, &row, on_done, NULL);
	assert_int_equal(rc, ERR_FULL);
	pair_store_get_stats(ps, &stats);
	assert_int_equal(stats.queued, row.id - 2);
	assert_true(stats.queued_bytes <= PAIR_STORE_QUEUE_BYTES);
	assert_true(
	    stats.queued_bytes > PAIR_STORE_QUEUE_BYTES - 2 * sizeof(image));
	wait_done(row.id - 2);
	assert_int_equal(seen.failed, 0);
	pair_store_get_stats(ps, &stats);
	assert_int_equal(stats.queued, 0);
	assert_int_equal(stats.queued_bytes, 0);
	/* Many rows share a transaction. */
	assert_true(stats.transactions * 4 < stats.written);
	assert_int_equal(pair_store_put_dialog(ps, &row, on_done, NULL), 0);
	stop();
	assert_int_equal(seen.done_count, row.id - 1);
}

static void
a_reader_may_refuse(void **state)
{
	char why[512] = "";

	(void)state;
	start();
	put(ANNA, BO, 1, 1);
	wait_done(1);
	seen.refuse = ERR_NOMEM;
	assert_int_equal(
	    pair_store_load(ps, &reader, &seen, why, sizeof(why)), ERR_NOMEM);
	assert_non_null(strstr(why, path));
	stop();
}

/* The node's own row shares the connection. */
static void
the_generation_moves_beside_a_busy_thread(void **state)
{
	uint64_t counter;
	char why[512], hash[16];

	(void)state;
	start();
	for (int i = 1; i <= 200; i++) {
		put(ANNA, BO, (uint32_t)(i % 9), i);
		snprintf(hash, sizeof(hash), "%d", i);
		assert_int_equal(
		    store_generation(&counter, store, hash, why, sizeof(why)),
		    0);
		assert_int_equal(counter, i);
	}
	wait_done(200);
	assert_int_equal(seen.failed, 0);
	stop();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, on_setup, on_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_come_back_as_they_were),
		TEST(later_rows_replace_and_drops_take_dialogs_along),
		TEST(what_is_done_outlives_a_kill),
		TEST(one_bad_row_spoils_no_other),
		TEST(a_full_disk_is_told_and_survived),
		TEST(the_queue_is_bounded),
		TEST(a_reader_may_refuse),
		TEST(the_generation_moves_beside_a_busy_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
