/*
 * proxy_gate - between the doors and the streams where partners come through
 * load balancers: each connection has to come from one of these and begin with
 * a header of the PROXY protocol (proxy_header.h), and is handed on with the
 * address that the header tells.
 *
 * Who comes from elsewhere, sends something else, or nothing in time, is
 * closed, with one line in the log.
 *
 * Owns     the connections that have not sent their header yet.
 * Borrows  loop and clock.
 * Ends     proxy_gate_free() closes them; memory of handles goes in a later
 *          turn of the loop.
 */
#ifndef EDGE_PROXY_GATE_H
#define EDGE_PROXY_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <uv.h>

struct clock;
struct prefix;
struct proxy_gate;

/* A connection whose header is read; fd is the receiver's.  direct: as the
 * listener it came by. */
typedef void proxy_gate_fn(
    int fd, const struct sockaddr_storage *peer, bool direct, void *arg);

int proxy_gate_new(struct proxy_gate **out, uv_loop_t *loop,
    struct clock *clock, proxy_gate_fn *fn, void *arg);
void proxy_gate_free(struct proxy_gate *g);
/* The load balancers; none: nobody is asked for a header.  Copied. */
int
proxy_gate_set(struct proxy_gate *g, const struct prefix *from, size_t count);
bool proxy_gate_is_set(const struct proxy_gate *g);
/* Takes the connection pending on listener. */
void
proxy_gate_accept(struct proxy_gate *g, uv_stream_t *listener, bool direct);

#endif
