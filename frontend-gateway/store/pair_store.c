/*
 * Jobs wait in a list under a mutex.  The thread takes a batch of them,
 * writes it in one transaction and hands it back through a uv_async; done is
 * called on the loop in the order of the jobs.
 *
 *   loop: put -> waiting -> (thread) batch -> written -> (loop) done
 *
 * When a batch cannot be committed each of its jobs is tried in a transaction
 * of its own, so that one row that breaks a bound spoils no other.
 */
#include "frontend-gateway/store/pair_store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sqlite3.h>

#include "common/err.h"
#include "common/list.h"
#include "frontend-gateway/store/store_impl.h"

enum {
	BATCH_MAX = 1024, /* bounds how long the lock is held */
	WHY_SIZE = 256
};

/* The statements; a job is one run of one of them. */
enum kind {
	PUT_PAIR,
	DROP_PAIR_DIALOGS,
	DROP_PAIR,
	PUT_DIALOG,
	DROP_DIALOG,
	KIND_COUNT
};

static const char *const statements[KIND_COUNT] = {
	[PUT_PAIR] = "INSERT OR REPLACE INTO pair (user, contact, roster,"
		     " flags, asked_ms, refused_ms, remove_ms, used_ms, name,"
		     " told, seen)"
		     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	[DROP_PAIR_DIALOGS] = "DELETE FROM dialog"
			      " WHERE user = ?1 AND contact = ?2",
	[DROP_PAIR] = "DELETE FROM pair WHERE user = ?1 AND contact = ?2",
	[PUT_DIALOG] = "INSERT OR REPLACE INTO dialog"
		       " (id, user, contact, role, expires_ms, image)"
		       " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[DROP_DIALOG] = "DELETE FROM dialog WHERE id = ?1",
};

struct blob {
	void *data; /* NULL = none; with a NUL behind it */
	size_t len;
};

struct job {
	struct list link;
	enum kind kind;
	struct pair_row pair; /* texts and documents point into copies */
	struct dialog_row dialog;
	struct blob copies[5];
	size_t copy_count;
	size_t size; /* counted against the queue's bound */
	pair_store_done_fn *done;
	void *arg;
	int rc;
};

struct pair_store {
	struct store *store;
	const struct pair_store_events *events;
	void *arg;
	uv_thread_t thread;
	uv_async_t written_async;
	pair_store_closed_fn *on_closed;
	void *closed_arg;
	bool well; /* as told through on_health */
	uint64_t jobs_written, jobs_failed;
	sqlite3_stmt *prepared[KIND_COUNT]; /* the thread's */

	uv_mutex_t lock; /* of all below */
	uv_cond_t wake;
	struct list waiting, written;
	size_t queued, queued_bytes; /* until done */
	uint64_t transactions;
	char why[WHY_SIZE]; /* of the last failure */
	bool stopping, stopped;
};

/* --- jobs ----------------------------------------------------------------- */

static void
job_free(struct job *j)
{
	for (size_t i = 0; i < j->copy_count; i++)
		free(j->copies[i].data);
	free(j);
}

/* Copies data into the job, with a NUL behind it.  False without memory. */
static bool
job_copy(const void **out, struct job *j, const void *data, size_t len)
{
	char *copy;

	if (data == NULL) {
		*out = NULL;
		return true;
	}
	copy = malloc(len + 1);
	if (copy == NULL)
		return false;
	memcpy(copy, data, len);
	copy[len] = '\0';
	assert(j->copy_count < sizeof(j->copies) / sizeof(j->copies[0]));
	j->copies[j->copy_count++] = (struct blob){ copy, len };
	j->size += len + 1;
	*out = copy;
	return true;
}

static bool
job_copy_text(const char **out, struct job *j, const char *text)
{
	const void *copy;

	if (!job_copy(&copy, j, text, text != NULL ? strlen(text) : 0))
		return false;
	*out = copy;
	return true;
}

static int
job_new(struct job **out, enum kind kind, pair_store_done_fn *done, void *arg)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return ERR_NOMEM;
	list_init(&j->link);
	j->kind = kind;
	j->done = done;
	j->arg = arg;
	j->size = sizeof(*j);
	*out = j;
	return 0;
}

