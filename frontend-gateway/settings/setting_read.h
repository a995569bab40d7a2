/*
 * setting_read - a change's object, checked member by member and merged with
 * what was set before.
 */
#ifndef GATEWAY_SETTINGS_SETTING_READ_H
#define GATEWAY_SETTINGS_SETTING_READ_H

#include <stdbool.h>
#include <jansson.h>

struct setting;
struct setting_kind;
struct settings_report;

struct setting_read {
	const struct setting_kind *kind;
	const char *key;              /* as it is stored */
	const struct setting *before; /* NULL = nothing was set */
	const json_t *given;
	bool patch;    /* else it takes the place of what was there */
	bool internal; /* may set internal members */
};

/* A new object, secrets included; NULL when there were problems. */
json_t *
setting_read(const struct setting_read *what, struct settings_report *report);

#endif
