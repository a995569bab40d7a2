/*
 * A call becomes a request by its header: who is it (403, 401, 429), is there
 * such a resource (404, 405), may he (403), and is it in a form we read (400,
 * 415)?  Only then is a body read.  When it is whole it is parsed, a long one
 * off the loop, and the route's handler has it.
 */
#include "frontend-gateway/admin/admin_impl.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/log_limit.h"
#include "frontend-gateway/admin/auth.h"
#include "frontend-gateway/admin/json_body.h"

static void
on_data_freed(void *data)
{
	struct admin_request *r = data;

	http_target_finish(&r->target);
	json_decref(r->body);
	free(r);
}

/* --- who ------------------------------------------------------------------- */

/* A page in some browser of this machine may have been led here by a name of
 * its own that resolves to loopback. */
bool
admin_request_host_is_ours(const char *host)
{
	char name[64];
	struct in_addr v4;
	const char *end = strrchr(host, ':');
	size_t len = strlen(host);

	if (strncasecmp(host, "[::1]", 5) == 0)
		return host[5] == '\0' || host[5] == ':';
	if (end != NULL)
		len = (size_t)(end - host);
	if (len >= sizeof(name))
		return false;
	memcpy(name, host, len);
	name[len] = '\0';
	return strcasecmp(name, "localhost") == 0 ||
	       (inet_pton(AF_INET, name, &v4) == 1 &&
		   ntohl(v4.s_addr) >> 24 == 127);
}

static bool
knows_us(struct admin_request *r)
{
	const struct http_peer *peer = http_call_peer(r->call);
	const char *host = http_call_header(r->call, "Host");

	if (peer->local || (host != NULL && admin_request_host_is_ours(host)))
		return true;
	log_limited_warn(&r->admin->log, peer->name, "host-refused",
	    "peer=%s host=%s", peer->name, host != NULL ? host : "");
	admin_fail(r, 403, "the Host header is not one of this machine");
	return false;
}

/* What stands behind "://". */
static const char *
authority_of(const char *origin)
{
	const char *at = strstr(origin, "://");

	return at != NULL ? at + 3 : origin;
}

bool
admin_request_page_is_ours(
    const char *site, const char *origin, const char *host)
{
	if (site != NULL)
		return strcmp(site, "same-origin") == 0 ||
		       strcmp(site, "none") == 0;
	return origin == NULL || strcasecmp(authority_of(origin), host) == 0;
}

/* Or it has another origin, which a browser tells: all of them that of a
 * request that may change something, newer ones of each. */
static bool
is_no_foreign_page(struct admin_request *r)
{
	const struct http_peer *peer = http_call_peer(r->call);
	const char *site = http_call_header(r->call, "Sec-Fetch-Site");
	const char *origin = http_call_header(r->call, "Origin");

	if (peer->local || admin_request_page_is_ours(
			       site, origin, http_call_header(r->call, "Host")))
		return true;
	log_limited_warn(&r->admin->log, peer->name, "page-refused",
	    "peer=%s origin=%s", peer->name, origin != NULL ? origin : "");
	admin_fail(r, 403, "requests of another origin's pages are refused");
	return false;
}

static bool
authenticate(struct admin_request *r, bool *write)
{
	static const struct http_header challenge = { "WWW-Authenticate",
		"Bearer realm=\"sallyport\"" };
	static const struct http_header later = { "Retry-After", "60" };
	struct auth_caller caller = { 0 };

	switch (auth_check(r->admin->auth, &caller, http_call_peer(r->call),
	    http_call_header(r->call, "Authorization"),
	    settings_now(r->admin->opts.settings))) {
	case AUTH_GOOD:
		break;
	case AUTH_MISSING:
	case AUTH_WRONG:
		admin_reply_refusal(r->call, 401,
		    "a token with rights is needed: Authorization: Bearer ...",
		    &challenge);
		return false;
	case AUTH_LIMITED:
		admin_reply_refusal(
		    r->call, 429, "too many wrong tokens", &later);
		return false;
	}
	snprintf(r->who, sizeof(r->who), "%s", caller.who);
	memcpy(r->token, caller.token, sizeof(r->token));
	r->via = caller.via;
	*write = caller.write;
	return true;
}

