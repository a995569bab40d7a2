/*
 * store_impl - what the files of the store share.  Nobody else includes it.
 *
 * store.c                the file, the node's facts
 * store_schema.c         its tables
 * pair_store.c           pairs and dialogs, written by a thread
 * setting_store.c        settings: jobs off the loop, reading
 * setting_store_write.c  commits
 * setting_store_audit.c  the audit trail
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

/* Gives the configuration whose content has this hash its number
 * (store_generation()).  An SQLite code; the mutex is held. */
int store_move_generation(uint64_t *out, sqlite3 *db, const char *hash);

#endif
