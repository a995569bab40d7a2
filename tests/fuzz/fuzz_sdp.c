/* Any bytes into sip_sdp_parse(); what it takes can be answered. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "frontend-gateway/sip/sip_sdp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sip_sdp sdp, again;
	struct buf out;
	/* Exactly as long as it is, so that reading past the end shows. */
	uint8_t *copy = malloc(size > 0 ? size : 1);

	if (copy == NULL)
		return 0;
	if (size > 0)
		memcpy(copy, data, size);
	if (sip_sdp_parse(&sdp, copy, size) == 0) {
		buf_init(&out, 0);
		if (sip_sdp_answer(&out, &sdp, "gw.example", 5061, NULL,
			"text/plain") < 0 ||
		    sip_sdp_parse(&again, out.data, out.len) < 0 ||
		    again.accepts != SIP_SDP_BIT(SIP_SDP_PLAIN) ||
		    sdp.others > sdp.media)
			abort();
		buf_finish(&out);
	}
	free(copy);
	return 0;
}
