/* Identities of certificates: what counts, what is skipped, what matches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <openssl/x509v3.h>

#include "common/cert_names.h"
#include "common/err.h"
#include "tests/unit/make_cert.h"

/* With its length, for what holds a NUL. */
#define NUL(s) (s), sizeof(s) - 1

/* One entry in, at most one name out; "" = skipped. */
static const struct {
	struct make_cert_name in;
	enum cert_name_kind kind;
	const char *domain;
} entries[] = {
	{ { MAKE_CERT_DNS, "a.example", 0 }, CERT_DNS_ID, "a.example" },
	{ { MAKE_CERT_DNS, "A.Example", 0 }, CERT_DNS_ID, "a.example" },
	{ { MAKE_CERT_DNS, "*.a.example", 0 }, CERT_DNS_ID, "*.a.example" },
	{ { MAKE_CERT_DNS, "*.A.EXAMPLE", 0 }, CERT_DNS_ID, "*.a.example" },
	{ { MAKE_CERT_DNS, "xn--bcher-kva.example", 0 }, CERT_DNS_ID,
	    "xn--bcher-kva.example" },
	{ { MAKE_CERT_DNS, "localhost", 0 }, CERT_DNS_ID, "localhost" },
	/* Not one whole label, or of too much. */
	{ { MAKE_CERT_DNS, "*.example", 0 }, CERT_DNS_ID, "" },
	{ { MAKE_CERT_DNS, "*", 0 }, CERT_DNS_ID, "" },
	{ { MAKE_CERT_DNS, "*.", 0 }, CERT_DNS_ID, "" },
	{ { MAKE_CERT_DNS, "*.*.a.example", 0 }, CERT_DNS_ID, "" },
	{ { MAKE_CERT_DNS, "w*.a.example", 0 }, CERT_DNS_ID, "" },
	{ { MAKE_CERT_DNS, "*w.a.example", 0 }, CERT_DNS_ID, "" },
	{ { MAKE_CERT_DNS, "a.*.example", 0 }, CERT_DNS_ID, "" },
	/* A NUL ends no name. */
	{ { MAKE_CERT_DNS, NUL("a.example\0.evil.example") }, CERT_DNS_ID, "" },
	{ { MAKE_CERT_DNS, NUL("a.example\0") }, CERT_DNS_ID, "" },
	{ { MAKE_CERT_DNS, NUL("\0a.example") }, CERT_DNS_ID, "" },
	{ { MAKE_CERT_DNS, NUL("*.a.example\0.evil.example") }, CERT_DNS_ID,
	    "" },
	/* No domains. */
	{ { MAKE_CERT_DNS,
	      "b\xc3\xbc"
	      "cher.example",
	      0 },
	    CERT_DNS_ID, "" },
	{ { MAKE_CERT_DNS, "a b.example", 0 }, CERT_DNS_ID, "" },
	{ { MAKE_CERT_DNS, "a..example", 0 }, CERT_DNS_ID, "" },
	{ { MAKE_CERT_DNS, ".a.example", 0 }, CERT_DNS_ID, "" },
	{ { MAKE_CERT_DNS, "192.0.2.1", 0 }, CERT_DNS_ID, "" },
	{ { MAKE_CERT_DNS, "*.0.2.1", 0 }, CERT_DNS_ID, "" },
	{ { MAKE_CERT_DNS, "[2001:db8::1]", 0 }, CERT_DNS_ID, "" },
	{ { MAKE_CERT_DNS, "user@a.example", 0 }, CERT_DNS_ID, "" },
	/* RFC 4985. */
	{ { MAKE_CERT_SRV, "_xmpp-server.a.example", 0 }, CERT_SRV_ID,
	    "a.example" },
	{ { MAKE_CERT_SRV, "_XMPP-Server.A.example", 0 }, CERT_SRV_ID,
	    "a.example" },
	{ { MAKE_CERT_SRV, "_xmpp-client.a.example", 0 }, CERT_SRV_ID, "" },
	{ { MAKE_CERT_SRV, "_xmpp-server.", 0 }, CERT_SRV_ID, "" },
	{ { MAKE_CERT_SRV, "_xmpp-server", 0 }, CERT_SRV_ID, "" },
	{ { MAKE_CERT_SRV, "a.example", 0 }, CERT_SRV_ID, "" },
	{ { MAKE_CERT_SRV, "_xmpp-server.*.a.example", 0 }, CERT_SRV_ID, "" },
	{ { MAKE_CERT_SRV, NUL("_xmpp-server.a.example\0x") }, CERT_SRV_ID,
	    "" },
	{ { MAKE_CERT_SRV_UTF8, "_xmpp-server.a.example", 0 }, CERT_SRV_ID,
	    "" },
	/* RFC 6120 13.7.1.4. */
	{ { MAKE_CERT_XMPP, "a.example", 0 }, CERT_XMPP_ADDR, "a.example" },
	{ { MAKE_CERT_XMPP,
	      "B\xc3\xbc"
	      "cher.example",
	      0 },
	    CERT_XMPP_ADDR, "xn--bcher-kva.example" },
	{ { MAKE_CERT_XMPP, "bo@a.example", 0 }, CERT_XMPP_ADDR, "" },
	{ { MAKE_CERT_XMPP, "a.example/x", 0 }, CERT_XMPP_ADDR, "" },
	{ { MAKE_CERT_XMPP, "*.a.example", 0 }, CERT_XMPP_ADDR, "" },
	{ { MAKE_CERT_XMPP, "\xff.example", 0 }, CERT_XMPP_ADDR, "" },
	{ { MAKE_CERT_XMPP, NUL("a.example\0.b") }, CERT_XMPP_ADDR, "" },
	{ { MAKE_CERT_XMPP_IA5, "a.example", 0 }, CERT_XMPP_ADDR, "" },
	/* Of other types. */
	{ { MAKE_CERT_EMAIL, "bo@a.example", 0 }, CERT_DNS_ID, "" },
	{ { MAKE_CERT_URI, "xmpp:a.example", 0 }, CERT_DNS_ID, "" },
};

