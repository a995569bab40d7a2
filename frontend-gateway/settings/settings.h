/*
 * settings - what administrators set, in force while the gateway runs.
 *
 * A setting is a kind, a key and an object; all of them are in memory, in a
 * view that a commit exchanges as a whole.  A commit is a list of changes,
 * checked together and done all or not at all:
 *
 *   check members -> merge -> check against everything else -> gate
 *     -> listeners prepare -> write (off the loop, durable)
 *     -> in force: listeners -> done
 *
 * One commit is worked on at a time; the next waits and is checked against what
 * the former left.  A large one takes many turns of the loop, a slice in each
 * (settings_slice.h), so that everybody else is served in between; what is in
 * force stays what it was until all of it changes in a single turn.
 *
 * Versions are one counter of the store that never falls: each object that a
 * commit changes gets the commit's number.
 *
 * Owns     views, commits that wait.
 * Borrows  the store of settings, clock, world, gate, listeners.
 * Ends     settings_close(): commits that wait, or are being checked, get
 *          ERR_CLOSED; one that is being written is finished first.
 *          on_closed comes then.
 */
#ifndef GATEWAY_SETTINGS_SETTINGS_H
#define GATEWAY_SETTINGS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "common/list.h"
#include "frontend-gateway/settings/setting.h"
#include "frontend-gateway/settings/setting_kind.h"
#include "frontend-gateway/settings/settings_report.h"
#include "frontend-gateway/settings/settings_view.h"

struct clock;
struct setting_store;
struct settings;

enum {
	SETTINGS_WAITING_MAX = 64, /* commits */
	SETTINGS_CHANGES_MAX = 262144,
	SETTINGS_NAME_MAX = 256 /* bytes of who and via */
};

/* What a change expects the version to be.  Another number: that one. */
#define SETTINGS_ANY    UINT64_MAX
#define SETTINGS_ABSENT ((uint64_t)0) /* nothing was set so far */

enum settings_action {
	SETTINGS_PUT,   /* the whole object; a secret left out stays */
	SETTINGS_PATCH, /* RFC 7396; for a list also {"Add", "Remove"} */
	SETTINGS_REMOVE /* back to the built-in entry, if there is one */
};

struct settings_change {
	const struct setting_kind *kind;
	const char *key; /* as people write it */
	enum settings_action action;
	const json_t *object; /* NULL for SETTINGS_REMOVE */
	uint64_t version;     /* expected */
};

struct settings_commit {
	/* Copied; objects are shared, and not to be changed any more. */
	const struct settings_change *changes;
	size_t count;
	const char *who; /* "anna", "uid 0" */
	const char *via; /* "http", "socket", "import" */
	bool dry_run;    /* check, do nothing */
	bool internal;   /* may set internal members */
};

struct settings_delta {
	const struct setting_kind *kind;
	const char *key;
	const struct setting *before, *after; /* NULL = none */
};

struct settings_outcome {
	/* 0; ERR_CONFIG: problems; ERR_CONFLICT: another version, which the
	 * problem of that change tells; ERR_NOT_FOUND, ERR_EXISTS;
	 * ERR_FULL: too many commits wait; ERR_STORE, ERR_NOMEM,
	 * ERR_CLOSED */
	int rc;
	const char *why; /* one line for an admin; "" when rc is 0 */
	const struct settings_report *report;
	/* What changed, or would; in the order of the commit.  A change that
	 * changes nothing is there with before and after alike, and costs no
	 * version. */
	const struct settings_delta *deltas;
	size_t delta_count;
	uint64_t version;    /* of the commit; 0 when nothing was written */
	uint64_t generation; /* that tells the edges; 0 = no news for them */
	const struct settings_view *view; /* as it is now */
};
/* Once for each commit, perhaps before settings_commit() returns. */
typedef void settings_done_fn(const struct settings_outcome *o, void *arg);

/* Who must agree before a commit is written, beside the kinds' own checks, and
 * prepares what will follow from it. */
struct settings_gate {
	/* Problems refuse.  *hash (hex of SHA-256, borrowed until the end of
	 * the commit): the content that edges are to be told, which the store
	 * numbers in the same transaction; leave it NULL for no news. */
	void (*on_proposed)(const struct settings_view *after,
	    const struct settings_delta *deltas, size_t count, bool dry_run,
	    struct settings_report *report, const char **hash, void *arg);
	/* Written and in force, before the listeners.  Returns the number
	 * that the edges are told, which may be a later one; 0 = no news. */
	uint64_t (*on_in_force)(uint64_t generation, void *arg);
	/* What was proposed comes to nothing. */
	void (*on_dropped)(void *arg);
	void *arg;
};

/* Told in the turn in which a change comes into force, in the order in which
 * they were added.
 *
 * Who needs long for a large one has `prepare` as well: called again and again
 * before the commit is written, each time for a little of the work, until it
 * says that all is ready.  Nothing of it may be seen before on_change; if the
 * commit comes to nothing instead, on_dropped tells.  Commits that come along
 * while preparing do not concern: they wait. */
struct settings_listener {
	struct list link;
	void (*on_change)(const struct settings_view *now,
	    const struct settings_delta *deltas, size_t count, void *arg);
	bool (*prepare)(const struct settings_view *after,
	    const struct settings_delta *deltas, size_t count, void *arg);
	void (*on_dropped)(void *arg);
	void *arg;
	bool ready; /* settings' own */
};

/* Reads everything from the store; blocks.  A row that its kind refuses ends it
 * with ERR_STORE.  why is for an admin. */
int settings_open(struct settings **out, struct setting_store *store,
    struct clock *clock, const struct settings_world *world, char *why,
    size_t size);
void
settings_close(struct settings *s, void (*on_closed)(void *arg), void *arg);

/* gate is borrowed; one at a time. */
void settings_set_gate(struct settings *s, const struct settings_gate *gate);
void settings_listen(struct settings *s, struct settings_listener *l);
void settings_unlisten(struct settings_listener *l);

/* Nothing was ever set here. */
bool settings_is_fresh(const struct settings *s);
/* Valid until the next change comes into force. */
const struct settings_view *settings_now(const struct settings *s);

void settings_commit(struct settings *s, const struct settings_commit *c,
    settings_done_fn *done, void *arg);

#endif
