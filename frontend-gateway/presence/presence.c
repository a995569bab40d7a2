/*
 * Presence frames become events of their pair.  A stranger's pair is made for
 * the time of the event; unless the machine keeps something of it, it goes
 * right away.
 */
#include "frontend-gateway/presence/presence_impl.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/jid.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/policy/policy.h"
#include "frontend-gateway/presence/roster_state.h"
#include "proto/channel.h"
#include "proto/frame.h"

enum { PRIORITY_BASE = 128 };

/* --- frames ------------------------------------------------------------- */

static const struct {
	const char *kind;
	enum pair_event_kind event;
} kinds[] = {
	{ "available", PAIR_ON_AVAILABLE },
	{ "unavailable", PAIR_ON_UNAVAILABLE },
	{ "subscribe", PAIR_ON_SUBSCRIBE },
	{ "subscribed", PAIR_ON_SUBSCRIBED },
	{ "unsubscribe", PAIR_ON_UNSUBSCRIBE },
	{ "unsubscribed", PAIR_ON_UNSUBSCRIBED },
	{ "probe", PAIR_ON_PROBE },
	{ "error", PAIR_ON_ERROR },
};

static bool
event_of(enum pair_event_kind *out, const struct frame *f)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (frame_is(f, FIELD_KIND, kinds[i].kind)) {
			*out = kinds[i].event;
			return true;
		}
	return false;
}

static void
answer(struct presence *pr, struct edges_ticket ticket, bool taken,
    enum condition c)
{
	struct channel_result r = { .delivered = taken,
		.proof = taken ? PROOF_GATEWAY : PROOF_NONE,
		.condition = c };

	edges_answer(pr->opts.edges, ticket, &r);
}

/* What the contact's resource says of itself. */
static int
take_resource(struct pair *p, const struct frame *f, const struct jid *from)
{
	struct clock *clock = p->presence->opts.clock;
	char show[16] = "", language[64] = "";
	char *status = frame_dup(f, FIELD_STATUS_TEXT);
	struct resource r = { .name =
				  from->resource != NULL ? from->resource : "",
		.status = status,
		.at = (uint64_t)clock_wall_ms(clock) };
	uint64_t n;
	int rc;

	(void)frame_copy(f, FIELD_SHOW, show, sizeof(show));
	(void)frame_copy(f, FIELD_LANGUAGE, language, sizeof(language));
	r.show = xmpp_presence_show_parse(show);
	r.language = language[0] != '\0' ? language : NULL;
	n = frame_u64(f, FIELD_PRIORITY, PRIORITY_BASE);
	if (n <= 2 * PRIORITY_BASE - 1)
		r.priority = (int8_t)((int)n - PRIORITY_BASE);
	r.idle_since = frame_u64(f, FIELD_IDLE_SINCE, 0);
	rc = resources_set(&p->seen, &r, NULL);
	free(status);
	if (rc == 0)
		pair_row_dirty(p);
	return rc;
}

static void
take_name(struct pair *p, const struct frame *f)
{
	char *nick = frame_dup(f, FIELD_NICK);

	names_of_contact(p, nick);
	free(nick);
}

/* Only who may be seen is looked at. */
static void
take_content(struct pair *p, struct happening *h, const struct frame *f,
    const struct guard_addresses *who)
{
	bool seen =
	    roster_state_to((enum roster_state)p->state.roster) ||
	    roster_state_pending_out((enum roster_state)p->state.roster);
	char *text;
	int rc = 0;

	switch ((int)h->e.kind) {
	case PAIR_ON_AVAILABLE:
		if (!seen)
			break;
		take_name(p, f);
		if (p->name == NULL)
			outbox_ask_name(p);
		rc = take_resource(p, f, &who->from);
		break;
	case PAIR_ON_UNAVAILABLE:
		if (resources_remove(&p->seen, who->from.resource))
			pair_row_dirty(p);
		break;
	case PAIR_ON_SUBSCRIBE:
		take_name(p, f);
		break;
	case PAIR_ON_ERROR:
		text = frame_dup(f, FIELD_CONDITION);
		h->e.condition = text != NULL
				     ? condition_parse(text, strlen(text))
				     : COND_UNDEFINED_CONDITION;
		free(text);
		text = frame_dup(f, FIELD_ID);
		h->e.stanza = parcels_stanza_of(text);
		free(text);
		break;
	default:
		break;
	}
	if (rc < 0)
		log_warn(&p->presence->log, "resource-not-kept",
		    "contact=%s error=%s", who->from.full, err_str(rc));
}

static bool
is_new_address(const struct pair *p, enum pair_event_kind kind)
{
	/* While it waits for the disk, the first has paid. */
	return kind == PAIR_ON_SUBSCRIBE && !p->busy &&
	       pair_state_empty(&p->state);
}

static void
give(struct presence *pr, struct pair *p, struct edges_ticket ticket,
    enum pair_event_kind kind, const struct frame *f,
    const struct guard_addresses *who)
{
	struct happening h = {
		.e = { .kind = kind }, .ticketed = true, .ticket = ticket
	};

	if (p->edge == EDGES_NONE)
		p->edge = (uint8_t)ticket.edge;
	take_content(p, &h, f, who);
	if (is_new_address(p, kind))
		h.e.limited = !policy_admit(pr->opts.policy, who->from.bare,
		    who->from.ascii, clock_now_ms(pr->opts.clock));
	outage_partner_back(p->partner);
	pair_run(p, &h);
}

