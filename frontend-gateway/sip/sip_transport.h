/*
 * sip_transport - the TLS connections between the gateway and the pool.
 *
 * Accepts connections of the pool and keeps one of its own to every front
 * end (retrying after 1, 2, 5, 10, 30 s, and before that once after 0.1 s when
 * there was a connection).  Both sides show certificates; the
 * peer's must name the pool or a front end.  Any connection may carry any
 * message: the pool does not bind a dialog to a socket, so nothing here does.
 *
 * Answers by itself what concerns one hop only: keep-alives, NEGOTIATE (the
 * pool's wish to compress), messages it cannot read (400, 416, 505) or will
 * not hold (413).
 *
 * Owns     listeners, connections, retry timers.
 * Borrows  loop, clock, TLS identity, events.
 * Ends     on_closed fires once, when the last handle is gone; the transport
 *          is freed when it returns.
 * Errors   0 or a negative code.
 */
#ifndef FRONTEND_GATEWAY_SIP_SIP_TRANSPORT_H
#define FRONTEND_GATEWAY_SIP_SIP_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "frontend-gateway/sip/sip_msg.h"

struct clock;
struct tls_identity;
struct sip_transport;

/* What to answer a NEGOTIATE (compression) with. */
enum sip_negotiate_reply {
	SIP_NEGOTIATE_405,
	SIP_NEGOTIATE_488,
	SIP_NEGOTIATE_501,
	SIP_NEGOTIATE_200_NONE /* 200 with "Compression: None" */
};

struct sip_front_end {
	const char *name; /* FQDN, as in its certificate */
	struct sockaddr_storage address;
};

enum {
	SIP_FRONT_ENDS_MAX = 200,
	/* Connections a front end may have to us (OutgoingTlsCount is at most
	 * 4); one more replaces the one silent for longest. */
	SIP_INBOUND_PER_PEER = 4,
	/* Accepted and not yet authenticated. */
	SIP_UNPROVEN_MAX = 64
};

struct sip_transport_events {
	/* A message without defect.  conn names the connection and never
	 * comes again.  m is the transport's. */
	void (*on_message)(struct sip_msg *m, uint64_t conn, void *arg);
	/* That connection is gone. */
	void (*on_down)(uint64_t conn, void *arg);
	/* The first connection is up, or the last one went. */
	void (*on_reachable)(bool reachable, void *arg);
	void (*on_closed)(void *arg);
};

struct sip_transport_opts {
	uv_loop_t *loop;
	struct clock *clock;
	const struct tls_identity *tls;
	const char *fqdn; /* ours, for answers */
	const struct sockaddr_storage *listen;
	size_t listen_count;
	const char *pool;
	const struct sip_front_end *front_ends;
	size_t front_end_count;
	enum sip_negotiate_reply negotiate_reply;
	const char *allow; /* value of Allow */
	uint32_t keep_alive_ms;
	size_t head_max, body_max; /* 0 = sip_frame's */
	const struct sip_transport_events *events;
	void *arg;
};

/* opts and its texts are copied.  On error why says what failed and nothing
 * is left behind. */
int sip_transport_open(struct sip_transport **out,
    const struct sip_transport_opts *opts, char *why, size_t size);
/* No event but on_closed follows. */
void sip_transport_close(struct sip_transport *t);
void
sip_transport_set_tls(struct sip_transport *t, const struct tls_identity *tls);

/* Other front ends: those that are new are dialled, those that are gone lose
 * their connections, the rest goes on.  At most SIP_FRONT_ENDS_MAX.  ERR_NOMEM
 * when one could not be added. */
int sip_transport_set_front_ends(struct sip_transport *t,
    const struct sip_front_end *front_ends, size_t count);

/* Sends a request: on a connection to that front end, else on any other,
 * our own before the pool's.  *conn tells which.  ERR_CLOSED when there is
 * none. */
int sip_transport_send(struct sip_transport *t, uint64_t *conn,
    const char *front_end, const void *data, size_t len);
/* Sends on that connection, or when it is gone on another to the same peer.
 * ERR_CLOSED when there is none. */
int sip_transport_send_on(
    struct sip_transport *t, uint64_t conn, const void *data, size_t len);

size_t sip_transport_connections(const struct sip_transport *t);

#endif
