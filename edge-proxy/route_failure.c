/* route_failure - see the header. */
#include "edge-proxy/route_failure.h"

#include <stdio.h>

void
route_failure_set(struct route_failure *f, enum condition c, const char *type,
    const char *reason)
{
	f->condition = c;
	f->type = type;
	f->unreached = false;
	snprintf(f->reason, sizeof(f->reason), "%s", reason);
}

void
route_failure_of_dns(
    struct route_failure *f, enum dns_status status, const char *what)
{
	const char *why = "";

	switch (status) {
	case DNS_OK:
		why = "no records";
		break;
	case DNS_NXDOMAIN:
		why = "no such name";
		break;
	case DNS_FAILED:
		why = "resolution failed";
		break;
	case DNS_BOGUS:
		why = "DNSSEC validation failed";
		break;
	}
	f->condition = COND_REMOTE_SERVER_NOT_FOUND;
	f->type = NULL;
	f->unreached = true;
	snprintf(f->reason, sizeof(f->reason), "%s: %s", what, why);
}

void
route_failure_of_end(
    struct route_failure *f, const struct s2s_out_end *end, const char *reason)
{
	enum condition c = COND_REMOTE_SERVER_TIMEOUT;
	const char *type = NULL;

	switch (end->why) {
	case S2S_OUT_TLS:
	case S2S_OUT_AUTH:
		type = "cancel"; /* waiting does not mend a certificate */
		break;
	case S2S_OUT_DIALBACK:
		c = end->condition;
		if (c != COND_REMOTE_SERVER_TIMEOUT)
			break;
		type = "cancel"; /* a refusal, whatever XEP-0220 calls it */
		break;
	case S2S_OUT_ERROR:
		if (end->error == STREAM_ERR_HOST_UNKNOWN ||
		    end->error == STREAM_ERR_HOST_GONE)
			c = COND_REMOTE_SERVER_NOT_FOUND;
		break;
	case S2S_OUT_CONNECT:
	case S2S_OUT_PROTOCOL:
	case S2S_OUT_LOST:
	case S2S_OUT_PEER_CLOSED:
	case S2S_OUT_LOCAL:
		break;
	}
	route_failure_set(f, c, type, reason != NULL ? reason : "");
	f->unreached = end->why == S2S_OUT_CONNECT;
}

bool
route_failure_retry_at_once(const struct s2s_out_end *end)
{
	/* Whatever the partner said, it was about another pair. */
	if (end->joining)
		return true;
	if (end->why == S2S_OUT_ERROR)
		return end->error == STREAM_ERR_RESET ||
		       end->error == STREAM_ERR_CONNECTION_TIMEOUT;
	return end->why == S2S_OUT_PEER_CLOSED || end->why == S2S_OUT_LOST ||
	       end->why == S2S_OUT_LOCAL;
}
