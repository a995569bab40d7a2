/* The port table against itself, against the daemons' defaults and against
 * the sample configurations: no rule of ours that nothing uses, nothing used
 * that has no rule. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/ports.h"
#include "deploy/port_table.h"

enum { ALL_TOPOLOGIES = (1 << PORT_TOPOLOGY_COUNT) - 1 };

static struct port_table *
table(void)
{
	struct port_table *t;
	char why[512];

	if (port_table_load(&t, NULL, why, sizeof(why)) < 0)
		fail_msg("%s", why);
	return t;
}

static bool
has_rule(const struct port_table *t, unsigned port)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->rows[i].ours && t->rows[i].first == port)
			return true;
	return false;
}

static void
test_the_daemons_default_ports_and_our_rules_are_the_same(void **state)
{
	static const unsigned used[] = {
#define X(name, number) number,
		PORTS(X)
#undef X
	};
	struct port_table *t = table();

	(void)state;
	for (size_t i = 0; i < sizeof(used) / sizeof(used[0]); i++)
		if (!has_rule(t, used[i]))
			fail_msg("port %u is used and has no rule", used[i]);
	for (size_t i = 0; i < t->count; i++) {
		const struct port_row *r = &t->rows[i];
		bool found = !r->ours;

		for (size_t k = 0; k < sizeof(used) / sizeof(used[0]); k++)
			found |= used[k] == r->first && r->first == r->last;
		if (!found)
			fail_msg(
			    "rule %s: nothing uses port %u", r->id, r->first);
	}
	port_table_free(t);
}

/* Every "address:port" and "address@port" of a configuration, at any depth. */
static size_t
check_ports(const struct port_table *t, const json_t *v)
{
	const char *key, *at, *s = json_string_value(v);
	size_t seen = 0;
	json_t *sub;

	if (json_is_object(v)) {
		void *it = json_object_iter((json_t *)(uintptr_t)v);

		for (; it != NULL;
		     it = json_object_iter_next((json_t *)(uintptr_t)v, it)) {
			key = json_object_iter_key(it);
			sub = json_object_get(v, key);
			seen += check_ports(t, sub);
		}
	}
	for (size_t i = 0; i < json_array_size(v); i++)
		seen += check_ports(t, json_array_get(v, i));
	at = s != NULL ? strrchr(s, ':') : NULL;
	if (at == NULL || strspn(at + 1, "0123456789") != strlen(at + 1))
		return seen;
	if (!has_rule(t, (unsigned)atoi(at + 1)))
		fail_msg("%s is used and has no rule", s);
	return seen + 1;
}

static void
test_the_samples_use_no_port_without_a_rule(void **state)
{
	static const struct {
		const char *path;
		size_t ports;
	} samples[] = {
		{ "deploy/examples/edge.json", 2 },
		{ "deploy/examples/gateway.json", 3 },
	};
	struct port_table *t = table();

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		json_error_t err;
		json_t *j = json_load_file(samples[i].path, 0, &err);

		if (j == NULL)
			fail_msg("%s: %s", samples[i].path, err.text);
		assert_true(check_ports(t, j) >= samples[i].ports);
		json_decref(j);
	}
	port_table_free(t);
}

static void
test_nothing_of_ours_leads_from_the_perimeter_inside(void **state)
{
	struct port_table *t = table();

	(void)state;
	for (size_t i = 0; i < t->count; i++) {
		const struct port_row *r = &t->rows[i];
		bool inside = r->to == PORT_GATEWAYS ||
			      r->to == PORT_FRONT_ENDS || r->to == PORT_INSIDE;

		if (!r->ours || !inside)
			continue;
		if (r->from != PORT_GATEWAYS && r->from != PORT_FRONT_ENDS)
			fail_msg("%s leads inside", r->id);
	}
	port_table_free(t);
}

