/* The administration interface: resources, conditions, tokens, events. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "frontend-gateway/admin/admin_impl.h"
#include "frontend-gateway/admin/etag.h"
#include "frontend-gateway/admin/event_hub.h"
#include "frontend-gateway/admin/json_body.h"
#include "frontend-gateway/admin/tokens.h"
#include "tests/unit/admin_world.h"

#define PARTNER "{'Domain':'partner.example'}"
#define P(n)    "/v1/partners/" n
#define member_is(w, path, want)                                               \
	assert_string_equal(admin_world_member(w, path), want)

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

/* --- one request after the other ------------------------------------------- */

/* Versions are counted by the store: each of these steps knows what the former
 * left. */
static const struct {
	const char *method, *target, *header, *body;
	unsigned status;
	const char *path, *want; /* of the answer */
} steps[] = {
	{ "GET", "/v1/partners", NULL, NULL, 200, "/items", "[]" },
	{ "GET", P("partner.example"), NULL, NULL, 404, "/error/code",
	    "\"not-found\"" },
	{ "PUT", P("partner.example"), "If-Match: \"1\"\r\n", PARTNER, 412,
	    "/error/code", "\"version\"" },
	{ "PUT", P("partner.example?dry_run=true"), NULL, PARTNER, 200,
	    "/before", "null" },
	{ "GET", "/v1/partners", NULL, NULL, 200, "/items", "[]" },
	{ "PUT", P("PARTNER.example"), "If-None-Match: *\r\n", PARTNER, 201,
	    "/after/version", "1" },
	{ "GET", P("partner.example"), NULL, NULL, 200, "/object/PartnerType",
	    "\"PublicUnverified\"" },
	{ "GET", P("partner.example"), NULL, NULL, 200, "/set",
	    "[\"Domain\"]" },
	{ "GET", P("partner.example"), "If-None-Match: \"1\"\r\n", NULL, 304,
	    NULL, NULL },
	{ "GET", P("partner.example"), "If-None-Match: \"2\"\r\n", NULL, 200,
	    "/key", "\"partner.example\"" },
	{ "HEAD", P("partner.example"), NULL, NULL, 200, NULL, NULL },
	{ "PUT", P("partner.example"), "If-None-Match: *\r\n", PARTNER, 412,
	    "/error/code", "\"version\"" },
	{ "PATCH", P("partner.example"), "If-Match: \"1\"\r\n",
	    "{'Description':'a'}", 200, "/version", "2" },
	/* The second of two admins. */
	{ "PATCH", P("partner.example"), "If-Match: \"1\"\r\n",
	    "{'Description':'b'}", 412, "/error/code", "\"version\"" },
	{ "PATCH", P("partner.example"), "If-Match: \"1\", W/\"2\"\r\n",
	    "{'Description':'b'}", 412, "/error/code", "\"version\"" },
	{ "PATCH", P("partner.example"), "If-Match: \"7\", \"2\"\r\n",
	    "{'AdditionalDomains':{'Add':['b.example','c.example']}}", 200,
	    "/after/object/AdditionalDomains",
	    "[\"b.example\",\"c.example\"]" },
	{ "PATCH", P("partner.example"), "If-Match: *\r\n",
	    "{'AdditionalDomains':{'Remove':['b.example']}}", 200,
	    "/after/object/AdditionalDomains", "[\"c.example\"]" },
	{ "PATCH", P("partner.example"), NULL, "{'Description':null}", 200,
	    "/after/set", "[\"Domain\",\"AdditionalDomains\"]" },
	/* Mistakes. */
	{ "PATCH", P("partner.example"), NULL, "{'TlsNegotiation':'Never'}",
	    422, "/error/problems/0/member", "\"/TlsNegotiation\"" },
	{ "PATCH", P("partner.example"), NULL, "{'Colour':'red'}", 422,
	    "/error/problems/0/member", "\"/Colour\"" },
	{ "PUT", P("pool.contoso.example"), NULL,
	    "{'Domain':'pool.contoso.example'}", 422, "/error/code",
	    "\"invalid\"" },
	{ "PATCH", P("partner.example"), "If-Match: 1\r\n", "{}", 400,
	    "/error/code", "\"malformed\"" },
	{ "PATCH", P("partner.example"),
	    "If-Match: \"1\"\r\nIf-None-Match: *\r\n", "{}", 400, "/error/code",
	    "\"malformed\"" },
	{ "PUT", P("partner.example"), "If-None-Match: \"1\"\r\n", PARTNER, 400,
	    "/error/code", "\"malformed\"" },
	{ "PUT", P("partner.example"), NULL, "{", 400, "/error/code",
	    "\"malformed\"" },
	{ "PUT", P("partner.example"), NULL, "[]", 400, "/error/text",
	    "\"body: is no object\"" },
	{ "PUT", P("partner.example"), NULL, "", 400, "/error/text",
	    "\"body: is missing\"" },
	{ "PUT", P("partner.example?dryrun=true"), NULL, PARTNER, 400,
	    "/error/text", "\"there is no parameter \\\"dryrun\\\" here\"" },
	{ "PUT", P("partner.example?dry_run=yes"), NULL, PARTNER, 400,
	    "/error/code", "\"malformed\"" },
	{ "GET", "/v1/partners?limit=0", NULL, NULL, 400, "/error/code",
	    "\"malformed\"" },
	{ "GET", "/v1/partners?limit=1001", NULL, NULL, 400, "/error/code",
	    "\"malformed\"" },
	{ "GET", "/v1/partners?limit=-1", NULL, NULL, 400, "/error/code",
	    "\"malformed\"" },
	{ "GET", "/v1/partners?limit=99999999999999999999", NULL, NULL, 400,
	    "/error/code", "\"malformed\"" },
	{ "POST", P("partner.example"), NULL, PARTNER, 405, "/error/code",
	    "\"method-not-allowed\"" },
	{ "DELETE", "/v1/partners", NULL, NULL, 405, "/error/code",
	    "\"method-not-allowed\"" },
	{ "BREW", "/v1/partners", NULL, NULL, 405, "/error/code",
	    "\"method-not-allowed\"" },
	{ "GET", "/v2/partners", NULL, NULL, 404, "/error/code",
	    "\"not-found\"" },
	{ "GET", "/v1/partners/%zz", NULL, NULL, 400, "/error/code",
	    "\"malformed\"" },
	{ "GET", "/v1/partners/a/b", NULL, NULL, 404, "/error/code",
	    "\"not-found\"" },
	{ "GET", "/v1/partners/{key}", NULL, NULL, 404, "/error/code",
	    "\"not-found\"" },
	/* What is single. */
	{ "GET", "/v1/gateway-config", NULL, NULL, 200,
	    "/object/ConnectionLimit", "1000" },
	{ "PATCH", "/v1/gateway-config", "If-Match: \"0\"\r\n",
	    "{'ConnectionLimit':7,'DialbackPassphrase':'0123456789abcdef'}",
	    200, "/after/object/ConnectionLimit", "7" },
	{ "DELETE", "/v1/gateway-config", NULL, NULL, 200,
	    "/after/object/ConnectionLimit", "1000" },
	{ "GET", "/v1/gateway-config/global", NULL, NULL, 404, "/error/code",
	    "\"not-found\"" },
	/* The end. */
	{ "DELETE", P("partner.example?dry_run=true"), NULL, NULL, 200,
	    "/after", "null" },
	{ "DELETE", P("partner.example"), "If-Match: \"1\"\r\n", NULL, 412,
	    "/error/code", "\"version\"" },
	{ "DELETE", P("partner.example"), NULL, NULL, 200, "/after", "null" },
	{ "DELETE", P("partner.example"), NULL, NULL, 404, "/error/code",
	    "\"not-found\"" },
	/* The rest of the resources. */
	{ "GET", "/v1/status", NULL, NULL, 200, "/daemon", "\"gateway\"" },
	{ "GET", "/v1/edges", NULL, NULL, 200, "/items/0/name",
	    "\"edge1.contoso.example\"" },
	{ "GET", "/v1/edges?limit=1", NULL, NULL, 200, "/next",
	    "\"edge1.contoso.example\"" },
	{ "GET", "/v1/edges?after=edge1.contoso.example", NULL, NULL, 200,
	    "/items/0/name", "\"edge2.contoso.example\"" },
	{ "GET", "/v1/edges?filter=*2.*", NULL, NULL, 200, "/items/0/name",
	    "\"edge2.contoso.example\"" },
	{ "GET", "/v1/contacts", NULL, NULL, 200, "/next", "\"1\"" },
	{ "GET", "/v1/contacts?after=1", NULL, NULL, 200, "/items/0/contact",
	    "\"cy@partner.example\"" },
	{ "GET", "/v1/contacts?user=x", NULL, NULL, 400, "/error/text",
	    "\"user and contact must be addresses\"" },
	{ "GET", "/v1/rights/sip%3AAnna%40contoso.example", NULL, NULL, 200,
	    "/user", "\"anna@contoso.example\"" },
	{ "GET", "/v1/rights/contoso.example", NULL, NULL, 400, "/error/code",
	    "\"malformed\"" },
	{ "GET", "/v1/openapi.json", NULL, NULL, 200, "/openapi", "\"3.1.0\"" },
	{ "GET", "/metrics", NULL, NULL, 200, NULL, NULL },
	{ "GET", "/v1/audit?order=random", NULL, NULL, 400, "/error/code",
	    "\"malformed\"" },
	{ "GET", "/v1/audit?after=x", NULL, NULL, 400, "/error/code",
	    "\"malformed\"" },
};

