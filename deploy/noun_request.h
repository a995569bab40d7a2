/*
 * noun_request - what one call of new, set, get or remove asks for: taken from
 * the command line by noun_verbs, done by noun_change and noun_show.
 */
#ifndef DEPLOY_NOUN_REQUEST_H
#define DEPLOY_NOUN_REQUEST_H

#include <stdbool.h>
#include <jansson.h>

#include "deploy/api_client.h"
#include "deploy/noun_verbs.h"

enum { NOUN_REQUEST_MEMBERS = 16 };

struct noun_request {
	const struct noun *noun;
	enum noun_verb verb;
	const char *name;
	struct api_client_opts api;
	const char *identity; /* as it was written; NULL = none */
	char key[NOUN_KEY_MAX];
	/* What was said of each member, in the noun's order; NULL = nothing */
	json_t *said[NOUN_REQUEST_MEMBERS];
	const char *filter, *instance, *version;
	bool what_if, confirm, force, in_memory, list, json;
};

/* Creates, changes or removes, and prints what came of it. */
enum command_exit noun_change_run(struct noun_request *r, struct api_client *c);
/* Prints one, or all that the filter lets through. */
enum command_exit
noun_show_run(const struct noun_request *r, struct api_client *c);

#endif
