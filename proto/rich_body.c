/*
 * Checking is a strict reader of just the one form: tags from the list,
 * properly nested, attributes in single quotes with allowed values, the five
 * predefined references, and nothing else.
 */
#include "proto/rich_body.h"

#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/utf8.h"

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

/* As it stands in a body, or without escapes. */
static bool
address_allowed(const char *s, size_t len)
{
	size_t i, n;

	if (len > RICH_BODY_HREF_MAX)
		return false;
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

/* What it takes once it is escaped as an attribute's value. */
static size_t
escaped_size(const char *s, size_t len)
{
	size_t size = len;

	for (size_t i = 0; i < len; i++)
		if (s[i] == '&')
			size += strlen("amp;");
		else if (s[i] == '<' || s[i] == '>')
			size += strlen("lt;");
		else if (s[i] == '\'' || s[i] == '"')
			size += strlen("apos;");
	return size;
}

bool
rich_body_href_allowed(const char *s, size_t len)
{
	return escaped_size(s, len) <= RICH_BODY_HREF_MAX &&
	       address_allowed(s, len);
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

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A size at which text can be read and leaves room for other text: a word,
 * or a number within the bounds of its unit; fractions do not matter. */
static bool
font_size_allowed(const char *s, size_t len)
{
	static const struct {
		const char *unit;
		unsigned min, max;
	} units[] = { { "px", 6, 96 }, { "pt", 5, 72 }, { "em", 1, 6 },
		{ "%", 50, 600 } };
	unsigned value = 0;
	size_t i = 0;

	if ((s[0] | 0x20) >= 'a' && (s[0] | 0x20) <= 'z')
		return true;
	for (; i < len && i < 4 && is_digit(s[i]); i++)
		value = value * 10 + (unsigned)(s[i] - '0');
	if (i == 0)
		return false;
	if (i < len && s[i] == '.')
		for (i++; i < len && is_digit(s[i]); i++)
			;
	s += i;
	len -= i;
	for (i = 0; i < COUNT(units); i++)
		if (strlen(units[i].unit) == len &&
		    strncasecmp(s, units[i].unit, len) == 0)
			return value >= units[i].min && value <= units[i].max;
	return false;
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
	if (*name == NULL || !value_allowed(*value, *value_len))
		return false;
	return strcmp(*name, "font-size") != 0 ||
	       font_size_allowed(*value, *value_len);
}

/* The allowed part of a style, as "name:value;name:value". */
void
rich_body_reduce_style(struct buf *out, const char *style)
{
	const char *name, *value;
	size_t start = out->len, len, value_len;

	for (; *style != '\0'; style += len + (style[len] == ';')) {
		len = strcspn(style, ";");
		if (!declaration_allowed(style, len, &name, &value, &value_len))
			continue;
		if (out->len - start + strlen(name) + value_len + 2 >
		    RICH_BODY_STYLE_MAX)
			continue;
		buf_addf(out, "%s%s:%.*s", out->len > start ? ";" : "", name,
		    (int)value_len, value);
	}
}

const char *
rich_body_element(const char *name, size_t len)
{
	return find(elements, COUNT(elements), name, len);
}

bool
rich_body_dropped(const char *name, size_t len)
{
	return find(dropped, COUNT(dropped), name, len) != NULL;
}

/* --- checking ---------------------------------------------------------- */

struct reader {
	const char *s, *end;
	const char *open[RICH_BODY_DEPTH_MAX];
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

	if (len == 0 || len > RICH_BODY_STYLE_MAX)
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
	    !(take_value(r, &value, &len) && address_allowed(value, len)))
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
	if (name == NULL || r->depth == RICH_BODY_DEPTH_MAX ||
	    !take_attrs(r, name))
		return false;
	if (take(r, "/>"))
		return true;
	if (strcmp(name, "br") == 0)
		return false;
	r->open[r->depth++] = name;
	return take(r, ">");
}

bool
rich_body_valid(const char *s, size_t len)
{
	struct reader r = { .s = s };

	if (len == 0)
		return true;
	r.end = s + len;
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
