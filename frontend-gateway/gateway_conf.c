/*
 * The file is read top down by one function per part; common/conf keeps the
 * first error, so each part only adds the checks JSON types cannot express.
 * Who may be talked to has files of its own: the partners, the users, and the
 * domains of both sides.
 */
#include "frontend-gateway/gateway_conf_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>

#include "common/cert_names.h"
#include "common/conf.h"
#include "common/err.h"
#include "common/log.h"
#include "common/ports.h"
#include "frontend-gateway/barrier.h"

enum { WARNINGS_MAX = 64, SECRET_FILE_MAX = 4096, SECRET_MIN = 16 };

void
gateway_conf_no_memory(struct gateway_conf *c)
{
	conf_fail(conf_root(c->doc), NULL, "out of memory");
}

void
gateway_conf_warn(struct gateway_conf *c, const char *fmt, ...)
{
	va_list ap;
	char *line;
	int len;

	if (c->warning_count >= WARNINGS_MAX || c->warnings == NULL)
		return;
	va_start(ap, fmt);
	len = vasprintf(&line, fmt, ap);
	va_end(ap);
	if (len >= 0)
		c->warnings[c->warning_count++] = line;
}

int
gateway_conf_choice(struct conf_obj *o, const char *key,
    const char *const *names, size_t count, int def)
{
	int i = conf_enum(o, key, names, count, def);

	return i < 0 ? def : i;
}

size_t
gateway_conf_array(struct conf_obj *o, const char *key, size_t min, size_t max)
{
	size_t n = conf_array(o, key, min > 0);

	if (n < min) {
		conf_fail(o, key, "at least %zu needed", min);
		return 0;
	}
	if (n > max) {
		conf_fail(
		    o, key, "%zu entries, at most %zu are possible", n, max);
		return 0;
	}
	return n;
}

static void
read_path(char *out, size_t size, struct conf_obj *o, const char *key,
    const char *def)
{
	const char *path = conf_string(o, key, def);

	if (strlen(path) >= size)
		conf_fail(o, key, "longer than %zu characters", size - 1);
	else
		memcpy(out, path, strlen(path) + 1);
}

static struct gateway_files
read_files(struct conf_obj *o)
{
	struct gateway_files f;

	f.certificate = conf_string(o, "certificate", NULL);
	f.key = conf_string(o, "key", NULL);
	f.trust = conf_string(o, "trust", NULL);
	return f;
}

static void
read_edges(struct gateway_conf *c, struct conf_obj *root)
{
	size_t n = gateway_conf_array(root, "edges", 1, GATEWAY_CONF_EDGES_MAX);

	for (size_t i = 0; i < n; i++) {
		struct conf_obj *o = conf_array_object(root, "edges", i);
		struct gateway_host *e = &c->edges[i];

		conf_domain(o, "name", e->name, true);
		conf_address(o, "address", &e->address, 0, true);
		conf_end_object(o);
		for (size_t k = 0; k < i; k++)
			if (strcmp(c->edges[k].name, e->name) == 0)
				conf_fail(
				    o, "name", "%s is listed twice", e->name);
	}
	c->edge_count = n;
}

static void
read_channel(struct gateway_conf *c, struct conf_obj *root)
{
	struct conf_obj *o = conf_object(root, "channel", true);

	c->channel = read_files(o);
	conf_end_object(o);
}

static void
read_pool(struct gateway_sip_conf *s, struct conf_obj *sip)
{
	struct conf_obj *o = conf_object(sip, "pool", true);
	size_t n;

	conf_domain(o, "name", s->pool, true);
	n = gateway_conf_array(o, "front_ends", 1, GATEWAY_CONF_FRONT_ENDS_MAX);
	for (size_t i = 0; i < n; i++) {
		struct conf_obj *f = conf_array_object(o, "front_ends", i);

		conf_domain(f, "name", s->front_ends[i].name, true);
		conf_address(
		    f, "address", &s->front_ends[i].address, PORTS_SIP, true);
		conf_end_object(f);
		for (size_t k = 0; k < i; k++)
			if (strcmp(s->front_ends[k].name,
				s->front_ends[i].name) == 0)
				conf_fail(f, "name", "%s is listed twice",
				    s->front_ends[i].name);
	}
	s->front_end_count = n;
	s->connections =
	    (unsigned)conf_int(o, "connections", 1, 1, SIP_OUTBOUND_PER_PEER);
	s->probe_ms =
	    1000 * (uint32_t)conf_int(o, "probe_seconds", 60, 0, 3600);
	conf_end_object(o);
}

