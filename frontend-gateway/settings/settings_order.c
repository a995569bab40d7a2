#include "frontend-gateway/settings/settings_order.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "frontend-gateway/settings/setting_kind.h"
#include "frontend-gateway/settings/settings_view_impl.h"

enum { RUN = 256 };

int
settings_order_compare(
    const struct settings_entry *a, const struct settings_entry *b)
{
	if (a->kind != b->kind)
		return setting_kind_index(a->kind) < setting_kind_index(b->kind)
			   ? -1
			   : 1;
	return strcmp(a->key, b->key);
}

/* Those of one key in the order of the commit. */
static int
compare(const void *a, const void *b)
{
	const struct settings_entry *x = a, *y = b;
	const int order = settings_order_compare(x, y);

	if (order != 0 || x->change == y->change)
		return order;
	return x->change < y->change ? -1 : 1;
}

int
settings_order_begin(
    struct settings_order *o, struct settings_entry *v, size_t count)
{
	struct settings_entry *room = calloc(count + 1, sizeof(*room));

	if (room == NULL)
		return ERR_NOMEM;
	*o = (struct settings_order){ .v = v, .room = room, .count = count };
	return 0;
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void
sort_run(struct settings_order *o)
{
	size_t n = least(RUN, o->count - o->at);

	qsort(o->v + o->at, n, sizeof(*o->v), compare);
	o->at += n;
	if (o->at == o->count) {
		o->width = RUN;
		o->at = 0;
	}
}

/* The run at `at` and the next one. */
static void
merge_runs(struct settings_order *o)
{
	const size_t middle = least(o->at + o->width, o->count);
	const size_t end = least(middle + o->width, o->count);
	size_t a = o->at, b = middle;

	/* Nothing to do for what came sorted. */
	if (b < end && compare(&o->v[b - 1], &o->v[b]) > 0) {
		for (size_t to = o->at; to < end; to++)
			o->room[to] =
			    b == end || (a < middle &&
					    compare(&o->v[a], &o->v[b]) <= 0)
				? o->v[a++]
				: o->v[b++];
		memcpy(o->v + o->at, o->room + o->at,
		    (end - o->at) * sizeof(*o->v));
	}
	o->at = end;
	if (o->at == o->count) {
		o->width *= 2;
		o->at = 0;
	}
}

bool
settings_order_step(struct settings_order *o)
{
	if (o->count == 0 || o->width >= o->count)
		return false;
	if (o->width == 0)
		sort_run(o);
	else
		merge_runs(o);
	return true;
}

void
settings_order_finish(struct settings_order *o)
{
	free(o->room);
	o->room = NULL;
}
