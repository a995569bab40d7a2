/*
 * The records.  A pair is one allocation, its key behind it; it leads to the
 * records of its user and of its partner, which live as long as they have
 * pairs.  Whatever refers to a pair beyond a call is linked in it or counted
 * (holders), so that it can go at once when nothing is left of it.
 */
#include "frontend-gateway/presence/presence_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/jid.h"
#include "frontend-gateway/edges.h"
#include "frontend-gateway/gateway_conf.h"

struct pair_key {
	char bytes[2 * (JID_MAX + 1)];
	size_t len;
};

static bool
make_key(struct pair_key *k, const char *first, const char *second)
{
	size_t a = strlen(first) + 1, b = strlen(second) + 1;

	if (a + b > sizeof(k->bytes))
		return false;
	memcpy(k->bytes, first, a);
	memcpy(k->bytes + a, second, b);
	k->len = a + b;
	return true;
}

const char *
pair_user(const struct pair *p)
{
	return p->key;
}

const char *
pair_contact(const struct pair *p)
{
	return p->key + strlen(p->key) + 1;
}

/* --- users and partners ------------------------------------------------- */

struct presence_user *
pairs_user(const struct presence *pr, const char *bare)
{
	struct map_node *n = map_get(&pr->users, bare, strlen(bare));

	return n == NULL ? NULL : map_entry(n, struct presence_user, node);
}

static struct presence_user *
get_user(struct presence *pr, const char *bare)
{
	struct presence_user *u = pairs_user(pr, bare);
	size_t len = strlen(bare);
	int rc;

	if (u != NULL)
		return u;
	u = malloc(sizeof(*u) + len + 1);
	if (u == NULL)
		return NULL;
	memset(u, 0, sizeof(*u));
	memcpy(u->bare, bare, len + 1);
	u->presence = pr;
	list_init(&u->pairs);
	from_queue_user_init(u);
	rc = map_put(&pr->users, &u->node, u->bare, len);
	assert(rc == 0);
	return u;
}

static void
free_user(struct presence_user *u)
{
	from_queue_user_finish(u);
	map_remove(&u->presence->users, &u->node);
	free(u->name);
	free(u);
}

struct presence_partner *
pairs_partner(const struct presence *pr, const char *local, const char *remote)
{
	struct pair_key key;
	struct map_node *n;

	if (!make_key(&key, local, remote))
		return NULL;
	n = map_get(&pr->partners, key.bytes, key.len);
	return n == NULL ? NULL : map_entry(n, struct presence_partner, node);
}

static struct presence_partner *
get_partner(struct presence *pr, const char *local, const char *remote)
{
	struct presence_partner *t = pairs_partner(pr, local, remote);
	struct pair_key key;
	int rc;

	if (t != NULL || !make_key(&key, local, remote))
		return t;
	t = malloc(sizeof(*t) + key.len);
	if (t == NULL)
		return NULL;
	memset(t, 0, sizeof(*t));
	memcpy(t->local, key.bytes, key.len);
	t->key_len = key.len;
	t->remote = t->local + strlen(local) + 1;
	t->presence = pr;
	list_init(&t->pairs);
	list_init(&t->box);
	list_init(&t->probes);
	outage_partner_init(t);
	rc = map_put(&pr->partners, &t->node, t->local, t->key_len);
	assert(rc == 0);
	return t;
}

static void
free_partner(struct presence_partner *t)
{
	outage_partner_stop(t);
	map_remove(&t->presence->partners, &t->node);
	free(t);
}

bool
pairs_partner_release(struct presence_partner *t)
{
	if (t->count > 0 || t->flight > 0 || t->canary_sent)
		return false;
	free_partner(t);
	return true;
}

/* --- pairs -------------------------------------------------------------- */

struct pair *
pairs_find(const struct presence *pr, const char *user, const char *contact)
{
	struct pair_key key;
	struct map_node *n;

	if (!make_key(&key, user, contact))
		return NULL;
	n = map_get(&pr->pairs, key.bytes, key.len);
	return n == NULL ? NULL : map_entry(n, struct pair, node);
}

