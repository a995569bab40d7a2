/*
 * One row a namespace: which of its attributes are shown, and of which of its
 * elements the text.  What a row names is still looked at: a word of a protocol
 * has no blank in it and is short, what people write mostly is not.  Addresses
 * are shown as they are, for a trace is about who speaks to whom.
 */
#include "common/xml_redact.h"

#include <stdbool.h>
#include <string.h>

#include "common/err.h"
#include "common/xml.h"
#include "common/xml_parse.h"

enum {
	ATTR_WORD_MAX = 256,
	TEXT_WORD_MAX = 64,
	/* A tree takes many times the bytes of its elements. */
	ARENA_MAX = 16 * 1024 * 1024
};

/* Lists are of words with one blank between. */
struct vocabulary {
	const char *ns;
	const char *addresses; /* attributes that are shown as they are */
	const char *attrs;     /* that are shown when they are words */
	const char *texts;     /* elements whose text is, likewise */
};

#define STANZA "from to by", "id type code status", "show priority thread"
#define ID     "", "id", ""

/* clang-format off */
static const struct vocabulary vocabularies[] = {
	/* Of no namespace: [MS-PRES] presentity documents. */
	{ "", "", "uri aggregate epid ageOfPresence", "" },
	{ "jabber:server", STANZA },
	{ "jabber:client", STANZA },
	{ "urn:ietf:params:xml:ns:xmpp-stanzas", "", "", "gone redirect" },
	{ "urn:xmpp:receipts", ID },
	{ "urn:xmpp:chat-markers:0", ID },
	{ "urn:xmpp:message-correct:0", ID },
	{ "urn:xmpp:message-retract:0", ID },
	{ "urn:xmpp:message-retract:1", ID },
	{ "urn:xmpp:fasten:0", ID },
	{ "urn:xmpp:reactions:0", ID },
	{ "urn:xmpp:sid:0", "by", "id", "" },
	{ "urn:xmpp:reply:0", "to", "id", "" },
	{ "urn:xmpp:fallback:0", "", "for start end", "" },
	{ "urn:xmpp:feature-fallback:0", "", "for start end", "" },
	{ "urn:xmpp:reference:0", "", "type begin end", "" },
	{ "urn:xmpp:delay", "from", "stamp", "" },
	{ "jabber:x:delay", "from", "stamp", "" },
	{ "urn:xmpp:idle:1", "", "since", "" },
	{ "jabber:iq:last", "", "seconds", "" },
	{ "urn:xmpp:eme:0", "", "namespace", "" },
	{ "eu.siacs.conversations.axolotl", "", "sid rid prekey", "" },
	{ "urn:xmpp:omemo:2", "", "sid rid kex", "" },
	{ "urn:xmpp:file:metadata:0", "", "", "size media-type" },
	{ "jabber:x:conference", "jid", "thread continue", "" },
	{ "http://jabber.org/protocol/muc", "", "", "" },
	{ "http://jabber.org/protocol/muc#user", "from to jid",
	    "affiliation role code", "" },
	{ "http://jabber.org/protocol/caps", "", "node ver hash ext", "" },
	{ "vcard-temp:x:update", "", "", "photo" },
	{ "http://jabber.org/protocol/disco#info", "",
	    "node category type var", "" },
	{ "http://jabber.org/protocol/disco#items", "jid", "node", "" },
	{ "urn:xmpp:time", "", "", "tzo utc" },
	{ "jabber:iq:roster", "jid", "subscription ask", "" },
	{ "jabber:x:data", "", "type var", "" },
	{ "urn:xmpp:jingle:1", "initiator responder",
	    "action sid creator senders", "" },
	{ "http://jabber.org/protocol/pubsub", "jid", "node id type", "" },
	{ "http://jabber.org/protocol/pubsub#event", "publisher jid",
	    "node id type", "" },
	{ "urn:xmpp:sm:3", "", "h id previd max resume", "" },
	{ "jabber:server:dialback", "from to", "id type", "" },
	{ "http://etherx.jabber.org/streams", "from to", "id version", "" },
	/* Of the pool. */
	{ "urn:ietf:params:xml:ns:im-iscomposing", "", "",
	    "state lastactive contenttype refresh" },
	{ "urn:ietf:params:xml:ns:pidf", "entity", "id priority",
	    "basic timestamp contact" },
	{ "urn:ietf:params:xml:ns:pidf:rpid", "", "id from until", "" },
	{ "urn:ietf:params:xml:ns:pidf:data-model", "", "id", "timestamp" },
	{ "urn:ietf:params:xml:ns:pidf:status:rpid-status", "", "",
	    "activity" },
	{ "http://schemas.microsoft.com/2006/09/sip/categories", "uri",
	    "name instance publishTime expireType expires container version",
	    "" },
	{ "http://schemas.microsoft.com/2006/09/sip/state", "",
	    "type manual token startTime lastActive", "availability" },
	{ "http://schemas.microsoft.com/2006/01/sip/batch-subscribe", "uri",
	    "name action subscriptionId", "" },
	{ "http://schemas.microsoft.com/09/2002/sip/presence", "uri",
	    "aggregate epid ageOfPresence", "" },
	{ "http://schemas.microsoft.com/rtc/2005/08/imdn", "uri", "",
	    "message-id status code" },
};
/* clang-format on */

