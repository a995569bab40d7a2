/*
 * What is shown of XML to somebody who may not read what people wrote: a table
 * of documents, and random trees in which a secret stands in every place.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/xml.h"
#include "common/xml_parse.h"
#include "common/xml_redact.h"

#define SERVER "xmlns='jabber:server'"

/* --- parsing ------------------------------------------------------------- */

#define AS_IS NULL

static void
test_parse(void **state)
{
	static const struct {
		const char *outer_ns, *xml;
		int rc;
		const char *want; /* written again; AS_IS: what was read */
	} rows[] = {
		{ NULL, "<a/>", 0, AS_IS },
		{ NULL, "<a xmlns='x'><b>c</b>d<e xmlns='y' f='g'/></a>", 0,
		    AS_IS },
		{ NULL, "<?xml version='1.0'?><!-- c --><p:a xmlns:p='x'/>", 0,
		    "<a xmlns='x'/>" },
		{ NULL, "<a>&lt;&#65;<![CDATA[<]]></a>", 0,
		    "<a>&lt;A&lt;</a>" },
		{ NULL, "<a xml:lang='de'/>", 0, AS_IS },
		{ NULL, "", ERR_MALFORMED, "" },
		{ NULL, "text", ERR_MALFORMED, "" },
		{ NULL, "<a>", ERR_MALFORMED, "" },
		{ NULL, "<a/><b/>", ERR_MALFORMED, "" },
		{ NULL, "<p:a/>", ERR_MALFORMED, "" },
		{ NULL, "<xml:a/>", ERR_MALFORMED, "" },
		{ NULL, "<a>\x01</a>", ERR_MALFORMED, "" },
		{ NULL, "<a>\xff</a>", ERR_MALFORMED, "" },
		{ NULL, "<!DOCTYPE a><a/>", ERR_MALFORMED, "" },
		{ NULL, "<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>",
		    ERR_MALFORMED, "" },
		{ "jabber:server", "<iq/>", 0, "<iq xmlns='jabber:server'/>" },
		{ "jabber:server", "<iq xmlns='o'/>", 0, "<iq xmlns='o'/>" },
		{ "jabber:server", "", ERR_MALFORMED, "" },
		{ "jabber:server", "<iq/><iq/>", ERR_MALFORMED, "" },
		{ "jabber:server", "<iq/></outer><outer>", ERR_MALFORMED, "" },
		{ "jabber:server", "</outer><iq/><outer>", ERR_MALFORMED, "" },
		{ "it's", "<a/>", 0, "<a xmlns='it&apos;s'/>" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *want = rows[i].want;
		struct buf out = { 0 };
		struct xml_arena *a;
		struct xml_elem *e;

		assert_int_equal(xml_arena_open(&a, 10000), 0);
		assert_int_equal(xml_parse(&e, a, rows[i].outer_ns, rows[i].xml,
				     strlen(rows[i].xml)),
		    rows[i].rc);
		if (rows[i].rc == 0) {
			assert_int_equal(xml_write(&out, e, NULL), 0);
			assert_string_equal(
			    buf_cstr(&out), want != AS_IS ? want : rows[i].xml);
		}
		buf_finish(&out);
		xml_arena_close(a);
	}
}

static int
parse_nested(unsigned depth, size_t arena)
{
	struct buf xml = { 0 };
	struct xml_arena *a;
	struct xml_elem *e;
	int rc;

	for (unsigned i = 0; i < depth; i++)
		buf_add_str(&xml, "<a>");
	for (unsigned i = 0; i < depth; i++)
		buf_add_str(&xml, "</a>");
	assert_int_equal(xml_arena_open(&a, arena), 0);
	rc = xml_parse(&e, a, NULL, (const char *)xml.data, xml.len);
	xml_arena_close(a);
	buf_finish(&xml);
	return rc;
}

static void
test_parse_bounds(void **state)
{
	(void)state;
	assert_int_equal(parse_nested(XML_PARSE_DEPTH, 100000), 0);
	assert_int_equal(
	    parse_nested(XML_PARSE_DEPTH + 1, 100000), ERR_TOO_LONG);
	assert_int_equal(parse_nested(XML_PARSE_DEPTH, 1000), ERR_FULL);
}

/* The head is enough, whatever follows; and it has to be whole. */
static void
test_parse_head(void **state)
{
	static const char *const whole[] = { "<a b='c'/>", "<a b='c'>",
		"<a b='c'><d", "<a b='c'>&nonsense;", "<a b='c'></d>" };
	struct xml_arena *a;
	struct xml_elem *e;

	(void)state;
	assert_int_equal(xml_arena_open(&a, 10000), 0);
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		assert_int_equal(
		    xml_parse_head(&e, a, "n", whole[i], strlen(whole[i])), 0);
		assert_string_equal(e->ns, "n");
		assert_string_equal(xml_attr(e, "b"), "c");
		assert_null(e->first);
	}
	assert_int_equal(
	    xml_parse_head(&e, a, "n", "<a b='c", 7), ERR_MALFORMED);
	xml_arena_close(a);
}

