/* What the vectors leave out: forms of addresses that could stand for two
 * people, names, charsets, bodies of several parts. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/jid.h"
#include "frontend-gateway/translate/address.h"
#include "frontend-gateway/translate/body.h"
#include "frontend-gateway/translate/errors.h"
#include "frontend-gateway/translate/ids.h"

static const struct body_rules rules = { .limit = BODY_LIMIT };

static void
test_from_sip(void **state)
{
	static const struct {
		const char *uri, *jid;
		int status;
	} rows[] = {
		{ "<sip:a@h.example>", "a@h.example", 0 },
		{ " \"A \\\" <x>\" <sip:a@h.example;gr=r>;tag=1;epid=2",
		    "a@h.example/r", 0 },
		{ "\"Anna\"<sip:a@h.example>;tag=1", "a@h.example", 0 },
		{ "Anna <SIP:a@h.example?Subject=x>", "a@h.example", 0 },
		{ "pres:a@h.example", "a@h.example", 0 },
		{ "im:a@h.example", "a@h.example", 0 },
		{ "sip:a@h.example.:5061;lr", "a@h.example", 0 },
		{ "sip:a@h.example;GR=x%2Fy", "a@h.example/x/y", 0 },
		{ "sip:a@h.example;gr", "a@h.example", 0 },
		{ "sip:a@h.example;gr=", "a@h.example", 0 },
		{ "sip:a@h.example;grx=1;gr=r", "a@h.example/r", 0 },
		{ "sip:a?b@h.example", "a?b@h.example", 0 },
		/* An escape in capitals is one when it is prepared. */
		{ "sip:%5C2Fx@h.example", "\\5c2fx@h.example", 0 },
		/* Text that preparation would make an escape, or unmake. */
		{ "sip:%5C%EF%BC%92f@h.example", NULL, 404 },
		{ "sip:%5C3c%CC%A7@h.example", NULL, 404 },
		/* Fullwidth characters that would become special ones. */
		{ "sip:a%EF%BC%A0b@h.example", NULL, 404 },
		{ "sip:a%EF%BC%8Fb@h.example", NULL, 404 },
		{ "sip:stra%C3%9Fe@h.example", NULL, 404 },
		{ "sip:x%20@h.example", NULL, 404 },
		{ "sip:@h.example", NULL, 484 },
		{ "sip:a@b@h.example", NULL, 404 },
		{ "sip:", NULL, 404 },
		{ "a@h.example", NULL, 400 },
		{ "", NULL, 400 },
		{ "SIPS:a@h.example", NULL, 416 },
		{ "sipx:a@h.example", NULL, 416 },
		{ "sip:a b@h.example", NULL, 400 },
		{ "sip:a\"b@h.example", NULL, 400 },
		{ "sip:a%7Fb@h.example", NULL, 400 },
		{ "sip:a%@h.example", NULL, 400 },
		{ "sip:a%4@h.example", NULL, 400 },
		{ "sip:a@", NULL, 400 },
		{ "sip:a@h_ .example", NULL, 400 },
		{ "sip:a@h.example:", NULL, 400 },
		{ "sip:a@h.example:x", NULL, 400 },
		{ "sip:a@h.example:123456", NULL, 400 },
		{ "sip:a@192.0.2.1", NULL, 404 },
		{ "sip:a@[2001:db8::1]:5061", NULL, 404 },
		{ "sip:a@[2001:db8::1", NULL, 400 },
		{ "sip:a@h.example;gr=%zz", NULL, 400 },
		{ "sip:a@h.example;gr=a%07", NULL, 400 },
		{ "\"Anna <sip:a@h.example>", NULL, 400 },
		{ "\"Anna\" sip:a@h.example", NULL, 400 },
		{ "<sip:a@h.example", NULL, 400 },
	};
	struct jid j;
	char *big;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int status =
		    address_from_sip(&j, rows[i].uri, strlen(rows[i].uri));

		if (status != rows[i].status)
			fail_msg("%s: %d", rows[i].uri, status);
		if (status == 0)
			assert_string_equal(j.full, rows[i].jid);
		else
			assert_null(j.block);
		jid_finish(&j);
	}
	assert_int_equal(address_from_sip(&j, "sip:a\0b@h", 9), 400);
	big = calloc(1, ADDRESS_URI_MAX + 1);
	assert_non_null(big);
	memset(big, 'a', ADDRESS_URI_MAX + 1);
	memcpy(big, "sip:", 4);
	memcpy(big + ADDRESS_URI_MAX - 9, "@h.example", 10);
	assert_int_equal(address_from_sip(&j, big, ADDRESS_URI_MAX + 1), 414);
	/* Short enough, but more than a local part may have. */
	memcpy(big + 7000, "sip:", 4);
	assert_int_equal(
	    address_from_sip(&j, big + 7000, ADDRESS_URI_MAX + 1 - 7000), 404);
	free(big);
}

