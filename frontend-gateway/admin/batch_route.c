/*
 * Several changes at once, all or nothing.
 *
 * The body of a large one has been parsed off the loop; to read it as changes is
 * work for a thread as well.  The commit shares the body's objects, the rest of
 * it is freed there, too.
 */
#include "frontend-gateway/admin/admin_impl.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"
#include "frontend-gateway/admin/json_body.h"
#include "frontend-gateway/settings/settings_batch.h"

/* Changes that the loop reads by itself. */
enum { FEW = 1000 };

/* A request from its body to the commit. */
struct reading {
	uv_work_t work;
	struct admin_request *request; /* NULL when the client is gone */
	uv_loop_t *loop;
	json_t *body;
	bool dry_run;
	struct settings_batch batch;
	int rc;
	char why[256];
};

static bool
has_token(const struct settings_batch *b)
{
	for (size_t i = 0; i < b->count; i++)
		if (b->v[i].kind == &setting_kind_token)
			return true;
	return false;
}

static void
read_changes(struct reading *w)
{
	w->rc = settings_batch_read(&w->batch,
	    json_object_get(w->body, "changes"), w->why, sizeof(w->why));
	if (w->rc == 0 && has_token(&w->batch)) {
		w->rc = ERR_CONFIG;
		snprintf(w->why, sizeof(w->why),
		    "tokens are made by POST /v1/tokens");
	}
}

static void
commit(struct reading *w)
{
	const struct setting_changes_opts opts = { .changes = w->batch.v,
		.count = w->batch.count,
		.dry_run = w->dry_run };

	if (w->rc < 0)
		admin_fail(
		    w->request, w->rc == ERR_NOMEM ? 503 : 422, "%s", w->why);
	else
		setting_changes_commit(w->request, &opts);
}

static void
end(struct reading *w)
{
	settings_batch_finish(&w->batch);
	json_body_free_apart(w->loop, w->body);
	free(w);
}

/* --- apart ----------------------------------------------------------------- */

static void
on_gone(void *arg)
{
	((struct reading *)arg)->request = NULL;
}

static void
on_work(uv_work_t *work)
{
	read_changes(work->data);
}

static void
on_worked(uv_work_t *work, int status)
{
	struct reading *w = work->data;

	(void)status; /* nobody cancels */
	if (w->request != NULL) {
		http_call_end_wait(w->request->call);
		commit(w);
	}
	end(w);
}

/* --- the route ------------------------------------------------------------- */

static void
on_post(struct admin_request *r)
{
	struct reading *w = calloc(1, sizeof(*w));

	if (w == NULL) {
		admin_reply(r, 503, NULL);
		return;
	}
	w->request = r;
	w->work.data = w;
	w->loop = r->admin->opts.loop;
	if (!admin_read_bool(r, "dry_run", &w->dry_run)) {
		free(w);
		return;
	}
	w->body = r->body;
	r->body = NULL;
	if (json_array_size(json_object_get(w->body, "changes")) > FEW &&
	    uv_queue_work(w->loop, &w->work, on_work, on_worked) == 0) {
		http_call_wait(r->call, on_gone, w);
		return;
	}
	read_changes(w);
	commit(w);
	end(w);
}

static const struct admin_route routes[] = {
	{ HTTP_POST, ADMIN_WRITE, "/v1/batch", "dry_run", ADMIN_BATCH_MAX,
	    on_post, NULL },
};

int
batch_route_add(struct admin *a)
{
	return admin_add_routes(
	    a, routes, sizeof(routes) / sizeof(routes[0]), NULL);
}
