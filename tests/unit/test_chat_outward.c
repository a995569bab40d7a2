/* Chats: from Lync to XMPP.  See chat_rig.h. */
#include "tests/unit/chat_rig.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"

static void
a_message_is_answered_when_it_is_proven(void **state)
{
	struct sip_dialog *d = chat_lync_invites();

	(void)state;
	expect("t0 accepted 200 d0\n");
	chat_lync_says(d, "hello\r\n");
	expect("e0 frame anna@contoso.example/lync -> bo@partner.example "
	       "(Anna A) hello\n");
	chat_edge_result(true, 0);
	expect("t1 200\n");
	/* The name is told once a thread. */
	chat_lync_says(d, "more");
	expect("e0 frame anna@contoso.example/lync -> bo@partner.example () "
	       "more\n");
	chat_edge_result(true, 0);
	expect("t2 200\n");
	/* The contact has been written to: he is no stranger. */
	assert_int_equal(
	    policy_judge_inward(chat.policy, "anna@contoso.example",
		"bo@partner.example", "partner.example")
		.standing,
	    POLICY_KNOWN);
}

static void
answers_go_to_the_device_that_wrote(void **state)
{
	struct sip_dialog *d;

	(void)state;
	chat_says(1, "hi");
	chat_pool_answers(200, TAKES_FIRST);
	d = &chat.dialogs[0];
	chat.journal[0] = '\0';
	chat_lync_says(d, "yes");
	expect("e0 frame anna@contoso.example/lync -> "
	       "bo@partner.example/phone (Anna A) yes\n");
	/* It bounces: the next one goes to the bare address. */
	chat_stanza_comes(2, (struct chat_stanza){ .id = chat.last_stanza,
				 .kind = "error",
				 .condition = "service-unavailable" });
	assert_non_null(strstr(chat.journal, "t0 480 "));
	chat.journal[0] = '\0';
	chat_lync_says(d, "really");
	expect("e0 frame anna@contoso.example/lync -> bo@partner.example () "
	       "really\n");
}

static void
failures_reach_the_sender(void **state)
{
	static const struct {
		enum condition c;
		int status;
	} rows[] = {
		{ COND_ITEM_NOT_FOUND, 404 },
		{ COND_REMOTE_SERVER_NOT_FOUND, 404 },
		{ COND_REMOTE_SERVER_TIMEOUT, 504 },
		{ COND_SERVICE_UNAVAILABLE, 480 },
		{ COND_FORBIDDEN, 403 },
		{ COND_RESOURCE_CONSTRAINT, 500 },
	};
	struct sip_dialog *d = chat_lync_invites();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sip_server_txn *st = chat_lync_says(d, "hello");
		char want[64];

		chat.journal[0] = '\0';
		chat_edge_result(false, rows[i].c);
		snprintf(
		    want, sizeof(want), "t%d %d ", st->number, rows[i].status);
		assert_memory_equal(chat.journal, want, strlen(want));
		chat.journal[0] = '\0';
	}
}

static void
a_bounce_decides_before_the_proof(void **state)
{
	struct sip_dialog *d = chat_lync_invites();

	(void)state;
	chat_lync_says(d, "hello");
	chat.journal[0] = '\0';
	/* Somebody else's words do not count. */
	chat_stanza_comes(1, (struct chat_stanza){ .id = chat.last_stanza,
				 .from = "eve@partner.example/x",
				 .kind = "error",
				 .condition = "item-not-found" });
	chat_stanza_comes(2, (struct chat_stanza){ .id = "another",
				 .kind = "error",
				 .condition = "item-not-found" });
	expect("e0 answer 1 delivered\ne0 answer 2 delivered\n");
	/* The contact's server may speak for him. */
	chat_stanza_comes(3, (struct chat_stanza){ .id = chat.last_stanza,
				 .from = "partner.example",
				 .kind = "error",
				 .condition = "item-not-found" });
	assert_non_null(strstr(chat.journal, "e0 answer 3 delivered\n"));
	assert_non_null(strstr(chat.journal, "t1 404 "));
	assert_non_null(strstr(chat.journal, "e0 withdraw 1\n"));
	chat.journal[0] = '\0';
}

