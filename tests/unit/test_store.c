/* The store: fresh, reopened, changed, and files it must refuse. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sqlite3.h>

#include "common/err.h"
#include "frontend-gateway/store/store.h"

static char dir[64];
static char path[128];
static char why[512];

static int
on_setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test_store.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/gateway.db", dir);
	why[0] = '\0';
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

static struct store *
open_store(void)
{
	struct store *s = NULL;

	if (store_open(&s, path, why, sizeof(why)) < 0)
		fail_msg("%s", why);
	return s;
}

static void
sql(const char *text)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void
expect_refused(const char *words)
{
	struct store *s = NULL;

	assert_int_equal(store_open(&s, path, why, sizeof(why)), ERR_STORE);
	assert_null(s);
	if (strstr(why, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why, words);
	assert_non_null(strstr(why, path));
	assert_int_equal(store_check(path, why, sizeof(why)), ERR_STORE);
	if (strstr(why, words) == NULL)
		fail_msg("check: \"%s\" does not say \"%s\"", why, words);
}

static void
a_new_store_is_ours_alone(void **state)
{
	struct store *s;
	struct stat st;

	(void)state;
	assert_int_equal(store_check(path, why, sizeof(why)), 0);
	assert_int_equal(access(path, F_OK), -1);
	s = open_store();
	assert_int_equal(strlen(store_facts(s)->id), STORE_ID_LEN);
	assert_int_equal(store_facts(s)->epoch, 1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	store_close(s);
}

static void
each_start_raises_the_epoch_and_keeps_the_rest(void **state)
{
	struct store_facts first;
	struct store *s = open_store();

	(void)state;
	first = *store_facts(s);
	store_close(s);
	for (uint64_t i = 2; i < 5; i++) {
		s = open_store();
		assert_int_equal(store_facts(s)->epoch, i);
		assert_string_equal(store_facts(s)->id, first.id);
		assert_memory_equal(
		    store_facts(s)->secret, first.secret, STORE_SECRET_LEN);
		store_close(s);
	}
	assert_int_equal(store_check(path, why, sizeof(why)), 0);
	s = open_store();
	assert_int_equal(store_facts(s)->epoch, 5);
	store_close(s);
}

static void
a_generation_changes_with_the_hash_only(void **state)
{
	static const struct {
		const char *hash;
		uint64_t counter;
		bool reopen;
	} steps[] = {
		{ "aa", 1, false },
		{ "aa", 1, false },
		{ "bb", 2, false },
		{ "bb", 2, true },
		{ "aa", 3, true },
		{ "aa", 3, true },
	};
	struct store *s = open_store();
	uint64_t counter;

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (steps[i].reopen) {
			store_close(s);
			s = open_store();
		}
		assert_int_equal(store_generation(&counter, s, steps[i].hash,
				     why, sizeof(why)),
		    0);
		assert_int_equal(counter, steps[i].counter);
	}
	store_close(s);
}

static void
a_second_gateway_is_kept_out(void **state)
{
	struct store *s = open_store(), *other = NULL;

	(void)state;
	assert_int_equal(store_open(&other, path, why, sizeof(why)), ERR_STORE);
	assert_non_null(strstr(why, "is in use by another process"));
	/* To look whether all is well beside a running gateway is no error. */
	assert_int_equal(store_check(path, why, sizeof(why)), 0);
	store_close(s);
	s = open_store();
	assert_int_equal(store_facts(s)->epoch, 2);
	store_close(s);
}

static void
a_newer_file_is_refused_and_left(void **state)
{
	(void)state;
	store_close(open_store());
	sql("PRAGMA user_version = 6");
	expect_refused("schema version 6, newer than this program's 5");
	sql("PRAGMA user_version = 5");
	store_close(open_store());
}

static void
a_foreign_database_is_refused(void **state)
{
	(void)state;
	sql("CREATE TABLE theirs (a)");
	expect_refused("is not a store of Sallyport");
	sql("SELECT a FROM theirs");
}

static void
what_is_no_database_is_refused(void **state)
{
	FILE *f = fopen(path, "w");

	(void)state;
	for (int i = 0; i < 2000; i++)
		fputs("these are not the bytes of a database\n", f);
	fclose(f);
	expect_refused("is damaged");
}

