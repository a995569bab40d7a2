/*
 * cmd_firewall - what the verbs of "sallyport firewall" have in common: the
 * table, the site and the plan that follows from both.
 */
#ifndef DEPLOY_CMD_FIREWALL_H
#define DEPLOY_CMD_FIREWALL_H

#include "deploy/command.h"
#include "deploy/firewall_rules.h"

struct cmd_firewall {
	struct port_table *table;
	struct firewall_site *site;
	struct firewall_plan *plan;
};

/* 0, or an error that has been told to standard error.  table NULL = the one
 * built in; side as for firewall_rules_make(). */
int cmd_firewall_load(
    struct cmd_firewall *f, const char *site, const char *table, int side);
void cmd_firewall_finish(struct cmd_firewall *f);

command_fn cmd_firewall_verify_run;

#endif
