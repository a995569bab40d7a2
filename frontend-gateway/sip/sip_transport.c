/*
 * The way out.  A request of a dialog goes to the front end its route names; a
 * new one to any that is fit, which one being decided by its Call-ID, so
 * that the requests of one dialog follow each other on one connection while
 * it lasts, and dialogs spread.
 */
#include "frontend-gateway/sip/sip_transport_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"
#include "common/log_limit.h"

enum { BACKLOG = 128 };

static void
free_transport(struct sip_transport *t)
{
	for (size_t i = 0; i < SIP_PEERS_MAX; i++)
		sip_peer_free(t->peers[i]);
	free(t->listeners);
	free(t->fqdn);
	free(t->sent_by);
	free(t->allow);
	free(t);
}

void
sip_transport_release(struct sip_transport *t)
{
	assert(t->handles > 0);
	if (--t->handles > 0 || !t->closing)
		return;
	if (t->opts.events != NULL)
		t->opts.events->on_closed(t->opts.arg);
	free_transport(t);
}

/* --- sending ------------------------------------------------------------ */

static struct sip_peer *
peer_of(const struct sip_transport *t, uint64_t conn)
{
	size_t index = (size_t)(conn & 0xff);

	return index < SIP_PEERS_MAX ? t->peers[index] : NULL;
}

/* How well a connection suits.  The dialog's state is with the front end that
 * its route names, in whatever health. */
static unsigned
suits(const struct sip_link *l, const char *front_end)
{
	unsigned score = l->outgoing ? 2 : 1;

	if (sip_health_is_fit(&l->peer->health))
		score += 2;
	if (front_end != NULL && strcasecmp(l->peer->name, front_end) == 0)
		score += 4;
	return score;
}

/* Decides among equals (rendezvous; FNV-1a, then mixed). */
static uint64_t
rank(const struct sip_link *l, const char *key, uint64_t turn)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; key != NULL && *key != '\0'; key++)
		h = (h ^ (unsigned char)*key) * 0x100000001b3u;
	h ^= (key == NULL ? turn : 0) + l->id * 0x9e3779b97f4a7c15u;
	h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
	h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
	return h ^ (h >> 31);
}

int
sip_transport_send(struct sip_transport *t, uint64_t *conn,
    const struct sip_transport_way *way, const void *data, size_t len)
{
	const struct sip_peer *avoid =
	    way->avoid != 0 ? peer_of(t, way->avoid) : NULL;
	struct sip_link *l, *best = NULL;
	unsigned score, best_score = 0;
	uint64_t r, best_rank = 0;
	int rc;

	t->turn++;
	LIST_FOREACH (it, &t->links) {
		l = list_entry(it, struct sip_link, node);
		if (!sip_link_is_usable(l) || l->peer == avoid)
			continue;
		score = suits(l, way->front_end);
		r = rank(l, way->call_id, t->turn);
		if (best != NULL && (score < best_score ||
					(score == best_score && r < best_rank)))
			continue;
		best = l;
		best_score = score;
		best_rank = r;
	}
	if (best == NULL)
		return ERR_CLOSED;
	rc = sip_link_write(best, data, len);
	if (rc < 0)
		return rc;
	if (way->asks)
		sip_health_sent(&best->peer->health);
	*conn = best->id;
	return 0;
}

/* Whether a fit front end beside p could take a request. */
static bool
has_other(const struct sip_transport *t, const struct sip_peer *p)
{
	const struct sip_link *l;

	LIST_FOREACH (it, &t->links) {
		l = list_entry(it, struct sip_link, node);
		if (sip_link_is_usable(l) && l->peer != p &&
		    sip_health_is_fit(&l->peer->health))
			return true;
	}
	return false;
}

/* Asks a front end whether it lives, on all connections of ours. */
static void
probe_all(struct sip_transport *t, const struct sip_peer *p)
{
	struct sip_link *l;

	LIST_FOREACH (it, &t->links) {
		l = list_entry(it, struct sip_link, node);
		if (l->peer == p && l->outgoing)
			sip_hop_probe(l);
	}
}

bool
sip_transport_judge(struct sip_transport *t, uint64_t conn,
    const struct sip_transport_outcome *o)
{
	struct sip_peer *p = peer_of(t, conn);
	uint64_t now = clock_now_ms(t->opts.clock);
	enum sip_health_state before;
	char why[128];

	if (p == NULL)
		return o->broken && has_other(t, NULL); /* it was removed */
	before = p->health.state;
	if (o->response != NULL) {
		sip_health_answered(
		    &p->health, now, o->response, p->name, t->peers[0]->name);
		sip_peer_tell(p, before);
		return p->health.state == SIP_HEALTH_RESTING &&
		       sip_msg_status(o->response) == 503 && has_other(t, p);
	}
	snprintf(why, sizeof(why), "%s %s",
	    o->broken ? "connection broke before the answer to"
		      : "no answer to",
	    sip_method_name(o->method));
	sip_health_unanswered(&p->health, now, why);
	/* An INVITE gets at least 100 from the next hop (RFC 3261 16.2). */
	if (!o->broken && o->silent && o->method == SIP_INVITE)
		probe_all(t, p);
	return o->broken && has_other(t, p);
}

int
sip_transport_send_on(
    struct sip_transport *t, uint64_t conn, const void *data, size_t len)
{
	struct sip_link *l, *best = NULL;

	LIST_FOREACH (it, &t->links) {
		l = list_entry(it, struct sip_link, node);
		if (!sip_link_is_usable(l) || l->peer->index != (conn & 0xff))
			continue;
		if (l->id == conn) {
			best = l;
			break;
		}
		/* The pool prefers its own connections for answers. */
		if (best == NULL || !l->outgoing)
			best = l;
	}
	return best != NULL ? sip_link_write(best, data, len) : ERR_CLOSED;
}

