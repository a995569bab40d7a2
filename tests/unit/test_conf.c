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

#include "common/conf.h"
#include "common/err.h"

/* What a loader of a small sample document makes of it. */
struct sample {
	const char *node, *user;
	int64_t grace;
	bool sandbox;
	int level;
	char domain[256];
	struct sockaddr_storage listen[4];
	size_t listen_count;
	size_t partner_count;
	const char *partner;
	struct sockaddr_storage outgoing;
};

static void
load(struct sample *s, struct conf *c)
{
	static const char *const levels[] = { "error", "warn", "info" };
	struct conf_obj *root = conf_root(c);
	struct conf_obj *external = conf_object(root, "external", false);
	struct conf_obj *partner;

	memset(s, 0, sizeof(*s));
	s->node = conf_string(root, "node", NULL);
	s->user = conf_string_opt(root, "user");
	s->grace = conf_int(root, "grace", 30, 1, 3600);
	s->sandbox = conf_bool(root, "sandbox", true);
	s->level = conf_enum(root, "level", levels, 3, 2);
	conf_domain(root, "domain", s->domain, false);
	conf_address(external, "outgoing", &s->outgoing, -1, false);
	s->listen_count = conf_array(external, "listen", true);
	for (size_t i = 0; i < s->listen_count && i < 4; i++)
		conf_array_address(external, "listen", i, &s->listen[i], 5269);
	conf_end_object(external);
	s->partner_count = conf_array(root, "partners", false);
	for (size_t i = 0; i < s->partner_count; i++) {
		partner = conf_array_object(root, "partners", i);
		s->partner = conf_string(partner, "Domain", NULL);
		for (size_t n = conf_array(partner, "Additional", false), k = 0;
		     k < n; k++)
			s->partner =
			    conf_array_string(partner, "Additional", k);
		conf_end_object(partner);
	}
	if (s->grace == 13)
		conf_fail(root, "grace", "%d brings bad luck", 13);
	conf_end_object(root);
}

static void
test_good(void **state)
{
	static const char text[] =
	    "{ \"node\": \"edge1\", \"grace\": 5, \"sandbox\": false,"
	    "  \"level\": \"warn\", \"domain\": \"B\xc3\xbc"
	    "cher.Example.\","
	    "  \"external\": { \"outgoing\": \"2001:db8::1\","
	    "    \"listen\": [\"192.0.2.1:5270\", \"[::1]\", \"192.0.2.2\"]},"
	    "  \"partners\": [ {\"Domain\": \"a\"},"
	    "    {\"Domain\": \"b\", \"Additional\": [\"c\", \"d\"]} ] }";
	struct conf *c = conf_parse("edge.json", text, sizeof(text) - 1);
	char host[INET6_ADDRSTRLEN];
	struct sockaddr_in6 in6;
	struct sockaddr_in in;
	struct sample s;

	(void)state;
	assert_non_null(c);
	load(&s, c);
	assert_string_equal(conf_error(c), "");
	assert_false(conf_failed(c));
	assert_string_equal(s.node, "edge1");
	assert_null(s.user);
	assert_int_equal(s.grace, 5);
	assert_false(s.sandbox);
	assert_int_equal(s.level, 1);
	assert_string_equal(s.domain, "xn--bcher-kva.example");
	assert_int_equal(s.listen_count, 3);
	memcpy(&in, &s.listen[0], sizeof(in));
	assert_int_equal(in.sin_family, AF_INET);
	assert_int_equal(ntohs(in.sin_port), 5270);
	memcpy(&in6, &s.listen[1], sizeof(in6));
	assert_int_equal(in6.sin6_family, AF_INET6);
	assert_int_equal(ntohs(in6.sin6_port), 5269);
	memcpy(&in6, &s.outgoing, sizeof(in6));
	inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof(host));
	assert_string_equal(host, "2001:db8::1");
	assert_int_equal(s.partner_count, 2);
	assert_string_equal(s.partner, "d");
	conf_finish(c);
}

static void
test_defaults(void **state)
{
	static const char text[] =
	    "{\"node\":\"x\",\"external\":{\"listen\":[]}}";
	struct conf *c = conf_parse("edge.json", text, sizeof(text) - 1);
	struct sample s;

	(void)state;
	assert_non_null(c);
	load(&s, c);
	assert_string_equal(conf_error(c), "");
	assert_int_equal(s.grace, 30);
	assert_true(s.sandbox);
	assert_int_equal(s.level, 2);
	assert_string_equal(s.domain, "");
	assert_int_equal(s.outgoing.ss_family, AF_UNSPEC);
	conf_finish(c);
}

