#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <cmocka.h>

#include "common/err.h"
#include "edge-proxy/edge_conf.h"
#include "tests/unit/json_patch.h"
#include "tests/unit/make_cert.h"

static const char sample[] =
    "{'node': 'Edge1.Contoso.Example',"
    " 'external': {'listen': ['127.0.0.1:5269', '[::1]:5269'],"
    "  'direct_listen': ['127.0.0.1:5270'],"
    "  'outgoing': ['127.0.0.1', '::1'],"
    "  'certificates': [{'certificate': 'x.pem', 'key': 'x.key'}],"
    "  'trust': 'ca.pem'},"
    " 'internal': {'listen': ['127.0.0.1:23456'], 'certificate': 'i.pem',"
    "  'key': 'i.key', 'trust': 'ica.pem',"
    "  'gateways': ['GW1.contoso.example'],"
    "  'networks': ['10.0.0.0/8', 'fc00::/7']},"
    " 'resolver': {'servers': ['127.0.0.1@53', '::1@5353', '192.0.2.1'],"
    "  'trust_anchors': ['/etc/root.key', '. IN DS 1 8 2 00']},"
    " 'log': {'level': 'warn', 'components': {'s2s_in': 'debug'},"
    "  'bodies': true}}";

static int
load(struct edge_conf **out, const char *patch, char *why, size_t size)
{
	char *text = json_patch(sample, patch);
	int rc;

	rc = edge_conf_parse(out, "edge.json", text, strlen(text), why, size);
	free(text);
	return rc;
}

static void
test_a_whole_file(void **state)
{
	struct edge_conf *c;
	char why[512];

	(void)state;
	assert_int_equal(load(&c, "{}", why, sizeof(why)), 0);
	assert_string_equal(c->node, "edge1.contoso.example");
	assert_int_equal(c->listen_count, 2);
	assert_int_equal(c->listen[1].ss_family, AF_INET6);
	assert_int_equal(
	    ntohs(((struct sockaddr_in *)&c->listen[0])->sin_port), 5269);
	assert_int_equal(c->direct_listen_count, 1);
	assert_int_equal(
	    ntohs(((struct sockaddr_in *)&c->direct_listen[0])->sin_port),
	    5270);
	assert_int_equal(c->outgoing4.ss_family, AF_INET);
	assert_int_equal(c->outgoing6.ss_family, AF_INET6);
	assert_int_equal(c->certificate_count, 1);
	assert_string_equal(c->certificates[0].key, "x.key");
	assert_string_equal(c->inner.certificate, "i.pem");
	assert_string_equal(c->gateways[0], "gw1.contoso.example");
	assert_int_equal(c->inner_network_count, 2);
	assert_int_equal(c->inner_networks[1].bits, 7);
	assert_int_equal(c->server_count, 3);
	assert_string_equal(c->servers[1], "::1@5353");
	assert_true(edge_conf_anchor_is_file(c->anchors[0]));
	assert_false(edge_conf_anchor_is_file(c->anchors[1]));
	assert_int_equal(c->grace_ms, 30000);
	assert_string_equal(c->user, "");
	assert_true(c->sandbox);
	assert_int_equal(c->level, LOG_WARN);
	assert_int_equal(c->level_count, 1);
	assert_string_equal(c->levels[0].component, "s2s_in");
	assert_true(c->bodies);
	edge_conf_free(c);
}

