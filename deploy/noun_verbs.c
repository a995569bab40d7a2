/*
 * The options of a verb are put together from the noun's table, and so is its
 * help text; what is done with them is in noun_change.c and noun_show.c.
 */
#include "deploy/noun_verbs.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "deploy/api_args.h"
#include "deploy/noun_request.h"
#include "deploy/noun_value.h"

enum { OPTIONS_MAX = NOUN_REQUEST_MEMBERS + 16, HELP_MAX = 16384 };

enum {
	OPT_MEMBER = 100, /* and the member's place */
	OPT_IDENTITY = 200,
	OPT_FILTER,
	OPT_LIST,
	OPT_WHAT_IF,
	OPT_CONFIRM,
	OPT_FORCE,
	OPT_VERSION,
	OPT_IN_MEMORY,
	OPT_INSTANCE
};

#define VERB(v) (1U << (v))

static const struct {
	const char *name;
	bool value;
	int c;
	unsigned verbs;
	const char *help;
} verb_options[] = {
	{ "Filter", true, OPT_FILTER, VERB(NOUN_GET),
	    "  --Filter PATTERN     those alone that fit; * and ? stand for "
	    "others\n" },
	{ "list", false, OPT_LIST, VERB(NOUN_GET),
	    "  --list               all members of each, not a table\n" },
	{ "WhatIf", false, OPT_WHAT_IF,
	    VERB(NOUN_NEW) | VERB(NOUN_SET) | VERB(NOUN_REMOVE) |
		VERB(NOUN_GRANT),
	    "  --WhatIf             tells what would change, does nothing\n" },
	{ "Confirm", false, OPT_CONFIRM,
	    VERB(NOUN_NEW) | VERB(NOUN_SET) | VERB(NOUN_REMOVE) |
		VERB(NOUN_GRANT),
	    "  --Confirm            asks first\n" },
	{ "Force", false, OPT_FORCE,
	    VERB(NOUN_NEW) | VERB(NOUN_SET) | VERB(NOUN_REMOVE) |
		VERB(NOUN_GRANT),
	    "  --Force              no question, and no regard for a change by "
	    "another\n" },
	{ "Version", true, OPT_VERSION, VERB(NOUN_SET) | VERB(NOUN_REMOVE),
	    "  --Version N          only if it is still this version\n" },
	{ "InMemory", false, OPT_IN_MEMORY, VERB(NOUN_NEW),
	    "  --InMemory           creates nothing; prints what --Instance of "
	    "set takes\n" },
	{ "Instance", true, OPT_INSTANCE, VERB(NOUN_SET),
	    "  --Instance FILE      all of it, as --json of get and --InMemory "
	    "print it;\n"
	    "                       - is standard input\n" },
};

enum { VERB_OPTIONS = sizeof(verb_options) / sizeof(verb_options[0]) };

static bool
takes_members(enum noun_verb v)
{
	return v == NOUN_NEW || v == NOUN_SET || v == NOUN_GRANT;
}

/* --- help ------------------------------------------------------------------------ */

static const char *
kind_of(const struct noun_member *m)
{
	switch (m->type) {
	case NOUN_FLAG:
		return "true|false";
	case NOUN_NUMBER:
		return "N";
	case NOUN_NAMES:
		return "A,B | Add=A,B | Remove=A,B | ''";
	case NOUN_SECRET:
		return "@FILE";
	case NOUN_DOMAIN:
		return "NAME";
	case NOUN_TEXT:
	case NOUN_TOLD:
	case NOUN_WORD:
		break;
	}
	return "TEXT";
}

