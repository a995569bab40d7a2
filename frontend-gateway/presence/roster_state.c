/*
 * Two tables, one per direction, a row per state and a column per stanza.  A
 * cell names the state that follows (the same one where nothing changes), so
 * that a table can be read beside the tables of the RFC.
 */
#include "frontend-gateway/presence/roster_state.h"

#include <assert.h>

enum cell_flag { PASS = 1, SAY_YES = 2, SAY_NO = 4 };

struct cell {
	unsigned char to, flags;
};

#define ROSTER_CELL(state, how)                                                \
	{                                                                      \
		ROSTER_##state, how                                            \
	}

/* Columns: subscribe, subscribed, unsubscribe, unsubscribed. */
/* clang-format off */
static const struct cell out_cells[ROSTER_STATE_COUNT][ROSTER_STANZA_COUNT] = {
	[ROSTER_N] = { ROSTER_CELL(NO, PASS), ROSTER_CELL(N, 0),
	    ROSTER_CELL(N, PASS), ROSTER_CELL(N, 0) },
	[ROSTER_NO] = { ROSTER_CELL(NO, PASS), ROSTER_CELL(NO, 0),
	    ROSTER_CELL(N, PASS), ROSTER_CELL(NO, 0) },
	[ROSTER_NI] = { ROSTER_CELL(NOI, PASS), ROSTER_CELL(F, PASS),
	    ROSTER_CELL(NI, PASS), ROSTER_CELL(N, PASS) },
	[ROSTER_NOI] = { ROSTER_CELL(NOI, PASS), ROSTER_CELL(FO, PASS),
	    ROSTER_CELL(NI, PASS), ROSTER_CELL(NO, PASS) },
	[ROSTER_T] = { ROSTER_CELL(T, PASS), ROSTER_CELL(T, 0),
	    ROSTER_CELL(N, PASS), ROSTER_CELL(T, 0) },
	[ROSTER_TI] = { ROSTER_CELL(TI, PASS), ROSTER_CELL(B, PASS),
	    ROSTER_CELL(NI, PASS), ROSTER_CELL(T, PASS) },
	[ROSTER_F] = { ROSTER_CELL(FO, PASS), ROSTER_CELL(F, 0),
	    ROSTER_CELL(F, PASS), ROSTER_CELL(N, PASS) },
	[ROSTER_FO] = { ROSTER_CELL(FO, PASS), ROSTER_CELL(FO, 0),
	    ROSTER_CELL(F, PASS), ROSTER_CELL(NO, PASS) },
	[ROSTER_B] = { ROSTER_CELL(B, PASS), ROSTER_CELL(B, 0),
	    ROSTER_CELL(F, PASS), ROSTER_CELL(T, PASS) },
};

static const struct cell in_cells[ROSTER_STATE_COUNT][ROSTER_STANZA_COUNT] = {
	[ROSTER_N] = { ROSTER_CELL(NI, PASS), ROSTER_CELL(N, 0),
	    ROSTER_CELL(N, 0), ROSTER_CELL(N, 0) },
	[ROSTER_NO] = { ROSTER_CELL(NOI, PASS), ROSTER_CELL(T, PASS),
	    ROSTER_CELL(NO, 0), ROSTER_CELL(N, PASS) },
	[ROSTER_NI] = { ROSTER_CELL(NI, 0), ROSTER_CELL(NI, 0),
	    ROSTER_CELL(N, PASS | SAY_NO), ROSTER_CELL(NI, 0) },
	[ROSTER_NOI] = { ROSTER_CELL(NOI, 0), ROSTER_CELL(TI, PASS),
	    ROSTER_CELL(NO, PASS | SAY_NO), ROSTER_CELL(NI, PASS) },
	[ROSTER_T] = { ROSTER_CELL(TI, PASS), ROSTER_CELL(T, 0),
	    ROSTER_CELL(T, 0), ROSTER_CELL(N, PASS) },
	[ROSTER_TI] = { ROSTER_CELL(TI, 0), ROSTER_CELL(TI, 0),
	    ROSTER_CELL(T, PASS | SAY_NO), ROSTER_CELL(NI, PASS) },
	[ROSTER_F] = { ROSTER_CELL(F, SAY_YES), ROSTER_CELL(F, 0),
	    ROSTER_CELL(N, PASS | SAY_NO), ROSTER_CELL(F, 0) },
	[ROSTER_FO] = { ROSTER_CELL(FO, SAY_YES), ROSTER_CELL(B, PASS),
	    ROSTER_CELL(NO, PASS | SAY_NO), ROSTER_CELL(F, PASS) },
	[ROSTER_B] = { ROSTER_CELL(B, SAY_YES), ROSTER_CELL(B, 0),
	    ROSTER_CELL(T, PASS | SAY_NO), ROSTER_CELL(F, PASS) },
};
/* clang-format on */

