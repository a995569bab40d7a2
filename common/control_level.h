/*
 * control_level - the request "log-level" of a control socket, read:
 * {"verb":"log-level","level":"debug","component":"s2s_in"}, the component
 * left out for all.  Pure.
 */
#ifndef COMMON_CONTROL_LEVEL_H
#define COMMON_CONTROL_LEVEL_H

#include <stddef.h>
#include <jansson.h>

#include "common/log.h"

enum { CONTROL_LEVEL_NAME_SIZE = 32 };

struct control_level {
	char component[CONTROL_LEVEL_NAME_SIZE]; /* "" = all */
	enum log_level level;
};

/* ERR_MALFORMED with why for an operator. */
int control_level_read(
    struct control_level *out, const json_t *request, char *why, size_t size);
/* From the two texts; the same errors.  component "" = all. */
int control_level_parse(struct control_level *out, const char *component,
    const char *level, char *why, size_t size);
/* Makes this process log so. */
int control_level_apply(const struct control_level *l);

#endif
