/*
 * frame_info - the rows of frame_table.h as data, for code that walks types
 * and fields: the codec, the printed form, the tests.
 */
#ifndef PROTO_FRAME_INFO_H
#define PROTO_FRAME_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frame_family { FAMILY_CONTROL, FAMILY_STANZA };
enum frame_form { FORM_U64, FORM_TOKEN, FORM_TEXT, FORM_JSON, FORM_FLAG };

struct frame_type_info {
	const char *name;
	enum frame_family family;
};

struct frame_field_info {
	const char *name;
	enum frame_form form;
	uint32_t max;
};

/* NULL when the number is not in the table. */
const struct frame_type_info *frame_info_type(unsigned type);
const struct frame_field_info *frame_info_field(unsigned tag);
/* May the field stand in a frame more than once? */
bool frame_info_repeats(unsigned tag);
/* 0, ERR_TOO_LONG, ERR_UTF8 or ERR_MALFORMED. */
int frame_info_check(
    const struct frame_field_info *info, const uint8_t *data, size_t len);

#endif
