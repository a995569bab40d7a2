/*
 * inward - custody of one XMPP message on its way to a Lync user.
 *
 * The edge waits for exactly one answer for each copy of the message; it
 * gets it when the message's fate is known, at the latest at the deadline,
 * whatever the pool does.  A message that corrects one which still waits takes
 * its place and shares its fate.  Only what has reached a Lync endpoint is
 * acknowledged to its sender, if he asked.  A notice of our own goes the same
 * way; nobody waits for it.
 *
 * Borrows  the environment, which outlives it.
 */
#ifndef GATEWAY_CONVERSATION_INWARD_H
#define GATEWAY_CONVERSATION_INWARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/list.h"
#include "frontend-gateway/edges.h"
#include "frontend-gateway/policy/policy.h"
#include "proto/condition.h"

struct duplicate;
struct duplicates;
struct inward;

enum { INWARD_COPIES_MAX = 8 };

struct inward_env {
	struct clock *clock;
	struct edges *edges;
	struct duplicates *duplicates;
	uint64_t deadline_ms;
};

/* The deadline has passed: the owner takes the message out of its queue and
 * calls inward_failed(). */
typedef void inward_late_fn(struct inward *in, void *arg);

/* One stanza that waits for an answer. */
struct inward_copy {
	struct edges_ticket ticket;
	struct duplicate *duplicate; /* pending entry, or NULL */
	struct buf receipt;          /* frame for its sender; empty = none */
};

/* Fields are the owner's to read; link, invited, renamed, retried and
 * unsure to write. */
struct inward {
	struct list link; /* in the queue of a conversation */
	const struct inward_env *env;
	struct inward_copy copies[INWARD_COPIES_MAX];
	size_t copy_count;
	struct clock_timer deadline;
	inward_late_fn *on_late;
	void *arg;
	enum policy_standing standing;
	bool invited; /* rides in an INVITE */
	bool renamed; /* was in an INVITE whose id the client knew already */
	bool retried; /* was sent anew once, after a lost dialog */
	bool unsure;  /* ... while the first may have arrived */
	bool notice;
	char *id;      /* "" = none */
	char *from;    /* full JID */
	char *nick;    /* NULL = none */
	char *subject; /* NULL = none */
	size_t len;
	char *text; /* SIP form */
	size_t html_len;
	char *html;     /* the same as a document; "" = nothing to format */
	char *language; /* NULL = unknown */
	bool formatted; /* was sent with html */
};

struct inward_opts {
	const struct inward_env *env;
	bool notice; /* our own words: there is no ticket to answer */
	struct edges_ticket ticket;
	struct duplicate *duplicate; /* pending entry, or NULL */
	enum policy_standing standing;
	const char *id, *from, *nick;
	const char *subject; /* one line; NULL = none */
	const char *thread;  /* the contact's own; NULL = none */
	/* What its sender is told when it was delivered; taken over (and then
	 * empty) with the ticket.  NULL = nothing. */
	struct buf *receipt;
	const char *text;
	size_t len;
	const char *html; /* html_len bytes; 0 = none */
	size_t html_len;
	const char *language; /* NULL = unknown */
	inward_late_fn *on_late;
	void *arg;
};

/* Starts the deadline.  ERR_NOMEM: the ticket is still the caller's. */
int inward_new(struct inward **out, const struct inward_opts *opts);
/* Another copy of it came.  ERR_FULL: the ticket is still the caller's. */
int inward_join(struct inward *in, struct edges_ticket ticket);
/* A message that corrects it comes before it was sent: the text is that one's
 * from now on.  ERR_FULL, ERR_NOMEM: nothing has changed. */
int inward_correct(struct inward *in, const struct inward_opts *opts);

/* Each answers all copies, settles the duplicates, frees. */
void inward_delivered(struct inward *in);
/* Its sender took it back in time. */
void inward_withdrawn(struct inward *in);
void inward_failed(struct inward *in, enum condition condition,
    const char *type, const char *text);
/* Its addressee has another address now, "xmpp:..." (RFC 6120 8.3.3.5). */
void inward_gone(struct inward *in, const char *text, const char *gone_to);
/* The gateway stops: freed without an answer, so that the edge keeps it for
 * the next start. */
void inward_abandon(struct inward *in);

#endif
