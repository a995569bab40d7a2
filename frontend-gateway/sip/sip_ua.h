/*
 * sip_ua - the SIP side of the gateway for those who hold conversations.
 *
 * Stands on the transport (TLS connections with the pool), transactions and
 * dialogs, and keeps their rules to itself: tags, branches, CSeq, route sets,
 * ACK, retransmission of a 2xx, 100 Trying, CANCEL.  It knows the pool and
 * no users, and nothing of XMPP.  Dialogs are made by INVITE, for whoever
 * opened ua, or by SUBSCRIBE, each for an owner of its own.
 *
 * Answered here, never seen above: OPTIONS, NEGOTIATE, BYE (reported as the
 * end of the dialog), UPDATE without body, the time limits of sessions
 * (RFC 4028; 422), requests of unknown dialogs (481),
 * extensions required but not understood (420), malformed ones (400, 416,
 * 505), methods not in opts.methods (405, 489, 501; BENOTIFY is never
 * answered), bodies above body_max (413), NOTIFYs of no subscription (481),
 * what does not belong in a dialog made by the other method (481, 489).
 *
 * Owns     sockets, transactions, dialogs.
 * Borrows  loop, clock, TLS identity, event table: all outlive it.
 * Ends     sip_ua_close() drops everything without a word to the peers: calls
 *          end with SIP_OUTCOME_TRANSPORT, requests are withdrawn, dialogs
 *          end; on_closed comes once, when the last socket is gone.
 * Errors   0 or a negative code.  A failed call has no effect and causes no
 *          callback.
 *
 * Calls are allowed from within the callbacks, save sip_ua_close().
 */
#ifndef FRONTEND_GATEWAY_SIP_SIP_UA_H
#define FRONTEND_GATEWAY_SIP_SIP_UA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "frontend-gateway/sip/sip_dialog.h"
#include "frontend-gateway/sip/sip_msg.h"
#include "frontend-gateway/sip/sip_transaction.h"
#include "frontend-gateway/sip/sip_transport.h"

struct clock;
struct sip_image;
struct tls_identity;
struct sip_ua;
struct sip_ua_call;

/* How a dialog ended, when not by sip_ua_bye(). */
#define SIP_DIALOG_ENDS(X)                                                     \
	X(SIP_DIALOG_END_BYE, "the peer said BYE")                             \
	X(SIP_DIALOG_END_NO_ACK, "the peer did not acknowledge the 200")       \
	X(SIP_DIALOG_END_FAILED, "the call came to nothing")                   \
	X(SIP_DIALOG_END_EXPIRED, "its time was over")                         \
	X(SIP_DIALOG_END_LOST, "the peer has lost it")                         \
	X(SIP_DIALOG_END_CLOSED, "the gateway stops")

enum sip_dialog_end {
#define X(name, text) name,
	SIP_DIALOG_ENDS(X)
#undef X
	    SIP_DIALOG_END_COUNT
};
const char *sip_dialog_end_str(enum sip_dialog_end why);

struct sip_ua_events {
	/* A request of one of opts.methods; in a dialog when d is not NULL.
	 * req lives until st is answered.  Answer with sip_ua_respond() or
	 * sip_ua_accept(), now or later.  A re-INVITE comes here, too; of
	 * SUBSCRIBE only one outside a dialog, and no NOTIFY or BENOTIFY:
	 * those are the business of struct sip_dialog_owner.
	 * d may be one that an INVITE of ours is only about to make, when a
	 * request overtakes the 200: its user is the question's; it is the
	 * result's dialog later, or ends with SIP_DIALOG_END_FAILED. */
	void (*on_request)(struct sip_ua *ua, struct sip_server_txn *st,
	    const struct sip_msg *req, struct sip_dialog *d, void *arg);
	/* The INVITE was cancelled (487 goes out by itself), or ua closes: do
	 * not answer st, it is gone when this returns. */
	void (*on_withdrawn)(
	    struct sip_ua *ua, struct sip_server_txn *st, void *arg);
	/* The ACK of a dialog accepted by us is in.  Requests within the
	 * dialog need not wait for it.  May be NULL. */
	void (*on_acknowledged)(struct sip_ua *ua, struct sip_dialog *d,
	    const struct sip_msg *ack, void *arg);
	/* d is gone when this returns. */
	void (*on_dialog_end)(struct sip_ua *ua, struct sip_dialog *d,
	    enum sip_dialog_end why, void *arg);
	/* The first connection to the pool came up, or the last one went.
	 * May be NULL. */
	void (*on_reachable)(struct sip_ua *ua, bool reachable, void *arg);
	void (*on_closed)(struct sip_ua *ua, void *arg);
};

enum sip_contact_form {
	SIP_CONTACT_GATEWAY, /* <sip:bo@gw.example:5061;transport=tls> */
	SIP_CONTACT_GRUU     /* <sip:bo@partner.example;opaque=...;gruu> */
};

