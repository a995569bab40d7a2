#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/err.h"
#include "common/jid.h"

static void
test_good(void **state)
{
	static const struct {
		const char *in, *full, *bare, *ascii, *resource;
	} rows[] = {
		{ "partner.example", "partner.example", "partner.example",
		    "partner.example", NULL },
		{ "Bo@Partner.Example/Phone", "bo@partner.example/Phone",
		    "bo@partner.example", "partner.example", "Phone" },
		{ "n@s.", "n@s", "n@s", "s", NULL },
		{ "s/r@x/y", "s/r@x/y", "s", "s", "r@x/y" },
		{ "n@s/r/t", "n@s/r/t", "n@s", "s", "r/t" },
		{ "s/ a b ", "s/ a b ", "s", "s", " a b " },
		{ "f\xc3\x9c@h.example", "f\xc3\xbc@h.example",
		    "f\xc3\xbc@h.example", "h.example", NULL },
		{ "e\xcc\x81va@h.example", "\xc3\xa9va@h.example",
		    "\xc3\xa9va@h.example", "h.example", NULL },
		{ "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d@h.example",
		    "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d@h.example",
		    "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d@h.example", "h.example",
		    NULL },
		{ "\xe5\xb1\xb1\xe7\x94\xb0@h.example",
		    "\xe5\xb1\xb1\xe7\x94\xb0@h.example",
		    "\xe5\xb1\xb1\xe7\x94\xb0@h.example", "h.example", NULL },
		/* Width and case, on which both profiles agree. */
		{ "\xef\xbc\xa1@h.example", "a@h.example", "a@h.example",
		    "h.example", NULL },
		{ "m\\26m@h.example", "m\\26m@h.example", "m\\26m@h.example",
		    "h.example", NULL },
		{ "a@B\xc3\x9c"
		  "cher.example",
		    "a@b\xc3\xbc"
		    "cher.example",
		    "a@b\xc3\xbc"
		    "cher.example",
		    "xn--bcher-kva.example", NULL },
		{ "a@XN--bcher-KVA.example",
		    "a@b\xc3\xbc"
		    "cher.example",
		    "a@b\xc3\xbc"
		    "cher.example",
		    "xn--bcher-kva.example", NULL },
		{ "a@stra\xc3\x9f"
		  "e.example",
		    "a@stra\xc3\x9f"
		    "e.example",
		    "a@stra\xc3\x9f"
		    "e.example",
		    "xn--strae-oqa.example", NULL },
		{ "a@_xmpp.h_1.example", "a@_xmpp.h_1.example",
		    "a@_xmpp.h_1.example", "_xmpp.h_1.example", NULL },
		{ "a@192.0.2.1", "a@192.0.2.1", "a@192.0.2.1", "192.0.2.1",
		    NULL },
		{ "a@[2001:DB8::0:1]/r", "a@[2001:db8::1]/r", "a@[2001:db8::1]",
		    "[2001:db8::1]", "r" },
		{ "s/\xf0\x9f\x98\x80", "s/\xf0\x9f\x98\x80", "s", "s",
		    "\xf0\x9f\x98\x80" },
		{ "s/Caf\xc3\xa9 1", "s/Caf\xc3\xa9 1", "s", "s",
		    "Caf\xc3\xa9 1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct jid j, copy, again;

		if (jid_parse(&j, rows[i].in, strlen(rows[i].in)) != 0)
			fail_msg("refused: %s", rows[i].in);
		assert_string_equal(j.full, rows[i].full);
		assert_string_equal(j.bare, rows[i].bare);
		assert_string_equal(j.ascii, rows[i].ascii);
		if (rows[i].resource == NULL)
			assert_null(j.resource);
		else
			assert_string_equal(j.resource, rows[i].resource);
		assert_int_equal(jid_copy(&copy, &j), 0);
		assert_true(jid_equal(&j, &copy));
		/* Prepared means: preparing it again changes nothing. */
		assert_int_equal(jid_parse(&again, j.full, strlen(j.full)), 0);
		assert_string_equal(again.full, j.full);
		assert_true(jid_equal(&j, &again));
		jid_finish(&copy);
		jid_finish(&again);
		jid_finish(&j);
		assert_null(j.full);
	}
}

static void
test_bad(void **state)
{
	static const struct {
		const char *in;
		size_t len; /* 0 = strlen */
		int rc;
	} rows[] = {
		{ "", 0, ERR_JID },
		{ "@", 0, ERR_JID },
		{ "@s", 0, ERR_JID },
		{ "a@", 0, ERR_JID },
		{ "a@/r", 0, ERR_JID },
		{ "@s/r", 0, ERR_JID },
		{ "@/r", 0, ERR_JID },
		{ "s/", 0, ERR_JID },
		{ "/r", 0, ERR_JID },
		{ "u@@h", 0, ERR_JID },
		{ "u@v@h", 0, ERR_JID },
		{ "<x y>@s", 0, ERR_JID },
		{ "a b@s", 0, ERR_JID },
		{ "a\"b@s", 0, ERR_JID },
		{ "a&b@s", 0, ERR_JID },
		{ "a'b@s", 0, ERR_JID },
		{ "a:b@s", 0, ERR_JID },
		{ "a\x7f"
		  "b@s",
		    0, ERR_JID },
		{ "a\tb@s", 0, ERR_JID },
		{ "a\0b@s", 5, ERR_JID },
		{ "s/a\0b", 5, ERR_JID },
		{ "s/a\nb", 0, ERR_JID },
		{ "s/\xc2\x80", 0, ERR_JID },
		{ "a@\x80", 0, ERR_UTF8 },
		{ "a@\xc2\x80", 0, ERR_JID },
		{ "\xc3@s", 0, ERR_UTF8 },
		{ "s/\xed\xa0\x80", 0, ERR_UTF8 },
		/* Where nodeprep and UsernameCaseMapped part. */
		{ "stra\xc3\x9f"
		  "e@s",
		    0, ERR_JID },
		{ "\xcf\x83\xce\xb1\xcf\x82@s", 0, ERR_JID }, /* final sigma */
		{ "\xce\xa3@s", 0, ERR_JID },
		{ "\xe2\x85\xa3@s", 0, ERR_JID }, /* roman numeral */
		{ "\xef\xac\x81@s", 0, ERR_JID }, /* ligature fi */
		{ "a\xc2\xad"
		  "b@s",
		    0, ERR_JID }, /* soft hyphen */
		{ "a\xe2\x80\x8d"
		  "b@s",
		    0, ERR_JID },                     /* joiner */
		{ "\xe2\x99\xa5@s", 0, ERR_JID },     /* heart */
		{ "\xf0\x9f\x98\x80@s", 0, ERR_JID }, /* emoji */
		{ "\xc2\xa0@s", 0, ERR_JID },         /* no-break space */
		{ "\xe1\x8e\xa0@s", 0, ERR_JID },     /* Cherokee capital */
		{ "a\xd7\xa9@s", 0, ERR_JID },        /* mixed direction */
		{ "a@a..b", 0, ERR_JID },
		{ "a@.b", 0, ERR_JID },
		{ "a@b..", 0, ERR_JID },
		{ "a@-b.example", 0, ERR_JID },
		{ "a@b-.example", 0, ERR_JID },
		{ "a@b c", 0, ERR_JID },
		{ "a@b!c", 0, ERR_JID },
		{ "a@b:5269", 0, ERR_JID },
		{ "a@b\xe3\x80\x82", 0, ERR_JID }, /* ideographic dot */
		{ "a@xn--zzzzzzzzzz-.example", 0, ERR_JID },
		{ "a@192.0.2.300", 0, ERR_JID },
		{ "a@1.2.3", 0, ERR_JID },
		{ "a@[::1", 0, ERR_JID },
		{ "a@[::1]x", 0, ERR_JID },
		{ "a@[fe80::1%eth0]", 0, ERR_JID },
		{ "a@[192.0.2.1]", 0, ERR_JID },
	};
	struct jid j;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t len =
		    rows[i].len != 0 ? rows[i].len : strlen(rows[i].in);
		int rc = jid_parse(&j, rows[i].in, len);

		if (rc != rows[i].rc)
			fail_msg("%s: %d, not %d", rows[i].in, rc, rows[i].rc);
		assert_null(j.block);
		assert_null(j.full);
	}
}