static void
a_bounce_behind_the_proof_is_told_in_the_chat(void **state)
{
	struct chat_stanza bounce = { .kind = "error",
		.condition = "item-not-found" };
	struct sip_dialog *d = chat_lync_invites();

	(void)state;
	chat_lync_says(d, "hello");
	chat_edge_result(true, 0);
	bounce.id = chat.last_stanza;
	chat.journal[0] = '\0';
	/* Somebody else's words do not count. */
	bounce.from = "eve@partner.example/x";
	chat_stanza_comes(1, bounce);
	expect("e0 answer 1 delivered\n");
	bounce.from = NULL;
	chat_stanza_comes(2, bounce);
	expect("e0 answer 2 delivered\n"
	       "MESSAGE d0 [Not delivered: \"hello\". "
	       "XMPP address does not exist.]\n");
	chat_pool_answers(200, "");
	/* Once, and whatever the pool answers is the end of it. */
	chat_stanza_comes(3, bounce);
	expect("e0 answer 3 delivered\n");
}

/* hello is delivered, and comes back. */
static void
late_bounce(struct sip_dialog *d, const char *text)
{
	struct chat_stanza bounce = { .kind = "error",
		.condition = "forbidden" };

	chat_lync_says(d, text);
	chat_edge_result(true, 0);
	bounce.id = chat.last_stanza;
	chat_stanza_comes(1, bounce);
}

static void
a_late_bounce_is_told_in_the_form_that_is_set(void **state)
{
	static const char imdn_sdp[] =
	    "v=0\r\nm=message 5060 sip null\r\n"
	    "a=accept-types:text/plain application/ms-imdn+xml\r\n";
	struct sip_dialog *plain = chat_lync_invites(), *d;

	(void)state;
	chat.conf->notices = GATEWAY_NOTICES_OFF;
	conversations_recheck(chat.cs);
	chat.journal[0] = '\0';
	late_bounce(plain, "one");
	expect("e0 frame anna@contoso.example/lync -> bo@partner.example "
	       "(Anna A) one\n"
	       "t1 200\ne0 answer 1 delivered\n");
	chat.conf->notices = GATEWAY_NOTICES_IMDN;
	conversations_recheck(chat.cs);
	late_bounce(plain, "two");
	expect("e0 frame anna@contoso.example/lync -> bo@partner.example "
	       "() two\n"
	       "t2 202 Message-Id\ne0 answer 1 delivered\n"
	       "MESSAGE d0 [Not delivered: \"two\". XMPP server: "
	       "forbidden.]\n");
	chat_pool_answers(200, "");
	(void)chat_request("INVITE", ANNA, BO, IM, imdn_sdp, NULL);
	d = &chat.dialogs[chat.dialog_count - 1];
	chat.journal[0] = '\0';
	late_bounce(d, "three");
	expect("e0 frame anna@contoso.example/lync -> bo@partner.example "
	       "() three\n"
	       "t4 202 Message-Id\ne0 answer 1 delivered\n"
	       "NOTIFY d1 <message-id>2</message-id>\n");
}

static void
silence_is_told_as_a_failure(void **state)
{
	struct sip_dialog *d = chat_lync_invites();

	(void)state;
	chat_lync_says(d, "hello");
	chat.journal[0] = '\0';
	clock_advance(chat.wall, 27999);
	expect("");
	clock_advance(chat.wall, 1);
	expect("t1 504 XMPP server did not confirm the message in time\n"
	       "e0 withdraw 1\n");
	chat.edges.down[0] = chat.edges.down[1] = true;
	chat_lync_says(d, "hello");
	chat.journal[0] = '\0';
	clock_advance(chat.wall, 28000);
	expect("t2 504 No edge server is connected\ne0 withdraw 2\n");
}

static void
an_edge_that_is_lost_hands_over(void **state)
{
	struct sip_dialog *d = chat_lync_invites();

	(void)state;
	chat_lync_says(d, "one");
	chat_lync_says(d, "two");
	chat.journal[0] = '\0';
	chat.edges.down[0] = true;
	conversations_on_lost(chat.cs, 0);
	expect("e0 withdraw 1\n"
	       "e1 frame anna@contoso.example/lync -> bo@partner.example "
	       "(Anna A) one\n"
	       "e0 withdraw 2\n"
	       "e1 frame anna@contoso.example/lync -> bo@partner.example () "
	       "two\n");
	chat_edge_result(true, 0);
	expect("t2 200\n");
}

