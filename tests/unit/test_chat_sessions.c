/* Chats: the SIP sessions they live in.  See chat_rig.h. */
#include "tests/unit/chat_rig.h"

#include <stdio.h>

#include "common/clock.h"
#include "frontend-gateway/conversation/conversations_impl.h"

/* The ACK of a dialog that the user began. */
static void
lync_acknowledges(struct sip_dialog *d, const char *headers, const char *body)
{
	struct sip_msg *m;
	char head[512];

	snprintf(head, sizeof(head),
	    "ACK %s SIP/2.0\r\nVia: SIP/2.0/TLS fe1:5061;branch=z9hG4bKa\r\n"
	    "From: <%s>;tag=t1\r\nTo: <%s>;tag=t2\r\nCall-ID: call-1\r\n"
	    "CSeq: 1 ACK\r\nMax-Forwards: 70\r\n%s",
	    BO, ANNA, BO, headers);
	m = chat_parse(head, body);
	conversations_on_acknowledged(chat.cs, d, m);
	sip_msg_free(m);
}

static void
an_invite_without_an_offer_gets_ours(void **state)
{
	static const struct {
		const char *headers, *body, *want;
	} acks[] = {
		{ IM, chat_im_sdp, "" },
		{ "", "", "" }, /* to be forgiven: there is no media */
		{ IM, chat_audio_sdp, "BYE d0\n" },
		{ IM,
		    "v=0\r\no=- 0 0 IN IP4 192.0.2.1\r\ns=-\r\n"
		    "m=message 0 sip null\r\n",
		    "BYE d0\n" },
	};
	struct sip_dialog *d;

	for (size_t i = 0; i < sizeof(acks) / sizeof(acks[0]); i++) {
		if (i > 0) {
			chat_rig_teardown(state);
			assert_int_equal(chat_rig_setup(state), 0);
		}
		(void)chat_request("INVITE", ANNA, BO, "", "", NULL);
		expect("t0 accepted 200 d0\n");
		d = &chat.dialogs[0];
		/* Until our offer is answered there is no other. */
		(void)chat_request("INVITE", ANNA, BO, IM, chat_im_sdp, d);
		expect("t1 491 An offer is still to be answered\n");
		(void)chat_request("UPDATE", ANNA, BO, IM, chat_im_sdp, d);
		expect("t2 491 An offer is still to be answered\n");
		lync_acknowledges(d, acks[i].headers, acks[i].body);
		expect(acks[i].want);
		if (acks[i].want[0] != '\0')
			continue;
		(void)chat_request("UPDATE", ANNA, BO, IM, chat_im_sdp, d);
		expect("t3 200\n");
		(void)chat_request("INVITE", ANNA, BO, "", "", d);
		expect("t4 200\n");
		(void)chat_request("INVITE", ANNA, BO, IM, chat_im_sdp, d);
		expect("t5 491 An offer is still to be answered\n");
		/* An ACK that answers nothing of ours says nothing. */
		lync_acknowledges(d, IM, chat_im_sdp);
		lync_acknowledges(d, IM, chat_audio_sdp);
		expect("");
	}
}

static void
a_message_meets_a_dead_dialog_while_another_lives(void **state)
{
	(void)state;
	(void)chat_lync_invites();
	expect("t0 accepted 200 d0\n");
	chat_says(1, "hi");
	expect("MESSAGE d0 hi\n");
	/* Anna goes on at another device. */
	(void)chat_lync_invites();
	expect("t1 accepted 200 d1\n");
	chat_pool_answers(481, "");
	expect("forget d0\nMESSAGE d1 hi\n");
	chat_pool_answers(200, "");
	expect("e0 answer 1 delivered\n");
	assert_int_equal(conversations_counts(chat.cs)->sent_again, 1);
	assert_int_equal(conversations_counts(chat.cs)->doubled, 0);
	/* The same, and the dead one said so itself. */
	chat_says(2, "ho");
	expect("MESSAGE d1 ho\n");
	(void)chat_lync_invites();
	expect("t2 accepted 200 d2\n");
	conversations_on_dialog_end(
	    chat.cs, &chat.dialogs[1], SIP_DIALOG_END_BYE);
	chat_pool_answers(481, "");
	expect("MESSAGE d2 ho\n");
	chat_pool_answers(200, "");
	expect("e0 answer 2 delivered\n");
}

