/*
 * typing_state - who of a pair is writing, and who must be told.
 *
 *   Lync says type      the contact gets <composing/> once; without another
 *                       notice for 8 s, or at idle, <paused/> once
 *   Lync writes         nothing: the message says it all
 *   <composing/>        the Lync client gets "type" now and every 5 s, for
 *                       120 s at most, for its own patience is 6 s
 *   <paused/> ...       "idle" once, if "type" was sent
 *   the contact writes  nothing more
 *
 * Neither begins twice in a second, however often it is said.
 *
 * A contact who writes without any chat state does not want them (XEP-0085
 * 5.1); one whose server bounces them neither.
 *
 * Borrows the clock.  Callbacks come from within the calls and from timers.
 */
#ifndef GATEWAY_CONVERSATION_TYPING_STATE_H
#define GATEWAY_CONVERSATION_TYPING_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"

enum {
	TYPING_LYNC_MS = 8000,
	TYPING_REPEAT_MS = 5000,
	TYPING_LIMIT_MS = 120000,
	TYPING_GUARD_MS = 1000,   /* no second start within it */
	TYPING_COMPOSING_S = 120, /* RFC 3994 without refresh */
	TYPING_REFRESH_MAX_S = 300
};

struct typing_events {
	/* To the contact: "composing", "paused". */
	void (*on_state)(const char *state, void *arg);
	/* To the Lync user, in the current dialog. */
	void (*on_typing)(bool typing, void *arg);
};

enum typing_wish { TYPING_UNASKED, TYPING_WANTED, TYPING_UNWANTED };

struct typing_state {
	const struct typing_events *events;
	void *arg;
	struct clock_timer lync;    /* running: the contact sees composing */
	struct clock_timer contact; /* next repetition */
	uint64_t contact_until_ms;
	/* When each was last said to begin, and whether ever. */
	uint64_t lync_began_ms, contact_began_ms;
	bool lync_began, contact_began;
	bool contact_typing; /* the Lync client sees it */
	enum typing_wish wish;
};

void typing_state_init(struct typing_state *t, struct clock *clock,
    const struct typing_events *events, void *arg);
/* Silently. */
void typing_state_stop(struct typing_state *t);

/* refresh_s: how long it holds; 0 = as Lync's. */
void typing_state_lync_types(struct typing_state *t, uint32_t refresh_s);
void typing_state_lync_idle(struct typing_state *t);
void typing_state_lync_wrote(struct typing_state *t);

/* A stand-alone chat state of the contact; in_dialog: there is one to tell the
 * Lync user in. */
void
typing_state_contact(struct typing_state *t, const char *state, bool in_dialog);
/* A text of his; had_state: with a chat state. */
void typing_state_contact_wrote(struct typing_state *t, bool had_state);
/* He does not take them. */
void typing_state_bounced(struct typing_state *t);
/* Whether chat states go with texts to him. */
bool typing_state_wanted(const struct typing_state *t);
/* Whether he has shown that he knows them. */
bool typing_state_known(const struct typing_state *t);
/* The dialog is gone. */
void typing_state_dialog_lost(struct typing_state *t);

#endif
