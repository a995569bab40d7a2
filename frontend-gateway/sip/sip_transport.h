/*
 * sip_transport - the TLS connections between the gateway and the pool.
 *
 * Accepts connections of the pool and keeps one or more of its own to every
 * front end (retrying after 1, 2, 5, 10, 30 s, and before that once after 0.1 s
 * when there was a connection).  Both sides show certificates; the
 * peer's must name the pool or a front end.  Any connection may carry any
 * message: the pool does not bind a dialog to a socket, so nothing here does.
 *
 * Answers by itself what concerns one hop only: keep-alives, NEGOTIATE (the
 * pool's wish to compress), messages it cannot read (400, 416, 505) or will
 * not hold (413).  Asks by itself, with OPTIONS, whether a quiet front end
 * lives.  What is known of each front end (sip_health.h) decides where new
 * dialogs go.
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

#include "frontend-gateway/sip/sip_health.h"
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
	SIP_OUTBOUND_PER_PEER = 4,
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

/* What passes, told before anything is done with it. */
struct sip_tap_message {
	bool outgoing;
	const char *peer; /* the name of the front end, or the pool's */
	uint64_t conn;
	/* Start line and headers; a body that was too large is not there. */
	const void *head, *body;
	size_t head_len, body_len;
};
/* For whoever looks on.  It must not call back. */
struct sip_tap {
	void (*on_message)(const struct sip_tap_message *m, void *arg);
	void *arg;
};

struct sip_transport_opts {
	uv_loop_t *loop;
	struct clock *clock;
	const struct tls_identity *tls;
	const char *fqdn;    /* ours, for answers */
	const char *sent_by; /* "fqdn:port", for probes */
	const struct sockaddr_storage *listen;
	size_t listen_count;
	const char *pool;
	const struct sip_front_end *front_ends;
	size_t front_end_count;
	unsigned connections; /* of ours to each front end; 0 = 1 */
	uint32_t probe_ms;    /* of quiet before OPTIONS; 0 = never */
	enum sip_negotiate_reply negotiate_reply;
	const char *allow; /* value of Allow */
	/* User-Agent and Server of what goes one hop; "" = none.  Borrowed,
	 * and read each time. */
	const char *product;
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

/* tap is borrowed; NULL: nobody looks on. */
void sip_transport_set_tap(struct sip_transport *t, const struct sip_tap *tap);

/* Other front ends: those that are new are dialled, those that are gone lose
 * their connections, the rest goes on.  At most SIP_FRONT_ENDS_MAX.  ERR_NOMEM
 * when one could not be added. */
int sip_transport_set_front_ends(struct sip_transport *t,
    const struct sip_front_end *front_ends, size_t count);

/* Where a request is to go.  Zeroed members say nothing. */
struct sip_transport_way {
	const char *front_end; /* named by the dialog's route; or any */
	const char *call_id;   /* keeps the requests of a dialog together */
	uint64_t avoid; /* that connection's front end has had it already */
	bool asks;      /* an answer is expected: it counts */
};
/* Sends a request: to that front end, else to one that is fit, else to any, on
 * connections of ours before the pool's.  *conn tells which.  ERR_CLOSED
 * when there is none. */
int sip_transport_send(struct sip_transport *t, uint64_t *conn,
    const struct sip_transport_way *way, const void *data, size_t len);
/* Sends on that connection, or when it is gone on another to the same peer.
 * ERR_CLOSED when there is none. */
int sip_transport_send_on(
    struct sip_transport *t, uint64_t conn, const void *data, size_t len);

/* What became of a request that went out on a connection. */
struct sip_transport_outcome {
	enum sip_method method;
	const struct sip_msg *response; /* final, or NULL */
	bool broken; /* no answer: the connection is gone; else: in time */
	bool silent; /* ... not even a provisional one */
};
/* Notes it.  True when it is the front end's fault and another one could be
 * asked instead. */
bool sip_transport_judge(struct sip_transport *t, uint64_t conn,
    const struct sip_transport_outcome *outcome);

size_t sip_transport_connections(const struct sip_transport *t);

/* What is known of a front end. */
struct sip_front_end_view {
	const char *name;
	const struct sip_health *health;
	size_t in, out, out_wanted; /* connections that are up */
	uint64_t retry_in_ms;       /* until the next attempt; 0 = none due */
	uint64_t now_ms;
};
/* own: one that was configured; else the pool's name, under which there are
 * connections. */
typedef void
sip_front_end_fn(const struct sip_front_end_view *v, bool own, void *arg);
void sip_transport_each_front_end(
    const struct sip_transport *t, sip_front_end_fn *fn, void *arg);

#endif
