/*
 * settings_draft - a commit worked out against a view: what would change, what
 * there is to say about it.
 *
 * Owns     everything it points to but the kinds.
 */
#ifndef GATEWAY_SETTINGS_SETTINGS_DRAFT_H
#define GATEWAY_SETTINGS_SETTINGS_DRAFT_H

#include <stddef.h>
#include <stdint.h>

#include "frontend-gateway/settings/settings.h"

struct settings_draft {
	int rc; /* as in struct settings_outcome */
	struct settings_report report;
	struct settings_delta *deltas; /* one for each change */
	size_t count;
	size_t changed; /* of them change something */
	struct settings_view *after;
	/* What deltas point to. */
	struct settings_owned {
		char *key;
		struct setting *before, *after;
	} * owned;
};

/* version: what changed settings get.  Made also when there are problems: rc and
 * report tell.  ERR_NOMEM: nothing is made. */
int settings_draft_make(struct settings_draft **out, struct settings_view *now,
    const struct settings_change *changes, size_t count, bool internal,
    uint64_t version);
/* NULL is accepted. */
void settings_draft_free(struct settings_draft *d);

#endif
