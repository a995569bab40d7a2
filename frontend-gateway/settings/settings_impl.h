/*
 * settings_impl - what the files of settings share.  Nobody else includes it.
 *
 * settings.c      who waits, life
 * settings_job.c  the commit that is worked on
 */
#ifndef GATEWAY_SETTINGS_SETTINGS_IMPL_H
#define GATEWAY_SETTINGS_SETTINGS_IMPL_H

#include "common/clock.h"
#include "common/log.h"
#include "frontend-gateway/settings/settings.h"

struct setting_store_rows;
struct settings_draft;

/* A commit, from when it was asked for. */
struct settings_waiting {
	struct list link;
	struct settings_change *changes;
	size_t count;
	char *who, *via;
	bool dry_run, internal;
	settings_done_fn *done;
	void *arg;
};

/* settings_job.c has the table of moves. */
enum settings_stage {
	SETTINGS_IDLE,
	SETTINGS_DRAFTING,
	SETTINGS_PROPOSING,
	SETTINGS_COLLECTING,
	SETTINGS_PREPARING,
	SETTINGS_WRITING,
	SETTINGS_APPLYING,
	SETTINGS_TELLING,
	SETTINGS_CLEARING,
	SETTINGS_STAGES
};

struct settings_job {
	enum settings_stage stage;
	struct settings_waiting *waiting;
	struct settings_draft *draft;
	struct setting_store_rows *rows;
	size_t at;                /* changes collected */
	const char *hash;         /* the gate's */
	bool proposed;            /* the gate is to be told what comes of it */
	bool prepared;            /* listeners likewise */
	uint64_t version, number; /* as written */
	struct settings_outcome outcome;
	char why[1024];
};

struct settings {
	struct setting_store *store;
	struct clock *clock;
	struct clock_timer turn; /* there is more to do */
	struct log log;
	struct settings_view *now;
	uint64_t version;
	struct settings_gate gate;
	struct list listeners;
	struct list waiting;
	size_t waiting_count;
	struct settings_job job;
	bool running; /* in settings_go_on() */
	bool closing;
	void (*on_closed)(void *arg);
	void *closed_arg;
};

/* --- settings.c ---------------------------------------------------------- */

/* Works for a slice's time; the rest follows in other turns.  May free s, when
 * it is closing. */
void settings_go_on(struct settings *s);
void settings_waiting_free(struct settings_waiting *w);
/* Frees the last of its changes; false when there is none. */
bool settings_waiting_release(struct settings_waiting *w);

/* --- settings_job.c ------------------------------------------------------ */

/* Takes over w, in an idle job. */
void settings_job_begin(struct settings *s, struct settings_waiting *w);
/* Not while it is idle, or being written. */
void settings_job_step(struct settings *s);
/* Ends it if nothing of it has been written. */
void settings_job_abort(struct settings *s);

#endif