static void
link_pair(struct pair *p, struct presence *pr)
{
	int rc;

	p->presence = pr;
	p->serial = ++pr->last_serial;
	p->edge = EDGES_NONE;
	list_append(&pr->all, &p->all);
	list_append(&p->user->pairs, &p->by_user);
	list_append(&p->partner->pairs, &p->by_partner);
	list_init(&p->boxed);
	list_init(&p->queued);
	list_init(&p->dirty);
	list_init(&p->waiting);
	list_init(&p->watches);
	p->user->count++;
	p->partner->count++;
	clock_timer_init(&p->timer, pr->opts.clock, pair_run_on_timer, p);
	rc = map_put(&pr->pairs, &p->node, p->key, p->key_len);
	assert(rc == 0);
}

int
pairs_add(
    struct pair **out, struct presence *pr, const struct pair_names *names)
{
	struct presence_partner *t;
	struct presence_user *u;
	struct pair_key key;
	struct pair *p;

	if (pr->pairs.count >= pr->opts.conf->presence.pairs)
		return ERR_FULL;
	if (!make_key(&key, names->user, names->contact))
		return ERR_TOO_LONG;
	p = malloc(sizeof(*p) + key.len);
	if (p == NULL)
		return ERR_NOMEM;
	memset(p, 0, sizeof(*p));
	memcpy(p->key, key.bytes, key.len);
	p->key_len = (uint32_t)key.len;
	u = get_user(pr, names->user);
	t = get_partner(pr, names->local, names->remote);
	if (u == NULL || t == NULL) {
		if (u != NULL && u->count == 0)
			free_user(u);
		if (t != NULL)
			(void)pairs_partner_release(t);
		free(p);
		return ERR_NOMEM;
	}
	p->user = u;
	p->partner = t;
	link_pair(p, pr);
	*out = p;
	return 0;
}

void
pairs_free(struct pair *p)
{
	struct presence *pr = p->presence;
	struct presence_user *u = p->user;
	struct presence_partner *t = p->partner;

	clock_timer_stop(&p->timer);
	from_half_drop(p);
	to_half_drop_all(p);
	pair_run_drop(p);
	outbox_forget(p);
	sweep_leave(p);
	list_remove(&p->all);
	list_remove(&p->by_user);
	list_remove(&p->by_partner);
	list_remove(&p->dirty);
	map_remove(&pr->pairs, &p->node);
	resources_clear(&p->seen);
	free(p->doc);
	free(p->name);
	free(p);
	if (--u->count == 0)
		free_user(u);
	t->count--;
	(void)pairs_partner_release(t);
}

void
pairs_release(struct pair *p)
{
	const struct presence_box *b = &p->box;

	if (p->busy || p->running || p->holders > 0 ||
	    !list_empty(&p->waiting) || !list_empty(&p->watches) ||
	    p->sub != NULL || p->queue != QUEUE_NONE || b->from != 0 ||
	    b->to != 0 || b->tell != 0 || b->probe ||
	    !pair_state_empty(&p->state) || p->presence->stopping)
		return;
	pairs_free(p);
}

int
pairs_set_name(char **slot, const char *name)
{
	char *copy;

	if (name == NULL || name[0] == '\0') {
		free(*slot);
		*slot = NULL;
		return 0;
	}
	if (*slot != NULL && strcmp(*slot, name) == 0)
		return 0;
	copy = strdup(name);
	if (copy == NULL)
		return ERR_NOMEM;
	free(*slot);
	*slot = copy;
	return 0;
}

/* --- life --------------------------------------------------------------- */

int
pairs_init(struct presence *pr)
{
	int rc;

	list_init(&pr->all);
	list_init(&pr->dirty);
	list_init(&pr->parcels);
	rc = map_init(&pr->pairs);
	if (rc == 0)
		rc = map_init(&pr->users);
	if (rc == 0)
		rc = map_init(&pr->partners);
	return rc;
}

static void
on_each_partner(struct map_node *n, void *arg)
{
	(void)arg;
	free_partner(map_entry(n, struct presence_partner, node));
}

void
pairs_finish(struct presence *pr)
{
	if (pr->all.next == NULL)
		return;
	LIST_FOREACH_SAFE (it, &pr->all)
		pairs_free(list_entry(it, struct pair, all));
	/* Those that only parcels had kept. */
	map_each(&pr->partners, on_each_partner, NULL);
	map_finish(&pr->pairs);
	map_finish(&pr->users);
	map_finish(&pr->partners);
}