/* As another boot: the answers to the former barriers may be used up. */
static void
an_edge_that_is_new_gets_new_frames(void **state)
{
	struct sip_dialog *d = chat_lync_invites();

	(void)state;
	chat_lync_says(d, "one");
	chat_lync_says(d, "two");
	chat.journal[0] = '\0';
	conversations_on_renewed(chat.cs, 1);
	expect("");
	conversations_on_renewed(chat.cs, 0);
	expect("e0 withdraw 1\n"
	       "e0 frame anna@contoso.example/lync -> bo@partner.example "
	       "(Anna A) one\n"
	       "e0 withdraw 2\n"
	       "e0 frame anna@contoso.example/lync -> bo@partner.example () "
	       "two\n");
	chat_edge_result(true, 0);
	expect("t2 200\n");
}

static void
a_full_edge_is_overload(void **state)
{
	struct sip_dialog *d = chat_lync_invites();

	(void)state;
	chat.edges.full = true;
	chat.journal[0] = '\0';
	chat_lync_says(d, "one");
	expect("t1 480 Too many messages wait for delivery\n");
}

static void
a_transaction_that_is_gone_takes_its_message_along(void **state)
{
	struct sip_dialog *d = chat_lync_invites();
	struct sip_server_txn *st;

	(void)state;
	st = chat_lync_says(d, "one");
	chat.journal[0] = '\0';
	conversations_on_withdrawn(chat.cs, st);
	expect("e0 withdraw 1\n");
}

