/*
 * sallyport test-im: a message in a user's name to a contact, and what became
 * of it, for a person or a watcher node (Test-CsXmppIM).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "deploy/api_args.h"
#include "deploy/text.h"

enum { OPT_SENDER, OPT_RECEIVER, OPT_TEXT, OPT_TARGET };

struct request {
	struct api_client_opts api;
	const char *sender, *receiver, *text, *target;
};

static const char help[] =
    "usage: sallyport test-im --Sender USER --Receiver CONTACT [OPTION]...\n"
    "\n"
    "Sends a message as USER, who must be permitted, to CONTACT, who receives\n"
    "it, and waits for what becomes of it: until the partner's server is seen\n"
    "to have it, or it has failed.\n"
    "\n"
    "  --Sender USER        who is a user of the pool: "
    "anna@contoso.example;\n"
    "                       --UserSipAddress is the same\n"
    "  --Receiver CONTACT   at a partner's: bo@partner.example\n"
    "  --Text TEXT          default \"Test message\"\n"
    "  --TargetFqdn NAME    nothing is sent unless this is the gateway's "
    "name\n" API_ARGS_HELP "\n"
    "Both addresses may begin with sip:.  Nobody signs in, so the cmdlet's\n"
    "RegistrarPort, Authentication and UserCredential have no counterpart.\n"
    "\n"
    "examples:\n"
    "  sallyport test-im --Sender test@contoso.example \\\n"
    "      --Receiver test@partner.example\n"
    "\n" API_ARGS_EXIT;

static const struct option options[] = {
	{ "Sender", required_argument, NULL, OPT_SENDER },
	{ "UserSipAddress", required_argument, NULL, OPT_SENDER },
	{ "Receiver", required_argument, NULL, OPT_RECEIVER },
	{ "Text", required_argument, NULL, OPT_TEXT },
	{ "TargetFqdn", required_argument, NULL, OPT_TARGET },
	API_ARGS_OPTIONS,
	{ NULL, 0, NULL, 0 },
};

/* As the cmdlet takes it, too. */
static const char *
address_of(const char *value)
{
	return strncasecmp(value, "sip:", 4) == 0 ? value + 4 : value;
}

static bool
take(void *arg, int c, const char *value)
{
	struct request *r = arg;

	switch (c) {
	case OPT_SENDER:
		r->sender = address_of(value);
		return true;
	case OPT_RECEIVER:
		r->receiver = address_of(value);
		return true;
	case OPT_TARGET:
		r->target = value;
		return true;
	case OPT_TEXT:
		r->text = value;
		return true;
	default:
		return api_args_take(&r->api, c, value);
	}
}

static void
print_result(const json_t *answer)
{
	const json_t *error = json_object_get(answer, "Error");

	printf("Target Fqdn   : %s\n"
	       "Sender        : %s\n"
	       "Receiver      : %s\n"
	       "Result        : %s\n"
	       "Latency       : %s\n",
	    text_of(answer, "TargetFqdn"), text_of(answer, "Sender"),
	    text_of(answer, "Receiver"), text_of(answer, "Result"),
	    text_of(answer, "Latency"));
	if (text_of(answer, "Edge")[0] != '\0')
		printf("Edge          : %s\n", text_of(answer, "Edge"));
	if (error == NULL) {
		printf("Proof         : %s\n", text_of(answer, "Proof"));
		return;
	}
	printf("Error Message : SIP %" JSON_INTEGER_FORMAT
	       ", ms-diagnostics %" JSON_INTEGER_FORMAT "\n"
	       "Diagnosis     : %s\n"
	       "Advice        : %s\n",
	    json_integer_value(json_object_get(error, "status")),
	    json_integer_value(json_object_get(error, "diagnostics")),
	    text_of(answer, "Diagnosis"), text_of(answer, "Advice"));
}

static enum command_exit
ask(const struct request *r, struct api_client *c, bool json)
{
	struct api_client_request q = { .method = "POST" };
	char *path = api_client_path(c, "test-im", NULL);
	json_t *body = json_pack("{s:s, s:s, s:s*, s:s*}", "Sender", r->sender,
	    "Receiver", r->receiver, "Text", r->text, "TargetFqdn", r->target);
	enum command_exit status = COMMAND_REFUSED;
	json_t *answer = NULL;

	q.path = path;
	q.body = body;
	if (path != NULL && body != NULL)
		status = api_client_ask(&answer, c, &q);
	free(path);
	json_decref(body);
	if (status != COMMAND_OK)
		return status;
	if (json)
		command_print_json(answer);
	else
		print_result(answer);
	if (strcmp(text_of(answer, "Result"), "Success") != 0)
		status = COMMAND_REFUSED;
	json_decref(answer);
	return status;
}

static enum command_exit
run(void *arg, const struct args *a)
{
	const struct request *r = arg;
	struct api_client *c = NULL;
	enum command_exit status;

	if (r->sender == NULL || r->receiver == NULL)
		return args_misused(
		    "test-im", "--Sender and --Receiver are needed");
	status = api_args_open(&c, &r->api, a);
	if (status == COMMAND_OK)
		status = ask(r, c, a->json);
	api_client_close(c);
	return status;
}

enum command_exit
cmd_test_im_run(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_command command = { .name = "test-im",
		.help = help,
		.options = options,
		.size = sizeof(struct request),
		.take = take,
		.run = run };

	return args_run(&command, opts, argc, argv);
}