#undef ROSTER_CELL

static struct roster_step
step_of(const struct cell *c)
{
	struct roster_step st = { (enum roster_state)c->to,
		(c->flags & PASS) != 0, ROSTER_NO_REPLY };

	if ((c->flags & SAY_YES) != 0)
		st.reply = ROSTER_REPLY_SUBSCRIBED;
	else if ((c->flags & SAY_NO) != 0)
		st.reply = ROSTER_REPLY_UNSUBSCRIBED;
	return st;
}

struct roster_step
roster_state_out(enum roster_state s, enum roster_stanza stanza)
{
	assert(s < ROSTER_STATE_COUNT && stanza < ROSTER_STANZA_COUNT);
	return step_of(&out_cells[s][stanza]);
}

struct roster_step
roster_state_in(enum roster_state s, enum roster_stanza stanza)
{
	assert(s < ROSTER_STATE_COUNT && stanza < ROSTER_STANZA_COUNT);
	return step_of(&in_cells[s][stanza]);
}

#define IN(s, set) (((1U << (s)) & (set)) != 0)

bool
roster_state_from(enum roster_state s)
{
	return IN(s, 1U << ROSTER_F | 1U << ROSTER_FO | 1U << ROSTER_B);
}

bool
roster_state_to(enum roster_state s)
{
	return IN(s, 1U << ROSTER_T | 1U << ROSTER_TI | 1U << ROSTER_B);
}

bool
roster_state_pending_in(enum roster_state s)
{
	return IN(s, 1U << ROSTER_NI | 1U << ROSTER_NOI | 1U << ROSTER_TI);
}

bool
roster_state_pending_out(enum roster_state s)
{
	return IN(s, 1U << ROSTER_NO | 1U << ROSTER_NOI | 1U << ROSTER_FO);
}

const char *
roster_state_str(enum roster_state s)
{
	static const char *const names[ROSTER_STATE_COUNT] = {
		[ROSTER_N] = "none",
		[ROSTER_NO] = "none+out",
		[ROSTER_NI] = "none+in",
		[ROSTER_NOI] = "none+out+in",
		[ROSTER_T] = "to",
		[ROSTER_TI] = "to+in",
		[ROSTER_F] = "from",
		[ROSTER_FO] = "from+out",
		[ROSTER_B] = "both",
	};

	assert(s < ROSTER_STATE_COUNT);
	return names[s];
}

const char *
roster_stanza_str(enum roster_stanza stanza)
{
	static const char *const names[ROSTER_STANZA_COUNT] = {
		[ROSTER_SUBSCRIBE] = "subscribe",
		[ROSTER_SUBSCRIBED] = "subscribed",
		[ROSTER_UNSUBSCRIBE] = "unsubscribe",
		[ROSTER_UNSUBSCRIBED] = "unsubscribed",
	};

	assert(stanza < ROSTER_STANZA_COUNT);
	return names[stanza];
}
