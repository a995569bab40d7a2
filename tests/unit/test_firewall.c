/* Sites, what follows from them, and how the formats write it: mistakes with
 * their places, decisions packet by packet, golden files. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "deploy/firewall_diagram.h"
#include "deploy/firewall_format.h"
#include "deploy/firewall_verify.h"
#include "tests/unit/json_patch.h"

static struct port_table *table;

static int
set_up(void **state)
{
	char why[512];

	(void)state;
	return port_table_load(&table, NULL, why, sizeof(why));
}

static int
tear_down(void **state)
{
	(void)state;
	port_table_free(table);
	return 0;
}

static struct prefix
prefix(const char *s)
{
	struct prefix p;
	char why[160];

	if (prefix_parse(&p, s, why, sizeof(why)) < 0)
		fail_msg("%s", why);
	return p;
}

/* --- prefixes ------------------------------------------------------------- */

static void
test_prefixes_are_read_strictly(void **state)
{
	static const struct {
		const char *in, *out; /* NULL = refused */
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "192.0.2.1/32", "192.0.2.1" },
		{ "10.0.0.0/8", "10.0.0.0/8" },
		{ "0.0.0.0/0", "0.0.0.0/0" },
		{ "2001:DB8::1", "2001:db8::1" },
		{ "2001:db8::/32", "2001:db8::/32" },
		{ "10.0.0.1/8", NULL },
		{ "10.0.0.0/33", NULL },
		{ "10.0.0.0/", NULL },
		{ "10.0.0.0/0x8", NULL },
		{ "10.0.0.0/-1", NULL },
		{ "10.0.0", NULL },
		{ "", NULL },
		{ "2001:db8::1/32", NULL },
		{ "2001:db8::/129", NULL },
		{ "host.example", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[PREFIX_TEXT], why[160] = "";
		struct prefix p;
		int rc = prefix_parse(&p, rows[i].in, why, sizeof(why));

		if ((rc == 0) != (rows[i].out != NULL))
			fail_msg("%s: %d", rows[i].in, rc);
		if (rc < 0) {
			assert_true(why[0] != '\0');
			continue;
		}
		prefix_text(text, &p);
		assert_string_equal(text, rows[i].out);
	}
}

static void
test_prefixes_contain_each_other(void **state)
{
	static const struct {
		const char *outer, *inner;
		bool contains;
	} rows[] = {
		{ "10.0.0.0/8", "10.1.2.3", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "10.1.0.0/17", "10.1.127.255", true },
		{ "10.1.0.0/17", "10.1.128.0", false },
		{ "10.1.2.3", "10.0.0.0/8", false },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
	};
	char text[PREFIX_TEXT];
	struct prefix p = prefix("10.1.128.0/17");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct prefix a = prefix(rows[i].outer);
		struct prefix b = prefix(rows[i].inner);

		assert_int_equal(prefix_contains(&a, &b), rows[i].contains);
	}
	prefix_mask(text, &p);
	assert_string_equal(text, "255.255.128.0");
}

/* --- sites ---------------------------------------------------------------- */

static const char sample[] =
    "{'name': 'x', 'topology': 'single-nat',"
    " 'networks': {'internal': ['10.1.0.0/16']},"
    " 'edges': [{'name': 'edge1', 'external': ['172.16.1.10'],"
    "  'public': ['198.51.100.10'], 'internal': ['172.16.2.10']}],"
    " 'gateways': [{'name': 'gw1', 'addresses': ['10.1.0.5']}],"
    " 'front_ends': [{'name': 'fe1', 'addresses': ['10.1.0.10']}]}";

static int
load(struct firewall_site **out, const char *patch, char *why, size_t size)
{
	char *text = json_patch(sample, patch);
	int rc = firewall_site_parse(out, "site.json", text, table, why, size);

	free(text);
	return rc;
}

