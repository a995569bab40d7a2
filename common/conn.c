/*
 * The normal path: accept or connect -> PLAIN -> (start_tls) HANDSHAKE ->
 * SECURE -> DRAINING -> LINGERING -> CLOSING.
 *
 * Outward, bytes pass two queues.  "plain" holds what the application wrote
 * while TLS was on; it is encrypted only as fast as "wire" empties, so that
 * many small writes share one record.  "wire" holds what the kernel is to
 * take.  Without TLS the application writes into "wire" at once: a last
 * plaintext element written before the upgrade therefore leaves before the
 * handshake.  The kernel is asked once per turn of the loop, in the
 * callback of an idle handle; a queue that passes the high mark asks earlier.
 * (Idle and not prepare: a prepare handle started by another one's callback
 * would have to wait for the poll, which may be long.)
 *
 * Inward, a turn's share is bounded; the same callback goes on with what was
 * left, and with records that were decrypted no further because the session
 * had paused.
 *
 * The end: every way leads through end(), which keeps the first reason.  An
 * orderly end (DRAINING) sends what is queued, close_notify and FIN, then
 * LINGERING throws away what comes until the peer's own end; one timer covers
 * both.  A failed handshake takes the same way, so that its alert arrives.  An
 * end at once skips both, and resets the connection when bytes are lost by it,
 * so that the peer does not take the stump for the whole.  on_end waits for
 * the close callbacks of both handles.
 */
#include "common/conn.h"

#include <arpa/inet.h>
#include <assert.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "common/chunks.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/tls_engine.h"

enum {
	WRITE_HIGH = 256 * 1024,
	WRITE_LOW = 64 * 1024,
	WRITE_MAX = 4 * 1024 * 1024,
	CONNECT_MS = 10000,
	HANDSHAKE_MS = 20000,
	LINGER_MS = 5000,
	/* An alert needs no longer to be read. */
	LINGER_FAILED_MS = 1000,

	READ_SIZE = 64 * 1024,
	READ_PER_TURN = 256 * 1024,
	FEED_SIZE = 16 * 1024, /* keeps OpenSSL's buffer small */
	RECORD_SIZE = 16 * 1024,
	WIRE_AHEAD = 64 * 1024, /* ciphertext made before the kernel asks */
	WRITE_BUFFERS = 16
};

/*
 *   CONNECTING --> PLAIN --> HANDSHAKE --> SECURE
 *        |           |           |           |
 *        |           +-----------+-----------+--> DRAINING --> LINGERING
 *        |           |           |           |        |            |
 *        +-----------+-----------+-----------+--------+------------+--> CLOSING
 */
enum state {
	CONNECTING,
	PLAIN,
	HANDSHAKE,
	SECURE,
	DRAINING,
	LINGERING,
	CLOSING,
	STATE_COUNT
};

#define BIT(state) (1u << (state))

static const unsigned next_states[STATE_COUNT] = {
	[CONNECTING] = BIT(PLAIN) | BIT(CLOSING),
	[PLAIN] = BIT(HANDSHAKE) | BIT(DRAINING) | BIT(CLOSING),
	[HANDSHAKE] = BIT(SECURE) | BIT(DRAINING) | BIT(CLOSING),
	[SECURE] = BIT(DRAINING) | BIT(CLOSING),
	[DRAINING] = BIT(LINGERING) | BIT(CLOSING),
	[LINGERING] = BIT(CLOSING),
	[CLOSING] = 0,
};

struct conn {
	struct conn_opts opts;
	enum state state;
	bool silent;      /* never handed out: no on_end */
	unsigned handles; /* not yet closed */

	uv_tcp_t tcp;
	uv_idle_t turn; /* active while there is something to do */
	uv_connect_t connect_req;
	uv_write_t write_req;
	uv_shutdown_t shutdown_req;
	struct clock_timer timer; /* connect, handshake or linger */

	struct tls_engine tls; /* ssl is NULL before TLS */
	bool secure;           /* handshake done */
	bool notified;         /* close_notify is queued */

	struct chunks plain;
	struct chunks wire;
	size_t in_write; /* front bytes of wire that libuv holds */
	bool backlogged;
	uint64_t written;

	bool reading;
	bool unread; /* the engine may hold records the pause held back */
	unsigned pauses;
	size_t turn_bytes; /* read in this turn of the loop */
	bool peer_ended;

	enum conn_end why;
	int rc;
	char detail[200];
	char peer[INET6_ADDRSTRLEN + 10];
	char peer_ip[INET6_ADDRSTRLEN];
};