static void
test_steps(void **state)
{
	struct admin_world *w = *state;
	size_t wrong = 0;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		unsigned status = admin_world_ask(w, steps[i].method,
		    steps[i].target, steps[i].header, steps[i].body);

		if (status == steps[i].status &&
		    (steps[i].path == NULL ||
			strcmp(admin_world_member(w, steps[i].path),
			    steps[i].want) == 0))
			continue;
		wrong++;
		print_error("step %zu, %s %s: %s\n", i, steps[i].method,
		    steps[i].target, w->text);
	}
	assert_int_equal(wrong, 0);
}

static bool
has_header(const struct admin_world *w, const char *line)
{
	const char *at = strstr(w->text, line);

	return at != NULL && at < http_client_body(w->text);
}

static void
test_headers(void **state)
{
	struct admin_world *w = *state;

	admin_world_ask(w, "PUT", P("partner.example"), NULL, PARTNER);
	assert_true(has_header(w, "ETag: \"1\"\r\n"));
	assert_true(has_header(w, "Cache-Control: no-store\r\n"));
	admin_world_ask(w, "GET", P("partner.example"), NULL, NULL);
	assert_true(has_header(w, "ETag: \"1\"\r\n"));
	assert_true(has_header(w, "Content-Type: application/json\r\n"));
	admin_world_ask(w, "POST", P("partner.example"), NULL, "{}");
	assert_true(has_header(w, "Allow: GET, HEAD, PUT, PATCH, DELETE\r\n"));
	/* Nobody's page may read us. */
	admin_world_ask(
	    w, "GET", "/v1/status", "Origin: http://evil.example\r\n", NULL);
	assert_null(strstr(w->text, "Access-Control"));
	admin_world_ask(w, "OPTIONS", "/v1/status",
	    "Origin: http://evil.example\r\n", NULL);
	assert_int_equal(w->status, 405);
	/* Forms of the body. */
	assert_int_equal(admin_world_ask(w, "PATCH", P("partner.example"),
			     "Content-Type: text/plain\r\n", NULL),
	    415);
	admin_world_ask(w, "PATCH", P("partner.example"), NULL, NULL);
	assert_int_equal(w->status, 415);
}