static void
test_a_mistake_in_a_site_is_told_with_its_place(void **state)
{
	static const struct {
		const char *patch, *error; /* NULL = in order */
	} rows[] = {
		{ "{}", NULL },
		{ "{'topology': 'star'}", "/topology: \"star\" is none of" },
		{ "{'topology': null}", "/topology: is missing" },
		{ "{'moat': 1}", "/moat: is not a known setting" },
		{ "{'name': 'a\\nb'}", "/name: must be one line" },
		{ "{'edges': []}", "/edges: is empty" },
		{ "{'edges': {}}", "/edges: must be an array" },
		{ "{'topology': 'scaled-dns-nat'}",
		    "/edges: topology scaled-dns-nat has two edges or more" },
		{ "{'topology': 'single-public'}",
		    "/edges/0/public: has no place in topology single-public" },
		{ "{'edges': [{'name': 'e', 'external': ['172.16.1.10'],"
		  "'internal': ['172.16.2.10']}]}",
		    "/edges/0/public: is missing" },
		{ "{'edges': [{'name': 'e', 'external': ['172.16.1.300'],"
		  "'public': ['198.51.100.10'], 'internal': ['172.16.2.10']}]}",
		    "/edges/0/external/0: \"172.16.1.300\" is not an IP "
		    "address" },
		{ "{'edges': [{'name': 'e', 'external': ['172.16.1.0/24'],"
		  "'public': ['198.51.100.10'], 'internal': ['172.16.2.10']}]}",
		    "/edges/0/external/0: \"172.16.1.0/24\" is a network" },
		{ "{'edges': [{'name': 'e', 'external': ['172.16.1.10'],"
		  "'public': ['10.9.9.9'], 'internal': ['172.16.2.10']}]}",
		    "/edges/0/public/0: is private" },
		{ "{'edges': [{'name': 'e', 'external': ['172.16.1.10'],"
		  "'public': ['2001:db8::1'], 'internal': ['172.16.2.10']}]}",
		    "/edges/0/public/0: is of another family" },
		{ "{'edges': [{'name': 'e', 'external': ['172.16.1.10'],"
		  "'public': ['198.51.100.10'], 'internal': ['10.1.2.10']}]}",
		    "/edges/0/internal/0: is in an internal network" },
		{ "{'edges': [{'name': 'e 1', 'external': ['172.16.1.10'],"
		  "'public': ['198.51.100.10'], 'internal': ['172.16.2.10']}]}",
		    "/edges/0/name: \"e 1\" is not a host's name" },
		{ "{'gateways': [{'name': 'gw1', 'addresses': ['10.2.0.5']}]}",
		    "/gateways/0/addresses/0: is in none of" },
		{ "{'gateways': [{'name': 'gw1', 'addresses': "
		  "['172.16.2.10']}]}",
		    "/gateways/0/addresses/0: is the address of edge1" },
		{ "{'gateways': [{'name': 'edge1', 'addresses': "
		  "['10.1.0.5']}]}",
		    "/gateways/0/name: edge1 is there already" },
		{ "{'front_ends': [{'name': 'fe1', 'addresses': []}]}",
		    "/front_ends/0/addresses: is empty" },
		{ "{'front_ends': [{'name': 'fe1', 'addresses': [7]}]}",
		    "/front_ends/0/addresses/0: must be a string" },
		{ "{'networks': {'internal': ['10.1.0.1/16']}}",
		    "/networks/internal/0: \"10.1.0.1/16\": the address has "
		    "bits beyond its /16" },
		{ "{'resolvers': ['10.1.0.53']}",
		    "/resolvers/0: is in an internal network; nothing leads" },
		{ "{'partners': [{'domain': 'p.example', 'addresses': "
		  "['10.0.0.0/8']}]}",
		    "/partners/0/addresses/0: is in an internal network" },
		{ "{'partners': [{'domain': 'p.example', 'port': 70000, "
		  "'addresses': ['203.0.113.1']}]}",
		    "/partners/0/port: 70000 is above 65535" },
		{ "{'load_balancer': {'external': ['198.51.100.9']}}",
		    "/load_balancer: has no place in topology single-nat" },
		{ "{'features': ['teleport']}",
		    "/features/0: \"teleport\" is no feature" },
		{ "{'features': ['xmpp', 'av']}",
		    "feature av needs addresses for lync-av" },
		{ "{'ports': {'xmpp': 0}}", "/ports/xmpp: 0 is below 1" },
		{ "{'ports': {'smtp': 25}}",
		    "/ports/smtp: is not a known setting" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct firewall_site *s = NULL;
		char why[1024] = "";
		int rc = load(&s, rows[i].patch, why, sizeof(why));

		if (rows[i].error == NULL) {
			if (rc < 0)
				fail_msg("%s", why);
			firewall_site_free(s);
			continue;
		}
		if (rc == 0 || strstr(why, rows[i].error) == NULL)
			fail_msg("%s: %d %s", rows[i].patch, rc, why);
		assert_int_equal(strncmp(why, "site.json: /", 12), 0);
	}
}

/* --- decisions ------------------------------------------------------------ */

struct decision {
	const char *from; /* NULL = outside, not listed */
	const char *to;
	enum port_transport transport;
	uint16_t port;
	const char *rule; /* NULL = none decides */
	bool allow;
};

static void
check(const char *patch, const struct decision *rows, size_t count)
{
	struct firewall_plan *plan;
	struct firewall_site *site;
	char why[512];

	if (load(&site, patch, why, sizeof(why)) < 0)
		fail_msg("%s", why);
	assert_int_equal(firewall_rules_make(&plan, table, site, -1), 0);
	for (size_t i = 0; i < count; i++) {
		const struct decision *d = &rows[i];
		struct prefix from = { 0 }, to = prefix(d->to);
		const struct firewall_rule *r;

		if (d->from != NULL)
			from = prefix(d->from);
		r = firewall_rules_decide(plan, d->from != NULL ? &from : NULL,
		    &to, d->transport, d->port);
		if ((r != NULL) != (d->rule != NULL) ||
		    (r != NULL && strcmp(r->name, d->rule) != 0))
			fail_msg("%s to %s %u: %s", d->from, d->to, d->port,
			    r != NULL ? r->name : "none");
		assert_int_equal(r != NULL && r->allow, d->allow);
	}
	firewall_rules_free(plan);
	firewall_site_free(site);
}

static void
test_what_a_small_site_lets_through(void **state)
{
	static const struct decision rows[] = {
		{ "203.0.113.9", "172.16.1.10", PORT_TCP, 5269, "sp-xmpp-in",
		    true },
		{ NULL, "172.16.1.10", PORT_TCP, 5269, "sp-xmpp-in", true },
		{ NULL, "172.16.1.10", PORT_TCP, 23456, NULL, false },
		{ NULL, "172.16.1.10", PORT_TCP, 22, NULL, false },
		{ NULL, "172.16.1.10", PORT_UDP, 5269, NULL, false },
		{ NULL, "172.16.2.10", PORT_TCP, 5269, NULL, false },
		{ NULL, "172.16.2.10", PORT_TCP, 23456, NULL, false },
		{ NULL, "10.1.0.5", PORT_TCP, 5061, NULL, false },
		{ "172.16.1.10", "203.0.113.9", PORT_TCP, 5269, "sp-xmpp-out",
		    true },
		{ "172.16.1.10", "203.0.113.9", PORT_TCP, 443, NULL, false },
		{ "172.16.1.10", "203.0.113.9", PORT_UDP, 53, "sp-dns-udp",
		    true },
		{ "172.16.2.10", "203.0.113.9", PORT_TCP, 5269, NULL, false },
		{ "10.1.0.5", "172.16.2.10", PORT_TCP, 23456, "sp-channel",
		    true },
		{ "10.1.0.5", "172.16.1.10", PORT_TCP, 5269,
		    "sp-nothing-outward", false },
		{ "10.1.0.10", "172.16.2.10", PORT_TCP, 23456,
		    "sp-nothing-outward", false },
		{ "10.1.0.5", "172.16.2.10", PORT_TCP, 22, "sp-nothing-outward",
		    false },
		/* The edge may reach 5269 anywhere, but not inside. */
		{ "172.16.1.10", "10.1.0.5", PORT_TCP, 5269,
		    "sp-nothing-inside", false },
		{ "172.16.1.10", "10.1.0.53", PORT_UDP, 53, "sp-nothing-inside",
		    false },
		{ "172.16.2.10", "10.1.0.5", PORT_TCP, 23456,
		    "sp-nothing-inside", false },
		{ "172.16.2.10", "10.1.0.10", PORT_TCP, 5061,
		    "sp-nothing-inside", false },
		{ "10.1.0.5", "10.1.0.10", PORT_TCP, 5061, "sp-sip-to-pool",
		    true },
		{ "10.1.0.10", "10.1.0.5", PORT_TCP, 5061, "sp-sip-from-pool",
		    true },
		{ "10.1.0.77", "10.1.0.5", PORT_TCP, 5061, NULL, false },
	};

	(void)state;
	check("{}", rows, sizeof(rows) / sizeof(rows[0]));
}

static void
test_pinned_partners_moved_ports_and_named_resolvers(void **state)
{
	static const struct decision rows[] = {
		{ "203.0.113.20", "172.16.1.10", PORT_TCP, 15000,
		    "sp-xmpp-in-a-example", true },
		{ "203.0.113.20", "172.16.1.10", PORT_TCP, 5269, NULL, false },
		{ "203.0.113.21", "172.16.1.10", PORT_TCP, 15000, NULL, false },
		{ "203.0.113.70", "172.16.1.10", PORT_TCP, 15000,
		    "sp-xmpp-in-b-example", true },
		{ NULL, "172.16.1.10", PORT_TCP, 15000, NULL, false },
		{ "172.16.1.10", "203.0.113.20", PORT_TCP, 5269,
		    "sp-xmpp-out-a-example", true },
		{ "172.16.1.10", "203.0.113.70", PORT_TCP, 5299,
		    "sp-xmpp-out-b-example", true },
		{ "172.16.1.10", "203.0.113.70", PORT_TCP, 5269, NULL, false },
		{ "172.16.1.10", "198.51.100.53", PORT_UDP, 53, "sp-dns-udp",
		    true },
		{ "172.16.1.10", "198.51.100.54", PORT_UDP, 53, NULL, false },
		{ "10.1.0.5", "172.16.2.10", PORT_TCP, 24000, "sp-channel",
		    true },
		{ "10.1.0.5", "172.16.2.10", PORT_TCP, 23456,
		    "sp-nothing-outward", false },
	};

	(void)state;
	check("{'ports': {'xmpp': 15000, 'channel': 24000},"
	      " 'resolvers': ['198.51.100.53'],"
	      " 'partners': [{'domain': 'a.example',"
	      "  'addresses': ['203.0.113.20']}, {'domain': 'b.example',"
	      "  'addresses': ['203.0.113.64/28'], 'port': 5299}]}",
	    rows, sizeof(rows) / sizeof(rows[0]));
}

/* A second port for those who ask for it, moved or not, and no other way. */
static void
test_direct_tls_is_for_sites_that_have_it(void **state)
{
	static const struct decision none[] = {
		{ NULL, "172.16.1.10", PORT_TCP, 5270, NULL, false },
		{ "172.16.1.10", "203.0.113.20", PORT_TCP, 5270, NULL, false },
	};
	static const struct decision rows[] = {
		{ NULL, "172.16.1.10", PORT_TCP, 5269, "sp-xmpp-in", true },
		{ NULL, "172.16.1.10", PORT_TCP, 5270, "sp-direct-in", true },
		{ NULL, "172.16.2.10", PORT_TCP, 5270, NULL, false },
		{ "172.16.1.10", "203.0.113.20", PORT_TCP, 5270,
		    "sp-direct-out", true },
		{ "172.16.1.10", "10.1.0.5", PORT_TCP, 5270,
		    "sp-nothing-inside", false },
		{ "10.1.0.5", "172.16.1.10", PORT_TCP, 5270,
		    "sp-nothing-outward", false },
	};
	static const struct decision moved[] = {
		{ NULL, "172.16.1.10", PORT_TCP, 443, "sp-direct-in", true },
		{ NULL, "172.16.1.10", PORT_TCP, 5270, NULL, false },
		{ "172.16.1.10", "203.0.113.20", PORT_TCP, 5443,
		    "sp-direct-out", true },
	};

	(void)state;
	check("{}", none, sizeof(none) / sizeof(none[0]));
	check("{'features': ['xmpp', 'direct-tls']}", rows,
	    sizeof(rows) / sizeof(rows[0]));
	check("{'features': ['xmpp', 'direct-tls'],"
	      " 'ports': {'direct': 443, 'partner-direct': 5443}}",
	    moved, sizeof(moved) / sizeof(moved[0]));
}

/* Where addresses are translated, its port is translated too. */
static void
test_direct_tls_is_translated(void **state)
{
	static const struct {
		const char *features, *format, *line;
		bool there;
	} rows[] = {
		{ "'xmpp', 'direct-tls'", "nftables",
		    "ip daddr 198.51.100.10 tcp dport 5270 dnat ip to "
		    "172.16.1.10\n",
		    true },
		{ "'xmpp', 'direct-tls'", "iptables",
		    "-A PREROUTING -d 198.51.100.10 -p tcp -m tcp --dport 5270 "
		    "-j DNAT --to-destination 172.16.1.10\n",
		    true },
		{ "'xmpp'", "nftables", "dport 5270", false },
		{ "'xmpp'", "iptables", "dport 5270", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct firewall_format_opts opts = { .nat = true };
		const struct firewall_format *format;
		struct firewall_plan *plan;
		struct firewall_site *site;
		char why[512], patch[100];
		struct buf out;
		size_t k = 0;

		snprintf(patch, sizeof(patch), "{'features': [%s]}",
		    rows[i].features);
		if (load(&site, patch, why, sizeof(why)) < 0)
			fail_msg("%s", why);
		assert_int_equal(
		    firewall_rules_make(&plan, table, site, -1), 0);
		while ((format = firewall_format_at(k)) != NULL &&
		       strcmp(format->name, rows[i].format) != 0)
			k++;
		assert_non_null(format);
		buf_init(&out, 0);
		format->write(&out, plan, &opts);
		if ((strstr(buf_cstr(&out), rows[i].line) != NULL) !=
		    rows[i].there)
			fail_msg("row %zu: %s", i, buf_cstr(&out));
		buf_finish(&out);
		firewall_rules_free(plan);
		firewall_site_free(site);
	}
}

/* --- formats -------------------------------------------------------------- */

static const char *const topologies[] = { "single-nat", "single-public",
	"scaled-dns-nat", "scaled-dns-public", "scaled-hlb" };

/* With SALLYPORT_GOLDEN=write in the environment the file is made new. */
static void
compare(const char *topology, const char *format, const struct buf *got)
{
	const char *mode = getenv("SALLYPORT_GOLDEN");
	char path[200];
	struct buf want;
	FILE *f;
	int c;

	assert_false(buf_failed(got));
	snprintf(path, sizeof(path), "tests/golden/firewall/%s.%s", topology,
	    format);
	if (mode != NULL && strcmp(mode, "write") == 0) {
		f = fopen(path, "w");
		assert_non_null(f);
		assert_int_equal(fwrite(got->data, 1, got->len, f), got->len);
		assert_int_equal(fclose(f), 0);
		return;
	}
	f = fopen(path, "r");
	if (f == NULL)
		fail_msg("%s is not there", path);
	buf_init(&want, 0);
	while ((c = getc(f)) != EOF)
		buf_add_char(&want, (char)c);
	fclose(f);
	if (want.len != got->len || memcmp(want.data, got->data, got->len) != 0)
		fail_msg("%s is not what is written now", path);
	buf_finish(&want);
}

static void
test_every_format_and_topology_is_as_in_its_golden_file(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(topologies) / sizeof(topologies[0]);
	     i++) {
		const struct firewall_format *format;
		struct firewall_plan *plan;
		struct firewall_site *site;
		char path[200], why[512];
		struct buf out;

		snprintf(path, sizeof(path), "deploy/examples/sites/%s.json",
		    topologies[i]);
		if (firewall_site_load(&site, path, table, why, sizeof(why)) <
		    0)
			fail_msg("%s", why);
		assert_string_equal(
		    port_topology_name(site->topology), topologies[i]);
		assert_int_equal(
		    firewall_rules_make(&plan, table, site, -1), 0);
		buf_init(&out, 0);
		for (size_t k = 0; (format = firewall_format_at(k)) != NULL;
		     k++) {
			struct firewall_format_opts opts = {
				.nat = format->can_nat &&
				       firewall_site_is_nat(site)
			};

			buf_clear(&out);
			format->write(&out, plan, &opts);
			compare(topologies[i], format->name, &out);
		}
		buf_clear(&out);
		firewall_diagram_write(&out, plan);
		compare(topologies[i], "svg", &out);
		buf_finish(&out);
		firewall_rules_free(plan);
		firewall_site_free(site);
	}
}

/* Whatever the format: each allowed rule is in it by name or by reason, and
 * what no program here reads says so. */
static void
test_no_format_leaves_a_rule_or_the_warning_out(void **state)
{
	const struct firewall_format *format;
	struct firewall_plan *plan;
	struct firewall_site *site;
	struct buf out;
	char why[512];

	(void)state;
	assert_int_equal(
	    firewall_site_load(&site, "deploy/examples/sites/single-nat.json",
		table, why, sizeof(why)),
	    0);
	assert_int_equal(firewall_rules_make(&plan, table, site, -1), 0);
	buf_init(&out, 0);
	for (size_t k = 0; (format = firewall_format_at(k)) != NULL; k++) {
		struct firewall_format_opts opts = { 0 };
		const char *text;

		buf_clear(&out);
		format->write(&out, plan, &opts);
		text = buf_cstr(&out);
		assert_int_equal(strstr(text, "NOT TRIED ON A DEVICE") != NULL,
		    !format->checked);
		for (size_t i = 0; i < plan->count; i++) {
			const struct firewall_rule *r = &plan->rules[i];
			bool elsewhere =
			    strcmp(format->name, "windows") == 0 ||
			    strcmp(format->name, "firewalld") == 0 ||
			    strcmp(format->name, "ip6tables") == 0;

			if (elsewhere)
				continue;
			if (strstr(text, r->name) == NULL &&
			    strcmp(format->name, "asa") != 0)
				fail_msg("%s: no %s", format->name, r->name);
			if (strstr(text, r->reason) == NULL)
				fail_msg("%s: no reason for %s", format->name,
				    r->name);
		}
	}
	buf_finish(&out);
	firewall_rules_free(plan);
	firewall_site_free(site);
}

/* --- verification --------------------------------------------------------- */

static const struct firewall_probe *
find(const struct firewall_verify *v, const char *to, uint16_t port)
{
	struct prefix p = prefix(to);

	for (size_t i = 0; i < v->count; i++)
		if (v->probes[i].port == port &&
		    prefix_equal(&v->probes[i].address, &p))
			return &v->probes[i];
	return NULL;
}

static void
test_what_is_tried_from_each_host(void **state)
{
	static const struct {
		const char *host, *to;
		uint16_t port;
		bool tried, wanted;
	} rows[] = {
		{ "gw1", "172.16.2.10", 23456, true, true },
		{ "gw1", "10.1.0.10", 5061, true, true },
		{ "gw1", "172.16.2.10", 22, true, false },
		{ "gw1", "172.16.1.10", 5269, true, false },
		{ "gw1", "10.1.0.10", 22, false, false },
		{ "edge1", "10.1.0.5", 5061, true, false },
		{ "edge1", "10.1.0.5", 23456, true, false },
		{ "edge1", "10.1.0.10", 22, true, false },
		{ "edge1", "10.1.0.10", 443, true, false },
		{ "fe1", "10.1.0.5", 5061, true, true },
		{ "fe1", "172.16.2.10", 23456, true, false },
		{ "internet", "198.51.100.10", 5269, true, true },
		{ "internet", "198.51.100.10", 23456, true, false },
		{ "internet", "198.51.100.10", 22, true, false },
		{ "internet", "172.16.1.10", 5269, false, false },
	};
	struct firewall_plan *plan;
	struct firewall_site *site;
	char why[512];

	(void)state;
	assert_int_equal(load(&site, "{}", why, sizeof(why)), 0);
	assert_int_equal(firewall_rules_make(&plan, table, site, -1), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct firewall_probe *p;
		struct firewall_verify *v;

		assert_true(firewall_verify_knows(site, rows[i].host));
		assert_int_equal(
		    firewall_verify_make(&v, plan, rows[i].host), 0);
		p = find(v, rows[i].to, rows[i].port);
		if ((p != NULL) != rows[i].tried)
			fail_msg("row %zu", i);
		if (p != NULL)
			assert_int_equal(p->wanted, rows[i].wanted);
		firewall_verify_free(v);
	}
	assert_false(firewall_verify_knows(site, "gw9"));
	firewall_rules_free(plan);
	firewall_site_free(site);
}

static void
test_outcomes_are_judged_by_what_was_planned(void **state)
{
	static const struct {
		enum firewall_outcome outcome;
		bool wanted, resets, ok;
	} rows[] = {
		{ FIREWALL_OPEN, true, false, true },
		{ FIREWALL_OPEN, false, false, false },
		{ FIREWALL_OPEN, false, true, false },
		{ FIREWALL_CLOSED, true, false, true },
		{ FIREWALL_CLOSED, false, false, false },
		{ FIREWALL_CLOSED, false, true, true },
		{ FIREWALL_FILTERED, true, false, false },
		{ FIREWALL_FILTERED, false, false, true },
		{ FIREWALL_UNANSWERED, true, false, true },
		{ FIREWALL_NO_SOURCE, true, false, false },
		{ FIREWALL_NO_SOURCE, false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct firewall_probe p = { .outcome = rows[i].outcome,
			.wanted = rows[i].wanted };

		assert_int_equal(
		    firewall_probe_ok(&p, rows[i].resets), rows[i].ok);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefixes_are_read_strictly),
		cmocka_unit_test(test_prefixes_contain_each_other),
		cmocka_unit_test(
		    test_a_mistake_in_a_site_is_told_with_its_place),
		cmocka_unit_test(test_what_a_small_site_lets_through),
		cmocka_unit_test(
		    test_pinned_partners_moved_ports_and_named_resolvers),
		cmocka_unit_test(test_direct_tls_is_for_sites_that_have_it),
		cmocka_unit_test(test_direct_tls_is_translated),
		cmocka_unit_test(
		    test_every_format_and_topology_is_as_in_its_golden_file),
		cmocka_unit_test(
		    test_no_format_leaves_a_rule_or_the_warning_out),
		cmocka_unit_test(test_what_is_tried_from_each_host),
		cmocka_unit_test(test_outcomes_are_judged_by_what_was_planned),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
