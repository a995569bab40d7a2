/* Several changes at once, all or nothing. */
#include "frontend-gateway/admin/admin_impl.h"

#include <string.h>

#include "common/err.h"
#include "frontend-gateway/admin/changes.h"

static void
on_post(struct admin_request *r)
{
	struct setting_changes_opts opts = { 0 };
	struct changes_problem p;
	struct changes c;
	int rc;

	if (!admin_read_bool(r, "dry_run", &opts.dry_run))
		return;
	rc = changes_read(&c, r->body, &p);
	if (rc == ERR_CONFIG) {
		admin_fail_with(r, 422, "the list of changes is not in order",
		    json_pack(
			"[{s:s, s:s}]", "member", p.member, "text", p.text));
		return;
	}
	if (rc < 0) {
		admin_reply(r, 503, NULL);
		return;
	}
	opts.changes = c.v;
	opts.count = c.count;
	setting_changes_commit(r, &opts);
	changes_finish(&c);
}

static const struct admin_route routes[] = {
	{ HTTP_POST, "/v1/batch", ADMIN_WRITE, "dry_run", ADMIN_BATCH_MAX,
	    on_post, NULL },
};

int
batch_route_add(struct admin *a)
{
	return admin_add_routes(
	    a, routes, sizeof(routes) / sizeof(routes[0]), NULL);
}
