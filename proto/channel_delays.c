#include "proto/channel_delays.h"

static json_t *
delay_json(const struct channel_delay *d)
{
	return json_pack("{s:o, s:o}", "delivered",
	    histogram_json(&d->delivered), "failed",
	    histogram_json(&d->failed));
}

json_t *
channel_delays_json(
    const struct channel_delays *d, const char *asked, const char *answered)
{
	return json_pack("{s:o, s:o}", asked, delay_json(&d->asked), answered,
	    delay_json(&d->answered));
}