/* --- lists ----------------------------------------------------------------- */

static void
add_partners(struct admin_world *w, size_t count)
{
	struct settings_change *v = calloc(count, sizeof(*v));

	for (size_t i = 0; i < count; i++) {
		char text[64];
		char *key;

		assert_true(asprintf(&key, "p%04zu.example", i) > 0);
		snprintf(text, sizeof(text), "{'Domain':'%s'}", key);
		v[i].kind = &setting_kind_partner;
		v[i].key = key;
		v[i].object = settings_test_json(text);
		v[i].version = SETTINGS_ANY;
	}
	assert_int_equal(settings_test_batch(&w->settings, v, count, false), 0);
	for (size_t i = 0; i < count; i++) {
		json_decref((json_t *)(uintptr_t)v[i].object);
		free((char *)(uintptr_t)v[i].key);
	}
	free(v);
}

static size_t
lines_in(const char *text)
{
	size_t n = 0;

	for (; (text = strchr(text, '\n')) != NULL; text++)
		n++;
	return n;
}

/* Follows `next` to the end; the number of items. */
static size_t
walk(struct admin_world *w, const char *path, const char *query, size_t *pages)
{
	char target[256], next[128] = "";
	size_t n = 0;

	for (*pages = 0; *pages < 1000;) {
		const char *more;

		snprintf(target, sizeof(target), "%s?%s&after=%s", path, query,
		    next);
		if (admin_world_ask(w, "GET", target, NULL, NULL) != 200)
			fail_msg("%s: %s", target, w->text);
		(*pages)++;
		n += json_array_size(json_object_get(w->body, "items"));
		more = json_string_value(json_object_get(w->body, "next"));
		if (more == NULL)
			break;
		snprintf(next, sizeof(next), "%s", more);
	}
	return n;
}

static void
test_lists(void **state)
{
	static const struct {
		const char *path, *query;
		size_t count, pages;
	} walks[] = {
		{ "/v1/partners", "limit=1000", 350, 1 },
		{ "/v1/partners", "limit=100", 350, 4 },
		{ "/v1/partners", "limit=50", 350, 7 },
		{ "/v1/partners", "limit=7&filter=P01*", 100, 15 },
		{ "/v1/partners", "limit=10&filter=p000?.example", 10, 1 },
		{ "/v1/partners", "filter=nobody", 0, 1 },
		{ "/v1/streams", "limit=33", 99, 3 },
		{ "/v1/streams", "limit=5&filter=p3.*", 10, 2 },
		{ "/v1/streams", "filter=edge1.000*", 9, 1 },
		{ "/v1/contacts", "limit=9", 2, 2 },
		{ "/v1/conversations", "limit=10", 55, 6 },
		{ "/v1/audit", "limit=100", 350, 4 },
		{ "/v1/audit", "order=newest&limit=100", 350, 4 },
	};
	static const struct {
		const char *target;
		size_t lines;
	} streams[] = {
		{ "/v1/partners", 350 },
		{ "/v1/partners?filter=p01*", 100 },
		{ "/v1/partners?after=p0339.example", 10 },
		{ "/v1/streams?filter=p3.*", 10 },
		{ "/v1/contacts", 2 },
		{ "/v1/conversations", 55 },
		{ "/v1/audit", 350 },
		{ "/v1/audit?order=newest", 350 },
	};
	struct admin_world *w = *state;

	add_partners(w, 350);
	w->streams = 99;
	w->conversations = 55;
	for (size_t i = 0; i < sizeof(walks) / sizeof(walks[0]); i++) {
		size_t pages,
		    n = walk(w, walks[i].path, walks[i].query, &pages);

		/* A full last page of the trail is followed by an empty one. */
		if (n != walks[i].count || pages != walks[i].pages)
			fail_msg("%s?%s: %zu in %zu pages", walks[i].path,
			    walks[i].query, n, pages);
	}
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		assert_int_equal(admin_world_ask(w, "GET", streams[i].target,
				     "Accept: application/x-ndjson\r\n", NULL),
		    200);
		assert_true(
		    has_header(w, "Content-Type: application/x-ndjson\r\n"));
		if (lines_in(http_client_body(w->text)) != streams[i].lines)
			fail_msg("%s: %s", streams[i].target, w->text);
	}
}

/* What is not whole is not ended like what is. */
static void
test_a_list_that_breaks_off(void **state)
{
	static const char ask[] = "GET /v1/conversations HTTP/1.1\r\n"
				  "Host: x\r\n"
				  "Accept: application/x-ndjson\r\n\r\n";
	struct admin_world *w = *state;
	int fd = http_client_dial(&w->client);

	w->conversations = 3000;
	w->conversations_broken = 1100;
	http_client_say(&w->client, fd, ask, sizeof(ask) - 1);
	assert_null(http_client_answer(&w->client, fd, "GET"));
	close(fd);
	w->conversations_broken = 0;
	assert_int_equal(admin_world_ask(w, "GET", "/v1/conversations",
			     "Accept: application/x-ndjson\r\n", NULL),
	    200);
	assert_int_equal(lines_in(http_client_body(w->text)), 3000);
}

