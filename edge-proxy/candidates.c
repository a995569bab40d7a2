/* candidates - see the header. */
#include "edge-proxy/candidates.h"

#include <string.h>
#include <netinet/in.h>

static void
set_port(struct sockaddr_storage *a, uint16_t port)
{
	if (a->ss_family == AF_INET6)
		((struct sockaddr_in6 *)(void *)a)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)(void *)a)->sin_port = htons(port);
}

void
candidates_add(struct candidates *c, const struct sockaddr_storage *addr,
    uint16_t port, size_t target)
{
	size_t same = 0;

	for (size_t i = 0; i < c->count; i++)
		same += c->v[i].target == target;
	if (c->count == CANDIDATES_MAX || same == CANDIDATES_PER_TARGET)
		return;
	c->v[c->count] = (struct candidate){ .addr = *addr, .target = target };
	set_port(&c->v[c->count++].addr, port);
}

/* The family whose turn it is at that target. */
static int
due_family(const struct candidates *c, size_t target)
{
	int first = c->prefer4 ? AF_INET : AF_INET6;
	int second = c->prefer4 ? AF_INET6 : AF_INET;

	return c->last_target == target && c->last_family == first ? second
								   : first;
}

static bool
goes_before(const struct candidates *c, const struct candidate *a,
    const struct candidate *b)
{
	if (a->again != b->again)
		return b->again;
	if (a->target != b->target)
		return a->target < b->target;
	/* of the same family, as they came */
	return a->addr.ss_family != b->addr.ss_family &&
	       a->addr.ss_family == due_family(c, a->target);
}

struct candidate *
candidates_take(struct candidates *c)
{
	struct candidate *best = NULL;

	for (size_t i = 0; i < c->count; i++) {
		struct candidate *x = &c->v[i];

		if (!x->taken && (best == NULL || goes_before(c, x, best)))
			best = x;
	}
	if (best == NULL)
		return NULL;
	best->taken = true;
	c->last_target = best->target;
	c->last_family = best->addr.ss_family;
	return best;
}

void
candidates_give_back(struct candidate *c)
{
	/* Once: a second time it is not waited for. */
	if (c->again)
		return;
	c->again = true;
	c->taken = false;
}

void
candidates_drop(struct candidates *c, size_t target)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->v[i].target == target)
			c->v[i].taken = true;
}

bool
candidates_same_address(
    const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;
	const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;

	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET6)
		return a6->sin6_port == b6->sin6_port &&
		       memcmp(&a6->sin6_addr, &b6->sin6_addr,
			   sizeof(a6->sin6_addr)) == 0;
	return a->ss_family == AF_INET && a4->sin_port == b4->sin_port &&
	       a4->sin_addr.s_addr == b4->sin_addr.s_addr;
}
