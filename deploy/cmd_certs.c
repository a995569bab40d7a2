/*
 * sallyport certs plan, request and check - options and output; the work is in
 * deploy/cert_plan.h, cert_request.h and cert_check.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deploy/args.h"
#include "deploy/cert_check.h"
#include "deploy/cert_file.h"
#include "deploy/cert_plan.h"
#include "deploy/cert_request.h"
#include "deploy/command.h"
#include "deploy/report.h"

#define PLAN    "certs plan"
#define REQUEST "certs request"
#define CHECK   "certs check"

enum {
	OPT_DOMAIN,
	OPT_EDGE,
	OPT_GATEWAY,
	OPT_SIP_NAME,
	OPT_PER_HOST,
	OPT_PER_DOMAIN,
	OPT_FOR,
	OPT_KEY,
	OPT_KEY_TYPE,
	OPT_USE_KEY,
	OPT_OUT,
	OPT_ORGANIZATION,
	OPT_COUNTRY,
	OPT_CLIENT,
	OPT_NO_CLIENT,
	OPT_SRV_NAME,
	OPT_XMPP_ADDR,
	OPT_TRUST,
	OPT_CRL,
	OPT_DAYS
};

static bool
take_purpose(int *out, const char *command, const char *value)
{
	return args_word(
	    out, command, "--for", value, cert_file_purposes, CERT_PURPOSES);
}

/* --- plan ------------------------------------------------------------------ */

static const char plan_help[] =
    "usage: sallyport certs plan [OPTION]...\n"
    "\n"
    "Says which certificates the hosts need: names, use, key, from whom, and\n"
    "the command that asks for each.\n"
    "\n"
    "  --domain D,...     hosted domains\n"
    "  --edge NAME,...    edges\n"
    "  --gateway NAME,... gateways\n"
    "  --sip-name NAME    the name the pool knows the gateway by (trusted\n"
    "                     application pool); default the first gateway's\n"
    "  --one-per-host     each edge one certificate with all domains "
    "(default)\n"
    "  --one-per-domain   each domain one certificate, the same on all "
    "edges\n"
    "\n"
    "example:\n"
    "  sallyport certs plan --domain contoso.example,fabrikam.example \\\n"
    "      --edge edge1.contoso.example --gateway gw1.contoso.example\n"
    "\n"
    "exit status: 0 done, 2 wrong usage\n";

static const struct option plan_options[] = {
	{ "domain", required_argument, NULL, OPT_DOMAIN },
	{ "edge", required_argument, NULL, OPT_EDGE },
	{ "gateway", required_argument, NULL, OPT_GATEWAY },
	{ "sip-name", required_argument, NULL, OPT_SIP_NAME },
	{ "one-per-host", no_argument, NULL, OPT_PER_HOST },
	{ "one-per-domain", no_argument, NULL, OPT_PER_DOMAIN },
	{ NULL, 0, NULL, 0 },
};

struct plan_request {
	struct args_names domains, edges, gateways, sip_name;
	bool per_domain;
};

static bool
take_plan(void *arg, int c, const char *value)
{
	struct plan_request *r = arg;

	switch (c) {
	case OPT_DOMAIN:
		return args_names_add(&r->domains, PLAN, value);
	case OPT_EDGE:
		return args_names_add(&r->edges, PLAN, value);
	case OPT_GATEWAY:
		return args_names_add(&r->gateways, PLAN, value);
	case OPT_SIP_NAME:
		r->sip_name.count = 0;
		return args_names_add(&r->sip_name, PLAN, value);
	default:
		r->per_domain = c == OPT_PER_DOMAIN;
		return true;
	}
}

static enum command_exit
print_plan(void *arg, const struct args *a)
{
	const struct plan_request *r = arg;
	const struct cert_plan p = { .domains = &r->domains,
		.edges = &r->edges,
		.gateways = &r->gateways,
		.sip_name = r->sip_name.count > 0 ? r->sip_name.v[0] : NULL,
		.per_domain = r->per_domain };
	json_t *list, *answer;

	if (r->edges.count + r->gateways.count == 0)
		return args_misused(PLAN, "--edge or --gateway is needed");
	list = cert_plan_make(&p);
	if (list == NULL)
		return COMMAND_REFUSED;
	if (a->json) {
		answer = json_pack("{s:O}", "certificates", list);
		command_print_json(answer);
		json_decref(answer);
	} else {
		cert_plan_print(list);
	}
	json_decref(list);
	return COMMAND_OK;
}

static enum command_exit
run_plan(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_command command = { .name = PLAN,
		.help = plan_help,
		.options = plan_options,
		.size = sizeof(struct plan_request),
		.take = take_plan,
		.run = print_plan };

	return args_run(&command, opts, argc, argv);
}

/* --- request --------------------------------------------------------------- */

