#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/xml.h"

#define NS_SERVER "jabber:server"
#define NS_PING   "urn:xmpp:ping"

static struct xml_arena *arena;

static int
setup(void **state)
{
	(void)state;
	return xml_arena_open(&arena, 64 * 1024);
}

static int
teardown(void **state)
{
	(void)state;
	xml_arena_close(arena);
	return 0;
}

static void
assert_written(const struct xml_elem *e, const char *outer, const char *want)
{
	struct buf b = { 0 };

	assert_int_equal(xml_write(&b, e, outer), 0);
	assert_string_equal(buf_cstr(&b), want);
	buf_finish(&b);
}

static void
test_build_and_write(void **state)
{
	struct xml_elem *iq, *ping, *x, *none;

	(void)state;
	iq = xml_elem_new(arena, NULL, NS_SERVER, "iq");
	assert_int_equal(xml_set_attr(arena, iq, "", "type", "get"), 0);
	assert_int_equal(xml_set_attr(arena, iq, "", "id", "a'b\"<&>\t\n"), 0);
	assert_int_equal(xml_set_attr(arena, iq, XML_NS_XML, "lang", "de"), 0);
	ping = xml_elem_new(arena, iq, NS_PING, "ping");
	x = xml_elem_new(arena, iq, NS_SERVER, "x");
	assert_int_equal(xml_add_text(arena, x, "a<b>&'\"\r\n]]>", 12), 0);
	none = xml_elem_new(arena, x, "", "none");
	assert_int_equal(xml_set_attr(arena, none, "urn:o", "k", "v"), 0);
	assert_non_null(ping);
	assert_written(iq, NS_SERVER,
	    "<iq type='get' id='a&apos;b&quot;&lt;&amp;&gt;&#9;&#10;'"
	    " xml:lang='de'><ping xmlns='urn:xmpp:ping'/>"
	    "<x>a&lt;b&gt;&amp;'\"&#13;\n]]&gt;"
	    "<none xmlns='' xmlns:a0='urn:o' a0:k='v'/></x></iq>");
	assert_written(ping, NULL, "<ping xmlns='urn:xmpp:ping'/>");
	assert_written(ping, NS_PING, "<ping/>");
}

static void
test_refuses_what_xml_cannot_carry(void **state)
{
	static const char *const bad[] = { "a\x07", "\x1b", "\xff", "\xc3",
		"\xef\xbf\xbe", "\xed\xa0\x80" };
	struct xml_elem *e;
	struct buf b = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		buf_clear(&b);
		buf_add_str(&b, "kept");
		e = xml_elem_new(arena, NULL, NS_SERVER, "x");
		xml_add_text(arena, e, "fine", 4);
		xml_set_attr(arena, e, "", "a", bad[i]);
		assert_int_equal(xml_write(&b, e, NULL), ERR_UTF8);
		e = xml_elem_new(arena, NULL, NS_SERVER, "x");
		xml_add_text(arena, e, bad[i], strlen(bad[i]));
		assert_int_equal(xml_write(&b, e, NULL), ERR_UTF8);
		assert_int_equal(
		    xml_escape_text(&b, bad[i], strlen(bad[i])), ERR_UTF8);
		assert_string_equal(buf_cstr(&b), "kept");
	}
	assert_int_equal(xml_escape_text(&b, "a\0b", 3), ERR_UTF8);
	buf_finish(&b);
}

static void
test_find(void **state)
{
	struct xml_elem *m, *b1, *b2, *other;
	struct buf text = { 0 };

	(void)state;
	m = xml_elem_new(arena, NULL, NS_SERVER, "message");
	b1 = xml_elem_new(arena, m, NS_SERVER, "body");
	xml_add_text(arena, m, "\n", 1);
	other = xml_elem_new(arena, m, "urn:o", "body");
	b2 = xml_elem_new(arena, m, NS_SERVER, "body");
	xml_set_attr(arena, m, "", "to", "one");
	xml_set_attr(arena, m, "", "to", "two");
	xml_set_attr(arena, m, "urn:o", "to", "three");
	assert_string_equal(xml_attr(m, "to"), "two");
	assert_string_equal(xml_attr_ns(m, "urn:o", "to"), "three");
	assert_null(xml_attr(m, "from"));
	assert_ptr_equal(xml_child(m, NS_SERVER, "body"), b1);
	assert_ptr_equal(xml_child(m, "urn:o", NULL), other);
	assert_null(xml_child(m, "urn:none", NULL));
	assert_ptr_equal(xml_next(m, b1, NS_SERVER, "body"), b2);
	assert_ptr_equal(xml_next(m, b1, NULL, NULL), other);
	assert_null(xml_next(m, b2, NULL, NULL));
	assert_true(xml_is(m, NS_SERVER, "message"));
	assert_false(xml_is(m, "urn:o", "message"));
	assert_ptr_equal(b1->parent, m);
	xml_add_text(arena, m, "t", 1);
	assert_int_equal(xml_text(m, &text), 0);
	assert_string_equal(buf_cstr(&text), "\nt");
	buf_finish(&text);
}

