/*
 * sallyport dns plan and dns check - options and output; deploy/dns_plan.h and
 * deploy/dns_check.h do the work.
 */
#include <stdio.h>
#include <stdlib.h>
#include <openssl/pem.h>

#include "common/buf.h"
#include "common/err.h"
#include "deploy/args.h"
#include "deploy/ask.h"
#include "deploy/cert_file.h"
#include "deploy/command.h"
#include "deploy/dns_check.h"
#include "deploy/dns_plan.h"
#include "deploy/report.h"

#define PLAN  "dns plan"
#define CHECK "dns check"

enum { PLAN_MAX = 16 << 20 };

/* --- plan ------------------------------------------------------------------ */

static const char plan_help[] =
    "usage: sallyport dns plan --domain DOMAIN... --edge SPEC... "
    "[OPTION]...\n"
    "\n"
    "Prints the records by which partners find the edges: SRV for each\n"
    "hosted domain, addresses and TLSA for each edge.\n"
    "\n"
    "  --domain D,...     hosted domains\n"
    "  --edge NAME[:PRIORITY[:WEIGHT]]=ADDRESS[,ADDRESS]...\n"
    "                     an edge by its public name and addresses; partners\n"
    "                     take the lowest priority that answers; default 10\n"
    "  --port PORT        default 5269\n"
    "  --direct-tls PORT  also _xmpps-server, for this port\n"
    "  --tlsa CERT        a TLSA record for this certificate's key (PEM);\n"
    "                     give the current and the next one\n"
    "  --zone Z,...       zones, where a domain is not one by itself\n"
    "  --ttl SECONDS      default 3600\n"
    "  --format F         zone (default), powershell or json\n"
    "\n"
    "examples:\n"
    "  sallyport dns plan --domain contoso.example \\\n"
    "      --edge edge1.contoso.example=192.0.2.10,2001:db8::10\n"
    "  sallyport dns plan --domain contoso.example,fabrikam.example \\\n"
    "      --edge edge1.contoso.example:10=192.0.2.10 \\\n"
    "      --edge edge2.contoso.example:20=198.51.100.10 --format "
    "powershell\n"
    "\n"
    "exit status: 0 done, 2 wrong usage\n";

enum {
	OPT_DOMAIN,
	OPT_EDGE,
	OPT_PORT,
	OPT_DIRECT,
	OPT_TLSA,
	OPT_ZONE,
	OPT_TTL,
	OPT_FORMAT
};

static const struct option plan_options[] = {
	{ "domain", required_argument, NULL, OPT_DOMAIN },
	{ "edge", required_argument, NULL, OPT_EDGE },
	{ "port", required_argument, NULL, OPT_PORT },
	{ "direct-tls", required_argument, NULL, OPT_DIRECT },
	{ "tlsa", required_argument, NULL, OPT_TLSA },
	{ "zone", required_argument, NULL, OPT_ZONE },
	{ "ttl", required_argument, NULL, OPT_TTL },
	{ "format", required_argument, NULL, OPT_FORMAT },
	{ NULL, 0, NULL, 0 },
};

enum { FORMAT_ZONE, FORMAT_POWERSHELL, FORMAT_JSON };

struct plan_request {
	struct dns_plan plan;
	int format;
};

static bool
take_plan(void *arg, int c, const char *value)
{
	static const char *const formats[] = { "zone", "powershell", "json" };
	struct plan_request *r = arg;
	struct dns_plan *p = &r->plan;
	char why[600];

	switch (c) {
	case OPT_DOMAIN:
		return args_names_add(&p->domains, PLAN, value);
	case OPT_ZONE:
		return args_names_add(&p->zones, PLAN, value);
	case OPT_PORT:
		return args_number(&p->port, PLAN, "--port", value, 1, 65535);
	case OPT_DIRECT:
		return args_number(
		    &p->direct_port, PLAN, "--direct-tls", value, 1, 65535);
	case OPT_TTL:
		return args_number(&p->ttl, PLAN, "--ttl", value, 0, 604800);
	case OPT_FORMAT:
		return args_word(
		    &r->format, PLAN, "--format", value, formats, 3);
	case OPT_EDGE:
		if (dns_plan_add_edge(p, value, why, sizeof(why)))
			return true;
		args_misused(PLAN, "--edge: %s", why);
		return false;
	default:
		if (dns_plan_add_certificate(p, value, why, sizeof(why)))
			return true;
		args_misused(PLAN, "--tlsa: %s", why);
		return false;
	}
}

