/*
 * A connection is *proven* once TLS is up and its certificate names a peer
 * we know; only then is it read from and written to.  Outgoing ones must
 * name the front end that was meant, or the pool.
 *
 * A connection ends in sip_link_drop() (our doing) or on_end (anybody's).
 * lose() takes it out of use and tells the owner, once; the memory goes in
 * on_end.
 *
 * The number of a connection carries its peer in the low byte, so that an
 * answer finds another way to that peer when its connection is gone.  A peer
 * keeps its number as long as it is one.
 */
#include "frontend-gateway/sip/sip_transport_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/x509.h>

#include "common/cert_names.h"
#include "common/conn.h"
#include "common/err.h"
#include "common/log_limit.h"
#include "common/tls_identity.h"

/* Takes a connection out of use and tells who waits on it. */
static void
lose(struct sip_link *l, const char *why)
{
	struct sip_transport *t = l->t;

	if (l->lost)
		return;
	l->lost = true;
	list_remove(&l->node);
	clock_timer_stop(&l->idle);
	clock_timer_stop(&l->probe);
	if (l->proven)
		t->proven--;
	else if (!l->outgoing)
		t->unproven--;
	if (l->outgoing)
		sip_peer_on_lost(l->peer, l, why);
	else if (l->proven)
		l->peer->inbound--;
	if (!l->proven || t->closing)
		return;
	t->opts.events->on_down(l->id, t->opts.arg);
	if (t->proven == 0)
		t->opts.events->on_reachable(false, t->opts.arg);
}

void
sip_link_drop(struct sip_link *l, const char *why)
{
	lose(l, why);
	conn_close(l->conn, CONN_END_LOCAL);
}

/* Keep-alives are no messages. */
static void
tap_written(const struct sip_link *l, const void *data, size_t len)
{
	const char *end = memmem(data, len, "\r\n\r\n", 4);
	const struct sip_tap *tap = l->t->tap;
	struct sip_tap_message m = { .outgoing = true,
		.peer = l->peer->name,
		.conn = l->id,
		.head = data };

	if (end == NULL || end == data)
		return;
	m.body = end + 4;
	m.head_len = (size_t)(end + 4 - (const char *)data);
	m.body_len = len - m.head_len;
	tap->on_message(&m, tap->arg);
}

int
sip_link_write(struct sip_link *l, const void *data, size_t len)
{
	int rc;

	if (l->t->tap != NULL)
		tap_written(l, data, len);
	rc = conn_write(l->conn, data, len);
	if (rc < 0) {
		log_warn(&l->log, "write-failed", "error=%s", err_str(rc));
		l->broken = true;
		conn_abort(l->conn, CONN_END_IO);
		return rc;
	}
	l->said_ms = clock_now_ms(l->t->opts.clock);
	return 0;
}

bool
sip_link_is_usable(const struct sip_link *l)
{
	return l->proven && !l->broken;
}

/* Nothing was said or heard for a while: let middle boxes know that the
 * connection lives (RFC 5626 4.4.1).  No pong is demanded. */
static void
on_idle(struct clock_timer *timer, void *arg)
{
	struct sip_link *l = arg;
	uint64_t now = clock_now_ms(l->t->opts.clock);
	uint64_t last = l->heard_ms > l->said_ms ? l->heard_ms : l->said_ms;
	uint64_t limit = l->t->opts.keep_alive_ms;

	(void)timer;
	if (now - last >= limit) {
		if (sip_link_write(l, "\r\n\r\n", 4) < 0)
			return;
		last = now;
	}
	clock_timer_start(&l->idle, last + limit - now);
}

/* --- reading ------------------------------------------------------------ */

