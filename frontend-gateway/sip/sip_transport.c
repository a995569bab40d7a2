/*
 * A connection is *proven* once TLS is up and its certificate names a peer
 * we know; only then is it read from and written to.  Outgoing ones must
 * name the front end that was meant, or the pool.
 *
 * A connection ends in drop() (our doing) or on_end (anybody's).  lose()
 * takes it out of use and tells the owner, once; the memory goes in on_end.
 *
 * The number of a connection carries its peer in the low byte, so that an
 * answer finds another way to that peer when its connection is gone.  A peer
 * keeps its number as long as it is one.
 */
#include "frontend-gateway/sip/sip_transport.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <openssl/x509.h>

#include "common/buf.h"
#include "common/cert_names.h"
#include "common/clock.h"
#include "common/conn.h"
#include "common/err.h"
#include "common/list.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "common/random.h"
#include "common/tls_identity.h"
#include "frontend-gateway/sip/sip_build.h"
#include "frontend-gateway/sip/sip_diagnostics.h"
#include "frontend-gateway/sip/sip_frame.h"

enum {
	BACKLOG = 128,
	PEERS_MAX = SIP_FRONT_ENDS_MAX + 1,
	SETTLED_MS = 10000 /* a connection that lived this long was good */
};

/* The first is for a front end that was there a moment ago: it may be back in
 * no time.  Both counts of struct peer lead on from there. */
static const unsigned retry_ms[] = { 100, 1000, 2000, 5000, 10000, 30000 };
enum { RETRIES = sizeof(retry_ms) / sizeof(retry_ms[0]) };

/* One TLS connection. */
struct link {
	struct sip_transport *t;
	struct conn *conn;
	struct list node;
	struct log log;
	struct sip_frame frame;
	struct peer *peer; /* outgoing: whom we call; NULL until proven */
	bool outgoing;
	bool proven;
	bool lost;
	bool broken; /* a write failed; on_end is on its way */
	uint64_t id;
	uint64_t since_ms;
	uint64_t heard_ms, said_ms;
	struct clock_timer idle;
};

/* A front end, or the pool as a whole for those that show only its name. */
struct peer {
	struct sip_transport *t;
	size_t index; /* among t->peers */
	char *name;
	struct sockaddr_storage address;
	bool dialled;
	bool wanted;      /* while the front ends change */
	struct link *own; /* our connection to it, in whatever state */
	/* In a row: attempts without proof; connections that were proven and
	 * did not last.  A proof clears the first, time the second. */
	unsigned failures, brief;
	struct clock_timer retry;
};

struct listener {
	uv_tcp_t tcp;
	struct sip_transport *t;
};

struct sip_transport {
	struct sip_transport_opts opts;
	char *fqdn, *allow;
	struct log log;
	struct peer *peers[PEERS_MAX]; /* the pool is the first; or NULL */
	/* Front ends, then the pool, for matching certificates. */
	const char *names[PEERS_MAX];
	struct peer *named[PEERS_MAX];
	size_t peer_count;
	struct listener *listeners;
	size_t listener_count;
	struct list links;
	size_t proven, unproven;
	size_t handles; /* listeners and connections alive */
	uint64_t serial;
	uint64_t turn; /* spreads requests over equal connections */
	bool closing;
};

static void dial(struct peer *p);

/* --- links -------------------------------------------------------------- */

static void
retry_later(struct peer *p)
{
	unsigned step = p->failures > p->brief ? p->failures : p->brief;

	clock_timer_start(&p->retry, retry_ms[step]);
}

static void
retry_failed(struct peer *p)
{
	if (p->failures + 1 < RETRIES)
		p->failures++;
	retry_later(p);
}

/* A front end that accepts and hangs up at once is one of those that are asked
 * less and less; one that was restarted is not. */
static void
retry_lost(struct peer *p, uint64_t lived_ms)
{
	if (lived_ms >= SETTLED_MS)
		p->brief = 0;
	retry_later(p);
	if (lived_ms < SETTLED_MS && p->brief + 1 < RETRIES)
		p->brief++;
}

