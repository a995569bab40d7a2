/*
 * doors - the listeners partners connect to: all open or all closed.
 *
 * Owns     the listening handles.
 * Borrows  loop.
 * Ends     doors_finish() gives the handles up; their memory goes in a later
 *          loop turn.
 */
#ifndef EDGE_DOORS_H
#define EDGE_DOORS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <uv.h>

struct doors;

/* Where partners come in. */
struct doors_place {
	struct sockaddr_storage addr;
	bool direct; /* they speak TLS at once (XEP-0368) */
};

/* A connection is pending on listener: take it or turn it away
 * (doors_turn_away) before returning. */
typedef void doors_fn(uv_stream_t *listener, bool direct, void *arg);
/* No descriptor is left for who comes: the doors have been closed, and are to
 * be opened again later. */
typedef void doors_exhausted_fn(void *arg);

int doors_new(struct doors **out, uv_loop_t *loop, doors_fn *on_connection,
    doors_exhausted_fn *on_exhausted, void *arg);
void doors_free(struct doors *d);
/* Where to listen from the next opening on; copied. */
int doors_set(struct doors *d, const struct doors_place *listen, size_t count);

/* Whether these are the addresses it has. */
bool doors_same(
    const struct doors *d, const struct doors_place *listen, size_t count);

/* Opens every address, or none: why then says which failed and why.  Nothing
 * happens when they are open. */
int doors_open(struct doors *d, char *why, size_t size);
/* The kernel refuses connections from now on. */
void doors_close(struct doors *d);
bool doors_are_open(const struct doors *d);
/* The i-th place it has; NULL behind the last. */
const struct doors_place *doors_at(const struct doors *d, size_t i);

/* Accepts the pending connection and closes it. */
void doors_turn_away(uv_stream_t *listener);

#endif
