/*
 *            up                 503
 *   AWAY ---------> SERVING <--------> RESTING
 *    ^ \              ^  |     time       |
 *    |  \ suspect     |  | no answer      | no answer
 *    |   \            |  v                v
 *    |    `-------> SILENT <--------------'
 *    `--- down --- from all of them
 */
#include "frontend-gateway/sip/sip_health.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "frontend-gateway/sip/sip_build.h"
#include "frontend-gateway/sip/sip_msg.h"

#define BIT(s) (1u << (s))

static const unsigned moves[SIP_HEALTH_STATE_COUNT] = {
	[SIP_HEALTH_AWAY] = BIT(SIP_HEALTH_SERVING) | BIT(SIP_HEALTH_SILENT),
	[SIP_HEALTH_SERVING] = BIT(SIP_HEALTH_AWAY) | BIT(SIP_HEALTH_RESTING) |
			       BIT(SIP_HEALTH_SILENT),
	[SIP_HEALTH_RESTING] = BIT(SIP_HEALTH_AWAY) | BIT(SIP_HEALTH_SERVING) |
			       BIT(SIP_HEALTH_SILENT),
	[SIP_HEALTH_SILENT] = BIT(SIP_HEALTH_AWAY) | BIT(SIP_HEALTH_SERVING) |
			      BIT(SIP_HEALTH_RESTING),
};

const char *
sip_health_str(enum sip_health_state s)
{
	static const char *const texts[] = {
#define X(name, text) [name] = (text),
		SIP_HEALTH_STATES(X)
#undef X
	};

	return texts[s];
}

void
sip_health_init(struct sip_health *h, uint64_t now_ms)
{
	memset(h, 0, sizeof(*h));
	h->state = SIP_HEALTH_AWAY;
	h->since_ms = now_ms;
}

static void
set_state(struct sip_health *h, uint64_t now_ms, enum sip_health_state to)
{
	if (h->state == to)
		return;
	assert((moves[h->state] & BIT(to)) != 0);
	h->state = to;
	h->since_ms = now_ms;
}

static void
note(struct sip_health *h, uint64_t now_ms, const char *why)
{
	snprintf(h->failure, sizeof(h->failure), "%s", why);
	h->failure_ms = now_ms;
}

void
sip_health_up(struct sip_health *h, uint64_t now_ms)
{
	set_state(
	    h, now_ms, h->suspect ? SIP_HEALTH_SILENT : SIP_HEALTH_SERVING);
}

void
sip_health_down(struct sip_health *h, uint64_t now_ms, const char *why)
{
	set_state(h, now_ms, SIP_HEALTH_AWAY);
	note(h, now_ms, why);
}

void
sip_health_failed(struct sip_health *h, uint64_t now_ms, const char *why)
{
	note(h, now_ms, why);
}

void
sip_health_sent(struct sip_health *h)
{
	h->requests++;
}

/* Whether no ms-diagnostics names another source. */
static bool
is_its_own(const struct sip_msg *m, const char *name, const char *pool)
{
	static const char *const headers[] = { "ms-diagnostics",
		"ms-diagnostics-public" };
	char source[256];
	const char *value;

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		value = sip_msg_header(m, headers[i], 0);
		if (value == NULL)
			continue;
		value += strcspn(value, ";");
		if (sip_param_get(source, sizeof(source), value, strlen(value),
			"source") < 0)
			continue;
		if (strcasecmp(source, name) != 0 &&
		    strcasecmp(source, pool) != 0)
			return false;
	}
	return true;
}

/* Retry-After: digits, then a comment or parameters.  0 = not there. */
static uint64_t
retry_after_ms(const struct sip_msg *m)
{
	const char *p = sip_msg_header(m, "Retry-After", 0);
	uint64_t s = 0;

	if (p == NULL || *p < '0' || *p > '9')
		return 0;
	for (; *p >= '0' && *p <= '9'; p++) {
		s = s * 10 + (uint64_t)(*p - '0');
		if (s > SIP_HEALTH_REST_MAX_MS / 1000)
			return SIP_HEALTH_REST_MAX_MS;
	}
	return s > 0 ? s * 1000 : 1;
}

/* Whether this 503 says that the front end wants no requests for a while. */
static bool
wants_rest(const struct sip_msg *m, const char *name, const char *pool)
{
	enum sip_method method = sip_msg_method(m);

	return sip_msg_status(m) == 503 && is_its_own(m, name, pool) &&
	       (method == SIP_INVITE || method == SIP_OPTIONS ||
		   retry_after_ms(m) > 0);
}

void
sip_health_answered(struct sip_health *h, uint64_t now_ms,
    const struct sip_msg *response, const char *name, const char *pool)
{
	int status = sip_msg_status(response);
	uint64_t rest = retry_after_ms(response);
	char why[128];

	h->answers++;
	h->suspect = false;
	if (status >= 500 && status < 600) {
		h->failures++;
		snprintf(why, sizeof(why), "%d %s to %s", status,
		    sip_build_reason(status), sip_msg_method_name(response));
		note(h, now_ms, why);
	}
	if (h->state == SIP_HEALTH_AWAY)
		return;
	if (wants_rest(response, name, pool)) {
		set_state(h, now_ms, SIP_HEALTH_RESTING);
		h->rest_until_ms =
		    now_ms + (rest > 0 ? rest : SIP_HEALTH_REST_MS);
	} else if (h->state == SIP_HEALTH_SILENT) {
		set_state(h, now_ms, SIP_HEALTH_SERVING);
	}
}

void
sip_health_unanswered(struct sip_health *h, uint64_t now_ms, const char *why)
{
	h->failures++;
	note(h, now_ms, why);
}

void
sip_health_silent(struct sip_health *h, uint64_t now_ms, const char *why)
{
	sip_health_unanswered(h, now_ms, why);
	h->suspect = true;
	if (h->state != SIP_HEALTH_AWAY)
		set_state(h, now_ms, SIP_HEALTH_SILENT);
}

void
sip_health_tick(struct sip_health *h, uint64_t now_ms)
{
	if (h->state == SIP_HEALTH_RESTING && now_ms >= h->rest_until_ms)
		set_state(h, now_ms, SIP_HEALTH_SERVING);
}

uint64_t
sip_health_rest_ms(const struct sip_health *h, uint64_t now_ms)
{
	return h->state == SIP_HEALTH_RESTING && h->rest_until_ms > now_ms
		   ? h->rest_until_ms - now_ms
		   : 0;
}

bool
sip_health_is_fit(const struct sip_health *h)
{
	return !h->suspect &&
	       (h->state == SIP_HEALTH_SERVING || h->state == SIP_HEALTH_AWAY);
}
