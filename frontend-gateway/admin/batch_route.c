/* Several changes at once, all or nothing. */
#include "frontend-gateway/admin/admin_impl.h"

#include "common/err.h"
#include "frontend-gateway/admin/json_body.h"
#include "frontend-gateway/settings/settings_batch.h"

static bool
has_token(const struct settings_batch *b)
{
	for (size_t i = 0; i < b->count; i++)
		if (b->v[i].kind == &setting_kind_token)
			return true;
	return false;
}

static void
commit(struct admin_request *r, const json_t *body)
{
	struct setting_changes_opts opts = { 0 };
	struct settings_batch b;
	char why[256];
	int rc;

	if (!admin_read_bool(r, "dry_run", &opts.dry_run))
		return;
	rc = settings_batch_read(
	    &b, json_object_get(body, "changes"), why, sizeof(why));
	if (rc < 0) {
		admin_fail(r, rc == ERR_NOMEM ? 503 : 422, "%s", why);
		return;
	}
	opts.changes = b.v;
	opts.count = b.count;
	if (has_token(&b))
		admin_fail(r, 422, "tokens are made by POST /v1/tokens");
	else
		setting_changes_commit(r, &opts);
	settings_batch_finish(&b);
}

/* The commit shares what it needs of the body. */
static void
on_post(struct admin_request *r)
{
	uv_loop_t *loop = r->admin->opts.loop;
	json_t *body = r->body;

	r->body = NULL;
	commit(r, body);
	json_body_free_apart(loop, body);
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
