/*
 * control - a daemon's control socket: what the operator's command asks on
 * the same host.
 *
 * A Unix stream socket that only its owner and root may use.  A client sends
 * one line of JSON, {"verb":"status", ...}, and gets one line of JSON back:
 * {"ok":true, ...} or {"ok":false,"error":"..."}; then the connection ends.
 *
 * Owns     the socket, connections and their timers.
 * Borrows  loop, clock.
 * Bounds   CONTROL_CLIENTS at once, CONTROL_REQUEST_MAX bytes a request,
 *          CONTROL_MS from accept to answer taken.
 * Ends     control_close(): callers waiting for an answer get none; on_closed
 *          fires once, after the last close callback.
 */
#ifndef COMMON_CONTROL_H
#define COMMON_CONTROL_H

#include <stddef.h>
#include <jansson.h>
#include <uv.h>

struct clock;
struct control;
struct control_call;

enum { CONTROL_CLIENTS = 16, CONTROL_REQUEST_MAX = 4096, CONTROL_MS = 10000 };

/* Answer call with control_reply() or control_fail(), now or later, exactly
 * once.  request is an object with a string member "verb"; valid during the
 * call only.  A client that goes away early is not told of: the answer is
 * then thrown away. */
typedef void control_request_fn(struct control_call *call, const char *verb,
    const json_t *request, void *arg);

/* Binds path, mode 0600, and listens.  A socket left there by a dead daemon is
 * replaced; one that still answers after a second is not (UV_EADDRINUSE).  Returns the
 * descriptor or a negative code.  Needs the file system: do it before
 * confinement. */
int control_bind(const char *path);
/* Serves a descriptor of control_bind(), which is taken over. */
int control_open(struct control **out, uv_loop_t *loop, struct clock *clock,
    int fd, control_request_fn *fn, void *arg);
/* on_closed may be NULL. */
void control_close(struct control *c, void (*on_closed)(void *arg), void *arg);

/* Adds "ok":true and sends; the reference to body is taken over. */
void control_reply(struct control_call *call, json_t *body);
void control_fail(struct control_call *call, const char *why);

#endif