/* Which answers leave open whether the text was seen. */
static void
what_may_be_seen_twice_is_counted(void **state)
{
	static const struct {
		int status; /* 0: none in time; -1: the connection broke */
		uint64_t doubled;
	} rows[] = {
		{ 481, 0 },
		{ 430, 0 },
		{ 480, 0 },
		{ 487, 0 },
		{ 408, 1 },
		{ 504, 1 },
		{ 0, 1 },
		{ -1, 1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (i > 0) {
			chat_rig_teardown(state);
			assert_int_equal(chat_rig_setup(state), 0);
		}
		(void)chat_lync_invites();
		chat_says(1, "hi");
		expect("t0 accepted 200 d0\nMESSAGE d0 hi\n");
		if (rows[i].status > 0)
			chat_pool_answers(rows[i].status, "");
		else
			chat_pool_is_silent(rows[i].status == 0
						? SIP_OUTCOME_TIMEOUT
						: SIP_OUTCOME_TRANSPORT,
			    rows[i].status == 0 ? 408 : 503);
		expect("forget d0\n" INVITED("aGk="));
		assert_int_equal(conversations_counts(chat.cs)->sent_again, 1);
		assert_int_equal(conversations_counts(chat.cs)->doubled, 0);
		chat_pool_answers(200, TAKES_FIRST);
		expect("e0 answer 1 delivered\n");
		if (conversations_counts(chat.cs)->doubled != rows[i].doubled)
			fail_msg("row %zu", i);
	}
}

static void
when_both_begin_theirs_is_the_session(void **state)
{
	(void)state;
	chat_says(1, "mine");
	expect(INVITED("bWluZQ=="));
	chat_lync_invites();
	expect("t0 accepted 200 d0\ncancel INVITE\n");
	chat_pool_answers(487, "");
	expect("MESSAGE d0 mine\n");
	chat_pool_answers(200, "");
	expect("e0 answer 1 delivered\n");
}

/* The callee's 200 and our CANCEL cross: what he has seen is not said twice,
 * and of two sessions the user's remains. */
static void
when_both_begin_a_text_that_was_shown_is_not_sent_again(void **state)
{
	(void)state;
	chat_says(1, "mine");
	chat_lync_invites();
	chat.journal[0] = '\0';
	chat_says(2, "more");
	chat_pool_answers(200, TAKES_FIRST);
	expect("BYE d1\ne0 answer 1 delivered\nMESSAGE d0 more\n");
	chat_pool_answers(200, "");
	expect("e0 answer 2 delivered\n");
}

static void
when_both_begin_a_text_that_was_not_shown_follows(void **state)
{
	(void)state;
	chat_says(1, "mine");
	chat_lync_invites();
	chat.journal[0] = '\0';
	chat_pool_answers(200, "");
	expect("BYE d1\nMESSAGE d0 mine\n");
	chat_pool_answers(200, "");
	expect("e0 answer 1 delivered\n");
}

/* The user hangs up while our INVITE is being cancelled. */
static void
when_both_begin_and_theirs_ends_at_once_the_text_begins_anew(void **state)
{
	(void)state;
	chat_says(1, "mine");
	chat_lync_invites();
	conversations_on_dialog_end(
	    chat.cs, &chat.dialogs[0], SIP_DIALOG_END_BYE);
	chat.journal[0] = '\0';
	chat_pool_answers(487, "");
	expect(INVITED("bWluZQ=="));
	chat_pool_answers(200, TAKES_FIRST);
	expect("e0 answer 1 delivered\n");
}

static void
when_both_begin_a_late_text_drops_its_invite(void **state)
{
	(void)state;
	chat_says(1, "mine");
	chat_lync_invites();
	chat.journal[0] = '\0';
	clock_advance(chat.wall, 60000);
	expect("drop INVITE\ne0 answer 1 remote-server-timeout\n");
	chat_says(2, "more");
	expect("MESSAGE d0 more\n");
	chat_pool_answers(200, "");
}

static void
the_device_invited_last_is_written_to(void **state)
{
	(void)state;
	chat_lync_invites();
	chat_lync_invites();
	chat.journal[0] = '\0';
	chat_says(1, "hi");
	expect("MESSAGE d1 hi\n");
	chat_pool_answers(200, "");
	conversations_on_dialog_end(
	    chat.cs, &chat.dialogs[1], SIP_DIALOG_END_BYE);
	chat.journal[0] = '\0';
	chat_says(2, "ho");
	expect("MESSAGE d0 ho\n");
	chat_pool_answers(200, "");
}

static void
after_a_bye_the_next_message_begins_anew(void **state)
{
	char id[128];

	(void)state;
	chat_says(1, "hi");
	chat_pool_answers(200, TAKES_FIRST);
	snprintf(id, sizeof(id), "%s", chat.last_id);
	conversations_on_dialog_end(
	    chat.cs, &chat.dialogs[0], SIP_DIALOG_END_BYE);
	assert_int_equal(conversations_count(chat.cs), 0);
	chat.journal[0] = '\0';
	chat_says(2, "ho");
	expect(INVITED("aG8="));
	assert_string_not_equal(id, chat.last_id);
}

static void
an_idle_chat_is_ended(void **state)
{
	(void)state;
	chat_says(1, "hi");
	chat_pool_answers(200, TAKES_FIRST);
	chat.journal[0] = '\0';
	clock_advance(chat.wall, 1799999);
	expect("");
	clock_advance(chat.wall, 1);
	expect("BYE d0\n");
	assert_int_equal(conversations_count(chat.cs), 0);
}

static void
the_end_answers_lync_and_leaves_the_rest_to_the_edge(void **state)
{
	struct sip_dialog *d = chat_lync_invites();

	(void)state;
	chat_lync_says(d, "one");
	chat_says(1, "two");
	chat.journal[0] = '\0';
	assert_int_equal(conversations_stop(chat.cs), 1);
	chat_says(2, "three");
	expect("");
	chat_lync_says(d, "four");
	expect("t2 503 Gateway is stopping Retry-After\n");
	conversations_hang_up(chat.cs);
	expect("t1 504 XMPP server did not confirm the message in time\n"
	       "e0 withdraw 1\nBYE d0\n");
	conversations_free(chat.cs);
	chat.cs = NULL;
	expect("drop MESSAGE\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CHAT_TEST(an_invite_without_an_offer_gets_ours),
		CHAT_TEST(a_message_meets_a_dead_dialog_while_another_lives),
		CHAT_TEST(what_may_be_seen_twice_is_counted),
		CHAT_TEST(when_both_begin_theirs_is_the_session),
		CHAT_TEST(
		    when_both_begin_a_text_that_was_shown_is_not_sent_again),
		CHAT_TEST(when_both_begin_a_text_that_was_not_shown_follows),
		CHAT_TEST(
		    when_both_begin_and_theirs_ends_at_once_the_text_begins_anew),
		CHAT_TEST(when_both_begin_a_late_text_drops_its_invite),
		CHAT_TEST(the_device_invited_last_is_written_to),
		CHAT_TEST(after_a_bye_the_next_message_begins_anew),
		CHAT_TEST(an_idle_chat_is_ended),
		CHAT_TEST(the_end_answers_lync_and_leaves_the_rest_to_the_edge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