static void
on_data(struct conn *c, const uint8_t *data, size_t len, void *arg)
{
	struct sip_link *l = arg;
	struct sip_frame_item item;
	int rc;

	(void)c;
	if (!l->proven || l->lost)
		return;
	l->heard_ms = clock_now_ms(l->t->opts.clock);
	rc = sip_frame_feed(&l->frame, data, len);
	while (rc == 0 && !l->lost && !l->broken) {
		rc = sip_frame_next(&l->frame, &item);
		if (rc < 0 || item.kind == SIP_FRAME_NONE)
			break;
		if (item.kind == SIP_FRAME_PING)
			sip_link_write(l, "\r\n", 2);
		else
			sip_hop_take(l, &item);
	}
	if (rc < 0 && !l->lost) {
		log_limited_warn(&l->log, conn_peer_ip(l->conn), "framing-lost",
		    "error=%s", err_str(rc));
		sip_link_drop(l, "framing lost");
	}
}

/* --- proof -------------------------------------------------------------- */

/* The peer the certificate names, front ends first; or NULL. */
static struct sip_peer *
named_peer(struct sip_link *l)
{
	const struct sip_transport *t = l->t;
	const char *own[2];
	struct cert_names names;
	X509 *cert = SSL_get1_peer_certificate(conn_ssl(l->conn));
	struct sip_peer *found = NULL;
	int rc;

	if (cert == NULL)
		return NULL;
	rc = cert_names_read(&names, cert);
	X509_free(cert);
	if (rc < 0) {
		log_limited_warn(&l->log, conn_peer_ip(l->conn),
		    "certificate-unreadable", "error=%s", err_str(rc));
		return NULL;
	}
	if (l->outgoing) {
		own[0] = l->peer->name;
		own[1] = t->peers[0]->name;
		if (cert_names_match_dns(&names, own, 2) >= 0)
			found = l->peer;
	} else {
		rc = cert_names_match_dns(&names, t->names, t->peer_count);
		found = rc >= 0 ? t->named[rc] : NULL;
	}
	cert_names_finish(&names);
	return found;
}

/* Makes room for one more connection of that peer: the one that has been
 * silent for longest goes. */
static void
limit_inbound(struct sip_transport *t, const struct sip_peer *p)
{
	struct sip_link *l, *oldest = NULL;
	size_t count = 0;
	/* Under the pool's name all front ends may hide. */
	size_t max = SIP_INBOUND_PER_PEER *
		     (p->dialled || t->peer_count < 2 ? 1 : t->peer_count - 1);

	LIST_FOREACH (it, &t->links) {
		l = list_entry(it, struct sip_link, node);
		if (l->outgoing || !l->proven || l->peer != p)
			continue;
		count++;
		if (oldest == NULL || l->heard_ms < oldest->heard_ms)
			oldest = l;
	}
	if (oldest == NULL || count < max)
		return;
	log_info(&oldest->log, "replaced", "count=%zu", count);
	sip_link_drop(oldest, "replaced");
}

static void
on_secured(struct conn *c, void *arg)
{
	struct sip_link *l = arg;
	struct sip_transport *t = l->t;
	struct sip_peer *p = named_peer(l);

	if (p == NULL) {
		log_limited_warn(&l->log, conn_peer_ip(l->conn), "peer-refused",
		    "reason=%s",
		    "certificate names neither the pool nor a front end");
		sip_link_drop(l, "certificate names neither it nor the pool");
		return;
	}
	if (!l->outgoing) {
		l->peer = p;
		limit_inbound(t, l->peer);
		l->peer->inbound++;
		t->unproven--;
	}
	l->proven = true;
	l->id = ++t->serial << 8 | (uint64_t)p->index;
	l->since_ms = l->heard_ms = l->said_ms = clock_now_ms(t->opts.clock);
	clock_timer_start(&l->idle, t->opts.keep_alive_ms);
	log_info(&l->log, "connected", "direction=%s name=%s tls=%s",
	    l->outgoing ? "out" : "in", l->peer->name,
	    SSL_get_version(conn_ssl(c)));
	if (l->outgoing) {
		sip_peer_on_up(l->peer);
		sip_hop_watch(l);
	}
	if (++t->proven == 1)
		t->opts.events->on_reachable(true, t->opts.arg);
}

