/* deploy/dns_plan: edges as they are written, zones, private addresses. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/buf.h"
#include "deploy/dns_plan.h"

static const struct {
	const char *spec;
	const char *why; /* part of it; NULL when the edge is good */
	uint32_t priority, weight;
	size_t addresses;
} specs[] = {
	{ "e.example.net=192.0.2.1", NULL, 10, 10, 1 },
	{ "E.Example.NET.:5=192.0.2.1,2001:DB8::1", NULL, 5, 10, 2 },
	{ "e.example.net:0:65535=::1", NULL, 0, 65535, 1 },
	{ "e.example.net", "is not NAME", 0, 0, 0 },
	{ "e.example.net=", "is not NAME", 0, 0, 0 },
	{ "host=192.0.2.1", "not a full host name", 0, 0, 0 },
	{ "a b.example=192.0.2.1", "not a full host name", 0, 0, 0 },
	{ "e.example.net:=192.0.2.1", "0 to 65535", 0, 0, 0 },
	{ "e.example.net:65536=192.0.2.1", "0 to 65535", 0, 0, 0 },
	{ "e.example.net:-1=192.0.2.1", "0 to 65535", 0, 0, 0 },
	{ "e.example.net:1:2:3=192.0.2.1", "0 to 65535", 0, 0, 0 },
	{ "e.example.net=192.0.2.256", "not an IP address", 0, 0, 0 },
	{ "e.example.net=192.0.2.1,", "not an IP address", 0, 0, 0 },
	{ "e.example.net=1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,"
	  "1.1.1.1,1.1.1.1,1.1.1.1",
	    "more than 8", 0, 0, 0 },
};

static void
test_edges(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct dns_plan *p = calloc(1, sizeof(*p));
		char why[600] = "";
		bool ok;

		assert_non_null(p);
		ok = dns_plan_add_edge(p, specs[i].spec, why, sizeof(why));
		assert_int_equal(ok, specs[i].why == NULL);
		if (!ok) {
			assert_non_null(strstr(why, specs[i].why));
			assert_int_equal(p->edge_count, 0);
		} else {
			assert_string_equal(p->edges[0].name, "e.example.net");
			assert_int_equal(
			    p->edges[0].priority, specs[i].priority);
			assert_int_equal(p->edges[0].weight, specs[i].weight);
			assert_int_equal(p->edges[0].count, specs[i].addresses);
			assert_false(dns_plan_add_edge(
			    p, specs[i].spec, why, sizeof(why)));
		}
		free(p);
	}
}

static void
test_zones(void **state)
{
	static const struct {
		const char *name, *zone;
	} names[] = {
		{ "contoso.example", "contoso.example" },
		{ "edge1.contoso.example", "contoso.example" },
		{ "a.corp.contoso.example", "corp.contoso.example" },
		{ "notcontoso.example", "example" },
		{ "edge.fabrikam.example", "fabrikam.example" },
		{ "x.dmz.adatum.example", "adatum.example" },
	};
	struct dns_plan *p = calloc(1, sizeof(*p));

	(void)state;
	assert_non_null(p);
	assert_true(args_names_add(
	    &p->domains, "test", "contoso.example,corp.contoso.example"));
	assert_true(args_names_add(&p->zones, "test", "adatum.example"));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_string_equal(
		    dns_plan_zone_of(p, names[i].name), names[i].zone);
	free(p);
}

static void
test_private(void **state)
{
	static const struct {
		const char *address;
		bool is_private;
	} addresses[] = {
		{ "10.0.0.1", true },
		{ "11.0.0.1", false },
		{ "172.15.255.255", false },
		{ "172.16.0.0", true },
		{ "172.31.255.255", true },
		{ "172.32.0.0", false },
		{ "192.168.1.1", true },
		{ "192.169.0.1", false },
		{ "127.0.0.1", true },
		{ "169.254.1.1", true },
		{ "100.63.255.255", false },
		{ "100.64.0.1", true },
		{ "100.127.255.255", true },
		{ "100.128.0.0", false },
		{ "::1", true },
		{ "fe80::1", true },
		{ "fd00::1", true },
		{ "2001:db8::1", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		assert_int_equal(dns_plan_is_private(addresses[i].address),
		    addresses[i].is_private);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_private),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
