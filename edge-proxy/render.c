/*
 * Opening tag, content by the family of the frame, closing tag.  An error
 * stanza has an error element and nothing else in it: what failed is told by
 * its id.
 */
#include "edge-proxy/render.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/xml.h"
#include "edge-proxy/iq_payload.h"
#include "edge-proxy/render_message.h"
#include "edge-proxy/render_out.h"
#include "edge-proxy/stanza_ns.h"

static const char *
kind_of(const struct frame *f, char kind[17])
{
	frame_copy(f, FIELD_KIND, kind, 17);
	return kind;
}

static bool
one_of(const char *s, const char *const *list)
{
	for (; *list != NULL; list++)
		if (strcmp(s, *list) == 0)
			return true;
	return false;
}

/* Does the frame have what every stanza of its type needs? */
static bool
is_complete(const struct frame *f, const char *kind)
{
	static const char *const message[] = { "chat", "normal", "groupchat",
		"headline", "error", NULL };
	static const char *const presence[] = { "available", "unavailable",
		"subscribe", "subscribed", "unsubscribe", "unsubscribed",
		"probe", "error", NULL };
	static const char *const iq[] = { "get", "set", "result", "error",
		NULL };

	if (!frame_has(f, FIELD_FROM) || !frame_has(f, FIELD_TO))
		return false;
	switch (f->type) {
	case FRAME_MESSAGE:
		return one_of(kind, message);
	case FRAME_PRESENCE:
		return one_of(kind, presence);
	case FRAME_IQ:
		return one_of(kind, iq) && frame_has(f, FIELD_ID);
	default:
		return false;
	}
}

/* A kind that is the absence of the type attribute. */
static bool
is_unwritten(const struct frame *f, const char *kind)
{
	return (f->type == FRAME_MESSAGE && strcmp(kind, "normal") == 0) ||
	       (f->type == FRAME_PRESENCE && strcmp(kind, "available") == 0);
}

static void
error_element(struct buf *out, const struct frame *f)
{
	const struct frame_field *gone = frame_field(f, FIELD_GONE_TO);
	const struct frame_field *text = frame_field(f, FIELD_ERROR_TEXT);
	const struct frame_field *cond = frame_field(f, FIELD_CONDITION);
	enum condition c =
	    cond != NULL ? condition_parse((const char *)cond->data, cond->len)
			 : COND_UNDEFINED_CONDITION;
	char type[17];

	if (!frame_copy(f, FIELD_ERROR_TYPE, type, sizeof(type)))
		snprintf(type, sizeof(type), "%s", condition_type(c));
	buf_add_str(out, "<error");
	render_out_attr(out, "type", type);
	render_out_attr_field(out, "by", frame_field(f, FIELD_ERROR_BY));
	buf_addf(out, "><%s xmlns='" NS_STANZA_ERRORS "'", condition_str(c));
	if (gone != NULL && (c == COND_GONE || c == COND_REDIRECT)) {
		buf_add_char(out, '>');
		xml_escape_text(out, (const char *)gone->data, gone->len);
		buf_addf(out, "</%s>", condition_str(c));
	} else {
		buf_add_str(out, "/>");
	}
	render_out_text_ns(out, NS_STANZA_ERRORS, "text", text);
	buf_add_str(out, "</error>");
}

/* "node#ver" back into its parts; the last number sign divides. */
static void
caps(struct buf *out, const struct frame *f)
{
	char both[1025], *sign;

	if (!frame_copy(f, FIELD_CAPS, both, sizeof(both)))
		return;
	sign = strrchr(both, '#');
	if (sign == NULL)
		return;
	*sign = '\0';
	buf_add_str(out, "<c xmlns='" NS_CAPS "' hash='sha-1'");
	render_out_attr(out, "node", both);
	render_out_attr(out, "ver", sign + 1);
	buf_add_str(out, "/>");
}

static void
presence_content(struct buf *out, const struct frame *f)
{
	const struct frame_field *photo = frame_field(f, FIELD_AVATAR_HASH);
	uint64_t priority = frame_u64(f, FIELD_PRIORITY, 128);

	render_out_text(out, "show", frame_field(f, FIELD_SHOW));
	render_out_text(out, "status", frame_field(f, FIELD_STATUS_TEXT));
	if (frame_has(f, FIELD_PRIORITY) && priority <= 255)
		buf_addf(out, "<priority>%d</priority>", (int)priority - 128);
	caps(out, f);
	if (photo != NULL) {
		buf_add_str(out, "<x xmlns='" NS_VCARD_UPDATE "'>");
		render_out_text(out, "photo", photo);
		buf_add_str(out, "</x>");
	}
	render_out_time(out, f, FIELD_IDLE_SINCE, NS_IDLE, "idle", "since");
	render_out_text_ns(out, NS_NICK, "nick", frame_field(f, FIELD_NICK));
	render_out_time(out, f, FIELD_DELAY, NS_DELAY, "delay", "stamp");
}

static int
iq_content(struct buf *out, const struct frame *f, const char *kind)
{
	const struct frame_field *answer = frame_field(f, FIELD_ANSWER);
	enum iq_request request;
	char name[17], *node;
	int rc = 0;

	frame_copy(f, FIELD_REQUEST, name, sizeof(name));
	request = iq_payload_parse(name);
	if (strcmp(kind, "result") == 0 && answer == NULL)
		return 0;
	if (request == IQ_NONE)
		return ERR_MALFORMED;
	node = frame_dup(f, FIELD_DISCO_NODE);
	if (node == NULL && frame_has(f, FIELD_DISCO_NODE))
		return ERR_NOMEM;
	if (strcmp(kind, "result") == 0)
		rc = iq_payload_write_answer(out, request, node,
		    (const char *)answer->data, answer->len);
	else
		iq_payload_write_request(out, request, node);
	free(node);
	return rc;
}

