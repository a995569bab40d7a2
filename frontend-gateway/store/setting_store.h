/*
 * setting_store - settings and the audit trail on disk.
 *
 * A commit is one transaction: settings, one audit row for each of them, the
 * next version, and the number of the configuration that the edges are told.
 * It runs on a thread of libuv's pool and is durable when done is called.
 * The audit trail only grows: the file itself refuses changes to it, and each
 * row carries a hash over itself and all rows before it.
 *
 * Owns     copies of what is under way.
 * Borrows  the store, the loop.
 * Ends     setting_store_close(): what is under way is finished; on_closed
 *          comes after its done.
 * Errors   ERR_STORE (disk full, damaged ...) with words in why, ERR_NOMEM.
 */
#ifndef GATEWAY_STORE_SETTING_STORE_H
#define GATEWAY_STORE_SETTING_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct setting_store;
struct store;

enum {
	SETTING_STORE_CHAIN_LEN = 64,  /* hex of SHA-256 */
	SETTING_STORE_AUDIT_MAX = 1000 /* rows of one page */
};

struct setting_row {
	const char *kind, *key;
	uint64_t version;
	const char *object; /* JSON, secrets included */
};

/* One setting in a commit. */
struct setting_write {
	const char *kind, *key;
	const char *object; /* NULL = nothing is set any more */
	const char *action; /* for the audit: "put", "patch", "remove" ... */
	const char *before, *after; /* JSON without secrets; NULL = none */
};

struct setting_store_commit {
	const char *who, *via;
	int64_t at_ms;               /* since 1970 */
	const char *generation_hash; /* NULL = the edges are told nothing new */
};

/* A commit that is being put together, row by row. */
struct setting_store_rows;

struct setting_store_outcome {
	int rc;
	const char *why; /* for an admin; "" when rc is 0 */
	uint64_t version, generation;
};
typedef void
setting_store_done_fn(const struct setting_store_outcome *o, void *arg);

struct setting_store_events {
	/* Writing began to fail, or works again. */
	void (*on_health)(bool well, const char *why, void *arg);
};

int setting_store_open(struct setting_store **out, struct store *s,
    uv_loop_t *loop, const struct setting_store_events *events, void *arg);
/* The store may be closed when on_closed has come. */
void setting_store_close(
    struct setting_store *s, void (*on_closed)(void *arg), void *arg);

/* All rows, ordered by kind and key.  Blocks; for the start.  *version is the
 * last one given out, 0 = nothing was ever set.  A negative code of on_row
 * ends it. */
typedef int setting_store_row_fn(const struct setting_row *row, void *arg);
int setting_store_load(struct setting_store *s, uint64_t *version,
    setting_store_row_fn *on_row, void *arg, char *why, size_t size);

/* For up to max rows.  commit is copied.  ERR_NOMEM. */
int setting_store_begin(struct setting_store_rows **out,
    const struct setting_store_commit *commit, size_t max);
/* w is copied.  ERR_NOMEM. */
int setting_store_add(
    struct setting_store_rows *rows, const struct setting_write *w);
/* NULL is accepted. */
void setting_store_drop(struct setting_store_rows *rows);
/* Takes rows over, whatever comes of it.  done is called on the loop, never
 * within the call.  ERR_NOMEM: it will not be. */
int setting_store_write(struct setting_store *s,
    struct setting_store_rows *rows, setting_store_done_fn *done, void *arg);

struct audit_row {
	uint64_t number; /* from 1, none left out */
	int64_t at_ms;
	const char *who, *via, *action, *kind, *key;
	const char *before, *after; /* JSON; NULL = none */
	const char *chain;
};
/* rows are valid during the call. */
typedef void setting_store_audit_fn(int rc, const char *why,
    const struct audit_row *rows, size_t count, void *arg);
/* Up to limit (SETTING_STORE_AUDIT_MAX) rows behind a number, oldest first;
 * or, newest_first, those before it (0 = from the end).  Off the loop; done
 * is never called within the call.  ERR_NOMEM: it will not be. */
int setting_store_audit(struct setting_store *s, uint64_t after, size_t limit,
    bool newest_first, setting_store_audit_fn *done, void *arg);

/* broken: the number of the first row whose hash does not fit; 0 = all fit. */
typedef void setting_store_verify_fn(
    int rc, const char *why, uint64_t rows, uint64_t broken, void *arg);
/* Walks the whole trail, off the loop.  ERR_NOMEM. */
int setting_store_verify(
    struct setting_store *s, setting_store_verify_fn *done, void *arg);

#endif
