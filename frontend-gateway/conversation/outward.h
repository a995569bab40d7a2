/*
 * outward - custody of messages from Lync users until their fate is known.
 *
 * The SIP transaction of a message stays open while its frame is with an
 * edge.  It ends with exactly one final answer: 200 when the edge reports
 * delivery with a proof, the mapped error when it reports failure or when the
 * partner bounces the message first, 504 at the deadline.  SIP has no way to
 * tell a bounce that comes after the 200; the owner is told of it, once, for a
 * notice.
 *
 * While an edge is away its messages move to another one, in their order.
 *
 * Owns     what it was told of each message.
 * Borrows  clock, edges, ua, barrier.
 * Bounds   messages and bytes under way; ids of the last OUTWARD_RECENT
 *          messages are kept to recognise late bounces.
 */
#ifndef GATEWAY_CONVERSATION_OUTWARD_H
#define GATEWAY_CONVERSATION_OUTWARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend-gateway/conversation/notices.h"
#include "frontend-gateway/gateway_conf.h"

struct barrier;
struct clock;
struct edges;
struct outward;
struct outwards;
struct sip_server_txn;
struct sip_ua;

enum { OUTWARD_RECENT = 8192, OUTWARD_RECENT_MS = 10 * 60 * 1000 };

struct outwards_opts {
	struct clock *clock;
	struct edges *edges;
	struct sip_ua *ua;
	struct barrier *barrier;
	uint64_t deadline_ms;
	enum gateway_notices notices;
	const char *fqdn;    /* ours; borrowed */
	size_t messages_max; /* 0 = 20000 */
	size_t bytes_max;    /* 0 = 64 MiB */
};

int outwards_new(struct outwards **out, const struct outwards_opts *opts);
/* For messages to come. */
void outwards_set_deadline(struct outwards *os, uint64_t ms);
void outwards_set_notices(struct outwards *os, enum gateway_notices form);
/* What is under way is dropped without an answer. */
void outwards_free(struct outwards *os);

/* One message; the texts are copied. */
struct outward_message {
	const char *id;             /* stanza id */
	const char *from, *to;      /* prepared JIDs */
	const char *user, *contact; /* bare, for the choice of the edge */
	const char *local, *remote; /* their domains, comparable form */
	const char *text;
	size_t text_len;
	const char *rich;     /* its formatted form; proto/rich_body.h */
	size_t rich_len;      /* 0 = none */
	bool unstyled;        /* it holds no message styling (XEP-0393) */
	const char *language; /* NULL = unknown */
	const char *thread;   /* NULL = none */
	const char *nick;     /* NULL = none */
	bool chat_states;     /* the contact may know of them */
};

/* The transaction is answered.  delivered: with 200.  bounced: the partner
 * itself refused the message. */
typedef void outward_done_fn(bool delivered, bool bounced, void *arg);

/* What became of a message that no SIP transaction waits for. */
struct outward_told {
	const struct errors_sip *error; /* NULL = delivered */
	const char *proof;              /* "ping", "ack", "tcp" */
	const char *edge;               /* by which it went, or was to */
};
typedef void outward_tell_fn(const struct outward_told *told, void *arg);

/* Takes st over: it is answered later, or now when the message cannot be taken
 * (done then fires from within).  edge is where it goes first. */
void outwards_start(struct outwards *os, struct sip_server_txn *st,
    const struct outward_message *m, unsigned edge, outward_done_fn *done,
    void *arg);

/* A stanza of type error came from a contact's server. */
struct outward_bounce {
	const char *id;
	const char *from;             /* whom it names */
	const char *contact;          /* the same without resource */
	const char *user;             /* bare */
	const char *condition, *text; /* may be NULL */
};
/* What it was about, when it comes too late for the transaction. */
struct outward_late {
	char quote[NOTICES_QUOTE_SIZE]; /* "" with notices off */
	uint32_t message_id;            /* 0 = none was given */
};
/* True with *late when the user has to be told otherwise. */
bool outwards_bounced(struct outwards *os, struct outward_late *late,
    const struct outward_bounce *b);
/* st is gone (cancelled, or no connection is left).  False when it is none of
 * ours. */
bool outwards_withdrawn(struct outwards *os, struct sip_server_txn *st);
/* The edge is away: its messages go elsewhere if there is another. */
void outwards_edge_lost(struct outwards *os, unsigned edge);
/* The edge is another boot: what waits there goes to it with new barriers. */
void outwards_edge_renewed(struct outwards *os, unsigned edge);
/* The gateway stops: answers everything with the deadline's error. */
void outwards_give_up(struct outwards *os);

size_t outwards_pending(const struct outwards *os);
uint64_t outwards_late_bounces(const struct outwards *os);

/* One message that nobody in the pool wrote: fn is told, once, perhaps from
 * within; it counts nowhere.  ERR_FULL, ERR_NOMEM: fn will not be told. */
int outwards_try(struct outwards *os, const struct outward_message *m,
    unsigned edge, outward_tell_fn *fn, void *arg);

/* What became of Lync users' messages that went out or were to. */
struct outwards_counts {
	uint64_t delivered, failed;
	uint64_t bounced; /* of the failed: the partner's server said so */
};
const struct outwards_counts *outwards_counts(const struct outwards *os);

#endif