static const char request_help[] =
    "usage: sallyport certs request --for external|internal|sip\n"
    "           --domain NAME,... --key FILE --out FILE [OPTION]...\n"
    "\n"
    "Makes a key and a request (PKCS#10) to send to an authority.  Nothing\n"
    "that exists is written over.\n"
    "\n"
    "  --for PURPOSE      external: shown to partners; internal: between edge\n"
    "                     and gateway; sip: shown to the pool\n"
    "  --domain NAME,...  the names; the first is also the common name\n"
    "  --key FILE         the private key, readable by its owner alone\n"
    "  --use-key          the key is there already: use it\n"
    "  --key-type T       p256, p384, rsa2048, rsa3072, rsa4096; default "
    "p256,\n"
    "                     for sip rsa2048\n"
    "  --out FILE         the request\n"
    "  --organization T, --country CC\n"
    "                     more of the subject\n"
    "  --client, --no-client\n"
    "                     asks for client authentication too, or not; "
    "default\n"
    "                     for internal and sip\n"
    "  --srv-name, --xmpp-addr\n"
    "                     each name also as SRVName or XmppAddr; ejabberd "
    "23.01\n"
    "                     drops the connection of who shows one\n"
    "\n"
    "example:\n"
    "  sallyport certs request --for external --domain contoso.example \\\n"
    "      --key /etc/sallyport/xmpp.key --out xmpp.csr\n"
    "\n"
    "exit status: 0 done, 1 not possible, 2 wrong usage\n";

static const struct option request_options[] = {
	{ "for", required_argument, NULL, OPT_FOR },
	{ "domain", required_argument, NULL, OPT_DOMAIN },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "use-key", no_argument, NULL, OPT_USE_KEY },
	{ "key-type", required_argument, NULL, OPT_KEY_TYPE },
	{ "out", required_argument, NULL, OPT_OUT },
	{ "organization", required_argument, NULL, OPT_ORGANIZATION },
	{ "country", required_argument, NULL, OPT_COUNTRY },
	{ "client", no_argument, NULL, OPT_CLIENT },
	{ "no-client", no_argument, NULL, OPT_NO_CLIENT },
	{ "srv-name", no_argument, NULL, OPT_SRV_NAME },
	{ "xmpp-addr", no_argument, NULL, OPT_XMPP_ADDR },
	{ NULL, 0, NULL, 0 },
};

enum { UNSAID = -1 };

struct request {
	struct cert_request request;
	struct args_names names;
	int purpose, type, client;
};

static bool
take_request(void *arg, int c, const char *value)
{
	struct request *r = arg;
	struct cert_request *q = &r->request;

	switch (c) {
	case OPT_FOR:
		return take_purpose(&r->purpose, REQUEST, value);
	case OPT_DOMAIN:
		return args_names_add(&r->names, REQUEST, value);
	case OPT_KEY:
		q->key = value;
		return true;
	case OPT_USE_KEY:
		q->have_key = true;
		return true;
	case OPT_KEY_TYPE:
		return args_word(&r->type, REQUEST, "--key-type", value,
		    cert_request_key_types, CERT_KEY_TYPES);
	case OPT_OUT:
		q->out = value;
		return true;
	case OPT_ORGANIZATION:
		q->organization = value;
		return true;
	case OPT_COUNTRY:
		q->country = value;
		return true;
	case OPT_SRV_NAME:
		q->srv_name = true;
		return true;
	case OPT_XMPP_ADDR:
		q->xmpp_addr = true;
		return true;
	default:
		r->client = c == OPT_CLIENT;
		return true;
	}
}

static void
tell_pitfalls(const struct request *r)
{
	if (r->request.srv_name || r->request.xmpp_addr)
		fputs("warning: ejabberd 23.01 drops the connection when a "
		      "certificate holds an SRVName or XmppAddr; DNS names do "
		      "for every server\n",
		    stderr);
	if (r->purpose == CERT_EXTERNAL && !r->request.client)
		fputs("note: the certificate will be for servers only, as "
		      "public authorities issue them; ejabberd before 25.08 "
		      "does not take it from a server that connects to it\n",
		    stderr);
}

static void
begin_request(void *arg)
{
	struct request *r = arg;

	r->purpose = r->type = r->client = UNSAID;
}

static enum command_exit
write_request(void *arg, const struct args *a)
{
	struct request *r = arg;
	struct cert_request *q = &r->request;
	char why[600];

	if (r->purpose == UNSAID || r->names.count == 0 || q->key == NULL ||
	    q->out == NULL)
		return args_misused(
		    REQUEST, "--for, --domain, --key and --out are needed");
	q->names = &r->names;
	q->client =
	    r->client == UNSAID ? r->purpose != CERT_EXTERNAL : r->client != 0;
	if (r->type == UNSAID)
		r->type =
		    r->purpose == CERT_SIP ? CERT_KEY_RSA2048 : CERT_KEY_P256;
	q->type = (enum cert_key_type)r->type;
	tell_pitfalls(r);
	if (!cert_request_write(q, why, sizeof(why))) {
		fprintf(stderr, "sallyport: %s\n", why);
		return COMMAND_REFUSED;
	}
	if (a->json) {
		json_t *o =
		    json_pack("{s:s,s:s}", "key", q->key, "request", q->out);

		command_print_json(o);
		json_decref(o);
	} else {
		printf(
		    "key      %s\nrequest  %s\n\n"
		    "Send the request to the authority; look at what comes "
		    "back with\n"
		    "  sallyport certs check FILE --for %s --domain %s --key "
		    "%s\n",
		    q->key, q->out, cert_file_purposes[r->purpose],
		    r->names.v[0], q->key);
	}
	return COMMAND_OK;
}

