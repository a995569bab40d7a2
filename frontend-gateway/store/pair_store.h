/*
 * pair_store - authorizations and subscriptions that outlive the process.
 *
 * A pair row is what a Lync user and an XMPP contact have agreed on, a dialog
 * row one SIP subscription between the two, either role.  Reading happens
 * once, at the start, and blocks; writing happens on a thread of its own, many
 * rows in one transaction, in the order given.  done says, on the loop's
 * thread, that the row is on disk or why it is not: nothing that depends on
 * it may be acknowledged before.
 *
 * When the disk is full or read-only, writes fail (ERR_STORE) and on_health
 * tells once; each later write is tried anew, and on_health tells when one
 * went through.
 *
 * Owns     the thread, copies of everything queued.
 * Borrows  the store, the loop.
 * Ends     pair_store_close() writes what is queued, then on_closed; done of
 *          those writes comes before it.
 * Errors   ERR_FULL past PAIR_STORE_QUEUE_BYTES: the row was not taken and
 *          done will not be called.  ERR_NOMEM likewise.
 */
#ifndef GATEWAY_STORE_PAIR_STORE_H
#define GATEWAY_STORE_PAIR_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct pair_store;
struct store;

enum {
	PAIR_STORE_QUEUE_BYTES = 64 * 1024 * 1024,
	PAIR_STORE_BLOB_MAX = 65536 /* of one text or image in a row */
};

/* Texts are prepared bare JIDs; times are ms since 1970, 0 = never. */
struct pair_row {
	const char *user, *contact;
	uint32_t roster;  /* the state's number */
	uint32_t flags;   /* the owner's */
	int64_t asked_ms; /* when the contact was asked last */
	int64_t refused_ms;
	int64_t remove_ms; /* planned removal */
	int64_t used_ms;   /* last sign of life */
	const char *name;  /* display name of the contact; NULL = none */
	/* Last documents, opaque: the user's as told to the contact, the
	 * contact's as told to the user.  NULL = none. */
	const void *told;
	size_t told_len;
	const void *seen;
	size_t seen_len;
};

enum pair_store_role { PAIR_STORE_SUBSCRIBER = 1, PAIR_STORE_NOTIFIER = 2 };

struct dialog_row {
	uint64_t id; /* the owner's, unique over restarts; not 0 */
	const char *user, *contact;
	enum pair_store_role role;
	int64_t expires_ms;
	const void *image;
	size_t image_len;
};

/* rc is 0 or ERR_STORE. */
typedef void pair_store_done_fn(int rc, void *arg);
typedef void pair_store_closed_fn(void *arg);

struct pair_store_events {
	/* Writing began to fail (why is for an admin), or works again. */
	void (*on_health)(bool well, const char *why, void *arg);
};

int pair_store_open(struct pair_store **out, struct store *s, uv_loop_t *loop,
    const struct pair_store_events *events, void *arg);
/* The store may be closed when on_closed has come. */
void pair_store_close(
    struct pair_store *ps, pair_store_closed_fn *on_closed, void *arg);

/* Rows are valid during the call.  A row that breaks its own bounds ends the
 * reading with ERR_STORE, as does a negative code of the callback. */
struct pair_store_reader {
	int (*on_pair)(const struct pair_row *row, void *arg);
	/* After all pairs. */
	int (*on_dialog)(const struct dialog_row *row, void *arg);
};
/* Before the first write.  why (size bytes) is for an admin. */
int pair_store_load(struct pair_store *ps,
    const struct pair_store_reader *reader, void *arg, char *why, size_t size);

/* Inserts or replaces.  done may be NULL: nobody waits. */
int pair_store_put(struct pair_store *ps, const struct pair_row *row,
    pair_store_done_fn *done, void *arg);
/* Takes the pair's dialogs with it. */
int pair_store_drop(struct pair_store *ps, const char *user,
    const char *contact, pair_store_done_fn *done, void *arg);
int pair_store_put_dialog(struct pair_store *ps, const struct dialog_row *row,
    pair_store_done_fn *done, void *arg);
int pair_store_drop_dialog(
    struct pair_store *ps, uint64_t id, pair_store_done_fn *done, void *arg);

struct pair_store_stats {
	size_t queued, queued_bytes;
	uint64_t written, failed; /* rows and deletions */
	uint64_t transactions;
	bool well;
};
void pair_store_get_stats(struct pair_store *ps, struct pair_store_stats *out);

#endif
