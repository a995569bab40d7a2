/* The parts of a body, and the offers of older clients. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "frontend-gateway/sip/sip_parts.h"
#include "frontend-gateway/translate/app_invite.h"

#define MIXED "multipart/mixed;boundary=b"
#define PLAIN "Content-Type: text/plain\r\n\r\n"

/* parts: "type=content" of each, joined by '|'. */
static const struct {
	const char *type, *body, *parts;
} rows[] = {
	{ "application/sdp", "v=0", "application/sdp=v=0" },
	{ " Application/SDP ; charset=x", "v=0", "application/sdp=v=0" },
	{ NULL, "x", "=x" },
	{ "application/sdp", "", "" },
	{ MIXED, "--b\r\n" PLAIN "one\r\n--b\r\n" PLAIN "two\r\n--b--\r\n",
	    "text/plain=one|text/plain=two" },
	{ "Multipart/Mixed; x=y; Boundary=\"b\"",
	    "before\r\n--b\r\n" PLAIN "one\r\n--b--\r\nbehind\r\n--b\r\n" PLAIN
	    "not this\r\n--b--\r\n",
	    "text/plain=one" },
	{ MIXED,
	    "--b\n"
	    "Content-Type: text/html\n\none\n--b--\n",
	    "text/html=one" },
	{ MIXED,
	    "--b  \r\ncontent-type:TEXT/plain;a=b\r\nX: y\r\n\r\n"
	    "one\r\n\r\n--b--",
	    "text/plain=one\r\n" },
	{ MIXED, "--b\r\n\r\nno type\r\n--b--\r\n", "=no type" },
	{ MIXED, "--b\r\n" PLAIN "--bb is text\r\n--b--\r\n",
	    "text/plain=--bb is text" },
	{ MIXED, "--b\r\n" PLAIN "--b--\r\n", "text/plain=" },
	{ MIXED, "--b\r\n" PLAIN "cut off", "" },
	{ MIXED, "no delimiter at all", "" },
	{ "multipart/mixed", "--b\r\n" PLAIN "x\r\n--b--\r\n",
	    "multipart/mixed=--b\r\n" PLAIN "x\r\n--b--\r\n" },
	{ MIXED,
	    "--b\r\nContent-Type: multipart/alternative;boundary=c\r\n"
	    "\r\n--c\r\n" PLAIN "deep\r\n--c--\r\n--b\r\n" PLAIN
	    "flat\r\n--b--\r\n",
	    "text/plain=deep|text/plain=flat" },
};

static void
test_parts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sip_parts parts;
		char got[512] = "";

		sip_parts_read(
		    &parts, rows[i].type, rows[i].body, strlen(rows[i].body));
		for (size_t k = 0; k < parts.count; k++)
			snprintf(got + strlen(got), sizeof(got) - strlen(got),
			    "%s%s=%.*s", k > 0 ? "|" : "", parts.part[k].type,
			    (int)parts.part[k].len, parts.part[k].data);
		if (strcmp(got, rows[i].parts) != 0)
			fail_msg("row %zu: \"%s\"", i, got);
	}
}

static void
test_parts_are_bounded(void **state)
{
	char body[8192] = "", type[512];
	struct sip_parts parts;
	size_t len = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		len += (size_t)snprintf(body + len, sizeof(body) - len,
		    "--b\r\n" PLAIN "%d\r\n", i);
	sip_parts_read(&parts, MIXED, body, len);
	assert_int_equal(parts.count, SIP_PARTS_MAX);
	assert_non_null(sip_parts_find(&parts, "text/plain"));
	assert_null(sip_parts_find(&parts, "text/html"));
	/* Each level opens the next; those too deep stay closed. */
	len = 0;
	for (int i = 0; i < 10; i++)
		len += (size_t)snprintf(body + len, sizeof(body) - len,
		    "--b%d\r\nContent-Type: multipart/mixed;boundary=b%d\r\n"
		    "\r\n",
		    i, i + 1);
	for (int i = 10; i >= 0; i--)
		len += (size_t)snprintf(
		    body + len, sizeof(body) - len, "\r\n--b%d--\r\n", i);
	sip_parts_read(&parts, "multipart/mixed;boundary=b0", body, len);
	assert_int_equal(parts.count, 1);
	assert_string_equal(parts.part[0].type, "multipart/mixed");
	memset(type, 'x', sizeof(type));
	type[sizeof(type) - 1] = '\0';
	sip_parts_read(&parts, type, "x", 1);
	assert_string_equal(parts.part[0].type, "");
}

static void
test_offers(void **state)
{
	static const struct {
		const char *body;
		int rc;
		bool asks;
		const char *cookie;
	} offers[] = {
		{ "Application-Name: File Transfer\r\nInvitation-Command: "
		  "INVITE\r\nInvitation-Cookie: 829604\r\n",
		    0, true, "829604" },
		{ "invitation-command:invite\ninvitation-cookie:\t7 ", 0, true,
		    "7" },
		{ "Invitation-Command: CANCEL\r\nInvitation-Cookie: 7\r\n", 0,
		    false, "7" },
		{ "Invitation-Command: ACCEPT\r\n", 0, false, "" },
		{ "Invitation-Command: INVITE\r\n", ERR_MALFORMED, false, "" },
		{ "Invitation-Cookie: 7\r\n", ERR_MALFORMED, false, "" },
		{ "", ERR_MALFORMED, false, "" },
		{ "hello", ERR_MALFORMED, false, "" },
		{ "Invitation-Command: INVITE\r\nInvitation-Cookie: a b\r\n",
		    ERR_MALFORMED, false, "" },
		{ "Invitation-Command: INVITE\r\nInvitation-Cookie: "
		  "1234567890123456789012345678901234567890123456789012345678"
		  "901234\r\n",
		    ERR_MALFORMED, false, "" },
	};
	static char huge[APP_INVITE_MAX + 1];
	struct app_invite in;
	struct buf out;

	(void)state;
	for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
		int rc = app_invite_read(
		    &in, offers[i].body, strlen(offers[i].body));

		if (rc != offers[i].rc)
			fail_msg("row %zu: %d", i, rc);
		if (rc < 0)
			continue;
		assert_int_equal(in.asks, offers[i].asks);
		assert_string_equal(in.cookie, offers[i].cookie);
	}
	assert_int_equal(
	    app_invite_read(&in, huge, sizeof(huge)), ERR_TOO_LONG);
	assert_int_equal(
	    app_invite_read(&in, offers[0].body, strlen(offers[0].body)), 0);
	buf_init(&out, 0);
	assert_int_equal(app_invite_decline(&out, &in), 0);
	assert_string_equal(buf_cstr(&out),
	    "Invitation-Command: CANCEL\r\nInvitation-Cookie: 829604\r\n"
	    "Cancel-Code: REJECT\r\n");
	buf_finish(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_parts_are_bounded),
		cmocka_unit_test(test_offers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