static int
content(struct buf *out, const struct frame *f, const char *kind)
{
	if (strcmp(kind, "error") == 0) {
		error_element(out, f);
		return 0;
	}
	if (f->type == FRAME_IQ)
		return iq_content(out, f, kind);
	if (f->type == FRAME_MESSAGE)
		render_message_content(out, f);
	else
		presence_content(out, f);
	return 0;
}

/* Either all of it or nothing stays in out. */
static int
finish(struct buf *out, size_t before, int rc)
{
	if (rc == 0 && buf_failed(out))
		rc = out->limit != 0 ? ERR_FULL : ERR_NOMEM;
	if (rc < 0 && out->len > before)
		out->len = before;
	return rc;
}

int
render_frame(struct buf *out, const struct frame *f)
{
	return render_frame_as(out, f, NULL);
}

int
render_frame_as(struct buf *out, const struct frame *f, const char *id)
{
	const char *name = frame_type_str(f->type), *kind;
	size_t before = out->len, start;
	char space[17];
	int rc;

	kind = kind_of(f, space);
	if (!is_complete(f, kind))
		return ERR_MALFORMED;
	buf_addf(out, "<%s", name);
	render_out_attr_field(out, "from", frame_field(f, FIELD_FROM));
	render_out_attr_field(out, "to", frame_field(f, FIELD_TO));
	if (id != NULL)
		render_out_attr(out, "id", id);
	else
		render_out_attr_field(out, "id", frame_field(f, FIELD_ID));
	if (!is_unwritten(f, kind))
		render_out_attr(out, "type", kind);
	render_out_attr_field(out, "xml:lang", frame_field(f, FIELD_LANGUAGE));
	start = out->len;
	buf_add_char(out, '>');
	rc = content(out, f, kind);
	if (!buf_failed(out) && out->len == start + 1) {
		out->len = start;
		buf_add_str(out, "/>");
	} else {
		buf_addf(out, "</%s>", name);
	}
	return finish(out, before, rc);
}

bool
render_may_bounce(const struct frame *original)
{
	char space[17];
	const char *kind = kind_of(original, space);

	if (!frame_has(original, FIELD_FROM) ||
	    !frame_has(original, FIELD_TO) || strcmp(kind, "error") == 0)
		return false;
	switch (original->type) {
	case FRAME_MESSAGE:
		return true;
	case FRAME_PRESENCE:
		return strcmp(kind, "unavailable") != 0 &&
		       strcmp(kind, "probe") != 0;
	case FRAME_IQ:
		return frame_has(original, FIELD_ID) &&
		       strcmp(kind, "result") != 0;
	default:
		return false;
	}
}

int
render_error(struct buf *out, const struct frame *original,
    const struct channel_result *why, const char *by)
{
	struct render_stanza_error e = { .by = by };
	char *from, *to, *id;
	int rc = ERR_NOMEM;

	if (!render_may_bounce(original))
		return 0;
	from = frame_dup(original, FIELD_FROM);
	to = frame_dup(original, FIELD_TO);
	id = frame_dup(original, FIELD_ID);
	if (from != NULL && to != NULL &&
	    (id != NULL || !frame_has(original, FIELD_ID))) {
		e.name = frame_type_str(original->type);
		e.from = to;
		e.to = from;
		e.id = id;
		e.condition = why->condition;
		e.type = why->error_type;
		e.text = why->text;
		rc = render_stanza_error(out, &e);
	}
	free(from);
	free(to);
	free(id);
	return rc;
}

int
render_stanza_error(struct buf *out, const struct render_stanza_error *e)
{
	const char *type =
	    e->type != NULL ? e->type : condition_type(e->condition);
	size_t before = out->len;

	buf_addf(out, "<%s", e->name);
	render_out_attr(out, "from", e->from);
	render_out_attr(out, "to", e->to);
	render_out_attr(out, "id", e->id);
	buf_add_str(out, " type='error'><error");
	render_out_attr(out, "type", type);
	render_out_attr(out, "by", e->by);
	buf_addf(out, "><%s xmlns='" NS_STANZA_ERRORS "'",
	    condition_str(e->condition));
	if (e->condition == COND_GONE && e->gone_to != NULL) {
		buf_add_char(out, '>');
		xml_escape_text(out, e->gone_to, strlen(e->gone_to));
		buf_add_str(out, "</gone>");
	} else {
		buf_add_str(out, "/>");
	}
	if (e->text != NULL && e->text[0] != '\0') {
		buf_add_str(
		    out, "<text xmlns='" NS_STANZA_ERRORS "' xml:lang='en'>");
		xml_escape_text(out, e->text, strlen(e->text));
		buf_add_str(out, "</text>");
	}
	buf_addf(out, "</error></%s>", e->name);
	return finish(out, before, 0);
}

int
render_ping(struct buf *out, const char *id, const char *from, const char *to)
{
	size_t before = out->len;

	buf_add_str(out, "<iq");
	render_out_attr(out, "from", from);
	render_out_attr(out, "to", to);
	render_out_attr(out, "id", id);
	buf_add_str(out, " type='get'><ping xmlns='" NS_PING "'/></iq>");
	return finish(out, before, 0);
}
