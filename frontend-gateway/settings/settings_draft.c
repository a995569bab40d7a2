/*
 * Each change is read by itself first.  Only when all are in order is the view
 * made that they would lead to, and checked: what changed, what goes, and what
 * takes all settings of a kind.
 */
#include "frontend-gateway/settings/settings_draft.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"
#include "frontend-gateway/settings/setting_read.h"
#include "frontend-gateway/settings/settings_view_impl.h"

/* The first of them says what is wrong with the commit as a whole. */
static void
refuse(struct settings_draft *d, int rc)
{
	if (d->rc == 0)
		d->rc = rc;
}

/* --- one change ----------------------------------------------------------- */

/* As people wrote it: given, or named by the object, or the only one. */
static const char *
given_key(const struct settings_change *c)
{
	const char *name;
	const json_t *value;

	if (c->key != NULL)
		return c->key;
	if (c->kind->closed && c->kind->builtin_count == 1)
		return c->kind->builtins[0].key;
	json_object_foreach((json_t *)(uintptr_t)c->object, name,
	    value) if (json_is_string(value) &&
		       (strcasecmp(name, "Identity") == 0 ||
			   (c->kind->key_member != NULL &&
			       strcasecmp(name, c->kind->key_member) ==
				   0))) return json_string_value(value);
	return NULL;
}

static bool
read_key(struct settings_draft *d, char key[static SETTING_KEY_SIZE],
    const struct settings_change *c)
{
	const char *given = given_key(c);
	char why[256];

	if (given == NULL) {
		settings_report_problem(&d->report, c->kind->key_member,
		    "a %s needs a name", c->kind->name);
		return false;
	}
	d->report.key = given;
	if (!c->kind->closed) {
		if (c->kind->read_key(key, given, why, sizeof(why)))
			return true;
		settings_report_problem(&d->report, NULL, "%s", why);
		return false;
	}
	for (size_t i = 0; i < c->kind->builtin_count; i++)
		if (strcasecmp(c->kind->builtins[i].key, given) == 0) {
			snprintf(key, SETTING_KEY_SIZE, "%s",
			    c->kind->builtins[i].key);
			return true;
		}
	settings_report_problem(&d->report, NULL,
	    "there is no %s \"%.100s\" and none can be made", c->kind->name,
	    given);
	return false;
}

static bool
check_version(struct settings_draft *d, const struct settings_change *c,
    const struct setting *before)
{
	uint64_t is = before != NULL ? before->version : 0;

	if (c->version == SETTINGS_ANY || c->version == is)
		return true;
	if (c->version == SETTINGS_ABSENT) {
		refuse(d, ERR_EXISTS);
		settings_report_problem(&d->report, NULL, "exists already");
	} else {
		refuse(d, ERR_CONFLICT);
		settings_report_problem(&d->report, NULL,
		    "was changed meanwhile: its version is %" PRIu64
		    ", not %" PRIu64,
		    is, c->version);
	}
	return false;
}

static bool
same_content(const struct setting *s, const struct setting *t)
{
	return json_equal(s->object, t->object) &&
	       json_equal(s->secrets, t->secrets);
}

/* A new setting, or the one before when nothing changes. */
static void
read_object(struct settings_draft *d, struct settings_owned *o,
    const struct settings_change *c, bool internal, uint64_t version)
{
	struct setting_read what = { .kind = c->kind,
		.key = o->key,
		.before = o->before,
		.given = c->object,
		.patch = c->action == SETTINGS_PATCH,
		.internal = internal };
	json_t *object = setting_read(&what, &d->report);
	struct setting *s;
	int rc;

	if (object == NULL)
		return;
	rc = setting_new(&s, c->kind, o->key, version, object);
	json_decref(object);
	if (rc < 0) {
		refuse(d, rc);
		settings_report_problem(&d->report, NULL, "out of memory");
		return;
	}
	if (o->before != NULL && same_content(o->before, s)) {
		setting_unref(s);
		s = setting_ref(o->before);
	}
	o->after = s;
}

static void
read_change(struct settings_draft *d, struct settings_view *now, size_t at,
    const struct settings_change *c, bool internal, uint64_t version)
{
	struct settings_owned *o = &d->owned[at];
	char key[SETTING_KEY_SIZE];
	struct setting *builtin;

	d->report.change = at;
	d->report.kind = c->kind->name;
	d->report.key = "";
	if (!read_key(d, key, c))
		return;
	o->key = strdup(key);
	if (o->key == NULL) {
		refuse(d, ERR_NOMEM);
		return;
	}
	d->report.key = o->key;
	o->before =
	    (struct setting *)(uintptr_t)settings_view_get(now, c->kind, key);
	if (o->before != NULL)
		setting_ref(o->before);
	if (!check_version(d, c, o->before))
		return;
	if (o->before == NULL && c->action != SETTINGS_PUT) {
		refuse(d, ERR_NOT_FOUND);
		settings_report_problem(&d->report, NULL,
		    "there is no %s \"%.200s\"", c->kind->name, key);
	} else if (c->action == SETTINGS_REMOVE) {
		builtin = settings_view_builtin(now, c->kind, key);
		o->after = builtin != NULL ? setting_ref(builtin) : NULL;
	} else {
		read_object(d, o, c, internal, version);
	}
}

/* --- all of them ---------------------------------------------------------- */