/* Takes a connection out of use and tells who waits on it. */
static void
lose(struct link *l)
{
	struct sip_transport *t = l->t;
	struct peer *p = l->peer;

	if (l->lost)
		return;
	l->lost = true;
	list_remove(&l->node);
	clock_timer_stop(&l->idle);
	if (l->proven)
		t->proven--;
	else if (!l->outgoing)
		t->unproven--;
	if (l->outgoing && p->own == l) {
		p->own = NULL;
		if (!t->closing && l->proven)
			retry_lost(
			    p, clock_now_ms(t->opts.clock) - l->since_ms);
		else if (!t->closing)
			retry_failed(p);
	}
	if (!l->proven || t->closing)
		return;
	t->opts.events->on_down(l->id, t->opts.arg);
	if (t->proven == 0)
		t->opts.events->on_reachable(false, t->opts.arg);
}

static void
drop(struct link *l)
{
	lose(l);
	conn_close(l->conn, CONN_END_LOCAL);
}

static void
free_peer(struct peer *p)
{
	if (p == NULL)
		return;
	free(p->name);
	free(p);
}

static void
free_transport(struct sip_transport *t)
{
	for (size_t i = 0; i < PEERS_MAX; i++)
		free_peer(t->peers[i]);
	free(t->listeners);
	free(t->fqdn);
	free(t->allow);
	free(t);
}

/* One handle less; with the last one of a closing transport all ends. */
static void
release(struct sip_transport *t)
{
	assert(t->handles > 0);
	if (--t->handles > 0 || !t->closing)
		return;
	if (t->opts.events != NULL)
		t->opts.events->on_closed(t->opts.arg);
	free_transport(t);
}

/* A failure is told to the owner later, in on_end: never from within a call of
 * the owner's. */
static int
link_write(struct link *l, const void *data, size_t len)
{
	int rc = conn_write(l->conn, data, len);

	if (rc < 0) {
		log_warn(&l->log, "write-failed", "error=%s", err_str(rc));
		l->broken = true;
		conn_abort(l->conn, CONN_END_IO);
		return rc;
	}
	l->said_ms = clock_now_ms(l->t->opts.clock);
	return 0;
}

/* Whether it may carry messages. */
static bool
is_usable(const struct link *l)
{
	return l->proven && !l->broken;
}

/* Nothing was said or heard for a while: let middle boxes know that the
 * connection lives (RFC 5626 4.4.1).  No pong is demanded. */
static void
on_idle(struct clock_timer *timer, void *arg)
{
	struct link *l = arg;
	uint64_t now = clock_now_ms(l->t->opts.clock);
	uint64_t last = l->heard_ms > l->said_ms ? l->heard_ms : l->said_ms;
	uint64_t limit = l->t->opts.keep_alive_ms;

	(void)timer;
	if (now - last >= limit) {
		if (link_write(l, "\r\n\r\n", 4) < 0)
			return;
		last = now;
	}
	clock_timer_start(&l->idle, last + limit - now);
}

/* --- answers of one hop ------------------------------------------------- */

static void
answer(struct link *l, const struct sip_msg *m, int status,
    const struct sip_header *headers, size_t count)
{
	char tag[33];
	struct sip_build_response r = { .request = m,
		.status = status,
		.to_tag = tag,
		.headers = headers,
		.header_count = count };
	struct buf text;
	int rc;

	random_hex(tag, 16);
	buf_init(&text, 0);
	rc = sip_build_response(&text, &r);
	if (rc < 0)
		log_warn(&l->log, "answer-not-built", "status=%d error=%s",
		    status, err_str(rc));
	else
		link_write(l, text.data, text.len);
	buf_finish(&text);
}

static void
refuse(struct link *l, const struct sip_msg *m, int status, unsigned id,
    const char *reason)
{
	struct sip_header headers[1] = { { "ms-diagnostics", NULL } };
	struct buf value;

	log_limited_warn(&l->log, conn_peer_ip(l->conn), "message-refused",
	    "status=%d reason=%s call_id=%s", status, reason,
	    sip_msg_call_id(m));
	buf_init(&value, 0);
	sip_build_diagnostics(&value, id, reason, l->t->fqdn);
	headers[0].value = buf_cstr(&value);
	answer(l, m, status, headers, headers[0].value != NULL ? 1 : 0);
	buf_finish(&value);
}

