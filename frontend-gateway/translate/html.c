/*
 * One pass over the parser's events writes both forms.
 *
 * Text: blocks ask for a line break before what follows them; a run of white
 * space asks for a blank.  Both are written only when something follows, so
 * nothing has to be taken back.
 *
 * Formatted: each element pushed knows what closes it again.  Deeper than
 * DEPTH_MAX elements only their content counts.
 */
#include "frontend-gateway/translate/html.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <libxml/HTMLparser.h>
#include <libxml/parserInternals.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/utf8.h"
#include "common/xml.h"
#include "proto/rich_body.h"

enum { DEPTH_MAX = 64, WISH_MAX = 4 * RICH_BODY_STYLE_MAX };

/* What an element means. */
enum {
	BLOCK = 1 << 0, /* on lines of its own */
	BREAK = 1 << 1,
	ITEM = 1 << 2,
	LINK = 1 << 3,
	IMAGE = 1 << 4,
	PRE = 1 << 5,
	DROP = 1 << 6, /* its content is nothing to read */
	PLAIN = 1 << 7 /* written, but no formatting to speak of */
};

struct rule {
	const char *name;
	unsigned what;
	const char *rich;  /* element to write; NULL = only its content */
	const char *style; /* given to it */
};

static const struct rule rules[] = {
	{ "a", LINK, "a", NULL },
	{ "b", 0, "strong", NULL },
	{ "blockquote", BLOCK, "blockquote", NULL },
	{ "br", BREAK, NULL, NULL },
	{ "del", 0, "span", "text-decoration:line-through" },
	{ "div", BLOCK | PLAIN, "p", NULL },
	{ "em", 0, "em", NULL },
	{ "font", PLAIN, "span", NULL },
	{ "h1", BLOCK, "p", "font-weight:bold" },
	{ "h2", BLOCK, "p", "font-weight:bold" },
	{ "h3", BLOCK, "p", "font-weight:bold" },
	{ "h4", BLOCK, "p", "font-weight:bold" },
	{ "h5", BLOCK, "p", "font-weight:bold" },
	{ "h6", BLOCK, "p", "font-weight:bold" },
	{ "i", 0, "em", NULL },
	{ "iframe", DROP, NULL, NULL },
	{ "img", IMAGE, NULL, NULL },
	{ "li", BLOCK | ITEM, "li", NULL },
	{ "noscript", DROP, NULL, NULL },
	{ "object", DROP, NULL, NULL },
	{ "ol", BLOCK, "ol", NULL },
	{ "p", BLOCK | PLAIN, "p", NULL },
	{ "pre", BLOCK | PRE | PLAIN, "p", NULL },
	{ "s", 0, "span", "text-decoration:line-through" },
	{ "script", DROP, NULL, NULL },
	{ "span", PLAIN, "span", NULL },
	{ "strike", 0, "span", "text-decoration:line-through" },
	{ "strong", 0, "strong", NULL },
	{ "style", DROP, NULL, NULL },
	{ "table", BLOCK, NULL, NULL },
	{ "title", DROP, NULL, NULL },
	{ "tr", BLOCK, NULL, NULL },
	{ "u", 0, "span", "text-decoration:underline" },
	{ "ul", BLOCK, "ul", NULL },
};

struct open_element {
	const struct rule *rule; /* NULL = unknown: only its content */
	bool written;            /* into rich */
	char *href;              /* LINK: where it leads, or NULL */
	size_t text_at;          /* LINK: its text begins there */
};

struct writer {
	struct buf *text, *rich;
	size_t text_start, rich_start;
	struct open_element open[DEPTH_MAX];
	unsigned depth, beyond; /* open elements; those below DEPTH_MAX */
	unsigned rich_depth, paragraphs, dropped, pre;
	bool blank, line; /* asked for before what follows */
	bool rich_blank;
	bool formatted;
	bool out_of_memory;
};

static const struct rule *
find_rule(const char *name)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (strcmp(rules[i].name, name) == 0)
			return &rules[i];
	return NULL;
}

static const char *
find_attr(const xmlChar **attrs, const char *name)
{
	for (; attrs != NULL && attrs[0] != NULL; attrs += 2)
		if (strcmp((const char *)attrs[0], name) == 0)
			return (const char *)attrs[1];
	return NULL;
}

static bool
at_line_start(const struct writer *w)
{
	return w->text->len == w->text_start ||
	       w->text->data[w->text->len - 1] == '\n';
}

/* A line of its own begins, if it is not there already. */
static void
ask_line(struct writer *w)
{
	w->line = w->line || !at_line_start(w);
	w->blank = false;
}

