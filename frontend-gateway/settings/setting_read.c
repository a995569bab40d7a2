/*
 * Members that nobody outside sees stay unless they are named: a secret that
 * is not shown cannot be sent back.
 */
#include "frontend-gateway/settings/setting_read.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "frontend-gateway/settings/setting.h"
#include "frontend-gateway/settings/setting_kind.h"
#include "frontend-gateway/settings/setting_value.h"
#include "frontend-gateway/settings/settings_report.h"

/* What the new object begins with. */
static json_t *
begin(const struct setting_read *w)
{
	json_t *object = json_object();

	if (object == NULL || w->before == NULL)
		return object;
	if (json_object_update(object, w->before->secrets) == 0 &&
	    (!w->patch || json_object_update(object, w->before->object) == 0))
		return object;
	json_decref(object);
	return NULL;
}

static void
read_member(json_t *object, const struct setting_read *w,
    const struct setting_field *f, const json_t *given,
    struct settings_report *r)
{
	json_t *value;

	if (json_is_null(given)) {
		(void)json_object_del(object, f->name);
		return;
	}
	if (f->type == SETTING_DOMAINS && w->patch && json_is_object(given))
		value = setting_value_change(
		    f, json_object_get(object, f->name), given, r);
	else
		value = setting_value_read(f, given, r);
	if (value != NULL && json_object_set_new(object, f->name, value) < 0)
		settings_report_problem(r, f->name, "out of memory");
}

/* Identity stands for the key, whatever the kind calls it. */
static void
check_identity(const struct setting_read *w, const char *name,
    const json_t *given, struct settings_report *r)
{
	char key[SETTING_KEY_SIZE], why[256];
	const char *s = json_string_value(given);

	if (s == NULL) {
		settings_report_problem(r, name, "is not a text");
		return;
	}
	if (w->kind->read_key != NULL) {
		if (!w->kind->read_key(key, s, why, sizeof(why))) {
			settings_report_problem(r, name, "%s", why);
			return;
		}
		s = key;
	}
	if (strcasecmp(s, w->key) != 0)
		settings_report_problem(r, name,
		    "\"%.200s\" is not the key, %s, which does not change", s,
		    w->key);
}

static void
read_members(
    json_t *object, const struct setting_read *w, struct settings_report *r)
{
	bool named[64] = { false };
	const char *name;
	const json_t *given;

	json_object_foreach((json_t *)(uintptr_t)w->given, name, given)
	{
		const struct setting_field *f =
		    setting_kind_field(w->kind, name);

		if (f == NULL && strcasecmp(name, "Identity") == 0) {
			check_identity(w, name, given, r);
		} else if (f == NULL || (f->internal && !w->internal)) {
			settings_report_problem(r, name,
			    "a %s has no such parameter", w->kind->name);
		} else if (named[f - w->kind->fields]) {
			settings_report_problem(r, name, "is given twice");
		} else {
			named[f - w->kind->fields] = true;
			read_member(object, w, f, given, r);
		}
	}
}

/* The member that is the key is there, and is it. */
static void
settle_key(
    json_t *object, const struct setting_read *w, struct settings_report *r)
{
	const char *member = w->kind->key_member;
	const json_t *given;

	if (member == NULL)
		return;
	given = json_object_get(object, member);
	if (given != NULL)
		check_identity(w, member, given, r);
	if (json_object_set_new(object, member, json_string(w->key)) < 0)
		settings_report_problem(r, member, "out of memory");
}

/* Whether its text might be longer than allowed, at six bytes for a character;
 * nearly all are far below. */
static bool
may_be_large(const json_t *object)
{
	enum { NUMBER = 32, LISTED = 6 * 256 };
	const char *name;
	const json_t *value;
	size_t most = 0;

	json_object_foreach((json_t *)(uintptr_t)object, name, value) most +=
	    strlen(name) + NUMBER + 6 * json_string_length(value) +
	    LISTED * json_array_size(value);
	return most > SETTING_OBJECT_MAX;
}

static bool
is_too_large(const json_t *object)
{
	return may_be_large(object) &&
	       json_dumpb(object, NULL, 0, JSON_COMPACT) > SETTING_OBJECT_MAX;
}

json_t *
setting_read(const struct setting_read *what, struct settings_report *report)
{
	size_t problems = report->problem_count;
	json_t *object;

	if (!json_is_object(what->given)) {
		settings_report_problem(report, NULL, "is not an object");
		return NULL;
	}
	object = begin(what);
	if (object == NULL) {
		settings_report_problem(report, NULL, "out of memory");
		return NULL;
	}
	read_members(object, what, report);
	settle_key(object, what, report);
	for (size_t i = 0; i < what->kind->field_count; i++)
		if (what->kind->fields[i].required &&
		    json_object_get(object, what->kind->fields[i].name) == NULL)
			settings_report_problem(
			    report, what->kind->fields[i].name, "is needed");
	if (is_too_large(object))
		settings_report_problem(report, NULL, "is too large");
	if (report->problem_count == problems)
		return object;
	json_decref(object);
	return NULL;
}
