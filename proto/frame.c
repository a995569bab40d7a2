/*
 * Encoding and decoding of channel frames.
 *
 * Decoding walks the fields once.  A known field is checked against its row of
 * the table (form, size, once unless repeatable) and noted as a pointer into
 * the input; an unknown one is stepped over.  Nothing else is interpreted: what
 * a frame of some type needs is for its reader to ask.
 *
 * Encoding appends to a buffer and fills in the length at the end.  A frame
 * that cannot be finished is taken out of the buffer again, so that a stream
 * of frames in one buffer never holds half a frame.
 */
#include "proto/frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/utf8.h"
#include "proto/frame_info.h"

enum {
	LENGTH_SIZE = 4,
	HEAD_SIZE = LENGTH_SIZE + 2, /* and version, type */
	FIELD_HEAD = 6,
	/* Room kept for the number that the channel puts in. */
	SEQ_SIZE = FIELD_HEAD + 8
};

static const struct frame_type_info types[] = {
#define X(name, number, text, family) [name] = { text, FAMILY_##family },
	FRAME_TYPES(X)
#undef X
};

static const struct frame_field_info infos[] = {
#define X(name, tag, text, form, max, meaning)                                 \
	[name] = { text, FORM_##form, max },
	FRAME_FIELDS(X)
#undef X
};

enum {
	TYPE_COUNT = sizeof(types) / sizeof(types[0]),
	TAG_COUNT = sizeof(infos) / sizeof(infos[0]),
	SEEN_SIZE = sizeof(((struct frame_writer *)0)->seen)
};
_Static_assert(TAG_COUNT <= SEEN_SIZE * 8, "a bit for each tag");

const struct frame_type_info *
frame_info_type(unsigned type)
{
	if (type >= TYPE_COUNT || types[type].name == NULL)
		return NULL;
	return &types[type];
}

const struct frame_field_info *
frame_info_field(unsigned tag)
{
	if (tag >= TAG_COUNT || infos[tag].name == NULL)
		return NULL;
	return &infos[tag];
}

bool
frame_info_repeats(unsigned tag)
{
	return tag == FIELD_REACTION || tag == FIELD_LINK ||
	       tag == FIELD_LINK_NAME || tag == FIELD_LINK_SIZE;
}

static uint16_t
get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t
get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static uint64_t
get_u64(const uint8_t *p)
{
	return (uint64_t)get_u32(p) << 32 | get_u32(p + 4);
}

static void
set_u32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

/* --- decoding ---------------------------------------------------------- */

int
frame_length(size_t *size, const uint8_t *data, size_t len)
{
	uint32_t n;

	if (len < LENGTH_SIZE)
		return ERR_INCOMPLETE;
	n = get_u32(data);
	if (n > FRAME_MAX - LENGTH_SIZE)
		return ERR_TOO_LONG;
	if (n < HEAD_SIZE - LENGTH_SIZE)
		return ERR_MALFORMED;
	if (len < LENGTH_SIZE + (size_t)n)
		return ERR_INCOMPLETE;
	*size = LENGTH_SIZE + (size_t)n;
	return 0;
}

static bool
token_valid(const uint8_t *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (s[i] < 0x21 || s[i] > 0x7e)
			return false;
	return true;
}

/* One object by its brackets; its content is for the JSON parser that reads
 * it.  No control characters but white space, so it is one clean text. */
static int
json_check(const uint8_t *s, size_t len)
{
	size_t i;

	if (len < 2 || s[0] != '{' || s[len - 1] != '}')
		return ERR_MALFORMED;
	for (i = 0; i < len; i++)
		if (s[i] < 0x20 && s[i] != '\t' && s[i] != '\n' && s[i] != '\r')
			return ERR_MALFORMED;
	return utf8_valid(s, len) ? 0 : ERR_UTF8;
}

int
frame_info_check(
    const struct frame_field_info *info, const uint8_t *data, size_t len)
{
	if (len > info->max)
		return ERR_TOO_LONG;
	switch (info->form) {
	case FORM_U64:
		return len == 8 ? 0 : ERR_MALFORMED;
	case FORM_TOKEN:
		return token_valid(data, len) ? 0 : ERR_MALFORMED;
	case FORM_TEXT:
		return utf8_valid_xml(data, len) ? 0 : ERR_UTF8;
	case FORM_JSON:
		return json_check(data, len);
	case FORM_FLAG:
		return len == 0 ? 0 : ERR_MALFORMED;
	}
	return ERR_MALFORMED;
}

/* Whether a frame that has seen these tags may hold the field too; notes it.
 * One rule for reading and writing. */
static int
admit(uint8_t *seen, unsigned *count, const struct frame_field *field)
{
	const struct frame_field_info *info = frame_info_field(field->tag);
	uint8_t bit = (uint8_t)(1u << (field->tag & 7));
	uint8_t *byte = &seen[field->tag / 8];

	assert(info != NULL);
	if ((*byte & bit) != 0 && !frame_info_repeats(field->tag))
		return ERR_MALFORMED;
	if (*count == FRAME_FIELDS_LIMIT)
		return ERR_MALFORMED;
	*byte |= bit;
	(*count)++;
	return frame_info_check(info, field->data, field->len);
}

int
frame_decode(struct frame *f, const uint8_t *data, size_t len)
{
	uint8_t seen[SEEN_SIZE] = { 0 };
	struct frame_field field;
	unsigned count = 0;
	size_t size, at;
	int rc;

	rc = frame_length(&size, data, len);
	if (rc < 0 || size != len)
		return ERR_MALFORMED;
	if (data[4] != FRAME_VERSION || frame_info_type(data[5]) == NULL)
		return ERR_UNSUPPORTED;
	f->type = data[5];
	f->count = 0;
	for (at = HEAD_SIZE; at < len; at += field.len) {
		if (len - at < FIELD_HEAD)
			return ERR_MALFORMED;
		field.tag = get_u16(data + at);
		field.len = get_u32(data + at + 2);
		at += FIELD_HEAD;
		if (field.len > len - at)
			return ERR_MALFORMED;
		field.data = data + at;
		if (frame_info_field(field.tag) == NULL)
			continue;
		rc = admit(seen, &count, &field);
		if (rc < 0)
			return rc == ERR_UTF8 ? rc : ERR_MALFORMED;
		f->fields[f->count++] = field;
	}
	return 0;
}

/* --- reading ----------------------------------------------------------- */

const struct frame_field *
frame_field_n(const struct frame *f, enum frame_tag tag, unsigned n)
{
	uint16_t i;

	for (i = 0; i < f->count; i++)
		if (f->fields[i].tag == (uint16_t)tag && n-- == 0)
			return &f->fields[i];
	return NULL;
}

const struct frame_field *
frame_field(const struct frame *f, enum frame_tag tag)
{
	return frame_field_n(f, tag, 0);
}

bool
frame_has(const struct frame *f, enum frame_tag tag)
{
	return frame_field(f, tag) != NULL;
}

uint64_t
frame_u64(const struct frame *f, enum frame_tag tag, uint64_t def)
{
	return frame_u64_n(f, tag, 0, def);
}

uint64_t
frame_u64_n(const struct frame *f, enum frame_tag tag, unsigned n, uint64_t def)
{
	const struct frame_field *field = frame_field_n(f, tag, n);

	if (field == NULL)
		return def;
	assert(field->len == 8);
	return get_u64(field->data);
}

bool
frame_is(const struct frame *f, enum frame_tag tag, const char *s)
{
	const struct frame_field *field = frame_field(f, tag);

	return field != NULL && field->len == strlen(s) &&
	       memcmp(field->data, s, field->len) == 0;
}

bool
frame_copy(const struct frame *f, enum frame_tag tag, char *out, size_t size)
{
	const struct frame_field *field = frame_field(f, tag);

	assert(size > 0);
	out[0] = '\0';
	if (field == NULL || field->len > size - 1)
		return false;
	memcpy(out, field->data, field->len);
	out[field->len] = '\0';
	return true;
}

char *
frame_dup(const struct frame *f, enum frame_tag tag)
{
	const struct frame_field *field = frame_field(f, tag);

	if (field == NULL)
		return NULL;
	return strndup((const char *)field->data, field->len);
}

bool
frame_is_stanza(uint8_t type)
{
	const struct frame_type_info *info = frame_info_type(type);

	return info != NULL && info->family == FAMILY_STANZA;
}

const char *
frame_type_str(uint8_t type)
{
	const struct frame_type_info *info = frame_info_type(type);

	return info != NULL ? info->name : "unknown";
}

/* --- writing ----------------------------------------------------------- */

void
frame_begin(struct frame_writer *w, struct buf *out, enum frame_type type)
{
	uint8_t head[HEAD_SIZE] = { 0, 0, 0, 0, FRAME_VERSION, (uint8_t)type };

	assert(frame_info_type((unsigned)type) != NULL);
	w->out = out;
	w->start = out->len;
	w->rc = 0;
	w->count = 0;
	memset(w->seen, 0, sizeof(w->seen));
	buf_add(out, head, sizeof(head));
}

void
frame_put(
    struct frame_writer *w, enum frame_tag tag, const void *data, size_t len)
{
	struct frame_field field = { (uint16_t)tag, (uint32_t)len, data };
	uint8_t head[FIELD_HEAD];

	if (w->rc < 0 || buf_failed(w->out))
		return;
	if (len > FRAME_MAX - FIELD_HEAD ||
	    w->out->len - w->start > FRAME_MAX - FIELD_HEAD - len) {
		w->rc = ERR_TOO_LONG;
		return;
	}
	w->rc = admit(w->seen, &w->count, &field);
	if (w->rc < 0)
		return;
	head[0] = (uint8_t)((unsigned)tag >> 8);
	head[1] = (uint8_t)tag;
	set_u32(head + 2, (uint32_t)len);
	buf_add(w->out, head, sizeof(head));
	if (len > 0)
		buf_add(w->out, data, len);
}

void
frame_put_str(struct frame_writer *w, enum frame_tag tag, const char *s)
{
	if (s != NULL)
		frame_put(w, tag, s, strlen(s));
}

void
frame_put_u64(struct frame_writer *w, enum frame_tag tag, uint64_t v)
{
	uint8_t b[8];

	set_u32(b, (uint32_t)(v >> 32));
	set_u32(b + 4, (uint32_t)v);
	frame_put(w, tag, b, sizeof(b));
}

void
frame_put_flag(struct frame_writer *w, enum frame_tag tag)
{
	frame_put(w, tag, NULL, 0);
}

void
frame_put_field(struct frame_writer *w, const struct frame_field *field)
{
	frame_put(w, (enum frame_tag)field->tag, field->data, field->len);
}

int
frame_end(struct frame_writer *w)
{
	struct buf *out = w->out;
	size_t max = FRAME_MAX, len;
	int rc = w->rc;

	if (rc == 0 && buf_failed(out))
		rc = ERR_NOMEM;
	if (rc < 0)
		goto fail;
	len = out->len - w->start;
	if (frame_is_stanza(out->data[w->start + 5]))
		max -= SEQ_SIZE;
	if (len > max) {
		rc = ERR_TOO_LONG;
		goto fail;
	}
	set_u32(out->data + w->start, (uint32_t)(len - LENGTH_SIZE));
	return 0;

fail:
	if (out->len > w->start)
		out->len = w->start;
	return rc;
}
