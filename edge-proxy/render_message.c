/* One element after the other; the order is of no meaning to the reader. */
#include "edge-proxy/render_message.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "edge-proxy/render_out.h"
#include "edge-proxy/stanza_ns.h"
#include "proto/frame.h"
#include "proto/rich_body.h"

static void
rich_body(struct buf *out, const struct frame *f)
{
	const struct frame_field *rich = frame_field(f, FIELD_RICH_BODY);

	if (rich == NULL ||
	    !rich_body_valid((const char *)rich->data, rich->len))
		return;
	buf_add_str(
	    out, "<html xmlns='" NS_XHTML_IM "'><body xmlns='" NS_XHTML "'>");
	buf_add(out, rich->data, rich->len);
	buf_add_str(out, "</body></html>");
}

static void
chat_state(struct buf *out, const struct frame *f)
{
	static const char *const states[] = { "active", "composing", "paused",
		"inactive", "gone" };
	size_t i;

	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (frame_is(f, FIELD_CHAT_STATE, states[i]))
			buf_addf(
			    out, "<%s xmlns='" NS_CHAT_STATES "'/>", states[i]);
}

static void
flag(struct buf *out, const struct frame *f, enum frame_tag tag,
    const char *element)
{
	if (frame_has(f, tag))
		buf_add_str(out, element);
}

/* One to nine digits, without a sign or a space before them. */
static bool
number(const char **at, unsigned long *out)
{
	size_t len = strspn(*at, "0123456789");

	if (len < 1 || len > 9)
		return false;
	*out = strtoul(*at, NULL, 10);
	*at += len;
	return true;
}

static void
reply(struct buf *out, const struct frame *f)
{
	unsigned long start, end;
	const char *at;
	char range[33];

	if (!frame_has(f, FIELD_REPLY_TO))
		return;
	buf_add_str(out, "<reply xmlns='" NS_REPLY "'");
	render_out_attr_field(out, "to", frame_field(f, FIELD_TO));
	render_out_attr_field(out, "id", frame_field(f, FIELD_REPLY_TO));
	buf_add_str(out, "/>");
	if (!frame_copy(f, FIELD_REPLY_FALLBACK, range, sizeof(range)))
		return;
	at = range;
	if (!number(&at, &start) || *at++ != '-' || !number(&at, &end) ||
	    *at != '\0')
		return;
	buf_addf(out,
	    "<fallback xmlns='" NS_FALLBACK "' for='" NS_REPLY
	    "'><body start='%lu' end='%lu'/></fallback>",
	    start, end);
}

static void
reactions(struct buf *out, const struct frame *f)
{
	const struct frame_field *r;
	unsigned n;

	if (!frame_has(f, FIELD_REACTS_TO))
		return;
	buf_add_str(out, "<reactions xmlns='" NS_REACTIONS "'");
	render_out_attr_field(out, "id", frame_field(f, FIELD_REACTS_TO));
	buf_add_char(out, '>');
	for (n = 0; (r = frame_field_n(f, FIELD_REACTION, n)) != NULL; n++)
		render_out_text(out, "reaction", r);
	buf_add_str(out, "</reactions>");
}

/* A file that is described (XEP-0447). */
static void
file(struct buf *out, const struct frame_field *link,
    const struct frame_field *name, uint64_t size)
{
	buf_add_str(out, "<file-sharing xmlns='" NS_SFS
			 "'><file xmlns='" NS_FILE_METADATA "'>");
	if (name != NULL && name->len > 0)
		render_out_text(out, "name", name);
	buf_addf(out,
	    "<size>%" PRIu64 "</size></file><sources>"
	    "<url-data xmlns='" NS_URL_DATA "'",
	    size);
	render_out_attr_field(out, "target", link);
	buf_add_str(out, "/></sources></file-sharing>");
}

/* The n-th name and size belong to the n-th link; an empty one is none. */
static void
links(struct buf *out, const struct frame *f)
{
	const struct frame_field *link, *name;
	uint64_t size;
	unsigned n;

	for (n = 0; (link = frame_field_n(f, FIELD_LINK, n)) != NULL; n++) {
		name = frame_field_n(f, FIELD_LINK_NAME, n);
		size = frame_u64_n(f, FIELD_LINK_SIZE, n, 0);
		if (size > 0) {
			file(out, link, name, size);
			continue;
		}
		buf_add_str(out, "<x xmlns='" NS_OOB "'>");
		render_out_text(out, "url", link);
		if (name != NULL && name->len > 0)
			render_out_text(out, "desc", name);
		buf_add_str(out, "</x>");
	}
}

/* An invitation to a room, or a room's that is declined. */
static void
room(struct buf *out, const struct frame *f)
{
	const struct frame_field *inviter = frame_field(f, FIELD_INVITER);
	bool declines = frame_has(f, FIELD_DECLINES);

	if (inviter == NULL) {
		render_out_ref(out, NS_CONFERENCE, "x", "jid",
		    frame_field(f, FIELD_INVITATION));
		return;
	}
	buf_add_str(out, "<x xmlns='" NS_MUC_USER "'><");
	buf_add_str(out, declines ? "decline" : "invite");
	render_out_attr_field(out, declines ? "to" : "from", inviter);
	buf_add_char(out, '>');
	render_out_text(out, "reason", frame_field(f, FIELD_DECLINES));
	buf_add_str(out, declines ? "</decline></x>" : "</invite></x>");
}

/* What others are to call the message by (XEP-0359), where it is one. */
static void
origin(struct buf *out, const struct frame *f)
{
	if (frame_has(f, FIELD_BODY))
		render_out_ref(out, NS_STANZA_IDS, "origin-id", "id",
		    frame_field(f, FIELD_ID));
}

void
render_message_content(struct buf *out, const struct frame *f)
{
	render_out_text(out, "subject", frame_field(f, FIELD_SUBJECT));
	render_out_text(out, "body", frame_field(f, FIELD_BODY));
	render_out_text(out, "thread", frame_field(f, FIELD_THREAD));
	rich_body(out, f);
	origin(out, f);
	chat_state(out, f);
	flag(out, f, FIELD_RECEIPT_REQUEST,
	    "<request xmlns='" NS_RECEIPTS "'/>");
	render_out_ref(
	    out, NS_RECEIPTS, "received", "id", frame_field(f, FIELD_RECEIPT));
	flag(out, f, FIELD_MARKABLE, "<markable xmlns='" NS_MARKERS "'/>");
	render_out_ref(
	    out, NS_MARKERS, "displayed", "id", frame_field(f, FIELD_MARKER));
	render_out_ref(
	    out, NS_CORRECT, "replace", "id", frame_field(f, FIELD_CORRECTS));
	render_out_ref(
	    out, NS_RETRACT, "retract", "id", frame_field(f, FIELD_RETRACTS));
	reply(out, f);
	reactions(out, f);
	links(out, f);
	room(out, f);
	flag(out, f, FIELD_ATTENTION, "<attention xmlns='" NS_ATTENTION "'/>");
	flag(out, f, FIELD_NO_STORE, "<no-store xmlns='" NS_HINTS "'/>");
	flag(out, f, FIELD_UNSTYLED, "<unstyled xmlns='" NS_STYLING "'/>");
	render_out_text_ns(out, NS_NICK, "nick", frame_field(f, FIELD_NICK));
	render_out_time(out, f, FIELD_DELAY, NS_DELAY, "delay", "stamp");
}
