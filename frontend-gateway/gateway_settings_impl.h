/*
 * gateway_settings_impl - what the gateway keeps of its settings.  A member of
 * struct gateway; for gateway*.c alone.
 */
#ifndef GATEWAY_GATEWAY_SETTINGS_IMPL_H
#define GATEWAY_GATEWAY_SETTINGS_IMPL_H

#include <stdbool.h>
#include <stddef.h>

#include "frontend-gateway/gateway_confirm.h"
#include "frontend-gateway/gateway_overlay.h"
#include "frontend-gateway/generation.h"
#include "frontend-gateway/settings/settings.h"
#include "frontend-gateway/store/setting_store.h"

struct gateway;

struct gateway_settings {
	struct settings *settings;
	struct setting_store *store;
	struct settings_world world;
	struct gateway_confirm confirm;
	/* What a commit that is being written will make of the configuration;
	 * `proposed` tells that there is something. */
	bool proposed;
	struct gateway_overlay overlay;
	struct generation_draft draft;
	/* Counts what else changed the configuration: a draft of another
	 * count is out of date. */
	unsigned base, draft_base;
};

/* Opens both, takes over what the file has when nothing was ever set, and lays
 * the settings over the configuration.  Blocks: for the start.  why is for an
 * admin. */
int gateway_settings_open(struct gateway *g, char *why, size_t size);
/* Harmless when it was not opened; gateway_settings_closed() comes then, unless
 * there was nothing to close. */
void gateway_settings_close(struct gateway *g);
bool gateway_settings_are_open(const struct gateway *g);
/* In gateway.c. */
void gateway_settings_closed(struct gateway *g);

/* A policy_change_fn: the rights of user have changed, or anybody's. */
void gateway_settings_follow(const char *user, void *gateway);

/* The configuration was changed otherwise: by a reload, a dialback secret. */
void gateway_settings_rebase(struct gateway *g);

/* --- gateway_import.c --------------------------------------------------- */

/* Commits what the file has of settings; blocks.  Nothing = 0. */
int gateway_import(struct gateway *g, char *why, size_t size);
/* Warns of members of the file that settings have overruled. */
void gateway_import_compare(struct gateway *g, const struct gateway_conf *file);

#endif
