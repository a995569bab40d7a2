/* Texts: the description of this interface, and metrics. */
#include "frontend-gateway/admin/admin_impl.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "frontend-gateway/admin/metrics.h"
#include "frontend-gateway/admin/openapi_builtin.h"

static void
reply_text(
    struct admin_request *r, const char *type, const void *text, size_t len)
{
	char *copy = malloc(len + 1);

	if (copy == NULL) {
		admin_reply(r, 503, NULL);
		return;
	}
	memcpy(copy, text, len);
	http_call_answer(r->call,
	    &(struct http_answer){
		.status = 200, .type = type, .body = copy, .len = len });
}

static void
on_openapi(struct admin_request *r)
{
	reply_text(
	    r, "application/json", openapi_builtin, openapi_builtin_size);
}

static void
on_metrics(struct admin_request *r)
{
	const struct admin_sources *s = r->admin->opts.sources;
	struct buf text;

	buf_init(&text, 0);
	if (s->metrics(&text, s->arg) < 0)
		admin_reply(r, 503, NULL);
	else
		reply_text(r, METRICS_TYPE, text.data, text.len);
	buf_finish(&text);
}

static const struct admin_route routes[] = {
	{ HTTP_GET, ADMIN_READ, "/v1/openapi.json", "", 0, on_openapi, NULL },
	{ HTTP_GET, ADMIN_READ, "/metrics", "", 0, on_metrics, NULL },
};

int
document_routes_add(struct admin *a)
{
	return admin_add_routes(
	    a, routes, sizeof(routes) / sizeof(routes[0]), NULL);
}
