/*
 * A stream is live from its first report to the one that it is down; then it
 * stands in the list of the ended, by age, until its time is up or the table
 * needs the room.
 */
#include "frontend-gateway/edge_streams.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#include "common/err.h"
#include "common/list.h"
#include "common/map.h"

enum { ID_SIZE = 65, TEXT_SIZE = 128 };

struct stream {
	struct map_node node;
	struct list by_end; /* ended only */
	uint64_t ended_ms, up_ms;
	bool live;
	char id[ID_SIZE];
	char auth[TEXT_SIZE], peer[TEXT_SIZE], tls[TEXT_SIZE];
	json_t *proofs; /* array of strings, as reported; or NULL */
	struct edges_stream public;
};

struct edge_streams {
	struct map map;
	struct list ended; /* oldest first */
	/* The report last taken; its texts are the document's. */
	json_t *report;
	char proofs[TEXT_SIZE];
};

int
edge_streams_new(struct edge_streams **out)
{
	struct edge_streams *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return ERR_NOMEM;
	rc = map_init(&s->map);
	if (rc < 0) {
		free(s);
		return rc;
	}
	list_init(&s->ended);
	*out = s;
	return 0;
}

static void
drop_pairs(struct stream *st)
{
	/* Ours since set_pairs() allocated them. */
	free((void *)(uintptr_t)st->public.guard.pairs);
	st->public.guard.pairs = NULL;
	st->public.guard.pair_count = 0;
}

static void
drop(struct edge_streams *s, struct stream *st)
{
	map_remove(&s->map, &st->node);
	list_remove(&st->by_end);
	drop_pairs(st);
	json_decref(st->proofs);
	free(st);
}

static void
on_each_forget(struct map_node *n, void *arg)
{
	drop(arg, map_entry(n, struct stream, node));
}

void
edge_streams_forget(struct edge_streams *s)
{
	map_each(&s->map, on_each_forget, s);
}

void
edge_streams_free(struct edge_streams *s)
{
	if (s == NULL)
		return;
	edge_streams_forget(s);
	map_finish(&s->map);
	json_decref(s->report);
	free(s);
}

static struct stream *
find(const struct edge_streams *s, const char *id, size_t len)
{
	struct map_node *n = map_get(&s->map, id, len);

	return n == NULL ? NULL : map_entry(n, struct stream, node);
}

const struct edges_stream *
edge_streams_find(const struct edge_streams *s, const char *id, size_t len)
{
	struct stream *st = find(s, id, len);

	return st == NULL ? NULL : &st->public;
}

bool
edge_streams_live(const struct edge_streams *s, const char *id)
{
	struct stream *st = find(s, id, strlen(id));

	return st != NULL && st->live;
}

static void
end(struct edge_streams *s, struct stream *st, uint64_t now_ms)
{
	if (!st->live)
		return;
	st->live = false;
	st->ended_ms = now_ms;
	list_append(&s->ended, &st->by_end);
}

struct resume {
	struct edge_streams *streams;
	uint64_t now_ms;
};

static void
on_each_end(struct map_node *n, void *arg)
{
	struct resume *r = arg;

	end(r->streams, map_entry(n, struct stream, node), r->now_ms);
}

void
edge_streams_resume(struct edge_streams *s, uint64_t now_ms)
{
	struct resume r = { s, now_ms };

	map_each(&s->map, on_each_end, &r);
}

/* Lets go of what ended long ago, and of the oldest if the table is full. */
static void
forget_ended(struct edge_streams *s, uint64_t now_ms)
{
	while (!list_empty(&s->ended)) {
		struct stream *st =
		    list_entry(s->ended.next, struct stream, by_end);

		if (now_ms - st->ended_ms < EDGES_ENDED_MS &&
		    s->map.count < EDGES_STREAMS_MAX)
			return;
		drop(s, st);
	}
}

static struct stream *
add(struct edge_streams *s, const char *id)
{
	struct stream *st = calloc(1, sizeof(*st));

	if (st == NULL)
		return NULL;
	snprintf(st->id, sizeof(st->id), "%s", id);
	list_init(&st->by_end);
	st->public.id = st->id;
	st->public.auth = st->auth;
	st->public.peer = st->peer;
	if (map_put(&s->map, &st->node, st->id, strlen(st->id)) < 0) {
		free(st);
		return NULL;
	}
	return st;
}

/* One domain of a pair; it is compared as it is, so its form need not be
 * checked, only its length. */
static bool
copy_domain(char out[static 256], const json_t *pair, size_t i)
{
	const char *s = json_string_value(json_array_get(pair, i));
	size_t len = s == NULL ? 0 : strlen(s);

	if (len == 0 || len > 255)
		return false;
	memcpy(out, s, len + 1);
	return true;
}