/* What federation needs, each in every topology. */
static const struct {
	enum port_role from, to;
	enum port_transport transport;
	unsigned port;
	unsigned topologies;
	const char *feature; /* NULL: xmpp */
} needs[] = {
	{ PORT_PARTNERS, PORT_EDGE_EXTERNAL, PORT_TCP, 5270,
	    ALL_TOPOLOGIES & ~(1U << PORT_SCALED_HLB), "direct-tls" },
	{ PORT_PARTNERS, PORT_EDGE_VIP, PORT_TCP, 5270, 1U << PORT_SCALED_HLB,
	    "direct-tls" },
	{ PORT_LOAD_BALANCER, PORT_EDGE_EXTERNAL, PORT_TCP, 5270,
	    1U << PORT_SCALED_HLB, "direct-tls" },
	{ PORT_EDGE_EXTERNAL, PORT_PARTNERS, PORT_TCP, 5270, ALL_TOPOLOGIES,
	    "direct-tls" },
	{ PORT_PARTNERS, PORT_EDGE_EXTERNAL, PORT_TCP, 5269,
	    ALL_TOPOLOGIES & ~(1U << PORT_SCALED_HLB), NULL },
	{ PORT_PARTNERS, PORT_EDGE_VIP, PORT_TCP, 5269, 1U << PORT_SCALED_HLB,
	    NULL },
	{ PORT_LOAD_BALANCER, PORT_EDGE_EXTERNAL, PORT_TCP, 5269,
	    1U << PORT_SCALED_HLB, NULL },
	{ PORT_EDGE_EXTERNAL, PORT_PARTNERS, PORT_TCP, 5269, ALL_TOPOLOGIES,
	    NULL },
	{ PORT_EDGE_EXTERNAL, PORT_RESOLVERS, PORT_UDP, 53, ALL_TOPOLOGIES,
	    NULL },
	{ PORT_EDGE_EXTERNAL, PORT_RESOLVERS, PORT_TCP, 53, ALL_TOPOLOGIES,
	    NULL },
	{ PORT_EDGE_EXTERNAL, PORT_INTERNET, PORT_TCP, 80, ALL_TOPOLOGIES,
	    NULL },
	{ PORT_GATEWAYS, PORT_EDGE_INTERNAL, PORT_TCP, 23456, ALL_TOPOLOGIES,
	    NULL },
	{ PORT_GATEWAYS, PORT_FRONT_ENDS, PORT_TCP, 5061, ALL_TOPOLOGIES,
	    NULL },
	{ PORT_FRONT_ENDS, PORT_GATEWAYS, PORT_TCP, 5061, ALL_TOPOLOGIES,
	    NULL },
};

static void
test_our_rows_are_exactly_what_federation_needs(void **state)
{
	struct port_table *t = table();
	size_t ours = 0, n = sizeof(needs) / sizeof(needs[0]);

	(void)state;
	for (size_t i = 0; i < t->count; i++) {
		const struct port_row *r = &t->rows[i];
		size_t k = 0;

		if (!r->ours)
			continue;
		ours++;
		while (k < n &&
		       (needs[k].from != r->from || needs[k].to != r->to ||
			   needs[k].transport != r->transport ||
			   needs[k].port != r->first))
			k++;
		if (k == n)
			fail_msg("%s is not needed", r->id);
		assert_int_equal(r->last, needs[k].port);
		assert_int_equal(r->feature_count, 1);
		assert_true(port_row_serves(
		    r, needs[k].feature != NULL ? needs[k].feature : "xmpp"));
		assert_int_equal(r->topologies, needs[k].topologies);
	}
	assert_int_equal(ours, n);
	port_table_free(t);
}

