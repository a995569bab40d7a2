/*
 * Reducing walks the tree and writes what is allowed.  Checking is a strict
 * reader of just that output: tags from the list, properly nested, attributes
 * in single quotes with allowed values, the five predefined references, and
 * nothing else.
 */
#include "edge-proxy/xhtml.h"

#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/utf8.h"
#include "common/xml.h"
#include "edge-proxy/stanza_ns.h"

enum { DEPTH_MAX = 32, STYLE_MAX = 512, HREF_MAX = 2048 };

static const char *const elements[] = { "a", "blockquote", "br", "em", "li",
	"ol", "p", "span", "strong", "ul" };
static const char *const dropped[] = { "script", "style", "head", "title",
	"object", "iframe" };
static const char *const schemes[] = {
	"http:", "https:", "mailto:", "xmpp:", "tel:"
};
static const char *const properties[] = { "color", "font-family", "font-size",
	"font-style", "font-weight", "text-decoration" };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *
find(const char *const *list, size_t count, const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strlen(list[i]) == len && memcmp(list[i], s, len) == 0)
			return list[i];
	return NULL;
}

static bool
href_allowed(const char *s, size_t len)
{
	size_t i, n;

	for (i = 0; i < len; i++)
		if ((unsigned char)s[i] <= 0x20)
			return false;
	for (i = 0; i < COUNT(schemes); i++) {
		n = strlen(schemes[i]);
		if (len > n && strncasecmp(s, schemes[i], n) == 0)
			return true;
	}
	return false;
}

/* A value cannot fetch or run anything: no functions, quotes, escapes. */
static bool
value_allowed(const char *s, size_t len)
{
	size_t i;

	if (len == 0)
		return false;
	for (i = 0; i < len; i++) {
		bool word = (s[i] >= 'a' && s[i] <= 'z') ||
			    (s[i] >= 'A' && s[i] <= 'Z') ||
			    (s[i] >= '0' && s[i] <= '9');

		if (!word && strchr("#.,%+- ", s[i]) == NULL)
			return false;
	}
	return true;
}

static void
trim(const char **s, size_t *len)
{
	while (*len > 0 && strchr(" \t\r\n", **s) != NULL) {
		(*s)++;
		(*len)--;
	}
	while (*len > 0 && strchr(" \t\r\n", (*s)[*len - 1]) != NULL)
		(*len)--;
}

/* One declaration "name: value"; the parts without white space around. */
static bool
declaration_allowed(const char *s, size_t len, const char **name,
    const char **value, size_t *value_len)
{
	const char *colon = memchr(s, ':', len);
	size_t name_len;

	if (colon == NULL)
		return false;
	name_len = (size_t)(colon - s);
	*value = colon + 1;
	*value_len = len - name_len - 1;
	trim(&s, &name_len);
	trim(value, value_len);
	*name = find(properties, COUNT(properties), s, name_len);
	return *name != NULL && value_allowed(*value, *value_len);
}

/* The allowed part of a style, as "name:value;name:value". */
static void
reduce_style(struct buf *out, const char *style)
{
	const char *name, *value;
	size_t len, value_len;

	for (; *style != '\0'; style += len + (style[len] == ';')) {
		len = strcspn(style, ";");
		if (!declaration_allowed(style, len, &name, &value, &value_len))
			continue;
		if (out->len + strlen(name) + value_len + 2 > STYLE_MAX)
			continue;
		buf_addf(out, "%s%s:%.*s", out->len > 0 ? ";" : "", name,
		    (int)value_len, value);
	}
}

static void
write_attrs(struct buf *out, const char *name, const struct xml_elem *e)
{
	const char *href = xml_attr(e, "href"), *style = xml_attr(e, "style");
	struct buf reduced;

	if (strcmp(name, "a") == 0 && href != NULL &&
	    strlen(href) <= HREF_MAX && href_allowed(href, strlen(href))) {
		buf_add_str(out, " href='");
		xml_escape_attr(out, href, strlen(href));
		buf_add_char(out, '\'');
	}
	if (style == NULL || strcmp(name, "br") == 0)
		return;
	buf_init(&reduced, STYLE_MAX);
	reduce_style(&reduced, style);
	if (reduced.len > 0)
		buf_addf(out, " style='%.*s'", (int)reduced.len,
		    (const char *)reduced.data);
	buf_finish(&reduced);
}

static int
reduce_children(struct buf *out, const struct xml_elem *e, unsigned depth);

