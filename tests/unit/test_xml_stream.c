/*
 * xml_stream: every row of what restricted XML refuses or accepts, each input
 * fed whole and cut at every byte, with the same outcome.
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
#include "edge-proxy/xml_stream.h"

#define HEAD                                                                   \
	"<stream:stream xmlns='jabber:server' "                                \
	"xmlns:stream='http://etherx.jabber.org/streams' "                     \
	"xmlns:db='jabber:server:dialback' to='contoso.example' "              \
	"from='partner.example' version='1.0' xml:lang='en'>"
#define END "</stream:stream>"

/* What was seen, as text: [to|from|version|d] for the header, each element
 * serialised, a dot for the end. */
struct seen {
	struct xml_stream *xs;
	struct buf text;
	const char *stop_on; /* element that stops, restarts, ... */
	const char *restart_on;
	const char *pause_on;
	const char *close_on;
	bool rests;
	unsigned rested;
};

static void
on_header(struct xml_stream *xs, const struct stream_header *h, void *arg)
{
	struct seen *s = arg;

	(void)xs;
	buf_addf(&s->text, "[%s|%s|%s|%s%s]", h->to ? h->to : "-",
	    h->from ? h->from : "-", h->version ? h->version : "-",
	    h->lang ? h->lang : "-", h->dialback ? "|d" : "");
}

static void
on_element(struct xml_stream *xs, const struct xml_elem *e, void *arg)
{
	struct seen *s = arg;

	assert_int_equal(0, xml_write(&s->text, e, XML_NS_SERVER));
	if (s->stop_on != NULL && strcmp(e->name, s->stop_on) == 0)
		xml_stream_stop(xs);
	if (s->restart_on != NULL && strcmp(e->name, s->restart_on) == 0)
		xml_stream_restart(xs, NULL);
	if (s->pause_on != NULL && strcmp(e->name, s->pause_on) == 0)
		xml_stream_pause(xs);
	if (s->close_on != NULL && strcmp(e->name, s->close_on) == 0)
		xml_stream_close(xs);
}

static void
on_goodbye(struct xml_stream *xs, void *arg)
{
	struct seen *s = arg;

	(void)xs;
	buf_add_char(&s->text, '.');
}

static const struct xml_stream_events events = { on_header, on_element,
	on_goodbye };

static void
seen_init(struct seen *s, const struct xml_stream_limits *limits)
{
	struct xml_stream_limits open = xml_stream_limits_open(65536);

	memset(s, 0, sizeof(*s));
	buf_init(&s->text, 0);
	assert_int_equal(
	    0, xml_stream_open(&s->xs, limits ? limits : &open, &events, s));
}

static void
seen_finish(struct seen *s)
{
	if (s->close_on == NULL)
		xml_stream_close(s->xs);
	buf_finish(&s->text);
}

/* Feeds in pieces of that size (0: all at once), and lets it rest between them
 * wherever it can. */
static void
feed(struct seen *s, const char *data, size_t len, size_t piece)
{
	size_t used;

	if (piece == 0)
		piece = len;
	for (size_t off = 0; off < len; off += piece) {
		size_t n = len - off < piece ? len - off : piece;

		if (xml_stream_feed(s->xs, data + off, n, &used) < 0)
			return;
		assert_int_equal(used, n);
		if (s->rests && xml_stream_rest(s->xs))
			s->rested++;
	}
}

#define WITH_LEN(s) (s), sizeof(s) - 1

