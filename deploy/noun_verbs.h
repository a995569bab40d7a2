/*
 * noun_verbs - new, set, get and remove for every noun, with the options that
 * the cmdlets of the same verbs have: the noun's own members, and -WhatIf,
 * -Confirm, -Force, -InMemory, -Instance, -Filter.
 */
#ifndef DEPLOY_NOUN_VERBS_H
#define DEPLOY_NOUN_VERBS_H

#include "deploy/command.h"
#include "deploy/noun.h"

enum noun_verb {
	NOUN_NEW,
	NOUN_SET,
	NOUN_GET,
	NOUN_REMOVE,
	/* Created or replaced as it is said; taken back when nothing is. */
	NOUN_GRANT
};

/* name: the whole sub-command, "partner set". */
enum command_exit noun_verbs_run(const struct noun *n, enum noun_verb verb,
    const char *name, const struct command_opts *opts, int argc, char **argv);

#endif
