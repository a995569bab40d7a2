/*
 * import_map - one exported object as a setting.
 */
#ifndef DEPLOY_IMPORT_MAP_H
#define DEPLOY_IMPORT_MAP_H

#include <stddef.h>
#include <jansson.h>

struct import;

/* Where an object stands in its file. */
struct import_place {
	const char *file;
	size_t line;         /* 0 = JSON, which knows numbers only */
	size_t number;       /* of the object, from 1 */
	const json_t *lines; /* of its members; NULL = not known */
};

/* Adds the setting, or a problem.  ERR_NOMEM. */
int import_map_object(
    struct import *im, json_t *members, const struct import_place *at);

#endif
