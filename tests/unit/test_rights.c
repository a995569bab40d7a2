/* What is missing to whom: policies, providers, licences, days. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "frontend-gateway/policy/access.h"
#include "frontend-gateway/policy/day.h"
#include "frontend-gateway/policy/licences.h"
#include "frontend-gateway/policy/providers.h"
#include "frontend-gateway/policy/rights.h"

#define ANNA "anna@contoso.example"
#define HOME "contoso.example"

static int32_t
on(const char *date)
{
	int32_t day;

	assert_true(day_parse(&day, date));
	return day;
}

/* --- days --------------------------------------------------------------- */

static void
days_are_read_and_written(void **state)
{
	static const char *const bad[] = { "", "2014", "2014-6-30",
		"2014-06-31", "2014-06-30 ", "2014-06-30T00:00:00Z",
		"1969-12-31", "10000-01-01", "2015-02-29", "a014-06-30" };
	char text[DAY_SIZE];
	int32_t day;

	(void)state;
	assert_int_equal(on("1970-01-01"), 0);
	assert_int_equal(on("1970-01-02"), 1);
	assert_int_equal(on("2016-02-29") + 1, on("2016-03-01"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (day_parse(&day, bad[i]))
			fail_msg("%s is no date", bad[i]);
	day_format(text, on("2014-06-30"));
	assert_string_equal(text, "2014-06-30");
	day_format(text, DAY_NEVER_BEGUN);
	assert_string_equal(text, "");
	day_format(text, DAY_NEVER_OVER);
	assert_string_equal(text, "");
	assert_int_equal(day_of_ms(0), 0);
	assert_int_equal(day_of_ms(86399999), 0);
	assert_int_equal(day_of_ms(86400000), 1);
	assert_int_equal(day_of_ms(-1), -1);
	assert_int_equal(day_of_ms(-86400000), -1);
	assert_int_equal(day_rest_ms(0), 86400000);
	assert_int_equal(day_rest_ms(86399999), 1);
	assert_int_equal(day_rest_ms(-1), 1);
}

/* --- licences ----------------------------------------------------------- */

static void
a_licence_holds_from_its_first_day_to_its_last(void **state)
{
	static const struct {
		const char *user, *licence, *today;
		enum licences_state state;
	} rows[] = {
		{ ANNA, "PIC USL", "2013-12-31", LICENCES_NOT_YET },
		{ ANNA, "PIC USL", "2014-01-01", LICENCES_HELD },
		{ ANNA, "pic usl", "2014-06-30", LICENCES_HELD },
		{ ANNA, "PIC USL", "2014-07-01", LICENCES_EXPIRED },
		{ ANNA, "Other", "2014-06-30", LICENCES_MISSING },
		{ "x" ANNA, "PIC USL", "2014-06-30", LICENCES_MISSING },
		/* That of everybody, beside one that is over. */
		{ ANNA, "Standard CAL", "2014-06-30", LICENCES_NOT_YET },
		{ ANNA, "Standard CAL", "2020-01-01", LICENCES_HELD },
		{ "x" ANNA, "Standard CAL", "2014-06-30", LICENCES_NOT_YET },
		{ "x" ANNA, "Standard CAL", "2030-01-01", LICENCES_HELD },
	};
	char long_name[2 * LICENCES_NAME_MAX];
	struct licences *l;

	(void)state;
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_int_equal(licences_new(&l), 0);
	assert_int_equal(
	    licences_set(l, ANNA, "PIC USL", DAY_NEVER_BEGUN, DAY_NEVER_OVER),
	    0);
	assert_int_equal(licences_set(l, ANNA, "Pic Usl", on("2014-01-01"),
			     on("2014-06-30")),
	    0);
	assert_int_equal(licences_set(l, ANNA, "Standard CAL", DAY_NEVER_BEGUN,
			     on("2012-01-01")),
	    0);
	assert_int_equal(licences_set(l, "*", "Standard CAL", on("2020-01-01"),
			     DAY_NEVER_OVER),
	    0);
	assert_int_equal(licences_count(l), 3);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum licences_state got = licences_of(
		    l, rows[i].user, rows[i].licence, on(rows[i].today));

		if (got != rows[i].state)
			fail_msg("row %zu: %d", i, got);
	}
	licences_remove(l, ANNA, "PIC usl");
	licences_remove(l, ANNA, "PIC usl");
	assert_int_equal(licences_of(l, ANNA, "PIC USL", on("2014-06-30")),
	    LICENCES_MISSING);
	assert_int_equal(licences_set(l, ANNA, long_name, 0, 1), ERR_TOO_LONG);
	assert_int_equal(licences_of(l, ANNA, long_name, 0), LICENCES_MISSING);
	licences_remove(l, ANNA, long_name);
	licences_free(l);
}

/* --- providers ---------------------------------------------------------- */

/* As the product's pages have it. */
static void
the_catalogue_is_what_it_was(void **state)
{
	static const struct {
		const char *identity;
		bool audio, video, by_sip;
		size_t licences;
		const char *last; /* day of service */
	} rows[PROVIDERS_COUNT] = {
		{ "America Online", false, false, true, 1, "2014-06-30" },
		{ "Windows Live", true, true, true, 1, "2013-03-15" },
		{ "Yahoo!", false, false, true, 2, "2014-06-30" },
		{ "Skype", true, false, true, 1, "2025-05-05" },
		{ "Google Talk", false, false, false, 0, "2017-06-26" },
	};
	struct providers p;

	(void)state;
	providers_init(&p);
	for (int i = 0; i < PROVIDERS_COUNT; i++) {
		const struct provider *row = &p.rows[i];

		assert_string_equal(row->identity, rows[i].identity);
		assert_string_equal(
		    providers_identity((enum providers_name)i), row->identity);
		assert_int_equal(providers_find(rows[i].identity), i);
		assert_true(row->messages && row->presence && row->enabled);
		assert_int_equal(row->audio, rows[i].audio);
		assert_int_equal(row->video, rows[i].video);
		assert_int_equal(row->by_sip, rows[i].by_sip);
		assert_int_equal(row->licence_count, rows[i].licences);
		assert_int_equal(providers_state_of(row, on(rows[i].last)),
		    PROVIDERS_IN_SERVICE);
		assert_int_equal(providers_state_of(row, on(rows[i].last) + 1),
		    PROVIDERS_ENDED);
	}
	assert_int_equal(
	    providers_state_of(&p.rows[PROVIDERS_SKYPE], on("2013-04-30")),
	    PROVIDERS_NOT_BEGUN);
	assert_string_equal(p.rows[PROVIDERS_YAHOO].licences[0], "PIC USL");
	assert_string_equal(
	    p.rows[PROVIDERS_YAHOO].licences[1], "Standard CAL");
	assert_int_equal(providers_find("google TALK"), PROVIDERS_GOOGLE_TALK);
	assert_int_equal(providers_find("ICQ"), PROVIDERS_COUNT);
	assert_int_equal(providers_find(""), PROVIDERS_COUNT);
}

/* The table in the manual is the catalogue. */
static void
the_manual_has_the_catalogue(void **state)
{
	static char page[256 * 1024];
	FILE *f = fopen("frontend-gateway/sallyport-gateway.8", "re");
	size_t len;

	(void)state;
	assert_non_null(f);
	len = fread(page, 1, sizeof(page) - 1, f);
	fclose(f);
	page[len] = '\0';
#define SPACED(s) (s)[0] != '\0' ? " " : "", (s)
#define X(name, id, im, pres, audio, video, route, lic, start, end, words)     \
	{                                                                      \
		char row[256];                                                 \
                                                                               \
		snprintf(row, sizeof(row),                                     \
		    "\n.It " id " Ta " route " Ta%s%s Ta%s%s Ta%s%s\n",        \
		    SPACED(lic), SPACED(start), SPACED(end));                  \
		if (strstr(page, row) == NULL)                                 \
			fail_msg("the manual has no row \"%s\"", row);         \
	}
	PROVIDERS_CATALOGUE(X)
#undef X
#undef SPACED
}

static void
lists_of_licences_are_read(void **state)
{
	static const struct {
		const char *text;
		int rc;
		size_t count;
	} rows[] = {
		{ "", 0, 0 },
		{ "  ", 0, 0 },
		{ "A", 0, 1 },
		{ " A b ,C", 0, 2 },
		{ "A,B,C,D", 0, 4 },
		{ "A,B,C,D,E", ERR_FULL, 4 },
		{ "A,,B", ERR_MALFORMED, 1 },
		{ ",", ERR_MALFORMED, 0 },
		{ "A, ", ERR_MALFORMED, 1 },
		{ "0123456789012345678901234567890123456789"
		  "012345678901234567890123",
		    ERR_TOO_LONG, 0 },
	};
	struct provider p;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(&p, 0x55, sizeof(p));
		assert_int_equal(
		    providers_read_licences(&p, rows[i].text), rows[i].rc);
		assert_int_equal(p.licence_count, rows[i].count);
		assert_int_equal(
		    providers_read_licences(NULL, rows[i].text), rows[i].rc);
	}
	assert_int_equal(providers_read_licences(&p, " A b ,C"), 0);
	assert_string_equal(p.licences[0], "A b");
	assert_string_equal(p.licences[1], "C");
}

