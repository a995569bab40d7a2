/* Chats: from XMPP to Lync.  See chat_rig.h. */
#include "tests/unit/chat_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/jid.h"
#include "frontend-gateway/conversation/conversation.h"
#include "frontend-gateway/conversation/conversations_impl.h"
#include "frontend-gateway/policy/access.h"
#include "tests/unit/settings_world.h"

static void
the_first_message_rides_in_the_invite(void **state)
{
	(void)state;
	chat_says(1, "hi");
	expect(INVITED("aGk="));
	assert_string_equal(chat.last_epid, "85092fcec057366a");
	chat_pool_answers(200, TAKES_FIRST);
	expect("e0 answer 1 delivered\n");
	chat_says(2, "again");
	expect("MESSAGE d0 again\n");
	chat_pool_answers(200, "");
	expect("e0 answer 2 delivered\n");
}

static void
or_follows_when_the_callee_did_not_take_it(void **state)
{
	(void)state;
	chat_says(1, "hi");
	expect(INVITED("aGk="));
	chat_pool_answers(200, "Supported: timer\r\n");
	expect("MESSAGE d0 hi\n");
	chat_pool_answers(202, "");
	expect("e0 answer 1 delivered\n");
}

static void
one_message_is_on_its_way_at_a_time(void **state)
{
	(void)state;
	chat_says(1, "one");
	chat_says(2, "two");
	chat_says(3, "three");
	expect(INVITED("b25l"));
	chat_pool_answers(200, TAKES_FIRST);
	expect("e0 answer 1 delivered\nMESSAGE d0 two\n");
	chat_pool_answers(200, "");
	expect("e0 answer 2 delivered\nMESSAGE d0 three\n");
	chat_pool_answers(200, "");
	expect("e0 answer 3 delivered\n");
}

static void
the_queue_is_bounded(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 5; i++)
		chat_says(i, "x");
	expect(INVITED("eA==") "e0 answer 5 resource-constraint\n");
}

/* What a stranger and a known contact are told of the pool's answers. */
static void
strangers_learn_nothing_of_users(void **state)
{
	static const struct {
		int status;
		const char *known;
	} rows[] = {
		{ 404, "service-unavailable\n" },
		{ 604, "service-unavailable\n" },
		{ 403, "forbidden" },
		{ 480, "recipient-unavailable" },
		{ 603, "not-allowed" },
		{ 413, "policy-violation" },
		{ 500, "internal-server-error" },
		{ 503, "remote-server-timeout" },
		{ 504, "remote-server-timeout" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char want[128];

		chat_stanza_comes(1, (struct chat_stanza){ .body = "hi",
					 .from = "s@partner.example/a" });
		chat.journal[0] = '\0';
		chat_pool_answers(rows[i].status, "");
		/* And no text. */
		expect("e0 answer 1 service-unavailable\n");
		policy_remember(
		    chat.policy, "anna@contoso.example", "bo@partner.example");
		chat_says(2, "hi");
		chat.journal[0] = '\0';
		chat_pool_answers(rows[i].status, "");
		snprintf(want, sizeof(want), "e0 answer 2 %s", rows[i].known);
		assert_memory_equal(chat.journal, want, strlen(want));
		chat.journal[0] = '\0';
		assert_int_equal(conversations_count(chat.cs), 0);
	}
}

/* The new address is told when it is one of ours, and not a host's. */
static void
who_has_moved_is_told_with_the_address(void **state)
{
	static const struct {
		const char *contact, *told;
	} rows[] = {
		{ "Contact: <sip:anna.b@contoso.example>\r\n",
		    " xmpp:anna.b@contoso.example" },
		{ "Contact: <sip:anna@fe2.internal.example:5061>\r\n", "" },
		{ "Contact: <sip:anna@192.0.2.7>\r\n", "" },
		{ "Contact: <sip:anna@contoso.example;gruu>\r\n", "" },
		{ "Contact: <tel:+4930123>\r\n", "" },
		{ "", "" },
	};
	struct sip_dialog *d = chat_lync_invites();
	char want[128];

	(void)state;
	/* So that he is no stranger. */
	chat_lync_says(d, "hello");
	chat_edge_result(true, 0);
	conversations_on_dialog_end(chat.cs, d, SIP_DIALOG_END_BYE);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		chat_says(i + 1, "hi");
		chat.journal[0] = '\0';
		chat_pool_answers(301, rows[i].contact);
		snprintf(want, sizeof(want),
		    "e0 answer %zu gone This user has a new address.%s\n",
		    i + 1, rows[i].told);
		expect(want);
	}
}