/* --- a table ------------------------------------------------------------- */

static void
test_table(void **state)
{
	static const struct {
		const char *xml, *want;
	} rows[] = {
		{ "<message " SERVER " from='bo@partner.example/my phone' "
		  "to='anna@contoso.example' type='chat' id='m1' "
		  "xml:lang='de'><body>Hello you</body>"
		  "<thread>t-17</thread></message>",
		    "<message xmlns='jabber:server' "
		    "from='bo@partner.example/my phone' "
		    "to='anna@contoso.example' type='chat' id='m1' "
		    "xml:lang='de'><body>[9 bytes]</body>"
		    "<thread>t-17</thread></message>" },
		{ "<message " SERVER "><subject>a</subject><body/></message>",
		    "<message xmlns='jabber:server'><subject>[1 byte]</subject>"
		    "<body/></message>" },
		{ "<presence " SERVER "><show>dnd</show><priority>-5</priority>"
		  "<status>with the doctor</status></presence>",
		    "<presence xmlns='jabber:server'><show>dnd</show>"
		    "<priority>-5</priority><status>[15 bytes]</status>"
		    "</presence>" },
		/* A word's place does not make words of a sentence. */
		{ "<presence " SERVER " type='I will be late'>"
		  "<show>I am not here</show></presence>",
		    "<presence xmlns='jabber:server' type='[14 bytes]'>"
		    "<show>[13 bytes]</show></presence>" },
		{ "<message " SERVER ">"
		  "<html xmlns='http://jabber.org/protocol/xhtml-im'>"
		  "<body xmlns='http://www.w3.org/1999/xhtml'>"
		  "<p style='color:red'>so <em>sad</em></p></body></html>"
		  "</message>",
		    "<message xmlns='jabber:server'>"
		    "<html xmlns='http://jabber.org/protocol/xhtml-im'>"
		    "[6 bytes]</html></message>" },
		{ "<x xmlns='urn:example:own' from='a@b.example' id='7'>"
		  "<y>z</y></x>",
		    "<x xmlns='urn:example:own' from='[11 bytes]' "
		    "id='[1 byte]'><y>[1 byte]</y></x>" },
		{ "<message " SERVER "><reactions xmlns='urn:xmpp:reactions:0' "
		  "id='m1'><reaction>\xf0\x9f\x91\x8d</reaction></reactions>"
		  "<x xmlns='jabber:x:oob'><url>https://a.example/s</url></x>"
		  "<nick xmlns='http://jabber.org/protocol/nick'>Bo</nick>"
		  "<active xmlns='http://jabber.org/protocol/chatstates'/>"
		  "</message>",
		    "<message xmlns='jabber:server'>"
		    "<reactions xmlns='urn:xmpp:reactions:0' id='m1'>"
		    "<reaction>[4 bytes]</reaction></reactions>"
		    "<x xmlns='jabber:x:oob'><url>[19 bytes]</url></x>"
		    "<nick xmlns='http://jabber.org/protocol/nick'>[2 bytes]"
		    "</nick>"
		    "<active xmlns='http://jabber.org/protocol/chatstates'/>"
		    "</message>" },
		{ "<message " SERVER " type='error'><error type='cancel' "
		  "by='partner.example'><gone "
		  "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>"
		  "xmpp:bo@new.example</gone><text "
		  "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>"
		  "moved to you</text></error></message>",
		    "<message xmlns='jabber:server' type='error'><error "
		    "type='cancel' by='partner.example'><gone "
		    "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>"
		    "xmpp:bo@new.example</gone><text "
		    "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>"
		    "[12 bytes]</text></error></message>" },
		{ "<presence xmlns='urn:ietf:params:xml:ns:pidf' "
		  "entity='sip:anna@contoso.example'>\n  <tuple id='0'>"
		  "<status><basic>open</basic></status></tuple>\n"
		  "  <note>in a meeting with Bo</note>\n</presence>",
		    "<presence xmlns='urn:ietf:params:xml:ns:pidf' "
		    "entity='sip:anna@contoso.example'>\n  <tuple id='0'>"
		    "<status><basic>open</basic></status></tuple>\n"
		    "  <note>[20 bytes]</note>\n</presence>" },
		{ "<presentity uri='anna@contoso.example'>"
		  "<availability aggregate='300' description=''/>"
		  "<activity aggregate='600' note='Lunch with Bo'/>"
		  "<displayName displayName='Anna'/></presentity>",
		    "<presentity uri='anna@contoso.example'>"
		    "<availability aggregate='300' description='[0 bytes]'/>"
		    "<activity aggregate='600' note='[13 bytes]'/>"
		    "<displayName displayName='[4 bytes]'/></presentity>" },
		/* Blanks alone are told of too, where they are the content. */
		{ "<message " SERVER "><body>  </body></message>",
		    "<message xmlns='jabber:server'><body>[2 bytes]</body>"
		    "</message>" },
		{ "<state "
		  "xmlns='http://schemas.microsoft.com/2006/09/sip/state'"
		  " xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' "
		  "xsi:type='userState' xsi:other='x'>"
		  "<availability>3500</availability></state>",
		    "<state "
		    "xmlns='http://schemas.microsoft.com/2006/09/sip/state' "
		    "xmlns:a0='http://www.w3.org/2001/XMLSchema-instance' "
		    "a0:type='userState' "
		    "xmlns:a1='http://www.w3.org/2001/XMLSchema-instance' "
		    "a1:other='[1 byte]'>"
		    "<availability>3500</availability></state>" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = { 0 };

		assert_int_equal(
		    xml_redact_text(&out, rows[i].xml, strlen(rows[i].xml)), 0);
		assert_string_equal(buf_cstr(&out), rows[i].want);
		buf_finish(&out);
	}
}

static void
test_nothing_of_what_is_no_document(void **state)
{
	static const char *const rows[] = { "", "secret", "<a>secret",
		"<!DOCTYPE a [<!ENTITY e 'secret'>]><a>&e;</a>" };
	struct buf out = { 0 };

	(void)state;
	buf_add_str(&out, "before");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
		    xml_redact_text(&out, rows[i], strlen(rows[i])),
		    ERR_MALFORMED);
		assert_string_equal(buf_cstr(&out), "before");
	}
	buf_finish(&out);
}

