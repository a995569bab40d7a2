/*
 * admission - see the header.
 *
 * An address stays in the table as long as it has a connection or is known;
 * of the known ones that have none, the one that left first is forgotten when
 * there are too many.
 */
#include "edge-proxy/admission.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/map.h"

struct admission_address {
	struct map_node node;
	struct list gone; /* known, without a connection; oldest first */
	char ip[INET6_ADDRSTRLEN];
	size_t count, half_open;
	bool known;
};

struct admission {
	struct map by_ip;
	struct list gone;
	size_t gone_count;
	size_t count;
	struct list half_open; /* places, oldest first */
	size_t half_open_count;
	size_t strangers; /* half open, of addresses not known */
};

int
admission_new(struct admission **out)
{
	struct admission *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return ERR_NOMEM;
	if (map_init(&a->by_ip) < 0) {
		free(a);
		return ERR_NOMEM;
	}
	list_init(&a->gone);
	list_init(&a->half_open);
	*out = a;
	return 0;
}

static void
forget(struct admission *a, struct admission_address *at)
{
	map_remove(&a->by_ip, &at->node);
	list_remove(&at->gone);
	free(at);
}

void
admission_free(struct admission *a)
{
	if (a == NULL)
		return;
	assert(a->count == 0);
	LIST_FOREACH_SAFE (it, &a->gone)
		forget(a, list_entry(it, struct admission_address, gone));
	map_finish(&a->by_ip);
	free(a);
}

static struct admission_address *
find(const struct admission *a, const char *ip)
{
	struct map_node *n = map_get(&a->by_ip, ip, strlen(ip));

	return n != NULL ? map_entry(n, struct admission_address, node) : NULL;
}

static struct admission_address *
add(struct admission *a, const char *ip)
{
	struct admission_address *at = calloc(1, sizeof(*at));
	int len;

	if (at == NULL)
		return NULL;
	len = snprintf(at->ip, sizeof(at->ip), "%s", ip);
	assert(len >= 0 && (size_t)len < sizeof(at->ip));
	list_init(&at->gone);
	(void)map_put(&a->by_ip, &at->node, at->ip, strlen(at->ip));
	return at;
}

/* Which limit keeps one more out; at is NULL for an address that is new. */
static const char *
judge(const struct admission *a, const struct admission_address *at,
    const struct admission_limits *l)
{
	if (a->count >= l->total)
		return "connection limit";
	if (at != NULL && at->count >= l->address)
		return "too many from one address";
	if (at != NULL && at->half_open >= l->address_half_open)
		return "too many from one address that have not authenticated";
	if ((at == NULL || !at->known) && a->strangers >= l->half_open)
		return "too many that have not authenticated";
	return NULL;
}

const char *
admission_enter(struct admission *a, struct admission_place *p, const char *ip,
    const struct admission_limits *l)
{
	struct admission_address *at = find(a, ip);
	const char *why = judge(a, at, l);

	assert(p->address == NULL);
	if (why != NULL)
		return why;
	if (at == NULL)
		at = add(a, ip);
	if (at == NULL)
		return "out of memory";
	if (at->count == 0 && at->known) {
		list_remove(&at->gone);
		a->gone_count--;
	}
	p->address = at;
	p->proven = false;
	list_append(&a->half_open, &p->half_open);
	a->half_open_count++;
	a->count++;
	a->strangers += at->known ? 0 : 1;
	at->count++;
	at->half_open++;
	return NULL;
}

/* It is half open no more, whatever it is instead. */
static void
close_half(struct admission *a, struct admission_place *p)
{
	if (p->proven)
		return;
	list_remove(&p->half_open);
	a->half_open_count--;
	p->address->half_open--;
	a->strangers -= p->address->known ? 0 : 1;
}

void
admission_prove(struct admission *a, struct admission_place *p)
{
	struct admission_address *at = p->address;

	if (at == NULL || p->proven)
		return;
	close_half(a, p);
	p->proven = true;
	if (at->known)
		return;
	at->known = true;
	a->strangers -= at->half_open; /* his others */
}

void
admission_leave(struct admission *a, struct admission_place *p)
{
	struct admission_address *at = p->address;

	if (at == NULL)
		return;
	close_half(a, p);
	p->address = NULL;
	a->count--;
	if (--at->count > 0)
		return;
	if (!at->known) {
		forget(a, at);
		return;
	}
	list_append(&a->gone, &at->gone);
	if (++a->gone_count > ADMISSION_KNOWN) {
		forget(a,
		    list_entry(a->gone.next, struct admission_address, gone));
		a->gone_count--;
	}
}

bool
admission_knows(const struct admission *a, const char *ip)
{
	const struct admission_address *at = find(a, ip);

	return at != NULL && at->known;
}

struct admission_place *
admission_spare(const struct admission *a, bool known_too)
{
	for (struct list *it = a->half_open.prev; it != &a->half_open;
	     it = it->prev) {
		struct admission_place *p =
		    list_entry(it, struct admission_place, half_open);

		if (known_too || !p->address->known)
			return p;
	}
	return NULL;
}

size_t
admission_count(const struct admission *a)
{
	return a->count;
}

size_t
admission_half_open(const struct admission *a)
{
	return a->half_open_count;
}
