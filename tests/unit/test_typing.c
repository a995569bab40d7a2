/* Typing: what is read, and who is told when.  The rows are in
 * tests/vectors/typing.json: seconds of the clock, and what happens then. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/clock.h"
#include "common/err.h"
#include "frontend-gateway/conversation/typing_state.h"
#include "frontend-gateway/translate/typing.h"

static json_t *vectors;

static const char *
text_of(const json_t *row, const char *member)
{
	const char *s = json_string_value(json_object_get(row, member));

	if (s == NULL)
		fail_msg("a row has no \"%s\"", member);
	return s;
}

static int
result_of(const char *is)
{
	if (strcmp(is, "malformed") == 0)
		return ERR_MALFORMED;
	if (strcmp(is, "unsupported") == 0)
		return ERR_UNSUPPORTED;
	assert_true(strcmp(is, "typing") == 0 || strcmp(is, "idle") == 0);
	return 0;
}

static void
notices_are_read(void **state)
{
	json_t *rows = json_object_get(vectors, "notices");
	char big[5000];

	(void)state;
	assert_true(json_array_size(rows) > 10);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		const char *body = text_of(row, "body");
		const char *is = text_of(row, "is");
		bool active = strcmp(is, "typing") == 0;
		struct typing_notice n = { .active = !active };

		if (typing_read(&n, body, strlen(body)) != result_of(is))
			fail_msg("%s: is not %s", text_of(row, "id"), is);
		if (result_of(is) != 0)
			continue;
		if (n.active != active ||
		    n.refresh_s !=
			json_integer_value(json_object_get(row, "refresh")))
			fail_msg("%s: active=%d refresh=%u", text_of(row, "id"),
			    n.active, n.refresh_s);
	}
	memset(big, ' ', sizeof(big));
	memcpy(big, "<a/>", 4);
	assert_int_equal(
	    typing_read(&(struct typing_notice){ 0 }, big, sizeof(big)),
	    ERR_MALFORMED);
}

/* --- who is told ----------------------------------------------------------- */

static char told[1024];
static struct clock *wall;

static void
note(const char *what)
{
	size_t len = strlen(told);

	snprintf(told + len, sizeof(told) - len, "%s%llu:%s",
	    len > 0 ? " " : "", (unsigned long long)clock_now_ms(wall) / 1000,
	    what);
}

static void
on_state(const char *state, void *arg)
{
	(void)arg;
	note(state);
}

static void
on_typing(bool typing, void *arg)
{
	(void)arg;
	note(typing ? "type" : "idle");
}

static void
play_lync(struct typing_state *t, const char *what)
{
	if (strcmp(what, "type") == 0)
		typing_state_lync_types(t, 0);
	else if (strncmp(what, "active ", 7) == 0)
		typing_state_lync_types(t, (uint32_t)atoi(what + 7));
	else if (strcmp(what, "idle") == 0)
		typing_state_lync_idle(t);
	else if (strcmp(what, "text") == 0)
		typing_state_lync_wrote(t);
	else if (strcmp(what, "lost") == 0)
		typing_state_dialog_lost(t);
	else
		fail_msg("unknown step %s", what);
}

/* <composing>, <paused> ...: a state, in a dialog unless the step says that
 * there is none. */
static void
play_contact(struct typing_state *t, const char *what)
{
	char name[32] = { 0 };

	if (strcmp(what, "<body+state>") == 0)
		typing_state_contact_wrote(t, true);
	else if (strcmp(what, "<body>") == 0)
		typing_state_contact_wrote(t, false);
	else if (strcmp(what, "<bounce>") == 0)
		typing_state_bounced(t);
	else if (sscanf(what, "<%31[a-z]>", name) == 1)
		typing_state_contact(
		    t, name, strstr(what, "without a dialog") == NULL);
}

static void
play_row(struct typing_state *t, const json_t *row)
{
	json_t *steps = json_object_get(row, "steps");
	uint64_t now = 0;

	for (size_t s = 0; s < json_array_size(steps); s++) {
		const json_t *step = json_array_get(steps, s);
		uint64_t at = 1000 * (uint64_t)json_integer_value(
					 json_array_get(step, 0));
		const char *what = json_string_value(json_array_get(step, 1));

		clock_advance(wall, at - now);
		now = at;
		if (what[0] == '<')
			play_contact(t, what);
		else
			play_lync(t, what);
	}
	clock_advance(wall, 400000);
}

static void
each_side_is_told_what_it_needs(void **state)
{
	static const struct typing_events events = { on_state, on_typing };
	json_t *rows = json_object_get(vectors, "states");

	(void)state;
	assert_true(json_array_size(rows) > 15);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		struct typing_state t;

		told[0] = '\0';
		assert_int_equal(clock_open_manual(&wall, 0, 0), 0);
		typing_state_init(&t, wall, &events, NULL);
		play_row(&t, row);
		if (strcmp(told, text_of(row, "told")) != 0)
			fail_msg("%s: told \"%s\", not \"%s\"",
			    text_of(row, "id"), told, text_of(row, "told"));
		typing_state_stop(&t);
		clock_close(wall);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notices_are_read),
		cmocka_unit_test(each_side_is_told_what_it_needs),
	};

	json_error_t e;
	int rc;

	vectors = json_load_file("tests/vectors/typing.json", 0, &e);
	if (vectors == NULL) {
		fprintf(stderr, "tests/vectors/typing.json:%d: %s\n", e.line,
		    e.text);
		return 1;
	}
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	json_decref(vectors);
	return rc;
}