struct sip_ua_opts {
	uv_loop_t *loop;
	struct clock *clock;
	/* TLS_PEER_REQUIRED; borrowed. */
	const struct tls_identity *tls;
	const char *fqdn; /* ours: Via, Contact, diagnostics */
	uint16_t port;    /* the one the pool reaches us at; 0 = 5061 */
	const struct sockaddr_storage *listen;
	size_t listen_count;
	const char *pool; /* FQDN */
	const struct sip_front_end *front_ends;
	size_t front_end_count;
	unsigned connections; /* of ours to each front end; 0 = 1 */
	uint32_t probe_ms;    /* of quiet before OPTIONS; 0 = never */
	enum sip_negotiate_reply negotiate_reply;
	enum sip_contact_form contact;
	/* sip_product_is_valid(), or "" to say nothing; NULL = the default. */
	const char *product;
	/* SIP_METHOD_BIT()s that on_request wants, of INVITE, MESSAGE, INFO,
	 * SUBSCRIBE, REFER ...; 0 = INVITE MESSAGE INFO.  They are listed in
	 * Allow; NOTIFY and BENOTIFY belong here for that alone, when there
	 * are subscriptions. */
	unsigned methods;
	struct sip_timers timers;
	size_t head_max;    /* bytes of a header block; 0 = 256 KiB */
	size_t body_max;    /* bytes; 0 = 256 KiB */
	size_t calls_max;   /* own and foreign transactions; 0 = 100000 */
	size_t dialogs_max; /* 0 = 100000 */
	const struct sip_ua_events *events; /* borrowed, static */
	void *arg;
};

/* Binds, listens, starts connecting.  opts and its texts are copied; why
 * (size bytes) tells an admin what failed. */
int sip_ua_open(struct sip_ua **out, const struct sip_ua_opts *opts, char *why,
    size_t size);
void sip_ua_close(struct sip_ua *ua);
/* New connections use this identity from now on; borrowed. */
void sip_ua_set_tls(struct sip_ua *ua, const struct tls_identity *tls);
/* User-Agent and Server from the next message on; as opts.product. */
void sip_ua_set_product(struct sip_ua *ua, const char *product);
/* As sip_transport_set_tap(). */
void sip_ua_set_tap(struct sip_ua *ua, const struct sip_tap *tap);
/* As sip_transport_set_front_ends(). */
int sip_ua_set_front_ends(
    struct sip_ua *ua, const struct sip_front_end *front_ends, size_t count);
/* Whether any connection with the pool is up. */
bool sip_ua_reachable(const struct sip_ua *ua);

struct sip_ua_stats {
	size_t connections; /* secured ones, both directions */
	size_t client_txns, server_txns, dialogs;
	uint64_t requests_in, requests_out;
};
void sip_ua_get_stats(const struct sip_ua *ua, struct sip_ua_stats *out);
const struct sip_delays *sip_ua_delays(const struct sip_ua *ua);
/* As sip_transport_each_front_end(). */
void
sip_ua_each_front_end(const struct sip_ua *ua, sip_front_end_fn *fn, void *arg);

/* --- answering ---------------------------------------------------------- */

/* An answer.  Zeroed members are left out.  Via, From, To, Call-ID, CSeq,
 * Record-Route, Contact, Allow (405, 2xx to INVITE), Server and
 * Content-Length are added here. */
struct sip_answer {
	int status;
	const char *reason; /* NULL = the usual one */
	const struct sip_header *headers;
	size_t header_count;
	/* "ms-diagnostics: <id>;reason=...;source=<fqdn>;component=..." */
	unsigned diagnostics;
	const char *diagnostics_reason;
	const char *content_type; /* NULL = no body */
	const void *body;
	size_t body_len;
};

/* Provisional or final answer.  After a final one st is gone for the caller,
 * even when no connection could take it (that is logged).  A 2xx to an
 * INVITE outside a dialog goes through sip_ua_accept().  ERR_MALFORMED for
 * an answer that cannot be put in a message (CR, LF): st is still open. */
int sip_ua_respond(struct sip_ua *ua, struct sip_server_txn *st,
    const struct sip_answer *answer);
/* Short form: status, diagnostics id and reason (0, NULL = none). */
int sip_ua_refuse(struct sip_ua *ua, struct sip_server_txn *st, int status,
    unsigned diagnostics, const char *reason);
/* 2xx to an INVITE outside a dialog: makes the dialog and repeats the answer
 * until the ACK is there.  On error st is still open: ERR_MALFORMED for an
 * INVITE without Contact or an answer that cannot be written, ERR_FULL at
 * dialogs_max. */
int sip_ua_accept(struct sip_dialog **out, struct sip_ua *ua,
    struct sip_server_txn *st, const struct sip_answer *answer, void *user);
/* The request of a transaction that is still to be answered. */
const struct sip_msg *sip_ua_request_of(const struct sip_server_txn *st);

/* --- asking ------------------------------------------------------------- */

enum sip_outcome {
	SIP_OUTCOME_RESPONSE,
	SIP_OUTCOME_TIMEOUT,  /* no final answer in time */
	SIP_OUTCOME_TRANSPORT /* its connection broke: fate unknown */
};