size_t
sip_transport_connections(const struct sip_transport *t)
{
	return t->proven;
}

/* --- life --------------------------------------------------------------- */

static void
on_listener_closed(uv_handle_t *h)
{
	struct sip_listener *listener = h->data;

	sip_transport_release(listener->t);
}

static void
on_accept(uv_stream_t *tcp, int status)
{
	struct sip_listener *listener = tcp->data;
	struct sip_transport *t = listener->t;

	if (status == 0)
		sip_link_accept(t, tcp);
	else
		log_limited_warn(&t->log, NULL, "accept-failed", "error=%s",
		    err_str(status));
}

static int
listen_on(struct sip_transport *t, const struct sockaddr_storage *address)
{
	struct sip_listener *listener = &t->listeners[t->listener_count];
	int rc;

	listener->t = t;
	rc = uv_tcp_init(t->opts.loop, &listener->tcp);
	if (rc < 0)
		return rc;
	listener->tcp.data = listener;
	t->listener_count++;
	t->handles++;
	rc = uv_tcp_bind(&listener->tcp, (const struct sockaddr *)address, 0);
	if (rc == 0)
		rc = uv_listen(
		    (uv_stream_t *)&listener->tcp, BACKLOG, on_accept);
	return rc;
}

/* Everything but sockets. */
static int
prepare(struct sip_transport *t, const struct sip_transport_opts *o)
{
	t->opts = *o;
	log_init(&t->log, "sip_transport");
	list_init(&t->links);
	t->listeners = calloc(o->listen_count + 1, sizeof(*t->listeners));
	t->fqdn = strdup(o->fqdn);
	t->sent_by = strdup(o->sent_by);
	t->allow = strdup(o->allow);
	if (t->opts.connections == 0)
		t->opts.connections = 1;
	if (t->listeners == NULL || t->fqdn == NULL || t->sent_by == NULL ||
	    t->allow == NULL || sip_peer_add(t, 0, o->pool, NULL) == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < o->front_end_count; i++)
		if (sip_peer_add(t, i + 1, o->front_ends[i].name,
			&o->front_ends[i].address) == NULL)
			return ERR_NOMEM;
	sip_peer_list_names(t);
	/* The caller's texts may go now. */
	t->opts.fqdn = t->opts.sent_by = t->opts.pool = t->opts.allow = NULL;
	t->opts.listen = NULL;
	t->opts.front_ends = NULL;
	return 0;
}

int
sip_transport_open(struct sip_transport **out,
    const struct sip_transport_opts *opts, char *why, size_t size)
{
	struct sip_transport *t;
	int rc;

	if (opts->front_end_count > SIP_FRONT_ENDS_MAX) {
		snprintf(
		    why, size, "more than %d front ends", SIP_FRONT_ENDS_MAX);
		return ERR_CONFIG;
	}
	t = calloc(1, sizeof(*t));
	rc = t != NULL ? prepare(t, opts) : ERR_NOMEM;
	if (rc < 0) {
		snprintf(why, size, "%s", err_str(rc));
		if (t != NULL)
			free_transport(t);
		return rc;
	}
	for (size_t i = 0; i < opts->listen_count; i++) {
		rc = listen_on(t, &opts->listen[i]);
		if (rc < 0) {
			snprintf(why, size, "cannot listen at address %zu: %s",
			    i, err_str(rc));
			/* Nobody is told of an end of what never began. */
			t->opts.events = NULL;
			sip_transport_close(t);
			return rc;
		}
	}
	for (size_t i = 0; i < t->peer_count; i++)
		if (t->named[i]->dialled)
			sip_peer_dial(t->named[i]);
	*out = t;
	return 0;
}

void
sip_transport_close(struct sip_transport *t)
{
	struct sip_link *l;

	assert(!t->closing);
	t->closing = true;
	for (size_t i = 0; i < t->peer_count; i++) {
		clock_timer_stop(&t->named[i]->retry);
		clock_timer_stop(&t->named[i]->rest);
	}
	/* Held by hand, so that the last handle cannot go before the loop
	 * below is done. */
	t->handles++;
	for (size_t i = 0; i < t->listener_count; i++)
		uv_close(
		    (uv_handle_t *)&t->listeners[i].tcp, on_listener_closed);
	LIST_FOREACH_SAFE (it, &t->links) {
		l = list_entry(it, struct sip_link, node);
		sip_link_drop(l, "closing");
	}
	sip_transport_release(t);
}

void
sip_transport_set_tls(struct sip_transport *t, const struct tls_identity *tls)
{
	t->opts.tls = tls;
}

void
sip_transport_set_tap(struct sip_transport *t, const struct sip_tap *tap)
{
	t->tap = tap;
}

/* --- what is known of the front ends ------------------------------------- */

void
sip_transport_each_front_end(
    const struct sip_transport *t, sip_front_end_fn *fn, void *arg)
{
	uint64_t now = clock_now_ms(t->opts.clock);

	for (size_t i = 0; i < t->peer_count; i++) {
		const struct sip_peer *p = t->named[i];
		struct sip_front_end_view v = { .name = p->name,
			.health = &p->health,
			.out = p->up,
			.out_wanted = t->opts.connections,
			.in = p->inbound,
			.now_ms = now };

		if (p->retry_at_ms > now)
			v.retry_in_ms = p->retry_at_ms - now;
		/* The pool's own name is no front end, unless used as one. */
		if (p->dialled || p->inbound > 0)
			fn(&v, p->dialled, arg);
	}
}
