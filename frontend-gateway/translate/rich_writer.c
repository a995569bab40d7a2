/* Elements are closed and opened anew whenever the look changes; within a link
 * they are its children. */
#include "frontend-gateway/translate/rich_writer.h"

#include <string.h>

#include "common/buf.h"
#include "common/xml.h"

static const struct rich_look plain = { .colour = RICH_WRITER_NO_COLOUR };

static bool
same(const struct rich_look *a, const struct rich_look *b)
{
	return a->bold == b->bold && a->italic == b->italic &&
	       a->underline == b->underline && a->strike == b->strike &&
	       a->colour == b->colour;
}

static bool
has_style(const struct rich_look *l)
{
	return l->underline || l->strike || l->colour != RICH_WRITER_NO_COLOUR;
}

static void
open_style(struct rich_writer *w, const struct rich_look *l)
{
	const char *sign = "";

	buf_add_str(w->out, "<span style='");
	if (l->colour != RICH_WRITER_NO_COLOUR) {
		buf_addf(w->out, "color:#%06x", (unsigned)l->colour);
		sign = ";";
	}
	if (l->underline || l->strike)
		buf_addf(w->out, "%stext-decoration:%s%s%s", sign,
		    l->underline ? "underline" : "",
		    l->underline && l->strike ? " " : "",
		    l->strike ? "line-through" : "");
	buf_add_str(w->out, "'>");
}

/* Of several blanks, and of those at the beginning of a line, XHTML shows one
 * at most. */
static void
settle(struct rich_writer *w)
{
	bool at_start = w->lines > 0;

	if (w->out->len > w->start) {
		for (; w->lines > 0; w->lines--)
			buf_add_str(w->out, "<br/>");
		for (size_t i = 0; i < w->blanks; i++)
			buf_add_str(
			    w->out, i == 0 && !at_start ? " " : "\xc2\xa0");
	}
	w->lines = w->blanks = 0;
}

static void
end_look(struct rich_writer *w)
{
	if (has_style(&w->look))
		buf_add_str(w->out, "</span>");
	if (w->look.italic)
		buf_add_str(w->out, "</em>");
	if (w->look.bold)
		buf_add_str(w->out, "</strong>");
	w->look = plain;
}

/* The blanks between two looks have neither. */
static void
set_look(struct rich_writer *w, const struct rich_look *l)
{
	bool other = !same(&w->look, l);

	if (other)
		end_look(w);
	settle(w);
	if (!other)
		return;
	w->look = *l;
	if (l->bold)
		buf_add_str(w->out, "<strong>");
	if (l->italic)
		buf_add_str(w->out, "<em>");
	if (has_style(l))
		open_style(w, l);
	w->formatted = w->formatted || !same(l, &plain);
}

void
rich_writer_init(struct rich_writer *w, struct buf *out)
{
	*w = (struct rich_writer){ .out = out, .look = plain };
	if (out != NULL)
		w->start = out->len;
}

void
rich_writer_put(struct rich_writer *w, const struct rich_look *look,
    const char *c, size_t len)
{
	if (w->out == NULL)
		return;
	if (len == 1 && *c == '\n') {
		w->lines++;
		w->blanks = 0;
	} else if (len == 1 && (*c == ' ' || *c == '\t')) {
		w->blanks++;
	} else {
		set_look(w, look);
		xml_escape_text(w->out, c, len);
	}
}

void
rich_writer_link(struct rich_writer *w, const char *href, size_t len)
{
	if (w->out == NULL || w->linked)
		return;
	set_look(w, &plain);
	buf_add_str(w->out, "<a href='");
	xml_escape_attr(w->out, href, len);
	buf_add_str(w->out, "'>");
	w->linked = w->formatted = true;
}

void
rich_writer_unlink(struct rich_writer *w)
{
	if (!w->linked)
		return;
	end_look(w);
	buf_add_str(w->out, "</a>");
	w->linked = false;
}

void
rich_writer_end(struct rich_writer *w)
{
	if (w->out == NULL)
		return;
	rich_writer_unlink(w);
	end_look(w);
	if (!w->formatted)
		w->out->len = w->start;
}
