/* GET /v1/events: what happens, as it happens. */
#include "frontend-gateway/admin/admin_impl.h"

#include "common/err.h"
#include "frontend-gateway/admin/event_hub.h"

static void
on_get(struct admin_request *r)
{
	int rc = event_hub_join(r->admin->events, r->call, r->token,
	    http_call_header(r->call, "Last-Event-ID"));

	if (rc == ERR_FULL)
		admin_fail(r, 503, "%d listen already", EVENT_HUB_LISTENERS);
	else if (rc < 0)
		admin_reply(r, 503, NULL);
}

static const struct admin_route routes[] = {
	{ HTTP_GET, ADMIN_READ, "/v1/events", "", 0, on_get, NULL },
};

int
event_routes_add(struct admin *a)
{
	return admin_add_routes(
	    a, routes, sizeof(routes) / sizeof(routes[0]), NULL);
}
