/*
 * Outward, bytes pass two queues.  "plain" holds what the owner wrote while
 * TLS was on; it is encrypted only as fast as "wire" empties, so that many
 * small writes share one record.  "wire" holds what the kernel is to take.
 * Without TLS the owner writes into "wire" at once: a last plaintext element
 * written before the upgrade therefore leaves before the handshake.  The
 * kernel is asked once per turn of the loop, in the callback of an idle
 * handle; a queue that passes the high mark asks earlier.  (Idle and not
 * prepare: a prepare handle started by another one's callback would have to
 * wait for the poll, which may be long.)
 *
 * Inward, a turn's share is bounded; the same callback goes on with what was
 * left, and with records that were decrypted no further because the owner had
 * paused.
 */
#include "common/conn_impl.h"

#include <assert.h>
#include <sys/socket.h>

#include "common/err.h"

enum {
	READ_SIZE = 64 * 1024,
	READ_PER_TURN = 256 * 1024, /* of all that have something to read */
	READ_LEAST = 2 * 1024,      /* of one */
	FEED_SIZE = 16 * 1024,      /* keeps OpenSSL's buffer small */
	RECORD_SIZE = 16 * 1024,
	WIRE_AHEAD = 64 * 1024, /* ciphertext made before the kernel asks */
	WRITE_BUFFERS = 16
};

/* Scratch space of the loop that runs in this thread: a chunk lives only
 * while its read callback does. */
static _Thread_local uint8_t read_space[READ_SIZE];
static _Thread_local uint8_t record_space[RECORD_SIZE];

/* Connections that had bytes in this turn of the loop and in the one before. */
static _Thread_local struct {
	uint64_t now;
	size_t count, before;
} readers;

static void on_turn(uv_idle_t *h);

/* Has on_turn called once, before the loop sleeps again. */
void
conn_io_kick(struct conn *c)
{
	int rc;

	if (c->state == CONN_CLOSING)
		return;
	rc = uv_idle_start(&c->turn, on_turn);
	assert(rc == 0);
}

/* ---- outward -------------------------------------------------------- */

int
conn_io_wire(struct conn *c, const uint8_t *data, size_t len, uint64_t app)
{
	int rc = chunks_add(&c->wire, data, len);

	if (rc < 0)
		return rc;
	c->wired += len;
	byte_marks_add(&c->marks, app, c->wired);
	return 0;
}

/* Moves what the engine has made into the wire queue.  A flush follows: every
 * caller is in on_turn or has it coming. */
static void
collect(struct conn *c)
{
	const uint8_t *data;
	size_t len = tls_engine_output(&c->tls, &data);

	if (len == 0 || c->state == CONN_CLOSING)
		return;
	if (conn_io_wire(c, data, len, c->written - c->plain.len) != 0) {
		conn_end_now(c, CONN_END_NOMEM, ERR_NOMEM, NULL);
		return;
	}
	tls_engine_output_taken(&c->tls);
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
		conn_end_tls_failed(c);
		return;
	}
	if (c->state == CONN_DRAINING && c->plain.len == 0 && !c->notified) {
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

	if (c->state == CONN_CLOSING)
		return;
	c->in_write = 0;
	if (status < 0) {
		conn_end_now(c, CONN_END_IO, status, NULL);
		return;
	}
	chunks_consume(&c->wire, n);
	conn_io_kick(c);
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
	rc = uv_write(&c->write_req, conn_stream(c), v, count, on_written);
	if (rc < 0)
		conn_end_now(c, CONN_END_IO, rc, NULL);
	else
		c->in_write = len;
}

/* Gives the kernel as much as it takes now. */
void
conn_io_flush(struct conn *c)
{
	uv_buf_t v[WRITE_BUFFERS];
	unsigned count;
	int n;

	while (c->state >= CONN_PLAIN && c->state <= CONN_DRAINING &&
	       c->in_write == 0) {
		if (c->secure && !c->tls.failed)
			encrypt(c);
		if (c->state == CONN_CLOSING || c->wire.len == 0)
			return;
		count = chunks_buffers(&c->wire, v, WRITE_BUFFERS);
		n = uv_try_write(conn_stream(c), v, count);
		if (n >= 0)
			chunks_consume(&c->wire, (size_t)n);
		else if (n == UV_EAGAIN)
			write_later(c, v, count);
		else
			conn_end_now(c, CONN_END_IO, n, NULL);
	}
}

/* ---- inward --------------------------------------------------------- */

/* One more has bytes.  A turn has the time that the loop had when it began. */
static void
count_reader(const struct conn *c)
{
	uint64_t now = uv_now(c->opts.loop);

	if (now != readers.now) {
		readers.now = now;
		readers.before = readers.count;
		readers.count = 0;
	}
	readers.count++;
}

/* What one may read in a turn: many divide it, or whoever has a few bytes would
 * wait until all others have had their megabytes. */
static size_t
turn_share(void)
{
	size_t n =
	    readers.before > readers.count ? readers.before : readers.count;
	size_t share = n > 1 ? READ_PER_TURN / n : READ_PER_TURN;

	return share < READ_LEAST ? READ_LEAST : share;
}

