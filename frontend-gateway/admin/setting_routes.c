/*
 * One set of routes for each kind of setting, made from the kinds: those with
 * the only key `global` are one resource (/v1/gateway-config), the others a
 * collection (/v1/partners, /v1/partners/{key}).  Tokens have routes of their
 * own.
 */
#include "frontend-gateway/admin/admin_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "frontend-gateway/admin/etag.h"
#include "frontend-gateway/admin/setting_routes.h"

enum { PATH_SIZE = 64, ROUTES_OF_KIND = 5 };

/* --- one ------------------------------------------------------------------- */

const char *
setting_routes_key(const struct admin_request *r)
{
	return r->key != NULL ? r->key : "global";
}

const struct setting *
setting_routes_find(const struct admin_request *r)
{
	const struct setting_kind *kind = r->route->kind;
	const struct settings_view *now = settings_now(r->admin->opts.settings);
	char key[SETTING_KEY_SIZE], why[256];

	if (kind->read_key == NULL)
		return settings_view_get(now, kind, setting_routes_key(r));
	if (!kind->read_key(key, setting_routes_key(r), why, sizeof(why)))
		return NULL;
	return settings_view_get(now, kind, key);
}

/* 304, or false when the client's copy is no longer good. */
static bool
is_known(struct admin_request *r, const struct setting *s)
{
	const char *header = http_call_header(r->call, "If-None-Match");
	char tag[ETAG_SIZE];
	struct etag_list tags;

	if (header == NULL || etag_parse(&tags, header, false) < 0 ||
	    !etag_has(&tags, s->version))
		return false;
	etag_write(tag, s->version);
	http_call_answer(r->call, &(struct http_answer){ .status = 304,
				      .headers = { { "ETag", tag } } });
	return true;
}

void
setting_routes_get(struct admin_request *r)
{
	const struct setting *s = setting_routes_find(r);

	if (s == NULL)
		admin_fail(r, 404, "there is no such %s", r->route->kind->name);
	else if (!is_known(r, s))
		admin_reply_version(r, 200, setting_item(s), s->version);
}

/* --- all ------------------------------------------------------------------- */

/* Where a listing is; it reads one view to its end. */
struct listing {
	struct settings_view *view;
	const struct setting_kind *kind;
	char *filter; /* NULL = all */
	size_t at;
};

static const struct setting *
next_of(struct listing *l)
{
	const size_t count = settings_view_count(l->view, l->kind);

	while (l->at < count) {
		const struct setting *s =
		    settings_view_at(l->view, l->kind, l->at++);

		if (settings_view_fits(l->filter, s->key))
			return s;
	}
	return NULL;
}

static int
on_next_line(json_t **out, void *arg)
{
	const struct setting *s = next_of(arg);

	if (s == NULL)
		return ERR_NOT_FOUND;
	*out = setting_item(s);
	return *out != NULL ? 0 : ERR_NOMEM;
}

static void
on_lines_end(void *arg)
{
	struct listing *l = arg;

	settings_view_unref(l->view);
	free(l->filter);
	free(l);
}

static void
list_lines(struct admin_request *r, const struct listing *from)
{
	struct listing *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		admin_reply(r, 503, NULL);
		return;
	}
	*l = *from;
	settings_view_ref(l->view);
	if (from->filter != NULL) {
		l->filter = strdup(from->filter);
		if (l->filter == NULL) {
			on_lines_end(l);
			admin_reply(r, 503, NULL);
			return;
		}
	}
	admin_reply_lines(
	    r, &(struct admin_lines){ on_next_line, on_lines_end, l });
}

static void
list_page(struct admin_request *r, struct listing *l, size_t limit)
{
	json_t *items = json_array(), *page;
	const struct setting *s = NULL, *last = NULL;

	while (json_array_size(items) < limit && (s = next_of(l)) != NULL) {
		last = s;
		if (json_array_append_new(items, setting_item(s)) < 0) {
			json_decref(items);
			admin_reply(r, 503, NULL);
			return;
		}
	}
	page = json_pack("{s:o}", "items", items);
	if (page != NULL && last != NULL && next_of(l) != NULL &&
	    json_object_set_new(page, "next", json_string(last->key)) < 0) {
		json_decref(page);
		page = NULL;
	}
	admin_reply(r, 200, page);
}

void
setting_routes_list(struct admin_request *r)
{
	struct listing l = { .kind = r->route->kind };
	struct admin_page page;

	if (!admin_read_page(r, &page))
		return;
	/* Read only, as are its settings. */
	l.view = (struct settings_view *)(uintptr_t)settings_now(
	    r->admin->opts.settings);
	l.filter = (char *)(uintptr_t)page.filter;
	l.at = settings_view_behind(l.view, l.kind, page.after);
	if (admin_wants_lines(r))
		list_lines(r, &l);
	else
		list_page(r, &l, page.limit);
}

/* --- routes ---------------------------------------------------------------- */

bool
setting_routes_is_single(const struct setting_kind *k)
{
	return k->closed && k->builtin_count == 1 &&
	       strcmp(k->builtins[0].key, "global") == 0;
}

static struct admin_route *
add_kind(
    struct admin_route *t, const struct setting_kind *k, char *all, char *one)
{
	const bool single = setting_routes_is_single(k);

	snprintf(all, PATH_SIZE, "/v1/%s", k->plural);
	snprintf(one, PATH_SIZE, single ? "/v1/%s" : "/v1/%s/{key}", k->plural);
	if (!single)
		*t++ = (struct admin_route){ HTTP_GET, ADMIN_READ, all,
			"filter after limit", 0, setting_routes_list, k };
	*t++ = (struct admin_route){ HTTP_GET, ADMIN_READ, one, "", 0,
		setting_routes_get, k };
	*t++ = (struct admin_route){ HTTP_PUT, ADMIN_WRITE, one, "dry_run",
		ADMIN_BODY_MAX, setting_changes_put, k };
	*t++ = (struct admin_route){ HTTP_PATCH, ADMIN_WRITE, one, "dry_run",
		ADMIN_BODY_MAX, setting_changes_patch, k };
	*t++ = (struct admin_route){ HTTP_DELETE, ADMIN_WRITE, one, "dry_run",
		0, setting_changes_delete, k };
	return t;
}

int
setting_routes_add(struct admin *a)
{
	const size_t kinds = setting_kind_count();
	struct admin_route *t;
	char *path;

	a->setting_routes =
	    calloc(ROUTES_OF_KIND * kinds, sizeof(*a->setting_routes));
	a->setting_paths = calloc(2 * kinds, PATH_SIZE);
	if (a->setting_routes == NULL || a->setting_paths == NULL)
		return ERR_NOMEM;
	t = a->setting_routes;
	path = a->setting_paths;
	for (size_t i = 0; i < kinds; i++) {
		if (setting_kinds[i] == &setting_kind_token)
			continue;
		t = add_kind(t, setting_kinds[i], path, path + PATH_SIZE);
		path += 2 * (size_t)PATH_SIZE;
	}
	return admin_add_routes(
	    a, a->setting_routes, (size_t)(t - a->setting_routes), NULL);
}

void
setting_routes_free(struct admin *a)
{
	free(a->setting_routes);
	free(a->setting_paths);
}