/* The queue takes the job, or frees it. */
static int
enqueue(struct pair_store *ps, struct job *j)
{
	int rc = 0;

	uv_mutex_lock(&ps->lock);
	assert(!ps->stopping);
	if (ps->queued_bytes + j->size > PAIR_STORE_QUEUE_BYTES) {
		rc = ERR_FULL;
	} else {
		ps->queued++;
		ps->queued_bytes += j->size;
		list_append(&ps->waiting, &j->link);
		uv_cond_signal(&ps->wake);
	}
	uv_mutex_unlock(&ps->lock);
	if (rc < 0)
		job_free(j);
	return rc;
}

/* --- the thread ----------------------------------------------------------- */

static int
bind_text(sqlite3_stmt *st, int at, const char *text)
{
	if (text == NULL)
		return sqlite3_bind_null(st, at);
	return sqlite3_bind_text(st, at, text, -1, SQLITE_STATIC);
}

static int
bind_blob(sqlite3_stmt *st, int at, const void *data, size_t len)
{
	if (data == NULL)
		return sqlite3_bind_null(st, at);
	/* Not NULL even when empty: SQLite takes that for no value. */
	return sqlite3_bind_blob64(st, at, data, len, SQLITE_STATIC);
}

static int
bind_pair(sqlite3_stmt *st, const struct pair_row *p)
{
	const int64_t numbers[] = { p->roster, p->flags, p->asked_ms,
		p->refused_ms, p->remove_ms, p->used_ms };
	int rc = SQLITE_OK, at = 3;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (rc == SQLITE_OK)
			rc = sqlite3_bind_int64(st, at++, numbers[i]);
	if (rc == SQLITE_OK)
		rc = bind_text(st, at++, p->name);
	if (rc == SQLITE_OK)
		rc = bind_blob(st, at++, p->told, p->told_len);
	if (rc == SQLITE_OK)
		rc = bind_blob(st, at, p->seen, p->seen_len);
	return rc;
}

static int
bind_dialog(sqlite3_stmt *st, const struct dialog_row *d)
{
	int rc;

	rc = bind_text(st, 2, d->user);
	if (rc == SQLITE_OK)
		rc = bind_text(st, 3, d->contact);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int(st, 4, (int)d->role);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(st, 5, d->expires_ms);
	if (rc == SQLITE_OK)
		rc = bind_blob(st, 6, d->image, d->image_len);
	return rc;
}

static int
bind_job(sqlite3_stmt *st, const struct job *j)
{
	int rc;

	if (j->kind == PUT_DIALOG || j->kind == DROP_DIALOG) {
		rc = sqlite3_bind_int64(st, 1, (int64_t)j->dialog.id);
		if (rc == SQLITE_OK && j->kind == PUT_DIALOG)
			rc = bind_dialog(st, &j->dialog);
		return rc;
	}
	rc = bind_text(st, 1, j->pair.user);
	if (rc == SQLITE_OK)
		rc = bind_text(st, 2, j->pair.contact);
	if (rc == SQLITE_OK && j->kind == PUT_PAIR)
		rc = bind_pair(st, &j->pair);
	return rc;
}

