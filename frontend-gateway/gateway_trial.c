/*
 * POST /v1/test-im: what Test-CsXmppIM was.  A message goes out in a user's
 * name, and the answer tells what became of it, how long that took and, when it
 * came to nothing, what her client would have been told.
 */
#include "frontend-gateway/gateway_admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/jid.h"
#include "frontend-gateway/admin/admin.h"
#include "frontend-gateway/conversation/conversations.h"
#include "frontend-gateway/gateway_impl.h"
#include "frontend-gateway/translate/errors.h"

enum { TEXT_MAX = 1000, BODY_MAX = 16384, UNDER_WAY_MAX = 16 };

struct trial {
	struct admin_request *request; /* NULL: who asked is gone */
	struct gateway *gateway;
	uint64_t since_ms;
};

/* "00:00:02.500", as the cmdlet prints it. */
static void
latency(char text[static 32], uint64_t ms)
{
	snprintf(text, 32, "%02u:%02u:%02u.%03u", (unsigned)(ms / 3600000),
	    (unsigned)(ms / 60000 % 60), (unsigned)(ms / 1000 % 60),
	    (unsigned)(ms % 1000));
}

static json_t *
result_json(const struct outward_told *told, uint64_t ms)
{
	char took[32];

	latency(took, ms);
	if (told->error == NULL)
		return json_pack("{s:s, s:s, s:I, s:s, s:s}", "Result",
		    "Success", "Latency", took, "LatencyMs", (json_int_t)ms,
		    "Edge", told->edge, "Proof", told->proof);
	return json_pack("{s:s, s:s, s:I, s:s, s:{s:i, s:i, s:s}, s:s}",
	    "Result", "Failure", "Latency", took, "LatencyMs", (json_int_t)ms,
	    "Edge", told->edge, "Error", "status", told->error->status,
	    "diagnostics", (int)told->error->diagnostics, "reason",
	    told->error->reason, "Diagnosis", told->error->reason);
}

static void
on_told(const struct outward_told *told, void *arg)
{
	struct trial *t = arg;
	uint64_t ms = clock_now_ms(t->gateway->clock) - t->since_ms;

	t->gateway->trials--;
	if (t->request != NULL)
		admin_reply(t->request, 200, result_json(told, ms));
	free(t);
}

static void
on_gone(void *arg)
{
	struct trial *t = arg;

	t->request = NULL;
}

/* False after answering. */
static bool
read_address(struct jid *out, struct admin_request *r, const char *member)
{
	const char *text = json_string_value(json_object_get(r->body, member));

	if (text == NULL || jid_parse(out, text, strlen(text)) < 0) {
		admin_fail(r, 422, "%s: must be an address", member);
		return false;
	}
	if (out->local != NULL)
		return true;
	jid_finish(out);
	admin_fail(r, 422, "%s: must be a user's address", member);
	return false;
}

static void
begin(struct admin_request *r, const struct conversations_trial *what)
{
	struct gateway *g = r->arg;
	struct trial *t = calloc(1, sizeof(*t));
	int rc;

	if (t == NULL) {
		admin_reply(r, 503, NULL);
		return;
	}
	*t = (struct trial){ r, g, clock_now_ms(g->clock) };
	http_call_wait(r->call, on_gone, t);
	g->trials++;
	rc = conversations_try(g->conversations, what, on_told, t);
	if (rc == 0)
		return;
	g->trials--;
	free(t);
	admin_fail(r, 503, "%s", err_str(rc));
}

static void
on_test(struct admin_request *r)
{
	const struct gateway *g = r->arg;
	const json_t *given = json_object_get(r->body, "Text");
	const char *text =
	    given != NULL ? json_string_value(given) : "Test message";
	struct conversations_trial what = { .text = text };
	struct jid user, contact;

	if (text == NULL || text[0] == '\0' || strlen(text) > TEXT_MAX) {
		admin_fail(r, 422, "Text: 1 to %d bytes", TEXT_MAX);
		return;
	}
	if (g->trials >= UNDER_WAY_MAX) {
		admin_fail(r, 429, "%d are under way", UNDER_WAY_MAX);
		return;
	}
	if (!read_address(&user, r, "Sender"))
		return;
	if (read_address(&contact, r, "Receiver")) {
		what.user = &user;
		what.contact = &contact;
		begin(r, &what);
		jid_finish(&contact);
	}
	jid_finish(&user);
}

const struct admin_route gateway_trial_routes[] = {
	{ .method = HTTP_POST,
	    .path = "/v1/test-im",
	    .right = ADMIN_WRITE,
	    .params = "",
	    .body_max = BODY_MAX,
	    .handle = on_test },
};

const size_t gateway_trial_route_count =
    sizeof(gateway_trial_routes) / sizeof(gateway_trial_routes[0]);

int
gateway_trial_open(struct gateway *g)
{
	return admin_add_routes(
	    g->admin, gateway_trial_routes, gateway_trial_route_count, g);
}
