#include "deploy/policy_effective.h"

#include <stdio.h>
#include <stdlib.h>

#include "deploy/api_args.h"
#include "deploy/text.h"

struct request {
	struct api_client_opts api;
};

static const char help[] =
    "usage: sallyport policy effective [OPTION]... USER\n"
    "\n"
    "Shows which external access policy holds for a user: the one granted to\n"
    "him, else that of his site, else the global one; what it permits, and\n"
    "whether he may talk to XMPP partners.\n"
    "\n" API_ARGS_HELP "\n"
    "Partners of public providers may take more: see `sallyport provider "
    "list'.\n"
    "\n"
    "examples:\n"
    "  sallyport policy effective anna@contoso.example\n"
    "\n" API_ARGS_EXIT;

static const struct option options[] = {
	API_ARGS_OPTIONS,
	{ NULL, 0, NULL, 0 },
};

static bool
take(void *arg, int c, const char *value)
{
	struct request *r = arg;

	return api_args_take(&r->api, c, value);
}

static void
print_flag(const char *name, const json_t *value)
{
	printf("%-33s : %s\n", name, json_is_true(value) ? "True" : "False");
}

static void
print(const json_t *answer)
{
	json_t *rights = json_object_get(answer, "rights"), *value;
	const char *missing = text_of(answer, "missing"), *name;

	printf("%-33s : %s\n", "Identity", text_of(answer, "user"));
	printf("%-33s : %s (%s)\n", "Policy", text_of(answer, "policy"),
	    text_of(answer, "scope"));
	json_object_foreach(rights, name, value)
	{
		print_flag(name, value);
	}
	print_flag("AllowFederatedUsers",
	    json_object_get(answer, "AllowFederatedUsers"));
	print_flag("XMPP partners", json_object_get(answer, "xmpp"));
	if (missing[0] != '\0')
		printf("%-33s : %s\n", "Missing", missing);
}

static enum command_exit
run(void *arg, const struct args *a)
{
	struct request *r = arg;
	struct api_client *c = NULL;
	json_t *answer = NULL;
	char *path = NULL;
	enum command_exit status;

	if (a->rest_count != 1)
		return args_misused("policy effective", "name one user");
	status = api_args_open(&c, &r->api, a);
	if (status == COMMAND_OK) {
		path = api_client_path(c, "rights", a->rest[0]);
		status = api_client_ask(&answer, c,
		    &(struct api_client_request){
			.method = "GET", .path = path });
	}
	if (status == COMMAND_OK && a->json) {
		json_dumpf(answer, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (status == COMMAND_OK) {
		print(answer);
	}
	json_decref(answer);
	free(path);
	api_client_close(c);
	return status;
}

enum command_exit
policy_effective_run(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_command command = {
		.name = "policy effective",
		.help = help,
		.options = options,
		.size = sizeof(struct request),
		.rest = 1,
		.take = take,
		.run = run,
	};

	return args_run(&command, opts, argc, argv);
}
