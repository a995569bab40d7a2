/*
 * store_schema - the tables of the store, and how a file of an older program
 * becomes one of this.
 */
#ifndef GATEWAY_STORE_STORE_SCHEMA_H
#define GATEWAY_STORE_STORE_SCHEMA_H

#include <stdint.h>
#include <sqlite3.h>

enum {
	STORE_SCHEMA_APPLICATION =
	    0x53504757, /* "SPGW", in the file's header */
	STORE_SCHEMA_VERSION = 5
};

/* Inside a transaction: what the file of that version (0 = empty) lacks.  An
 * SQLite code. */
int store_schema_upgrade(sqlite3 *db, int64_t version);

#endif
