/*
 * Arrays are shared between views and counted; a change makes a new array of
 * each kind it touches, in one pass over the old one and the sorted changes.
 */
#include "frontend-gateway/settings/settings_view_impl.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "frontend-gateway/settings/setting.h"
#include "frontend-gateway/settings/setting_kind.h"

enum { KINDS_MAX = 16 };

struct array {
	unsigned refs;
	size_t count;
	struct setting *v[]; /* sorted by key */
};

struct settings_view {
	unsigned refs;
	const struct settings_world *world;
	struct array *kinds[KINDS_MAX];
	struct array *builtins[KINDS_MAX];
};

/* --- arrays --------------------------------------------------------------- */

static struct array *
array_new(size_t room)
{
	struct array *a =
	    calloc(1, sizeof(*a) + room * sizeof(struct setting *));

	if (a != NULL)
		a->refs = 1;
	return a;
}

static void
array_unref(struct array *a)
{
	if (a == NULL || --a->refs > 0)
		return;
	for (size_t i = 0; i < a->count; i++)
		setting_unref(a->v[i]);
	free(a);
}

static void
array_push(struct array *a, struct setting *s)
{
	a->v[a->count++] = setting_ref(s);
}

/* The position of key, or where it would be. */
static size_t
array_find(const struct array *a, const char *key)
{
	size_t low = 0, high = a->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(a->v[mid]->key, key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct setting *
array_get(const struct array *a, const char *key)
{
	size_t at = array_find(a, key);

	if (at == a->count || strcmp(a->v[at]->key, key) != 0)
		return NULL;
	return a->v[at];
}

/* entries: of one kind, sorted by key. */
static struct array *
array_merge(
    const struct array *old, const struct settings_entry *entries, size_t count)
{
	struct array *a = array_new(old->count + count);
	size_t i = 0;

	if (a == NULL)
		return NULL;
	for (size_t k = 0; k < count; k++) {
		while (i < old->count &&
		       strcmp(old->v[i]->key, entries[k].key) < 0)
			array_push(a, old->v[i++]);
		if (i < old->count &&
		    strcmp(old->v[i]->key, entries[k].key) == 0)
			i++;
		if (entries[k].setting != NULL)
			array_push(a, entries[k].setting);
	}
	while (i < old->count)
		array_push(a, old->v[i++]);
	return a;
}

/* --- views ---------------------------------------------------------------- */

struct settings_view *
settings_view_ref(struct settings_view *v)
{
	v->refs++;
	return v;
}

void
settings_view_unref(struct settings_view *v)
{
	if (v == NULL || --v->refs > 0)
		return;
	for (size_t i = 0; i < KINDS_MAX; i++) {
		array_unref(v->kinds[i]);
		array_unref(v->builtins[i]);
	}
	free(v);
}

int
settings_view_change(struct settings_view **out,
    const struct settings_view *base, const struct settings_entry *entries,
    size_t count)
{
	struct settings_view *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return ERR_NOMEM;
	v->refs = 1;
	v->world = base->world;
	for (size_t i = 0, at = 0; i < setting_kind_count(); i++) {
		size_t n = 0;

		while (
		    at + n < count && entries[at + n].kind == setting_kinds[i])
			n++;
		v->builtins[i] = base->builtins[i];
		v->builtins[i]->refs++;
		if (n == 0) {
			v->kinds[i] = base->kinds[i];
			v->kinds[i]->refs++;
			continue;
		}
		v->kinds[i] = array_merge(base->kinds[i], entries + at, n);
		at += n;
		if (v->kinds[i] == NULL) {
			settings_view_unref(v);
			return ERR_NOMEM;
		}
	}
	*out = v;
	return 0;
}

static int
by_key(const void *a, const void *b)
{
	const struct setting *const *x = a, *const *y = b;

	return strcmp((*x)->key, (*y)->key);
}

static struct array *
builtins_of(const struct setting_kind *k)
{
	struct array *a = array_new(k->builtin_count);
	json_t *none = json_object();

	for (size_t i = 0; a != NULL && i < k->builtin_count; i++) {
		struct setting *s;

		if (setting_new(&s, k, k->builtins[i].key, 0, none) == 0) {
			a->v[a->count++] = s;
			continue;
		}
		array_unref(a);
		a = NULL;
	}
	json_decref(none);
	if (a != NULL)
		qsort(a->v, a->count, sizeof(struct setting *), by_key);
	return a;
}

int
settings_view_new(
    struct settings_view **out, const struct settings_world *world)
{
	struct settings_view *v = calloc(1, sizeof(*v));

	assert(setting_kind_count() <= KINDS_MAX);
	if (v == NULL)
		return ERR_NOMEM;
	v->refs = 1;
	v->world = world;
	for (size_t i = 0; i < setting_kind_count(); i++) {
		v->builtins[i] = builtins_of(setting_kinds[i]);
		if (v->builtins[i] == NULL) {
			settings_view_unref(v);
			return ERR_NOMEM;
		}
		v->kinds[i] = v->builtins[i];
		v->kinds[i]->refs++;
	}
	*out = v;
	return 0;
}

/* --- reading -------------------------------------------------------------- */

const struct setting *
settings_view_get(const struct settings_view *v,
    const struct setting_kind *kind, const char *key)
{
	return array_get(v->kinds[setting_kind_index(kind)], key);
}

struct setting *
settings_view_builtin(const struct settings_view *v,
    const struct setting_kind *kind, const char *key)
{
	return array_get(v->builtins[setting_kind_index(kind)], key);
}

size_t
settings_view_count(
    const struct settings_view *v, const struct setting_kind *kind)
{
	return v->kinds[setting_kind_index(kind)]->count;
}

const struct setting *
settings_view_at(
    const struct settings_view *v, const struct setting_kind *kind, size_t at)
{
	return v->kinds[setting_kind_index(kind)]->v[at];
}

size_t
settings_view_behind(const struct settings_view *v,
    const struct setting_kind *kind, const char *after)
{
	const struct array *a = v->kinds[setting_kind_index(kind)];
	size_t at;

	if (after == NULL || after[0] == '\0')
		return 0;
	at = array_find(a, after);
	return at < a->count && strcmp(a->v[at]->key, after) == 0 ? at + 1 : at;
}

const struct settings_world *
settings_view_world(const struct settings_view *v)
{
	return v->world;
}

static bool
same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Where the last star was seen is enough to go back to: what fits an earlier
 * one fits that one too. */
bool
settings_view_fits(const char *pattern, const char *key)
{
	const char *star = NULL, *from = NULL;

	if (pattern == NULL || pattern[0] == '\0')
		return true;
	while (*key != '\0') {
		if (*pattern == '*') {
			star = pattern++;
			from = key;
		} else if (*pattern != '\0' &&
			   (*pattern == '?' || same(*pattern, *key))) {
			pattern++;
			key++;
		} else if (star != NULL) {
			pattern = star + 1;
			key = ++from;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}
