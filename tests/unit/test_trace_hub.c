/* Who is told what of traffic: filters, frames, stanzas, and the hub with
 * clients of the administration interface. */
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
#include "frontend-gateway/trace/trace_frame.h"
#include "frontend-gateway/trace/trace_hub.h"
#include "frontend-gateway/trace/trace_stanza.h"
#include "proto/channel.h"
#include "tests/unit/admin_world.h"
#include "tests/unit/frame_build.h"

#define ANNA "anna@contoso.example"
#define BO   "bo@partner.example"
#define MARK "Gooseberry"

/* --- filters --------------------------------------------------------------- */

static const struct {
	char kind;             /* u, c, p */
	const char *text, *is; /* is NULL: refused */
} wishes[] = {
	{ 'u', ANNA, ANNA },
	{ 'u', "Anna@CONTOSO.example", ANNA },
	{ 'u', "sip:Anna@contoso.example;transport=tls", ANNA },
	{ 'u', "sip:o%27neil@contoso.example", "o\\27neil@contoso.example" },
	{ 'u', "nobody@nowhere.example", "nobody@nowhere.example" },
	{ 'u', "contoso.example", NULL },
	{ 'u', ANNA "/desk", NULL },
	{ 'u', "", NULL },
	{ 'u', "@contoso.example", NULL },
	{ 'u', "a b@contoso.example", NULL },
	{ 'u', "sip:contoso.example", NULL },
	{ 'u', "sip:", NULL },
	{ 'c', BO, BO },
	{ 'c', "bo@b\303\274cher.example", "bo@b\303\274cher.example" },
	{ 'c', "bo@", NULL },
	{ 'p', "Partner.Example", "partner.example" },
	{ 'p', "b\303\274cher.example", "xn--bcher-kva.example" },
	{ 'p', BO, NULL },
	{ 'p', "", NULL },
	{ 'p', "a b", NULL },
	{ 'p', "*.example", NULL },
};

static void
test_wishes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		struct trace_filter f = { 0 };
		char why[TRACE_FILTER_WHY_SIZE] = "";
		const char *text = wishes[i].text, *is;
		int rc;

		if (wishes[i].kind == 'u')
			rc = trace_filter_set_user(&f, text, why);
		else if (wishes[i].kind == 'c')
			rc = trace_filter_set_contact(&f, text, why);
		else
			rc = trace_filter_add_domain(&f, text, why);
		if ((rc == 0) != (wishes[i].is != NULL))
			fail_msg("%s: %d, %s", text, rc, why);
		is = wishes[i].kind == 'u'   ? f.user
		     : wishes[i].kind == 'c' ? f.contact
					     : f.domains[0];
		if (rc == 0)
			assert_string_equal(is, wishes[i].is);
		else
			assert_true(why[0] != '\0' && rc == ERR_JID &&
				    trace_filter_is_empty(&f));
		trace_filter_finish(&f);
	}
}

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

static void
test_fits(void **state)
{
	static const struct {
		const char *user, *contact, *partner;
		unsigned fits; /* bits: anna-bo, anna-cleo, dora-bo, a domain */
	} rows[] = {
		{ ANNA, NULL, NULL, 3 },
		{ NULL, BO, NULL, 5 },
		{ BO, NULL, NULL, 5 },
		{ ANNA, BO, NULL, 1 },
		{ BO, ANNA, NULL, 1 },
		{ NULL, NULL, "partner.example", 13 },
		{ ANNA, NULL, "partner.example", 1 },
		{ ANNA, NULL, "other.example", 2 },
		{ "zoe@contoso.example", NULL, NULL, 0 },
		{ ANNA, NULL, "elsewhere.example", 0 },
	};
	static const struct trace_party pairs[][2] = {
		{ { ANNA, "contoso.example" }, { BO, "partner.example" } },
		{ { ANNA, "contoso.example" },
		    { "cleo@other.example", "other.example" } },
		{ { BO, "partner.example" },
		    { "dora@contoso.example", "contoso.example" } },
		{ { "contoso.example", "contoso.example" },
		    { NULL, "partner.example" } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct trace_filter f =
		    filter(rows[i].user, rows[i].contact, rows[i].partner);

		for (size_t k = 0; k < 4; k++)
			if (trace_filter_fits(&f, pairs[k], 2) !=
			    (rows[i].fits >> k & 1))
				fail_msg("row %zu, pair %zu", i, k);
		assert_false(trace_filter_fits(&f, NULL, 0));
		trace_filter_finish(&f);
	}
}

static void
test_who(void **state)
{
	json_t *who = json_array(), *is;
	struct trace_filter f;
	char name[64];

	(void)state;
	for (int i = 0; i < 40; i++) {
		size_t before = json_array_size(who);
		char why[TRACE_FILTER_WHY_SIZE];

		snprintf(name, sizeof(name), "d%d.example", i / 2);
		f = filter(NULL, NULL, name);
		assert_int_equal(
		    trace_filter_add_domain(&f, "more.example", why), 0);
		if (trace_filter_add_who(&f, who) < 0)
			assert_int_equal(json_array_size(who), before);
		trace_filter_finish(&f);
	}
	assert_int_equal(json_array_size(who), TRACE_FILTER_WHO_MAX);
	json_array_clear(who);
	f = filter(ANNA, BO, "partner.example");
	assert_int_equal(trace_filter_add_who(&f, who), 0);
	is = json_pack("[{s:s}]", "address", BO);
	assert_true(json_equal(who, is));
	json_decref(is);
	trace_filter_finish(&f);
	json_decref(who);
}

/* --- stanzas and frames ------------------------------------------------------- */

static const struct {
	const char *text, *is;
} stanzas[] = {
	{ "<message type='chat' id='m1'><body>[3 bytes]</body><active "
	  "xmlns='x'/></message>",
	    "{'name':'message','type':'chat','id':'m1','children':['body',"
	    "'active']}" },
	{ "<message id='a&gt;b' to='x' type=\"error\"><error type='cancel'>"
	  "<gone xmlns='u'/><text>[1 bytes]</text></error></message>",
	    "{'name':'message','type':'error','id':'a&gt;b','children':["
	    "'error'],'condition':'gone'}" },
	{ "<presence/>", "{'name':'presence','children':[]}" },
	{ "<presence xid='no' id='><'/><x/>",
	    "{'name':'presence','id':'><','children':[]}" },
	{ "<message><body>cut of", "{'name':'message','children':['body']}" },
	{ "<message id='cut", "{'children':[]}" },
	{ "text", "{'children':[]}" },
	{ "", "{'children':[]}" },
	{ "</a></b><c>", "{'children':[]}" },
	{ "<><a>", "{'children':[]}" },
};

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

static void
test_stanzas(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(stanzas) / sizeof(stanzas[0]); i++) {
		json_t *out = json_object(), *is = quoted(stanzas[i].is);

		/* Held in a block of its own length, for the sanitizer. */
		const size_t len = strlen(stanzas[i].text);
		char *text = malloc(len + 1);

		memcpy(text, stanzas[i].text, len + 1);
		trace_stanza_describe(out, text, len);
		if (!json_equal(out, is))
			fail_msg("%s: %s", text, json_dumps(out, 0));
		free(text);
		json_decref(out);
		json_decref(is);
	}
}

