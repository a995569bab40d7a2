/* The parts of a presence that pass (RFC 6121 4.7, XEP-0115, 0153, 0172, 0203,
 * 0319).  All are ornament: presence is never refused for one of them. */
#include "edge-proxy/normalise_part.h"

#include <stdlib.h>
#include <string.h>

#include "edge-proxy/stanza_ns.h"

static void
show(struct normalise_part *p)
{
	static const char *const shows[] = { "away", "chat", "dnd", "xa" };
	const char *s =
	    normalise_part_text(p, xml_child(p->e, p->e->ns, "show"));
	size_t i;

	for (i = 0; i < sizeof(shows) / sizeof(shows[0]); i++)
		if (strcmp(s, shows[i]) == 0)
			normalise_part_ornament(p, FIELD_SHOW, s);
}

static void
status(struct normalise_part *p)
{
	const struct xml_elem *e = normalise_part_choose(p, "status");

	if (normalise_part_ornament(
		p, FIELD_STATUS_TEXT, normalise_part_text(p, e)))
		normalise_part_language(p, e);
}

static void
priority(struct normalise_part *p)
{
	const struct xml_elem *e = xml_child(p->e, p->e->ns, "priority");
	const char *s = normalise_part_text(p, e);
	char *end;
	long v;

	v = strtol(s, &end, 10);
	if (end == s || *end != '\0' || v < -128 || v > 127)
		return;
	frame_put_u64(&p->w, FIELD_PRIORITY, (uint64_t)(v + 128));
}

static void
caps(struct normalise_part *p)
{
	const struct xml_elem *c = xml_child(p->e, NS_CAPS, "c");
	const char *node, *ver, *text;

	if (c == NULL)
		return;
	node = xml_attr(c, "node");
	ver = xml_attr(c, "ver");
	if (node == NULL || ver == NULL || strchr(ver, '#') != NULL)
		return;
	buf_clear(&p->text);
	buf_addf(&p->text, "%s#%s", node, ver);
	text = buf_failed(&p->text) ? NULL : buf_cstr(&p->text);
	if (text == NULL)
		p->nomem = true;
	else
		normalise_part_ornament(p, FIELD_CAPS, text);
}

/* Forty hex digits, or none at all: "there is no picture". */
static void
avatar(struct normalise_part *p)
{
	const struct xml_elem *x = xml_child(p->e, NS_VCARD_UPDATE, "x");
	const struct xml_elem *photo =
	    x != NULL ? xml_child(x, NS_VCARD_UPDATE, "photo") : NULL;
	const char *s;
	size_t len;

	if (photo == NULL)
		return;
	s = normalise_part_text(p, photo);
	len = strlen(s);
	if (len == strspn(s, "0123456789abcdefABCDEF") &&
	    (len == 40 || len == 0))
		frame_put_str(&p->w, FIELD_AVATAR_HASH, s);
}

void
normalise_presence(struct normalise_part *p)
{
	show(p);
	status(p);
	priority(p);
	caps(p);
	avatar(p);
	normalise_part_ornament(p, FIELD_NICK,
	    normalise_part_text(p, xml_child(p->e, NS_NICK, "nick")));
	normalise_part_time(p, FIELD_IDLE_SINCE, NS_IDLE, "idle", "since");
	normalise_part_time(p, FIELD_DELAY, NS_DELAY, "delay", "stamp");
}
