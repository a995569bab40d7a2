/*
 * The text is read line by line.  A line knows by its '>' how deep it is
 * quoted, and the quotations that are open follow it.  A line of ``` opens a
 * block of code that ends with another one, or with the quotation it is in.
 * In every other line spans are sought from the left; the nearest end counts.
 *
 * A span's end is sought once: when there is none, there is none for a later
 * beginning of the same kind either.  So the time is linear in the text.
 */
#include "frontend-gateway/translate/styling.h"

#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/utf8.h"
#include "common/xml.h"
#include "proto/rich_body.h"

enum { QUOTES_MAX = 8, KINDS = 4 };

#define NO_BREAK  "\xc2\xa0"
#define MONOSPACE "<span style='font-family:monospace'>"

static const struct {
	char sign;
	const char *begin, *end;
} kinds[KINDS] = {
	{ '*', "<strong>", "</strong>" },
	{ '_', "<em>", "</em>" },
	{ '~', "<span style='text-decoration:line-through'>", "</span>" },
	{ '`', MONOSPACE, "</span>" },
};

struct span {
	const char *at;
	size_t len;
};

struct styler {
	struct buf *out;    /* NULL: only looking */
	bool found;         /* a directive */
	bool blank;         /* what was written last is a blank */
	unsigned depth;     /* of quotations that are open */
	bool code;          /* within a block of code */
	unsigned code_at;   /* depth of its quotation */
	bool line_end_owed; /* before the next line, unless a block begins */
};

/* --- writing -------------------------------------------------------------- */

static void
put(struct styler *s, const char *markup)
{
	if (s->out != NULL)
		(void)buf_add_str(s->out, markup);
}

static void
put_chars(struct styler *s, const char *at, size_t len)
{
	if (s->out == NULL || len == 0)
		return;
	(void)xml_escape_text(s->out, at, len);
	s->blank = false;
}