static void
on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
	const struct conn *c = h->data;
	size_t share = turn_share();
	size_t left = share > c->turn_bytes ? share - c->turn_bytes : 1;

	(void)suggested;
	if (left > sizeof read_space)
		left = sizeof read_space;
	*buf = uv_buf_init((char *)read_space, (unsigned)left);
}

/* The next step of the handshake; on_secured after the last. */
void
conn_io_shake_hands(struct conn *c)
{
	enum tls_step step = tls_engine_handshake(&c->tls);

	collect(c);
	if (c->state != CONN_HANDSHAKE || step == TLS_STEP_WANT)
		return;
	if (step != TLS_STEP_DONE) {
		conn_end_tls_failed(c);
		return;
	}
	c->secure = true;
	conn_end_move(c, CONN_SECURE);
	c->opts.events->on_secured(c, c->opts.arg);
}

/* Hands on decrypted records until there are none or the owner pauses. */
static void
hand_on(struct conn *c)
{
	enum tls_step step;
	size_t n;

	while (c->state == CONN_SECURE) {
		if (c->pauses > 0) {
			c->unread = true;
			return;
		}
		step = tls_engine_read(
		    &c->tls, record_space, sizeof record_space, &n);
		collect(c);
		if (c->state != CONN_SECURE || step == TLS_STEP_WANT)
			return;
		if (step == TLS_STEP_DONE)
			c->opts.events->on_data(
			    c, record_space, n, c->opts.arg);
		else if (step == TLS_STEP_CLOSED)
			conn_end_orderly(c, CONN_END_PEER, 0, NULL);
		else
			conn_end_tls_failed(c);
	}
}

static void
take_ciphertext(struct conn *c, const uint8_t *data, size_t len)
{
	while (len > 0 &&
	       (c->state == CONN_HANDSHAKE || c->state == CONN_SECURE)) {
		size_t n = len < FEED_SIZE ? len : FEED_SIZE;

		if (tls_engine_feed(&c->tls, data, n) != 0) {
			conn_end_now(c, CONN_END_NOMEM, ERR_NOMEM, NULL);
			return;
		}
		data += n;
		len -= n;
		if (c->state == CONN_HANDSHAKE)
			conn_io_shake_hands(c);
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
	case CONN_PLAIN:
		if (rc == UV_EOF)
			conn_end_orderly(c, CONN_END_PEER, 0, NULL);
		else
			conn_end_now(c, CONN_END_IO, rc, NULL);
		return;
	case CONN_HANDSHAKE:
		conn_end_now(c, CONN_END_TLS, rc,
		    rc == UV_EOF ? "closed by the peer during the handshake"
				 : NULL);
		return;
	case CONN_SECURE:
		if (rc == UV_EOF)
			conn_end_now(c, CONN_END_TLS_TRUNCATED, rc, NULL);
		else
			conn_end_now(c, CONN_END_IO, rc, NULL);
		return;
	case CONN_DRAINING:
		/* He may have closed his half only and still read. */
		if (rc != UV_EOF)
			conn_end_close(c);
		return;
	case CONN_LINGERING:
		conn_end_close(c);
		return;
	case CONN_CONNECTING:
	case CONN_CLOSING:
	case CONN_STATE_COUNT:
		break;
	}
	assert(!"no reading in this state");
}

static void
on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
	struct conn *c = h->data;
	const uint8_t *data = (const uint8_t *)buf->base;

	if (n == 0) /* nothing yet, not the end */
		return;
	conn_io_kick(c);
	if (n < 0) {
		take_end(c, (int)n);
	} else {
		if (c->turn_bytes == 0)
			count_reader(c);
		c->turn_bytes += (size_t)n;
		if (c->state == CONN_PLAIN)
			c->opts.events->on_data(
			    c, data, (size_t)n, c->opts.arg);
		else
			take_ciphertext(c, data, (size_t)n);
	}
	conn_io_update_reading(c);
}

/* Whether the next bytes of the peer are welcome now. */
static bool
wants_bytes(const struct conn *c)
{
	if (c->peer_ended || c->turn_bytes >= turn_share())
		return false;
	if (c->state == CONN_PLAIN || c->state == CONN_SECURE)
		return c->pauses == 0 && !c->unread;
	return c->state == CONN_HANDSHAKE || c->state == CONN_DRAINING ||
	       c->state == CONN_LINGERING;
}

/* Makes libuv read exactly when the next bytes are welcome. */
void
conn_io_update_reading(struct conn *c)
{
	bool wanted = wants_bytes(c);
	int rc;

	if (c->state == CONN_CLOSING || wanted == c->reading)
		return;
	c->reading = wanted;
	if (!wanted) {
		(void)uv_read_stop(conn_stream(c)); /* always 0 */
		return;
	}
	rc = uv_read_start(conn_stream(c), on_alloc, on_read);
	if (rc < 0)
		conn_end_now(c, CONN_END_IO, rc, NULL);
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
	conn_io_flush(c);
	if (c->backlogged && conn_is_open(c) &&
	    conn_queued(c) <= c->opts.write_low) {
		c->backlogged = false;
		if (c->opts.events->on_drained != NULL)
			c->opts.events->on_drained(c, c->opts.arg);
	}
	if (c->state == CONN_DRAINING && c->plain.len == 0 && c->wire.len == 0)
		conn_end_shut_down(c);
	conn_io_update_reading(c);
}
