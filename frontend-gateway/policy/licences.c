/* One table; a row's key is its user and the licence in comparable form. */
#include "frontend-gateway/policy/licences.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/jid.h"
#include "common/list.h"
#include "common/map.h"

struct row {
	struct map_node node;
	struct list all;
	int32_t from, until;
	size_t len;
	char key[]; /* user NUL licence */
};

struct licences {
	struct map rows;
	struct list all;
};

struct row_key {
	char bytes[JID_MAX + 1 + LICENCES_NAME_MAX];
	size_t len;
};

static int
make_key(struct row_key *k, const char *user, const char *licence)
{
	size_t user_size = strlen(user) + 1, len = strlen(licence);

	if (len > LICENCES_NAME_MAX || user_size > JID_MAX + 1)
		return ERR_TOO_LONG;
	memcpy(k->bytes, user, user_size);
	for (size_t i = 0; i < len; i++) {
		char c = licence[i];

		k->bytes[user_size + i] =
		    c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
	}
	k->len = user_size + len;
	return 0;
}

static struct row *
find(const struct licences *l, const struct row_key *k)
{
	struct map_node *n = map_get(&l->rows, k->bytes, k->len);

	return n == NULL ? NULL : map_entry(n, struct row, node);
}

int
licences_set(struct licences *l, const char *user, const char *licence,
    int32_t from, int32_t until)
{
	struct row_key key;
	struct row *row;
	int rc = make_key(&key, user, licence);

	if (rc < 0)
		return rc;
	row = find(l, &key);
	if (row == NULL) {
		row = malloc(sizeof(*row) + key.len);
		if (row == NULL)
			return ERR_NOMEM;
		memset(row, 0, sizeof(*row));
		row->len = key.len;
		memcpy(row->key, key.bytes, key.len);
		rc = map_put(&l->rows, &row->node, row->key, row->len);
		assert(rc == 0);
		list_append(&l->all, &row->all);
	}
	row->from = from;
	row->until = until;
	return 0;
}

static void
drop(struct licences *l, struct row *row)
{
	map_remove(&l->rows, &row->node);
	list_remove(&row->all);
	free(row);
}

void
licences_remove(struct licences *l, const char *user, const char *licence)
{
	struct row_key key;
	struct row *row;

	if (make_key(&key, user, licence) < 0)
		return;
	row = find(l, &key);
	if (row != NULL)
		drop(l, row);
}

static enum licences_state
state_of(const struct licences *l, const char *user, const char *licence,
    int32_t today)
{
	struct row_key key;
	const struct row *row;

	if (make_key(&key, user, licence) < 0)
		return LICENCES_MISSING;
	row = find(l, &key);
	if (row == NULL)
		return LICENCES_MISSING;
	if (today > row->until)
		return LICENCES_EXPIRED;
	return today < row->from ? LICENCES_NOT_YET : LICENCES_HELD;
}

enum licences_state
licences_of(const struct licences *l, const char *user, const char *licence,
    int32_t today)
{
	enum licences_state own = state_of(l, user, licence, today), all;

	if (own == LICENCES_HELD)
		return own;
	all = state_of(l, LICENCES_EVERYBODY, licence, today);
	return all > own ? all : own;
}

size_t
licences_count(const struct licences *l)
{
	return l->rows.count;
}

int
licences_new(struct licences **out)
{
	struct licences *l = calloc(1, sizeof(*l));
	int rc;

	if (l == NULL)
		return ERR_NOMEM;
	list_init(&l->all);
	rc = map_init(&l->rows);
	if (rc < 0) {
		free(l);
		return rc;
	}
	*out = l;
	return 0;
}

void
licences_free(struct licences *l)
{
	if (l == NULL)
		return;
	LIST_FOREACH_SAFE (it, &l->all)
		drop(l, list_entry(it, struct row, all));
	map_finish(&l->rows);
	free(l);
}
