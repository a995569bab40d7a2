/* Chats: how they are listed.  See chat_rig.h. */
#include "tests/unit/chat_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/jid.h"
#include "frontend-gateway/conversation/conversation.h"
#include "frontend-gateway/conversation/conversations_impl.h"

static bool
begins_with(const char *pattern, const char *text)
{
	return strncmp(pattern, text, strlen(pattern)) == 0;
}

/* Follows the pages; the number of items, each behind the one before. */
static size_t
walk(struct conversations_query q)
{
	char last[128] = "";
	size_t n = 0;

	for (;;) {
		json_t *page = conversations_list(chat.cs, &q), *item;
		const char *next;
		size_t i;

		assert_non_null(page);
		json_array_foreach(json_object_get(page, "items"), i, item)
		{
			const char *key =
			    json_string_value(json_object_get(item, "key"));

			assert_true(strcmp(key, last) > 0);
			snprintf(last, sizeof(last), "%s", key);
			n++;
		}
		next = json_string_value(json_object_get(page, "next"));
		if (next != NULL)
			assert_string_equal(next, last);
		q.after = last;
		json_decref(page);
		if (next == NULL)
			return n;
	}
}

/* What the sanitizers take is on top. */
#ifdef SALLYPORT_SANITIZED
enum { LIST_MS = 5000 };
#else
enum { LIST_MS = 500 };
#endif

static double
work_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return 1e3 * (double)ts.tv_sec + (double)ts.tv_nsec / 1e6;
}

static void
ten_thousand_chats_are_listed_at_once(void **state)
{
	enum { USERS = 100, CONTACTS = 100 };
	struct conversations_query q = { .limit = 1000, .fits = begins_with };
	double begin;

	(void)state;
	for (unsigned i = 0; i < USERS * CONTACTS; i++) {
		char name[64];
		struct jid user, contact;
		struct conversation *c;

		/* Users of whom one's name begins the other's. */
		snprintf(name, sizeof(name), "u%u@contoso.example", i % USERS);
		assert_int_equal(jid_parse(&user, name, strlen(name)), 0);
		snprintf(name, sizeof(name), "c%u@partner.example", i / USERS);
		assert_int_equal(jid_parse(&contact, name, strlen(name)), 0);
		assert_int_equal(
		    conversations_get(&c, chat.cs, &user, &contact), 0);
		jid_finish(&user);
		jid_finish(&contact);
	}
	begin = work_ms();
	assert_int_equal(walk(q), USERS * CONTACTS);
	/* A second is for all of it, by the clock and with the way to the
	 * client; the processor's time is the same on a busy machine. */
	assert_true(work_ms() - begin < LIST_MS);
	q.limit = 7;
	q.user = "u7@";
	assert_int_equal(walk(q), CONTACTS);
	q.contact = "c9";
	assert_int_equal(walk(q), 11);
	q.state = "idle";
	assert_int_equal(walk(q), 11);
	q.state = "open";
	assert_int_equal(walk(q), 0);
}

static void
a_chat_is_listed_without_what_was_said(void **state)
{
	struct conversations_query q = { .limit = 10 };
	json_t *page, *one;
	char *text;

	(void)state;
	chat_stanza_comes(1, (struct chat_stanza){ .body = "very secret" });
	page = conversations_list(chat.cs, &q);
	one = json_array_get(json_object_get(page, "items"), 0);
	text = json_dumps(page, JSON_COMPACT);
	assert_null(strstr(text, "secret"));
	free(text);
	assert_string_equal(
	    json_string_value(json_object_get(one, "state")), "inviting");
	assert_string_equal(json_string_value(json_object_get(one, "since")),
	    "2026-11-21T08:15:30Z");
	assert_int_equal(
	    json_integer_value(json_object_get(one, "from_contact")), 1);
	assert_int_equal(
	    json_integer_value(json_object_get(one, "from_user")), 0);
	assert_int_equal(json_integer_value(json_object_get(one, "queued")), 1);
	json_decref(page);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CHAT_TEST(ten_thousand_chats_are_listed_at_once),
		CHAT_TEST(a_chat_is_listed_without_what_was_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
