/* Message styling, and formatted text as HTML: by tests/vectors/styling.json,
 * and what no table can hold. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/buf.h"
#include "common/err.h"
#include "frontend-gateway/translate/formatting.h"
#include "frontend-gateway/translate/styling.h"
#include "proto/rich_body.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
every_row_holds(void **state)
{
	json_t *document, *row;
	json_error_t where;
	size_t i;

	(void)state;
	document = json_load_file(
	    "tests/vectors/styling.json", JSON_REJECT_DUPLICATES, &where);
	if (document == NULL)
		fail_msg("%d: %s", where.line, where.text);
	json_array_foreach(json_object_get(document, "rows"), i, row)
	{
		const char *id = json_string_value(json_object_get(row, "id"));
		const char *text =
		    json_string_value(json_object_get(row, "text"));
		const char *rich =
		    json_string_value(json_object_get(row, "rich"));
		struct buf out = { 0 };

		assert_non_null(id);
		if (styling_found(text, strlen(text)) !=
		    !json_is_true(json_object_get(row, "plain")))
			fail_msg("%s: found or not", id);
		assert_int_equal(styling_format(&out, text, strlen(text)), 0);
		if (strcmp(buf_cstr(&out), rich) != 0)
			fail_msg("%s: %s", id, buf_cstr(&out));
		assert_true(rich_body_valid((char *)out.data, out.len));
		buf_finish(&out);
	}
	assert_true(i > 30);
	json_decref(document);
}

static void
without_a_look_at_directives(void **state)
{
	struct buf out = { 0 };

	(void)state;
	assert_int_equal(styling_escape(&out, "*a*\n> b\n", 8), 0);
	assert_string_equal(buf_cstr(&out), "*a*<br/>&gt; b<br/>");
	assert_int_equal(styling_escape(&out, "\xff", 1), ERR_UTF8);
	assert_int_equal(styling_escape(&out, "\x07", 1), ERR_UTF8);
	assert_int_equal(styling_format(&out, "a\0b", 3), ERR_UTF8);
	assert_string_equal(buf_cstr(&out), "*a*<br/>&gt; b<br/>");
	buf_finish(&out);
	buf_init(&out, 16);
	assert_int_equal(styling_format(&out, "*a* *b*", 7), ERR_FULL);
	assert_int_equal(out.len, 0);
	buf_finish(&out);
}

/* The processor's time to find and format a text of that piece alone; the
 * least of three. */
static clock_t
time_of(const char *piece, size_t size)
{
	struct buf text = { 0 };
	clock_t least = 0;

	while (text.len < size)
		buf_add_str(&text, piece);
	for (int i = 0; i < 3; i++) {
		struct buf rich = { 0 };
		clock_t took, start = clock();

		(void)styling_found((char *)text.data, text.len);
		assert_int_equal(
		    styling_format(&rich, (char *)text.data, text.len), 0);
		took = clock() - start;
		if (i == 0 || took < least)
			least = took;
		assert_true(rich_body_valid((char *)rich.data, rich.len));
		buf_finish(&rich);
	}
	buf_finish(&text);
	return least;
}

/* Texts of nothing but beginnings: eight times the text costs about eight
 * times as much, not sixty-four. */
static void
cost_grows_with_the_text(void **state)
{
	enum { SMALL = 16384, TIMES = 8, SLACK = 3 };
	static const char *const pieces[] = { "*a ", "*a _b ~c ", "`", "*",
		"> ", ">", "```\n", "> ```\n", "\n", "*a* ", "http://",
		"*a _b* ", "https://a.example/x ", " _", "_a*b~c`" };

	(void)state;
	for (size_t i = 0; i < COUNT(pieces); i++) {
		clock_t few = time_of(pieces[i], SMALL);
		clock_t many = time_of(pieces[i], (size_t)SMALL * TIMES);

		print_message(
		    "%s: %ld and %ld us\n", pieces[i], (long)few, (long)many);
		/* What takes no time at all cannot be compared. */
		assert_true(
		    many < CLOCKS_PER_SEC / 20 || many < few * TIMES * SLACK);
	}
}

