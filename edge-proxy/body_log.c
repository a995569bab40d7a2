/* body_log - see the header. */
#include "edge-proxy/body_log.h"

#include "common/log.h"
#include "edge-proxy/hosting.h"
#include "proto/frame.h"

void
body_log_frame(const struct log *l, const char *event, const struct frame *f,
    const struct hosting_settings *hs)
{
	const struct frame_field *from, *to, *body;
	struct log ends = *l;

	if (!hs->bodies || f->type != FRAME_MESSAGE)
		return;
	from = frame_field(f, FIELD_FROM);
	to = frame_field(f, FIELD_TO);
	body = frame_field(f, FIELD_BODY);
	if (from == NULL || to == NULL || body == NULL)
		return;
	log_object(&ends, "from=%.*s to=%.*s", (int)from->len,
	    (const char *)from->data, (int)to->len, (const char *)to->data);
	log_body(&ends, event, (const char *)body->data, body->len);
}
