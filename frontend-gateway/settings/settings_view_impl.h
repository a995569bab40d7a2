/*
 * settings_view_impl - how views are made.  For settings.c and
 * settings_draft.c alone.
 */
#ifndef GATEWAY_SETTINGS_SETTINGS_VIEW_IMPL_H
#define GATEWAY_SETTINGS_SETTINGS_VIEW_IMPL_H

#include <stddef.h>

#include "frontend-gateway/settings/settings_view.h"

/* What is to stand under a key. */
struct settings_entry {
	const struct setting_kind *kind;
	const char *key;
	struct setting *setting; /* borrowed; NULL = nothing */
	size_t change;           /* of the commit */
};

/* Nothing but built-in entries.  ERR_NOMEM. */
int settings_view_new(
    struct settings_view **out, const struct settings_world *world);
/* base with other entries, each key at most once, sorted (settings_order.h).
 * Kinds of which there is none are shared with base.  ERR_NOMEM. */
int settings_view_change(struct settings_view **out,
    const struct settings_view *base, const struct settings_entry *entries,
    size_t count);
/* The built-in entry of that key; NULL when there is none. */
struct setting *settings_view_builtin(const struct settings_view *v,
    const struct setting_kind *kind, const char *key);

#endif
