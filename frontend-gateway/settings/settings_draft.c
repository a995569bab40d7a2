/*
 * Each change is read by itself first.  Only when all are in order is the view
 * made that they would lead to, and checked: what changed, what goes, and what
 * takes all settings of a kind.
 *
 *   read -> sort -> join -> check -> finished
 *     `-> finished, when there are problems
 *
 * All of it goes in steps, of which a caller may take a few at a time: a large
 * commit must not keep the loop from its other work.
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
    const struct settings_change *c)
{
	struct setting_read what = { .kind = c->kind,
		.key = o->key,
		.before = o->before,
		.given = c->object,
		.patch = c->action == SETTINGS_PATCH,
		.internal = d->internal };
	json_t *object = setting_read(&what, &d->report);
	struct setting *s;
	int rc;

	if (object == NULL)
		return;
	rc = setting_new(&s, c->kind, o->key, d->version, object);
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
read_change(
    struct settings_draft *d, size_t at, const struct settings_change *c)
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
	o->before = (struct setting *)(uintptr_t)settings_view_get(
	    d->now, c->kind, key);
	if (o->before != NULL)
		setting_ref(o->before);
	if (!check_version(d, c, o->before))
		return;
	if (o->before == NULL && c->action != SETTINGS_PUT) {
		refuse(d, ERR_NOT_FOUND);
		settings_report_problem(&d->report, NULL,
		    "there is no %s \"%.200s\"", c->kind->name, key);
	} else if (c->action == SETTINGS_REMOVE) {
		builtin = settings_view_builtin(d->now, c->kind, key);
		o->after = builtin != NULL ? setting_ref(builtin) : NULL;
	} else {
		read_object(d, o, c);
	}
}

/* --- all of them ---------------------------------------------------------- */

static void
fill_delta(struct settings_draft *d, size_t at)
{
	const struct settings_owned *o = &d->owned[at];

	d->deltas[at] = (struct settings_delta){ .kind = d->changes[at].kind,
		.key = o->key,
		.before = o->before,
		.after = o->after };
	d->entries[at] = (struct settings_entry){ d->changes[at].kind, o->key,
		o->after, at };
	if (o->before != o->after)
		d->changed++;
}

/* Two changes of one key cannot both hold. */
static void
check_doubles(struct settings_draft *d)
{
	const struct settings_entry *v = d->entries;

	for (size_t i = 1; i < d->count; i++)
		if (v[i].kind == v[i - 1].kind &&
		    strcmp(v[i].key, v[i - 1].key) == 0) {
			d->report.change = SIZE_MAX;
			d->report.kind = v[i].kind->name;
			d->report.key = v[i].key;
			settings_report_problem(
			    &d->report, NULL, "is changed twice in one commit");
		}
}