/* A list that is being read is of one moment. */
static void
test_list_is_of_one_moment(void **state)
{
	static const char ask[] = "GET /v1/partners HTTP/1.1\r\nHost: x\r\n"
				  "Accept: application/x-ndjson\r\n\r\n";
	struct admin_world *w = *state;
	const char *text;
	int fd;

	add_partners(w, 4000);
	fd = http_client_dial(&w->client);
	http_client_say(&w->client, fd, ask, sizeof(ask) - 1);
	/* He has not read much of it yet. */
	assert_int_equal(
	    admin_world_ask(w, "DELETE", P("p3999.example"), NULL, NULL), 200);
	text = http_client_answer(&w->client, fd, "GET");
	assert_int_equal(lines_in(http_client_body(text)), 4000);
	assert_non_null(strstr(text, "p3999.example"));
	close(fd);
	/* One that nobody reads to its end: admin_world_finish(). */
	fd = http_client_dial(&w->client);
	http_client_say(&w->client, fd, ask, sizeof(ask) - 1);
	close(fd);
}

/* --- the audit trail ------------------------------------------------------- */

static void
test_audit(void **state)
{
	struct admin_world *w = *state;

	admin_world_ask(w, "PUT", P("partner.example"), NULL, PARTNER);
	admin_world_ask(
	    w, "PATCH", P("partner.example"), NULL, "{'Description':'x'}");
	admin_world_ask(w, "PATCH", P("partner.example?dry_run=true"), NULL,
	    "{'Description':'y'}");
	admin_world_ask(w, "PATCH", "/v1/gateway-config", NULL,
	    "{'DialbackPassphrase':'0123456789abcdef'}");
	free(admin_world_token(w, "{'Name':'ops','Rights':'read'}"));
	admin_world_ask(w, "GET", "/v1/audit", NULL, NULL);
	assert_int_equal(json_array_size(json_object_get(w->body, "items")), 4);
	member_is(w, "/items/1/before/Domain", "\"partner.example\"");
	member_is(w, "/items/1/before/Description", "");
	member_is(w, "/items/1/after/Description", "\"x\"");
	member_is(w, "/items/1/action", "\"patch\"");
	member_is(w, "/items/1/via", "\"socket\"");
	member_is(w, "/items/1/at", "\"1970-01-01T00:00:01Z\"");
	assert_string_not_equal(admin_world_member(w, "/items/1/who"), "\"\"");
	/* Secrets are told of, not told. */
	member_is(w, "/items/2/key", "\"global\"");
	assert_null(strstr(w->text, "0123456789abcdef"));
	assert_null(strstr(w->text, "Hash"));
	admin_world_ask(w, "GET", "/v1/audit/chain", NULL, NULL);
	member_is(w, "/rows", "4");
	member_is(w, "/whole", "true");
	for (size_t i = 0; i < 3; i++) {
		static const char *const methods[] = { "PUT", "PATCH",
			"DELETE" };

		assert_int_equal(
		    admin_world_ask(w, methods[i], "/v1/audit", NULL, "{}"),
		    405);
		assert_int_equal(
		    admin_world_ask(w, methods[i], "/v1/audit/1", NULL, "{}"),
		    404);
	}
}

/* --- tokens ---------------------------------------------------------------- */

static void
test_tokens(void **state)
{
	struct admin_world *w = *state;
	char *reader, *writer, target[64];

	assert_int_equal(
	    admin_world_ask_tcp(w, NULL, "GET", "/v1/status", NULL), 401);
	assert_true(has_header(w, "WWW-Authenticate: Bearer"));
	reader = admin_world_token(w, "{'Name':'reader'}");
	assert_null(strstr(w->text, "Hash"));
	writer = admin_world_token(
	    w, "{'Name':'writer','Rights':'write','Expires':'1970-01-02'}");
	assert_int_equal(
	    admin_world_ask_tcp(w, reader, "GET", "/v1/status", NULL), 200);
	assert_int_equal(admin_world_ask_tcp(
			     w, reader, "PUT", P("partner.example"), PARTNER),
	    403);
	assert_int_equal(admin_world_ask_tcp(w, reader, "POST", "/v1/tokens",
			     "{'Name':'more','Rights':'write'}"),
	    403);
	assert_int_equal(admin_world_ask_tcp(
			     w, writer, "PUT", P("partner.example"), PARTNER),
	    201);
	admin_world_ask(w, "GET", "/v1/audit?order=newest", NULL, NULL);
	assert_non_null(
	    strstr(admin_world_member(w, "/items/0/who"), "writer (token "));
	member_is(w, "/items/0/via", "\"http\"");
	/* Through its last day, and no longer. */
	clock_advance(w->settings.clock, 2ull * 86400 * 1000 - 2000);
	assert_int_equal(
	    admin_world_ask_tcp(w, writer, "GET", "/v1/status", NULL), 200);
	clock_advance(w->settings.clock, 2000);
	assert_int_equal(
	    admin_world_ask_tcp(w, writer, "GET", "/v1/status", NULL), 401);
	/* The list has names and no hashes; an id is no secret. */
	admin_world_ask(w, "GET", "/v1/tokens", NULL, NULL);
	assert_int_equal(json_array_size(json_object_get(w->body, "items")), 2);
	assert_null(strstr(w->text, "Hash"));
	assert_null(strstr(w->text, "spt-"));
	/* Changed, then ended. */
	snprintf(target, sizeof(target), "/v1/tokens/%.12s", reader + 4);
	assert_int_equal(
	    admin_world_ask(w, "PATCH", target, NULL, "{'Rights':'write'}"),
	    200);
	assert_int_equal(admin_world_ask_tcp(
			     w, reader, "DELETE", P("partner.example"), NULL),
	    200);
	assert_int_equal(
	    admin_world_ask(w, "PATCH", target, NULL, "{'Hash':'00'}"), 422);
	assert_int_equal(
	    admin_world_ask(w, "PATCH", target, NULL, "{'Created':'00'}"), 422);
	assert_int_equal(admin_world_ask(w, "PUT", target, NULL, "{}"), 405);
	assert_int_equal(admin_world_ask(w, "DELETE", target, NULL, NULL), 200);
	assert_int_equal(
	    admin_world_ask_tcp(w, reader, "GET", "/v1/status", NULL), 401);
	/* What nobody can make otherwise. */
	assert_int_equal(admin_world_ask(w, "POST", "/v1/tokens", NULL,
			     "{'Name':'x','Hash':'00'}"),
	    422);
	assert_int_equal(
	    admin_world_ask(w, "POST", "/v1/tokens", NULL, "{}"), 422);
	assert_int_equal(admin_world_ask(w, "POST", "/v1/tokens?dry_run=true",
			     NULL, "{'Name':'x'}"),
	    200);
	assert_null(strstr(w->text, "spt-"));
	free(reader);
	free(writer);
}

