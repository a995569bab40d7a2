/*
 * store - what a gateway must still know after a restart.
 *
 * One small interface; SQLite inside (write-ahead log, every commit on disk
 * before it counts).  The file is locked for the life of the process: two
 * gateways on one store would both believe to be the newer one.
 *
 * Calls block and are meant for the start of the program.
 *
 * Errors   ERR_STORE, ERR_NOMEM; why (size bytes) then says in words for an
 *          admin what is wrong.  A file of a newer program, a damaged file
 *          and a file of somebody else are refused and left as they are.
 */
#ifndef GATEWAY_STORE_STORE_H
#define GATEWAY_STORE_STORE_H

#include <stddef.h>
#include <stdint.h>

struct store;

enum {
	STORE_ID_LEN = 32,
	STORE_SECRET_LEN = 32,
	STORE_HASH_LEN = 64,
	STORE_DIALBACK_SIZE = 129 /* hex of a dialback secret, with its NUL */
};

struct store_facts {
	char id[STORE_ID_LEN + 1]; /* random, drawn when the file was made */
	uint64_t epoch;            /* starts counted, this one included */
	uint8_t secret[STORE_SECRET_LEN]; /* of this node, for derived keys */
	/* Hex; "" when there is none (yet). */
	char dialback[STORE_DIALBACK_SIZE]; /* that keys are made with */
	char dialback_before[STORE_DIALBACK_SIZE];
};

/* Opens or makes the file at path and counts a start. */
int store_open(struct store **out, const char *path, char *why, size_t size);
void store_close(struct store *s);

/* Valid until store_close(). */
const struct store_facts *store_facts(const struct store *s);

/* The number of the configuration whose content has this hash (hex of
 * SHA-256): the last one given out when the hash is unchanged, else the next
 * one.  The number never falls. */
int store_generation(
    uint64_t *out, struct store *s, const char *hash, char *why, size_t size);

/* Keys are made with that secret (hex) from now on; the one so far becomes the
 * one before.  Nothing changes when it is the one so far. */
int
store_use_dialback(struct store *s, const char *secret, char *why, size_t size);

/* Looks whether store_open() would work, without changing anything.  A file
 * that another process holds is in order. */
int store_check(const char *path, char *why, size_t size);

#endif