/* Scratch space of the loop that runs in this thread: a chunk lives only
 * while its read callback does. */
static _Thread_local uint8_t read_space[READ_SIZE];
static _Thread_local uint8_t record_space[RECORD_SIZE];

static void on_turn(uv_idle_t *h);

const char *
conn_end_str(enum conn_end why)
{
	static const char *const texts[CONN_END_COUNT] = {
#define X(name, text) [name] = text,
		CONN_ENDS(X)
#undef X
	};

	if ((unsigned)why >= CONN_END_COUNT)
		return "unknown end";
	return texts[why];
}

/* The only place that writes c->state. */
static void
set_state(struct conn *c, enum state to)
{
	assert(next_states[c->state] & BIT(to));
	/* LINGERING has what is left of DRAINING's time. */
	if (to != LINGERING)
		clock_timer_stop(&c->timer);
	c->state = to;
}

/* The owner may still write and be called. */
static bool
is_open(const struct conn *c)
{
	return c->state <= SECURE;
}

static uv_stream_t *
stream_of(struct conn *c)
{
	return (uv_stream_t *)&c->tcp;
}

/* Has on_turn called once, before the loop sleeps again. */
static void
kick(struct conn *c)
{
	int rc;

	if (c->state == CLOSING)
		return;
	rc = uv_idle_start(&c->turn, on_turn);
	assert(rc == 0);
}

/* ---- the end -------------------------------------------------------- */

static void
free_conn(struct conn *c)
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
	free_conn(c);
}

static void
close_handles(struct conn *c)
{
	bool lost = c->plain.len > 0 || c->wire.len > 0;

	set_state(c, CLOSING);
	uv_close((uv_handle_t *)&c->turn, on_handle_closed);
	if (!lost || uv_tcp_close_reset(&c->tcp, on_handle_closed) != 0)
		uv_close((uv_handle_t *)&c->tcp, on_handle_closed);
}

/* The reason reported later; only the first one gets here. */
static void
note_end(struct conn *c, enum conn_end why, int rc, const char *detail)
{
	assert(is_open(c));
	c->why = why;
	c->rc = rc;
	if (detail == NULL)
		detail = rc != 0 ? err_str(rc) : conn_end_str(why);
	(void)snprintf(c->detail, sizeof c->detail, "%s", detail);
}

/* Ends at once.  detail may be NULL. */
static void
end_now(struct conn *c, enum conn_end why, int rc, const char *detail)
{
	if (is_open(c))
		note_end(c, why, rc, detail);
	if (c->state != CLOSING)
		close_handles(c);
}

/* Ends in order: see the top of this file. */
static void
end_orderly(struct conn *c, enum conn_end why, int rc, const char *detail)
{
	uint64_t linger_ms = c->opts.linger_ms;

	if (!is_open(c))
		return;
	if (c->state == CONNECTING) {
		end_now(c, why, rc, detail);
		return;
	}
	note_end(c, why, rc, detail);
	if (!c->secure || c->tls.failed)
		chunks_finish(&c->plain); /* never to be encrypted */
	if (c->tls.failed && linger_ms > LINGER_FAILED_MS)
		linger_ms = LINGER_FAILED_MS;
	set_state(c, DRAINING);
	clock_timer_start(&c->timer, linger_ms);
	kick(c);
}

static void
end_tls_failed(struct conn *c)
{
	const char *detail = tls_engine_error(&c->tls);

	if (is_open(c))
		end_orderly(c, CONN_END_TLS, ERR_TLS,
		    detail[0] != '\0' ? detail : NULL);
	else
		end_now(c, CONN_END_TLS, ERR_TLS, NULL);
}

static void
on_shutdown(uv_shutdown_t *req, int status)
{
	struct conn *c = req->data;

	if (c->state == LINGERING && (status < 0 || c->peer_ended))
		close_handles(c);
}

/* Draining, and all is with the kernel: FIN. */
static void
shut_down(struct conn *c)
{
	c->shutdown_req.data = c;
	if (uv_shutdown(&c->shutdown_req, stream_of(c), on_shutdown) == 0)
		set_state(c, LINGERING);
	else
		close_handles(c);
}

/* The time of a state is up. */
static void
on_timer(struct clock_timer *t, void *arg)
{
	struct conn *c = arg;

	(void)t;
	if (c->state == CONNECTING)
		end_now(c, CONN_END_CONNECT_TIMEOUT, ERR_TIMEOUT, NULL);
	else if (c->state == HANDSHAKE)
		end_now(c, CONN_END_TLS_TIMEOUT, ERR_TIMEOUT, NULL);
	else
		close_handles(c);
}

