/*
 * inner_listener - see the header.
 *
 *   accepted ── TLS, names checked ──► greeting ── hello taken ──► joined
 *       └──────────────┴─── anything else, or 5 s ───► ending ◄──────┘
 *
 * A guest is one connection.  Until it has joined it belongs to nobody, may
 * send one frame of a few hundred bytes, and there may be only a few of its
 * kind, so that strangers on the inner network cost nothing.  Once joined, what
 * it sends goes to the channel of its gateway, and the channel's output to it.
 */
#include "edge-proxy/inner_listener.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/x509.h>

#include "common/buf.h"
#include "common/cert_names.h"
#include "common/clock.h"
#include "common/conn.h"
#include "common/err.h"
#include "common/list.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "edge-proxy/doors.h"
#include "proto/frame.h"

enum {
	GREETING_MS = 5000,
	HELLO_MAX = 4096,
	STRANGERS_MAX = 64, /* guests that have not joined */
	REOPEN_MS = 5000,   /* after descriptors ran out */
	/* What the channel may have under way, and control frames. */
	WRITE_MAX = 48 * 1024 * 1024,
	WRITE_HIGH = 1024 * 1024,
	WRITE_LOW = 256 * 1024
};

enum guest_state { GUEST_TLS, GUEST_GREETING, GUEST_JOINED, GUEST_ENDING };

static const struct {
	const char *name;
	unsigned next;
} states[] = {
	[GUEST_TLS] = { "tls", 1u << GUEST_GREETING | 1u << GUEST_ENDING },
	[GUEST_GREETING] = { "greeting",
	    1u << GUEST_JOINED | 1u << GUEST_ENDING },
	[GUEST_JOINED] = { "joined", 1u << GUEST_ENDING },
	[GUEST_ENDING] = { "ending", 0 },
};

struct gateway {
	struct list all;
	struct inner_listener *listener;
	char node[256];
	struct channel *channel;
	struct guest *guest; /* its present connection, or NULL */
	void *data;
};

struct guest {
	struct list all;
	struct inner_listener *listener;
	struct conn *conn;
	enum guest_state state;
	struct clock_timer limit;
	struct gateway *gateway; /* once joined */
	struct cert_names names;
	struct buf first; /* the hello, as far as it has come */
	struct log log;
};

struct inner_listener {
	struct inner_listener_opts opts;
	char node[256], boot[65];
	SSL_CTX *tls;
	struct doors *doors;
	struct clock_timer reopen;
	struct clock_timer closed; /* started when the last guest has gone */
	struct list gateways;
	struct list guests;
	size_t guest_count, strangers;
	bool handed_out; /* inner_listener_open() succeeded */
	bool closing;
	struct log log;
};

/* --- guests ------------------------------------------------------------- */

static bool
is_stranger(enum guest_state s)
{
	return s == GUEST_TLS || s == GUEST_GREETING;
}

/* The only place that writes p->state. */
static void
set_state(struct guest *p, enum guest_state to)
{
	assert((states[p->state].next & 1u << to) != 0);
	log_debug(&p->log, "state", "from=%s to=%s", states[p->state].name,
	    states[to].name);
	if (is_stranger(p->state) && !is_stranger(to)) {
		p->listener->strangers--;
		clock_timer_stop(&p->limit);
	}
	p->state = to;
}

/* The guest leaves its gateway, if it has joined one. */
static void
part(struct guest *p)
{
	struct gateway *g = p->gateway;

	p->gateway = NULL;
	if (g != NULL && g->guest == p)
		g->guest = NULL;
}

/* Ends the connection.  why NULL: somebody else has logged it. */
static void
end_guest(struct guest *p, const char *why)
{
	if (p->state == GUEST_ENDING)
		return;
	if (why != NULL)
		log_limited_warn(&p->log, conn_peer_ip(p->conn),
		    "gateway-refused", "reason=%s", why);
	set_state(p, GUEST_ENDING);
	part(p);
	conn_close(p->conn, CONN_END_LOCAL);
}

/* The same, after telling the other side. */
static void
refuse(struct guest *p, const char *why)
{
	struct buf b;

	buf_init(&b, FRAME_MAX);
	if (channel_refuse(&b, why) == 0)
		(void)conn_write(p->conn, b.data, b.len);
	buf_finish(&b);
	end_guest(p, why);
}

