/*
 * The file holds one row of the node (store id, epoch, secret, configuration
 * generation, dialback secrets), pairs, dialogs, settings and the audit trail.
 *
 * Opening: make the file unreadable to others if it is new, take the exclusive
 * lock, see that it is ours (application id), of our version or empty, and
 * whole (quick_check), lay down the schema when empty or add what an older
 * program did not know, raise the epoch.  Each
 * step that fails leaves the file as it was found.
 */
#include "frontend-gateway/store/store_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <sqlite3.h>

#include "common/err.h"
#include "frontend-gateway/store/store_schema.h"

int
store_explain(sqlite3 *db, int rc, const char *path, char *why, size_t size)
{
	int primary = rc & 0xff;

	if (primary == SQLITE_NOMEM) {
		snprintf(why, size, "%s: out of memory", path);
		return ERR_NOMEM;
	}
	if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB)
		snprintf(why, size,
		    "%s is damaged (%s): restore it from a backup or move "
		    "it away",
		    path, sqlite3_errstr(rc));
	else if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED)
		snprintf(why, size, "%s is in use by another process", path);
	else if (primary == SQLITE_READONLY)
		snprintf(why, size, "%s cannot be written", path);
	else
		snprintf(why, size, "%s: %s", path,
		    db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
	return ERR_STORE;
}

/* Runs a statement that yields one integer. */
static int
query_int(int64_t *out, sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st = NULL;
	int rc;

	rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		*out = sqlite3_column_int64(st, 0);
		rc = SQLITE_OK;
	} else if (rc == SQLITE_DONE || rc == SQLITE_OK) {
		rc = SQLITE_CORRUPT;
	}
	sqlite3_finalize(st);
	return rc;
}

/* Whether the whole file hangs together. */
static int
quick_check(sqlite3 *db)
{
	sqlite3_stmt *st = NULL;
	const unsigned char *text;
	int rc;

	rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &st, NULL);
	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		text = sqlite3_column_text(st, 0);
		rc = text != NULL && strcmp((const char *)text, "ok") == 0
			 ? SQLITE_OK
			 : SQLITE_CORRUPT;
	} else if (rc == SQLITE_DONE) {
		rc = SQLITE_CORRUPT;
	}
	sqlite3_finalize(st);
	return rc;
}

/* Refuses what is not ours; *version 0 is an empty file. */
static int
inspect(int64_t *version, sqlite3 *db, const char *path, char *why, size_t size)
{
	int64_t app, tables;
	int rc;

	rc = query_int(&app, db, "PRAGMA application_id");
	if (rc == SQLITE_OK)
		rc = query_int(version, db, "PRAGMA user_version");
	if (rc == SQLITE_OK)
		rc = query_int(
		    &tables, db, "SELECT count(*) FROM sqlite_schema");
	if (rc != SQLITE_OK)
		return store_explain(db, rc, path, why, size);
	if (app == 0 && *version == 0 && tables == 0)
		return 0;
	if (app != STORE_SCHEMA_APPLICATION) {
		snprintf(why, size, "%s is not a store of Sallyport", path);
		return ERR_STORE;
	}
	if (*version > STORE_SCHEMA_VERSION) {
		snprintf(why, size,
		    "%s has schema version %" PRId64
		    ", newer than this program's %d",
		    path, *version, STORE_SCHEMA_VERSION);
		return ERR_STORE;
	}
	if (*version < 1) {
		snprintf(why, size,
		    "%s is damaged (schema version %" PRId64
		    "): restore it from a backup or move it away",
		    path, *version);
		return ERR_STORE;
	}
	rc = quick_check(db);
	return rc == SQLITE_OK ? 0 : store_explain(db, rc, path, why, size);
}

/* A text column of bounded length. */
static bool
read_text(char *out, size_t size, sqlite3_stmt *st, int column)
{
	const unsigned char *text = sqlite3_column_text(st, column);
	size_t len = (size_t)sqlite3_column_bytes(st, column);

	if (text == NULL || len >= size)
		return false;
	memcpy(out, text, len + 1);
	return true;
}

