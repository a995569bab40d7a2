/*
 * A commit's rows are written in the order in which they were given, settings
 * and audit side by side, then the version and the number of the edges'
 * configuration.  What fails is undone as a whole.
 */
#include "frontend-gateway/store/setting_store_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

struct setting_store_rows {
	struct setting_job job;
	setting_store_done_fn *done;
	void *arg;
	struct setting_write *writes;
	size_t count, max;
	char *who, *via;
	int64_t at_ms;
	char *generation_hash;
	uint64_t version, generation;
};

enum { PUT, REMOVE, AUDIT, STATEMENTS };

static const char *const statements[STATEMENTS] = {
	[PUT] = "INSERT OR REPLACE INTO setting (kind, key, version, object)"
		" VALUES (?1, ?2, ?3, ?4)",
	[REMOVE] = "DELETE FROM setting WHERE kind = ?1 AND key = ?2",
	[AUDIT] = "INSERT INTO audit (number, at_ms, who, via, action, kind,"
		  " key, before, after, chain)"
		  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
};

static void
bind_text(sqlite3_stmt *st, int at, const char *text, int *rc)
{
	if (*rc != SQLITE_OK)
		return;
	if (text == NULL)
		*rc = sqlite3_bind_null(st, at);
	else
		*rc = sqlite3_bind_text(st, at, text, -1, SQLITE_STATIC);
}

