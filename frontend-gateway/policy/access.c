/*
 * Four tables: policies, sites, the sites' domains, grants.  A grant and a site
 * point at the record of their policy, which stays as long as somebody points
 * at it, defined or not.
 */
#include "frontend-gateway/policy/access.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/list.h"
#include "common/map.h"

static const char global_name[] = "global", site_prefix[] = "site:";

struct policy_row {
	struct map_node node;
	unsigned rights;
	bool defined;
	struct list holders;  /* grants */
	size_t grants, sites; /* that point here */
	size_t len;
	char *name; /* behind the key */
	char key[]; /* comparable form NUL name NUL */
};

struct site {
	struct map_node node;
	struct policy_row *policy;
	struct list domains;
	size_t len;
	char key[];
};

struct site_domain {
	struct map_node node;
	struct list link;
	struct site *site;
	size_t len;
	char key[];
};

struct grant {
	struct map_node node;
	struct list by_policy;
	struct policy_row *policy;
	size_t len;
	char key[];
};

struct access {
	bool master;
	struct map policies, sites, domains, grants;
};

/* --- names -------------------------------------------------------------- */

struct name {
	char text[sizeof(site_prefix) + ACCESS_NAME_MAX + 1];
	size_t len;
};

static bool
comparable(struct name *out, const char *prefix, const char *s)
{
	size_t at = strlen(prefix), len = strlen(s);

	if (at + len >= sizeof(out->text))
		return false;
	memcpy(out->text, prefix, at);
	for (size_t i = 0; i < len; i++)
		out->text[at + i] = s[i] >= 'A' && s[i] <= 'Z'
					? (char)(s[i] + 'a' - 'A')
					: s[i];
	out->len = at + len;
	out->text[out->len] = '\0';
	return true;
}

/* --- policies ----------------------------------------------------------- */

static struct policy_row *
find_policy(const struct access *a, const struct name *n)
{
	struct map_node *found = map_get(&a->policies, n->text, n->len);

	return found == NULL ? NULL : map_entry(found, struct policy_row, node);
}

/* spelled is what it is called in what people read. */
static struct policy_row *
get_policy(struct access *a, const struct name *n, const char *spelled)
{
	struct policy_row *row = find_policy(a, n);
	size_t spelled_size = strlen(spelled) + 1;
	int rc;

	if (row != NULL)
		return row;
	row = malloc(sizeof(*row) + n->len + 1 + spelled_size);
	if (row == NULL)
		return NULL;
	memset(row, 0, sizeof(*row));
	list_init(&row->holders);
	row->len = n->len;
	row->name = row->key + n->len + 1;
	memcpy(row->key, n->text, n->len + 1);
	memcpy(row->name, spelled, spelled_size);
	rc = map_put(&a->policies, &row->node, row->key, row->len);
	assert(rc == 0);
	return row;
}

/* Nobody needs it any more? */
static void
release_policy(struct access *a, struct policy_row *row)
{
	if (row->defined || row->grants > 0 || row->sites > 0)
		return;
	map_remove(&a->policies, &row->node);
	free(row);
}

int
access_set_policy(struct access *a, const char *name, unsigned rights)
{
	struct policy_row *row;
	struct name n;

	if (!comparable(&n, "", name))
		return ERR_TOO_LONG;
	row = get_policy(a, &n, name);
	if (row == NULL)
		return ERR_NOMEM;
	row->defined = true;
	row->rights = rights;
	return 0;
}

void
access_remove_policy(struct access *a, const char *name)
{
	struct policy_row *row;
	struct name n;

	if (!comparable(&n, "", name))
		return;
	row = find_policy(a, &n);
	if (row == NULL)
		return;
	row->defined = false;
	row->rights = 0;
	release_policy(a, row);
}

/* --- sites -------------------------------------------------------------- */

static struct site *
find_site(const struct access *a, const struct name *n)
{
	struct map_node *found = map_get(&a->sites, n->text, n->len);

	return found == NULL ? NULL : map_entry(found, struct site, node);
}

