/*
 * settings_writes - what a change is in the store: a row, and the audit's before
 * and after.
 */
#ifndef GATEWAY_SETTINGS_SETTINGS_WRITES_H
#define GATEWAY_SETTINGS_SETTINGS_WRITES_H

#include "frontend-gateway/settings/settings.h"

struct setting_store_rows;

/* Adds the row of a change that changes something.  ERR_NOMEM. */
int settings_writes_add(struct setting_store_rows *rows,
    const struct settings_delta *d, enum settings_action action);

#endif
