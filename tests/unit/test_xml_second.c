/*
 * The same bytes through another parser: what a stream's parser makes of a
 * stanza, and what is written of it again, is what libxml2 makes of it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <libxml/parser.h>
#include <libxml/tree.h>

#include "common/buf.h"
#include "common/xml.h"
#include "tests/unit/stanza_parse.h"

#define HEAD                                                                   \
	"<stream xmlns='http://etherx.jabber.org/streams'><x "                 \
	"xmlns='jabber:server' "                                               \
	"xmlns:stream='http://etherx.jabber.org/streams'>"
#define TAIL "</x></stream>"

enum { ATTRS_MAX = 80, SEEDS_MAX = 1000 };

/* --- one form of both trees ------------------------------------------------ */

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Attributes have no order. */
static void
put_attrs(struct buf *out, char **attrs, size_t count)
{
	qsort(attrs, count, sizeof(*attrs), compare);
	for (size_t i = 0; i < count; i++) {
		(void)buf_addf(out, " %s", attrs[i]);
		free(attrs[i]);
	}
}

static char *
attr_form(const char *ns, const char *name, const char *value)
{
	struct buf b;
	char *text;

	buf_init(&b, 0);
	(void)buf_addf(&b, "{%s}%s=[%s]", ns, name, value);
	text = strdup(buf_cstr(&b));
	buf_finish(&b);
	assert_non_null(text);
	return text;
}

static void
ours(struct buf *out, const struct xml_elem *e)
{
	char *attrs[ATTRS_MAX] = { NULL };
	size_t count = 0;

	(void)buf_addf(out, "<{%s}%s", e->ns, e->name);
	for (const struct xml_attr *a = e->attrs; a != NULL; a = a->next) {
		assert_true(count < ATTRS_MAX);
		attrs[count++] = attr_form(a->ns, a->name, a->value);
	}
	put_attrs(out, attrs, count);
	(void)buf_add_char(out, '>');
	for (const struct xml_node *n = e->first; n != NULL; n = n->next)
		if (n->elem != NULL)
			ours(out, n->elem);
		else
			(void)buf_add(out, n->text, n->text_len);
	(void)buf_add_str(out, "</>");
}

static const char *
ns_of(const xmlNs *ns)
{
	return ns != NULL && ns->href != NULL ? (const char *)ns->href : "";
}

static void
theirs(struct buf *out, xmlDoc *doc, const xmlNode *e)
{
	char *attrs[ATTRS_MAX] = { NULL };
	size_t count = 0;

	(void)buf_addf(out, "<{%s}%s", ns_of(e->ns), (const char *)e->name);
	for (const xmlAttr *a = e->properties; a != NULL; a = a->next) {
		xmlChar *value = xmlNodeListGetString(doc, a->children, 1);

		assert_true(count < ATTRS_MAX);
		attrs[count++] = attr_form(ns_of(a->ns), (const char *)a->name,
		    value != NULL ? (char *)value : "");
		xmlFree(value);
	}
	put_attrs(out, attrs, count);
	(void)buf_add_char(out, '>');
	for (const xmlNode *n = e->children; n != NULL; n = n->next)
		if (n->type == XML_ELEMENT_NODE)
			theirs(out, doc, n);
		else
			(void)buf_add_str(out, (const char *)n->content);
	(void)buf_add_str(out, "</>");
}

/* What libxml2 makes of the first-level elements of text; false when it is
 * none for it. */
