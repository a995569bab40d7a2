/* sallyport firewall verify */
#include <stdio.h>
#include <string.h>

#include "deploy/args.h"
#include "deploy/cmd_firewall.h"
#include "deploy/firewall_verify.h"
#include "deploy/text.h"

#define NAME "firewall verify"

enum { COLUMNS = 6, TIMEOUT_MS = 3000 };

struct verify_opts {
	const char *site, *table, *from;
	uint32_t timeout_ms;
	bool resets, all;
};

static const char help[] =
    "usage: sallyport firewall verify --site FILE [OPTION]...\n"
    "\n"
    "Tries from this host what the plan allows it and what the plan refuses,\n"
    "and says what got through: open (answered), closed (the host got it and\n"
    "nobody listens), filtered (it did not get there), unanswered (UDP, may "
    "be\n"
    "either).  Nothing is sent beyond an empty connection, or one question "
    "for\n"
    "UDP.\n"
    "\n"
    "  --site FILE    the site, as for plan\n"
    "  --from NAME    which of the site's hosts this is; default: the one\n"
    "                 whose address this machine has.  internet: a host\n"
    "                 outside\n"
    "  --timeout MS   how long each path is tried (default 3000)\n"
    "  --resets       the firewall answers what it refuses by a reset, so\n"
    "                 that closed counts as refused\n"
    "  --all          what is as it should be as well\n"
    "  --table FILE   another port table than the one built in\n"
    "  --json         for programs\n"
    "  --help         this text\n"
    "\n"
    "examples:\n"
    "  sallyport firewall verify --site site.json\n"
    "  sallyport firewall verify --site site.json --from internet --all\n"
    "\n"
    "exit status: 0 all is as planned, 1 something is not, 2 wrong usage\n";

static bool
take(void *arg, int c, const char *value)
{
	struct verify_opts *o = arg;

	switch (c) {
	case 's':
		o->site = value;
		break;
	case 'T':
		o->table = value;
		break;
	case 'f':
		o->from = value;
		break;
	case 'r':
		o->resets = true;
		break;
	case 'a':
		o->all = true;
		break;
	default:
		return args_number(
		    &o->timeout_ms, NAME, "--timeout", value, 10, 60000);
	}
	return true;
}

/* What to think of it, in a word or a few. */
static const char *
verdict(const struct firewall_probe *p, bool resets)
{
	if (p->outcome == FIREWALL_NO_SOURCE)
		return "this host does not have that address";
	if (!firewall_probe_ok(p, resets))
		return p->wanted ? "WRONG: should get through"
				 : "WRONG: should be refused";
	if (p->outcome == FIREWALL_UNANSWERED)
		return "no telling";
	if (p->wanted && p->outcome == FIREWALL_CLOSED)
		return "gets through; nobody listens";
	return "as planned";
}

static void
describe(char *out, size_t size, const struct firewall_end *e)
{
	char address[PREFIX_TEXT];

	if (e == NULL) {
		snprintf(out, size, "%s", FIREWALL_OUTSIDE);
		return;
	}
	prefix_text(address, &e->prefix);
	snprintf(out, size, "%s %s", e->name, address);
}

static const char *
rule_name(const struct firewall_probe *p)
{
	return p->rule != NULL ? p->rule->name : "none: refused";
}

static size_t
print_table(const struct firewall_verify *v, const struct verify_opts *o)
{
	static const char *const titles[COLUMNS] = { "FROM", "TO", "PORT",
		"OUTCOME", "RULE", "VERDICT" };
	struct text_table t;
	size_t wrong = 0;

	text_table_init(&t, titles, COLUMNS);
	for (size_t i = 0; i < v->count; i++) {
		const struct firewall_probe *p = &v->probes[i];
		char from[TEXT_CELL_MAX], to[TEXT_CELL_MAX], port[24];
		char address[PREFIX_TEXT];
		bool ok = firewall_probe_ok(p, o->resets);

		wrong += !ok;
		if (ok && !o->all)
			continue;
		describe(from, sizeof(from), p->from);
		prefix_text(address, &p->address);
		snprintf(to, sizeof(to), "%s %s", p->to->name, address);
		snprintf(port, sizeof(port), "%s/%u",
		    port_transport_name(p->transport), p->port);
		text_table_row(&t, (const char *const[COLUMNS]){ from, to, port,
				       firewall_outcome_name(p->outcome),
				       rule_name(p), verdict(p, o->resets) });
	}
	if (t.rows > 1)
		text_table_print(&t, "");
	text_table_finish(&t);
	printf("%zu paths tried, %zu not as planned\n", v->count, wrong);
	return wrong;
}

