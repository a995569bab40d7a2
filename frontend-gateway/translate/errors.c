/* Two tables.  Outward failures are looked up by condition; inward ones by
 * status, after the cases that depend on more than the status: taken, nobody
 * waits for it, worth another try, a sender who may not know. */
#include "frontend-gateway/translate/errors.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/utf8.h"

/* --- to SIP ------------------------------------------------------------- */

enum { RETRY_AFTER_SECONDS = 30 };

/* One row a condition.  401, 407 and 503 are never used: see the header. */
static const struct {
	int status;
	unsigned diagnostics;
	const char *reason;
} to_sip[COND_COUNT] = {
	[COND_BAD_REQUEST] = { 400, 61100, "XMPP server: bad request" },
	[COND_CONFLICT] = { 400, 61101, "XMPP server: conflict" },
	[COND_FEATURE_NOT_IMPLEMENTED] = { 415, 61102,
	    "XMPP contact does not support this type of message" },
	[COND_FORBIDDEN] = { 403, 61103, "XMPP server: forbidden" },
	[COND_GONE] = { 410, 61104, "XMPP address is no longer in use" },
	[COND_INTERNAL_SERVER_ERROR] = { 500, 61105,
	    "XMPP server: internal error" },
	[COND_ITEM_NOT_FOUND] = { 404, 61106, "XMPP address does not exist" },
	[COND_JID_MALFORMED] = { 404, 61107,
	    "Address is not valid as an XMPP address" },
	[COND_NOT_ACCEPTABLE] = { 415, 61108,
	    "XMPP contact does not accept this type of message" },
	[COND_NOT_ALLOWED] = { 403, 61109, "XMPP server: not allowed" },
	[COND_NOT_AUTHORIZED] = { 403, 61110, "XMPP server: not authorized" },
	[COND_POLICY_VIOLATION] = { 403, 61111,
	    "XMPP server: against its policy" },
	[COND_RECIPIENT_UNAVAILABLE] = { 480, 61112,
	    "XMPP contact is not available" },
	[COND_REDIRECT] = { 480, 61113, "XMPP contact is reached elsewhere" },
	[COND_REGISTRATION_REQUIRED] = { 403, 61114,
	    "XMPP server: registration required" },
	[COND_REMOTE_SERVER_NOT_FOUND] = { 404, 61115,
	    "XMPP server of the domain not found" },
	[COND_REMOTE_SERVER_TIMEOUT] = { 504, 61116,
	    "XMPP server of the domain could not be reached in time" },
	[COND_RESOURCE_CONSTRAINT] = { 500, 61117,
	    "XMPP server is short of resources" },
	[COND_SERVICE_UNAVAILABLE] = { 480, 61118,
	    "XMPP contact cannot take the message" },
	[COND_SUBSCRIPTION_REQUIRED] = { 403, 61119,
	    "XMPP server: subscription required" },
	[COND_UNDEFINED_CONDITION] = { 500, 61120,
	    "XMPP server: unspecified error" },
	[COND_UNEXPECTED_REQUEST] = { 400, 61121,
	    "XMPP server: unexpected request" },
};

/* Servers have no condition of its own for too large a stanza; they send
 * policy-violation and say so in the text, in English. */
static bool
is_about_size(const char *text)
{
	static const char *const words[] = { "size", "too large", "too long",
		"too big", "larger", "longer than", "bytes" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcasestr(text, words[i]) != NULL)
			return true;
	return false;
}

void
errors_to_sip(struct errors_sip *out, const char *condition, const char *text)
{
	enum condition c = condition != NULL
			       ? condition_parse(condition, strlen(condition))
			       : COND_UNDEFINED_CONDITION;

	*out = (struct errors_sip){ .status = to_sip[c].status,
		.diagnostics = to_sip[c].diagnostics,
		.reason = to_sip[c].reason };
	if (c == COND_POLICY_VIOLATION && text != NULL && is_about_size(text)) {
		out->status = 413;
		out->diagnostics = 61122;
		out->reason = "XMPP server: message too large";
	}
	if (out->status == 500) {
		out->header = ERRORS_RETRY_AFTER;
		out->retry_after = RETRY_AFTER_SECONDS;
	}
}

