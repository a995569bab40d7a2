#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "common/buf.h"
#include "common/err.h"
#include "edge-proxy/hosting.h"
#include "proto/frame.h"
#include "tests/unit/json_patch.h"

static const char sample[] =
    "{'generation': {'store': 's1', 'counter': 7},"
    " 'hosted': [{'domain': 'contoso.example'}],"
    " 'partners': [{'Domain': 'Partner.example', 'PartnerType': 'Federated',"
    "  'AdditionalDomains': ['b.example'], 'TlsNegotiation': 'Required',"
    "  'SaslNegotiation': 'Optional', 'SupportDialbackNegotiation': false,"
    "  'ProxyFqdn': '', 'ConnectionLimit': 5, 'EnableKeepAlive': false}],"
    " 'dialback': {'current': '00112233445566778899aabbccddeeff'},"
    " 'settings': {'inward_window': 20, 'language': 'de', 'later': true},"
    " 'unknown': []}";

/* What the last confirm said. */
struct answer {
	int rc;
	char status[16], reason[1024];
	size_t fenced;
};

static struct hosting *h;
static unsigned changes;

static void
on_change(void *arg)
{
	(void)arg;
	changes++;
}

static int
setup(void **state)
{
	(void)state;
	changes = 0;
	assert_int_equal(hosting_new(&h), 0);
	hosting_on_change(h, on_change, NULL);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	hosting_free(h);
	return 0;
}

static void
read_confirm(struct answer *a, const struct buf *b)
{
	const struct frame_field *json;
	struct frame f;
	json_t *root;

	assert_int_equal(frame_decode(&f, b->data, b->len), 0);
	assert_int_equal(f.type, FRAME_CONFIRM);
	assert_true(frame_copy(&f, FIELD_STATUS, a->status, sizeof(a->status)));
	frame_copy(&f, FIELD_REASON, a->reason, sizeof(a->reason));
	json = frame_field(&f, FIELD_JSON);
	a->fenced = 0;
	if (json == NULL)
		return;
	root = json_loadb((const char *)json->data, json->len, 0, NULL);
	assert_non_null(root);
	assert_non_null(json_object_get(root, "hash"));
	a->fenced = json_array_size(json_object_get(root, "fenced"));
	json_decref(root);
}

/* A node of the store s1 unless the patch says otherwise. */
static struct answer
apply(const char *node, const char *store, uint64_t epoch, const char *patch)
{
	char *text = json_patch(sample, patch);
	struct buf config, confirm;
	struct frame_writer w;
	struct answer a = { 0 };
	struct frame f;

	buf_init(&config, FRAME_MAX);
	buf_init(&confirm, FRAME_MAX);
	frame_begin(&w, &config, FRAME_CONFIG);
	frame_put_str(&w, FIELD_JSON, text);
	assert_int_equal(frame_end(&w), 0);
	assert_int_equal(frame_decode(&f, config.data, config.len), 0);
	a.rc = hosting_apply(h, node, store, epoch, &f, &confirm);
	read_confirm(&a, &confirm);
	buf_finish(&config);
	buf_finish(&confirm);
	free(text);
	return a;
}

static void
test_a_generation_in_force(void **state)
{
	const struct partner *p;
	const char *current, *previous;
	struct answer a;

	(void)state;
	assert_false(hosting_serves(h, "contoso.example"));
	assert_false(hosting_open(h));
	assert_int_equal(
	    hosting_settings(h, "contoso.example")->inward_window, 500);
	a = apply("gw1", "s1", 3, "{}");
	assert_int_equal(a.rc, 0);
	assert_string_equal(a.status, "ok");
	assert_int_equal(changes, 1);
	assert_true(hosting_serves(h, "contoso.example"));
	assert_false(hosting_serves(h, "sub.contoso.example"));
	assert_true(hosting_open(h));
	assert_string_equal(hosting_owner(h, "contoso.example"), "gw1");
	p = hosting_partner(h, "contoso.example", "partner.example");
	assert_non_null(p);
	assert_int_equal(p->type, PARTNER_FEDERATED);
	assert_int_equal(p->sasl, NEG_OPTIONAL);
	assert_false(p->dialback);
	assert_false(p->keep_alive);
	assert_int_equal(p->connection_limit, 5);
	p = hosting_partner(h, "contoso.example", "b.example");
	assert_non_null(p);
	assert_string_equal(p->domain, "b.example");
	assert_null(hosting_partner(h, "contoso.example", "c.example"));
	assert_null(hosting_partner(h, "other.example", "b.example"));
	assert_int_equal(
	    hosting_settings(h, "contoso.example")->inward_window, 20);
	assert_string_equal(
	    hosting_settings(h, "contoso.example")->language, "de");
	assert_true(
	    hosting_dialback(h, "contoso.example", &current, &previous));
	assert_string_equal(current, "00112233445566778899aabbccddeeff");
	assert_null(previous);
}

