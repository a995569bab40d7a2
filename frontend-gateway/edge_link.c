/*
 *   dial -> connected -> TLS -> the certificate names the edge -> attach
 *     ^                                                             |
 *     +---- pause (0.1, 0.2 ... 1 s) <---- the connection ended ----+
 *
 * The channel outlives the connections: what was not answered on one is
 * replayed on the next.  The pause goes back to its start once the channel has
 * worked.
 */
#include "frontend-gateway/edge_link.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cert_names.h"
#include "common/clock.h"
#include "common/conn.h"
#include "common/err.h"
#include "common/log.h"
#include "common/log_limit.h"
#include "common/random.h"
#include "common/tls_identity.h"
#include "proto/channel.h"

enum {
	PAUSE_FIRST_MS = 100,
	PAUSE_LAST_MS = 1000,
	CONNECT_MS = 5000,
	HANDSHAKE_MS = 10000,
	LINGER_MS = 1000,
	LINES = 100 /* in the log, a minute, of each kind */
};

struct edge_link {
	struct edge_link_opts opts;
	char name[256];
	struct log log;
	struct channel *channel;
	struct conn *conn; /* NULL between connections */
	SSL_CTX *tls;      /* our reference */
	struct clock_timer again;
	uint64_t pause_ms;
	bool up;
	bool closing;
	/* Why the last attempt failed, to say each reason once. */
	char failed[160];
};

static void dial(struct edge_link *l);

struct channel *
edge_link_channel(struct edge_link *l)
{
	return l->channel;
}

const char *
edge_link_name(const struct edge_link *l)
{
	return l->name;
}

const char *
edge_link_failure(const struct edge_link *l)
{
	return l->failed;
}

void
edge_link_set_tls(struct edge_link *l, SSL_CTX *tls)
{
	SSL_CTX_up_ref(tls);
	SSL_CTX_free(l->tls);
	l->tls = tls;
}

/* --- the connection ----------------------------------------------------- */

/* A jitter of a fifth keeps gateways that lost one edge apart. */
static void
dial_later(struct edge_link *l)
{
	uint64_t jitter = random_below((uint32_t)l->pause_ms / 5 + 1);

	clock_timer_start(&l->again, l->pause_ms - jitter);
	l->pause_ms *= 2;
	if (l->pause_ms > PAUSE_LAST_MS)
		l->pause_ms = PAUSE_LAST_MS;
}

static void
note_failure(struct edge_link *l, const char *why, const char *detail)
{
	char text[sizeof(l->failed)];

	snprintf(text, sizeof(text), "%s: %s", why, detail);
	if (strcmp(text, l->failed) == 0) {
		log_debug(&l->log, "still-down", "why=%s", text);
		return;
	}
	memcpy(l->failed, text, sizeof(text));
	log_limited(&(const struct log_limit){ .log = &l->log,
			.level = LOG_WARN,
			.event = "down",
			.peer = l->name,
			.lines = LINES },
	    "why=%s detail=%s", why, detail);
}

static void
on_connected(struct conn *c, void *arg)
{
	struct edge_link *l = arg;
	int rc;

	rc = conn_start_tls_client(c, l->tls, 0, l->name, NULL, 0);
	if (rc < 0) {
		note_failure(l, "TLS could not start", err_str(rc));
		conn_abort(c, CONN_END_TLS);
	}
}

/* NULL, or what is wrong with the peer. */
static const char *
judge_peer(struct edge_link *l, SSL *ssl)
{
	const char *name = l->name, *why = NULL;
	struct cert_names names;
	X509 *cert;

	if (SSL_version(ssl) != TLS1_3_VERSION)
		return "the edge does not speak TLS 1.3";
	if (tls_peer_verdict(ssl) != X509_V_OK)
		return "the edge's certificate is not trusted";
	cert = SSL_get0_peer_certificate(ssl);
	if (cert == NULL || cert_names_read(&names, cert) < 0)
		return "the edge's certificate cannot be read";
	if (cert_names_match_dns(&names, &name, 1) < 0)
		why = "the certificate does not name the edge";
	cert_names_finish(&names);
	return why;
}

static void
on_secured(struct conn *c, void *arg)
{
	struct edge_link *l = arg;
	const char *why = judge_peer(l, conn_ssl(c));

	if (why != NULL) {
		note_failure(l, why, conn_peer(c));
		conn_close(c, CONN_END_LOCAL);
		return;
	}
	channel_block(l->channel, false);
	channel_attach(l->channel);
}

static void
on_data(struct conn *c, const uint8_t *data, size_t len, void *arg)
{
	struct edge_link *l = arg;

	(void)c;
	channel_input(l->channel, data, len);
}

static void
on_backlog(struct conn *c, void *arg)
{
	struct edge_link *l = arg;

	(void)c;
	channel_block(l->channel, true);
}

static void
on_drained(struct conn *c, void *arg)
{
	struct edge_link *l = arg;

	(void)c;
	channel_block(l->channel, false);
}

static void
finish(struct edge_link *l)
{
	/* The clock may end with the callback: timers go before it. */
	channel_free(l->channel);
	l->channel = NULL;
	SSL_CTX_free(l->tls);
	l->opts.events->on_closed(l, l->opts.arg);
	free(l);
}

static void
went_down(struct edge_link *l)
{
	if (!l->up)
		return;
	l->up = false;
	l->opts.events->on_down(l, l->opts.arg);
}

