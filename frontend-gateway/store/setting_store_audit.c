/*
 * The trail is read in pages, so that nobody holds the store's mutex for long.
 *
 * The hash of a row is SHA-256, in lower-case hex, over the hash of the row
 * before it (64 zeros for the first) and then number, at_ms, who, via, action,
 * kind, key, before, after: each as "<bytes>:<text>", one that is not there
 * as "-".
 */
#include "frontend-gateway/store/setting_store_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>

#include "common/err.h"

/* --- hashes --------------------------------------------------------------- */

static void
add(EVP_MD_CTX *md, const char *text, bool *ok)
{
	char length[24];
	int n;

	if (text == NULL) {
		*ok = *ok && EVP_DigestUpdate(md, "-", 1) == 1;
		return;
	}
	n = snprintf(length, sizeof(length), "%zu:", strlen(text));
	*ok = *ok && EVP_DigestUpdate(md, length, (size_t)n) == 1 &&
	      EVP_DigestUpdate(md, text, strlen(text)) == 1;
}

int
setting_store_chain(char out[static SETTING_STORE_CHAIN_LEN + 1],
    const char *before, const struct audit_row *row)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned char digest[EVP_MAX_MD_SIZE];
	char number[24], at[24];
	unsigned len = 0;
	bool ok = md != NULL && EVP_DigestInit(md, EVP_sha256()) == 1 &&
		  EVP_DigestUpdate(md, before, strlen(before)) == 1;

	snprintf(number, sizeof(number), "%" PRIu64, row->number);
	snprintf(at, sizeof(at), "%" PRId64, row->at_ms);
	const char *const texts[] = { number, at, row->who, row->via,
		row->action, row->kind, row->key, row->before, row->after };
	for (size_t i = 0; ok && i < sizeof(texts) / sizeof(texts[0]); i++)
		add(md, texts[i], &ok);
	ok = ok && EVP_DigestFinal(md, digest, &len) == 1 && len == 32;
	EVP_MD_CTX_free(md);
	for (size_t i = 0; ok && i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
	return ok ? 0 : ERR_NOMEM;
}

int
setting_store_chain_end(uint64_t *number,
    char chain[static SETTING_STORE_CHAIN_LEN + 1], sqlite3 *db)
{
	sqlite3_stmt *st = NULL;
	const char *last = NULL;
	int rc = sqlite3_prepare_v2(db,
	    "SELECT number, chain FROM audit ORDER BY number DESC LIMIT 1", -1,
	    &st, NULL);

	*number = 0;
	memset(chain, '0', SETTING_STORE_CHAIN_LEN);
	chain[SETTING_STORE_CHAIN_LEN] = '\0';
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		*number = (uint64_t)sqlite3_column_int64(st, 0);
		last = (const char *)sqlite3_column_text(st, 1);
		rc = last != NULL && strlen(last) == SETTING_STORE_CHAIN_LEN
			 ? SQLITE_DONE
			 : SQLITE_CORRUPT;
	}
	if (last != NULL && rc == SQLITE_DONE)
		memcpy(chain, last, SETTING_STORE_CHAIN_LEN + 1);
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* --- its end, kept beside it ---------------------------------------------- */

int
setting_store_end_read(struct setting_store_end *out, sqlite3 *db)
{
	sqlite3_stmt *st = NULL;
	const char *chain;
	int rc = sqlite3_prepare_v2(db,
	    "SELECT trail_rows, trail_chain FROM settings_meta", -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		chain = (const char *)sqlite3_column_text(st, 1);
		out->rows = (uint64_t)sqlite3_column_int64(st, 0);
		snprintf(out->chain, sizeof(out->chain), "%s",
		    chain != NULL ? chain : "");
		rc = SQLITE_OK;
	} else if (rc == SQLITE_DONE) {
		rc = SQLITE_CORRUPT;
	}
	sqlite3_finalize(st);
	return rc;
}