static void
test_to_sip_refuses_what_has_no_way_back(void **state)
{
	static const char *const rows[] = { "\\5cfoo@h.example",
		"\\20a@h.example", "a\\20@h.example", "\\5c\\5c2x@h.example" };
	struct buf b = { 0 };
	struct jid j;

	(void)state;
	buf_add_str(&b, "kept");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(jid_parse(&j, rows[i], strlen(rows[i])), 0);
		if (address_to_sip(&b, &j, 0) != ERR_JID)
			fail_msg("%s", rows[i]);
		assert_string_equal(buf_cstr(&b), "kept");
		jid_finish(&j);
	}
	buf_finish(&b);
}

static void
test_display(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "Bo", "Bo" },
		{ "  Bo \t\r\n B.  ", "Bo B." },
		{ "Bo\x07\x7f!", "Bo!" },
		{ "\xe2\x80\xaeoB\xe2\x80\xac", "oB" },
		{ "a\xff"
		  "b",
		    "a\xef\xbf\xbd"
		    "b" },
		{ "", "" },
		{ " \n", "" },
		{ "\xf0\x9f\x98\x80 x", "\xf0\x9f\x98\x80 x" },
	};
	char big[400];
	struct buf b = { 0 };
	struct jid j;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		buf_clear(&b);
		assert_int_equal(
		    address_display(&b, rows[i].in, strlen(rows[i].in)), 0);
		assert_string_equal(buf_cstr(&b), rows[i].out);
	}
	for (size_t i = 0; i < sizeof(big); i += 4)
		memcpy(big + i, "\xf0\x9f\x98\x80", 4);
	buf_clear(&b);
	assert_int_equal(address_display(&b, big, sizeof(big)), 0);
	assert_int_equal(b.len, 128);
	buf_clear(&b);
	assert_int_equal(address_display(&b, big + 1, sizeof(big) - 1), 0);
	assert_int_equal(b.len, 3 * 3 + 29 * 4);
	buf_clear(&b);
	assert_int_equal(jid_parse(&j, "o\\27brien@h.example", 19), 0);
	assert_int_equal(address_display_of(&b, &j), 0);
	assert_string_equal(buf_cstr(&b), "o'brien");
	jid_finish(&j);
	buf_clear(&b);
	assert_int_equal(
	    address_name_addr(&b, "A \"b\" \\c", "sip:a@h.example"), 0);
	assert_string_equal(
	    buf_cstr(&b), "\"A \\\"b\\\" \\\\c\"<sip:a@h.example>");
	buf_clear(&b);
	assert_int_equal(address_name_addr(&b, NULL, "sip:a@h.example"), 0);
	assert_string_equal(buf_cstr(&b), "<sip:a@h.example>");
	buf_finish(&b);
}

static void
test_xmpp_uri(void **state)
{
	static const struct {
		const char *jid, *uri;
	} rows[] = {
		{ "anna@lync.example", "xmpp:anna@lync.example" },
		{ "o\\27b@b\xc3\xbc"
		  "cher.example",
		    "xmpp:o%5C27b@xn--bcher-kva.example" },
		{ "a#b?c%d@h.example/x y",
		    "xmpp:a%23b%3Fc%25d@h.example/x%20y" },
		{ "h.example", "xmpp:h.example" },
	};
	struct buf b = { 0 };
	struct jid j;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		buf_clear(&b);
		assert_int_equal(
		    jid_parse(&j, rows[i].jid, strlen(rows[i].jid)), 0);
		assert_int_equal(address_xmpp_uri(&b, &j), 0);
		assert_string_equal(buf_cstr(&b), rows[i].uri);
		jid_finish(&j);
	}
	buf_finish(&b);
}