static void
a_refused_invite_speaks_for_the_queue(void **state)
{
	(void)state;
	chat_says(1, "one");
	chat_says(2, "two");
	chat.journal[0] = '\0';
	chat_pool_answers(480, "");
	expect("e0 answer 1 service-unavailable\n"
	       "e0 answer 2 service-unavailable\n");
	assert_int_equal(conversations_count(chat.cs), 0);
}

static void
a_lost_dialog_is_replaced_once(void **state)
{
	static const int lost[] = { 481, 408, 430, 480, 504 };

	(void)state;
	for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
		char want[256], id[128];
		int old = (int)chat.dialog_count;

		chat_says(1, "one");
		chat_pool_answers(200, TAKES_FIRST);
		snprintf(id, sizeof(id), "%s", chat.last_id);
		chat_says(2, "two");
		chat.journal[0] = '\0';
		chat_pool_answers(lost[i], "");
		snprintf(
		    want, sizeof(want), "forget d%d\n" INVITED("dHdv"), old);
		expect(want);
		assert_string_not_equal(id, chat.last_id);
		chat_pool_answers(200, "");
		snprintf(want, sizeof(want), "MESSAGE d%d two\n", old + 1);
		expect(want);
		/* A second loss is told. */
		chat_pool_answers(481, "");
		assert_non_null(strstr(chat.journal, "e0 answer 2 "));
		assert_null(strstr(chat.journal, "INVITE"));
		chat.journal[0] = '\0';
		conversations_on_dialog_end(
		    chat.cs, &chat.dialogs[old + 1], SIP_DIALOG_END_BYE);
		assert_int_equal(conversations_count(chat.cs), 0);
	}
}

static void
a_clash_of_ids_is_tried_once_more(void **state)
{
	char id[128];

	(void)state;
	chat_says(1, "hi");
	snprintf(id, sizeof(id), "%s", chat.last_id);
	expect(INVITED("aGk="));
	chat_pool_answers(488, "ms-client-diagnostics: 52035;reason=\"x\"\r\n");
	expect(INVITED("aGk="));
	assert_string_not_equal(id, chat.last_id);
	chat_pool_answers(488, "ms-client-diagnostics: 52035;reason=\"x\"\r\n");
	assert_non_null(strstr(chat.journal, "e0 answer 1 "));
	assert_null(strstr(chat.journal, "INVITE"));
	chat.journal[0] = '\0';
}

/* Each of the two reasons to send anew counts once, wherever it is met. */
static void
a_clash_behind_a_lost_dialog_is_another_matter(void **state)
{
	static const char clash[] =
	    "ms-client-diagnostics: 52035;reason=\"x\"\r\n";

	(void)state;
	(void)chat_lync_invites();
	chat_says(1, "hi");
	expect("t0 accepted 200 d0\nMESSAGE d0 hi\n");
	chat_pool_answers(481, "");
	expect("forget d0\n" INVITED("aGk="));
	chat_pool_answers(488, clash);
	expect(INVITED("aGk="));
	chat_pool_answers(200, "");
	expect("MESSAGE d1 hi\n");
	chat_pool_answers(481, "");
	assert_non_null(strstr(chat.journal, "e0 answer 1 "));
	chat.journal[0] = '\0';
	/* A client that says so of a MESSAGE is not tried for ever. */
	chat_says(2, "ho");
	expect("MESSAGE d1 ho\n");
	chat_pool_answers(488, clash);
	expect("forget d1\n" INVITED("aG8="));
	chat_pool_answers(200, "");
	expect("MESSAGE d2 ho\n");
	chat_pool_answers(488, clash);
	assert_non_null(strstr(chat.journal, "e0 answer 2 "));
	assert_null(strstr(chat.journal, "INVITE"));
	chat.journal[0] = '\0';
}