/* Inside a transaction: counts the start and reads the row. */
static int
load(struct store_facts *out, sqlite3 *db)
{
	sqlite3_stmt *st = NULL;
	const unsigned char *id;
	const void *secret;
	int rc;

	rc = sqlite3_exec(
	    db, "UPDATE node SET epoch = epoch + 1", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_prepare_v2(db,
	    "SELECT store_id, epoch, secret, dialback, dialback_before"
	    " FROM node",
	    -1, &st, NULL);
	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(st);
	if (rc != SQLITE_ROW) {
		sqlite3_finalize(st);
		return rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
	}
	id = sqlite3_column_text(st, 0);
	secret = sqlite3_column_blob(st, 2);
	rc = SQLITE_CORRUPT;
	if (id != NULL && sqlite3_column_bytes(st, 0) == STORE_ID_LEN &&
	    secret != NULL && sqlite3_column_bytes(st, 2) == STORE_SECRET_LEN &&
	    read_text(out->dialback, sizeof(out->dialback), st, 3) &&
	    read_text(
		out->dialback_before, sizeof(out->dialback_before), st, 4)) {
		memcpy(out->id, id, STORE_ID_LEN + 1);
		out->epoch = (uint64_t)sqlite3_column_int64(st, 1);
		memcpy(out->secret, secret, STORE_SECRET_LEN);
		rc = SQLITE_OK;
	}
	sqlite3_finalize(st);
	return rc;
}

/* A new file is nobody else's to read: it holds the secret. */
static int
touch(const char *path, char *why, size_t size)
{
	int fd;

	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		snprintf(why, size, "%s: %s", path, strerror(errno));
		return ERR_STORE;
	}
	close(fd);
	return 0;
}

int
store_open(struct store **out, const char *path, char *why, size_t size)
{
	static const char begin[] = "PRAGMA journal_mode = WAL;"
				    "PRAGMA synchronous = FULL;"
				    "PRAGMA trusted_schema = OFF;"
				    "BEGIN IMMEDIATE";
	struct store *s;
	int64_t version;
	int rc, sql;

	s = calloc(1, sizeof(*s));
	if (s == NULL || uv_mutex_init(&s->lock) != 0) {
		free(s);
		snprintf(why, size, "%s: out of memory", path);
		return ERR_NOMEM;
	}
	rc = touch(path, why, size);
	if (rc < 0)
		goto fail;
	sql = sqlite3_open_v2(
	    path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (sql != SQLITE_OK)
		goto fail_sql;
	/* The first look takes the lock and keeps it; nothing is written
	 * before it, for this may be somebody else's file. */
	sql = sqlite3_exec(
	    s->db, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL);
	if (sql != SQLITE_OK)
		goto fail_sql;
	rc = inspect(&version, s->db, path, why, size);
	if (rc != 0)
		goto fail;
	sql = sqlite3_exec(s->db, begin, NULL, NULL, NULL);
	if (sql == SQLITE_OK)
		sql = store_schema_upgrade(s->db, version);
	if (sql == SQLITE_OK)
		sql = load(&s->facts, s->db);
	if (sql == SQLITE_OK)
		sql = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
	if (sql != SQLITE_OK)
		goto fail_sql;
	*out = s;
	return 0;

fail_sql:
	rc = store_explain(s->db, sql, path, why, size);
fail:
	store_close(s);
	return rc;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	/* Only unfinalised statements could keep it open; there are none. */
	sqlite3_close_v2(s->db);
	uv_mutex_destroy(&s->lock);
	OPENSSL_cleanse(&s->facts, sizeof(s->facts));
	free(s);
}

const struct store_facts *
store_facts(const struct store *s)
{
	return &s->facts;
}

/* An SQLite code.  One statement, so one commit: both columns move
 * together. */
int
store_move_generation(uint64_t *out, sqlite3 *db, const char *hash)
{
	static const char sql[] =
	    "UPDATE node SET"
	    " generation = generation + (config_hash <> ?1),"
	    " config_hash = ?1 RETURNING generation";
	sqlite3_stmt *st = NULL;
	uint64_t counter = 0;
	int rc;

	rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(st, 1, hash, -1, SQLITE_TRANSIENT);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		counter = (uint64_t)sqlite3_column_int64(st, 0);
		rc = sqlite3_step(st);
	} else if (rc == SQLITE_DONE) {
		rc = SQLITE_CORRUPT; /* The row is gone. */
	}
	sqlite3_finalize(st);
	if (rc != SQLITE_DONE)
		return rc;
	*out = counter;
	return SQLITE_OK;
}

