/*
 * sip_transaction - client and server transactions (RFC 3261 17, RFC 6026)
 * over a reliable transport (TLS).
 *
 * One message out is one write: timers A, E and G never run, D, I and K are
 * zero.  What is left are the limits (B, F, H, L, M), the 100 Trying of
 * RFC 3261 17.2.1 and RFC 4320, and the absorption of repeated requests (J).
 * Found through a hash over branch, sent-by and method; a request without a
 * branch that begins with z9hG4bK is found by what RFC 2543 compared.
 *
 * Owns     the transactions.
 * Borrows  clock; the functions of struct sip_txns_opts.
 * Ends     sip_txns_close() ends all: each client transaction gets its
 *          SIP_CLIENT_ENDED.
 */
#ifndef FRONTEND_GATEWAY_SIP_SIP_TRANSACTION_H
#define FRONTEND_GATEWAY_SIP_SIP_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend-gateway/sip/sip_delays.h"
#include "frontend-gateway/sip/sip_msg.h"

struct clock;
struct sip_transport_outcome;
struct sip_transport_way;
struct sip_txns;
struct sip_client_txn;
struct sip_server_txn;

/* Milliseconds; 0 = the default in brackets. */
struct sip_timers {
	uint32_t t1;             /* [500] */
	uint32_t t2;             /* [4000] */
	uint32_t request;        /* timers B and F [32000] */
	uint32_t invite;         /* INVITE after a provisional [90000] */
	uint32_t acknowledge;    /* timers H, L and M [32000] */
	uint32_t linger;         /* timer J: a final answer is kept [5000] */
	uint32_t trying_invite;  /* 100 to an unanswered INVITE [200] */
	uint32_t trying_request; /* 100 to others, RFC 4320 [3500] */
	uint32_t keep_alive;     /* CRLFCRLF on an idle connection [120000] */
};
/* Puts the defaults in. */
void sip_timers_complete(struct sip_timers *t);

struct sip_txns_opts {
	struct clock *clock;
	struct sip_timers timers; /* completed */
	size_t max;               /* transactions of both kinds */
	/* Sends a request (sip_transport_send()); tells on which
	 * connection. */
	int (*send_request)(void *arg, uint64_t *conn,
	    const struct sip_transport_way *way, const void *data, size_t len);
	/* Sends on that connection, or on another one to its peer. */
	int (*send_on)(void *arg, uint64_t conn, const void *data, size_t len);
	/* What became of a request of ours (sip_transport_judge()): whether
	 * another front end should have it. */
	bool (*judge)(void *arg, uint64_t conn,
	    const struct sip_transport_outcome *outcome);
	/* A new request, not ACK or CANCEL.  To be answered. */
	void (*on_request)(void *arg, struct sip_server_txn *t);
	/* CANCEL of an INVITE not finally answered; it was answered 200. */
	void (*on_cancel)(void *arg, struct sip_server_txn *t);
	void *arg;
};

int sip_txns_open(struct sip_txns **out, const struct sip_txns_opts *opts);
void sip_txns_close(struct sip_txns *s);

/* Hands in a message without defect that came over conn.  0 when it was taken;
 * ERR_NOT_FOUND for an ACK or response of no transaction (the ACK to a 2xx
 * is one); ERR_FULL, ERR_NOMEM for a request that cannot be taken on. */
int sip_txns_receive(struct sip_txns *s, struct sip_msg *m, uint64_t conn);
/* The connection is gone: what waits for an answer on it fails now, and final
 * answers of ours that left on it of late leave again on another. */
void sip_txns_conn_down(struct sip_txns *s, uint64_t conn);
size_t sip_txns_client_count(const struct sip_txns *s);
size_t sip_txns_server_count(const struct sip_txns *s);
/* Since the set was made. */
const struct sip_delays *sip_txns_delays(const struct sip_txns *s);

/* --- client ------------------------------------------------------------- */

enum sip_client_event {
	SIP_CLIENT_PROVISIONAL,
	SIP_CLIENT_FINAL,     /* first final answer; a non-2xx is ACKed */
	SIP_CLIENT_AGAIN,     /* INVITE: one more 2xx, repeated or of a fork */
	SIP_CLIENT_TIMEOUT,   /* no final answer in time; an INVITE that was
	                         proceeding is cancelled and may still get
	                         FINAL, or TIMEOUT again */
	SIP_CLIENT_TRANSPORT, /* its connection broke */
	SIP_CLIENT_ENDED      /* last event; t is gone when it returns */
};
/* response is NULL unless PROVISIONAL, FINAL or AGAIN. */
typedef void sip_client_fn(struct sip_client_txn *t, enum sip_client_event ev,
    const struct sip_msg *response, void *arg);

struct sip_client_opts {
	enum sip_method method;
	const char *branch;    /* as in the Via of the text */
	const char *front_end; /* preferred, or NULL */
	const char *call_id;   /* as in the text; or NULL */
	/* Outside a dialog: when a front end wants no requests (503), or is
	 * gone before it told of any progress, another one gets it, under a
	 * new branch (RFC 3263 4.3).  A MESSAGE is not repeated for a broken
	 * connection: it may have been shown. */
	bool movable;
	const void *text;
	size_t len;
	sip_client_fn *fn; /* NULL: nobody cares */
	void *arg;
};
/* Sends the request.  On error there is no transaction and no event. */
int sip_client_start(struct sip_client_txn **out, struct sip_txns *s,
    const struct sip_client_opts *opts);
/* Sends CANCEL for an INVITE, at once or with its first provisional answer.
 * Harmless after a final answer. */
void sip_client_cancel(struct sip_client_txn *t);

/* --- server ------------------------------------------------------------- */

/* Lives as long as t. */
const struct sip_msg *sip_server_request(const struct sip_server_txn *t);
uint64_t sip_server_conn(const struct sip_server_txn *t);
/* The To tag of all answers but 100. */
const char *sip_server_to_tag(const struct sip_server_txn *t);
/* Another request with the same Call-ID, From tag, CSeq and Request-URI is
 * in work: it came here by two ways (RFC 3261 8.2.2.2). */
bool sip_server_is_merged(const struct sip_server_txn *t);
void sip_server_set_user(struct sip_server_txn *t, void *user);
void *sip_server_user(const struct sip_server_txn *t);
/* Sends and, when final, keeps text.  After a final one t may be gone.
 * Returns what the transport said; the transaction moves on in any case, and a
 * final answer other than a 2xx to INVITE that found no connection is sent as
 * soon as there is one. */
int sip_server_respond(
    struct sip_server_txn *t, int status, const void *text, size_t len);

/* Visits those not finally answered yet. */
typedef void sip_server_each_fn(struct sip_server_txn *t, void *arg);
void sip_txns_each_open(struct sip_txns *s, sip_server_each_fn *fn, void *arg);

#endif