/* --- all of it ---------------------------------------------------------- */

/* of a provider */
enum { SIP = 1, PRESENCE = 2, MESSAGES = 4, AUDIO = 8, VIDEO = 16 };

static const unsigned fed = ACCESS_FEDERATION, xmpp = ACCESS_XMPP,
		      pub = ACCESS_PUBLIC_CLOUD,
		      media = ACCESS_PUBLIC_CLOUD_MEDIA;

/* One provider with a licence that holds in 2020, in service 2019 to 2021. */
static void
set_provider(struct rights *r, unsigned what, bool enabled)
{
	const struct providers_terms t = {
		.enabled = enabled,
		.messages = (what & MESSAGES) != 0,
		.presence = (what & PRESENCE) != 0,
		.audio = (what & AUDIO) != 0,
		.video = (what & VIDEO) != 0,
		.route = (what & SIP) != 0 ? "SIP" : "XMPP",
		.licences = "Held, Dated",
		.start = "2019-01-01",
		.end = "2021-12-31",
	};

	assert_int_equal(providers_set(&r->providers, PROVIDERS_SKYPE, &t), 0);
}

/* Whether what is missing is what the table of truth says comes first. */
static enum rights_lack
expected(bool master, unsigned rights, bool bound, unsigned what, bool enabled,
    const char *today, enum rights_use use)
{
	const bool call = use == RIGHTS_AUDIO || use == RIGHTS_VIDEO;
	int32_t day = on(today);

	if (!master)
		return RIGHTS_MASTER;
	if ((rights & (fed | xmpp)) == 0)
		return RIGHTS_USER;
	if ((rights & fed) == 0)
		return RIGHTS_FEDERATION;
	if ((rights & xmpp) == 0)
		return RIGHTS_XMPP;
	if (!bound)
		return RIGHTS_NOTHING;
	if (!enabled)
		return RIGHTS_PROVIDER_DISABLED;
	if (day < on("2019-01-01"))
		return RIGHTS_PROVIDER_NOT_BEGUN;
	if (day > on("2021-12-31"))
		return RIGHTS_PROVIDER_ENDED;
	if ((what & SIP) != 0 && (rights & pub) == 0)
		return RIGHTS_PUBLIC_CLOUD;
	if ((what & SIP) != 0 && call && (rights & media) == 0)
		return RIGHTS_PUBLIC_CLOUD_CALLS;
	if (day < on("2020-01-01"))
		return RIGHTS_LICENCE_NOT_BEGUN;
	if (day > on("2020-12-31"))
		return RIGHTS_LICENCE_EXPIRED;
	if (use == RIGHTS_MESSAGES && (what & MESSAGES) == 0)
		return RIGHTS_NO_MESSAGES;
	if (use == RIGHTS_PRESENCE && (what & PRESENCE) == 0)
		return RIGHTS_NO_PRESENCE;
	if (call && (what & AUDIO) == 0)
		return RIGHTS_NO_AUDIO;
	if (use == RIGHTS_VIDEO && (what & VIDEO) == 0)
		return RIGHTS_NO_VIDEO;
	return RIGHTS_NOTHING;
}

