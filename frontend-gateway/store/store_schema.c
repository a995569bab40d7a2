/*
 * Each version is what it adds to the one before, so that a new file and an
 * old one go through the same steps.
 */
#include "frontend-gateway/store/store_schema.h"

#include <assert.h>
#include <stdio.h>

#include "common/random.h"
#include "frontend-gateway/store/store.h"

/* Version 1. */
static const char schema_1[] =
    "CREATE TABLE node ("
    " one INTEGER PRIMARY KEY CHECK (one = 1),"
    " store_id TEXT NOT NULL CHECK (length(store_id) = 32),"
    " epoch INTEGER NOT NULL CHECK (epoch >= 0),"
    " secret BLOB NOT NULL CHECK (length(secret) = 32),"
    " generation INTEGER NOT NULL CHECK (generation >= 0),"
    " config_hash TEXT NOT NULL) STRICT;";

/* What version 2 has beyond version 1. */
static const char schema_2[] =
    "ALTER TABLE node ADD COLUMN dialback TEXT NOT NULL DEFAULT ''"
    " CHECK (length(dialback) <= 128);"
    "ALTER TABLE node ADD COLUMN dialback_before TEXT NOT NULL DEFAULT ''"
    " CHECK (length(dialback_before) <= 128);"
    "PRAGMA user_version = 2";

/* What version 3 has beyond version 2.  The bounds are those that readers
 * rely on. */
static const char schema_3[] =
    "CREATE TABLE pair ("
    " user TEXT NOT NULL CHECK (length(user) BETWEEN 1 AND 3071),"
    " contact TEXT NOT NULL CHECK (length(contact) BETWEEN 1 AND 3071),"
    " roster INTEGER NOT NULL CHECK (roster BETWEEN 0 AND 255),"
    " flags INTEGER NOT NULL CHECK (flags BETWEEN 0 AND 4294967295),"
    " asked_ms INTEGER NOT NULL,"
    " refused_ms INTEGER NOT NULL,"
    " remove_ms INTEGER NOT NULL,"
    " used_ms INTEGER NOT NULL,"
    " name TEXT CHECK (length(name) <= 65536),"
    " told BLOB CHECK (length(told) <= 65536),"
    " seen BLOB CHECK (length(seen) <= 65536),"
    " PRIMARY KEY (user, contact)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE dialog ("
    " id INTEGER PRIMARY KEY,"
    " user TEXT NOT NULL CHECK (length(user) BETWEEN 1 AND 3071),"
    " contact TEXT NOT NULL CHECK (length(contact) BETWEEN 1 AND 3071),"
    " role INTEGER NOT NULL CHECK (role IN (1, 2)),"
    " expires_ms INTEGER NOT NULL,"
    " image BLOB NOT NULL CHECK (length(image) <= 65536)) STRICT;"
    "CREATE INDEX dialog_of_pair ON dialog (user, contact);"
    "PRAGMA user_version = 3";

/* What version 4 has beyond version 3: what administrators set, and who set it
 * when.  The trail only grows; who replaces a row meets the number's order. */
static const char schema_4[] =
    "CREATE TABLE setting ("
    " kind TEXT NOT NULL CHECK (length(kind) BETWEEN 1 AND 32),"
    " key TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 3199),"
    " version INTEGER NOT NULL CHECK (version > 0),"
    " object TEXT NOT NULL CHECK (length(object) <= 1048576),"
    " PRIMARY KEY (kind, key)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE settings_meta ("
    " one INTEGER PRIMARY KEY CHECK (one = 1),"
    " version INTEGER NOT NULL CHECK (version >= 0)) STRICT;"
    "INSERT INTO settings_meta VALUES (1, 0);"
    "CREATE TABLE audit ("
    " number INTEGER PRIMARY KEY,"
    " at_ms INTEGER NOT NULL,"
    " who TEXT NOT NULL CHECK (length(who) <= 256),"
    " via TEXT NOT NULL CHECK (length(via) <= 256),"
    " action TEXT NOT NULL CHECK (length(action) <= 32),"
    " kind TEXT NOT NULL CHECK (length(kind) <= 32),"
    " key TEXT NOT NULL CHECK (length(key) <= 3199),"
    " before TEXT CHECK (length(before) <= 1048576),"
    " after TEXT CHECK (length(after) <= 1048576),"
    " chain TEXT NOT NULL CHECK (length(chain) = 64)) STRICT;"
    "CREATE TRIGGER audit_in_order BEFORE INSERT ON audit"
    " WHEN NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM audit)"
    " BEGIN SELECT RAISE(ABORT, 'audit: a number is out of order'); END;"
    "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit"
    " BEGIN SELECT RAISE(ABORT, 'audit: rows do not change'); END;"
    "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit"
    " BEGIN SELECT RAISE(ABORT, 'audit: rows do not go'); END;"
    "PRAGMA user_version = 4";

/* What version 5 has beyond version 4: how long the trail was at last and the
 * hash it ended with, so that rows missing at its end are missed. */
static const char schema_5[] =
    "ALTER TABLE settings_meta ADD COLUMN"
    " trail_rows INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE settings_meta ADD COLUMN"
    " trail_chain TEXT NOT NULL DEFAULT '';"
    "UPDATE settings_meta SET"
    " trail_rows = (SELECT coalesce(max(number), 0) FROM audit),"
    " trail_chain = coalesce((SELECT chain FROM audit"
    " ORDER BY number DESC LIMIT 1), '');"
    "PRAGMA user_version = 5";

/* Inside a transaction: schema and the one row. */
static int
create(sqlite3 *db)
{
	sqlite3_stmt *st = NULL;
	uint8_t secret[STORE_SECRET_LEN];
	char id[STORE_ID_LEN + 1], pragma[96];
	int rc;

	rc = sqlite3_exec(db, schema_1, NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return rc;
	snprintf(pragma, sizeof(pragma),
	    "PRAGMA application_id = %d; PRAGMA user_version = 1",
	    STORE_SCHEMA_APPLICATION);
	rc = sqlite3_exec(db, pragma, NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return rc;
	random_hex(id, STORE_ID_LEN / 2);
	random_bytes(secret, sizeof(secret));
	rc = sqlite3_prepare_v2(
	    db, "INSERT INTO node VALUES (1, ?1, 0, ?2, 0, '')", -1, &st, NULL);
	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_bind_text(st, 1, id, -1, SQLITE_TRANSIENT);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_blob(
		    st, 2, secret, sizeof(secret), SQLITE_TRANSIENT);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int
store_schema_upgrade(sqlite3 *db, int64_t version)
{
	static const char *const steps[] = { schema_2, schema_3, schema_4,
		schema_5 };
	const int64_t first = 2;
	int rc = version == 0 ? create(db) : SQLITE_OK;

	static_assert(
	    sizeof(steps) / sizeof(steps[0]) + 1 == STORE_SCHEMA_VERSION);
	for (int64_t v = first; rc == SQLITE_OK && v <= STORE_SCHEMA_VERSION;
	     v++)
		if (version < v)
			rc = sqlite3_exec(
			    db, steps[v - first], NULL, NULL, NULL);
	return rc;
}
