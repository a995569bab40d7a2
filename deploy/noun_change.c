/*
 * new, set, remove and grant: one request to the gateway, told as what was and
 * what is.
 *
 * Nothing is read before it is written: the gateway merges and compares.  What
 * keeps two administrators apart is the version: new writes only where nothing
 * is, --Instance only over the version that was read, --Version over the one
 * that was seen.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deploy/api_args.h"
#include "deploy/change_print.h"
#include "deploy/noun_print.h"
#include "deploy/noun_request.h"
#include "deploy/noun_value.h"

enum { VERSION_SIZE = 24 };

struct change {
	struct noun_request *r;
	struct api_client *c;
	const char *method;
	json_t *object;
	char version[VERSION_SIZE]; /* "" = any */
	bool create;
};

static const char *
past_of(const struct change *ch)
{
	if (strcmp(ch->method, "DELETE") == 0)
		return "removed";
	return ch->create ? "created" : "changed";
}

/* --- what is asked for -------------------------------------------------------------- */

/* The members that were said, as an object; false (told) when they fit
 * together badly. */
static bool
read_members(struct change *ch)
{
	const struct noun_request *r = ch->r;
	const struct noun *n = r->noun;

	ch->object = json_object();
	if (n->key_inside && r->verb == NOUN_NEW)
		json_object_set_new(ch->object, n->option, json_string(r->key));
	for (size_t i = 0; n->members[i].name != NULL; i++) {
		json_t *value = json_incref(r->said[i]);

		if (value == NULL)
			continue;
		if (r->verb != NOUN_SET && !noun_value_settle(&value)) {
			json_decref(value);
			args_misused(r->name,
			    "--%s: there is nothing yet that "
			    "could be removed",
			    n->members[i].name);
			return false;
		}
		/* In what is not there yet, nothing said is the default. */
		if (json_is_null(value) && r->verb != NOUN_SET)
			json_decref(value);
		else
			json_object_set_new(
			    ch->object, n->members[i].name, value);
	}
	return true;
}

/* An item as get --json prints it, or the object of one alone. */
static bool
read_instance(struct change *ch)
{
	struct noun_request *r = ch->r;
	bool standard = strcmp(r->instance, "-") == 0;
	json_t *root, *object;
	json_error_t e;
	const char *key;

	root = standard
		   ? json_loadf(stdin, JSON_REJECT_DUPLICATES, &e)
		   : json_load_file(r->instance, JSON_REJECT_DUPLICATES, &e);
	if (!json_is_object(root)) {
		args_misused(r->name, "--Instance: %s:%d: %s", r->instance,
		    root == NULL ? e.line : 1,
		    root == NULL ? e.text : "no object");
		json_decref(root);
		return false;
	}
	object = json_object_get(root, "object");
	ch->object = json_incref(json_is_object(object) ? object : root);
	key = json_string_value(json_object_get(root, "key"));
	if (key == NULL && r->noun->key_inside)
		key = json_string_value(
		    json_object_get(ch->object, r->noun->option));
	if (r->identity == NULL && key != NULL &&
	    noun_key(r->key, sizeof(r->key), r->noun, key))
		r->identity = r->key;
	if (json_is_object(object) && r->version == NULL) {
		json_int_t version =
		    json_integer_value(json_object_get(root, "version"));

		ch->create = version == 0;
		if (version > 0)
			snprintf(ch->version, sizeof(ch->version),
			    "%" JSON_INTEGER_FORMAT, version);
	}
	json_decref(root);
	return true;
}

static bool
nothing_said(const struct noun_request *r)
{
	for (size_t i = 0; i < NOUN_REQUEST_MEMBERS; i++)
		if (r->said[i] != NULL)
			return false;
	return true;
}

/* A grant is one word: without it, it is taken back. */
static bool
takes_back(const struct noun_request *r)
{
	const char *policy = json_string_value(r->said[0]);

	return r->verb == NOUN_GRANT && (policy == NULL || policy[0] == '\0');
}