static void
test_wrong_tokens(void **state)
{
	struct admin_world *w = *state;
	char *good, *wrong;
	unsigned limited = 0;

	good = admin_world_token(w, "{'Name':'good'}");
	wrong = strdup(good);
	for (size_t i = strlen(wrong) - TOKENS_SECRET_LEN; i < strlen(wrong);
	     i++) {
		/* Each digit counts. */
		const char was = wrong[i];

		wrong[i] = was == '0' ? '1' : '0';
		admin_world_ask_tcp(w, wrong, "GET", "/v1/status", NULL);
		assert_true(w->status == 401 || w->status == 429);
		limited += w->status == 429;
		wrong[i] = was;
	}
	assert_int_equal(limited, TOKENS_SECRET_LEN - 20);
	assert_true(has_header(w, "Retry-After: 60\r\n"));
	/* He who has a good one is not locked out. */
	assert_int_equal(
	    admin_world_ask_tcp(w, good, "GET", "/v1/status", NULL), 200);
	clock_advance(w->settings.clock, 60000);
	assert_int_equal(
	    admin_world_ask_tcp(w, "spt-x", "GET", "/v1/status", NULL), 401);
	free(good);
	free(wrong);
}

static void
test_hosts(void **state)
{
	static const struct {
		const char *host;
		bool ours;
	} hosts[] = {
		{ "localhost", true },
		{ "LOCALHOST:8480", true },
		{ "127.0.0.1", true },
		{ "127.0.0.1:8480", true },
		{ "127.64.1.2:1", true },
		{ "[::1]:8480", true },
		{ "[::1]", true },
		{ "[::1].evil.example", false },
		{ "evil.example", false },
		{ "evil.example:8480", false },
		{ "127.0.0.1.evil.example", false },
		{ "localhost.evil.example", false },
		{ "10.0.0.1", false },
		{ "0.0.0.0:8480", false },
		{ "2130706433", false },
		{ "", false },
		{ ":8480", false },
	};
	struct admin_world *w = *state;
	static const char ask[] =
	    "GET /v1/status HTTP/1.1\r\nHost: evil.example\r\n\r\n";
	int fd;

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (admin_request_host_is_ours(hosts[i].host) != hosts[i].ours)
			fail_msg("%s", hosts[i].host);
	fd = http_client_dial_tcp(&w->client);
	http_client_say(&w->client, fd, ask, sizeof(ask) - 1);
	assert_int_equal(
	    http_client_status(http_client_answer(&w->client, fd, "GET")), 403);
	close(fd);
}

/* What browsers send for a page, of ours and of others. */
static void
test_pages(void **state)
{
	static const struct {
		const char *site, *origin;
		bool ours;
	} pages[] = {
		{ NULL, NULL, true },
		{ "none", NULL, true },
		{ "same-origin", "http://localhost:8480", true },
		/* Behind a reverse proxy Host is another. */
		{ "same-origin", "https://gw1.contoso.example:8443", true },
		{ NULL, "http://localhost:8480", true },
		{ NULL, "http://LOCALHOST:8480", true },
		{ "cross-site", NULL, false },
		{ "same-site", NULL, false },
		{ "", NULL, false },
		{ "cross-site", "http://localhost:8480", false },
		{ NULL, "http://localhost:3000", false },
		{ NULL, "http://evil.example", false },
		{ NULL, "http://evil.example?localhost:8480", false },
		{ NULL, "null", false },
		{ NULL, "", false },
	};
	struct admin_world *w = *state;
	static const char ask[] = "GET /v1/status HTTP/1.1\r\n"
				  "Host: localhost\r\n"
				  "Origin: http://localhost:3000\r\n\r\n";
	/* From before there was a Host. */
	static const char old[] = "GET /v1/status HTTP/1.0\r\n\r\n";
	int fd;

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (admin_request_page_is_ours(pages[i].site, pages[i].origin,
			"localhost:8480") != pages[i].ours)
			fail_msg("%zu", i);
	fd = http_client_dial_tcp(&w->client);
	http_client_say(&w->client, fd, ask, sizeof(ask) - 1);
	assert_int_equal(
	    http_client_status(http_client_answer(&w->client, fd, "GET")), 403);
	close(fd);
	fd = http_client_dial_tcp(&w->client);
	http_client_say(&w->client, fd, old, sizeof(old) - 1);
	assert_int_equal(
	    http_client_status(http_client_answer(&w->client, fd, "GET")), 403);
	close(fd);
}