#define HTML(s) "<html><body>" s "</body></html>"

static void
html_says_what_the_text_says(void **state)
{
	static const struct {
		const char *text, *body, *rich, *html; /* NULL = none */
		bool styling;
	} rows[] = {
		{ "a", "a", "<em>a</em>", HTML("<em>a</em>"), false },
		{ "a", "a", NULL, NULL, true },
		{ "*a*", "*a*", NULL, HTML("<strong>*a*</strong>"), true },
		{ "*a*", "*a*", NULL, NULL, false },
		{ "*a*", "*a*", "<em>a</em>", HTML("<em>a</em>"), true },
		/* Around the body stands what was added to it. */
		{ "[S] a\nhttps://u/", "a", "<em>a</em>",
		    HTML("[S] <em>a</em><br><a href=\"https://u/\">https://u/"
			 "</a>"),
		    false },
		{ "> q\na", "a", "<em>a</em>", HTML("&gt; q<br><em>a</em>"),
		    true },
		/* A body that is not there as it was written. */
		{ "b", "a", "<em>a</em>", NULL, true },
		/* What is not of the form, from an edge that lies. */
		{ "a", "a", "<script>x</script>", NULL, true },
		{ "a", "a", "<em>a", NULL, true },
		{ "a", "a", "<em onclick='x'>a</em>", NULL, true },
		{ "a", "a", "<a href='javascript:x'>a</a>", NULL, true },
		{ "a", "a", "<img src='http://e/'/>", NULL, true },
		{ "a", "a", "<span style='background:url(x)'>a</span>", NULL,
		    true },
		{ "a", "a", "", NULL, true },
		{ "a", NULL, "<em>a</em>", NULL, true },
		{ "a", "a",
		    "<p/><span style='color:red'/><a href='http://e/?a=&apos;"
		    "&quot;&amp;'/>&apos;&#13;&lt;<br/>",
		    HTML("<p></p><span style=\"color:red\"></span>"
			 "<a href=\"http://e/?a='&quot;&amp;\"></a>' &lt;<br>"),
		    false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct formatting_source s = { .text = rows[i].text,
			.text_len = strlen(rows[i].text),
			.body = rows[i].body,
			.rich = rows[i].rich,
			.styling = rows[i].styling };
		struct buf html = { 0 };

		s.body_len = s.body != NULL ? strlen(s.body) : 0;
		s.rich_len = s.rich != NULL ? strlen(s.rich) : 0;
		buf_add_str(&html, "kept");
		assert_int_equal(formatting_html(&html, &s), 0);
		assert_memory_equal(buf_cstr(&html), "kept", 4);
		assert_string_equal(buf_cstr(&html) + 4,
		    rows[i].html != NULL ? rows[i].html : "");
		buf_finish(&html);
	}
}

static void
too_much_of_it_is_left_out(void **state)
{
	struct buf text = { 0 }, html = { 0 };
	struct formatting_source s = { .styling = true };

	(void)state;
	while (text.len < FORMATTING_HTML_MAX / 4)
		buf_add_str(&text, "*a* ");
	s.text = (char *)text.data;
	s.text_len = text.len;
	assert_int_equal(formatting_html(&html, &s), 0);
	assert_int_equal(html.len, 0);
	s.text_len = 400;
	assert_int_equal(formatting_html(&html, &s), 0);
	assert_true(html.len > 400);
	buf_finish(&text);
	buf_finish(&html);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_holds),
		cmocka_unit_test(without_a_look_at_directives),
		cmocka_unit_test(cost_grows_with_the_text),
		cmocka_unit_test(html_says_what_the_text_says),
		cmocka_unit_test(too_much_of_it_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
