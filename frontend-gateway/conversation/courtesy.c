#include "frontend-gateway/conversation/courtesy.h"

#include <stdio.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/jid.h"
#include "common/random.h"
#include "frontend-gateway/translate/user_iq.h"
#include "frontend-gateway/translate/words.h"
#include "proto/frame.h"

enum { ID_BYTES = 8 };

static void
put_field(struct frame_writer *w, enum frame_tag tag, const struct frame *f,
    enum frame_tag of)
{
	const struct frame_field *field = frame_field(f, of);

	if (field != NULL)
		frame_put(w, tag, field->data, field->len);
}

/* From the user's one resource. */
static void
begin(struct frame_writer *w, struct buf *out, const char *user)
{
	char id[sizeof("courtesy-") + 2 * (size_t)ID_BYTES] = "courtesy-";
	char from[JID_MAX + 1];

	random_hex(id + sizeof("courtesy-") - 1, ID_BYTES);
	snprintf(from, sizeof(from), "%s/" USER_IQ_RESOURCE, user);
	frame_begin(w, out, FRAME_MESSAGE);
	frame_put_str(w, FIELD_ID, id);
	frame_put_str(w, FIELD_FROM, from);
}

int
courtesy_receipt(struct buf *out, const struct frame *f, const char *user)
{
	struct frame_writer w;
	bool chat = frame_is(f, FIELD_KIND, "chat");

	if (!frame_has(f, FIELD_RECEIPT_REQUEST) || !frame_has(f, FIELD_ID) ||
	    (!chat && !frame_is(f, FIELD_KIND, "normal")))
		return 0;
	begin(&w, out, user);
	put_field(&w, FIELD_TO, f, FIELD_FROM);
	frame_put_str(&w, FIELD_KIND, chat ? "chat" : "normal");
	put_field(&w, FIELD_RECEIPT, f, FIELD_ID);
	return frame_end(&w);
}

int
courtesy_decline(struct buf *out, const struct frame *f, const char *user)
{
	struct frame_writer w;

	if (!frame_has(f, FIELD_INVITATION) || !frame_has(f, FIELD_INVITER))
		return 0;
	begin(&w, out, user);
	put_field(&w, FIELD_TO, f, FIELD_INVITATION);
	frame_put_str(&w, FIELD_KIND, "normal");
	put_field(&w, FIELD_INVITER, f, FIELD_INVITER);
	frame_put_str(&w, FIELD_DECLINES, WORDS_NO_ROOMS);
	return frame_end(&w);
}
