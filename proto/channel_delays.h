/*
 * channel_delays - how long stanza frames waited for their result.
 *
 * Kept by each channel since it was made; the JSON form is a part of STATS
 * (CHANNEL.md) and of what the daemons tell an operator:
 * {"outward":{"delivered":{"n":[...],"ms":0},"failed":{...}},"inward":{...}}.
 */
#ifndef PROTO_CHANNEL_DELAYS_H
#define PROTO_CHANNEL_DELAYS_H

#include <jansson.h>

#include "common/histogram.h"

/* From a frame's coming, or being handed over, to its result. */
struct channel_delay {
	struct histogram delivered, failed;
};

struct channel_delays {
	struct channel_delay asked;    /* frames of ours */
	struct channel_delay answered; /* the peer's */
};

/* asked and answered: what the two are called.  The caller's; NULL without
 * memory. */
json_t *channel_delays_json(
    const struct channel_delays *d, const char *asked, const char *answered);

#endif
