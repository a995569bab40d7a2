/*
 * POST /v1/test-im: what Test-CsXmppIM was.  A message goes out in a user's
 * name, and the answer tells what became of it, how long that took and, when it
 * came to nothing, what her client would have been told.
 */
#include "frontend-gateway/gateway_admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/jid.h"
#include "frontend-gateway/admin/admin.h"
#include "frontend-gateway/conversation/conversations.h"
#include "frontend-gateway/gateway_impl.h"
#include "frontend-gateway/translate/errors.h"
#include "frontend-gateway/trial_advice.h"

enum { TEXT_MAX = 1000, BODY_MAX = 16384, UNDER_WAY_MAX = 16 };

struct trial {
	struct admin_request *request; /* NULL: who asked is gone */
	struct gateway *gateway;
	uint64_t since_ms;
	char *sender, *receiver;
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
result_json(const struct trial *t, const struct outward_told *told, uint64_t ms)
{
	const struct errors_sip *e = told->error;
	char took[32];
	json_t *out;

	latency(took, ms);
	out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:s}", "TargetFqdn",
	    t->gateway->opts.conf->node, "Sender", t->sender, "Receiver",
	    t->receiver, "Result", e == NULL ? "Success" : "Failure", "Latency",
	    took, "LatencyMs", (json_int_t)ms, "Edge", told->edge);
	if (out == NULL ||
	    json_object_update_new(out,
		e == NULL ? json_pack("{s:s}", "Proof", told->proof)
			  : json_pack("{s:{s:i, s:i, s:s}, s:s, s:s}", "Error",
				"status", e->status, "diagnostics",
				(int)e->diagnostics, "reason", e->reason,
				"Diagnosis", e->reason, "Advice",
				trial_advice(e->diagnostics))) == 0)
		return out;
	json_decref(out);
	return NULL;
}

/* For who looks at the log and at metrics. */
static void
remember(const struct trial *t, const struct outward_told *told, uint64_t ms)
{
	struct gateway_trials *all = &t->gateway->trials;
	const struct errors_sip *e = told->error;

	all->last_ok = e == NULL;
	all->last_wall_ms = clock_wall_ms(t->gateway->clock);
	histogram_observe(&all->took[all->last_ok], ms);
	if (e == NULL)
		log_info(&t->gateway->log, "test-im-arrived",
		    "sender=%s receiver=%s ms=%llu edge=%s proof=%s", t->sender,
		    t->receiver, (unsigned long long)ms, told->edge,
		    told->proof);
	else
		log_warn(&t->gateway->log, "test-im-failed",
		    "sender=%s receiver=%s ms=%llu edge=%s status=%d "
		    "diagnostics=%u reason=%s",
		    t->sender, t->receiver, (unsigned long long)ms, told->edge,
		    e->status, e->diagnostics, e->reason);
}

static void
trial_free(struct trial *t)
{
	if (t == NULL)
		return;
	free(t->sender);
	free(t->receiver);
	free(t);
}

static void
on_told(const struct outward_told *told, void *arg)
{
	struct trial *t = arg;
	uint64_t ms = clock_now_ms(t->gateway->clock) - t->since_ms;

	t->gateway->trials.under_way--;
	remember(t, told, ms);
	if (t->request != NULL)
		admin_reply(t->request, 200, result_json(t, told, ms));
	trial_free(t);
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

/* Of several gateways, the one that whoever asks has in mind. */
static bool
is_meant(struct admin_request *r, const struct gateway *g)
{
	const json_t *given = json_object_get(r->body, "TargetFqdn");
	const char *name = json_string_value(given);

	if (given == NULL ||
	    (name != NULL && strcasecmp(name, g->opts.conf->node) == 0))
		return true;
	admin_fail(r, 422, "TargetFqdn: this is %s", g->opts.conf->node);
	return false;
}

static void
begin(struct admin_request *r, const struct conversations_trial *what)
{
	struct gateway *g = r->arg;
	struct trial *t = calloc(1, sizeof(*t));
	int rc;

	if (t != NULL)
		*t = (struct trial){ r, g, clock_now_ms(g->clock),
			strdup(what->user->bare), strdup(what->contact->full) };
	if (t == NULL || t->sender == NULL || t->receiver == NULL) {
		trial_free(t);
		admin_reply(r, 503, NULL);
		return;
	}
	http_call_wait(r->call, on_gone, t);
	g->trials.under_way++;
	rc = conversations_try(g->conversations, what, on_told, t);
	if (rc == 0)
		return;
	g->trials.under_way--;
	trial_free(t);
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
	if (g->trials.under_way >= UNDER_WAY_MAX) {
		admin_fail(r, 429, "%d are under way", UNDER_WAY_MAX);
		return;
	}
	if (!is_meant(r, g) || !read_address(&user, r, "Sender"))
		return;
	if (read_address(&contact, r, "Receiver")) {
		what.user = &user;
		what.contact = &contact;
		begin(r, &what);
		jid_finish(&contact);
	}
	jid_finish(&user);
}

json_t *
gateway_trials_json(const struct gateway *g)
{
	const struct gateway_trials *t = &g->trials;
	json_t *out =
	    json_pack("{s:o, s:o}", "arrived", histogram_json(&t->took[true]),
		"failed", histogram_json(&t->took[false]));

	if (out == NULL || t->last_wall_ms == 0)
		return out;
	if (json_object_set_new(out, "last_ok", json_boolean(t->last_ok)) ==
		0 &&
	    json_object_set_new(out, "last_at",
		json_integer((json_int_t)(t->last_wall_ms / 1000))) == 0)
		return out;
	json_decref(out);
	return NULL;
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