static bool
had_pair(const struct guard_stream *g, const struct guard_pair *p)
{
	for (size_t i = 0; i < g->pair_count; i++)
		if (strcmp(g->pairs[i].local, p->local) == 0 &&
		    strcmp(g->pairs[i].remote, p->remote) == 0)
			return true;
	return false;
}

/* Those that were reported before come first; says how many they are. */
static size_t
sort_known(const struct stream *st, struct guard_pair *pairs, size_t n)
{
	size_t known = 0;

	for (size_t i = 0; i < n; i++) {
		struct guard_pair p = pairs[i];

		if (!had_pair(&st->public.guard, &p))
			continue;
		pairs[i] = pairs[known];
		pairs[known++] = p;
	}
	return known;
}

static int
set_pairs(struct stream *st, const json_t *array)
{
	size_t n = json_array_size(array);
	struct guard_pair *pairs;

	if (!json_is_array(array) || n > EDGES_PAIRS_MAX)
		return ERR_MALFORMED;
	pairs = calloc(n + 1, sizeof(*pairs));
	if (pairs == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		const json_t *pair = json_array_get(array, i);

		if (json_array_size(pair) != 2 ||
		    !copy_domain(pairs[i].local, pair, 0) ||
		    !copy_domain(pairs[i].remote, pair, 1)) {
			free(pairs);
			return ERR_MALFORMED;
		}
	}
	st->public.fresh = sort_known(st, pairs, n);
	drop_pairs(st);
	st->public.guard.pairs = pairs;
	st->public.guard.pair_count = n;
	return 0;
}

/* "" when the report has no such text. */
static const char *
text(const json_t *report, const char *key)
{
	const char *s = json_string_value(json_object_get(report, key));

	return s == NULL ? "" : s;
}

static void
join_proofs(struct edge_streams *s, const json_t *report)
{
	const json_t *array = json_object_get(report, "proofs");
	const json_t *item;
	size_t i, len = 0;

	s->proofs[0] = '\0';
	json_array_foreach(array, i, item)
	{
		const char *name = json_string_value(item);

		if (name == NULL || len + strlen(name) + 2 > sizeof(s->proofs))
			break;
		len += (size_t)snprintf(s->proofs + len,
		    sizeof(s->proofs) - len, "%s%s", len > 0 ? "," : "", name);
	}
}

static void
describe(struct edge_streams *s, struct edge_streams_report *out,
    const json_t *report)
{
	const json_t *pair =
	    json_array_get(json_object_get(report, "pairs"), 0);
	const char *local = json_string_value(json_array_get(pair, 0));
	const char *remote = json_string_value(json_array_get(pair, 1));

	join_proofs(s, report);
	out->id = text(report, "id");
	out->peer = text(report, "peer");
	out->auth = text(report, "auth");
	out->tls = text(report, "tls");
	out->reason = text(report, "reason");
	out->condition = text(report, "condition");
	out->proofs = s->proofs;
	out->local = local != NULL ? local : "";
	out->remote = remote != NULL ? remote : "";
	out->inbound = strcmp(text(report, "direction"), "in") == 0;
	out->stream = NULL;
}

/* A stream is up or has news; *fresh tells which. */
static int
take_live(struct edge_streams *s, struct stream **out, bool *fresh,
    const json_t *report, const char *id, uint64_t now_ms)
{
	const char *direction = text(report, "direction");
	struct stream *st = find(s, id, strlen(id));
	int rc;

	*fresh = st == NULL;
	if (st != NULL)
		st->public.fresh = st->public.guard.pair_count;
	if (st == NULL) {
		forget_ended(s, now_ms);
		if (s->map.count >= EDGES_STREAMS_MAX)
			return ERR_FULL;
		st = add(s, id);
		if (st == NULL)
			return ERR_NOMEM;
	}
	if (json_object_get(report, "pairs") != NULL || *fresh) {
		rc = set_pairs(st, json_object_get(report, "pairs"));
		if (rc < 0) {
			if (*fresh)
				drop(s, st);
			return rc;
		}
	}
	if (*fresh || direction[0] != '\0')
		st->public.guard.inbound = strcmp(direction, "in") == 0;
	/* A stream that is up stays what it is. */
	if (*fresh)
		st->public.guard.bidi =
		    json_is_true(json_object_get(report, "bidi"));
	if (*fresh || text(report, "auth")[0] != '\0')
		snprintf(
		    st->auth, sizeof(st->auth), "%s", text(report, "auth"));
	if (*fresh || text(report, "peer")[0] != '\0')
		snprintf(
		    st->peer, sizeof(st->peer), "%s", text(report, "peer"));
	if (*fresh || text(report, "tls")[0] != '\0')
		snprintf(st->tls, sizeof(st->tls), "%s", text(report, "tls"));
	if (json_is_array(json_object_get(report, "proofs"))) {
		json_decref(st->proofs);
		st->proofs = json_incref(json_object_get(report, "proofs"));
	}
	if (*fresh)
		st->up_ms = now_ms;
	st->live = true;
	list_remove(&st->by_end);
	*out = st;
	return 0;
}

