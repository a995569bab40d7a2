/*
 * A reader of tokens: group begin and end, control words with an optional
 * number, control symbols, and characters.  Bytes beyond ASCII, given as \'hh
 * or as they are, gather in a run that iconv(3) turns into UTF-8 when
 * something else follows, since in some code pages a character takes two.
 */
#include "frontend-gateway/translate/rtf.h"

#include <errno.h>
#include <iconv.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/utf8.h"

enum {
	WORD_MAX = 32,
	NUMBER_MAX = 1000000,
	CODE_PAGE = 1252, /* when none is named */
	RUN_MAX = 64,
	SUBSTITUTES_MAX = 16
};

/* What a group hands down to the groups within. */
struct group {
	bool skipped;
	int substitutes; /* characters behind each \u */
};

struct reader {
	struct buf *out;
	size_t start;
	const char *at, *end;
	struct group groups[RTF_DEPTH_MAX];
	unsigned depth;
	bool first;    /* in its group: may name a destination */
	int to_skip;   /* substitutes of the \u just read */
	uint32_t high; /* first half of a surrogate pair, or 0 */
	int code_page;
	char run[RUN_MAX]; /* bytes of the code page */
	size_t run_len;
	bool bad_code_page;
};

static const char *const skipped[] = { "fonttbl", "colortbl", "stylesheet",
	"info", "pict", "object", "header", "headerl", "headerr", "headerf",
	"footer", "footerl", "footerr", "footerf", "footnote", "annotation",
	"filetbl", "listtable", "listoverridetable", "revtbl", "rsidtbl",
	"generator", "themedata", "datastore", "xmlnstbl", "fldinst" };

/* Control words that stand for a character. */
static const struct {
	const char *word, *text;
} characters[] = {
	{ "par", "\n" },
	{ "line", "\n" },
	{ "sect", "\n" },
	{ "page", "\n" },
	{ "row", "\n" },
	{ "cell", "\t" },
	{ "tab", "\t" },
	{ "emdash", "\xe2\x80\x94" },
	{ "endash", "\xe2\x80\x93" },
	{ "bullet", "\xe2\x80\xa2" },
	{ "lquote", "\xe2\x80\x98" },
	{ "rquote", "\xe2\x80\x99" },
	{ "ldblquote", "\xe2\x80\x9c" },
	{ "rdblquote", "\xe2\x80\x9d" },
	{ "emspace", " " },
	{ "enspace", " " },
	{ "qmspace", " " },
	{ "ltrmark", "\xe2\x80\x8e" },
	{ "rtlmark", "\xe2\x80\x8f" },
	{ "zwj", "\xe2\x80\x8d" },
	{ "zwnj", "\xe2\x80\x8c" },
};

#define COUNT(a)    (sizeof(a) / sizeof((a)[0]))
#define REPLACEMENT "\xef\xbf\xbd"

static struct group *
group(struct reader *r)
{
	return &r->groups[r->depth - 1];
}

/* --- output --------------------------------------------------------------- */

static void
put_code_point(struct reader *r, uint32_t cp)
{
	uint8_t bytes[4];

	if (utf8_xml_char(cp))
		buf_add(r->out, bytes, utf8_encode(bytes, cp));
	else
		buf_add_str(r->out, REPLACEMENT);
}

/* What iconv(3) made: it lets control characters through. */
static void
put_utf8(struct reader *r, const char *s, size_t len)
{
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		uint32_t cp;

		n = utf8_decode((const uint8_t *)s + i, len - i, &cp);
		if (n == 0)
			n = 1;
		else
			put_code_point(r, cp);
	}
}

/* Converts the run; bytes that mean nothing become U+FFFD. */
static void
flush_run(struct reader *r)
{
	char name[32], piece[4 * RUN_MAX];
	size_t left = r->run_len, room = sizeof(piece);
	char *from = r->run, *to = piece;
	iconv_t cd;

	if (r->run_len == 0)
		return;
	r->run_len = 0;
	snprintf(name, sizeof(name), "CP%d", r->code_page);
	cd = iconv_open("UTF-8", name);
	if (cd == (iconv_t)-1) {
		r->bad_code_page = true;
		return;
	}
	while (left > 0 && iconv(cd, &from, &left, &to, &room) == (size_t)-1 &&
	       room >= 3) {
		memcpy(to, REPLACEMENT, 3);
		to += 3;
		room -= 3;
		from++;
		left--;
	}
	iconv_close(cd);
	put_utf8(r, piece, sizeof(piece) - room);
}

static void
put_byte(struct reader *r, uint8_t byte)
{
	if (group(r)->skipped)
		return;
	if (r->to_skip > 0) {
		r->to_skip--;
		return;
	}
	if (r->run_len == RUN_MAX)
		flush_run(r);
	/* A byte below 0x80 may be the second of a character. */
	if (byte >= 0x80 || r->run_len > 0) {
		r->run[r->run_len++] = (char)byte;
		if (byte < 0x80)
			flush_run(r);
		return;
	}
	put_code_point(r, byte);
}

static void
put_text(struct reader *r, const char *text)
{
	flush_run(r);
	r->to_skip = 0;
	if (!group(r)->skipped)
		buf_add_str(r->out, text);
}

/* \uN: UTF-16, negative above 32767. */
static void
put_unit(struct reader *r, int number)
{
	uint32_t unit = (uint32_t)number & 0xffff;

	flush_run(r);
	r->to_skip = group(r)->substitutes;
	if (group(r)->skipped)
		return;
	if (unit >= 0xd800 && unit <= 0xdbff) {
		r->high = unit;
		return;
	}
	if (unit >= 0xdc00 && unit <= 0xdfff && r->high != 0)
		unit = 0x10000 + ((r->high - 0xd800) << 10) + (unit - 0xdc00);
	r->high = 0;
	put_code_point(r, unit);
}

