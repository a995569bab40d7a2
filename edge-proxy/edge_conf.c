/*
 * edge_conf - see the header.
 *
 * One reader for each section of the file, straight down; the first mistake
 * is kept by common/conf and makes the rest of the reading a no-op.  What
 * needs a look at other files (certificates, the user) is left to
 * edge_conf_check(), so that the other processes, which cannot open files,
 * parse the very same text.
 */
#include "edge-proxy/edge_conf.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <uv.h>

#include "common/buf.h"
#include "common/conf.h"
#include "common/err.h"
#include "common/jid.h"
#include "common/revocation.h"
#include "common/tls_identity.h"
#include "edge-proxy/ocsp_reply.h"

static const char *const level_names[] = { "error", "warn", "info", "debug" };

/* Copies, or notes that there was no memory. */
static char *
copy(bool *nomem, const char *s)
{
	char *out;

	if (s == NULL)
		return NULL;
	out = strdup(s);
	if (out == NULL)
		*nomem = true;
	return out;
}

/* A member that names a file; an empty name is refused. */
static char *
read_path(bool *nomem, struct conf_obj *o, const char *key)
{
	const char *s = conf_string(o, key, NULL);

	if (s != NULL && s[0] == '\0')
		conf_fail(o, key, "must not be empty");
	return copy(nomem, s);
}

static void
read_files(bool *nomem, struct edge_conf_files *out, struct conf_obj *o)
{
	out->certificate = read_path(nomem, o, "certificate");
	out->key = read_path(nomem, o, "key");
}

/* Says what is wrong with the number of elements. */
static bool
count_ok(struct conf_obj *o, const char *key, size_t n, size_t max)
{
	if (n == 0) {
		conf_fail(o, key, "must not be empty");
		return false;
	}
	if (n > max) {
		conf_fail(
		    o, key, "%zu elements, at most %zu are allowed", n, max);
		return false;
	}
	return true;
}

/* The array's addresses, each only once, and none of others.  An array that is
 * required is not empty. */
static size_t
read_listen(struct sockaddr_storage *out, struct conf_obj *o, const char *name,
    const struct sockaddr_storage *others, size_t other_count)
{
	bool required = others == NULL;
	size_t n = conf_array(o, name, required);

	if ((required || n > 0) && !count_ok(o, name, n, EDGE_CONF_LISTEN_MAX))
		return 0;
	for (size_t i = 0; i < n; i++) {
		char key[32];

		conf_array_address(o, name, i, &out[i], 0);
		snprintf(key, sizeof(key), "%s/%zu", name, i);
		for (size_t k = 0; k < i; k++)
			if (memcmp(&out[k], &out[i], sizeof(out[i])) == 0)
				conf_fail(o, key, "is listed twice");
		for (size_t k = 0; k < other_count; k++)
			if (memcmp(&others[k], &out[i], sizeof(out[i])) == 0)
				conf_fail(o, key, "is in listen too");
	}
	return n;
}

/* At most one source address of each family. */
static void
read_outgoing(struct edge_conf *c, struct conf_obj *o)
{
	size_t n = conf_array(o, "outgoing", false);

	for (size_t i = 0; i < n; i++) {
		struct sockaddr_storage ss, *slot;
		char key[32];

		conf_array_address(o, "outgoing", i, &ss, -1);
		slot = ss.ss_family == AF_INET6 ? &c->outgoing6 : &c->outgoing4;
		if (slot->ss_family != AF_UNSPEC) {
			snprintf(key, sizeof(key), "outgoing/%zu", i);
			conf_fail(o, key,
			    "a second address of one family is not possible");
			return;
		}
		*slot = ss;
	}
}

