/*
 * setting_store_impl - what the files of setting_store share.  Nobody else
 * includes it.
 *
 * A job is a piece of work for one of libuv's threads; run is called there
 * with the store's mutex held, finish on the loop.
 */
#ifndef GATEWAY_STORE_SETTING_STORE_IMPL_H
#define GATEWAY_STORE_SETTING_STORE_IMPL_H

#include "frontend-gateway/store/setting_store.h"
#include "frontend-gateway/store/store_impl.h"

enum { SETTING_STORE_WHY_SIZE = 256 };

struct setting_store {
	struct store *store;
	uv_loop_t *loop;
	const struct setting_store_events *events;
	void *arg;
	uv_async_t gone; /* its closing takes a turn, after which all ends */
	bool well;       /* as told through on_health */
	size_t busy;     /* jobs under way */
	bool closing;
	void (*on_closed)(void *arg);
	void *closed_arg;
};

/* The first member of every job. */
struct setting_job {
	uv_work_t work;
	struct setting_store *s;
	int (*run)(struct setting_job *j, sqlite3 *db); /* an SQLite code */
	/* Tells the caller and frees the job. */
	void (*finish)(struct setting_job *j);
	bool writes; /* its outcome tells the store's health */
	int rc;
	char why[SETTING_STORE_WHY_SIZE];
};

/* ERR_NOMEM: finish will not be called. */
int setting_store_queue(struct setting_store *s, struct setting_job *j);

/* The last version given out.  An SQLite code. */
int setting_store_version(uint64_t *out, sqlite3 *db);

/* The hash that the row carries.  before: that of the row before it.
 * ERR_NOMEM. */
int setting_store_chain(char out[static SETTING_STORE_CHAIN_LEN + 1],
    const char *before, const struct audit_row *row);
/* The last row's number and hash; 0 and 64 zeros when there is none.  An
 * SQLite code. */
int setting_store_chain_end(uint64_t *number,
    char chain[static SETTING_STORE_CHAIN_LEN + 1], sqlite3 *db);

/* The end of the trail as it is kept beside it.  It moves on with a commit as
 * long as the trail ends there: rows that were taken away stay missed, whatever
 * is written behind them.  SQLite codes. */
struct setting_store_end {
	uint64_t rows;
	char chain[SETTING_STORE_CHAIN_LEN + 1]; /* "" when there are none */
};
int setting_store_end_read(struct setting_store_end *out, sqlite3 *db);
int setting_store_end_move(const struct setting_store_end *end, sqlite3 *db);
/* A trail of so many rows that ends with that hash. */
bool setting_store_end_is(
    const struct setting_store_end *end, uint64_t rows, const char *chain);

#endif
