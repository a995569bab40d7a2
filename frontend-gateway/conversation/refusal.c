/*
 * An invitation is looked at from the outside in: is it to a meeting, does it
 * bring a file along, is there a session description among its parts, and
 * what does that offer?  Lync's clients put calls into one description or two
 * alternatives, files into a description beside an XML part, meetings into
 * XML alone; a chat is one description with a line "m=message".
 */
#include "frontend-gateway/conversation/refusal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "frontend-gateway/sip/sip_parts.h"
#include "frontend-gateway/sip/sip_sdp.h"
#include "frontend-gateway/translate/body.h"
#include "frontend-gateway/translate/typing.h"

#define TYPE_SDP        "application/sdp"
#define TYPE_CONFERENCE "application/ms-conf-invite+xml"
#define TYPE_FILE       "application/ms-filetransfer+xml"
#define TYPE_SUBJECT    "application/xml+conversationinfo"

enum { PAIR = 2 };

/* --- invitations -------------------------------------------------------- */

/* A session of several as older clients hold it, without a server. */
static bool
is_multiparty(const struct sip_msg *req)
{
	const char *value = sip_msg_header(req, "TriggeredInvite", 0);
	const char *at, *element;
	size_t len, n = 0;

	if (value != NULL && strcasecmp(value, "TRUE") == 0)
		return true;
	for (size_t i = 0; (at = sip_msg_header(req, "EndPoints", i)) != NULL;
	     i++)
		while (sip_list_next(&at, &element, &len))
			n++;
	return n > PAIR;
}

/* What a description without a chat is for. */
static enum errors_cause
cause_of(unsigned offered)
{
	if ((offered & (SIP_SDP_AUDIO | SIP_SDP_VIDEO)) != 0)
		return ERRORS_CALL;
	if ((offered & SIP_SDP_SHARING) != 0)
		return ERRORS_SHARING;
	if ((offered & SIP_SDP_DATA) != 0)
		return ERRORS_FILE;
	return ERRORS_MEDIA;
}

/* The first description of a chat among the alternatives; else what stands
 * against the first of any kind. */
static enum errors_cause
judge_descriptions(struct sip_sdp *sdp, const struct sip_parts *parts)
{
	enum errors_cause first = ERRORS_CAUSE_COUNT, cause;
	unsigned offered = 0;

	for (size_t i = 0; i < parts->count; i++) {
		const struct sip_part *p = &parts->part[i];

		if (strcmp(p->type, TYPE_SDP) != 0)
			continue;
		if (sip_sdp_parse(sdp, (const uint8_t *)p->data, p->len) < 0)
			cause = ERRORS_MEDIA;
		else if (sdp->kind == SIP_SDP_OTHER)
			cause = cause_of(offered |= sdp->offered);
		else if ((sdp->accepts & SIP_SDP_BIT(SIP_SDP_PLAIN)) == 0)
			cause = ERRORS_SESSION_FORMAT;
		else
			return ERRORS_CAUSE_COUNT;
		if (first == ERRORS_CAUSE_COUNT || first == ERRORS_MEDIA)
			first = cause;
	}
	return first != ERRORS_CAUSE_COUNT ? first : ERRORS_SESSION_TYPE;
}

static enum errors_cause
judge_session(struct sip_sdp *sdp, const struct sip_msg *req)
{
	bool in_dialog = *sip_msg_to_tag(req) != '\0';
	enum errors_cause cause;
	struct sip_parts parts;

	sip_parts_read(&parts, sip_msg_header(req, "Content-Type", 0),
	    sip_msg_body(req), sip_msg_body_len(req));
	if (sip_parts_find(&parts, TYPE_CONFERENCE) != NULL ||
	    is_multiparty(req))
		return ERRORS_CONFERENCE;
	if (sip_parts_find(&parts, TYPE_FILE) != NULL)
		return ERRORS_FILE;
	/* No offer: we make it, in our answer (RFC 3261 13.2.1). */
	if (sip_msg_body_len(req) == 0) {
		memset(sdp, 0, sizeof(*sdp));
		sdp->kind = SIP_SDP_MESSAGE;
		sdp->accepts = SIP_SDP_BIT(SIP_SDP_PLAIN);
		return ERRORS_CAUSE_COUNT;
	}
	if (parts.count == 0)
		return ERRORS_MEDIA;
	cause = judge_descriptions(sdp, &parts);
	/* A chat that is to become more: it stays what it was, and who asked
	 * is told.  A new one begins without the rest (RFC 3264 6). */
	if (cause == ERRORS_CAUSE_COUNT && in_dialog && sdp->others > 0)
		return cause_of(sdp->offered);
	return cause;
}