static void
test_errors(void **state)
{
#define OK "\"node\":\"n\""
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ "", "edge.json:1:0: '[' or '{' expected near end of file" },
		{ "{ \"a\": 1,\n  \"b\": 2\n",
		    "edge.json:3:0: '}' expected near end of file" },
		{ "{\"a\":1,\"a\":2}",
		    "edge.json:1:10: duplicate object key near '\"a\"'" },
		{ "[]", "edge.json: /: must be an object, is an array" },
		{ "{}", "edge.json: /node: is missing" },
		{ "{\"node\":5}",
		    "edge.json: /node: must be a string, is a whole number" },
		{ "{" OK ",\"grace\":0}", "edge.json: /grace: 0 is below 1" },
		{ "{" OK ",\"grace\":3601}",
		    "edge.json: /grace: 3601 is above 3600" },
		{ "{" OK ",\"grace\":1.5}",
		    "edge.json: /grace: must be a whole number, is a number "
		    "with a fraction" },
		{ "{" OK ",\"grace\":13}",
		    "edge.json: /grace: 13 brings bad luck" },
		{ "{" OK ",\"sandbox\":\"yes\"}",
		    "edge.json: /sandbox: must be true or false, is a string" },
		{ "{" OK ",\"level\":\"loud\"}",
		    "edge.json: /level: \"loud\" is none of \"error\", "
		    "\"warn\", \"info\"" },
		{ "{" OK ",\"domain\":\"a..b\"}",
		    "edge.json: /domain: \"a..b\" is not a domain name" },
		{ "{" OK ",\"external\":[]}",
		    "edge.json: /external: must be an object, is an array" },
		{ "{" OK ",\"external\":{}}",
		    "edge.json: /external/listen: is missing" },
		{ "{" OK ",\"external\":{\"listen\":[\"192.0.2.1:70000\"]}}",
		    "edge.json: /external/listen/0: port 70000 is above "
		    "65535" },
		{ "{" OK ",\"external\":{\"listen\":[\"192.0.2.1\",\"host\"]}}",
		    "edge.json: /external/listen/1: \"host\" is not an IP "
		    "address" },
		{ "{" OK ",\"external\":{\"listen\":[7]}}",
		    "edge.json: /external/listen/0: must be a string, is a "
		    "whole number" },
		{ "{" OK ",\"external\":{\"listen\":[],"
		  "\"outgoing\":\"192.0.2.1:1\"}}",
		    "edge.json: /external/outgoing: \"192.0.2.1:1\" must have "
		    "no port" },
		{ "{" OK ",\"external\":{\"listen\":[],\"lisden\":1}}",
		    "edge.json: /external/lisden: is not a known setting" },
		{ "{" OK ",\"partners\":[{\"Domain\":\"a\"},{}]}",
		    "edge.json: /partners/1/Domain: is missing" },
		{ "{" OK ",\"partners\":[3]}",
		    "edge.json: /partners/0: must be an object, is a whole "
		    "number" },
		{ "{" OK ",\"partners\":[{\"Domain\":\"a\",\"X\":1}]}",
		    "edge.json: /partners/0/X: is not a known setting" },
		{ "{" OK ",\"x\\ny\":1}",
		    "edge.json: /x?y: is not a known setting" },
	};
	struct sample s;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct conf *c =
		    conf_parse("edge.json", rows[i].text, strlen(rows[i].text));

		assert_non_null(c);
		load(&s, c);
		assert_true(conf_failed(c));
		assert_string_equal(conf_error(c), rows[i].error);
		conf_finish(c);
	}
}

static void
test_files(void **state)
{
	char path[] = "/tmp/sallyport-conf-XXXXXX", want[200];
	static const char text[] = "{\"node\":\"n\",\n \"grace\": }";
	int fd = mkstemp(path);
	struct conf *c;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	c = conf_load(path);
	assert_non_null(c);
	snprintf(
	    want, sizeof(want), "%s:2:11: unexpected token near '}'", path);
	assert_string_equal(conf_error(c), want);
	conf_finish(c);
	unlink(path);
	c = conf_load(path);
	assert_non_null(c);
	snprintf(want, sizeof(want), "%s: no such file or directory", path);
	assert_string_equal(conf_error(c), want);
	assert_null(conf_root(c));
	conf_finish(c);
	conf_finish(NULL);
}

static void
test_addresses(void **state)
{
	static const struct {
		const char *s;
		int port_def, rc;
	} rows[] = {
		{ "192.0.2.1:1", 0, 0 },
		{ "192.0.2.1:0", 0, 0 },
		{ "192.0.2.1:65535", 0, 0 },
		{ "192.0.2.1:65536", 0, ERR_MALFORMED },
		{ "192.0.2.1:99999999999999999999", 0, ERR_MALFORMED },
		{ "192.0.2.1:-1", 0, ERR_MALFORMED },
		{ "192.0.2.1: 1", 0, ERR_MALFORMED },
		{ "192.0.2.1:", 0, ERR_MALFORMED },
		{ "192.0.2.1", 0, ERR_MALFORMED },
		{ "192.0.2.1", 80, 0 },
		{ "192.0.2.1", -1, 0 },
		{ "192.0.2.1:80", -1, ERR_MALFORMED },
		{ "[::1]:80", 0, 0 },
		{ "[::1]:80", -1, ERR_MALFORMED },
		{ "[::1]", -1, 0 },
		{ "[::1]", 0, ERR_MALFORMED },
		{ "::1", -1, 0 },
		{ "::1", 80, 0 },
		{ "::1", 0, ERR_MALFORMED },
		{ "[::1", 80, ERR_MALFORMED },
		{ "[::1]80", 80, ERR_MALFORMED },
		{ "[192.0.2.1]:80", 80, ERR_MALFORMED },
		{ "", 80, ERR_MALFORMED },
		{ ":80", 80, ERR_MALFORMED },
		{ "1.2.3:80", 80, ERR_MALFORMED },
		{ "localhost:80", 80, ERR_MALFORMED },
	};
	struct sockaddr_storage out;
	char why[200];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		why[0] = '\0';
		if (conf_parse_address(&out, rows[i].s, rows[i].port_def, why,
			sizeof(why)) != rows[i].rc)
			fail_msg("%s: %s", rows[i].s, why);
		assert_int_equal(why[0] != '\0', rows[i].rc != 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
