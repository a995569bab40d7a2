/* sip_health: which answers and silences are held against a front end. */
#include "frontend-gateway/sip/sip_health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "frontend-gateway/sip/sip_msg.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define FE       "fe1.contoso.example"
#define POOL     "pool.contoso.example"

static void
answer(struct sip_health *h, uint64_t now, int status, const char *method,
    const char *more)
{
	struct sip_msg *m;
	char head[1024];

	snprintf(head, sizeof(head),
	    "SIP/2.0 %d X\r\nVia: SIP/2.0/TLS gw;branch=z9hG4bK1\r\n"
	    "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\n"
	    "CSeq: 1 %s\r\n%sContent-Length: 0\r\n\r\n",
	    status, method, more);
	assert_int_equal(sip_msg_parse(&m, (const uint8_t *)head, strlen(head),
			     (const uint8_t *)"", 0),
	    0);
	assert_int_equal(sip_msg_defect(m, NULL), 0);
	sip_health_answered(h, now, m, FE, POOL);
	sip_msg_free(m);
}

/* An answer to a serving front end, and how long it rests then. */
static const struct {
	int status;
	const char *method, *more;
	uint64_t rest;
	unsigned failures;
} rows[] = {
	{ 200, "INVITE", "", 0, 0 },
	{ 404, "INVITE", "Retry-After: 5\r\n", 0, 0 },
	{ 480, "INVITE", "", 0, 0 },
	{ 500, "INVITE", "", 0, 1 },
	{ 504, "INVITE", "", 0, 1 },
	{ 600, "INVITE", "", 0, 0 },
	{ 503, "INVITE", "", 30000, 1 },
	{ 503, "OPTIONS", "", 30000, 1 },
	{ 503, "INVITE", "Retry-After: 5\r\n", 5000, 1 },
	{ 503, "INVITE", "Retry-After: 0\r\n", 1, 1 },
	{ 503, "INVITE", "Retry-After: 5 (at lunch);duration=9\r\n", 5000, 1 },
	{ 503, "INVITE", "Retry-After: soon\r\n", 30000, 1 },
	{ 503, "INVITE", "Retry-After: 301\r\n", 300000, 1 },
	{ 503, "INVITE", "Retry-After: 949302838503028349304023988\r\n", 300000,
	    1 },
	/* One service may be away while others work. */
	{ 503, "SUBSCRIBE", "", 0, 1 },
	{ 503, "MESSAGE", "", 0, 1 },
	{ 503, "SUBSCRIBE", "Retry-After: 5\r\n", 5000, 1 },
	/* Who said it. */
	{ 503, "INVITE", "ms-diagnostics: 1;source=\"" FE "\";reason=\"x\"\r\n",
	    30000, 1 },
	{ 503, "INVITE",
	    "ms-diagnostics: 1;reason=\"x\";source=\"" POOL "\"\r\n", 30000,
	    1 },
	{ 503, "INVITE", "ms-diagnostics: 1;reason=\"x\"\r\n", 30000, 1 },
	{ 503, "INVITE",
	    "Retry-After: 5\r\n"
	    "ms-diagnostics: 1;source=\"mcu.contoso.example\"\r\n",
	    0, 1 },
	{ 503, "INVITE",
	    "ms-diagnostics-public: 1;source=\"edge.other.example\"\r\n", 0,
	    1 },
};

static void
test_answers(void **state)
{
	struct sip_health h;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		sip_health_init(&h, 100);
		sip_health_up(&h, 200);
		answer(&h, 1000, rows[i].status, rows[i].method, rows[i].more);
		if (h.failures != rows[i].failures || h.answers != 1 ||
		    sip_health_is_fit(&h) != (rows[i].rest == 0))
			fail_msg("row %zu: %s, %u failures", i,
			    sip_health_str(h.state), (unsigned)h.failures);
		if (rows[i].rest == 0) {
			assert_int_equal(h.state, SIP_HEALTH_SERVING);
			continue;
		}
		assert_int_equal(h.state, SIP_HEALTH_RESTING);
		assert_int_equal(h.since_ms, 1000);
		sip_health_tick(&h, 1000 + rows[i].rest - 1);
		assert_int_equal(h.state, SIP_HEALTH_RESTING);
		sip_health_tick(&h, 1000 + rows[i].rest);
		assert_int_equal(h.state, SIP_HEALTH_SERVING);
		assert_true(sip_health_is_fit(&h));
	}
}

/* Another 503 while it rests: the last word counts. */
static void
test_more_rest(void **state)
{
	struct sip_health h;

	(void)state;
	sip_health_init(&h, 0);
	sip_health_up(&h, 0);
	assert_int_equal(sip_health_rest_ms(&h, 0), 0);
	answer(&h, 1000, 503, "INVITE", "Retry-After: 4\r\n");
	assert_int_equal(sip_health_rest_ms(&h, 2000), 3000);
	answer(&h, 2000, 503, "INVITE", "Retry-After: 4\r\n");
	assert_int_equal(h.since_ms, 1000);
	assert_int_equal(sip_health_rest_ms(&h, 2000), 4000);
	sip_health_tick(&h, 5000);
	assert_int_equal(h.state, SIP_HEALTH_RESTING);
	assert_int_equal(sip_health_rest_ms(&h, 6500), 0);
	sip_health_tick(&h, 6500);
	assert_int_equal(h.state, SIP_HEALTH_SERVING);
	assert_int_equal(sip_health_rest_ms(&h, 6500), 0);
}

static void
test_silence(void **state)
{
	struct sip_health h;

	(void)state;
	sip_health_init(&h, 0);
	assert_int_equal(h.state, SIP_HEALTH_AWAY);
	/* Connections of the pool's may still serve. */
	assert_true(sip_health_is_fit(&h));
	sip_health_failed(&h, 5, "connection refused");
	assert_string_equal(h.failure, "connection refused");
	sip_health_up(&h, 10);
	sip_health_unanswered(&h, 20, "no answer to MESSAGE");
	assert_int_equal(h.state, SIP_HEALTH_SERVING);
	sip_health_silent(&h, 30, "no answer to OPTIONS");
	assert_int_equal(h.state, SIP_HEALTH_SILENT);
	assert_int_equal(h.failures, 2);
	assert_false(sip_health_is_fit(&h));
	/* A new connection proves TLS, not SIP. */
	sip_health_down(&h, 40, "dropped");
	assert_false(sip_health_is_fit(&h));
	sip_health_up(&h, 50);
	assert_int_equal(h.state, SIP_HEALTH_SILENT);
	answer(&h, 60, 404, "OPTIONS", "");
	assert_int_equal(h.state, SIP_HEALTH_SERVING);
	assert_int_equal(h.since_ms, 60);
	/* A silent one may ask for a rest; a resting one may fall silent. */
	sip_health_silent(&h, 70, "x");
	answer(&h, 80, 503, "OPTIONS", "");
	assert_int_equal(h.state, SIP_HEALTH_RESTING);
	sip_health_silent(&h, 90, "x");
	assert_int_equal(h.state, SIP_HEALTH_SILENT);
	sip_health_tick(&h, 1000000);
	assert_int_equal(h.state, SIP_HEALTH_SILENT);
	/* What comes late, when nothing is connected, moves nothing. */
	sip_health_down(&h, 100, "gone");
	answer(&h, 110, 503, "INVITE", "");
	assert_int_equal(h.state, SIP_HEALTH_AWAY);
	assert_true(sip_health_is_fit(&h));
	sip_health_up(&h, 120);
	assert_int_equal(h.state, SIP_HEALTH_SERVING);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_more_rest),
		cmocka_unit_test(test_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