/* --- several at once ------------------------------------------------------- */

static void
test_batch(void **state)
{
	static const char *const wrong[] = {
		"{}",
		"{'changes':{}}",
		"{'changes':[7]}",
		"{'changes':[{'kind':'x','method':'PUT'}]}",
		"{'changes':[{'kind':'token','key':'000000000000',"
		"'method':'PUT','object':{'Name':'x'}}]}",
	};
	struct admin_world *w = *state;

	assert_int_equal(
	    admin_world_ask(w, "POST", "/v1/batch", NULL,
		"{'changes':[{'kind':'partner','key':'a.example',"
		"'method':'PUT','object':{'Domain':'a.example'},'version':0},"
		"{'kind':'gateway-config','method':'PATCH',"
		"'object':{'ConnectionLimit':5}}]}"),
	    200);
	member_is(w, "/changes/0/kind", "\"partner\"");
	member_is(w, "/changes/1/after/object/ConnectionLimit", "5");
	member_is(w, "/version", "1");
	/* All or nothing. */
	assert_int_equal(
	    admin_world_ask(w, "POST", "/v1/batch", NULL,
		"{'changes':[{'kind':'partner','key':'b.example',"
		"'method':'PUT','object':{'Domain':'b.example'}},"
		"{'kind':'partner','key':'c.example','method':'PUT',"
		"'object':{'Domain':'c.example','PartnerType':'x'}}]}"),
	    422);
	member_is(w, "/error/problems/0/change", "1");
	member_is(w, "/error/problems/0/key", "\"c.example\"");
	admin_world_ask(w, "GET", P("b.example"), NULL, NULL);
	assert_int_equal(w->status, 404);
	/* Another version than expected. */
	assert_int_equal(admin_world_ask(w, "POST", "/v1/batch", NULL,
			     "{'changes':[{'kind':'partner','key':'a.example',"
			     "'method':'DELETE','version':9}]}"),
	    409);
	/* The same once more changes nothing. */
	assert_int_equal(
	    admin_world_ask(w, "POST", "/v1/batch?dry_run=true", NULL,
		"{'changes':[{'kind':'partner','key':'a.example',"
		"'method':'PUT','object':{'Domain':'a.example'}}]}"),
	    200);
	member_is(w, "/changes/0/changed", "false");
	member_is(w, "/dry_run", "true");
	/* Not in order. */
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (admin_world_ask(w, "POST", "/v1/batch", NULL, wrong[i]) !=
		    422)
			fail_msg("%s: %s", wrong[i], w->text);
}

/* --- edges ----------------------------------------------------------------- */

static uint64_t
on_in_force(uint64_t generation, void *arg)
{
	(void)arg;
	return generation;
}

static void
on_proposed(const struct settings_view *after,
    const struct settings_delta *deltas, size_t count, bool dry_run,
    struct settings_report *report, const char **hash, void *arg)
{
	static const char text[] = "0123456789abcdef0123456789abcdef"
				   "0123456789abcdef0123456789abcdef";

	(void)after;
	(void)deltas;
	(void)count;
	(void)dry_run;
	(void)report;
	(void)arg;
	*hash = text;
}

static void
on_dropped(void *arg)
{
	(void)arg;
}

static void
test_edges_confirm(void **state)
{
	static const struct settings_gate gate = { on_proposed, on_in_force,
		on_dropped, NULL };
	static char ask[] =
	    "PATCH /v1/gateway-config HTTP/1.1\r\nHost: x\r\n"
	    "Content-Type: application/json\r\nContent-Length: 22\r\n\r\n"
	    "{\"ConnectionLimit\":43}";
	struct admin_world *w = *state;
	const char *text;
	bool closed;
	int fd;

	settings_set_gate(w->settings.settings, &gate);
	fd = http_client_dial(&w->client);
	http_client_say(&w->client, fd, ask, sizeof(ask) - 1);
	while (w->confirmed == NULL)
		http_client_turn(&w->client);
	assert_string_equal(http_client_hear(&w->client, fd, &closed), "");
	admin_world_confirm(w);
	text = http_client_answer(&w->client, fd, "PATCH");
	assert_non_null(
	    strstr(text, "\"confirmed\":[\"edge1.contoso.example\"]"));
	assert_non_null(
	    strstr(text, "\"waiting\":[\"edge2.contoso.example\"]"));
	assert_non_null(strstr(text, "ETag: \"1\""));
	/* What changes nothing is no news. */
	admin_world_ask(
	    w, "PATCH", "/v1/gateway-config", NULL, "{'ConnectionLimit':43}");
	member_is(w, "/generation", "");
	close(fd);
	/* The client goes first, then the server. */
	ask[sizeof(ask) - 3] = '4';
	fd = http_client_dial(&w->client);
	http_client_say(&w->client, fd, ask, sizeof(ask) - 1);
	close(fd);
	while (w->confirmed == NULL)
		http_client_turn(&w->client);
	admin_world_confirm(w);
	ask[sizeof(ask) - 3] = '5';
	fd = http_client_dial(&w->client);
	http_client_say(&w->client, fd, ask, sizeof(ask) - 1);
	while (w->confirmed == NULL)
		http_client_turn(&w->client);
	admin_world_restart(w);
	admin_world_confirm(w);
	close(fd);
	/* And while it is being written. */
	ask[sizeof(ask) - 3] = '6';
	fd = http_client_dial(&w->client);
	http_client_say(&w->client, fd, ask, sizeof(ask) - 1);
	admin_world_restart(w);
	close(fd);
}

