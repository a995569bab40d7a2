/*
 * Of each kind that the import has, all the gateway has is read once, page by
 * page, and kept by key; then each setting is looked up and compared member by
 * member.
 */
#include "deploy/import_plan.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "deploy/import_read.h"
#include "deploy/noun.h"
#include "deploy/noun_print.h"
#include "deploy/text.h"

int
import_plan_init(struct import_plan *p)
{
	*p = (struct import_plan){ .changes = json_array() };
	return p->changes != NULL ? 0 : ERR_NOMEM;
}

void
import_plan_finish(struct import_plan *p)
{
	json_decref(p->changes);
	*p = (struct import_plan){ 0 };
}

/* --- comparing ----------------------------------------------------------------- */

/* A list means the same in any order. */
static bool
has_all(const json_t *list, const json_t *of)
{
	for (size_t i = 0; i < json_array_size(of); i++) {
		bool found = false;

		for (size_t k = 0; k < json_array_size(list) && !found; k++)
			found = json_equal(
			    json_array_get(list, k), json_array_get(of, i));
		if (!found)
			return false;
	}
	return true;
}

static bool
same(const json_t *a, const json_t *b)
{
	if (json_is_array(a) && json_is_array(b))
		return json_array_size(a) == json_array_size(b) &&
		       has_all(a, b);
	return json_equal(a, b) == 1;
}

json_t *
import_plan_difference(json_t *object, const json_t *held)
{
	const json_t *now = json_object_get(held, "object");
	json_t *out = json_object();
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		if (!same(value, json_object_get(now, name)))
			json_object_set(out, name, value);
	}
	if (json_object_size(out) > 0)
		return out;
	json_decref(out);
	return NULL;
}

/* The held values of the members that change. */
static json_t *
before_of(json_t *difference, const json_t *held)
{
	const json_t *now = json_object_get(held, "object");
	json_t *out = json_object();
	const char *name;
	json_t *value;

	json_object_foreach(difference, name, value)
	{
		json_t *was = json_object_get(now, name);

		if (was != NULL)
			json_object_set(out, name, was);
	}
	return out;
}

/* --- what the gateway has -------------------------------------------------------- */

static bool
on_item(const json_t *item, void *arg)
{
	const char *key = json_string_value(json_object_get(item, "key"));
	json_t *kept;

	if (key == NULL)
		return true;
	kept = json_deep_copy(item);
	return json_object_set_new(arg, key, kept) == 0;
}

static enum command_exit
read_held(json_t **out, struct api_client *c, const struct noun *n)
{
	struct api_client_request q = { .method = "GET" };
	char *path = api_client_path(c, n->plural, NULL);
	enum command_exit status;
	json_t *item = NULL;

	*out = json_object();
	if (n->option != NULL)
		return api_client_each(
		    c, &(struct api_client_walk){
			   .path = path, .on_item = on_item, .arg = *out });
	if (path == NULL)
		return COMMAND_REFUSED;
	q.path = path;
	status = api_client_ask(&item, c, &q);
	if (status == COMMAND_OK)
		json_object_set_new(*out, "global", item);
	free(path);
	return status;
}

/* --- the plan ------------------------------------------------------------------------ */

static bool
is_chosen(const struct import_setting *s, const struct import_choice *choice)
{
	return (choice->noun == NULL || choice->noun == s->noun) &&
	       (choice->filter == NULL ||
		   fnmatch(choice->filter, s->key, FNM_NOESCAPE) == 0);
}

static enum command_exit
no_memory(void)
{
	fputs("sallyport: out of memory\n", stderr);
	return COMMAND_REFUSED;
}

static void
print_change(
    const struct import_setting *s, json_t *difference, const json_t *held)
{
	char key[TEXT_CELL_MAX];
	json_t *before;

	text_clean(key, sizeof(key), s->key);
	printf("%s %s: %s\n", s->noun->name, key,
	    held == NULL ? "new" : "changed");
	before = held != NULL ? before_of(difference, held) : NULL;
	noun_print_change(before, difference);
	json_decref(before);
}

/* A setting that nobody touched yet has version 0, as one that is not there. */
static enum command_exit
plan_one(struct import_plan *p, const struct import_setting *s,
    const json_t *held, bool quiet)
{
	json_t *version = json_object_get(held, "version");
	json_t *difference = held != NULL
				 ? import_plan_difference(s->object, held)
				 : json_incref(s->object);
	json_t *change;

	if (difference == NULL) {
		p->same++;
		return COMMAND_OK;
	}
	if (!quiet)
		print_change(s, difference, held);
	change = json_pack("{s:s, s:s, s:s, s:o, s:I}", "kind", s->noun->name,
	    "key", s->key, "method", held == NULL ? "PUT" : "PATCH", "object",
	    difference, "version", json_integer_value(version));
	if (json_array_append_new(p->changes, change) < 0)
		return no_memory();
	if (held == NULL)
		p->created++;
	else
		p->changed++;
	return COMMAND_OK;
}

static enum command_exit
plan_kind(struct import_plan *p, const struct import *im, const struct noun *n,
    const struct import_choice *choice, struct api_client *c, bool quiet)
{
	enum command_exit status = COMMAND_OK;
	json_t *held = NULL;

	for (size_t i = 0; i < im->count && status == COMMAND_OK; i++) {
		const struct import_setting *s = &im->settings[i];

		if (s->noun != n)
			continue;
		if (!is_chosen(s, choice)) {
			p->passed_over++;
			continue;
		}
		if (held == NULL)
			status = read_held(&held, c, n);
		if (status == COMMAND_OK)
			status = plan_one(
			    p, s, json_object_get(held, s->key), quiet);
	}
	json_decref(held);
	return status;
}

enum command_exit
import_plan_make(struct import_plan *p, const struct import *im,
    const struct import_choice *choice, struct api_client *c, bool quiet)
{
	static const struct noun *const nouns[] = { &noun_gateway_config,
		&noun_access_edge, &noun_partner, &noun_policy, &noun_grant };
	enum command_exit status = COMMAND_OK;

	for (size_t i = 0;
	     i < sizeof(nouns) / sizeof(nouns[0]) && status == COMMAND_OK; i++)
		status = plan_kind(p, im, nouns[i], choice, c, quiet);
	return status;
}