static const struct {
	const char *name;
	const char *data;
	size_t len;
	enum stream_error error;
	const char *seen; /* NULL: not compared */
} rows[] = {
	{ "header", WITH_LEN(HEAD), STREAM_ERR_NONE,
	    "[contoso.example|partner.example|1.0|en|d]" },
	{ "declaration", WITH_LEN("<?xml version='1.0'?>" HEAD),
	    STREAM_ERR_NONE, "[contoso.example|partner.example|1.0|en|d]" },
	{ "declared UTF-8, lower case",
	    WITH_LEN("<?xml version='1.0' encoding='utf-8'?>" HEAD),
	    STREAM_ERR_NONE, NULL },
	{ "standalone no",
	    WITH_LEN("<?xml version='1.0' standalone='no'?>" HEAD),
	    STREAM_ERR_NONE, NULL },
	{ "streams namespace as default",
	    WITH_LEN("<stream xmlns='http://etherx.jabber.org/streams' "
		     "xmlns:s='jabber:server'><s:iq id='1'/></stream>"),
	    STREAM_ERR_NONE, "[-|-|-|-]<iq id='1'/>." },
	{ "content namespace declared by the stanza",
	    WITH_LEN("<stream xmlns='http://etherx.jabber.org/streams'>"
		     "<message xmlns='jabber:server'/></stream>"),
	    STREAM_ERR_NONE, "[-|-|-|-]<message/>." },
	{ "own prefix for a stanza",
	    WITH_LEN(HEAD "<n:iq xmlns:n='jabber:server' id='1'><n:a/></n:iq>"),
	    STREAM_ERR_NONE,
	    "[contoso.example|partner.example|1.0|en|d]<iq id='1'><a/></iq>" },
	{ "children of other namespaces keep them",
	    WITH_LEN(HEAD "<message><f xmlns='urn:xmpp:forward:0'><message "
			  "xmlns='jabber:client'/></f></message>"),
	    STREAM_ERR_NONE,
	    "[contoso.example|partner.example|1.0|en|d]<message><f "
	    "xmlns='urn:xmpp:forward:0'><message "
	    "xmlns='jabber:client'/></f></message>" },
	{ "the end, and what follows it", WITH_LEN(HEAD END "  <junk/>\x01"),
	    STREAM_ERR_NONE, "[contoso.example|partner.example|1.0|en|d]." },
	{ "white space between elements",
	    WITH_LEN(HEAD " \r\n\t<a/> <b/>\n" END), STREAM_ERR_NONE,
	    "[contoso.example|partner.example|1.0|en|d]<a/><b/>." },
	{ "text, references, CDATA are one text",
	    WITH_LEN(HEAD "<a>x&lt;&#65;<![CDATA[<&]]>&apos;</a>"),
	    STREAM_ERR_NONE,
	    "[contoso.example|partner.example|1.0|en|d]"
	    "<a>x&lt;A&lt;&amp;'</a>" },
	{ "U+FEFF within text", WITH_LEN(HEAD "<a>\xef\xbb\xbf</a>"),
	    STREAM_ERR_NONE, NULL },
	{ "white space before the tag", WITH_LEN(" \n" HEAD), STREAM_ERR_NONE,
	    NULL },

	{ "wrong streams namespace",
	    WITH_LEN("<stream:stream xmlns='jabber:server' "
		     "xmlns:stream='urn:other'>"),
	    STREAM_ERR_INVALID_NAMESPACE, "" },
	{ "no streams namespace", WITH_LEN("<stream version='1.0'>"),
	    STREAM_ERR_INVALID_NAMESPACE, "" },
	{ "client content",
	    WITH_LEN("<stream:stream xmlns='jabber:client' "
		     "xmlns:stream='http://etherx.jabber.org/streams'>"),
	    STREAM_ERR_INVALID_NAMESPACE, "" },
	{ "other root", WITH_LEN("<html>"), STREAM_ERR_BAD_FORMAT, "" },
	{ "other root of the streams namespace",
	    WITH_LEN("<features xmlns='http://etherx.jabber.org/streams'>"),
	    STREAM_ERR_BAD_FORMAT, "" },
	{ "UTF-16 LE", WITH_LEN("<\0s\0t\0"), STREAM_ERR_UNSUPPORTED_ENCODING,
	    "" },
	{ "UTF-16 BE", WITH_LEN("\0<\0s\0t"), STREAM_ERR_UNSUPPORTED_ENCODING,
	    "" },
	{ "UTF-16 LE with mark", WITH_LEN("\xff\xfe<\0s\0"),
	    STREAM_ERR_UNSUPPORTED_ENCODING, "" },
	{ "UTF-16 BE with mark", WITH_LEN("\xfe\xff\0<\0s"),
	    STREAM_ERR_UNSUPPORTED_ENCODING, "" },
	{ "TLS on the plain port", WITH_LEN("\x16\x03\x01\x02\x00"),
	    STREAM_ERR_UNSUPPORTED_ENCODING, "" },
	{ "HTTP on the plain port", WITH_LEN("GET / HTTP/1.1\r\n\r\n"),
	    STREAM_ERR_NOT_WELL_FORMED, "" },
	{ "byte order mark", WITH_LEN("\xef\xbb\xbf" HEAD),
	    STREAM_ERR_NOT_WELL_FORMED, "" },
	{ "ISO-8859-1",
	    WITH_LEN("<?xml version='1.0' encoding='ISO-8859-1'?>" HEAD),
	    STREAM_ERR_UNSUPPORTED_ENCODING, "" },
	{ "US-ASCII",
	    WITH_LEN("<?xml version='1.0' encoding='US-ASCII'?>" HEAD),
	    STREAM_ERR_UNSUPPORTED_ENCODING, "" },
	{ "UTF-16 by name",
	    WITH_LEN("<?xml version='1.0' encoding='UTF-16'?>" HEAD),
	    STREAM_ERR_UNSUPPORTED_ENCODING, "" },
	{ "XML 1.1", WITH_LEN("<?xml version='1.1'?>" HEAD),
	    STREAM_ERR_BAD_FORMAT, "" },
	{ "XML 2.0", WITH_LEN("<?xml version='2.0'?>" HEAD),
	    STREAM_ERR_BAD_FORMAT, "" },
	{ "comment in front", WITH_LEN("<!-- x -->" HEAD),
	    STREAM_ERR_RESTRICTED_XML, "" },
	{ "comment", WITH_LEN(HEAD "<!-- x --><a/>"), STREAM_ERR_RESTRICTED_XML,
	    "[contoso.example|partner.example|1.0|en|d]" },
	{ "comment within an element", WITH_LEN(HEAD "<a><!-- x --></a>"),
	    STREAM_ERR_RESTRICTED_XML,
	    "[contoso.example|partner.example|1.0|en|d]" },
	{ "instruction", WITH_LEN(HEAD "<?php x?><a/>"),
	    STREAM_ERR_RESTRICTED_XML,
	    "[contoso.example|partner.example|1.0|en|d]" },
	{ "document type", WITH_LEN("<!DOCTYPE stream [<!ENTITY a 'b'>]>" HEAD),
	    STREAM_ERR_RESTRICTED_XML, "" },
	{ "external document type",
	    WITH_LEN("<!DOCTYPE stream SYSTEM 'file:///etc/passwd'>" HEAD),
	    STREAM_ERR_RESTRICTED_XML, "" },
	{ "entity", WITH_LEN(HEAD "<a>&nbsp;</a>"), STREAM_ERR_RESTRICTED_XML,
	    "[contoso.example|partner.example|1.0|en|d]" },
	{ "entity in an attribute", WITH_LEN(HEAD "<a b='&foo;'/>"),
	    STREAM_ERR_RESTRICTED_XML,
	    "[contoso.example|partner.example|1.0|en|d]" },
	{ "second declaration", WITH_LEN(HEAD "<?xml version='1.0'?><a/>"),
	    STREAM_ERR_NOT_WELL_FORMED,
	    "[contoso.example|partner.example|1.0|en|d]" },
	{ "declaration after space", WITH_LEN(" <?xml version='1.0'?>" HEAD),
	    STREAM_ERR_NOT_WELL_FORMED, "" },
	{ "&#0;", WITH_LEN(HEAD "<a>&#0;</a>"), STREAM_ERR_NOT_WELL_FORMED,
	    NULL },
	{ "&#x1;", WITH_LEN(HEAD "<a>&#x1;</a>"), STREAM_ERR_NOT_WELL_FORMED,
	    NULL },
	{ "&#xFFFE;", WITH_LEN(HEAD "<a>&#xFFFE;</a>"),
	    STREAM_ERR_NOT_WELL_FORMED, NULL },
	{ "&#xD800;", WITH_LEN(HEAD "<a>&#xD800;</a>"),
	    STREAM_ERR_NOT_WELL_FORMED, NULL },
	{ "raw control character", WITH_LEN(HEAD "<a>\x01</a>"),
	    STREAM_ERR_NOT_WELL_FORMED, NULL },
	{ "U+FFFE", WITH_LEN(HEAD "<a>\xef\xbf\xbe</a>"),
	    STREAM_ERR_NOT_WELL_FORMED, NULL },
	{ "overlong", WITH_LEN(HEAD "<a>\xc0\xaf</a>"),
	    STREAM_ERR_NOT_WELL_FORMED, NULL },
	{ "surrogate", WITH_LEN(HEAD "<a>\xed\xa0\x80</a>"),
	    STREAM_ERR_NOT_WELL_FORMED, NULL },
	{ "five bytes", WITH_LEN(HEAD "<a>\xf8\x88\x80\x80\x80</a>"),
	    STREAM_ERR_NOT_WELL_FORMED, NULL },
	{ "above U+10FFFF", WITH_LEN(HEAD "<a>\xf4\x90\x80\x80</a>"),
	    STREAM_ERR_NOT_WELL_FORMED, NULL },
	{ "bad UTF-8 in a name", WITH_LEN(HEAD "<a\xc3('/>"),
	    STREAM_ERR_NOT_WELL_FORMED, NULL },
	{ "bad UTF-8 in an attribute", WITH_LEN(HEAD "<a b='\xc3('/>"),
	    STREAM_ERR_NOT_WELL_FORMED, NULL },
	{ "]]>", WITH_LEN(HEAD "<a>]]></a>"), STREAM_ERR_NOT_WELL_FORMED,
	    NULL },
	{ "unbound prefix", WITH_LEN(HEAD "<q:a/>"), STREAM_ERR_NOT_WELL_FORMED,
	    NULL },
	{ "attribute twice", WITH_LEN(HEAD "<a b='1' b='2'/>"),
	    STREAM_ERR_NOT_WELL_FORMED, NULL },
	{ "attribute twice by namespace",
	    WITH_LEN(HEAD "<a xmlns:x='u' xmlns:y='u' x:b='1' y:b='2'/>"),
	    STREAM_ERR_NOT_WELL_FORMED, NULL },
	{ "xml bound anew", WITH_LEN(HEAD "<a xmlns:xml='urn:x'/>"),
	    STREAM_ERR_NOT_WELL_FORMED, NULL },
	{ "prefix undeclared", WITH_LEN(HEAD "<a xmlns:db=''/>"),
	    STREAM_ERR_NOT_WELL_FORMED, NULL },
	{ "separator in a namespace", WITH_LEN(HEAD "<a xmlns='u\x01v'/>"),
	    STREAM_ERR_NOT_WELL_FORMED, NULL },
	{ "separator by reference", WITH_LEN(HEAD "<a xmlns='u&#1;v'/>"),
	    STREAM_ERR_NOT_WELL_FORMED, NULL },
	{ "wrong nesting", WITH_LEN(HEAD "<a></b>"), STREAM_ERR_NOT_WELL_FORMED,
	    NULL },
	{ "text between elements", WITH_LEN(HEAD "<a/>x<b/>"),
	    STREAM_ERR_BAD_FORMAT,
	    "[contoso.example|partner.example|1.0|en|d]<a/>" },
	{ "CDATA between elements", WITH_LEN(HEAD "<![CDATA[x]]>"),
	    STREAM_ERR_BAD_FORMAT,
	    "[contoso.example|partner.example|1.0|en|d]" },
};

