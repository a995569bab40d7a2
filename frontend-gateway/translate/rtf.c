/*
 * A reader of tokens: group begin and end, control words with an optional
 * number, control symbols, and characters.  Bytes beyond ASCII, given as \'hh
 * or as they are, gather in a run that iconv(3) turns into UTF-8 when
 * something else follows, since in some code pages a character takes two.
 *
 * Two destinations are read though they are no text: the colour table, and the
 * instruction of a field, which may be a hyperlink for the result behind it.
 */
#include "frontend-gateway/translate/rtf.h"

#include <errno.h>
#include <iconv.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/utf8.h"
#include "frontend-gateway/translate/rich_writer.h"
#include "proto/rich_body.h"

enum {
	WORD_MAX = 32,
	NUMBER_MAX = 1000000,
	CODE_PAGE = 1252, /* when none is named */
	RUN_MAX = 64,
	SUBSTITUTES_MAX = 16,
	COLOURS_MAX = 256,
	INSTRUCTION_MAX = RICH_BODY_HREF_MAX + 64
};

enum destination { TEXT, NO_TEXT, COLOURS, INSTRUCTION };

/* What a group hands down to the groups within. */
struct group {
	enum destination destination;
	int substitutes; /* characters behind each \u */
	struct rich_look look;
};

struct reader {
	struct buf *out;
	size_t start;
	struct rich_writer rich;
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
	int32_t colours[COLOURS_MAX]; /* 0xrrggbb, or none */
	size_t colour_count;
	int32_t colour; /* the one being read */
	char instruction[INSTRUCTION_MAX + 1];
	size_t instruction_len;
	/* The link whose text is being read. */
	char href[RICH_BODY_HREF_MAX + 1];
	size_t link_at;      /* in out */
	unsigned link_depth; /* of its group; 0 = none */
};

static const char *const skipped[] = { "fonttbl", "stylesheet", "info", "pict",
	"object", "header", "headerl", "headerr", "headerf", "footer",
	"footerl", "footerr", "footerf", "footnote", "annotation", "filetbl",
	"listtable", "listoverridetable", "revtbl", "rsidtbl", "generator",
	"themedata", "datastore", "xmlnstbl" };

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

/* One character, at last. */
static void
emit(struct reader *r, const char *c, size_t len)
{
	buf_add(r->out, c, len);
	rich_writer_put(&r->rich, &group(r)->look, c, len);
}

