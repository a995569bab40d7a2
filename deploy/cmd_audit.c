/*
 * sallyport audit: who changed what, when, and what it was before.
 *
 * The last rows come newest first from the gateway and are turned round here,
 * as a log reads; the whole trail comes oldest first and is printed as it
 * comes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "deploy/api_args.h"
#include "deploy/noun_print.h"
#include "deploy/text.h"

enum { LAST_DEFAULT = 20, LAST_MAX = 1000 };

enum { OPT_LAST, OPT_AFTER, OPT_ALL, OPT_KIND, OPT_WHO, OPT_KEY, OPT_VERIFY };

struct request {
	struct api_client_opts api;
	uint32_t last;
	const char *after, *kind, *who, *key;
	bool all, verify, json;
	json_t *rows;       /* the last, newest first */
	const char *before; /* the next row of a JSON list */
};

static const char help[] =
    "usage: sallyport audit [OPTION]...\n"
    "\n"
    "Lists changes of settings: number, time, who by which way, and each\n"
    "member before and after.\n"
    "\n"
    "  --last N             the last N rows; default 20, at most 1000\n"
    "  --all                all rows, from the first one on\n"
    "  --after NUMBER       all rows behind that one\n"
    "  --kind KIND          of those, changes of partner, policy ... alone\n"
    "  --key KEY            of those, changes of this one alone\n"
    "  --who WHO            of those, changes by this one alone\n"
    "  --verify             whether the trail is whole: no row changed, none\n"
    "                       missing; exit status 1 when it is "
    "not\n" API_ARGS_HELP "\n"
    "examples:\n"
    "  sallyport audit\n"
    "  sallyport audit --all --kind partner --key fabrikam.example\n"
    "  sallyport audit --verify\n"
    "\n" API_ARGS_EXIT;

static const struct option options[] = {
	{ "last", required_argument, NULL, OPT_LAST },
	{ "after", required_argument, NULL, OPT_AFTER },
	{ "all", no_argument, NULL, OPT_ALL },
	{ "kind", required_argument, NULL, OPT_KIND },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "who", required_argument, NULL, OPT_WHO },
	{ "verify", no_argument, NULL, OPT_VERIFY },
	API_ARGS_OPTIONS,
	{ NULL, 0, NULL, 0 },
};

static bool
take(void *arg, int c, const char *value)
{
	struct request *r = arg;
	uint32_t ignored;

	switch (c) {
	case OPT_LAST:
		return args_number(
		    &r->last, "audit", "--last", value, 1, LAST_MAX);
	case OPT_AFTER:
		r->after = value;
		return args_number(
		    &ignored, "audit", "--after", value, 0, UINT32_MAX);
	case OPT_ALL:
		r->all = true;
		return true;
	case OPT_KIND:
		r->kind = value;
		return true;
	case OPT_KEY:
		r->key = value;
		return true;
	case OPT_WHO:
		r->who = value;
		return true;
	case OPT_VERIFY:
		r->verify = true;
		return true;
	default:
		return api_args_take(&r->api, c, value);
	}
}

/* --- rows -------------------------------------------------------------------- */

static bool
fits(const json_t *row, const char *member, const char *wanted)
{
	const char *is = json_string_value(json_object_get(row, member));

	return wanted == NULL || (is != NULL && strcasecmp(is, wanted) == 0);
}

static void
print_row(struct request *r, const json_t *row)
{
	if (!fits(row, "kind", r->kind) || !fits(row, "key", r->key) ||
	    !fits(row, "who", r->who))
		return;
	if (r->json) {
		fputs(r->before, stdout);
		json_dumpf(row, stdout, 0);
		r->before = ",\n";
		return;
	}
	printf("%" JSON_INTEGER_FORMAT " %s %s by %s: %s %s %s\n",
	    json_integer_value(json_object_get(row, "number")),
	    text_of(row, "at"), text_of(row, "who"), text_of(row, "via"),
	    text_of(row, "action"), text_of(row, "kind"), text_of(row, "key"));
	noun_print_change(
	    json_object_get(row, "before"), json_object_get(row, "after"));
}

static bool
on_row(const json_t *row, void *arg)
{
	print_row(arg, row);
	return true;
}

/* The newest first, as many as are wanted. */
static bool
on_last(const json_t *row, void *arg)
{
	struct request *r = arg;

	json_array_append_new(r->rows, json_deep_copy(row));
	return json_array_size(r->rows) < r->last;
}

/* --- asking ------------------------------------------------------------------- */

static enum command_exit
show_all(struct request *r, struct api_client *c)
{
	return api_client_each(c, &(struct api_client_walk){
				      .path = api_client_path(c, "audit", NULL),
				      .after = r->after,
				      .on_item = on_row,
				      .arg = r });
}

static enum command_exit
show_last(struct request *r, struct api_client *c)
{
	char *path = api_client_query(
	    c, api_client_path(c, "audit", NULL), "order", "newest");
	enum command_exit status;

	r->rows = json_array();
	status = api_client_each(c,
	    &(struct api_client_walk){
		.path = path, .page = r->last, .on_item = on_last, .arg = r });
	for (size_t i = json_array_size(r->rows); i > 0 && status == COMMAND_OK;
	     i--)
		print_row(r, json_array_get(r->rows, i - 1));
	json_decref(r->rows);
	return status;
}

static enum command_exit
verify(const struct request *r, struct api_client *c)
{
	struct api_client_request q = { .method = "GET" };
	char *path = api_client_path(c, "audit", "chain");
	enum command_exit status = COMMAND_REFUSED;
	json_t *answer = NULL;
	bool whole;

	q.path = path;
	if (path != NULL)
		status = api_client_ask(&answer, c, &q);
	free(path);
	if (status != COMMAND_OK)
		return status;
	whole = json_is_true(json_object_get(answer, "whole"));
	if (r->json)
		command_print_json(answer);
	else if (whole)
		printf("%" JSON_INTEGER_FORMAT " rows, none changed, none "
		       "missing\n",
		    json_integer_value(json_object_get(answer, "rows")));
	else
		printf("row %" JSON_INTEGER_FORMAT
		       " is not what was written, or missing\n",
		    json_integer_value(json_object_get(answer, "broken")));
	json_decref(answer);
	return whole ? COMMAND_OK : COMMAND_REFUSED;
}

static enum command_exit
ask(struct request *r, struct api_client *c)
{
	enum command_exit status;

	if (r->verify)
		return verify(r, c);
	status = r->all || r->after != NULL ? show_all(r, c) : show_last(r, c);
	if (status == COMMAND_OK && r->json)
		puts(r->before[0] == ',' ? "\n]}" : "{\"items\": []}");
	return status;
}

static void
begin(void *arg)
{
	struct request *r = arg;

	r->last = LAST_DEFAULT;
	r->before = "{\"items\": [\n";
}

static enum command_exit
run(void *arg, const struct args *a)
{
	struct request *r = arg;
	struct api_client *c = NULL;
	enum command_exit status;

	r->json = a->json;
	status = api_args_open(&c, &r->api, a);
	if (status == COMMAND_OK)
		status = ask(r, c);
	api_client_close(c);
	return status;
}

enum command_exit
cmd_audit_run(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_command command = { .name = "audit",
		.help = help,
		.options = options,
		.size = sizeof(struct request),
		.begin = begin,
		.take = take,
		.run = run };

	return args_run(&command, opts, argc, argv);
}
