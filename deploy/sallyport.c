/*
 * sallyport - the operator's command: asks and tells the daemons of this host
 * over their control sockets.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "deploy/command.h"

static const struct {
	const char *name;
	const char *args;
	const char *what;
	command_fn *run;
	bool options; /* reads options, --help among them, by itself */
} commands[] = {
	{ "status", "[OPTION]...",
	    "what the daemon does, and what keeps it from it", cmd_status_run,
	    true },
	{ "streams", "[OPTION]...", "the streams with partners' servers",
	    cmd_streams_run, true },
	{ "contacts", "[OPTION]...", "who watches whom, and what each is shown",
	    cmd_contacts_run, true },
	{ "log-level", "[COMPONENT] LEVEL",
	    "log more or less until the next reload", cmd_log_level_run,
	    false },
	{ "reload", "", "read configuration and certificates again",
	    cmd_reload_run, false },
	{ "drain", "", "finish what is under way, then stop", cmd_drain_run,
	    false },
	{ "ports", "[OPTION]...", "who may speak to whom, for firewalls",
	    cmd_ports_run, true },
	{ "firewall", "plan|verify", "rules for a site, and whether they hold",
	    cmd_firewall_run, true },
	{ "dns", "plan|check",
	    "records for partners to find, and what they see", cmd_dns_run,
	    true },
	{ "certs", "plan|request|check",
	    "certificates: which, ask for one, look at one", cmd_certs_run,
	    true },
	{ "doctor", "[OPTION]...", "everything that must be true on this host",
	    cmd_doctor_run, true },
	{ "pool", "script", "attach the gateway to a pool, or take it back",
	    cmd_pool_run, true },
	{ "events", "[NUMBER|EVENT]...",
	    "what the event_id of a log line means", cmd_events_run, true },
	{ "partner", "new|set|get|remove", "whom people may speak to",
	    cmd_partner_run, true },
	{ "gateway-config", "get|set", "limits and times for all partners",
	    cmd_gateway_config_run, true },
	{ "access-edge", "get|set", "the master switch for federation",
	    cmd_access_edge_run, true },
	{ "site", "new|set|get|remove", "which domains are of which site",
	    cmd_site_run, true },
	{ "policy", "VERB", "who may speak to partners, and who has which",
	    cmd_policy_run, true },
	{ "provider", "list|set", "public IM providers, as of today",
	    cmd_provider_run, true },
	{ "licence", "new|set|get|remove", "who holds which, and until when",
	    cmd_licence_run, true },
	{ "conversations", "[OPTION]...", "the chats that are open",
	    cmd_conversations_run, true },
	{ "token", "new|list|set|remove", "who may administer over HTTP",
	    cmd_token_run, true },
	{ "trace", "WHO...", "what passes of somebody's, live", cmd_trace_run,
	    true },
	{ "test-im", "[OPTION]...",
	    "a message to a contact, and what becomes of it", cmd_test_im_run,
	    true },
	{ "audit", "[OPTION]...", "who changed what, and when", cmd_audit_run,
	    true },
	{ "import", "FILE...", "take over what a Lync pool exported",
	    cmd_import_run, true },
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void
print_help(void)
{
	fputs("usage: sallyport [OPTION]... COMMAND [ARGUMENT]...\n"
	      "\n"
	      "Asks the Sallyport daemon that runs on this host; plans and "
	      "checks what is\naround it.\n"
	      "\n"
	      "commands:\n",
	    stdout);
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-14s %-19s %s\n", commands[i].name, commands[i].args,
		    commands[i].what);
	fputs(
	    "\n"
	    "options:\n"
	    "  --socket PATH  the daemon's control socket; default: the one\n"
	    "                 there is of /run/sallyport/edge.sock and\n"
	    "                 /run/sallyport/gateway.sock\n"
	    "  --json         answers as JSON, for scripts\n"
	    "  --help         this text\n"
	    "  --version      the version\n"
	    "\n"
	    "Levels are error, warn, info and debug.\n"
	    "\n"
	    "examples:\n"
	    "  sallyport status               why does a partner not connect?\n"
	    "  sallyport log-level s2s_in debug\n"
	    "  sallyport reload               after a certificate was renewed\n"
	    "  sallyport --json streams | jq '.streams[].peer'\n"
	    "\n"
	    "exit status: 0 done, 1 the daemon said no, 2 wrong usage,\n"
	    "3 no daemon answered; and of the settings: 4 not permitted,\n"
	    "5 changed by another since or there already, 6 no such object\n",
	    stdout);
}

/* Up to the command; with all set, behind it as well.  -1 to go on, else the
 * exit status. */
static int
read_options(struct command_opts *o, int argc, char **argv, bool all)
{
	static const struct option known[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	optind = 0; /* glibc: from the start, whatever was read before */
	while ((c = getopt_long(argc, argv, all ? "h" : "+h", known, NULL)) !=
	       -1) {
		switch (c) {
		case 's':
			o->socket = optarg;
			break;
		case 'j':
			o->json = true;
			break;
		case 'h':
			print_help();
			return COMMAND_OK;
		case 'v':
			puts("sallyport " SALLYPORT_VERSION);
			return COMMAND_OK;
		default:
			fputs("see sallyport --help\n", stderr);
			return COMMAND_USAGE;
		}
	}
	return -1;
}

static enum command_exit
run(size_t command, struct command_opts *opts, int argc, char **argv)
{
	int status;

	if (!commands[command].options) {
		status = read_options(opts, argc, argv, true);
		if (status >= 0)
			return (enum command_exit)status;
		/* getopt wants a name before the arguments, as we do. */
		argc -= optind - 1;
		argv[optind - 1] = argv[0];
		argv += optind - 1;
	}
	return commands[command].run(opts, argc, argv);
}

int
main(int argc, char **argv)
{
	struct command_opts opts = { 0 };
	int status = read_options(&opts, argc, argv, false);

	if (status >= 0)
		return status;
	if (optind == argc) {
		fputs("sallyport: no command given; see sallyport --help\n",
		    stderr);
		return COMMAND_USAGE;
	}
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(argv[optind], commands[i].name) == 0)
			return (int)run(i, &opts, argc - optind, argv + optind);
	fprintf(stderr, "sallyport: unknown command %s; see sallyport --help\n",
	    argv[optind]);
	return COMMAND_USAGE;
}
