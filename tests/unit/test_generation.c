/* The configuration as edges are told it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#include "common/buf.h"
#include "common/err.h"
#include "edge-proxy/hosting_parse.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/generation.h"
#include "frontend-gateway/store/store.h"
#include "tests/unit/gateway_sample.h"

static char dir[64];
static char why[512];
static struct store *store;

static int
on_setup(void **state)
{
	char path[128];

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test_generation.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/gateway.db", dir);
	return store_open(&store, path, why, sizeof(why));
}

static int
on_teardown(void **state)
{
	char cmd[128];

	(void)state;
	store_close(store);
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	return system(cmd);
}

static void
write_secret(const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/secret", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static struct generation
make(const char *patch)
{
	struct gateway_conf *c = gateway_sample(patch);
	struct generation g;

	if (generation_make(&g, c, store, why, sizeof(why)) < 0)
		fail_msg("%s", why);
	gateway_conf_free(c);
	return g;
}

static void
the_number_rises_with_the_content(void **state)
{
	struct generation a = make(NULL), b = make(NULL);
	struct generation c = make("{'partners': []}");

	(void)state;
	assert_int_equal(a.counter, 1);
	assert_int_equal(b.counter, 1);
	assert_string_equal(a.hash, b.hash);
	assert_string_equal(a.text, b.text);
	assert_int_equal(c.counter, 2);
	assert_string_not_equal(a.hash, c.hash);
	generation_finish(&a);
	generation_finish(&b);
	generation_finish(&c);
}

static void
the_other_half_reads_it(void **state)
{
	struct generation g = make("{'partners': [{'Domain': 'a.example',"
				   "'PartnerType': 'Federated',"
				   "'AdditionalDomains': ['b.example'],"
				   "'SupportDialbackNegotiation': false}],"
				   "'limits': {'half_open_streams': 5,"
				   "'address_streams': 4,"
				   "'address_half_open': 3,"
				   "'stanzas_per_second': 2,"
				   "'edge_memory_bytes': 67108864}}");
	struct hosting_generation *h = NULL;

	(void)state;
	if (hosting_parse(&h, g.text, g.len, why, sizeof(why)) < 0)
		fail_msg("%s", why);
	assert_string_equal(h->hash, g.hash);
	assert_int_equal(h->counter, g.counter);
	assert_string_equal(h->store, store_facts(store)->id);
	assert_int_equal(h->hosted_count, 1);
	assert_string_equal(h->hosted[0], "contoso.example");
	assert_int_equal(h->partner_count, 2);
	assert_int_equal(h->partners[0].partner.connection_limit, 20);
	assert_false(h->partners[0].partner.dialback);
	assert_string_equal(h->partners[1].partner.domain, "b.example");
	assert_int_equal(h->settings.inward_deadline_ms, 65000);
	assert_int_equal(h->settings.keep_alive_ms, 300000);
	assert_true(h->settings.bidi);
	assert_int_equal(h->settings.outward_deadline_ms, 30000);
	assert_int_equal(h->settings.half_open_limit, 5);
	assert_int_equal(h->settings.address_limit, 4);
	assert_int_equal(h->settings.address_half_open, 3);
	assert_int_equal(h->settings.stanza_rate, 2);
	assert_int_equal(h->settings.memory_max, 64 << 20);
	assert_int_equal(strlen(h->dialback_current), 64);
	hosting_generation_free(h);
	generation_finish(&g);
}

/* count rows "<domain><number>.example<rest>". */
static struct gateway_conf *
many(int count, const char *domain, const char *rest)
{
	struct gateway_conf *c;
	struct buf b;

	buf_init(&b, 0);
	buf_add_str(&b, "{'partners': [");
	for (int i = 0; i < count; i++)
		buf_addf(&b, "%s{'Domain': '%s%d.example'%s}", i > 0 ? "," : "",
		    domain, i, rest);
	buf_add_str(&b, "]}");
	c = gateway_sample(buf_cstr(&b));
	buf_finish(&b);
	return c;
}

