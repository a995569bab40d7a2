/*
 * hosting - see the header.
 *
 * Each node has at most one generation in force.  After every change the table
 * of owners is made anew: for each hosted domain the claim of the node that is
 * present, has the higher epoch, and had it before, in that order.
 *
 * Generations are remembered by store (number and hash) even when their node
 * is gone, so that a gateway that comes back cannot bring an older one.
 */
#include "edge-proxy/hosting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "common/utf8.h"
#include "edge-proxy/hosting_parse.h"
#include "proto/frame.h"

enum { STORES_MAX = 128, WHY_SIZE = 512 };

struct node {
	struct list all;
	char name[256];
	uint64_t epoch;
	bool absent;
	struct hosting_generation *generation;
};

/* A hosted domain and who owns it. */
struct owner {
	struct map_node by_domain;
	char domain[256];
	struct node *node;
};

/* The highest generation a store has shown. */
struct store {
	struct list all; /* most recently used last */
	char id[65];
	uint64_t counter;
	char hash[65];
};

struct hosting {
	struct list nodes;
	struct map owners;
	struct list stores;
	size_t store_count;
	struct hosting_settings defaults;
	hosting_change_fn *on_change;
	void *arg;
	struct log log;
};

int
hosting_new(struct hosting **out)
{
	struct hosting *h = calloc(1, sizeof(*h));
	int rc;

	if (h == NULL)
		return ERR_NOMEM;
	rc = map_init(&h->owners);
	if (rc < 0) {
		free(h);
		return rc;
	}
	list_init(&h->nodes);
	list_init(&h->stores);
	hosting_default_settings(&h->defaults);
	log_init(&h->log, "hosting");
	*out = h;
	return 0;
}

static void
free_owner(struct map_node *n, void *arg)
{
	struct hosting *h = arg;

	map_remove(&h->owners, n);
	free(map_entry(n, struct owner, by_domain));
}

static void
free_node(struct node *n)
{
	list_remove(&n->all);
	hosting_generation_free(n->generation);
	free(n);
}

void
hosting_free(struct hosting *h)
{
	if (h == NULL)
		return;
	map_each(&h->owners, free_owner, h);
	map_finish(&h->owners);
	LIST_FOREACH_SAFE (it, &h->nodes)
		free_node(list_entry(it, struct node, all));
	LIST_FOREACH_SAFE (it, &h->stores)
		free(list_entry(it, struct store, all));
	free(h);
}

/* --- looking up --------------------------------------------------------- */

static struct node *
find_node(const struct hosting *h, const char *name)
{
	LIST_FOREACH (it, &h->nodes) {
		struct node *n = list_entry(it, struct node, all);

		if (strcmp(n->name, name) == 0)
			return n;
	}
	return NULL;
}

static struct node *
owner_of(const struct hosting *h, const char *ascii)
{
	struct map_node *n = map_get(&h->owners, ascii, strlen(ascii));

	return n != NULL ? map_entry(n, struct owner, by_domain)->node : NULL;
}

bool
hosting_serves(const struct hosting *h, const char *ascii)
{
	return owner_of(h, ascii) != NULL;
}

const struct partner *
hosting_partner(const struct hosting *h, const char *hosted_ascii,
    const char *partner_ascii)
{
	struct node *owner = owner_of(h, hosted_ascii);
	struct map_node *n;

	if (owner == NULL)
		return NULL;
	n = map_get(&owner->generation->by_domain, partner_ascii,
	    strlen(partner_ascii));
	if (n == NULL)
		return NULL;
	return &map_entry(n, struct hosting_partner_row, node)->partner;
}

unsigned
hosting_methods(const struct hosting *h, const char *hosted_ascii,
    const char *partner_ascii)
{
	const struct partner *p =
	    hosting_partner(h, hosted_ascii, partner_ascii);

	return p != NULL ? p->methods : 0;
}

unsigned
hosting_all_methods(const struct hosting *h, const char *hosted_ascii)
{
	struct node *owner = owner_of(h, hosted_ascii);

	return owner != NULL ? owner->generation->methods : 0;
}

const struct hosting_settings *
hosting_settings(const struct hosting *h, const char *hosted_ascii)
{
	struct node *owner = owner_of(h, hosted_ascii);

	return owner != NULL ? &owner->generation->settings : &h->defaults;
}

const char *
hosting_owner(const struct hosting *h, const char *hosted_ascii)
{
	struct node *owner = owner_of(h, hosted_ascii);

	return owner != NULL ? owner->name : NULL;
}

bool
hosting_dialback(const struct hosting *h, const char *hosted_ascii,
    const char **current, const char **previous)
{
	struct node *owner = owner_of(h, hosted_ascii);
	const struct hosting_generation *g;

	if (owner == NULL || owner->generation->dialback_current[0] == '\0')
		return false;
	g = owner->generation;
	*current = g->dialback_current;
	*previous =
	    g->dialback_previous[0] != '\0' ? g->dialback_previous : NULL;
	return true;
}

