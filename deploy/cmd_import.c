/* sallyport import: what a pool exported becomes the gateway's settings */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/err.h"
#include "deploy/api_args.h"
#include "deploy/change_print.h"
#include "deploy/import_plan.h"
#include "deploy/import_read.h"
#include "deploy/import_text.h"
#include "deploy/noun.h"
#include "deploy/text.h"

#define NAME "import"

enum { OPT_YES, OPT_WHAT_IF, OPT_KIND, OPT_FILTER };

struct request {
	struct api_client_opts api;
	struct import_choice choice;
	bool yes, what_if;
};

static const char help[] =
    "usage: sallyport import FILE... [OPTION]...\n"
    "\n"
    "Reads what a Lync Server 2013 or Skype for Business Server 2015 pool\n"
    "exported, shows what would change here, and does it when told to.\n"
    "\n"
    "Each FILE is what Export-Clixml or ConvertTo-Json made of one or more of\n"
    "  Get-CsXmppAllowedPartner\n"
    "  Get-CsXmppGatewayConfiguration\n"
    "  Get-CsAccessEdgeConfiguration\n"
    "  Get-CsExternalAccessPolicy\n"
    "  Get-CsUser | Select-Object SipAddress, ExternalAccessPolicy\n"
    "in UTF-16 or UTF-8.  Nothing is removed that is here and not there; what\n"
    "is the same already is left alone, so it may be run again.  All of it is\n"
    "done in one step, or nothing.\n"
    "\n"
    "  --WhatIf             shows, and does nothing\n"
    "  --yes                does it without asking\n"
    "  --kind KIND          partner, gateway-config, access-edge, policy or\n"
    "                       grant alone\n"
    "  --Filter PATTERN     those alone whose name fits; * and ? stand for\n"
    "                       others\n" API_ARGS_HELP "\n"
    "examples:\n"
    "  sallyport import partners.xml policies.xml users.xml --WhatIf\n"
    "  sallyport import partners.xml --Filter fabrikam.example\n"
    "  sallyport import *.xml --yes\n"
    "\n" API_ARGS_EXIT;

static const struct option options[] = {
	{ "yes", no_argument, NULL, OPT_YES },
	{ "WhatIf", no_argument, NULL, OPT_WHAT_IF },
	{ "kind", required_argument, NULL, OPT_KIND },
	{ "Filter", required_argument, NULL, OPT_FILTER },
	API_ARGS_OPTIONS,
	{ NULL, 0, NULL, 0 },
};

static bool
take(void *arg, int c, const char *value)
{
	struct request *r = arg;

	switch (c) {
	case OPT_YES:
		r->yes = true;
		return true;
	case OPT_WHAT_IF:
		r->what_if = true;
		return true;
	case OPT_FILTER:
		r->choice.filter = value;
		return true;
	case OPT_KIND:
		r->choice.noun = noun_find(value);
		if (r->choice.noun != NULL)
			return true;
		args_misused(NAME, "--kind: \"%s\" is none", value);
		return false;
	default:
		return api_args_take(&r->api, c, value);
	}
}

/* --- files --------------------------------------------------------------------- */

static int
read_whole(struct buf *out, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
	char chunk[65536];
	ssize_t n = 1;

	if (fd < 0)
		return -errno;
	while (rc == 0 && n > 0) {
		n = read(fd, chunk, sizeof(chunk));
		if (n < 0)
			rc = -errno;
		else
			rc = buf_add(out, chunk, (size_t)n);
	}
	close(fd);
	return rc;
}

static enum command_exit
read_file(struct import *im, const char *path)
{
	struct buf b;
	int rc;

	buf_init(&b, IMPORT_FILE_MAX);
	rc = read_whole(&b, path);
	if (rc == 0)
		rc = import_text_decode(&b);
	if (rc == 0)
		rc = import_read(im, path, (const char *)b.data, b.len);
	buf_finish(&b);
	if (rc == 0)
		return COMMAND_OK;
	fprintf(stderr, "sallyport: %s: %s\n", path,
	    rc == ERR_UTF8 ? "neither UTF-16 nor UTF-8" : err_str(rc));
	return rc == ERR_UTF8 ? COMMAND_REFUSED : COMMAND_USAGE;
}

/* Problems end it, all files read, so that they are mended in one go. */
static enum command_exit
tell_problems(const struct import *im)
{
	char clean[1024];

	for (size_t i = 0; i < json_array_size(im->problems); i++) {
		text_clean(clean, sizeof(clean),
		    json_string_value(json_array_get(im->problems, i)));
		fprintf(stderr, "sallyport: %s\n", clean);
	}
	if (im->problem_count > json_array_size(im->problems))
		fprintf(stderr, "sallyport: and %zu more\n",
		    im->problem_count - json_array_size(im->problems));
	return im->problem_count > 0 ? COMMAND_REFUSED : COMMAND_OK;
}

/* --- telling --------------------------------------------------------------------- */