static void
help_member(struct buf *b, const struct noun_member *m)
{
	if (m->type == NOUN_TOLD)
		return;
	buf_addf(b, "  --%s ", m->name);
	if (m->type == NOUN_WORD)
		for (size_t i = 0; m->words[i] != NULL; i++)
			buf_addf(b, "%s%s", i > 0 ? "|" : "", m->words[i]);
	else
		buf_add_str(b, kind_of(m));
	buf_add_str(b, "\n        ");
	for (const char *s = m->what; *s != '\0'; s++) {
		buf_add_char(b, *s);
		if (*s == '\n')
			buf_add_str(b, "        ");
	}
	buf_add_char(b, '\n');
}

static const char *
purpose(enum noun_verb v)
{
	static const char *const words[] = {
		[NOUN_NEW] = "Creates %s.\n\n",
		[NOUN_SET] = "Changes %s: the members named, no other.\n\n",
		[NOUN_GET] = "Shows %s; with a filter or nothing said, all.\n"
			     "\n",
		[NOUN_REMOVE] =
		    "Removes %s; what is always there goes back to its\n"
		    "defaults.\n\n",
		[NOUN_GRANT] = "Says %s, or takes it back.\n\n",
	};

	return words[v];
}

/* The caller ends it. */
static const char *
write_help(struct buf *b, const struct noun_request *r)
{
	const struct noun *n = r->noun;
	const char *word = n->option != NULL ? n->key_word : "";
	char line[128];

	buf_init(b, HELP_MAX);
	buf_addf(b, "usage: sallyport %s %s%s%s[OPTION]...\n\n", r->name,
	    r->verb == NOUN_GET && word[0] != '\0' ? "[" : "", word,
	    r->verb == NOUN_GET && word[0] != '\0' ? "] "
	    : word[0] != '\0'                      ? " "
						   : "");
	snprintf(line, sizeof(line), "%s", n->title);
	for (const char *s = purpose(r->verb); *s != '\0'; s++) {
		if (s[0] == '%' && s[1] == 's') {
			buf_add_str(b, line);
			s++;
		} else {
			buf_add_char(b, *s);
		}
	}
	if (n->option != NULL)
		buf_addf(b, "  --%s %s\n        which one\n", n->option, word);
	for (const struct noun_member *m = n->members;
	     takes_members(r->verb) && m->name != NULL; m++)
		help_member(b, m);
	for (size_t i = 0; i < VERB_OPTIONS; i++)
		if ((verb_options[i].verbs & VERB(r->verb)) != 0)
			buf_add_str(b, verb_options[i].help);
	buf_add_str(b, API_ARGS_HELP);
	buf_addf(b, "\nexamples:\n%s\n", n->examples);
	buf_add_str(b, API_ARGS_EXIT);
	return buf_cstr(b);
}

/* --- options ---------------------------------------------------------------------- */

static void
make_options(struct option out[OPTIONS_MAX], const struct noun_request *r)
{
	static const struct option api[] = { API_ARGS_OPTIONS };
	const struct noun *n = r->noun;
	size_t count = 0;

	out[count++] = (struct option){ "Identity", required_argument, NULL,
		OPT_IDENTITY };
	if (n->option != NULL && strcmp(n->option, "Identity") != 0)
		out[count++] = (struct option){ n->option, required_argument,
			NULL, OPT_IDENTITY };
	for (int i = 0; takes_members(r->verb) && n->members[i].name != NULL;
	     i++) {
		assert(i < NOUN_REQUEST_MEMBERS);
		if (n->members[i].type == NOUN_TOLD)
			continue;
		out[count++] = (struct option){ n->members[i].name,
			required_argument, NULL, OPT_MEMBER + i };
	}
	for (size_t i = 0; i < VERB_OPTIONS; i++)
		if ((verb_options[i].verbs & VERB(r->verb)) != 0)
			out[count++] = (struct option){ verb_options[i].name,
				verb_options[i].value ? required_argument
						      : no_argument,
				NULL, verb_options[i].c };
	assert(count + API_ARGS_COUNT < OPTIONS_MAX);
	memcpy(out + count, api, sizeof(api));
	out[count + API_ARGS_COUNT] = (struct option){ 0 };
}