static size_t
larger(size_t a, uint64_t b)
{
	return b > a ? (size_t)b : a;
}

static void
widen(struct hosting_bounds *b, const struct hosting_settings *s)
{
	b->connections = larger(b->connections, s->connection_limit);
	b->half_open = larger(b->half_open, s->half_open_limit);
	b->address = larger(b->address, s->address_limit);
	b->address_half_open =
	    larger(b->address_half_open, s->address_half_open);
	b->memory_max = larger(b->memory_max, s->memory_max);
}

void
hosting_bounds(const struct hosting *h, struct hosting_bounds *out)
{
	*out = (struct hosting_bounds){ 0 };
	LIST_FOREACH (it, &h->nodes)
		widen(out,
		    &list_entry(it, struct node, all)->generation->settings);
	if (list_empty(&h->nodes))
		widen(out, &h->defaults);
}

uint64_t
hosting_establishment_ms(const struct hosting *h)
{
	uint64_t ms = 0;

	LIST_FOREACH (it, &h->nodes) {
		const struct node *n = list_entry(it, struct node, all);

		if (n->generation->settings.stream_establishment_ms > ms)
			ms = n->generation->settings.stream_establishment_ms;
	}
	return ms > 0 ? ms : h->defaults.stream_establishment_ms;
}

bool
hosting_open(const struct hosting *h)
{
	LIST_FOREACH (it, &h->nodes) {
		const struct node *n = list_entry(it, struct node, all);

		if (!n->absent &&
		    hosting_fenced(h, n->name) < n->generation->hosted_count)
			return true;
	}
	return false;
}

/* --- who owns what ------------------------------------------------------ */

static struct owner *
find_owner(struct map *owners, const char *domain)
{
	struct map_node *n = map_get(owners, domain, strlen(domain));

	return n != NULL ? map_entry(n, struct owner, by_domain) : NULL;
}

/* Whether the claim of a beats that of b.  before: who owned it so far. */
static bool
beats(const struct node *a, const struct node *b, const struct node *before)
{
	if (a->absent != b->absent)
		return !a->absent;
	if (a->epoch != b->epoch)
		return a->epoch > b->epoch;
	return a == before;
}

/* Enters the claims of one node into the new table. */
static int
claim(struct hosting *h, struct map *owners, struct node *n)
{
	for (size_t i = 0; i < n->generation->hosted_count; i++) {
		const char *domain = n->generation->hosted[i];
		struct owner *o = find_owner(owners, domain);

		if (o == NULL) {
			o = calloc(1, sizeof(*o));
			if (o == NULL)
				return ERR_NOMEM;
			snprintf(o->domain, sizeof(o->domain), "%s", domain);
			o->node = n;
			map_put(owners, &o->by_domain, o->domain,
			    strlen(o->domain));
		} else if (beats(n, o->node, owner_of(h, domain))) {
			o->node = n;
		}
	}
	return 0;
}

static void
free_claim(struct map_node *n, void *arg)
{
	map_remove(arg, n);
	free(map_entry(n, struct owner, by_domain));
}

/* Makes the table of owners anew, or leaves it as it was (ERR_NOMEM). */
static int
settle_owners(struct hosting *h)
{
	struct map owners;
	int rc;

	rc = map_init(&owners);
	if (rc < 0)
		return rc;
	LIST_FOREACH (it, &h->nodes) {
		rc = claim(h, &owners, list_entry(it, struct node, all));
		if (rc < 0) {
			map_each(&owners, free_claim, &owners);
			map_finish(&owners);
			return rc;
		}
	}
	map_each(&h->owners, free_owner, h);
	map_finish(&h->owners);
	h->owners = owners;
	return 0;
}

static void
changed(struct hosting *h)
{
	if (h->on_change != NULL)
		h->on_change(h->arg);
}

void
hosting_on_change(struct hosting *h, hosting_change_fn *fn, void *arg)
{
	h->on_change = fn;
	h->arg = arg;
}

size_t
hosting_fenced(const struct hosting *h, const char *node)
{
	struct node *n = find_node(h, node);
	size_t count = 0;

	if (n == NULL)
		return 0;
	for (size_t i = 0; i < n->generation->hosted_count; i++)
		if (owner_of(h, n->generation->hosted[i]) != n)
			count++;
	return count;
}

/* --- generations -------------------------------------------------------- */