/* --- bodies ------------------------------------------------------------- */

struct body_row {
	const char *type, *data;
	size_t len; /* 0 = strlen */
	const char *text;
	int status;
};

static void
assert_bodies(const struct body_row *rows, size_t count)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < count; i++) {
		struct body_part part = { .content_type = rows[i].type,
			.data = rows[i].data,
			.len = rows[i].len != 0 ? rows[i].len
						: strlen(rows[i].data) };
		int status;

		buf_clear(&b);
		buf_add_str(&b, "before ");
		status = body_from_sip(&b, NULL, &part, &rules);
		if (status != rows[i].status)
			fail_msg("row %zu: %d", i, status);
		assert_memory_equal(buf_cstr(&b), "before ", 7);
		assert_string_equal(buf_cstr(&b) + 7, rows[i].text);
	}
	buf_finish(&b);
}

static void
test_charsets(void **state)
{
	static const struct body_row rows[] = {
		{ "text/plain", "\xc3\xbc", 0, "\xc3\xbc", 0 },
		{ "Text/Plain; Charset=\"UTF-8\"", "a", 0, "a", 0 },
		{ "text/plain;charset=utf-8 ; x=y", "a", 0, "a", 0 },
		{ "text/plain; charset=UTF-8",
		    "\xef\xbb\xbf"
		    "a",
		    0, "a", 0 },
		{ "text/plain; charset=us-ascii", "a", 0, "a", 0 },
		{ "text/plain; charset=us-ascii", "\xc3\xbc", 0, "", 400 },
		{ "text/plain; charset=windows-1252", "\x80", 0, "\xe2\x82\xac",
		    0 },
		{ "text/plain; charset=windows-1251", "\xcf", 0, "\xd0\x9f",
		    0 },
		/* Held back in the converter until the end. */
		{ "text/plain; charset=windows-1258", "a\xec", 0, "\xc3\xa1",
		    0 },
		{ "text/plain; charset=windows-1258", "a", 0, "a", 0 },
		{ "text/plain; charset=utf-16", "h\0i\0\r\0\n\0", 8, "hi", 0 },
		{ "text/plain; charset=utf-16", "\xff\xfeh\0", 4, "h", 0 },
		{ "text/plain; charset=utf-16", "\xfe\xff\0h", 4, "h", 0 },
		{ "text/plain; charset=utf-16be", "\xd8\x3d\xde\x00", 4,
		    "\xf0\x9f\x98\x80", 0 },
		{ "text/plain; charset=utf-16le", "h", 1, "", 400 },
		{ "text/plain; charset=utf-16be", "\xd8\x3d\0h", 4, "", 400 },
		{ "text/plain; charset=utf-7", "+AGE-", 0, "", 415 },
		{ "text/plain; charset=", "a", 0, "", 400 },
		{ "text/plain; charset=\"\"", "a", 0, "", 400 },
		{ "text/plain; charset", "a", 0, "a", 0 },
		{ "text/plain; x=\";charset=utf-7\"", "a", 0, "a", 0 },
		{ "text/plain; x=\"\\", "a", 0, "a", 0 },
		{ "text/plainer", "a", 0, "", 415 },
		{ "text", "a", 0, "", 415 },
		{ "", "a", 0, "", 415 },
		{ NULL, "a", 0, "", 400 },
		{ "image/gif", "", 0, "", 0 },
	};

	(void)state;
	assert_bodies(rows, sizeof(rows) / sizeof(*rows));
}

#define MULTI   "multipart/alternative; boundary=b"
#define PLAIN   "Content-Type: text/plain\r\n\r\n"
#define HTML    "Content-Type: text/html\r\n\r\n"
#define RTF     "Content-Type: text/rtf\r\n\r\n"
#define GIF     "Content-Type: image/gif\r\n\r\n"
#define RELATED "multipart/related; boundary=b"
#define ONE(s)  "--b\r\n" s "\r\n"
#define END     "--b--\r\n"

