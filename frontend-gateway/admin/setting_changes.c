/*
 * A change over HTTP: its conditions become the version that is expected, the
 * commit is handed to settings, and its outcome becomes the answer.  When the
 * edges are told something new the answer waits for them a while, so that it can
 * say who has confirmed.
 *
 * The client may go, or the server end, at each of these points; what has begun
 * comes back here nevertheless, and is dropped then.
 */
#include "frontend-gateway/admin/admin_impl.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "frontend-gateway/admin/etag.h"
#include "frontend-gateway/admin/setting_routes.h"

/* Changes in the answer to a batch, which is made in a single turn. */
enum { SHOWN_MAX = 250 };

/* A commit of a request, from its beginning to the answer. */
struct change {
	struct admin *admin;
	struct admin_request *request; /* NULL when the client is gone */
	bool single, dry_run, condition;
	json_t *extra;
	/* The answer, while it waits for edges. */
	json_t *answer;
	unsigned status;
	uint64_t version;
};

static void
drop(struct change *c)
{
	json_decref(c->extra);
	json_decref(c->answer);
	free(c);
}

static void
on_gone(void *arg)
{
	((struct change *)arg)->request = NULL;
}

/* --- the answer ------------------------------------------------------------ */

static json_t *
item_or_null(const struct setting *s)
{
	return s != NULL ? setting_item(s) : json_null();
}

static json_t *
delta_json(const struct settings_delta *d)
{
	return json_pack("{s:s, s:s, s:b, s:o, s:o}", "kind", d->kind->name,
	    "key", d->key, "changed", d->before != d->after, "before",
	    item_or_null(d->before), "after", item_or_null(d->after));
}

/* Of many changes the first ones are shown, and all are counted. */
static json_t *
batch_json(const struct settings_outcome *o)
{
	json_t *shown = json_array();
	json_int_t changed = 0;

	for (size_t i = 0; i < o->delta_count; i++) {
		const struct settings_delta *d = &o->deltas[i];

		changed += d->before != d->after;
		if (i < SHOWN_MAX &&
		    json_array_append_new(shown, delta_json(d)) < 0) {
			json_decref(shown);
			return NULL;
		}
	}
	return json_pack("{s:o, s:I, s:I}", "changes", shown, "count",
	    (json_int_t)o->delta_count, "changed", changed);
}

static json_t *
answer_json(const struct change *c, const struct settings_outcome *o)
{
	json_t *answer = c->single ? delta_json(&o->deltas[0]) : batch_json(o);
	const struct setting *after =
	    o->delta_count > 0 ? o->deltas[0].after : NULL;
	uint64_t version = o->version;

	if (c->single && version == 0 && after != NULL)
		version = after->version;
	if (json_object_set_new(
		answer, "version", json_integer((json_int_t)version)) < 0 ||
	    json_object_set_new(
		answer, "warnings", settings_report_warnings(o->report)) < 0 ||
	    (c->dry_run &&
		json_object_set_new(answer, "dry_run", json_true()) < 0) ||
	    (c->extra != NULL && json_object_update(answer, c->extra) < 0)) {
		json_decref(answer);
		return NULL;
	}
	return answer;
}

static void
reply(struct change *c)
{
	struct admin_request *r = c->request;
	json_t *answer = c->answer;

	c->answer = NULL;
	if (c->single && c->version != 0)
		admin_reply_version(r, c->status, answer, c->version);
	else
		admin_reply(r, c->status, answer);
	drop(c);
}

static void
on_confirmed(json_t *confirmations, void *arg)
{
	struct change *c = arg;

	if (c->request == NULL) {
		drop(c);
		return;
	}
	/* Without memory to tell of it the change is made nevertheless. */
	(void)json_object_set(c->answer, "generation", confirmations);
	reply(c);
}

static unsigned
status_of(const struct change *c, int rc)
{
	if (c->condition &&
	    (rc == ERR_CONFLICT || rc == ERR_EXISTS || rc == ERR_NOT_FOUND))
		return 412;
	return admin_status_of(rc);
}

static void
refuse(struct change *c, const struct settings_outcome *o)
{
	const char *why = o->why[0] != '\0' ? o->why : err_str(o->rc);

	if (o->report != NULL && o->report->problem_count > 0)
		admin_fail_with(c->request, status_of(c, o->rc), why,
		    settings_report_problems(o->report));
	else
		admin_fail(c->request, status_of(c, o->rc), "%s", why);
	drop(c);
}

