/*
 * gateway_admin - the HTTP interface for administrators, as a part of the
 * gateway: what it is told and what happens.  For gateway*.c alone.
 *
 * Each teller is harmless while there is no interface.
 */
#ifndef GATEWAY_GATEWAY_ADMIN_H
#define GATEWAY_GATEWAY_ADMIN_H

#include <stdbool.h>
#include <stddef.h>

#include "frontend-gateway/admin/admin.h"

struct edges_stream;
struct gateway;

/* Listens where the configuration says; nowhere is possible.  why is for an
 * admin. */
int gateway_admin_open(struct gateway *g, char *why, size_t size);
/* gateway_admin_closed() comes later, unless there was none. */
void gateway_admin_close(struct gateway *g);
/* In gateway.c. */
void gateway_admin_closed(struct gateway *g);

/* POST /v1/test-im, in gateway_trial.c; once there is an interface. */
int gateway_trial_open(struct gateway *g);
extern const struct admin_route gateway_trial_routes[];
extern const size_t gateway_trial_route_count;

/* GET /v1/trace, in gateway_trace.c; once there is an interface. */
int gateway_trace_open(struct gateway *g);
extern const struct admin_route gateway_trace_routes[];
extern const size_t gateway_trace_route_count;
/* The gateway stops: whoever watches is told.  The following are harmless then,
 * and while there is no interface. */
void gateway_trace_stop(struct gateway *g);
/* When the calls have ended. */
void gateway_trace_free(struct gateway *g);
/* Settings have changed. */
void gateway_trace_recheck(struct gateway *g);
void
gateway_trace_traced(struct gateway *g, const char *edge, const json_t *what);

void gateway_admin_tell_state(struct gateway *g, const char *state);
void gateway_admin_tell_pool(struct gateway *g, bool reachable);
/* "pairs", "settings" */
void gateway_admin_tell_store(struct gateway *g, const char *part, bool well);
/* "up", "down", "answered" (what it was told), "lost", "removed" */
void
gateway_admin_tell_edge(struct gateway *g, const char *edge, const char *what);
void gateway_admin_tell_stream(
    struct gateway *g, const char *edge, const struct edges_stream *s);
/* A stream of that pair ended; or none could be had (failed). */
void gateway_admin_tell_partner(struct gateway *g, const char *edge,
    const char *local, const char *remote, bool failed);

#endif
