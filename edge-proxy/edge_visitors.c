/*
 * A partner who connects becomes a visitor: his stream, its place in inward,
 * and what is counted of him.  He is turned away at once when there are too
 * many of all, of strangers, or from his address; a partner's own limit is
 * judged when a domain of his has proven itself, for only then it is known whose
 * the stream is.
 */
#include "edge-proxy/edge_visitors.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "common/err.h"
#include "common/log_limit.h"
#include "edge-proxy/doors.h"
#include "edge-proxy/edge_impl.h"
#include "edge-proxy/edge_memory.h"
#include "edge-proxy/edge_tell.h"
#include "edge-proxy/edge_trace.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/inner_listener.h"
#include "edge-proxy/outward.h"
#include "edge-proxy/proxy_gate.h"
#include "edge-proxy/routes.h"
#include "edge-proxy/s2s_in.h"
#include "edge-proxy/tally.h"

/* Of those who may not stay, so many are told why at a time; the others are
 * cut off. */
enum { USHERED_MAX = 64 };

/* --- names -------------------------------------------------------------- */

void
edge_visitors_make_id(char *out, void *arg)
{
	struct edge *e = arg;

	snprintf(out, STREAM_ID_SIZE, "%s.%llx", e->stream_prefix,
	    (unsigned long long)++e->stream_number);
}

/* Our node as part of a stream's name; a long one is replaced by its hash. */
static void
set_prefix(struct edge *e)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	char name[STREAM_NODE_MAX + 1];

	if (strlen(e->node) < sizeof(name)) {
		snprintf(name, sizeof(name), "%s", e->node);
	} else {
		SHA256((const unsigned char *)e->node, strlen(e->node), digest);
		for (size_t i = 0; i < 12; i++)
			snprintf(name + 2 * i, 3, "%02x", digest[i]);
	}
	snprintf(e->stream_prefix, sizeof(e->stream_prefix), "%s.%.8s", name,
	    e->boot);
}

/* --- limits ------------------------------------------------------------- */

static const char *
try_to_enter(struct edge *e, struct visitor *v, struct hosting_bounds *b)
{
	const struct admission_limits limits = {
		.total = b->connections,
		.half_open = b->half_open,
		.address = b->address,
		.address_half_open = b->address_half_open,
	};

	return admission_enter(
	    e->admission, &v->place, s2s_in_peer_ip(v->s2s), &limits);
}

/* Ends the stream of somebody who has not authenticated, the newest first. */
static bool
end_stranger(struct edge *e, bool known_too, const char *why)
{
	struct admission_place *p = admission_spare(e->admission, known_too);
	struct visitor *v;

	if (p == NULL)
		return false;
	v = list_entry(p, struct visitor, place);
	admission_leave(e->admission, p);
	e->counters.turned_away++;
	s2s_in_drop(v->s2s, why);
	return true;
}

/* Finds the visitor a place, or says which limit keeps him out.  For who has
 * been here before, a stranger goes. */
static const char *
admit(struct edge *e, struct visitor *v)
{
	struct hosting_bounds bounds;
	const char *why;

	hosting_bounds(e->hosting, &bounds);
	why = try_to_enter(e, v, &bounds);
	if (why != NULL &&
	    admission_count(e->admission) >= bounds.connections &&
	    admission_knows(e->admission, s2s_in_peer_ip(v->s2s)) &&
	    end_stranger(e, false, "a place was needed"))
		why = try_to_enter(e, v, &bounds);
	return why;
}

static void
usher_out(struct edge *e, struct visitor *v, const char *why)
{
	e->counters.turned_away++;
	log_limited_warn(&e->log, s2s_in_peer_ip(v->s2s), "stream-turned-away",
	    "peer=%s reason=%s", s2s_in_peer_ip(v->s2s), why);
	if (e->ushered >= USHERED_MAX) {
		s2s_in_drop(v->s2s, why);
		return;
	}
	v->ushered = true;
	e->ushered++;
	s2s_in_close(v->s2s, STREAM_ERR_RESOURCE_CONSTRAINT, why);
}

bool
edge_visitors_end_stranger(struct edge *e)
{
	return end_stranger(e, true, "memory is short");
}

size_t
edge_visitors_end_largest(struct edge *e, size_t least)
{
	struct visitor *largest = NULL;
	size_t most = 0;

	LIST_FOREACH (it, &e->visitors) {
		struct visitor *v = list_entry(it, struct visitor, all);
		size_t size = s2s_in_partial(v->s2s);

		if (size < least || size <= most)
			continue;
		largest = v;
		most = size;
	}
	if (largest == NULL)
		return 0;
	log_limited_warn(&e->log, s2s_in_peer_ip(largest->s2s),
	    "stream-too-costly", "stream=%s bytes=%zu", s2s_in_id(largest->s2s),
	    most);
	s2s_in_close(
	    largest->s2s, STREAM_ERR_RESOURCE_CONSTRAINT, "memory is short");
	return most;
}