static void
the_edge_has_its_answer_in_a_minute(void **state)
{
	(void)state;
	chat_says(1, "one");
	clock_advance(chat.wall, 1000);
	chat_says(2, "two");
	expect(INVITED("b25l"));
	clock_advance(chat.wall, 59000);
	expect(
	    "drop INVITE\ne0 answer 1 remote-server-timeout\n" INVITED("dHdv"));
	clock_advance(chat.wall, 1000);
	expect("drop INVITE\ne0 answer 2 remote-server-timeout\n");
	assert_int_equal(conversations_count(chat.cs), 0);
}

static void
a_pool_that_is_away_is_waited_for(void **state)
{
	(void)state;
	chat.ua.unreachable = true;
	chat_says(1, "hi");
	expect("");
	chat.ua.unreachable = false;
	conversations_on_reachable(chat.cs);
	expect(INVITED("aGk="));
	chat_pool_is_silent(SIP_OUTCOME_TRANSPORT, 503);
	assert_non_null(strstr(chat.journal, "remote-server-timeout"));
	chat.journal[0] = '\0';
	chat.ua.unreachable = true;
	chat_says(2, "hi");
	clock_advance(chat.wall, 60000);
	expect("e0 answer 2 remote-server-timeout\n");
}

static void
the_denied_reach_nobody(void **state)
{
	static const struct chat_stanza rows[] = {
		{ .to = "olaf@contoso.example", .body = "hi" },
		{ .to = "nobody@contoso.example", .body = "hi" },
		{ .from = "p@public.example/a", .body = "hi" },
		{ .to = "contoso.example", .body = "hi" },
		{ .from = "partner.example", .body = "hi" },
		{ .kind = "groupchat", .body = "hi" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		chat_stanza_comes(7, rows[i]);
		expect("e0 answer 7 service-unavailable\n");
	}
	/* What is no message of a person is taken, whoever it is for. */
	chat_stanza_comes(
	    8, (struct chat_stanza){ .to = "olaf@contoso.example" });
	expect("e0 answer 8 delivered\n");
	chat_stanza_comes(
	    9, (struct chat_stanza){ .kind = "headline", .body = "new" });
	expect("e0 answer 9 delivered\n");
	assert_int_equal(conversations_count(chat.cs), 0);
}

/* Names are guessed: after twenty the pool is not asked any more, nor for her
 * who is there.  Chats that came about, and failures that say nothing about a
 * user, cost nothing. */
/* Her client hears why, he that she has left, what waits is refused; and it is
 * nobody else's concern. */
static void
a_right_that_goes_ends_the_chat(void **state)
{
	struct access *access = policy_rights(chat.policy)->access;

	(void)state;
	chat_stanza_comes(
	    1, (struct chat_stanza){ .body = "hi", .state = "active" });
	chat_pool_answers(200, TAKES_FIRST);
	chat_stanza_comes(
	    2, (struct chat_stanza){ .body = "two", .state = "active" });
	chat_stanza_comes(
	    3, (struct chat_stanza){ .body = "three", .state = "active" });
	chat.journal[0] = '\0';
	access_ungrant(access, "anna@contoso.example");
	conversations_rights_changed(chat.cs, "carl@contoso.example");
	expect("");
	conversations_rights_changed(chat.cs, "anna@contoso.example");
	expect("drop MESSAGE\n"
	       "e0 answer 2 service-unavailable\n"
	       "e0 answer 3 service-unavailable\n"
	       "BYE d0 61021 403\n");
	chat_says(4, "are you there?");
	expect("e0 answer 4 service-unavailable\n");
	clock_advance(chat.wall, 2000);
	expect("e0 state gone -> bo@partner.example/phone\n");
	assert_int_equal(conversations_count(chat.cs), 0);
}

/* Chats of hers, with nothing going on. */
static void
has_chats(const char *owner, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char name[64];
		struct jid user, contact;
		struct conversation *c;

		assert_int_equal(jid_parse(&user, owner, strlen(owner)), 0);
		snprintf(name, sizeof(name), "c%u@partner.example", i);
		assert_int_equal(jid_parse(&contact, name, strlen(name)), 0);
		assert_int_equal(
		    conversations_get(&c, chat.cs, &user, &contact), 0);
		jid_finish(&user);
		jid_finish(&contact);
	}
}