/* ---- outward -------------------------------------------------------- */

/* Moves what the engine has made into the wire queue. */
static void
collect(struct conn *c)
{
	const uint8_t *data;
	size_t len = tls_engine_output(&c->tls, &data);

	if (len == 0 || c->state == CLOSING)
		return;
	if (chunks_add(&c->wire, data, len) != 0) {
		end_now(c, CONN_END_NOMEM, ERR_NOMEM, NULL);
		return;
	}
	tls_engine_output_taken(&c->tls);
	kick(c);
}

/* Turns plain into wire, no further ahead than the kernel needs. */
static void
encrypt(struct conn *c)
{
	enum tls_step step = TLS_STEP_DONE;
	const uint8_t *data;
	size_t len, n;

	while (c->plain.len > 0 && c->wire.len < WIRE_AHEAD &&
	       step == TLS_STEP_DONE) {
		len = chunks_front(&c->plain, &data);
		step = tls_engine_write(&c->tls, data, len, &n);
		if (step == TLS_STEP_DONE)
			chunks_consume(&c->plain, n);
		collect(c);
	}
	if (step == TLS_STEP_FAILED || step == TLS_STEP_CLOSED) {
		end_tls_failed(c);
		return;
	}
	if (c->state == DRAINING && c->plain.len == 0 && !c->notified) {
		c->notified = true;
		tls_engine_close(&c->tls);
		collect(c);
	}
}

/* The kernel has taken what libuv held, or never will. */
static void
on_written(uv_write_t *req, int status)
{
	struct conn *c = req->data;
	size_t n = c->in_write;

	if (c->state == CLOSING)
		return;
	c->in_write = 0;
	if (status < 0) {
		end_now(c, CONN_END_IO, status, NULL);
		return;
	}
	chunks_consume(&c->wire, n);
	kick(c);
}

/* Leaves the front of the wire queue to libuv until the kernel has room. */
static void
write_later(struct conn *c, const uv_buf_t *v, unsigned count)
{
	size_t len = 0;
	int rc;

	for (unsigned i = 0; i < count; i++)
		len += v[i].len;
	c->write_req.data = c;
	rc = uv_write(&c->write_req, stream_of(c), v, count, on_written);
	if (rc < 0)
		end_now(c, CONN_END_IO, rc, NULL);
	else
		c->in_write = len;
}

/* Gives the kernel as much as it takes now. */
static void
flush(struct conn *c)
{
	uv_buf_t v[WRITE_BUFFERS];
	unsigned count;
	int n;

	while (c->state >= PLAIN && c->state <= DRAINING && c->in_write == 0) {
		if (c->secure && !c->tls.failed)
			encrypt(c);
		if (c->state == CLOSING || c->wire.len == 0)
			return;
		count = chunks_buffers(&c->wire, v, WRITE_BUFFERS);
		n = uv_try_write(stream_of(c), v, count);
		if (n >= 0)
			chunks_consume(&c->wire, (size_t)n);
		else if (n == UV_EAGAIN)
			write_later(c, v, count);
		else
			end_now(c, CONN_END_IO, n, NULL);
	}
}

int
conn_write(struct conn *c, const void *data, size_t len)
{
	size_t queued = conn_queued(c);
	int rc;

	if (!is_open(c))
		return ERR_CLOSED;
	if (queued > c->opts.write_max || len > c->opts.write_max - queued) {
		end_now(c, CONN_END_WRITE_FULL, ERR_FULL, NULL);
		return ERR_FULL;
	}
	rc = chunks_add(c->tls.ssl != NULL ? &c->plain : &c->wire, data, len);
	if (rc < 0) {
		end_now(c, CONN_END_NOMEM, rc, NULL);
		return rc;
	}
	c->written += len;
	kick(c);
	if (c->backlogged || queued + len <= c->opts.write_high)
		return 0;
	flush(c);
	if (is_open(c) && conn_queued(c) > c->opts.write_high) {
		c->backlogged = true;
		if (c->opts.events->on_backlog != NULL)
			c->opts.events->on_backlog(c, c->opts.arg);
	}
	return is_open(c) ? 0 : ERR_CLOSED;
}

/* ---- inward --------------------------------------------------------- */

static void
on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
	(void)h, (void)suggested;
	*buf = uv_buf_init((char *)read_space, sizeof read_space);
}