/* Reads the names of a self-signed certificate made as told. */
static int
read_names(struct cert_names *out, const struct make_cert_opts *o)
{
	struct make_cert c;
	int rc;

	make_cert_new(&c, o);
	rc = cert_names_read(out, c.cert);
	make_cert_finish(&c);
	return rc;
}

static void
each_entry(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
		static struct make_cert_opts o;
		struct cert_names names;
		size_t expected = entries[i].domain[0] != '\0';

		/* A good entry behind the odd one must survive it. */
		o = (struct make_cert_opts){ .cn = "cn.example" };
		o.names[0] = entries[i].in;
		o.names[1] =
		    (struct make_cert_name){ MAKE_CERT_DNS, "good.example", 0 };
		assert_int_equal(read_names(&names, &o), 0);
		if (names.count != expected + 1)
			print_error("entry %zu: %s\n", i, entries[i].in.value);
		assert_int_equal(names.count, expected + 1);
		if (expected != 0) {
			assert_string_equal(
			    names.v[0].domain, entries[i].domain);
			assert_int_equal(names.v[0].kind, entries[i].kind);
		}
		assert_string_equal(names.v[expected].domain, "good.example");
		cert_names_finish(&names);
		assert_int_equal(names.count, 0);
	}
}

static void
common_name_is_never_an_identity(void **state)
{
	static const struct make_cert_opts o = { .cn = "cn.example" };
	struct cert_names names;

	(void)state;
	assert_int_equal(read_names(&names, &o), 0);
	assert_int_equal(names.count, 0);
	cert_names_finish(&names);
}

static void
more_names_than_the_limit_are_ignored(void **state)
{
	static struct make_cert_opts o = { .cn = "many" };
	static char values[MAKE_CERT_NAMES][16];
	struct cert_names names;

	(void)state;
	for (int i = 0; i < MAKE_CERT_NAMES - 1; i++) {
		(void)snprintf(values[i], sizeof values[i], "n%d.example", i);
		o.names[i] =
		    (struct make_cert_name){ MAKE_CERT_DNS, values[i], 0 };
	}
	assert_int_equal(read_names(&names, &o), 0);
	assert_int_equal(names.count, CERT_NAMES_MAX);
	assert_string_equal(names.v[CERT_NAMES_MAX - 1].domain, "n255.example");
	cert_names_finish(&names);
}