int
store_generation(
    uint64_t *out, struct store *s, const char *hash, char *why, size_t size)
{
	int rc;

	uv_mutex_lock(&s->lock);
	rc = store_move_generation(out, s->db, hash);
	if (rc != SQLITE_OK)
		rc = store_explain(
		    s->db, rc, sqlite3_db_filename(s->db, "main"), why, size);
	uv_mutex_unlock(&s->lock);
	return rc;
}

/* An SQLite code. */
static int
set_dialback(sqlite3 *db, const char *secret)
{
	static const char sql[] =
	    "UPDATE node SET dialback_before = dialback, dialback = ?1"
	    " WHERE dialback <> ?1";
	sqlite3_stmt *st = NULL;
	int rc;

	rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(st, 1, secret, -1, SQLITE_TRANSIENT);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int
store_use_dialback(struct store *s, const char *secret, char *why, size_t size)
{
	int rc;

	if (strlen(secret) >= sizeof(s->facts.dialback)) {
		snprintf(why, size, "the dialback secret is too long");
		return ERR_STORE;
	}
	if (strcmp(s->facts.dialback, secret) == 0)
		return 0;
	uv_mutex_lock(&s->lock);
	rc = set_dialback(s->db, secret);
	if (rc != SQLITE_OK)
		rc = store_explain(
		    s->db, rc, sqlite3_db_filename(s->db, "main"), why, size);
	uv_mutex_unlock(&s->lock);
	if (rc != 0)
		return rc;
	memcpy(s->facts.dialback_before, s->facts.dialback,
	    sizeof(s->facts.dialback));
	snprintf(s->facts.dialback, sizeof(s->facts.dialback), "%s", secret);
	return 0;
}

/* There is no file yet: could one be made? */
static int
check_absent(const char *path, char *why, size_t size)
{
	const char *slash = strrchr(path, '/');
	char *dir;
	int rc = 0;

	if (slash == NULL)
		dir = strdup(".");
	else
		dir = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (dir == NULL) {
		snprintf(why, size, "%s: out of memory", path);
		return ERR_NOMEM;
	}
	if (access(dir, W_OK | X_OK) != 0) {
		snprintf(why, size, "%s cannot be made: folder: %s", path,
		    strerror(errno));
		rc = ERR_STORE;
	}
	free(dir);
	return rc;
}

int
store_check(const char *path, char *why, size_t size)
{
	sqlite3 *db = NULL;
	struct stat st;
	int64_t version;
	int rc, sql;

	if (stat(path, &st) != 0)
		return check_absent(path, why, size);
	if (access(path, R_OK | W_OK) != 0) {
		snprintf(why, size, "%s: %s", path, strerror(errno));
		return ERR_STORE;
	}
	sql = sqlite3_open_v2(
	    path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
	if (sql == SQLITE_OK)
		sql = query_int(&version, db, "PRAGMA user_version");
	if ((sql & 0xff) == SQLITE_BUSY)
		rc = 0;
	else if (sql != SQLITE_OK)
		rc = store_explain(db, sql, path, why, size);
	else
		rc = inspect(&version, db, path, why, size);
	sqlite3_close_v2(db);
	return rc;
}