static void
put_code_point(struct reader *r, uint32_t cp)
{
	uint8_t bytes[4];

	if (utf8_xml_char(cp))
		emit(r, (char *)bytes, utf8_encode(bytes, cp));
	else
		emit(r, REPLACEMENT, 3);
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

/* A character of a destination that is no text. */
static void
put_aside(struct reader *r, char c)
{
	if (group(r)->destination == INSTRUCTION &&
	    r->instruction_len < INSTRUCTION_MAX)
		r->instruction[r->instruction_len++] = c;
	if (group(r)->destination == COLOURS && c == ';') {
		if (r->colour_count < COLOURS_MAX)
			r->colours[r->colour_count++] = r->colour;
		r->colour = RICH_WRITER_NO_COLOUR;
	}
}

static void
put_byte(struct reader *r, uint8_t byte)
{
	if (group(r)->destination != TEXT) {
		put_aside(r, (char)byte);
		return;
	}
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
	if (group(r)->destination == TEXT)
		emit(r, text, strlen(text));
}

/* \uN: UTF-16, negative above 32767. */
static void
put_unit(struct reader *r, int number)
{
	uint32_t unit = (uint32_t)number & 0xffff;

	flush_run(r);
	r->to_skip = group(r)->substitutes;
	if (group(r)->destination != TEXT)
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

/* Black is what text is anyway. */
static int32_t
colour_of(const struct reader *r, int number)
{
	size_t i = number > 0 ? (size_t)number : COLOURS_MAX;

	if (i >= COLOURS_MAX || i >= r->colour_count || r->colours[i] == 0)
		return RICH_WRITER_NO_COLOUR;
	return r->colours[i];
}

/* Switches of the look; without a number they are on. */
static void
apply_look(struct reader *r, const char *word, int number, bool numbered)
{
	struct rich_look *look = &group(r)->look;
	bool on = !numbered || number != 0;

	if (strcmp(word, "b") == 0)
		look->bold = on;
	else if (strcmp(word, "i") == 0)
		look->italic = on;
	else if (strcmp(word, "strike") == 0)
		look->strike = on;
	else if (strcmp(word, "ulnone") == 0)
		look->underline = false;
	else if (strcmp(word, "ul") == 0)
		look->underline = on;
	else if (strcmp(word, "plain") == 0)
		*look = (struct rich_look){ .colour = RICH_WRITER_NO_COLOUR };
	else if (strcmp(word, "cf") == 0)
		look->colour = colour_of(r, number);
}

/* A part of the colour that is being read. */
static void
apply_colour(struct reader *r, const char *word, int number)
{
	static const struct {
		const char *word;
		int shift;
	} parts[] = { { "red", 16 }, { "green", 8 }, { "blue", 0 } };
	uint32_t colour;

	for (size_t i = 0; i < COUNT(parts); i++) {
		if (strcmp(word, parts[i].word) != 0)
			continue;
		colour = r->colour < 0 ? 0 : (uint32_t)r->colour;
		colour |= (uint32_t)(number & 0xff) << parts[i].shift;
		r->colour = (int32_t)colour;
	}
}

/* Where the instruction just read leads; NULL when it is no hyperlink of a kind
 * that passes. */
static const char *
hyperlink(struct reader *r, size_t *len)
{
	static const char word[] = "HYPERLINK";
	const char *at = r->instruction, *end;

	r->instruction[r->instruction_len] = '\0';
	at += strspn(at, " ");
	if (strncasecmp(at, word, sizeof(word) - 1) != 0)
		return NULL;
	at += sizeof(word) - 1;
	at += strspn(at, " ");
	end = *at == '"' ? strchr(++at, '"') : at + strcspn(at, " ");
	if (end == NULL)
		return NULL;
	*len = (size_t)(end - at);
	return utf8_valid_xml(at, *len) && rich_body_href_allowed(at, *len)
		   ? at
		   : NULL;
}

/* The result of a field follows, in this group. */
static void
begin_result(struct reader *r)
{
	size_t len;
	const char *href = hyperlink(r, &len);

	r->instruction_len = 0;
	if (href == NULL || r->link_depth > 0 || group(r)->destination != TEXT)
		return;
	memcpy(r->href, href, len);
	r->href[len] = '\0';
	r->link_at = r->out->len;
	r->link_depth = r->depth;
	rich_writer_link(&r->rich, r->href, len);
}

/* Behind a link that reads otherwise: where it leads. */
static void
end_result(struct reader *r)
{
	size_t len = r->out->len - r->link_at;

	r->link_depth = 0;
	rich_writer_unlink(&r->rich);
	if (len == strlen(r->href) &&
	    memcmp(r->out->data + r->link_at, r->href, len) == 0)
		return;
	buf_addf(r->out, len > 0 ? " <%s>" : "<%s>", r->href);
}

/* A word that is the first of its group may say what the group holds. */
static void
apply_destination(struct reader *r, const char *word)
{
	struct group *g = group(r);

	for (size_t i = 0; i < COUNT(skipped); i++)
		if (strcmp(word, skipped[i]) == 0)
			g->destination = NO_TEXT;
	if (strcmp(word, "colortbl") == 0) {
		g->destination = COLOURS;
		r->colour = RICH_WRITER_NO_COLOUR;
	} else if (strcmp(word, "fldinst") == 0) {
		g->destination = INSTRUCTION;
		r->instruction_len = 0;
	} else if (strcmp(word, "fldrslt") == 0) {
		begin_result(r);
	}
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
	if (r->first)
		apply_destination(r, word);
	if (group(r)->destination == COLOURS)
		apply_colour(r, word, number);
	apply_look(r, word, number, numbered);
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
		/* A word follows that may be a known one. */
		group(r)->destination = NO_TEXT;
		return;
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
	struct group above = { .substitutes = 1,
		.look = { .colour = RICH_WRITER_NO_COLOUR } };

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
	if (r->link_depth == r->depth)
		end_result(r);
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
	rich_writer_end(&r->rich);
	if (rc == 0 && (buf_failed(r->out) ||
			   (r->rich.out != NULL && buf_failed(r->rich.out))))
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
rtf_read(struct buf *out, struct buf *rich, const char *rtf, size_t len)
{
	static const char magic[] = "{\\rtf";
	struct reader r = {
		.out = out, .start = out->len, .code_page = CODE_PAGE
	};
	int rc;

	if (len < sizeof(magic) - 1 ||
	    memcmp(rtf, magic, sizeof(magic) - 1) != 0)
		return ERR_MALFORMED;
	rich_writer_init(&r.rich, rich);
	r.at = rtf + 1;
	r.end = rtf + len;
	rc = read_document(&r);
	if (rc == 0)
		trim(out, r.start);
	else
		out->len = r.start;
	if (rich != NULL && (rc < 0 || out->len == r.start))
		rich->len = r.rich.start;
	return rc;
}