static void
settle(struct writer *w)
{
	if (w->line)
		buf_add_char(w->text, '\n');
	else if (w->blank && !at_line_start(w))
		buf_add_char(w->text, ' ');
	w->line = w->blank = false;
}

static void
settle_rich(struct writer *w)
{
	if (w->rich_blank && w->rich->len > w->rich_start)
		buf_add_char(w->rich, ' ');
	w->rich_blank = false;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

/* --- text that is read ---------------------------------------------------- */

/* One character that is no white space, or stands in pre. */
static void
put_char(struct writer *w, const char *s, size_t n)
{
	static const char no_break[] = { (char)0xc2, (char)0xa0 };

	if (n == 2 && memcmp(s, no_break, 2) == 0) {
		s = " ";
		n = 1;
	}
	settle(w);
	buf_add(w->text, s, n);
	if (w->rich == NULL)
		return;
	settle_rich(w);
	if (w->pre > 0 && *s == '\n')
		buf_add_str(w->rich, "<br/>");
	else
		xml_escape_text(w->rich, s, n);
}

static void
put_text(struct writer *w, const char *s, size_t len)
{
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		uint32_t cp;

		n = utf8_decode((const uint8_t *)s + i, len - i, &cp);
		if (n == 0 || !utf8_xml_char(cp)) {
			put_char(w, "\xef\xbf\xbd", 3);
			n = n == 0 ? 1 : n;
		} else if (w->pre > 0 && cp == '\r') {
			continue;
		} else if (w->pre == 0 && is_space(s[i])) {
			w->blank = true;
			w->rich_blank = true;
		} else {
			put_char(w, s + i, n);
		}
	}
}

static void
on_characters(void *arg, const xmlChar *s, int len)
{
	struct writer *w = arg;

	if (w->dropped == 0 && len > 0)
		put_text(w, (const char *)s, (size_t)len);
}

/* --- elements ------------------------------------------------------------- */

/* The style that an element gets: its own by the rule, and what its attributes
 * ask for. */
static void
collect_style(struct buf *out, const struct rule *rule, const xmlChar **attrs)
{
	const char *style = find_attr(attrs, "style"), *value;
	struct buf wish;

	buf_init(&wish, WISH_MAX);
	if (rule->style != NULL)
		buf_add_str(&wish, rule->style);
	if (strcmp(rule->name, "font") == 0) {
		value = find_attr(attrs, "color");
		if (value != NULL)
			buf_addf(&wish, ";color:%s", value);
		value = find_attr(attrs, "face");
		if (value != NULL)
			buf_addf(&wish, ";font-family:%s", value);
	}
	if (style != NULL)
		buf_addf(&wish, ";%s", style);
	if (!buf_failed(&wish) && wish.len > 0)
		rich_body_reduce_style(out, buf_cstr(&wish));
	buf_finish(&wish);
}

/* Whether a style makes its text differ from other text.  Clients name font,
 * size and black for all that is written. */
static bool
sets_apart(const char *style)
{
	static const char *const usual[] = { "font-family:", "font-size:",
		"color:black", "color:windowtext", "color:#000",
		"color:#000000", "font-weight:normal", "font-style:normal",
		"text-decoration:none" };
	size_t len, i, n;

	for (; *style != '\0'; style += len + (style[len] == ';')) {
		len = strcspn(style, ";");
		for (i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
			n = strlen(usual[i]);
			if (len >= n && strncasecmp(style, usual[i], n) == 0 &&
			    (len == n || usual[i][n - 1] == ':'))
				break;
		}
		if (i == sizeof(usual) / sizeof(usual[0]))
			return true;
	}
	return false;
}

/* Whether an element of that rule can stand here, with a line break in it. */
static bool
fits(const struct writer *w, const struct rule *rule)
{
	if (rule->rich == NULL || w->rich_depth == RICH_BODY_DEPTH_MAX - 1)
		return false;
	/* Paragraphs do not nest. */
	return strcmp(rule->rich, "p") != 0 || w->paragraphs == 0;
}

