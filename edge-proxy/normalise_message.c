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

enum { REACTIONS_MAX = 32, LINKS_MAX = 16 };

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
	const struct frame_field_info *info = frame_info_field(FIELD_RICH_BODY);
	const struct xml_elem *html = child(p, NS_XHTML_IM, "html"), *body;
	struct buf b;

	body = html != NULL ? xml_child(html, NS_XHTML, "body") : NULL;
	if (body == NULL)
		return;
	buf_init(&b, info->max);
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

/* The part of body that only quotes (XEP-0428); without a range all of it. */
static void
reply_fallback(struct normalise_part *p, const char *body)
{
	unsigned long start = 0, end = code_points(body), s, e;
	const struct xml_elem *range;
	struct xml_elem *c = NULL;
	const char *for_ns;
	char text[48];

	while ((c = xml_next(p->e, c, NS_FALLBACK, "fallback")) != NULL) {
		for_ns = xml_attr(c, "for");
		if (for_ns != NULL && strcmp(for_ns, NS_REPLY) == 0)
			break;
	}
	if (c == NULL || end == 0)
		return;
	range = xml_child(c, NS_FALLBACK, "body");
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

static void
reactions(struct normalise_part *p)
{
	const struct xml_elem *r = child(p, NS_REACTIONS, "reactions");
	struct xml_elem *c = NULL;
	unsigned n = 0;

	if (r == NULL ||
	    !normalise_part_content(p, FIELD_REACTS_TO, xml_attr(r, "id")))
		return;
	while ((c = xml_next(r, c, NS_REACTIONS, "reaction")) != NULL &&
	       n < REACTIONS_MAX) {
		normalise_part_ornament(
		    p, FIELD_REACTION, normalise_part_text(p, c));
		n++;
	}
}

struct link {
	const struct xml_elem *url; /* text, or an element with a target */
	const struct xml_elem *name;
};

/* Gathers XEP-0066 and XEP-0447 links; returns their number. */
static size_t
find_links(const struct normalise_part *p, struct link links[LINKS_MAX])
{
	struct xml_elem *c = NULL, *in;
	size_t n = 0;

	while ((c = xml_next(p->e, c, NULL, NULL)) != NULL && n < LINKS_MAX) {
		if (xml_is(c, NS_OOB, "x")) {
			links[n].url = xml_child(c, NS_OOB, "url");
			links[n].name = xml_child(c, NS_OOB, "desc");
		} else if (xml_is(c, NS_SFS, "file-sharing")) {
			in = xml_child(c, NS_SFS, "sources");
			links[n].url =
			    in == NULL ? NULL
				       : xml_child(in, NS_URL_DATA, "url-data");
			in = xml_child(c, NS_FILE_METADATA, "file");
			links[n].name =
			    in == NULL
				? NULL
				: xml_child(in, NS_FILE_METADATA, "name");
		} else {
			continue;
		}
		n += links[n].url != NULL;
	}
	return n;
}

static const char *
link_url(struct normalise_part *p, const struct link *link)
{
	const char *target;

	if (strcmp(link->url->ns, NS_URL_DATA) != 0)
		return normalise_part_text(p, link->url);
	target = xml_attr(link->url, "target");
	return target != NULL ? target : "";
}

static bool
has_encrypted_link(struct normalise_part *p)
{
	struct link links[LINKS_MAX];
	size_t n = find_links(p, links), i;

	for (i = 0; i < n; i++)
		if (begins(link_url(p, &links[i]), "aesgcm://"))
			return true;
	return false;
}

static void
put_links(struct normalise_part *p)
{
	const size_t name_max = frame_info_field(FIELD_LINK_NAME)->max;
	struct link links[LINKS_MAX];
	size_t n = find_links(p, links), i;
	const char *name;

	for (i = 0; i < n; i++) {
		if (!normalise_part_content(
			p, FIELD_LINK, link_url(p, &links[i])))
			continue;
		/* One name for each link, maybe an empty one. */
		name = normalise_part_text(p, links[i].name);
		frame_put_str(&p->w, FIELD_LINK_NAME,
		    strlen(name) <= name_max ? name : "");
	}
}

/* Direct (XEP-0249), else mediated by the room (XEP-0045 7.8.2). */
static void
invitation(struct normalise_part *p)
{
	const char *room = child_attr(p, NS_CONFERENCE, "x", "jid");
	const struct xml_elem *muc = child(p, NS_MUC_USER, "x");
	struct jid jid;

	if (room == NULL && muc != NULL &&
	    xml_child(muc, NS_MUC_USER, "invite") != NULL)
		room = xml_attr(p->e, "from");
	if (room == NULL || jid_parse(&jid, room, strlen(room)) < 0)
		return;
	normalise_part_content(p, FIELD_INVITATION, jid.bare);
	jid_finish(&jid);
}

static void
references(struct normalise_part *p, const char *body)
{
	normalise_part_content(
	    p, FIELD_CORRECTS, child_attr(p, NS_CORRECT, "replace", "id"));
	normalise_part_content(
	    p, FIELD_RETRACTS, child_attr(p, NS_RETRACT, "retract", "id"));
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

void
normalise_message(struct normalise_part *p)
{
	const struct xml_elem *body = normalise_part_choose(p, "body");
	const char *text = normalise_part_text(p, body), *kind;
	char *copy;

	if (is_key_transport(p, text))
		return;
	kind = encryption(p, text);
	if (kind == NULL && has_encrypted_link(p))
		kind = "aesgcm";
	surroundings(p);
	if (kind != NULL) {
		normalise_part_content(p, FIELD_ENCRYPTED, kind);
		return;
	}
	text = normalise_part_text(p, body);
	normalise_part_language(p, body);
	copy = strdup(text);
	if (copy == NULL) {
		p->nomem = true;
		return;
	}
	if (normalise_part_content(p, FIELD_BODY, copy))
		rich_body(p);
	references(p, copy);
	free(copy);
	normalise_part_content(p, FIELD_SUBJECT,
	    normalise_part_text(p, normalise_part_choose(p, "subject")));
	chat_state(p);
	receipts(p);
	reactions(p);
	put_links(p);
	invitation(p);
	if (child(p, NS_ATTENTION, "attention") != NULL) {
		normalise_part_flag(p, FIELD_ATTENTION);
		p->content++;
	}
}
