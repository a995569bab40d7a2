/*
 * A job goes to a thread of libuv's pool, runs there under the store's mutex,
 * and comes back to the loop.  What it has begun and not finished is undone.
 */
#include "frontend-gateway/store/setting_store_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

/* --- jobs ----------------------------------------------------------------- */

static void
on_work(uv_work_t *work)
{
	struct setting_job *j = work->data;
	struct store *store = j->s->store;
	int rc;

	uv_mutex_lock(&store->lock);
	rc = j->run(j, store->db);
	j->rc = 0;
	if (rc != SQLITE_OK)
		j->rc = store_explain(store->db, rc,
		    sqlite3_db_filename(store->db, "main"), j->why,
		    sizeof(j->why));
	/* A full disk may have undone it already. */
	if (!sqlite3_get_autocommit(store->db))
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	uv_mutex_unlock(&store->lock);
}

static void
note_health(struct setting_store *s, const struct setting_job *j)
{
	bool well = j->rc == 0;

	if (!j->writes || well == s->well)
		return;
	s->well = well;
	s->events->on_health(well, well ? "" : j->why, s->arg);
}

static void
on_gone(uv_handle_t *h)
{
	struct setting_store *s = h->data;
	void (*on_closed)(void *arg) = s->on_closed;
	void *arg = s->closed_arg;

	free(s);
	if (on_closed != NULL)
		on_closed(arg);
}

static void
end_if_idle(struct setting_store *s)
{
	if (s->closing && s->busy == 0)
		uv_close((uv_handle_t *)&s->gone, on_gone);
}

static void
on_worked(uv_work_t *work, int status)
{
	struct setting_job *j = work->data;
	struct setting_store *s = j->s;

	/* Nobody cancels. */
	assert(status == 0);
	note_health(s, j);
	j->finish(j);
	s->busy--;
	end_if_idle(s);
}

int
setting_store_queue(struct setting_store *s, struct setting_job *j)
{
	assert(!s->closing);
	j->s = s;
	j->work.data = j;
	if (uv_queue_work(s->loop, &j->work, on_work, on_worked) != 0)
		return ERR_NOMEM;
	s->busy++;
	return 0;
}

/* --- life ----------------------------------------------------------------- */

/* Never sent: the handle is there for its closing. */
static void
on_async(uv_async_t *async)
{
	(void)async;
}

int
setting_store_open(struct setting_store **out, struct store *store,
    uv_loop_t *loop, const struct setting_store_events *events, void *arg)
{
	struct setting_store *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return ERR_NOMEM;
	s->store = store;
	s->loop = loop;
	s->events = events;
	s->arg = arg;
	s->well = true;
	if (uv_async_init(loop, &s->gone, on_async) != 0) {
		free(s);
		return ERR_NOMEM;
	}
	s->gone.data = s;
	*out = s;
	return 0;
}

void
setting_store_close(
    struct setting_store *s, void (*on_closed)(void *arg), void *arg)
{
	assert(!s->closing);
	s->closing = true;
	s->on_closed = on_closed;
	s->closed_arg = arg;
	end_if_idle(s);
}

/* --- reading -------------------------------------------------------------- */

int
setting_store_version(uint64_t *out, sqlite3 *db)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(
	    db, "SELECT version FROM settings_meta", -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		*out = (uint64_t)sqlite3_column_int64(st, 0);
		rc = SQLITE_OK;
	} else if (rc == SQLITE_DONE) {
		rc = SQLITE_CORRUPT;
	}
	sqlite3_finalize(st);
	return rc;
}

static const char *
column(sqlite3_stmt *st, int at)
{
	return (const char *)sqlite3_column_text(st, at);
}

/* *rc is what on_row said. */
static int
read_rows(sqlite3 *db, setting_store_row_fn *on_row, void *arg, int *rc)
{
	static const char sql[] = "SELECT kind, key, version, object"
				  " FROM setting ORDER BY kind, key";
	sqlite3_stmt *st = NULL;
	int sql_rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

	if (sql_rc != SQLITE_OK)
		return sql_rc;
	while (*rc == 0 && (sql_rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct setting_row row = { .kind = column(st, 0),
			.key = column(st, 1),
			.version = (uint64_t)sqlite3_column_int64(st, 2),
			.object = column(st, 3) };

		if (row.kind == NULL || row.key == NULL || row.object == NULL)
			*rc = ERR_NOMEM;
		else
			*rc = on_row(&row, arg);
	}
	sqlite3_finalize(st);
	return *rc < 0 || sql_rc == SQLITE_DONE ? SQLITE_OK : sql_rc;
}

int
setting_store_load(struct setting_store *s, uint64_t *version,
    setting_store_row_fn *on_row, void *arg, char *why, size_t size)
{
	sqlite3 *db = s->store->db;
	uint64_t last = 0;
	int rc = 0, sql;

	uv_mutex_lock(&s->store->lock);
	sql = setting_store_version(&last, db);
	if (sql == SQLITE_OK)
		sql = read_rows(db, on_row, arg, &rc);
	if (sql != SQLITE_OK)
		rc = store_explain(
		    db, sql, sqlite3_db_filename(db, "main"), why, size);
	uv_mutex_unlock(&s->store->lock);
	if (rc == 0)
		*version = last;
	return rc;
}