static void
test_parts(void **state)
{
	static const struct body_row rows[] = {
		{ MULTI, ONE(PLAIN "hi") END, 0, "hi", 0 },
		{ MULTI, ONE(HTML "<b>") ONE(PLAIN "hi") END, 0, "hi", 0 },
		{ MULTI, ONE(PLAIN "1") ONE(PLAIN "2") END, 0, "1", 0 },
		{ MULTI, "preamble\r\n" ONE(PLAIN "hi") END "epilogue", 0, "hi",
		    0 },
		{ MULTI, "--b\nContent-Type: text/plain\n\nhi\n--b--", 0, "hi",
		    0 },
		{ MULTI, ONE("\r\nhi") END, 0, "hi", 0 },
		{ MULTI, ONE(PLAIN "a\r\n--bc\r\nd") END, 0, "a\n--bc\nd", 0 },
		{ MULTI, "--b  \r\n" PLAIN "hi\r\n--b-- \r\n", 0, "hi", 0 },
		{ MULTI,
		    ONE("X: y\r\nContent-Type: text/plain;\r\n"
			"\tcharset=iso-8859-1\r\n\r\n\xfc") END,
		    0, "\xc3\xbc", 0 },
		{ MULTI,
		    ONE("Content-Transfer-Encoding: 8bit\r\n" PLAIN "hi") END,
		    0, "hi", 0 },
		{ MULTI,
		    ONE("Content-Transfer-Encoding: base64\r\n" PLAIN
			"aG\r\nk=") END,
		    0, "hi", 0 },
		{ MULTI,
		    ONE("Content-Transfer-Encoding: base64\r\n" PLAIN "a") END,
		    0, "", 400 },
		{ MULTI,
		    ONE("Content-Transfer-Encoding: quoted-printable\r\n" PLAIN
			"=C3=BC=\r\n=\nx=3d=zz=") END,
		    0, "\xc3\xbcx==zz=", 0 },
		{ MULTI,
		    ONE("Content-Transfer-Encoding: x-uuencode\r\n" PLAIN
			"aGk=") ONE(PLAIN "plain") END,
		    0, "plain", 0 },
		{ MULTI,
		    ONE("Content-Transfer-Encoding: x-uuencode\r\n" PLAIN
			"aGk=") END,
		    0, "", 415 },
		/* The root counts wherever it stands, if it is there. */
		{ RELATED ";start=\"<r>\"",
		    ONE("Content-ID: <i>\r\n" PLAIN "not")
			ONE("Content-ID: <r>\r\n" HTML "<b>root</b>")
			    ONE(PLAIN "nor") END,
		    0, "root", 0 },
		{ RELATED ";start=\"<gone>\"",
		    ONE(PLAIN "a") ONE(PLAIN "b") END, 0, "a", 0 },
		{ "multipart/mixed; boundary=b",
		    ONE(GIF "x") ONE(PLAIN "hi") ONE(PLAIN "more") END, 0, "hi",
		    0 },
		{ "message/cpim",
		    "From: <im:a@b>\r\nSubject: s\r\n\r\nContent-Type: "
		    "text/plain; charset=utf-8\r\n\r\nhi",
		    0, "hi", 0 },
		{ "message/cpim", "From: <im:a@b>\r\n\r\n" GIF "x", 0, "",
		    415 },
		{ "message/cpim", "From: <im:a@b>\r\n", 0, "", 400 },
		{ "message/cpim",
		    "A: b\n\n"
		    "Content-Type: message/cpim\n\nA: b\n\n"
		    "Content-Type: message/cpim\n\nA: b\n\n"
		    "Content-Type: message/cpim\n\nA: b\n\n"
		    "Content-Type: message/cpim\n\nA: b\n\nhi",
		    0, "", 400 },
		{ MULTI,
		    ONE("Content-Type: multipart/alternative;"
			"boundary=\"i n\"\r\n\r\n--i n\r\n" PLAIN
			"hi\r\n--i n--") END,
		    0, "hi", 0 },
		{ MULTI, ONE(HTML "<b>") END, 0, "", 0 },
		{ MULTI, ONE(HTML "<b>a</b>") END, 0, "a", 0 },
		{ MULTI, ONE(RTF "{\\rtf1 r}") ONE(HTML "<b>h</b>") END, 0, "h",
		    0 },
		{ MULTI, ONE(RTF "{\\rtf1 r}") ONE(RTF "{\\rtf1 s}") END, 0,
		    "r", 0 },
		{ MULTI, ONE(RTF "no") ONE(HTML "h") END, 0, "h", 0 },
		{ MULTI, ONE(HTML "h") ONE(RTF "no") END, 0, "h", 0 },
		{ MULTI, ONE(GIF "x") END, 0, "", 415 },
		{ MULTI, ONE(GIF "x") ONE(RTF "no") END, 0, "", 400 },
		{ RELATED, ONE(HTML "<i>h</i>") ONE(GIF "x") END, 0, "h", 0 },
		{ RELATED, ONE(HTML "h") ONE(PLAIN "p") END, 0, "h", 0 },
		{ RELATED, ONE(GIF "x") END, 0, "", 415 },
		{ RELATED,
		    ONE("Content-Type: multipart/alternative;boundary=i\r\n"
			"\r\n--i\r\n" PLAIN "p\r\n--i\r\n" HTML "h\r\n--i--")
			END,
		    0, "p", 0 },
		{ MULTI, ONE(PLAIN "\xff") END, 0, "", 400 },
		{ MULTI, ONE(PLAIN " ") END, 0, "", 0 },
		{ MULTI, ONE(PLAIN "hi"), 0, "", 400 },
		{ MULTI, END, 0, "", 400 },
		{ MULTI, "hi", 0, "", 400 },
		{ "multipart/alternative", ONE(PLAIN "hi") END, 0, "", 400 },
		{ "multipart/alternative; boundary=\"\"", "----", 0, "", 400 },
		{ "multipart/mixed; boundary=b", ONE(PLAIN "hi") END, 0, "hi",
		    0 },
		{ "multipart/digest; boundary=b", ONE(PLAIN "hi") END, 0, "",
		    415 },
	};
	struct buf many = { 0 };
	struct body_row row = { MULTI, NULL, 0, "", 400 };

	(void)state;
	assert_bodies(rows, sizeof(rows) / sizeof(*rows));
	for (int i = 0; i < 40; i++)
		buf_add_str(&many, ONE(PLAIN "hi"));
	buf_add_str(&many, END);
	row.data = buf_cstr(&many);
	assert_bodies(&row, 1);
	buf_finish(&many);
}

