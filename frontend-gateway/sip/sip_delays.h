/*
 * sip_delays - how long SIP transactions took until their final answer, and
 * what that was, by method.
 */
#ifndef GATEWAY_SIP_SIP_DELAYS_H
#define GATEWAY_SIP_SIP_DELAYS_H

#include <stdint.h>

#include "common/histogram.h"
#include "frontend-gateway/sip/sip_msg.h"

/* Final answers by their first digit; SIP_NO_ANSWER: none came in time, or the
 * connection broke. */
enum { SIP_NO_ANSWER = 0, SIP_ANSWER_CLASSES = 7 };

struct sip_delay {
	struct histogram took; /* those that were answered */
	uint64_t answers[SIP_ANSWER_CLASSES];
};

struct sip_delays {
	struct sip_delay asked[SIP_METHOD_COUNT];    /* by us */
	struct sip_delay answered[SIP_METHOD_COUNT]; /* by us */
};

/* status 0 = no answer. */
static inline void
sip_delays_note(struct sip_delay *d, int status, uint64_t ms)
{
	if (status >= 200 && status < 700) {
		histogram_observe(&d->took, ms);
		d->answers[status / 100]++;
	} else {
		d->answers[SIP_NO_ANSWER]++;
	}
}

#endif