static void
free_visitor(struct visitor *v)
{
	inward_stream_close(v->inward);
	list_remove(&v->all);
	admission_leave(v->edge->admission, &v->place);
	v->edge->visitor_count--;
	v->edge->ushered -= v->ushered ? 1 : 0;
	free(v);
}

bool
edge_visitors_are_here(void *arg, const char *remote)
{
	const struct edge *e = arg;

	LIST_FOREACH (it, &e->visitors) {
		const struct visitor *v = list_entry(it, struct visitor, all);
		struct stream_info info;

		if (!s2s_in_is_up(v->s2s))
			continue;
		s2s_in_info(v->s2s, &info);
		for (size_t i = 0; i < info.pair_count; i++)
			if (strcmp(info.pairs[i].remote, remote) == 0)
				return true;
	}
	return false;
}

/* The partner of a stream's pair, whichever of his domains it is. */
static const struct partner *
partner_of(const struct edge *e, const struct stream_info *info, size_t i)
{
	return hosting_partner(
	    e->hosting, info->pairs[i].local, info->pairs[i].remote);
}

static bool
carries(const struct edge *e, const struct stream_info *info,
    const struct partner *p)
{
	for (size_t i = 0; i < info->pair_count; i++) {
		const struct partner *other = partner_of(e, info, i);

		if (other != NULL && strcmp(other->primary, p->primary) == 0)
			return true;
	}
	return false;
}

/* How many inbound streams a partner has, for all of his domains. */
static size_t
count_partner(const struct edge *e, const struct partner *p)
{
	size_t count = 0;

	LIST_FOREACH (it, &e->visitors) {
		const struct visitor *v = list_entry(it, struct visitor, all);
		struct stream_info info;

		if (!s2s_in_is_up(v->s2s))
			continue;
		s2s_in_info(v->s2s, &info);
		count += carries(e, &info, p);
	}
	return count;
}

/* As many streams as a partner may have; one that is his already is none more.
 */
static bool
on_may_open(struct s2s_in *s, const char *local, const char *remote, void *arg)
{
	const struct visitor *v = arg;
	const struct partner *p =
	    hosting_partner(v->edge->hosting, local, remote);
	struct stream_info info;

	s2s_in_info(s, &info);
	return p == NULL || carries(v->edge, &info, p) ||
	       count_partner(v->edge, p) < p->connection_limit;
}

/* --- one stream --------------------------------------------------------- */

/* Who comes to us can be reached. */
static void
note_heard(struct edge *e, const struct stream_info *info)
{
	if (e->routes == NULL)
		return;
	for (size_t i = 0; i < info->pair_count; i++)
		routes_heard(e->routes, info->pairs[i].remote);
}

static void
on_stream_event(struct s2s_in *s, enum stream_event ev,
    const struct stream_info *info, void *arg)
{
	struct visitor *v = arg;
	struct edge *e = v->edge;

	if (ev == STREAM_UP) {
		e->counters.in_up++;
		admission_prove(e->admission, &v->place);
		v->up_ms = clock_now_ms(e->opts.clock);
	}
	edge_tell_stream(e, ev, info);
	if (ev == STREAM_UP && info->bidi && e->routes != NULL)
		routes_add_back(e->routes, s);
	note_heard(e, info);
}

static void
on_stream_stanza(struct s2s_in *s, const struct xml_elem *elem,
    const struct jid *from, const struct jid *to, void *arg)
{
	struct visitor *v = arg;
	int rc;

	v->stanzas++;
	edge_trace_inward(v->edge->trace, s2s_in_id(s), elem, from, to);
	rc = inward_take(v->inward, elem, from, to, s2s_in_language(s));
	if (rc == 0)
		return;
	log_limited_warn(&v->edge->log, s2s_in_peer_ip(s), "stanza-not-taken",
	    "stream=%s error=%s", s2s_in_id(s), err_str(rc));
	s2s_in_close(s,
	    rc == ERR_UNSUPPORTED ? STREAM_ERR_UNSUPPORTED_STANZA_TYPE
				  : STREAM_ERR_RESOURCE_CONSTRAINT,
	    NULL);
}

/* He who follows a domain learns of whoever came in its name, and nobody else
 * takes him for it. */