/* A thousand lose their right: some are closed in a turn, but none of the rest
 * takes anything from the pool; and who has it back by then stays. */
static void
of_thousands_some_are_closed_in_a_turn(void **state)
{
	enum { CHATS = 2000, IN_A_TURN = 20 };
	struct access *access = policy_rights(chat.policy)->access;
	struct sip_dialog *d = chat_lync_invites();
	bool waits;

	(void)state;
	has_chats("carl@contoso.example", CHATS);
	chat.journal[0] = '\0';
	access_ungrant(access, "anna@contoso.example");
	access_ungrant(access, "carl@contoso.example");
	conversations_rights_changed(chat.cs, NULL);
	assert_int_equal(conversations_count(chat.cs), CHATS + 1 - IN_A_TURN);
	/* Hers may be one of the first, seldom as that is. */
	waits = strstr(chat.journal, "BYE d0") == NULL;
	if (waits) {
		chat_lync_says(d, "still there?");
		assert_non_null(strstr(chat.journal, "t1 403 "));
		assert_null(strstr(chat.journal, "message"));
		assert_null(strstr(chat.journal, "BYE d0"));
	}
	assert_int_equal(
	    access_grant(access, "carl@contoso.example", "tag:chat"), 0);
	access_set_policy(access, "tag:chat", ACCESS_FEDERATION | ACCESS_XMPP);
	clock_advance(chat.wall, 0);
	assert_non_null(strstr(chat.journal, "BYE d0 61021 403\n"));
	assert_int_equal(
	    conversations_count(chat.cs), CHATS - IN_A_TURN + (waits ? 0 : 1));
	/* The next change finds what is left. */
	access_ungrant(access, "carl@contoso.example");
	conversations_rights_changed(chat.cs, "carl@contoso.example");
	assert_int_not_equal(conversations_count(chat.cs), 0);
	clock_advance(chat.wall, 0);
	assert_int_equal(conversations_count(chat.cs), 0);
}

static void
on_rights(const char *user, void *arg)
{
	(void)user;
	(void)arg;
}

/* Once in a conversation, whoever begins it, and only if that is set. */
static void
the_contact_is_told_of_the_archive(void **state)
{
	struct settings_test t;

	(void)state;
	settings_test_init(&t);
	assert_int_equal(
	    policy_follow(chat.policy, t.settings, chat.wall, on_rights, NULL),
	    0);
	assert_int_equal(
	    settings_test_put(&t, "policy", "global",
		"{'EnableFederationAccess':true,'EnableXmppAccess':true}"),
	    0);
	assert_int_equal(settings_test_put(&t, "access-edge", "global",
			     "{'AllowFederatedUsers':true,"
			     "'EnableArchivingDisclaimer':true,"
			     "'ArchivingDisclaimer':'It is kept.'}"),
	    0);
	chat_says(1, "hi");
	chat.journal[0] = '\0';
	chat_pool_answers(200, TAKES_FIRST);
	expect("e0 answer 1 delivered\n"
	       "e0 notice -> bo@partner.example/phone It is kept.\n");
	chat_says(2, "again");
	chat_pool_answers(200, "");
	expect("MESSAGE d0 again\ne0 answer 2 delivered\n");
	chat_lync_says(&chat.dialogs[0], "yes");
	expect("e0 frame anna@contoso.example/lync -> bo@partner.example/phone "
	       "(Anna A) yes\n");
	chat_edge_result(true, 0);
	clock_advance(chat.wall, 3600000);
	chat.journal[0] = '\0';
	chat_lync_says(NULL, "anew");
	expect("e0 notice -> bo@partner.example It is kept.\n"
	       "e0 frame anna@contoso.example/lync -> bo@partner.example "
	       "(Anna A) anew\n");
	policy_unfollow(chat.policy);
	settings_test_finish(&t);
}

