/* What an operator sees; the form is described in presence.h. */
#include "frontend-gateway/presence/presence_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/jid.h"
#include "frontend-gateway/presence/roster_state.h"
#include "frontend-gateway/sip/sip_notifier.h"
#include "frontend-gateway/sip/sip_subscriber.h"
#include "frontend-gateway/store/pair_store.h"

enum { LIMIT_DEFAULT = 100, LIMIT_MAX = 500 };

/* --- numbers ------------------------------------------------------------ */

static void
on_each_away(struct map_node *n, void *arg)
{
	size_t *away = arg;

	if (map_entry(n, struct presence_partner, node)->lost)
		(*away)++;
}

static size_t
line_length(const struct list *line)
{
	size_t n = 0;

	LIST_FOREACH (it, line)
		n++;
	return n;
}

static void
on_each_boxed(struct map_node *n, void *arg)
{
	const struct presence_partner *t =
	    map_entry(n, struct presence_partner, node);
	size_t *boxed = arg;

	*boxed += line_length(&t->box) + line_length(&t->probes);
}

json_t *
presence_status(const struct presence *pr)
{
	/* Only read. */
	struct map *partners = (struct map *)(uintptr_t)&pr->partners;
	struct pair_store_stats s;
	size_t away = 0, boxed = 0;

	map_each(partners, on_each_away, &away);
	map_each(partners, on_each_boxed, &boxed);
	pair_store_get_stats(pr->opts.store, &s);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, "
			 "s:s, s:I, s:I}",
	    "pairs", (json_int_t)pr->pairs.count, "watching",
	    (json_int_t)pr->subs, "watched", (json_int_t)pr->watched, "dialogs",
	    (json_int_t)pr->dialogs, "queued",
	    (json_int_t)(pr->pace != NULL ? pace_count(pr->pace) : 0),
	    "prompts", (json_int_t)pr->prompts, "outbox", (json_int_t)boxed,
	    "flight", (json_int_t)pr->flight, "partners_away", (json_int_t)away,
	    "pool_away", pr->pool_away, "store",
	    s.well ? "well" : "writing fails", "store_queue",
	    (json_int_t)s.queued, "ignored_documents",
	    (json_int_t)pr->ignored_documents);
}

/* --- pairs -------------------------------------------------------------- */

static const char *
owed_str(const struct pair_debt *d)
{
	return d->owed == PAIR_STANZA_UNKNOWN
		   ? ""
		   : pair_stanza_str((enum pair_stanza)d->owed);
}

static json_t *
to_json(const struct pair *p)
{
	const struct pair_state *s = &p->state;
	int64_t expires = 0;

	LIST_FOREACH (it, &p->watches) {
		const struct presence_watch *w =
		    list_entry(it, struct presence_watch, link);
		int64_t ms = sip_notifier_expires_ms(w->notifier);

		expires = ms > expires ? ms : expires;
	}
	return json_pack("{s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:s, s:I, s:I}",
	    "dialogs", (json_int_t)to_half_count(p), "expires",
	    (json_int_t)expires, "shown", to_notify_word(p), "resources",
	    (json_int_t)resources_count(&p->seen), "asked",
	    (json_int_t)s->asked_ms, "refused", (json_int_t)s->refused_ms,
	    "remove", (json_int_t)s->remove_ms, "owed", owed_str(&s->to),
	    "next", (json_int_t)s->to.due_ms, "fails", (json_int_t)s->to.fails);
}

static const char *
told_word(const struct pair *p)
{
	struct xmpp_presence x = { 0 };
	const char *word = "";

	if (p->told == 0)
		return "";
	if (from_half_current(&x, p) == 0) {
		word = xmpp_presence_show_str(x.show);
		if (!x.available || p->box.tell == PAIR_UNAVAILABLE ||
		    (p->state.flags & PAIR_DARK_FROM) != 0)
			word = "unavailable";
		else if (word == NULL)
			word = "available";
	}
	xmpp_presence_finish(&x);
	return word;
}

static void
write_why(char *out, size_t size, const struct pair *p)
{
	out[0] = '\0';
	if (p->why != 0)
		snprintf(out, size, "%d", p->why);
}