/* Compression is refused; a silent peer would wait for the answer before it
 * says anything else. */
static void
answer_negotiate(struct link *l, const struct sip_msg *m)
{
	static const struct {
		int status;
		bool allow, none;
	} replies[] = {
		[SIP_NEGOTIATE_405] = { 405, true, false },
		[SIP_NEGOTIATE_488] = { 488, false, false },
		[SIP_NEGOTIATE_501] = { 501, true, false },
		[SIP_NEGOTIATE_200_NONE] = { 200, false, true },
	};
	enum sip_negotiate_reply reply = l->t->opts.negotiate_reply;
	struct sip_header headers[2];
	size_t n = 0;

	if (replies[reply].allow)
		headers[n++] = (struct sip_header){ "Allow", l->t->allow };
	if (replies[reply].none)
		headers[n++] = (struct sip_header){ "Compression", "None" };
	answer(l, m, replies[reply].status, headers, n);
}

/* --- reading ------------------------------------------------------------ */

/* Whether a request of that method is answered at all. */
static bool
is_answered(const struct sip_msg *m)
{
	return sip_msg_is_request(m) && sip_msg_method(m) != SIP_ACK &&
	       sip_msg_method(m) != SIP_BENOTIFY;
}

static void
take_message(struct link *l, const struct sip_frame_item *item)
{
	struct sip_msg *m;
	const char *what;
	int rc, status;

	rc = sip_msg_parse(
	    &m, item->head, item->head_len, item->body, item->body_len);
	if (rc < 0) {
		log_limited_warn(&l->log, conn_peer_ip(l->conn),
		    "message-unreadable", "error=%s", err_str(rc));
		return;
	}
	log_debug(&l->log, "message", "method=%s status=%d call_id=%s",
	    sip_msg_method_name(m), sip_msg_status(m), sip_msg_call_id(m));
	status = sip_msg_defect(m, &what);
	if (sip_msg_is_request(m) && sip_msg_method(m) == SIP_NEGOTIATE)
		answer_negotiate(l, m);
	else if (status != 0 && is_answered(m))
		refuse(l, m, status, SIP_UA_DIAG_MALFORMED, what);
	else if (status != 0)
		log_limited_warn(&l->log, conn_peer_ip(l->conn),
		    "message-dropped", "defect=%s", what);
	else if (item->kind == SIP_FRAME_MESSAGE)
		l->t->opts.events->on_message(m, l->id, l->t->opts.arg);
	else if (is_answered(m))
		refuse(l, m, 413, SIP_UA_DIAG_TOO_LARGE, "body too large");
	else
		log_limited_warn(&l->log, conn_peer_ip(l->conn),
		    "message-dropped", "defect=%s", "body too large");
	sip_msg_free(m);
}

static void
on_data(struct conn *c, const uint8_t *data, size_t len, void *arg)
{
	struct link *l = arg;
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
			link_write(l, "\r\n", 2);
		else
			take_message(l, &item);
	}
	if (rc < 0 && !l->lost) {
		log_limited_warn(&l->log, conn_peer_ip(l->conn), "framing-lost",
		    "error=%s", err_str(rc));
		drop(l);
	}
}

/* --- proof -------------------------------------------------------------- */

