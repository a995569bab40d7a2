/*
 * conversation - one chat between a Lync user and an XMPP user.
 *
 *              first message               200
 *   +------+ ----------------> +----------+ --> +------+
 *   | idle | <---------------- | inviting |     | open |
 *   +------+     refused       +----------+ <-- +------+
 *      |  ^                     dialog lost        |  ^
 *      |  +----------- BYE, idle time -------------+  |
 *      +--------------- the Lync user's INVITE -------+
 *
 * Towards Lync messages wait in a queue and go one at a time: the first in
 * an INVITE, the others as MESSAGE in the dialog.  A message that meets a dead
 * dialog is sent once more in a new INVITE.  From Lync messages go out at once;
 * their custody is outward's.
 *
 * Owns     dialogs, calls, the queue.
 * Borrows  struct conversation_env.
 * Ends     when it has nothing left to do it says so (env->on_unused) and is
 *          freed by who holds it.  Every function below may end with that.
 */
#ifndef GATEWAY_CONVERSATION_CONVERSATION_H
#define GATEWAY_CONVERSATION_CONVERSATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "frontend-gateway/conversation/inward.h"
#include "frontend-gateway/translate/ids.h"

struct conversation;
struct gateway_conf;
struct jid;
struct outwards;
struct policy;
struct said;
struct sip_dialog;
struct sip_msg;
struct sip_server_txn;
struct sip_ua;

/* What happened to messages for Lync users since the start. */
struct conversation_counts {
	uint64_t delivered, failed; /* contacts' messages */
	uint64_t denied;            /* by policy */
	uint64_t sent_again;        /* in another dialog, as theirs was lost */
	uint64_t doubled; /* of these, taken after the answer to the first
	                        try was lost: perhaps seen twice */
};

struct conversation_env {
	const struct gateway_conf *conf;
	struct clock *clock;
	struct edges *edges;
	struct sip_ua *ua;
	struct policy *policy;
	struct outwards *outwards;
	struct said *said;
	struct ids_secret secret; /* of ids and threads */
	struct inward_env inward;
	struct conversation_counts *counts;
	/* c is of no use any more: free it. */
	void (*on_unused)(struct conversation *c, void *arg);
	void *arg;
};

/* user: the Lync user; contact: the XMPP user; resources are ignored. */
int
conversation_new(struct conversation **out, const struct conversation_env *env,
    const struct jid *user, const struct jid *contact);
/* Without a word to anybody: the queue's messages stay unanswered. */
void conversation_free(struct conversation *c);

/* Bare JIDs. */
const char *conversation_user(const struct conversation *c);
const char *conversation_contact(const struct conversation *c);
/* Their domains, in comparable form. */
const char *conversation_user_domain(const struct conversation *c);
const char *conversation_contact_domain(const struct conversation *c);

/* For an operator, without anything that was said: {"key", "user", "contact",
 * "state", "since", "edge", "dialogs", "queued", "under_way", "from_user",
 * "from_contact"}.  The caller's; NULL without memory. */
json_t *conversation_view(const struct conversation *c);
/* "idle", "inviting", "open" */
const char *conversation_state_str(const struct conversation *c);

/* --- from the XMPP side -------------------------------------------------- */

/* A message for the Lync user; opts without on_late and arg.  ERR_FULL,
 * ERR_NOMEM: it is the caller's to answer. */
int conversation_take(struct conversation *c, const struct inward_opts *opts);
/* A chat state (XEP-0085) without a text. */
void conversation_state(struct conversation *c, const char *state);
/* A text of his was taken; with_state: it carried a chat state. */
void conversation_wrote(struct conversation *c, bool with_state);
/* His server bounced a chat state of ours. */
void conversation_state_bounced(struct conversation *c);
/* Whether the id is of a stanza that bore nothing but a chat state. */
bool conversation_is_state_id(const char *id);
/* The dialog of an endpoint that lists disposition notifications, NULL when the
 * current one does not; *contact_uri is who they are about. */
struct sip_dialog *
conversation_notifiable(const struct conversation *c, const char **contact_uri);
/* Answers go to the contact's bare JID until he writes again: some resource of
 * his has come, changed or gone (RFC 6121 5.1). */
void conversation_unlock(struct conversation *c);
/* Something without a text came from that resource; if it is another than the
 * one he writes from, he has moved. */
void conversation_heard(struct conversation *c, const char *full);

/* Whether a message of the contact with that id has not been sent yet. */
bool conversation_waits(const struct conversation *c, const char *id);
/* A message that corrects the one with that id, in time: opts as with
 * conversation_take().  ERR_NOT_FOUND, ERR_FULL, ERR_NOMEM: it is the caller's
 * to answer. */
int conversation_correct(
    struct conversation *c, const char *id, const struct inward_opts *opts);
/* The contact takes that message back; false when it is too late.  May end
 * with c. */
bool conversation_withdraw(struct conversation *c, const char *id);

/* --- from the SIP side ---------------------------------------------------- */

/* An INVITE for an IM session that policy lets pass.  Answered here. */
void conversation_invited(struct conversation *c, struct sip_server_txn *st,
    const struct sip_msg *req);
/* The ACK of a dialog that the user began. */
void conversation_acknowledged(
    struct conversation *c, struct sip_dialog *d, const struct sip_msg *ack);
/* A request in dialog d, or a MESSAGE outside (d NULL).  Answered here. */
void conversation_requested(struct conversation *c, struct sip_server_txn *st,
    const struct sip_msg *req, struct sip_dialog *d);
/* The dialog ended; by BYE of the peer, or otherwise. */
void conversation_dialog_ended(
    struct conversation *c, struct sip_dialog *d, bool bye);
/* Starts what can be started now (the pool can be reached again), or says
 * that there is nothing left. */
void conversation_settle(struct conversation *c);

/* The two may not speak to each other any more: BYE, and what waits for the
 * Lync user fails.  What she wrote and is under way is left to its answer. */
void conversation_forbid(struct conversation *c, const struct errors_sip *why);
/* Says BYE to every dialog; for the end of the program. */
void conversation_hang_up(struct conversation *c);

#endif
