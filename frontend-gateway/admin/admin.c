#include "frontend-gateway/admin/admin_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "frontend-gateway/admin/auth.h"
#include "frontend-gateway/admin/event_hub.h"
#include "frontend-gateway/admin/tokens.h"

/* --- routes ---------------------------------------------------------------- */

int
admin_add_routes(
    struct admin *a, const struct admin_route *routes, size_t count, void *arg)
{
	if (a->table_count == ADMIN_TABLES_MAX)
		return ERR_FULL;
	a->tables[a->table_count].routes = routes;
	a->tables[a->table_count].count = count;
	a->tables[a->table_count++].arg = arg;
	return 0;
}

void
admin_each_route(const struct admin *a, admin_route_fn *fn, void *arg)
{
	for (size_t i = 0; i < a->table_count; i++)
		for (size_t k = 0; k < a->tables[i].count; k++)
			fn(&a->tables[i].routes[k], arg);
}

static int
add_own_routes(struct admin *a)
{
	int (*const add[])(struct admin *) = { setting_routes_add,
		token_routes_add, batch_route_add, audit_routes_add,
		view_routes_add, event_routes_add, document_routes_add };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(add) / sizeof(add[0]); i++)
		rc = add[i](a);
	return rc;
}

/* --- events ---------------------------------------------------------------- */

void
admin_tell(struct admin *a, const char *event, json_t *data)
{
	event_hub_tell(a->events, event, data);
}

/* Its last day may have passed since the stream was opened. */
static bool
may_listen(const char *token, void *arg)
{
	const struct admin *a = arg;

	return tokens_hold(settings_now(a->opts.settings), token,
	    clock_wall_ms(a->opts.clock));
}

/* More of a commit than a client could take in are told as one. */
enum { TOLD_ONE_BY_ONE = EVENT_HUB_KEPT / 4 };

static void
tell_change(struct admin *a, const struct settings_delta *d)
{
	const struct setting *s = d->after;

	admin_tell(a, "setting",
	    json_pack("{s:s, s:s, s:b, s:I}", "kind", d->kind->name, "key",
		d->key, "removed", s == NULL || s->version == 0, "version",
		(json_int_t)(s != NULL ? s->version : 0)));
}

/* {"changed": {"grant": 50000, "policy": 1}, "version"} */
static void
tell_many(struct admin *a, const struct settings_delta *deltas, size_t count)
{
	json_t *changed = json_object();
	json_int_t version = 0;

	for (size_t i = 0; i < setting_kind_count(); i++) {
		json_int_t n = 0;

		for (size_t k = 0; k < count; k++) {
			const struct settings_delta *d = &deltas[k];

			if (d->kind != setting_kinds[i] ||
			    d->before == d->after)
				continue;
			n++;
			if (d->after != NULL && d->after->version > 0)
				version = (json_int_t)d->after->version;
		}
		if (n > 0)
			(void)json_object_set_new(
			    changed, setting_kinds[i]->name, json_integer(n));
	}
	admin_tell(a, "settings",
	    json_pack("{s:o, s:I}", "changed", changed, "version", version));
}

static void
on_change(const struct settings_view *now, const struct settings_delta *deltas,
    size_t count, void *arg)
{
	struct admin *a = arg;
	size_t changed = 0;

	(void)now;
	for (size_t i = 0; i < count; i++) {
		const struct settings_delta *d = &deltas[i];

		if (d->before == d->after)
			continue;
		changed++;
		if (d->kind == &setting_kind_token)
			event_hub_drop(a->events, d->key);
	}
	if (changed > TOLD_ONE_BY_ONE) {
		tell_many(a, deltas, count);
		return;
	}
	for (size_t i = 0; i < count; i++)
		if (deltas[i].before != deltas[i].after)
			tell_change(a, &deltas[i]);
}

/* --- life ------------------------------------------------------------------ */

static void
finish(struct admin *a)
{
	setting_routes_free(a);
	event_hub_free(a->events);
	auth_free(a->auth);
	free(a);
}

static void
on_http_closed(void *arg)
{
	struct admin *a = arg;

	if (a->on_closed != NULL)
		a->on_closed(a->closed_arg);
	finish(a);
}

static int
open_parts(struct admin *a, char *why, size_t size)
{
	const struct http_server_opts opts = {
		.loop = a->opts.loop,
		.clock = a->opts.clock,
		.socket = a->opts.socket,
		.listen = a->opts.listen,
		.listen_count = a->opts.listen_count,
		.events = &admin_request_events,
		.arg = a,
	};
	int rc;

	snprintf(why, size, "%s", err_str(ERR_NOMEM));
	rc = auth_new(&a->auth, a->opts.clock);
	if (rc == 0)
		rc = event_hub_new(&a->events, a->opts.clock, may_listen, a);
	if (rc == 0)
		rc = add_own_routes(a);
	if (rc < 0)
		return rc;
	return http_server_open(&a->http, &opts, why, size);
}

int
admin_open(
    struct admin **out, const struct admin_opts *opts, char *why, size_t size)
{
	struct admin *a = calloc(1, sizeof(*a));
	int rc;

	if (a == NULL) {
		snprintf(why, size, "%s", err_str(ERR_NOMEM));
		return ERR_NOMEM;
	}
	a->opts = *opts;
	log_init(&a->log, "admin");
	rc = open_parts(a, why, size);
	if (rc < 0) {
		finish(a);
		return rc;
	}
	a->listener.on_change = on_change;
	a->listener.arg = a;
	settings_listen(opts->settings, &a->listener);
	log_info(&a->log, "listening", "socket=%s addresses=%zu",
	    opts->socket[0] != '\0' ? opts->socket : "none",
	    opts->listen_count);
	*out = a;
	return 0;
}

void
admin_close(struct admin *a, void (*on_closed)(void *arg), void *arg)
{
	a->on_closed = on_closed;
	a->closed_arg = arg;
	settings_unlisten(&a->listener);
	http_server_close(a->http, on_http_closed, a);
}
