/*
 * settings_load - what the store has, as a view.
 */
#ifndef GATEWAY_SETTINGS_SETTINGS_LOAD_H
#define GATEWAY_SETTINGS_SETTINGS_LOAD_H

#include <stddef.h>
#include <stdint.h>

struct setting_store;
struct settings_view;
struct settings_world;

/* Blocks.  ERR_STORE, also for a row that its kind refuses; ERR_NOMEM.  why
 * (size bytes) is for an admin. */
int settings_load(struct settings_view **out, uint64_t *version,
    struct setting_store *store, const struct settings_world *world, char *why,
    size_t size);

#endif
