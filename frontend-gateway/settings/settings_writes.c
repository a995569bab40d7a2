#include "frontend-gateway/settings/settings_writes.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "frontend-gateway/store/setting_store.h"

/* In the order of enum settings_action. */
static const char *const actions[] = { "put", "patch", "remove" };

static char *
dump(json_t *object)
{
	char *text = object != NULL
			 ? json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS)
			 : NULL;

	json_decref(object);
	return text;
}

/* As it is stored, secrets included. */
static json_t *
whole(const struct setting *s)
{
	json_t *all = json_copy(s->object);

	if (all != NULL && json_object_update(all, s->secrets) == 0)
		return all;
	json_decref(all);
	return NULL;
}

/* A secret that is another one now says so. */
static json_t *
shown_after(const struct setting *before, const struct setting *after)
{
	json_t *all = setting_shown(after);

	for (size_t i = 0;
	     all != NULL && before != NULL && i < after->kind->field_count;
	     i++) {
		const struct setting_field *f = &after->kind->fields[i];
		const char *was;

		if (f->type != SETTING_SECRET || !setting_has(after, f->name))
			continue;
		was = setting_secret(before, f->name);
		if (was == NULL ||
		    strcmp(was, setting_secret(after, f->name)) == 0)
			continue;
		if (json_object_set_new(all, f->name, json_string("changed")) ==
		    0)
			continue;
		json_decref(all);
		return NULL;
	}
	return all;
}

static bool
is_set(const struct setting *s)
{
	return s != NULL && s->version > 0;
}

static bool
fill(struct setting_write *w, const struct settings_delta *d,
    enum settings_action action)
{
	w->kind = d->kind->name;
	w->key = d->key;
	w->action = actions[action];
	if (is_set(d->before)) {
		w->before = dump(setting_shown(d->before));
		if (w->before == NULL)
			return false;
	}
	if (!is_set(d->after))
		return true;
	w->object = dump(whole(d->after));
	w->after = dump(shown_after(d->before, d->after));
	return w->object != NULL && w->after != NULL;
}

int
settings_writes_add(struct setting_store_rows *rows,
    const struct settings_delta *d, enum settings_action action)
{
	struct setting_write w = { 0 };
	int rc = fill(&w, d, action) ? setting_store_add(rows, &w) : ERR_NOMEM;

	free((void *)(uintptr_t)w.object);
	free((void *)(uintptr_t)w.before);
	free((void *)(uintptr_t)w.after);
	return rc;
}