static void
judge_one(struct rights *r, unsigned bits, const char *today)
{
	unsigned rights = (bits & 1 ? fed : 0) | (bits & 2 ? xmpp : 0) |
			  (bits & 4 ? pub : 0) | (bits & 8 ? media : 0);
	unsigned what = bits >> 4 & 31;
	bool master = bits & 512, bound = bits & 1024, enabled = bits & 2048;
	enum rights_use use = (enum rights_use)(bits >> 12);
	struct rights_question q = {
		.user = ANNA,
		.domain = HOME,
		.provider = bound ? PROVIDERS_SKYPE : PROVIDERS_COUNT,
		.use = use,
		.today = on(today),
	};
	struct rights_answer a;

	access_set_master(r->access, master);
	assert_int_equal(access_set_policy(r->access, "global", rights), 0);
	set_provider(r, what, enabled);
	a = rights_judge(r, &q);
	if (a.lack !=
	    expected(master, rights, bound, what, enabled, today, use))
		fail_msg(
		    "bits %u on %s: %s", bits, today, rights_lack_str(a.lack));
	assert_string_equal(a.policy, "global");
	if (a.lack == RIGHTS_LICENCE_NOT_BEGUN ||
	    a.lack == RIGHTS_LICENCE_EXPIRED)
		assert_string_equal(a.licence, "Dated");
	if (a.lack >= RIGHTS_PROVIDER_DISABLED)
		assert_string_equal(a.provider, "Skype");
}

