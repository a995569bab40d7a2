/*
 * inward - custody of one XMPP message on its way to a Lync user.
 *
 * The edge waits for exactly one answer for each copy of the message; it
 * gets it from inward_finish(), at the latest at the deadline, whatever the
 * pool does.  A notice of our own goes the same way; nobody waits for it.
 *
 * Borrows  the environment, which outlives it.
 */
#ifndef GATEWAY_CONVERSATION_INWARD_H
#define GATEWAY_CONVERSATION_INWARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* The deadline has passed: the owner takes the message out of its hands and
 * calls inward_finish(). */
typedef void inward_late_fn(struct inward *in, void *arg);

/* Fields are the owner's to read; link, invited, retried and unsure to write. */
struct inward {
	struct list link; /* in the queue of a conversation */
	const struct inward_env *env;
	struct edges_ticket copies[INWARD_COPIES_MAX];
	size_t copy_count;
	struct duplicate *duplicate;
	struct clock_timer deadline;
	inward_late_fn *on_late;
	void *arg;
	enum policy_standing standing;
	bool invited; /* rides in an INVITE */
	bool retried; /* was sent anew once */
	bool unsure;  /* ... while the first may have arrived */
	char *id;     /* "" = none */
	char *from;   /* full JID */
	char *nick;   /* NULL = none */
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

/* Answers all copies, settles the duplicate, frees. */
void inward_delivered(struct inward *in);
void inward_failed(struct inward *in, enum condition condition,
    const char *type, const char *text);
/* The gateway stops: freed without an answer, so that the edge keeps it for
 * the next start. */
void inward_abandon(struct inward *in);

#endif