static void
trace_refused(
    struct edge *e, const struct s2s_in *s, const struct stream_info *info)
{
	struct stream_info told = *info;
	struct stream_pair claim;

	if (info->pair_count > 0 || !s2s_in_claim(s, &claim))
		return;
	told.pairs = &claim;
	told.pair_count = 1;
	edge_trace_stream(e->trace, STREAM_FAILED, &told);
}

static void
on_stream_end(
    struct s2s_in *s, bool was_up, const struct stream_info *info, void *arg)
{
	struct visitor *v = arg;
	struct edge *e = v->edge;

	if (was_up) {
		edge_tell_stream(e, STREAM_DOWN, info);
	} else if (!s2s_in_only_asked(s)) {
		e->counters.in_failed++;
		edge_tell_stream(e, STREAM_FAILED, info);
		trace_refused(e, s, info);
	}
	free_visitor(v);
	edge_proceed(e);
}

static int
ask_authority(struct dialback_ask *a, void *arg)
{
	struct edge *e = arg;

	return e->routes != NULL ? routes_verify(e->routes, a) : ERR_CLOSED;
}

static void
on_window_full(void *stream, void *arg)
{
	struct visitor *v = stream;

	(void)arg;
	s2s_in_pause(v->s2s);
}

static void
on_window_open(void *stream, void *arg)
{
	struct visitor *v = stream;
	struct edge *e = arg;

	if (e->stage == RUNNING || e->stage == DRAINING)
		s2s_in_resume(v->s2s);
}

static void
on_handled(void *stream, uint64_t count, void *arg)
{
	struct visitor *v = stream;

	(void)arg;
	s2s_in_handled(v->s2s, count);
}

static const struct inward_stream_ops flow_ops = {
	.pause = on_window_full,
	.resume = on_window_open,
	.handled = on_handled,
};

static const struct s2s_in_events stream_events = {
	.on_event = on_stream_event,
	.on_stanza = on_stream_stanza,
	.on_end = on_stream_end,
	.may_open = on_may_open,
};

/* Where a connection comes from: a listener on which it is pending, or, passed
 * on by a load balancer, a descriptor and an address. */
struct arrival {
	uv_stream_t *listener; /* or NULL */
	int fd;
	const struct sockaddr_storage *peer;
	bool direct;
};

static void
turn_away(const struct arrival *a)
{
	if (a->listener != NULL)
		doors_turn_away(a->listener);
	else
		close(a->fd);
}

static void
receive(struct edge *e, const struct arrival *a)
{
	struct visitor *v = calloc(1, sizeof(*v));
	char id[STREAM_ID_SIZE];
	struct s2s_in_opts opts = {
		.loop = e->opts.loop,
		.clock = e->opts.clock,
		.hosting = e->hosting,
		.identities = e->opts.identities,
		.direct = a->direct,
		.fd = a->fd,
		.peer = a->peer,
		.resolver = e->dane.inbound ? e->opts.resolver : NULL,
		.id = id,
		.ask = ask_authority,
		.ask_arg = e,
		.events = &stream_events,
		.arg = v,
	};
	const char *limit;
	int rc = ERR_NOMEM;

	edge_visitors_make_id(id, e);
	if (v == NULL)
		goto fail;
	v->edge = e;
	list_init(&v->all);
	rc = inward_stream_open(&v->inward, e->inward, id, &flow_ops, v);
	if (rc == 0)
		rc = s2s_in_open(&v->s2s, a->listener, &opts);
	if (rc < 0)
		goto fail;
	list_append(&e->visitors, &v->all);
	e->visitor_count++;
	e->counters.accepted++;
	limit = edge_memory_has_room(e) ? admit(e, v) : "memory is short";
	if (limit != NULL)
		usher_out(e, v, limit);
	return;

fail:
	e->counters.turned_away++;
	log_limited_error(
	    &e->log, NULL, "accept-failed", "error=%s", err_str(rc));
	turn_away(a);
	if (v != NULL)
		inward_stream_close(v->inward);
	free(v);
}

void
edge_visitors_accept(uv_stream_t *listener, bool direct, void *arg)
{
	struct edge *e = arg;

	if (proxy_gate_is_set(e->gate))
		proxy_gate_accept(e->gate, listener, direct);
	else
		receive(e, &(struct arrival){
			       .listener = listener, .direct = direct });
}

void
edge_visitors_passed_on(
    int fd, const struct sockaddr_storage *peer, bool direct, void *arg)
{
	struct edge *e = arg;

	/* The doors may have closed while its header was on the way. */
	if (!doors_are_open(e->doors)) {
		close(fd);
		return;
	}
	receive(
	    e, &(struct arrival){ .fd = fd, .peer = peer, .direct = direct });
}