/* len times c, then tail. */
static char *
long_jid(size_t len, const char *c, const char *tail)
{
	size_t n = strlen(c);
	char *s = malloc(len * n + strlen(tail) + 1);

	assert_non_null(s);
	for (size_t i = 0; i < len; i++)
		memcpy(s + i * n, c, n);
	strcpy(s + len * n, tail);
	return s;
}

static void
assert_length(
    size_t len, const char *c, const char *head, const char *tail, int want)
{
	char *s = long_jid(len, c, tail);
	char *whole = malloc(strlen(head) + strlen(s) + 1);
	struct jid j;

	assert_non_null(whole);
	strcpy(stpcpy(whole, head), s);
	assert_int_equal(jid_parse(&j, whole, strlen(whole)), want);
	jid_finish(&j);
	free(whole);
	free(s);
}

static void
test_lengths(void **state)
{
	(void)state;
	assert_length(1023, "a", "", "@s", 0);
	assert_length(1024, "a", "", "@s", ERR_TOO_LONG);
	assert_length(511, "\xc3\xbc", "", "@s", 0);
	assert_length(512, "\xc3\xbc", "", "@s", ERR_TOO_LONG);
	assert_length(1023, "r", "s/", "", 0);
	assert_length(1024, "r", "s/", "", ERR_TOO_LONG);
	assert_length(63, "d", "a@", ".example", 0);
	assert_length(64, "d", "a@", ".example", ERR_JID);
	assert_length(126, "d.", "a@", "d", 0);            /* 253 */
	assert_length(127, "d.", "a@", "d", ERR_TOO_LONG); /* 255 */
	assert_length(4000, "d", "", "", ERR_TOO_LONG);
	/* U+FDFA becomes 18 characters: what grows past the limit is out. */
	assert_length(20, "\xef\xb7\xba", "s/", "", 0);
	assert_length(100, "\xef\xb7\xba", "s/", "", ERR_TOO_LONG);
}