/* --- notices ------------------------------------------------------------ */

static enum errors_cause
judge_info(const struct sip_msg *req)
{
	static const char *const taken[] = { "", TYPING_INFO_TYPE,
		TYPE_SUBJECT };
	const char *type = sip_msg_content_type(req);

	for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
		if (strcmp(type, taken[i]) == 0)
			return ERRORS_CAUSE_COUNT;
	return strcmp(type, TYPE_FILE) == 0 ? ERRORS_FILE : ERRORS_NOTICE_TYPE;
}

enum errors_cause
refusal_of(struct sip_sdp *offer, const struct sip_msg *req)
{
	struct sip_sdp *own;
	enum errors_cause cause;

	if (sip_msg_method(req) == SIP_INFO)
		return judge_info(req);
	if (offer != NULL)
		return judge_session(offer, req);
	own = malloc(sizeof(*own));
	if (own == NULL)
		return ERRORS_INTERNAL;
	cause = judge_session(own, req);
	free(own);
	return cause;
}

enum rights_use
refusal_use(enum errors_cause cause, const struct sip_sdp *offer)
{
	if (cause != ERRORS_CALL)
		return RIGHTS_MESSAGES;
	return (offer->offered & SIP_SDP_VIDEO) != 0 ? RIGHTS_VIDEO
						     : RIGHTS_AUDIO;
}

/* --- the answer --------------------------------------------------------- */

static void
set_header(struct refusal *out, const struct errors_sip *e, const char *fqdn)
{
	struct sip_header *h = &out->header;

	switch (e->header) {
	case ERRORS_BARE:
		return;
	case ERRORS_RETRY_AFTER:
		snprintf(out->text, sizeof(out->text), "%u", e->retry_after);
		*h = (struct sip_header){ "Retry-After", out->text };
		break;
	case ERRORS_ACCEPT_TEXT:
		*h = (struct sip_header){ "Accept", BODY_ACCEPT };
		break;
	case ERRORS_ACCEPT_SESSION:
		*h = (struct sip_header){ "Accept", TYPE_SDP };
		break;
	case ERRORS_ACCEPT_NOTICE:
		*h = (struct sip_header){ "Accept",
			TYPING_INFO_TYPE ", " TYPE_SUBJECT };
		break;
	case ERRORS_WARNING_MEDIA:
		snprintf(out->text, sizeof(out->text),
		    "304 %s \"Media type not available\"", fqdn);
		*h = (struct sip_header){ "Warning", out->text };
		break;
	case ERRORS_WARNING_FORMAT:
		snprintf(out->text, sizeof(out->text),
		    "305 %s \"Incompatible media format\"", fqdn);
		*h = (struct sip_header){ "Warning", out->text };
		break;
	}
	out->answer.headers = h;
	out->answer.header_count = 1;
}

void
refusal_make(struct refusal *out, const struct errors_sip *e, const char *fqdn)
{
	out->answer = (struct sip_answer){ .status = e->status,
		.diagnostics = e->diagnostics,
		.diagnostics_reason = e->reason };
	set_header(out, e, fqdn);
}

void
refusal_make_because(
    struct refusal *out, const struct policy_refusal *why, const char *fqdn)
{
	struct errors_sip e;

	errors_refusal(&e, why->cause);
	errors_detail(out->reason, &e, why->detail);
	e.reason = out->reason;
	refusal_make(out, &e, fqdn);
}
