/*
 * refusal - what of the pool's requests is beyond a chat of two, and the
 * answer that says so.  Pure.
 *
 * XMPP federation carries instant messages of two people.  Meetings, calls,
 * shared applications and files are declined here with the status for which
 * Lync clients have the best words ([MS-OCER] 9.2), and with a header field
 * and an ms-diagnostics id that tell an administrator why.  None of it ends
 * the chat in whose dialog it comes.
 */
#ifndef GATEWAY_CONVERSATION_REFUSAL_H
#define GATEWAY_CONVERSATION_REFUSAL_H

#include "frontend-gateway/policy/policy.h"
#include "frontend-gateway/sip/sip_ua.h"
#include "frontend-gateway/translate/errors.h"

struct sip_sdp;

/* What stands against an INVITE, UPDATE with a body, or INFO;
 * ERRORS_CAUSE_COUNT when nothing does.  Of an INVITE or UPDATE the offer of a
 * chat is then in *offer, which may be NULL; without media lines when the
 * request makes none. */
enum errors_cause refusal_of(struct sip_sdp *offer, const struct sip_msg *req);
/* The right that such a request takes.  offer is what refusal_of() left. */
enum rights_use
refusal_use(enum errors_cause cause, const struct sip_sdp *offer);

/* The answer, with the header field it needs.  It points into *out. */
struct refusal {
	struct sip_answer answer;
	struct sip_header header;
	char text[320], reason[ERRORS_DETAIL_SIZE];
};
/* fqdn is ours; the reason of *e is to live as long as the answer. */
void
refusal_make(struct refusal *out, const struct errors_sip *e, const char *fqdn);
void refusal_make_because(
    struct refusal *out, const struct policy_refusal *why, const char *fqdn);

#endif
