/*
 * settings_writes - what a draft is in the store: rows, and the audit's before
 * and after.
 *
 * Owns     all texts.
 */
#ifndef GATEWAY_SETTINGS_SETTINGS_WRITES_H
#define GATEWAY_SETTINGS_SETTINGS_WRITES_H

#include <stddef.h>

#include "frontend-gateway/settings/settings.h"
#include "frontend-gateway/store/setting_store.h"

struct settings_draft;

struct settings_writes {
	struct setting_write *v;
	size_t count;
};

/* changes: those that the draft is of.  ERR_NOMEM. */
int settings_writes_make(struct settings_writes *out,
    const struct settings_draft *d, const struct settings_change *changes);
void settings_writes_finish(struct settings_writes *w);

#endif
