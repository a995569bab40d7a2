/* Chats: who types, and who has left.  See chat_rig.h. */
#include "tests/unit/chat_rig.h"

#include <stdio.h>

#include "common/clock.h"

static struct sip_server_txn *
lync_types(struct sip_dialog *d, const char *status)
{
	char body[128];

	snprintf(body, sizeof(body),
	    "<KeyboardActivity><status status=\"%s\"/></KeyboardActivity>",
	    status);
	return chat_request(
	    "INFO", ANNA, BO, "Content-Type: application/xml\r\n", body, d);
}

static void
contact_state(uint64_t seq, const char *chat_state, const char *body)
{
	chat_stanza_comes(
	    seq, (struct chat_stanza){ .state = chat_state, .body = body });
}

static void
the_contact_sees_the_user_type(void **state)
{
	struct sip_dialog *d = chat_lync_invites();

	(void)state;
	chat.journal[0] = '\0';
	lync_types(d, "type");
	expect("t1 200\ne0 state composing -> bo@partner.example\n");
	lync_types(d, "type");
	expect("t2 200\n");
	clock_advance(chat.wall, 8000);
	expect("e0 state paused -> bo@partner.example\n");
	chat_request(
	    "INFO", ANNA, BO, "Content-Type: application/xml\r\n", "<x", d);
	expect("t3 400 Message body is malformed\n");
	chat_request("MESSAGE", ANNA, BO,
	    "Content-Type: application/im-iscomposing+xml\r\n",
	    "<isComposing><state>active</state></isComposing>", d);
	expect("t4 200\ne0 state composing -> bo@partner.example\n");
	/* Errors to what was never asked for end it. */
	chat_stanza_comes(9, (struct chat_stanza){ .id = chat.last_stanza,
				 .kind = "error",
				 .condition = "service-unavailable" });
	expect("e0 answer 9 delivered\n");
	clock_advance(chat.wall, 9000);
	lync_types(d, "type");
	expect("t5 200\n");
}

static void
the_user_sees_the_contact_type(void **state)
{
	(void)state;
	/* It opens nothing. */
	contact_state(1, "composing", NULL);
	expect("e0 answer 1 delivered\n");
	assert_int_equal(conversations_count(chat.cs), 0);
	chat_lync_invites();
	chat.journal[0] = '\0';
	contact_state(2, "composing", NULL);
	expect("INFO d0 type\ne0 answer 2 delivered\n");
	chat_pool_answers(200, "");
	clock_advance(chat.wall, 5000);
	expect("INFO d0 type\n");
	chat_pool_answers(200, "");
	contact_state(3, "paused", NULL);
	expect("INFO d0 idle\ne0 answer 3 delivered\n");
	/* The dialog is dead: the next text begins anew. */
	chat_pool_answers(481, "");
	expect("forget d0\n");
	assert_int_equal(conversations_count(chat.cs), 0);
}

static void
the_contact_hears_that_the_user_has_left(void **state)
{
	struct sip_dialog *d = chat_lync_invites();

	(void)state;
	contact_state(1, "active", NULL);
	chat.journal[0] = '\0';
	conversations_on_dialog_end(chat.cs, d, SIP_DIALOG_END_BYE);
	assert_int_equal(conversations_count(chat.cs), 1);
	clock_advance(chat.wall, 1000);
	/* Another device goes on. */
	d = chat_lync_invites();
	clock_advance(chat.wall, 5000);
	expect("t1 accepted 200 d1\n");
	conversations_on_dialog_end(chat.cs, d, SIP_DIALOG_END_BYE);
	clock_advance(chat.wall, 2000);
	expect("e0 state gone -> bo@partner.example\n");
	assert_int_equal(conversations_count(chat.cs), 0);
}

static void
a_contact_who_has_left_is_believed_after_a_while(void **state)
{
	(void)state;
	chat_lync_invites();
	chat.journal[0] = '\0';
	contact_state(1, "gone", NULL);
	clock_advance(chat.wall, 59000);
	contact_state(2, "active", NULL);
	clock_advance(chat.wall, 59000);
	expect("e0 answer 1 delivered\ne0 answer 2 delivered\n");
	contact_state(3, "gone", NULL);
	clock_advance(chat.wall, 60000);
	expect("e0 answer 3 delivered\nBYE d0\n");
	assert_int_equal(conversations_count(chat.cs), 0);
}

static void
a_message_needs_no_dialog(void **state)
{
	(void)state;
	chat_lync_says(NULL, "page");
	expect("e0 frame anna@contoso.example/lync -> bo@partner.example "
	       "(Anna A) page\n");
	chat_edge_result(true, 0);
	expect("t0 200\n");
	assert_int_equal(conversations_count(chat.cs), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CHAT_TEST(the_contact_sees_the_user_type),
		CHAT_TEST(the_user_sees_the_contact_type),
		CHAT_TEST(the_contact_hears_that_the_user_has_left),
		CHAT_TEST(a_contact_who_has_left_is_believed_after_a_while),
		CHAT_TEST(a_message_needs_no_dialog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