static void
on_warning(const char *line, void *arg)
{
	(void)arg;
	fprintf(stderr, "note: %s\n", line);
}

static enum command_exit
print_plan(const struct dns_plan *p, int format)
{
	enum command_exit status = COMMAND_OK;
	struct buf out;
	json_t *o;

	if (format == FORMAT_JSON) {
		o = dns_plan_json(p);
		if (o == NULL)
			return COMMAND_REFUSED;
		command_print_json(o);
		json_decref(o);
		return COMMAND_OK;
	}
	buf_init(&out, PLAN_MAX);
	if (format == FORMAT_ZONE)
		dns_plan_zone_file(&out, p);
	else
		(void)dns_plan_powershell(&out, p);
	if (buf_failed(&out)) {
		fputs("sallyport: the plan is too long\n", stderr);
		status = COMMAND_REFUSED;
	} else {
		fwrite(out.data, 1, out.len, stdout);
	}
	buf_finish(&out);
	return status;
}

static void
begin_plan(void *arg)
{
	struct plan_request *r = arg;

	r->plan.port = 5269;
	r->plan.ttl = 3600;
}

static enum command_exit
make_plan(void *arg, const struct args *a)
{
	struct plan_request *r = arg;

	if (r->plan.domains.count == 0)
		return args_misused(PLAN, "--domain is needed");
	if (r->plan.edge_count == 0)
		return args_misused(PLAN, "--edge is needed");
	dns_plan_warn(&r->plan, on_warning, NULL);
	return print_plan(&r->plan, a->json ? FORMAT_JSON : r->format);
}

static enum command_exit
run_plan(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_command command = { .name = PLAN,
		.help = plan_help,
		.options = plan_options,
		.size = sizeof(struct plan_request),
		.begin = begin_plan,
		.take = take_plan,
		.run = make_plan };

	return args_run(&command, opts, argc, argv);
}

/* --- check ----------------------------------------------------------------- */

static const char check_help[] =
    "usage: sallyport dns check DOMAIN... [OPTION]...\n"
    "\n"
    "Asks the DNS and says what a partner's server would see: services in\n"
    "the order it tries them, addresses, DNSSEC, TLSA; and tries the servers\n"
    "on request.\n"
    "\n"
    "  --server ADDRESS[@PORT]  asks this name server; may be repeated;\n"
    "                     default those of /etc/resolv.conf\n"
    "  --trust-anchor A   a file, or the text of a DS or DNSKEY record;\n"
    "                     default the root's key as Debian keeps it\n"
    "  --edge NAME,...    the targets there must be, and no others\n"
    "  --certificate FILE the certificate TLSA records must match, with "
    "those of\n"
    "                     its issuers behind it (PEM)\n"
    "  --connect          connects to each address: stream, TLS, certificate\n"
    "  --from DOMAIN      the domain to connect as\n"
    "  --trust FILE       authorities for --connect (PEM); default the "
    "system's\n"
    "\n"
    "When dialback does not complete, one of four things is not so:\n"
    "  the partner's SRV leads to an address, and a stream opens there:\n"
    "      sallyport dns check partner.example --connect --from "
    "contoso.example\n"
    "  our SRV leads to our edge, and 5269 is open from outside (run there):\n"
    "      sallyport dns check contoso.example --edge edge1.contoso.example "
    "\\\n"
    "          --connect\n"
    "\n"
    "exit status: 0 well or with warnings, 1 something failed, 2 wrong "
    "usage,\n"
    "3 could not be asked\n";

enum {
	OPT_SERVER,
	OPT_ANCHOR,
	OPT_EDGES,
	OPT_CERTIFICATE,
	OPT_CONNECT,
	OPT_FROM,
	OPT_TRUST,
	LIST_MAX = 16
};

