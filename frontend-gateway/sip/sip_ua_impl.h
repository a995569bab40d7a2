/*
 * sip_ua_impl - what the files of the user agent share; for them alone.
 *
 *   sip_ua.c         life, texts, the way down and up
 *   sip_ua_dialog.c  the table of dialogs, dialogs of subscriptions
 *   sip_ua_in.c      requests of the pool
 *   sip_ua_answer.c  our answers to them
 *   sip_ua_out.c     requests of ours and the pool's answers
 *   sip_ua_session.c time limits of sessions
 */
#ifndef FRONTEND_GATEWAY_SIP_SIP_UA_IMPL_H
#define FRONTEND_GATEWAY_SIP_SIP_UA_IMPL_H

#include "common/buf.h"
#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "frontend-gateway/sip/sip_build.h"
#include "frontend-gateway/sip/sip_diagnostics.h"
#include "frontend-gateway/sip/sip_product.h"
#include "frontend-gateway/sip/sip_session.h"
#include "frontend-gateway/sip/sip_ua.h"

/* Option tags we understand: all that a Require may ask for. */
#define SIP_UA_SUPPORTED "ms-dialog-route-set-update, timer"

struct sip_ua {
	struct sip_ua_opts opts;
	struct sip_timers timers;
	struct log log;
	char *fqdn;
	char *sent_by; /* "fqdn:port" */
	char *allow;   /* value of Allow */
	char product[SIP_PRODUCT_SIZE];
	unsigned methods;
	struct sip_transport *transport;
	struct sip_txns *txns;
	struct map dialogs;
	struct list dialog_list;
	size_t dialog_count;
	struct list calls;
	uint64_t requests_in, requests_out;
	bool closing;
};

/* A dialog with what the user agent does for it. */
struct ua_dialog {
	struct sip_dialog d;
	struct sip_ua *ua;
	const struct sip_dialog_owner *owner; /* NULL: an INVITE's */
	struct list node;                     /* ua->dialog_list */
	struct list of_call;                  /* early ones: the INVITE's */
	char *contact;                        /* ours, whole value */
	bool shown;                           /* somebody above knows it */
	bool left; /* ... and has left it: BYE follows the ACK */
	/* A 2xx of ours to an INVITE, until its ACK is in. */
	bool waiting;
	struct buf answer;
	uint64_t conn;
	uint32_t cseq;
	uint32_t interval;
	uint64_t give_up_ms;
	struct clock_timer repeat;
	/* The time limit of an INVITE's session. */
	struct sip_session session;
	bool updates; /* the peer takes UPDATE */
	uint64_t refreshed_ms;
	struct sip_ua_call *refresh; /* under way; or NULL */
	struct clock_timer limit;
};

struct sip_ua_call {
	struct sip_ua *ua;
	struct list node;
	struct sip_client_txn *txn;
	enum sip_method method;
	sip_ua_result_fn *fn; /* NULL once nobody is interested */
	void *arg;
	bool dropped;
	/* INVITE: */
	void *user;
	char *from, *uri, *contact;
	struct list early;
	size_t early_count;
	struct buf ack; /* to the 2xx that was taken */
	char *ack_tag;  /* its To tag */
};

/* --- sip_ua.c ----------------------------------------------------------- */

/* The value of User-Agent and Server; NULL = neither. */
const char *sip_ua_product(const struct sip_ua *ua);
/* Appends our Contact for that address. */
int sip_ua_contact(struct buf *out, const struct sip_ua *ua, const char *uri);
/* Whether a method within a dialog tells a new Contact (RFC 3261 12.2; RFC 6665
 * 3.1, 3.2), INVITE aside, which has its own way here. */
bool sip_ua_refreshes(enum sip_method method);
/* "z9hG4bK" and 32 digits. */
enum { SIP_UA_BRANCH_SIZE = 40 };
void sip_ua_branch(char *out);
/* The front end that the dialog's route names, or NULL; out holds size. */
const char *
sip_ua_front_end(char *out, size_t size, const struct sip_dialog *d);

/* --- sip_ua_dialog.c ---------------------------------------------------- */

