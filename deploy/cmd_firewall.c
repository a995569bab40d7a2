/* sallyport firewall plan|verify */
#include "deploy/cmd_firewall.h"

#include <stdio.h>
#include <string.h>

#include "deploy/args.h"
#include "deploy/firewall_diagram.h"
#include "deploy/firewall_format.h"

#define PLAN "firewall plan"

enum { OUTPUT_MAX = 16 * 1024 * 1024 };

struct plan_opts {
	const char *site, *table, *diagram;
	const struct firewall_format *format;
	int side;
	struct firewall_format_opts write;
};

static const char help[] =
    "usage: sallyport firewall plan --site FILE --format F [OPTION]...\n"
    "\n"
    "Turns the port table and the description of a site into firewall rules,\n"
    "each with its reason.\n"
    "\n"
    "  --site FILE     the site: addresses, networks, topology; samples are "
    "in\n"
    "                  share/doc/sallyport/examples/sites\n"
    "  --format F      nftables, iptables, ip6tables, firewalld, windows, "
    "asa,\n"
    "                  paloalto, junos, request (for people) or json\n"
    "  --side S        only the outer firewall (external) or the inner one\n"
    "                  (internal)\n"
    "  --nat           the translation of the edges' addresses as well\n"
    "                  (nftables and iptables)\n"
    "  --diagram FILE  draws the site as SVG too\n"
    "  --table FILE    another port table than the one built in\n"
    "  --help          this text\n"
    "\n"
    "examples:\n"
    "  sallyport firewall plan --site site.json --format request\n"
    "  sallyport firewall plan --site site.json --format nftables >rules.nft\n"
    "  sallyport firewall plan --site site.json --format asa --side external\n"
    "  sallyport firewall plan --site site.json --format json \\\n"
    "      --diagram site.svg | jq '.rules[].name'\n"
    "\n"
    "exit status: 0 done, 1 the site has a mistake or a file cannot be "
    "written,\n"
    "2 wrong usage\n";

static bool
take(void *arg, int c, const char *value)
{
	struct plan_opts *o = arg;

	switch (c) {
	case 's':
		o->site = value;
		break;
	case 'T':
		o->table = value;
		break;
	case 'd':
		o->diagram = value;
		break;
	case 'n':
		o->write.nat = true;
		break;
	case 'f':
		o->format = firewall_format_find(value);
		if (o->format == NULL)
			args_misused(PLAN, "no format %s", value);
		return o->format != NULL;
	default:
		o->side = port_side_find(value);
		if (o->side < 0)
			args_misused(PLAN, "no side %s", value);
		return o->side >= 0;
	}
	return true;
}

int
cmd_firewall_load(
    struct cmd_firewall *f, const char *site, const char *table, int side)
{
	char why[1024];
	int rc;

	*f = (struct cmd_firewall){ 0 };
	rc = port_table_load(&f->table, table, why, sizeof(why));
	if (rc == 0)
		rc = firewall_site_load(
		    &f->site, site, f->table, why, sizeof(why));
	if (rc < 0) {
		fprintf(stderr, "sallyport: %s\n", why);
		goto fail;
	}
	rc = firewall_rules_make(&f->plan, f->table, f->site, side);
	if (rc == 0)
		return 0;
	fputs("sallyport: out of memory\n", stderr);
fail:
	cmd_firewall_finish(f);
	return rc;
}

void
cmd_firewall_finish(struct cmd_firewall *f)
{
	firewall_rules_free(f->plan);
	firewall_site_free(f->site);
	port_table_free(f->table);
	*f = (struct cmd_firewall){ 0 };
}

/* False when not all of it could be written. */
static bool
write_diagram(const char *path, const struct firewall_plan *plan)
{
	struct buf b;
	FILE *f;
	bool ok;

	buf_init(&b, OUTPUT_MAX);
	firewall_diagram_write(&b, plan);
	f = buf_failed(&b) ? NULL : fopen(path, "w");
	ok = f != NULL && fwrite(b.data, 1, b.len, f) == b.len;
	if (f != NULL && fclose(f) != 0)
		ok = false;
	if (!ok)
		perror(path);
	buf_finish(&b);
	return ok;
}

static bool
write_rules(const struct plan_opts *o, const struct firewall_plan *plan)
{
	struct buf b;
	bool ok;

	buf_init(&b, OUTPUT_MAX);
	o->format->write(&b, plan, &o->write);
	ok = !buf_failed(&b) && fwrite(b.data, 1, b.len, stdout) == b.len &&
	     fflush(stdout) == 0;
	if (!ok)
		fputs("sallyport: the rules could not be written\n", stderr);
	buf_finish(&b);
	return ok;
}

static void
begin(void *arg)
{
	struct plan_opts *o = arg;

	o->side = -1;
}

static enum command_exit
plan(void *arg, const struct args *a)
{
	struct plan_opts *o = arg;
	struct cmd_firewall f;
	bool ok;

	if (o->format == NULL && a->json)
		o->format = firewall_format_find("json");
	if (o->site == NULL || o->format == NULL)
		return args_misused(PLAN, "--site and --format are needed");
	if (o->write.nat && !o->format->can_nat)
		return args_misused(
		    PLAN, "format %s has no --nat", o->format->name);
	if (cmd_firewall_load(&f, o->site, o->table, o->side) < 0)
		return COMMAND_REFUSED;
	ok = o->diagram == NULL || write_diagram(o->diagram, f.plan);
	ok = write_rules(o, f.plan) && ok;
	cmd_firewall_finish(&f);
	return ok ? COMMAND_OK : COMMAND_REFUSED;
}

static enum command_exit
run_plan(const struct command_opts *opts, int argc, char **argv)
{
	static const struct option options[] = {
		{ "site", required_argument, NULL, 's' },
		{ "format", required_argument, NULL, 'f' },
		{ "side", required_argument, NULL, 'S' },
		{ "nat", no_argument, NULL, 'n' },
		{ "diagram", required_argument, NULL, 'd' },
		{ "table", required_argument, NULL, 'T' },
		{ NULL, 0, NULL, 0 },
	};
	static const struct args_command command = { .name = PLAN,
		.help = help,
		.options = options,
		.size = sizeof(struct plan_opts),
		.begin = begin,
		.take = take,
		.run = plan };

	return args_run(&command, opts, argc, argv);
}

enum command_exit
cmd_firewall_run(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_verb verbs[] = {
		{ "plan", "rules for a site's firewalls", run_plan },
		{ "verify", "try from this host whether they hold",
		    cmd_firewall_verify_run },
	};

	return args_verbs(
	    verbs, sizeof(verbs) / sizeof(verbs[0]), opts, argc, argv);
}