/* The peer the certificate names, front ends first; or NULL. */
static struct peer *
named_peer(struct link *l)
{
	const struct sip_transport *t = l->t;
	const char *own[2];
	struct cert_names names;
	X509 *cert = SSL_get1_peer_certificate(conn_ssl(l->conn));
	struct peer *found = NULL;
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
limit_inbound(struct sip_transport *t, const struct peer *p)
{
	struct link *l, *oldest = NULL;
	size_t count = 0;
	/* Under the pool's name all front ends may hide. */
	size_t max = SIP_INBOUND_PER_PEER *
		     (p->dialled || t->peer_count < 2 ? 1 : t->peer_count - 1);

	LIST_FOREACH (it, &t->links) {
		l = list_entry(it, struct link, node);
		if (l->outgoing || !l->proven || l->peer != p)
			continue;
		count++;
		if (oldest == NULL || l->heard_ms < oldest->heard_ms)
			oldest = l;
	}
	if (oldest == NULL || count < max)
		return;
	log_info(&oldest->log, "replaced", "count=%zu", count);
	drop(oldest);
}

static void
on_secured(struct conn *c, void *arg)
{
	struct link *l = arg;
	struct sip_transport *t = l->t;
	struct peer *p = named_peer(l);

	(void)c;
	if (p == NULL) {
		log_limited_warn(&l->log, conn_peer_ip(l->conn), "peer-refused",
		    "reason=%s",
		    "certificate names neither the pool nor a front end");
		drop(l);
		return;
	}
	if (!l->outgoing) {
		l->peer = p;
		limit_inbound(t, l->peer);
		t->unproven--;
	}
	l->proven = true;
	l->id = ++t->serial << 8 | (uint64_t)p->index;
	l->since_ms = l->heard_ms = l->said_ms = clock_now_ms(t->opts.clock);
	if (l->outgoing) {
		l->peer->failures = 0;
		clock_timer_start(&l->idle, t->opts.keep_alive_ms);
	}
	log_info(&l->log, "connected", "direction=%s name=%s",
	    l->outgoing ? "out" : "in", l->peer->name);
	if (++t->proven == 1)
		t->opts.events->on_reachable(true, t->opts.arg);
}

static void
on_connected(struct conn *c, void *arg)
{
	struct link *l = arg;
	int rc = conn_start_tls_client(
	    c, l->t->opts.tls->client, 0, l->peer->name, NULL, 0);

	if (rc < 0) {
		log_warn(&l->log, "tls-failed", "error=%s", err_str(rc));
		drop(l);
	}
}

static void
on_end(struct conn *c, enum conn_end why, int rc, const char *detail, void *arg)
{
	struct link *l = arg;
	struct sip_transport *t = l->t;

	(void)c;
	if (why != CONN_END_LOCAL)
		log_limited_info(&l->log, conn_peer_ip(c), "ended",
		    "direction=%s why=%s error=%s detail=%s",
		    l->outgoing ? "out" : "in", conn_end_str(why),
		    rc < 0 ? err_str(rc) : NULL, detail);
	lose(l);
	sip_frame_finish(&l->frame);
	free(l);
	release(t);
}

static const struct conn_events link_events = {
	.on_connected = on_connected,
	.on_secured = on_secured,
	.on_data = on_data,
	.on_end = on_end,
};

static struct link *
new_link(struct sip_transport *t, struct conn_opts *opts)
{
	struct link *l = calloc(1, sizeof(*l));
	const struct sip_frame_limits limits = { .head_max = t->opts.head_max,
		.body_max = t->opts.body_max };

	if (l == NULL)
		return NULL;
	l->t = t;
	log_init(&l->log, "sip_transport");
	list_init(&l->node);
	sip_frame_init(&l->frame, &limits);
	clock_timer_init(&l->idle, t->opts.clock, on_idle, l);
	*opts = (struct conn_opts){ .loop = t->opts.loop,
		.clock = t->opts.clock,
		.events = &link_events,
		.arg = l };
	return l;
}

/* The connection exists: from now on on_end frees the link. */
static void
adopt(struct link *l)
{
	list_append(&l->t->links, &l->node);
	l->t->handles++;
	log_object(&l->log, "peer=%s", conn_peer(l->conn));
}

static void
dial(struct peer *p)
{
	struct sip_transport *t = p->t;
	struct conn_opts opts;
	struct link *l = new_link(t, &opts);
	int rc = ERR_NOMEM;

	if (l != NULL) {
		l->outgoing = true;
		l->peer = p;
		rc = conn_connect(
		    &l->conn, (struct sockaddr *)&p->address, &opts);
	}
	if (rc < 0) {
		log_warn(&t->log, "connect-failed", "name=%s error=%s", p->name,
		    err_str(rc));
		free(l);
		retry_failed(p);
		return;
	}
	adopt(l);
	p->own = l;
}

static void
on_retry(struct clock_timer *timer, void *arg)
{
	(void)timer;
	dial(arg);
}

static void
on_accept(uv_stream_t *tcp, int status)
{
	struct listener *listener = tcp->data;
	struct sip_transport *t = listener->t;
	struct conn_opts opts;
	struct link *l = NULL;
	int rc = status;

	if (rc == 0) {
		l = new_link(t, &opts);
		rc = l != NULL ? conn_accept(&l->conn, tcp, &opts) : ERR_NOMEM;
	}
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
		lose(l);
		conn_abort(l->conn, CONN_END_LOCAL);
		return;
	}
	rc = conn_start_tls_server(l->conn, t->opts.tls->server, 0);
	if (rc < 0) {
		log_warn(&l->log, "tls-failed", "error=%s", err_str(rc));
		drop(l);
	}
}

