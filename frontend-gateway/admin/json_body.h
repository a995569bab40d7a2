/*
 * json_body - the body of a request: one JSON object (RFC 8259), UTF-8, no
 * member twice, and JSON_BODY_DEPTH levels at most, counted before anything
 * recurses into them.  Pure.
 */
#ifndef GATEWAY_ADMIN_JSON_BODY_H
#define GATEWAY_ADMIN_JSON_BODY_H

#include <stddef.h>
#include <jansson.h>

enum { JSON_BODY_DEPTH = 16, JSON_BODY_WHY_SIZE = 256 };

/* ERR_MALFORMED, ERR_TOO_LONG (too deep), ERR_NOMEM; why is for an admin. */
int json_body_parse(json_t **out, const void *data, size_t len,
    char why[static JSON_BODY_WHY_SIZE]);

#endif