static enum command_exit
run_request(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_command command = { .name = REQUEST,
		.help = request_help,
		.options = request_options,
		.size = sizeof(struct request),
		.begin = begin_request,
		.take = take_request,
		.run = write_request };

	return args_run(&command, opts, argc, argv);
}

/* --- check ----------------------------------------------------------------- */

static const char check_help[] =
    "usage: sallyport certs check FILE --for external|internal|sip "
    "[OPTION]...\n"
    "\n"
    "Says whether a certificate (PEM, followed by its issuers') does what it\n"
    "is for, and if a partner, the other half or the pool would accept it.\n"
    "\n"
    "  --domain NAME,...  the names it must have; for sip the trusted\n"
    "                     application pool's first\n"
    "  --key FILE         the private key that must belong to it\n"
    "  --trust FILE       authorities (PEM) the other side trusts; default "
    "for\n"
    "                     external the system's\n"
    "  --crl FILE         a revocation list (PEM) to obey\n"
    "  --days N           how early to warn of its end; default when a third\n"
    "                     of its life is left, at most 30 days\n"
    "\n"
    "examples:\n"
    "  sallyport certs check /etc/sallyport/xmpp.pem --for external \\\n"
    "      --domain contoso.example --key /etc/sallyport/xmpp.key\n"
    "  sallyport certs check sip.pem --for sip --domain gw1.contoso.example "
    "\\\n"
    "      --trust enterprise-ca.pem\n"
    "\n"
    "exit status: 0 well or with warnings, 1 not acceptable, 2 wrong usage\n";

static const struct option check_options[] = {
	{ "for", required_argument, NULL, OPT_FOR },
	{ "domain", required_argument, NULL, OPT_DOMAIN },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "trust", required_argument, NULL, OPT_TRUST },
	{ "crl", required_argument, NULL, OPT_CRL },
	{ "days", required_argument, NULL, OPT_DAYS },
	{ NULL, 0, NULL, 0 },
};

struct check {
	struct cert_check check;
	struct args_names names;
	int purpose;
};

static bool
take_check(void *arg, int c, const char *value)
{
	struct check *r = arg;

	switch (c) {
	case OPT_FOR:
		return take_purpose(&r->purpose, CHECK, value);
	case OPT_DOMAIN:
		return args_names_add(&r->names, CHECK, value);
	case OPT_KEY:
		r->check.key = value;
		return true;
	case OPT_TRUST:
		r->check.trust = value;
		return true;
	case OPT_CRL:
		r->check.crl = value;
		return true;
	default:
		return args_number(
		    &r->check.soon_days, CHECK, "--days", value, 0, 3650);
	}
}

static void
begin_check(void *arg)
{
	struct check *r = arg;

	r->purpose = UNSAID;
	r->check.soon_days = CERT_CHECK_BY_LIFETIME;
}

static enum command_exit
check_file(void *arg, const struct args *a)
{
	struct check *r = arg;
	enum command_exit status;
	struct report report;
	json_t *about;

	if (a->rest_count != 1)
		return args_misused(CHECK, "one file is needed");
	if (r->purpose == UNSAID)
		return args_misused(CHECK, "--for is needed");
	r->check.purpose = (enum cert_purpose)r->purpose;
	r->check.names = &r->names;
	report_init(&report);
	about = cert_check_run(&report, &r->check, a->rest[0]);
	if (r->names.count == 0)
		report_add(&report, REPORT_SKIPPED, "names",
		    "--domain says which names it must have");
	status = report_print(&report, about, a->json);
	report_finish(&report);
	return status;
}

static enum command_exit
run_check(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_command command = { .name = CHECK,
		.help = check_help,
		.options = check_options,
		.size = sizeof(struct check),
		.rest = 1,
		.begin = begin_check,
		.take = take_check,
		.run = check_file };

	return args_run(&command, opts, argc, argv);
}

enum command_exit
cmd_certs_run(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_verb verbs[] = {
		{ "plan", "which certificates are needed", run_plan },
		{ "request", "a key and a request for an authority",
		    run_request },
		{ "check", "whether one does what it is for", run_check },
	};

	return args_verbs(verbs, 3, opts, argc, argv);
}
