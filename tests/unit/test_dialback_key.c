/* XEP-0185 keys, with the examples of XEP-0185 and XEP-0220. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/err.h"
#include "edge-proxy/dialback_key.h"

static const struct vector {
	const char *secret, *receiver, *sender, *id, *key;
} vectors[] = {
	{ "s3cr3tf0rd14lb4ck", "montague.example", "capulet.example",
	    "D60000229F",
	    "b4835385f37fe2895af6c196b59097b16862406db80559900d96bf6fa7d23df"
	    "3" },
	{ "d14lb4ck43v3r", "capulet.example", "montague.example", "417GAF25",
	    "225cc5aa6a071133249d25fef42ae516fc7a86c523aa1c6980a7f73e784c972"
	    "d" },
	{ "s3cr3tf0rd14lb4ck", "xmpp.example.com", "example.org", "D60000229F",
	    "37c69b1cf07a3f67c04a5ef5902fa5114f2c76fe4a2686482ba5b8932307564"
	    "3" },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
keys_are_those_of_the_specification(void **state)
{
	char key[DIALBACK_KEY_LEN + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		const struct vector *v = &vectors[i];

		assert_int_equal(dialback_key_make(key, v->secret, v->receiver,
				     v->sender, v->id),
		    0);
		assert_string_equal(key, v->key);
	}
}

static void
a_key_is_good_for_its_secret_pair_and_stream_only(void **state)
{
	const struct vector *v = &vectors[0];
	const struct {
		const char *key, *current, *previous, *receiver, *sender, *id;
		bool valid;
	} rows[] = {
		{ v->key, v->secret, NULL, v->receiver, v->sender, v->id,
		    true },
		{ v->key, "new", v->secret, v->receiver, v->sender, v->id,
		    true },
		{ v->key, "new", NULL, v->receiver, v->sender, v->id, false },
		{ v->key, v->secret, NULL, v->sender, v->receiver, v->id,
		    false },
		{ v->key, v->secret, NULL, v->receiver, v->sender, "other",
		    false },
		/* A byte moved across a field boundary. */
		{ v->key, v->secret, NULL, "montague.exampl",
		    "ecapulet.example", v->id, false },
		{ "", v->secret, NULL, v->receiver, v->sender, v->id, false },
		{ "b4835385", v->secret, NULL, v->receiver, v->sender, v->id,
		    false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		bool valid = dialback_key_valid(rows[i].key,
		    strlen(rows[i].key), rows[i].current, rows[i].previous,
		    rows[i].receiver, rows[i].sender, rows[i].id);

		if (valid != rows[i].valid)
			fail_msg("row %zu: %d", i, valid);
	}
}

static void
an_endless_stream_id_is_refused(void **state)
{
	static char id[8192];
	char key[DIALBACK_KEY_LEN + 1];

	(void)state;
	memset(id, 'x', sizeof(id) - 1);
	assert_int_equal(
	    dialback_key_make(key, "s", "a.example", "b.example", id),
	    ERR_TOO_LONG);
	assert_false(dialback_key_valid(vectors[0].key, DIALBACK_KEY_LEN, "s",
	    NULL, "a.example", "b.example", id));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_those_of_the_specification),
		cmocka_unit_test(
		    a_key_is_good_for_its_secret_pair_and_stream_only),
		cmocka_unit_test(an_endless_stream_id_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