/* --- control words -------------------------------------------------------- */

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads the number behind a word, and the blank that ends it. */
static bool
read_number(struct reader *r, int *out)
{
	bool negative = false, there = false;
	int number = 0;

	if (r->at + 1 < r->end && *r->at == '-' && is_digit(r->at[1])) {
		negative = true;
		r->at++;
	}
	for (; r->at < r->end && is_digit(*r->at); r->at++) {
		there = true;
		if (number < NUMBER_MAX)
			number = number * 10 + (*r->at - '0');
	}
	if (r->at < r->end && *r->at == ' ')
		r->at++;
	*out = negative ? -number : number;
	return there;
}

static void
apply_word(struct reader *r, const char *word, int number, bool numbered)
{
	if (strcmp(word, "u") == 0 && numbered) {
		put_unit(r, number);
		return;
	}
	flush_run(r);
	if (strcmp(word, "uc") == 0 && numbered && number >= 0) {
		group(r)->substitutes =
		    number < SUBSTITUTES_MAX ? number : SUBSTITUTES_MAX;
	} else if (strcmp(word, "ansicpg") == 0 && numbered && number >= 0) {
		r->code_page = number == 0 ? CODE_PAGE : number;
	} else if (strcmp(word, "bin") == 0 && numbered && number > 0) {
		r->at += number < r->end - r->at ? number : r->end - r->at;
	}
	for (size_t i = 0; i < COUNT(skipped); i++)
		if (r->first && strcmp(word, skipped[i]) == 0)
			group(r)->skipped = true;
	for (size_t i = 0; i < COUNT(characters); i++)
		if (strcmp(word, characters[i].word) == 0)
			put_text(r, characters[i].text);
}

static void
read_word(struct reader *r)
{
	char word[WORD_MAX + 1];
	size_t len = 0;
	int number;
	bool numbered;

	for (; r->at < r->end && is_letter(*r->at); r->at++)
		if (len < WORD_MAX)
			word[len++] = *r->at;
	word[len] = '\0';
	numbered = read_number(r, &number);
	apply_word(r, word, number, numbered);
	r->first = false;
}

static int
hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
read_hex(struct reader *r)
{
	int high, low;

	if (r->end - r->at < 2)
		return;
	high = hex_value(r->at[0]);
	low = hex_value(r->at[1]);
	if (high < 0 || low < 0)
		return;
	r->at += 2;
	put_byte(r, (uint8_t)(high << 4 | low));
}

/* Behind a backslash. */
static void
read_control(struct reader *r)
{
	char c;

	if (r->at == r->end)
		return;
	if (is_letter(*r->at)) {
		read_word(r);
		return;
	}
	c = *r->at++;
	if (c == '\'') {
		read_hex(r);
	} else if (c == '*' && r->first) {
		group(r)->skipped = true;
	} else if (c == '\\' || c == '{' || c == '}') {
		put_byte(r, (uint8_t)c);
	} else if (c == '~') {
		put_text(r, " ");
	} else if (c == '_') {
		put_text(r, "-");
	} else if (c == '\n' || c == '\r') {
		put_text(r, "\n");
	}
	r->first = false;
}

/* --- groups --------------------------------------------------------------- */

static int
enter_group(struct reader *r)
{
	struct group above = { .substitutes = 1 };

	if (r->depth == RTF_DEPTH_MAX)
		return ERR_MALFORMED;
	if (r->depth > 0)
		above = *group(r);
	flush_run(r);
	r->to_skip = 0;
	r->groups[r->depth++] = above;
	r->first = true;
	return 0;
}

static void
leave_group(struct reader *r)
{
	flush_run(r);
	r->to_skip = 0;
	r->depth--;
	r->first = false;
}

static int
read_document(struct reader *r)
{
	int rc = enter_group(r);

	while (rc == 0 && r->depth > 0 && r->at < r->end) {
		char c = *r->at++;

		if (c == '\\') {
			read_control(r);
		} else if (c == '{') {
			rc = enter_group(r);
		} else if (c == '}') {
			leave_group(r);
		} else if (c != '\r' && c != '\n') {
			put_byte(r, (uint8_t)c);
			r->first = false;
		}
	}
	if (rc == 0 && (r->depth > 0 || r->bad_code_page))
		rc = ERR_MALFORMED;
	if (rc == 0 && buf_failed(r->out))
		rc = ERR_NOMEM;
	return rc;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

static void
trim(struct buf *b, size_t start)
{
	size_t from = start;

	while (b->len > start && is_blank((char)b->data[b->len - 1]))
		b->len--;
	while (from < b->len && is_blank((char)b->data[from]))
		from++;
	if (from > start) {
		memmove(b->data + start, b->data + from, b->len - from);
		b->len -= from - start;
	}
}

int
rtf_read(struct buf *out, const char *rtf, size_t len)
{
	static const char magic[] = "{\\rtf";
	struct reader r = {
		.out = out, .start = out->len, .code_page = CODE_PAGE
	};
	int rc;

	if (len < sizeof(magic) - 1 ||
	    memcmp(rtf, magic, sizeof(magic) - 1) != 0)
		return ERR_MALFORMED;
	r.at = rtf + 1;
	r.end = rtf + len;
	rc = read_document(&r);
	if (rc < 0)
		out->len = r.start;
	else
		trim(out, r.start);
	return rc;
}