/* What is older than TLS 1.2 is there for front ends that speak nothing newer
 * (RFC 8996 has put it away), and only when somebody asks for it. */
static void
read_versions(struct gateway_conf *c, struct conf_obj *o)
{
	static const struct {
		const char *name;
		int code;
	} known[] = {
		{ "", 0 },
		{ "1.0", TLS1_VERSION },
		{ "1.1", TLS1_1_VERSION },
		{ "1.2", TLS1_2_VERSION },
		{ "1.3", TLS1_3_VERSION },
	};
	enum { KNOWN = sizeof(known) / sizeof(known[0]), DEFAULT_MIN = 3 };
	struct gateway_sip_conf *s = &c->sip;
	const char *names[KNOWN];
	int min;

	for (size_t i = 0; i < KNOWN; i++)
		names[i] = known[i].name;
	min = gateway_conf_choice(
		  o, "tls_min", names + 1, KNOWN - 1, DEFAULT_MIN - 1) +
	      1;
	s->tls_min = known[min].code;
	s->tls_max =
	    known[gateway_conf_choice(o, "tls_max", names, KNOWN, 0)].code;
	if (s->tls_max != 0 && s->tls_max < s->tls_min)
		conf_fail(o, "tls_max", "is below tls_min");
	if (s->tls_min < TLS1_2_VERSION)
		gateway_conf_warn(c,
		    "sip.tls_min: TLS %s is not safe; front ends that can be "
		    "set to 1.2 should be",
		    known[min].name);
}

static uint16_t
port_of(const struct sockaddr_storage *a)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in;

	if (a->ss_family == AF_INET6) {
		memcpy(&in6, a, sizeof(in6));
		return ntohs(in6.sin6_port);
	}
	memcpy(&in, a, sizeof(in));
	return ntohs(in.sin_port);
}

/* What we are called, towards the pool. */
static void
read_user_agent(struct gateway_sip_conf *s, struct conf_obj *o)
{
	const char *text = conf_string(o, "user_agent", SIP_PRODUCT_DEFAULT);

	if (text[0] != '\0' && !sip_product_is_valid(text))
		conf_fail(o, "user_agent",
		    "must be products like \"Name/1.0\" and comments in "
		    "parentheses, of at most %d characters",
		    SIP_PRODUCT_SIZE - 1);
	else
		memcpy(s->user_agent, text, strlen(text) + 1);
}

static void
read_sip(struct gateway_conf *c, struct conf_obj *root)
{
	static const char *const replies[] = { "405", "488", "501",
		"200-none" };
	static const char *const contacts[] = { "gateway", "gruu" };
	struct gateway_sip_conf *s = &c->sip;
	struct conf_obj *o = conf_object(root, "sip", true);
	size_t n = gateway_conf_array(o, "listen", 1, GATEWAY_CONF_LISTEN_MAX);

	for (size_t k = 0; k < n; k++)
		conf_array_address(o, "listen", k, &s->listen[k], PORTS_SIP);
	s->listen_count = n;
	s->port = port_of(&s->listen[0]);
	conf_domain(o, "fqdn", s->fqdn, true);
	s->files = read_files(o);
	read_versions(c, o);
	read_pool(s, o);
	s->negotiate_reply = (enum sip_negotiate_reply)gateway_conf_choice(
	    o, "negotiate_reply", replies, 4, SIP_NEGOTIATE_405);
	s->contact = (enum sip_contact_form)gateway_conf_choice(
	    o, "contact", contacts, 2, SIP_CONTACT_GATEWAY);
	read_user_agent(s, o);
	conf_end_object(o);
}

static uint32_t
rate_member(
    struct conf_obj *o, const char *prefix, const char *name, int64_t def)
{
	char key[64];

	snprintf(key, sizeof(key), "%s_%s", prefix, name);
	return (uint32_t)conf_int(o, key, def, 1, 100000);
}

