/*
 * What the gateway does at the moment.  What comes as a whole (edges, streams)
 * is sorted and cut into pages here; contacts and conversations come in pages
 * already.
 */
#include "frontend-gateway/admin/admin_impl.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "frontend-gateway/policy/names.h"

/* --- as a whole ------------------------------------------------------------ */

struct whole {
	json_t *all; /* array, sorted */
	size_t at;
	const char *member; /* that they are sorted by */
	char *filter;
};

static const char *
name_at(const struct whole *w, size_t at)
{
	const char *s = json_string_value(
	    json_object_get(json_array_get(w->all, at), w->member));

	return s != NULL ? s : "";
}

struct named {
	const char *name;
	json_t *object;
};

static int
by_name(const void *a, const void *b)
{
	return strcmp(
	    ((const struct named *)a)->name, ((const struct named *)b)->name);
}

/* Takes over array. */
static json_t *
sorted(json_t *array, const char *member)
{
	const size_t n = json_array_size(array);
	const struct whole w = { .all = array, .member = member };
	struct named *v = calloc(n + 1, sizeof(*v));
	json_t *out = json_array();

	for (size_t i = 0; v != NULL && i < n; i++) {
		v[i].name = name_at(&w, i);
		v[i].object = json_array_get(array, i);
	}
	if (v != NULL)
		qsort(v, n, sizeof(*v), by_name);
	for (size_t i = 0; v != NULL && i < n; i++)
		(void)json_array_append(out, v[i].object);
	if (v == NULL || json_array_size(out) != n) {
		json_decref(out);
		out = NULL;
	}
	free(v);
	json_decref(array);
	return out;
}

/* A stream is found by its partners' domains as well. */
static bool
fits(const struct whole *w, size_t at)
{
	const json_t *pairs =
	    json_object_get(json_array_get(w->all, at), "pairs");
	const json_t *pair;
	size_t i;

	if (settings_view_fits(w->filter, name_at(w, at)))
		return true;
	json_array_foreach(pairs, i, pair)
	{
		const char *remote = json_string_value(json_array_get(pair, 1));

		if (remote != NULL && settings_view_fits(w->filter, remote))
			return true;
	}
	return false;
}

/* Borrowed; NULL at the end. */
static json_t *
next_of(struct whole *w)
{
	while (w->at < json_array_size(w->all))
		if (fits(w, w->at++))
			return json_array_get(w->all, w->at - 1);
	return NULL;
}

static int
on_next_line(json_t **out, void *arg)
{
	json_t *one = next_of(arg);

	if (one == NULL)
		return ERR_NOT_FOUND;
	*out = json_incref(one);
	return 0;
}

static void
on_lines_end(void *arg)
{
	struct whole *w = arg;

	json_decref(w->all);
	free(w->filter);
	free(w);
}

/* Takes over what is in from. */
static void
reply_whole_lines(struct admin_request *r, const struct whole *from)
{
	struct whole *w = calloc(1, sizeof(*w));
	char *filter = from->filter != NULL ? strdup(from->filter) : NULL;

	if (w == NULL || (from->filter != NULL && filter == NULL)) {
		free(w);
		free(filter);
		json_decref(from->all);
		admin_reply(r, 503, NULL);
		return;
	}
	*w = *from;
	w->filter = filter;
	admin_reply_lines(
	    r, &(struct admin_lines){ on_next_line, on_lines_end, w });
}

static void
reply_whole_page(struct admin_request *r, struct whole *w, size_t limit)
{
	json_t *items = json_array(), *page, *one;
	const char *last = NULL;
	bool whole = true;

	while (whole && json_array_size(items) < limit &&
	       (one = next_of(w)) != NULL) {
		last = name_at(w, w->at - 1);
		whole = json_array_append(items, one) == 0;
	}
	page = json_pack("{s:o}", "items", items);
	if (!whole) {
		json_decref(page);
		page = NULL;
	}
	if (page != NULL && last != NULL && next_of(w) != NULL &&
	    json_object_set_new(page, "next", json_string(last)) < 0) {
		json_decref(page);
		page = NULL;
	}
	json_decref(w->all);
	admin_reply(r, 200, page);
}

