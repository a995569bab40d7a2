/*
 * Tokens: made with POST, which chooses id and secret and shows the text once;
 * name, rights and end can be changed, the secret can't; DELETE ends it, and the
 * streams of events that were opened with it.
 */
#include "frontend-gateway/admin/admin_impl.h"

#include <string.h>
#include <openssl/crypto.h>

#include "common/err.h"
#include "common/xmpp_time.h"
#include "frontend-gateway/admin/setting_routes.h"
#include "frontend-gateway/admin/tokens.h"

/* Only what is the admin's to say. */
static bool
members_are_ours(struct admin_request *r)
{
	static const char *const ours[] = { "Name", "Rights", "Expires" };
	const char *name;
	json_t *value;

	json_object_foreach(r->body, name, value)
	{
		bool known = false;

		for (size_t i = 0; i < 3; i++)
			known |= strcmp(name, ours[i]) == 0;
		if (!known) {
			admin_fail(r, 422,
			    "\"%.100s\": Name, Rights and Expires are possible",
			    name);
			return false;
		}
	}
	return true;
}

static void
on_post(struct admin_request *r)
{
	struct settings_change one = { .kind = &setting_kind_token,
		.action = SETTINGS_PUT,
		.version = SETTINGS_ABSENT };
	struct setting_changes_opts opts = {
		.changes = &one, .count = 1, .single = true, .internal = true
	};
	char now[XMPP_TIME_SIZE];
	struct tokens_new token;
	json_t *object;

	if (!admin_read_bool(r, "dry_run", &opts.dry_run) ||
	    !members_are_ours(r))
		return;
	tokens_make(&token);
	xmpp_time_format(
	    now, (uint64_t)clock_wall_ms(r->admin->opts.clock) / 1000 * 1000);
	object = json_copy(r->body);
	if (json_object_set_new(object, "Created", json_string(now)) < 0 ||
	    json_object_set_new(object, "Hash", json_string(token.hash)) < 0) {
		admin_reply(r, 503, NULL);
	} else {
		one.key = token.id;
		one.object = object;
		if (!opts.dry_run)
			opts.extra = json_pack("{s:s}", "token", token.text);
		setting_changes_commit(r, &opts);
	}
	json_decref(object);
	OPENSSL_cleanse(&token, sizeof(token));
}

static void
on_patch(struct admin_request *r)
{
	if (members_are_ours(r))
		setting_changes_patch(r);
}

static const struct admin_route routes[] = {
	{ HTTP_GET, ADMIN_READ, "/v1/tokens", "filter after limit", 0,
	    setting_routes_list, &setting_kind_token },
	{ HTTP_POST, ADMIN_WRITE, "/v1/tokens", "dry_run", 65536, on_post,
	    &setting_kind_token },
	{ HTTP_GET, ADMIN_READ, "/v1/tokens/{key}", "", 0, setting_routes_get,
	    &setting_kind_token },
	{ HTTP_PATCH, ADMIN_WRITE, "/v1/tokens/{key}", "dry_run", 65536,
	    on_patch, &setting_kind_token },
	{ HTTP_DELETE, ADMIN_WRITE, "/v1/tokens/{key}", "dry_run", 0,
	    setting_changes_delete, &setting_kind_token },
};

int
token_routes_add(struct admin *a)
{
	return admin_add_routes(
	    a, routes, sizeof(routes) / sizeof(routes[0]), NULL);
}
