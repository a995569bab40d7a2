/*
 * conn - one TCP connection, with or without TLS, on libuv.
 *
 * Owns     the TCP handle, its connect and write requests, the TLS engine,
 *          the write queue.
 * Borrows  loop, clock, the event table (all outlive it); a reference to the
 *          TLS context is taken.
 * Ends     on_end fires exactly once for every conn that was handed out, after
 *          the last libuv close callback, so never from within a call of the
 *          owner's; the conn is freed when it returns.  No other event
 *          follows a conn_close() or conn_abort() of ours.  Both are safe in
 *          any state and from any callback.
 * Errors   0 or a negative code (common/err.h).
 *
 * Bytes from the peer reach on_data decrypted.  With STARTTLS (RFC 6120 5)
 * the session writes its last plaintext element and calls conn_start_tls_*
 * from within on_data; what it has not consumed of that chunk is plaintext
 * injected behind the upgrade and ends the connection.
 *
 * Writing never blocks and never fails for want of space below write_max.
 * Above write_high on_backlog tells the owner to stop reading upstream (it may
 * be called from within conn_write()); below write_low on_drained tells it to
 * go on.  What is written in one turn of the loop leaves together at its end.
 */
#ifndef COMMON_CONN_H
#define COMMON_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include <openssl/ssl.h>

struct conn;
struct clock;

#define CONN_ENDS(X)                                                           \
	X(CONN_END_LOCAL, "closed by us")                                      \
	X(CONN_END_PEER, "closed by the peer")                                 \
	X(CONN_END_CONNECT, "could not connect")                               \
	X(CONN_END_CONNECT_TIMEOUT, "connecting timed out")                    \
	X(CONN_END_IO, "input or output error")                                \
	X(CONN_END_TLS, "TLS failed")                                          \
	X(CONN_END_TLS_TIMEOUT, "TLS handshake timed out")                     \
	X(CONN_END_TLS_TRUNCATED, "closed without TLS close_notify")           \
	X(CONN_END_PLAINTEXT, "plaintext behind the TLS upgrade")              \
	X(CONN_END_WRITE_FULL, "the peer does not read")                       \
	X(CONN_END_NOMEM, "out of memory")

enum conn_end {
#define X(name, text) name,
	CONN_ENDS(X)
#undef X
	    CONN_END_COUNT
};
const char *conn_end_str(enum conn_end why);

struct conn_events {
	/* Outgoing only: TCP is up.  May be NULL. */
	void (*on_connected)(struct conn *c, void *arg);
	/* The TLS handshake is done; conn_ssl() has the details.  In TLS 1.3
	 * a client learns only afterwards, by CONN_END_TLS, that the server
	 * does not accept its certificate. */
	void (*on_secured)(struct conn *c, void *arg);
	/* data is valid only during the call. */
	void (*on_data)(
	    struct conn *c, const uint8_t *data, size_t len, void *arg);
	void (*on_backlog)(struct conn *c, void *arg); /* may be NULL */
	void (*on_drained)(struct conn *c, void *arg); /* may be NULL */
	/* rc: the code behind why, 0 when there is none.  detail: a text for
	 * the log (OpenSSL's or libuv's), never NULL.  c is gone afterwards. */
	void (*on_end)(struct conn *c, enum conn_end why, int rc,
	    const char *detail, void *arg);
};

struct conn_opts {
	uv_loop_t *loop;
	struct clock *clock;
	const struct conn_events *events; /* borrowed, static */
	void *arg;
	size_t write_high;     /* bytes; 0 = 256 KiB */
	size_t write_low;      /* bytes; 0 = 64 KiB */
	size_t write_max;      /* bytes; hard limit, 0 = 4 MiB */
	uint64_t connect_ms;   /* 0 = 10 s */
	uint64_t handshake_ms; /* 0 = 20 s */
	uint64_t linger_ms;    /* for conn_close(); 0 = 5 s */
	/* A peer whose TCP gives no sign of life for that long while bytes are
	 * under way, or when asked on an idle connection, has gone
	 * (RFC 5482).  0 = the system's patience, hours. */
	uint64_t dead_ms;
	const struct sockaddr *bind; /* outgoing: local address, or NULL */
};

/* Accepts the connection pending on listener.  opts is copied. */
int conn_accept(
    struct conn **out, uv_stream_t *listener, const struct conn_opts *opts);
/* Takes over a connected TCP socket whose peer is to be called by another
 * address than its own.  On error fd is still the caller's. */
int conn_adopt(struct conn **out, int fd, const struct sockaddr *peer,
    const struct conn_opts *opts);
/* Starts connecting to addr.  All that can go wrong with the network is
 * reported by on_end, also what the kernel refuses at once; an error returned
 * means that there is no conn. */
int conn_connect(struct conn **out, const struct sockaddr *addr,
    const struct conn_opts *opts);

/* Begin TLS as server or client on a conn that is up.  0, ERR_BAD_STATE,
 * ERR_CLOSED, ERR_NOMEM, ERR_TLS.  A reference to ctx is taken.  leftover is
 * the number of bytes of the on_data chunk in progress that the caller has
 * not consumed: other than 0 ends the connection (CONN_END_PLAINTEXT) and is
 * answered ERR_PROTOCOL.
 * sni may be NULL; alpn is the wire form (length-prefixed) or NULL.
 * The peer's certificate is requested; whether it must be there and be
 * trusted is the context's matter (common/tls_identity.h). */
int conn_start_tls_server(struct conn *c, SSL_CTX *ctx, size_t leftover);
int conn_start_tls_client(struct conn *c, SSL_CTX *ctx, size_t leftover,
    const char *sni, const uint8_t *alpn, size_t alpn_len);

/* Queues a copy.  ERR_FULL past write_max (the conn then ends with
 * CONN_END_WRITE_FULL), ERR_CLOSED after a close, ERR_NOMEM (the conn ends). */
int conn_write(struct conn *c, const void *data, size_t len);
/* Other bounds from now on, 0 as in conn_opts; to be set while nothing much is
 * queued. */
void conn_set_write_bounds(struct conn *c, size_t high, size_t low, size_t max);
/* Bytes queued and not yet taken by the kernel. */
size_t conn_queued(const struct conn *c);
bool conn_backlogged(const struct conn *c);
/* Bytes the application has given to conn_write() so far ... */
uint64_t conn_bytes_written(const struct conn *c);
/* ... and how many of them, from the first, the peer's TCP has acknowledged.
 * Inside TLS it takes whole records; with very many under way the number may
 * lag behind, but it gets there. */
uint64_t conn_bytes_acknowledged(struct conn *c);

/* Stop and resume on_data.  Counted: as many resumes as stops are needed. */
void conn_pause(struct conn *c);
void conn_resume(struct conn *c);

/* Orderly end: sends what is queued, close_notify, FIN, and gives the peer
 * linger_ms to take it.  Idempotent; the first reason is the one reported. */
void conn_close(struct conn *c, enum conn_end why);
/* At once. */
void conn_abort(struct conn *c, enum conn_end why);

/* NULL before TLS. */
SSL *conn_ssl(const struct conn *c);
bool conn_is_secure(const struct conn *c);
/* "192.0.2.1:5269" or "[2001:db8::1]:5269"; valid while c lives. */
const char *conn_peer(const struct conn *c);
/* The peer's address without its port. */
const char *conn_peer_ip(const struct conn *c);

#endif
