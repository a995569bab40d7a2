/*
 * A page of conversations.  They are kept by hash, so each page looks at all of
 * them: the first so many of those that fit are kept in a heap, the last of them
 * on top, and sorted in the end.  Of ten thousand most are turned away by one
 * comparison.
 */
#include "frontend-gateway/conversation/conversations_impl.h"

#include <stdlib.h>
#include <string.h>

struct collection {
	const struct conversations_query *q;
	struct conversation **v; /* a heap of up to q->limit */
	size_t count;
	size_t fit; /* all that do */
};

/* As the key of `view` sorts: a blank is below all that is in a JID. */
static int
compare(const char *user, const char *contact, const char *key)
{
	const size_t len = strlen(user);
	int order = strncmp(user, key, len);

	if (order != 0)
		return order;
	if (key[len] != ' ')
		return key[len] == '\0' ? 1 : -1;
	return strcmp(contact, key + len + 1);
}

static int
by_pair(const void *a, const void *b)
{
	const struct conversation *x = *(struct conversation *const *)a;
	const struct conversation *y = *(struct conversation *const *)b;
	const int order = strcmp(conversation_user(x), conversation_user(y));

	return order != 0
		   ? order
		   : strcmp(conversation_contact(x), conversation_contact(y));
}

static bool
is_wanted(const struct conversations_query *q, const struct conversation *c)
{
	const char *user = conversation_user(c);
	const char *contact = conversation_contact(c);

	return (q->after == NULL || compare(user, contact, q->after) > 0) &&
	       (q->user == NULL || q->fits(q->user, user)) &&
	       (q->contact == NULL || q->fits(q->contact, contact)) &&
	       (q->state == NULL ||
		   strcmp(q->state, conversation_state_str(c)) == 0);
}

static void
swap(struct conversation **v, size_t i, size_t k)
{
	struct conversation *c = v[i];

	v[i] = v[k];
	v[k] = c;
}

static void
sift_up(struct conversation **v, size_t i)
{
	for (; i > 0 && by_pair(&v[i], &v[(i - 1) / 2]) > 0; i = (i - 1) / 2)
		swap(v, i, (i - 1) / 2);
}

static void
sift_down(struct conversation **v, size_t count)
{
	size_t i = 0;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < count && by_pair(&v[child + 1], &v[child]) > 0)
			child++;
		if (child >= count || by_pair(&v[child], &v[i]) <= 0)
			return;
		swap(v, i, child);
		i = child;
	}
}

static void
on_each(struct conversation *c, void *arg)
{
	struct collection *all = arg;

	if (!is_wanted(all->q, c))
		return;
	all->fit++;
	if (all->count < all->q->limit) {
		all->v[all->count] = c;
		sift_up(all->v, all->count++);
	} else if (all->count > 0 && by_pair(&c, &all->v[0]) < 0) {
		all->v[0] = c;
		sift_down(all->v, all->count);
	}
}

static json_t *
page_of(const struct collection *all)
{
	json_t *items = json_array();
	json_t *page = json_pack("{s:o}", "items", items);
	const size_t n = all->count;

	for (size_t i = 0; i < n; i++)
		if (json_array_append_new(items, conversation_view(all->v[i])) <
		    0)
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

json_t *
conversations_list(
    const struct conversations *cs, const struct conversations_query *q)
{
	struct collection all = { .q = q };
	size_t room = conversations_count(cs);
	json_t *page;

	if (q->limit < room)
		room = q->limit;
	all.v = calloc(room + 1, sizeof(struct conversation *));
	if (all.v == NULL)
		return NULL;
	conversations_each(cs, on_each, &all);
	if (all.count > 0)
		qsort(all.v, all.count, sizeof(struct conversation *), by_pair);
	page = page_of(&all);
	free(all.v);
	return page;
}