static void
on_limit(struct clock_timer *t, void *arg)
{
	(void)t;
	end_guest(arg, "no hello in time");
}

static void maybe_closed(struct inner_listener *l);

static void
free_guest(struct guest *p)
{
	struct inner_listener *l = p->listener;

	clock_timer_stop(&p->limit);
	list_remove(&p->all);
	cert_names_finish(&p->names);
	buf_finish(&p->first);
	free(p);
	l->guest_count--;
	maybe_closed(l);
}

/* Is one of the listed gateways named by the certificate? */
static bool
is_listed(const struct guest *p)
{
	LIST_FOREACH (it, &p->listener->gateways) {
		const char *name = list_entry(it, struct gateway, all)->node;

		if (cert_names_match_dns(&p->names, &name, 1) >= 0)
			return true;
	}
	return false;
}

/* TLS is done, and the context has checked the chain. */
static void
on_secured(struct conn *c, void *arg)
{
	struct guest *p = arg;
	X509 *cert = SSL_get1_peer_certificate(conn_ssl(c));
	int rc;

	if (cert == NULL) {
		end_guest(p, "no certificate");
		return;
	}
	rc = cert_names_read(&p->names, cert);
	X509_free(cert);
	if (rc < 0)
		end_guest(p, err_str(rc));
	else if (!is_listed(p))
		end_guest(p, "the certificate names no gateway of the list");
	else
		set_state(p, GUEST_GREETING);
}

/* Why the hello's sender may not be who he says, or NULL. */
static const char *
check_node(struct guest *p, const struct frame *f, struct gateway **out)
{
	char node[256];
	const char *name = node;

	if (!frame_copy(f, FIELD_NODE, node, sizeof(node)))
		return "the hello names no node";
	*out = inner_listener_find(p->listener, node);
	if (*out == NULL)
		return "the node is not on the list of gateways";
	if (cert_names_match_dns(&p->names, &name, 1) < 0)
		return "the certificate does not name the node";
	return NULL;
}

/* Gives the gateway this connection instead of the one it has. */
static void
join(struct guest *p, struct gateway *g, const struct frame *f)
{
	struct guest *older = g->guest;
	const char *why = NULL;

	channel_block(g->channel, false);
	/* What the channel writes while it takes the hello is for us. */
	g->guest = p;
	p->gateway = g;
	set_state(p, GUEST_JOINED);
	log_object(&p->log, "node=%s peer=%s", g->node, conn_peer(p->conn));
	if (channel_attach_hello(g->channel, f, &why) < 0) {
		if (g->guest == p)
			g->guest = older;
		p->gateway = NULL;
		refuse(p, why != NULL ? why : "not acceptable");
		return;
	}
	if (older == NULL)
		return;
	log_info(&older->log, "gateway-replaced", "by=%s", conn_peer(p->conn));
	older->gateway = NULL;
	end_guest(older, NULL);
}

/* Gathers the first frame.  Returns how many of the bytes it has used. */
static size_t
take_hello(struct guest *p, const uint8_t *data, size_t len)
{
	struct gateway *g = NULL;
	struct frame f = { 0 };
	const char *why;
	size_t before = p->first.len, size = 0;
	int rc;

	if (buf_add(&p->first, data,
		len < HELLO_MAX - before ? len : HELLO_MAX - before) < 0) {
		end_guest(p, err_str(ERR_NOMEM));
		return len;
	}
	rc = frame_length(&size, p->first.data, p->first.len);
	if (rc == 0 && size > HELLO_MAX)
		rc = ERR_TOO_LONG;
	if (rc == ERR_INCOMPLETE || (rc == 0 && p->first.len < size))
		return len;
	if (rc == 0)
		rc = frame_decode(&f, p->first.data, size);
	if (rc != 0) {
		refuse(p, rc == ERR_UNSUPPORTED ? "frame version or type"
						: "the first frame is garbage");
		return len;
	}
	why = f.type == FRAME_HELLO ? check_node(p, &f, &g)
				    : "the first frame is no hello";
	if (why != NULL) {
		refuse(p, why);
		return len;
	}
	join(p, g, &f);
	return size - before;
}

static void
on_data(struct conn *c, const uint8_t *data, size_t len, void *arg)
{
	struct guest *p = arg;
	size_t used = 0;

	(void)c;
	if (p->state == GUEST_GREETING)
		used = take_hello(p, data, len);
	if (p->state == GUEST_JOINED && p->gateway != NULL && used < len)
		channel_input(p->gateway->channel, data + used, len - used);
}