static void
on_end(struct conn *c, enum conn_end why, int rc, const char *detail, void *arg)
{
	struct edge_link *l = arg;

	assert(l->conn == c);
	l->conn = NULL;
	if (l->closing) {
		finish(l);
		return;
	}
	if (why != CONN_END_LOCAL)
		note_failure(l, conn_end_str(why),
		    detail[0] != '\0' ? detail : err_str(rc));
	channel_detach(l->channel);
	went_down(l);
	dial_later(l);
}

static const struct conn_events conn_events = {
	.on_connected = on_connected,
	.on_secured = on_secured,
	.on_data = on_data,
	.on_backlog = on_backlog,
	.on_drained = on_drained,
	.on_end = on_end,
};

static void
dial(struct edge_link *l)
{
	struct conn_opts opts = {
		.loop = l->opts.loop,
		.clock = l->opts.clock,
		.events = &conn_events,
		.arg = l,
		.connect_ms = CONNECT_MS,
		.handshake_ms = HANDSHAKE_MS,
		.linger_ms = LINGER_MS,
	};
	int rc;

	rc = conn_connect(
	    &l->conn, (const struct sockaddr *)&l->opts.address, &opts);
	if (rc < 0) {
		note_failure(l, "could not connect", err_str(rc));
		dial_later(l);
	}
}

static void
on_again(struct clock_timer *t, void *arg)
{
	(void)t;
	dial(arg);
}

bool
edge_link_is_at(
    const struct edge_link *l, const struct sockaddr_storage *address)
{
	/* Plain bytes, zero where not in use. */
	return memcmp(&l->opts.address, address, sizeof(*address)) == 0;
}

void
edge_link_move(struct edge_link *l, const struct sockaddr_storage *to)
{
	l->opts.address = *to;
	l->pause_ms = PAUSE_FIRST_MS;
	if (l->conn != NULL)
		conn_close(l->conn, CONN_END_LOCAL);
}

/* --- the channel -------------------------------------------------------- */

static void
on_output(struct channel *ch, const uint8_t *data, size_t len, void *arg)
{
	struct edge_link *l = arg;

	(void)ch;
	/* A full queue ends the connection by itself; the channel keeps what
	 * is not answered. */
	if (l->conn != NULL)
		(void)conn_write(l->conn, data, len);
}

static void
on_up(struct channel *ch, bool resumed, void *arg)
{
	struct edge_link *l = arg;

	l->up = true;
	l->pause_ms = PAUSE_FIRST_MS;
	l->failed[0] = '\0';
	log_limited(&(const struct log_limit){ .log = &l->log,
			.level = LOG_INFO,
			.event = "up",
			.peer = l->name,
			.lines = LINES },
	    "peer=%s boot=%s resumed=%d", channel_peer_node(ch),
	    channel_peer_boot(ch), resumed);
	l->opts.events->on_up(l, resumed, l->opts.arg);
}

static void
on_stanza(struct channel *ch, uint64_t seq, const struct frame *f, void *arg)
{
	struct edge_link *l = arg;

	(void)ch;
	l->opts.events->on_stanza(l, seq, f, l->opts.arg);
}

static void
on_result(struct channel *ch, uint64_t seq, void *cookie,
    const struct channel_result *r, void *arg)
{
	struct edge_link *l = arg;

	(void)ch;
	l->opts.events->on_result(l, seq, cookie, r, l->opts.arg);
}

static void
on_control(struct channel *ch, const struct frame *f, void *arg)
{
	struct edge_link *l = arg;

	(void)ch;
	l->opts.events->on_control(l, f, l->opts.arg);
}

/* The channel has done with this connection. */
static void
on_close(struct channel *ch, int rc, const char *why, void *arg)
{
	struct edge_link *l = arg;

	(void)ch;
	note_failure(l, why, err_str(rc));
	if (l->conn != NULL)
		conn_close(l->conn, CONN_END_LOCAL);
	went_down(l);
}

static const struct channel_events channel_events = {
	.on_output = on_output,
	.on_up = on_up,
	.on_stanza = on_stanza,
	.on_result = on_result,
	.on_control = on_control,
	.on_close = on_close,
};

/* --- life --------------------------------------------------------------- */

int
edge_link_open(struct edge_link **out, const struct edge_link_opts *opts)
{
	struct channel_opts ch = {
		.role = CHANNEL_DIALS,
		.node = opts->node,
		.boot = opts->boot,
		.store = opts->store,
		.epoch = opts->epoch,
		.clock = opts->clock,
		.events = &channel_events,
	};
	struct edge_link *l = calloc(1, sizeof(*l));
	int rc;

	if (l == NULL)
		return ERR_NOMEM;
	ch.arg = l;
	l->opts = *opts;
	snprintf(l->name, sizeof(l->name), "%s", opts->name);
	l->opts.name = l->name;
	l->opts.node = l->opts.boot = l->opts.store = NULL;
	log_init(&l->log, "edge_link");
	log_object(&l->log, "edge=%s", l->name);
	l->pause_ms = PAUSE_FIRST_MS;
	rc = channel_new(&l->channel, &ch);
	if (rc < 0) {
		free(l);
		return rc;
	}
	SSL_CTX_up_ref(opts->tls);
	l->tls = opts->tls;
	clock_timer_init(&l->again, opts->clock, on_again, l);
	dial(l);
	*out = l;
	return 0;
}

void
edge_link_close(struct edge_link *l)
{
	if (l->closing)
		return;
	l->closing = true;
	clock_timer_stop(&l->again);
	channel_detach(l->channel);
	if (l->conn != NULL)
		conn_close(l->conn, CONN_END_LOCAL);
	else
		finish(l);
}