/* Addresses and networks, maybe none; how many. */
static size_t
read_networks(struct prefix *out, struct conf_obj *o, const char *name)
{
	size_t n = conf_array(o, name, false);

	if (n > EDGE_CONF_NETWORKS_MAX) {
		(void)count_ok(o, name, n, EDGE_CONF_NETWORKS_MAX);
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		const char *s = conf_array_string(o, name, i);
		char key[48], why[200];

		if (prefix_parse(&out[i], s, why, sizeof(why)) < 0) {
			snprintf(key, sizeof(key), "%s/%zu", name, i);
			conf_fail(o, key, "%s", why);
			return 0;
		}
	}
	return n;
}

static void
read_lists(struct edge_conf *c, bool *nomem, struct conf_obj *o)
{
	size_t n = conf_array(o, "lists", false);

	if (n > EDGE_CONF_LISTS_MAX) {
		(void)count_ok(o, "lists", n, EDGE_CONF_LISTS_MAX);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const char *s = conf_array_string(o, "lists", i);
		char key[32];

		if (s[0] == '\0') {
			snprintf(key, sizeof(key), "lists/%zu", i);
			conf_fail(o, key, "must not be empty");
		}
		c->lists[i] = copy(nomem, s);
		c->list_count = i + 1;
	}
}

static void
read_revocation(struct edge_conf *c, bool *nomem, struct conf_obj *external)
{
	static const char *const failures[] = { "soft", "hard" };
	struct conf_obj *o = conf_object(external, "revocation", false);

	c->lists_fetched = true;
	if (o == NULL)
		return;
	read_lists(c, nomem, o);
	c->lists_hard = conf_enum(o, "failure", failures, 2, 0) == 1;
	c->lists_fetched = conf_bool(o, "fetch", true);
	c->list_network_count = read_networks(c->list_networks, o, "networks");
	if (c->lists_hard && !c->lists_fetched && c->list_count == 0)
		conf_fail(o, "failure",
		    "\"hard\" without lists and without fetching them would "
		    "refuse everybody");
	conf_end_object(o);
}

static void
read_external(struct edge_conf *c, bool *nomem, struct conf_obj *root)
{
	struct conf_obj *o = conf_object(root, "external", true);
	const char *ocsp;
	size_t n;

	c->listen_count = read_listen(c->listen, o, "listen", NULL, 0);
	c->direct_listen_count = read_listen(
	    c->direct_listen, o, "direct_listen", c->listen, c->listen_count);
	c->proxy_count = read_networks(c->proxies, o, "proxy_protocol");
	read_outgoing(c, o);
	n = conf_array(o, "certificates", true);
	if (count_ok(o, "certificates", n, EDGE_CONF_CERTIFICATES_MAX)) {
		for (size_t i = 0; i < n; i++) {
			struct conf_obj *e =
			    conf_array_object(o, "certificates", i);

			read_files(nomem, &c->certificates[i], e);
			ocsp = conf_string(e, "ocsp", "");
			if (ocsp[0] != '\0')
				c->certificates[i].ocsp = copy(nomem, ocsp);
			conf_end_object(e);
		}
		c->certificate_count = n;
	}
	c->trust = read_path(nomem, o, "trust");
	read_revocation(c, nomem, o);
	conf_end_object(o);
}

static void
read_gateways(struct edge_conf *c, struct conf_obj *o)
{
	size_t n = conf_array(o, "gateways", true);

	if (!count_ok(o, "gateways", n, EDGE_CONF_GATEWAYS_MAX))
		return;
	for (size_t i = 0; i < n; i++) {
		const char *s = conf_array_string(o, "gateways", i);
		char key[32];

		snprintf(key, sizeof(key), "gateways/%zu", i);
		if (jid_domain_ascii(c->gateways[i], sizeof(c->gateways[i]), s,
			strlen(s)) < 0)
			conf_fail(o, key, "\"%.200s\" is not a domain name", s);
		for (size_t k = 0; k < i; k++)
			if (strcmp(c->gateways[k], c->gateways[i]) == 0)
				conf_fail(o, key, "is listed twice");
	}
	c->gateway_count = n;
}

