/*
 * What of a pair's state is stored, and how.  A row has one column of flags;
 * it holds, from the lowest bit: invited, plain, what is owed to the contact
 * in either half (two bits each), the refusals in a row (four) and, from bit
 * 12, the hour since which the pool denies the user.  The numbers are on
 * disks: they never change their meaning.
 */
#include "common/err.h"
#include "frontend-gateway/presence/pair_machine.h"

enum {
	BIT_INVITED = 1 << 0,
	BIT_PLAIN = 1 << 1,
	SHIFT_TO = 2,
	SHIFT_FROM = 4,
	SHIFT_REFUSALS = 6,
	BITS_UNUSED = 3 << 10,
	SHIFT_GONE = 12,
	MASK_DEBT = 3,
	MASK_REFUSALS = 15,
	MASK_GONE = 0xfffff
};

static const int64_t HOUR_MS = 3600000;

/* Codes 1 and 2 of a debt. */
static const uint8_t to_debts[] = { PAIR_STANZA_UNKNOWN, PAIR_SUBSCRIBE,
	PAIR_UNSUBSCRIBE };
static const uint8_t from_debts[] = { PAIR_STANZA_UNKNOWN, PAIR_SUBSCRIBED,
	PAIR_UNSUBSCRIBED };
enum { DEBT_CODES = sizeof(to_debts) / sizeof(to_debts[0]) };

static uint32_t
debt_code(const uint8_t codes[DEBT_CODES], uint8_t owed)
{
	for (uint32_t i = 1; i < DEBT_CODES; i++) {
		if (codes[i] == owed)
			return i;
	}
	return 0;
}

void
pair_state_save(struct pair_saved *out, const struct pair_state *s)
{
	uint32_t flags = 0;

	if ((s->flags & PAIR_INVITED) != 0)
		flags |= BIT_INVITED;
	if ((s->flags & PAIR_PLAIN) != 0)
		flags |= BIT_PLAIN;
	flags |= debt_code(to_debts, s->to.owed) << SHIFT_TO;
	flags |= debt_code(from_debts, s->from.owed) << SHIFT_FROM;
	flags |= ((uint32_t)s->refusals & MASK_REFUSALS) << SHIFT_REFUSALS;
	flags |= ((uint32_t)(s->gone_ms / HOUR_MS) & MASK_GONE) << SHIFT_GONE;
	*out = (struct pair_saved){
		.roster = s->roster,
		.flags = flags,
		.asked_ms = s->asked_ms,
		.refused_ms = s->refused_ms,
		.remove_ms = s->remove_ms,
		.used_ms = s->used_ms,
	};
}

int
pair_state_load(struct pair_state *out, const struct pair_saved *saved)
{
	uint32_t to = saved->flags >> SHIFT_TO & MASK_DEBT;
	uint32_t from = saved->flags >> SHIFT_FROM & MASK_DEBT;
	struct pair_state s = { 0 };

	if (saved->roster >= ROSTER_STATE_COUNT || to >= DEBT_CODES ||
	    from >= DEBT_CODES || (saved->flags & BITS_UNUSED) != 0 ||
	    saved->asked_ms < 0 || saved->refused_ms < 0 ||
	    saved->remove_ms < 0 || saved->used_ms < 0)
		return ERR_MALFORMED;
	s.roster = (uint8_t)saved->roster;
	if ((saved->flags & BIT_INVITED) != 0)
		s.flags |= PAIR_INVITED;
	if ((saved->flags & BIT_PLAIN) != 0)
		s.flags |= PAIR_PLAIN;
	s.to.owed = to_debts[to];
	s.from.owed = from_debts[from];
	s.refusals = (uint8_t)(saved->flags >> SHIFT_REFUSALS & MASK_REFUSALS);
	s.gone_ms = (int64_t)(saved->flags >> SHIFT_GONE) * HOUR_MS;
	s.asked_ms = saved->asked_ms;
	s.refused_ms = saved->refused_ms;
	s.remove_ms = saved->remove_ms;
	s.used_ms = saved->used_ms;
	*out = s;
	return 0;
}

bool
pair_state_empty(const struct pair_state *s)
{
	return s->roster == ROSTER_N && s->refused_ms == 0 && s->to.owed == 0 &&
	       s->to.flight == 0 && s->from.owed == 0 && s->from.flight == 0;
}

bool
pair_state_invited(const struct pair_state *s)
{
	return (s->flags & PAIR_INVITED) != 0;
}
