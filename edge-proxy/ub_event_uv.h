/*
 * ub_event_uv - libunbound's pluggable event interface on libuv.
 *
 * Owns     one poll handle for each armed descriptor; timeouts run on the
 *          clock.
 * Borrows  loop and clock.
 * Ends     ub_event_uv_free() after ub_ctx_delete(), which frees its events;
 *          poll handles go in later loop turns.
 */
#ifndef EDGE_UB_EVENT_UV_H
#define EDGE_UB_EVENT_UV_H

#include <uv.h>

struct clock;
struct ub_event_base;

int ub_event_uv_new(
    struct ub_event_base **out, uv_loop_t *loop, struct clock *clock);
void ub_event_uv_free(struct ub_event_base *base);

#endif