/* --- events ---------------------------------------------------------------- */

static int
listen_to(struct admin_world *w, const char *header)
{
	char text[512];
	int fd = http_client_dial(&w->client);

	snprintf(text, sizeof(text),
	    "GET /v1/events HTTP/1.1\r\nHost: x\r\n%s\r\n", header);
	http_client_say(&w->client, fd, text, strlen(text));
	return fd;
}

static void
test_events(void **state)
{
	struct admin_world *w = *state;
	char last[64] = "", header[256], *token;
	const char *text, *id;
	bool closed;
	int fd, tcp;

	fd = listen_to(w, "");
	text = http_client_hear(&w->client, fd, &closed);
	assert_non_null(strstr(text, "Content-Type: text/event-stream"));
	assert_non_null(strstr(text, "event: ready\n"));
	admin_world_ask(w, "PUT", P("partner.example"), NULL, PARTNER);
	text = http_client_hear(&w->client, fd, &closed);
	assert_non_null(strstr(text, "event: setting\ndata: "
				     "{\"kind\":\"partner\","
				     "\"key\":\"partner.example\""));
	id = strstr(text, "id: ");
	assert_non_null(id);
	assert_int_equal(sscanf(id, "id: %63s", last), 1);
	/* A sign of life, when there is nothing else. */
	clock_advance(w->settings.clock, 15000);
	text = http_client_hear(&w->client, fd, &closed);
	assert_non_null(strstr(text, ":\n\n"));
	close(fd);
	/* Back again, with what happened meanwhile. */
	admin_tell(w->admin, "pool", json_pack("{s:b}", "reachable", 1));
	admin_tell(w->admin, "pool", NULL);
	snprintf(header, sizeof(header), "Last-Event-ID: %s\r\n", last);
	fd = listen_to(w, header);
	text = http_client_hear(&w->client, fd, &closed);
	assert_non_null(strstr(text, "event: pool\ndata: {\"reachable\":true"));
	assert_non_null(strstr(text, "event: missed\n"));
	assert_null(strstr(text, "event: setting"));
	close(fd);
	/* Too long away, or from before a restart. */
	for (int i = 0; i < 300; i++)
		admin_tell(w->admin, "pool", json_object());
	fd = listen_to(w, header);
	text = http_client_hear(&w->client, fd, &closed);
	assert_non_null(strstr(text, "event: missed\ndata: {\"count\":46}"));
	close(fd);
	fd = listen_to(w, "Last-Event-ID: 00000000-4\r\n");
	text = http_client_hear(&w->client, fd, &closed);
	assert_non_null(strstr(text, "event: missed\ndata: {\"count\":null}"));
	/* A token that ends takes its streams along. */
	token = admin_world_token(w, "{'Name':'x'}");
	tcp = http_client_dial_tcp(&w->client);
	snprintf(header, sizeof(header),
	    "GET /v1/events HTTP/1.1\r\nHost: localhost\r\n"
	    "Authorization: Bearer %s\r\n\r\n",
	    token);
	http_client_say(&w->client, tcp, header, strlen(header));
	text = http_client_hear(&w->client, tcp, &closed);
	assert_non_null(strstr(text, "event: ready\n"));
	snprintf(header, sizeof(header), "/v1/tokens/%.12s", token + 4);
	admin_world_ask(w, "DELETE", header, NULL, NULL);
	text = http_client_hear(&w->client, tcp, &closed);
	assert_non_null(strstr(text, "event: cut\n"));
	assert_non_null(strstr(text, "0\r\n\r\n"));
	(void)http_client_hear(&w->client, fd, &closed);
	assert_false(closed);
	close(tcp);
	free(token);
	close(fd);
}

/* Nothing happens at midnight but that. */
static void
test_a_listener_ends_with_the_day(void **state)
{
	enum { DAY_MS = 86400 * 1000 };
	struct admin_world *w = *state;
	char *token =
	    admin_world_token(w, "{'Name':'x','Expires':'1970-01-01'}");
	int tcp = http_client_dial_tcp(&w->client), local = listen_to(w, "");
	char request[256];
	const char *text;
	bool closed;

	snprintf(request, sizeof(request),
	    "GET /v1/events HTTP/1.1\r\nHost: localhost\r\n"
	    "Authorization: Bearer %s\r\n\r\n",
	    token);
	http_client_say(&w->client, tcp, request, strlen(request));
	text = http_client_hear(&w->client, tcp, &closed);
	assert_non_null(strstr(text, "event: ready\n"));
	clock_advance(w->settings.clock, DAY_MS - 20000);
	text = http_client_hear(&w->client, tcp, &closed);
	assert_null(strstr(text, "event: cut\n"));
	clock_advance(w->settings.clock, 25000);
	/* A sign of life may come before. */
	text = http_client_hear(&w->client, tcp, &closed);
	if (strstr(text, "event: cut\n") == NULL)
		text = http_client_hear(&w->client, tcp, &closed);
	assert_non_null(strstr(text, "event: cut\ndata: {\"reason\":"));
	/* Who needs no token stays. */
	(void)http_client_hear(&w->client, local, &closed);
	admin_tell(w->admin, "pool", json_object());
	text = http_client_hear(&w->client, local, &closed);
	assert_non_null(strstr(text, "event: pool\n"));
	close(tcp);
	close(local);
	free(token);
}

