/*
 * One reload at a time: a second one that comes while the first is with the
 * keeper is refused.  The keeper answers each, in order, so nothing more is
 * needed to tell which answer is whose.
 */
#include "edge-proxy/streams_control.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/control.h"
#include "common/control_level.h"
#include "common/err.h"
#include "common/log.h"
#include "edge-proxy/edge.h"
#include "edge-proxy/keeper_wire.h"
#include "edge-proxy/streams_fetcher.h"

struct streams_control {
	struct streams_control_opts opts;
	struct control *control;
	struct control_call *reload; /* waits for the keeper, or NULL */
	json_t *processes;           /* array, as the keeper told it */
	struct log log;
};

static void
reply(struct control_call *call, json_t *body)
{
	if (body != NULL)
		control_reply(call, body);
	else
		control_fail(call, err_str(ERR_NOMEM));
}

/* --- verbs --------------------------------------------------------------- */

/* The keeper tells when each began; an operator reads for how long. */
static json_t *
processes_json(const struct streams_control *c)
{
	json_int_t now = (json_int_t)clock_now_ms(c->opts.clock);
	json_t *all = json_deep_copy(c->processes);
	json_t *p;
	size_t i;

	json_array_foreach(all, i, p)
	{
		json_int_t since =
		    json_integer_value(json_object_get(p, "since_ms"));

		json_object_del(p, "since_ms");
		json_object_set_new(
		    p, "uptime_s", json_integer((now - since) / 1000));
	}
	return all;
}

static void
on_status(struct streams_control *c, struct control_call *call)
{
	struct edge *e = *c->opts.edge;
	json_t *body = e != NULL ? edge_status(e) : NULL;

	if (e == NULL) {
		control_fail(call, "the edge is not open");
		return;
	}
	if (body != NULL)
		json_object_set_new(body, "processes", processes_json(c));
	if (body != NULL && c->opts.fetcher != NULL)
		json_object_set_new(body, "revocation",
		    streams_fetcher_describe(c->opts.fetcher));
	reply(call, body);
}

static void
on_streams(struct streams_control *c, struct control_call *call)
{
	struct edge *e = *c->opts.edge;

	if (e == NULL)
		control_fail(call, "the edge is not open");
	else
		reply(call, edge_status_streams(e));
}

static void
on_log_level(
    struct streams_control *c, struct control_call *call, const json_t *request)
{
	struct control_level level;
	const char *name = json_string_value(json_object_get(request, "level"));
	struct keeper_blob blobs[2];
	char why[128];
	int rc;

	if (control_level_read(&level, request, why, sizeof(why)) < 0) {
		control_fail(call, why);
		return;
	}
	blobs[0] = (struct keeper_blob){ (const uint8_t *)level.component,
		strlen(level.component) };
	blobs[1] = (struct keeper_blob){ (const uint8_t *)name, strlen(name) };
	/* It comes back to us from there, as to everybody. */
	rc = keeper_link_send(c->opts.link, KW_ASK_LEVEL, blobs, 2, -1);
	if (rc < 0)
		control_fail(call, err_str(rc));
	else
		reply(call, json_object());
}

static void
on_reload(struct streams_control *c, struct control_call *call)
{
	int rc;

	if (c->reload != NULL) {
		control_fail(call, "a reload is under way");
		return;
	}
	rc = keeper_link_send(c->opts.link, KW_ASK_RELOAD, NULL, 0, -1);
	if (rc < 0)
		control_fail(call, err_str(rc));
	else
		c->reload = call;
}

static void
on_drain(struct streams_control *c, struct control_call *call)
{
	int rc = keeper_link_send(c->opts.link, KW_ASK_STOP, NULL, 0, -1);

	if (rc < 0)
		control_fail(call, err_str(rc));
	else
		reply(call, json_object());
}

static void
on_request(struct control_call *call, const char *verb, const json_t *request,
    void *arg)
{
	struct streams_control *c = arg;

	if (strcmp(verb, "status") == 0)
		on_status(c, call);
	else if (strcmp(verb, "streams") == 0)
		on_streams(c, call);
	else if (strcmp(verb, "log-level") == 0)
		on_log_level(c, call, request);
	else if (strcmp(verb, "reload") == 0)
		on_reload(c, call);
	else if (strcmp(verb, "drain") == 0)
		on_drain(c, call);
	else
		control_fail(call, "the edge knows no such verb");
}

/* --- the keeper ---------------------------------------------------------- */

void
streams_control_about(struct streams_control *c, const void *json, size_t len)
{
	json_t *array = json_loadb(json, len, 0, NULL);

	if (!json_is_array(array)) {
		log_error(&c->log, "about-unreadable", "bytes=%zu", len);
		json_decref(array);
		return;
	}
	json_decref(c->processes);
	c->processes = array;
}

void
streams_control_answer(struct streams_control *c, const void *json, size_t len)
{
	struct control_call *call = c->reload;
	json_t *body = json_loadb(json, len, 0, NULL);
	const char *error = json_string_value(json_object_get(body, "error"));

	c->reload = NULL;
	if (call == NULL)
		json_decref(body);
	else if (error != NULL || !json_is_object(body)) {
		control_fail(call, error != NULL ? error : "no answer");
		json_decref(body);
	} else {
		control_reply(call, body);
	}
}

/* --- life ---------------------------------------------------------------- */

int
streams_control_open(
    struct streams_control **out, const struct streams_control_opts *opts)
{
	struct streams_control *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL) {
		close(opts->fd);
		return ERR_NOMEM;
	}
	c->opts = *opts;
	c->processes = json_array();
	log_init(&c->log, "streams_control");
	rc = control_open(
	    &c->control, opts->loop, opts->clock, opts->fd, on_request, c);
	if (rc < 0) {
		json_decref(c->processes);
		free(c);
		return rc;
	}
	*out = c;
	return 0;
}

static void
on_closed(void *arg)
{
	struct streams_control *c = arg;

	json_decref(c->processes);
	free(c);
}

void
streams_control_close(struct streams_control *c)
{
	if (c == NULL)
		return;
	if (c->reload != NULL)
		control_fail(c->reload, "the edge is stopping");
	c->reload = NULL;
	control_close(c->control, on_closed, c);
}
