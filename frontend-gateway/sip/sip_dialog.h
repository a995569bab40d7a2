/*
 * sip_dialog - state of one dialog (RFC 3261 12).  No I/O, no timer.
 *
 * Route set, remote target and both addresses are kept as received: the
 * pool signs its Record-Route URIs and puts parameters of its own (epid) on
 * From and To, and wants them back byte for byte.  A target refresh (UPDATE,
 * re-INVITE) replaces the route set too, as the pool repairs broken routes
 * that way ([MS-SIPRE] 3.7), unlike RFC 3261 12.2.  SUBSCRIBE and NOTIFY do so
 * only when they say that they can (ms-dialog-route-set-update): a proxy on
 * the way need not record itself again.
 *
 * A SUBSCRIBE of ours begins with a half dialog: no tag of the peer's yet, the
 * Request-URI for a target.  Its 2xx or a NOTIFY completes it, whichever
 * comes first (RFC 6665 4.1.2.4, 4.4.1).
 *
 * Users of sip_ua.h touch no field; the functions of the first part are
 * theirs.
 */
#ifndef FRONTEND_GATEWAY_SIP_SIP_DIALOG_H
#define FRONTEND_GATEWAY_SIP_SIP_DIALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/map.h"
#include "frontend-gateway/sip/sip_msg.h"

struct buf;
struct sip_build_request;
struct sip_image;

enum sip_dialog_state {
	SIP_DIALOG_EARLY,
	SIP_DIALOG_CONFIRMED,
	SIP_DIALOG_ENDED,
	SIP_DIALOG_STATE_COUNT
};

enum { SIP_DIALOG_ROUTES_MAX = 32 };

struct sip_dialog {
	enum sip_dialog_state state;
	bool uac; /* we sent the request that made it */
	/* Key in the owner's map: the next three, each with its NUL. */
	char *id;
	size_t id_len;
	char *call_id, *local_tag, *remote_tag; /* within id */
	char *local;   /* our From/To value, tag included */
	char *remote;  /* the peer's; without tag as long as it is half */
	char *target;  /* the peer's Contact URI */
	char **routes; /* URIs, in the order in which we send them */
	size_t route_count;
	uint32_t local_cseq; /* last one sent */
	uint32_t remote_cseq;
	bool remote_cseq_known;
	/* Numbers up to this one may have been used when the process is
	 * started again; 0 for a dialog that is not saved. */
	uint32_t reserved_cseq;
	unsigned changes; /* counts changes of target and routes */
	struct map_node by_id;
	void *user;
};

/* --- for users of sip_ua.h ---------------------------------------------- */

const char *sip_dialog_call_id(const struct sip_dialog *d);
enum sip_dialog_state sip_dialog_state(const struct sip_dialog *d);
/* True when we sent the INVITE. */
bool sip_dialog_is_uac(const struct sip_dialog *d);
/* The owner's object. */
void sip_dialog_set_user(struct sip_dialog *d, void *user);
void *sip_dialog_user(const struct sip_dialog *d);

/* --- for sip_ua and tests ----------------------------------------------- */

/* From a request that came (its Contact and Record-Route), as its UAS with
 * that To tag.  ERR_MALFORMED without a usable Contact. */
int sip_dialog_init_uas(
    struct sip_dialog *d, const struct sip_msg *request, const char *local_tag);
/* From the response to a request of ours; from is the From value we sent.
 * The response needs a To tag; a Contact only when it is a 2xx. */
int sip_dialog_init_uac(struct sip_dialog *d, const struct sip_msg *response,
    const char *from, const char *request_uri);
/* Half a dialog: From and To values, Call-ID, Request-URI of a SUBSCRIBE that
 * is about to be sent. */
int sip_dialog_init_half(struct sip_dialog *d, const char *from, const char *to,
    const char *call_id, const char *uri);
bool sip_dialog_is_half(const struct sip_dialog *d);
/* The other half, from a 2xx or a NOTIFY; d is in no map meanwhile.  On error
 * (ERR_MALFORMED without tag or Contact) it is as it was. */
int sip_dialog_complete(struct sip_dialog *d, const struct sip_msg *m);
void sip_dialog_finish(struct sip_dialog *d);

/* An early dialog of ours got its 2xx: state, route set and target follow the
 * response (RFC 3261 13.2.2.4). */
int sip_dialog_confirm(struct sip_dialog *d, const struct sip_msg *response);
void sip_dialog_end(struct sip_dialog *d);

/* Writes the key under which a dialog is found: Call-ID, our tag, theirs.
 * Allocates *out. */
int sip_dialog_key(char **out, size_t *len, const char *call_id,
    const char *local_tag, const char *remote_tag);

/* Checks and takes over the CSeq of a request in the dialog: 0, or the status
 * to refuse it with (500, RFC 3261 12.2.2). */
int sip_dialog_accept_cseq(struct sip_dialog *d, const struct sip_msg *request);
/* Target refresh by a request of theirs or a 2xx to one of ours. */
int sip_dialog_refresh(struct sip_dialog *d, const struct sip_msg *m);

/* Keeps numbers reserved ahead for a dialog that is saved.  True when there are
 * new ones: it is to be saved again. */
bool sip_dialog_reserve(struct sip_dialog *d);
/* Appends a confirmed dialog, with the reserved numbers as used.  ERR_TOO_LONG
 * for a text beyond SIP_IMAGE_TEXT_MAX. */
int sip_dialog_save(struct buf *out, const struct sip_dialog *d);
/* Reads one.  ERR_MALFORMED. */
int sip_dialog_restore(struct sip_dialog *d, struct sip_image *im);

/* Fills the fields of a request within the dialog that the dialog decides:
 * URI, From, To, Call-ID, CSeq, routes.  Raises local_cseq, except for an
 * ACK, which takes cseq.  The texts live as long as the dialog is unchanged. */
void sip_dialog_fill(struct sip_dialog *d, struct sip_build_request *r,
    enum sip_method method, uint32_t cseq);

#endif
