/* SIP as it is traced: what is shown, and that nothing else ever is. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/utf8.h"
#include "frontend-gateway/trace/trace_sdp.h"
#include "frontend-gateway/trace/trace_sip.h"

#define MARK "Gooseberry"

/* head's lines end in LF here, in CRLF there; the caller frees it. */
static char *
shown(const char *head, const char *body, bool bodies)
{
	struct trace_sip m;
	struct buf raw, out;
	char *text;

	buf_init(&raw, 0);
	for (; *head != '\0'; head++) {
		if (*head == '\n')
			buf_add_char(&raw, '\r');
		buf_add_char(&raw, *head);
	}
	buf_add_str(&raw, "\r\n");
	trace_sip_read(&m, raw.data, raw.len, body, strlen(body));
	buf_init(&out, 0);
	assert_int_equal(trace_sip_write(&out, &m, bodies), 0);
	assert_true(utf8_valid(out.data, out.len));
	text = strdup(buf_cstr(&out));
	assert_non_null(text);
	buf_finish(&out);
	buf_finish(&raw);
	return text;
}

/* --- headers --------------------------------------------------------------- */

static const struct {
	const char *line, *shown;
} headers[] = {
	{ "Via: SIP/2.0/TLS 10.0.0.1:5061;branch=z9hG4bK1;rport", NULL },
	{ "Via: SIP/2.0/TLS 10.0.0.1:5061 " MARK ";branch=z9",
	    "Via: [36 bytes];branch=z9" },
	{ "From: \"Anna " MARK "\" <sip:anna@contoso.example>;tag=1;epid=ab",
	    "From: [17 bytes] <sip:anna@contoso.example>;tag=1;epid=ab" },
	{ "From: \"<sip:x@y>\\\" " MARK "\"<sip:a@b>;tag=1",
	    "From: [24 bytes] <sip:a@b>;tag=1" },
	{ "f: " MARK "<sip:a@b>", "f: [10 bytes] <sip:a@b>" },
	{ "To: sip:bo@partner.example;tag=2", NULL },
	{ "To: <sip:bo@partner.example?subject=" MARK "&body=x>",
	    "To: <sip:bo@partner.example?[25 bytes]>" },
	{ "To: <sip:bo@partner.example;note=" MARK ">;tag=1",
	    "To: <sip:bo@partner.example;note=[10 bytes]>;tag=1" },
	{ "To: <sip:bo@partner.example>;" MARK ";x=" MARK ";tag=1",
	    "To: <sip:bo@partner.example>;[10 bytes];x=[10 bytes];tag=1" },
	{ "To: " MARK " is nobody", "To: [20 bytes]" },
	{ "To: <sip:bo@partner.example", "To: [23 bytes]" },
	{ "To: <urn:" MARK ">", "To: <[14 bytes]>" },
	{ "To: <sip:a@b> " MARK ";tag=1", "To: <sip:a@b>[11 bytes];tag=1" },
	{ "Contact: <sip:a@b;opaque=user:epid:xyz;gruu>", NULL },
	{ "Contact: <sip:a@b;gruu=1>, \"" MARK "\" <sip:c@d>",
	    "Contact: <sip:a@b;gruu=1>, [12 bytes] <sip:c@d>" },
	{ "Call-ID: 1a2b3c", NULL },
	{ "Call-ID: 1a2b3c\n " MARK, "Call-ID: [19 bytes]" },
	{ "CSeq: 1 INVITE", NULL },
	{ "CSeq: 1 INVITE " MARK, "CSeq: [19 bytes]" },
	{ "Subject: " MARK, "Subject: [10 bytes]" },
	{ "s: " MARK, "s: [10 bytes]" },
	{ "sUBJECT : " MARK, "sUBJECT: [10 bytes]" },
	{ "Organization: " MARK, "Organization: [10 bytes]" },
	{ "X-Whatever: " MARK, "X-Whatever: [10 bytes]" },
	{ "Call-Info: <http://x/" MARK ">", "Call-Info: [21 bytes]" },
	{ "Alert-Info: <" MARK ">", "Alert-Info: [12 bytes]" },
	{ "Authorization: Digest " MARK, "Authorization: [17 bytes]" },
	{ "ms-text-format: text/plain; charset=UTF-8;msgr=" MARK
	  ";ms-body=" MARK "=",
	    "ms-text-format: text/plain;charset=UTF-8;msgr=[10 bytes]"
	    ";ms-body=[11 bytes]" },
	{ "Ms-IM-Format: text/html; charset=UTF-8; ms-body=" MARK,
	    "Ms-IM-Format: text/html;charset=UTF-8;ms-body=[10 bytes]" },
	{ "Content-Type: text/plain; charset=UTF-8;msgr=" MARK,
	    "Content-Type: text/plain;charset=UTF-8;msgr=[10 bytes]" },
	{ "Supported: timer, ms-text-format", NULL },
	{ "Supported: timer, " MARK " said", "Supported: timer, [15 bytes]" },
	{ "Reason: SIP;cause=480;text=\"" MARK "\"",
	    "Reason: SIP;cause=480;text=[12 bytes]" },
	{ "Retry-After: 30 (" MARK ")", "Retry-After: [15 bytes]" },
	{ "Subscription-State: terminated;reason=timeout", NULL },
	{ "Subscription-State: terminated;reason=\"" MARK " x\"",
	    "Subscription-State: terminated;reason=[14 bytes]" },
	{ "User-Agent: UCCAPI/16.0 OC/16.0 (" MARK ")",
	    "User-Agent: UCCAPI/16.0 OC/16.0 [12 bytes]" },
	{ "Server: RTC/6.0", NULL },
	{ "Warning: 399 x \"" MARK "\"", "Warning: [18 bytes]" },
	{ "ms-diagnostics: 1003;reason=\"User does not exist\";source=\"fe1\"",
	    NULL },
	{ "ms-diagnostics: 61118;reason=\"XMPP contact cannot take the "
	  "message: " MARK "\";source=\"gw1\"",
	    "ms-diagnostics: 61118;reason=\"XMPP contact cannot take the "
	    "message: [10 bytes]\";source=\"gw1\"" },
	{ "ms-diagnostics: 61103;reason=\"XMPP server: forbidden: " MARK
	  "\";source=\"gw1\"",
	    "ms-diagnostics: 61103;reason=\"XMPP server: forbidden: "
	    "[10 bytes]\";source=\"gw1\"" },
	{ "ms-diagnostics: 61103;reason=\"XMPP server: forbidden\"", NULL },
	{ MARK, "[10 bytes]" },
	{ MARK " x: y", "[15 bytes]" },
	{ ": " MARK, "[10 bytes]" },
};