static bool
write_rich(struct writer *w, const struct rule *rule, const char *href,
    const xmlChar **attrs)
{
	struct buf style;
	bool bare;

	if (w->rich == NULL || !fits(w, rule))
		return false;
	buf_init(&style, RICH_BODY_STYLE_MAX);
	collect_style(&style, rule, attrs);
	bare = style.len == 0 && href == NULL;
	if (bare &&
	    (strcmp(rule->rich, "span") == 0 || strcmp(rule->rich, "a") == 0)) {
		buf_finish(&style);
		return false;
	}
	if (rule->what & BLOCK)
		w->rich_blank = false;
	settle_rich(w);
	buf_addf(w->rich, "<%s", rule->rich);
	if (href != NULL) {
		buf_add_str(w->rich, " href='");
		xml_escape_attr(w->rich, href, strlen(href));
		buf_add_char(w->rich, '\'');
	}
	if (style.len > 0)
		buf_addf(w->rich, " style='%s'", buf_cstr(&style));
	buf_add_char(w->rich, '>');
	if ((rule->what & PLAIN) == 0 || href != NULL ||
	    (style.len > 0 && sets_apart(buf_cstr(&style))))
		w->formatted = true;
	w->rich_depth++;
	w->paragraphs += strcmp(rule->rich, "p") == 0;
	buf_finish(&style);
	return true;
}

/* What needs no end. */
static void
put_single(struct writer *w, const struct rule *rule, const xmlChar **attrs)
{
	const char *alt;

	if (rule->what & BREAK) {
		w->blank = false;
		if (w->line)
			settle(w);
		buf_add_char(w->text, '\n');
		w->rich_blank = false;
		if (w->rich != NULL)
			buf_add_str(w->rich, "<br/>");
	}
	if (rule->what & IMAGE) {
		alt = find_attr(attrs, "alt");
		if (alt != NULL)
			put_text(w, alt, strlen(alt));
	}
}

static void
begin(struct writer *w, struct open_element *e, const xmlChar **attrs)
{
	const struct rule *rule = e->rule;
	const char *href;

	if (rule->what & BLOCK)
		ask_line(w);
	if (rule->what & ITEM) {
		settle(w);
		buf_add_str(w->text, "- ");
	}
	if (rule->what & LINK) {
		href = find_attr(attrs, "href");
		if (href != NULL &&
		    rich_body_href_allowed(href, strlen(href))) {
			e->href = strdup(href);
			w->out_of_memory |= e->href == NULL;
		}
		e->text_at = w->text->len;
	}
	w->pre += (rule->what & PRE) != 0;
	e->written = write_rich(w, rule, e->href, attrs);
}

static void
on_start(void *arg, const xmlChar *name, const xmlChar **attrs)
{
	struct writer *w = arg;
	const struct rule *rule = find_rule((const char *)name);
	struct open_element *e;

	if (w->beyond > 0 || w->depth == DEPTH_MAX) {
		w->beyond++;
		/* A line break is worth it at any depth. */
		if (rule != NULL && w->dropped == 0)
			put_single(w, rule, attrs);
		return;
	}
	e = &w->open[w->depth++];
	*e = (struct open_element){ .rule = rule };
	if (rule == NULL)
		return;
	w->dropped += (rule->what & DROP) != 0;
	if (w->dropped > 0)
		return;
	put_single(w, rule, attrs);
	begin(w, e, attrs);
}

/* Behind a link that reads otherwise: where it leads. */
static void
end_link(struct writer *w, const struct open_element *e)
{
	size_t len = w->text->len - e->text_at;
	const char *text =
	    len > 0 ? (const char *)w->text->data + e->text_at : "";

	while (len > 0 && is_space(*text)) {
		text++;
		len--;
	}
	if (len == strlen(e->href) && memcmp(text, e->href, len) == 0)
		return;
	settle(w);
	buf_addf(w->text, len > 0 ? " <%s>" : "<%s>", e->href);
}

static void
on_end(void *arg, const xmlChar *name)
{
	struct writer *w = arg;
	struct open_element *e;

	(void)name; /* The parser pairs them. */
	if (w->beyond > 0) {
		w->beyond--;
		return;
	}
	if (w->depth == 0)
		return;
	e = &w->open[--w->depth];
	if (e->rule == NULL)
		return;
	if (w->dropped > 0) {
		w->dropped -= (e->rule->what & DROP) != 0;
		return;
	}
	if (e->href != NULL)
		end_link(w, e);
	free(e->href);
	e->href = NULL;
	w->pre -= (e->rule->what & PRE) != 0;
	if (e->written) {
		buf_addf(w->rich, "</%s>", e->rule->rich);
		w->rich_depth--;
		w->paragraphs -= strcmp(e->rule->rich, "p") == 0;
	}
	if (e->rule->what & BLOCK) {
		ask_line(w);
		w->rich_blank = false;
	}
}

/* --- the parser ----------------------------------------------------------- */

/* Numeric references of characters that are none become U+FFFD, as browsers
 * show them; libxml2 would let them vanish. */