static void
test_compare(void **state)
{
	static const struct {
		const char *a, *b;
		bool full, bare;
	} rows[] = {
		{ "a@b.example/r", "A@B.example./r", true, true },
		{ "a@b.example/r", "a@b.example/R", false, true },
		{ "a@b.example/r", "a@b.example", false, true },
		{ "a@b.example", "b.example", false, false },
		{ "a@b.example", "b@b.example", false, false },
		{ "b.example", "c.example", false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct jid a, b;

		assert_int_equal(
		    jid_parse(&a, rows[i].a, strlen(rows[i].a)), 0);
		assert_int_equal(
		    jid_parse(&b, rows[i].b, strlen(rows[i].b)), 0);
		assert_int_equal(jid_equal(&a, &b), rows[i].full);
		assert_int_equal(jid_bare_equal(&a, &b), rows[i].bare);
		jid_finish(&a);
		jid_finish(&b);
	}
}

static void
test_domains(void **state)
{
	char out[256], tiny[9];

	(void)state;
	assert_int_equal(
	    jid_domain_ascii(out, sizeof(out), "Contoso.Example.", 16), 0);
	assert_string_equal(out, "contoso.example");
	assert_int_equal(
	    jid_domain_unicode(out, sizeof(out), "XN--BCHER-KVA.example", 21),
	    0);
	assert_string_equal(out, "b\xc3\xbc"
				 "cher.example");
	assert_int_equal(
	    jid_domain_ascii(tiny, sizeof(tiny), "abcdefgh", 8), 0);
	assert_int_equal(
	    jid_domain_ascii(tiny, sizeof(tiny), "abcdefghi", 9), ERR_TOO_LONG);
	assert_string_equal(tiny, "abcdefgh");
	assert_int_equal(jid_domain_ascii(out, sizeof(out), "a@b", 3), ERR_JID);
	assert_int_equal(jid_domain_ascii(out, sizeof(out), "", 0), ERR_JID);
	assert_int_equal(
	    jid_domain_ascii(out, sizeof(out), "\xff", 1), ERR_UTF8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_domains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