struct sip_result {
	enum sip_outcome outcome;
	bool final; /* false: provisional, more will come */
	int status; /* of the response; 408 on timeout, 503 on transport */
	const struct sip_msg *response; /* NULL unless RESPONSE */
	/* 2xx to an INVITE: the new dialog, ACK sent.  (A 2xx that lacks what
	 * a dialog needs is told as status 502.)  2xx to UPDATE, SUBSCRIBE or
	 * NOTIFY: the dialog that took it, if there still is one; that of a
	 * SUBSCRIBE may be half, see sip_dialog.h.  NULL otherwise. */
	struct sip_dialog *dialog;
};

/* Called for each provisional answer but 100, and once with final set; call is
 * gone when that one returns.  A second 2xx from a fork is acknowledged and
 * ended here. */
typedef void sip_ua_result_fn(struct sip_ua *ua, struct sip_ua_call *call,
    const struct sip_result *result, void *arg);

struct sip_question {
	enum sip_method method;
	/* Outside a dialog only: */
	const char *uri;          /* Request-URI */
	const char *from_uri;     /* "sip:bo@partner.example" */
	const char *from_display; /* UTF-8, is quoted here; may be NULL */
	const char *from_epid;    /* up to 16 letters and digits, or NULL */
	const char *to_uri;       /* NULL = uri */
	/* Both: */
	const struct sip_header *headers;
	size_t header_count;
	const char *content_type;
	const void *body;
	size_t body_len;
	sip_ua_result_fn *on_result;
	void *arg;
	void *user; /* INVITE: becomes the dialog's */
};

/* A request outside a dialog; INVITE makes one.  ERR_CLOSED when no
 * connection with the pool is up, ERR_FULL at a limit. */
int sip_ua_ask(
    struct sip_ua_call **out, struct sip_ua *ua, const struct sip_question *q);
/* A request within d (MESSAGE, INFO ...; not INVITE, BYE). */
int sip_ua_ask_in(struct sip_ua_call **out, struct sip_ua *ua,
    struct sip_dialog *d, const struct sip_question *q);
/* Cancels an INVITE; its result still comes, and may be a dialog. */
void sip_ua_cancel(struct sip_ua *ua, struct sip_ua_call *call);
/* No more results are wanted; call is gone at once.  An INVITE is
 * cancelled (and ended with BYE when a 2xx crosses the CANCEL). */
void sip_ua_drop(struct sip_ua *ua, struct sip_ua_call *call);
/* Ends a dialog; d is gone at once for the caller, on_dialog_end does not
 * come.  Calls within it that are under way still get their results. */
void sip_ua_bye(struct sip_ua *ua, struct sip_dialog *d);
/* The same with the cause, as Reason (RFC 3326) and ms-diagnostics; a dialog
 * that still waits for its ACK ends without. */
void sip_ua_bye_because(struct sip_ua *ua, struct sip_dialog *d,
    unsigned diagnostics, int status, const char *reason);
/* Forgets a dialog the peer has lost (481, 408), without BYE. */
void sip_ua_forget(struct sip_ua *ua, struct sip_dialog *d);

/* --- dialogs of subscriptions (RFC 6665) -------------------------------- */

/* The business of a dialog made by SUBSCRIBE.  What comes in it and is none of
 * these methods never gets here.  sip_dialog_user() tells whose it is; within
 * these calls, all others but sip_ua_close() are allowed. */
struct sip_dialog_owner {
	/* SUBSCRIBE or NOTIFY, in order (CSeq), or BENOTIFY, with st NULL.
	 * The first NOTIFY may make the dialog whole before the 2xx does.
	 * sip_ua_respond() with a 2xx takes its Contact over.  req lives until
	 * this returns, and longer while st is not answered. */
	void (*on_request)(struct sip_ua *ua, struct sip_server_txn *st,
	    const struct sip_msg *req, struct sip_dialog *d);
	/* ua closes: st is not to be answered any more. */
	void (*on_withdrawn)(
	    struct sip_ua *ua, struct sip_server_txn *st, struct sip_dialog *d);
	/* ua closes: d is gone when this returns. */
	void (*on_end)(struct sip_ua *ua, struct sip_dialog *d);
};

/* The dialog of a SUBSCRIBE of ours that is sent next, by sip_ua_ask_in(), and
 * again if it has to be (423): half, until a 2xx or a NOTIFY completes it.  Of
 * who, the addresses are read.  All of these dialogs end with
 * sip_ua_forget(). */
int sip_ua_dialog_prepare(struct sip_dialog **out, struct sip_ua *ua,
    const struct sip_question *who, const struct sip_dialog_owner *owner,
    void *user);
/* The dialog of a SUBSCRIBE outside a dialog that is still to be answered.  On
 * error st is as before: ERR_MALFORMED without Contact, ERR_FULL. */
int sip_ua_dialog_take(struct sip_dialog **out, struct sip_ua *ua,
    struct sip_server_txn *st, const struct sip_dialog_owner *owner,
    void *user);
/* A dialog that sip_dialog_save() has written.  ERR_MALFORMED, ERR_EXISTS,
 * ERR_FULL. */
int sip_ua_dialog_restore(struct sip_dialog **out, struct sip_ua *ua,
    struct sip_image *im, const struct sip_dialog_owner *owner, void *user);

#endif
