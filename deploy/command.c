/* Asking a daemon and telling of failures, the same for all sub-commands. */
#include "deploy/command.h"

#include <stdio.h>

#include "deploy/control_client.h"
#include "deploy/text.h"

enum { WHY_SIZE = 1024 };

static enum command_exit
tell(enum control_client_outcome outcome, const char *why)
{
	char clean[WHY_SIZE];

	text_clean(clean, sizeof(clean), why);
	fprintf(stderr, "sallyport: %s\n", clean);
	switch (outcome) {
	case CONTROL_CLIENT_NO:
		return COMMAND_REFUSED;
	case CONTROL_CLIENT_CHOICE:
		return COMMAND_USAGE;
	case CONTROL_CLIENT_NOBODY:
	case CONTROL_CLIENT_YES:
		break;
	}
	return COMMAND_UNREACHABLE;
}

enum command_exit
command_ask(json_t **answer, const struct command_opts *opts, json_t *request)
{
	enum control_client_outcome outcome;
	const char *path;
	char why[WHY_SIZE] = "";

	outcome = control_client_find(&path, opts->socket, why, sizeof(why));
	if (outcome == CONTROL_CLIENT_YES)
		outcome =
		    control_client_ask(answer, path, request, why, sizeof(why));
	json_decref(request);
	return outcome == CONTROL_CLIENT_YES ? COMMAND_OK : tell(outcome, why);
}

void
command_print_json(const json_t *answer)
{
	json_dumpf(answer, stdout, JSON_INDENT(2));
	putchar('\n');
}

enum command_exit
command_misused(const char *name)
{
	fprintf(stderr,
	    "sallyport: wrong arguments for %s; see sallyport --help\n", name);
	return COMMAND_USAGE;
}
