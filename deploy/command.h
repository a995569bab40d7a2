/*
 * command - what the operator's command hands to its sub-commands.
 *
 * A sub-command is one file cmd_<name>.c and one row of the table in
 * sallyport.c.
 */
#ifndef DEPLOY_COMMAND_H
#define DEPLOY_COMMAND_H

#include <stdbool.h>
#include <jansson.h>

/* Exit status of the program. */
enum command_exit {
	COMMAND_OK = 0,
	COMMAND_REFUSED = 1,
	COMMAND_USAGE = 2,
	COMMAND_UNREACHABLE = 3,
	COMMAND_DENIED = 4,   /* who asks has no right to */
	COMMAND_CONFLICT = 5, /* changed by another since, or there already */
	COMMAND_ABSENT = 6    /* no such object */
};

struct command_opts {
	const char *socket; /* NULL = whichever is there */
	bool json;
};

/* argv[0] is the sub-command's name. */
typedef enum command_exit
command_fn(const struct command_opts *opts, int argc, char **argv);

/* Asks the daemon (request is used up).  With COMMAND_OK the caller owns
 * *answer; anything else has been told to standard error. */
enum command_exit
command_ask(json_t **answer, const struct command_opts *opts, json_t *request);
/* The answer as JSON on standard output. */
void command_print_json(const json_t *answer);

/* Too many, too few or strange arguments. */
enum command_exit command_misused(const char *name);

command_fn cmd_status_run;
command_fn cmd_streams_run;
command_fn cmd_contacts_run;
command_fn cmd_log_level_run;
command_fn cmd_reload_run;
command_fn cmd_drain_run;
command_fn cmd_ports_run;
command_fn cmd_firewall_run;
command_fn cmd_certs_run;
command_fn cmd_dns_run;
command_fn cmd_doctor_run;
command_fn cmd_pool_run;
command_fn cmd_events_run;
command_fn cmd_partner_run;
command_fn cmd_gateway_config_run;
command_fn cmd_access_edge_run;
command_fn cmd_site_run;
command_fn cmd_policy_run;
command_fn cmd_provider_run;
command_fn cmd_licence_run;
command_fn cmd_import_run;
command_fn cmd_token_run;
command_fn cmd_audit_run;
command_fn cmd_test_im_run;
command_fn cmd_conversations_run;
command_fn cmd_trace_run;

#endif
