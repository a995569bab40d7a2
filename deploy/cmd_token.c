/* sallyport token: new, list, set, remove.  A token's text is in the answer to
 * its making alone: it goes to a file that its owner may read, or to standard
 * output and nothing else does. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deploy/api_args.h"
#include "deploy/noun_verbs.h"
#include "deploy/text.h"

enum { OPT_NAME, OPT_RIGHTS, OPT_EXPIRES, OPT_OUT };

struct request {
	struct api_client_opts api;
	const char *name, *expires, *out;
	int rights;
};

static const char *const rights[] = { "read", "write" };

static const char help[] =
    "usage: sallyport token new --Name NAME [OPTION]...\n"
    "\n"
    "Makes a token for the administration over HTTP, and shows it this once.\n"
    "\n"
    "  --Name NAME          who uses it, for the audit trail\n"
    "  --Rights read|write  what may be done with it; default read\n"
    "  --Expires DAY        its last day, as 2026-11-21; default: no end\n"
    "  --out FILE           writes it there, for its owner alone; default:\n"
    "                       standard output\n" API_ARGS_HELP "\n"
    "examples:\n"
    "  sallyport token new --Name grafana --Rights read \\\n"
    "      --out /etc/grafana/sallyport.token\n"
    "  sallyport token list\n"
    "  sallyport token remove 0123456789ab\n"
    "\n" API_ARGS_EXIT;

static const struct option options[] = {
	{ "Name", required_argument, NULL, OPT_NAME },
	{ "Rights", required_argument, NULL, OPT_RIGHTS },
	{ "Expires", required_argument, NULL, OPT_EXPIRES },
	{ "out", required_argument, NULL, OPT_OUT },
	API_ARGS_OPTIONS,
	{ NULL, 0, NULL, 0 },
};

static bool
take(void *arg, int c, const char *value)
{
	struct request *r = arg;

	switch (c) {
	case OPT_NAME:
		r->name = value;
		return true;
	case OPT_RIGHTS:
		return args_word(
		    &r->rights, "token new", "--Rights", value, rights, 2);
	case OPT_EXPIRES:
		r->expires = value;
		return true;
	case OPT_OUT:
		r->out = value;
		return true;
	default:
		return api_args_take(&r->api, c, value);
	}
}

/* The file is made before the token is: what cannot be kept is not asked for.
 * -1 for standard output, -2 (told) when there is none. */
static int
open_out(const char *path)
{
	int fd;

	if (path == NULL)
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	fprintf(stderr, "sallyport: %s: %s\n", path, strerror(errno));
	return -2;
}

static enum command_exit
keep_token(const struct request *r, int fd, const char *token)
{
	size_t len = strlen(token);

	if (write(fd, token, len) == (ssize_t)len && write(fd, "\n", 1) == 1)
		return COMMAND_OK;
	fprintf(stderr, "sallyport: %s: %s\n", r->out, strerror(errno));
	return COMMAND_REFUSED;
}

static enum command_exit
tell(const struct request *r, int fd, const json_t *answer, bool json)
{
	const char *token = json_string_value(json_object_get(answer, "token"));
	enum command_exit status = COMMAND_OK;

	if (token == NULL) {
		fputs("sallyport: the gateway made no token\n", stderr);
		return COMMAND_REFUSED;
	}
	if (fd >= 0)
		status = keep_token(r, fd, token);
	if (json && fd < 0)
		command_print_json(answer);
	else if (fd < 0)
		puts(token);
	else if (status == COMMAND_OK)
		printf("token %s: in %s\n", text_of(answer, "key"), r->out);
	return status;
}

static enum command_exit
ask(const struct request *r, struct api_client *c, bool json)
{
	struct api_client_request q = { .method = "POST" };
	json_t *body = json_pack("{s:s, s:s, s:s*}", "Name", r->name, "Rights",
		   rights[r->rights], "Expires", r->expires),
	       *answer = NULL;
	enum command_exit status = COMMAND_REFUSED;
	char *path = api_client_path(c, "tokens", NULL);
	int fd = open_out(r->out);

	q.body = body;
	q.path = path;
	if (body == NULL)
		fputs("sallyport: --Name or --Expires is no UTF-8\n", stderr);
	else if (path != NULL && fd != -2)
		status = api_client_ask(&answer, c, &q);
	if (status == COMMAND_OK)
		status = tell(r, fd, answer, json);
	if (fd >= 0) {
		close(fd);
		if (status != COMMAND_OK)
			unlink(r->out);
	}
	json_decref(answer);
	json_decref(body);
	free(path);
	return status;
}

static enum command_exit
run(void *arg, const struct args *a)
{
	const struct request *r = arg;
	struct api_client *c = NULL;
	enum command_exit status;

	if (r->name == NULL)
		return args_misused("token new", "--Name is needed");
	status = api_args_open(&c, &r->api, a);
	if (status == COMMAND_OK)
		status = ask(r, c, a->json);
	api_client_close(c);
	return status;
}

static enum command_exit
run_new(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_command command = { .name = "token new",
		.help = help,
		.options = options,
		.size = sizeof(struct request),
		.take = take,
		.run = run };

	return args_run(&command, opts, argc, argv);
}

static enum command_exit
run_list(const struct command_opts *opts, int argc, char **argv)
{
	return noun_verbs_run(
	    &noun_token, NOUN_GET, "token list", opts, argc, argv);
}

static enum command_exit
run_set(const struct command_opts *opts, int argc, char **argv)
{
	return noun_verbs_run(
	    &noun_token, NOUN_SET, "token set", opts, argc, argv);
}

static enum command_exit
run_remove(const struct command_opts *opts, int argc, char **argv)
{
	return noun_verbs_run(
	    &noun_token, NOUN_REMOVE, "token remove", opts, argc, argv);
}

enum command_exit
cmd_token_run(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_verb verbs[] = {
		{ "new", "make one, and show it this once", run_new },
		{ "list", "all there are, without their secrets", run_list },
		{ "set", "change name, rights or end", run_set },
		{ "remove", "end one", run_remove },
	};

	return args_verbs(
	    verbs, sizeof(verbs) / sizeof(verbs[0]), opts, argc, argv);
}