static void
check_change(struct settings_draft *d, size_t at)
{
	const struct settings_delta *delta = &d->deltas[at];
	const struct setting_kind *k = delta->kind;
	struct setting_candidate c = { .setting = delta->after,
		.before = delta->before,
		.view = d->after,
		.report = &d->report };

	d->report.change = at;
	d->report.kind = k->name;
	d->report.key = delta->key;
	if (delta->after != NULL && delta->after->version > 0) {
		if (k->check != NULL)
			k->check(&c);
	} else if (delta->before != delta->after && k->check_removal != NULL) {
		k->check_removal(delta->before, d->after, &d->report);
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

/* The first change of that kind and key; SIZE_MAX when there is none. */
static size_t
change_of(const struct settings_draft *d, const char *kind, const char *key)
{
	const struct settings_entry wanted = { .kind = setting_kind_find(kind),
		.key = key };
	size_t low = 0, high = d->count;

	if (wanted.kind == NULL)
		return SIZE_MAX;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (settings_order_compare(&d->entries[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == d->count ||
	    settings_order_compare(&d->entries[low], &wanted) > 0)
		return SIZE_MAX;
	return d->entries[low].change;
}

/* Whose change it was that a remark of check_all() is about. */
static void
attribute(struct settings_draft *d, struct settings_remark *v, size_t count)
{
	for (size_t i = 0; i < count && i < SETTINGS_REPORT_MAX; i++)
		if (v[i].change == SIZE_MAX && v[i].key != NULL)
			v[i].change = change_of(d, v[i].kind, v[i].key);
}

/* --- step by step --------------------------------------------------------- */

static int
end(struct settings_draft *d)
{
	settings_order_finish(&d->order);
	d->report.kind = d->report.key = "";
	if (d->report.problem_count > 0)
		refuse(d, ERR_CONFIG);
	d->stage = SETTINGS_DRAFT_MADE;
	return 0;
}

static int
step_read(struct settings_draft *d)
{
	if (d->at < d->count) {
		read_change(d, d->at, &d->changes[d->at]);
		fill_delta(d, d->at++);
		return 0;
	}
	if (d->rc < 0 || d->report.problem_count > 0)
		return end(d);
	d->stage = SETTINGS_DRAFT_SORT;
	return settings_order_begin(&d->order, d->entries, d->count);
}

static int
step_sort(struct settings_draft *d)
{
	if (!settings_order_step(&d->order))
		d->stage = SETTINGS_DRAFT_JOIN;
	return 0;
}

static int
step_join(struct settings_draft *d)
{
	int rc = settings_view_change(&d->after, d->now, d->entries, d->count);

	if (rc < 0)
		return rc;
	check_doubles(d);
	d->at = d->report.problem_count > 0 ? d->count : 0;
	d->stage = SETTINGS_DRAFT_CHECK;
	return 0;
}

static int
step_check(struct settings_draft *d)
{
	if (d->at < d->count) {
		check_change(d, d->at++);
		return 0;
	}
	if (d->report.problem_count == 0)
		check_kinds(d);
	attribute(d, d->report.problems, d->report.problem_count);
	attribute(d, d->report.warnings, d->report.warning_count);
	return end(d);
}

int
settings_draft_step(struct settings_draft *d)
{
	static int (*const steps[])(struct settings_draft *) = {
		[SETTINGS_DRAFT_READ] = step_read,
		[SETTINGS_DRAFT_SORT] = step_sort,
		[SETTINGS_DRAFT_JOIN] = step_join,
		[SETTINGS_DRAFT_CHECK] = step_check,
	};
	int rc;

	if (d->stage == SETTINGS_DRAFT_MADE)
		return 0;
	rc = steps[d->stage](d);
	return rc < 0 ? rc : 1;
}

/* --- life ----------------------------------------------------------------- */

int
settings_draft_begin(struct settings_draft **out, struct settings_view *now,
    const struct settings_change *changes, size_t count, bool internal,
    uint64_t version)
{
	struct settings_draft *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return ERR_NOMEM;
	settings_report_init(&d->report);
	d->changes = changes;
	d->internal = internal;
	d->version = version;
	d->now = settings_view_ref(now);
	d->deltas = calloc(count + 1, sizeof(*d->deltas));
	d->owned = calloc(count + 1, sizeof(*d->owned));
	d->entries = calloc(count + 1, sizeof(*d->entries));
	if (d->deltas == NULL || d->owned == NULL || d->entries == NULL) {
		settings_draft_free(d);
		return ERR_NOMEM;
	}
	d->count = count;
	*out = d;
	return 0;
}

bool
settings_draft_release(struct settings_draft *d)
{
	struct settings_owned *o;

	if (d->count == 0 || d->owned == NULL)
		return false;
	o = &d->owned[--d->count];
	free(o->key);
	setting_unref(o->before);
	setting_unref(o->after);
	return true;
}

void
settings_draft_free(struct settings_draft *d)
{
	if (d == NULL)
		return;
	while (settings_draft_release(d))
		;
	free(d->owned);
	free(d->deltas);
	free(d->entries);
	settings_order_finish(&d->order);
	settings_view_unref(d->after);
	settings_view_unref(d->now);
	settings_report_finish(&d->report);
	free(d);
}
