/* What was said, kept and forgotten; and how it is quoted. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "frontend-gateway/conversation/said.h"
#include "frontend-gateway/translate/excerpt.h"

#define ANNA "anna@contoso.example"
#define BO   "bo@partner.example"

static const struct said_name hello = { ANNA, BO, "m1" };

static void
keep(struct said *s, const char *id, const char *text, uint64_t now_ms)
{
	struct said_name name = { ANNA, BO, id };

	said_keep(s, &name, text, strlen(text), true, now_ms);
}

static void
a_name_is_user_contact_and_id(void **state)
{
	static const struct said_name others[] = {
		{ ANNA, BO, "m2" },
		{ ANNA, "cleo@partner.example", "m1" },
		{ "carl@contoso.example", BO, "m1" },
		{ ANNA, BO, "" },
		{ ANNA, BO, NULL },
	};
	struct said_message m;
	struct said *s;

	(void)state;
	assert_int_equal(said_new(&s, 0), 0);
	keep(s, "m1", "Hello", 0);
	assert_true(said_find(s, &m, &hello, 0));
	assert_string_equal(m.text, "Hello");
	assert_true(m.by_contact);
	assert_int_equal(m.reactions_len, 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(said_find(s, &m, &others[i], 0));
	/* Nothing is kept that could not be named. */
	keep(s, "", "nameless", 0);
	keep(s, NULL, "nameless", 0);
	assert_int_equal(said_count(s), 1);
	said_forget(s, &hello);
	said_forget(s, &hello);
	assert_false(said_find(s, &m, &hello, 0));
	assert_int_equal(said_count(s), 0);
	said_free(s);
}

static void
a_new_text_takes_the_place_of_the_old(void **state)
{
	struct said_message m;
	struct said *s;

	(void)state;
	assert_int_equal(said_new(&s, 0), 0);
	keep(s, "m1", "at nune", 0);
	said_react(s, &hello, "a\0b", 4);
	said_keep(s, &hello, "at noon", 7, false, 5);
	assert_true(said_find(s, &m, &hello, 5));
	assert_string_equal(m.text, "at noon");
	assert_false(m.by_contact);
	assert_int_equal(m.reactions_len, 4);
	assert_memory_equal(m.reactions, "a\0b", 4);
	said_react(s, &hello, "", 0);
	assert_true(said_find(s, &m, &hello, 5));
	assert_int_equal(m.reactions_len, 0);
	assert_int_equal(said_count(s), 1);
	said_free(s);
}

/* Room for whole reactions only. */
static void
reactions_are_bounded(void **state)
{
	char many[SAID_REACTIONS_SIZE * 2];
	struct said_message m;
	struct said *s;

	(void)state;
	for (size_t i = 0; i < sizeof(many); i++)
		many[i] = (char)(i % 10 == 9 ? '\0' : 'x');
	assert_int_equal(said_new(&s, 0), 0);
	keep(s, "m1", "Hello", 0);
	said_react(s, &hello, many, sizeof(many));
	assert_true(said_find(s, &m, &hello, 0));
	assert_int_equal(m.reactions_len, SAID_REACTIONS_SIZE / 10 * 10);
	assert_int_equal(m.reactions[m.reactions_len - 1], '\0');
	/* Of what is not known nothing is kept. */
	said_forget(s, &hello);
	said_react(s, &hello, many, 10);
	assert_int_equal(said_count(s), 0);
	said_free(s);
}

static void
the_oldest_goes_first(void **state)
{
	struct said_message m;
	struct said *s;
	char id[8];

	(void)state;
	assert_int_equal(said_new(&s, 3), 0);
	for (int i = 1; i <= 3; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		keep(s, id, id, 0);
	}
	keep(s, "m1", "said anew", 0);
	keep(s, "m4", "one too many", 0);
	assert_int_equal(said_count(s), 3);
	assert_true(said_find(s, &m, &hello, 0));
	assert_false(
	    said_find(s, &m, &(struct said_name){ ANNA, BO, "m2" }, 0));
	said_free(s);
}

static void
a_day_later_it_is_forgotten(void **state)
{
	struct said_message m;
	struct said *s;

	(void)state;
	assert_int_equal(said_new(&s, 0), 0);
	keep(s, "m1", "Hello", 1000);
	assert_true(said_find(s, &m, &hello, 1000 + SAID_AGE_MS - 1));
	assert_false(said_find(s, &m, &hello, 1000 + SAID_AGE_MS));
	keep(s, "m2", "next day", 1000 + SAID_AGE_MS);
	assert_int_equal(said_count(s), 1);
	said_free(s);
}

#define FAMILY "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7" /* joined */
#define MORE   "\xe2\x80\xa6"

static const struct {
	const char *text;
	size_t chars;
	const char *excerpt;
} excerpts[] = {
	{ "", 5, "" },
	{ " \r\n\t ", 5, "" },
	{ "abc", 5, "abc" },
	{ "abcde", 5, "abcde" },
	{ "abcdef", 5, "abcde" MORE },
	{ "abcde \n", 5, "abcde" },
	{ "  a \r\n\r\n b  ", 5, "a b" },
	/* A blank counts, and is not left at the end. */
	{ "ab cdef", 5, "ab cd" MORE },
	{ "abcd ef", 5, "abcd" MORE },
	{ "ab\xc2\xa0\xe2\x80\xa8"
	  "cd",
	    5, "ab cd" },
	/* A character keeps its marks, or goes with them. */
	{ "abcde\xcc\x81", 5, "abcde\xcc\x81" },
	{ "abcdef\xcc\x81", 5, "abcde" MORE },
	{ "abcd" FAMILY, 5, "abcd" FAMILY },
	{ "abcde" FAMILY, 5, "abcde" MORE },
	{ "a\x07"
	  "b",
	    5, "a b" },
	/* What is no text ends it. */
	{ "ab\xff\xff", 5, "ab" MORE },
};

static void
an_excerpt_is_whole_characters(void **state)
{
	char out[EXCERPT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(excerpts) / sizeof(excerpts[0]); i++) {
		size_t len = excerpt_of(out, excerpts[i].text,
		    strlen(excerpts[i].text), excerpts[i].chars);

		if (strcmp(out, excerpts[i].excerpt) != 0)
			fail_msg("%zu: \"%s\"", i, out);
		assert_int_equal(len, strlen(out));
	}
}

/* Marks without end go with their character, when there is no room. */
static void
an_excerpt_has_its_room(void **state)
{
	char text[4096] = "abc", out[EXCERPT_SIZE];

	(void)state;
	for (size_t i = 3; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xcc\x81", 3);
	assert_int_equal(
	    excerpt_of(out, text, strlen(text), 40), strlen("ab" MORE));
	assert_string_equal(out, "ab" MORE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_user_contact_and_id),
		cmocka_unit_test(a_new_text_takes_the_place_of_the_old),
		cmocka_unit_test(reactions_are_bounded),
		cmocka_unit_test(the_oldest_goes_first),
		cmocka_unit_test(a_day_later_it_is_forgotten),
		cmocka_unit_test(an_excerpt_is_whole_characters),
		cmocka_unit_test(an_excerpt_has_its_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