/* --- sending ------------------------------------------------------------ */

/* How well a connection suits a request for that front end. */
static unsigned
suits(const struct link *l, const char *front_end)
{
	unsigned score = l->outgoing ? 2 : 1;

	if (front_end != NULL && strcasecmp(l->peer->name, front_end) == 0)
		score += 2;
	return score;
}

int
sip_transport_send(struct sip_transport *t, uint64_t *conn,
    const char *front_end, const void *data, size_t len)
{
	struct link *l, *best = NULL;
	unsigned score, best_score = 0;
	uint64_t distance, best_distance = 0;
	int rc;

	t->turn++;
	LIST_FOREACH (it, &t->links) {
		l = list_entry(it, struct link, node);
		if (!is_usable(l))
			continue;
		score = suits(l, front_end);
		/* Equals take turns. */
		distance = (l->id >> 8) + t->turn;
		distance %= t->proven;
		if (best != NULL && score < best_score)
			continue;
		if (best != NULL && score == best_score &&
		    distance <= best_distance)
			continue;
		best = l;
		best_score = score;
		best_distance = distance;
	}
	if (best == NULL)
		return ERR_CLOSED;
	rc = link_write(best, data, len);
	if (rc == 0)
		*conn = best->id;
	return rc;
}

int
sip_transport_send_on(
    struct sip_transport *t, uint64_t conn, const void *data, size_t len)
{
	struct link *l, *best = NULL;

	LIST_FOREACH (it, &t->links) {
		l = list_entry(it, struct link, node);
		if (!is_usable(l) || l->peer->index != (conn & 0xff))
			continue;
		if (l->id == conn) {
			best = l;
			break;
		}
		/* The pool prefers its own connections for answers. */
		if (best == NULL || !l->outgoing)
			best = l;
	}
	return best != NULL ? link_write(best, data, len) : ERR_CLOSED;
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
	struct listener *listener = h->data;

	release(listener->t);
}