static bool
read_change(struct change *ch)
{
	struct noun_request *r = ch->r;

	ch->method =
	    r->verb == NOUN_SET && r->instance == NULL ? "PATCH" : "PUT";
	ch->create = r->verb == NOUN_NEW;
	if (r->version != NULL)
		snprintf(ch->version, sizeof(ch->version), "%s", r->version);
	if (r->instance != NULL && !nothing_said(r)) {
		args_misused(r->name, "--Instance goes without members");
		return false;
	}
	if (r->verb != NOUN_NEW && r->verb != NOUN_REMOVE &&
	    r->instance == NULL && nothing_said(r)) {
		args_misused(r->name, "what is to be set?");
		return false;
	}
	if (r->instance != NULL && !read_instance(ch))
		return false;
	if (r->identity == NULL) {
		args_misused(r->name, "which one? %s is needed",
		    r->noun->option != NULL ? r->noun->key_word : "global");
		return false;
	}
	if (r->verb == NOUN_REMOVE || takes_back(r))
		ch->method = "DELETE";
	else if (r->instance == NULL && !read_members(ch))
		return false;
	if (r->force)
		ch->version[0] = '\0';
	return true;
}

/* --- asking, and telling -------------------------------------------------------------- */

/* What holds before or after, with defaults; NULL when nothing does. */
static json_t *
object_in(const json_t *answer, const char *side)
{
	return json_object_get(json_object_get(answer, side), "object");
}

/* The same members were set before and after; a secret shows by that alone. */
static bool
set_alike(const json_t *answer)
{
	const json_t *before = json_object_get(answer, "before");
	const json_t *after = json_object_get(answer, "after");

	return json_equal(json_object_get(before, "version"),
		   json_object_get(after, "version")) &&
	       json_equal(json_object_get(before, "set"),
		   json_object_get(after, "set"));
}

static void
print_outcome(const struct change *ch, json_t *answer)
{
	const struct noun_request *r = ch->r;
	const json_t *before = object_in(answer, "before");
	const json_t *after = object_in(answer, "after");
	const char *name = r->noun->name, *what = past_of(ch);
	bool same = before != NULL && after != NULL && set_alike(answer) &&
		    json_equal(before, after);

	if (r->json) {
		command_print_json(answer);
	} else if (same) {
		printf("%s %s: as it was\n", name, r->key);
	} else {
		printf("%s%s %s: %s%s\n", r->what_if ? "What if: " : "", name,
		    r->key, r->what_if ? "would be " : "", what);
		if (after != NULL)
			noun_print_change(before, after);
	}
	change_print_warnings(answer);
	if (!r->json && !r->what_if)
		change_print_reach(answer);
}

/* What set --Instance takes; nothing was created. */
static void
print_in_memory(const struct change *ch, json_t *answer)
{
	json_t *after = object_in(answer, "after");
	json_t *item = json_pack("{s:s, s:i, s:O}", "key", ch->r->key,
	    "version", 0, "object", after != NULL ? after : ch->object);

	command_print_json(item);
	json_decref(item);
	change_print_warnings(answer);
}

static bool
confirmed(const struct change *ch)
{
	char question[NOUN_KEY_MAX + 64];

	if (!ch->r->confirm || ch->r->force || ch->r->what_if)
		return true;
	snprintf(question, sizeof(question), "%s %s is to be %s",
	    ch->r->noun->name, ch->r->key, past_of(ch));
	return change_print_ask(question);
}

static enum command_exit
send_change(json_t **answer, const struct change *ch)
{
	const struct noun_request *r = ch->r;
	struct api_client_request q = { .method = ch->method,
		.body = strcmp(ch->method, "DELETE") != 0 ? ch->object : NULL,
		.version = ch->version[0] != '\0' ? ch->version : NULL,
		.create = ch->create && !r->force };
	enum command_exit status;
	char *path = api_client_path(
	    ch->c, r->noun->plural, r->noun->option != NULL ? r->key : NULL);

	if (r->what_if || r->in_memory)
		path = api_client_query(ch->c, path, "dry_run", "true");
	if (path == NULL)
		return COMMAND_REFUSED;
	q.path = path;
	status = api_client_ask(answer, ch->c, &q);
	free(path);
	return status;
}

enum command_exit
noun_change_run(struct noun_request *r, struct api_client *c)
{
	struct change ch = { .r = r, .c = c };
	enum command_exit status = COMMAND_USAGE;
	json_t *answer = NULL;

	if (!read_change(&ch))
		goto done;
	if (!confirmed(&ch)) {
		fputs("sallyport: nothing was done\n", stderr);
		status = COMMAND_REFUSED;
		goto done;
	}
	status = send_change(&answer, &ch);
	if (status != COMMAND_OK)
		goto done;
	if (r->in_memory)
		print_in_memory(&ch, answer);
	else
		print_outcome(&ch, answer);

done:
	json_decref(answer);
	json_decref(ch.object);
	return status;
}
