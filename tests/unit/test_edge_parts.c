#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "common/buf.h"
#include "edge-proxy/hosting.h"
#include "edge-proxy/identities.h"
#include "edge-proxy/stream_report.h"
#include "proto/channel.h"
#include "proto/frame.h"
#include "tests/unit/make_cert.h"

static struct make_cert ca;

static void
add(struct identities *ids, struct make_cert_name name)
{
	struct make_cert leaf;
	struct tls_identity id;
	struct tls_identity_opts opts = { .peer = TLS_PEER_RECORDED,
		.judge_as_server = true,
		.min_version = TLS1_2_VERSION };
	char why[256];

	make_cert_new(&leaf, &(struct make_cert_opts){
				 .cn = "x", .issuer = &ca, .names = { name } });
	opts.certificate = leaf.pem;
	opts.certificate_len = strlen(leaf.pem);
	opts.key = leaf.key_pem;
	opts.key_len = strlen(leaf.key_pem);
	opts.trust = ca.pem;
	opts.trust_len = strlen(ca.pem);
	assert_int_equal(tls_identity_init(&id, &opts, why, sizeof(why)), 0);
	assert_int_equal(identities_add(ids, &id), 0);
	assert_null(id.server);
	make_cert_finish(&leaf);
}

static const struct {
	const char *domain;
	size_t index;
	bool named;
} picks[] = {
	{ "a.example", 0, true },
	{ "b.example", 1, true },
	{ "x.wild.example", 2, true },
	{ "c.example", 3, true },
	{ "y.x.wild.example", 0, false },
	{ "none.example", 0, false },
};

static void
test_the_certificate_that_names_the_domain(void **state)
{
	const struct tls_identity *found[4];
	struct identities *ids, *other;
	bool named;

	(void)state;
	make_cert_new(&ca, &(struct make_cert_opts){ .cn = "ca", .ca = true });
	assert_int_equal(identities_new(&ids), 0);
	assert_null(identities_pick(ids, "a.example", &named));
	assert_false(named);
	add(ids, (struct make_cert_name){ MAKE_CERT_DNS, "a.example", 0 });
	add(ids, (struct make_cert_name){
		     MAKE_CERT_SRV, "_xmpp-server.b.example", 0 });
	add(ids, (struct make_cert_name){ MAKE_CERT_DNS, "*.wild.example", 0 });
	add(ids, (struct make_cert_name){ MAKE_CERT_XMPP, "c.example", 0 });
	found[0] = identities_pick(ids, "a.example", &named);
	found[1] = identities_pick(ids, "b.example", &named);
	found[2] = identities_pick(ids, "x.wild.example", &named);
	found[3] = identities_pick(ids, "c.example", &named);
	for (size_t i = 0; i < 4; i++)
		for (size_t k = 0; k < i; k++)
			assert_ptr_not_equal(found[i], found[k]);
	for (size_t i = 0; i < sizeof(picks) / sizeof(picks[0]); i++) {
		assert_ptr_equal(identities_pick(ids, picks[i].domain, &named),
		    found[picks[i].index]);
		assert_int_equal(named, picks[i].named);
	}
	/* Another set takes its place; the object stays. */
	assert_int_equal(identities_new(&other), 0);
	add(other, (struct make_cert_name){ MAKE_CERT_DNS, "new.example", 0 });
	identities_replace(ids, other);
	assert_non_null(identities_pick(ids, "new.example", &named));
	assert_true(named);
	assert_non_null(identities_pick(ids, "a.example", &named));
	assert_false(named);
	identities_free(ids);
	make_cert_finish(&ca);
}

static void
configure(struct hosting *h, const char *node, const char *json)
{
	struct buf config, confirm;
	struct frame_writer w;
	struct frame f;

	buf_init(&config, 0);
	buf_init(&confirm, 0);
	frame_begin(&w, &config, FRAME_CONFIG);
	frame_put_str(&w, FIELD_JSON, json);
	assert_int_equal(frame_end(&w), 0);
	assert_int_equal(frame_decode(&f, config.data, config.len), 0);
	assert_int_equal(hosting_apply(h, node, NULL, 1, &f, &confirm), 0);
	buf_finish(&config);
	buf_finish(&confirm);
}

/* Each gateway hears of its own domains, and of no others. */
static void
test_a_report_names_only_the_nodes_own_pairs(void **state)
{
	const struct stream_pair pairs[] = { { "a.example", "p.example", 0 },
		{ "b.example", "p.example", 0 } };
	struct stream_info info = { .id = "e.1",
		.direction = STREAM_OUT,
		.pairs = pairs,
		.pair_count = 2,
		.peer = "192.0.2.1:5269",
		.auth = "",
		.tls = "TLSv1.3",
		.cipher = "",
		.bidi = true,
		.proofs = 1u << PROOF_PING,
		.reason = "bad \xff bytes" };
	const struct frame_field *field;
	struct hosting *h;
	struct frame f;
	struct buf b;
	json_t *o;

	(void)state;
	assert_int_equal(hosting_new(&h), 0);
	configure(h, "gw1",
	    "{\"generation\":{\"store\":\"1\",\"counter\":1},"
	    "\"hosted\":[{\"domain\":\"a.example\"}],\"partners\":[]}");
	configure(h, "gw2",
	    "{\"generation\":{\"store\":\"2\",\"counter\":1},"
	    "\"hosted\":[{\"domain\":\"b.example\"}],\"partners\":[]}");
	assert_true(stream_report_concerns(&info, h, "gw1"));
	assert_true(stream_report_concerns(&info, h, "gw2"));
	assert_false(stream_report_concerns(&info, h, "gw3"));
	buf_init(&b, 0);
	assert_int_equal(
	    stream_report_write(&b, STREAM_UP, &info, h, "gw2"), 0);
	assert_int_equal(frame_decode(&f, b.data, b.len), 0);
	assert_int_equal(f.type, FRAME_STREAM);
	field = frame_field(&f, FIELD_JSON);
	o = json_loadb((const char *)field->data, field->len, 0, NULL);
	assert_non_null(o);
	assert_string_equal(
	    json_string_value(json_object_get(o, "event")), "up");
	assert_string_equal(
	    json_string_value(json_object_get(o, "direction")), "out");
	assert_true(json_is_true(json_object_get(o, "bidi")));
	assert_int_equal(json_array_size(json_object_get(o, "pairs")), 1);
	assert_string_equal(
	    json_string_value(json_array_get(
		json_array_get(json_object_get(o, "pairs"), 0), 0)),
	    "b.example");
	assert_string_equal(
	    json_string_value(json_array_get(json_object_get(o, "proofs"), 0)),
	    "ping");
	assert_string_equal(
	    json_string_value(json_object_get(o, "reason")), "(unprintable)");
	assert_null(json_object_get(o, "auth"));
	assert_null(json_object_get(o, "condition"));
	json_decref(o);
	buf_finish(&b);
	hosting_free(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_certificate_that_names_the_domain),
		cmocka_unit_test(test_a_report_names_only_the_nodes_own_pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
