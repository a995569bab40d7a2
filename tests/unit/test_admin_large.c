/* The administration interface under large requests: bodies that are read apart,
 * clients who go meanwhile, and how a commit of many is told. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "frontend-gateway/admin/admin_impl.h"
#include "frontend-gateway/admin/json_body.h"
#include "tests/unit/admin_world.h"

enum { MANY = 1500 };

static int
setup(void **state)
{
	static struct admin_world w;

	admin_world_init(&w);
	*state = &w;
	return 0;
}

static int
teardown(void **state)
{
	admin_world_finish(*state);
	return 0;
}

/* A batch of so many partners with a description each; the caller's. */
static char *
batch(size_t count, const char *end)
{
	struct buf b;
	char *text;

	buf_init(&b, 0);
	(void)buf_add_str(&b, "{'changes':[");
	for (size_t i = 0; i < count; i++)
		(void)buf_addf(&b,
		    "%s{'kind':'partner','method':'PUT','object':"
		    "{'Domain':'p%04zu.example','Description':'a partner of "
		    "many'}}",
		    i > 0 ? "," : "", i);
	(void)buf_add_str(&b, end);
	text = strdup(buf_cstr(&b));
	assert_non_null(text);
	buf_finish(&b);
	return text;
}

static size_t
partners(const struct admin_world *w)
{
	return settings_view_count(
	    settings_now(w->settings.settings), &setting_kind_partner);
}

static void
a_long_body_is_read_as_a_short_one(void **state)
{
	static const struct {
		const char *end;
		unsigned status;
		const char *path, *want;
		size_t partners;
	} table[] = {
		{ "]", 400, "/error/code", "\"malformed\"", 0 },
		{ "]} x", 400, "/error/code", "\"malformed\"", 0 },
		{ ",{'kind':'x','method':'PUT'}]}", 422, "/error/text",
		    "\"changes/1500: there is no such kind\"", 0 },
		{ ",{'kind':'partner','key':'x x','method':'PUT','object':{}}"
		  "]}",
		    422, "/error/problems/0/change", "1500", 0 },
		{ "]}", 200, "/changed", "1500", MANY },
		{ "]}", 200, "/changed", "0", MANY },
	};
	struct admin_world *w = *state;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char *body = batch(MANY, table[i].end);

		assert_true(strlen(body) > JSON_BODY_LONG);
		assert_int_equal(
		    admin_world_ask(w, "POST", "/v1/batch", NULL, body),
		    table[i].status);
		assert_string_equal(
		    admin_world_member(w, table[i].path), table[i].want);
		assert_int_equal(partners(w), table[i].partners);
		free(body);
	}
}

/* Asks, and takes so many turns. */
static int
ask_and_turn(struct admin_world *w, unsigned turns)
{
	char *body = batch(MANY, "]}"), *text;
	int fd = http_client_dial(&w->client), len;

	for (char *s = body; *s != '\0'; s++)
		if (*s == '\'')
			*s = '"';
	len = asprintf(&text,
	    "POST /v1/batch HTTP/1.1\r\nHost: x\r\n"
	    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
	    strlen(body), body);
	assert_true(len > 0);
	http_client_say(&w->client, fd, text, (size_t)len);
	for (unsigned i = 0; i < turns; i++)
		http_client_turn(&w->client);
	free(text);
	free(body);
	return fd;
}

static void
whoever_asked_may_go_at_any_moment(void **state)
{
	struct admin_world *w = *state;

	for (unsigned turns = 0; turns < 8; turns++) {
		close(ask_and_turn(w, turns));
		http_client_turn(&w->client);
	}
	/* The interface is none the worse for it. */
	assert_int_equal(
	    admin_world_ask(w, "GET", "/v1/partners?limit=1", NULL, NULL), 200);
}

static void
the_interface_may_close_at_any_moment(void **state)
{
	struct admin_world *w = *state;

	for (unsigned turns = 0; turns < 8; turns++) {
		int fd = ask_and_turn(w, turns);

		admin_world_restart(w);
		close(fd);
	}
	assert_int_equal(
	    admin_world_ask(w, "GET", "/v1/partners?limit=1", NULL, NULL), 200);
}

static void
many_changes_are_one_event(void **state)
{
	static const char ask[] = "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n";
	struct admin_world *w = *state;
	char *body = batch(MANY, ",{'kind':'policy','key':'tag:Sales',"
				 "'method':'PUT','object':{}}]}");
	const char *text;
	bool closed;
	int fd = http_client_dial(&w->client);

	http_client_say(&w->client, fd, ask, strlen(ask));
	assert_non_null(strstr(
	    http_client_hear(&w->client, fd, &closed), "event: ready\n"));
	assert_int_equal(
	    admin_world_ask(w, "POST", "/v1/batch", NULL, body), 200);
	text = http_client_hear(&w->client, fd, &closed);
	assert_non_null(
	    strstr(text, "event: settings\ndata: {\"changed\":{\"policy\":1,"
			 "\"partner\":1500},\"version\":1,"));
	assert_null(strstr(text, "event: setting\n"));
	close(fd);
	free(body);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_long_body_is_read_as_a_short_one),
		TEST(whoever_asked_may_go_at_any_moment),
		TEST(the_interface_may_close_at_any_moment),
		TEST(many_changes_are_one_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