static void
read_internal(struct edge_conf *c, bool *nomem, struct conf_obj *root)
{
	struct conf_obj *o = conf_object(root, "internal", true);

	c->inner_listen_count =
	    read_listen(c->inner_listen, o, "listen", NULL, 0);
	read_files(nomem, &c->inner, o);
	c->inner_trust = read_path(nomem, o, "trust");
	read_gateways(c, o);
	c->inner_network_count =
	    read_networks(c->inner_networks, o, "networks");
	conf_end_object(o);
}

/* "192.0.2.53" or "192.0.2.53@5353": checked, and kept as libunbound reads
 * it. */
static bool
server_ok(const char *s, char *why, size_t size)
{
	struct sockaddr_storage ss;
	char address[64], text[96];
	const char *at = strchr(s, '@');
	size_t len = at != NULL ? (size_t)(at - s) : strlen(s);
	bool ok = strlen(s) < sizeof(address) && strchr(s, '[') == NULL;

	if (ok) {
		snprintf(address, sizeof(address), "%.*s", (int)len, s);
		ok = conf_parse_address(&ss, address, -1, why, size) == 0;
	}
	if (!ok) {
		snprintf(why, size, "\"%.80s\" is not address@port", s);
		return false;
	}
	if (at == NULL)
		return true;
	/* The port by the same rules as everywhere. */
	snprintf(text, sizeof(text), "127.0.0.1:%s", at + 1);
	return conf_parse_address(&ss, text, 0, why, size) == 0;
}

/* Without an anchor no answer is known to be signed: who demands what rests on
 * signatures is told, rather than left alone with what he takes for it. */
static void
read_dane(struct edge_conf *c, struct conf_obj *resolver)
{
	bool wanted = conf_bool(resolver, "dane", false);

	c->dane.outbound = conf_bool(resolver, "dane", c->anchor_count > 0);
	c->dane.inbound = conf_bool(resolver, "dane_inbound", false);
	if (wanted && c->anchor_count == 0)
		conf_fail(resolver, "dane", "needs trust_anchors");
	else if (c->dane.inbound && !c->dane.outbound)
		conf_fail(resolver, "dane_inbound", "needs dane");
}

static void
read_resolver(struct edge_conf *c, bool *nomem, struct conf_obj *root)
{
	struct conf_obj *o = conf_object(root, "resolver", false);
	size_t n = conf_array(o, "servers", false);

	if (n > EDGE_CONF_SERVERS_MAX) {
		(void)count_ok(o, "servers", n, EDGE_CONF_SERVERS_MAX);
		n = 0;
	}
	for (size_t i = 0; i < n; i++) {
		const char *s = conf_array_string(o, "servers", i);
		char key[32], why[160];

		if (!server_ok(s, why, sizeof(why))) {
			snprintf(key, sizeof(key), "servers/%zu", i);
			conf_fail(o, key, "%s", why);
			break;
		}
		snprintf(c->servers[i], sizeof(c->servers[i]), "%s", s);
		c->server_count = i + 1;
	}
	n = conf_array(o, "trust_anchors", false);
	if (n > EDGE_CONF_ANCHORS_MAX) {
		(void)count_ok(o, "trust_anchors", n, EDGE_CONF_ANCHORS_MAX);
		n = 0;
	}
	for (size_t i = 0; i < n; i++) {
		c->anchors[i] =
		    copy(nomem, conf_array_string(o, "trust_anchors", i));
		c->anchor_count = i + 1;
	}
	read_dane(c, o);
	conf_end_object(o);
}

