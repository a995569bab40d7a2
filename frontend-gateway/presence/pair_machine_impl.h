/*
 * What the halves of the machine share: the step under way and the verbs in
 * which both speak.
 */
#ifndef GATEWAY_PRESENCE_PAIR_MACHINE_IMPL_H
#define GATEWAY_PRESENCE_PAIR_MACHINE_IMPL_H

#include "frontend-gateway/presence/pair_machine.h"

struct pair_machine {
	struct pair_step *out;
	struct pair_state *s; /* out->after */
	const struct pair_event *e;
	const struct pair_rules *r;
	int64_t now;
};

/* Adds an action; its other members are zero. */
struct pair_action *
pair_machine_do(struct pair_machine *m, enum pair_action_kind kind);
/* A stanza whose loss does no harm. */
void pair_machine_say(struct pair_machine *m, enum pair_stanza stanza);
/* The same, for somebody who waits for it. */
void pair_machine_answer(struct pair_machine *m, enum pair_stanza stanza);
/* A stanza that must arrive: sent now, or when the fate of the one before it
 * is known, and again until it is proven.  PAIR_STANZA_UNKNOWN: nothing is
 * owed any more. */
void pair_machine_owe(
    struct pair_machine *m, struct pair_debt *d, enum pair_stanza stanza);
/* What is owed and not under way is sent now. */
void pair_machine_pay(struct pair_machine *m, struct pair_debt *d);
/* It could not be delivered: again after a while. */
void pair_machine_put_off(struct pair_machine *m, struct pair_debt *d);

/* first, doubled fails times, at most most. */
int64_t pair_machine_wait(int64_t first, int64_t most, unsigned fails);
/* Since t (0 = never, or in the future: the clock was set back). */
bool pair_machine_passed(const struct pair_machine *m, int64_t t, int64_t ms);
/* The contact may watch the user: strangers may, or she has added him. */
bool pair_machine_may_watch(const struct pair_machine *m);
/* A condition that time alone will not mend. */
bool pair_machine_final(enum condition c);

static inline enum roster_state
pair_machine_roster(const struct pair_machine *m)
{
	return (enum roster_state)m->s->roster;
}

static inline bool
pair_machine_has(const struct pair_machine *m, enum pair_flag f)
{
	return (m->s->flags & (unsigned)f) != 0;
}

void pair_machine_mark(struct pair_machine *m, enum pair_flag f, bool on);

/* --- from half (pair_machine_from.c) ------------------------------------ */

void pair_machine_subscribe(struct pair_machine *m);
void pair_machine_unsubscribe(struct pair_machine *m);
void pair_machine_probe(struct pair_machine *m);
void pair_machine_sip_granted(struct pair_machine *m);
void pair_machine_sip_active(struct pair_machine *m);
void pair_machine_sip_pending(struct pair_machine *m);
void pair_machine_sip_terminated(struct pair_machine *m);
void pair_machine_sip_over(struct pair_machine *m);
void pair_machine_pool_lost(struct pair_machine *m);
void pair_machine_pool_back(struct pair_machine *m);
void pair_machine_from_due(struct pair_machine *m);
void pair_machine_from_restart(struct pair_machine *m);
void pair_machine_from_policy(struct pair_machine *m);
void pair_machine_from_reworded(struct pair_machine *m);
void pair_machine_from_disk_failed(struct pair_machine *m);
/* The contact loses the right; the change is to be stored by the caller. */
void pair_machine_from_end(struct pair_machine *m);

/* --- to half (pair_machine_to.c) ---------------------------------------- */

void pair_machine_subscribed(struct pair_machine *m);
void pair_machine_unsubscribed(struct pair_machine *m);
void pair_machine_presence(struct pair_machine *m);
void pair_machine_to_error(struct pair_machine *m);
/* The `subscribe` can't be delivered and never will. */
void pair_machine_refused(struct pair_machine *m);
void pair_machine_watch(struct pair_machine *m);
void pair_machine_refresh(struct pair_machine *m);
void pair_machine_unwatch(struct pair_machine *m);
void pair_machine_fetch(struct pair_machine *m);
void pair_machine_partner_lost(struct pair_machine *m);
void pair_machine_partner_back(struct pair_machine *m);
void pair_machine_probed(struct pair_machine *m);
void pair_machine_renewal(struct pair_machine *m);
void pair_machine_to_due(struct pair_machine *m);
void pair_machine_to_restart(struct pair_machine *m);
void pair_machine_to_policy(struct pair_machine *m);
/* The user no longer watches.  True when the contact is to be told. */
bool pair_machine_to_end(struct pair_machine *m);
/* Lync's dialogs are told to end, where there are any. */
void pair_machine_to_dismiss(struct pair_machine *m);
/* The planned `unsubscribe` is due. */
bool pair_machine_to_removal_due(const struct pair_machine *m);
void pair_machine_to_remove(struct pair_machine *m);

#endif
