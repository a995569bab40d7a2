/*
 * conversations_impl - what the files of conversations share: the record, and
 * the look-up of a pair.  Nobody else includes it.
 *
 * conversations.c         the table, the pool's side, life
 * conversations_inward.c  messages from XMPP users
 * conversations_bounces.c errors from their servers
 * conversations_rights.c  whose right to chat has gone
 * conversations_list.c    what an operator is told
 */
#ifndef GATEWAY_CONVERSATION_CONVERSATIONS_IMPL_H
#define GATEWAY_CONVERSATION_CONVERSATIONS_IMPL_H

#include <stdbool.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "frontend-gateway/conversation/conversation.h"
#include "frontend-gateway/conversation/conversations.h"
#include "frontend-gateway/edges.h"

struct duplicates;
struct frame;
struct guard_addresses;
struct jid;
struct notices;
struct outwards;
struct policy_refusal;
struct said;

/* A pair's key lives with its conversation. */
struct conversations_entry {
	struct conversation *conversation;
	struct map_node node;
	struct list forbidden; /* it is to be closed */
	size_t len;
	char key[];
};

struct conversations {
	struct conversations_opts opts;
	struct conversation_env env;
	struct conversation_counts counts;
	struct outwards *outwards;
	struct notices *notices;
	struct duplicates *duplicates;
	struct said *said;
	struct map pairs;
	struct list forbidden;      /* entries that are to be closed */
	struct clock_timer closing; /* some more of them */
	struct log log;
	bool stopping;
};

/* --- conversations.c ----------------------------------------------------- */

/* The pair's conversation; NULL when there is none. */
struct conversation *conversations_find(
    const struct conversations *cs, const char *user, const char *contact);
struct conversations_entry *conversations_find_entry(
    const struct conversations *cs, const char *user, const char *contact);
/* The same, a new one if there is none.  ERR_FULL, ERR_JID (an address that
 * SIP cannot carry), ERR_NOMEM. */
int conversations_get(struct conversation **out, struct conversations *cs,
    const struct jid *user, const struct jid *contact);

/* --- conversations_rights.c ---------------------------------------------- */

void conversations_rights_init(struct conversations *cs);
void conversations_rights_finish(struct conversations *cs);
/* Whether the user may chat with the contact no more, but the conversation has
 * not been closed yet. */
bool conversations_rights_gone(const struct conversations *cs,
    struct policy_refusal *why, const struct conversation *c);

/* --- conversations_inward.c ---------------------------------------------- */

/* There is nothing more to do for it. */
void conversations_inward_taken(
    struct conversations *cs, struct edges_ticket ticket);
/* A message that is no error.  Answered here, now or later. */
void conversations_inward_message(struct conversations *cs,
    struct edges_ticket ticket, const struct frame *f,
    const struct guard_addresses *who, const struct edges_stream *stream);

/* --- conversations_bounces.c --------------------------------------------- */

/* A message of type error: something of ours was bounced, or is said to
 * be. */
void
conversations_bounces_take(struct conversations *cs, struct edges_ticket ticket,
    const struct frame *f, const struct guard_addresses *who);
/* A line of our own into the chat of that pair (bare JIDs). */
void conversations_bounces_line(
    const char *user, const char *contact, const char *line, void *arg);

#endif