static void
test_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		const char *want = headers[i].shown != NULL ? headers[i].shown
							    : headers[i].line;
		char head[512], line[512], *text;

		snprintf(head, sizeof(head), "OPTIONS sip:x@y SIP/2.0\n%s\n",
		    headers[i].line);
		text = shown(head, "", false);
		assert_int_equal(
		    sscanf(text, "OPTIONS sip:x@y SIP/2.0\n%511[^\n]", line),
		    1);
		if (strcmp(line, want) != 0)
			fail_msg("%s\nis shown as\n%s\nand not as\n%s",
			    headers[i].line, line, want);
		assert_null(strstr(text, MARK));
		free(text);
		/* With bodies it is all there, but for credentials. */
		text = shown(head, "", true);
		assert_int_equal(strstr(text, MARK) != NULL,
		    strstr(headers[i].line, MARK) != NULL &&
			strstr(headers[i].line, "Authorization") == NULL);
		free(text);
	}
}

static const struct {
	const char *line, *shown;
} starts[] = {
	{ "INVITE sip:bo@partner.example;transport=tls SIP/2.0", NULL },
	{ "MESSAGE sip:bo@partner.example?body=" MARK " SIP/2.0",
	    "MESSAGE sip:bo@partner.example?[15 bytes] SIP/2.0" },
	{ "SIP/2.0 480 Temporarily Unavailable", NULL },
	{ "SIP/2.0 4800 " MARK, "[23 bytes]" },
	{ MARK " sip:x@y SIP/2.0", "[26 bytes]" },
	{ "INVITE " MARK " sip:x@y SIP/2.0", "[33 bytes]" },
	{ "INVITE sip:x@y", "[14 bytes]" },
	{ MARK, "[10 bytes]" },
};