static void
check_row(size_t i, size_t piece, bool rests)
{
	struct seen s;

	seen_init(&s, NULL);
	s.rests = rests;
	feed(&s, rows[i].data, rows[i].len, piece);
	if (xml_stream_error(s.xs) != rows[i].error)
		fail_msg("%s, pieces of %zu: %s (%s)", rows[i].name, piece,
		    stream_error_str(xml_stream_error(s.xs)),
		    xml_stream_error_text(s.xs));
	if (rows[i].seen != NULL &&
	    strcmp(buf_cstr(&s.text), rows[i].seen) != 0)
		fail_msg("%s, pieces of %zu: saw %s", rows[i].name, piece,
		    buf_cstr(&s.text));
	seen_finish(&s);
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check_row(i, 0, false);
		check_row(i, 1, false);
		check_row(i, 2, false);
		check_row(i, 7, false);
		check_row(i, 1, true);
		check_row(i, 7, true);
	}
}

/* Between elements it rests, and goes on as if it had not; elsewhere it does
 * not.  Prefixes of the opening tag are good for as long as the stream is. */
static void
test_rest(void **state)
{
	static const char data[] =
	    "<?xml version='1.0'?>" HEAD "<db:a x='1'/><b>one</b> <c/>";
	struct seen s;

	(void)state;
	seen_init(&s, NULL);
	assert_false(xml_stream_rest(s.xs));
	s.rests = true;
	feed(&s, data, sizeof(data) - 1, 1);
	/* Behind the tag, three elements and a space. */
	assert_int_equal(s.rested, 5);
	assert_true(xml_stream_rest(s.xs));
	xml_stream_pause(s.xs);
	feed(&s, "<d/>", 4, 0);
	assert_int_equal(0, xml_stream_resume(s.xs));
	feed(&s, "<e", 2, 0);
	assert_false(xml_stream_rest(s.xs));
	feed(&s, "/>", 2, 0);
	assert_int_equal(4, xml_stream_element_size(s.xs));
	feed(&s, END, sizeof(END) - 1, 0);
	assert_string_equal(buf_cstr(&s.text),
	    "[contoso.example|partner.example|1.0|en|d]"
	    "<a xmlns='jabber:server:dialback' x='1'/><b>one</b><c/><d/><e/>.");
	assert_false(xml_stream_rest(s.xs));
	seen_finish(&s);
}

