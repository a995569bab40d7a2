/* The inside's own check of frames, rule by rule. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/guard.h"
#include "proto/frame.h"
#include "tests/unit/gateway_sample.h"

static const struct guard_pair both_pairs[] = {
	{ "contoso.example", "partner.example" },
	{ "contoso.example", "more.example" },
};
static const struct guard_pair other_pair[] = {
	{ "contoso.example", "verified.example" },
};
static const struct guard_pair own_pair[] = {
	{ "contoso.example", "contoso.example" },
	{ "contoso.example", "pool.contoso.example" },
	{ "contoso.example", "stranger.example" },
	{ "other.example", "partner.example" },
};
static const struct guard_stream good = { true, false, 2, both_pairs };
static const struct guard_stream other = { true, false, 1, other_pair };
static const struct guard_stream lying = { true, false, 4, own_pair };
static const struct guard_stream outbound = { false, false, 2, both_pairs };
static const struct guard_stream two_way = { false, true, 2, both_pairs };
static const struct guard_stream two_way_other = { false, true, 1, other_pair };

#define BO   "bo@partner.example/phone"
#define ANNA "anna@contoso.example"

static const struct {
	enum frame_type type;
	const char *kind, *from, *to;
	const struct guard_stream *stream;
	const char *why; /* NULL = passes */
} rows[] = {
	{ FRAME_MESSAGE, "chat", BO, ANNA, &good, NULL },
	{ FRAME_MESSAGE, NULL, BO, ANNA, &good, NULL },
	{ FRAME_MESSAGE, "error", "partner.example", ANNA "/lync", &good,
	    NULL },
	{ FRAME_MESSAGE, "chat", "cleo@more.example", ANNA, &good, NULL },
	{ FRAME_PRESENCE, "subscribe", "bo@partner.example", ANNA, &good,
	    NULL },
	{ FRAME_PRESENCE, NULL, BO, ANNA, &good, NULL },
	{ FRAME_IQ, "result", "partner.example", "contoso.example", &good,
	    NULL },
	/* Form. */
	{ FRAME_MESSAGE, "shout", BO, ANNA, &good, "kind-unknown" },
	{ FRAME_MESSAGE, "subscribe", BO, ANNA, &good, "kind-unknown" },
	{ FRAME_IQ, NULL, BO, ANNA, &good, "kind-unknown" },
	{ FRAME_PRESENCE, "chat", BO, ANNA, &good, "kind-unknown" },
	{ FRAME_STREAM, "chat", BO, ANNA, &good, "kind-unknown" },
	{ FRAME_MESSAGE, "chat", NULL, ANNA, &good, "address-malformed" },
	{ FRAME_MESSAGE, "chat", BO, NULL, &good, "address-malformed" },
	{ FRAME_MESSAGE, "chat", "Bo@partner.example", ANNA, &good,
	    "address-malformed" },
	{ FRAME_MESSAGE, "chat", "bo@Partner.example", ANNA, &good,
	    "address-malformed" },
	{ FRAME_MESSAGE, "chat", "bo@@partner.example", ANNA, &good,
	    "address-malformed" },
	{ FRAME_MESSAGE, "chat", BO, "anna @contoso.example", &good,
	    "address-malformed" },
	/* Who. */
	{ FRAME_MESSAGE, "chat", "carl@contoso.example", ANNA, &lying,
	    "from-own-domain" },
	{ FRAME_MESSAGE, "chat", "x@pool.contoso.example", ANNA, &lying,
	    "from-own-domain" },
	{ FRAME_MESSAGE, "chat", "x@fe1.contoso.example", ANNA, &lying,
	    "from-own-domain" },
	{ FRAME_MESSAGE, "chat", "eve@stranger.example", ANNA, &lying,
	    "from-no-partner" },
	{ FRAME_MESSAGE, "chat", "bo@sub.partner.example", ANNA, &good,
	    "from-no-partner" },
	{ FRAME_MESSAGE, "chat", BO, "anna@other.example", &lying,
	    "to-not-hosted" },
	{ FRAME_MESSAGE, "chat", BO, "cleo@more.example", &good,
	    "to-not-hosted" },
	/* On which stream. */
	{ FRAME_MESSAGE, "chat", BO, ANNA, NULL, "stream-unknown" },
	{ FRAME_MESSAGE, "chat", BO, ANNA, &outbound, "stream-not-inbound" },
	{ FRAME_MESSAGE, "chat", BO, ANNA, &two_way, NULL },
	{ FRAME_MESSAGE, "chat", BO, ANNA, &two_way_other,
	    "stream-not-authorised" },
	{ FRAME_MESSAGE, "chat", BO, ANNA, &other, "stream-not-authorised" },
	{ FRAME_MESSAGE, "chat", "v@verified.example", ANNA, &good,
	    "stream-not-authorised" },
};

static void
put(struct frame_writer *w, enum frame_tag tag, const char *s)
{
	frame_put_str(w, tag, s);
}

static void
each_rule_holds(void **state)
{
	struct gateway_conf *conf = gateway_sample(NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct guard_addresses who;
		struct frame_writer w;
		struct frame f;
		struct buf b;
		const char *why = NULL;
		int rc;

		buf_init(&b, FRAME_MAX);
		frame_begin(&w, &b, rows[i].type);
		put(&w, FIELD_KIND, rows[i].kind);
		put(&w, FIELD_FROM, rows[i].from);
		put(&w, FIELD_TO, rows[i].to);
		assert_int_equal(frame_end(&w), 0);
		assert_int_equal(frame_decode(&f, b.data, b.len), 0);
		rc = guard_check(&who, &why, conf, &f, rows[i].stream);
		if (rows[i].why == NULL) {
			if (rc != 0)
				fail_msg("row %zu refused: %s", i, why);
			assert_string_equal(who.from.full, rows[i].from);
			assert_string_equal(who.to.full, rows[i].to);
			guard_addresses_finish(&who);
		} else {
			if (rc != ERR_DENIED)
				fail_msg("row %zu passed", i);
			assert_string_equal(why, rows[i].why);
		}
		buf_finish(&b);
	}
	gateway_conf_free(conf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