static void
read_log(struct edge_conf *c, struct conf_obj *root)
{
	struct conf_obj *o = conf_object(root, "log", false);
	struct conf_obj *parts = conf_object(o, "components", false);
	const char *name;

	c->level =
	    (enum log_level)conf_enum(o, "level", level_names, 4, LOG_INFO);
	c->bodies = conf_bool(o, "bodies", false);
	for (size_t i = 0; (name = conf_member(parts, i)) != NULL; i++) {
		struct edge_conf_level *l = &c->levels[c->level_count];

		if (c->level_count == EDGE_CONF_COMPONENTS_MAX ||
		    strlen(name) >= sizeof(l->component)) {
			conf_fail(parts, name, "is too long or one too many");
			break;
		}
		snprintf(l->component, sizeof(l->component), "%s", name);
		l->level =
		    (enum log_level)conf_enum(parts, name, level_names, 4, -1);
		c->level_count++;
	}
	conf_end_object(parts);
	conf_end_object(o);
}

static void
read_all(struct edge_conf *c, bool *nomem, struct conf_obj *root)
{
	const char *user, *control;

	conf_domain(root, "node", c->node, true);
	read_external(c, nomem, root);
	read_internal(c, nomem, root);
	read_resolver(c, nomem, root);
	c->grace_ms =
	    (uint32_t)conf_int(root, "grace_seconds", 30, 0, 86400) * 1000;
	control = conf_string(root, "control", "");
	if (strlen(control) >= sizeof(c->control))
		conf_fail(root, "control", "longer than %zu characters",
		    sizeof(c->control) - 1);
	snprintf(c->control, sizeof(c->control), "%s", control);
	user = conf_string(root, "user", "");
	if (strlen(user) >= sizeof(c->user))
		conf_fail(root, "user", "is too long");
	snprintf(c->user, sizeof(c->user), "%s", user);
	c->sandbox = conf_bool(root, "sandbox", true);
	read_log(c, root);
	conf_end_object(root);
}

int
edge_conf_parse(struct edge_conf **out, const char *name, const char *text,
    size_t len, char *why, size_t size)
{
	struct edge_conf *c = calloc(1, sizeof(*c));
	struct conf *doc = conf_parse(name, text, len);
	bool nomem = false;
	int rc;

	rc = ERR_NOMEM;
	if (c == NULL || doc == NULL) {
		snprintf(why, size, "%s: %s", name, err_str(rc));
		goto fail;
	}
	read_all(c, &nomem, conf_root(doc));
	if (conf_failed(doc)) {
		rc = ERR_CONFIG;
		snprintf(why, size, "%s", conf_error(doc));
		goto fail;
	}
	if (nomem) {
		snprintf(why, size, "%s: %s", name, err_str(rc));
		goto fail;
	}
	conf_finish(doc);
	*out = c;
	return 0;

fail:
	conf_finish(doc);
	edge_conf_free(c);
	return rc;
}

int
edge_conf_read_file(char **out, size_t *len, const char *path, size_t max)
{
	struct buf b;
	uint8_t piece[8192];
	const char *text;
	FILE *f;
	size_t n;
	int rc = 0;

	f = fopen(path, "re");
	if (f == NULL)
		return uv_translate_sys_error(errno);
	buf_init(&b, max + 1); /* with its NUL */
	while (rc == 0 && (n = fread(piece, 1, sizeof(piece), f)) > 0)
		rc = buf_add(&b, piece, n);
	if (rc == 0 && ferror(f))
		rc = uv_translate_sys_error(errno);
	if (rc == 0 && b.len > max)
		rc = ERR_FULL;
	fclose(f);
	OPENSSL_cleanse(piece, sizeof(piece));
	text = rc == 0 ? buf_cstr(&b) : NULL;
	if (rc == 0 && text == NULL)
		rc = ERR_NOMEM;
	if (rc < 0) {
		if (b.data != NULL)
			OPENSSL_cleanse(b.data, b.cap);
		buf_finish(&b);
		return rc;
	}
	*len = b.len;
	/* The buffer's memory goes to the caller. */
	*out = (char *)b.data;
	return 0;
}