static json_t *
from_json(const struct pair *p)
{
	static const char *const queues[] = { "", "prompt", "renewal" };
	const struct sip_subscriber *sub = from_half_sip(p);
	const struct pair_state *s = &p->state;
	int64_t next = s->from.due_ms != 0 ? s->from.due_ms : s->sip_ms;
	char why[16];

	write_why(why, sizeof(why), p);
	return json_pack("{s:s, s:I, s:s, s:s, s:s, s:I, s:I, s:s}", "phase",
	    pair_sip_str((enum pair_sip)s->sip), "expires",
	    (json_int_t)(sub != NULL ? sip_subscriber_expires_ms(sub) : 0),
	    "told", told_word(p), "queued", queues[p->queue], "owed",
	    owed_str(&s->from), "next", (json_int_t)next, "fails",
	    (json_int_t)(s->from.fails + s->sip_fails), "why", why);
}

static json_t *
pair_json(const struct pair *p)
{
	const struct pair_state *s = &p->state;

	return json_pack("{s:s, s:s, s:s, s:b, s:s, s:I, s:o, s:o}", "user",
	    pair_user(p), "contact", pair_contact(p), "roster",
	    roster_state_str((enum roster_state)s->roster), "invited",
	    pair_state_invited(s), "name", p->name != NULL ? p->name : "",
	    "used", (json_int_t)s->used_ms, "to", to_json(p), "from",
	    from_json(p));
}

/* --- pages -------------------------------------------------------------- */

struct page {
	const char *user, *contact; /* NULL = all */
	uint64_t after;
	size_t limit;
	json_t *contacts;
	uint64_t next; /* 0 = there is none */
};

/* Prepared as the pairs' own are; "" for what is no address. */
static int
read_address(char out[static JID_MAX + 1], const char **slot,
    const json_t *request, const char *key)
{
	const char *text = json_string_value(json_object_get(request, key));
	struct jid j;

	*slot = NULL;
	if (text == NULL)
		return 0;
	if (jid_parse(&j, text, strlen(text)) < 0)
		return ERR_JID;
	snprintf(out, JID_MAX + 1, "%s", j.bare);
	jid_finish(&j);
	*slot = out;
	return 0;
}

/* False when the page is full. */
static bool
add_pair(struct page *page, const struct pair *p, uint64_t *last)
{
	if (p->serial <= page->after ||
	    (page->contact != NULL &&
		strcmp(pair_contact(p), page->contact) != 0))
		return true;
	if (json_array_size(page->contacts) == page->limit) {
		page->next = *last;
		return false;
	}
	(void)json_array_append_new(page->contacts, pair_json(p));
	*last = p->serial;
	return true;
}

static void
fill(struct page *page, const struct presence *pr)
{
	const struct presence_user *u = NULL;
	uint64_t last = page->after;

	if (page->user != NULL) {
		u = pairs_user(pr, page->user);
		if (u == NULL)
			return;
		LIST_FOREACH (it, &u->pairs)
			if (!add_pair(page,
				list_entry(it, struct pair, by_user), &last))
				return;
		return;
	}
	LIST_FOREACH (it, &pr->all)
		if (!add_pair(page, list_entry(it, struct pair, all), &last))
			return;
}

json_t *
presence_list(
    const struct presence *pr, const json_t *request, const char **error)
{
	char user[JID_MAX + 1], contact[JID_MAX + 1], next[24];
	const char *after =
	    json_string_value(json_object_get(request, "after"));
	json_int_t limit =
	    json_integer_value(json_object_get(request, "limit"));
	struct page page = { .limit = LIMIT_DEFAULT };
	json_t *all;

	if (read_address(user, &page.user, request, "user") < 0 ||
	    read_address(contact, &page.contact, request, "contact") < 0) {
		*error = "user and contact must be addresses";
		return NULL;
	}
	if (limit > 0)
		page.limit = limit < LIMIT_MAX ? (size_t)limit : LIMIT_MAX;
	if (after != NULL)
		page.after = strtoull(after, NULL, 10);
	page.contacts = json_array();
	fill(&page, pr);
	all = json_pack("{s:s, s:I, s:o}", "daemon", "gateway", "total",
	    (json_int_t)pr->pairs.count, "contacts", page.contacts);
	if (all == NULL) {
		*error = err_str(ERR_NOMEM);
		return NULL;
	}
	if (page.next != 0) {
		snprintf(
		    next, sizeof(next), "%llu", (unsigned long long)page.next);
		(void)json_object_set_new(all, "next", json_string(next));
	}
	return all;
}
