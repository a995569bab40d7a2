/*
 * The table of RFC 4028 9: an asker that does not understand session timers
 * cannot refresh, so whoever put the header in wants it of us; one that does
 * and leaves it open is let do it itself.
 *
 * A refresh without the header ends the limit (RFC 4028 7.4, 9), unless the
 * refreshing is ours: those who repair a route do not speak of it
 * ([MS-SIPRE] 3.7), and to go on harms nobody.
 */
#include "frontend-gateway/sip/sip_session.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Digits at the start of a delta-seconds value; what is too large to matter is
 * cut.  0: none. */
static uint32_t
seconds_of(const char *value)
{
	uint32_t n = 0;
	size_t i = 0;

	for (; value[i] >= '0' && value[i] <= '9'; i++)
		if (n < SIP_SESSION_MAX_S)
			n = n * 10 + (uint32_t)(value[i] - '0');
	if (i == 0 || (value[i] != '\0' && strchr("; \t", value[i]) == NULL))
		return 0;
	return n < SIP_SESSION_MAX_S ? n : SIP_SESSION_MAX_S;
}

enum refresher { OPEN, UAC, UAS };

/* Session-Expires of a message; 0 when there is none of use. */
static uint32_t
read_expires(enum refresher *who, const struct sip_msg *m)
{
	const char *value = sip_msg_header(m, "Session-Expires", 0);
	const char *params;
	char name[8];

	*who = OPEN;
	if (value == NULL)
		value = sip_msg_header(m, "x", 0);
	if (value == NULL)
		return 0;
	params = strchr(value, ';');
	if (params != NULL && sip_param_get(name, sizeof(name), params,
				  strlen(params), "refresher") == 0) {
		if (strcasecmp(name, "uac") == 0)
			*who = UAC;
		else if (strcasecmp(name, "uas") == 0)
			*who = UAS;
	}
	return seconds_of(value);
}

int
sip_session_answer(
    struct sip_session *s, const struct sip_msg *request, bool updates)
{
	bool understands = sip_msg_lists(request, "Supported", "timer") ||
			   sip_msg_lists(request, "Require", "timer");
	struct sip_session now = { 0 };
	enum refresher who;

	now.interval_s = read_expires(&who, request);
	now.ours = !understands || who == UAS;
	if (now.interval_s == 0) {
		if (!s->ours)
			*s = now;
		return 0;
	}
	if (now.interval_s < SIP_SESSION_MIN_S && understands)
		return 422;
	/* Too short, and nobody who could be told so; or not to be kept. */
	if (now.interval_s < SIP_SESSION_MIN_S || (now.ours && !updates))
		now = (struct sip_session){ 0 };
	*s = now;
	return 0;
}

void
sip_session_answered(
    struct sip_session *s, const struct sip_msg *response, bool updates)
{
	enum refresher who;

	s->interval_s = read_expires(&who, response);
	s->ours = who != UAS;
	if (s->interval_s == 0 || (s->ours && !updates))
		*s = (struct sip_session){ 0 };
	else if (s->interval_s < SIP_SESSION_MIN_S)
		s->interval_s = SIP_SESSION_MIN_S;
}

uint32_t
sip_session_min_of(const struct sip_msg *response)
{
	const char *value = sip_msg_header(response, "Min-SE", 0);

	return value != NULL ? seconds_of(value) : 0;
}

void
sip_session_value(char out[SIP_SESSION_VALUE_SIZE], const struct sip_session *s,
    bool in_answer)
{
	snprintf(out, SIP_SESSION_VALUE_SIZE, "%u;refresher=%s",
	    (unsigned)s->interval_s, s->ours == in_answer ? "uas" : "uac");
}

uint64_t
sip_session_refresh_ms(const struct sip_session *s)
{
	return (uint64_t)s->interval_s * 1000 / 2;
}

uint64_t
sip_session_end_ms(const struct sip_session *s)
{
	uint64_t whole = (uint64_t)s->interval_s * 1000;

	return whole - (whole / 3 < 32000 ? whole / 3 : 32000);
}