static void
a_table_no_frame_takes_is_refused(void **state)
{
	struct gateway_conf *c =
	    many(4096, "a-name-of-some-length-but-not-a-long-one.subsidiary",
		", 'PartnerType': 'Federated'");
	struct generation g;

	(void)state;
	assert_int_equal(
	    generation_make(&g, c, store, why, sizeof(why)), ERR_TOO_LONG);
	assert_non_null(strstr(why, "the partner table takes "));
	gateway_conf_free(c);
}

/* Members as usual are left out, and read as such. */
static void
a_thousand_partners_fit(void **state)
{
	struct gateway_conf *c = many(1000, "a-name-of-some-length",
	    ", 'PartnerType': 'Federated', 'TlsNegotiation': 'Optional',"
	    "'SaslNegotiation': 'Optional', 'ConnectionLimit': 5,"
	    "'EnableKeepAlive': false");
	struct gateway_conf *plain = many(4096, "partner", "");
	struct hosting_generation *h = NULL;
	struct generation g;

	(void)state;
	if (generation_make(&g, c, store, why, sizeof(why)) < 0)
		fail_msg("%s", why);
	generation_finish(&g);
	if (generation_make(&g, plain, store, why, sizeof(why)) < 0)
		fail_msg("%s", why);
	assert_null(strstr(g.text, "PartnerType"));
	if (hosting_parse(&h, g.text, g.len, why, sizeof(why)) < 0)
		fail_msg("%s", why);
	assert_int_equal(h->partner_count, 4096);
	assert_int_equal(
	    h->partners[7].partner.type, PARTNER_PUBLIC_UNVERIFIED);
	assert_int_equal(h->partners[7].partner.tls, NEG_REQUIRED);
	assert_int_equal(h->partners[7].partner.sasl, NEG_REQUIRED);
	assert_true(h->partners[7].partner.dialback);
	assert_true(h->partners[7].partner.keep_alive);
	assert_int_equal(h->partners[7].partner.connection_limit, 20);
	assert_string_equal(h->partners[7].partner.proxy_fqdn, "");
	hosting_generation_free(h);
	generation_finish(&g);
	gateway_conf_free(c);
	gateway_conf_free(plain);
}

/* The secrets of a generation as an edge reads them. */
static void
assert_secrets(const char *patch, bool staged, uint64_t counter,
    const char *current, const char *previous)
{
	struct generation g = make(patch);
	struct hosting_generation *h = NULL;

	if (hosting_parse(&h, g.text, g.len, why, sizeof(why)) < 0)
		fail_msg("%s", why);
	assert_int_equal(staged, g.staged);
	assert_int_equal(counter, g.counter);
	assert_string_equal(current, h->dialback_current);
	assert_string_equal(previous, h->dialback_previous);
	hosting_generation_free(h);
	generation_finish(&g);
}

#define ONE "6f6e65206f6e65206f6e65206f6e65206f6e65"
#define TWO "74776f2074776f2074776f2074776f2074776f"

static void
a_new_secret_is_known_everywhere_before_it_is_used(void **state)
{
	char patch[200];
	struct gateway_conf *c;

	(void)state;
	snprintf(
	    patch, sizeof(patch), "{'dialback_secret_file': '%s/secret'}", dir);
	write_secret("one one one one one");
	assert_secrets(patch, false, 1, ONE, "");
	write_secret("two two two two two");
	assert_secrets(patch, true, 2, ONE, TWO);
	/* a restart meanwhile changes nothing */
	assert_secrets(patch, true, 2, ONE, TWO);
	c = gateway_sample(patch);
	assert_int_equal(0, generation_advance(c, store, why, sizeof(why)));
	gateway_conf_free(c);
	assert_secrets(patch, false, 3, TWO, ONE);
	/* and back again, to one that is known already */
	write_secret("one one one one one");
	assert_secrets(patch, true, 3, TWO, ONE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, on_setup, on_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_number_rises_with_the_content),
		TEST(the_other_half_reads_it),
		TEST(a_new_secret_is_known_everywhere_before_it_is_used),
		TEST(a_table_no_frame_takes_is_refused),
		TEST(a_thousand_partners_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