/* Takes over array. */
static void
reply_whole(struct admin_request *r, json_t *array, const char *member)
{
	struct whole w = { .member = member };
	struct admin_page page;

	if (!admin_read_page(r, &page)) {
		json_decref(array);
		return;
	}
	w.all = array != NULL ? sorted(array, member) : NULL;
	if (w.all == NULL) {
		admin_reply(r, 503, NULL);
		return;
	}
	w.filter = (char *)(uintptr_t)page.filter;
	while (page.after != NULL && w.at < json_array_size(w.all) &&
	       strcmp(name_at(&w, w.at), page.after) <= 0)
		w.at++;
	if (admin_wants_lines(r))
		reply_whole_lines(r, &w);
	else
		reply_whole_page(r, &w, page.limit);
}

static void
on_edges(struct admin_request *r)
{
	const struct admin_sources *s = r->admin->opts.sources;

	reply_whole(r, s->edges(s->arg), "name");
}

static void
on_streams(struct admin_request *r)
{
	const struct admin_sources *s = r->admin->opts.sources;

	reply_whole(r, s->streams(s->arg), "id");
}

/* --- in pages -------------------------------------------------------------- */

/* Of a list that goes on in lines, at a time: a page is made in a single turn,
 * but to find where it begins costs something, too. */
enum { CONTACTS_AT_A_TIME = ADMIN_LIMIT_MAX, CONVERSATIONS_AT_A_TIME = 250 };

/* {"items", "next"} of what lies behind `after`; NULL with a text in *error. */
struct pages;
typedef json_t *pages_fetch_fn(struct pages *p, const char **error);

struct pages {
	const struct admin_sources *sources;
	pages_fetch_fn *fetch;
	struct admin_page page;
	/* What to look for, each NULL or the owner's. */
	char *user, *contact, *state, *filter, *after;
	json_t *now; /* the page under way, for lines */
	size_t at;
	bool ended;
};

static json_t *
fetch_contacts(struct pages *p, const char **error)
{
	const struct admin_sources *s = p->sources;
	json_t *request = json_pack("{s:s*, s:s*, s:s*, s:I}", "user", p->user,
	    "contact", p->contact, "after", p->page.after, "limit",
	    (json_int_t)p->page.limit);
	json_t *all, *next, *page;

	*error = err_str(ERR_NOMEM);
	if (request == NULL)
		return NULL;
	all = s->contacts(request, error, s->arg);
	json_decref(request);
	next = json_object_get(all, "next");
	page = json_pack("{s:O, s:O*}", "items",
	    json_object_get(all, "contacts"), "next", next);
	json_decref(all);
	return page;
}

static json_t *
fetch_conversations(struct pages *p, const char **error)
{
	const struct admin_sources *s = p->sources;

	*error = err_str(ERR_NOMEM);
	return s->conversations(
	    &p->page, p->user, p->contact, p->state, s->arg);
}

/* Takes over the page, behind which the next one will be asked for. */
static int
turn_to(struct pages *p, json_t *page)
{
	const char *next = json_string_value(json_object_get(page, "next"));

	json_decref(p->now);
	p->now = page;
	p->at = 0;
	free(p->after);
	p->after = next != NULL ? strdup(next) : NULL;
	p->page.after = p->after;
	p->ended = next == NULL;
	return page == NULL || (next != NULL && p->after == NULL) ? ERR_NOMEM
								  : 0;
}

static int
on_next_of_pages(json_t **out, void *arg)
{
	struct pages *p = arg;
	const char *error;

	for (;;) {
		const json_t *items = json_object_get(p->now, "items");

		if (p->at < json_array_size(items)) {
			*out = json_incref(json_array_get(items, p->at++));
			return 0;
		}
		if (p->ended)
			return ERR_NOT_FOUND;
		if (turn_to(p, p->fetch(p, &error)) < 0)
			return ERR_NOMEM;
	}
}