/* Of several blanks, and of one at the beginning, HTML shows but one. */
static void
put_blank(struct styler *s)
{
	if (s->out == NULL)
		return;
	(void)buf_add_str(s->out, s->blank ? NO_BREAK : " ");
	s->blank = true;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

static bool
begins(struct span text, const char *prefix)
{
	size_t n = strlen(prefix);

	return text.len >= n && strncasecmp(text.at, prefix, n) == 0;
}

/* The length of the web address that stands here, or 0. */
static size_t
link_length(struct span text)
{
	size_t n = 0;

	if (!begins(text, "https://") && !begins(text, "http://"))
		return 0;
	/* One byte more is looked at than is allowed. */
	while (n < text.len && n <= RICH_BODY_HREF_MAX &&
	       !is_blank(text.at[n]) && strchr("<>\"", text.at[n]) == NULL)
		n++;
	if (n > RICH_BODY_HREF_MAX)
		return 0;
	/* What ends a sentence or a span belongs to it. */
	while (n > 0 && strchr(".,;:!?)]}'*_~`", text.at[n - 1]) != NULL)
		n--;
	if (n <= strlen("https://") || !rich_body_href_allowed(text.at, n))
		return 0;
	return n;
}

static void
put_link(struct styler *s, const char *at, size_t len)
{
	if (s->out == NULL)
		return;
	put(s, "<a href='");
	(void)xml_escape_attr(s->out, at, len);
	put(s, "'>");
	put_chars(s, at, len);
	put(s, "</a>");
}

static void
put_text(struct styler *s, struct span text)
{
	size_t from = 0, n;

	if (s->out == NULL)
		return;
	for (size_t i = 0; i < text.len; i += n) {
		bool fresh = i == 0 || !is_word(text.at[i - 1]);

		n = fresh ? link_length(
				(struct span){ text.at + i, text.len - i })
			  : 0;
		if (n == 0 && !is_blank(text.at[i])) {
			n = 1;
			continue;
		}
		put_chars(s, text.at + from, i - from);
		if (n > 0) {
			put_link(s, text.at + i, n);
		} else {
			put_blank(s);
			n = 1;
		}
		from = i + n;
	}
	put_chars(s, text.at + from, text.len - from);
}

/* --- spans ---------------------------------------------------------------- */

static int
kind_of(char c)
{
	for (int k = 0; k < KINDS; k++)
		if (kinds[k].sign == c)
			return k;
	return -1;
}

/* Where the span that begins at i ends, or 0. */
static size_t
find_end(struct span text, size_t i)
{
	for (size_t j = i + 2; j < text.len; j++)
		if (text.at[j] == text.at[i] && !is_blank(text.at[j - 1]))
			return j;
	return 0;
}

static void put_spans(struct styler *s, struct span text);

static void
put_span(struct styler *s, int kind, struct span text)
{
	struct span inner = { text.at + 1, text.len - 2 };

	s->found = true;
	put(s, kinds[kind].begin);
	put_chars(s, text.at, 1);
	/* There are no spans in code. */
	if (kinds[kind].sign == '`')
		put_text(s, inner);
	else
		put_spans(s, inner);
	put_chars(s, text.at, 1);
	put(s, kinds[kind].end);
}

/* The kind of the span that may begin at i, or -1: behind a blank or the
 * beginning of a line or of another span, and right before its text. */
static int
may_begin(struct span text, size_t i)
{
	int kind = kind_of(text.at[i]);

	if (kind < 0 || i + 1 >= text.len || is_blank(text.at[i + 1]) ||
	    text.at[i + 1] == text.at[i])
		return -1;
	return i == 0 || is_blank(text.at[i - 1]) ? kind : -1;
}

/* A span holds none of its own kind: its end would have been the nearer one.
 * So this goes no deeper than there are kinds. */
static void
put_spans(struct styler *s, struct span text)
{
	bool endless[KINDS] = { false };
	size_t from = 0, i = 0;

	while (i < text.len) {
		int kind = may_begin(text, i);
		size_t end = 0;

		if (kind >= 0 && !endless[kind]) {
			end = find_end(text, i);
			endless[kind] = end == 0;
		}
		if (end == 0) {
			/* Signs side by side are no beginning at all. */
			char c = text.at[i++];

			while (
			    kind_of(c) >= 0 && i < text.len && text.at[i] == c)
				i++;
			continue;
		}
		put_text(s, (struct span){ text.at + from, i - from });
		put_span(s, kind, (struct span){ text.at + i, end + 1 - i });
		i = from = end + 1;
	}
	put_text(s, (struct span){ text.at + from, text.len - from });
}

/* --- blocks --------------------------------------------------------------- */

/* Takes up to max '>' off the line, with the blanks behind them. */
static unsigned
take_quotes(struct span *line, unsigned max)
{
	unsigned n = 0;

	while (n < max && line->len > 0 && line->at[0] == '>') {
		n++;
		do {
			line->at++;
			line->len--;
		} while (line->len > 0 && is_blank(line->at[0]));
	}
	return n;
}

static void
set_depth(struct styler *s, unsigned depth)
{
	if (s->depth != depth)
		s->line_end_owed = false;
	for (; s->depth < depth; s->depth++)
		put(s, "<blockquote>");
	for (; s->depth > depth; s->depth--)
		put(s, "</blockquote>");
	if (s->line_end_owed)
		put(s, "<br/>");
	s->line_end_owed = true;
	s->blank = true;
}

static bool
is_fence(struct span line)
{
	return line.len >= 3 && memcmp(line.at, "```", 3) == 0;
}

static void
put_code_line(struct styler *s, struct span line)
{
	put(s, MONOSPACE);
	put_text(s, line);
	put(s, "</span>");
}

static void
put_line(struct styler *s, struct span line)
{
	struct span rest = line;
	unsigned depth = take_quotes(&rest, s->code ? s->code_at : QUOTES_MAX);

	if (depth < s->code_at)
		s->code = false;
	s->found = s->found || depth > 0;
	set_depth(s, depth);
	if (s->code) {
		put_code_line(s, line);
		if (rest.len == 3 && is_fence(rest))
			s->code = false;
	} else if (is_fence(rest)) {
		s->found = s->code = true;
		s->code_at = depth;
		put_code_line(s, line);
	} else {
		put_text(s, (struct span){ line.at, line.len - rest.len });
		put_spans(s, rest);
	}
}

/* Cuts the line at *rest off; true when a line end was there, so that one more
 * follows. */
static bool
next_line(struct span *line, struct span *rest)
{
	const char *end = memchr(rest->at, '\n', rest->len);

	*line = *rest;
	if (end == NULL)
		return false;
	line->len = (size_t)(end - rest->at);
	rest->at = end + 1;
	rest->len -= line->len + 1;
	return true;
}

static void
put_document(struct styler *s, struct span text, bool styled)
{
	struct span line;
	bool more;

	do {
		more = next_line(&line, &text);
		if (styled) {
			put_line(s, line);
		} else {
			set_depth(s, 0);
			put_text(s, line);
		}
	} while (more);
	s->line_end_owed = false;
	set_depth(s, 0);
}

static int
write_all(struct buf *rich, const char *text, size_t len, bool styled)
{
	struct styler s = { .out = rich };
	size_t before = rich->len;

	if (!utf8_valid_xml(text, len))
		return ERR_UTF8;
	put_document(&s, (struct span){ text, len }, styled);
	if (!buf_failed(rich))
		return 0;
	rich->len = before;
	return rich->limit > 0 && rich->cap >= rich->limit ? ERR_FULL
							   : ERR_NOMEM;
}

bool
styling_found(const char *text, size_t len)
{
	struct styler s = { .out = NULL };

	put_document(&s, (struct span){ text, len }, true);
	return s.found;
}

int
styling_format(struct buf *rich, const char *text, size_t len)
{
	return write_all(rich, text, len, true);
}

int
styling_escape(struct buf *rich, const char *text, size_t len)
{
	return write_all(rich, text, len, false);
}