/* By setting, bytes that are no text do not cost the message. */
static void
test_bad_characters_replaced(void **state)
{
	static const struct body_rules lenient = { .limit = BODY_LIMIT,
		.replace = true };
	static const struct {
		const char *type, *data, *text;
	} rows[] = {
		{ "text/plain", "a\xc3", "a\xef\xbf\xbd" },
		{ "text/plain", "\xff\xfe z", "\xef\xbf\xbd\xef\xbf\xbd z" },
		{ "text/html", "<b>\xc3</b>x", "\xef\xbf\xbdx" },
		{ "text/plain; charset=us-ascii",
		    "a\xfc"
		    "b",
		    "a\xef\xbf\xbd"
		    "b" },
		{ "text/plain; charset=utf-16le", "a", "\xef\xbf\xbd" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct body_part part = { .content_type = rows[i].type,
			.data = rows[i].data,
			.len = strlen(rows[i].data) };
		struct buf text = { 0 };

		assert_int_equal(
		    body_from_sip(&text, NULL, &part, &rules), 400);
		assert_int_equal(
		    body_from_sip(&text, NULL, &part, &lenient), 0);
		assert_string_equal(buf_cstr(&text), rows[i].text);
		buf_finish(&text);
	}
}

/* The boundary is in neither part, whatever they hold. */
static void
test_forms(void **state)
{
	struct body_said said = { "a\r\n", 3, "<b>a</b>", 8 };
	char type[BODY_TYPE_SIZE], again[BODY_TYPE_SIZE];
	struct buf out = { 0 }, text = { 0 }, rich = { 0 };
	struct body_part part = { .content_type = type };
	const char *boundary;

	(void)state;
	assert_int_equal(body_in_form(&out, type, BODY_PLAIN, &said), 0);
	assert_string_equal(buf_cstr(&out), "a\r\n");
	assert_string_equal(type, BODY_CONTENT_TYPE);
	buf_clear(&out);
	assert_int_equal(body_in_form(&out, type, BODY_HTML, &said), 0);
	assert_string_equal(buf_cstr(&out), "<b>a</b>");
	assert_string_equal(type, BODY_HTML_TYPE);
	buf_clear(&out);
	assert_int_equal(body_in_form(&out, type, BODY_ALTERNATIVE, &said), 0);
	part.data = out.data;
	part.len = out.len;
	assert_int_equal(body_from_sip(&text, &rich, &part, &rules), 0);
	assert_string_equal(buf_cstr(&text), "a");
	assert_string_equal(buf_cstr(&rich), "<strong>a</strong>");
	/* The same boundary does not serve a text that has it. */
	boundary = strchr(type, '"') + 1;
	said.html = boundary;
	said.html_len = strlen(boundary) - 1;
	buf_clear(&out);
	assert_int_equal(body_in_form(&out, again, BODY_ALTERNATIVE, &said), 0);
	assert_string_not_equal(type, again);
	buf_finish(&out);
	buf_finish(&text);
	buf_finish(&rich);
}

static void
test_languages(void **state)
{
	static const struct {
		const char *value, *language;
	} rows[] = { { "de", "de" }, { " de-AT , en", "de-AT" },
		{ "en;q=1", "en" }, { NULL, NULL }, { "", NULL },
		{ "d e", NULL }, { "de'/><x", NULL },
		{ "abcdefghijklmnopqrstuvwxyz0123456789", NULL } };
	char out[BODY_LANGUAGE_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(body_language(out, rows[i].value),
		    rows[i].language != NULL);
		if (rows[i].language != NULL)
			assert_string_equal(out, rows[i].language);
	}
}

/* The formatting comes from HTML, whichever part gave the text. */
static void
test_formatting(void **state)
{
	static const struct {
		const char *type, *data, *text, *rich;
	} rows[] = {
		{ "text/html", "<b>x</b>", "x", "<strong>x</strong>" },
		{ "text/html; charset=iso-8859-1", "<b>\xfc</b>", "\xc3\xbc",
		    "<strong>\xc3\xbc</strong>" },
		{ "text/html", "<p>x</p>", "x", "" },
		{ MULTI, ONE(PLAIN "p") ONE(HTML "<b>h</b>") END, "p",
		    "<strong>h</strong>" },
		{ MULTI, ONE(HTML "<b>h</b>") ONE(PLAIN "p") END, "p",
		    "<strong>h</strong>" },
		{ "text/plain", "<b>x</b>", "<b>x</b>", "" },
		{ "text/rtf", "{\\rtf1 \\b x}", "x", "<strong>x</strong>" },
		{ "text/rtf", "{\\rtf1 x}", "x", "" },
		/* A document names its charset itself, unless the type does. */
		{ "text/html",
		    "<meta http-equiv=Content-Type content='text/html; "
		    "charset=iso-8859-1'><b>\xfc</b>",
		    "\xc3\xbc", "<strong>\xc3\xbc</strong>" },
		{ "text/html; charset=utf-8",
		    "<meta charset=\"iso-8859-1\"><b>\xc3\xbc</b>", "\xc3\xbc",
		    "<strong>\xc3\xbc</strong>" },
		{ MULTI,
		    ONE(PLAIN "p") ONE("Content-Type: text/rtf\r\n\r\n"
				       "{\\rtf1 \\b r}") END,
		    "p", "<strong>r</strong>" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct body_part part = { .content_type = rows[i].type,
			.data = rows[i].data,
			.len = strlen(rows[i].data) };
		struct buf text = { 0 }, rich = { 0 };

		assert_int_equal(body_from_sip(&text, &rich, &part, &rules), 0);
		assert_string_equal(buf_cstr(&text), rows[i].text);
		assert_string_equal(buf_cstr(&rich), rows[i].rich);
		buf_finish(&text);
		buf_finish(&rich);
	}
}

static void
test_sizes(void **state)
{
	char *big = calloc(1, BODY_LIMIT + 1);
	struct buf b = { 0 };
	struct body_part part = {
		.content_type = "text/plain", .data = big, .len = BODY_LIMIT
	};

	(void)state;
	assert_non_null(big);
	/* NUL becomes three bytes: more than the channel carries. */
	assert_int_equal(body_from_sip(&b, NULL, &part, &rules), 413);
	assert_int_equal(b.len, 0);
	memset(big, 0xfc, BODY_LIMIT);
	part.content_type = "text/plain; charset=iso-8859-1";
	assert_int_equal(body_from_sip(&b, NULL, &part, &rules), 0);
	assert_int_equal(b.len, 2 * BODY_LIMIT);
	buf_clear(&b);
	/* Line ends take two bytes in SIP. */
	memset(big, '\n', BODY_LIMIT);
	assert_int_equal(body_to_sip(&b, big, BODY_LIMIT / 2, BODY_LIMIT), 0);
	assert_int_equal(b.len, BODY_LIMIT);
	buf_clear(&b);
	assert_int_equal(
	    body_to_sip(&b, big, BODY_LIMIT / 2 + 1, BODY_LIMIT), ERR_TOO_LONG);
	assert_int_equal(b.len, 0);
	assert_int_equal(
	    body_to_sip(&b, "a\r\nb\xff", 5, BODY_LIMIT), ERR_UTF8);
	assert_int_equal(b.len, 0);
	assert_int_equal(body_to_sip(&b, "a\r\nb\r", 5, BODY_LIMIT), 0);
	assert_string_equal(buf_cstr(&b), "a\r\nb\r\n");
	assert_int_equal(
	    ids_text_format(&b, big, IDS_TEXT_FORMAT_MAX + 1), ERR_TOO_LONG);
	buf_finish(&b);
	free(big);
}

/* --- errors and ids ------------------------------------------------------ */

static void
test_causes(void **state)
{
	static const int statuses[] = { 400, 404, 414, 416, 484, 500 };
	static const int of_bodies[] = { 400, 413, 415, 500 };
	struct errors_sip e;

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		errors_refusal(&e, errors_address_cause(statuses[i]));
		assert_int_equal(e.status, statuses[i]);
	}
	for (size_t i = 0; i < 4; i++) {
		errors_refusal(&e, errors_body_cause(of_bodies[i]));
		assert_int_equal(e.status, of_bodies[i]);
	}
}

static void
test_lost_connection(void **state)
{
	struct errors_answer in = {
		.status = 503, .transport = true, .in_dialog = true
	};
	struct errors_stanza s;

	(void)state;
	assert_int_equal(errors_from_sip(&s, &in), ERRORS_RETRY_INVITE);
	in.retried = true;
	assert_int_equal(errors_from_sip(&s, &in), ERRORS_REPORT);
	assert_int_equal(s.condition, COND_REMOTE_SERVER_TIMEOUT);
	in.status = 999;
	assert_int_equal(errors_from_sip(&s, &in), ERRORS_REPORT);
	assert_int_equal(s.condition, COND_UNDEFINED_CONDITION);
}

static void
test_ids_differ(void **state)
{
	const struct ids_secret secret = { "s\0x", 3 }, other = { "s", 1 };
	char a[IDS_STANZA_SIZE], b[IDS_STANZA_SIZE];
	char t[IDS_THREAD_SIZE], u[IDS_THREAD_SIZE];

	(void)state;
	ids_stanza(a, "call", 1, "tag", secret);
	ids_stanza(b, "call", 1, "tag", secret);
	assert_string_equal(a, b);
	assert_int_equal(strspn(a, "abcdefghijklmnopqrstuvwxyz234567"), 26);
	ids_stanza(b, "call", 2, "tag", secret);
	assert_string_not_equal(a, b);
	ids_stanza(b, "call", 1, "tag", other);
	assert_string_not_equal(a, b);
	ids_thread(t, "c", secret);
	ids_thread(u, "c", other);
	assert_string_not_equal(t, u);
	assert_int_equal(strlen(t), 36);
	assert_int_equal(t[14], '8');
	assert_non_null(strchr("89ab", t[19]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_sip),
		cmocka_unit_test(test_to_sip_refuses_what_has_no_way_back),
		cmocka_unit_test(test_display),
		cmocka_unit_test(test_xmpp_uri),
		cmocka_unit_test(test_charsets),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_bad_characters_replaced),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_languages),
		cmocka_unit_test(test_formatting),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_causes),
		cmocka_unit_test(test_lost_connection),
		cmocka_unit_test(test_ids_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