static int
listen_on(struct sip_transport *t, const struct sockaddr_storage *address)
{
	struct listener *listener = &t->listeners[t->listener_count];
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

/* NULL without memory. */
static struct peer *
add_peer(struct sip_transport *t, size_t index, const char *name,
    const struct sockaddr_storage *address)
{
	struct peer *p = calloc(1, sizeof(*p));

	assert(t->peers[index] == NULL);
	if (p == NULL)
		return NULL;
	p->t = t;
	p->index = index;
	p->wanted = true;
	p->name = strdup(name);
	if (p->name == NULL) {
		free(p);
		return NULL;
	}
	for (char *c = p->name; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	if (address != NULL) {
		p->address = *address;
		p->dialled = true;
	}
	clock_timer_init(&p->retry, t->opts.clock, on_retry, p);
	t->peers[index] = p;
	return p;
}

static void
list_names(struct sip_transport *t)
{
	t->peer_count = 0;
	for (size_t i = 1; i <= PEERS_MAX; i++) {
		struct peer *p = t->peers[i % PEERS_MAX];

		if (p == NULL)
			continue;
		t->names[t->peer_count] = p->name;
		t->named[t->peer_count++] = p;
	}
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
	t->allow = strdup(o->allow);
	if (t->listeners == NULL || t->fqdn == NULL || t->allow == NULL ||
	    add_peer(t, 0, o->pool, NULL) == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < o->front_end_count; i++)
		if (add_peer(t, i + 1, o->front_ends[i].name,
			&o->front_ends[i].address) == NULL)
			return ERR_NOMEM;
	list_names(t);
	/* The caller's texts may go now. */
	t->opts.fqdn = t->opts.pool = t->opts.allow = NULL;
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
			dial(t->named[i]);
	*out = t;
	return 0;
}

void
sip_transport_close(struct sip_transport *t)
{
	struct link *l;

	assert(!t->closing);
	t->closing = true;
	for (size_t i = 0; i < t->peer_count; i++)
		clock_timer_stop(&t->named[i]->retry);
	/* Held by hand, so that the last handle cannot go before the loop
	 * below is done. */
	t->handles++;
	for (size_t i = 0; i < t->listener_count; i++)
		uv_close(
		    (uv_handle_t *)&t->listeners[i].tcp, on_listener_closed);
	LIST_FOREACH_SAFE (it, &t->links) {
		l = list_entry(it, struct link, node);
		drop(l);
	}
	release(t);
}

void
sip_transport_set_tls(struct sip_transport *t, const struct tls_identity *tls)
{
	t->opts.tls = tls;
}

/* --- other front ends ---------------------------------------------------- */

static struct peer *
find_front_end(const struct sip_transport *t, const char *name)
{
	for (size_t i = 1; i < PEERS_MAX; i++)
		if (t->peers[i] != NULL &&
		    strcasecmp(t->peers[i]->name, name) == 0)
			return t->peers[i];
	return NULL;
}

static size_t
free_index(const struct sip_transport *t)
{
	size_t i = 1;

	while (t->peers[i] != NULL)
		i++;
	return i;
}

static void
remove_peer(struct peer *p)
{
	struct sip_transport *t = p->t;

	log_info(&t->log, "front-end-removed", "name=%s", p->name);
	t->peers[p->index] = NULL;
	list_names(t);
	LIST_FOREACH_SAFE (it, &t->links) {
		struct link *l = list_entry(it, struct link, node);

		if (l->peer == p)
			drop(l);
	}
	clock_timer_stop(&p->retry);
	free_peer(p);
}

/* The same front end, elsewhere. */
static void
move_peer(struct peer *p, const struct sockaddr_storage *address)
{
	if (memcmp(&p->address, address, sizeof(*address)) == 0)
		return;
	log_info(&p->t->log, "front-end-moved", "name=%s", p->name);
	p->address = *address;
	p->failures = p->brief = 0;
	if (p->own != NULL)
		drop(p->own); /* dials anew */
	else
		retry_later(p);
}

int
sip_transport_set_front_ends(struct sip_transport *t,
    const struct sip_front_end *front_ends, size_t count)
{
	struct peer *p;
	int rc = 0;

	assert(!t->closing && count <= SIP_FRONT_ENDS_MAX);
	for (size_t i = 1; i < PEERS_MAX; i++)
		if (t->peers[i] != NULL)
			t->peers[i]->wanted = false;
	for (size_t i = 0; i < count; i++) {
		p = find_front_end(t, front_ends[i].name);
		if (p != NULL)
			p->wanted = true;
	}
	/* First those that go, for their places. */
	for (size_t i = 1; i < PEERS_MAX; i++)
		if (t->peers[i] != NULL && !t->peers[i]->wanted)
			remove_peer(t->peers[i]);
	for (size_t i = 0; i < count; i++) {
		p = find_front_end(t, front_ends[i].name);
		if (p != NULL) {
			move_peer(p, &front_ends[i].address);
			continue;
		}
		p = add_peer(t, free_index(t), front_ends[i].name,
		    &front_ends[i].address);
		if (p == NULL) {
			rc = ERR_NOMEM;
			continue;
		}
		log_info(&t->log, "front-end-added", "name=%s", p->name);
		list_names(t);
		dial(p);
	}
	return rc;
}
