/*
 * settings_world - settings over a store in a folder of its own, and commits
 * that are waited for.  For unit tests.
 */
#ifndef TESTS_SETTINGS_WORLD_H
#define TESTS_SETTINGS_WORLD_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "frontend-gateway/settings/settings.h"

struct settings_world_last {
	size_t done;
	int rc;
	uint64_t version, generation;
	char why[1024];
	char problems[8192], warnings[8192]; /* "member: text;" each */
	char after[4096]; /* of the first delta, as an item's object; or "-" */
	char set[1024];   /* the names of its members that were set */
	size_t deltas, changed;
};

struct settings_test {
	char dir[64], path[128];
	uv_loop_t loop;
	bool live; /* the clock is the loop's, else it stands still */
	struct clock *clock;
	struct store *store;
	struct setting_store *setting_store;
	struct settings *settings;
	struct settings_world_last last;
};

/* contoso.example is hosted and our own, pool.contoso.example our own. */
void settings_test_init(struct settings_test *t);
/* With the loop's own clock, where it stands still otherwise. */
void settings_test_init_live(struct settings_test *t);
void settings_test_finish(struct settings_test *t);
/* Closes and opens the store and the settings. */
void settings_test_restart(struct settings_test *t);
void settings_test_stop(struct settings_test *t);
void settings_test_start(struct settings_test *t);
/* Starts where that fails: the code, and why. */
int settings_test_try(struct settings_test *t, char *why, size_t size);

/* Fills t->last.  key and object (JSON, with ' for ") may be NULL. */
int
settings_test_commit(struct settings_test *t, const char *kind, const char *key,
    enum settings_action action, const char *object, uint64_t version);
int settings_test_put(struct settings_test *t, const char *kind,
    const char *key, const char *object);
int settings_test_patch(struct settings_test *t, const char *kind,
    const char *key, const char *object);
/* A turn of the loop; until so many commits are done. */
void settings_test_turn(struct settings_test *t);
void settings_test_wait(struct settings_test *t, size_t done);
/* Several at once. */
int settings_test_batch(struct settings_test *t,
    const struct settings_change *changes, size_t count, bool dry_run);
/* A reference of the caller's; ' for ". */
json_t *settings_test_json(const char *text);

#endif