/* Everything that somebody may have written. */
static const char message[] =
    "{'type':'message','from':'" BO "/home','to':'" ANNA "','id':'m1',"
    "'kind':'chat','body':'" MARK "','rich-body':'<b>" MARK "</b>',"
    "'subject':'" MARK "','reaction':['" MARK "'],'link':['http://x/" MARK
    "'],'link-name':['" MARK "'],'declines':'" MARK "','nick':'" MARK
    "','error-text':'" MARK "'}";
static const char presence[] =
    "{'type':'presence','from':'" BO "','to':'" ANNA
    "','show':'away','status-text':'" MARK "','nick':'" MARK "'}";
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

static void
test_frames(void **state)
{
	const char *const all[] = { message, presence };
	struct channel_result r = { .condition = COND_GONE, .text = "why" };
	struct buf b, big;
	struct frame f;
	json_t *json;
	char *text;

	(void)state;
	buf_init(&b, 0);
	for (size_t i = 0; i < 2; i++) {
		f = build(&b, all[i]);
		for (int bodies = 0; bodies < 2; bodies++) {
			json = trace_frame_json(&f, bodies);
			text = json_dumps(json, 0);
			assert_int_equal(strstr(text, MARK) != NULL, bodies);
			assert_non_null(strstr(text, ANNA));
			assert_null(json_object_get(json, "cut"));
			free(text);
			json_decref(json);
		}
	}
	/* A long text is cut, with bodies or without. */
	buf_init(&big, 0);
	buf_add_str(&big, "{'type':'message','from':'a@b','to':'c@d','body':'");
	for (int i = 0; i < 30000; i++)
		buf_add_str(&big, "\303\274");
	buf_add_str(&big, "'}");
	f = build(&b, buf_cstr(&big));
	json = trace_frame_json(&f, true);
	assert_true(json_is_true(json_object_get(json, "cut")));
	assert_true(
	    json_string_length(json_object_get(json_object_get(json, "fields"),
		"body")) <= TRACE_FRAME_VALUE_MAX);
	json_decref(json);
	buf_finish(&big);
	buf_finish(&b);
	json = trace_frame_result_json(&r, FRAME_MESSAGE);
	text = json_dumps(json, JSON_COMPACT);
	assert_string_equal(text,
	    "{\"type\":\"result\",\"of\":\"message\",\"status\":\"failed\","
	    "\"condition\":\"gone\",\"text\":\"why\"}");
	free(text);
	json_decref(json);
}

static void
test_answers_to_iq_are_private(void **state)
{
	struct frame_writer w;
	struct buf b;
	struct frame f;
	json_t *json;
	char *text;

	(void)state;
	buf_init(&b, 0);
	frame_begin(&w, &b, FRAME_IQ);
	frame_put_str(&w, FIELD_FROM, BO);
	frame_put_str(&w, FIELD_TO, ANNA);
	frame_put_str(&w, FIELD_KIND, "result");
	frame_put_str(&w, FIELD_ANSWER, "{\"x\":\"" MARK "\"}");
	assert_int_equal(frame_end(&w), 0);
	assert_int_equal(frame_decode(&f, b.data, b.len), 0);
	json = trace_frame_json(&f, false);
	text = json_dumps(json, 0);
	assert_null(strstr(text, MARK));
	free(text);
	json_decref(json);
	buf_finish(&b);
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
		cmocka_unit_test(test_wishes),
		cmocka_unit_test(test_fits),
		cmocka_unit_test(test_who),
		cmocka_unit_test(test_stanzas),
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_answers_to_iq_are_private),
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
