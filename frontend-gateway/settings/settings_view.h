/*
 * settings_view - all settings as they are, or would be, at one moment.
 *
 * Immutable and counted: whoever wants to read over several turns of the loop
 * keeps a reference.  Of each kind there is one array sorted by key, built-in
 * entries included.
 */
#ifndef GATEWAY_SETTINGS_SETTINGS_VIEW_H
#define GATEWAY_SETTINGS_SETTINGS_VIEW_H

#include <stdbool.h>
#include <stddef.h>

struct setting;
struct setting_kind;
struct settings_view;

/* What lies outside of the settings and bears on them. */
struct settings_world {
	/* A name nobody outside may carry: hosted domains, pool, front ends,
	 * edges, this node; and a domain we host.  Comparable form. */
	bool (*is_own)(const char *domain, void *arg);
	bool (*hosts)(const char *domain, void *arg);
	void *arg;
};

struct settings_view *settings_view_ref(struct settings_view *v);
void settings_view_unref(struct settings_view *v);

/* NULL when there is none. */
const struct setting *settings_view_get(const struct settings_view *v,
    const struct setting_kind *kind, const char *key);
size_t settings_view_count(
    const struct settings_view *v, const struct setting_kind *kind);
/* In the order of the keys; at < count. */
const struct setting *settings_view_at(
    const struct settings_view *v, const struct setting_kind *kind, size_t at);
/* Where in that order the first key behind `after` is (NULL or "": 0). */
size_t settings_view_behind(const struct settings_view *v,
    const struct setting_kind *kind, const char *after);
/* Whether key fits a pattern with `*` and `?`, letters in either case.  NULL
 * and "" fit everything. */
bool settings_view_fits(const char *pattern, const char *key);

const struct settings_world *settings_view_world(const struct settings_view *v);

#endif