static void
test_whether_signed_dns_has_a_part(void **state)
{
	static const struct {
		const char *patch;
		bool outbound, inbound;
	} rows[] = {
		{ "{}", true, false }, /* there are anchors */
		{ "{'resolver': null}", false, false },
		{ "{'resolver': {'trust_anchors': null}}", false, false },
		{ "{'resolver': {'dane': true}}", true, false },
		{ "{'resolver': {'dane': false}}", false, false },
		{ "{'resolver': {'trust_anchors': null, 'dane': false}}", false,
		    false },
		{ "{'resolver': {'dane_inbound': true}}", true, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct edge_conf *c;
		char why[512];

		assert_int_equal(load(&c, rows[i].patch, why, sizeof(why)), 0);
		assert_int_equal(c->dane.outbound, rows[i].outbound);
		assert_int_equal(c->dane.inbound, rows[i].inbound);
		edge_conf_free(c);
	}
}

static void
test_what_may_be_left_out(void **state)
{
	struct edge_conf *c;
	char why[512];

	(void)state;
	assert_int_equal(load(&c,
			     "{'external': {'outgoing': null,"
			     " 'direct_listen': null},"
			     " 'resolver': null, 'log': null}",
			     why, sizeof(why)),
	    0);
	assert_int_equal(c->outgoing4.ss_family, AF_UNSPEC);
	assert_int_equal(c->direct_listen_count, 0);
	assert_int_equal(c->server_count, 0);
	assert_int_equal(c->list_count, 0);
	assert_int_equal(c->level, LOG_INFO);
	assert_false(c->bodies);
	edge_conf_free(c);
}

static const struct {
	const char *patch, *why;
} mistakes[] = {
	{ "{'node': null}", "/node: is missing" },
	{ "{'node': 'a b'}", "/node: \"a b\" is not a domain name" },
	{ "{'nod': 1}", "/nod: is not a known setting" },
	{ "{'external': null}", "/external: is missing" },
	{ "{'external': {'listen': ['127.0.0.1:70000']}}",
	    "/external/listen/0: port 70000 is above 65535" },
	{ "{'external': {'listen': ['127.0.0.1']}}",
	    "/external/listen/0: \"127.0.0.1\" has no port" },
	{ "{'external': {'listen': []}}",
	    "/external/listen: must not be empty" },
	{ "{'external': {'listen': ['[::1]:1', '127.0.0.1:2', '[::1]:1']}}",
	    "/external/listen/2: is listed twice" },
	{ "{'external': {'direct_listen': ['127.0.0.1:5270', '[::1]:5269']}}",
	    "/external/direct_listen/1: is in listen too" },
	{ "{'external': {'direct_listen': ['[::1]:1', '[::1]:1']}}",
	    "/external/direct_listen/1: is listed twice" },
	{ "{'external': {'direct_listen': ['127.0.0.1']}}",
	    "/external/direct_listen/0: \"127.0.0.1\" has no port" },
	{ "{'external': {'outgoing': ['127.0.0.1', '127.0.0.2']}}",
	    "/external/outgoing/1: a second address of one family is not "
	    "possible" },
	{ "{'external': {'outgoing': ['127.0.0.1:5']}}",
	    "/external/outgoing/0: \"127.0.0.1:5\" must have no port" },
	{ "{'external': {'certificates': []}}",
	    "/external/certificates: must not be empty" },
	{ "{'external': {'certificates': [{'certificate': 'a'}]}}",
	    "/external/certificates/0/key: is missing" },
	{ "{'external': {'certificates': [{'certificate': '', 'key': 'b'}]}}",
	    "/external/certificates/0/certificate: must not be empty" },
	{ "{'external': {'certificates': "
	  "[{'certificate': 'a', 'key': 'b', 'c': 0}]}}",
	    "/external/certificates/0/c: is not a known setting" },
	{ "{'external': {'trust': 5}}",
	    "/external/trust: must be a string, is a whole number" },
	{ "{'external': {'revocation': {'lists': ['a', '']}}}",
	    "/external/revocation/lists/1: must not be empty" },
	{ "{'external': {'revocation': {'lists': ['a'], 'failure': 'no'}}}",
	    "/external/revocation/failure: \"no\" is none of \"soft\", "
	    "\"hard\"" },
	{ "{'external': {'revocation': {'fetch': 'no'}}}",
	    "/external/revocation/fetch: must be true or false, is a string" },
	{ "{'external': {'revocation': {'failure': 'hard', 'fetch': false}}}",
	    "/external/revocation/failure: \"hard\" without lists and without "
	    "fetching them would refuse everybody" },
	{ "{'external': {'revocation': {'networks': ['10.1.2.3/8']}}}",
	    "/external/revocation/networks/0: \"10.1.2.3/8\": the address has "
	    "bits beyond its /8" },
	{ "{'external': {'revocation': {'lists': ['1','2','3','4','5','6',"
	  "'7','8','9','10','11','12','13','14','15','16','17','18','19','20',"
	  "'21','22','23','24','25','26','27','28','29','30','31','32',"
	  "'33']}}}",
	    "/external/revocation/lists: 33 elements, at most 32 are "
	    "allowed" },
	{ "{'external': {'proxy_protocol': ['10.0.0.5', 'lb']}}",
	    "/external/proxy_protocol/1: \"lb\" is not an IP address" },
	{ "{'external': {'proxy_protocol': '10.0.0.5'}}",
	    "/external/proxy_protocol: must be an array, is a string" },
	{ "{'internal': {'gateways': []}}",
	    "/internal/gateways: must not be empty" },
	{ "{'internal': {'gateways': ['a.example', 'A.example']}}",
	    "/internal/gateways/1: is listed twice" },
	{ "{'internal': {'networks': ['10.0.0.0/8', '10.0.0.1/8']}}",
	    "/internal/networks/1: \"10.0.0.1/8\": the address has bits "
	    "beyond its /8" },
	{ "{'internal': {'networks': ['lan']}}",
	    "/internal/networks/0: \"lan\" is not an IP address" },
	{ "{'internal': {'gateways': ['-']}}",
	    "/internal/gateways/0: \"-\" is not a domain name" },
	{ "{'resolver': {'servers': ['127.0.0.1:53']}}",
	    "/resolver/servers/0: \"127.0.0.1:53\" is not address@port" },
	{ "{'resolver': {'servers': ['127.0.0.1@99999']}}",
	    "/resolver/servers/0: port 99999 is above 65535" },
	{ "{'resolver': {'servers': ['1.1.1.1','1.1.1.1','1.1.1.1',"
	  "'1.1.1.1','1.1.1.1','1.1.1.1','1.1.1.1','1.1.1.1','1.1.1.1']}}",
	    "/resolver/servers: 9 elements, at most 8 are allowed" },
	{ "{'resolver': {'trust_anchors': null, 'dane': true}}",
	    "/resolver/dane: needs trust_anchors" },
	{ "{'resolver': {'trust_anchors': [], 'dane_inbound': true}}",
	    "/resolver/dane_inbound: needs dane" },
	{ "{'resolver': {'dane': false, 'dane_inbound': true}}",
	    "/resolver/dane_inbound: needs dane" },
	{ "{'grace_seconds': -1}", "/grace_seconds: -1 is below 0" },
	{ "{'grace_seconds': 100000}",
	    "/grace_seconds: 100000 is above 86400" },
	{ "{'sandbox': 'no'}", "/sandbox: must be true or false, is a string" },
	{ "{'log': {'level': 'loud'}}",
	    "/log/level: \"loud\" is none of \"error\", \"warn\", \"info\", "
	    "\"debug\"" },
	{ "{'log': {'components': {'x': 'y'}}}",
	    "/log/components/x: \"y\" is none of \"error\", \"warn\", "
	    "\"info\", \"debug\"" },
};

static void
test_each_mistake_has_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct edge_conf *c = NULL;
		char why[512] = "", want[512];

		snprintf(want, sizeof(want), "edge.json: %s", mistakes[i].why);
		assert_int_equal(
		    load(&c, mistakes[i].patch, why, sizeof(why)), ERR_CONFIG);
		assert_string_equal(why, want);
		assert_null(c);
	}
}