static void
test_starts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		const char *want =
		    starts[i].shown != NULL ? starts[i].shown : starts[i].line;
		char head[256], *text;

		snprintf(head, sizeof(head), "%s\n", starts[i].line);
		text = shown(head, "", false);
		assert_int_equal(strncmp(text, want, strlen(want)), 0);
		assert_int_equal(text[strlen(want)], '\n');
		free(text);
	}
}

/* --- bodies ------------------------------------------------------------------- */

static const struct {
	const char *type, *body;
	const char *has; /* NULL: the length and the type */
} bodies[] = {
	{ "text/plain;charset=UTF-8", MARK, NULL },
	{ "text/html", "<p>" MARK "</p>", NULL },
	{ "text/rtf", "{\\rtf1 " MARK "}", NULL },
	{ "application/x-unknown", MARK, NULL },
	{ "", MARK, "[10 bytes]" },
	{ MARK " / " MARK, MARK, "[10 bytes]" },
	{ "application/pidf+xml",
	    "<presence xmlns='urn:ietf:params:xml:ns:pidf' "
	    "entity='pres:bo@partner.example'><tuple id='a'><status><basic>"
	    "open</basic></status><note>" MARK "</note></tuple></presence>",
	    "<basic>open</basic>" },
	{ "message/imdn+xml",
	    "<imdn xmlns='urn:ietf:params:xml:ns:imdn'><message-id>1"
	    "</message-id><original-text>" MARK "</original-text></imdn>",
	    "[10 bytes]" },
	{ "application/im-iscomposing+xml",
	    "<isComposing xmlns='urn:ietf:params:xml:ns:im-iscomposing'>"
	    "<state>active</state><note>" MARK "</note></isComposing>",
	    "active" },
	{ "application/xml", "<x " MARK "='" MARK "'>", NULL },
	{ "application/pidf+xml", MARK, NULL },
	{ "application/sdp",
	    "v=0\r\no=- 0 0 IN IP4 10.0.0.1\r\ns=" MARK "\r\ni=" MARK
	    "\r\nt=0 0\r\nm=message 5060 sip null\r\na=accept-types:text/plain"
	    "\r\na=crypto:1 " MARK "\r\n" MARK "\r\n",
	    "a=accept-types:text/plain\na=[19 bytes]\n[10 bytes]\n" },
	{ "multipart/mixed;boundary=x",
	    "--x\r\nContent-Type: text/plain\r\n\r\n" MARK
	    "\r\n--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\ns=-\r\n"
	    "--x--\r\n",
	    "-- part 1\n[10 bytes of text/plain]\n-- part 2\nv=0\ns=-\n" },
	{ "multipart/mixed", "--x\r\n\r\n" MARK, NULL },
};

static void
test_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		char head[256], length[160], *text;
		const size_t n = strcspn(bodies[i].type, ";");

		snprintf(head, sizeof(head),
		    "MESSAGE sip:x@y SIP/2.0\nContent-Type: %s\n",
		    bodies[i].type);
		snprintf(length, sizeof(length), "\n\n[%zu bytes of %.*s]\n",
		    strlen(bodies[i].body), (int)n, bodies[i].type);
		text = shown(head, bodies[i].body, false);
		if (strstr(bodies[i].type, MARK) == NULL)
			assert_null(strstr(text, MARK));
		if (strstr(text,
			bodies[i].has != NULL ? bodies[i].has : length) == NULL)
			fail_msg("%s: %s", bodies[i].type, text);
		free(text);
		text = shown(head, bodies[i].body, true);
		if (strcmp(bodies[i].type, "application/sdp") != 0)
			assert_non_null(strstr(text, MARK));
		else /* keys */
			assert_null(strstr(text, MARK));
		free(text);
	}
}

/* --- nothing gets through ------------------------------------------------------- */

static uint32_t
some(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 8) % below;
}