/* The next step of the handshake; on_secured after the last. */
static void
shake_hands(struct conn *c)
{
	enum tls_step step = tls_engine_handshake(&c->tls);

	collect(c);
	if (c->state != HANDSHAKE || step == TLS_STEP_WANT)
		return;
	if (step != TLS_STEP_DONE) {
		end_tls_failed(c);
		return;
	}
	c->secure = true;
	set_state(c, SECURE);
	c->opts.events->on_secured(c, c->opts.arg);
}

/* Hands on decrypted records until there are none or the owner pauses. */
static void
hand_on(struct conn *c)
{
	enum tls_step step;
	size_t n;

	while (c->state == SECURE) {
		if (c->pauses > 0) {
			c->unread = true;
			return;
		}
		step = tls_engine_read(
		    &c->tls, record_space, sizeof record_space, &n);
		collect(c);
		if (c->state != SECURE || step == TLS_STEP_WANT)
			return;
		if (step == TLS_STEP_DONE)
			c->opts.events->on_data(
			    c, record_space, n, c->opts.arg);
		else if (step == TLS_STEP_CLOSED)
			end_orderly(c, CONN_END_PEER, 0, NULL);
		else
			end_tls_failed(c);
	}
}

static void
take_ciphertext(struct conn *c, const uint8_t *data, size_t len)
{
	while (len > 0 && (c->state == HANDSHAKE || c->state == SECURE)) {
		size_t n = len < FEED_SIZE ? len : FEED_SIZE;

		if (tls_engine_feed(&c->tls, data, n) != 0) {
			end_now(c, CONN_END_NOMEM, ERR_NOMEM, NULL);
			return;
		}
		data += n;
		len -= n;
		if (c->state == HANDSHAKE)
			shake_hands(c);
		hand_on(c);
	}
}

/* libuv reports the end of file for a hang-up behind a short read, also when
 * the peer has in truth reset the connection: the socket knows. */
static int
end_code(const struct conn *c, int rc)
{
	socklen_t len = sizeof(int);
	uv_os_fd_t fd;
	int error = 0;

	if (rc != UV_EOF || uv_fileno((const uv_handle_t *)&c->tcp, &fd) != 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 ||
	    error == 0)
		return rc;
	return uv_translate_sys_error(error);
}

/* End of file or an error. */
static void
take_end(struct conn *c, int code)
{
	int rc = end_code(c, code);

	c->peer_ended = true;
	switch (c->state) {
	case PLAIN:
		if (rc == UV_EOF)
			end_orderly(c, CONN_END_PEER, 0, NULL);
		else
			end_now(c, CONN_END_IO, rc, NULL);
		return;
	case HANDSHAKE:
		end_now(c, CONN_END_TLS, rc,
		    rc == UV_EOF ? "closed by the peer during the handshake"
				 : NULL);
		return;
	case SECURE:
		if (rc == UV_EOF)
			end_now(c, CONN_END_TLS_TRUNCATED, rc, NULL);
		else
			end_now(c, CONN_END_IO, rc, NULL);
		return;
	case DRAINING:
		/* He may have closed his half only and still read. */
		if (rc != UV_EOF)
			close_handles(c);
		return;
	case LINGERING:
		close_handles(c);
		return;
	case CONNECTING:
	case CLOSING:
	case STATE_COUNT:
		break;
	}
	assert(!"no reading in this state");
}

static void update_reading(struct conn *c);

static void
on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
	struct conn *c = h->data;
	const uint8_t *data = (const uint8_t *)buf->base;

	if (n == 0) /* nothing yet, not the end */
		return;
	kick(c);
	if (n < 0) {
		take_end(c, (int)n);
	} else {
		c->turn_bytes += (size_t)n;
		if (c->state == PLAIN)
			c->opts.events->on_data(
			    c, data, (size_t)n, c->opts.arg);
		else
			take_ciphertext(c, data, (size_t)n);
	}
	update_reading(c);
}

/* Whether the next bytes of the peer are welcome now. */
static bool
wants_bytes(const struct conn *c)
{
	if (c->peer_ended || c->turn_bytes >= READ_PER_TURN)
		return false;
	if (c->state == PLAIN || c->state == SECURE)
		return c->pauses == 0 && !c->unread;
	return c->state == HANDSHAKE || c->state == DRAINING ||
	       c->state == LINGERING;
}