/* --- where ----------------------------------------------------------------- */

/* Whether the target is of that path; *key gets what stands for "{key}". */
static bool
fits(const char *path, const struct http_target *t, const char **key)
{
	size_t i = 0;

	*key = NULL;
	while (path[0] == '/') {
		const char *segment = path + 1;
		const size_t len = strcspn(segment, "/");

		if (i == t->segment_count)
			return false;
		if (segment[0] == '{')
			*key = t->segments[i];
		else if (strlen(t->segments[i]) != len ||
			 memcmp(t->segments[i], segment, len) != 0)
			return false;
		i++;
		path = segment + len;
	}
	return i == t->segment_count;
}

static const char *
name_of(enum http_method method)
{
	static const char *const names[HTTP_METHOD_COUNT] = {
		[HTTP_GET] = "GET, HEAD",
		[HTTP_PUT] = "PUT",
		[HTTP_PATCH] = "PATCH",
		[HTTP_POST] = "POST",
		[HTTP_DELETE] = "DELETE",
		[HTTP_OTHER] = "",
	};

	return names[method];
}

/* Finds the route; else *allow gets the methods that the path knows. */
static void
look_up(struct admin_request *r, char *allow, size_t size)
{
	const struct admin *a = r->admin;
	const char *key;

	allow[0] = '\0';
	for (size_t i = 0; i < a->table_count; i++)
		for (size_t k = 0; k < a->tables[i].count; k++) {
			const struct admin_route *t = &a->tables[i].routes[k];
			const size_t len = strlen(allow);

			if (!fits(t->path, &r->target, &key))
				continue;
			if (t->method == http_call_method(r->call)) {
				r->route = t;
				r->arg = a->tables[i].arg;
				r->key = key;
				return;
			}
			snprintf(allow + len, size - len, "%s%s",
			    len > 0 ? ", " : "", name_of(t->method));
		}
}

static bool
find_route(struct admin_request *r)
{
	const char *target = http_call_target(r->call);
	char allow[64];
	struct http_header header = { "Allow", allow };
	int rc = http_target_parse(&r->target, target, strlen(target));

	if (rc < 0) {
		admin_fail(
		    r, rc == ERR_NOMEM ? 503 : 400, "target: %s", err_str(rc));
		return false;
	}
	look_up(r, allow, sizeof(allow));
	if (r->route != NULL)
		return true;
	if (allow[0] == '\0')
		admin_fail(r, 404, "there is no such resource");
	else
		admin_reply_refusal(r->call, 405,
		    "the resource does not know this method", &header);
	return false;
}

/* --- what ------------------------------------------------------------------ */

static bool
params_are_known(struct admin_request *r)
{
	for (size_t i = 0; i < r->target.param_count; i++) {
		const char *name = r->target.params[i].name;
		const char *at = r->route->params;
		const size_t len = strlen(name);

		while (at[0] != '\0') {
			const size_t n = strcspn(at, " ");

			if (n == len && memcmp(at, name, n) == 0)
				break;
			at += n + strspn(at + n, " ");
		}
		if (at[0] == '\0') {
			admin_fail(r, 400,
			    "there is no parameter \"%.100s\" here", name);
			return false;
		}
	}
	return true;
}

static bool
type_is_json(const struct admin_request *r)
{
	const char *type = http_call_header(r->call, "Content-Type");
	size_t len;

	if (type == NULL)
		return false;
	len = strcspn(type, "; \t");
	if (len == strlen("application/json") &&
	    strncasecmp(type, "application/json", len) == 0)
		return true;
	return r->route->method == HTTP_PATCH &&
	       len == strlen("application/merge-patch+json") &&
	       strncasecmp(type, "application/merge-patch+json", len) == 0;
}

static size_t
on_head(struct http_call *call, void *arg)
{
	struct admin_request *r = calloc(1, sizeof(*r));
	bool write = false;

	if (r == NULL) {
		admin_reply_refusal(call, 503, err_str(ERR_NOMEM), NULL);
		return 0;
	}
	r->admin = arg;
	r->call = call;
	http_call_set_data(call, r, on_data_freed);
	if (!knows_us(r) || !is_no_foreign_page(r) ||
	    !authenticate(r, &write) || !find_route(r))
		return 0;
	if (r->route->right == ADMIN_WRITE && !write) {
		admin_fail(r, 403, "this token may only read");
		return 0;
	}
	if (!params_are_known(r))
		return 0;
	if (r->route->body_max > 0 && !type_is_json(r)) {
		admin_fail(r, 415, "the body has to be application/json");
		return 0;
	}
	return r->route->body_max;
}

