/*
 * Clients and servers put the ids of their reasons in fields of their own, and
 * several may be there.
 */
#include "frontend-gateway/conversation/pool_answer.h"

#include <stddef.h>

#include "frontend-gateway/sip/sip_ua.h"

/* Number at the start of a header's value; 0 when there is none. */
static unsigned
leading_number(const char *value)
{
	unsigned n = 0;

	if (value == NULL)
		return 0;
	for (; *value >= '0' && *value <= '9' && n < 10000000; value++)
		n = n * 10 + (unsigned)(*value - '0');
	return n;
}

unsigned
pool_answer_warning(const struct sip_msg *m)
{
	return leading_number(sip_msg_header(m, "Warning", 0));
}

unsigned
pool_answer_diagnostics(const struct sip_msg *m)
{
	static const char *const names[] = { "ms-client-diagnostics",
		"ms-diagnostics", "ms-diagnostics-public" };
	unsigned first = 0;

	for (size_t i = 0; i < 3; i++) {
		for (size_t k = 0; k < 8; k++) {
			unsigned n =
			    leading_number(sip_msg_header(m, names[i], k));

			if (n == 0)
				break;
			if (n == 52035)
				return n;
			if (first == 0)
				first = n;
		}
	}
	return first;
}

bool
pool_answer_is_lost(const struct sip_result *r)
{
	return r->outcome != SIP_OUTCOME_RESPONSE || r->status == 408 ||
	       r->status == 504;
}

bool
pool_answer_is_about_text(int status)
{
	return status == 413 || status == 415 || status == 488 ||
	       status == 513 || status == 606;
}

bool
pool_answer_is_miss(int status)
{
	switch (status) {
	case 403:
	case 404:
	case 410:
	case 480:
	case 484:
	case 485:
	case 486:
	case 600:
	case 603:
	case 604:
		return true;
	default:
		return false;
	}
}
