/* Typing: what is read, and who is told when.  Rows T1 to T17. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "frontend-gateway/conversation/typing_state.h"
#include "frontend-gateway/translate/typing.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ISC      "urn:ietf:params:xml:ns:im-iscomposing"

static void
notices_are_read(void **state)
{
	static const struct {
		const char *body;
		int rc;
		bool active;
		uint32_t refresh;
	} rows[] = {
		{ typing_info_type, 0, true, 0 },
		{ typing_info_idle, 0, false, 0 },
		{ "<KeyboardActivity><status status='dance'/>"
		  "</KeyboardActivity>",
		    0, false, 0 },
		{ "<k:KeyboardActivity xmlns:k='urn:k'><k:status "
		  "k:status='type'/></k:KeyboardActivity>",
		    0, true, 0 },
		{ "<KeyboardActivity/>", 0, false, 0 },
		{ "<isComposing xmlns='" ISC "'><state>active</state>"
		  "<contenttype>text/plain</contenttype><refresh>60"
		  "</refresh></isComposing>",
		    0, true, 60 },
		{ "<i:isComposing xmlns:i='" ISC "'><i:state> active\n"
		  "</i:state></i:isComposing>",
		    0, true, 0 },
		{ "<isComposing><state>idle</state></isComposing>", 0, false,
		    0 },
		{ "<isComposing><state>active</state><refresh>soon"
		  "</refresh></isComposing>",
		    0, true, 0 },
		{ "<isComposing><state>active<x>idle</x></state>"
		  "</isComposing>",
		    0, false, 0 },
		{ "<ConversationInfo><Subject>x</Subject>"
		  "</ConversationInfo>",
		    ERR_UNSUPPORTED, false, 0 },
		{ "<KeyboardActivity>", ERR_MALFORMED, false, 0 },
		{ "", ERR_MALFORMED, false, 0 },
		{ "<!DOCTYPE k><KeyboardActivity/>", ERR_MALFORMED, false, 0 },
		{ "<a><a><a><a><a><a><a><a><a/></a></a></a></a></a></a></a>"
		  "</a>",
		    ERR_MALFORMED, false, 0 },
	};
	char big[5000];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct typing_notice n = { .active = !rows[i].active };

		assert_int_equal(
		    typing_read(&n, rows[i].body, strlen(rows[i].body)),
		    rows[i].rc);
		if (rows[i].rc != 0)
			continue;
		assert_int_equal(n.active, rows[i].active);
		assert_int_equal(n.refresh_s, rows[i].refresh);
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

	snprintf(told + len, sizeof(told) - len, "%llu:%s ",
	    (unsigned long long)clock_now_ms(wall) / 1000, what);
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
play(struct typing_state *t, const char *what)
{
	if (strcmp(what, "type") == 0)
		typing_state_lync_types(t, 0);
	else if (strncmp(what, "active", 6) == 0)
		typing_state_lync_types(t, (uint32_t)atoi(what + 6));
	else if (strcmp(what, "idle") == 0)
		typing_state_lync_idle(t);
	else if (strcmp(what, "text") == 0)
		typing_state_lync_wrote(t);
	else if (strcmp(what, "<body+state>") == 0)
		typing_state_contact_wrote(t, true);
	else if (strcmp(what, "<body>") == 0)
		typing_state_contact_wrote(t, false);
	else if (strcmp(what, "<bounce>") == 0)
		typing_state_bounced(t);
	else if (strcmp(what, "lost") == 0)
		typing_state_dialog_lost(t);
	else if (what[0] == '-')
		typing_state_contact(t, what + 1, false);
	else
		typing_state_contact(t, what, true);
}

static void
each_side_is_told_what_it_needs(void **state)
{
	/* Steps: seconds of the clock, and what happens then. */
	static const struct {
		const char *id;
		struct {
			unsigned at;
			const char *what;
		} steps[6];
		const char *told;
	} rows[] = {
		{ "T1", { { 0, "type" } }, "0:composing 8:paused " },
		{ "T2", { { 0, "type" }, { 5, "type" } },
		    "0:composing 13:paused " },
		{ "T4", { { 0, "type" }, { 1, "idle" } },
		    "0:composing 1:paused " },
		{ "T5", { { 0, "type" }, { 1, "text" } }, "0:composing " },
		{ "T6", { { 0, "idle" } }, "" },
		{ "T10", { { 0, "composing" } },
		    "0:type 5:type 10:type 15:type 20:type 25:type 30:type "
		    "35:type 40:type 45:type 50:type 55:type 60:type 65:type "
		    "70:type 75:type 80:type 85:type 90:type 95:type "
		    "100:type 105:type 110:type 115:type 120:idle " },
		{ "T10 again",
		    { { 0, "composing" }, { 118, "composing" },
			{ 121, "paused" } },
		    "0:type 5:type 10:type 15:type 20:type 25:type 30:type "
		    "35:type 40:type 45:type 50:type 55:type 60:type 65:type "
		    "70:type 75:type 80:type 85:type 90:type 95:type "
		    "100:type 105:type 110:type 115:type 120:type "
		    "121:idle " },
		{ "T11", { { 0, "composing" }, { 7, "paused" } },
		    "0:type 5:type 7:idle " },
		{ "T12", { { 0, "composing" }, { 7, "<body+state>" } },
		    "0:type 5:type " },
		{ "T13", { { 0, "-composing" } }, "" },
		{ "T14", { { 0, "composing" }, { 3, "lost" } }, "0:type " },
		{ "T15", { { 0, "active60" } }, "0:composing 60:paused " },
		{ "T15 long", { { 0, "active9999" } },
		    "0:composing 300:paused " },
		{ "T16", { { 0, "active" } }, "0:composing 8:paused " },
		{ "T16 alone", { { 0, "inactive" }, { 1, "paused" } }, "" },
		{ "T17", { { 0, "composing" }, { 2, "inactive" } },
		    "0:type 2:idle " },
		{ "stateless", { { 0, "<body>" }, { 1, "type" } }, "" },
		{ "stateless under way", { { 0, "type" }, { 1, "<body>" } },
		    "0:composing " },
		{ "learns",
		    { { 0, "<body>" }, { 1, "<body+state>" }, { 2, "type" } },
		    "2:composing 10:paused " },
		{ "unwelcome",
		    { { 0, "type" }, { 1, "<bounce>" }, { 2, "type" } },
		    "0:composing " },
		{ "flutter",
		    { { 0, "type" }, { 0, "idle" }, { 0, "type" },
			{ 0, "idle" }, { 1, "type" } },
		    "0:composing 0:paused 1:composing 9:paused " },
		{ "flutter of the contact",
		    { { 0, "composing" }, { 0, "paused" }, { 0, "composing" },
			{ 0, "paused" } },
		    "0:type 0:idle " },
	};
	static const struct typing_events events = { on_state, on_typing };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct typing_state t;
		uint64_t now = 0;

		told[0] = '\0';
		assert_int_equal(clock_open_manual(&wall, 0, 0), 0);
		typing_state_init(&t, wall, &events, NULL);
		for (size_t s = 0; s < 6 && rows[i].steps[s].what; s++) {
			uint64_t at = rows[i].steps[s].at * 1000ull;

			clock_advance(wall, at - now);
			now = at;
			play(&t, rows[i].steps[s].what);
		}
		clock_advance(wall, 400000);
		if (strcmp(told, rows[i].told) != 0)
			fail_msg("%s: told \"%s\", not \"%s\"", rows[i].id,
			    told, rows[i].told);
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

	return cmocka_run_group_tests(tests, NULL, NULL);
}