static void
test_slow_listeners(void **state)
{
	struct admin_world *w = *state;
	int fds[EVENT_HUB_LISTENERS + 1];
	char big[20000];
	const char *text;
	bool closed;

	for (int i = 0; i < EVENT_HUB_LISTENERS; i++)
		fds[i] = listen_to(w, "");
	fds[EVENT_HUB_LISTENERS] = listen_to(w, "");
	text = http_client_hear(&w->client, fds[EVENT_HUB_LISTENERS], &closed);
	assert_int_equal(http_client_status(text), 503);
	/* Nobody reads; each is cut, and the gateway goes on. */
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	for (int i = 0; i < 200; i++) {
		admin_tell(w->admin, "stream", json_pack("{s:s}", "x", big));
		http_client_turn(&w->client);
	}
	assert_int_equal(
	    admin_world_ask(w, "GET", "/v1/status", NULL, NULL), 200);
	text = http_client_hear(&w->client, fds[0], &closed);
	assert_non_null(strstr(text, "event: cut\ndata: {\"reason\":"));
	assert_int_equal(strcmp(text + strlen(text) - 5, "0\r\n\r\n"), 0);
	for (int i = 0; i <= EVENT_HUB_LISTENERS; i++)
		close(fds[i]);
}

/* --- pure parts ------------------------------------------------------------ */

static const struct {
	const char *text;
	bool strong;
	int rc;
	bool has_7, any;
} tags[] = {
	{ "\"7\"", true, 0, true, false },
	{ " \"7\" ", true, 0, true, false },
	{ "\"1\",\"7\"", true, 0, true, false },
	{ "\"1\" , \"7\"", true, 0, true, false },
	{ "W/\"7\"", true, 0, false, false },
	{ "W/\"7\"", false, 0, true, false },
	{ "\"x\"", true, 0, false, false },
	{ "\"07\"", true, 0, false, false },
	{ "\"\"", true, 0, false, false },
	{ "\"77777777777777777777777\"", true, 0, false, false },
	{ "*", true, 0, true, true },
	{ "7", true, ERR_MALFORMED, false, false },
	{ "\"7", true, ERR_MALFORMED, false, false },
	{ "\"7\",", true, ERR_MALFORMED, false, false },
	{ "\"7\" \"8\"", true, ERR_MALFORMED, false, false },
	{ "*,\"7\"", true, ERR_MALFORMED, false, false },
	{ "", true, ERR_MALFORMED, false, false },
	{ "W/7", true, ERR_MALFORMED, false, false },
	{ "\"a b\"", true, ERR_MALFORMED, false, false },
	{ "\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"", true,
	    ERR_FULL, false, false },
};

static void
test_tags(void **state)
{
	char text[ETAG_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		struct etag_list l = { 0 };
		int rc = etag_parse(&l, tags[i].text, tags[i].strong);

		if (rc != tags[i].rc ||
		    (rc == 0 && (etag_has(&l, 7) != tags[i].has_7 ||
				    l.any != tags[i].any)))
			fail_msg("%s: %d", tags[i].text, rc);
	}
	etag_write(text, UINT64_MAX);
	assert_string_equal(text, "\"18446744073709551615\"");
}

static const struct {
	const char *text;
	int rc;
} bodies[] = {
	{ "{}", 0 },
	{ "{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[\"}", 0 },
	{ "{\"a\":\"\\\"[[[[[[[[[[[[[[[[[[[[[[\"}", 0 },
	{ "[]", ERR_MALFORMED },
	{ "", ERR_MALFORMED },
	{ "null", ERR_MALFORMED },
	{ "{\"a\":1,\"a\":2}", ERR_MALFORMED },
	{ "{\"a\":1}x", ERR_MALFORMED },
	{ "{\"a\":\"\xff\"}", ERR_MALFORMED },
	{ "{\"a\":\"\\u0000\"}", ERR_MALFORMED },
	{ "{\"a\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}", 0 },
	{ "{\"a\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}", ERR_TOO_LONG },
	{ "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", ERR_TOO_LONG },
};

static void
test_bodies(void **state)
{
	char *deep = malloc(1000001);

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		char why[JSON_BODY_WHY_SIZE] = "";
		json_t *body = NULL;
		int rc = json_body_parse(
		    &body, bodies[i].text, strlen(bodies[i].text), why);

		if (rc != bodies[i].rc || (rc < 0) != (why[0] != '\0'))
			fail_msg("%s: %d %s", bodies[i].text, rc, why);
		json_decref(body);
	}
	memset(deep, '[', 1000000);
	deep[1000000] = '\0';
	{
		struct admin_world w;

		admin_world_init(&w);
		assert_int_equal(admin_world_ask(&w, "PUT",
				     P("partner.example"), NULL, deep),
		    400);
		admin_world_finish(&w);
	}
	free(deep);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_steps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_headers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lists, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_list_is_of_one_moment, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_list_that_breaks_off, setup, teardown),
		cmocka_unit_test_setup_teardown(test_audit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tokens, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_wrong_tokens, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hosts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_edges_confirm, setup, teardown),
		cmocka_unit_test_setup_teardown(test_events, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_listener_ends_with_the_day, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_slow_listeners, setup, teardown),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
