/* http_url, http_reply: addresses in certificates, and what servers answer. */
#include "edge-proxy/http_reply.h"
#include "edge-proxy/http_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/err.h"

/* --- addresses ----------------------------------------------------------- */

static const struct {
	const char *text;
	int rc;
	const char *host;
	unsigned port;
	const char *authority, *path;
} urls[] = {
	{ "http://a.example/ca.crl", 0, "a.example", 80, "a.example",
	    "/ca.crl" },
	{ "HTTP://A.Example:8080/x?y=z", 0, "a.example", 8080, "a.example:8080",
	    "/x?y=z" },
	{ "http://a.example", 0, "a.example", 80, "a.example", "/" },
	{ "http://a.example?q", 0, "a.example", 80, "a.example", "/?q" },
	{ "http://a.example/#part", 0, "a.example", 80, "a.example", "/" },
	{ "http://192.0.2.1/x", 0, "192.0.2.1", 80, "192.0.2.1", "/x" },
	{ "http://[2001:db8::1]:81/x", 0, "2001:db8::1", 81, "[2001:db8::1]:81",
	    "/x" },
	{ "https://a.example/", ERR_UNSUPPORTED, NULL, 0, NULL, NULL },
	{ "ldap://a.example/", ERR_UNSUPPORTED, NULL, 0, NULL, NULL },
	{ "file:///etc/passwd", ERR_UNSUPPORTED, NULL, 0, NULL, NULL },
	{ "", ERR_UNSUPPORTED, NULL, 0, NULL, NULL },
	{ "http:///x", ERR_MALFORMED, NULL, 0, NULL, NULL },
	{ "http://u:p@a.example/", ERR_MALFORMED, NULL, 0, NULL, NULL },
	{ "http://a.example:0/", ERR_MALFORMED, NULL, 0, NULL, NULL },
	{ "http://a.example:65536/", ERR_MALFORMED, NULL, 0, NULL, NULL },
	{ "http://a.example:80x/", ERR_MALFORMED, NULL, 0, NULL, NULL },
	{ "http://a.example:/", ERR_MALFORMED, NULL, 0, NULL, NULL },
	{ "http://[::1/", ERR_MALFORMED, NULL, 0, NULL, NULL },
	{ "http://[a.example]/", ERR_MALFORMED, NULL, 0, NULL, NULL },
	{ "http://::1/", ERR_MALFORMED, NULL, 0, NULL, NULL },
	{ "http://a.example/a b", ERR_MALFORMED, NULL, 0, NULL, NULL },
	{ "http://a.example/a\r\nHost: b", ERR_MALFORMED, NULL, 0, NULL, NULL },
	{ "http://a.example/\xc3\xa4", ERR_MALFORMED, NULL, 0, NULL, NULL },
};

static void
test_urls(void **state)
{
	char text[HTTP_URL_MAX + 20] = "http://a.example/";
	struct http_url u;

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		int rc = http_url_parse(&u, urls[i].text, strlen(urls[i].text));

		if (rc != urls[i].rc)
			fail_msg("%s: %d", urls[i].text, rc);
		if (rc < 0)
			continue;
		assert_string_equal(u.host, urls[i].host);
		assert_int_equal(u.port, urls[i].port);
		assert_string_equal(u.authority, urls[i].authority);
		assert_string_equal(u.path, urls[i].path);
	}
	memset(text + 17, 'x', sizeof(text) - 17);
	assert_int_equal(http_url_parse(&u, text, HTTP_URL_MAX), 0);
	assert_int_equal(
	    http_url_parse(&u, text, HTTP_URL_MAX + 1), ERR_MALFORMED);
	assert_int_equal(http_url_parse(&u, "http://a\0b/", 11), ERR_MALFORMED);
}