static void
on_pages_end(void *arg)
{
	struct pages *p = arg;

	json_decref(p->now);
	free(p->user);
	free(p->contact);
	free(p->state);
	free(p->filter);
	free(p->after);
	free(p);
}

/* A copy that outlives the request; *ok becomes false without memory. */
static char *
keep(const char *s, bool *ok)
{
	char *copy = s != NULL ? strdup(s) : NULL;

	if (s != NULL && copy == NULL)
		*ok = false;
	return copy;
}

static void
reply_pages(struct admin_request *r, pages_fetch_fn *fetch, size_t at_a_time)
{
	struct pages *p = calloc(1, sizeof(*p));
	const char *error = err_str(ERR_NOMEM);
	bool ok = p != NULL;
	json_t *page;

	if (p == NULL) {
		admin_reply(r, 503, NULL);
		return;
	}
	p->sources = r->admin->opts.sources;
	p->fetch = fetch;
	if (!admin_read_page(r, &p->page)) {
		on_pages_end(p);
		return;
	}
	p->user = keep(admin_param(r, "user"), &ok);
	p->contact = keep(admin_param(r, "contact"), &ok);
	p->state = keep(admin_param(r, "state"), &ok);
	p->filter = keep(p->page.filter, &ok);
	p->page.filter = p->filter;
	page = ok ? fetch(p, &error) : NULL;
	if (page == NULL) {
		admin_fail(r,
		    ok && strcmp(error, err_str(ERR_NOMEM)) != 0 ? 400 : 503,
		    "%s", error);
		on_pages_end(p);
	} else if (admin_wants_lines(r)) {
		if (turn_to(p, page) < 0) {
			admin_reply(r, 503, NULL);
			on_pages_end(p);
			return;
		}
		p->page.limit = at_a_time;
		admin_reply_lines(r,
		    &(struct admin_lines){ on_next_of_pages, on_pages_end, p });
	} else {
		admin_reply(r, 200, page);
		on_pages_end(p);
	}
}

static void
on_contacts(struct admin_request *r)
{
	reply_pages(r, fetch_contacts, CONTACTS_AT_A_TIME);
}

static void
on_conversations(struct admin_request *r)
{
	reply_pages(r, fetch_conversations, CONVERSATIONS_AT_A_TIME);
}

/* --- routes ---------------------------------------------------------------- */

static void
on_status(struct admin_request *r)
{
	const struct admin_sources *s = r->admin->opts.sources;

	admin_reply(r, 200, s->status(s->arg));
}

static void
on_rights(struct admin_request *r)
{
	const struct admin_sources *s = r->admin->opts.sources;
	char user[NAMES_USER_SIZE], why[256];
	json_t *rights;

	if (!names_user(user, r->key, why, sizeof(why))) {
		admin_fail(r, 400, "%s", why);
		return;
	}
	rights = s->rights(user, s->arg);
	admin_reply(r, rights != NULL ? 200 : 503, rights);
}

static const struct admin_route routes[] = {
	{ HTTP_GET, ADMIN_READ, "/v1/status", "", 0, on_status, NULL },
	{ HTTP_GET, ADMIN_READ, "/v1/edges", "filter after limit", 0, on_edges,
	    NULL },
	{ HTTP_GET, ADMIN_READ, "/v1/streams", "filter after limit", 0,
	    on_streams, NULL },
	{ HTTP_GET, ADMIN_READ, "/v1/contacts", "user contact after limit", 0,
	    on_contacts, NULL },
	{ HTTP_GET, ADMIN_READ, "/v1/conversations",
	    "user contact state after limit", 0, on_conversations, NULL },
	{ HTTP_GET, ADMIN_READ, "/v1/rights/{key}", "", 0, on_rights, NULL },
};

int
view_routes_add(struct admin *a)
{
	return admin_add_routes(
	    a, routes, sizeof(routes) / sizeof(routes[0]), NULL);
}