int
setting_store_end_move(const struct setting_store_end *end, sqlite3 *db)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db,
	    "UPDATE settings_meta SET trail_rows = ?1, trail_chain = ?2", -1,
	    &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(st, 1, (int64_t)end->rows);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(st, 2, end->chain, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

bool
setting_store_end_is(
    const struct setting_store_end *end, uint64_t rows, const char *chain)
{
	return end->rows == rows &&
	       (rows == 0 || strcmp(end->chain, chain) == 0);
}

/* --- rows ----------------------------------------------------------------- */

static const char *
column(sqlite3_stmt *st, int at)
{
	return (const char *)sqlite3_column_text(st, at);
}

/* The texts are valid until the statement goes on. */
static struct audit_row
row_of(sqlite3_stmt *st)
{
	return (
	    struct audit_row){ .number = (uint64_t)sqlite3_column_int64(st, 0),
		.at_ms = sqlite3_column_int64(st, 1),
		.who = column(st, 2),
		.via = column(st, 3),
		.action = column(st, 4),
		.kind = column(st, 5),
		.key = column(st, 6),
		.before = column(st, 7),
		.after = column(st, 8),
		.chain = column(st, 9) };
}

#define COLUMNS                                                                \
	"number, at_ms, who, via, action, kind, key, before, after, chain"

static int
select_rows(
    sqlite3_stmt **st, sqlite3 *db, const char *sql, uint64_t at, size_t limit)
{
	int rc = sqlite3_prepare_v2(db, sql, -1, st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(*st, 1, (int64_t)at);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(*st, 2, (int64_t)limit);
	return rc;
}

/* --- a page --------------------------------------------------------------- */

struct page {
	struct setting_job job;
	setting_store_audit_fn *done;
	void *arg;
	uint64_t after;
	size_t limit;
	bool newest_first;
	struct audit_row *rows;
	size_t count;
};

static void
page_free(struct page *p)
{
	for (size_t i = 0; i < p->count; i++)
		free((void *)(uintptr_t)p->rows[i].who);
	free(p->rows);
	free(p);
}

/* One block for all texts, which begins with who. */
static bool
keep_row(struct audit_row *to, const struct audit_row *from)
{
	const char *const texts[] = { from->who, from->via, from->action,
		from->kind, from->key, from->before, from->after, from->chain };
	const char **const places[] = { &to->who, &to->via, &to->action,
		&to->kind, &to->key, &to->before, &to->after, &to->chain };
	enum { COUNT = sizeof(texts) / sizeof(texts[0]), BEFORE = 5, AFTER };
	size_t size = 0;
	char *block;

	for (size_t i = 0; i < COUNT; i++) {
		if (texts[i] == NULL && i != BEFORE && i != AFTER)
			return false;
		size += texts[i] != NULL ? strlen(texts[i]) + 1 : 0;
	}
	block = malloc(size);
	if (block == NULL)
		return false;
	*to = *from;
	for (size_t i = 0; i < COUNT; i++) {
		size_t len = texts[i] != NULL ? strlen(texts[i]) + 1 : 0;

		*places[i] = texts[i] != NULL ? block : NULL;
		if (len > 0)
			memcpy(block, texts[i], len);
		block += len;
	}
	return true;
}

static int
run_page(struct setting_job *j, sqlite3 *db)
{
	static const char behind[] =
	    "SELECT " COLUMNS " FROM audit WHERE number > ?1"
	    " ORDER BY number LIMIT ?2";
	static const char before[] =
	    "SELECT " COLUMNS " FROM audit WHERE ?1 = 0 OR number < ?1"
	    " ORDER BY number DESC LIMIT ?2";
	struct page *p = (struct page *)j;
	sqlite3_stmt *st = NULL;
	int rc = select_rows(
	    &st, db, p->newest_first ? before : behind, p->after, p->limit);

	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		struct audit_row row;

		rc = sqlite3_step(st);
		if (rc != SQLITE_ROW)
			break;
		row = row_of(st);
		if (keep_row(&p->rows[p->count], &row))
			p->count++;
		else
			rc = SQLITE_NOMEM;
	}
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static void
finish_page(struct setting_job *j)
{
	struct page *p = (struct page *)j;

	p->done(j->rc, j->why, p->rows, j->rc == 0 ? p->count : 0, p->arg);
	page_free(p);
}

int
setting_store_audit(struct setting_store *s, uint64_t after, size_t limit,
    bool newest_first, setting_store_audit_fn *done, void *arg)
{
	struct page *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return ERR_NOMEM;
	p->job.run = run_page;
	p->job.finish = finish_page;
	p->done = done;
	p->arg = arg;
	p->after = after < INT64_MAX ? after : INT64_MAX;
	p->limit =
	    limit < SETTING_STORE_AUDIT_MAX ? limit : SETTING_STORE_AUDIT_MAX;
	p->newest_first = newest_first;
	p->rows = calloc(p->limit + 1, sizeof(*p->rows));
	if (p->rows == NULL || setting_store_queue(s, &p->job) < 0) {
		page_free(p);
		return ERR_NOMEM;
	}
	return 0;
}

/* --- the whole ------------------------------------------------------------ */

struct walk {
	struct setting_job job;
	setting_store_verify_fn *done;
	void *arg;
	uint64_t rows, broken;
	char chain[SETTING_STORE_CHAIN_LEN + 1];
	struct setting_store_end end;
};

/* Whether the row follows on what has been walked. */
static bool
fits(struct walk *w, const struct audit_row *row)
{
	char chain[SETTING_STORE_CHAIN_LEN + 1] = "";

	if (row->chain == NULL || row->number != w->rows + 1 ||
	    setting_store_chain(chain, w->chain, row) < 0 ||
	    strcmp(chain, row->chain) != 0)
		return false;
	if (row->number == w->end.rows && strcmp(chain, w->end.chain) != 0)
		return false;
	memcpy(w->chain, chain, sizeof(chain));
	return true;
}

/* *more: the page was full. */
static int
walk_page(struct walk *w, sqlite3 *db, bool *more)
{
	static const char sql[] =
	    "SELECT " COLUMNS " FROM audit WHERE number > ?1"
	    " ORDER BY number LIMIT ?2";
	sqlite3_stmt *st = NULL;
	size_t count = 0;
	int rc = setting_store_end_read(&w->end, db);

	if (rc == SQLITE_OK)
		rc =
		    select_rows(&st, db, sql, w->rows, SETTING_STORE_AUDIT_MAX);
	while (rc == SQLITE_OK && w->broken == 0) {
		struct audit_row row;

		rc = sqlite3_step(st);
		if (rc != SQLITE_ROW)
			break;
		rc = SQLITE_OK;
		row = row_of(st);
		if (!fits(w, &row))
			w->broken = w->rows + 1;
		else
			w->rows++;
		count++;
	}
	sqlite3_finalize(st);
	*more = count == SETTING_STORE_AUDIT_MAX && w->broken == 0;
	if (!*more && w->broken == 0 && w->rows < w->end.rows)
		w->broken = w->rows + 1;
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int
run_walk(struct setting_job *j, sqlite3 *db)
{
	struct walk *w = (struct walk *)j;
	bool more = true;
	int rc = SQLITE_OK;

	while (rc == SQLITE_OK && more) {
		rc = walk_page(w, db, &more);
		/* Whoever has something to write goes first. */
		if (rc == SQLITE_OK && more) {
			uv_mutex_unlock(&j->s->store->lock);
			uv_mutex_lock(&j->s->store->lock);
		}
	}
	return rc;
}

static void
finish_walk(struct setting_job *j)
{
	struct walk *w = (struct walk *)j;

	w->done(j->rc, j->why, w->rows, w->broken, w->arg);
	free(w);
}

int
setting_store_verify(
    struct setting_store *s, setting_store_verify_fn *done, void *arg)
{
	struct walk *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return ERR_NOMEM;
	w->job.run = run_walk;
	w->job.finish = finish_walk;
	w->done = done;
	w->arg = arg;
	memset(w->chain, '0', SETTING_STORE_CHAIN_LEN);
	if (setting_store_queue(s, &w->job) < 0) {
		free(w);
		return ERR_NOMEM;
	}
	return 0;
}
