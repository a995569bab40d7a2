/* sallyport doctor - options and output; deploy/doctor.h looks. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "deploy/doctor.h"

#define NAME "doctor"

static const char help[] =
    "usage: sallyport doctor [OPTION]...\n"
    "\n"
    "Looks at everything that must be true on this host, in order:\n"
    "configuration, clock, daemon, certificates, ports, DNS, channel, pool,\n"
    "store, partners.  Says for each failure what to do next; changes "
    "nothing.\n"
    "\n"
    "  --edge             this is an edge: /etc/sallyport/edge.json\n"
    "  --gateway          this is a gateway: /etc/sallyport/gateway.json\n"
    "                     default: whichever file is there\n"
    "  --config FILE      another file\n"
    "  --domain D,...     hosted domains, for an edge whose gateway has not\n"
    "                     told it yet\n"
    "  --user NAME        the user the daemon runs as; default sallyport, if\n"
    "                     there is one and you are root\n"
    "\n"
    "examples:\n"
    "  sallyport doctor\n"
    "  sallyport doctor --edge --domain contoso.example\n"
    "  sallyport --json doctor | jq '.findings[] | "
    "select(.level==\"failure\")'\n"
    "\n"
    "exit status: 0 all is well, or warnings; 1 something failed; 2 wrong "
    "usage\n";

enum { OPT_EDGE, OPT_GATEWAY, OPT_CONFIG, OPT_DOMAIN, OPT_USER };

static const struct option options[] = {
	{ "edge", no_argument, NULL, OPT_EDGE },
	{ "gateway", no_argument, NULL, OPT_GATEWAY },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "domain", required_argument, NULL, OPT_DOMAIN },
	{ "user", required_argument, NULL, OPT_USER },
	{ NULL, 0, NULL, 0 },
};

struct request {
	struct doctor doctor;
	bool edge, gateway;
	const char *config, *user;
};

static bool
take(void *arg, int c, const char *value)
{
	struct request *r = arg;

	switch (c) {
	case OPT_EDGE:
		r->edge = true;
		return true;
	case OPT_GATEWAY:
		r->gateway = true;
		return true;
	case OPT_CONFIG:
		r->config = value;
		return true;
	case OPT_DOMAIN:
		return args_names_add(&r->doctor.domains, NAME, value);
	default:
		r->user = value;
		return true;
	}
}

/* Which half this is: as told, by what the file holds, by which file there
 * is. */
static bool
choose(struct request *r)
{
	struct doctor *d = &r->doctor;
	json_t *conf = NULL;
	bool edge = r->edge, gateway = r->gateway;

	if (!edge && !gateway && r->config != NULL) {
		conf = json_load_file(r->config, 0, NULL);
		edge = json_object_get(conf, "external") != NULL;
		gateway = json_object_get(conf, "sip") != NULL;
		json_decref(conf);
	} else if (!edge && !gateway) {
		edge = access(DOCTOR_EDGE, F_OK) == 0;
		gateway = access(DOCTOR_GATEWAY, F_OK) == 0;
	}
	if (edge == gateway) {
		args_misused(NAME, edge ? "choose --edge or --gateway"
					: "is this an edge or a gateway? say "
					  "--edge or --gateway");
		return false;
	}
	d->edge = edge;
	d->path = r->config != NULL ? r->config
		  : edge            ? DOCTOR_EDGE
				    : DOCTOR_GATEWAY;
	return true;
}

/* Who is not root sees with its own eyes. */
static bool
choose_user(struct request *r)
{
	struct doctor *d = &r->doctor;
	const char *name = r->user != NULL ? r->user : "sallyport";

	if (r->user == NULL && geteuid() != 0)
		return true;
	d->has_account = account_find(&d->account, name);
	if (d->has_account || r->user == NULL)
		return true;
	args_misused(NAME, "--user: there is no user \"%s\"", name);
	return false;
}

static enum command_exit
examine(void *arg, const struct args *a)
{
	struct request *r = arg;
	struct doctor *d = &r->doctor;
	enum command_exit status;

	if (!choose(r) || !choose_user(r))
		return COMMAND_USAGE;
	d->socket = a->opts->socket;
	doctor_run(d);
	status = report_print(&d->r,
	    json_pack("{s:s,s:s}", "daemon", d->edge ? "edge" : "gateway",
		"configuration", d->path),
	    a->json);
	report_finish(&d->r);
	json_decref(d->conf);
	json_decref(d->status);
	return status;
}

enum command_exit
cmd_doctor_run(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_command command = { .name = NAME,
		.help = help,
		.options = options,
		.size = sizeof(struct request),
		.take = take,
		.run = examine };

	return args_run(&command, opts, argc, argv);
}