/* Every switch in every position, on days before, in and after everything. */
static void
the_first_thing_missing_is_named(void **state)
{
	static const char *const days[] = { "2018-12-31", "2019-01-01",
		"2019-12-31", "2020-01-01", "2020-12-31", "2021-01-01",
		"2021-12-31", "2022-01-01" };
	struct rights r;

	(void)state;
	assert_int_equal(rights_init(&r), 0);
	assert_int_equal(licences_set(r.licences, "*", "Held", DAY_NEVER_BEGUN,
			     DAY_NEVER_OVER),
	    0);
	assert_int_equal(licences_set(r.licences, ANNA, "Dated",
			     on("2020-01-01"), on("2020-12-31")),
	    0);
	for (size_t d = 0; d < sizeof(days) / sizeof(days[0]); d++)
		for (unsigned bits = 0; bits < 1 << 14; bits++)
			judge_one(&r, bits, days[d]);
	rights_finish(&r);
}

static void
a_licence_that_nobody_has_is_missing(void **state)
{
	struct rights_question q = { ANNA, HOME, PROVIDERS_YAHOO,
		RIGHTS_MESSAGES, on("2014-01-01") };
	struct rights_answer a;
	struct rights r;

	(void)state;
	assert_int_equal(rights_init(&r), 0);
	access_set_master(r.access, true);
	assert_int_equal(
	    access_set_policy(r.access, "tag:all", fed | xmpp | pub), 0);
	assert_int_equal(access_grant(r.access, ANNA, "tag:all"), 0);
	a = rights_judge(&r, &q);
	assert_int_equal(a.lack, RIGHTS_LICENCE_MISSING);
	assert_string_equal(a.licence, "PIC USL");
	assert_string_equal(a.provider, "Yahoo!");
	assert_int_equal(licences_set(r.licences, ANNA, "PIC USL",
			     DAY_NEVER_BEGUN, DAY_NEVER_OVER),
	    0);
	a = rights_judge(&r, &q);
	assert_string_equal(a.licence, "Standard CAL");
	assert_int_equal(licences_set(r.licences, "*", "standard cal",
			     DAY_NEVER_BEGUN, DAY_NEVER_OVER),
	    0);
	assert_int_equal(rights_judge(&r, &q).lack, RIGHTS_NOTHING);
	/* Her colleague has the one for everybody alone. */
	q.user = "b@contoso.example";
	assert_int_equal(rights_judge(&r, &q).lack, RIGHTS_USER);
	rights_finish(&r);
}

/* Each lack has a word of its own and a cause of its own. */
static void
what_is_missing_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(rights_lack_str(RIGHTS_NOTHING), "");
	assert_int_equal(rights_cause(RIGHTS_NOTHING), ERRORS_CAUSE_COUNT);
	for (int i = RIGHTS_NOTHING + 1; i < RIGHTS_LACK_COUNT; i++)
		for (int j = RIGHTS_NOTHING; j < i; j++) {
			enum rights_lack a = (enum rights_lack)i;
			enum rights_lack b = (enum rights_lack)j;

			assert_string_not_equal(
			    rights_lack_str(a), rights_lack_str(b));
			assert_int_not_equal(rights_cause(a), rights_cause(b));
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(days_are_read_and_written),
		cmocka_unit_test(
		    a_licence_holds_from_its_first_day_to_its_last),
		cmocka_unit_test(the_catalogue_is_what_it_was),
		cmocka_unit_test(the_manual_has_the_catalogue),
		cmocka_unit_test(lists_of_licences_are_read),
		cmocka_unit_test(the_first_thing_missing_is_named),
		cmocka_unit_test(a_licence_that_nobody_has_is_missing),
		cmocka_unit_test(what_is_missing_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