static void
a_damaged_page_is_found(void **state)
{
	struct stat st;
	char junk[512];
	int fd;

	(void)state;
	store_close(open_store());
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size >= 8192);
	memset(junk, 0x5a, sizeof(junk));
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, junk, sizeof(junk), 4096), sizeof(junk));
	close(fd);
	expect_refused("is damaged");
}

static void
a_missing_row_is_damage(void **state)
{
	struct store *s = NULL;

	(void)state;
	store_close(open_store());
	sql("DELETE FROM node");
	assert_int_equal(store_open(&s, path, why, sizeof(why)), ERR_STORE);
	assert_non_null(strstr(why, "is damaged"));
}

static void
a_place_that_cannot_be_written_is_named(void **state)
{
	struct store *s = NULL;

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/gateway.db");
	assert_int_equal(store_open(&s, path, why, sizeof(why)), ERR_STORE);
	assert_non_null(strstr(why, "/proc/self/gateway.db: "));
	assert_null(s);
	snprintf(path, sizeof(path), "%s/no/folder/gateway.db", dir);
	assert_int_equal(store_open(&s, path, why, sizeof(why)), ERR_STORE);
	assert_int_equal(store_check(path, why, sizeof(why)), ERR_STORE);
	assert_non_null(strstr(why, "cannot be made"));
}

static void
use(struct store *s, const char *secret)
{
	assert_int_equal(store_use_dialback(s, secret, why, sizeof(why)), 0);
}

static void
dialback_secrets_move_along(void **state)
{
	struct store *s = open_store();
	char longer[STORE_DIALBACK_SIZE + 1];

	(void)state;
	assert_string_equal(store_facts(s)->dialback, "");
	use(s, "aa");
	assert_string_equal(store_facts(s)->dialback_before, "");
	use(s, "bb");
	use(s, "bb");
	for (int i = 0; i < 2; i++) {
		assert_string_equal(store_facts(s)->dialback, "bb");
		assert_string_equal(store_facts(s)->dialback_before, "aa");
		store_close(s);
		s = open_store();
	}
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(
	    store_use_dialback(s, longer, why, sizeof(why)), ERR_STORE);
	store_close(s);
}

static void
an_older_file_is_brought_up_to_date(void **state)
{
	/* How to make an older file of a new one, the newest step first. */
	static const char *const backward[] = {
		"ALTER TABLE settings_meta DROP COLUMN trail_rows;"
		"ALTER TABLE settings_meta DROP COLUMN trail_chain;"
		"PRAGMA user_version = 4",
		"DROP TABLE setting; DROP TABLE settings_meta;"
		"DROP TABLE audit; PRAGMA user_version = 3",
		"DROP TABLE pair; DROP TABLE dialog; PRAGMA user_version = 2",
		"ALTER TABLE node DROP COLUMN dialback;"
		"ALTER TABLE node DROP COLUMN dialback_before;"
		"PRAGMA user_version = 1",
	};
	struct store_facts before;
	struct store *s;

	(void)state;
	for (size_t i = 0; i < sizeof(backward) / sizeof(backward[0]); i++) {
		s = open_store();
		before = *store_facts(s);
		store_close(s);
		for (size_t step = 0; step <= i; step++)
			sql(backward[step]);
		assert_int_equal(store_check(path, why, sizeof(why)), 0);
		for (uint64_t n = 1; n < 3; n++) {
			s = open_store();
			assert_string_equal(store_facts(s)->id, before.id);
			assert_int_equal(
			    store_facts(s)->epoch, before.epoch + n);
			store_close(s);
		}
		sql("SELECT user, told FROM pair; SELECT image FROM dialog;"
		    "SELECT object FROM setting; SELECT chain FROM audit");
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, on_setup, on_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_store_is_ours_alone),
		TEST(each_start_raises_the_epoch_and_keeps_the_rest),
		TEST(a_generation_changes_with_the_hash_only),
		TEST(a_second_gateway_is_kept_out),
		TEST(a_newer_file_is_refused_and_left),
		TEST(a_foreign_database_is_refused),
		TEST(what_is_no_database_is_refused),
		TEST(a_damaged_page_is_found),
		TEST(a_missing_row_is_damage),
		TEST(dialback_secrets_move_along),
		TEST(an_older_file_is_brought_up_to_date),
		TEST(a_place_that_cannot_be_written_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
