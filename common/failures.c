/* A ring of records in the order of their last failure; small enough to be
 * searched from end to end. */
#include "common/failures.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/list.h"

struct record {
	struct list by_time; /* the latest is last */
	char direction[8];
	char local[256], remote[256];
	char peer[64];
	char reason[256];
	uint64_t count, last_ms;
};

struct failures {
	struct list all;
	size_t count;
};

int
failures_new(struct failures **out)
{
	struct failures *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return ERR_NOMEM;
	list_init(&f->all);
	*out = f;
	return 0;
}

static void
drop(struct failures *f, struct record *r)
{
	list_remove(&r->by_time);
	f->count--;
	free(r);
}

void
failures_free(struct failures *f)
{
	if (f == NULL)
		return;
	LIST_FOREACH_SAFE (it, &f->all)
		drop(f, list_entry(it, struct record, by_time));
	free(f);
}

static struct record *
find(const struct failures *f, const char *direction, const char *local,
    const char *remote)
{
	LIST_FOREACH (it, &f->all) {
		struct record *r = list_entry(it, struct record, by_time);

		if (strcmp(r->direction, direction) == 0 &&
		    strcmp(r->local, local) == 0 &&
		    strcmp(r->remote, remote) == 0)
			return r;
	}
	return NULL;
}

static struct record *
add(struct failures *f, const struct failure *what)
{
	struct record *r;

	if (f->count == FAILURES_MAX)
		drop(f, list_entry(f->all.next, struct record, by_time));
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return NULL;
	list_init(&r->by_time);
	snprintf(r->direction, sizeof(r->direction), "%s", what->direction);
	snprintf(r->local, sizeof(r->local), "%s", what->local);
	snprintf(r->remote, sizeof(r->remote), "%s", what->remote);
	f->count++;
	return r;
}

void
failures_note(struct failures *f, const struct failure *what, uint64_t now_ms)
{
	struct record *r = find(f, what->direction, what->local, what->remote);
	char reason[sizeof(r->reason)];

	if (r == NULL)
		r = add(f, what);
	if (r == NULL)
		return; /* It is in the log. */
	snprintf(reason, sizeof(reason), "%s", what->reason);
	if (strcmp(r->reason, reason) != 0)
		r->count = 0;
	memcpy(r->reason, reason, sizeof(reason));
	snprintf(r->peer, sizeof(r->peer), "%s", what->peer);
	r->count++;
	r->last_ms = now_ms;
	list_remove(&r->by_time);
	list_append(&f->all, &r->by_time);
}

void
failures_clear(struct failures *f, const char *direction, const char *local,
    const char *remote)
{
	struct record *r = find(f, direction, local, remote);

	if (r != NULL)
		drop(f, r);
}

/* Cut or foreign text may be no UTF-8, which JSON would refuse. */
static json_t *
text(const char *s)
{
	json_t *j = json_string(s);

	return j != NULL ? j : json_string("(unprintable)");
}

json_t *
failures_json(const struct failures *f, uint64_t now_ms)
{
	json_t *all = json_array();

	LIST_FOREACH (it, &f->all) {
		const struct record *r = list_entry(it, struct record, by_time);

		if (json_array_insert_new(all, 0,
			json_pack("{s:s, s:o, s:o, s:o, s:o, s:I, s:I}",
			    "direction", r->direction, "local", text(r->local),
			    "remote", text(r->remote), "peer", text(r->peer),
			    "reason", text(r->reason), "count",
			    (json_int_t)r->count, "ago_s",
			    (json_int_t)((now_ms - r->last_ms) / 1000))) < 0) {
			json_decref(all);
			return NULL;
		}
	}
	return all;
}