/* Writes a confirm frame; g NULL when there is nothing to name. */
static int
write_confirm(struct buf *out, const char *status, const char *reason,
    const struct hosting_generation *g, json_t *fenced)
{
	struct frame_writer w;
	json_t *root = NULL;
	char *text = NULL;
	int rc = ERR_NOMEM;

	if (g != NULL) {
		root = json_pack("{s:s, s:I, s:s, s:O}", "store", g->store,
		    "counter", (json_int_t)g->counter, "hash", g->hash,
		    "fenced", fenced);
		if (root == NULL)
			goto fail;
		text = json_dumps(root, JSON_COMPACT);
		if (text == NULL)
			goto fail;
	}
	frame_begin(&w, out, FRAME_CONFIRM);
	frame_put_str(&w, FIELD_STATUS, status);
	frame_put_str(&w, FIELD_REASON, reason);
	frame_put_str(&w, FIELD_JSON, text);
	rc = frame_end(&w);
fail:
	free(text);
	json_decref(root);
	return rc;
}

/* Two arrays: what the node holds of its domains, and what it lost. */
static int
sort_domains(
    const struct hosting *h, const struct node *n, json_t *held, json_t *fenced)
{
	for (size_t i = 0; i < n->generation->hosted_count; i++) {
		const char *domain = n->generation->hosted[i];

		if (json_array_append_new(
			owner_of(h, domain) == n ? held : fenced,
			json_string(domain)) < 0)
			return ERR_NOMEM;
	}
	return 0;
}

json_t *
hosting_describe(const struct hosting *h, const char *node)
{
	const struct node *n = find_node(h, node);
	json_t *held, *fenced;

	if (n == NULL)
		return NULL;
	held = json_array();
	fenced = json_array();
	if (sort_domains(h, n, held, fenced) < 0) {
		json_decref(held);
		json_decref(fenced);
		return NULL;
	}
	return json_pack("{s:I, s:I, s:o, s:o}", "epoch", (json_int_t)n->epoch,
	    "generation", (json_int_t)n->generation->counter, "domains", held,
	    "fenced", fenced);
}

static int
confirm_node(const struct hosting *h, const struct node *n, struct buf *out)
{
	json_t *held = json_array(), *fenced = json_array();
	int rc;

	rc = sort_domains(h, n, held, fenced);
	if (rc < 0)
		goto fail;
	if (json_array_size(fenced) > 0)
		rc = write_confirm(out, "fenced",
		    "another gateway with a higher epoch holds the domain",
		    n->generation, fenced);
	else
		rc = write_confirm(out, "ok", NULL, n->generation, fenced);
fail:
	json_decref(held);
	json_decref(fenced);
	return rc;
}

int
hosting_confirm(const struct hosting *h, const char *node, struct buf *confirm)
{
	struct node *n = find_node(h, node);

	return n != NULL ? confirm_node(h, n, confirm) : ERR_NOT_FOUND;
}

/* A refusal quotes the gateway's own text; cut anywhere, it may have lost the
 * rest of a character. */
static int
refuse(struct hosting *h, const char *node, const char *why,
    const struct hosting_generation *g, struct buf *confirm)
{
	char text[WHY_SIZE];
	json_t *none;
	int rc;

	snprintf(text, sizeof(text), "%s", why);
	if (!utf8_valid_xml(text, strlen(text)))
		for (char *p = text; *p != '\0'; p++)
			if (*p < ' ' || *p >= 0x7f)
				*p = '?';
	log_warn(&h->log, "config-refused", "node=%s reason=%s", node, text);
	none = json_array();
	if (none == NULL)
		return ERR_NOMEM;
	rc = write_confirm(confirm, "refused", text, g, none);
	json_decref(none);
	return rc < 0 ? rc : ERR_CONFIG;
}

static struct store *
find_store(struct hosting *h, const char *id)
{
	LIST_FOREACH (it, &h->stores) {
		struct store *s = list_entry(it, struct store, all);

		if (strcmp(s->id, id) == 0)
			return s;
	}
	return NULL;
}

/* Remembers the generation as its store's highest. */
static int
remember(struct hosting *h, const struct hosting_generation *g)
{
	struct store *s = find_store(h, g->store);

	if (s == NULL) {
		s = calloc(1, sizeof(*s));
		if (s == NULL)
			return ERR_NOMEM;
		list_init(&s->all);
		snprintf(s->id, sizeof(s->id), "%s", g->store);
		h->store_count++;
	}
	list_remove(&s->all);
	list_append(&h->stores, &s->all);
	s->counter = g->counter;
	memcpy(s->hash, g->hash, sizeof(s->hash));
	/* Bounded: the one that was not heard of for longest goes. */
	if (h->store_count > STORES_MAX) {
		struct store *old =
		    list_entry(h->stores.next, struct store, all);

		list_remove(&old->all);
		free(old);
		h->store_count--;
	}
	return 0;
}

