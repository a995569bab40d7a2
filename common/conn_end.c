/*
 * Every way to the end leads through conn_end_now() or conn_end_orderly(),
 * which keep the first reason.  An orderly end (DRAINING) sends what is
 * queued, close_notify and FIN, then LINGERING throws away what comes until
 * the peer's own end; one timer covers both.  A failed handshake takes the
 * same way, so that its alert arrives.  An end at once skips both, and resets
 * the connection when bytes are lost by it, so that the peer does not take
 * the stump for the whole.  on_end waits for the close callbacks of both
 * handles.
 */
#include "common/conn_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"

/* An alert needs no longer to be read. */
enum { LINGER_FAILED_MS = 1000 };

#define BIT(state) (1u << (state))

static const unsigned next_states[CONN_STATE_COUNT] = {
	[CONN_CONNECTING] = BIT(CONN_PLAIN) | BIT(CONN_CLOSING),
	[CONN_PLAIN] =
	    BIT(CONN_HANDSHAKE) | BIT(CONN_DRAINING) | BIT(CONN_CLOSING),
	[CONN_HANDSHAKE] =
	    BIT(CONN_SECURE) | BIT(CONN_DRAINING) | BIT(CONN_CLOSING),
	[CONN_SECURE] = BIT(CONN_DRAINING) | BIT(CONN_CLOSING),
	[CONN_DRAINING] = BIT(CONN_LINGERING) | BIT(CONN_CLOSING),
	[CONN_LINGERING] = BIT(CONN_CLOSING),
	[CONN_CLOSING] = 0,
};

const char *
conn_end_str(enum conn_end why)
{
	static const char *const texts[CONN_END_COUNT] = {
#define X(name, text) [name] = (text),
		CONN_ENDS(X)
#undef X
	};

	if ((unsigned)why >= CONN_END_COUNT)
		return "unknown end";
	return texts[why];
}

/* The only place that writes c->state. */
void
conn_end_move(struct conn *c, enum conn_state to)
{
	assert(next_states[c->state] & BIT(to));
	/* CONN_LINGERING has what is left of CONN_DRAINING's time. */
	if (to != CONN_LINGERING)
		clock_timer_stop(&c->timer);
	c->state = to;
}

void
conn_end_free(struct conn *c)
{
	clock_timer_stop(&c->timer);
	tls_engine_finish(&c->tls);
	chunks_finish(&c->plain);
	chunks_finish(&c->wire);
	free(c);
}

/* One of our handles is closed; the last one takes the conn with it. */
static void
on_handle_closed(uv_handle_t *h)
{
	struct conn *c = h->data;

	if (--c->handles > 0)
		return;
	if (!c->silent)
		c->opts.events->on_end(
		    c, c->why, c->rc, c->detail, c->opts.arg);
	conn_end_free(c);
}

void
conn_end_close(struct conn *c)
{
	bool lost = c->plain.len > 0 || c->wire.len > 0;

	conn_end_move(c, CONN_CLOSING);
	uv_close((uv_handle_t *)&c->turn, on_handle_closed);
	if (!lost || uv_tcp_close_reset(&c->tcp, on_handle_closed) != 0)
		uv_close((uv_handle_t *)&c->tcp, on_handle_closed);
}

/* The reason reported later; only the first one gets here. */
static void
note_end(struct conn *c, enum conn_end why, int rc, const char *detail)
{
	assert(conn_is_open(c));
	c->why = why;
	c->rc = rc;
	if (detail == NULL)
		detail = rc != 0 ? err_str(rc) : conn_end_str(why);
	(void)snprintf(c->detail, sizeof c->detail, "%s", detail);
}

/* Ends at once.  detail may be NULL. */
void
conn_end_now(struct conn *c, enum conn_end why, int rc, const char *detail)
{
	if (conn_is_open(c))
		note_end(c, why, rc, detail);
	if (c->state != CONN_CLOSING)
		conn_end_close(c);
}

/* Ends in order: see the top of this file. */
void
conn_end_orderly(struct conn *c, enum conn_end why, int rc, const char *detail)
{
	uint64_t linger_ms = c->opts.linger_ms;

	if (!conn_is_open(c))
		return;
	if (c->state == CONN_CONNECTING) {
		conn_end_now(c, why, rc, detail);
		return;
	}
	note_end(c, why, rc, detail);
	if (!c->secure || c->tls.failed)
		chunks_finish(&c->plain); /* never to be encrypted */
	if (c->tls.failed && linger_ms > LINGER_FAILED_MS)
		linger_ms = LINGER_FAILED_MS;
	conn_end_move(c, CONN_DRAINING);
	clock_timer_start(&c->timer, linger_ms);
	conn_io_kick(c);
}

void
conn_end_tls_failed(struct conn *c)
{
	const char *detail = tls_engine_error(&c->tls);

	if (conn_is_open(c))
		conn_end_orderly(c, CONN_END_TLS, ERR_TLS,
		    detail[0] != '\0' ? detail : NULL);
	else
		conn_end_now(c, CONN_END_TLS, ERR_TLS, NULL);
}

static void
on_shutdown(uv_shutdown_t *req, int status)
{
	struct conn *c = req->data;

	if (c->state == CONN_LINGERING && (status < 0 || c->peer_ended))
		conn_end_close(c);
}

/* Draining, and all is with the kernel: FIN. */
void
conn_end_shut_down(struct conn *c)
{
	c->shutdown_req.data = c;
	if (uv_shutdown(&c->shutdown_req, conn_stream(c), on_shutdown) == 0)
		conn_end_move(c, CONN_LINGERING);
	else
		conn_end_close(c);
}

/* The time of a state is up. */
void
conn_end_on_timer(struct clock_timer *t, void *arg)
{
	struct conn *c = arg;

	(void)t;
	if (c->state == CONN_CONNECTING)
		conn_end_now(c, CONN_END_CONNECT_TIMEOUT, ERR_TIMEOUT, NULL);
	else if (c->state == CONN_HANDSHAKE)
		conn_end_now(c, CONN_END_TLS_TIMEOUT, ERR_TIMEOUT, NULL);
	else
		conn_end_close(c);
}