static size_t
print_json(const struct firewall_verify *v, const struct verify_opts *o)
{
	json_t *out = json_object(), *probes = json_array();
	size_t wrong = 0;

	for (size_t i = 0; i < v->count; i++) {
		const struct firewall_probe *p = &v->probes[i];
		char address[PREFIX_TEXT], from[TEXT_CELL_MAX];
		bool ok = firewall_probe_ok(p, o->resets);

		wrong += !ok;
		prefix_text(address, &p->address);
		describe(from, sizeof(from), p->from);
		json_array_append_new(probes,
		    json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:s*, s:b, s:b}",
			"from", from, "to", p->to->name, "address", address,
			"transport", port_transport_name(p->transport), "port",
			(int)p->port, "outcome",
			firewall_outcome_name(p->outcome), "rule",
			p->rule != NULL ? p->rule->name : NULL, "allowed",
			p->wanted, "as_planned", ok));
	}
	json_object_set_new(out, "wrong", json_integer((json_int_t)wrong));
	json_object_set_new(out, "paths", probes);
	command_print_json(out);
	json_decref(out);
	return wrong;
}

/* Nothing tried is nothing verified. */
static enum command_exit
try_paths(const struct cmd_firewall *f, const struct verify_opts *o, bool json)
{
	const char *host = o->from;
	struct firewall_verify *v;
	size_t wrong;
	char why[300];
	int rc;

	if (host == NULL)
		host = firewall_verify_whoami(f->site, why, sizeof(why));
	if (host == NULL) {
		fprintf(stderr, "sallyport: " NAME ": %s\n", why);
		return COMMAND_REFUSED;
	}
	if (!firewall_verify_knows(f->site, host))
		return args_misused(NAME, "the site has no host %s", host);
	rc = firewall_verify_make(&v, f->plan, host);
	if (rc < 0 || v->count == 0) {
		fprintf(stderr, "sallyport: " NAME ": %s\n",
		    rc < 0 ? "too many paths" : "nothing to try from here");
		if (rc == 0)
			firewall_verify_free(v);
		return COMMAND_REFUSED;
	}
	firewall_verify_run(v, o->timeout_ms);
	wrong = json ? print_json(v, o) : print_table(v, o);
	firewall_verify_free(v);
	return wrong == 0 ? COMMAND_OK : COMMAND_REFUSED;
}

static void
begin(void *arg)
{
	struct verify_opts *o = arg;

	o->timeout_ms = TIMEOUT_MS;
}

static enum command_exit
verify(void *arg, const struct args *a)
{
	const struct verify_opts *o = arg;
	enum command_exit status;
	struct cmd_firewall f;

	if (o->site == NULL)
		return args_misused(NAME, "--site is needed");
	if (cmd_firewall_load(&f, o->site, o->table, -1) < 0)
		return COMMAND_REFUSED;
	status = try_paths(&f, o, a->json);
	cmd_firewall_finish(&f);
	return status;
}

enum command_exit
cmd_firewall_verify_run(const struct command_opts *opts, int argc, char **argv)
{
	static const struct option options[] = {
		{ "site", required_argument, NULL, 's' },
		{ "from", required_argument, NULL, 'f' },
		{ "timeout", required_argument, NULL, 't' },
		{ "resets", no_argument, NULL, 'r' },
		{ "all", no_argument, NULL, 'a' },
		{ "table", required_argument, NULL, 'T' },
		{ NULL, 0, NULL, 0 },
	};
	static const struct args_command command = { .name = NAME,
		.help = help,
		.options = options,
		.size = sizeof(struct verify_opts),
		.begin = begin,
		.take = take,
		.run = verify };

	return args_run(&command, opts, argc, argv);
}
