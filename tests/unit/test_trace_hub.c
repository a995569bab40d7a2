/* Who is told what of traffic, with clients of the administration interface. */
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
#include "common/clock.h"
#include "common/err.h"
#include "frontend-gateway/trace/trace_filter.h"
#include "frontend-gateway/trace/trace_hub.h"
#include "proto/channel.h"
#include "tests/unit/admin_world.h"
#include "tests/unit/frame_build.h"

#define ANNA "anna@contoso.example"
#define BO   "bo@partner.example"
#define MARK "Gooseberry"

static struct trace_filter
filter(const char *user, const char *contact, const char *partner)
{
	struct trace_filter f = { 0 };
	char why[TRACE_FILTER_WHY_SIZE];

	if (user != NULL)
		assert_int_equal(trace_filter_set_user(&f, user, why), 0);
	if (contact != NULL)
		assert_int_equal(trace_filter_set_contact(&f, contact, why), 0);
	if (partner != NULL)
		assert_int_equal(trace_filter_add_domain(&f, partner, why), 0);
	return f;
}

static json_t *
quoted(const char *text)
{
	char *copy = strdup(text);
	json_t *out;

	for (char *c = copy; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	out = json_loads(copy, 0, NULL);
	assert_non_null(out);
	free(copy);
	return out;
}

static const char message[] =
    "{'type':'message','from':'" BO "/home','to':'" ANNA "','id':'m1',"
    "'kind':'chat','body':'" MARK "'}";

static struct frame
build(struct buf *b, const char *text)
{
	json_t *json = quoted(text);
	char *plain = json_dumps(json, 0);
	struct frame f;

	buf_clear(b);
	frame_build(b, plain);
	assert_int_equal(frame_decode(&f, b->data, b->len), 0);
	free(plain);
	json_decref(json);
	return f;
}

/* --- the hub ---------------------------------------------------------------------- */

struct place {
	struct admin_world w;
	struct trace_hub *hub;
	json_t *who; /* as told last */
	bool bodies, expired;
	int joined; /* the last code */
};

static void
on_watched(const json_t *who, void *arg)
{
	struct place *p = arg;

	json_decref(p->who);
	p->who = json_deep_copy(who);
}

static bool
on_bodies(void *arg)
{
	return ((struct place *)arg)->bodies;
}

static bool
on_may(const char *token, void *arg)
{
	(void)token;
	return !((struct place *)arg)->expired;
}

static void
on_get(struct admin_request *r)
{
	struct place *p = r->arg;
	struct trace_filter f = filter(admin_param(r, "user"),
	    admin_param(r, "contact"), admin_param(r, "partner"));
	const struct trace_hub_wish wish = {
		.filter = &f, .seconds = 100, .token = "id", .who = "desk"
	};

	p->joined = trace_hub_join(p->hub, r->call, &wish);
	if (p->joined < 0)
		admin_fail(r, 503, "no");
	trace_filter_finish(&f);
}

static const struct admin_route routes[] = {
	{ .method = HTTP_GET,
	    .path = "/v1/watch",
	    .right = ADMIN_READ,
	    .params = "user contact partner",
	    .handle = on_get },
};

static int
setup(void **state)
{
	static const struct trace_hub_events events = { on_watched, on_bodies,
		on_may };
	struct place *p = calloc(1, sizeof(*p));

	admin_world_init(&p->w);
	assert_int_equal(
	    trace_hub_new(&p->hub, p->w.settings.clock, &events, p), 0);
	assert_int_equal(admin_add_routes(p->w.admin, routes, 1, p), 0);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct place *p = *state;

	trace_hub_stop(p->hub, "over");
	admin_world_finish(&p->w);
	assert_int_equal(trace_hub_count(p->hub), 0);
	trace_hub_free(p->hub);
	json_decref(p->who);
	free(p);
	return 0;
}

static int
watch(struct place *p, const char *query)
{
	char text[256];
	int fd = http_client_dial(&p->w.client);

	snprintf(text, sizeof(text),
	    "GET /v1/watch?%s HTTP/1.1\r\nHost: x\r\n\r\n", query);
	http_client_say(&p->w.client, fd, text, strlen(text));
	return fd;
}

static const char *
hear(struct place *p, int fd)
{
	bool closed;

	return http_client_hear(&p->w.client, fd, &closed);
}

static void
say_sip(struct place *p, const char *from, const char *to, const char *body)
{
	char head[512];
	int n = snprintf(head, sizeof(head),
	    "MESSAGE sip:%s SIP/2.0\r\nFrom: <sip:%s>;tag=1\r\n"
	    "To: <sip:%s>\r\nContent-Type: text/plain\r\n\r\n",
	    to, from, to);

	trace_hub_sip(p->hub, &(struct trace_hub_sip){ .inward = true,
				  .peer = "fe1",
				  .head = head,
				  .head_len = (size_t)n,
				  .body = body,
				  .body_len = strlen(body) });
}

static void
say_frame(struct place *p, const struct trace_hub_place *at)
{
	struct buf b;
	struct frame f;

	buf_init(&b, 0);
	f = build(&b, message);
	trace_hub_frame(p->hub, at, &f);
	buf_finish(&b);
}

static void
say_traced(struct place *p, const char *json)
{
	json_t *what = quoted(json);

	trace_hub_traced(p->hub, "edge1", what);
	json_decref(what);
}

#define TRACED(body)                                                           \
	"{'at':5,'kind':'stanza','direction':'in','stream':'s','from':'" BO    \
	"/home','to':'" ANNA "','text':'<message><body>" body                  \
	"</body></message>','missed':0}"

static void
test_each_is_told_of_his_own(void **state)
{
	struct place *p = *state;
	const struct trace_hub_place at = { 1, "edge1", true, 7 };
	const struct channel_result done = { .delivered = true,
		.proof = PROOF_GATEWAY };
	const char *text;
	int hers, others;

	/* Nobody there: nothing is harmed. */
	say_sip(p, BO, ANNA, MARK);
	trace_hub_result(p->hub, &at, &done);
	hers = watch(p, "user=" ANNA);
	assert_non_null(strstr(hear(p, hers),
	    "event: ready\ndata: {\"user\":\"" ANNA "\",\"partner\":[],"
	    "\"bodies\":false}"));
	others = watch(p, "partner=other.example&contact=cleo@other.example");
	(void)hear(p, others);
	assert_int_equal(trace_hub_count(p->hub), 2);
	assert_int_equal(json_array_size(p->who), 2);
	say_traced(p, TRACED("[3 bytes]"));
	say_frame(p, &at);
	say_sip(p, BO, ANNA, MARK);
	trace_hub_result(p->hub, &at, &done);
	trace_hub_result(p->hub, &at, &done); /* once is enough */
	say_sip(p, BO, "dora@contoso.example", MARK);
	text = hear(p, hers);
	assert_null(strstr(text, MARK));
	assert_null(strstr(text, "dora"));
	text = strstr(text, "event: stanza\ndata: {\"edge\":\"edge1\"");
	assert_non_null(text);
	assert_non_null(strstr(text, "\"direction\":\"inward\""));
	text = strstr(text, "event: frame\ndata: {\"type\":\"message\"");
	assert_non_null(text);
	text = strstr(text, "event: sip\ndata: {\"method\":\"MESSAGE\"");
	assert_non_null(text);
	text = strstr(text, "event: frame\ndata: {\"type\":\"result\","
			    "\"of\":\"message\",\"status\":\"delivered\","
			    "\"proof\":\"gateway\"");
	assert_non_null(text);
	assert_non_null(strstr(text, "\"direction\":\"outward\""));
	assert_null(strstr(text + 1, "event: frame"));
	assert_null(strstr(hear(p, others), "event: s"));
	close(hers);
	close(others);
}

/* A result finds those who were told of its frame, and those alone. */
static void
test_results_find_their_frames(void **state)
{
	struct place *p = *state;
	static const struct trace_hub_place rows[] = {
		{ 1, "edge1", true, 7 + TRACE_HUB_RESULTS / 2 },
		{ 2, "edge1", true, 7 },
		{ 1, "edge1", false, 7 },
	};
	const struct trace_hub_place at = { 1, "edge1", true, 7 };
	int fd = watch(p, "user=" ANNA);

	say_frame(p, &at);
	(void)hear(p, fd);
	for (size_t i = 0; i < 3; i++)
		trace_hub_result(p->hub, &rows[i], NULL);
	assert_null(strstr(hear(p, fd), "event: frame"));
	trace_hub_result(p->hub, &at, NULL);
	assert_non_null(strstr(hear(p, fd), "\"status\":\"withdrawn\""));
	close(fd);
}

static void
test_bodies(void **state)
{
	struct place *p = *state;
	int fd = watch(p, "user=" ANNA);
	const char *text;

	(void)hear(p, fd);
	say_traced(p, TRACED("[3 bytes]"));
	assert_non_null(strstr(hear(p, fd), "[3 bytes]"));
	p->bodies = true;
	trace_hub_bodies_changed(p->hub);
	assert_non_null(
	    strstr(hear(p, fd), "event: bodies\ndata: {\"bodies\":true}"));
	say_sip(p, BO, ANNA, MARK);
	assert_non_null(strstr(hear(p, fd), MARK));
	say_traced(p, TRACED(MARK));
	assert_non_null(strstr(hear(p, fd), MARK));
	/* What an edge had told already when they were switched off. */
	p->bodies = false;
	trace_hub_bodies_changed(p->hub);
	say_sip(p, BO, ANNA, MARK);
	say_traced(p, TRACED(MARK));
	text = hear(p, fd);
	assert_null(strstr(text, MARK));
	assert_non_null(strstr(text, "event: stanza"));
	clock_advance(p->w.settings.clock, 3000);
	say_traced(p, TRACED("[3 bytes]"));
	assert_non_null(strstr(hear(p, fd), "[3 bytes]"));
	close(fd);
}

static void
test_too_much_is_counted(void **state)
{
	struct place *p = *state;
	int fd = watch(p, "user=" ANNA);
	unsigned told = 0;
	const char *text;
	char count[64];

	(void)hear(p, fd);
	for (int i = 0; i < 2000; i++)
		say_sip(p, BO, ANNA, MARK);
	text = hear(p, fd);
	for (const char *at = text; (at = strstr(at, "event: sip")) != NULL;
	     at++)
		told++;
	/* He is quick enough: none of it cuts him. */
	assert_null(strstr(text, "event: cut"));
	assert_true(told > 100 && told <= TRACE_HUB_AT_ONCE);
	clock_advance(p->w.settings.clock, 1000);
	say_sip(p, BO, ANNA, MARK);
	text = hear(p, fd);
	snprintf(count, sizeof(count),
	    "event: missed\ndata: {\"count\":%u,\"by\":\"gateway\"}",
	    2000 - told);
	assert_non_null(strstr(text, count));
	assert_non_null(strstr(text, "event: sip"));
	say_sip(p, BO, ANNA, MARK);
	assert_null(strstr(hear(p, fd), "event: missed"));
	say_traced(p, "{'at':5,'kind':'stanza','direction':'in','from':'x@y',"
		      "'to':'y@z','text':'<a/>','missed':12}");
	text = hear(p, fd);
	assert_non_null(strstr(text, "{\"count\":12,\"by\":\"edge1\"}"));
	assert_null(strstr(text, "event: stanza"));
	close(fd);
}

static void
test_who_does_not_read_is_cut(void **state)
{
	struct place *p = *state;
	int asleep = watch(p, "user=" ANNA), fd = watch(p, "contact=" BO);
	const char *text;

	(void)hear(p, fd);
	for (int i = 0; i < 60; i++) {
		for (int k = 0; k < 200; k++)
			say_sip(p, BO, ANNA, MARK);
		http_client_turn(&p->w.client);
		clock_advance(p->w.settings.clock, 500);
		(void)hear(p, fd);
	}
	assert_int_equal(trace_hub_count(p->hub), 1);
	text = hear(p, asleep);
	assert_non_null(strstr(text, "event: cut\ndata: {\"reason\":\"too"));
	say_sip(p, BO, ANNA, MARK);
	assert_non_null(strstr(hear(p, fd), "event: sip"));
	close(asleep);
	close(fd);
}

static void
test_ends(void **state)
{
	struct place *p = *state;
	int fd = watch(p, "user=" ANNA), again;

	(void)hear(p, fd);
	trace_hub_drop(p->hub, "another");
	assert_int_equal(trace_hub_count(p->hub), 1);
	trace_hub_drop(p->hub, "id");
	assert_non_null(strstr(hear(p, fd), "event: cut"));
	assert_int_equal(trace_hub_count(p->hub), 0);
	assert_int_equal(json_array_size(p->who), 0);
	close(fd);
	fd = watch(p, "user=" ANNA);
	(void)hear(p, fd);
	for (int i = 0; i < 100; i++)
		clock_advance(p->w.settings.clock, 1000);
	assert_non_null(strstr(hear(p, fd), "event: end\ndata: {\"reason\""));
	close(fd);
	fd = watch(p, "user=" ANNA);
	(void)hear(p, fd);
	p->expired = true;
	clock_advance(p->w.settings.clock, TRACE_HUB_LOOK_MS);
	assert_non_null(strstr(hear(p, fd), "expired"));
	close(fd);
	p->expired = false;
	fd = watch(p, "user=" ANNA);
	(void)hear(p, fd);
	trace_hub_stop(p->hub, "the gateway stops");
	assert_non_null(strstr(hear(p, fd), "the gateway stops"));
	again = watch(p, "user=" ANNA);
	(void)hear(p, again);
	assert_int_equal(p->joined, ERR_CLOSED);
	close(again);
	close(fd);
}

static void
test_seats(void **state)
{
	struct place *p = *state;
	int fds[TRACE_HUB_WATCHERS + 1];
	char query[64];

	for (int i = 0; i <= TRACE_HUB_WATCHERS; i++) {
		snprintf(query, sizeof(query), "partner=d%d.example", i);
		fds[i] = watch(p, query);
		(void)hear(p, fds[i]);
		assert_int_equal(
		    p->joined, i < TRACE_HUB_WATCHERS ? 0 : ERR_FULL);
	}
	assert_int_equal(json_array_size(p->who), TRACE_HUB_WATCHERS);
	/* One who goes is missed before long. */
	close(fds[0]);
	clock_advance(p->w.settings.clock, TRACE_HUB_BEAT_MS);
	http_client_turn(&p->w.client);
	clock_advance(p->w.settings.clock, TRACE_HUB_BEAT_MS);
	http_client_turn(&p->w.client);
	assert_int_equal(trace_hub_count(p->hub), TRACE_HUB_WATCHERS - 1);
	assert_int_equal(json_array_size(p->who), TRACE_HUB_WATCHERS - 1);
	for (int i = 1; i <= TRACE_HUB_WATCHERS; i++)
		close(fds[i]);
}

#define with_hub(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		with_hub(test_each_is_told_of_his_own),
		with_hub(test_results_find_their_frames),
		with_hub(test_bodies),
		with_hub(test_too_much_is_counted),
		with_hub(test_who_does_not_read_is_cut),
		with_hub(test_ends),
		with_hub(test_seats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
