/*
 * gateway_settings - settings put in force: the gateway's own configuration,
 * the edges, open chats and watchers follow each commit.
 *
 * What the edges have confirmed of it is part of the answer: it waits up to
 * GATEWAY_SETTINGS_CONFIRM_MS for them.
 */
#ifndef GATEWAY_GATEWAY_SETTINGS_H
#define GATEWAY_GATEWAY_SETTINGS_H

#include <jansson.h>

#include "frontend-gateway/settings/settings.h"

struct gateway;

enum { GATEWAY_SETTINGS_CONFIRM_MS = 1000 };

/* body, borrowed:
 * {"version", "changes": [{"kind", "key", "version", "before", "after"}],
 *  "warnings": [{"change", "kind", "key", "member", "text"}],
 *  "generation": {"counter", "confirmed": [edges], "waiting": [edges]}}
 * or, when rc is negative, {"text", "problems": [as warnings]}. */
typedef void gateway_settings_done_fn(int rc, const json_t *body, void *arg);
/* done is called once, perhaps before this returns. */
void gateway_settings_commit(struct gateway *g, const struct settings_commit *c,
    gateway_settings_done_fn *done, void *arg);

struct settings *gateway_settings(struct gateway *g);

#endif