/* In the middle of an element and behind the end: nothing comes of what is fed
 * afterwards. */
static void
test_shed(void **state)
{
	static const char *const before[] = { "", HEAD, HEAD "<a><b>text",
		HEAD "<a b='", HEAD "<a/>" END, HEAD "</wrong>" };

	(void)state;
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		struct seen s;
		size_t len;

		seen_init(&s, NULL);
		feed(&s, before[i], strlen(before[i]), 0);
		len = s.text.len;
		xml_stream_shed(s.xs);
		xml_stream_shed(s.xs);
		feed(&s, "<c/>", 4, 0);
		xml_stream_pause(s.xs);
		(void)xml_stream_resume(s.xs);
		assert_int_equal(s.text.len, len);
		seen_finish(&s);
	}
}

/* Nothing is left of one life of the stream in the next. */
static void
test_rest_and_restart(void **state)
{
	struct seen s;

	(void)state;
	seen_init(&s, NULL);
	s.rests = true;
	feed(&s, HEAD "<a/>", sizeof(HEAD) + 3, 0);
	xml_stream_restart(s.xs, NULL);
	assert_false(xml_stream_rest(s.xs));
	feed(&s, "<stream xmlns='" XML_NS_STREAMS "'>", 50, 1);
	feed(&s, "<db:a/>", 7, 1);
	assert_int_equal(STREAM_ERR_NOT_WELL_FORMED, xml_stream_error(s.xs));
	seen_finish(&s);
}