/* Where a person's words may stand. */
static const char *const private_lines[] = { "Subject: " MARK "\n",
	"s: a " MARK " b\n", "Subject: x\n\t" MARK "\n",
	"From: \"" MARK "\" <sip:a@b>;tag=1\n", "To: " MARK " <sip:a@b>\n",
	"Contact: <sip:a@b;x=" MARK ">;y=\"" MARK "\"\n",
	"P-Asserted-Identity: \"a\\\"" MARK "\"<sip:a@b>\n",
	"ms-text-format: text/plain; ms-body=" MARK "\n",
	"Ms-Im-Format:text/rtf;msgr=" MARK ";ms-body=\"" MARK "\"\n",
	"Reason: SIP ;cause=200 ;text=\"" MARK "\"\n",
	"X-Note: " MARK ": " MARK "\n", "Note " MARK ": " MARK "\n",
	MARK " " MARK "\n", " " MARK "\n", "Retry-After: 3 (" MARK " x)\n",
	"Accept: text/plain;x=\"" MARK "\"\n",
	"Via: SIP/2.0/TLS a, " MARK " " MARK " " MARK "\n",
	"User-Agent: (" MARK "/1.0)\n", "Event: presence;x=" MARK "\n",
	"Call-ID: a " MARK "\n" };

static const char *const private_types[] = { "text/plain", "text/html",
	"text/plain; msgr=x", "application/x-whatever", "message/cpim",
	"application/pidf+xml", "application/xml",
	"application/vnd.microsoft.im", "multipart/alternative;boundary=b",
	"multipart/mixed", "application/sdp", "message/imdn+xml", "", "x" };

static const char *const private_bodies[] = { MARK,
	"<a><note>" MARK "</note></a>", "<a b='" MARK "'><c>" MARK "</c></a>",
	"<html xmlns='http://www.w3.org/1999/xhtml'><p>" MARK "</p></html>",
	"--b\r\nContent-Type: text/plain\r\n\r\n" MARK "\r\n--b--\r\n",
	"--b\r\n" MARK ": " MARK "\r\n\r\n<a>" MARK "</a>\r\n--b\r\n" MARK,
	"v=0\r\ns=" MARK "\r\na=x:" MARK "\r\nb\r\n" MARK,
	"<?xml version='1.0'?><a><![CDATA[" MARK "]]><!-- " MARK " --></a>",
	"<a>" MARK, "\xff\xfe" MARK "\xff",
	"<!DOCTYPE a [<!ENTITY e '" MARK "'>]><a>&e;</a>" };

static const char *const public_lines[] = { "From: <sip:a@b>;tag=1\n",
	"Via: SIP/2.0/TLS a:1;branch=z\n", "CSeq: 1 MESSAGE\n",
	"Supported: timer\n", "\n", "Route: <sip:a;lr>, <sip:b;lr>\n" };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
test_nothing_gets_through(void **state)
{
	uint32_t seed = 20261121;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char head[4096] = "MESSAGE sip:bo@partner.example SIP/2.0\n";
		char type[128], *text;

		for (uint32_t n = some(&seed, 9); n > 0; n--)
			strcat(head, some(&seed, 3) > 0
					 ? private_lines[some(&seed,
					       (uint32_t)COUNT(private_lines))]
					 : public_lines[some(&seed,
					       (uint32_t)COUNT(public_lines))]);
		snprintf(type, sizeof(type), "Content-Type: %s\n",
		    private_types[some(&seed, (uint32_t)COUNT(private_types))]);
		strcat(head, type);
		text = shown(head,
		    private_bodies[some(
			&seed, (uint32_t)COUNT(private_bodies))],
		    false);
		/* The fold of a line that is shown is a word of it. */
		if (strstr(text, MARK) != NULL)
			fail_msg("round %d:\n%s\nis shown as\n%s", round, head,
			    text);
		free(text);
	}
}