static bool
read_theirs(struct buf *out, const char *text, size_t len)
{
	struct buf whole;
	xmlDoc *doc;

	buf_init(&whole, 0);
	(void)buf_add_str(&whole, HEAD);
	(void)buf_add(&whole, text, len);
	(void)buf_add_str(&whole, TAIL);
	doc = xmlReadMemory((const char *)whole.data, (int)whole.len, "t", NULL,
	    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	buf_finish(&whole);
	if (doc == NULL)
		return false;
	for (const xmlNode *n = xmlDocGetRootElement(doc)->children->children;
	     n != NULL; n = n->next)
		if (n->type == XML_ELEMENT_NODE)
			theirs(out, doc, n);
	xmlFreeDoc(doc);
	return true;
}

/* --- both ------------------------------------------------------------------- */

struct seen {
	struct buf read, written;
};

static void
on_element(const struct xml_elem *e, void *arg)
{
	struct seen *s = arg;

	ours(&s->read, e);
	assert_int_equal(xml_write(&s->written, e, "jabber:server"), 0);
}

/* Returns how many elements there were; -1 when the stream's parser refused,
 * which may be stricter. */
static int
check(const char *text, size_t len)
{
	struct buf again, other;
	struct seen s;
	int count;

	buf_init(&s.read, 0);
	buf_init(&s.written, 0);
	buf_init(&again, 0);
	buf_init(&other, 0);
	count = stanza_parse(text, len, on_element, &s);
	if (count > 0) {
		assert_true(read_theirs(&other, text, len));
		assert_string_equal(buf_cstr(&s.read), buf_cstr(&other));
		assert_true(
		    read_theirs(&again, (char *)s.written.data, s.written.len));
		assert_string_equal(buf_cstr(&s.read), buf_cstr(&again));
	}
	buf_finish(&s.read);
	buf_finish(&s.written);
	buf_finish(&again);
	buf_finish(&other);
	return count;
}

static void
test_rows(void **state)
{
	static const char *const rows[] = {
		"<message from='a' to='b'><body>x</body></message>",
		"<message><body>&lt;&amp;&gt;&quot;&apos;</body></message>",
		"<message><body>&#x20AC;&#8364;&#x1F600;</body></message>",
		"<message><body><![CDATA[<b>&amp;]]></body></message>",
		"<message><body>a<![CDATA[b]]>c</body></message>",
		"<message><body>line\r\nline\rline\n\tx</body></message>",
		"<message id='a\r\nb\tc d'/>",
		"<message id='&#10;&#13;&#9;'/>",
		"<message id=\"it's\" type='&quot;'/>",
		"<m:message xmlns:m='jabber:server' m:x='1' x='2'/>",
		"<message xmlns:a='urn:a'><a:x a:y='1' y='2'><z/></a:x>"
		"</message>",
		"<message><x xmlns='urn:1'><y xmlns='urn:2'><z xmlns='urn:1'/>"
		"</y></x></message>",
		"<message xml:lang='de'><body xml:lang='en' xml:space="
		"'preserve'>  x  </body></message>",
		"<message xmlns:a='urn:a' xmlns:b='urn:a'><a:x/><b:x/>"
		"</message>",
		"<message xmlns:a='urn:a'><x xmlns:a='urn:b'><a:y/></x><a:y/>"
		"</message>",
		"<message><body>\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80</body>"
		"</message>",
		"<message><\xc3\xa9l\xc3\xa8ve "
		"xmlns='urn:\xc3\xa9'/></message>",
		"<presence/><iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/>"
		"</iq>",
		"<message ><body ></body ></message >",
		"<message><body/></message> \r\n <presence></presence>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_true(check(rows[i], strlen(rows[i])) > 0);
}

/* The seeds of the fuzz target for stanzas; the first byte is not theirs. */
static void
test_seeds(void **state)
{
	static const char folder[] = "tests/fuzz/corpus/normalise";
	static char text[1 << 20];
	DIR *d = opendir(folder);
	const struct dirent *entry;
	unsigned checked = 0;

	(void)state;
	assert_non_null(d);
	while ((entry = readdir(d)) != NULL) {
		char path[512];
		size_t len;
		FILE *f;

		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		f = entry->d_name[0] != '.' ? fopen(path, "rb") : NULL;
		if (f == NULL)
			continue;
		len = fread(text, 1, sizeof(text), f);
		(void)fclose(f);
		checked += len > 1 && check(text + 1, len - 1) > 0;
	}
	(void)closedir(d);
	assert_in_range(checked, 5, SEEDS_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_seeds),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	xmlCleanupParser();
	return rc;
}
