#include "tests/unit/admin_world.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/log.h"

/* --- sources --------------------------------------------------------------- */

static json_t *
on_status(void *arg)
{
	(void)arg;
	return json_pack("{s:s}", "daemon", "gateway");
}

static json_t *
on_edges(void *arg)
{
	(void)arg;
	return json_pack("[{s:s}, {s:s}]", "name", "edge2.contoso.example",
	    "name", "edge1.contoso.example");
}

static json_t *
on_streams(void *arg)
{
	const struct admin_world *w = arg;
	json_t *all = json_array();

	for (size_t i = 0; i < w->streams; i++) {
		char id[32], remote[64];

		/* Not in their order. */
		snprintf(id, sizeof(id), "edge1.%04zu", w->streams - i);
		snprintf(remote, sizeof(remote), "p%zu.example", i % 10);
		json_array_append_new(
		    all, json_pack("{s:s, s:[[s,s]]}", "id", id, "pairs",
			     "contoso.example", remote));
	}
	return all;
}

static json_t *
on_contacts(const json_t *request, const char **error, void *arg)
{
	const char *user = json_string_value(json_object_get(request, "user"));
	const char *after =
	    json_string_value(json_object_get(request, "after"));

	(void)arg;
	if (user != NULL && strchr(user, '@') == NULL) {
		*error = "user and contact must be addresses";
		return NULL;
	}
	if (after == NULL)
		return json_pack("{s:[{s:s}], s:s}", "contacts", "contact",
		    "bo@partner.example", "next", "1");
	return json_pack(
	    "{s:[{s:s}]}", "contacts", "contact", "cy@partner.example");
}

static json_t *
on_conversations(const struct admin_page *page, const char *user,
    const char *contact, const char *state, void *arg)
{
	const struct admin_world *w = arg;
	size_t at = page->after != NULL ? strtoul(page->after, NULL, 10) : 0;
	json_t *items = json_array(), *all;
	char next[24];

	if (w->conversations_broken != 0 && at >= w->conversations_broken) {
		json_decref(items);
		return NULL;
	}
	(void)user;
	(void)contact;
	(void)state;
	for (size_t i = 0; i < page->limit && at < w->conversations; i++)
		json_array_append_new(
		    items, json_pack("{s:I}", "n", (json_int_t)at++));
	all = json_pack("{s:o}", "items", items);
	snprintf(next, sizeof(next), "%zu", at);
	if (at < w->conversations)
		json_object_set_new(all, "next", json_string(next));
	return all;
}

static void
on_confirm(uint64_t generation, admin_confirmed_fn *fn, void *fn_arg, void *arg)
{
	struct admin_world *w = arg;

	w->generation = generation;
	w->confirmed = fn;
	w->confirmed_arg = fn_arg;
}

void
admin_world_confirm(struct admin_world *w)
{
	json_t *all = json_pack("{s:I, s:[s], s:[s]}", "counter",
	    (json_int_t)w->generation, "confirmed", "edge1.contoso.example",
	    "waiting", "edge2.contoso.example");

	assert_non_null(w->confirmed);
	w->confirmed(all, w->confirmed_arg);
	json_decref(all);
	w->confirmed = NULL;
}

static int
on_metrics(struct buf *out, void *arg)
{
	(void)arg;
	return buf_add_str(out, "sallyport_up 1\n");
}

static json_t *
on_rights(const char *user, void *arg)
{
	(void)arg;
	return json_pack("{s:s, s:s, s:s, s:{s:b}, s:b, s:b, s:s}", "user",
	    user, "scope", "global", "policy", "global", "rights",
	    "EnableXmppAccess", 0, "AllowFederatedUsers", 1, "xmpp", 0,
	    "missing", "user-not-permitted");
}

/* --- life ------------------------------------------------------------------ */

static struct admin_sources sources = { on_status, on_edges, on_streams,
	on_contacts, on_conversations, on_confirm, on_metrics, on_rights,
	NULL };

static void
open_admin(struct admin_world *w)
{
	struct sockaddr_storage ss = { 0 };
	char why[256];

	memcpy(&ss, &w->client.tcp, sizeof(w->client.tcp));
	if (admin_open(&w->admin,
		&(struct admin_opts){ .loop = &w->settings.loop,
		    .clock = w->settings.clock,
		    .socket = w->path,
		    .listen = &ss,
		    .listen_count = 1,
		    .settings = w->settings.settings,
		    .store = w->settings.setting_store,
		    .sources = &sources },
		why, sizeof(why)) < 0)
		fail_msg("%s", why);
	w->fd = w->tcp = -1;
}