static void
on_backlog(struct conn *c, void *arg)
{
	struct guest *p = arg;

	(void)c;
	if (p->gateway != NULL)
		channel_block(p->gateway->channel, true);
}

static void
on_drained(struct conn *c, void *arg)
{
	struct guest *p = arg;

	(void)c;
	if (p->gateway != NULL)
		channel_block(p->gateway->channel, false);
}

static void
on_conn_end(
    struct conn *c, enum conn_end why, int rc, const char *detail, void *arg)
{
	struct guest *p = arg;
	struct gateway *g = p->gateway;
	struct inner_listener *l = p->listener;

	(void)c;
	p->conn = NULL;
	if (p->state != GUEST_ENDING) {
		log_limited_warn(&p->log, conn_peer_ip(c),
		    is_stranger(p->state) ? "gateway-refused" : "gateway-lost",
		    "reason=%s code=%d detail=%s", conn_end_str(why), rc,
		    detail);
		set_state(p, GUEST_ENDING);
	}
	part(p);
	if (g != NULL) {
		channel_detach(g->channel);
		if (!l->closing)
			l->opts.events->on_down(g, l->opts.arg);
	}
	free_guest(p);
}

static const struct conn_events guest_events = {
	.on_secured = on_secured,
	.on_data = on_data,
	.on_backlog = on_backlog,
	.on_drained = on_drained,
	.on_end = on_conn_end,
};

/* --- channels ----------------------------------------------------------- */

static void
on_output(struct channel *ch, const uint8_t *data, size_t len, void *arg)
{
	struct gateway *g = arg;

	(void)ch;
	/* A write that fails ends the connection, which is told. */
	if (g->guest != NULL && g->guest->conn != NULL)
		(void)conn_write(g->guest->conn, data, len);
}

static void
on_channel_up(struct channel *ch, bool resumed, void *arg)
{
	struct gateway *g = arg;
	struct inner_listener *l = g->listener;

	log_info(&g->guest->log, "gateway-up",
	    "boot=%s epoch=%llu resumed=%d unanswered=%zu owed=%zu",
	    channel_peer_boot(ch), (unsigned long long)channel_peer_epoch(ch),
	    resumed, channel_unanswered(ch), channel_owed(ch));
	l->opts.events->on_up(g, resumed, l->opts.arg);
}

static void
on_channel_stanza(
    struct channel *ch, uint64_t seq, const struct frame *f, void *arg)
{
	struct gateway *g = arg;

	(void)ch;
	g->listener->opts.events->on_stanza(g, seq, f, g->listener->opts.arg);
}

static void
on_channel_result(struct channel *ch, uint64_t seq, void *cookie,
    const struct channel_result *r, void *arg)
{
	struct gateway *g = arg;

	(void)ch;
	g->listener->opts.events->on_result(
	    g, seq, cookie, r, g->listener->opts.arg);
}

static void
on_channel_control(struct channel *ch, const struct frame *f, void *arg)
{
	struct gateway *g = arg;

	(void)ch;
	g->listener->opts.events->on_control(g, f, g->listener->opts.arg);
}

static void
on_channel_room(struct channel *ch, void *arg)
{
	/* Whoever was refused for want of room has bounced his stanza. */
	(void)ch;
	(void)arg;
}

/* The channel wants its connection closed; it is detached already. */
static void
on_channel_close(struct channel *ch, int rc, const char *why, void *arg)
{
	struct gateway *g = arg;
	struct inner_listener *l = g->listener;
	struct guest *p = g->guest;

	(void)ch;
	if (p == NULL)
		return;
	log_warn(
	    &p->log, "gateway-lost", "reason=%s error=%s", why, err_str(rc));
	end_guest(p, NULL);
	l->opts.events->on_down(g, l->opts.arg);
}

static const struct channel_events channel_events = {
	.on_output = on_output,
	.on_up = on_channel_up,
	.on_stanza = on_channel_stanza,
	.on_result = on_channel_result,
	.on_control = on_channel_control,
	.on_room = on_channel_room,
	.on_close = on_channel_close,
};

static void
free_gateway(struct gateway *g)
{
	struct guest *p = g->guest;

	if (p != NULL)
		end_guest(p, NULL);
	channel_free(g->channel);
	list_remove(&g->all);
	free(g);
}