static void
on_connected(struct conn *c, void *arg)
{
	struct sip_link *l = arg;
	int rc = conn_start_tls_client(
	    c, l->t->opts.tls->client, 0, l->peer->name, NULL, 0);

	if (rc < 0) {
		log_warn(&l->log, "tls-failed", "error=%s", err_str(rc));
		sip_link_drop(l, "TLS could not begin");
	}
}

static void
on_end(struct conn *c, enum conn_end why, int rc, const char *detail, void *arg)
{
	struct sip_link *l = arg;
	struct sip_transport *t = l->t;
	char text[128];

	snprintf(text, sizeof(text), "%s%s%s", conn_end_str(why),
	    detail != NULL || rc < 0 ? ": " : "",
	    detail != NULL ? detail
	    : rc < 0       ? err_str(rc)
			   : "");
	if (why != CONN_END_LOCAL)
		log_limited_info(&l->log, conn_peer_ip(c), "ended",
		    "direction=%s why=%s error=%s detail=%s",
		    l->outgoing ? "out" : "in", conn_end_str(why),
		    rc < 0 ? err_str(rc) : NULL, detail);
	lose(l, text);
	sip_frame_finish(&l->frame);
	free(l);
	sip_transport_release(t);
}

static const struct conn_events link_events = {
	.on_connected = on_connected,
	.on_secured = on_secured,
	.on_data = on_data,
	.on_end = on_end,
};

static struct sip_link *
new_link(struct sip_transport *t, struct conn_opts *opts)
{
	struct sip_link *l = calloc(1, sizeof(*l));
	const struct sip_frame_limits limits = { .head_max = t->opts.head_max,
		.body_max = t->opts.body_max };

	if (l == NULL)
		return NULL;
	l->t = t;
	log_init(&l->log, "sip_transport");
	list_init(&l->node);
	sip_frame_init(&l->frame, &limits);
	clock_timer_init(&l->idle, t->opts.clock, on_idle, l);
	sip_hop_init(l);
	*opts = (struct conn_opts){ .loop = t->opts.loop,
		.clock = t->opts.clock,
		.events = &link_events,
		.arg = l };
	return l;
}

/* The connection exists: from now on on_end frees the link. */
static void
adopt(struct sip_link *l)
{
	list_append(&l->t->links, &l->node);
	l->t->handles++;
	log_object(&l->log, "peer=%s", conn_peer(l->conn));
}

int
sip_link_dial(struct sip_peer *p)
{
	struct sip_transport *t = p->t;
	struct conn_opts opts;
	struct sip_link *l = new_link(t, &opts);
	int rc;

	if (l == NULL)
		return ERR_NOMEM;
	l->outgoing = true;
	l->peer = p;
	rc = conn_connect(&l->conn, (struct sockaddr *)&p->address, &opts);
	if (rc < 0) {
		free(l);
		return rc;
	}
	adopt(l);
	return 0;
}

void
sip_link_accept(struct sip_transport *t, uv_stream_t *listener)
{
	struct conn_opts opts;
	struct sip_link *l = new_link(t, &opts);
	int rc = l != NULL ? conn_accept(&l->conn, listener, &opts) : ERR_NOMEM;

	if (rc != 0) {
		log_limited_warn(
		    &t->log, NULL, "accept-failed", "error=%s", err_str(rc));
		free(l);
		return;
	}
	adopt(l);
	t->unproven++;
	if (t->unproven > SIP_UNPROVEN_MAX) {
		log_limited_warn(&l->log, conn_peer_ip(l->conn), "peer-refused",
		    "reason=%s", "too many connections without proof");
		lose(l, "too many connections without proof");
		conn_abort(l->conn, CONN_END_LOCAL);
		return;
	}
	rc = conn_start_tls_server(l->conn, t->opts.tls->server, 0);
	if (rc < 0) {
		log_warn(&l->log, "tls-failed", "error=%s", err_str(rc));
		sip_link_drop(l, "TLS could not begin");
	}
}