int
edge_conf_load(struct edge_conf **out, const char *path, char **text, char *why,
    size_t size)
{
	char *content = NULL;
	size_t len = 0;
	int rc;

	rc = edge_conf_read_file(&content, &len, path, EDGE_CONF_FILE_MAX);
	if (rc != 0) {
		snprintf(why, size, "%s: %s", path, err_str(rc));
		return ERR_CONFIG;
	}
	rc = edge_conf_parse(out, path, content, len, why, size);
	if (rc < 0 || text == NULL)
		free(content);
	else
		*text = content;
	return rc;
}

void
edge_conf_free(struct edge_conf *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < EDGE_CONF_CERTIFICATES_MAX; i++) {
		free(c->certificates[i].certificate);
		free(c->certificates[i].key);
		free(c->certificates[i].ocsp);
	}
	free(c->trust);
	for (size_t i = 0; i < EDGE_CONF_LISTS_MAX; i++)
		free(c->lists[i]);
	free(c->inner.certificate);
	free(c->inner.key);
	free(c->inner_trust);
	for (size_t i = 0; i < EDGE_CONF_ANCHORS_MAX; i++)
		free(c->anchors[i]);
	free(c);
}

/* Loads one certificate with its key and trust, as the streams process will. */
static int
check_identity(const struct edge_conf_files *files, const char *trust,
    const char *where, char *why, size_t size)
{
	const struct tls_identity_files f = {
		.certificate = files->certificate,
		.key = files->key,
		.trust = trust,
		.peer = TLS_PEER_RECORDED,
		.judge_as_server = true,
		.min_version = TLS1_2_VERSION,
	};
	struct tls_identity id;
	char text[512];
	int rc;

	rc = tls_identity_load(&id, &f, text, sizeof(text));
	if (rc < 0) {
		snprintf(why, size, "%s: %s", where, text);
		return ERR_CONFIG;
	}
	tls_identity_finish(&id);
	return 0;
}

/* Reads the lists, each file by itself; dated: asks for their dates too. */
static int
check_lists(const struct edge_conf *c, const char *name, bool dated, char *why,
    size_t size)
{
	for (size_t i = 0; i < c->list_count; i++) {
		struct revocation r = { 0 };
		char *data = NULL, text[300] = "";
		size_t len = 0;
		int rc;

		rc = edge_conf_read_file(
		    &data, &len, c->lists[i], EDGE_CONF_LIST_MAX);
		if (rc != 0)
			snprintf(text, sizeof(text), "%s",
			    rc == ERR_FULL ? "larger than 8 MiB" : err_str(rc));
		else
			rc = revocation_add(&r, data, len, text, sizeof(text));
		if (rc == 0 && dated &&
		    !revocation_in_force(&r, 0, text, sizeof(text)))
			rc = ERR_CERT;
		free(data);
		revocation_finish(&r);
		if (rc == 0)
			continue;
		snprintf(why, size,
		    "%s: /external/revocation/lists/%zu: %s: %s", name, i,
		    c->lists[i], text);
		return ERR_CONFIG;
	}
	return 0;
}

int
edge_conf_check_dates(
    const struct edge_conf *c, const char *name, char *why, size_t size)
{
	return check_lists(c, name, true, why, size);
}

bool
edge_conf_anchor_is_file(const char *anchor)
{
	/* A record has an owner, a type and data. */
	return strpbrk(anchor, " \t") == NULL;
}

/* That there is a file; whether what it says counts is known with the time. */
static int
check_answer(const char *path, const char *where, char *why, size_t size)
{
	char *data = NULL;
	size_t len;
	int rc;

	if (path == NULL)
		return 0;
	rc = edge_conf_read_file(&data, &len, path, OCSP_REPLY_MAX);
	free(data);
	if (rc == 0)
		return 0;
	snprintf(why, size, "%s/ocsp: %s: %s", where, path,
	    rc == ERR_FULL ? "larger than 64 KiB" : err_str(rc));
	return ERR_CONFIG;
}