void
admin_world_init(struct admin_world *w)
{
	memset(w, 0, sizeof(*w));
	log_set_fd(-1);
	settings_test_init(&w->settings);
	snprintf(w->path, sizeof(w->path), "%s/admin.sock", w->settings.dir);
	w->client.loop = &w->settings.loop;
	w->client.clock = w->settings.clock;
	w->client.path = w->path;
	http_client_address(&w->client.tcp);
	sources.arg = w;
	open_admin(w);
}

static void
on_closed(void *arg)
{
	((struct admin_world *)arg)->closed = true;
}

static void
close_admin(struct admin_world *w)
{
	if (w->fd >= 0)
		close(w->fd);
	if (w->tcp >= 0)
		close(w->tcp);
	w->closed = false;
	admin_close(w->admin, on_closed, w);
	while (!w->closed)
		uv_run(&w->settings.loop, UV_RUN_ONCE);
}

void
admin_world_restart(struct admin_world *w)
{
	close_admin(w);
	open_admin(w);
}

void
admin_world_finish(struct admin_world *w)
{
	close_admin(w);
	json_decref(w->body);
	unlink(w->path);
	settings_test_finish(&w->settings);
}

/* --- the client ------------------------------------------------------------ */

static unsigned
ask(struct admin_world *w, int *fd, bool tcp, const char *method,
    const char *target, const char *header, const char *body)
{
	char *text = NULL, *json = body != NULL ? strdup(body) : NULL;
	int len;

	for (char *s = json; s != NULL && *s != '\0'; s++)
		if (*s == '\'')
			*s = '"';
	if (json != NULL)
		len = asprintf(&text,
		    "%s %s HTTP/1.1\r\nHost: localhost\r\n"
		    "Content-Type: application/json\r\n%s"
		    "Content-Length: %zu\r\n\r\n%s",
		    method, target, header != NULL ? header : "", strlen(json),
		    json);
	else
		len = asprintf(&text,
		    "%s %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", method,
		    target, header != NULL ? header : "");
	assert_true(len > 0);
	for (int i = 0; i < 2; i++) {
		if (*fd < 0)
			*fd = tcp ? http_client_dial_tcp(&w->client)
				  : http_client_dial(&w->client);
		http_client_say(&w->client, *fd, text, (size_t)len);
		w->text = http_client_answer(&w->client, *fd, method);
		if (w->text != NULL)
			break;
		close(*fd); /* the server did not keep it */
		*fd = -1;
	}
	assert_non_null(w->text);
	free(text);
	free(json);
	json_decref(w->body);
	w->body = json_loads(http_client_body(w->text), 0, NULL);
	w->status = http_client_status(w->text);
	return w->status;
}

unsigned
admin_world_ask(struct admin_world *w, const char *method, const char *target,
    const char *header, const char *body)
{
	return ask(w, &w->fd, false, method, target, header, body);
}

unsigned
admin_world_ask_tcp(struct admin_world *w, const char *token,
    const char *method, const char *target, const char *body)
{
	char header[200] = "";

	if (token != NULL)
		snprintf(header, sizeof(header), "Authorization: Bearer %s\r\n",
		    token);
	return ask(w, &w->tcp, true, method, target, header, body);
}

const char *
admin_world_member(const struct admin_world *w, const char *path)
{
	static char *text;
	const json_t *at = w->body;

	while (path[0] == '/' && at != NULL) {
		char name[64];
		const size_t len = strcspn(path + 1, "/");

		snprintf(name, sizeof(name), "%.*s", (int)len, path + 1);
		at = json_is_array(at)
			 ? json_array_get(at, strtoul(name, NULL, 10))
			 : json_object_get(at, name);
		path += 1 + len;
	}
	free(text);
	text = at != NULL ? json_dumps(at, JSON_COMPACT | JSON_ENCODE_ANY)
			  : strdup("");
	return text;
}

char *
admin_world_token(struct admin_world *w, const char *object)
{
	const char *text;

	assert_int_equal(
	    admin_world_ask(w, "POST", "/v1/tokens", NULL, object), 201);
	text = json_string_value(json_object_get(w->body, "token"));
	assert_non_null(text);
	return strdup(text);
}
