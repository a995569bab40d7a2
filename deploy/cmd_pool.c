/*
 * sallyport pool script - reads the options; deploy/pool_script.h writes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "deploy/api_args.h"
#include "deploy/args.h"
#include "deploy/command.h"
#include "deploy/pool_script.h"

#define NAME "pool script"

enum { SCRIPT_MAX = 1 << 20 };

static const char help[] =
    "usage: sallyport pool script --gateway NAME --pool NAME --site SITEID\n"
    "           [OPTION]...\n"
    "\n"
    "Prints the PowerShell that attaches the gateway to a pool: trusted\n"
    "application pool, computers, application, one static route for each\n"
    "domain.  Lync Server 2013, Skype for Business Server 2015, 2019 and\n"
    "Subscription Edition have the same cmdlets.\n"
    "\n"
    "  --gateway NAME     the name the pool reaches the gateway by: the\n"
    "                     trusted application pool; \"fqdn\" under \"sip\" in\n"
    "                     gateway.json\n"
    "  --node NAME,...    the gateway's hosts, when there are several or\n"
    "                     their names differ from --gateway\n"
    "  --pool NAME        the Front End pool (registrar)\n"
    "  --site SITEID      SiteId as Get-CsSite shows it, without \"site:\"\n"
    "  --partners D,...   the partners' domains, additional ones included;\n"
    "                     default: all that the gateway has\n"
    "  --children         routes *.DOMAIN too\n"
    "  --registrar-routes routes of this pool alone, not the global ones\n"
    "  --port PORT        where the gateway listens for SIP; default 5061\n"
    "  --application ID   the application's name; default sallyport\n"
    "  --remove           the script that takes it all back\n"
    "  --routes           with --remove: the routes alone, the gateway "
    "stays\n"
    "                     trusted\n"
    "\n"
    "The gateway is asked for its partners:\n"
    "\n" API_ARGS_HELP "\n"
    "examples:\n"
    "  sallyport pool script --gateway gw1.contoso.example \\\n"
    "      --pool pool.contoso.example --site Berlin \\\n"
    "      --partners partner.example >attach.ps1\n"
    "  sallyport pool script --gateway gw1.contoso.example --remove \\\n"
    "      >remove.ps1\n"
    "\n" API_ARGS_EXIT;

struct request {
	struct pool_script script;
	struct args_names gateway, nodes, pool, partners;
	bool children, registrar_routes, remove;
	bool broken; /* what the gateway has is no list of domains */
	struct api_client_opts api;
};

enum {
	OPT_GATEWAY,
	OPT_NODE,
	OPT_POOL,
	OPT_SITE,
	OPT_PARTNERS,
	OPT_CHILDREN,
	OPT_REGISTRAR_ROUTES,
	OPT_PORT,
	OPT_APPLICATION,
	OPT_REMOVE,
	OPT_ROUTES
};

static const struct option options[] = {
	{ "gateway", required_argument, NULL, OPT_GATEWAY },
	{ "node", required_argument, NULL, OPT_NODE },
	{ "pool", required_argument, NULL, OPT_POOL },
	{ "site", required_argument, NULL, OPT_SITE },
	{ "partners", required_argument, NULL, OPT_PARTNERS },
	{ "children", no_argument, NULL, OPT_CHILDREN },
	{ "registrar-routes", no_argument, NULL, OPT_REGISTRAR_ROUTES },
	{ "port", required_argument, NULL, OPT_PORT },
	{ "application", required_argument, NULL, OPT_APPLICATION },
	{ "remove", no_argument, NULL, OPT_REMOVE },
	{ "routes", no_argument, NULL, OPT_ROUTES },
	API_ARGS_OPTIONS,
	{ NULL, 0, NULL, 0 },
};

/* The shell's own set: letters, digits and a few marks. */
static bool
take_application(struct request *r, const char *value)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	if (value[0] == '\0' || value[strspn(value, allowed)] != '\0' ||
	    strlen(value) > 64) {
		args_misused(
		    NAME, "--application: \"%s\" is no identifier", value);
		return false;
	}
	r->script.application = value;
	return true;
}

static bool
take(void *arg, int c, const char *value)
{
	struct request *r = arg;

	switch (c) {
	case OPT_GATEWAY:
		return args_names_add(&r->gateway, NAME, value);
	case OPT_NODE:
		return args_names_add(&r->nodes, NAME, value);
	case OPT_POOL:
		return args_names_add(&r->pool, NAME, value);
	case OPT_SITE:
		r->script.site = value;
		return true;
	case OPT_PARTNERS:
		return args_names_add(&r->partners, NAME, value);
	case OPT_CHILDREN:
		r->script.children = true;
		return true;
	case OPT_REGISTRAR_ROUTES:
		r->registrar_routes = true;
		return true;
	case OPT_PORT:
		return args_number(
		    &r->script.port, NAME, "--port", value, 1, 65535);
	case OPT_APPLICATION:
		return take_application(r, value);
	case OPT_REMOVE:
		r->remove = true;
		return true;
	case OPT_ROUTES:
		r->script.routes_alone = true;
		return true;
	default:
		return api_args_take(&r->api, c, value);
	}
}