int
edge_conf_check(
    const struct edge_conf *c, const char *name, char *why, size_t size)
{
	char where[512];
	int rc;

	for (size_t i = 0; i < c->certificate_count; i++) {
		snprintf(where, sizeof(where), "%s: /external/certificates/%zu",
		    name, i);
		rc = check_identity(
		    &c->certificates[i], c->trust, where, why, size);
		if (rc == 0)
			rc = check_answer(
			    c->certificates[i].ocsp, where, why, size);
		if (rc < 0)
			return rc;
	}
	rc = check_lists(c, name, false, why, size);
	if (rc < 0)
		return rc;
	snprintf(where, sizeof(where), "%s: /internal", name);
	rc = check_identity(&c->inner, c->inner_trust, where, why, size);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < c->anchor_count; i++) {
		if (!edge_conf_anchor_is_file(c->anchors[i]) ||
		    access(c->anchors[i], R_OK) == 0)
			continue;
		snprintf(why, size, "%s: /resolver/trust_anchors/%zu: %s: %s",
		    name, i, c->anchors[i], strerror(errno));
		return ERR_CONFIG;
	}
	if (c->user[0] != '\0' && getpwnam(c->user) == NULL) {
		snprintf(why, size, "%s: /user: there is no user \"%s\"", name,
		    c->user);
		return ERR_CONFIG;
	}
	return 0;
}

void
edge_conf_apply_log(const struct edge_conf *c)
{
	(void)log_set_level(NULL, c->level);
	for (size_t i = 0; i < c->level_count; i++)
		(void)log_set_level(c->levels[i].component, c->levels[i].level);
	log_set_bodies(c->bodies);
}

/* --- reloads ------------------------------------------------------------- */

struct keeping {
	json_t *names;
	bool failed;
};

/* Members are plain bytes, zero where not in use. */
static void
keep(struct keeping *k, const char *name, void *fresh, const void *now,
    size_t size)
{
	size_t last = json_array_size(k->names);

	if (memcmp(fresh, now, size) == 0)
		return;
	memcpy(fresh, now, size);
	/* Members of one name stand together. */
	if (last > 0 &&
	    strcmp(json_string_value(json_array_get(k->names, last - 1)),
		name) == 0)
		return;
	if (json_array_append_new(k->names, json_string(name)) < 0)
		k->failed = true;
}

static bool
same_anchors(const struct edge_conf *a, const struct edge_conf *b)
{
	if (a->anchor_count != b->anchor_count)
		return false;
	for (size_t i = 0; i < a->anchor_count; i++)
		if (strcmp(a->anchors[i], b->anchors[i]) != 0)
			return false;
	return true;
}

/* libunbound takes servers and anchors before the first question only. */
static void
keep_anchors(
    struct keeping *k, struct edge_conf *fresh, const struct edge_conf *now)
{
	if (same_anchors(fresh, now))
		return;
	for (size_t i = 0; i < EDGE_CONF_ANCHORS_MAX; i++) {
		free(fresh->anchors[i]);
		fresh->anchors[i] = copy(&k->failed, now->anchors[i]);
	}
	fresh->anchor_count = now->anchor_count;
	if (json_array_append_new(
		k->names, json_string("resolver.trust_anchors")) < 0)
		k->failed = true;
}

json_t *
edge_conf_keep(struct edge_conf *fresh, const struct edge_conf *now)
{
	struct keeping k = { .names = json_array() };

	if (k.names == NULL)
		return NULL;
#define KEEP(name, member)                                                     \
	keep(&k, name, &fresh->member, &now->member, sizeof(fresh->member))
	KEEP("node", node);
	KEEP("external.outgoing", outgoing4);
	KEEP("external.outgoing", outgoing6);
	KEEP("internal.listen", inner_listen_count);
	KEEP("internal.listen", inner_listen);
	KEEP("resolver.servers", server_count);
	KEEP("resolver.servers", servers);
	keep_anchors(&k, fresh, now);
	KEEP("control", control);
	KEEP("user", user);
	KEEP("sandbox", sandbox);
#undef KEEP
	if (!k.failed)
		return k.names;
	json_decref(k.names);
	return NULL;
}