/* --- random trees -------------------------------------------------------- */

/* Somebody's words: two of them. */
#define SENTENCE "the Bundesgeheimnis"
/* One word, such as a protocol might have as well. */
#define WORD "Bundesgeheimnis"

static const char *const spaces[] = { "", "jabber:server", "urn:xmpp:receipts",
	"urn:ietf:params:xml:ns:pidf", "http://jabber.org/protocol/muc#user",
	"urn:xmpp:sid:0", "http://jabber.org/protocol/xhtml-im",
	"urn:xmpp:delay", "jabber:x:data",
	"http://schemas.microsoft.com/2006/09/sip/state",
	"http://schemas.microsoft.com/2006/09/sip/categories",
	"urn:example:foreign", "urn:example:other" };
enum { SPACES = sizeof(spaces) / sizeof(spaces[0]), FOREIGN = SPACES - 2 };

static const char *const elements[] = { "message", "body", "show", "thread",
	"priority", "status", "text", "gone", "basic", "note", "html", "value",
	"availability", "contact", "photo", "x" };
static const char *const attributes[] = { "type", "id", "code", "node", "var",
	"stamp", "name", "label", "reason", "status", "token", "version", "x" };
static const char *const attr_spaces[] = { "", "",
	"http://www.w3.org/XML/1998/namespace",
	"http://www.w3.org/2001/XMLSchema-instance", "urn:example:foreign" };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static uint32_t