void
errors_detail(char out[static ERRORS_DETAIL_SIZE], const struct errors_sip *e,
    const char *text)
{
	size_t used =
	    (size_t)snprintf(out, ERRORS_DETAIL_SIZE, "%s", e->reason);
	size_t len = text != NULL ? strlen(text) : 0, n;
	uint32_t cp;

	if (len > 0 && used + 2 < ERRORS_DETAIL_SIZE)
		used += (size_t)snprintf(
		    out + used, ERRORS_DETAIL_SIZE - used, ": ");
	for (size_t i = 0; i < len && used + 4 < ERRORS_DETAIL_SIZE; i += n) {
		n = utf8_decode((const uint8_t *)text + i, len - i, &cp);
		if (n == 0)
			break;
		if (cp == '"' || cp == '\\')
			out[used++] = '\'';
		else if (cp < ' ' || (cp >= 0x7f && cp <= 0x9f))
			out[used++] = ' ';
		else
			used += utf8_encode((uint8_t *)out + used, cp);
	}
	out[used] = '\0';
}

static const struct errors_sip refusals[] = {
#define X(name, code, id, field, text)                                         \
	[name] = { .status = (code),                                           \
		.diagnostics = (id),                                           \
		.header = ERRORS_##field,                                      \
		.reason = (text) },
	ERRORS_CAUSES(X)
#undef X
};

void
errors_refusal(struct errors_sip *out, enum errors_cause cause)
{
	*out = refusals[cause];
	if (out->header == ERRORS_RETRY_AFTER)
		out->retry_after = RETRY_AFTER_SECONDS;
}

enum errors_cause
errors_address_cause(int status)
{
	switch (status) {
	case 400:
		return ERRORS_ADDRESS_MALFORMED;
	case 404:
		return ERRORS_ADDRESS_UNKNOWN;
	case 414:
		return ERRORS_ADDRESS_TOO_LONG;
	case 416:
		return ERRORS_ADDRESS_SCHEME;
	case 484:
		return ERRORS_ADDRESS_INCOMPLETE;
	default:
		return ERRORS_INTERNAL;
	}
}

enum errors_cause
errors_body_cause(int status)
{
	switch (status) {
	case 400:
		return ERRORS_BODY_MALFORMED;
	case 413:
		return ERRORS_BODY_TOO_LARGE;
	case 415:
		return ERRORS_BODY_TYPE;
	default:
		return ERRORS_INTERNAL;
	}
}

/* --- from SIP ----------------------------------------------------------- */

enum {
	WARNING_BLOCKED = 309,            /* content filter of the pool */
	DIAGNOSTICS_CONVERSATION = 52035, /* stale Ms-Conversation-ID */
};

/* Statuses by number; a class's own row (300, 400 ...) comes last in its class
 * and stands for all of it that is not listed. */