static void
on_refused(struct http_call *call, unsigned status, void *arg)
{
	(void)arg;
	admin_reply_refusal(call, status,
	    status == 413   ? "the body is larger than allowed"
	    : status == 431 ? "the header is larger than allowed"
			    : "the request can be read in two ways",
	    NULL);
}

/* A long body that is read apart. */
struct reading {
	struct admin_request *request; /* NULL when the client is gone */
};

static void
on_gone(void *arg)
{
	((struct reading *)arg)->request = NULL;
}

/* body is taken over. */
static void
take_body(struct admin_request *r, int rc, json_t *body, const char *why)
{
	if (rc < 0) {
		admin_fail(r, rc == ERR_NOMEM ? 503 : 400, "body: %s", why);
		return;
	}
	r->body = body;
	r->route->handle(r);
}

static void
on_read(int rc, json_t *body, const char *why, void *arg)
{
	struct reading *w = arg;
	struct admin_request *r = w->request;

	free(w);
	if (r == NULL) {
		json_decref(body);
		return;
	}
	http_call_end_wait(r->call);
	take_body(r, rc, body, why);
}

static void
read_apart(struct admin_request *r)
{
	struct reading *w = calloc(1, sizeof(*w));
	struct buf data;

	if (w == NULL) {
		admin_reply(r, 503, NULL);
		return;
	}
	w->request = r;
	http_call_take_body(r->call, &data);
	if (json_body_parse_apart(r->admin->opts.loop, &data, on_read, w) < 0) {
		buf_finish(&data);
		free(w);
		admin_reply(r, 503, NULL);
		return;
	}
	http_call_wait(r->call, on_gone, w);
}

static void
on_request(struct http_call *call, void *arg)
{
	struct admin_request *r = http_call_data(call);
	char why[JSON_BODY_WHY_SIZE];
	json_t *parsed = NULL;
	const void *body;
	size_t len;
	int rc;

	(void)arg;
	if (r->route->body_max == 0) {
		r->route->handle(r);
		return;
	}
	body = http_call_body(call, &len);
	if (len > JSON_BODY_LONG) {
		read_apart(r);
		return;
	}
	rc = json_body_parse(&parsed, body, len, why);
	take_body(r, rc, parsed, why);
}

const struct http_server_events admin_request_events = { on_head, on_refused,
	on_request };

/* --- for handlers ---------------------------------------------------------- */

const char *
admin_param(const struct admin_request *r, const char *name)
{
	return http_target_param(&r->target, name);
}

bool
admin_read_bool(struct admin_request *r, const char *name, bool *out)
{
	const char *s = admin_param(r, name);

	*out = s != NULL && (strcmp(s, "true") == 0 || s[0] == '\0');
	if (s == NULL || *out || strcmp(s, "false") == 0)
		return true;
	admin_fail(r, 400, "%s: true or false are possible", name);
	return false;
}

bool
admin_read_page(struct admin_request *r, struct admin_page *out)
{
	const char *limit = admin_param(r, "limit");
	char *end;

	out->filter = admin_param(r, "filter");
	out->after = admin_param(r, "after");
	if (out->after != NULL && out->after[0] == '\0')
		out->after = NULL;
	out->limit = ADMIN_LIMIT_DEFAULT;
	if (limit == NULL)
		return true;
	out->limit = strtoul(limit, &end, 10);
	if (limit[0] >= '0' && limit[0] <= '9' && *end == '\0' &&
	    out->limit >= 1 && out->limit <= ADMIN_LIMIT_MAX)
		return true;
	admin_fail(r, 400, "limit: 1 to %d are possible", ADMIN_LIMIT_MAX);
	return false;
}

bool
admin_wants_lines(const struct admin_request *r)
{
	const char *accept = http_call_header(r->call, "Accept");

	return accept != NULL && strstr(accept, "application/x-ndjson") != NULL;
}
