/*
 * import_plan - what an import would change, against what the gateway has, as
 * the changes of one batch.
 *
 * Nothing is ever removed: what the pool does not know stays.  Each change
 * carries the version that it was compared with, so that the batch is refused
 * when somebody else was there meanwhile.
 */
#ifndef DEPLOY_IMPORT_PLAN_H
#define DEPLOY_IMPORT_PLAN_H

#include <stddef.h>
#include <jansson.h>

#include "deploy/api_client.h"

struct import;
struct noun;

struct import_plan {
	json_t *changes; /* of POST /v1/batch */
	size_t created, changed, same, passed_over;
};

/* Which settings are meant; NULL = all. */
struct import_choice {
	const struct noun *noun;
	const char *filter; /* of keys, with * and ? */
};

int import_plan_init(struct import_plan *p);
void import_plan_finish(struct import_plan *p);

/* Asks the gateway for what it has, and compares.  With quiet nothing is
 * printed, else each change with its members. */
enum command_exit
import_plan_make(struct import_plan *p, const struct import *im,
    const struct import_choice *choice, struct api_client *c, bool quiet);

/* The members of object that differ from what holds, or NULL when none does.
 * held is an item of the gateway.  NULL without memory, too. */
json_t *import_plan_difference(json_t *object, const json_t *held);

#endif