static const struct {
	const char *patch, *reason;
} mistakes[] = {
	{ "{'generation': null}", "config: /generation: is missing" },
	{ "{'generation': {'counter': null}}",
	    "config: /generation/counter: is missing" },
	{ "{'generation': {'store': ''}}",
	    "config: /generation/store: must have 1 to 64 characters" },
	{ "{'hosted': {}}", "config: /hosted: must be an array, is an object" },
	{ "{'hosted': [{'domain': 'a.example'}, {'domain': 'A.example'}]}",
	    "config: /hosted/1/domain: is listed twice" },
	{ "{'hosted': [{}]}", "config: /hosted/0/domain: is missing" },
	{ "{'partners': [{'Domain': 'Contoso.example'}]}",
	    "config: /partners/0/Domain: contoso.example is a hosted domain" },
	{ "{'partners': [{'Domain': 'a.example', "
	  "'AdditionalDomains': ['contoso.example']}]}",
	    "config: /partners/0/AdditionalDomains/0: contoso.example is a "
	    "hosted domain" },
	{ "{'partners': [{'Domain': 'a.example'}, {'Domain': 'a.example'}]}",
	    "config: /partners/1/Domain: a.example is listed twice" },
	{ "{'partners': [{'Domain': 'a.example', "
	  "'TlsNegotiation': 'NotSupported', 'SaslNegotiation': "
	  "'NotSupported', "
	  "'SupportDialbackNegotiation': false}]}",
	    "config: /partners/0: permits no way to authenticate" },
	{ "{'partners': [{'Domain': 'a.example', 'PartnerType': 'x'}]}",
	    "config: /partners/0/PartnerType: \"x\" is none of \"Federated\", "
	    "\"PublicVerified\", \"PublicUnverified\"" },
	{ "{'dialback': {'current': 'abc'}}",
	    "config: /dialback/current: must be 32 to 256 hex digits" },
	{ "{'settings': {'stanza_max': 9999}}",
	    "config: /settings/stanza_max: 9999 is below 10000" },
	{ "{'settings': {'inward_window': 0}}",
	    "config: /settings/inward_window: 0 is below 1" },
	{ "{'generation': {'store': 's2'}}",
	    "the generation is of store s2, the gateway of store s1" },
};

static void
test_each_mistake_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct answer a = apply("gw1", "s1", 1, mistakes[i].patch);

		assert_string_equal(a.reason, mistakes[i].reason);
		assert_string_equal(a.status, "refused");
		assert_int_equal(a.rc, ERR_CONFIG);
	}
	assert_int_equal(changes, 0);
	assert_false(hosting_serves(h, "contoso.example"));
}

static void
test_generations_never_fall(void **state)
{
	struct answer a;

	(void)state;
	assert_int_equal(apply("gw1", "s1", 1, "{}").rc, 0);
	/* The same again is no news, and no mistake. */
	assert_int_equal(apply("gw1", "s1", 2, "{}").rc, 0);
	a = apply("gw1", "s1", 2, "{'settings': {'inward_window': 30}}");
	assert_int_equal(a.rc, ERR_CONFIG);
	assert_string_equal(
	    a.reason, "generation 7 was seen with another content");
	assert_int_equal(
	    hosting_settings(h, "contoso.example")->inward_window, 20);
	a = apply("gw1", "s1", 2, "{'generation': {'counter': 6}}");
	assert_int_equal(a.rc, ERR_CONFIG);
	assert_string_equal(a.reason, "generation 6 is older than 7");
	assert_int_equal(
	    apply("gw1", "s1", 2, "{'generation': {'counter': 8}}").rc, 0);
	/* Gone and come back: still remembered. */
	hosting_drop(h, "gw1");
	assert_false(hosting_serves(h, "contoso.example"));
	assert_int_equal(apply("gw1", "s1", 2, "{}").rc, ERR_CONFIG);
	/* Another store counts by itself. */
	assert_int_equal(apply("gw1", "s2", 2,
			     "{'generation': {'store': 's2', 'counter': 1}}")
			     .rc,
	    0);
}

#define OTHER "{'generation': {'store': 's2', 'counter': 1}}"

