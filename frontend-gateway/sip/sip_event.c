/*
 * Parameters are read by sip_param_get(); what stands before the first ';' is
 * the value proper.
 */
#include "frontend-gateway/sip/sip_event.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/err.h"
#include "frontend-gateway/sip/sip_msg.h"

static const char *const state_names[] = {
	[SIP_SUB_PENDING] = "pending",
	[SIP_SUB_ACTIVE] = "active",
	[SIP_SUB_TERMINATED] = "terminated",
	[SIP_SUB_STRANGE] = "strange",
};

const char *
sip_sub_state_str(enum sip_sub_state state)
{
	return state_names[state];
}

static const char *const reason_names[] = {
#define X(name, text) [name] = (text),
	SIP_SUB_REASONS(X)
#undef X
};

const char *
sip_sub_reason_str(enum sip_sub_reason reason)
{
	return reason_names[reason];
}

/* The value before the parameters, in full: "presence" of "presence ; id=1" */
static size_t
head_len(const char *value)
{
	size_t len = strcspn(value, ";");

	while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		len--;
	return len;
}

static bool
head_is(const char *value, const char *name)
{
	return head_len(value) == strlen(name) &&
	       strncasecmp(value, name, strlen(name)) == 0;
}

/* The number a text begins with; what is behind it must not be part of a
 * longer word. */
static int
read_seconds(uint32_t *out, const char *text)
{
	uint64_t n = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++)
		if (n <= UINT32_MAX)
			n = n * 10 + (uint64_t)(*p - '0');
	if (p == text || (*p != '\0' && strchr(" \t;(,", *p) == NULL))
		return ERR_MALFORMED;
	*out = n <= UINT32_MAX ? (uint32_t)n : UINT32_MAX;
	return 0;
}

static int
seconds_param(uint32_t *out, const char *params, const char *name)
{
	char text[32];
	int rc =
	    sip_param_get(text, sizeof(text), params, strlen(params), name);

	return rc < 0 ? rc : read_seconds(out, text);
}

static enum sip_sub_reason
read_reason(const char *params)
{
	char text[32];
	int rc =
	    sip_param_get(text, sizeof(text), params, strlen(params), "reason");

	if (rc == ERR_NOT_FOUND || (rc == 0 && *text == '\0'))
		return SIP_SUB_NONE;
	for (enum sip_sub_reason r = SIP_SUB_DEACTIVATED;
	     rc == 0 && r < SIP_SUB_OTHER; r++)
		if (strcasecmp(text, reason_names[r]) == 0)
			return r;
	return SIP_SUB_OTHER;
}

void
sip_event_read_state(struct sip_sub_info *out, const struct sip_msg *m)
{
	const char *value = sip_msg_header(m, "Subscription-State", 0);
	const char *params;
	uint32_t seconds;

	*out = (struct sip_sub_info){ .state = SIP_SUB_ACTIVE };
	if (value == NULL) {
		if (sip_msg_is_request(m) &&
		    sip_event_seconds(&seconds, m, "Expires") == 0 &&
		    seconds == 0)
			out->state = SIP_SUB_TERMINATED;
		return;
	}
	if (head_is(value, "terminated"))
		out->state = SIP_SUB_TERMINATED;
	else if (head_is(value, "pending"))
		out->state = SIP_SUB_PENDING;
	else if (!head_is(value, "active"))
		out->state = SIP_SUB_STRANGE;
	params = value + strcspn(value, ";");
	out->expires_known =
	    seconds_param(&out->expires_s, params, "expires") == 0;
	if (out->state != SIP_SUB_TERMINATED)
		return;
	out->reason = read_reason(params);
	if (seconds_param(&seconds, params, "retry-after") == 0)
		out->retry_after_s = seconds;
}

int
sip_event_write_state(struct buf *out, const struct sip_sub_info *info)
{
	int rc = buf_add_str(out, state_names[info->state]);

	if (rc == 0 && info->expires_known)
		rc = buf_addf(out, ";expires=%u", (unsigned)info->expires_s);
	if (info->state != SIP_SUB_TERMINATED)
		return rc;
	if (rc == 0 && info->reason != SIP_SUB_NONE)
		rc = buf_addf(out, ";reason=%s", reason_names[info->reason]);
	if (rc == 0 && info->retry_after_s != 0)
		rc = buf_addf(
		    out, ";retry-after=%u", (unsigned)info->retry_after_s);
	return rc;
}

/* token of RFC 3261 25.1. */
static bool
is_token(const char *text)
{
	return *text != '\0' &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789-.!%*_+`'~") == strlen(text);
}

int
sip_event_read(char *id, const struct sip_msg *m, const char *package)
{
	const char *value = sip_msg_header(m, "Event", 0);
	char text[SIP_EVENT_ID_MAX + 1];
	const char *params;
	int rc;

	if (value == NULL || !head_is(value, package))
		return ERR_NOT_FOUND;
	params = value + strcspn(value, ";");
	rc = sip_param_get(text, sizeof(text), params, strlen(params), "id");
	if (rc == ERR_NOT_FOUND)
		*text = '\0';
	else if (rc < 0)
		return rc;
	else if (!is_token(text))
		return ERR_MALFORMED;
	if (id != NULL)
		memcpy(id, text, strlen(text) + 1);
	return 0;
}

int
sip_event_seconds(uint32_t *out, const struct sip_msg *m, const char *header)
{
	const char *value = sip_msg_header(m, header, 0);

	return value != NULL ? read_seconds(out, value) : ERR_NOT_FOUND;
}