/* Replaces the extension's content by bytes of our own. */
static void
set_raw_names(X509 *cert, const char *bytes, size_t len, int times)
{
	ASN1_OCTET_STRING *content = ASN1_OCTET_STRING_new();
	X509_EXTENSION *e;

	assert_int_equal(ASN1_OCTET_STRING_set(
			     content, (const unsigned char *)bytes, (int)len),
	    1);
	e = X509_EXTENSION_create_by_NID(
	    NULL, NID_subject_alt_name, 0, content);
	while (times-- > 0)
		assert_int_equal(X509_add_ext(cert, e, -1), 1);
	X509_EXTENSION_free(e);
	ASN1_OCTET_STRING_free(content);
}

static void
undecodable_extensions_name_nothing(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		int times;
	} raws[] = {
		{ NUL("\x30\x05\x82\x09"
		      "a.b"),
		    1 }, /* cut off */
		{ NUL("junk"), 1 },
		{ NUL("\x30\x0b\x82\x09"
		      "a.example"),
		    2 }, /* good, but there twice */
	};
	static const struct make_cert_opts o = { .cn = "raw" };

	(void)state;
	for (size_t i = 0; i < sizeof raws / sizeof raws[0]; i++) {
		struct cert_names names;
		struct make_cert c;

		make_cert_new(&c, &o);
		set_raw_names(
		    c.cert, raws[i].bytes, raws[i].len, raws[i].times);
		assert_int_equal(cert_names_read(&names, c.cert), ERR_CERT);
		assert_int_equal(names.count, 0);
		assert_null(names.v);
		make_cert_finish(&c);
	}
}

static const struct {
	const char *presented, *reference;
	bool matches;
} pairs[] = {
	{ "a.example", "a.example", true },
	{ "a.example", "b.example", false },
	{ "a.example", "x.a.example", false },
	{ "x.a.example", "a.example", false },
	{ "*.a.example", "x.a.example", true },
	{ "*.a.example", "xn--bcher-kva.a.example", true },
	{ "*.a.example", "a.example", false },
	{ "*.a.example", "x.y.a.example", false },
	{ "*.a.example", ".a.example", false },
	{ "*.a.example", "xa.example", false },
	{ "*.a.example", "x.b.example", false },
	{ "*.a.example", "", false },
	{ "*.a.example", "example", false },
	{ "", "a.example", false },
};

static void
each_pair(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		bool got =
		    cert_name_matches(pairs[i].presented, pairs[i].reference);

		if (got != pairs[i].matches)
			print_error("%s against %s\n", pairs[i].presented,
			    pairs[i].reference);
		assert_int_equal(got, pairs[i].matches);
	}
}

static void
only_dns_ids_name_hosts(void **state)
{
	static const struct make_cert_opts o = {
		.cn = "gw3.example",
		.names = { { MAKE_CERT_XMPP, "gw0.a.example", 0 },
		    { MAKE_CERT_SRV, "_xmpp-server.gw0.a.example", 0 },
		    { MAKE_CERT_DNS, "gw1.a.example", 0 },
		    { MAKE_CERT_DNS, "*.b.example", 0 } },
	};
	const char *const list[] = { "gw0.a.example", "gw3.example",
		"gw1.a.example", "gw2.b.example" };
	struct cert_names names;

	(void)state;
	assert_int_equal(read_names(&names, &o), 0);
	assert_int_equal(names.count, 4);
	assert_int_equal(cert_names_match_dns(&names, list, 4), 2);
	assert_int_equal(cert_names_match_dns(&names, list + 3, 1), 0);
	assert_int_equal(cert_names_match_dns(&names, list, 2), -1);
	assert_int_equal(cert_names_match_dns(&names, list, 0), -1);
	cert_names_finish(&names);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_entry),
		cmocka_unit_test(common_name_is_never_an_identity),
		cmocka_unit_test(more_names_than_the_limit_are_ignored),
		cmocka_unit_test(undecodable_extensions_name_nothing),
		cmocka_unit_test(each_pair),
		cmocka_unit_test(only_dns_ids_name_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