int
edge_streams_report(struct edge_streams *s, struct edge_streams_report *out,
    const char *json, size_t len, uint64_t now_ms)
{
	json_t *report = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
	const char *event = text(report, "event"), *id = text(report, "id");
	struct stream *st = NULL;
	bool fresh = false;
	int rc = 0;

	json_decref(s->report);
	s->report = report;
	if (!json_is_object(report))
		return ERR_MALFORMED;
	describe(s, out, report);
	if (strcmp(event, "failed") == 0) {
		out->event = EDGE_STREAMS_FAILED;
		return 0;
	}
	if (id[0] == '\0' || strlen(id) >= ID_SIZE)
		return ERR_MALFORMED;
	if (strcmp(event, "up") == 0 || strcmp(event, "update") == 0) {
		rc = take_live(s, &st, &fresh, report, id, now_ms);
		if (rc < 0)
			return rc;
		out->event = fresh ? EDGE_STREAMS_UP : EDGE_STREAMS_UPDATE;
		out->stream = &st->public;
		return 0;
	}
	if (strcmp(event, "down") != 0)
		return ERR_MALFORMED;
	out->event = EDGE_STREAMS_DOWN;
	st = find(s, id, strlen(id));
	if (st == NULL)
		return 0;
	st->public.fresh = st->public.guard.pair_count;
	if (st->live)
		out->stream = &st->public;
	end(s, st, now_ms);
	return 0;
}

struct reaching {
	const char *local, *remote;
	bool found;
};

static void
on_each_reach(struct map_node *n, void *arg)
{
	const struct stream *st = map_entry(n, struct stream, node);
	const struct guard_stream *g = &st->public.guard;
	struct reaching *r = arg;

	if (!st->live)
		return;
	for (size_t i = 0; i < g->pair_count && !r->found; i++)
		r->found = strcmp(g->pairs[i].remote, r->remote) == 0 &&
			   strcmp(g->pairs[i].local, r->local) == 0;
}

bool
edge_streams_reach(
    const struct edge_streams *s, const char *local, const char *remote)
{
	struct reaching r = { .local = local, .remote = remote };

	/* Only read. */
	map_each((struct map *)(uintptr_t)&s->map, on_each_reach, &r);
	return r.found;
}

/* --- for an operator ------------------------------------------------------ */

struct listing {
	json_t *array; /* NULL: only count */
	size_t count, inbound;
	const char *edge;
	uint64_t now_ms;
};

static json_t *
pairs_json(const struct guard_stream *g)
{
	json_t *pairs = json_array();

	/* A pair that is no UTF-8 came from no edge of ours: left out. */
	for (size_t i = 0; i < g->pair_count; i++)
		(void)json_array_append_new(pairs,
		    json_pack("[s,s]", g->pairs[i].local, g->pairs[i].remote));
	return pairs;
}

static void
on_each_list(struct map_node *n, void *arg)
{
	struct stream *st = map_entry(n, struct stream, node);
	struct listing *l = arg;

	if (!st->live)
		return;
	l->count++;
	l->inbound += st->public.guard.inbound;
	if (l->array == NULL)
		return;
	(void)json_array_append_new(l->array,
	    json_pack("{s:s, s:s, s:s, s:b, s:o, s:s, s:s, s:s, s:o, s:I}",
		"id", st->id, "edge", l->edge, "direction",
		st->public.guard.inbound ? "in" : "out", "bidi",
		(int)st->public.guard.bidi, "pairs",
		pairs_json(&st->public.guard), "peer", st->peer, "auth",
		st->auth, "tls", st->tls, "proofs",
		st->proofs != NULL ? json_copy(st->proofs) : json_array(),
		"age_s", (json_int_t)((l->now_ms - st->up_ms) / 1000)));
}

void
edge_streams_list(
    struct edge_streams *s, json_t *array, const char *edge, uint64_t now_ms)
{
	struct listing l = { .array = array, .edge = edge, .now_ms = now_ms };

	map_each(&s->map, on_each_list, &l);
}

size_t
edge_streams_count_live(const struct edge_streams *s)
{
	struct listing l = { 0 };

	/* Only read. */
	map_each((struct map *)(uintptr_t)&s->map, on_each_list, &l);
	return l.count;
}

size_t
edge_streams_count_inbound(const struct edge_streams *s)
{
	struct listing l = { 0 };

	/* Only read. */
	map_each((struct map *)(uintptr_t)&s->map, on_each_list, &l);
	return l.inbound;
}
