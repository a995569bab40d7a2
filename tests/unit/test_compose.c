/* What a Lync user sees of an XMPP message. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/buf.h"
#include "frontend-gateway/conversation/compose.h"
#include "proto/frame.h"

/* 2026-11-21 08:15:30 UTC */
#define STAMP INT64_C(1795248930000)

static const struct {
	const char *kind, *subject, *body, *links[2], *encrypted;
	int64_t age_ms; /* of a delay stamp; 0 = none */
	enum compose_verdict verdict;
	const char *text;
} rows[] = {
	{ "chat", NULL, "hi", { NULL }, NULL, 0, COMPOSE_TEXT, "hi" },
	{ "chat", "title", "hi", { NULL }, NULL, 0, COMPOSE_TEXT, "hi" },
	{ "normal", "title", "hi", { NULL }, NULL, 0, COMPOSE_TEXT,
	    "[title] hi" },
	{ NULL, "title", "hi", { NULL }, NULL, 0, COMPOSE_TEXT, "[title] hi" },
	{ NULL, " ", "hi", { NULL }, NULL, 0, COMPOSE_TEXT, "hi" },
	{ "chat", NULL, "hi", { NULL }, NULL, 60000, COMPOSE_TEXT, "hi" },
	{ "chat", NULL, "hi", { NULL }, NULL, 60001, COMPOSE_TEXT,
	    "[sent 2026-11-21 08:15 UTC] hi" },
	/* A stamp of the future is somebody's mistake. */
	{ "chat", NULL, "hi", { NULL }, NULL, -90000, COMPOSE_TEXT, "hi" },
	{ "normal", "t", "hi", { NULL }, NULL, 90000, COMPOSE_TEXT,
	    "[sent 2026-11-21 08:15 UTC] [t] hi" },
	{ "chat", NULL, "see this", { "https://a.example/1", NULL }, NULL, 0,
	    COMPOSE_TEXT, "see this\nhttps://a.example/1" },
	{ "chat", NULL, "https://a.example/1", { "https://a.example/1", NULL },
	    NULL, 0, COMPOSE_TEXT, "https://a.example/1" },
	{ "chat", NULL, NULL, { "https://a.example/1", "https://b.example" },
	    NULL, 0, COMPOSE_TEXT, "https://a.example/1\nhttps://b.example" },
	{ "chat", NULL, NULL, { NULL }, NULL, 0, COMPOSE_NOTHING, "" },
	{ "chat", NULL, " \n", { NULL }, NULL, 0, COMPOSE_NOTHING, "" },
	{ "chat", "title", NULL, { NULL }, NULL, 0, COMPOSE_NOTHING, "" },
	{ "chat", NULL, NULL, { NULL }, "omemo", 0, COMPOSE_UNREADABLE, "" },
	{ "chat", NULL, "[encrypted]", { NULL }, "omemo", 0, COMPOSE_TEXT,
	    "[encrypted]" },
};

static void
each_kind_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum compose_verdict verdict;
		struct frame_writer w;
		struct buf b, out;
		struct frame f;

		buf_init(&b, FRAME_MAX);
		buf_init(&out, FRAME_MAX);
		frame_begin(&w, &b, FRAME_MESSAGE);
		frame_put_str(&w, FIELD_KIND, rows[i].kind);
		frame_put_str(&w, FIELD_SUBJECT, rows[i].subject);
		frame_put_str(&w, FIELD_BODY, rows[i].body);
		for (int k = 0; k < 2; k++)
			frame_put_str(&w, FIELD_LINK, rows[i].links[k]);
		frame_put_str(&w, FIELD_ENCRYPTED, rows[i].encrypted);
		if (rows[i].age_ms != 0)
			frame_put_u64(&w, FIELD_DELAY, (uint64_t)STAMP);
		assert_int_equal(frame_end(&w), 0);
		assert_int_equal(frame_decode(&f, b.data, b.len), 0);
		assert_int_equal(
		    compose_text(&out, &verdict, &f, STAMP + rows[i].age_ms),
		    0);
		assert_int_equal(verdict, rows[i].verdict);
		assert_string_equal(buf_cstr(&out), rows[i].text);
		buf_finish(&b);
		buf_finish(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
