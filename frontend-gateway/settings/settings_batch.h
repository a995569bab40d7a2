/*
 * settings_batch - several changes as JSON, as they come from outside.
 *
 *   [{"kind": "partner", "key": "a.example", "method": "PATCH",
 *     "object": {...}, "version": 7}, ...]
 *
 * method: PUT, PATCH, DELETE.  key may be left out where the object names it,
 * version where any will do; 0 = there must be nothing yet.
 *
 * Borrows  the JSON.
 */
#ifndef GATEWAY_SETTINGS_SETTINGS_BATCH_H
#define GATEWAY_SETTINGS_SETTINGS_BATCH_H

#include <stddef.h>
#include <jansson.h>

#include "frontend-gateway/settings/settings.h"

struct settings_batch {
	struct settings_change *v;
	size_t count;
};

/* ERR_MALFORMED, ERR_TOO_LONG, ERR_NOMEM; why (size bytes) is for whoever sent
 * it. */
int settings_batch_read(
    struct settings_batch *out, const json_t *changes, char *why, size_t size);
void settings_batch_finish(struct settings_batch *b);

#endif
