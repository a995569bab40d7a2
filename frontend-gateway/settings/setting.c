/*
 * Secrets and internal members are split off when a setting is made, so that
 * nobody who prints the object can print them.
 */
#include "frontend-gateway/settings/setting.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "frontend-gateway/settings/setting_kind.h"

static bool
is_hidden(const struct setting_field *f)
{
	return f->type == SETTING_SECRET || f->internal;
}

static const char *
builtin_text(const struct setting_kind *kind, const char *key)
{
	for (size_t i = 0; i < kind->builtin_count; i++)
		if (strcmp(kind->builtins[i].key, key) == 0)
			return kind->builtins[i].object;
	return NULL;
}

/* Both new; NULL without memory. */
static void
split(struct setting *s, const json_t *object)
{
	const char *name;
	const json_t *value;

	s->object = json_object();
	s->secrets = json_object();
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		const struct setting_field *f =
		    setting_kind_field(s->kind, name);
		json_t *copy = json_deep_copy(value);
		json_t *to;

		assert(f != NULL);
		to = is_hidden(f) ? s->secrets : s->object;
		if (json_object_set_new(to, f->name, copy) == 0)
			continue;
		json_decref(s->object);
		s->object = NULL;
		return;
	}
}

int
setting_new(struct setting **out, const struct setting_kind *kind,
    const char *key, uint64_t version, const json_t *object)
{
	struct setting *s = calloc(1, sizeof(*s));
	const char *builtin = builtin_text(kind, key);

	if (s == NULL)
		return ERR_NOMEM;
	s->refs = 1;
	s->kind = kind;
	s->version = version;
	s->key = strdup(key);
	split(s, object);
	if (builtin != NULL)
		s->builtin = json_loads(builtin, 0, NULL);
	if (s->key == NULL || s->object == NULL || s->secrets == NULL ||
	    (builtin != NULL && s->builtin == NULL)) {
		setting_unref(s);
		return ERR_NOMEM;
	}
	*out = s;
	return 0;
}

struct setting *
setting_ref(struct setting *s)
{
	s->refs++;
	return s;
}

void
setting_unref(struct setting *s)
{
	if (s == NULL || --s->refs > 0)
		return;
	free(s->key);
	json_decref(s->object);
	json_decref(s->secrets);
	json_decref((json_t *)(uintptr_t)s->builtin);
	free(s);
}

/* --- values --------------------------------------------------------------- */

/* NULL when the field's default holds. */
static const json_t *
value_of(const struct setting *s, const struct setting_field *f)
{
	const json_t *v;

	if (is_hidden(f))
		return json_object_get(s->secrets, f->name);
	v = json_object_get(s->object, f->name);
	if (v == NULL && s->builtin != NULL)
		v = json_object_get(s->builtin, f->name);
	return v;
}

static const struct setting_field *
field_of(const struct setting *s, const char *member)
{
	const struct setting_field *f = setting_kind_field(s->kind, member);

	assert(f != NULL);
	return f;
}

bool
setting_bool(const struct setting *s, const char *member)
{
	const struct setting_field *f = field_of(s, member);
	const json_t *v = value_of(s, f);

	assert(f->type == SETTING_BOOL);
	return v != NULL ? json_is_true(v) : f->number != 0;
}

int64_t
setting_integer(const struct setting *s, const char *member)
{
	const struct setting_field *f = field_of(s, member);
	const json_t *v = value_of(s, f);

	assert(f->type == SETTING_INTEGER);
	return v != NULL ? json_integer_value(v) : f->number;
}

static const char *
default_text(const struct setting_field *f)
{
	if (f->type == SETTING_CHOICE)
		return f->names[f->number];
	return f->text != NULL ? f->text : "";
}

const char *
setting_text(const struct setting *s, const char *member)
{
	const struct setting_field *f = field_of(s, member);
	const json_t *v = value_of(s, f);

	assert(f->type == SETTING_TEXT || f->type == SETTING_CHOICE ||
	       f->type == SETTING_DOMAIN || f->type == SETTING_DATE);
	return v != NULL ? json_string_value(v) : default_text(f);
}

int
setting_choice(const struct setting *s, const char *member)
{
	const struct setting_field *f = field_of(s, member);
	const char *text = setting_text(s, member);

	assert(f->type == SETTING_CHOICE);
	for (size_t i = 0; i < f->name_count; i++)
		if (strcmp(f->names[i], text) == 0)
			return (int)i;
	assert(!"a choice that was checked");
	return 0;
}

const json_t *
setting_list(const struct setting *s, const char *member)
{
	const struct setting_field *f = field_of(s, member);
	const json_t *v = value_of(s, f);

	assert(f->type == SETTING_DOMAINS);
	return v;
}

const char *
setting_secret(const struct setting *s, const char *member)
{
	const struct setting_field *f = field_of(s, member);

	return json_string_value(value_of(s, f));
}

bool
setting_has(const struct setting *s, const char *member)
{
	const struct setting_field *f = field_of(s, member);

	return json_object_get(
		   is_hidden(f) ? s->secrets : s->object, f->name) != NULL;
}

/* --- for people ----------------------------------------------------------- */

static json_t *
default_json(const struct setting_field *f)
{
	switch (f->type) {
	case SETTING_BOOL:
		return json_boolean(f->number != 0);
	case SETTING_INTEGER:
		return json_integer(f->number);
	case SETTING_DOMAINS:
		return json_array();
	case SETTING_TEXT:
	case SETTING_CHOICE:
	case SETTING_DOMAIN:
	case SETTING_DATE:
	case SETTING_SECRET:
		break;
	}
	return json_string(default_text(f));
}

json_t *
setting_merged(const struct setting *s)
{
	json_t *all = json_object();

	for (size_t i = 0; i < s->kind->field_count; i++) {
		const struct setting_field *f = &s->kind->fields[i];
		const json_t *v = value_of(s, f);

		if (is_hidden(f))
			continue;
		if (json_object_set_new(all, f->name,
			v != NULL ? json_deep_copy(v) : default_json(f)) < 0) {
			json_decref(all);
			return NULL;
		}
	}
	return all;
}

static json_t *
names_set(const struct setting *s)
{
	json_t *all = json_array();

	for (size_t i = 0; i < s->kind->field_count; i++) {
		const struct setting_field *f = &s->kind->fields[i];

		if (f->internal || !setting_has(s, f->name))
			continue;
		if (json_array_append_new(all, json_string(f->name)) < 0) {
			json_decref(all);
			return NULL;
		}
	}
	return all;
}

json_t *
setting_item(const struct setting *s)
{
	json_t *object = setting_merged(s), *set = names_set(s);

	/* json_pack gives back what it was given when it fails. */
	return json_pack("{s:s, s:I, s:o, s:o}", "key", s->key, "version",
	    (json_int_t)s->version, "object", object, "set", set);
}

json_t *
setting_shown(const struct setting *s)
{
	json_t *all = json_copy(s->object);

	for (size_t i = 0; all != NULL && i < s->kind->field_count; i++) {
		const struct setting_field *f = &s->kind->fields[i];

		if (f->internal || f->type != SETTING_SECRET ||
		    !setting_has(s, f->name))
			continue;
		if (json_object_set_new(all, f->name, json_string("set")) < 0) {
			json_decref(all);
			return NULL;
		}
	}
	return all;
}
