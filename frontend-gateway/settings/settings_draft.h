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
#include "frontend-gateway/settings/settings_order.h"

enum settings_draft_stage {
	SETTINGS_DRAFT_READ,
	SETTINGS_DRAFT_SORT,
	SETTINGS_DRAFT_JOIN,
	SETTINGS_DRAFT_CHECK,
	SETTINGS_DRAFT_MADE
};

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

	/* Its making. */
	enum settings_draft_stage stage;
	size_t at;
	const struct settings_change *changes;
	bool internal;
	uint64_t version;
	struct settings_view *now;
	struct settings_entry *entries;
	struct settings_order order;
};

/* version: what changed settings get.  changes are borrowed until it is made.
 * ERR_NOMEM. */
int settings_draft_begin(struct settings_draft **out, struct settings_view *now,
    const struct settings_change *changes, size_t count, bool internal,
    uint64_t version);
/* 1 while there is more to do, 0 when it is made: also with problems, rc and
 * report tell.  ERR_NOMEM: it can only be freed. */
int settings_draft_step(struct settings_draft *d);
/* Gives back what one change took, the last one first; false when nothing is
 * left.  After this it can only be freed. */
bool settings_draft_release(struct settings_draft *d);
/* NULL is accepted. */
void settings_draft_free(struct settings_draft *d);

#endif