static void
fill_deltas(struct settings_draft *d, const struct settings_change *changes)
{
	for (size_t i = 0; i < d->count; i++) {
		struct settings_owned *o = &d->owned[i];

		d->deltas[i] = (struct settings_delta){ .kind = changes[i].kind,
			.key = o->key,
			.before = o->before,
			.after = o->after };
		if (o->before != o->after)
			d->changed++;
	}
}

/* The entries that change; two changes of one key cannot both hold. */
static int
make_after(struct settings_draft *d, struct settings_view *now)
{
	struct settings_entry *v = calloc(d->count + 1, sizeof(*v));
	int rc = v != NULL ? 0 : ERR_NOMEM;

	for (size_t i = 0; rc == 0 && i < d->count; i++)
		v[i] = (struct settings_entry){ d->deltas[i].kind,
			d->owned[i].key, d->owned[i].after };
	if (rc == 0)
		rc = settings_view_change(&d->after, now, v, d->count);
	for (size_t i = 1; rc == 0 && i < d->count; i++)
		if (v[i].kind == v[i - 1].kind &&
		    strcmp(v[i].key, v[i - 1].key) == 0) {
			d->report.change = SIZE_MAX;
			d->report.kind = v[i].kind->name;
			d->report.key = v[i].key;
			settings_report_problem(
			    &d->report, NULL, "is changed twice in one commit");
		}
	free(v);
	return rc;
}

static void
check_changes(struct settings_draft *d)
{
	for (size_t i = 0; i < d->count; i++) {
		const struct settings_delta *delta = &d->deltas[i];
		const struct setting_kind *k = delta->kind;
		struct setting_candidate c = { .setting = delta->after,
			.before = delta->before,
			.view = d->after,
			.report = &d->report };

		d->report.change = i;
		d->report.kind = k->name;
		d->report.key = delta->key;
		if (delta->after != NULL && delta->after->version > 0) {
			if (k->check != NULL)
				k->check(&c);
		} else if (delta->before != delta->after &&
			   k->check_removal != NULL) {
			k->check_removal(delta->before, d->after, &d->report);
		}
	}
}

static bool
touches(const struct settings_draft *d, const struct setting_kind *k)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->deltas[i].kind == k &&
		    d->deltas[i].before != d->deltas[i].after)
			return true;
	return false;
}

static void
check_kinds(struct settings_draft *d)
{
	d->report.change = SIZE_MAX;
	for (size_t i = 0; i < setting_kind_count(); i++) {
		const struct setting_kind *k = setting_kinds[i];

		if (!touches(d, k))
			continue;
		d->report.kind = k->name;
		d->report.key = "";
		if (settings_view_count(d->after, k) > k->max)
			settings_report_problem(&d->report, NULL,
			    "%zu %s, at most %zu are possible",
			    settings_view_count(d->after, k), k->plural,
			    k->max);
		else if (k->check_all != NULL)
			k->check_all(d->after, &d->report);
	}
}

/* Whose change it was that a remark of check_all() is about. */
static void
attribute(struct settings_draft *d, struct settings_remark *v, size_t count)
{
	for (size_t i = 0; i < count && i < SETTINGS_REPORT_MAX; i++)
		for (size_t k = 0; v[i].change == SIZE_MAX &&
				   v[i].key != NULL && k < d->count;
		     k++)
			if (strcmp(d->deltas[k].kind->name, v[i].kind) == 0 &&
			    strcmp(d->deltas[k].key, v[i].key) == 0)
				v[i].change = k;
}

static int
check(struct settings_draft *d, struct settings_view *now)
{
	int rc = make_after(d, now);

	if (rc < 0)
		return rc;
	if (d->report.problem_count == 0) {
		check_changes(d);
		check_kinds(d);
	}
	attribute(d, d->report.problems, d->report.problem_count);
	attribute(d, d->report.warnings, d->report.warning_count);
	return 0;
}

int
settings_draft_make(struct settings_draft **out, struct settings_view *now,
    const struct settings_change *changes, size_t count, bool internal,
    uint64_t version)
{
	struct settings_draft *d = calloc(1, sizeof(*d));
	int rc = 0;

	if (d == NULL)
		return ERR_NOMEM;
	settings_report_init(&d->report);
	d->deltas = calloc(count + 1, sizeof(*d->deltas));
	d->owned = calloc(count + 1, sizeof(*d->owned));
	if (d->deltas == NULL || d->owned == NULL) {
		settings_draft_free(d);
		return ERR_NOMEM;
	}
	d->count = count;
	for (size_t i = 0; i < count; i++)
		read_change(d, now, i, &changes[i], internal, version);
	fill_deltas(d, changes);
	if (d->rc == 0 && d->report.problem_count == 0)
		rc = check(d, now);
	d->report.kind = d->report.key = "";
	if (rc < 0) {
		settings_draft_free(d);
		return rc;
	}
	if (d->report.problem_count > 0)
		refuse(d, ERR_CONFIG);
	*out = d;
	return 0;
}

void
settings_draft_free(struct settings_draft *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; d->owned != NULL && i < d->count; i++) {
		free(d->owned[i].key);
		setting_unref(d->owned[i].before);
		setting_unref(d->owned[i].after);
	}
	free(d->owned);
	free(d->deltas);
	settings_view_unref(d->after);
	settings_report_finish(&d->report);
	free(d);
}
