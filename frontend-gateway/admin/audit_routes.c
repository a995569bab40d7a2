/*
 * The audit trail: pages, the whole as lines, and whether its chain of hashes
 * is whole.  Nothing here changes it.
 */
#include "frontend-gateway/admin/admin_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/xmpp_time.h"
#include "frontend-gateway/store/setting_store.h"

/* --- a row ----------------------------------------------------------------- */

/* A reference, or NULL without memory. */
static json_t *
object_of(const char *text)
{
	return text != NULL ? json_loads(text, 0, NULL) : json_null();
}

static json_t *
row_json(const struct audit_row *row)
{
	char at[XMPP_TIME_SIZE];

	xmpp_time_format(at, (uint64_t)row->at_ms);
	return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:s}",
	    "number", (json_int_t)row->number, "at", at, "who", row->who, "via",
	    row->via, "action", row->action, "kind", row->kind, "key", row->key,
	    "before", object_of(row->before), "after", object_of(row->after),
	    "chain", row->chain);
}

/* --- a page ---------------------------------------------------------------- */

/* What a request waits for from the store. */
struct query {
	struct admin *admin;
	struct admin_request *request; /* NULL when the client is gone */
	size_t limit;
};

static void
on_gone(void *arg)
{
	((struct query *)arg)->request = NULL;
}

static struct query *
begin(struct admin_request *r)
{
	struct query *q = calloc(1, sizeof(*q));

	if (q == NULL) {
		admin_reply(r, 503, NULL);
		return NULL;
	}
	q->admin = r->admin;
	q->request = r;
	http_call_wait(r->call, on_gone, q);
	return q;
}

static json_t *
page_json(const struct audit_row *rows, size_t count, bool more)
{
	json_t *items = json_array(), *page;
	char next[24];

	for (size_t i = 0; i < count; i++)
		if (json_array_append_new(items, row_json(&rows[i])) < 0) {
			json_decref(items);
			return NULL;
		}
	page = json_pack("{s:o}", "items", items);
	if (page == NULL || !more)
		return page;
	snprintf(next, sizeof(next), "%" PRIu64, rows[count - 1].number);
	if (json_object_set_new(page, "next", json_string(next)) < 0) {
		json_decref(page);
		return NULL;
	}
	return page;
}

static void
on_rows(int rc, const char *why, const struct audit_row *rows, size_t count,
    void *arg)
{
	struct query *q = arg;

	if (q->request != NULL && rc < 0)
		admin_fail(q->request, admin_status_of(rc), "%s", why);
	else if (q->request != NULL)
		admin_reply(
		    q->request, 200, page_json(rows, count, count == q->limit));
	free(q);
}

/* The parameters that both forms know. */
static bool
read_from(struct admin_request *r, uint64_t *after, bool *newest)
{
	const char *text = admin_param(r, "after");
	const bool given = text != NULL && text[0] != '\0';
	const char *order = admin_param(r, "order");
	char *end = NULL;

	*after = 0;
	*newest = order != NULL && strcmp(order, "newest") == 0;
	if (order != NULL && !*newest && strcmp(order, "oldest") != 0) {
		admin_fail(r, 400, "order: oldest or newest are possible");
		return false;
	}
	if (given && text[0] >= '0' && text[0] <= '9')
		*after = strtoull(text, &end, 10);
	if (given && (end == NULL || *end != '\0')) {
		admin_fail(r, 400, "after: not the number of a row");
		return false;
	}
	return true;
}

/* --- lines ----------------------------------------------------------------- */

/* The whole trail: a page is fetched when the one before has been taken. */
struct trail {
	struct admin *admin;
	struct http_call *call; /* NULL when it has ended */
	struct buf lines;
	uint64_t after;
	bool newest, fetching, last, broken;
};

static void
drop_trail(struct trail *t)
{
	buf_finish(&t->lines);
	free(t);
}

