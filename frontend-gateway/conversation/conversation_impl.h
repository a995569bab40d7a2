/*
 * conversation_impl - what the files of a conversation share: its record,
 * and the deeds that both directions need.  Nobody else includes it.
 *
 * conversation.c         state, dialogs, life
 * conversation_xmpp.c    XMPP to Lync
 * conversation_lync.c    Lync to XMPP
 * conversation_session.c what the user's INVITE, UPDATE, ACK say
 * conversation_files.c   files that older clients offer
 * conversation_moved.c   users who have another address now
 * conversation_states.c  chat states: typing, leaving
 * conversation_notice.c  what a contact is told at the beginning
 * conversation_changes.c what is corrected or taken back in time
 * conversation_view.c    what an operator is told
 */
#ifndef GATEWAY_CONVERSATION_CONVERSATION_IMPL_H
#define GATEWAY_CONVERSATION_CONVERSATION_IMPL_H

#include "common/clock.h"
#include "common/jid.h"
#include "common/list.h"
#include "common/log.h"
#include "frontend-gateway/conversation/conversation.h"
#include "frontend-gateway/conversation/typing_state.h"
#include "frontend-gateway/translate/errors.h"
#include "proto/condition.h"

struct buf;
struct sip_ua_call;

enum {
	CONVERSATION_LEGS_MAX = 8,         /* dialogs: the user's endpoints */
	CONVERSATION_TEXT_MAX = 16 * 1024, /* a header's value, an SDP */
	CONVERSATION_SDP_PORT = 5061,      /* means nothing without media */
	CONVERSATION_ID_SIZE = 48
};

enum conversation_state {
	CONVERSATION_IDLE,
	CONVERSATION_INVITING,
	CONVERSATION_OPEN,
	CONVERSATION_COUNT
};

/* One dialog of the pair. */
struct leg {
	struct sip_dialog *dialog;
	unsigned accepts; /* SIP_SDP_BIT()s of what the endpoint takes */
	bool offered;     /* by us, in a 200; its ACK will answer */
	char thread[IDS_THREAD_SIZE];
};

struct conversation {
	const struct conversation_env *env;
	struct log log;
	enum conversation_state state;

	struct jid user, contact; /* bare */
	char *user_uri, *contact_uri;
	char *from;         /* the user's JID with our resource */
	char *lock;         /* full JID the contact last wrote from, or NULL */
	char *their_thread; /* the contact's <thread/>, or NULL */
	unsigned edge;

	/* The current one is the last. */
	struct leg legs[CONVERSATION_LEGS_MAX];
	size_t leg_count;
	/* The thread in which the user's name was told last. */
	char named[IDS_THREAD_SIZE];

	struct list queue; /* struct inward */
	size_t queue_count, queue_bytes;
	struct inward *sent;           /* the head, on its way; or NULL */
	struct sip_ua_call *call;      /* INVITE or MESSAGE with it; or NULL */
	bool yielded;                  /* the INVITE gave way to theirs */
	struct sip_dialog *sent_in;    /* of the MESSAGE, while it lives */
	char id[CONVERSATION_ID_SIZE]; /* Ms-Conversation-ID of call */

	bool disclaimed;  /* he knows that it may be archived */
	size_t outward;   /* messages of the user under way */
	int64_t since_ms; /* when it began, since 1970 */
	/* Texts taken so far, from either side. */
	uint64_t user_texts, contact_texts;
	struct clock_timer idle;

	struct typing_state typing;
	struct sip_ua_call *info;        /* INFO under way; or NULL */
	struct sip_dialog *info_in;      /* its dialog, while it lives */
	char thread[IDS_THREAD_SIZE];    /* the last dialog's */
	struct clock_timer contact_left; /* <gone/>, and silence since */
	struct clock_timer user_left;    /* BYE, and no new dialog since */
};

/* --- conversation.c ----------------------------------------------------- */

/* The only writer of c->state. */
void conversation_set_state(struct conversation *c, enum conversation_state to);
/* The current leg; NULL without one. */
struct leg *conversation_leg(struct conversation *c);

/* The current dialog; NULL without one. */
struct sip_dialog *conversation_dialog(const struct conversation *c);
/* The peer has lost the dialog. */
void conversation_drop_dialog(struct conversation *c, struct sip_dialog *d);
/* The same; those begun before it are not to be trusted either. */
void conversation_drop_through(struct conversation *c, struct sip_dialog *d);

/* BYE in one of the dialogs. */
void conversation_end_dialog(struct conversation *c, struct sip_dialog *d);

/* --- conversation_session.c --------------------------------------------- */

/* What the pool calls the conversation of a request. */
const char *conversation_name_of(const struct sip_msg *m);
void conversation_refuse(
    struct conversation *c, struct sip_server_txn *st, enum errors_cause cause);
/* An INVITE or UPDATE with an offer within d. */
void conversation_reinvited(struct conversation *c, struct sip_server_txn *st,
    const struct sip_msg *req, const struct sip_dialog *d);

/* --- conversation_states.c ---------------------------------------------- */

void conversation_states_init(struct conversation *c);
void conversation_states_stop(struct conversation *c);
/* The dialog is no longer one of c. */
void conversation_states_leave(struct conversation *c, struct sip_dialog *d);
/* A text went either way: nobody has left. */
void conversation_states_text(struct conversation *c);
/* The user has ended the last dialog. */
void conversation_states_bye(struct conversation *c);
/* Something is still to be said. */
bool conversation_states_busy(const struct conversation *c);

/* The <thread/> of what the user says: the contact's, if he has one, else the
 * one given (RFC 6121 5.2.5). */
const char *conversation_thread(const struct conversation *c, const char *own);

/* --- conversation_notice.c ---------------------------------------------- */

/* A text passes between the two: once in a conversation the contact is told
 * what policy_disclaimer() says. */
void conversation_disclaim(struct conversation *c);

/* --- conversation_xmpp.c ------------------------------------------------ */

/* Every message of the queue has failed. */
void conversation_fail_queue(struct conversation *c, enum condition why);
/* Nobody is told. */
void conversation_abandon_queue(struct conversation *c);

/* --- conversation_files.c ----------------------------------------------- */

/* A MESSAGE of APP_INVITE_TYPE; d is NULL outside a dialog.  Answered here, or
 * to be refused for the cause; ERRORS_CAUSE_COUNT = none. */
enum errors_cause conversation_files_offered(struct conversation *c,
    struct sip_server_txn *st, const struct sip_msg *req, struct sip_dialog *d);

/* --- conversation_moved.c ----------------------------------------------- */

/* The user's new address as an XMPP URI, in out, by a 301; NULL when it tells
 * none that the outside may know. */
const char *conversation_moved_to(struct buf *out, const struct conversation *c,
    const struct sip_msg *response);

/* --- both --------------------------------------------------------------- */

/* Puts off the end of an idle chat. */
void conversation_touch(struct conversation *c);
/* Gives up the call under way; its result will not come. */
void conversation_drop_call(struct conversation *c);
/* The user's INVITE met ours: the message goes where the user began, once it
 * is known that the one on the way has not shown it. */
void conversation_yield(struct conversation *c);
/* d becomes the current dialog; name is what the pool calls the
 * conversation, accepts what the endpoint takes. */
void conversation_add_leg(struct conversation *c, struct sip_dialog *d,
    const char *name, unsigned accepts);
/* Whether formatted text may pass between the two; the types that we say we
 * take. */
bool conversation_formats(const struct conversation *c);
const char *conversation_accept_types(const struct conversation *c);

#endif