static struct site *
get_site(struct access *a, const struct name *n, const char *spelled)
{
	struct site *s = find_site(a, n);
	char policy[sizeof(n->text)];
	int rc;

	if (s != NULL)
		return s;
	snprintf(policy, sizeof(policy), "%s%s", site_prefix, spelled);
	s = malloc(sizeof(*s) + n->len + 1);
	if (s == NULL)
		return NULL;
	memset(s, 0, sizeof(*s));
	s->policy = get_policy(a, n, policy);
	if (s->policy == NULL) {
		free(s);
		return NULL;
	}
	s->policy->sites++;
	list_init(&s->domains);
	s->len = n->len;
	memcpy(s->key, n->text, n->len + 1);
	rc = map_put(&a->sites, &s->node, s->key, s->len);
	assert(rc == 0);
	return s;
}

static void
free_domain(struct access *a, struct site_domain *d)
{
	map_remove(&a->domains, &d->node);
	list_remove(&d->link);
	free(d);
}

static void
forget_domains(struct access *a, struct site *s)
{
	LIST_FOREACH_SAFE (it, &s->domains)
		free_domain(a, list_entry(it, struct site_domain, link));
}

static void
free_site(struct access *a, struct site *s)
{
	forget_domains(a, s);
	map_remove(&a->sites, &s->node);
	s->policy->sites--;
	release_policy(a, s->policy);
	free(s);
}

static struct site_domain *
new_domain(struct site *s, const char *domain)
{
	size_t len = strlen(domain);
	struct site_domain *d = malloc(sizeof(*d) + len + 1);

	if (d == NULL)
		return NULL;
	memset(d, 0, sizeof(*d));
	d->site = s;
	d->len = len;
	list_init(&d->link);
	memcpy(d->key, domain, len + 1);
	return d;
}

/* All of them, or none: the former ones go when nothing can fail any more. */
static int
make_domains(struct list *fresh, struct site *s, const char *const *domains,
    size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct site_domain *d = new_domain(s, domains[i]);

		if (d == NULL) {
			LIST_FOREACH_SAFE (it, fresh) {
				list_remove(it);
				free(list_entry(it, struct site_domain, link));
			}
			return ERR_NOMEM;
		}
		list_append(fresh, &d->link);
	}
	return 0;
}

static void
claim(struct access *a, struct site_domain *d)
{
	struct map_node *former = map_get(&a->domains, d->key, d->len);
	int rc;

	if (former != NULL)
		free_domain(a, map_entry(former, struct site_domain, node));
	rc = map_put(&a->domains, &d->node, d->key, d->len);
	assert(rc == 0);
	list_append(&d->site->domains, &d->link);
}

int
access_set_site(struct access *a, const char *name, const char *const *domains,
    size_t count)
{
	struct list fresh;
	struct site *s;
	struct name n;
	bool is_new;
	int rc;

	list_init(&fresh);
	if (!comparable(&n, site_prefix, name))
		return ERR_TOO_LONG;
	is_new = find_site(a, &n) == NULL;
	s = get_site(a, &n, name);
	if (s == NULL)
		return ERR_NOMEM;
	rc = make_domains(&fresh, s, domains, count);
	if (rc < 0) {
		if (is_new)
			free_site(a, s);
		return rc;
	}
	forget_domains(a, s);
	LIST_FOREACH_SAFE (it, &fresh) {
		list_remove(it);
		claim(a, list_entry(it, struct site_domain, link));
	}
	return 0;
}

void
access_remove_site(struct access *a, const char *name)
{
	struct site *s;
	struct name n;

	if (!comparable(&n, site_prefix, name))
		return;
	s = find_site(a, &n);
	if (s != NULL)
		free_site(a, s);
}

/* --- grants ------------------------------------------------------------- */

static struct grant *
find_grant(const struct access *a, const char *user)
{
	struct map_node *n = map_get(&a->grants, user, strlen(user));

	return n == NULL ? NULL : map_entry(n, struct grant, node);
}

static struct grant *
get_grant(struct access *a, const char *user)
{
	struct grant *g = find_grant(a, user);
	size_t len = strlen(user);
	int rc;

	if (g != NULL)
		return g;
	g = malloc(sizeof(*g) + len + 1);
	if (g == NULL)
		return NULL;
	memset(g, 0, sizeof(*g));
	list_init(&g->by_policy);
	g->len = len;
	memcpy(g->key, user, len + 1);
	rc = map_put(&a->grants, &g->node, g->key, g->len);
	assert(rc == 0);
	return g;
}