static void
on_trail_rows(int rc, const char *why, const struct audit_row *rows,
    size_t count, void *arg)
{
	struct trail *t = arg;

	(void)why;
	t->fetching = false;
	if (t->call == NULL) {
		drop_trail(t);
		return;
	}
	t->broken = rc < 0;
	t->last = count < SETTING_STORE_AUDIT_MAX;
	for (size_t i = 0; i < count && rc == 0; i++) {
		json_t *row = row_json(&rows[i]);
		char *text = row != NULL ? json_dumps(row, JSON_COMPACT) : NULL;

		t->after = rows[i].number;
		if (text == NULL || buf_add_str(&t->lines, text) < 0 ||
		    buf_add_char(&t->lines, '\n') < 0)
			t->broken = true;
		free(text);
		json_decref(row);
	}
	http_call_wake(t->call);
}

static ssize_t
on_read(void *arg, char *out, size_t size)
{
	struct trail *t = arg;
	const size_t n = t->lines.len < size ? t->lines.len : size;

	if (t->broken)
		return HTTP_STREAM_BROKEN;
	if (n > 0) {
		memcpy(out, t->lines.data, n);
		buf_consume(&t->lines, n);
		return (ssize_t)n;
	}
	if (t->last)
		return HTTP_STREAM_END;
	if (!t->fetching &&
	    setting_store_audit(t->admin->opts.store, t->after,
		SETTING_STORE_AUDIT_MAX, t->newest, on_trail_rows, t) < 0)
		return HTTP_STREAM_BROKEN;
	t->fetching = true;
	return 0;
}

static void
on_trail_end(void *arg)
{
	struct trail *t = arg;

	t->call = NULL;
	if (!t->fetching)
		drop_trail(t);
}

static void
reply_trail(struct admin_request *r, uint64_t after, bool newest)
{
	struct trail *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		admin_reply(r, 503, NULL);
		return;
	}
	t->admin = r->admin;
	t->call = r->call;
	t->after = after;
	t->newest = newest;
	if (http_call_stream(
		r->call, &(struct http_stream){ .type = "application/x-ndjson",
			     .read = on_read,
			     .on_end = on_trail_end,
			     .arg = t }) < 0) {
		free(t);
		admin_reply(r, 503, NULL);
	}
}

static void
on_list(struct admin_request *r)
{
	struct admin_page page;
	struct query *q;
	uint64_t after;
	bool newest;

	if (!admin_read_page(r, &page) || !read_from(r, &after, &newest))
		return;
	if (admin_wants_lines(r)) {
		reply_trail(r, after, newest);
		return;
	}
	q = begin(r);
	if (q == NULL)
		return;
	q->limit = page.limit;
	if (setting_store_audit(r->admin->opts.store, after, page.limit, newest,
		on_rows, q) < 0) {
		free(q);
		admin_reply(r, 503, NULL);
	}
}

/* --- the chain ------------------------------------------------------------- */

static void
on_verified(int rc, const char *why, uint64_t rows, uint64_t broken, void *arg)
{
	struct query *q = arg;

	if (q->request == NULL) {
		/* The interface is gone as well: nobody else tells a call that
		 * waits. */
		free(q);
		return;
	}
	q->admin->verifying = false;
	if (rc < 0)
		admin_fail(q->request, admin_status_of(rc), "%s", why);
	else
		admin_reply(q->request, 200,
		    json_pack("{s:I, s:b, s:o}", "rows", (json_int_t)rows,
			"whole", broken == 0, "broken",
			broken != 0 ? json_integer((json_int_t)broken)
				    : json_null()));
	free(q);
}

static void
on_chain(struct admin_request *r)
{
	struct query *q;

	if (r->admin->verifying) {
		admin_fail(r, 503, "the trail is being walked already");
		return;
	}
	q = begin(r);
	if (q == NULL)
		return;
	if (setting_store_verify(r->admin->opts.store, on_verified, q) < 0) {
		free(q);
		admin_reply(r, 503, NULL);
		return;
	}
	r->admin->verifying = true;
}

static const struct admin_route routes[] = {
	{ HTTP_GET, ADMIN_READ, "/v1/audit", "after limit order", 0, on_list,
	    NULL },
	{ HTTP_GET, ADMIN_READ, "/v1/audit/chain", "", 0, on_chain, NULL },
};

int
audit_routes_add(struct admin *a)
{
	return admin_add_routes(
	    a, routes, sizeof(routes) / sizeof(routes[0]), NULL);
}