static bool
take_version(struct noun_request *r, const char *value)
{
	r->version = value;
	if (value[0] != '\0' && value[strspn(value, "0123456789")] == '\0')
		return true;
	args_misused(r->name, "--Version: \"%s\" is no number", value);
	return false;
}

static bool
take_member(struct noun_request *r, int at, const char *value)
{
	const struct noun_member *m = &r->noun->members[at];
	char why[NOUN_VALUE_WHY];

	if (noun_value_read(&r->said[at], m, value, why))
		return true;
	args_misused(r->name, "--%s: %s", m->name, why);
	return false;
}

static bool
take(void *arg, int c, const char *value)
{
	struct noun_request *r = arg;

	if (c >= OPT_MEMBER && c < OPT_MEMBER + NOUN_REQUEST_MEMBERS)
		return take_member(r, c - OPT_MEMBER, value);
	switch (c) {
	case OPT_IDENTITY:
		r->identity = value;
		return true;
	case OPT_FILTER:
		r->filter = value;
		return true;
	case OPT_LIST:
		r->list = true;
		return true;
	case OPT_WHAT_IF:
		r->what_if = true;
		return true;
	case OPT_CONFIRM:
		r->confirm = true;
		return true;
	case OPT_FORCE:
		r->force = true;
		return true;
	case OPT_VERSION:
		return take_version(r, value);
	case OPT_IN_MEMORY:
		r->in_memory = true;
		return true;
	case OPT_INSTANCE:
		r->instance = value;
		return true;
	default:
		return api_args_take(&r->api, c, value);
	}
}

/* --- doing it ----------------------------------------------------------------------- */

static bool
choose_key(struct noun_request *r, const struct args *a)
{
	const struct noun *n = r->noun;

	if (a->rest_count > 0 && r->identity != NULL) {
		args_misused(r->name, "\"%s\" is one too many", a->rest[0]);
		return false;
	}
	if (a->rest_count > 0)
		r->identity = a->rest[0];
	if (r->identity == NULL && n->option == NULL)
		r->identity = "global";
	if (r->identity == NULL)
		return true;
	if (noun_key(r->key, sizeof(r->key), n, r->identity))
		return true;
	args_misused(r->name, "\"%s\" is not of the form %s", r->identity,
	    n->option != NULL ? n->key_word : "global");
	return false;
}

static enum command_exit
run(void *arg, const struct args *a)
{
	struct noun_request *r = arg;
	struct api_client *c = NULL;
	enum command_exit status;

	r->json = a->json;
	if (!choose_key(r, a))
		return COMMAND_USAGE;
	if (r->filter != NULL && r->identity != NULL)
		return args_misused(
		    r->name, "--Filter goes without the name of one");
	status = api_args_open(&c, &r->api, a);
	if (status == COMMAND_OK)
		status = r->verb == NOUN_GET ? noun_show_run(r, c)
					     : noun_change_run(r, c);
	api_client_close(c);
	return status;
}

static void
end(void *arg)
{
	struct noun_request *r = arg;

	for (size_t i = 0; i < NOUN_REQUEST_MEMBERS; i++)
		json_decref(r->said[i]);
}

enum command_exit
noun_verbs_run(const struct noun *n, enum noun_verb verb, const char *name,
    const struct command_opts *opts, int argc, char **argv)
{
	struct noun_request initial = { .noun = n, .verb = verb, .name = name };
	struct option options[OPTIONS_MAX];
	struct buf help;
	struct args_command command = { .name = name,
		.options = options,
		.size = sizeof(initial),
		.rest = 1,
		.initial = &initial,
		.take = take,
		.run = run,
		.end = end };
	enum command_exit status;

	make_options(options, &initial);
	command.help = write_help(&help, &initial);
	assert(command.help != NULL);
	status = args_run(&command, opts, argc, argv);
	buf_finish(&help);
	return status;
}