/* Rows of the Lync roles in each topology: ports of their documents. */
static void
test_the_lync_rows_are_complete(void **state)
{
	static const struct {
		enum port_topology topology;
		enum port_role from, to;
		enum port_transport transport;
		unsigned port;
	} rows[] = {
#define SINGLE(t)                                                              \
	{ t, PORT_INTERNET, PORT_LYNC_ACCESS, PORT_TCP, 5269 },                \
	    { t, PORT_LYNC_ACCESS, PORT_INTERNET, PORT_TCP, 5269 },            \
	    { t, PORT_LYNC_ACCESS, PORT_INTERNET, PORT_TCP, 80 },              \
	    { t, PORT_LYNC_ACCESS, PORT_INTERNET, PORT_TCP, 53 },              \
	    { t, PORT_LYNC_ACCESS, PORT_INTERNET, PORT_UDP, 53 },              \
	    { t, PORT_INTERNET, PORT_LYNC_ACCESS, PORT_TCP, 443 },             \
	    { t, PORT_INTERNET, PORT_LYNC_ACCESS, PORT_TCP, 5061 },            \
	    { t, PORT_LYNC_ACCESS, PORT_INTERNET, PORT_TCP, 5061 },            \
	    { t, PORT_INTERNET, PORT_LYNC_WEBCONF, PORT_TCP, 443 },            \
	    { t, PORT_LYNC_AV, PORT_INTERNET, PORT_TCP, 50000 },               \
	    { t, PORT_INTERNET, PORT_LYNC_AV, PORT_TCP, 50000 },               \
	    { t, PORT_LYNC_AV, PORT_INTERNET, PORT_UDP, 50000 },               \
	    { t, PORT_INTERNET, PORT_LYNC_AV, PORT_UDP, 50000 },               \
	    { t, PORT_LYNC_AV, PORT_INTERNET, PORT_UDP, 3478 },                \
	    { t, PORT_INTERNET, PORT_LYNC_AV, PORT_UDP, 3478 },                \
	    { t, PORT_LYNC_AV, PORT_INTERNET, PORT_TCP, 443 },                 \
	    { t, PORT_INTERNET, PORT_LYNC_AV, PORT_TCP, 443 },                 \
	    { t, PORT_FRONT_ENDS, PORT_LYNC_INTERNAL, PORT_TCP, 23456 },       \
	    { t, PORT_FRONT_ENDS, PORT_LYNC_INTERNAL, PORT_TCP, 5061 },        \
	    { t, PORT_LYNC_INTERNAL, PORT_FRONT_ENDS, PORT_TCP, 5061 },        \
	    { t, PORT_FRONT_ENDS, PORT_LYNC_INTERNAL, PORT_TCP, 8057 },        \
	    { t, PORT_FRONT_ENDS, PORT_LYNC_INTERNAL, PORT_TCP, 5062 },        \
	    { t, PORT_INSIDE, PORT_LYNC_INTERNAL, PORT_UDP, 3478 },            \
	    { t, PORT_INSIDE, PORT_LYNC_INTERNAL, PORT_TCP, 443 },             \
	    { t, PORT_FRONT_ENDS, PORT_LYNC_INTERNAL, PORT_TCP, 4443 },        \
	    { t, PORT_INSIDE, PORT_LYNC_INTERNAL, PORT_TCP, 50001 }
		SINGLE(PORT_SINGLE_NAT),
		SINGLE(PORT_SINGLE_PUBLIC),
		SINGLE(PORT_SCALED_DNS_NAT),
		SINGLE(PORT_SCALED_DNS_PUBLIC),
#undef SINGLE
#define HLB(from, to, transport, port)                                         \
	{ PORT_SCALED_HLB, from, to, transport, port }
		HLB(PORT_INTERNET, PORT_LYNC_ACCESS_VIP, PORT_TCP, 5269),
		HLB(PORT_LYNC_ACCESS_VIP, PORT_INTERNET, PORT_TCP, 5269),
		HLB(PORT_INTERNET, PORT_LYNC_ACCESS_VIP, PORT_TCP, 443),
		HLB(PORT_INTERNET, PORT_LYNC_ACCESS_VIP, PORT_TCP, 5061),
		HLB(PORT_LYNC_ACCESS_VIP, PORT_INTERNET, PORT_TCP, 5061),
		HLB(PORT_INTERNET, PORT_LYNC_WEBCONF_VIP, PORT_TCP, 443),
		HLB(PORT_INTERNET, PORT_LYNC_AV_VIP, PORT_UDP, 3478),
		HLB(PORT_INTERNET, PORT_LYNC_AV_VIP, PORT_TCP, 443),
		HLB(PORT_LYNC_ACCESS, PORT_INTERNET, PORT_TCP, 80),
		HLB(PORT_LYNC_ACCESS, PORT_INTERNET, PORT_TCP, 53),
		HLB(PORT_LYNC_ACCESS, PORT_INTERNET, PORT_UDP, 53),
		HLB(PORT_LYNC_AV, PORT_INTERNET, PORT_TCP, 50000),
		HLB(PORT_INTERNET, PORT_LYNC_AV, PORT_UDP, 50000),
		HLB(PORT_FRONT_ENDS, PORT_LYNC_INTERNAL, PORT_TCP, 23456),
		HLB(PORT_FRONT_ENDS, PORT_LYNC_INTERNAL, PORT_TCP, 4443),
		HLB(PORT_FRONT_ENDS, PORT_LYNC_INTERNAL, PORT_TCP, 8057),
		HLB(PORT_INSIDE, PORT_LYNC_INTERNAL, PORT_TCP, 50001),
		HLB(PORT_FRONT_ENDS, PORT_LYNC_INTERNAL_VIP, PORT_TCP, 5061),
		HLB(PORT_LYNC_INTERNAL_VIP, PORT_FRONT_ENDS, PORT_TCP, 5061),
		HLB(PORT_FRONT_ENDS, PORT_LYNC_INTERNAL_VIP, PORT_TCP, 5062),
		HLB(PORT_INSIDE, PORT_LYNC_INTERNAL_VIP, PORT_UDP, 3478),
		HLB(PORT_INSIDE, PORT_LYNC_INTERNAL_VIP, PORT_TCP, 443),
		HLB(PORT_LYNC_INTERNAL_VIP, PORT_INSIDE, PORT_TCP, 443),
#undef HLB
	};
	struct port_table *t = table();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t k = 0;

		while (
		    k < t->count &&
		    (t->rows[k].from != rows[i].from ||
			t->rows[k].to != rows[i].to ||
			t->rows[k].transport != rows[i].transport ||
			t->rows[k].first != rows[i].port ||
			(t->rows[k].topologies >> rows[i].topology & 1) == 0))
			k++;
		if (k == t->count)
			fail_msg("%s: no row from %s to %s port %u",
			    port_topology_name(rows[i].topology),
			    port_role_name(rows[i].from),
			    port_role_name(rows[i].to), rows[i].port);
	}
	port_table_free(t);
}