/* An SQLite code. */
static int
run_job(struct pair_store *ps, const struct job *j)
{
	sqlite3_stmt **st = &ps->prepared[j->kind];
	int rc = SQLITE_OK;

	if (*st == NULL)
		rc = sqlite3_prepare_v3(ps->store->db, statements[j->kind], -1,
		    SQLITE_PREPARE_PERSISTENT, st, NULL);
	if (rc == SQLITE_OK)
		rc = bind_job(*st, j);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(*st);
	sqlite3_reset(*st);
	sqlite3_clear_bindings(*st);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Writes the jobs from *from up to until, all or none.  An SQLite code; why
 * is filled before the failed transaction is undone. */
static int
transact(struct pair_store *ps, struct list *from, const struct list *until,
    char why[WHY_SIZE])
{
	sqlite3 *db = ps->store->db;
	int rc;

	rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	for (struct list *it = from; rc == SQLITE_OK && it != until;
	     it = it->next)
		rc = run_job(ps, list_entry(it, struct job, link));
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		return rc;
	store_explain(db, rc, sqlite3_db_filename(db, "main"), why, WHY_SIZE);
	/* A full disk may have undone it already. */
	if (!sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

static void
write_batch(struct pair_store *ps, struct list *batch, char why[WHY_SIZE])
{
	int rc;

	uv_mutex_lock(&ps->store->lock);
	rc = transact(ps, batch->next, batch, why);
	LIST_FOREACH (it, batch) {
		struct job *j = list_entry(it, struct job, link);

		if (rc == SQLITE_OK)
			j->rc = 0;
		else if (transact(ps, it, it->next, why) == SQLITE_OK)
			j->rc = 0;
		else
			j->rc = ERR_STORE;
	}
	uv_mutex_unlock(&ps->store->lock);
}

static void
move_jobs(struct list *to, struct list *from, size_t max)
{
	while (max-- > 0 && !list_empty(from)) {
		struct list *it = from->next;

		list_remove(it);
		list_append(to, it);
	}
}

static void
run_thread(void *arg)
{
	struct pair_store *ps = arg;
	struct list batch;
	char why[WHY_SIZE];

	list_init(&batch);
	uv_mutex_lock(&ps->lock);
	for (;;) {
		while (list_empty(&ps->waiting) && !ps->stopping)
			uv_cond_wait(&ps->wake, &ps->lock);
		if (list_empty(&ps->waiting))
			break;
		move_jobs(&batch, &ps->waiting, BATCH_MAX);
		uv_mutex_unlock(&ps->lock);
		why[0] = '\0';
		write_batch(ps, &batch, why);
		uv_mutex_lock(&ps->lock);
		ps->transactions++;
		if (why[0] != '\0')
			memcpy(ps->why, why, sizeof(why));
		move_jobs(&ps->written, &batch, BATCH_MAX);
		uv_async_send(&ps->written_async);
	}
	ps->stopped = true;
	uv_async_send(&ps->written_async);
	uv_mutex_unlock(&ps->lock);
}

/* --- back on the loop ----------------------------------------------------- */

static void
note_health(struct pair_store *ps, bool well)
{
	char why[WHY_SIZE];

	if (well == ps->well)
		return;
	ps->well = well;
	uv_mutex_lock(&ps->lock);
	memcpy(why, ps->why, sizeof(why));
	uv_mutex_unlock(&ps->lock);
	ps->events->on_health(well, well ? "" : why, ps->arg);
}

static void
finish_job(struct pair_store *ps, struct job *j)
{
	if (j->rc == 0)
		ps->jobs_written++;
	else
		ps->jobs_failed++;
	note_health(ps, j->rc == 0);
	if (j->done != NULL)
		j->done(j->rc, j->arg);
	job_free(j);
}

static void
finish(struct pair_store *ps)
{
	for (size_t i = 0; i < KIND_COUNT; i++)
		sqlite3_finalize(ps->prepared[i]);
	uv_cond_destroy(&ps->wake);
	uv_mutex_destroy(&ps->lock);
	free(ps);
}

static void
on_async_closed(uv_handle_t *h)
{
	struct pair_store *ps = h->data;
	pair_store_closed_fn *on_closed = ps->on_closed;
	void *arg = ps->closed_arg;

	finish(ps);
	if (on_closed != NULL)
		on_closed(arg);
}

static void
on_written(uv_async_t *async)
{
	struct pair_store *ps = async->data;
	struct list jobs;
	bool stopped;

	list_init(&jobs);
	uv_mutex_lock(&ps->lock);
	move_jobs(&jobs, &ps->written, SIZE_MAX);
	LIST_FOREACH (it, &jobs) {
		ps->queued--;
		ps->queued_bytes -= list_entry(it, struct job, link)->size;
	}
	stopped = ps->stopped;
	uv_mutex_unlock(&ps->lock);
	while (!list_empty(&jobs)) {
		struct list *it = jobs.next;

		list_remove(it);
		finish_job(ps, list_entry(it, struct job, link));
	}
	if (stopped && !uv_is_closing((uv_handle_t *)async)) {
		uv_thread_join(&ps->thread);
		uv_close((uv_handle_t *)async, on_async_closed);
	}
}

/* --- the interface -------------------------------------------------------- */

int
pair_store_open(struct pair_store **out, struct store *s, uv_loop_t *loop,
    const struct pair_store_events *events, void *arg)
{
	struct pair_store *ps = calloc(1, sizeof(*ps));

	if (ps == NULL)
		return ERR_NOMEM;
	ps->store = s;
	ps->events = events;
	ps->arg = arg;
	ps->well = true;
	list_init(&ps->waiting);
	list_init(&ps->written);
	if (uv_mutex_init(&ps->lock) != 0) {
		free(ps);
		return ERR_NOMEM;
	}
	if (uv_cond_init(&ps->wake) != 0) {
		uv_mutex_destroy(&ps->lock);
		free(ps);
		return ERR_NOMEM;
	}
	if (uv_async_init(loop, &ps->written_async, on_written) != 0) {
		finish(ps);
		return ERR_NOMEM;
	}
	ps->written_async.data = ps;
	if (uv_thread_create(&ps->thread, run_thread, ps) != 0) {
		uv_close((uv_handle_t *)&ps->written_async, on_async_closed);
		return ERR_NOMEM;
	}
	*out = ps;
	return 0;
}

void
pair_store_close(
    struct pair_store *ps, pair_store_closed_fn *on_closed, void *arg)
{
	ps->on_closed = on_closed;
	ps->closed_arg = arg;
	uv_mutex_lock(&ps->lock);
	ps->stopping = true;
	uv_cond_signal(&ps->wake);
	uv_mutex_unlock(&ps->lock);
}

int
pair_store_put(struct pair_store *ps, const struct pair_row *row,
    pair_store_done_fn *done, void *arg)
{
	struct job *j;

	if (job_new(&j, PUT_PAIR, done, arg) < 0)
		return ERR_NOMEM;
	j->pair = *row;
	if (!job_copy_text(&j->pair.user, j, row->user) ||
	    !job_copy_text(&j->pair.contact, j, row->contact) ||
	    !job_copy_text(&j->pair.name, j, row->name) ||
	    !job_copy(&j->pair.told, j, row->told, row->told_len) ||
	    !job_copy(&j->pair.seen, j, row->seen, row->seen_len)) {
		job_free(j);
		return ERR_NOMEM;
	}
	return enqueue(ps, j);
}

/* A deletion by pair. */
static int
drop(struct pair_store *ps, enum kind kind, const struct pair_row *row,
    pair_store_done_fn *done, void *arg)
{
	struct job *j;

	if (job_new(&j, kind, done, arg) < 0)
		return ERR_NOMEM;
	if (!job_copy_text(&j->pair.user, j, row->user) ||
	    !job_copy_text(&j->pair.contact, j, row->contact)) {
		job_free(j);
		return ERR_NOMEM;
	}
	return enqueue(ps, j);
}

/* Dialogs first: should the process end between the two, a pair without
 * dialogs is whole, dialogs without a pair are not. */
int
pair_store_drop(struct pair_store *ps, const char *user, const char *contact,
    pair_store_done_fn *done, void *arg)
{
	struct pair_row row = { .user = user, .contact = contact };
	int rc;

	rc = drop(ps, DROP_PAIR_DIALOGS, &row, NULL, NULL);
	return rc < 0 ? rc : drop(ps, DROP_PAIR, &row, done, arg);
}

int
pair_store_put_dialog(struct pair_store *ps, const struct dialog_row *row,
    pair_store_done_fn *done, void *arg)
{
	struct job *j;

	if (job_new(&j, PUT_DIALOG, done, arg) < 0)
		return ERR_NOMEM;
	j->dialog = *row;
	if (!job_copy_text(&j->dialog.user, j, row->user) ||
	    !job_copy_text(&j->dialog.contact, j, row->contact) ||
	    !job_copy(&j->dialog.image, j, row->image, row->image_len)) {
		job_free(j);
		return ERR_NOMEM;
	}
	return enqueue(ps, j);
}

int
pair_store_drop_dialog(
    struct pair_store *ps, uint64_t id, pair_store_done_fn *done, void *arg)
{
	struct job *j;

	if (job_new(&j, DROP_DIALOG, done, arg) < 0)
		return ERR_NOMEM;
	j->dialog.id = id;
	return enqueue(ps, j);
}

void
pair_store_get_stats(struct pair_store *ps, struct pair_store_stats *out)
{
	uv_mutex_lock(&ps->lock);
	*out = (struct pair_store_stats){ .queued = ps->queued,
		.queued_bytes = ps->queued_bytes,
		.written = ps->jobs_written,
		.failed = ps->jobs_failed,
		.transactions = ps->transactions,
		.well = ps->well };
	uv_mutex_unlock(&ps->lock);
}

/* --- reading -------------------------------------------------------------- */

/* The texts and blobs of a row, within their bounds. */
static bool
column_text(const char **out, sqlite3_stmt *st, int at)
{
	*out = (const char *)sqlite3_column_text(st, at);
	return *out != NULL &&
	       strlen(*out) == (size_t)sqlite3_column_bytes(st, at);
}

static bool
column_blob(const void **out, size_t *len, sqlite3_stmt *st, int at)
{
	if (sqlite3_column_type(st, at) == SQLITE_NULL) {
		*out = NULL;
		*len = 0;
		return true;
	}
	*out = sqlite3_column_blob(st, at);
	*len = (size_t)sqlite3_column_bytes(st, at);
	if (*out == NULL)
		*out = ""; /* an empty one */
	return *len <= PAIR_STORE_BLOB_MAX;
}

static int
read_pair(sqlite3_stmt *st, const struct pair_store_reader *reader, void *arg)
{
	struct pair_row p = { .roster = (uint32_t)sqlite3_column_int64(st, 2),
		.flags = (uint32_t)sqlite3_column_int64(st, 3),
		.asked_ms = sqlite3_column_int64(st, 4),
		.refused_ms = sqlite3_column_int64(st, 5),
		.remove_ms = sqlite3_column_int64(st, 6),
		.used_ms = sqlite3_column_int64(st, 7) };

	if (!column_text(&p.user, st, 0) || !column_text(&p.contact, st, 1) ||
	    (sqlite3_column_type(st, 8) != SQLITE_NULL &&
		!column_text(&p.name, st, 8)) ||
	    !column_blob(&p.told, &p.told_len, st, 9) ||
	    !column_blob(&p.seen, &p.seen_len, st, 10))
		return ERR_STORE;
	return reader->on_pair(&p, arg);
}

static int
read_dialog(sqlite3_stmt *st, const struct pair_store_reader *reader, void *arg)
{
	struct dialog_row d = { .id = (uint64_t)sqlite3_column_int64(st, 0),
		.role = (enum pair_store_role)sqlite3_column_int(st, 3),
		.expires_ms = sqlite3_column_int64(st, 4) };

	if (!column_text(&d.user, st, 1) || !column_text(&d.contact, st, 2) ||
	    !column_blob(&d.image, &d.image_len, st, 5) || d.image == NULL)
		return ERR_STORE;
	return reader->on_dialog(&d, arg);
}

typedef int read_row_fn(
    sqlite3_stmt *st, const struct pair_store_reader *reader, void *arg);

static int
read_table(sqlite3 *db, const char *sql, read_row_fn *read_row,
    const struct pair_store_reader *reader, void *arg, char *why, size_t size)
{
	const char *path = sqlite3_db_filename(db, "main");
	sqlite3_stmt *st = NULL;
	int rc, sql_rc;

	sql_rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
	rc = sql_rc == SQLITE_OK ? 0
				 : store_explain(db, sql_rc, path, why, size);
	while (rc == 0 && (sql_rc = sqlite3_step(st)) == SQLITE_ROW) {
		rc = read_row(st, reader, arg);
		if (rc < 0)
			snprintf(why, size, "%s: %s", path,
			    rc == ERR_STORE ? "a row cannot be used: restore "
					      "it from a backup"
					    : err_str(rc));
	}
	if (rc == 0 && sql_rc != SQLITE_DONE)
		rc = store_explain(db, sql_rc, path, why, size);
	sqlite3_finalize(st);
	return rc;
}

int
pair_store_load(struct pair_store *ps, const struct pair_store_reader *reader,
    void *arg, char *why, size_t size)
{
	sqlite3 *db = ps->store->db;
	int rc;

	uv_mutex_lock(&ps->store->lock);
	rc = read_table(db,
	    "SELECT user, contact, roster, flags, asked_ms, refused_ms,"
	    " remove_ms, used_ms, name, told, seen FROM pair",
	    read_pair, reader, arg, why, size);
	if (rc == 0)
		rc = read_table(db,
		    "SELECT id, user, contact, role, expires_ms, image"
		    " FROM dialog",
		    read_dialog, reader, arg, why, size);
	uv_mutex_unlock(&ps->store->lock);
	return rc;
}
