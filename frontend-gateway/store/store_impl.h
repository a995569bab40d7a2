/*
 * store_impl - what the files of the store share.  Nobody else includes it.
 *
 * store.c       the file, the node's facts
 * pair_store.c  pairs and dialogs, written by a thread
 *
 * One connection, because the file's lock admits no second one; whoever uses
 * it holds the mutex.
 */
#ifndef GATEWAY_STORE_STORE_IMPL_H
#define GATEWAY_STORE_STORE_IMPL_H

#include <stddef.h>
#include <uv.h>
#include <sqlite3.h>

#include "frontend-gateway/store/store.h"

struct store {
	sqlite3 *db;
	uv_mutex_t lock;
	struct store_facts facts;
};

/* Says what SQLite answered in an admin's words.  ERR_STORE, ERR_NOMEM. */
int
store_explain(sqlite3 *db, int rc, const char *path, char *why, size_t size);

#endif