static void
write_file(const char *dir, const char *name, const char *text, char *path)
{
	FILE *f;

	snprintf(path, 200, "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Files: a good set passes; a key of another certificate, a missing file and
 * an unknown user are told with their place. */
static void
test_check_looks_at_the_files(void **state)
{
	char dir[] = "/tmp/edge_conf.XXXXXX";
	char pem[200], key[200], ca[200], other[200], patch[2000], why[1024];
	struct make_cert root, leaf, stranger;
	struct edge_conf *c;

	(void)state;
	assert_non_null(mkdtemp(dir));
	make_cert_new(
	    &root, &(struct make_cert_opts){ .cn = "ca", .ca = true });
	make_cert_new(
	    &leaf, &(struct make_cert_opts){ .cn = "a",
		       .issuer = &root,
		       .names = { { MAKE_CERT_DNS, "a.example", 0 } } });
	make_cert_new(
	    &stranger, &(struct make_cert_opts){ .cn = "b", .issuer = &root });
	write_file(dir, "leaf.pem", leaf.pem, pem);
	write_file(dir, "leaf.key", leaf.key_pem, key);
	write_file(dir, "ca.pem", root.pem, ca);
	write_file(dir, "other.key", stranger.key_pem, other);
	snprintf(patch, sizeof(patch),
	    "{'external': {'trust': '%s', 'certificates':"
	    " [{'certificate': '%s', 'key': '%s'}]},"
	    " 'internal': {'certificate': '%s', 'key': '%s', 'trust': '%s'},"
	    " 'resolver': {'trust_anchors': []}}",
	    ca, pem, key, pem, key, ca);
	assert_int_equal(load(&c, patch, why, sizeof(why)), 0);
	assert_int_equal(edge_conf_check(c, "edge.json", why, sizeof(why)), 0);

	c->certificates[0].ocsp = strdup("/nowhere/x.ocsp");
	assert_int_equal(
	    edge_conf_check(c, "edge.json", why, sizeof(why)), ERR_CONFIG);
	assert_non_null(strstr(why,
	    "edge.json: /external/certificates/0/ocsp: /nowhere/x.ocsp: "));
	free(c->certificates[0].ocsp);
	c->certificates[0].ocsp = NULL;

	free(c->inner.key);
	c->inner.key = strdup(other);
	assert_int_equal(
	    edge_conf_check(c, "edge.json", why, sizeof(why)), ERR_CONFIG);
	assert_non_null(strstr(why, "edge.json: /internal: "));
	assert_non_null(strstr(why, "key"));

	free(c->certificates[0].certificate);
	c->certificates[0].certificate = strdup("/nowhere/x.pem");
	assert_int_equal(
	    edge_conf_check(c, "edge.json", why, sizeof(why)), ERR_CONFIG);
	assert_non_null(strstr(why, "edge.json: /external/certificates/0: "));
	assert_non_null(strstr(why, "/nowhere/x.pem"));
	edge_conf_free(c);

	assert_int_equal(load(&c, patch, why, sizeof(why)), 0);
	snprintf(c->user, sizeof(c->user), "no-such-user");
	assert_int_equal(
	    edge_conf_check(c, "edge.json", why, sizeof(why)), ERR_CONFIG);
	assert_string_equal(
	    why, "edge.json: /user: there is no user \"no-such-user\"");
	edge_conf_free(c);

	make_cert_finish(&root);
	make_cert_finish(&leaf);
	make_cert_finish(&stranger);
	unlink(pem);
	unlink(key);
	unlink(ca);
	unlink(other);
	rmdir(dir);
}

static void
test_revocation_lists_are_named(void **state)
{
	static const struct {
		const char *patch;
		bool hard;
	} sets[] = {
		{ "{'external': {'revocation': {'lists': ['a', 'b']}}}",
		    false },
		{ "{'external': {'revocation': {'lists': ['a', 'b'],"
		  " 'failure': 'soft'}}}",
		    false },
		{ "{'external': {'revocation': {'lists': ['a', 'b'],"
		  " 'failure': 'hard'}}}",
		    true },
	};
	struct edge_conf *c;
	char why[512];

	(void)state;
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		assert_int_equal(load(&c, sets[i].patch, why, sizeof(why)), 0);
		assert_int_equal(c->list_count, 2);
		assert_string_equal(c->lists[1], "b");
		assert_int_equal(c->lists_hard, sets[i].hard);
		assert_true(c->lists_fetched);
		edge_conf_free(c);
	}
}

static void
test_a_file_that_is_not_there(void **state)
{
	struct edge_conf *c = NULL;
	char why[512];

	(void)state;
	assert_int_equal(
	    edge_conf_load(&c, "/nowhere/e.json", NULL, why, sizeof(why)),
	    ERR_CONFIG);
	assert_string_equal(why, "/nowhere/e.json: no such file or directory");
	assert_null(c);
}

static const struct {
	const char *patch;
	const char *restart; /* NULL = nothing */
} reloads[] = {
	{ "{}", NULL },
	{ "{'node': 'e9.example'}", "node" },
	{ "{'external': {'outgoing': ['192.0.2.77']}}", "external.outgoing" },
	{ "{'internal': {'listen': ['10.9.9.9:1']}}", "internal.listen" },
	{ "{'control': '/run/other.sock'}", "control" },
	{ "{'user': 'nobody'}", "user" },
	{ "{'sandbox': false}", "sandbox" },
	{ "{'external': {'listen': ['192.0.2.99:5269']}}", NULL },
	{ "{'grace_seconds': 5, 'log': {'level': 'debug'}}", NULL },
	{ "{'resolver': {'servers': ['192.0.2.9']}}", "resolver.servers" },
	{ "{'resolver': {'servers': null}}", "resolver.servers" },
	{ "{'resolver': {'trust_anchors': ['/etc/root.key']}}",
	    "resolver.trust_anchors" },
	{ "{'resolver': {'trust_anchors': ['/etc/root.key', 'x']}}",
	    "resolver.trust_anchors" },
	{ "{'resolver': {'dane': false}}", NULL },
};

static void
test_what_needs_a_restart_stays_and_is_told(void **state)
{
	char why[512];

	(void)state;
	for (size_t i = 0; i < sizeof(reloads) / sizeof(reloads[0]); i++) {
		struct edge_conf *now, *fresh;
		json_t *names;

		assert_int_equal(load(&now, "{}", why, sizeof(why)), 0);
		assert_int_equal(
		    load(&fresh, reloads[i].patch, why, sizeof(why)), 0);
		names = edge_conf_keep(fresh, now);
		assert_int_equal(
		    json_array_size(names), reloads[i].restart != NULL ? 1 : 0);
		if (reloads[i].restart != NULL)
			assert_string_equal(
			    json_string_value(json_array_get(names, 0)),
			    reloads[i].restart);
		assert_string_equal(fresh->node, now->node);
		assert_memory_equal(fresh->inner_listen, now->inner_listen,
		    sizeof(now->inner_listen));
		json_decref(names);
		edge_conf_free(fresh);
		edge_conf_free(now);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_whole_file),
		cmocka_unit_test(test_what_may_be_left_out),
		cmocka_unit_test(test_whether_signed_dns_has_a_part),
		cmocka_unit_test(test_each_mistake_has_its_place),
		cmocka_unit_test(test_check_looks_at_the_files),
		cmocka_unit_test(test_what_needs_a_restart_stays_and_is_told),
		cmocka_unit_test(test_revocation_lists_are_named),
		cmocka_unit_test(test_a_file_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
