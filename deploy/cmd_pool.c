/*
 * sallyport pool script - reads the options; deploy/pool_script.h writes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/conf.h"
#include "common/err.h"
#include "deploy/args.h"
#include "deploy/command.h"
#include "deploy/pool_script.h"

#define NAME "pool script"

enum { SCRIPT_MAX = 1 << 20 };

static const char help[] =
    "usage: sallyport pool script --gateway NAME --pool NAME --site SITEID\n"
    "           --partners DOMAIN[,DOMAIN]... [OPTION]...\n"
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
    "  --partners D,...   the partners' domains, additional ones included\n"
    "  --config FILE      takes them from the partner table of gateway.json\n"
    "  --children         routes *.DOMAIN too\n"
    "  --registrar-routes routes of this pool alone, not the global ones\n"
    "  --port PORT        where the gateway listens for SIP; default 5061\n"
    "  --application ID   the application's name; default sallyport\n"
    "  --remove           the script that takes it all back\n"
    "  --json             the script as a member of a JSON object\n"
    "\n"
    "examples:\n"
    "  sallyport pool script --gateway gw1.contoso.example \\\n"
    "      --pool pool.contoso.example --site Berlin \\\n"
    "      --partners partner.example >attach.ps1\n"
    "  sallyport pool script --gateway gw1.contoso.example --remove \\\n"
    "      --config /etc/sallyport/gateway.json >remove.ps1\n"
    "\n"
    "exit status: 0 done, 2 wrong usage\n";

struct request {
	struct pool_script script;
	struct args_names gateway, nodes, pool, partners;
	bool children, registrar_routes, remove;
	const char *config;
};

enum {
	OPT_GATEWAY,
	OPT_NODE,
	OPT_POOL,
	OPT_SITE,
	OPT_PARTNERS,
	OPT_CONFIG,
	OPT_CHILDREN,
	OPT_REGISTRAR_ROUTES,
	OPT_PORT,
	OPT_APPLICATION,
	OPT_REMOVE
};

static const struct option options[] = {
	{ "gateway", required_argument, NULL, OPT_GATEWAY },
	{ "node", required_argument, NULL, OPT_NODE },
	{ "pool", required_argument, NULL, OPT_POOL },
	{ "site", required_argument, NULL, OPT_SITE },
	{ "partners", required_argument, NULL, OPT_PARTNERS },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "children", no_argument, NULL, OPT_CHILDREN },
	{ "registrar-routes", no_argument, NULL, OPT_REGISTRAR_ROUTES },
	{ "port", required_argument, NULL, OPT_PORT },
	{ "application", required_argument, NULL, OPT_APPLICATION },
	{ "remove", no_argument, NULL, OPT_REMOVE },
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
	case OPT_CONFIG:
		r->config = value;
		return true;
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
	default:
		r->remove = true;
		return true;
	}
}

/* The partner table's domains.  The rest of the file is not looked at: it may
 * be a newer one. */
static bool
read_partners(struct request *r)
{
	struct conf *c = conf_load(r->config);
	struct conf_obj *root = conf_root(c);
	size_t n = conf_array(root, "partners", true);
	bool ok = true;

	for (size_t i = 0; i < n && ok; i++) {
		struct conf_obj *row = conf_array_object(root, "partners", i);
		const char *domain = conf_string(row, "Domain", NULL);
		size_t more = conf_array(row, "AdditionalDomains", false);

		ok = !conf_failed(c) &&
		     args_names_add(&r->partners, NAME, domain);
		for (size_t k = 0; k < more && ok; k++)
			ok = args_names_add(&r->partners, NAME,
			    conf_array_string(row, "AdditionalDomains", k));
	}
	if (conf_failed(c)) {
		fprintf(stderr, "sallyport: %s\n", conf_error(c));
		ok = false;
	}
	conf_finish(c);
	return ok;
}

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
	if (r->config != NULL && !read_partners(r))
		return false;
	if (r->partners.count == 0) {
		args_misused(NAME, "--partners or --config is needed");
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
