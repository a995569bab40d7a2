/*
 * changes - the body of POST /v1/batch read into changes of settings.
 *
 *   {"changes": [{"kind": "partner", "key": "partner.example",
 *     "method": "PUT", "object": {...}, "version": 12}, ...]}
 *
 * `version` is what is expected: 0 = nothing was set, left out = whatever.
 * Tokens can't be made here.  Pure.
 */
#ifndef GATEWAY_ADMIN_CHANGES_H
#define GATEWAY_ADMIN_CHANGES_H

#include <stddef.h>
#include <jansson.h>

#include "frontend-gateway/settings/settings.h"

struct changes {
	struct settings_change *v; /* texts and objects are the body's */
	size_t count;
};

/* Where the first mistake is, for an admin. */
struct changes_problem {
	char member[64]; /* "/changes/3/kind" */
	char text[128];
};

/* ERR_CONFIG with *problem, ERR_NOMEM. */
int changes_read(
    struct changes *out, const json_t *body, struct changes_problem *problem);
void changes_finish(struct changes *c);

#endif