/* Torn to pieces it is read nevertheless, without harm. */
static void
test_mutations(void **state)
{
	static const char whole[] =
	    "INVITE sip:bo@partner.example SIP/2.0\r\n"
	    "From: \"A\" <sip:a@b>;tag=\"x\"\r\nTo: <sip:c@d>\r\n"
	    "ms-diagnostics: 61103;reason=\"XMPP server: forbidden: x\"\r\n"
	    "Content-Type: multipart/mixed;boundary=b\r\n\r\n"
	    "--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--\r\n";
	static const char bytes[] = "\r\n\t <>\":;,=?\\@\0\xff\xc3x";
	uint32_t seed = 7;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char raw[sizeof(whole)];
		size_t len = sizeof(whole) - 1, head;
		struct trace_sip m;
		struct jid jids[TRACE_SIP_PARTIES_MAX];
		json_t *json;

		memcpy(raw, whole, sizeof(whole));
		for (uint32_t n = some(&seed, 8); n > 0; n--)
			raw[some(&seed, (uint32_t)len)] =
			    bytes[some(&seed, sizeof(bytes) - 1)];
		len -= some(&seed, 40);
		head = trace_sip_head(raw, len);
		trace_sip_read(&m, raw, head, raw + head, len - head);
		for (size_t n = trace_sip_parties(&m, jids); n > 0; n--)
			jid_finish(&jids[n - 1]);
		json = trace_sip_json(&m, round % 2 == 0, 200);
		assert_non_null(json);
		assert_true(
		    json_string_length(json_object_get(json, "text")) <= 200);
		json_decref(json);
	}
}

/* --- in parts -------------------------------------------------------------------- */

static void
test_parts(void **state)
{
	static const char raw[] = "SIP/2.0 403 Forbidden\r\n"
				  "f: <sip:Anna@Contoso.example>;tag=1\r\n"
				  "t: \"x\"<sip:bo%40x@partner.example>\r\n"
				  "i: 1a2b\r\nCSeq: 7 MESSAGE\r\n"
				  "ms-diagnostics: 61022;reason=\"no\"\r\n\r\n";
	struct jid jids[TRACE_SIP_PARTIES_MAX];
	struct trace_sip m;
	json_t *json;

	(void)state;
	assert_int_equal(trace_sip_head(raw, sizeof(raw) - 1), sizeof(raw) - 1);
	trace_sip_read(&m, raw, sizeof(raw) - 1, "", 0);
	assert_int_equal(trace_sip_parties(&m, jids), 2);
	assert_string_equal(jids[0].bare, "anna@contoso.example");
	assert_string_equal(jids[1].bare, "bo\\40x@partner.example");
	jid_finish(&jids[0]);
	jid_finish(&jids[1]);
	json = trace_sip_json(&m, false, 16384);
	assert_string_equal(json_string_value(json_object_get(json, "from")),
	    "anna@contoso.example");
	assert_string_equal(
	    json_string_value(json_object_get(json, "cseq")), "7 MESSAGE");
	assert_string_equal(
	    json_string_value(json_object_get(json, "call_id")), "1a2b");
	assert_string_equal(
	    json_string_value(json_object_get(json, "reason")), "Forbidden");
	assert_int_equal(
	    json_integer_value(json_object_get(json, "status")), 403);
	assert_int_equal(
	    json_integer_value(json_object_get(json, "diagnostics")), 61022);
	assert_null(json_object_get(json, "method"));
	assert_null(json_object_get(json, "cut"));
	json_decref(json);
	json = trace_sip_json(&m, false, 30);
	assert_true(json_is_true(json_object_get(json, "cut")));
	assert_int_equal(json_string_length(json_object_get(json, "text")), 30);
	json_decref(json);
}

/* More headers than are kept, a request that names only itself. */
static void
test_many(void **state)
{
	struct buf raw;
	struct trace_sip m;
	struct jid jids[TRACE_SIP_PARTIES_MAX];
	json_t *json;

	(void)state;
	buf_init(&raw, 0);
	buf_add_str(&raw, "OPTIONS sip:bo@partner.example SIP/2.0\r\n");
	for (int i = 0; i < 1000; i++)
		buf_add_str(&raw, "Supported: timer\r\n");
	buf_add_str(&raw, "\r\n");
	trace_sip_read(&m, raw.data, raw.len, NULL, 0);
	assert_int_equal(m.count, TRACE_SIP_HEADERS_MAX);
	assert_int_equal(trace_sip_parties(&m, jids), 1);
	jid_finish(&jids[0]);
	json = trace_sip_json(&m, false, 1 << 20);
	assert_non_null(strstr(json_string_value(json_object_get(json, "text")),
	    "[more headers]"));
	json_decref(json);
	buf_finish(&raw);
	trace_sip_read(&m, "", 0, "", 0);
	assert_int_equal(m.count, 0);
	assert_int_equal(trace_sip_parties(&m, jids), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_starts),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_nothing_gets_through),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