/* Text with marks in it: as a tree it would tell how somebody put his words. */
static const char *const marked[] = {
	"http://jabber.org/protocol/xhtml-im",
	"http://www.w3.org/1999/xhtml",
};

#define NS_SCHEMA "http://www.w3.org/2001/XMLSchema-instance"

static const struct vocabulary *
find(const char *ns)
{
	size_t count = sizeof(vocabularies) / sizeof(vocabularies[0]);

	for (size_t i = 0; i < count; i++)
		if (strcmp(vocabularies[i].ns, ns) == 0)
			return &vocabularies[i];
	return NULL;
}

static bool
lists(const char *words, const char *word)
{
	size_t len = strlen(word);

	while (*words != '\0') {
		size_t n = strcspn(words, " ");

		if (n == len && memcmp(words, word, n) == 0)
			return true;
		words += n + strspn(words + n, " ");
	}
	return false;
}

/* Printable ASCII without a blank. */
static bool
is_word(const char *s, size_t len, size_t max)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] <= ' ' || s[i] > '~')
			return false;
	return len <= max;
}

static bool
shows_attr(const struct xml_elem *e, const struct xml_attr *a)
{
	const struct vocabulary *v = find(e->ns);
	bool word = is_word(a->value, strlen(a->value), ATTR_WORD_MAX);

	if (v == NULL)
		return false;
	if (strcmp(a->ns, XML_NS_XML) == 0)
		return word && strcmp(a->name, "lang") == 0;
	if (strcmp(a->ns, NS_SCHEMA) == 0)
		return word && strcmp(a->name, "type") == 0;
	if (a->ns[0] != '\0')
		return false;
	return lists(v->addresses, a->name) ||
	       (word && lists(v->attrs, a->name));
}

/* Nothing but what makes a document easy on the eye. */
static bool
is_indent(const struct xml_elem *e, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (strchr(" \t\r\n", text[i]) == NULL || text[i] == '\0')
			return false;
	return xml_child(e, NULL, NULL) != NULL;
}

static bool
shows_text(const struct xml_elem *e, const char *text, size_t len)
{
	const struct vocabulary *v = find(e->ns);

	if (v != NULL && lists(v->texts, e->name))
		return is_word(text, len, TEXT_WORD_MAX);
	return is_indent(e, text, len);
}

static bool
shows_content(const struct xml_elem *e)
{
	for (size_t i = 0; i < sizeof(marked) / sizeof(marked[0]); i++)
		if (strcmp(e->ns, marked[i]) == 0)
			return false;
	return true;
}

static const struct xml_filter filter = {
	.shows_attr = shows_attr,
	.shows_text = shows_text,
	.shows_content = shows_content,
};

int
xml_redact_elem(struct buf *out, const struct xml_elem *e, const char *outer_ns)
{
	return xml_write_filtered(out, e, outer_ns, &filter);
}

int
xml_redact_text(struct buf *out, const char *xml, size_t len)
{
	struct xml_arena *a;
	struct xml_elem *e;
	int rc;

	rc = xml_arena_open(&a, ARENA_MAX);
	if (rc < 0)
		return rc;
	rc = xml_parse(&e, a, NULL, xml, len);
	if (rc == 0)
		rc = xml_redact_elem(out, e, NULL);
	xml_arena_close(a);
	return rc;
}
