/* srv_set: what two services say together, and the order that comes of it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "edge-proxy/srv_order.h"
#include "edge-proxy/srv_set.h"

/* One answer: its status, and records as "priority/port", or "." */
struct said {
	enum dns_status status;
	const char *records[4];
};

#define OK(...)                                                                \
	{                                                                      \
		DNS_OK,                                                        \
		{                                                              \
			__VA_ARGS__                                            \
		}                                                              \
	}
#define NONE                                                                   \
	{                                                                      \
		DNS_OK,                                                        \
		{                                                              \
			NULL                                                   \
		}                                                              \
	}
#define NXDOMAIN                                                               \
	{                                                                      \
		DNS_NXDOMAIN,                                                  \
		{                                                              \
			NULL                                                   \
		}                                                              \
	}
#define FAILED                                                                 \
	{                                                                      \
		DNS_FAILED,                                                    \
		{                                                              \
			NULL                                                   \
		}                                                              \
	}
#define BOGUS                                                                  \
	{                                                                      \
		DNS_BOGUS,                                                     \
		{                                                              \
			NULL                                                   \
		}                                                              \
	}

static const struct {
	struct said direct, starttls;
	enum srv_verdict verdict;
	const char *order; /* ports; "d" behind those with direct TLS */
} rows[] = {
	{ NXDOMAIN, NXDOMAIN, SRV_ITSELF, "" },
	{ NONE, NONE, SRV_ITSELF, "" },
	{ NXDOMAIN, OK("10/1"), SRV_TARGETS, "1 " },
	{ OK("10/1"), NXDOMAIN, SRV_TARGETS, "1d " },
	/* one set, whichever service came first */
	{ OK("10/1"), OK("20/2"), SRV_TARGETS, "1d 2 " },
	{ OK("20/1"), OK("10/2"), SRV_TARGETS, "2 1d " },
	{ OK("1/1", "4/4"), OK("3/3", "2/2"), SRV_TARGETS, "1d 2 3 4d " },
	/* "." speaks of its own service only */
	{ OK("."), OK("10/2"), SRV_TARGETS, "2 " },
	{ OK("10/1"), OK("."), SRV_TARGETS, "1d " },
	{ OK("."), OK("."), SRV_ABSENT, "" },
	{ OK("."), NXDOMAIN, SRV_ABSENT, "" },
	{ NONE, OK("."), SRV_ABSENT, "" },
	/* what is not known holds up nothing that is */
	{ FAILED, OK("10/2"), SRV_TARGETS, "2 " },
	{ OK("10/1"), FAILED, SRV_TARGETS, "1d " },
	{ FAILED, NXDOMAIN, SRV_UNKNOWN, "" },
	{ NXDOMAIN, FAILED, SRV_UNKNOWN, "" },
	{ FAILED, OK("."), SRV_UNKNOWN, "" },
	/* but what is false does */
	{ BOGUS, OK("10/2"), SRV_BOGUS, NULL },
	{ OK("10/1"), BOGUS, SRV_BOGUS, NULL },
};

static void
add(struct srv_set *set, const struct said *said, bool direct)
{
	struct dns_srv v[4] = { 0 };
	struct dns_answer a = {
		.status = said->status, .type = DNS_SRV, .srv = v
	};

	for (; a.count < 4 && said->records[a.count] != NULL; a.count++) {
		struct dns_srv *r = &v[a.count];
		unsigned priority = 0, port = 0;

		strcpy(r->target, "t.example");
		if (sscanf(said->records[a.count], "%u/%u", &priority, &port) !=
		    2)
			strcpy(r->target, said->records[a.count]);
		r->priority = (uint16_t)priority;
		r->port = (uint16_t)port;
	}
	srv_set_add(set, &a, direct);
}

static uint32_t
first(uint32_t bound)
{
	(void)bound;
	return 0;
}

static void
test_both_orders(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * (sizeof(rows) / sizeof(rows[0])); i++) {
		struct srv_set set = { 0 };
		char order[64] = "";

		if (i % 2 == 0)
			add(&set, &rows[i / 2].direct, true);
		add(&set, &rows[i / 2].starttls, false);
		if (i % 2 != 0)
			add(&set, &rows[i / 2].direct, true);
		if (srv_set_judge(&set) != rows[i / 2].verdict)
			fail_msg("row %zu: %d", i / 2, srv_set_judge(&set));
		srv_order(set.v, set.count, first);
		for (size_t k = 0; k < set.count; k++)
			snprintf(order + strlen(order),
			    sizeof(order) - strlen(order), "%u%s ",
			    set.v[k].port, set.v[k].direct ? "d" : "");
		if (rows[i / 2].order != NULL)
			assert_string_equal(rows[i / 2].order, order);
	}
}

/* Nobody asked is as if nothing was there; too much is left out. */
static void
test_bounds(void **state)
{
	static struct dns_srv v[DNS_RECORDS_MAX + 10];
	struct dns_answer a = { .status = DNS_OK,
		.type = DNS_SRV,
		.count = DNS_RECORDS_MAX + 10,
		.srv = v };
	static struct srv_set set;

	(void)state;
	assert_int_equal(SRV_ITSELF, srv_set_judge(&set));
	srv_set_add(&set, &a, true);
	assert_int_equal(DNS_RECORDS_MAX, set.count);
	srv_set_add(&set, &a, false);
	assert_int_equal(SRV_SET_MAX, set.count);
	srv_set_add(&set, &a, false);
	assert_int_equal(SRV_SET_MAX, set.count);
	assert_true(set.v[DNS_RECORDS_MAX - 1].direct);
	assert_false(set.v[DNS_RECORDS_MAX].direct);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_orders),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