/* A parser hands text over in pieces as small as a character. */
static void
test_text_in_pieces(void **state)
{
	struct xml_elem *e = xml_elem_new(arena, NULL, NS_SERVER, "body");

	(void)state;
	for (int i = 0; i < 30000; i++)
		assert_int_equal(
		    xml_add_text(arena, e, i % 2 == 0 ? "a" : "b", 1), 0);
	assert_null(e->first->next);
	assert_int_equal(e->first->text_len, 30000);
	assert_int_equal(strlen(e->first->text), 30000);
	assert_memory_equal(e->first->text + 29996, "abab", 4);
}

static void
test_limits(void **state)
{
	struct xml_arena *small;
	struct xml_elem *e;
	char name[16];
	int rc = 0;

	(void)state;
	assert_int_equal(xml_arena_open(&small, 1000), 0);
	e = xml_elem_new(small, NULL, NS_SERVER, "x");
	assert_int_equal(xml_add_text(small, e, "y", 1), 0);
	for (int i = 0; i < 1000 && rc == 0; i++)
		rc = xml_add_text(small, e, "0123456789", 10);
	assert_int_equal(rc, ERR_NOMEM);
	assert_in_range(e->first->text_len, 700, 1000);
	assert_int_equal(strlen(e->first->text), e->first->text_len);
	assert_null(xml_elem_new(small, e, NS_SERVER,
	    "a-name-of-more-bytes-than-there-is-room-for"));
	for (int turn = 0; turn < 100; turn++) {
		xml_arena_reset(small);
		e = xml_elem_new(small, NULL, NS_SERVER, "x");
		assert_non_null(e);
		assert_int_equal(xml_add_text(small, e, "0123456789", 10), 0);
	}
	xml_arena_close(small);

	e = xml_elem_new(arena, NULL, NS_SERVER, "x");
	for (int i = 0; i < XML_ATTRS_MAX; i++) {
		snprintf(name, sizeof(name), "a%d", i);
		assert_int_equal(xml_set_attr(arena, e, "", name, "v"), 0);
	}
	assert_int_equal(xml_set_attr(arena, e, "", "one-more", "v"), ERR_FULL);
	assert_int_equal(xml_set_attr(arena, e, "", "a0", "new"), 0);
	assert_string_equal(xml_attr(e, "a0"), "new");
}

static void
test_depth(void **state)
{
	struct xml_elem *root = xml_elem_new(arena, NULL, "", "x"), *e = root;
	struct buf b = { 0 };

	(void)state;
	for (int i = 0; i < 250; i++)
		e = xml_elem_new(arena, e, "", "x");
	assert_int_equal(xml_write(&b, root, NULL), ERR_TOO_LONG);
	assert_int_equal(b.len, 0);
	buf_finish(&b);
}

static void
test_arena_without_chunks(void **state)
{
	struct xml_arena *a;

	(void)state;
	assert_int_equal(xml_arena_open(&a, 10), 0);
	xml_arena_reset(a);
	assert_null(xml_strndup(a, "0123456789", 10));
	assert_string_equal(xml_strndup(a, "012345678", 9), "012345678");
	xml_arena_close(a);
	xml_arena_close(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_build_and_write),
		TEST(test_refuses_what_xml_cannot_carry),
		TEST(test_find),
		TEST(test_text_in_pieces),
		TEST(test_limits),
		TEST(test_depth),
		TEST(test_arena_without_chunks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