/* --- the partners of the gateway -------------------------------------------- */

static bool
on_partner(const json_t *item, void *arg)
{
	const json_t *object = json_object_get(item, "object");
	const json_t *more = json_object_get(object, "AdditionalDomains");
	const char *domain =
	    json_string_value(json_object_get(object, "Domain"));
	struct request *r = arg;
	bool ok = domain != NULL && args_names_add(&r->partners, NAME, domain);

	for (size_t i = 0; i < json_array_size(more) && ok; i++) {
		domain = json_string_value(json_array_get(more, i));
		ok = domain != NULL &&
		     args_names_add(&r->partners, NAME, domain);
	}
	r->broken = !ok;
	return ok;
}

static enum command_exit
ask_partners(struct request *r, const struct args *a)
{
	struct api_client *c = NULL;
	enum command_exit status = api_args_open(&c, &r->api, a);

	if (status == COMMAND_OK)
		status = api_client_each(
		    c, &(struct api_client_walk){
			   .path = api_client_path(c, "partners", NULL),
			   .on_item = on_partner,
			   .arg = r });
	api_client_close(c);
	if (status == COMMAND_OK && r->broken)
		return COMMAND_REFUSED;
	if (status == COMMAND_OK && r->partners.count == 0) {
		fputs("sallyport: the gateway has no partner yet\n", stderr);
		return COMMAND_REFUSED;
	}
	return status;
}

/* --- what is asked for -------------------------------------------------------- */

/* One of a kind, or told. */
static bool
single(const struct args_names *names, const char *option, const char **out)
{
	if (names->count == 1) {
		*out = names->v[0];
		return true;
	}
	args_misused(
	    NAME, names->count == 0 ? "%s is needed" : "%s: one name", option);
	return false;
}

static bool
complete(struct request *r)
{
	struct pool_script *s = &r->script;

	if (!single(&r->gateway, "--gateway", &s->gateway))
		return false;
	if (s->routes_alone && !r->remove) {
		args_misused(NAME, "--routes goes with --remove");
		return false;
	}
	if ((!r->remove || r->registrar_routes) &&
	    !single(&r->pool, "--pool", &s->pool))
		return false;
	if (!r->remove && (s->site == NULL || s->site[0] == '\0')) {
		args_misused(NAME, "--site is needed");
		return false;
	}
	if (r->nodes.count == 0)
		r->nodes = r->gateway;
	if (r->nodes.count > 1 && args_names_have(&r->nodes, s->gateway)) {
		args_misused(NAME,
		    "with several --node names none may be that of --gateway");
		return false;
	}
	s->nodes = &r->nodes;
	s->partners = &r->partners;
	s->registrar_routes = r->registrar_routes ? s->pool : NULL;
	return true;
}

static void
begin(void *arg)
{
	struct request *r = arg;

	r->script.application = "sallyport";
	r->script.port = 5061;
}

static enum command_exit
print(void *arg, const struct args *a)
{
	struct request *r = arg;
	enum command_exit status = COMMAND_OK;
	struct buf out;
	int rc;

	if (!complete(r))
		return COMMAND_USAGE;
	if (r->partners.count == 0)
		status = ask_partners(r, a);
	if (status != COMMAND_OK)
		return status;
	buf_init(&out, SCRIPT_MAX);
	rc = r->remove ? pool_script_remove(&out, &r->script)
		       : pool_script_attach(&out, &r->script);
	if (rc == ERR_MALFORMED) {
		status = args_misused(
		    NAME, "--site holds a control character or no UTF-8");
	} else if (rc < 0) {
		fprintf(stderr, "sallyport: %s\n", err_str(rc));
		status = COMMAND_REFUSED;
	} else if (a->json) {
		json_t *o = json_pack(
		    "{s:s%}", "script", (const char *)out.data, out.len);

		command_print_json(o);
		json_decref(o);
	} else {
		fwrite(out.data, 1, out.len, stdout);
	}
	buf_finish(&out);
	return status;
}

static enum command_exit
run_script(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_command command = { .name = NAME,
		.help = help,
		.options = options,
		.size = sizeof(struct request),
		.begin = begin,
		.take = take,
		.run = print };

	return args_run(&command, opts, argc, argv);
}

enum command_exit
cmd_pool_run(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_verb verbs[] = {
		{ "script", "the PowerShell for the pool", run_script },
	};

	return args_verbs(verbs, 1, opts, argc, argv);
}