static int
run(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int
write_setting(
    sqlite3_stmt *const st[], const struct setting_write *w, uint64_t version)
{
	sqlite3_stmt *one = st[w->object != NULL ? PUT : REMOVE];
	int rc = SQLITE_OK;

	bind_text(one, 1, w->kind, &rc);
	bind_text(one, 2, w->key, &rc);
	if (rc == SQLITE_OK && w->object != NULL) {
		rc = sqlite3_bind_int64(one, 3, (int64_t)version);
		bind_text(one, 4, w->object, &rc);
	}
	return rc == SQLITE_OK ? run(one) : rc;
}

static int
write_audit(sqlite3_stmt *st, const struct audit_row *row)
{
	const char *const texts[] = { row->who, row->via, row->action,
		row->kind, row->key, row->before, row->after, row->chain };
	int rc = sqlite3_bind_int64(st, 1, (int64_t)row->number);

	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(st, 2, row->at_ms);
	for (int i = 0; i < 8; i++)
		bind_text(st, 3 + i, texts[i], &rc);
	return rc == SQLITE_OK ? run(st) : rc;
}

static int
write_rows(struct setting_store_rows *c, sqlite3 *db, sqlite3_stmt *const st[])
{
	struct setting_store_end end = { 0 };
	char chain[SETTING_STORE_CHAIN_LEN + 1];
	uint64_t number;
	int rc = setting_store_chain_end(&number, chain, db);
	bool whole;

	if (rc == SQLITE_OK)
		rc = setting_store_end_read(&end, db);
	whole = rc == SQLITE_OK && setting_store_end_is(&end, number, chain);
	for (size_t i = 0; rc == SQLITE_OK && i < c->count; i++) {
		const struct setting_write *w = &c->writes[i];
		struct audit_row row = { .number = number + 1 + i,
			.at_ms = c->at_ms,
			.who = c->who,
			.via = c->via,
			.action = w->action,
			.kind = w->kind,
			.key = w->key,
			.before = w->before,
			.after = w->after,
			.chain = chain };

		rc = write_setting(st, w, c->version);
		if (rc == SQLITE_OK &&
		    setting_store_chain(chain, chain, &row) < 0)
			rc = SQLITE_NOMEM;
		if (rc == SQLITE_OK)
			rc = write_audit(st[AUDIT], &row);
	}
	if (rc != SQLITE_OK || !whole)
		return rc;
	end.rows = number + c->count;
	memcpy(end.chain, chain, sizeof(chain));
	return setting_store_end_move(&end, db);
}

static int
next_version(struct setting_store_rows *c, sqlite3 *db)
{
	int rc = sqlite3_exec(db,
	    "UPDATE settings_meta SET version = version + 1", NULL, NULL, NULL);

	return rc == SQLITE_OK ? setting_store_version(&c->version, db) : rc;
}

static void
free_writes(struct setting_store_rows *c)
{
	/* All texts of a row are one block, which begins with kind. */
	while (c->count > 0)
		free((void *)(uintptr_t)c->writes[--c->count].kind);
}

static int
run_commit(struct setting_job *j, sqlite3 *db)
{
	struct setting_store_rows *c = (struct setting_store_rows *)j;
	sqlite3_stmt *st[STATEMENTS] = { NULL };
	int rc = SQLITE_OK;

	for (size_t i = 0; rc == SQLITE_OK && i < STATEMENTS; i++)
		rc = sqlite3_prepare_v2(db, statements[i], -1, &st[i], NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = next_version(c, db);
	if (rc == SQLITE_OK)
		rc = write_rows(c, db, st);
	if (rc == SQLITE_OK && c->generation_hash != NULL)
		rc = store_move_generation(
		    &c->generation, db, c->generation_hash);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	for (size_t i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(st[i]);
	/* Here, where there is time. */
	free_writes(c);
	return rc;
}

void
setting_store_drop(struct setting_store_rows *c)
{
	if (c == NULL)
		return;
	free_writes(c);
	free(c->writes);
	free(c->who);
	free(c->via);
	free(c->generation_hash);
	free(c);
}

static void
finish_commit(struct setting_job *j)
{
	struct setting_store_rows *c = (struct setting_store_rows *)j;
	struct setting_store_outcome o = { .rc = j->rc,
		.why = j->why,
		.version = j->rc == 0 ? c->version : 0,
		.generation = j->rc == 0 ? c->generation : 0 };

	c->done(&o, c->arg);
	setting_store_drop(c);
}

static bool
copy_write(struct setting_write *to, const struct setting_write *from)
{
	const char *const texts[] = { from->kind, from->key, from->object,
		from->action, from->before, from->after };
	const char **const places[] = { &to->kind, &to->key, &to->object,
		&to->action, &to->before, &to->after };
	enum { COUNT = sizeof(texts) / sizeof(texts[0]) };
	size_t size = 0;
	char *block;

	for (size_t i = 0; i < COUNT; i++)
		size += texts[i] != NULL ? strlen(texts[i]) + 1 : 0;
	block = malloc(size);
	if (block == NULL)
		return false;
	for (size_t i = 0; i < COUNT; i++) {
		size_t len = texts[i] != NULL ? strlen(texts[i]) + 1 : 0;

		*places[i] = texts[i] != NULL ? block : NULL;
		if (len > 0)
			memcpy(block, texts[i], len);
		block += len;
	}
	return true;
}

int
setting_store_begin(struct setting_store_rows **out,
    const struct setting_store_commit *commit, size_t max)
{
	struct setting_store_rows *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return ERR_NOMEM;
	c->job.run = run_commit;
	c->job.finish = finish_commit;
	c->job.writes = true;
	c->max = max;
	c->at_ms = commit->at_ms;
	c->who = strdup(commit->who);
	c->via = strdup(commit->via);
	c->writes = calloc(max + 1, sizeof(*c->writes));
	if (commit->generation_hash != NULL)
		c->generation_hash = strdup(commit->generation_hash);
	if (c->who == NULL || c->via == NULL || c->writes == NULL ||
	    (commit->generation_hash != NULL && c->generation_hash == NULL)) {
		setting_store_drop(c);
		return ERR_NOMEM;
	}
	*out = c;
	return 0;
}

int
setting_store_add(struct setting_store_rows *c, const struct setting_write *w)
{
	assert(c->count < c->max);
	if (!copy_write(&c->writes[c->count], w))
		return ERR_NOMEM;
	c->count++;
	return 0;
}

int
setting_store_write(struct setting_store *s, struct setting_store_rows *c,
    setting_store_done_fn *done, void *arg)
{
	int rc;

	c->done = done;
	c->arg = arg;
	rc = setting_store_queue(s, &c->job);
	if (rc < 0)
		setting_store_drop(c);
	return rc;
}
