/*
 * conversations - all chats of the gateway, by pair, and the two doors to
 * them: stanza frames from edges and requests from the pool.
 *
 * What comes in by either is checked here (guard, policy, sizes) before a
 * conversation hears of it; what is refused never reaches the other side.
 *
 * Owns     conversations, outward custody, duplicates.
 * Borrows  everything in its options.
 * Bounds   limits.conversations pairs at a time.
 */
#ifndef GATEWAY_CONVERSATION_CONVERSATIONS_H
#define GATEWAY_CONVERSATION_CONVERSATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "frontend-gateway/conversation/outward.h"
#include "frontend-gateway/edges.h"
#include "frontend-gateway/sip/sip_ua.h"
#include "frontend-gateway/translate/ids.h"

struct barrier;
struct conversation_counts;
struct conversations;
struct gateway_conf;
struct policy;

struct conversations_opts {
	const struct gateway_conf *conf;
	struct clock *clock;
	struct edges *edges;
	struct sip_ua *ua;
	struct policy *policy;
	struct barrier *barrier;
	struct ids_secret secret;
};

int conversations_new(
    struct conversations **out, const struct conversations_opts *opts);
/* Nobody is told. */
void conversations_free(struct conversations *cs);

/* A message frame that the guard let pass.  Answered here or later. */
void conversations_on_stanza(struct conversations *cs,
    struct edges_ticket ticket, const struct frame *f,
    const struct guard_addresses *who, const struct edges_stream *stream);
/* A presence frame: somebody may be gone.  It is answered elsewhere. */
void conversations_on_presence(struct conversations *cs, const struct frame *f,
    const struct guard_addresses *who);
void conversations_on_lost(struct conversations *cs, unsigned edge);
/* The edge is another boot now. */
void conversations_on_renewed(struct conversations *cs, unsigned edge);

/* The events of struct sip_ua_events. */
void conversations_on_request(struct conversations *cs,
    struct sip_server_txn *st, const struct sip_msg *req, struct sip_dialog *d);
void
conversations_on_withdrawn(struct conversations *cs, struct sip_server_txn *st);
void conversations_on_acknowledged(
    struct conversations *cs, struct sip_dialog *d, const struct sip_msg *ack);
void conversations_on_dialog_end(
    struct conversations *cs, struct sip_dialog *d, enum sip_dialog_end why);
void conversations_on_reachable(struct conversations *cs);

/* The configuration has changed: deadlines of messages to come, and chats that
 * are permitted no more end. */
void conversations_recheck(struct conversations *cs);
/* The rights of user (NULL: of anybody) may have changed: the same for her
 * chats. */
void conversations_rights_changed(struct conversations *cs, const char *user);

/* The end of the program: nothing new is begun; messages of Lync users under
 * way may still be answered (their number). */
size_t conversations_stop(struct conversations *cs);
size_t conversations_pending(const struct conversations *cs);
/* Answers what is left and says BYE to all. */
void conversations_hang_up(struct conversations *cs);

/* Which conversations an operator wants to see; NULL = all. */
struct conversations_query {
	const char *user, *contact; /* patterns, as `fits` knows them */
	const char *state;          /* "open" ... */
	const char *after;          /* the key of the last one seen */
	size_t limit;
	bool (*fits)(const char *pattern, const char *text);
};

/* {"items": [as conversation_view() has them], "next": key}, by user, then by
 * contact; "next" when there are more.  The caller's; NULL without memory. */
json_t *conversations_list(
    const struct conversations *cs, const struct conversations_query *q);
size_t conversations_count(const struct conversations *cs);
/* Messages of Lync users that were bounced behind their 200. */
uint64_t conversations_late_failures(const struct conversations *cs);
const struct conversation_counts *
conversations_counts(const struct conversations *cs);
const struct outwards_counts *
conversations_outward_counts(const struct conversations *cs);
/* Lync users told that a message behind its 200 failed. */
uint64_t conversations_notices(const struct conversations *cs);

/* --- conversations_try.c -------------------------------------------------- */

/* A message in a user's name that no pool waits for. */
struct conversations_trial {
	const struct jid *user, *contact; /* both have a local part */
	const char *text;
};
/* fn is told, once, perhaps from within: what her client would have been told.
 * ERR_FULL, ERR_NOMEM: fn will not be told. */
int conversations_try(struct conversations *cs,
    const struct conversations_trial *t, outward_tell_fn *fn, void *arg);

#endif