static void
who_guesses_names_is_stopped(void **state)
{
	static const int innocent[] = { 408, 413, 488, 500, 503, 504 };
	static const struct chat_stanza guess = { .body = "hi",
		.from = "s@partner.example/a" };
	uint64_t seq = 0;

	(void)state;
	for (size_t i = 0; i < 5 * sizeof(innocent) / sizeof(innocent[0]);
	     i++) {
		chat_stanza_comes(++seq, guess);
		chat_pool_answers(innocent[i % 6], "");
	}
	for (int i = 0; i < 20; i++) {
		chat_stanza_comes(++seq, guess);
		assert_int_equal(chat.calls[chat.call_count - 1].open, true);
		chat_pool_answers(i % 2 == 0 ? 404 : 480, "");
		assert_int_equal(conversations_count(chat.cs), 0);
	}
	chat.journal[0] = '\0';
	chat_stanza_comes(900, guess);
	expect("e0 answer 900 service-unavailable\n");
	chat_stanza_comes(901, (struct chat_stanza){ .body = "hi",
				   .from = "s@partner.example/b",
				   .to = "nobody@contoso.example" });
	expect("e0 answer 901 service-unavailable\n");
	/* Another of his server may, and half a minute later he may. */
	chat_says(902, "hi");
	chat_pool_answers(200, TAKES_FIRST);
	clock_advance(chat.wall, 30000);
	chat_stanza_comes(903, guess);
	chat_pool_answers(200, TAKES_FIRST);
	chat.journal[0] = '\0';
	/* His chat goes on, whatever else he tries. */
	chat_stanza_comes(904, (struct chat_stanza){ .body = "hi",
				   .from = "s@partner.example/b",
				   .to = "carl@contoso.example" });
	chat_pool_answers(404, "");
	chat.journal[0] = '\0';
	chat_stanza_comes(905, guess);
	assert_non_null(strstr(chat.journal, "MESSAGE"));
	chat_pool_answers(200, "");
}

static void
too_long_a_text_is_refused_whole(void **state)
{
	char *body = malloc(70001);

	(void)state;
	assert_non_null(body);
	memset(body, 'x', 70000);
	body[70000] = '\0';
	chat_says(1, body);
	free(body);
	assert_non_null(strstr(chat.journal, "e0 answer 1 policy-violation "));
	assert_non_null(strstr(chat.journal, "65536"));
}

static void
a_second_copy_is_shown_once(void **state)
{
	struct chat_stanza first = { .id = "m1", .body = "hi", .stream = "x1" };
	struct chat_stanza again = { .id = "m1", .body = "hi", .stream = "s2" };

	(void)state;
	chat_stanza_comes(1, first);
	expect(INVITED("aGk="));
	chat_stanza_comes(2, again);
	expect("");
	chat_pool_answers(200, TAKES_FIRST);
	expect("e0 answer 1 delivered\ne0 answer 2 delivered\n");
	/* On a stream that lives the same words are said again. */
	chat_stanza_comes(3, again);
	expect("MESSAGE d0 hi\n");
	chat_pool_answers(200, "");
	expect("e0 answer 3 delivered\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CHAT_TEST(the_first_message_rides_in_the_invite),
		CHAT_TEST(or_follows_when_the_callee_did_not_take_it),
		CHAT_TEST(one_message_is_on_its_way_at_a_time),
		CHAT_TEST(the_queue_is_bounded),
		CHAT_TEST(strangers_learn_nothing_of_users),
		CHAT_TEST(a_refused_invite_speaks_for_the_queue),
		CHAT_TEST(who_has_moved_is_told_with_the_address),
		CHAT_TEST(a_lost_dialog_is_replaced_once),
		CHAT_TEST(a_clash_of_ids_is_tried_once_more),
		CHAT_TEST(a_clash_behind_a_lost_dialog_is_another_matter),
		CHAT_TEST(the_edge_has_its_answer_in_a_minute),
		CHAT_TEST(a_pool_that_is_away_is_waited_for),
		CHAT_TEST(the_denied_reach_nobody),
		CHAT_TEST(a_right_that_goes_ends_the_chat),
		CHAT_TEST(of_thousands_some_are_closed_in_a_turn),
		CHAT_TEST(the_contact_is_told_of_the_archive),
		CHAT_TEST(who_guesses_names_is_stopped),
		CHAT_TEST(too_long_a_text_is_refused_whole),
		CHAT_TEST(a_second_copy_is_shown_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