static void
tell_left_out(const struct import *im)
{
	const char *kind;
	json_t *names;

	json_object_foreach(im->left_out, kind, names)
	{
		fprintf(stderr, "left out of %s: %s\n", kind,
		    text_list(im->left_out, kind));
	}
	if (im->skipped > 0)
		fprintf(stderr,
		    "left out: %zu users who have no policy of their own\n",
		    im->skipped);
	if (im->numbers)
		fputs("note: numbers were taken for names in the order of the "
		      "cmdlets' documentation;\n      look at them, or export "
		      "with Export-Clixml, which has the names\n",
		    stderr);
}

static void
tell_sum(const struct import_plan *p)
{
	printf("%zu new, %zu changed, %zu as they are", p->created, p->changed,
	    p->same);
	if (p->passed_over > 0)
		printf(", %zu not asked for", p->passed_over);
	putchar('\n');
}

static enum command_exit
tell_json(const struct import_plan *p, const struct import *im, bool done,
    json_t *answer)
{
	json_t *o =
	    json_pack("{s:b, s:O, s:i, s:i, s:i, s:O, s:i, s:O?}", "done", done,
		"changes", p->changes, "created", (int)p->created, "changed",
		(int)p->changed, "same", (int)p->same, "left_out", im->left_out,
		"users_without_policy", (int)im->skipped, "answer", answer);

	command_print_json(o);
	json_decref(o);
	return COMMAND_OK;
}

/* --- doing it --------------------------------------------------------------------- */

static enum command_exit
send_batch(json_t **answer, struct api_client *c, const struct import_plan *p,
    bool dry_run)
{
	struct api_client_request q = { .method = "POST" };
	json_t *body = json_pack("{s:O}", "changes", p->changes);
	char *path = api_client_path(c, "batch", NULL);
	enum command_exit status = COMMAND_REFUSED;

	if (dry_run)
		path = api_client_query(c, path, "dry_run", "true");
	q.path = path;
	q.body = body;
	if (path != NULL && body != NULL)
		status = api_client_ask(answer, c, &q);
	json_decref(body);
	free(path);
	return status;
}

/* First as a question, so that the gateway's own problems and warnings are
 * known before anybody says yes. */
static enum command_exit
carry_out(const struct request *r, const struct import *im,
    const struct import_plan *p, struct api_client *c, bool json)
{
	enum command_exit status;
	json_t *answer = NULL;
	bool nothing = json_array_size(p->changes) == 0;

	if (nothing)
		return json ? tell_json(p, im, false, NULL) : COMMAND_OK;
	status = send_batch(&answer, c, p, true);
	if (status != COMMAND_OK)
		return status;
	change_print_warnings(answer);
	if (r->what_if) {
		status = json ? tell_json(p, im, false, answer) : COMMAND_OK;
		json_decref(answer);
		return status;
	}
	json_decref(answer);
	answer = NULL;
	if (!r->yes && !change_print_ask("This is to be done")) {
		fputs("sallyport: nothing was done\n", stderr);
		return COMMAND_REFUSED;
	}
	status = send_batch(&answer, c, p, false);
	if (status == COMMAND_OK && json) {
		tell_json(p, im, true, answer);
	} else if (status == COMMAND_OK) {
		puts("done");
		change_print_reach(answer);
	}
	json_decref(answer);
	return status;
}

static enum command_exit
compare(const struct request *r, const struct import *im, const struct args *a)
{
	struct api_client *c = NULL;
	struct import_plan plan;
	enum command_exit status;

	if (import_plan_init(&plan) < 0)
		return COMMAND_REFUSED;
	status = api_args_open(&c, &r->api, a);
	if (status == COMMAND_OK)
		status = import_plan_make(&plan, im, &r->choice, c, a->json);
	if (status == COMMAND_OK) {
		tell_left_out(im);
		if (!a->json)
			tell_sum(&plan);
		fflush(stdout);
		status = carry_out(r, im, &plan, c, a->json);
	}
	api_client_close(c);
	import_plan_finish(&plan);
	return status;
}

static enum command_exit
run(void *arg, const struct args *a)
{
	const struct request *r = arg;
	enum command_exit status = COMMAND_OK;
	struct import im;

	if (a->rest_count == 0)
		return args_misused(NAME, "which files?");
	if (import_init(&im) < 0) {
		fputs("sallyport: out of memory\n", stderr);
		return COMMAND_REFUSED;
	}
	for (int i = 0; i < a->rest_count && status == COMMAND_OK; i++)
		status = read_file(&im, a->rest[i]);
	if (status == COMMAND_OK)
		status = tell_problems(&im);
	if (status == COMMAND_OK)
		status = compare(r, &im, a);
	import_finish(&im);
	return status;
}

enum command_exit
cmd_import_run(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_command command = { .name = NAME,
		.help = help,
		.options = options,
		.size = sizeof(struct request),
		.rest = -1,
		.take = take,
		.run = run };

	return args_run(&command, opts, argc, argv);
}
