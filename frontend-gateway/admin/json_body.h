/*
 * json_body - the body of a request: one JSON object (RFC 8259), UTF-8, no
 * member twice, and JSON_BODY_DEPTH levels at most, counted before anything
 * recurses into them.
 *
 * One of more than JSON_BODY_LONG bytes takes so long that the loop had better
 * not wait for it: what ends in _apart works on a thread of libuv's pool.
 */
#ifndef GATEWAY_ADMIN_JSON_BODY_H
#define GATEWAY_ADMIN_JSON_BODY_H

#include <stddef.h>
#include <jansson.h>
#include <uv.h>

struct buf;

enum {
	JSON_BODY_DEPTH = 16,
	JSON_BODY_WHY_SIZE = 256,
	JSON_BODY_LONG = 64 * 1024
};

/* ERR_MALFORMED, ERR_TOO_LONG (too deep), ERR_NOMEM; why is for an admin. */
int json_body_parse(json_t **out, const void *data, size_t len,
    char why[static JSON_BODY_WHY_SIZE]);

/* body is fn's, and NULL when rc is negative. */
typedef void json_body_fn(int rc, json_t *body, const char *why, void *arg);
/* Takes data over.  fn is called on the loop, once, never within the call.
 * ERR_NOMEM: it will not be, and data is the caller's still. */
int json_body_parse_apart(
    uv_loop_t *loop, struct buf *data, json_body_fn *fn, void *arg);
/* Drops a reference; what is freed by that is freed apart, if possible.  NULL
 * is accepted. */
void json_body_free_apart(uv_loop_t *loop, json_t *body);

#endif