static int
add_gateway(struct inner_listener *l, const char *node)
{
	struct gateway *g = calloc(1, sizeof(*g));
	struct channel_opts opts = {
		.role = CHANNEL_ACCEPTS,
		.node = l->node,
		.boot = l->boot,
		.clock = l->opts.clock,
		.events = &channel_events,
		.arg = g,
	};
	int rc;

	if (g == NULL)
		return ERR_NOMEM;
	rc = channel_new(&g->channel, &opts);
	if (rc < 0) {
		free(g);
		return rc;
	}
	g->listener = l;
	snprintf(g->node, sizeof(g->node), "%s", node);
	list_append(&l->gateways, &g->all);
	return 0;
}

/* --- the doors ---------------------------------------------------------- */

/* Whoever cannot be taken is turned away: as long as he waits nobody else is
 * let in. */
static void
turn_away(struct inner_listener *l, uv_stream_t *h, int rc)
{
	log_limited_warn(
	    &l->log, NULL, "accept-failed", "error=%s", err_str(rc));
	doors_turn_away(h);
}

/* Somebody connected. */
static void
on_connection(uv_stream_t *h, bool direct, void *arg)
{
	struct inner_listener *l = arg;
	struct conn_opts opts = {
		.loop = l->opts.loop,
		.clock = l->opts.clock,
		.events = &guest_events,
		.write_max = WRITE_MAX,
		.write_high = WRITE_HIGH,
		.write_low = WRITE_LOW,
		.handshake_ms = GREETING_MS,
	};
	struct guest *p = calloc(1, sizeof(*p));
	int rc;

	(void)direct;
	if (p == NULL) {
		turn_away(l, h, ERR_NOMEM);
		return;
	}
	opts.arg = p;
	rc = conn_accept(&p->conn, h, &opts);
	if (rc < 0) {
		free(p);
		turn_away(l, h, rc);
		return;
	}
	p->listener = l;
	log_init(&p->log, "inner_listener");
	log_object(&p->log, "peer=%s", conn_peer(p->conn));
	buf_init(&p->first, HELLO_MAX);
	clock_timer_init(&p->limit, l->opts.clock, on_limit, p);
	list_append(&l->guests, &p->all);
	l->guest_count++;
	l->strangers++;
	if (l->strangers > STRANGERS_MAX) {
		end_guest(p, "too many at a time");
		return;
	}
	clock_timer_start(&p->limit, GREETING_MS);
	rc = conn_start_tls_server(p->conn, l->tls, 0);
	if (rc < 0)
		end_guest(p, err_str(rc));
}

/* The gateways that are here stay; those that are not come back later. */
static void
on_exhausted(void *arg)
{
	struct inner_listener *l = arg;

	log_error(&l->log, "inner-doors-closed", "reason=%s",
	    "no descriptor is left");
	clock_timer_start(&l->reopen, REOPEN_MS);
}

static void
on_reopen(struct clock_timer *t, void *arg)
{
	struct inner_listener *l = arg;
	char why[256];

	if (doors_open(l->doors, why, sizeof(why)) < 0) {
		log_error(&l->log, "inner-doors-failed", "reason=%s", why);
		clock_timer_start(t, REOPEN_MS);
		return;
	}
	log_info(&l->log, "inner-doors-open", "node=%s", l->node);
}

static int
open_doors(struct inner_listener *l, char *why, size_t size)
{
	const struct inner_listener_opts *o = &l->opts;
	struct doors_place *places;
	int rc;

	rc = doors_new(&l->doors, o->loop, on_connection, on_exhausted, l);
	if (rc < 0)
		return rc;
	places = calloc(o->listen_count, sizeof(*places));
	if (places == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < o->listen_count; i++)
		places[i].addr = o->listen[i];
	rc = doors_set(l->doors, places, o->listen_count);
	free(places);
	return rc < 0 ? rc : doors_open(l->doors, why, size);
}

static void
destroy(struct inner_listener *l)
{
	clock_timer_stop(&l->reopen);
	clock_timer_stop(&l->closed);
	doors_free(l->doors);
	SSL_CTX_free(l->tls);
	free(l);
}