void
gateway_conf_read_rate(
    struct gateway_rate *out, struct conf_obj *o, const char *prefix)
{
	out->per_minute = rate_member(o, prefix, "per_minute", 120);
	out->at_once = rate_member(o, prefix, "at_once",
	    out->per_minute > 500 ? out->per_minute : 500);
	out->contact_per_minute =
	    rate_member(o, prefix, "contact_per_minute", 2);
	out->contact_at_once = rate_member(o, prefix, "contact_at_once",
	    out->contact_per_minute > 20 ? out->contact_per_minute : 20);
}

/* What keeps crowds out of the edges. */
static void
read_crowd_limits(struct gateway_limits *l, struct conf_obj *o)
{
	l->half_open_streams =
	    (uint32_t)conf_int(o, "half_open_streams", 512, 1, UINT32_MAX);
	l->address_half_open =
	    (uint32_t)conf_int(o, "address_half_open", 64, 1, UINT32_MAX);
	l->address_streams =
	    (uint32_t)conf_int(o, "address_streams", 500, 1, UINT32_MAX);
	l->stanzas_per_second =
	    (uint32_t)conf_int(o, "stanzas_per_second", 1000, 0, 1000000);
	l->edge_memory_bytes = (uint64_t)conf_int(
	    o, "edge_memory_bytes", 256 << 20, 32 << 20, INT64_C(1) << 40);
}

static void
read_limits(struct gateway_conf *c, struct conf_obj *root)
{
	struct conf_obj *o = conf_object(root, "limits", false);
	struct gateway_limits *l = &c->limits;

	l->body_bytes = (size_t)conf_int(o, "body_bytes", 65536, 1024, 131072);
	l->conversations =
	    (size_t)conf_int(o, "conversations", 20000, 1, 1000000);
	l->queue_messages =
	    (size_t)conf_int(o, "queue_messages", 200, 1, 10000);
	l->queue_bytes =
	    (size_t)conf_int(o, "queue_bytes", 1048576, 262144, 67108864);
	l->connection_limit =
	    (uint32_t)conf_int(o, "ConnectionLimit", 1000, 1, UINT32_MAX);
	l->partner_connection_limit =
	    (uint32_t)conf_int(o, "PartnerConnectionLimit", 20, 1, UINT32_MAX);
	l->stanza_bytes =
	    (uint32_t)conf_int(o, "stanza_bytes", 262144, 10000, 1048576);
	l->inward_window =
	    (uint32_t)conf_int(o, "inward_window", 500, 1, 10000);
	l->route_frames =
	    (uint32_t)conf_int(o, "route_frames", 1000, 1, 100000);
	l->route_bytes =
	    (uint32_t)conf_int(o, "route_bytes", 4194304, 65536, 268435456);
	read_crowd_limits(l, o);
	gateway_conf_read_rate(&l->misses, o, "misses");
	conf_end_object(o);
}

static void
read_timers(struct gateway_conf *c, struct conf_obj *root)
{
	struct conf_obj *o = conf_object(root, "timers", false);
	struct gateway_timers *t = &c->timers;

	t->idle_ms =
	    1000 * (uint64_t)conf_int(o, "idle_seconds", 1800, 1, 86400);
	/* Below the 32 s of SIP's own timer F, and above what a demo needs. */
	t->outward_ms = (uint64_t)conf_int(o, "outward_ms", 28000, 500, 31000);
	t->inward_ms = (uint64_t)conf_int(o, "inward_ms", 60000, 1000, 120000);
	t->stream_establishment_ms =
	    1000 *
	    (uint64_t)conf_int(o, "StreamEstablishmentTimeout", 60, 1, 3600);
	t->stream_inactivity_ms =
	    1000 *
	    (uint64_t)conf_int(o, "StreamInactivityTimeout", 600, 10, 86400);
	t->stream_silence_ms =
	    1000 * (uint64_t)conf_int(o, "silence_seconds", 60, 3, 3600);
	t->keep_alive_ms =
	    1000 * (uint64_t)conf_int(o, "KeepAliveInterval", 300, 10, 86400);
	conf_end_object(o);
}

static void
read_streams(struct gateway_conf *c, struct conf_obj *root)
{
	struct conf_obj *o = conf_object(root, "streams", false);

	c->streams.bidirectional = conf_bool(o, "bidirectional", true);
	conf_end_object(o);
}

