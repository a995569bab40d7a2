/* What Lync sends beside plain text: HTML and RTF. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/buf.h"
#include "common/err.h"
#include "frontend-gateway/translate/html.h"
#include "frontend-gateway/translate/rtf.h"
#include "proto/rich_body.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The form that goes to XHTML-IM; NULL = nothing to speak of. */
static void
html_keeps_known_formatting(void **state)
{
	static const struct {
		const char *html, *text, *rich;
	} rows[] = {
		{ "plain", "plain", NULL },
		{ "<p>a</p><div>b</div>", "a\nb", NULL },
		{ "<font size=2>x</font>", "x", NULL },
		{ "<p>Hello <b>you</b></p>", "Hello you",
		    "<p>Hello <strong>you</strong></p>" },
		{ "<i>a</i> <em>b</em>", "a b", "<em>a</em> <em>b</em>" },
		{ "<B>a</B><U>b</U>", "ab",
		    "<strong>a</strong><span "
		    "style='text-decoration:underline'>b</span>" },
		{ "<b>1 &lt; 2 &amp; '\"</b>", "1 < 2 & '\"",
		    "<strong>1 &lt; 2 &amp; '\"</strong>" },
		{ "<span style='color:red;position:fixed;background:url(x)'>"
		  "a</span>",
		    "a", "<span style='color:red'>a</span>" },
		{ "<span style='color:expression(alert(1))'>a</span>", "a",
		    NULL },
		{ "<font color='#ff0000' face='Segoe UI'>a</font>", "a",
		    "<span style='color:#ff0000;font-family:Segoe UI'>a"
		    "</span>" },
		{ "<font color='red;x:y' face=\"a';b\">a</font>", "a",
		    "<span style='color:red'>a</span>" },
		{ "<a href='https://a.example/' onclick='x()'>here</a>",
		    "here <https://a.example/>",
		    "<a href='https://a.example/'>here</a>" },
		{ "<a href=\"https://a.example/?a='&amp;b\">x</a>",
		    "x <https://a.example/?a='&b>",
		    "<a href='https://a.example/?a=&apos;&amp;b'>x</a>" },
		{ "<b onclick='x()' id=q class=z>a</b>", "a",
		    "<strong>a</strong>" },
		{ "<a href='javascript:x()'><b>a</b></a>", "a",
		    "<strong>a</strong>" },
		{ "<a href=' https://a.example/'>a</a>", "a", NULL },
		{ "<a href='https://a.example/'></a>", "<https://a.example/>",
		    "<a href='https://a.example/'></a>" },
		{ "<b>a<script>evil()</script>b</b>", "ab",
		    "<strong>ab</strong>" },
		{ "<b>x</b><svg onload=alert(1)><p>y</p></svg>", "x\ny",
		    "<strong>x</strong><p>y</p>" },
		{ "<b>x</b><img src=http://e.example/i.png onerror=x() "
		  "alt='(y)'>",
		    "x(y)", "<strong>x</strong>(y)" },
		{ "<b>x</b><iframe src=http://e.example/>z</iframe>", "x",
		    "<strong>x</strong>" },
		{ "<ul><li>x</li><li><b>y</b></li></ul>", "- x\n- y",
		    "<ul><li>x</li><li><strong>y</strong></li></ul>" },
		{ "<div><div><b>a</b></div></div>", "a",
		    "<p><strong>a</strong></p>" },
		/* What clients say of every text is no formatting. */
		{ "<DIV style=\"font-size: 10pt; font-family: Segoe UI; color: "
		  "#000000\">x</DIV>",
		    "x", NULL },
		{ "<span style='font-size:10pt;color:#ff0000'>x</span>", "x",
		    "<span style='font-size:10pt;color:#ff0000'>x</span>" },
		/* Nor may a text hide, or hide others. */
		{ "<b style='font-size:0'>x</b><b "
		  "style='font-size:999px'>y</b>",
		    "xy", "<strong>x</strong><strong>y</strong>" },
		{ "<h1>t</h1>x", "t\nx", "<p style='font-weight:bold'>t</p>x" },
		{ "<pre><b>a\n b</b></pre>", "a\n b",
		    "<p><strong>a<br/> b</strong></p>" },
		{ "<b>a<br>b</b>", "a\nb", "<strong>a<br/>b</strong>" },
		{ "a&nbsp;&nbsp;b", "a  b", NULL },
		{ "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr>"
		  "</table>",
		    "ab\nc", NULL },
		{ "\xd7\xa9\xd7\x9c <b>\xf0\x9f\x98\x80</b>",
		    "\xd7\xa9\xd7\x9c \xf0\x9f\x98\x80",
		    "\xd7\xa9\xd7\x9c <strong>\xf0\x9f\x98\x80</strong>" },
		{ "<b>unclosed <i>both", "unclosed both",
		    "<strong>unclosed <em>both</em></strong>" },
		{ "</b></i>stray", "stray", NULL },
		{ "<b>a<i>b</b>c</i>", "abc", "<strong>a<em>b</em></strong>c" },
		{ "<!-- <b>no</b> -->yes", "yes", NULL },
		{ "<b></b>", "", NULL },
		{ "a\x07z", "a\xef\xbf\xbdz", NULL },
		{ "<b>&#x7;</b>", "\xef\xbf\xbd",
		    "<strong>\xef\xbf\xbd</strong>" },
		{ "&unknown; &copy; &amp", "&unknown; \xc2\xa9 &amp", NULL },
		{ "<?php x ?><b>a</b>", "a", "<strong>a</strong>" },
		{ "<!DOCTYPE html [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>"
		  "<b>&e;</b>",
		    "]>&e;", "]&gt;<strong>&amp;e;</strong>" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf text = { 0 }, rich = { 0 };

		assert_int_equal(
		    html_read(&text, &rich, rows[i].html, strlen(rows[i].html)),
		    0);
		assert_string_equal(buf_cstr(&text), rows[i].text);
		assert_string_equal(
		    buf_cstr(&rich), rows[i].rich != NULL ? rows[i].rich : "");
		assert_true(rich_body_valid((const char *)rich.data, rich.len));
		buf_finish(&text);
		buf_finish(&rich);
	}
}

static void
html_appends_and_takes_back(void **state)
{
	struct buf text = { 0 }, rich = { 0 };

	(void)state;
	buf_add_str(&text, "> ");
	buf_add_str(&rich, "<br/>");
	assert_int_equal(html_read(&text, &rich, " <b>a</b> ", 10), 0);
	assert_string_equal(buf_cstr(&text), "> a");
	assert_string_equal(buf_cstr(&rich), "<br/><strong>a</strong>");
	assert_int_equal(html_read(&text, &rich, "<b>\xc3", 4), ERR_UTF8);
	assert_string_equal(buf_cstr(&text), "> a");
	assert_int_equal(html_read(&text, NULL, "<b>b</b>", 8), 0);
	assert_string_equal(buf_cstr(&text), "> ab");
	buf_finish(&text);
	buf_finish(&rich);
}

/* As much markup as a body can hold takes a moment, not minutes. */
static void
html_of_nothing_but_tags_is_bounded(void **state)
{
	static const char *const pieces[] = { "<div>", "</b>", "<b>", "<p>",
		"<a href=x:>", "<table>", "<b></p>", "<li>", "&#0;", "<!--",
		"<ul><li>" };
	size_t size = 65536;

	(void)state;
	for (size_t i = 0; i < COUNT(pieces); i++) {
		struct buf html = { 0 }, text = { 0 }, rich = { 0 };
		clock_t start = clock();

		if (strcmp(pieces[i], "</b>") == 0)
			for (size_t n = 0; n < 5000; n++)
				buf_add_str(&html, "<i>");
		while (html.len < size)
			buf_add_str(&html, pieces[i]);
		buf_add_str(&html, "x");
		assert_int_equal(
		    html_read(&text, &rich, (const char *)html.data, html.len),
		    0);
		print_message("%s: %ld ms, text %zu, rich %zu\n", pieces[i],
		    (long)((clock() - start) * 1000 / CLOCKS_PER_SEC), text.len,
		    rich.len);
		assert_true(rich_body_valid((const char *)rich.data, rich.len));
		assert_true(clock() - start < 5 * CLOCKS_PER_SEC);
		buf_finish(&html);
		buf_finish(&text);
		buf_finish(&rich);
	}
}

static void
rtf_gives_its_text(void **state)
{
	static const struct {
		const char *rtf, *text; /* NULL = malformed */
	} rows[] = {
		{ "{\\rtf1 Hello}", "Hello" },
		{ "{\\rtf1\\ansi\\ansicpg1252\\deff0{\\fonttbl{\\f0\\fnil "
		  "Segoe UI;}}{\\colortbl ;\\red0\\green0\\blue0;}\r\n"
		  "{\\*\\generator Riched20;}\\viewkind4\\uc1\\pard\\cf1\\f0"
		  "\\fs20 Hello \\b you\\b0\\par\r\n}",
		    "Hello you" },
		{ "{\\rtf1 a\\par b\\line c\\tab d}", "a\nb\nc\td" },
		{ "{\\rtf1 Gr\\'fc\\'dfe}", "Gr\xc3\xbc\xc3\x9f"
					    "e" },
		{ "{\\rtf1\\ansicpg1251 \\'cf\\'f0\\'e8}",
		    "\xd0\x9f\xd1\x80\xd0\xb8" },
		{ "{\\rtf1\\ansicpg932 \\'93\\'fa\\'96\\'7b}",
		    "\xe6\x97\xa5\xe6\x9c\xac" },
		{ "{\\rtf1\\uc1 \\u8364?\\u-10179?\\u-8704?}",
		    "\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "{\\rtf1\\uc2 \\u8364\\'80\\'80x}", "\xe2\x82\xacx" },
		{ "{\\rtf1\\uc0 \\u8364x}", "\xe2\x82\xacx" },
		{ "{\\rtf1\\u55357?x}", "x" },
		{ "{\\rtf1\\u56832?x}", "\xef\xbf\xbdx" },
		{ "{\\rtf1\\u7?x}", "\xef\xbf\xbdx" },
		{ "{\\rtf1 \\{a\\}\\\\b\\~c\\_d}", "{a}\\b c-d" },
		{ "{\\rtf1\\ansicpg932 \\'c0\\'01}",
		    "\xef\xbe\x80\xef\xbf\xbd" },
		{ "{\\rtf1 {\\pict 0102ff}a{\\*\\unknown zz}b}", "ab" },
		{ "{\\rtf1 {\\field{\\*\\fldinst HYPERLINK "
		  "https://a.example/}{\\fldrslt a.example}}}",
		    "a.example <https://a.example/>" },
		{ "{\\rtf1\\bin5 }}}}}a}", "a" },
		{ "{\\rtf1\\bin500 a}", NULL },
		{ "{\\rtf1 \\ldblquote a\\rdblquote\\emdash b}",
		    "\xe2\x80\x9c"
		    "a\xe2\x80\x9d\xe2\x80\x94"
		    "b" },
		{ "{\\rtf1  \\par\\par }", "" },
		{ "{\\rtf1 a", NULL },
		{ "{\\rtf1 a\\", NULL },
		{ "{\\rtf1 \\'", NULL },
		{ "\\rtf1 a}", NULL },
		{ "", NULL },
		{ "{\\rtf1\\ansicpg99999 \\'fc}", NULL },
		{ "{\\rtf1 a}trailing", "a" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf out = { 0 };
		int rc = rtf_read(&out, NULL, rows[i].rtf, strlen(rows[i].rtf));

		if (rc != (rows[i].text != NULL ? 0 : ERR_MALFORMED))
			fail_msg("%s: %s", rows[i].rtf, err_str(rc));
		assert_string_equal(
		    buf_cstr(&out), rows[i].text != NULL ? rows[i].text : "");
		buf_finish(&out);
	}
}

/* NULL = nothing to speak of. */
static void
rtf_keeps_known_formatting(void **state)
{
#define COLOURS "{\\colortbl ;\\red255\\green0\\blue0;\\red0\\green0\\blue0;}"
	static const struct {
		const char *rtf, *text, *rich;
	} rows[] = {
		{ "{\\rtf1 plain}", "plain", NULL },
		{ "{\\rtf1{\\fonttbl{\\f0 Segoe UI;}}\\f0\\fs20 x\\par}", "x",
		    NULL },
		{ "{\\rtf1 a \\b b\\b0  c}", "a b c",
		    "a <strong>b</strong> c" },
		{ "{\\rtf1 a {\\i b} c}", "a b c", "a <em>b</em> c" },
		{ "{\\rtf1 {\\b\\i\\ul a}}", "a",
		    "<strong><em><span style='text-decoration:underline'>a"
		    "</span></em></strong>" },
		{ "{\\rtf1 \\ul a\\ulnone b\\strike c\\plain d}", "abcd",
		    "<span style='text-decoration:underline'>a</span>b"
		    "<span style='text-decoration:line-through'>c</span>d" },
		{ "{\\rtf1" COLOURS "\\cf1 red\\cf0  not}", "red not",
		    "<span style='color:#ff0000'>red</span> not" },
		{ "{\\rtf1" COLOURS "\\cf2 black\\cf99  none}", "black none",
		    NULL },
		{ "{\\rtf1" COLOURS "{\\cf1\\ul\\strike x}}", "x",
		    "<span style='color:#ff0000;text-decoration:underline "
		    "line-through'>x</span>" },
		{ "{\\rtf1 {\\b a}\\par\\par   b\\par}", "a\n\n  b",
		    "<strong>a</strong><br/><br/>\xc2\xa0\xc2\xa0"
		    "b" },
		{ "{\\rtf1 \\b <b>&'\\b0}", "<b>&'",
		    "<strong>&lt;b&gt;&amp;'</strong>" },
		{ "{\\rtf1 \\b\\uc0\\u-10179\\u-8704}", "\xf0\x9f\x98\x80",
		    "<strong>\xf0\x9f\x98\x80</strong>" },
		{ "{\\rtf1{\\field{\\*\\fldinst{HYPERLINK "
		  "\"https://a.example/?a='b\"}}{\\fldrslt{\\ul here}}} x}",
		    "here <https://a.example/?a='b> x",
		    "<a href='https://a.example/?a=&apos;b'><span "
		    "style='text-decoration:underline'>here</span></a> x" },
		{ "{\\rtf1{\\field{\\*\\fldinst HYPERLINK "
		  "\"https://a.example/\"}{\\fldrslt https://a.example/}}}",
		    "https://a.example/",
		    "<a href='https://a.example/'>https://a.example/</a>" },
		{ "{\\rtf1{\\field{\\*\\fldinst HYPERLINK "
		  "\"javascript:x()\"}{\\fldrslt y}}}",
		    "y", NULL },
		{ "{\\rtf1{\\field{\\*\\fldinst HYPERLINK \"file:///c:/\"}"
		  "{\\fldrslt y}}}",
		    "y", NULL },
		{ "{\\rtf1{\\field{\\*\\fldinst PAGE}{\\fldrslt 7}}}", "7",
		    NULL },
		/* A link within a link's text is text. */
		{ "{\\rtf1{\\field{\\*\\fldinst HYPERLINK \"http://a/\"}"
		  "{\\fldrslt x{\\field{\\*\\fldinst HYPERLINK \"http://b/\"}"
		  "{\\fldrslt y}}}}}",
		    "xy <http://a/>", "<a href='http://a/'>xy</a>" },
		{ "{\\rtf1{\\object{\\b evil}}{\\b good}}", "good",
		    "<strong>good</strong>" },
		{ "{\\rtf1 \\b  \\par}", "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf text = { 0 }, rich = { 0 };

		if (rtf_read(&text, &rich, rows[i].rtf, strlen(rows[i].rtf)) <
		    0)
			fail_msg("%s", rows[i].rtf);
		assert_string_equal(buf_cstr(&text), rows[i].text);
		assert_string_equal(
		    buf_cstr(&rich), rows[i].rich != NULL ? rows[i].rich : "");
		assert_true(rich_body_valid((const char *)rich.data, rich.len));
		buf_finish(&text);
		buf_finish(&rich);
	}
#undef COLOURS
}

static void
rtf_nests_so_deep_and_no_deeper(void **state)
{
	char deep[2 * RTF_DEPTH_MAX + 32];

	(void)state;
	for (int extra = 0; extra < 2; extra++) {
		struct buf out = { 0 };
		size_t groups = RTF_DEPTH_MAX - 1 + (size_t)extra;
		char *at = deep;

		at += sprintf(at, "{\\rtf1 ");
		memset(at, '{', groups);
		at += groups;
		*at++ = 'x';
		memset(at, '}', groups + 1);
		at += groups + 1;
		assert_int_equal(
		    rtf_read(&out, NULL, deep, (size_t)(at - deep)),
		    extra == 0 ? 0 : ERR_MALFORMED);
		assert_int_equal(out.len, extra == 0);
		buf_finish(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(html_keeps_known_formatting),
		cmocka_unit_test(html_appends_and_takes_back),
		cmocka_unit_test(html_of_nothing_but_tags_is_bounded),
		cmocka_unit_test(rtf_gives_its_text),
		cmocka_unit_test(rtf_keeps_known_formatting),
		cmocka_unit_test(rtf_nests_so_deep_and_no_deeper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
