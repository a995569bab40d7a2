/*
 * What earlier versions read from the file: taken over once, when nothing was
 * ever set.  Later the same members are only compared, by a rehearsal of the
 * same commit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/sha.h>

#include "common/conf.h"
#include "common/err.h"
#include "common/log.h"
#include "frontend-gateway/gateway_conf.h"
#include "frontend-gateway/gateway_impl.h"

/* A member of the file and the parameter it has become. */
static const struct {
	const char *part, *member, *parameter;
} moved[] = {
	{ "limits", "ConnectionLimit", "ConnectionLimit" },
	{ "limits", "PartnerConnectionLimit", "PartnerConnectionLimit" },
	{ "timers", "StreamEstablishmentTimeout",
	    "StreamEstablishmentTimeout" },
	{ "timers", "StreamInactivityTimeout", "StreamInactivityTimeout" },
	{ "timers", "KeepAliveInterval", "KeepAliveInterval" },
	{ "presence", "subscribe_seconds", "SubscriptionRefreshInterval" },
	{ "log", "bodies", "EnableLoggingAllMessageBodies" },
};

enum { MOVED = sizeof(moved) / sizeof(moved[0]) };

/* What the users of the file are granted. */
#define IMPORTED "tag:Imported"

struct file {
	json_t *config;                  /* the gateway's configuration */
	json_t *access, *policy, *grant; /* what `users` becomes */
	struct settings_change *v;
	size_t count;
};

/* The secret as a passphrase: what is no text is taken by its hash, so that all
 * gateways with one file come to the same. */
