/* What an operator is told of the edges. */
#include "frontend-gateway/edges_impl.h"

#include "common/failures.h"
#include "frontend-gateway/edge_link.h"
#include "frontend-gateway/edge_streams.h"
#include "proto/channel.h"

size_t
edges_count(const struct edges *e)
{
	size_t n = 0;

	LIST_FOREACH (it, &e->all)
		n += list_entry(it, struct edge, all)->state == EDGE_LISTED;
	return n;
}

size_t
edges_count_up(const struct edges *e)
{
	size_t n = 0;

	LIST_FOREACH (it, &e->all) {
		const struct edge *d = list_entry(it, struct edge, all);

		n += d->state == EDGE_LISTED && d->up;
	}
	return n;
}

static void
confirmation(const struct edge *d, uint64_t counter, json_t *root, size_t *open)
{
	bool known = d->confirmed && d->known >= counter;
	json_t *list = json_object_get(root, known ? "confirmed" : "waiting");
	json_t *refused = json_object_get(root, "refused");

	(void)json_array_append_new(list, json_string(d->name));
	if (known || !d->up)
		return;
	if (d->refusal[0] == '\0') {
		(*open)++;
		return;
	}
	if (refused == NULL) {
		refused = json_object();
		(void)json_object_set_new(root, "refused", refused);
	}
	(void)json_object_set_new(refused, d->name, json_string(d->refusal));
}

json_t *
edges_confirmations(const struct edges *e, uint64_t counter, size_t *open)
{
	json_t *root = json_pack("{s:I, s:[], s:[]}", "counter",
	    (json_int_t)counter, "confirmed", "waiting");

	*open = 0;
	LIST_FOREACH (it, &e->all) {
		const struct edge *d = list_entry(it, struct edge, all);

		if (root != NULL && d->state == EDGE_LISTED)
			confirmation(d, counter, root, open);
	}
	return root;
}

static const char *
configuration(const struct edge *d)
{
	if (d->state != EDGE_LISTED)
		return "taken out";
	if (d->confirmed)
		return "confirmed";
	return d->refusal[0] != '\0' ? "REFUSED" : "not confirmed";
}

/* NULL when it has told nothing. */
static json_t *
stats_json(const struct edge *d)
{
	json_t *stats = json_copy(d->stats);
	uint64_t age = clock_now_ms(d->edges->opts.clock) - d->stats_ms;

	(void)json_object_set_new(
	    stats, "age_s", json_integer((json_int_t)(age / 1000)));
	return stats;
}

static json_t *
edge_status(const struct edge *d)
{
	const struct edges *e = d->edges;
	const char *why = d->up ? d->refusal : edge_link_failure(d->link);

	return json_pack("{s:s, s:b, s:I, s:s, s:b, s:s, s:I, s:I, s:o, s:o, "
			 "s:o*}",
	    "name", d->name, "up", d->up, "since_s",
	    (json_int_t)((clock_now_ms(e->opts.clock) - d->since_ms) / 1000),
	    "configuration", configuration(d), "draining",
	    d->draining || d->state != EDGE_LISTED, "why",
	    why[0] != '\0' || d->up ? why : "not tried yet", "streams",
	    (json_int_t)edge_streams_count_live(d->streams), "unanswered",
	    (json_int_t)channel_unanswered(edge_link_channel(d->link)),
	    "fenced", d->fenced != NULL ? json_copy(d->fenced) : json_array(),
	    "custody",
	    channel_delays_json(channel_delays(edge_link_channel(d->link)),
		"outward", "inward"),
	    "stats", stats_json(d));
}

json_t *
edges_status(const struct edges *e)
{
	json_t *all = json_array();

	LIST_FOREACH (it, &e->all) {
		const struct edge *d = list_entry(it, struct edge, all);

		if (d->link != NULL &&
		    json_array_append_new(all, edge_status(d)) < 0) {
			json_decref(all);
			return NULL;
		}
	}
	return all;
}

json_t *
edges_list_streams(const struct edges *e)
{
	json_t *all = json_array();

	LIST_FOREACH (it, &e->all) {
		struct edge *d = list_entry(it, struct edge, all);

		if (all != NULL && d->link != NULL)
			edge_streams_list(d->streams, all, d->name,
			    clock_now_ms(e->opts.clock));
	}
	return all;
}

json_t *
edges_failures(const struct edges *e)
{
	return failures_json(e->failures, clock_now_ms(e->opts.clock));
}
