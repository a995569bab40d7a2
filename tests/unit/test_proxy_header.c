/* proxy_header: what a load balancer may say, whole, cut and wrong. */
#include "edge-proxy/proxy_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <uv.h>

#include "common/err.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define V4  "\xc0\x00\x02\x01\xc6\x33\x64\x0a\x12\x34\x14\x95"
#define V6                                                                     \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"                           \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"                           \
	"\x12\x34\x14\x95"
#define UNIQUE "\x05\x00\x02xy"
#define REST   "<?xml version"

#define BYTES(s) (s), sizeof(s) - 1

static const struct {
	const char *name;
	const char *data;
	size_t len;
	int rc;
	size_t need;
	const char *said; /* the address, "local", or why not */
} rows[] = {
	{ "IPv4", BYTES(SIG "\x21\x11\0\x0c" V4), 0, 28, "192.0.2.1:4660" },
	{ "bytes behind it", BYTES(SIG "\x21\x11\0\x0c" V4 REST), 0, 28,
	    "192.0.2.1:4660" },
	{ "IPv6", BYTES(SIG "\x21\x21\0\x24" V6), 0, 52, "2001:db8::1:4660" },
	{ "an extension", BYTES(SIG "\x21\x11\0\x11" V4 UNIQUE), 0, 33,
	    "192.0.2.1:4660" },
	{ "for itself", BYTES(SIG "\x20\x00\0\0"), 0, 16, "local" },
	{ "for itself, with addresses", BYTES(SIG "\x20\x11\0\x0c" V4), 0, 28,
	    "local" },
	{ "for nobody it knows", BYTES(SIG "\x21\x00\0\0"), 0, 16, "local" },
	{ "version 1",
	    BYTES("PROXY TCP4 192.0.2.1 198.51.100.10 4660 5269\r\n"),
	    ERR_UNSUPPORTED, 0, "version 1" },
	{ "a stream", BYTES("<?xml version='1.0'?>"), ERR_MALFORMED, 0,
	    "no header" },
	{ "TLS", BYTES("\x16\x03\x01\x02\x00\x01"), ERR_MALFORMED, 0,
	    "no header" },
	{ "another byte in the signature",
	    BYTES("\r\n\r\n\0\r\nQUIX\n\x21\x11\0\x0c" V4), ERR_MALFORMED, 0,
	    "no header" },
	{ "version 3", BYTES(SIG "\x31\x11\0\x0c" V4), ERR_UNSUPPORTED, 0,
	    "no version 2" },
	{ "an unknown command", BYTES(SIG "\x22\x11\0\x0c" V4), ERR_MALFORMED,
	    0, "command" },
	{ "UDP", BYTES(SIG "\x21\x12\0\x0c" V4), ERR_UNSUPPORTED, 0,
	    "not TCP" },
	{ "a local socket", BYTES(SIG "\x21\x31\0\x0c" V4), ERR_UNSUPPORTED, 0,
	    "not TCP" },
	{ "no room for the addresses", BYTES(SIG "\x21\x11\0\x0b" V4),
	    ERR_MALFORMED, 0, "too short" },
	{ "no room for those of IPv6", BYTES(SIG "\x21\x21\0\x0c" V4),
	    ERR_MALFORMED, 0, "too short" },
	{ "an extension that is cut", BYTES(SIG "\x21\x11\0\x10" V4 UNIQUE),
	    ERR_MALFORMED, 0, "cut" },
	{ "half the head of one", BYTES(SIG "\x21\x11\0\x0e" V4 "\x05\x00"),
	    ERR_MALFORMED, 0, "cut" },
	{ "longer than anybody's", BYTES(SIG "\x21\x11\x08\x01" V4),
	    ERR_MALFORMED, 0, "too long" },
};

static void
describe(char *out, size_t size, const struct proxy_header *h)
{
	const struct sockaddr_in *in = (const void *)&h->source;
	char ip[64] = "?";

	if (h->local) {
		snprintf(out, size, "local");
		return;
	}
	uv_ip_name((const struct sockaddr *)&h->source, ip, sizeof(ip));
	snprintf(out, size, "%s:%u", ip, ntohs(in->sin_port));
}

static void
test_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct proxy_header h = { 0 };
		const char *why = "";
		char said[100];
		size_t need = 0;
		int rc = proxy_header_read(&h, &need,
		    (const uint8_t *)rows[i].data, rows[i].len, &why);

		if (rc != rows[i].rc)
			fail_msg("%s: %d", rows[i].name, rc);
		if (rc < 0) {
			if (strstr(why, rows[i].said) == NULL)
				fail_msg("%s: %s", rows[i].name, why);
			continue;
		}
		describe(said, sizeof(said), &h);
		if (need != rows[i].need || strcmp(said, rows[i].said) != 0)
			fail_msg("%s: %zu %s", rows[i].name, need, said);
	}
}

/* Never more is wanted than the header has; the first byte gives a stranger
 * away. */
static void
test_in_any_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const uint8_t *data = (const uint8_t *)rows[i].data;
		struct proxy_header h;
		const char *why;
		size_t need;
		int rc = ERR_INCOMPLETE;

		for (size_t len = 0; len <= rows[i].len; len++) {
			rc = proxy_header_read(&h, &need, data, len, &why);
			if (rc != ERR_INCOMPLETE)
				break;
			if (need <= len ||
			    (rows[i].rc == 0 && need > rows[i].need))
				fail_msg("%s: %zu wanted at %zu", rows[i].name,
				    need, len);
		}
		if (rc != rows[i].rc)
			fail_msg("%s: %d in pieces", rows[i].name, rc);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_in_any_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