static json_t *
passphrase(const struct gateway_conf *c)
{
	const char *secret = (const char *)c->dialback_secret;
	unsigned char digest[32];
	char hex[65];
	json_t *text;

	for (size_t i = 0; i < c->dialback_secret_len; i++)
		if (c->dialback_secret[i] < ' ' ||
		    c->dialback_secret[i] == 0x7f)
			goto hash;
	text = json_stringn(secret, c->dialback_secret_len);
	if (text != NULL)
		return text;
hash:
	SHA256(c->dialback_secret, c->dialback_secret_len, digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return json_string(hex);
}

static bool
read_config(struct file *f, const json_t *root, const struct gateway_conf *c)
{
	bool ok = true;

	f->config = json_object();
	for (size_t i = 0; i < MOVED; i++) {
		json_t *value = json_object_get(
		    json_object_get(root, moved[i].part), moved[i].member);

		if (value != NULL &&
		    json_object_set(f->config, moved[i].parameter, value) < 0)
			ok = false;
	}
	if (c->dialback_secret_len > 0 &&
	    json_object_set_new(
		f->config, "DialbackPassphrase", passphrase(c)) < 0)
		ok = false;
	return ok && f->config != NULL;
}

static bool
read_users(struct file *f)
{
	f->access = json_pack("{s:b}", "AllowFederatedUsers", 1);
	f->policy = json_pack("{s:b, s:b, s:s}", "EnableFederationAccess", 1,
	    "EnableXmppAccess", 1, "Description",
	    "The users that the configuration file named");
	f->grant = json_pack("{s:s}", "PolicyName", IMPORTED);
	return f->access != NULL && f->policy != NULL && f->grant != NULL;
}

static void
finish_file(struct file *f)
{
	json_decref(f->config);
	json_decref(f->access);
	json_decref(f->policy);
	json_decref(f->grant);
	free(f->v);
}

static void
add(struct file *f, const struct setting_kind *kind, const char *key,
    enum settings_action action, const json_t *object)
{
	f->v[f->count++] = (struct settings_change){ .kind = kind,
		.key = key,
		.action = action,
		.object = object,
		.version = SETTINGS_ANY };
}

static void
add_users(struct file *f, const struct gateway_conf *c)
{
	if (c->user_count == 0)
		return;
	add(f, &setting_kind_access_edge, NULL, SETTINGS_PATCH, f->access);
	add(f, &setting_kind_policy, IMPORTED, SETTINGS_PUT, f->policy);
	for (size_t i = 0; i < c->user_count; i++)
		/* Who stands in the list twice is granted it once. */
		if (i == 0 || strcmp(c->users[i], c->users[i - 1]) != 0)
			add(f, &setting_kind_grant, c->users[i], SETTINGS_PUT,
			    f->grant);
}

static int
read_file(struct file *out, const struct gateway_conf *c)
{
	enum { OTHERS = 3 }; /* config, access, policy */
	const json_t *root = conf_json(conf_root(c->doc));
	const json_t *partners = json_object_get(root, "partners");
	size_t n = json_array_size(partners);
	struct file f = { 0 };

	f.v = calloc(OTHERS + n + c->user_count, sizeof(*f.v));
	if (f.v == NULL || !read_config(&f, root, c) || !read_users(&f)) {
		finish_file(&f);
		return ERR_NOMEM;
	}
	if (json_object_size(f.config) > 0)
		add(&f, &setting_kind_gateway_config, NULL, SETTINGS_PATCH,
		    f.config);
	add_users(&f, c);
	for (size_t i = 0; i < n; i++)
		add(&f, &setting_kind_partner, NULL, SETTINGS_PUT,
		    json_array_get(partners, i));
	*out = f;
	return 0;
}

/* --- taking over ---------------------------------------------------------- */

struct import {
	bool done;
	int rc;
	size_t count;
	char why[1024];
};

static void
on_imported(const struct settings_outcome *o, void *arg)
{
	struct import *i = arg;

	i->done = true;
	i->rc = o->rc;
	i->count = o->delta_count;
	snprintf(i->why, sizeof(i->why), "%s", o->why);
}

int
gateway_import(struct gateway *g, char *why, size_t size)
{
	struct settings_commit commit = { .who = "sallyport-gateway",
		.via = "import" };
	struct import i = { 0 };
	struct file f;
	int rc = read_file(&f, g->opts.conf);

	if (rc < 0) {
		snprintf(why, size, "out of memory");
		return rc;
	}
	commit.changes = f.v;
	commit.count = f.count;
	if (f.count > 0)
		settings_commit(g->settings.settings, &commit, on_imported, &i);
	/* Nothing else runs in the loop yet. */
	while (f.count > 0 && !i.done)
		uv_run(g->opts.loop, UV_RUN_ONCE);
	finish_file(&f);
	if (i.rc < 0)
		snprintf(why, size,
		    "what %s has of settings cannot be taken over: %s",
		    g->opts.path, i.why);
	else if (f.count > 0)
		log_info(&g->log, "settings-imported",
		    "file=%s partners=%zu users=%zu store=%s", g->opts.path,
		    g->opts.conf->partner_count, g->opts.conf->user_count,
		    g->opts.conf->store);
	return i.rc;
}

/* --- comparing ------------------------------------------------------------ */

static void
add_name(char *out, size_t size, const char *part, const char *member)
{
	size_t len = strlen(out);

	snprintf(out + len, size - len, "%s%s%s%s", len > 0 ? ", " : "", part,
	    member[0] != '\0' ? "." : "", member);
}

static bool
differs(const struct settings_delta *d, const char *parameter)
{
	json_t *before = setting_merged(d->before);
	json_t *after = setting_merged(d->after);
	bool different = !json_equal(json_object_get(before, parameter),
	    json_object_get(after, parameter));

	json_decref(before);
	json_decref(after);
	return different;
}

static void
add_config(char *out, size_t size, const struct settings_delta *d)
{
	const char *a, *b;

	for (size_t i = 0; i < MOVED; i++)
		if (differs(d, moved[i].parameter))
			add_name(out, size, moved[i].part, moved[i].member);
	a = setting_secret(d->before, "DialbackPassphrase");
	b = setting_secret(d->after, "DialbackPassphrase");
	if (b != NULL && (a == NULL || strcmp(a, b) != 0))
		add_name(out, size, "dialback_secret_file", "");
}

static void
on_compared(const struct settings_outcome *o, void *arg)
{
	struct gateway *g = arg;
	char names[512] = "";
	bool partners = false, users = false;

	for (size_t i = 0; i < o->delta_count; i++) {
		const struct settings_delta *d = &o->deltas[i];

		if (d->before == d->after)
			continue;
		if (d->kind == &setting_kind_partner)
			partners = true;
		else if (d->kind != &setting_kind_gateway_config)
			users = true;
		else if (d->after != NULL)
			add_config(names, sizeof(names), d);
	}
	if (partners)
		add_name(names, sizeof(names), "partners", "");
	if (users)
		add_name(names, sizeof(names), "users", "");
	if (names[0] != '\0')
		log_warn(&g->log, "file-members-ignored", "members=%s", names);
}

void
gateway_import_compare(struct gateway *g, const struct gateway_conf *file)
{
	struct settings_commit commit = {
		.who = "sallyport-gateway", .via = "import", .dry_run = true
	};
	struct file f;

	if (read_file(&f, file) < 0)
		return; /* Only a warning would have come of it. */
	commit.changes = f.v;
	commit.count = f.count;
	if (f.count > 0)
		settings_commit(g->settings.settings, &commit, on_compared, g);
	finish_file(&f);
}