/* Makes libuv read exactly when the next bytes are welcome. */
static void
update_reading(struct conn *c)
{
	bool wanted = wants_bytes(c);
	int rc;

	if (c->state == CLOSING || wanted == c->reading)
		return;
	c->reading = wanted;
	if (!wanted) {
		(void)uv_read_stop(stream_of(c)); /* always 0 */
		return;
	}
	rc = uv_read_start(stream_of(c), on_alloc, on_read);
	if (rc < 0)
		end_now(c, CONN_END_IO, rc, NULL);
}

/* ---- once per turn -------------------------------------------------- */

static void
on_turn(uv_idle_t *h)
{
	struct conn *c = h->data;

	(void)uv_idle_stop(h); /* always 0 */
	c->turn_bytes = 0;
	if (c->unread && c->pauses == 0) {
		c->unread = false;
		hand_on(c);
	}
	flush(c);
	if (c->backlogged && is_open(c) &&
	    conn_queued(c) <= c->opts.write_low) {
		c->backlogged = false;
		if (c->opts.events->on_drained != NULL)
			c->opts.events->on_drained(c, c->opts.arg);
	}
	if (c->state == DRAINING && c->plain.len == 0 && c->wire.len == 0)
		shut_down(c);
	update_reading(c);
}

/* ---- the beginning -------------------------------------------------- */

static void
set_defaults(struct conn_opts *o)
{
	if (o->write_max == 0)
		o->write_max = WRITE_MAX;
	if (o->write_high == 0)
		o->write_high = WRITE_HIGH;
	if (o->write_low == 0)
		o->write_low = WRITE_LOW;
	if (o->write_high > o->write_max)
		o->write_high = o->write_max;
	if (o->write_low > o->write_high)
		o->write_low = o->write_high;
	if (o->connect_ms == 0)
		o->connect_ms = CONNECT_MS;
	if (o->handshake_ms == 0)
		o->handshake_ms = HANDSHAKE_MS;
	if (o->linger_ms == 0)
		o->linger_ms = LINGER_MS;
}

static int
new_conn(struct conn **out, const struct conn_opts *opts)
{
	struct conn *c = calloc(1, sizeof *c);
	int rc;

	if (c == NULL)
		return ERR_NOMEM;
	c->opts = *opts;
	set_defaults(&c->opts);
	clock_timer_init(&c->timer, opts->clock, on_timer, c);
	rc = uv_tcp_init(opts->loop, &c->tcp);
	if (rc < 0) {
		free_conn(c);
		return rc;
	}
	(void)uv_idle_init(opts->loop, &c->turn); /* always 0 */
	c->handles = 2;
	c->tcp.data = c;
	c->turn.data = c;
	*out = c;
	return 0;
}

/* Writes the peer's address down in both forms.  An IPv4 address in IPv6
 * clothes is one and the same peer, so it is undressed. */
static void
name_peer(struct conn *c, const struct sockaddr *addr)
{
	const struct sockaddr_in *v4 = (const void *)addr;
	const struct sockaddr_in6 *v6 = (const void *)addr;
	const uint8_t *bytes = v6->sin6_addr.s6_addr;
	bool is_v4 = addr->sa_family == AF_INET;
	unsigned port = ntohs(is_v4 ? v4->sin_port : v6->sin6_port);

	if (is_v4) {
		bytes = (const uint8_t *)&v4->sin_addr;
	} else if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		bytes += 12;
		is_v4 = true;
	}
	(void)inet_ntop(
	    is_v4 ? AF_INET : AF_INET6, bytes, c->peer_ip, sizeof c->peer_ip);
	(void)snprintf(c->peer, sizeof c->peer, "%s%s%s:%u", is_v4 ? "" : "[",
	    c->peer_ip, is_v4 ? "" : "]", port);
}

int
conn_accept(
    struct conn **out, uv_stream_t *listener, const struct conn_opts *opts)
{
	struct sockaddr_storage addr;
	int len = sizeof addr;
	struct conn *c;
	int rc;

	rc = new_conn(&c, opts);
	if (rc < 0)
		return rc;
	rc = uv_accept(listener, stream_of(c));
	if (rc == 0)
		rc = uv_tcp_nodelay(&c->tcp, 1);
	if (rc == 0)
		rc =
		    uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&addr, &len);
	if (rc < 0) {
		c->silent = true;
		close_handles(c);
		return rc;
	}
	name_peer(c, (const struct sockaddr *)&addr);
	set_state(c, PLAIN);
	update_reading(c);
	*out = c;
	return 0;
}