static void
on_done(const struct settings_outcome *o, void *arg)
{
	struct change *c = arg;
	const struct admin_sources *s;
	const struct setting *after;

	if (c->request == NULL) {
		drop(c);
		return;
	}
	if (o->rc < 0) {
		refuse(c, o);
		return;
	}
	s = c->admin->opts.sources;
	after = o->delta_count > 0 ? o->deltas[0].after : NULL;
	c->answer = answer_json(c, o);
	c->version = after != NULL ? after->version : 0;
	c->status = c->single && !c->dry_run && o->deltas[0].before == NULL &&
			    after != NULL
			? 201
			: 200;
	if (o->generation == 0 || c->dry_run || c->answer == NULL)
		reply(c);
	else
		s->confirm(o->generation, on_confirmed, c, s->arg);
}

/* --- the commit ------------------------------------------------------------ */

void
setting_changes_commit(
    struct admin_request *r, const struct setting_changes_opts *opts)
{
	struct admin *a = r->admin;
	struct change *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		json_decref(opts->extra);
		admin_reply(r, 503, NULL);
		return;
	}
	c->admin = a;
	c->request = r;
	c->single = opts->single;
	c->dry_run = opts->dry_run;
	c->condition = opts->condition;
	c->extra = opts->extra;
	http_call_wait(r->call, on_gone, c);
	settings_commit(a->opts.settings,
	    &(struct settings_commit){ .changes = opts->changes,
		.count = opts->count,
		.who = r->who,
		.via = r->via,
		.dry_run = opts->dry_run,
		.internal = opts->internal },
	    on_done, c);
}

/* --- conditions ------------------------------------------------------------ */

static bool
fail_condition(struct admin_request *r, const struct setting *s)
{
	if (s == NULL)
		admin_fail(r, 412, "there is no such %s any more",
		    r->route->kind->name);
	else
		admin_fail(r, 412,
		    "it was changed meanwhile: the version is %llu now",
		    (unsigned long long)s->version);
	return false;
}

static bool
read_if_match(struct admin_request *r, const char *header, uint64_t *version)
{
	const struct setting *s = setting_routes_find(r);
	struct etag_list tags;

	if (etag_parse(&tags, header, true) < 0) {
		admin_fail(r, 400, "If-Match: not a list of entity tags");
		return false;
	}
	if (s == NULL || !etag_has(&tags, s->version))
		return fail_condition(r, s);
	*version = tags.any ? SETTINGS_ANY : s->version;
	return true;
}

bool
setting_changes_expected(
    struct admin_request *r, uint64_t *version, bool *condition)
{
	const char *match = http_call_header(r->call, "If-Match");
	const char *none = http_call_header(r->call, "If-None-Match");

	*version = SETTINGS_ANY;
	*condition = match != NULL || none != NULL;
	if (match != NULL && none != NULL) {
		admin_fail(r, 400, "If-Match or If-None-Match, not both");
		return false;
	}
	if (match != NULL)
		return read_if_match(r, match, version);
	if (none == NULL)
		return true;
	if (strcmp(none, "*") != 0) {
		admin_fail(r, 400, "If-None-Match: only * is possible here");
		return false;
	}
	*version = SETTINGS_ABSENT;
	return true;
}

/* --- routes ---------------------------------------------------------------- */

static void
change(struct admin_request *r, enum settings_action action)
{
	struct settings_change one = {
		.kind = r->route->kind,
		.key = setting_routes_key(r),
		.action = action,
		.object = r->body,
	};
	struct setting_changes_opts opts = {
		.changes = &one, .count = 1, .single = true
	};

	if (admin_read_bool(r, "dry_run", &opts.dry_run) &&
	    setting_changes_expected(r, &one.version, &opts.condition))
		setting_changes_commit(r, &opts);
}

void
setting_changes_put(struct admin_request *r)
{
	change(r, SETTINGS_PUT);
}

void
setting_changes_patch(struct admin_request *r)
{
	change(r, SETTINGS_PATCH);
}

void
setting_changes_delete(struct admin_request *r)
{
	change(r, SETTINGS_REMOVE);
}
