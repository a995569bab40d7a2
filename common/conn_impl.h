/*
 * conn_impl - what the three files of conn share: conn.c (beginning, the
 * owner's calls), conn_io.c (bytes), conn_end.c (states, the end).  Not for
 * anybody else.
 *
 *   CONNECTING --> PLAIN --> HANDSHAKE --> SECURE
 *        |           |           |           |
 *        |           +-----------+-----------+--> DRAINING --> LINGERING
 *        |           |           |           |        |            |
 *        +-----------+-----------+-----------+--------+------------+--> CLOSING
 */
#ifndef COMMON_CONN_IMPL_H
#define COMMON_CONN_IMPL_H

#include "common/conn.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/byte_marks.h"
#include "common/chunks.h"
#include "common/clock.h"
#include "common/tls_engine.h"

enum conn_state {
	CONN_CONNECTING,
	CONN_PLAIN,
	CONN_HANDSHAKE,
	CONN_SECURE,
	CONN_DRAINING,
	CONN_LINGERING,
	CONN_CLOSING,
	CONN_STATE_COUNT
};

struct conn {
	struct conn_opts opts;
	enum conn_state state;
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
	uint64_t written; /* by the owner */
	uint64_t wired;   /* ever put into wire */
	struct byte_marks marks;

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

/* The owner may still write and be called. */
static inline bool
conn_is_open(const struct conn *c)
{
	return c->state <= CONN_SECURE;
}

static inline uv_stream_t *
conn_stream(struct conn *c)
{
	return (uv_stream_t *)&c->tcp;
}

/* ---- conn_end.c */

/* The only writer of c->state; stops the timer of the state left behind. */
void conn_end_move(struct conn *c, enum conn_state to);
/* Both keep the first reason; detail may be NULL. */
void
conn_end_now(struct conn *c, enum conn_end why, int rc, const char *detail);
void
conn_end_orderly(struct conn *c, enum conn_end why, int rc, const char *detail);
void conn_end_tls_failed(struct conn *c);
/* Draining, and all is with the kernel: FIN. */
void conn_end_shut_down(struct conn *c);
/* From any state but CLOSING, with the reason noted or none to report. */
void conn_end_close(struct conn *c);
/* A conn without open handles. */
void conn_end_free(struct conn *c);
/* The time of a state is up. */
void conn_end_on_timer(struct clock_timer *t, void *arg);

/* ---- conn_io.c */

/* Queues bytes for the kernel that bring all up to the owner's position app. */
int conn_io_wire(struct conn *c, const uint8_t *data, size_t len, uint64_t app);
/* Has the work of a turn done once, before the loop sleeps again. */
void conn_io_kick(struct conn *c);
/* Gives the kernel as much as it takes now. */
void conn_io_flush(struct conn *c);
/* The next step of the handshake; on_secured after the last. */
void conn_io_shake_hands(struct conn *c);
/* Makes libuv read exactly when the next bytes are welcome. */
void conn_io_update_reading(struct conn *c);

#endif