static void
on_connected(uv_connect_t *req, int status)
{
	struct conn *c = req->data;

	if (c->state == CLOSING)
		return;
	if (status == 0)
		status = uv_tcp_nodelay(&c->tcp, 1);
	if (status < 0) {
		end_now(c, CONN_END_CONNECT, status, NULL);
		return;
	}
	set_state(c, PLAIN);
	kick(c);
	update_reading(c);
	if (c->opts.events->on_connected != NULL && is_open(c))
		c->opts.events->on_connected(c, c->opts.arg);
}

int
conn_connect(struct conn **out, const struct sockaddr *addr,
    const struct conn_opts *opts)
{
	struct conn *c;
	int rc;

	rc = new_conn(&c, opts);
	if (rc < 0)
		return rc;
	name_peer(c, addr);
	*out = c;
	if (opts->bind != NULL)
		rc = uv_tcp_bind(&c->tcp, opts->bind, 0);
	c->opts.bind = NULL; /* lives no longer than this call */
	c->connect_req.data = c;
	if (rc == 0)
		rc = uv_tcp_connect(
		    &c->connect_req, &c->tcp, addr, on_connected);
	if (rc < 0)
		end_now(c, CONN_END_CONNECT, rc, NULL);
	else
		clock_timer_start(&c->timer, c->opts.connect_ms);
	return 0;
}

/* Common to both roles. */
static int
start_tls(struct conn *c, SSL_CTX *ctx, size_t leftover, enum tls_role role)
{
	if (!is_open(c))
		return ERR_CLOSED;
	if (c->state != PLAIN)
		return ERR_BAD_STATE;
	if (leftover > 0) {
		end_now(c, CONN_END_PLAINTEXT, ERR_PROTOCOL, NULL);
		return ERR_PROTOCOL;
	}
	return tls_engine_init(&c->tls, ctx, role);
}

static void
begin_handshake(struct conn *c)
{
	set_state(c, HANDSHAKE);
	clock_timer_start(&c->timer, c->opts.handshake_ms);
	update_reading(c);
	kick(c);
}

int
conn_start_tls_server(struct conn *c, SSL_CTX *ctx, size_t leftover)
{
	int rc = start_tls(c, ctx, leftover, TLS_SERVER);

	if (rc == 0)
		begin_handshake(c);
	return rc;
}

int
conn_start_tls_client(struct conn *c, SSL_CTX *ctx, size_t leftover,
    const char *sni, const uint8_t *alpn, size_t alpn_len)
{
	int rc = start_tls(c, ctx, leftover, TLS_CLIENT);

	if (rc < 0)
		return rc;
	rc = tls_engine_offer(&c->tls, sni, alpn, alpn_len);
	if (rc < 0) {
		tls_engine_finish(&c->tls);
		return rc;
	}
	begin_handshake(c);
	shake_hands(c); /* says hello */
	return 0;
}

/* ---- the owner's other wishes and questions ------------------------- */

void
conn_pause(struct conn *c)
{
	c->pauses++;
	update_reading(c);
}

void
conn_resume(struct conn *c)
{
	assert(c->pauses > 0);
	if (--c->pauses == 0)
		kick(c);
}

void
conn_close(struct conn *c, enum conn_end why)
{
	end_orderly(c, why, 0, NULL);
}

void
conn_abort(struct conn *c, enum conn_end why)
{
	end_now(c, why, 0, NULL);
}

size_t
conn_queued(const struct conn *c)
{
	size_t held =
	    uv_stream_get_write_queue_size((const uv_stream_t *)&c->tcp);

	return c->plain.len + c->wire.len - c->in_write + held;
}

bool
conn_backlogged(const struct conn *c)
{
	return c->backlogged;
}

uint64_t
conn_bytes_written(const struct conn *c)
{
	return c->written;
}

bool
conn_all_acknowledged(const struct conn *c)
{
	uv_os_fd_t fd;
	int unacknowledged;

	if (c->state == CONNECTING || c->state == CLOSING || conn_queued(c) > 0)
		return false;
	return uv_fileno((const uv_handle_t *)&c->tcp, &fd) == 0 &&
	       ioctl(fd, SIOCOUTQ, &unacknowledged) == 0 && unacknowledged == 0;
}

SSL *
conn_ssl(const struct conn *c)
{
	return c->tls.ssl;
}

bool
conn_is_secure(const struct conn *c)
{
	return c->secure;
}

const char *
conn_peer(const struct conn *c)
{
	return c->peer;
}

const char *
conn_peer_ip(const struct conn *c)
{
	return c->peer_ip;
}
