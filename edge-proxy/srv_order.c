/*
 * srv_order - RFC 2782: inside one priority, records of weight 0 stand first;
 * a number from 0 to the sum of weights inclusive is drawn, the first record
 * whose running sum reaches it comes next, and so on with the rest.
 */
#include "edge-proxy/srv_order.h"

#include <stdlib.h>

#include "edge-proxy/resolver_client.h"

static int
by_priority_zero_first(const void *a, const void *b)
{
	const struct dns_srv *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	return (x->weight != 0) - (y->weight != 0);
}

/* Moves element i to the front, the ones before it up by one, so that the
 * rest keeps weight 0 first. */
static void
to_front(struct dns_srv *v, size_t i)
{
	struct dns_srv chosen = v[i];

	for (; i > 0; i--)
		v[i] = v[i - 1];
	v[0] = chosen;
}

static void
draw_group(struct dns_srv *v, size_t count, srv_order_draw_fn *draw)
{
	uint32_t total = 0;

	for (size_t i = 0; i < count; i++)
		total += v[i].weight;
	while (count > 1) {
		uint32_t number = draw(total + 1);
		uint32_t sum = v[0].weight;
		size_t i = 0;

		while (sum < number)
			sum += v[++i].weight;
		to_front(v, i);
		total -= v[0].weight;
		v++;
		count--;
	}
}

void
srv_order(struct dns_srv *v, size_t count, srv_order_draw_fn *draw)
{
	size_t start = 0;

	if (count < 2)
		return;
	qsort(v, count, sizeof(v[0]), by_priority_zero_first);
	for (size_t i = 1; i <= count; i++) {
		if (i < count && v[i].priority == v[start].priority)
			continue;
		draw_group(v + start, i - start, draw);
		start = i;
	}
}