/* --- what inward needs -------------------------------------------------- */

static struct channel *
find_channel(const char *node, void *arg)
{
	struct edge *e = arg;
	struct gateway *g = inner_listener_find(e->inner, node);

	return g != NULL ? gateway_channel(g) : NULL;
}

static void
on_reply(
    const char *local, const char *remote, const struct buf *xml, void *arg)
{
	struct edge *e = arg;

	outward_reply(e->outward, local, remote, xml);
}

const struct inward_ops edge_visitors_ops = {
	.channel = find_channel,
	.reply = on_reply,
};

void
edge_visitors_rest(struct edge *e)
{
	LIST_FOREACH (it, &e->visitors)
		s2s_in_rest(list_entry(it, struct visitor, all)->s2s);
}

/* --- all of them -------------------------------------------------------- */

void
edge_visitors_init(struct edge *e)
{
	list_init(&e->visitors);
	set_prefix(e);
}

/* Whether this stream is one more than a partner of its pairs may have now. */
static bool
is_too_many(struct edge *e, struct tally *t, const struct stream_info *info)
{
	bool over = false;

	for (size_t i = 0; i < info->pair_count; i++) {
		const struct partner *p = partner_of(e, info, i);

		/* Several companies of ours, or several domains of his: one
		 * partner, one stream. */
		for (size_t k = 0; p != NULL && k < i; k++) {
			const struct partner *q = partner_of(e, info, k);

			if (q != NULL && strcmp(q->primary, p->primary) == 0)
				p = NULL;
		}
		if (p != NULL && tally_add(t, p->primary) > p->connection_limit)
			over = true;
	}
	return over;
}

/* All together: who has not authenticated goes first, then the newest. */
static void
thin_out_all(struct edge *e)
{
	struct hosting_bounds b;
	struct list *it = e->visitors.prev, *before;

	hosting_bounds(e->hosting, &b);
	while (admission_count(e->admission) > b.connections &&
	       end_stranger(e, true, "fewer connections are permitted"))
		;
	for (; it != &e->visitors &&
	       admission_count(e->admission) > b.connections;
	     it = before) {
		struct visitor *v = list_entry(it, struct visitor, all);

		before = it->prev;
		if (v->place.address == NULL)
			continue;
		admission_leave(e->admission, &v->place);
		s2s_in_close(v->s2s, STREAM_ERR_RESOURCE_CONSTRAINT,
		    "too many connections");
	}
}

/* A partner's limit may be lower than it was: his newest streams go. */
static void
thin_out(struct edge *e)
{
	struct tally t;

	if (tally_init(&t) < 0)
		return; /* What is too much then stays until it ends. */
	LIST_FOREACH_SAFE (it, &e->visitors) {
		struct visitor *v = list_entry(it, struct visitor, all);
		struct stream_info info;

		if (!s2s_in_is_up(v->s2s))
			continue;
		s2s_in_info(v->s2s, &info);
		if (is_too_many(e, &t, &info))
			s2s_in_close(v->s2s, STREAM_ERR_RESOURCE_CONSTRAINT,
			    "too many connections");
	}
	tally_finish(&t);
}

void
edge_visitors_recheck(struct edge *e)
{
	LIST_FOREACH_SAFE (it, &e->visitors)
		s2s_in_recheck(list_entry(it, struct visitor, all)->s2s);
	thin_out(e);
	thin_out_all(e);
}

static bool
came_for(const struct edge *e, const struct visitor *v, const char *node)
{
	struct stream_info info;

	if (!s2s_in_is_up(v->s2s))
		return false;
	s2s_in_info(v->s2s, &info);
	for (size_t i = 0; i < info.pair_count; i++) {
		const char *owner =
		    hosting_owner(e->hosting, info.pairs[i].local);

		if (owner == NULL || strcmp(owner, node) != 0)
			return false;
	}
	return true;
}

void
edge_visitors_release(struct edge *e, const char *node)
{
	LIST_FOREACH_SAFE (it, &e->visitors) {
		struct visitor *v = list_entry(it, struct visitor, all);

		if (came_for(e, v, node))
			s2s_in_close(v->s2s, STREAM_ERR_NONE,
			    "the gateway is served by other edges");
	}
}

void
edge_visitors_dismiss(struct edge *e)
{
	LIST_FOREACH_SAFE (it, &e->visitors)
		s2s_in_close(list_entry(it, struct visitor, all)->s2s,
		    STREAM_ERR_SYSTEM_SHUTDOWN, NULL);
}