static const struct {
	int first, last;
	enum condition condition;
	const char *text;
} from_sip[] = {
	{ 301, 301, COND_GONE, "This user has a new address." },
	{ 380, 380, COND_NOT_ACCEPTABLE, NULL },
	{ 300, 399, COND_REDIRECT, NULL },
	{ 401, 401, COND_FORBIDDEN, NULL },
	{ 403, 403, COND_FORBIDDEN, NULL },
	/* RFC 6121 8.5.1, and not item-not-found (RFC 7247): who is no more is
	 * to everybody what one is who has no right. */
	{ 404, 404, COND_SERVICE_UNAVAILABLE, NULL },
	{ 405, 405, COND_FEATURE_NOT_IMPLEMENTED, NULL },
	{ 406, 406, COND_NOT_ACCEPTABLE, NULL },
	{ 407, 407, COND_FORBIDDEN, NULL },
	{ 408, 408, COND_REMOTE_SERVER_TIMEOUT, "No answer in time." },
	{ 410, 410, COND_GONE, NULL },
	{ 413, 413, COND_POLICY_VIOLATION, "The message is too large." },
	{ 414, 414, COND_POLICY_VIOLATION, NULL },
	{ 415, 415, COND_NOT_ACCEPTABLE,
	    "This type of message is not accepted." },
	{ 416, 416, COND_NOT_ACCEPTABLE, NULL },
	{ 420, 420, COND_FEATURE_NOT_IMPLEMENTED, NULL },
	{ 421, 421, COND_NOT_ACCEPTABLE, NULL },
	{ 423, 423, COND_RESOURCE_CONSTRAINT, NULL },
	{ 430, 430, COND_RECIPIENT_UNAVAILABLE, NULL },
	{ 439, 439, COND_FEATURE_NOT_IMPLEMENTED, NULL },
	{ 440, 440, COND_POLICY_VIOLATION, NULL },
	{ 480, 480, COND_RECIPIENT_UNAVAILABLE, "The user is not available." },
	{ 481, 481, COND_ITEM_NOT_FOUND, NULL },
	{ 482, 483, COND_INTERNAL_SERVER_ERROR, NULL },
	{ 484, 485, COND_ITEM_NOT_FOUND, NULL },
	{ 486, 486, COND_RECIPIENT_UNAVAILABLE,
	    "The user does not want to be disturbed." },
	/* We cancelled it, because time was up. */
	{ 487, 487, COND_REMOTE_SERVER_TIMEOUT, "No answer in time." },
	{ 488, 488, COND_NOT_ACCEPTABLE, NULL },
	{ 489, 489, COND_POLICY_VIOLATION, NULL },
	{ 491, 491, COND_UNEXPECTED_REQUEST, NULL },
	{ 400, 499, COND_BAD_REQUEST, NULL },
	{ 501, 501, COND_FEATURE_NOT_IMPLEMENTED, NULL },
	{ 502, 502, COND_REMOTE_SERVER_NOT_FOUND, NULL },
	{ 503, 504, COND_REMOTE_SERVER_TIMEOUT,
	    "The service is not available." },
	{ 505, 505, COND_NOT_ACCEPTABLE, NULL },
	{ 513, 513, COND_POLICY_VIOLATION, "The message is too large." },
	{ 500, 599, COND_INTERNAL_SERVER_ERROR, NULL },
	{ 600, 600, COND_RECIPIENT_UNAVAILABLE,
	    "The user does not want to be disturbed." },
	{ 603, 603, COND_NOT_ALLOWED, "The message was declined." },
	{ 604, 604, COND_SERVICE_UNAVAILABLE, NULL },
	{ 606, 606, COND_NOT_ACCEPTABLE, NULL },
	{ 600, 699, COND_RECIPIENT_UNAVAILABLE, NULL },
};

/* Whether the failure tells no more than that the dialog is lost. */
static bool
is_lost_dialog(const struct errors_answer *in)
{
	if (!in->in_dialog)
		return false;
	/* 487: it ended while the request waited (RFC 3261 15.1.2). */
	return in->transport || in->status == 408 || in->status == 430 ||
	       in->status == 480 || in->status == 481 || in->status == 487 ||
	       in->status == 504;
}

static void
set_condition(struct errors_stanza *out, enum condition c, const char *text)
{
	out->condition = c;
	out->type = condition_type(c);
	out->text = text;
}

static void
report(struct errors_stanza *out, const struct errors_answer *in)
{
	*out = (struct errors_stanza){ 0 };
	out->alarm = in->status == 401 || in->status == 407;
	if (in->stranger) {
		/* The same for unknown, blocked and forbidden users. */
		set_condition(out, COND_SERVICE_UNAVAILABLE, NULL);
		return;
	}
	out->moved = in->status == 301;
	if (in->status == 606 && in->warning == WARNING_BLOCKED) {
		set_condition(
		    out, COND_POLICY_VIOLATION, "The message was blocked.");
		return;
	}
	for (size_t i = 0; i < sizeof(from_sip) / sizeof(*from_sip); i++)
		if (in->status >= from_sip[i].first &&
		    in->status <= from_sip[i].last) {
			set_condition(
			    out, from_sip[i].condition, from_sip[i].text);
			return;
		}
	/* No status of RFC 3261. */
	set_condition(out, COND_UNDEFINED_CONDITION, NULL);
}

enum errors_next
errors_from_sip(struct errors_stanza *out, const struct errors_answer *in)
{
	if (in->status >= 200 && in->status <= 299)
		return ERRORS_TAKEN;
	if (in->notification)
		return ERRORS_NOTHING;
	if (!in->retried && is_lost_dialog(in))
		return ERRORS_RETRY_INVITE;
	if (!in->retried && in->status == 488 &&
	    in->diagnostics == DIAGNOSTICS_CONVERSATION)
		return ERRORS_RETRY_CONVERSATION;
	report(out, in);
	return ERRORS_REPORT;
}