static void
on_closed(struct clock_timer *t, void *arg)
{
	struct inner_listener *l = arg;

	(void)t;
	if (l->handed_out)
		l->opts.on_closed(l->opts.arg);
	destroy(l);
}

static void
maybe_closed(struct inner_listener *l)
{
	if (l->closing && l->guest_count == 0)
		clock_timer_start(&l->closed, 0);
}

int
inner_listener_open(struct inner_listener **out,
    const struct inner_listener_opts *opts, char *why, size_t size)
{
	struct inner_listener *l = calloc(1, sizeof(*l));
	int rc = ERR_NOMEM;

	snprintf(why, size, "%s", err_str(rc));
	if (l == NULL)
		return rc;
	l->opts = *opts;
	snprintf(l->node, sizeof(l->node), "%s", opts->node);
	snprintf(l->boot, sizeof(l->boot), "%s", opts->boot);
	list_init(&l->gateways);
	list_init(&l->guests);
	log_init(&l->log, "inner_listener");
	SSL_CTX_up_ref(opts->tls);
	l->tls = opts->tls;
	clock_timer_init(&l->reopen, opts->clock, on_reopen, l);
	clock_timer_init(&l->closed, opts->clock, on_closed, l);
	for (size_t i = 0; i < opts->gateway_count; i++) {
		rc = add_gateway(l, opts->gateways[i]);
		if (rc < 0)
			goto fail;
	}
	rc = open_doors(l, why, size);
	if (rc < 0)
		goto fail;
	l->handed_out = true;
	*out = l;
	return 0;

fail:
	/* Nobody has come in yet. */
	LIST_FOREACH_SAFE (it, &l->gateways)
		free_gateway(list_entry(it, struct gateway, all));
	destroy(l);
	return rc;
}

int
inner_listener_reload(struct inner_listener *l, SSL_CTX *tls,
    const char (*gateways)[256], size_t gateway_count)
{
	int rc;

	SSL_CTX_up_ref(tls);
	SSL_CTX_free(l->tls);
	l->tls = tls;
	LIST_FOREACH_SAFE (it, &l->gateways) {
		struct gateway *g = list_entry(it, struct gateway, all);
		bool listed = false;

		for (size_t i = 0; i < gateway_count; i++)
			if (strcmp(gateways[i], g->node) == 0)
				listed = true;
		if (listed)
			continue;
		log_info(&l->log, "gateway-removed", "node=%s", g->node);
		l->opts.events->on_removed(g, l->opts.arg);
		free_gateway(g);
	}
	for (size_t i = 0; i < gateway_count; i++) {
		if (inner_listener_find(l, gateways[i]) != NULL)
			continue;
		rc = add_gateway(l, gateways[i]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

void
inner_listener_close(struct inner_listener *l)
{
	if (l->closing)
		return;
	l->closing = true;
	clock_timer_stop(&l->reopen);
	doors_close(l->doors);
	/* Held back, so that nothing is freed under our feet. */
	l->guest_count++;
	LIST_FOREACH_SAFE (it, &l->gateways)
		free_gateway(list_entry(it, struct gateway, all));
	LIST_FOREACH_SAFE (it, &l->guests)
		end_guest(list_entry(it, struct guest, all), NULL);
	l->guest_count--;
	maybe_closed(l);
}

/* --- looking up --------------------------------------------------------- */

struct gateway *
inner_listener_find(const struct inner_listener *l, const char *node)
{
	LIST_FOREACH (it, &l->gateways) {
		struct gateway *g = list_entry(it, struct gateway, all);

		if (strcmp(g->node, node) == 0)
			return g;
	}
	return NULL;
}

void
inner_listener_each(
    struct inner_listener *l, inner_listener_each_fn *fn, void *arg)
{
	LIST_FOREACH_SAFE (it, &l->gateways)
		fn(list_entry(it, struct gateway, all), arg);
}

size_t
inner_listener_up(const struct inner_listener *l)
{
	size_t count = 0;

	LIST_FOREACH (it, &l->gateways)
		if (channel_is_up(list_entry(it, struct gateway, all)->channel))
			count++;
	return count;
}

const char *
gateway_node(const struct gateway *g)
{
	return g->node;
}

struct channel *
gateway_channel(const struct gateway *g)
{
	return g->channel;
}

void
gateway_set_data(struct gateway *g, void *data)
{
	g->data = data;
}

void *
gateway_data(const struct gateway *g)
{
	return g->data;
}
