/* Included by the target that wants it: see the header. */
#include "tests/fuzz/conn_memory.h"

#include <stdlib.h>
#include <string.h>

#include "common/conn.h"
#include "common/err.h"

struct conn {
	struct conn_opts opts;
	bool connected, told_connected;
	bool secure, told_secure;
	bool closing;
	unsigned pauses;
	enum conn_end why;
	uint64_t written;
};

struct conn_memory conn_memory;

static struct conn *now;

const char *
conn_end_str(enum conn_end why)
{
	static const char *const texts[] = {
#define X(name, text) text,
		CONN_ENDS(X)
#undef X
	};

	return texts[why];
}

static int
begin(struct conn **out, const struct conn_opts *opts, bool connected)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return ERR_NOMEM;
	if (now != NULL)
		abort();
	c->opts = *opts;
	c->connected = c->told_connected = connected;
	now = *out = c;
	conn_memory.alive = true;
	conn_memory.secured = false;
	conn_memory.written = 0;
	return 0;
}

int
conn_accept(
    struct conn **out, uv_stream_t *listener, const struct conn_opts *opts)
{
	(void)listener;
	return begin(out, opts, true);
}

int
conn_adopt(struct conn **out, int fd, const struct sockaddr *peer,
    const struct conn_opts *opts)
{
	(void)fd;
	(void)peer;
	return begin(out, opts, true);
}

int
conn_connect(struct conn **out, const struct sockaddr *addr,
    const struct conn_opts *opts)
{
	(void)addr;
	return begin(out, opts, false);
}

static int
start_tls(struct conn *c, size_t leftover)
{
	if (c->closing || c->secure)
		return c->closing ? ERR_CLOSED : ERR_BAD_STATE;
	if (leftover > 0) {
		conn_abort(c, CONN_END_PLAINTEXT);
		return ERR_PROTOCOL;
	}
	c->secure = true;
	return 0;
}

int
conn_start_tls_server(struct conn *c, SSL_CTX *ctx, size_t leftover)
{
	(void)ctx;
	return start_tls(c, leftover);
}

int
conn_start_tls_client(struct conn *c, SSL_CTX *ctx, size_t leftover,
    const char *sni, const uint8_t *alpn, size_t alpn_len)
{
	(void)ctx;
	(void)sni;
	(void)alpn;
	(void)alpn_len;
	return start_tls(c, leftover);
}

int
conn_write(struct conn *c, const void *data, size_t len)
{
	if (c->closing)
		return ERR_CLOSED;
	if (len > 0 && memchr(data, '\0', len) != NULL)
		abort();
	c->written += len;
	conn_memory.written += len;
	return 0;
}

void
conn_set_write_bounds(struct conn *c, size_t high, size_t low, size_t max)
{
	(void)c;
	(void)high;
	(void)low;
	(void)max;
}

size_t
conn_queued(const struct conn *c)
{
	(void)c;
	return 0;
}

bool
conn_backlogged(const struct conn *c)
{
	(void)c;
	return false;
}

uint64_t
conn_bytes_written(const struct conn *c)
{
	return c->written;
}

uint64_t
conn_bytes_acknowledged(struct conn *c)
{
	return c->written;
}

void
conn_pause(struct conn *c)
{
	c->pauses++;
}

void
conn_resume(struct conn *c)
{
	if (c->pauses == 0)
		abort();
	c->pauses--;
}

void
conn_close(struct conn *c, enum conn_end why)
{
	if (!c->closing)
		c->why = why;
	c->closing = true;
}

void
conn_abort(struct conn *c, enum conn_end why)
{
	conn_close(c, why);
}

SSL *
conn_ssl(const struct conn *c)
{
	return c->secure ? conn_memory.ssl : NULL;
}

bool
conn_is_secure(const struct conn *c)
{
	return c->told_secure;
}

const char *
conn_peer(const struct conn *c)
{
	(void)c;
	return "192.0.2.1:5269";
}

const char *
conn_peer_ip(const struct conn *c)
{
	(void)c;
	return "192.0.2.1";
}

bool
conn_memory_turn(void)
{
	struct conn *c = now;

	if (c == NULL)
		return false;
	if (c->closing) {
		now = NULL;
		conn_memory.alive = false;
		conn_memory.ends++;
		c->opts.events->on_end(c, c->why, 0, "", c->opts.arg);
		free(c);
	} else if (!c->told_connected) {
		c->connected = c->told_connected = true;
		if (c->opts.events->on_connected != NULL)
			c->opts.events->on_connected(c, c->opts.arg);
	} else if (c->secure && !c->told_secure) {
		c->told_secure = true;
		conn_memory.secured = true;
		c->opts.events->on_secured(c, c->opts.arg);
	} else {
		return false;
	}
	return true;
}

void
conn_memory_feed(const uint8_t *data, size_t len)
{
	struct conn *c = now;
	uint8_t *copy;

	/* Bytes between the start of TLS and its end would be ciphertext. */
	if (c == NULL || c->closing || c->pauses > 0 || !c->told_connected ||
	    c->secure != c->told_secure || len == 0)
		return;
	/* A copy of its own, so that reading past it is seen. */
	copy = malloc(len);
	if (copy == NULL)
		return;
	memcpy(copy, data, len);
	c->opts.events->on_data(c, copy, len, c->opts.arg);
	free(copy);
}

void
conn_memory_hang_up(void)
{
	if (now != NULL)
		conn_close(now, CONN_END_PEER);
}