/* One cut, at every offset. */
static void
test_cut_anywhere(void **state)
{
	static const char data[] =
	    "<?xml version='1.0'?>" HEAD
	    "<a>x&lt;&#65;<![CDATA[<&]]>\xc3\xa9</a> <b c='&quot;'/>" END;
	size_t used;

	(void)state;
	for (size_t cut = 0; cut < sizeof(data); cut++) {
		struct seen s;

		seen_init(&s, NULL);
		assert_int_equal(0, xml_stream_feed(s.xs, data, cut, &used));
		assert_int_equal(0, xml_stream_feed(s.xs, data + cut,
					sizeof(data) - 1 - cut, &used));
		assert_string_equal(buf_cstr(&s.text),
		    "[contoso.example|partner.example|1.0|en|d]"
		    "<a>x&lt;A&lt;&amp;\xc3\xa9</a><b c='&quot;'/>.");
		seen_finish(&s);
	}
}

/* A complete element is told with its last byte, however it was cut. */
static void
test_no_deferral(void **state)
{
	static const char big[] = "<a b='";
	struct seen s;
	char *pad = malloc(4000);
	size_t used, before;

	(void)state;
	memset(pad, 'x', 4000);
	seen_init(&s, NULL);
	feed(&s, HEAD, sizeof(HEAD) - 1, 0);
	feed(&s, big, sizeof(big) - 1, 0);
	feed(&s, pad, 4000, 0);
	feed(&s, pad, 4000, 10);
	before = s.text.len;
	feed(&s, "'/", 2, 0);
	assert_int_equal(before, s.text.len);
	assert_int_equal(0, xml_stream_feed(s.xs, ">", 1, &used));
	assert_true(s.text.len > before + 8000);
	assert_int_equal(
	    8000 + sizeof(big) - 1 + 3, xml_stream_element_size(s.xs));
	seen_finish(&s);
	free(pad);
}

