/* A configuration that takes another's place: what stays, what is told. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "frontend-gateway/conf_reload.h"
#include "frontend-gateway/gateway_conf.h"
#include "tests/unit/gateway_sample.h"

static const struct {
	const char *patch;
	const char *restart; /* NULL = nothing */
} rows[] = {
	{ "{}", NULL },
	{ "{'node': 'gw9.contoso.example'}", "node" },
	{ "{'edges': [{'name': 'e9.contoso.example', 'address':"
	  "'10.9.9.9:1'}]}",
	    NULL },
	{ "{'store': '/elsewhere'}", "store" },
	{ "{'control': '/elsewhere'}", "control" },
	{ "{'sip': {'listen': ['10.9.9.9:5061']}}", "sip.listen" },
	{ "{'sip': {'fqdn': 'other.contoso.example'}}", "sip.fqdn" },
	{ "{'sip': {'pool': {'name': 'pool9.contoso.example'}}}",
	    "sip.pool.name" },
	{ "{'sip': {'pool': {'front_ends': [{'name':"
	  "'fe9.contoso.example', 'address': '10.9.9.9:5061'}]}}}",
	    NULL },
	{ "{'sip': {'pool': {'connections': 2}}}", "sip.pool.connections" },
	{ "{'sip': {'pool': {'probe_seconds': 9}}}", "sip.pool.probe_seconds" },
	{ "{'sip': {'negotiate_reply': '501'}}", "sip.negotiate_reply" },
	{ "{'sip': {'contact': 'gruu'}}", "sip.contact" },
	{ "{'sip': {'user_agent': 'Other/1.0'}}", NULL },
	{ "{'notices': 'off'}", NULL },
	{ "{'users': [], 'partners': [], 'log': {'level': 'debug'}}", NULL },
};

static void
test_what_must_stay_stays_and_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gateway_conf *now = gateway_sample(NULL);
		struct gateway_conf *fresh = gateway_sample(rows[i].patch);
		json_t *names = conf_reload_keep(fresh, now);

		assert_non_null(names);
		if (rows[i].restart == NULL) {
			assert_int_equal(json_array_size(names), 0);
		} else {
			assert_string_equal(
			    json_string_value(json_array_get(names, 0)),
			    rows[i].restart);
		}
		assert_string_equal(fresh->node, now->node);
		assert_string_equal(fresh->store, now->store);
		assert_string_equal(fresh->sip.pool, now->sip.pool);
		json_decref(names);
		gateway_conf_free(fresh);
		gateway_conf_free(now);
	}
}

static void
test_content_is_exchanged(void **state)
{
	struct gateway_conf *now = gateway_sample("{'partners': []}");
	struct gateway_conf *fresh =
	    gateway_sample("{'partners': [{'Domain': 'new.example'}],"
			   "'notices': 'imdn'}");

	(void)state;
	assert_null(gateway_conf_partner(now, "new.example"));
	conf_reload_swap(now, fresh);
	gateway_conf_free(fresh);
	assert_non_null(gateway_conf_partner(now, "new.example"));
	assert_int_equal(now->notices, GATEWAY_NOTICES_IMDN);
	gateway_conf_free(now);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_must_stay_stays_and_is_told),
		cmocka_unit_test(test_content_is_exchanged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