/* The passphrase every node of a deployment shares. */
static void
read_secret(struct gateway_conf *c, struct conf_obj *root)
{
	const char *path = conf_string_opt(root, "dialback_secret_file");
	char text[SECRET_FILE_MAX];
	size_t len;
	FILE *f;

	if (path == NULL)
		return;
	f = fopen(path, "re");
	if (f == NULL) {
		conf_fail(root, "dialback_secret_file", "%s: %s", path,
		    strerror(errno));
		return;
	}
	len = fread(text, 1, sizeof(text), f);
	fclose(f);
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	if (len < SECRET_MIN || len > sizeof(c->dialback_secret)) {
		conf_fail(root, "dialback_secret_file",
		    "%s: the secret has %zu bytes, %d to %zu are possible",
		    path, len, SECRET_MIN, sizeof(c->dialback_secret));
		return;
	}
	memcpy(c->dialback_secret, text, len);
	c->dialback_secret_len = len;
}

static void
read_log(struct gateway_conf *c, struct conf_obj *root)
{
	static const char *const levels[] = { "error", "warn", "info",
		"debug" };
	struct conf_obj *o = conf_object(root, "log", false);
	struct conf_obj *parts = conf_object(o, "components", false);
	const char *name;
	int level;

	c->log.level = (enum log_level)gateway_conf_choice(
	    o, "level", levels, 4, LOG_INFO);
	c->log.bodies = conf_bool(o, "bodies", false);
	for (size_t i = 0; (name = conf_member(parts, i)) != NULL; i++) {
		if (c->log.component_count == GATEWAY_CONF_LOG_MAX) {
			conf_fail(o, "components", "more than %d entries",
			    GATEWAY_CONF_LOG_MAX);
			break;
		}
		level = conf_enum(parts, name, levels, 4, -1);
		if (level < 0)
			break;
		c->log.components[c->log.component_count].name = name;
		c->log.components[c->log.component_count].level =
		    (enum log_level)level;
		c->log.component_count++;
	}
	conf_end_object(parts);
	conf_end_object(o);
}

/* --- the whole ---------------------------------------------------------- */

static void
read_root(struct gateway_conf *c)
{
	static const char *const notices[] = { "chat", "imdn", "off" };
	struct conf_obj *root = conf_root(c->doc);

	conf_domain(root, "node", c->node, true);
	if (strlen(c->node) > BARRIER_NODE_MAX)
		conf_fail(root, "node", "longer than %d characters",
		    BARRIER_NODE_MAX);
	read_edges(c, root);
	read_channel(c, root);
	read_sip(c, root);
	read_path(c->store, sizeof(c->store), root, "store", NULL);
	read_path(c->control, sizeof(c->control), root, "control", "");
	gateway_conf_read_admin(c, root);
	gateway_conf_read_hosted(c, root);
	gateway_conf_read_partners(c, root);
	gateway_conf_read_users(c, root);
	read_secret(c, root);
	read_limits(c, root);
	read_timers(c, root);
	read_streams(c, root);
	gateway_conf_read_presence(c, root);
	c->notices = (enum gateway_notices)gateway_conf_choice(
	    root, "notices", notices, 3, GATEWAY_NOTICES_CHAT);
	gateway_conf_read_messages(c, root);
	read_log(c, root);
	if (!conf_failed(c->doc))
		gateway_conf_index_domains(c, root);
	conf_end_object(root);
}

/* Takes over doc, also on error. */
static int
from_document(struct gateway_conf **out, struct conf *doc, char *error)
{
	struct gateway_conf *c;

	if (doc == NULL) {
		snprintf(error, GATEWAY_CONF_ERROR_SIZE, "out of memory");
		return ERR_NOMEM;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		conf_finish(doc);
		snprintf(error, GATEWAY_CONF_ERROR_SIZE, "out of memory");
		return ERR_NOMEM;
	}
	c->doc = doc;
	c->warnings = calloc(WARNINGS_MAX, sizeof(*c->warnings));
	if (!conf_failed(doc))
		read_root(c);
	if (conf_failed(doc)) {
		snprintf(error, GATEWAY_CONF_ERROR_SIZE, "%s", conf_error(doc));
		gateway_conf_free(c);
		return ERR_CONFIG;
	}
	*out = c;
	return 0;
}