/* Builds head, n times middle, tail. */
static void
repeat(struct buf *out, const char *head, const char *middle, size_t n,
    const char *tail)
{
	buf_clear(out);
	buf_add_str(out, HEAD);
	buf_add_str(out, head);
	for (size_t i = 0; i < n; i++)
		buf_add_str(out, middle);
	buf_add_str(out, tail);
	assert_false(buf_failed(out));
}

static void
check_bound(
    struct buf *b, const struct xml_stream_limits *l, enum stream_error error)
{
	static const size_t pieces[] = { 0, 1, 16 };

	for (size_t i = 0; i < 3; i++) {
		struct seen s;

		seen_init(&s, l);
		feed(&s, (const char *)b->data, b->len, pieces[i]);
		if (xml_stream_error(s.xs) != error)
			fail_msg("%.40s in pieces of %zu: %s",
			    buf_cstr(b) + sizeof(HEAD) - 1, pieces[i],
			    xml_stream_error_text(s.xs));
		seen_finish(&s);
	}
}

static void
test_bounds(void **state)
{
	struct xml_stream_limits l = xml_stream_limits_open(10000);
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	l.elements_max = 2000;
	/* size: exactly the limit, and one more; white space is not counted */
	repeat(&b, "    <a>", "x", 10000 - 7, "</a>   ");
	check_bound(&b, &l, STREAM_ERR_NONE);
	repeat(&b, "    <a>", "x", 10000 - 6, "</a>");
	check_bound(&b, &l, STREAM_ERR_POLICY_VIOLATION);
	/* a tag that never ends */
	repeat(&b, "<a b='", "x", 10001, "");
	check_bound(&b, &l, STREAM_ERR_POLICY_VIOLATION);
	repeat(&b, "<a b='", ">", 10001, "");
	check_bound(&b, &l, STREAM_ERR_POLICY_VIOLATION);
	/* depth 64 and 65 */
	repeat(&b, "", "<a>", 64, "");
	check_bound(&b, &l, STREAM_ERR_NONE);
	repeat(&b, "", "<a>", 65, "");
	check_bound(&b, &l, STREAM_ERR_POLICY_VIOLATION);
	/* children 1024 and 1025 */
	repeat(&b, "<a>", "<b/>", 1024, "</a>");
	check_bound(&b, &l, STREAM_ERR_NONE);
	repeat(&b, "<a>", "<b/>", 1025, "</a>");
	check_bound(&b, &l, STREAM_ERR_POLICY_VIOLATION);
	/* elements in all */
	repeat(&b, "<a>", "<b><c/><c/><c/></b>", 499, "</a>");
	check_bound(&b, &l, STREAM_ERR_NONE);
	repeat(&b, "<a>", "<b><c/><c/><c/></b>", 500, "</a>");
	check_bound(&b, &l, STREAM_ERR_POLICY_VIOLATION);
	/* names */
	repeat(&b, "<", "n", 256, "/>");
	check_bound(&b, &l, STREAM_ERR_NONE);
	repeat(&b, "<", "n", 257, "/>");
	check_bound(&b, &l, STREAM_ERR_POLICY_VIOLATION);
	repeat(&b, "<a xmlns='", "u", 1025, "'/>");
	check_bound(&b, &l, STREAM_ERR_POLICY_VIOLATION);
	buf_finish(&b);
}

