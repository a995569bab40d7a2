/* reach: where a partner's records may lead, and where not. */
#include "edge-proxy/reach.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/conf.h"

#define OWN      "our own port"
#define INTERNAL "our own internal"
#define NETWORK  "internal.networks"
#define LINK     "link-local"
#define NOWHERE  "no address of a host"

static void
address(struct sockaddr_storage *out, const char *text)
{
	char why[200];

	memset(out, 0, sizeof(*out));
	if (conf_parse_address(out, text, strchr(text, ':') != NULL ? 0 : -1,
		why, sizeof(why)) < 0)
		fail_msg("%s: %s", text, why);
}

static void
network(struct edge_conf *c, const char *text)
{
	char why[200];

	if (prefix_parse(&c->inner_networks[c->inner_network_count++], text,
		why, sizeof(why)) < 0)
		fail_msg("%s", why);
}

static void
check(const struct reach *r, const char *to, unsigned port, bool configured,
    const char *want)
{
	struct sockaddr_storage ss;
	struct prefix p;
	const char *got;
	char why[200];

	if (prefix_parse(&p, to, why, sizeof(why)) < 0)
		fail_msg("%s", why);
	prefix_sockaddr(&ss, &p, 1); /* its port does not count */
	got = reach_refusal(r, &ss, (uint16_t)port, configured);
	if ((got == NULL) != (want == NULL) ||
	    (want != NULL && strstr(got, want) == NULL))
		fail_msg("%s %u: got %s, want %s", to, port,
		    got != NULL ? got : "-", want != NULL ? want : "-");
}

static const struct row {
	const char *to;
	unsigned port;
	const char *want;
} rows[] = {
	{ "192.0.2.10", 5269, OWN },
	{ "192.0.2.10", 5270, NULL }, /* another server on this host */
	{ "192.0.2.11", 5269, NULL },
	{ "192.0.2.11", 5270, OWN }, /* for direct TLS */
	{ "2001:db8::10", 5269, OWN },
	{ "2001:db8::11", 5269, NULL },
	{ "::ffff:192.0.2.10", 5269, OWN },
	{ "64:ff9b::c000:20a", 5269, OWN },
	{ "172.20.0.5", 23456, INTERNAL },
	{ "172.20.0.5", 5269, INTERNAL },
	{ "172.20.0.6", 5269, NULL },
	{ "::ffff:172.20.0.5", 443, INTERNAL },
	{ "10.0.0.0", 5269, NETWORK },
	{ "10.255.255.255", 5269, NETWORK },
	{ "11.0.0.0", 5269, NULL },
	{ "::ffff:10.1.2.3", 5269, NETWORK },
	{ "64:ff9b::a01:203", 5269, NETWORK },
	{ "fd00::1", 5269, NETWORK },
	{ "169.254.169.254", 80, LINK },
	{ "fe80::1", 5269, LINK },
	{ "febf::1", 5269, LINK },
	{ "fec0::1", 5269, NULL },
	{ "0.0.0.0", 5269, NOWHERE },
	{ "0.1.2.3", 5269, NOWHERE },
	{ "::", 5269, NOWHERE },
	{ "224.0.0.1", 5269, NOWHERE },
	{ "255.255.255.255", 5269, NOWHERE },
	{ "ff02::1", 5269, NOWHERE },
	{ "::ffff:0.0.0.0", 5269, NOWHERE },
	{ "127.0.0.1", 5269, NULL },
	{ "::1", 5269, NULL },
	{ "198.51.100.7", 5269, NULL },
};

static void
test_rows(void **state)
{
	struct edge_conf c = { .listen_count = 2,
		.direct_listen_count = 1,
		.inner_listen_count = 1 };
	struct reach r;

	(void)state;
	address(&c.listen[0], "192.0.2.10:5269");
	address(&c.direct_listen[0], "192.0.2.11:5270");
	address(&c.listen[1], "[2001:db8::10]:5269");
	address(&c.inner_listen[0], "172.20.0.5:23456");
	network(&c, "10.0.0.0/8");
	network(&c, "fc00::/7");
	reach_init(&r, &c);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *w = &rows[i];
		bool named = w->want != NULL && strcmp(w->want, NETWORK) == 0;

		check(&r, w->to, w->port, false, w->want);
		/* An admin may name a next hop in such a network. */
		check(&r, w->to, w->port, true, named ? NULL : w->want);
	}
}

/* Listening everywhere: our own addresses are those that the file tells. */
static void
test_any_address(void **state)
{
	struct edge_conf c = { .listen_count = 1, .inner_listen_count = 1 };
	struct reach r;

	(void)state;
	address(&c.listen[0], "0.0.0.0:5269");
	address(&c.inner_listen[0], "10.0.0.10:23456");
	address(&c.outgoing4, "192.0.2.10");
	reach_init(&r, &c);
	check(&r, "192.0.2.10", 5269, false, OWN);
	check(&r, "192.0.2.10", 5270, false, NULL);
	check(&r, "192.0.2.11", 5269, false, NULL);
	check(&r, "127.0.0.5", 5269, false, OWN);
	check(&r, "127.0.0.5", 5270, false, NULL);
	check(&r, "::1", 5269, false, OWN);
	check(&r, "10.0.0.10", 5269, false, OWN);
	check(&r, "10.0.0.10", 80, false, INTERNAL);
	check(&r, "10.0.0.11", 80, false, NULL);
}

/* All on one host: only the ports themselves are out of reach. */
static void
test_loopback(void **state)
{
	struct edge_conf c = { .listen_count = 1, .inner_listen_count = 1 };
	struct reach r;

	(void)state;
	address(&c.listen[0], "127.0.0.1:5269");
	address(&c.inner_listen[0], "127.0.0.1:23456");
	reach_init(&r, &c);
	check(&r, "127.0.0.1", 5269, false, OWN);
	check(&r, "127.0.0.1", 23456, false, INTERNAL);
	check(&r, "127.0.0.1", 25269, false, NULL);
	check(&r, "127.0.0.2", 5269, false, NULL);
}

static void
test_nothing_configured(void **state)
{
	struct reach r = { 0 };
	struct sockaddr_storage none = { .ss_family = AF_UNIX };

	(void)state;
	check(&r, "10.0.0.1", 5269, false, NULL);
	check(&r, "169.254.1.1", 5269, true, LINK);
	assert_non_null(reach_refusal(&r, &none, 5269, false));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_any_address),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_nothing_configured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