static void
refusals_by_content_and_policy(void **state)
{
	static const struct {
		const char *method, *from, *to, *headers, *body, *want;
	} rows[] = {
		{ "INVITE", ANNA, BO,
		    "Content-Type: application/ms-conf-invite+xml\r\n",
		    "<Conferencing/>",
		    "415 Group chat is not supported Accept" },
		{ "INVITE", ANNA, BO, IM "TriggeredInvite: TRUE\r\n",
		    chat_im_sdp, "415 Group chat is not supported Accept" },
		{ "INVITE", ANNA, BO,
		    IM "EndPoints: <sip:a@contoso.example>, "
		       "<sip:b@contoso.example>, <sip:c@contoso.example>\r\n",
		    chat_im_sdp, "415 Group chat is not supported Accept" },
		{ "INVITE", ANNA, BO, IM, chat_audio_sdp,
		    "488 Audio and video are not supported Warning" },
		{ "INVITE", ANNA, BO, IM, "v=0\r\n",
		    "488 Only instant messages are supported Warning" },
		{ "INVITE", ANNA, "sip:x@stranger.example", IM, chat_im_sdp,
		    "404 Domain is not among the allowed XMPP partners" },
		{ "INVITE", "sip:olaf@contoso.example", BO, IM, chat_im_sdp,
		    "403 User is not permitted to talk to XMPP partners" },
		{ "INVITE", "sip:a@other.example", BO, IM, chat_im_sdp,
		    "403 Sender is not in a domain that this gateway "
		    "serves" },
		{ "MESSAGE", ANNA, "sip:x@stranger.example", PLAIN, "hi",
		    "404 Domain is not among the allowed XMPP partners" },
		{ "MESSAGE", ANNA, BO, "Content-Type: image/gif\r\n", "GIF",
		    "415 Message body is of a type not taken Accept" },
		{ "INFO", ANNA, BO, "Content-Type: application/xml\r\n",
		    "<KeyboardActivity/>", "481 Dialog unknown after restart" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sip_server_txn *st;
		char want[256];

		st = chat_request(rows[i].method, rows[i].from, rows[i].to,
		    rows[i].headers, rows[i].body, NULL);
		snprintf(
		    want, sizeof(want), "t%d %s\n", st->number, rows[i].want);
		expect(want);
		assert_int_equal(conversations_count(chat.cs), 0);
	}
}

static void
small_talk_in_a_dialog_is_answered(void **state)
{
	struct sip_dialog *d = chat_lync_invites();

	(void)state;
	chat.journal[0] = '\0';
	chat_request("INFO", ANNA, BO, "Content-Type: application/xml\r\n",
	    "<ConversationInfo/>", d);
	expect("t1 200\n");
	chat_request("INFO", ANNA, BO, "Content-Type: application/csta+xml\r\n",
	    "<x/>", d);
	expect("t2 415 Notice is of a type not taken Accept\n");
	chat_request("INVITE", ANNA, BO, IM, chat_im_sdp, d);
	expect("t3 200\n");
	chat_lync_says(d, "\r\n");
	expect("t4 200\n");
	chat_request("UPDATE", ANNA, BO, IM, chat_im_sdp, d);
	expect("t5 200\n");
}

#define OFFER "Content-Type: text/x-msmsgsinvite; charset=UTF-8\r\n"

/* The client of the person who offers reads that the other one said no. */
static void
a_file_of_an_older_client_is_declined(void **state)
{
	static const char offer[] = "Application-Name: File Transfer\r\n"
				    "Invitation-Command: INVITE\r\n"
				    "Invitation-Cookie: 829604\r\n"
				    "Application-File: plan.doc\r\n";
	struct sip_dialog *d = chat_lync_invites();

	(void)state;
	chat.journal[0] = '\0';
	chat_request("MESSAGE", ANNA, BO, OFFER, offer, d);
	expect("t1 200\n"
	       "MESSAGE d0 Invitation-Command: CANCEL\r\n"
	       "Invitation-Cookie: 829604\r\nCancel-Code: REJECT\r\n\n");
	chat_request("MESSAGE", ANNA, BO, OFFER,
	    "Invitation-Command: CANCEL\r\nInvitation-Cookie: 829604\r\n", d);
	expect("t2 200\n");
	chat_request(
	    "MESSAGE", ANNA, BO, OFFER, "Invitation-Command: INVITE", d);
	expect("t3 400 Message body is malformed\n");
	chat_request("MESSAGE", ANNA, BO, OFFER, offer, NULL);
	expect("t4 415 Message body is of a type not taken Accept\n");
}

/* What the user asks for beyond the chat is refused; the chat goes on. */
static void
more_than_a_chat_is_refused_within_it(void **state)
{
	static const struct {
		const char *method, *headers, *body, *want;
	} rows[] = {
		{ "INVITE", IM, chat_audio_sdp,
		    "488 Audio and video are not supported Warning" },
		{ "UPDATE", IM, chat_audio_sdp,
		    "488 Audio and video are not supported Warning" },
		{ "INVITE", "Content-Type: application/ms-conf-invite+xml\r\n",
		    "<Conferencing/>",
		    "415 Group chat is not supported Accept" },
		{ "INFO", "Content-Type: application/ms-filetransfer+xml\r\n",
		    "<request/>",
		    "488 File transfer is not supported Warning" },
	};
	struct sip_dialog *d = chat_lync_invites();

	(void)state;
	chat.journal[0] = '\0';
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sip_server_txn *st = chat_request(
		    rows[i].method, ANNA, BO, rows[i].headers, rows[i].body, d);
		char want[256];

		snprintf(
		    want, sizeof(want), "t%d %s\n", st->number, rows[i].want);
		expect(want);
	}
	chat_says(1, "still here");
	expect("MESSAGE d0 still here\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CHAT_TEST(a_message_is_answered_when_it_is_proven),
		CHAT_TEST(answers_go_to_the_device_that_wrote),
		CHAT_TEST(failures_reach_the_sender),
		CHAT_TEST(a_bounce_decides_before_the_proof),
		CHAT_TEST(a_bounce_behind_the_proof_is_told_in_the_chat),
		CHAT_TEST(a_late_bounce_is_told_in_the_form_that_is_set),
		CHAT_TEST(silence_is_told_as_a_failure),
		CHAT_TEST(an_edge_that_is_lost_hands_over),
		CHAT_TEST(an_edge_that_is_new_gets_new_frames),
		CHAT_TEST(a_full_edge_is_overload),
		CHAT_TEST(a_transaction_that_is_gone_takes_its_message_along),
		CHAT_TEST(refusals_by_content_and_policy),
		CHAT_TEST(small_talk_in_a_dialog_is_answered),
		CHAT_TEST(more_than_a_chat_is_refused_within_it),
		CHAT_TEST(a_file_of_an_older_client_is_declined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