static const struct option check_options[] = {
	{ "server", required_argument, NULL, OPT_SERVER },
	{ "trust-anchor", required_argument, NULL, OPT_ANCHOR },
	{ "edge", required_argument, NULL, OPT_EDGES },
	{ "certificate", required_argument, NULL, OPT_CERTIFICATE },
	{ "connect", no_argument, NULL, OPT_CONNECT },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "trust", required_argument, NULL, OPT_TRUST },
	{ NULL, 0, NULL, 0 },
};

struct check_request {
	struct dns_check check;
	struct cert_file certificate;
	struct args_names domains, edges, from;
	const char *servers[LIST_MAX], *anchors[LIST_MAX];
	size_t server_count, anchor_count;
};

static bool
take_text(
    const char **list, size_t *count, const char *option, const char *value)
{
	if (*count == LIST_MAX) {
		args_misused(CHECK, "%s: more than %d", option, LIST_MAX);
		return false;
	}
	list[(*count)++] = value;
	return true;
}

static bool
take_certificate(struct check_request *r, const char *path)
{
	char why[400];

	cert_file_finish(&r->certificate);
	r->certificate = (struct cert_file){ 0 };
	r->check.certificate = NULL;
	if (!cert_file_read(&r->certificate, path, why, sizeof(why))) {
		args_misused(CHECK, "--certificate: %s", why);
		return false;
	}
	r->check.certificate = &r->certificate;
	return true;
}

static bool
take_check(void *arg, int c, const char *value)
{
	struct check_request *r = arg;

	switch (c) {
	case OPT_SERVER:
		return take_text(
		    r->servers, &r->server_count, "--server", value);
	case OPT_ANCHOR:
		return take_text(
		    r->anchors, &r->anchor_count, "--trust-anchor", value);
	case OPT_EDGES:
		return args_names_add(&r->edges, CHECK, value);
	case OPT_CERTIFICATE:
		return take_certificate(r, value);
	case OPT_CONNECT:
		r->check.connect = true;
		return true;
	case OPT_FROM:
		r->from.count = 0;
		return args_names_add(&r->from, CHECK, value);
	default:
		r->check.trust = value;
		return true;
	}
}

static enum command_exit
check_all(struct check_request *r, bool json)
{
	const struct ask_opts ask = { .servers = r->servers,
		.server_count = r->server_count,
		.anchors = r->anchors,
		.anchor_count = r->anchor_count };
	json_t *domains = json_array();
	enum command_exit status;
	struct report report;
	char why[400];

	if (ask_new(&r->check.ask, &ask, why, sizeof(why)) < 0) {
		fprintf(stderr, "sallyport: %s\n", why);
		json_decref(domains);
		return COMMAND_UNREACHABLE;
	}
	report_init(&report);
	for (size_t i = 0; i < r->domains.count; i++)
		(void)json_array_append_new(domains,
		    dns_check_run(&report, &r->check, r->domains.v[i]));
	ask_free(r->check.ask);
	status =
	    report_print(&report, json_pack("{s:o}", "domains", domains), json);
	report_finish(&report);
	return status;
}

static enum command_exit
check_domains(void *arg, const struct args *a)
{
	struct check_request *r = arg;

	for (int i = 0; i < a->rest_count; i++)
		if (!args_names_add(&r->domains, CHECK, a->rest[i]))
			return COMMAND_USAGE;
	if (r->domains.count == 0)
		return args_misused(CHECK, "a domain is needed");
	r->check.edges = &r->edges;
	if (r->from.count > 0)
		r->check.from = r->from.v[0];
	if (r->anchor_count == 0 && ask_root_anchor() != NULL)
		r->anchors[r->anchor_count++] = ask_root_anchor();
	r->check.validating = r->anchor_count > 0;
	return check_all(r, a->json);
}

static void
end_check(void *arg)
{
	struct check_request *r = arg;

	cert_file_finish(&r->certificate);
}

static enum command_exit
run_check(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_command command = { .name = CHECK,
		.help = check_help,
		.options = check_options,
		.size = sizeof(struct check_request),
		.rest = -1,
		.take = take_check,
		.run = check_domains,
		.end = end_check };

	return args_run(&command, opts, argc, argv);
}

enum command_exit
cmd_dns_run(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_verb verbs[] = {
		{ "plan", "the records to publish", run_plan },
		{ "check", "what a partner's server sees", run_check },
	};

	return args_verbs(verbs, 2, opts, argc, argv);
}