static void
test_attribute_bounds(void **state)
{
	struct xml_stream_limits l = xml_stream_limits_open(65536);
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	for (unsigned n = 64; n <= 65; n++) {
		repeat(&b, "<a", "", 0, "");
		for (unsigned i = 0; i < n; i++)
			buf_addf(&b, " a%u=''", i);
		buf_add_str(&b, "/>");
		check_bound(&b, &l,
		    n == 64 ? STREAM_ERR_NONE : STREAM_ERR_POLICY_VIOLATION);
	}
	for (unsigned n = 16; n <= 17; n++) {
		repeat(&b, "<a", "", 0, "");
		for (unsigned i = 0; i < n; i++)
			buf_addf(&b, " xmlns:a%u='u'", i);
		buf_add_str(&b, "/><c/>");
		check_bound(&b, &l,
		    n == 16 ? STREAM_ERR_NONE : STREAM_ERR_POLICY_VIOLATION);
	}
	buf_finish(&b);
}

static void
test_header_bound(void **state)
{
	struct xml_stream_limits l = xml_stream_limits_strict();
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	buf_add_str(&b, "<stream:stream a='");
	for (int i = 0; i < 9000; i++)
		buf_add_char(&b, 'x');
	check_bound(&b, &l, STREAM_ERR_POLICY_VIOLATION);
	/* only space */
	buf_clear(&b);
	for (int i = 0; i < 9000; i++)
		buf_add_char(&b, ' ');
	check_bound(&b, &l, STREAM_ERR_POLICY_VIOLATION);
	buf_finish(&b);
}

/* 200 KiB of '>' in an attribute, a byte at a time, must not cost the square:
 * refused by the budget, long before the element limit. */
static void
test_rereading_is_bounded(void **state)
{
	struct xml_stream_limits l = xml_stream_limits_open(262144);
	struct seen s;
	size_t used, fed = 0;

	(void)state;
	seen_init(&s, &l);
	feed(&s, HEAD "<a b='", sizeof(HEAD "<a b='") - 1, 0);
	while (fed < 200000 && xml_stream_feed(s.xs, ">", 1, &used) == 0)
		fed++;
	assert_in_range(fed, 8192, 20000);
	assert_int_equal(STREAM_ERR_POLICY_VIOLATION, xml_stream_error(s.xs));
	seen_finish(&s);
}