int
gateway_conf_load(struct gateway_conf **out, const char *path, char *error)
{
	return from_document(out, conf_load(path), error);
}

int
gateway_conf_parse(struct gateway_conf **out, const char *name,
    const char *text, size_t len, char *error)
{
	return from_document(out, conf_parse(name, text, len), error);
}

static void
free_strings(char **v, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(v[i]);
	free(v);
}

void
gateway_conf_free(struct gateway_conf *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->partner_count; i++)
		free_strings(
		    c->partners[i].additional, c->partners[i].additional_count);
	free(c->partners);
	free_strings(c->users, c->user_count);
	free_strings(c->warnings, c->warning_count);
	free(c->hosted);
	free(c->domains);
	conf_finish(c->doc);
	OPENSSL_cleanse(c->dialback_secret, sizeof(c->dialback_secret));
	free(c);
}

void
gateway_conf_apply_log(const struct gateway_conf *c)
{
	/* Names and levels were checked when they were read. */
	(void)log_set_level(NULL, c->log.level);
	for (size_t i = 0; i < c->log.component_count; i++)
		(void)log_set_level(
		    c->log.components[i].name, c->log.components[i].level);
	gateway_conf_apply_bodies(c);
}

void
gateway_conf_apply_bodies(const struct gateway_conf *c)
{
	log_set_bodies(c->log.bodies);
}

void
gateway_conf_log_warnings(const struct gateway_conf *c)
{
	struct log log;

	log_init(&log, "gateway_conf");
	for (size_t i = 0; i < c->warning_count; i++)
		log_warn(&log, "warning", "text=%s", c->warnings[i]);
}

/* Whether a certificate names one of us, as its users will ask. */
static int
check_name(const struct tls_identity *id, const char *part,
    const struct gateway_files *files, const char *name, char *error)
{
	struct cert_names names;
	int rc;

	rc = cert_names_read(&names, SSL_CTX_get0_certificate(id->server));
	if (rc < 0) {
		snprintf(error, GATEWAY_CONF_ERROR_SIZE, "/%s/certificate: %s",
		    part, err_str(rc));
		return rc;
	}
	if (cert_names_match_dns(&names, &name, 1) < 0) {
		snprintf(error, GATEWAY_CONF_ERROR_SIZE,
		    "/%s/certificate: %s does not name %s", part,
		    files->certificate, name);
		rc = ERR_CERT;
	}
	cert_names_finish(&names);
	return rc;
}

static int
load_identity(struct tls_identity *out, const char *part,
    const struct gateway_files *files, int min, int max, bool cbc, char *error)
{
	struct tls_identity_files f = {
		.certificate = files->certificate,
		.key = files->key,
		.trust = files->trust,
		.peer = TLS_PEER_REQUIRED,
		/* Server certificates come without clientAuth. */
		.judge_as_server = true,
		.min_version = min,
		.max_version = max,
		.allow_cbc = cbc,
	};
	char why[GATEWAY_CONF_ERROR_SIZE / 2];
	int rc;

	rc = tls_identity_load(out, &f, why, sizeof(why));
	if (rc < 0)
		snprintf(error, GATEWAY_CONF_ERROR_SIZE, "/%s: %s", part, why);
	return rc;
}

int
gateway_conf_identities(struct tls_identity *channel, struct tls_identity *sip,
    const struct gateway_conf *c, char *error)
{
	struct tls_identity a = { 0 }, b = { 0 };
	int rc;

	rc = load_identity(
	    &a, "channel", &c->channel, TLS1_3_VERSION, 0, false, error);
	if (rc < 0)
		return rc;
	rc = check_name(&a, "channel", &c->channel, c->node, error);
	if (rc < 0)
		goto fail;
	/* Front ends on Windows before Server 2016 share nothing but AES-CBC
	 * with us in TLS 1.2. */
	rc = load_identity(&b, "sip", &c->sip.files, c->sip.tls_min,
	    c->sip.tls_max, true, error);
	if (rc < 0)
		goto fail;
	rc = check_name(&b, "sip", &c->sip.files, c->sip.fqdn, error);
	if (rc < 0)
		goto fail;
	*channel = a;
	*sip = b;
	return 0;

fail:
	tls_identity_finish(&a);
	tls_identity_finish(&b);
	return rc;
}
