#include "edge-proxy/normalise_part.h"

#include <string.h>
#include <strings.h>

#include "common/err.h"
#include "common/xmpp_time.h"
#include "proto/frame_info.h"

void
normalise_part_refuse(
    struct normalise_part *p, enum condition c, const char *why)
{
	if (p->refused != NULL)
		return;
	p->refused = why;
	p->condition = c;
}

static int
check(enum frame_tag tag, const char *s)
{
	return frame_info_check(
	    frame_info_field((unsigned)tag), (const uint8_t *)s, strlen(s));
}

bool
normalise_part_content(
    struct normalise_part *p, enum frame_tag tag, const char *s)
{
	if (s == NULL || s[0] == '\0')
		return false;
	switch (check(tag, s)) {
	case 0:
		frame_put_str(&p->w, tag, s);
		p->content++;
		return true;
	case ERR_TOO_LONG:
		normalise_part_refuse(p, COND_POLICY_VIOLATION,
		    tag == FIELD_BODY ? "the text is longer than 131072 bytes"
				      : "a part of the stanza is too long");
		return false;
	default:
		normalise_part_refuse(
		    p, COND_BAD_REQUEST, "a part of the stanza is malformed");
		return false;
	}
}

bool
normalise_part_ornament(
    struct normalise_part *p, enum frame_tag tag, const char *s)
{
	if (s == NULL || s[0] == '\0' || check(tag, s) != 0)
		return false;
	frame_put_str(&p->w, tag, s);
	return true;
}

void
normalise_part_flag(struct normalise_part *p, enum frame_tag tag)
{
	frame_put_flag(&p->w, tag);
}

/* The characters and length of a BCP 47 tag. */
static bool
is_language(const char *s)
{
	return s != NULL && s[0] != '\0' && strlen(s) <= 35 &&
	       s[strspn(s,
		   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		   "0123456789-")] == '\0';
}

void
normalise_part_language(struct normalise_part *p, const struct xml_elem *e)
{
	const char *lang =
	    e != NULL ? xml_attr_ns(e, XML_NS_XML, "lang") : NULL;

	if (!is_language(lang))
		lang = xml_attr_ns(p->e, XML_NS_XML, "lang");
	if (!is_language(lang))
		lang = p->language;
	if (is_language(lang))
		frame_put_str(&p->w, FIELD_LANGUAGE, lang);
}

void
normalise_part_time(struct normalise_part *p, enum frame_tag tag,
    const char *ns, const char *name, const char *attr)
{
	const struct xml_elem *c = xml_child(p->e, ns, name);
	const char *stamp = c != NULL ? xml_attr(c, attr) : NULL;
	uint64_t ms;

	if (stamp != NULL && xmpp_time_parse(&ms, stamp))
		frame_put_u64(&p->w, tag, ms);
}

/* CR LF and CR alone, which only character references can bring. */
static void
unify_line_ends(struct buf *b)
{
	size_t i, n = 0;

	for (i = 0; i < b->len; i++) {
		if (b->data[i] == '\r') {
			if (i + 1 < b->len && b->data[i + 1] == '\n')
				continue;
			b->data[n++] = '\n';
		} else {
			b->data[n++] = b->data[i];
		}
	}
	b->len = n;
}

const char *
normalise_part_text(struct normalise_part *p, const struct xml_elem *e)
{
	const char *s;

	buf_clear(&p->text);
	if (e == NULL)
		return "";
	xml_text(e, &p->text);
	unify_line_ends(&p->text);
	s = buf_failed(&p->text) ? NULL : buf_cstr(&p->text);
	if (s != NULL)
		return s;
	p->nomem = true;
	return "";
}

/* "de-AT" is German, too. */
static bool
is_in(const struct xml_elem *e, const char *language)
{
	const char *lang = xml_attr_ns(e, XML_NS_XML, "lang");
	size_t n = language != NULL ? strlen(language) : 0;

	return lang != NULL && n > 0 && strncasecmp(lang, language, n) == 0 &&
	       (lang[n] == '\0' || lang[n] == '-');
}

const struct xml_elem *
normalise_part_choose(const struct normalise_part *p, const char *name)
{
	const struct xml_elem *first = xml_child(p->e, p->e->ns, name), *c;

	for (c = first; c != NULL; c = xml_next(p->e, c, p->e->ns, name))
		if (is_in(c, p->prefer))
			return c;
	for (c = first; c != NULL; c = xml_next(p->e, c, p->e->ns, name))
		if (xml_attr_ns(c, XML_NS_XML, "lang") == NULL)
			return c;
	return first;
}