static int
reduce_element(struct buf *out, const struct xml_elem *e, unsigned depth)
{
	const char *name, *alt;
	int rc;

	if (strcmp(e->ns, NS_XHTML) != 0 ||
	    find(dropped, COUNT(dropped), e->name, strlen(e->name)) != NULL)
		return 0;
	if (strcmp(e->name, "img") == 0) {
		alt = xml_attr(e, "alt");
		return alt != NULL ? xml_escape_text(out, alt, strlen(alt)) : 0;
	}
	name = find(elements, COUNT(elements), e->name, strlen(e->name));
	if (name == NULL || depth >= DEPTH_MAX)
		return reduce_children(out, e, depth);
	buf_addf(out, "<%s", name);
	write_attrs(out, name, e);
	if (e->first == NULL || strcmp(name, "br") == 0)
		return buf_add_str(out, "/>");
	buf_add_char(out, '>');
	rc = reduce_children(out, e, depth + 1);
	if (rc < 0)
		return rc;
	return buf_addf(out, "</%s>", name);
}

/* The parser bounds the depth of trees; so recursion is bounded too. */
static int
reduce_children(struct buf *out, const struct xml_elem *e, unsigned depth)
{
	const struct xml_node *n;
	int rc = 0;

	for (n = e->first; n != NULL && rc == 0; n = n->next) {
		if (n->elem != NULL)
			rc = reduce_element(out, n->elem, depth);
		else
			rc = xml_escape_text(out, n->text, n->text_len);
	}
	return rc;
}

int
xhtml_reduce(struct buf *out, const struct xml_elem *body)
{
	return reduce_children(out, body, 0);
}

/* --- checking ---------------------------------------------------------- */

struct reader {
	const char *s, *end;
	const char *open[DEPTH_MAX];
	unsigned depth;
};

static bool
take(struct reader *r, const char *literal)
{
	size_t n = strlen(literal);

	if ((size_t)(r->end - r->s) < n || memcmp(r->s, literal, n) != 0)
		return false;
	r->s += n;
	return true;
}

static bool
take_reference(struct reader *r)
{
	return take(r, "&amp;") || take(r, "&lt;") || take(r, "&gt;") ||
	       take(r, "&apos;") || take(r, "&quot;");
}

/* The element name that stands here. */
static const char *
take_name(struct reader *r)
{
	const char *start = r->s, *name;

	while (r->s < r->end && *r->s >= 'a' && *r->s <= 'z')
		r->s++;
	name = find(elements, COUNT(elements), start, (size_t)(r->s - start));
	return name;
}

/* A value up to the closing quote: references, and no markup. */
static bool
take_value(struct reader *r, const char **value, size_t *len)
{
	*value = r->s;
	while (r->s < r->end && *r->s != '\'') {
		if (*r->s == '<' || *r->s == '>' || *r->s == '"' ||
		    (unsigned char)*r->s <= 0x1f)
			return false;
		if (*r->s != '&')
			r->s++;
		else if (!take_reference(r))
			return false;
	}
	*len = (size_t)(r->s - *value);
	return take(r, "'");
}

static bool
style_allowed(const char *s, size_t len)
{
	const char *name, *value, *semi;
	size_t n, value_len;

	if (len == 0 || len > STYLE_MAX)
		return false;
	for (;;) {
		semi = memchr(s, ';', len);
		n = semi != NULL ? (size_t)(semi - s) : len;
		if (!declaration_allowed(s, n, &name, &value, &value_len))
			return false;
		if (semi == NULL)
			return true;
		s += n + 1;
		len -= n + 1;
	}
}

static bool
take_attrs(struct reader *r, const char *name)
{
	const char *value;
	size_t len;

	if (strcmp(name, "a") == 0 && take(r, " href='") &&
	    !(take_value(r, &value, &len) && href_allowed(value, len)))
		return false;
	if (strcmp(name, "br") != 0 && take(r, " style='") &&
	    !(take_value(r, &value, &len) && style_allowed(value, len)))
		return false;
	return true;
}

static bool
take_tag(struct reader *r)
{
	const char *name;

	if (take(r, "</")) {
		name = take_name(r);
		return name != NULL && r->depth > 0 &&
		       r->open[--r->depth] == name && take(r, ">");
	}
	r->s++; /* '<' */
	name = take_name(r);
	if (name == NULL || r->depth == DEPTH_MAX || !take_attrs(r, name))
		return false;
	if (take(r, "/>"))
		return true;
	if (strcmp(name, "br") == 0)
		return false;
	r->open[r->depth++] = name;
	return take(r, ">");
}

bool
xhtml_is_reduced(const char *s, size_t len)
{
	struct reader r = { .s = s, .end = s + len };

	if (!utf8_valid_xml(s, len))
		return false;
	while (r.s < r.end) {
		if (*r.s == '<') {
			if (!take_tag(&r))
				return false;
		} else if (*r.s == '&') {
			if (!take_reference(&r) && !take(&r, "&#13;"))
				return false;
		} else if (*r.s == '>' || *r.s == '\r') {
			return false;
		} else {
			r.s++;
		}
	}
	return r.depth == 0;
}