/* Its policy from now on; NULL = none. */
static void
hold(struct access *a, struct grant *g, struct policy_row *row)
{
	struct policy_row *former = g->policy;

	list_remove(&g->by_policy);
	g->policy = row;
	if (row != NULL) {
		list_append(&row->holders, &g->by_policy);
		row->grants++;
	}
	if (former != NULL) {
		former->grants--;
		release_policy(a, former);
	}
}

static void
free_grant(struct access *a, struct grant *g)
{
	hold(a, g, NULL);
	map_remove(&a->grants, &g->node);
	free(g);
}

int
access_grant(struct access *a, const char *user, const char *policy)
{
	struct policy_row *row;
	struct grant *g;
	struct name n;

	if (!comparable(&n, "", policy))
		return ERR_TOO_LONG;
	row = get_policy(a, &n, policy);
	if (row == NULL)
		return ERR_NOMEM;
	g = get_grant(a, user);
	if (g == NULL) {
		release_policy(a, row);
		return ERR_NOMEM;
	}
	hold(a, g, row);
	return 0;
}

void
access_ungrant(struct access *a, const char *user)
{
	struct grant *g = find_grant(a, user);

	if (g != NULL)
		free_grant(a, g);
}

/* --- judgement ---------------------------------------------------------- */

void
access_set_master(struct access *a, bool on)
{
	a->master = on;
}

bool
access_master(const struct access *a)
{
	return a->master;
}

/* The policy of her site, if it has one. */
static const struct policy_row *
policy_of_site(const struct access *a, const char *domain)
{
	struct map_node *n = map_get(&a->domains, domain, strlen(domain));
	const struct policy_row *row;

	if (n == NULL)
		return NULL;
	row = map_entry(n, struct site_domain, node)->site->policy;
	return row->defined ? row : NULL;
}

struct access_view
access_of(const struct access *a, const char *user, const char *domain)
{
	static const struct name global = { .text = "global", .len = 6 };
	const struct grant *g = find_grant(a, user);
	const struct policy_row *row =
	    g != NULL ? g->policy : policy_of_site(a, domain);

	if (row == NULL)
		row = find_policy(a, &global);
	if (row == NULL)
		return (struct access_view){ 0, global_name };
	return (struct access_view){ row->rights, row->name };
}

size_t
access_grants(const struct access *a)
{
	return a->grants.count;
}

size_t
access_granted(const struct access *a, const char *policy)
{
	const struct policy_row *row;
	struct name n;

	if (!comparable(&n, "", policy))
		return 0;
	row = find_policy(a, &n);
	return row != NULL ? row->grants : 0;
}

/* --- life --------------------------------------------------------------- */

int
access_new(struct access **out)
{
	struct access *a = calloc(1, sizeof(*a));
	struct map *const maps[] = { &a->policies, &a->sites, &a->domains,
		&a->grants };
	int rc = a != NULL ? 0 : ERR_NOMEM;

	for (size_t i = 0; rc == 0 && i < sizeof(maps) / sizeof(maps[0]); i++)
		rc = map_init(maps[i]);
	if (rc < 0) {
		access_free(a);
		return rc;
	}
	*out = a;
	return 0;
}

static void
on_each_site(struct map_node *n, void *arg)
{
	free_site(arg, map_entry(n, struct site, node));
}

static void
on_each_grant(struct map_node *n, void *arg)
{
	free_grant(arg, map_entry(n, struct grant, node));
}

static void
on_each_policy(struct map_node *n, void *arg)
{
	struct access *a = arg;
	struct policy_row *row = map_entry(n, struct policy_row, node);

	map_remove(&a->policies, &row->node);
	free(row);
}

void
access_free(struct access *a)
{
	if (a == NULL)
		return;
	map_each(&a->grants, on_each_grant, a);
	map_each(&a->sites, on_each_site, a);
	map_each(&a->policies, on_each_policy, a);
	map_finish(&a->grants);
	map_finish(&a->domains);
	map_finish(&a->sites);
	map_finish(&a->policies);
	free(a);
}
