/* peer_identity: which names of a trusted certificate prove which domain. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/x509.h>

#include "edge-proxy/peer_identity.h"
#include "tests/unit/make_cert.h"

static const struct {
	struct make_cert_name names[3];
	const char *domain;
	bool proves;
} rows[] = {
#define DNS(s)                                                                 \
	{                                                                      \
		MAKE_CERT_DNS, s, 0                                            \
	}
#define SRV(s)                                                                 \
	{                                                                      \
		MAKE_CERT_SRV, s, 0                                            \
	}
#define XMPP(s)                                                                \
	{                                                                      \
		MAKE_CERT_XMPP, s, 0                                           \
	}
	{ { DNS("example.com") }, "example.com", true },
	{ { DNS("Example.COM") }, "example.com", true },
	{ { DNS("example.com.") }, "example.com", true },
	{ { DNS("example.com") }, "a.example.com", false },
	{ { DNS("example.com") }, "xample.com", false },
	{ { DNS("*.example.com") }, "example.com", false },
	{ { DNS("*.example.com") }, "a.example.com", true },
	{ { DNS("*.example.com") }, "b.a.example.com", false },
	{ { DNS("f*.example.com") }, "foo.example.com", false },
	{ { DNS("*") }, "example", false },
	{ { DNS("*.com") }, "example.com", false },
	{ { DNS("*.*.com") }, "a.example.com", false },
	{ { DNS("a.*.com") }, "a.example.com", false },
	{ { { MAKE_CERT_DNS, "example.com\0.evil.example", 25 } },
	    "example.com", false },
	{ { DNS("xn--bcher-kva.example") }, "xn--bcher-kva.example", true },
	{ { SRV("_xmpp-server.example.com") }, "example.com", true },
	{ { SRV("_xmpp-server.example.com") }, "a.example.com", false },
	{ { SRV("_xmpp-server.*.example.com") }, "a.example.com", false },
	{ { SRV("_xmpp-client.example.com") }, "example.com", false },
	{ { SRV("example.com") }, "example.com", false },
	{ { { MAKE_CERT_SRV_UTF8, "_xmpp-server.example.com", 0 } },
	    "example.com", false },
	{ { XMPP("example.com") }, "example.com", true },
	{ { XMPP("EXAMPLE.com") }, "example.com", true },
	{ { XMPP("bo@example.com") }, "example.com", false },
	{ { XMPP("example.com/x") }, "example.com", false },
	{ { XMPP("*.example.com") }, "a.example.com", false },
	{ { { MAKE_CERT_XMPP_IA5, "example.com", 0 } }, "example.com", false },
	{ { { MAKE_CERT_EMAIL, "bo@example.com", 0 } }, "example.com", false },
	{ { { MAKE_CERT_URI, "xmpp:example.com", 0 } }, "example.com", false },
	{ { DNS("a.example"), XMPP("b.example"),
	      SRV("_xmpp-server.c.example") },
	    "c.example", true },
	{ { DNS("a.example"), XMPP("b.example") }, "b.example", true },
};

/* As the handshake would leave it. */
static void
make(struct peer_identity *p, const struct make_cert_name *names)
{
	struct make_cert_opts o = { .cn = "example.com" };
	struct make_cert cert;

	memcpy(o.names, names, 3 * sizeof(*names));
	make_cert_new(&cert, &o);
	*p = (struct peer_identity){ .presented = true, .verdict = X509_V_OK };
	assert_int_equal(0, cert_names_read(&p->names, cert.cert));
	make_cert_finish(&cert);
}

static void
test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peer_identity p;

		make(&p, rows[i].names);
		if (peer_identity_proves(&p, rows[i].domain) != rows[i].proves)
			fail_msg("row %zu: %s against %s", i,
			    rows[i].names[0].value, rows[i].domain);
		assert_int_equal(rows[i].proves,
		    peer_identity_why_not(&p, rows[i].domain) == NULL);
		peer_identity_finish(&p);
	}
}

/* The right name in a chain that is not trusted proves nothing. */
static void
test_verdict(void **state)
{
	static const struct make_cert_name names[3] = { DNS("example.com") };
	struct peer_identity p, nothing = { 0 };
	char why[256];

	(void)state;
	make(&p, names);
	assert_true(peer_identity_proves(&p, "example.com"));
	assert_false(
	    peer_identity_explain(&p, "example.com", why, sizeof(why)));
	assert_string_equal(why, "");
	assert_true(peer_identity_explain(&p, "b.example", why, sizeof(why)));
	assert_string_equal(why,
	    "certificate does not name the domain b.example, it names "
	    "example.com");
	p.verdict = X509_V_ERR_CERT_HAS_EXPIRED;
	assert_false(peer_identity_proves(&p, "example.com"));
	assert_string_equal("certificate has expired",
	    peer_identity_why_not(&p, "example.com"));
	p.verdict = X509_V_OK;
	p.presented = false;
	assert_false(peer_identity_proves(&p, "example.com"));
	peer_identity_finish(&p);
	assert_false(peer_identity_proves(&nothing, "example.com"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