next(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void
grow(struct xml_arena *a, struct xml_elem *e, uint32_t *seed, unsigned depth,
    size_t first_space, const char *secret)
{
	for (unsigned n = next(seed) % 4; n > 0; n--)
		assert_int_equal(
		    xml_set_attr(a, e,
			attr_spaces[next(seed) % COUNT(attr_spaces)],
			attributes[next(seed) % COUNT(attributes)], secret),
		    0);
	for (unsigned n = next(seed) % 4; n > 0; n--) {
		if (next(seed) % 2 == 0 || depth > 6) {
			assert_int_equal(
			    xml_add_text(a, e, secret, strlen(secret)), 0);
			continue;
		}
		grow(a,
		    xml_elem_new(a, e,
			spaces[first_space +
			       next(seed) % (SPACES - first_space)],
			elements[next(seed) % COUNT(elements)]),
		    seed, depth + 1, first_space, secret);
	}
}

/* How often the secret is there, and is still there when the tree has been
 * redacted, and redacted as text. */
static void
look(uint32_t seed, size_t first_space, const char *secret, size_t *there)
{
	struct buf plain = { 0 }, redacted = { 0 }, again = { 0 };
	struct xml_arena *a;
	struct xml_elem *e;

	assert_int_equal(xml_arena_open(&a, 1000000), 0);
	e = xml_elem_new(a, NULL,
	    spaces[first_space + next(&seed) % (SPACES - first_space)],
	    elements[next(&seed) % COUNT(elements)]);
	grow(a, e, &seed, 0, first_space, secret);
	assert_int_equal(xml_write(&plain, e, NULL), 0);
	assert_int_equal(xml_redact_elem(&redacted, e, NULL), 0);
	assert_int_equal(
	    xml_redact_text(&again, (const char *)plain.data, plain.len), 0);
	*there += strstr(buf_cstr(&plain), WORD) != NULL;
	if (strstr(buf_cstr(&redacted), WORD) != NULL ||
	    strstr(buf_cstr(&again), WORD) != NULL)
		fail_msg("%s", buf_cstr(&redacted));
	buf_finish(&plain);
	buf_finish(&redacted);
	buf_finish(&again);
	xml_arena_close(a);
}

static void
test_no_sentence_anywhere(void **state)
{
	size_t there = 0;

	(void)state;
	for (uint32_t seed = 1; seed <= 3000; seed++)
		look(seed, 0, SENTENCE, &there);
	assert_true(there > 1000);
}

static void
test_no_word_in_what_is_unknown(void **state)
{
	size_t there = 0;

	(void)state;
	for (uint32_t seed = 1; seed <= 3000; seed++)
		look(seed, FOREIGN, WORD, &there);
	assert_true(there > 1000);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_bounds),
		cmocka_unit_test(test_parse_head),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_nothing_of_what_is_no_document),
		cmocka_unit_test(test_no_sentence_anywhere),
		cmocka_unit_test(test_no_word_in_what_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