/* STARTTLS: what stands behind the element is not parsed but counted. */
static void
test_stop(void **state)
{
	static const char data[] = HEAD "<starttls/><evil/>";
	static const char *const after[] = { "<starttls/>",
		"<starttls></starttls>" };
	struct buf b;
	size_t used;

	(void)state;
	buf_init(&b, 0);
	for (size_t cut = 0; cut < sizeof(data) - 1; cut++) {
		struct seen s;
		size_t end = sizeof(HEAD "<starttls/>") - 1;

		seen_init(&s, NULL);
		s.stop_on = "starttls";
		xml_stream_feed(s.xs, data, cut, &used);
		if (cut >= end) {
			assert_int_equal(used, end);
		} else {
			assert_int_equal(used, cut);
			xml_stream_feed(
			    s.xs, data + cut, sizeof(data) - 1 - cut, &used);
			assert_int_equal(used, end - cut);
		}
		assert_null(strstr(buf_cstr(&s.text), "evil"));
		/* nothing more until the restart */
		xml_stream_feed(s.xs, "<evil/>", 7, &used);
		assert_int_equal(used, 0);
		assert_null(strstr(buf_cstr(&s.text), "evil"));
		xml_stream_restart(s.xs, NULL);
		buf_clear(&s.text);
		feed(&s, HEAD "<a/>", sizeof(HEAD "<a/>") - 1, 1);
		assert_string_equal(buf_cstr(&s.text),
		    "[contoso.example|partner.example|1.0|en|d]<a/>");
		seen_finish(&s);
	}
	for (size_t i = 0; i < 2; i++) {
		struct seen s;

		seen_init(&s, NULL);
		s.stop_on = "starttls";
		buf_clear(&b);
		buf_add_str(&b, HEAD);
		buf_add_str(&b, after[i]);
		assert_int_equal(
		    0, xml_stream_feed(s.xs, b.data, b.len, &used));
		assert_int_equal(used, b.len);
		seen_finish(&s);
	}
	buf_finish(&b);
}

/* SASL: a new stream begins behind the element, in the same chunk or not, and
 * space that was under way is skipped. */
static void
test_restart(void **state)
{
	static const char data[] =
	    HEAD "<success/>\n <?xml version='1.0'?>" HEAD "<a/>";

	(void)state;
	for (size_t piece = 0; piece < 40; piece++) {
		struct seen s;

		seen_init(&s, NULL);
		s.restart_on = "success";
		feed(&s, data, sizeof(data) - 1, piece);
		assert_int_equal(STREAM_ERR_NONE, xml_stream_error(s.xs));
		assert_string_equal(buf_cstr(&s.text),
		    "[contoso.example|partner.example|1.0|en|d]<success/>"
		    "[contoso.example|partner.example|1.0|en|d]<a/>");
		seen_finish(&s);
	}
}

static void
test_pause(void **state)
{
	static const char data[] = HEAD "<p i='1'/><p i='2'/> <b/><p i='3'/>";
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	for (size_t piece = 0; piece < 60; piece++) {
		struct seen s;

		seen_init(&s, NULL);
		s.pause_on = "p";
		feed(&s, data, sizeof(data) - 1, piece);
		assert_string_equal(buf_cstr(&s.text),
		    "[contoso.example|partner.example|1.0|en|d]<p i='1'/>");
		assert_int_equal(0, xml_stream_resume(s.xs));
		assert_non_null(strstr(buf_cstr(&s.text), "<p i='2'/>"));
		assert_null(strstr(buf_cstr(&s.text), "<b/>"));
		assert_int_equal(0, xml_stream_resume(s.xs));
		assert_string_equal(buf_cstr(&s.text),
		    "[contoso.example|partner.example|1.0|en|d]"
		    "<p i='1'/><p i='2'/><b/><p i='3'/>");
		assert_int_equal(0, xml_stream_resume(s.xs));
		s.pause_on = NULL;
		feed(&s, "<c/>", 4, piece);
		assert_non_null(strstr(buf_cstr(&s.text), "<c/>"));
		seen_finish(&s);
	}
	buf_finish(&b);
}

static void
test_close_from_event(void **state)
{
	struct seen s;
	size_t used;

	(void)state;
	seen_init(&s, NULL);
	s.close_on = "a";
	assert_int_equal(
	    0, xml_stream_feed(s.xs, HEAD "<a/><b/>", sizeof(HEAD) + 7, &used));
	assert_string_equal(buf_cstr(&s.text),
	    "[contoso.example|partner.example|1.0|en|d]<a/>");
	seen_finish(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_rest_and_restart),
		cmocka_unit_test(test_shed),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_no_deferral),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_attribute_bounds),
		cmocka_unit_test(test_header_bound),
		cmocka_unit_test(test_rereading_is_bounded),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_close_from_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
