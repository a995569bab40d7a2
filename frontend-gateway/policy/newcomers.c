/*
 * Buckets are counted in thousandths of a token, filled when they are looked
 * at.  Contacts' and domains' live in one kind of table: a map for the look-up
 * and a list in the order of last use.
 */
#include "frontend-gateway/policy/newcomers.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/list.h"
#include "common/map.h"

enum { TOKEN = 60000 }; /* one per minute = one part per millisecond */

struct bucket {
	struct map_node node;
	struct list by_use;
	int64_t level;  /* parts of tokens; below 0 = debt */
	uint64_t at_ms; /* of which that is true */
	char key[];
};

struct table {
	struct map map;
	struct list by_use; /* longest unused first */
	int64_t burst;      /* parts */
	int64_t per_ms;     /* parts */
};

struct newcomers {
	struct table contacts, domains;
	size_t max;
};

static void
table_set(struct table *t, uint32_t burst, uint32_t per_minute)
{
	t->burst = (int64_t)burst * TOKEN;
	t->per_ms = per_minute;
}

static int
table_init(struct table *t)
{
	list_init(&t->by_use);
	return map_init(&t->map);
}

static void
drop(struct table *t, struct bucket *b)
{
	map_remove(&t->map, &b->node);
	list_remove(&b->by_use);
	free(b);
}

static void
table_finish(struct table *t)
{
	LIST_FOREACH_SAFE (it, &t->by_use)
		drop(t, list_entry(it, struct bucket, by_use));
	map_finish(&t->map);
}

void
newcomers_set(struct newcomers *n, const struct newcomers_opts *o)
{
	table_set(&n->contacts, o->contact_burst != 0 ? o->contact_burst : 20,
	    o->contact_per_minute != 0 ? o->contact_per_minute : 2);
	table_set(&n->domains, o->domain_burst != 0 ? o->domain_burst : 500,
	    o->domain_per_minute != 0 ? o->domain_per_minute : 120);
}

int
newcomers_new(struct newcomers **out, const struct newcomers_opts *opts)
{
	struct newcomers_opts o = { 0 };
	struct newcomers *n = calloc(1, sizeof(*n));
	int rc;

	if (n == NULL)
		return ERR_NOMEM;
	if (opts != NULL)
		o = *opts;
	n->max = o.max != 0 ? o.max : NEWCOMERS_MAX;
	rc = table_init(&n->contacts);
	if (rc < 0) {
		free(n);
		return rc;
	}
	rc = table_init(&n->domains);
	if (rc < 0) {
		table_finish(&n->contacts);
		free(n);
		return rc;
	}
	newcomers_set(n, &o);
	*out = n;
	return 0;
}

void
newcomers_free(struct newcomers *n)
{
	if (n == NULL)
		return;
	table_finish(&n->contacts);
	table_finish(&n->domains);
	free(n);
}

static void
fill(const struct table *t, struct bucket *b, uint64_t now_ms)
{
	uint64_t passed = now_ms > b->at_ms ? now_ms - b->at_ms : 0;
	int64_t missing = t->burst - b->level;

	b->at_ms = now_ms;
	if (missing <= 0 || passed > (uint64_t)(missing / t->per_ms))
		b->level = t->burst;
	else
		b->level += (int64_t)passed * t->per_ms;
}

/* Makes room for one more: of those unused for longest, the full ones. */
static void
trim(struct table *t, uint64_t now_ms)
{
	LIST_FOREACH_SAFE (it, &t->by_use) {
		struct bucket *b = list_entry(it, struct bucket, by_use);

		fill(t, b, now_ms);
		if (b->level < t->burst)
			return;
		drop(t, b);
	}
}

/* The bucket of key, filled; NULL without memory or room. */
static struct bucket *
bucket_of(
    struct newcomers *n, struct table *t, const char *key, uint64_t now_ms)
{
	size_t len = strlen(key);
	struct map_node *node = map_get(&t->map, key, len);
	struct bucket *b;

	if (node != NULL) {
		b = map_entry(node, struct bucket, node);
		fill(t, b, now_ms);
		list_remove(&b->by_use);
		list_append(&t->by_use, &b->by_use);
		return b;
	}
	trim(t, now_ms);
	if (t->map.count >= n->max) {
		if (t == &n->domains)
			return NULL;
		drop(t, list_entry(t->by_use.next, struct bucket, by_use));
	}
	b = calloc(1, sizeof(*b) + len + 1);
	if (b == NULL)
		return NULL;
	memcpy(b->key, key, len + 1);
	list_init(&b->by_use);
	b->level = t->burst;
	b->at_ms = now_ms;
	if (map_put(&t->map, &b->node, b->key, len) < 0) {
		free(b);
		return NULL;
	}
	list_append(&t->by_use, &b->by_use);
	return b;
}

bool
newcomers_admit(struct newcomers *n, const char *contact, const char *domain,
    uint64_t now_ms)
{
	struct bucket *d = bucket_of(n, &n->domains, domain, now_ms);
	struct bucket *c;

	if (d == NULL || d->level < TOKEN)
		return false;
	c = bucket_of(n, &n->contacts, contact, now_ms);
	if (c == NULL || c->level < TOKEN)
		return false;
	d->level -= TOKEN;
	c->level -= TOKEN;
	return true;
}

static bool
has_token(const struct table *t, const char *key, uint64_t now_ms)
{
	struct map_node *node = map_get(&t->map, key, strlen(key));
	struct bucket *b;

	if (node == NULL)
		return true;
	b = map_entry(node, struct bucket, node);
	fill(t, b, now_ms);
	return b->level >= TOKEN;
}

bool
newcomers_may(struct newcomers *n, const char *contact, const char *domain,
    uint64_t now_ms)
{
	return has_token(&n->domains, domain, now_ms) &&
	       has_token(&n->contacts, contact, now_ms);
}

static void
charge(struct newcomers *n, struct table *t, const char *key, uint64_t now_ms)
{
	int64_t floor = -t->per_ms * NEWCOMERS_DEBT_MINUTES * TOKEN;
	struct bucket *b = bucket_of(n, t, key, now_ms);

	if (b != NULL && b->level - TOKEN >= floor)
		b->level -= TOKEN;
}

void
newcomers_miss(struct newcomers *n, const char *contact, const char *domain,
    uint64_t now_ms)
{
	charge(n, &n->domains, domain, now_ms);
	charge(n, &n->contacts, contact, now_ms);
}