/* A dialog in no table yet; *out->d is to be initialised next. */
int sip_ua_dialog_new(
    struct ua_dialog **out, struct sip_ua *ua, const char *contact);
int sip_ua_dialog_add(struct ua_dialog *ud);
struct ua_dialog *sip_ua_dialog_find(struct sip_ua *ua, const char *call_id,
    const char *local_tag, const char *remote_tag);
/* The whole dialog that a request of the pool is in; NULL: none. */
struct ua_dialog *
sip_ua_dialog_of(struct sip_ua *ua, const struct sip_msg *req);
/* Takes it out of the table and frees it; nobody is told. */
void sip_ua_dialog_free(struct ua_dialog *ud);
/* Tells the owner, if there is one, and frees. */
void sip_ua_dialog_over(struct ua_dialog *ud, enum sip_dialog_end why);
/* The half dialog that this NOTIFY or BENOTIFY completes; NULL: there is none,
 * or it cannot. */
struct ua_dialog *
sip_ua_dialog_notified(struct sip_ua *ua, const struct sip_msg *notify);
/* Takes over a 2xx to a request of ours that refreshes the target: into the
 * dialog it is of, or the half one it completes. */
struct sip_dialog *
sip_ua_dialog_answered(struct sip_ua *ua, const struct sip_msg *m);
/* The dialog that a request is in, or that was made of it. */
struct ua_dialog *
sip_ua_dialog_of_txn(struct sip_ua *ua, const struct sip_server_txn *st);

/* --- sip_ua_in.c -------------------------------------------------------- */

void sip_ua_in_request(struct sip_ua *ua, struct sip_server_txn *st);
void sip_ua_in_cancel(struct sip_ua *ua, struct sip_server_txn *st);
void sip_ua_in_benotify(struct sip_ua *ua, const struct sip_msg *m);
/* Withdraws all that is open. */
void sip_ua_in_close(struct sip_ua *ua);

/* --- sip_ua_answer.c ---------------------------------------------------- */

/* An answer of our own making.  With constant texts it can fail only for want
 * of memory; the peer then learns by its timer. */
void sip_ua_answer_self(struct sip_ua *ua, struct sip_server_txn *st,
    const struct sip_answer *a, const char *contact);
/* One that is logged, with a reason for the administrator. */
void sip_ua_answer_refuse(struct sip_ua *ua, struct sip_server_txn *st,
    int status, unsigned diagnostics, const char *reason);
/* An ACK to a 2xx. */
void sip_ua_answer_acknowledged(struct sip_ua *ua, const struct sip_msg *ack);
/* The ACK is late: the 2xx again, or the end of the dialog. */
void sip_ua_answer_repeat(struct ua_dialog *ud);

/* --- sip_ua_session.c --------------------------------------------------- */

void sip_ua_session_init(struct ua_dialog *ud);
/* No more refreshes, no end by time. */
void sip_ua_session_stop(struct ua_dialog *ud);
/* The session was brought about or refreshed now, by the terms it has. */
void sip_ua_session_start(struct ua_dialog *ud);
/* Takes the terms over from an INVITE or UPDATE that is being accepted. */
void sip_ua_session_asked(struct ua_dialog *ud, const struct sip_msg *request);
/* The same from the 2xx to an INVITE of ours; starts. */
void
sip_ua_session_answered(struct ua_dialog *ud, const struct sip_msg *response);

/* --- sip_ua_out.c ------------------------------------------------------- */

/* From, To, Call-ID and Contact of a request outside a dialog; to be finished
 * in any case. */
struct sip_ua_fresh {
	struct buf from, to, contact;
	char call_id[33];
};
int sip_ua_out_fresh(struct sip_ua_fresh *f, const struct sip_ua *ua,
    const struct sip_question *q);
void sip_ua_out_fresh_finish(struct sip_ua_fresh *f);
/* Sends BYE and forgets the answer. */
void sip_ua_out_bye(
    struct ua_dialog *ud, const struct sip_header *headers, size_t count);
void sip_ua_out_close(struct sip_ua *ua);

#endif
