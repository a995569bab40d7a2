/* Cleaned strings, durations, tables. */
#include "deploy/text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"

enum { TURNS = 16, TURN_SIZE = 1024 };

/* Neither a control character nor one that turns the direction of writing. */
static bool
is_harmless(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7F && c < 0xA0))
		return false;
	if ((c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E))
		return false;
	return !(c >= 0x2066 && c <= 0x2069);
}

void
text_clean(char *out, size_t size, const char *s)
{
	size_t done = 0, left = strlen(s);

	while (left > 0) {
		uint32_t c = 0;
		size_t len = utf8_decode((const uint8_t *)s, left, &c);
		const char *from = s;

		s += len > 0 ? len : 1;
		left -= len > 0 ? len : 1;
		if (len == 0 || !is_harmless(c)) {
			from = "?";
			len = 1;
		}
		if (done + len >= size)
			break;
		memcpy(out + done, from, len);
		done += len;
	}
	out[done] = '\0';
}

void
text_duration(char *out, size_t size, int64_t seconds)
{
	if (seconds < 120)
		snprintf(out, size, "%" PRId64 " s", seconds);
	else if (seconds < 7200)
		snprintf(out, size, "%" PRId64 " min", seconds / 60);
	else if (seconds < 172800)
		snprintf(out, size, "%" PRId64 " h %" PRId64 " min",
		    seconds / 3600, seconds / 60 % 60);
	else
		snprintf(out, size, "%" PRId64 " d %" PRId64 " h",
		    seconds / 86400, seconds / 3600 % 24);
}

static char *
next_turn(void)
{
	static char turns[TURNS][TURN_SIZE];
	static size_t turn;

	turn = (turn + 1) % TURNS;
	return turns[turn];
}

const char *
text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	char *out = next_turn();

	text_clean(out, TURN_SIZE, s != NULL ? s : "");
	return out;
}

int64_t
text_number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

const char *
text_list(const json_t *o, const char *key)
{
	const json_t *list = json_object_get(o, key);
	char *out = next_turn();
	size_t done = 0;

	out[0] = '\0';
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *s = json_string_value(json_array_get(list, i));

		if (s == NULL || done + 3 >= TURN_SIZE)
			continue;
		if (done > 0) {
			memcpy(out + done, ", ", 3);
			done += 2;
		}
		text_clean(out + done, TURN_SIZE - done, s);
		done += strlen(out + done);
	}
	return out;
}

/* --- tables ------------------------------------------------------------- */

static char *
cell(const struct text_table *t, size_t row, size_t column)
{
	return t->cells + (row * t->columns + column) * TEXT_CELL_MAX;
}

void
text_table_init(struct text_table *t, const char *const *titles, size_t columns)
{
	*t = (struct text_table){ .columns = columns };
	if (titles != NULL)
		text_table_row(t, titles);
}

void
text_table_row(struct text_table *t, const char *const *cells)
{
	if (t->rows == t->room) {
		size_t room = t->room > 0 ? t->room * 2 : 16;
		char *grown =
		    realloc(t->cells, room * t->columns * TEXT_CELL_MAX);

		if (grown == NULL) {
			fputs("sallyport: out of memory\n", stderr);
			exit(1);
		}
		t->cells = grown;
		t->room = room;
	}
	for (size_t i = 0; i < t->columns; i++)
		text_clean(cell(t, t->rows, i), TEXT_CELL_MAX, cells[i]);
	t->rows++;
}

/* Characters, as a terminal with a fixed font counts most of them. */
static size_t
width(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		if (((unsigned char)*s & 0xC0) != 0x80)
			n++;
	return n;
}

void
text_table_print(struct text_table *t, const char *indent)
{
	size_t *widths = t->widths;

	for (size_t r = 0; r < t->rows; r++)
		for (size_t c = 0; c < t->columns; c++)
			if (width(cell(t, r, c)) > widths[c])
				widths[c] = width(cell(t, r, c));
	for (size_t r = 0; r < t->rows; r++) {
		fputs(indent, stdout);
		for (size_t c = 0; c < t->columns; c++) {
			const char *s = cell(t, r, c);

			fputs(s, stdout);
			if (c + 1 == t->columns)
				break;
			for (size_t n = width(s); n < widths[c] + 2; n++)
				putchar(' ');
		}
		putchar('\n');
	}
}

void
text_table_flush(struct text_table *t, const char *indent)
{
	text_table_print(t, indent);
	t->rows = 0;
}

void
text_table_finish(struct text_table *t)
{
	free(t->cells);
	*t = (struct text_table){ 0 };
}
