/*
 * Every cell of RFC 6121's appendix A, written down a second time in the form
 * of the appendix: per state and stanza the new state, whether the stanza
 * passes ('+') and what the server answers by itself ('y', 'n').
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "frontend-gateway/presence/roster_state.h"

static const char *const names[ROSTER_STATE_COUNT] = { "N", "NO", "NI", "NOI",
	"T", "TI", "F", "FO", "B" };

static const char *const replies[] = { [ROSTER_NO_REPLY] = "",
	[ROSTER_REPLY_SUBSCRIBED] = " y",
	[ROSTER_REPLY_UNSUBSCRIBED] = " n" };

struct row {
	const char *state, *cells[ROSTER_STANZA_COUNT];
};

/* subscribe, subscribed, unsubscribe, unsubscribed */
static const struct row out_rows[] = {
	{ "N", { "NO +", "N", "N +", "N" } },
	{ "NO", { "NO +", "NO", "N +", "NO" } },
	{ "NI", { "NOI +", "F +", "NI +", "N +" } },
	{ "NOI", { "NOI +", "FO +", "NI +", "NO +" } },
	{ "T", { "T +", "T", "N +", "T" } },
	{ "TI", { "TI +", "B +", "NI +", "T +" } },
	{ "F", { "FO +", "F", "F +", "N +" } },
	{ "FO", { "FO +", "FO", "F +", "NO +" } },
	{ "B", { "B +", "B", "F +", "T +" } },
};
static const struct row in_rows[] = {
	{ "N", { "NI +", "N", "N", "N" } },
	{ "NO", { "NOI +", "T +", "NO", "N +" } },
	{ "NI", { "NI", "NI", "N + n", "NI" } },
	{ "NOI", { "NOI", "TI +", "NO + n", "NI +" } },
	{ "T", { "TI +", "T", "T", "N +" } },
	{ "TI", { "TI", "TI", "T + n", "NI +" } },
	{ "F", { "F y", "F", "N + n", "F" } },
	{ "FO", { "FO y", "B +", "NO + n", "F +" } },
	{ "B", { "B y", "B", "T + n", "F +" } },
};

typedef struct roster_step table_fn(enum roster_state, enum roster_stanza);

static void
compare(const struct row *rows, table_fn *fn)
{
	for (size_t s = 0; s < ROSTER_STATE_COUNT; s++) {
		assert_string_equal(rows[s].state, names[s]);
		for (size_t i = 0; i < ROSTER_STANZA_COUNT; i++) {
			struct roster_step st =
			    fn((enum roster_state)s, (enum roster_stanza)i);
			char text[16];

			snprintf(text, sizeof(text), "%s%s%s", names[st.to],
			    st.pass ? " +" : "", replies[st.reply]);
			if (strcmp(text, rows[s].cells[i]) != 0)
				fail_msg("%s, %s: %s", names[s],
				    roster_stanza_str((enum roster_stanza)i),
				    text);
		}
	}
}

static void
every_cell_is_that_of_the_rfc(void **state)
{
	(void)state;
	compare(out_rows, roster_state_out);
	compare(in_rows, roster_state_in);
}

/* Each half of a cell is independent of the other: what the contact asks for
 * never changes what the user asked for. */
static void
the_halves_do_not_touch(void **state)
{
	(void)state;
	for (int s = 0; s < ROSTER_STATE_COUNT; s++) {
		enum roster_state at = (enum roster_state)s, to;

		for (int i = 0; i < 2; i++) {
			/* subscribe and unsubscribe in: the from half */
			to = roster_state_in(
			    at, i == 0 ? ROSTER_SUBSCRIBE : ROSTER_UNSUBSCRIBE)
				 .to;
			assert_int_equal(
			    roster_state_to(at), roster_state_to(to));
			assert_int_equal(roster_state_pending_out(at),
			    roster_state_pending_out(to));
			/* subscribe and unsubscribe out: the to half */
			to = roster_state_out(
			    at, i == 0 ? ROSTER_SUBSCRIBE : ROSTER_UNSUBSCRIBE)
				 .to;
			assert_int_equal(
			    roster_state_from(at), roster_state_from(to));
			assert_int_equal(roster_state_pending_in(at),
			    roster_state_pending_in(to));
			/* and their answers */
			to = roster_state_in(at,
			    i == 0 ? ROSTER_SUBSCRIBED : ROSTER_UNSUBSCRIBED)
				 .to;
			assert_int_equal(
			    roster_state_from(at), roster_state_from(to));
			assert_int_equal(roster_state_pending_in(at),
			    roster_state_pending_in(to));
			to = roster_state_out(at,
			    i == 0 ? ROSTER_SUBSCRIBED : ROSTER_UNSUBSCRIBED)
				 .to;
			assert_int_equal(
			    roster_state_to(at), roster_state_to(to));
			assert_int_equal(roster_state_pending_out(at),
			    roster_state_pending_out(to));
		}
	}
}

static const struct {
	enum roster_state s;
	const char *name;
	bool from, to, in, out;
} traits[] = {
	{ ROSTER_N, "none", false, false, false, false },
	{ ROSTER_NO, "none+out", false, false, false, true },
	{ ROSTER_NI, "none+in", false, false, true, false },
	{ ROSTER_NOI, "none+out+in", false, false, true, true },
	{ ROSTER_T, "to", false, true, false, false },
	{ ROSTER_TI, "to+in", false, true, true, false },
	{ ROSTER_F, "from", true, false, false, false },
	{ ROSTER_FO, "from+out", true, false, false, true },
	{ ROSTER_B, "both", true, true, false, false },
};

static void
states_are_what_their_names_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(traits) / sizeof(traits[0]); i++) {
		assert_int_equal(traits[i].s, i); /* the number on disk */
		assert_string_equal(
		    roster_state_str(traits[i].s), traits[i].name);
		assert_int_equal(
		    roster_state_from(traits[i].s), traits[i].from);
		assert_int_equal(roster_state_to(traits[i].s), traits[i].to);
		assert_int_equal(
		    roster_state_pending_in(traits[i].s), traits[i].in);
		assert_int_equal(
		    roster_state_pending_out(traits[i].s), traits[i].out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell_is_that_of_the_rfc),
		cmocka_unit_test(the_halves_do_not_touch),
		cmocka_unit_test(states_are_what_their_names_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
