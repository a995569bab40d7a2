/*
 * A page of conversations.  They are kept by hash, so each page looks at all of
 * them: the first so many of those that fit are kept in a heap, the last of them
 * on top, and sorted in the end.  Of ten thousand most are turned away by one
 * comparison, of keys, which stand in the entries themselves: what these point to
 * would have to be fetched from memory first.
 */
#include "frontend-gateway/conversation/conversations_impl.h"

#include <stdlib.h>
#include <string.h>

struct collection {
	const struct conversations_query *q;
	char *after; /* as a key; NULL = from the beginning */
	size_t after_len;
	struct conversations_entry **v; /* a heap of up to q->limit */
	size_t count;
	size_t fit; /* all that do */
};

/* User and contact, each with its NUL, which is below all that is in a JID. */
static int
compare(const struct conversations_entry *e, const char *key, size_t len)
{
	const int order = memcmp(e->key, key, e->len < len ? e->len : len);

	if (order != 0 || e->len == len)
		return order;
	return e->len < len ? -1 : 1;
}

static int
by_key(const void *a, const void *b)
{
	const struct conversations_entry *x =
	    *(struct conversations_entry *const *)a;
	const struct conversations_entry *y =
	    *(struct conversations_entry *const *)b;

	return compare(x, y->key, y->len);
}

static bool
is_wanted(const struct collection *all, const struct conversations_entry *e)
{
	const struct conversations_query *q = all->q;
	const char *user = e->key, *contact = user + strlen(user) + 1;

	return (all->after == NULL ||
		   compare(e, all->after, all->after_len) > 0) &&
	       (q->user == NULL || q->fits(q->user, user)) &&
	       (q->contact == NULL || q->fits(q->contact, contact)) &&
	       (q->state == NULL ||
		   strcmp(q->state, conversation_state_str(e->conversation)) ==
		       0);
}

/* --- the heap ------------------------------------------------------------- */

static void
swap(struct conversations_entry **v, size_t i, size_t k)
{
	struct conversations_entry *e = v[i];

	v[i] = v[k];
	v[k] = e;
}

static void
sift_up(struct conversations_entry **v, size_t i)
{
	for (; i > 0 && by_key(&v[i], &v[(i - 1) / 2]) > 0; i = (i - 1) / 2)
		swap(v, i, (i - 1) / 2);
}

static void
sift_down(struct conversations_entry **v, size_t count)
{
	size_t i = 0;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < count && by_key(&v[child + 1], &v[child]) > 0)
			child++;
		if (child >= count || by_key(&v[child], &v[i]) <= 0)
			return;
		swap(v, i, child);
		i = child;
	}
}

static void
on_each(struct map_node *n, void *arg)
{
	struct conversations_entry *e =
	    map_entry(n, struct conversations_entry, node);
	struct collection *all = arg;

	if (!is_wanted(all, e))
		return;
	all->fit++;
	if (all->count < all->q->limit) {
		all->v[all->count] = e;
		sift_up(all->v, all->count++);
	} else if (all->count > 0 && by_key(&e, &all->v[0]) < 0) {
		all->v[0] = e;
		sift_down(all->v, all->count);
	}
}

/* --- the page ------------------------------------------------------------- */

static json_t *
page_of(const struct collection *all)
{
	json_t *items = json_array();
	json_t *page = json_pack("{s:o}", "items", items);
	const size_t n = all->count;

	for (size_t i = 0; i < n; i++)
		if (json_array_append_new(
			items, conversation_view(all->v[i]->conversation)) < 0)
			goto fail;
	if (n > 0 && n < all->fit &&
	    json_object_set(page, "next",
		json_object_get(json_array_get(items, n - 1), "key")) < 0)
		goto fail;
	return page;

fail:
	json_decref(page);
	return NULL;
}

/* The key that is shown has a blank between the two. */
static bool
begin(struct collection *all, const struct conversations *cs)
{
	const struct conversations_query *q = all->q;
	size_t room = conversations_count(cs);
	char *blank;

	if (q->limit < room)
		room = q->limit;
	all->v = calloc(room + 1, sizeof(*all->v));
	if (all->v == NULL || q->after == NULL)
		return all->v != NULL;
	all->after = strdup(q->after);
	if (all->after == NULL)
		return false;
	all->after_len = strlen(all->after) + 1;
	blank = strchr(all->after, ' ');
	if (blank != NULL)
		*blank = '\0';
	return true;
}

json_t *
conversations_list(
    const struct conversations *cs, const struct conversations_query *q)
{
	struct collection all = { .q = q };
	json_t *page = NULL;

	if (begin(&all, cs)) {
		/* Only read. */
		map_each((struct map *)(uintptr_t)&cs->pairs, on_each, &all);
		if (all.count > 0)
			qsort(all.v, all.count, sizeof(*all.v), by_key);
		page = page_of(&all);
	}
	free(all.after);
	free(all.v);
	return page;
}