static void
test_the_higher_epoch_is_obeyed(void **state)
{
	struct buf confirm;
	struct answer a;

	(void)state;
	apply("gw1", "s1", 5, "{}");
	a = apply("gw2", "s2", 4, OTHER);
	assert_int_equal(a.rc, 0);
	assert_string_equal(a.status, "fenced");
	assert_int_equal(a.fenced, 1);
	assert_string_equal(hosting_owner(h, "contoso.example"), "gw1");
	assert_int_equal(hosting_fenced(h, "gw2"), 1);
	/* Equal epochs: who had it keeps it. */
	a = apply("gw2", "s2", 5, OTHER);
	assert_string_equal(a.status, "fenced");
	a = apply("gw2", "s2", 6, OTHER);
	assert_string_equal(a.status, "ok");
	assert_string_equal(hosting_owner(h, "contoso.example"), "gw2");
	assert_int_equal(hosting_fenced(h, "gw1"), 1);
	buf_init(&confirm, FRAME_MAX);
	assert_int_equal(hosting_confirm(h, "gw1", &confirm), 0);
	read_confirm(&a, &confirm);
	buf_finish(&confirm);
	assert_string_equal(a.status, "fenced");
	/* Domains nobody else claims stay with the fenced one. */
	apply("gw1", "s1", 5,
	    "{'generation': {'counter': 8}, 'hosted': "
	    "[{'domain': 'contoso.example'}, {'domain': 'own.example'}]}");
	assert_string_equal(hosting_owner(h, "own.example"), "gw1");
	assert_string_equal(hosting_owner(h, "contoso.example"), "gw2");
	hosting_drop(h, "gw2");
	assert_string_equal(hosting_owner(h, "contoso.example"), "gw1");
	assert_int_equal(hosting_fenced(h, "gw1"), 0);
}

static void
test_an_absent_gateway_yields(void **state)
{
	(void)state;
	apply("gw1", "s1", 5, "{}");
	hosting_set_absent(h, "gw1", true);
	/* Nobody else: it is still served, but nobody is let in. */
	assert_string_equal(hosting_owner(h, "contoso.example"), "gw1");
	assert_false(hosting_open(h));
	assert_int_equal(changes, 2);
	hosting_set_absent(h, "gw1", true);
	assert_int_equal(changes, 2);
	apply("gw2", "s2", 4, OTHER);
	assert_string_equal(hosting_owner(h, "contoso.example"), "gw2");
	assert_true(hosting_open(h));
	hosting_set_absent(h, "gw1", false);
	assert_string_equal(hosting_owner(h, "contoso.example"), "gw1");
	hosting_set_absent(h, "gw2", true);
	hosting_set_absent(h, "gw1", true);
	assert_string_equal(hosting_owner(h, "contoso.example"), "gw1");
	assert_false(hosting_open(h));
}

static void
test_bounds_are_the_most_permitted(void **state)
{
	struct hosting_bounds b;

	(void)state;
	hosting_bounds(h, &b);
	assert_int_equal(b.connections, 1000);
	assert_int_equal(b.half_open, 512);
	assert_int_equal(b.address, 500);
	assert_int_equal(b.address_half_open, 64);
	assert_int_equal(b.memory_max, 256 << 20);
	apply("gw1", "s1", 1,
	    "{'settings': {'connection_limit': 10, 'half_open_limit': 7,"
	    " 'address_limit': 3, 'address_half_open': 2,"
	    " 'memory_max': 67108864}}");
	hosting_bounds(h, &b);
	assert_int_equal(b.connections, 10);
	assert_int_equal(b.half_open, 7);
	assert_int_equal(b.address, 3);
	assert_int_equal(b.address_half_open, 2);
	assert_int_equal(b.memory_max, 64 << 20);
	apply("gw2", "s2", 1,
	    "{'generation': {'store': 's2'},"
	    " 'settings': {'connection_limit': 20, 'half_open_limit': 5,"
	    " 'address_limit': 3, 'address_half_open': 3,"
	    " 'memory_max': 33554432}}");
	hosting_bounds(h, &b);
	assert_int_equal(b.connections, 20);
	assert_int_equal(b.half_open, 7);
	assert_int_equal(b.address_half_open, 3);
	assert_int_equal(b.memory_max, 64 << 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_a_generation_in_force, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_each_mistake_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_generations_never_fall, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_the_higher_epoch_is_obeyed, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_an_absent_gateway_yields, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_bounds_are_the_most_permitted, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