static bool
reference_is_void(const char *s, size_t len, size_t *used)
{
	bool hex = len > 2 && (s[2] == 'x' || s[2] == 'X');
	size_t i = hex ? 3 : 2, first = i;
	uint32_t cp = 0;

	if (len < 3 || s[0] != '&' || s[1] != '#')
		return false;
	for (; i < len; i++) {
		char c = s[i];
		uint32_t digit;

		if (c >= '0' && c <= '9')
			digit = (uint32_t)(c - '0');
		else if (hex &&
			 ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
			digit = (uint32_t)((c | 0x20) - 'a') + 10;
		else
			break;
		if (cp <= 0x10ffff)
			cp = cp * (hex ? 16 : 10) + digit;
	}
	if (i == first)
		return false;
	*used = i + (i < len && s[i] == ';');
	return !utf8_xml_char(cp);
}

/* The text as the parser shall see it: sound UTF-8, void references
 * replaced, and within an element, or it would put paragraphs around text
 * that stands in none. */
static int
prepare(struct buf *out, const char *html, size_t len)
{
	size_t n;

	buf_add_str(out, "<span>");
	for (size_t i = 0; i < len; i += n) {
		uint32_t cp;

		if (reference_is_void(html + i, len - i, &n)) {
			buf_add(out, "\xef\xbf\xbd", 3);
			continue;
		}
		n = utf8_decode((const uint8_t *)html + i, len - i, &cp);
		if (n == 0)
			return ERR_UTF8;
		if (!utf8_xml_char(cp))
			buf_add(out, "\xef\xbf\xbd", 3);
		else
			buf_add(out, html + i, n);
	}
	return buf_failed(out) ? ERR_NOMEM : 0;
}

static int
parse(struct writer *w, const char *html, size_t len)
{
	htmlParserCtxtPtr ctxt;

	if (len == 0)
		return 0;
	ctxt = htmlCreateMemoryParserCtxt(html, (int)len);
	if (ctxt == NULL)
		return ERR_NOMEM;
	memset(ctxt->sax, 0, sizeof(*ctxt->sax));
	ctxt->sax->startElement = on_start;
	ctxt->sax->endElement = on_end;
	ctxt->sax->characters = on_characters;
	ctxt->sax->ignorableWhitespace = on_characters;
	ctxt->sax->cdataBlock = on_characters;
	ctxt->userData = w;
	htmlCtxtUseOptions(ctxt, HTML_PARSE_RECOVER | HTML_PARSE_NOERROR |
				     HTML_PARSE_NOWARNING | HTML_PARSE_NONET |
				     HTML_PARSE_IGNORE_ENC);
	xmlSwitchEncoding(ctxt, XML_CHAR_ENCODING_UTF8);
	htmlParseDocument(ctxt);
	if (ctxt->errNo == XML_ERR_NO_MEMORY)
		w->out_of_memory = true;
	xmlFreeDoc(ctxt->myDoc);
	htmlFreeParserCtxt(ctxt);
	return 0;
}

/* Whatever the parser left open. */
static void
close_all(struct writer *w)
{
	w->beyond = 0;
	while (w->depth > 0)
		on_end(w, NULL);
}

static void
trim(struct buf *b, size_t start)
{
	size_t from = start;

	while (b->len > start && is_space((char)b->data[b->len - 1]))
		b->len--;
	while (from < b->len && is_space((char)b->data[from]))
		from++;
	if (from > start) {
		memmove(b->data + start, b->data + from, b->len - from);
		b->len -= from - start;
	}
}

int
html_read(struct buf *text, struct buf *rich, const char *html, size_t len)
{
	struct writer w = { .text = text,
		.rich = rich,
		.text_start = text->len,
		.rich_start = rich != NULL ? rich->len : 0 };
	struct buf prepared;
	int rc;

	if (len > INT_MAX / 4)
		return ERR_FULL;
	buf_init(&prepared, 3 * len + 16);
	rc = prepare(&prepared, html, len);
	if (rc == 0)
		rc = parse(&w, buf_cstr(&prepared), prepared.len);
	close_all(&w);
	buf_finish(&prepared);
	if (rc == 0 && (w.out_of_memory || buf_failed(text) ||
			   (rich != NULL && buf_failed(rich))))
		rc = ERR_NOMEM;
	if (rc < 0) {
		text->len = w.text_start;
		if (rich != NULL)
			rich->len = w.rich_start;
		return rc;
	}
	trim(text, w.text_start);
	if (rich != NULL && (!w.formatted || text->len == w.text_start))
		rich->len = w.rich_start;
	return 0;
}
