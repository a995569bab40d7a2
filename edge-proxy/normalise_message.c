/*
 * The parts of a message that pass (RFC 6121 5, and the XEPs that
 * proto/frame_table.h names).  An encrypted message passes only as the fact
 * that there was one: its fallback text is not what was said.  Carbons and
 * forwarded messages have no name in the vocabulary, so that nobody can speak
 * through them for others (CVE-2017-5589).
 */
#include "edge-proxy/normalise_part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/jid.h"
#include "edge-proxy/stanza_ns.h"
#include "edge-proxy/xhtml.h"
#include "proto/frame_info.h"
#include "proto/rich_body.h"

enum { REACTIONS_MAX = 32 };

static struct xml_elem *
child(const struct normalise_part *p, const char *ns, const char *name)
{
	return xml_child(p->e, ns, name);
}

static const char *
child_attr(const struct normalise_part *p, const char *ns, const char *name,
    const char *attr)
{
	const struct xml_elem *c = child(p, ns, name);

	return c != NULL ? xml_attr(c, attr) : NULL;
}

static bool
begins(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* --- encryption -------------------------------------------------------- */

static const char *
kind_of_namespace(const char *ns)
{
	if (strcmp(ns, NS_OMEMO_OLD) == 0 || begins(ns, NS_OMEMO_PREFIX))
		return "omemo";
	if (strcmp(ns, NS_PGP) == 0)
		return "pgp";
	if (strcmp(ns, NS_OPENPGP) == 0)
		return "openpgp";
	if (begins(ns, "urn:xmpp:otr:"))
		return "otr";
	return "other";
}

/* The element that holds the cipher text, or NULL. */
static const struct xml_elem *
cipher_element(const struct normalise_part *p)
{
	struct xml_elem *c = NULL;

	while ((c = xml_next(p->e, c, NULL, NULL)) != NULL) {
		const char *kind = kind_of_namespace(c->ns);

		if (strcmp(kind, "other") != 0 && strcmp(kind, "otr") != 0)
			return c;
	}
	return NULL;
}

/* The kind of encryption, or NULL. */
static const char *
encryption(struct normalise_part *p, const char *body)
{
	const struct xml_elem *c = cipher_element(p);
	const char *ns;

	if (c != NULL)
		return kind_of_namespace(c->ns);
	c = child(p, NS_EME, "encryption");
	if (c != NULL) {
		ns = xml_attr(c, "namespace");
		return kind_of_namespace(ns != NULL ? ns : "");
	}
	if (begins(body, "?OTR"))
		return "otr";
	return begins(body, "aesgcm://") ? "aesgcm" : NULL;
}

/* Keys on their way, no message: OMEMO without payload and body. */
static bool
is_key_transport(const struct normalise_part *p, const char *body)
{
	const struct xml_elem *c = cipher_element(p);

	return c != NULL && body[0] == '\0' &&
	       strcmp(kind_of_namespace(c->ns), "omemo") == 0 &&
	       xml_child(c, c->ns, "payload") == NULL;
}

/* --- text -------------------------------------------------------------- */

static void
rich_body(struct normalise_part *p)
{
	const struct xml_elem *html = child(p, NS_XHTML_IM, "html"), *body;
	struct buf b;

	body = html != NULL ? xml_child(html, NS_XHTML, "body") : NULL;
	if (body == NULL)
		return;
	buf_init(&b, RICH_BODY_MAX);
	/* Too long: the plain body says the same. */
	if (xhtml_reduce(&b, body) == 0 && b.len > 0 &&
	    rich_body_valid((const char *)b.data, b.len))
		frame_put(&p->w, FIELD_RICH_BODY, b.data, b.len);
	buf_finish(&b);
}

static size_t
code_points(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* A decimal number, and nothing else. */
static bool
number(const char *s, unsigned long *out)
{
	char *end;

	if (s == NULL || s[0] < '0' || s[0] > '9' || strlen(s) > 9)
		return false;
	*out = strtoul(s, &end, 10);
	return *end == '\0';
}

/* The mark that the body says another element in words, for clients that do
 * not know it (XEP-0428); the form before named it otherwise. */
static const struct xml_elem *
fallback_for(const struct normalise_part *p, const char *ns)
{
	struct xml_elem *c = NULL;
	const char *for_ns;

	while ((c = xml_next(p->e, c, NULL, "fallback")) != NULL) {
		for_ns = xml_attr(c, "for");
		if ((strcmp(c->ns, NS_FALLBACK) == 0 ||
			strcmp(c->ns, NS_FALLBACK_OLD) == 0) &&
		    for_ns != NULL && strcmp(for_ns, ns) == 0)
			return c;
	}
	return NULL;
}

/* The part of body that only quotes; without a range all of it. */
static void
reply_fallback(struct normalise_part *p, const char *body)
{
	unsigned long start = 0, end = code_points(body), s, e;
	const struct xml_elem *range, *c = fallback_for(p, NS_REPLY);
	char text[48];

	if (c == NULL || end == 0)
		return;
	range = xml_child(c, c->ns, "body");
	if (range != NULL && xml_attr(range, "start") != NULL) {
		if (!number(xml_attr(range, "start"), &s) ||
		    !number(xml_attr(range, "end"), &e) || s >= e || e > end)
			return;
		start = s;
		end = e;
	} else if (range == NULL && xml_child(c, NULL, NULL) != NULL) {
		return; /* of another part than the body */
	}
	snprintf(text, sizeof(text), "%lu-%lu", start, end);
	normalise_part_ornament(p, FIELD_REPLY_FALLBACK, text);
}

/* --- what goes with a text, or instead of one -------------------------- */

static void
chat_state(struct normalise_part *p)
{
	static const char *const states[] = { "active", "composing", "paused",
		"inactive", "gone" };
	size_t i;

	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		if (child(p, NS_CHAT_STATES, states[i]) == NULL)
			continue;
		normalise_part_content(p, FIELD_CHAT_STATE, states[i]);
		return;
	}
}

static void
receipts(struct normalise_part *p)
{
	const char *id = xml_attr(p->e, "id");
	bool named = id != NULL && id[0] != '\0';
	const struct xml_elem *ack = child(p, NS_RECEIPTS, "received");

	normalise_part_content(
	    p, FIELD_RECEIPT, ack != NULL ? xml_attr(ack, "id") : NULL);
	normalise_part_content(
	    p, FIELD_MARKER, child_attr(p, NS_MARKERS, "displayed", "id"));
	/* Only what has an id can be acknowledged, and no acknowledgement. */
	if (named && ack == NULL && child(p, NS_RECEIPTS, "request") != NULL)
		normalise_part_flag(p, FIELD_RECEIPT_REQUEST);
	if (named && child(p, NS_MARKERS, "markable") != NULL)
		normalise_part_flag(p, FIELD_MARKABLE);
}

/* The whole set each time; an empty one takes all back. */
static bool
reactions(struct normalise_part *p)
{
	const struct xml_elem *r = child(p, NS_REACTIONS, "reactions");
	struct xml_elem *c = NULL;
	unsigned n = 0;

	if (r == NULL ||
	    !normalise_part_content(p, FIELD_REACTS_TO, xml_attr(r, "id")))
		return false;
	while ((c = xml_next(r, c, NS_REACTIONS, "reaction")) != NULL &&
	       n < REACTIONS_MAX) {
		normalise_part_ornament(
		    p, FIELD_REACTION, normalise_part_text(p, c));
		n++;
	}
	return true;
}

static bool
put_room(struct normalise_part *p, enum frame_tag tag, const char *jid)
{
	struct jid j;
	bool put;

	if (jid == NULL || jid_parse(&j, jid, strlen(jid)) < 0)
		return false;
	put = normalise_part_content(
	    p, tag, tag == FIELD_INVITATION ? j.bare : j.full);
	jid_finish(&j);
	return put;
}

/* Through the room (XEP-0045 7.8.2), which then is the sender and may add the
 * direct form for old clients; else direct (XEP-0249). */
static void
invitation(struct normalise_part *p)
{
	const struct xml_elem *muc = child(p, NS_MUC_USER, "x");
	const struct xml_elem *invite =
	    muc != NULL ? xml_child(muc, NS_MUC_USER, "invite") : NULL;

	if (invite == NULL) {
		put_room(p, FIELD_INVITATION,
		    child_attr(p, NS_CONFERENCE, "x", "jid"));
		return;
	}
	if (put_room(p, FIELD_INVITATION, xml_attr(p->e, "from")))
		put_room(p, FIELD_INVITER, xml_attr(invite, "from"));
}

/* The id of what is retracted; the element once stood within XEP-0422's. */
static const char *
retracted(const struct normalise_part *p)
{
	const struct xml_elem *fastened = child(p, NS_FASTEN, "apply-to");

	if (fastened != NULL &&
	    xml_child(fastened, NS_RETRACT_OLD, "retract") != NULL)
		return xml_attr(fastened, "id");
	return child_attr(p, NS_RETRACT, "retract", "id");
}

static void
references(struct normalise_part *p, const char *body)
{
	normalise_part_content(
	    p, FIELD_CORRECTS, child_attr(p, NS_CORRECT, "replace", "id"));
	if (normalise_part_content(
		p, FIELD_REPLY_TO, child_attr(p, NS_REPLY, "reply", "id")))
		reply_fallback(p, body);
}

static bool
has_hint(const struct normalise_part *p)
{
	return child(p, NS_HINTS, "no-store") != NULL ||
	       child(p, NS_HINTS, "no-permanent-store") != NULL;
}

/* What stands beside the text in any message. */
static void
surroundings(struct normalise_part *p)
{
	normalise_part_ornament(p, FIELD_THREAD,
	    normalise_part_text(p, child(p, p->e->ns, "thread")));
	normalise_part_ornament(
	    p, FIELD_NICK, normalise_part_text(p, child(p, NS_NICK, "nick")));
	normalise_part_time(p, FIELD_DELAY, NS_DELAY, "delay", "stamp");
	if (has_hint(p))
		normalise_part_flag(p, FIELD_NO_STORE);
}

/* A copy of what others said to each other (XEP-0280).  Only one's own server
 * may send such a thing, and a Lync user has none. */
static bool
is_copy(const struct normalise_part *p)
{
	return child(p, NS_CARBONS, "received") != NULL ||
	       child(p, NS_CARBONS, "sent") != NULL;
}

static void
put_body(struct normalise_part *p, const struct xml_elem *body)
{
	char *copy = strdup(normalise_part_text(p, body));

	normalise_part_language(p, body);
	if (copy == NULL) {
		p->nomem = true;
		return;
	}
	if (normalise_part_content(p, FIELD_BODY, copy)) {
		rich_body(p);
		if (child(p, NS_STYLING, "unstyled") != NULL)
			normalise_part_flag(p, FIELD_UNSTYLED);
	}
	references(p, copy);
	free(copy);
}

void
normalise_message(struct normalise_part *p)
{
	const struct xml_elem *body = normalise_part_choose(p, "body");
	const char *text = normalise_part_text(p, body), *kind;

	if (is_copy(p) || is_key_transport(p, text))
		return;
	kind = encryption(p, text);
	if (kind == NULL && normalise_links_encrypted(p))
		kind = "aesgcm";
	surroundings(p);
	if (kind != NULL) {
		normalise_part_content(p, FIELD_ENCRYPTED, kind);
		return;
	}
	/* The body of a retraction tells old clients that there was one. */
	if (normalise_part_content(p, FIELD_RETRACTS, retracted(p)))
		return;
	if (reactions(p) && fallback_for(p, NS_REACTIONS) != NULL)
		body = NULL;
	put_body(p, body);
	normalise_part_content(p, FIELD_SUBJECT,
	    normalise_part_text(p, normalise_part_choose(p, "subject")));
	chat_state(p);
	receipts(p);
	normalise_links(p);
	invitation(p);
	if (child(p, NS_ATTENTION, "attention") != NULL) {
		normalise_part_flag(p, FIELD_ATTENTION);
		p->content++;
	}
}