void
presence_on_stanza(struct presence *pr, struct edges_ticket ticket,
    const struct frame *f, const struct guard_addresses *who)
{
	enum pair_event_kind kind;
	struct pair_names names = { who->to.bare, who->from.bare, who->to.ascii,
		who->from.ascii };
	struct pair *p;
	int rc = 0;

	/* What is not answered is given to the next start. */
	if (pr->stopping)
		return;
	if (!event_of(&kind, f)) {
		answer(pr, ticket, true, COND_UNDEFINED_CONDITION);
		return;
	}
	/* A server is nobody's contact. */
	if (who->from.local == NULL || who->to.local == NULL) {
		answer(pr, ticket, kind != PAIR_ON_SUBSCRIBE,
		    COND_SERVICE_UNAVAILABLE);
		return;
	}
	p = pairs_find(pr, who->to.bare, who->from.bare);
	if (p == NULL)
		rc = pairs_add(&p, pr, &names);
	if (rc < 0) {
		log_warn(&pr->log, "not-taken", "from=%s to=%s error=%s",
		    who->from.full, who->to.bare, err_str(rc));
		answer(pr, ticket, false, COND_RESOURCE_CONSTRAINT);
		return;
	}
	give(pr, p, ticket, kind, f, who);
}

void
presence_on_lost(struct presence *pr, unsigned edge)
{
	if (pr->stopping)
		return;
	parcels_lost(pr, edge);
	outage_edge_lost(pr, edge);
	if (edges_count_up(pr->opts.edges) == 0)
		outage_no_edge(pr);
}

void
presence_on_renewed(struct presence *pr, unsigned edge)
{
	if (pr->stopping)
		return;
	parcels_renewed(pr, edge);
	outage_edge_renewed(pr, edge);
}

/* --- policy ------------------------------------------------------------- */

static enum policy_tie
tie_of(const char *user, const char *contact, void *arg)
{
	const struct pair *p = pairs_find(arg, user, contact);
	bool watches;

	if (p == NULL)
		return POLICY_TIE_NONE;
	watches = roster_state_from((enum roster_state)p->state.roster);
	if (pair_state_invited(&p->state))
		return watches ? POLICY_TIE_BOTH : POLICY_TIE_INVITED;
	return watches ? POLICY_TIE_WATCHES : POLICY_TIE_NONE;
}

/* --- life --------------------------------------------------------------- */

static void
use_settings(struct presence *pr)
{
	const struct gateway_presence_conf *c = &pr->opts.conf->presence;

	pair_run_rules(pr);
	pr->build = presence_build_default();
	pr->build.msrtc = c->msrtc;
	pr->build.dnd_is_do_not_disturb = c->dnd_is_do_not_disturb;
	pr->build.xa_is_off_work = c->xa_is_off_work;
	pr->build.short_away_is_inactive = c->short_away_is_inactive;
	pr->build.chat_text = c->chat_text;
}

int
presence_new(struct presence **out, const struct presence_opts *opts)
{
	struct presence *pr = calloc(1, sizeof(*pr));
	int rc;

	if (pr == NULL)
		return ERR_NOMEM;
	pr->opts = *opts;
	pr->well = true;
	log_init(&pr->log, "presence");
	use_settings(pr);
	clock_timer_init(&pr->flush, opts->clock, pair_row_on_flush, pr);
	rc = pairs_init(pr);
	if (rc == 0)
		rc = from_queue_init(pr);
	if (rc < 0) {
		presence_free(pr);
		return rc;
	}
	outage_init(pr);
	renewal_init(pr);
	policy_set_ties(opts->policy, tie_of, pr);
	*out = pr;
	return 0;
}

void
presence_recheck(struct presence *pr)
{
	use_settings(pr);
	renewal_follow(pr, pr->opts.conf->presence.subscribe_s);
	from_queue_resume(pr);
	outage_recheck(pr);
}

/* The last of her pairs may go, and she with it. */
static void
tell_pairs_of(struct presence_user *u)
{
	size_t left = u->count;
	struct list *it = u->pairs.next;

	while (left-- > 0) {
		struct pair *p = list_entry(it, struct pair, by_user);

		it = it->next;
		from_half_follow_policy(p);
	}
}

void
presence_rights_changed(struct presence *pr, const char *user)
{
	struct presence_user *u;

	if (pr->stopping)
		return;
	if (user == NULL) {
		outage_recheck(pr);
		return;
	}
	u = pairs_user(pr, user);
	if (u != NULL)
		tell_pairs_of(u);
}

static void
on_each_stop(struct map_node *n, void *arg)
{
	struct presence_user *u = map_entry(n, struct presence_user, node);

	(void)arg;
	from_queue_user_finish(u);
}

void
presence_stop(struct presence *pr)
{
	if (pr == NULL || pr->stopping)
		return;
	pair_row_flush(pr);
	pr->stopping = true;
	policy_set_ties(pr->opts.policy, NULL, NULL);
	clock_timer_stop(&pr->flush);
	outage_stop(pr);
	renewal_stop(pr);
	from_queue_finish(pr);
	map_each(&pr->users, on_each_stop, NULL);
	LIST_FOREACH (it, &pr->all)
		clock_timer_stop(&list_entry(it, struct pair, all)->timer);
	parcels_drop_all(pr);
}

void
presence_free(struct presence *pr)
{
	if (pr == NULL)
		return;
	presence_stop(pr);
	pairs_finish(pr);
	free(pr);
}

bool
presence_invited(
    const struct presence *pr, const char *user, const char *contact)
{
	const struct pair *p = pairs_find(pr, user, contact);

	return p != NULL && pair_state_invited(&p->state);
}