static void
test_redirects(void **state)
{
	static const struct {
		const char *location;
		int rc;
		const char *authority, *path;
	} rows[] = {
		{ "/other", 0, "a.example:81", "/other" },
		{ "http://b.example/x", 0, "b.example", "/x" },
		{ "https://b.example/x", ERR_UNSUPPORTED, NULL, NULL },
		{ "//b.example/x", ERR_UNSUPPORTED, NULL, NULL },
		{ "other", ERR_UNSUPPORTED, NULL, NULL },
		{ "/a b", ERR_MALFORMED, NULL, NULL },
	};
	struct http_url base, u;

	(void)state;
	assert_int_equal(http_url_parse(&base, "http://a.example:81/x", 21), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
		    http_url_follow(&u, &base, rows[i].location), rows[i].rc);
		if (rows[i].rc < 0)
			continue;
		assert_string_equal(u.authority, rows[i].authority);
		assert_string_equal(u.path, rows[i].path);
	}
}

/* --- answers ------------------------------------------------------------- */

#define OK      "HTTP/1.1 200 OK\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"

enum { BODY_MAX = 20 };

static const struct {
	const char *name, *text;
	int rc; /* at the end, when everything is fed */
	int status;
	const char *body;
	bool whole; /* before the end */
} replies[] = {
	{ "a length", OK "Content-Length: 5\r\n\r\nhello", 0, 200, "hello",
	    true },
	{ "more than the length", OK "Content-Length: 5\r\n\r\nhello you", 0,
	    200, "hello", true },
	{ "no length", OK "\r\nhello", 0, 200, "hello", false },
	{ "nothing", OK "Content-Length: 0\r\n\r\n", 0, 200, "", true },
	{ "bare newlines", "HTTP/1.0 200\nContent-Length: 2\n\nab", 0, 200,
	    "ab", true },
	{ "chunks", OK CHUNKED "\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n", 0,
	    200, "hello", true },
	{ "chunks and a trailer",
	    OK CHUNKED "\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n", 0, 200,
	    "0123456789", true },
	{ "not yet, then the answer",
	    "HTTP/1.1 103 Hints\r\nX: y\r\n\r\n" OK
	    "Content-Length: 1\r\n\r\na",
	    0, 200, "a", true },
	{ "no content", "HTTP/1.1 204 None\r\n\r\n", 0, 204, "", true },
	{ "not found", "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", 0, 404,
	    "no", true },
	{ "the body's limit", OK "\r\n01234567890123456789", 0, 200,
	    "01234567890123456789", false },
	{ "one byte beyond", OK "\r\n012345678901234567890", ERR_TOO_LONG, 0,
	    NULL, false },
	{ "a length beyond", OK "Content-Length: 21\r\n\r\n", ERR_TOO_LONG, 0,
	    NULL, false },
	{ "chunks beyond", OK CHUNKED "\r\nA\r\n0123456789\r\nB\r\n",
	    ERR_TOO_LONG, 0, NULL, false },
	{ "half of a body", OK "Content-Length: 5\r\n\r\nhel", ERR_INCOMPLETE,
	    0, NULL, false },
	{ "half of a head", OK "Content-Le", ERR_INCOMPLETE, 0, NULL, false },
	{ "half of the chunks", OK CHUNKED "\r\n3\r\nhel\r\n", ERR_INCOMPLETE,
	    0, NULL, false },
	{ "nothing at all", "", ERR_INCOMPLETE, 0, NULL, false },
	{ "both lengths", OK CHUNKED "Content-Length: 5\r\n\r\n", ERR_MALFORMED,
	    0, NULL, false },
	{ "two lengths", OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
	    ERR_MALFORMED, 0, NULL, false },
	{ "a length of letters", OK "Content-Length: 5x\r\n\r\n", ERR_MALFORMED,
	    0, NULL, false },
	{ "a length below zero", OK "Content-Length: -5\r\n\r\n", ERR_MALFORMED,
	    0, NULL, false },
	{ "a length of many digits",
	    OK "Content-Length: 99999999999999999999\r\n\r\n", ERR_MALFORMED, 0,
	    NULL, false },
	{ "another coding", OK "Transfer-Encoding: gzip, chunked\r\n\r\n",
	    ERR_UNSUPPORTED, 0, NULL, false },
	{ "a chunk that goes on", OK CHUNKED "\r\n3\r\nhello\r\n",
	    ERR_MALFORMED, 0, NULL, false },
	{ "a chunk of no size", OK CHUNKED "\r\nx\r\n", ERR_MALFORMED, 0, NULL,
	    false },
	{ "a folded line", OK "A: b\r\n c\r\n\r\n", ERR_MALFORMED, 0, NULL,
	    false },
	{ "a name with a space", OK "A : b\r\n\r\n", ERR_MALFORMED, 0, NULL,
	    false },
	{ "no name", OK ": b\r\n\r\n", ERR_MALFORMED, 0, NULL, false },
	{ "another protocol", "SSH-2.0-OpenSSH\r\n", ERR_MALFORMED, 0, NULL,
	    false },
	{ "a status that is none", "HTTP/1.1 2x0 OK\r\n", ERR_MALFORMED, 0,
	    NULL, false },
	{ "a status beyond", "HTTP/1.1 999 OK\r\n", ERR_MALFORMED, 0, NULL,
	    false },
	{ "HTTP/2", "HTTP/2 200 OK\r\n", ERR_MALFORMED, 0, NULL, false },
};