/* Whether the generation may come into force; why says why not. */
static bool
acceptable(struct hosting *h, const struct hosting_generation *g,
    const char *store, char *why, size_t size)
{
	const struct store *seen = find_store(h, g->store);

	if (store != NULL && store[0] != '\0' && strcmp(store, g->store) != 0) {
		snprintf(why, size,
		    "the generation is of store %s, the gateway of store %s",
		    g->store, store);
		return false;
	}
	if (seen == NULL || g->counter > seen->counter)
		return true;
	if (g->counter < seen->counter) {
		snprintf(why, size, "generation %llu is older than %llu",
		    (unsigned long long)g->counter,
		    (unsigned long long)seen->counter);
		return false;
	}
	if (strcmp(g->hash, seen->hash) == 0)
		return true;
	snprintf(why, size, "generation %llu was seen with another content",
	    (unsigned long long)g->counter);
	return false;
}

/* The node's record, made if need be. */
static struct node *
need_node(struct hosting *h, const char *name)
{
	struct node *n = find_node(h, name);

	if (n != NULL)
		return n;
	n = calloc(1, sizeof(*n));
	if (n == NULL)
		return NULL;
	snprintf(n->name, sizeof(n->name), "%s", name);
	list_init(&n->all);
	return n;
}

/* Puts g in force for the node.  On error everything is as before. */
static int
enforce(struct hosting *h, const char *name, uint64_t epoch,
    struct hosting_generation *g)
{
	struct node *n = need_node(h, name);
	struct hosting_generation *old;
	struct node before;
	bool fresh;
	int rc;

	if (n == NULL)
		return ERR_NOMEM;
	rc = remember(h, g);
	fresh = n->generation == NULL;
	before = *n;
	old = n->generation;
	n->generation = g;
	n->epoch = epoch;
	n->absent = false;
	if (fresh)
		list_append(&h->nodes, &n->all);
	if (rc == 0)
		rc = settle_owners(h);
	if (rc == 0) {
		hosting_generation_free(old);
		return 0;
	}
	n->generation = old;
	n->epoch = before.epoch;
	n->absent = before.absent;
	if (fresh) {
		list_remove(&n->all);
		free(n);
	}
	return rc;
}

int
hosting_apply(struct hosting *h, const char *node, const char *store,
    uint64_t epoch, const struct frame *config, struct buf *confirm)
{
	const struct frame_field *json = frame_field(config, FIELD_JSON);
	struct hosting_generation *g = NULL;
	char why[WHY_SIZE];
	int rc;

	if (json == NULL)
		return refuse(h, node, "config: no content", NULL, confirm);
	rc = hosting_parse(&g, json->data, json->len, why, sizeof(why));
	if (rc == ERR_CONFIG)
		return refuse(h, node, why, NULL, confirm);
	if (rc < 0)
		return rc;
	if (!acceptable(h, g, store, why, sizeof(why))) {
		rc = refuse(h, node, why, g, confirm);
		hosting_generation_free(g);
		return rc;
	}
	rc = enforce(h, node, epoch, g);
	if (rc < 0) {
		hosting_generation_free(g);
		return rc;
	}
	log_info(&h->log, "config-applied",
	    "node=%s store=%s counter=%llu epoch=%llu hosted=%zu partners=%zu "
	    "fenced=%zu",
	    node, g->store, (unsigned long long)g->counter,
	    (unsigned long long)epoch, g->hosted_count, g->partner_count,
	    hosting_fenced(h, node));
	rc = hosting_confirm(h, node, confirm);
	changed(h);
	return rc;
}

/* A change that cannot be made for want of memory is logged: the next one
 * makes it good. */
static void
resettle(struct hosting *h)
{
	int rc = settle_owners(h);

	if (rc < 0)
		log_error(&h->log, "owners-stale", "error=%s", err_str(rc));
	changed(h);
}

void
hosting_set_absent(struct hosting *h, const char *node, bool absent)
{
	struct node *n = find_node(h, node);

	if (n == NULL || n->absent == absent)
		return;
	n->absent = absent;
	log_info(&h->log, absent ? "gateway-absent" : "gateway-present",
	    "node=%s", node);
	resettle(h);
}

static void
disown(struct map_node *m, void *arg)
{
	struct hosting *h = ((void **)arg)[0];
	struct node *n = ((void **)arg)[1];

	if (map_entry(m, struct owner, by_domain)->node == n)
		free_owner(m, h);
}

void
hosting_drop(struct hosting *h, const char *node)
{
	struct node *n = find_node(h, node);
	void *both[] = { h, n };

	if (n == NULL)
		return;
	/* First of all nothing may point at it any more. */
	map_each(&h->owners, disown, both);
	free_node(n);
	log_info(&h->log, "config-dropped", "node=%s", node);
	resettle(h);
}