static void
test_every_name_in_the_table_is_explained(void **state)
{
	struct port_table *t = table();

	(void)state;
	for (unsigned i = 0; i < PORT_TOPOLOGY_COUNT; i++)
		assert_non_null(port_table_about(t, "topologies",
		    port_topology_name((enum port_topology)i)));
	for (unsigned i = 0; i < PORT_ROLE_COUNT; i++)
		assert_non_null(port_table_about(
		    t, "roles", port_role_name((enum port_role)i)));
	port_table_free(t);
}

/* A table of one row with one thing changed, and what is said about it. */
static void
test_a_mistake_is_told_with_its_place(void **state)
{
	static const struct {
		const char *port, *from, *feature, *error;
	} rows[] = {
		{ "5269", "internet", "f", NULL },
		{ "1-65535", "internet", "f", NULL },
		{ "0", "internet", "f", "/rows/0/port: \"0\" is neither" },
		{ "65536", "internet", "f", "/rows/0/port: \"65536\"" },
		{ "9-8", "internet", "f", "/rows/0/port: \"9-8\"" },
		{ "5 ", "internet", "f", "/rows/0/port: \"5 \"" },
		{ "-5", "internet", "f", "/rows/0/port: \"-5\"" },
		{ "05", "internet", "f", "/rows/0/port: \"05\"" },
		{ "", "internet", "f", "/rows/0/port: \"\"" },
		{ "5", "moon", "f", "/rows/0/from: \"moon\" is none of" },
		{ "5", "internet", "g",
		    "/rows/0/features: \"g\" is not described" },
	};
	char path[] = "/tmp/sallyport-ports-XXXXXX", why[512];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct port_table *t = NULL;
		FILE *f = fopen(path, "w");
		int rc;

		assert_non_null(f);
		fprintf(f,
		    "{\"topologies\":{\"single-nat\":\"t\"},\"roles\":{},"
		    "\"features\":{\"f\":\"f\"},\"documents\":{\"D\":\"d\"},"
		    "\"rows\":[{\"id\":\"a\",\"owner\":\"lync\","
		    "\"protocol\":\"P\",\"transport\":\"tcp\",\"port\":\"%s\","
		    "\"from\":\"%s\",\"to\":\"gateways\",\"direction\":\"in\","
		    "\"side\":\"external\",\"features\":[\"%s\"],"
		    "\"topologies\":[\"single-nat\"],\"documents\":[\"D\"],"
		    "\"purpose\":\"p\"}]}",
		    rows[i].port, rows[i].from, rows[i].feature);
		assert_int_equal(fclose(f), 0);
		rc = port_table_load(&t, path, why, sizeof(why));
		if (rows[i].error == NULL) {
			assert_int_equal(rc, 0);
			port_table_free(t);
			continue;
		}
		assert_true(rc < 0);
		assert_null(t);
		if (strstr(why, rows[i].error) == NULL)
			fail_msg("row %zu: %s", i, why);
	}
	remove(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_the_daemons_default_ports_and_our_rules_are_the_same),
		cmocka_unit_test(test_the_samples_use_no_port_without_a_rule),
		cmocka_unit_test(
		    test_nothing_of_ours_leads_from_the_perimeter_inside),
		cmocka_unit_test(
		    test_our_rows_are_exactly_what_federation_needs),
		cmocka_unit_test(test_the_lync_rows_are_complete),
		cmocka_unit_test(test_every_name_in_the_table_is_explained),
		cmocka_unit_test(test_a_mistake_is_told_with_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