/* Feeds in pieces of that size; what came of it. */
static int
feed(struct http_reply *r, const char *text, size_t piece)
{
	size_t len = strlen(text);
	int rc = 0;

	http_reply_init(r, BODY_MAX);
	for (size_t at = 0; rc == 0 && at < len; at += piece)
		rc = http_reply_feed(r, (const uint8_t *)text + at,
		    len - at < piece ? len - at : piece);
	return rc;
}

static void
test_replies(void **state)
{
	static const size_t pieces[] = { 1, 2, 7, 10000 };

	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++)
		for (size_t k = 0; k < 4; k++) {
			struct http_reply r;
			int rc = feed(&r, replies[i].text, pieces[k]);
			bool whole = r.state == HTTP_REPLY_DONE;

			if (rc == 0)
				rc = http_reply_end(&r);
			if (rc != replies[i].rc)
				fail_msg("%s by %zu: %d", replies[i].name,
				    pieces[k], rc);
			if (rc == 0 &&
			    (r.status != replies[i].status ||
				whole != replies[i].whole ||
				r.body.len != strlen(replies[i].body) ||
				memcmp(r.body.data != NULL
					   ? (const char *)r.body.data
					   : "",
				    replies[i].body, r.body.len) != 0))
				fail_msg(
				    "%s by %zu", replies[i].name, pieces[k]);
			http_reply_finish(&r);
		}
}

/* Nothing without end: a line, the head, hints, a location. */
static void
test_bounds(void **state)
{
	static const struct {
		const char *start, *again;
		size_t times;
	} rows[] = {
		{ OK "X: ", "y", HTTP_REPLY_LINE_MAX },
		{ OK, "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n", 600 },
		{ "", "HTTP/1.1 100 Go on\r\n\r\n", 1000 },
		{ OK CHUNKED "\r\n0\r\n", "X: y\r\n", 4000 },
		{ OK CHUNKED "\r\n1", ";x", HTTP_REPLY_LINE_MAX },
		{ OK "Location: /", "x", HTTP_REPLY_LOCATION_SIZE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_reply r;
		int rc = feed(&r, rows[i].start, 100);

		for (size_t k = 0; rc == 0 && k < rows[i].times; k++)
			rc = http_reply_feed(&r, (const uint8_t *)rows[i].again,
			    strlen(rows[i].again));
		if (rc == 0)
			rc = http_reply_feed(&r, (const uint8_t *)"\r\n", 2);
		if (rc != ERR_TOO_LONG)
			fail_msg("row %zu: %d", i, rc);
		http_reply_finish(&r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_redirects),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
