/*
 * The printed form of a frame: one JSON object on one line.
 *
 *   {"type":"message","seq":7,"from":"bo@partner.example",...}
 *
 * Fields go by their names in the order in which they first stand in the
 * frame; a repeatable field is an array.  Numbers are decimal, flags are true,
 * everything else is a string, JSON content too: it is printed as the text
 * that it is, never trusted to be well formed.
 */
#include "proto/frame.h"

#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "proto/frame_info.h"

/* What people wrote, themselves or by what their servers say of it, and the
 * content of iq answers (vCards). */
static bool
is_private(unsigned tag)
{
	static const enum frame_tag tags[] = { FIELD_BODY, FIELD_RICH_BODY,
		FIELD_SUBJECT, FIELD_STATUS_TEXT, FIELD_REACTION, FIELD_ANSWER,
		FIELD_NICK, FIELD_LINK, FIELD_LINK_NAME, FIELD_DECLINES,
		FIELD_ERROR_TEXT };

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
		if (tags[i] == tag)
			return true;
	return false;
}

/* JSON string of bytes that are valid UTF-8. */
static void
put_string(struct buf *out, const uint8_t *s, size_t len)
{
	size_t i, start = 0;

	buf_add_char(out, '"');
	for (i = 0; i < len; i++) {
		if (s[i] >= 0x20 && s[i] != '"' && s[i] != '\\' && s[i] != 0x7f)
			continue;
		buf_add(out, s + start, i - start);
		start = i + 1;
		if (s[i] == '"' || s[i] == '\\') {
			buf_add_char(out, '\\');
			buf_add_char(out, (char)s[i]);
		} else if (s[i] == '\n') {
			buf_add_str(out, "\\n");
		} else {
			buf_addf(out, "\\u%04x", s[i]);
		}
	}
	buf_add(out, s + start, len - start);
	buf_add_char(out, '"');
}

/* The n-th of its tag. */
static void
put_value(struct buf *out, const struct frame *f,
    const struct frame_field *field, unsigned n, bool bodies)
{
	const struct frame_field_info *info = frame_info_field(field->tag);
	bool is_json = field->tag == FIELD_JSON;
	/* A config frame holds secrets: never printed. */
	bool secret = is_json && f->type == FRAME_CONFIG;
	/* Stanzas, of which the sender says that nothing private is in them. */
	bool traced = is_json && f->type == FRAME_TRACED;

	if (secret || (!bodies && (traced || is_private(field->tag)))) {
		buf_addf(out, "\"(%u bytes)\"", (unsigned)field->len);
		return;
	}
	switch (info->form) {
	case FORM_U64:
		buf_addf(out, "%llu",
		    (unsigned long long)frame_u64_n(
			f, (enum frame_tag)field->tag, n, 0));
		break;
	case FORM_FLAG:
		buf_add_str(out, "true");
		break;
	case FORM_TOKEN:
	case FORM_TEXT:
	case FORM_JSON:
		put_string(out, field->data, field->len);
		break;
	}
}

static void
put_array(struct buf *out, const struct frame *f, unsigned tag, bool bodies)
{
	const struct frame_field *field;
	unsigned n;

	buf_add_char(out, '[');
	for (n = 0; (field = frame_field_n(f, (enum frame_tag)tag, n)) != NULL;
	     n++) {
		if (n > 0)
			buf_add_char(out, ',');
		put_value(out, f, field, n, bodies);
	}
	buf_add_char(out, ']');
}

int
frame_to_json(struct buf *out, const struct frame *f, bool bodies)
{
	const struct frame_field *field;
	size_t before = out->len;
	uint16_t i;

	buf_addf(out, "{\"type\":\"%s\"", frame_type_str(f->type));
	for (i = 0; i < f->count; i++) {
		field = &f->fields[i];
		if (frame_field(f, (enum frame_tag)field->tag) != field)
			continue; /* printed with the first of its tag */
		buf_addf(out, ",\"%s\":", frame_info_field(field->tag)->name);
		if (frame_info_repeats(field->tag))
			put_array(out, f, field->tag, bodies);
		else
			put_value(out, f, field, 0, bodies);
	}
	if (buf_add_char(out, '}') < 0) {
		if (out->len > before)
			out->len = before;
		return ERR_NOMEM;
	}
	return 0;
}
