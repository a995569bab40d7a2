/* Objects under inspection are small records in a table of the document's;
 * each remembers where it stands and which members were asked for.  The
 * first error is written down and stops everything after it. */
#include "common/conf.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/jid.h"
#include "common/map.h"

enum {
	FILE_MAX = 64 * 1024 * 1024,
	PATH_MAX_BYTES = 256,
};

struct conf_obj {
	struct map_node node; /* keyed by the address in json */
	struct conf *conf;
	json_t *json;
	char path[PATH_MAX_BYTES]; /* "" at the root, else "/external/..." */
	json_t *seen;              /* set of keys: values are null */
};

struct conf {
	char name[256];
	json_t *root;
	struct map objects;
	char error[768]; /* "" while all is well */
};

/* --- errors ------------------------------------------------------------- */

/* Writes the error down, unless there is one already. */
static void
set_error(struct conf *c, const char *path, const char *fmt, va_list ap)
{
	char text[400];

	if (c->error[0] != '\0')
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	if (path != NULL)
		snprintf(c->error, sizeof(c->error), "%s: %s: %s", c->name,
		    path[0] != '\0' ? path : "/", text);
	else
		snprintf(c->error, sizeof(c->error), "%s%s", c->name, text);
	/* Keys and values of the file may hold anything; this is one line. */
	for (char *p = c->error; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
}

__attribute__((format(printf, 3, 4))) static void
fail(struct conf *c, const char *path, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_error(c, path, fmt, ap);
	va_end(ap);
}

/* Appends s to the path in out.  Too long a path is cut: it only serves to
 * find the place. */
static void
extend(char out[static PATH_MAX_BYTES], const char *s)
{
	size_t at = strlen(out), len = strlen(s);

	if (len > PATH_MAX_BYTES - 1 - at)
		len = PATH_MAX_BYTES - 1 - at;
	memcpy(out + at, s, len);
	out[at + len] = '\0';
}

/* path/key, or path/key/i when i >= 0. */
static void
join(char out[static PATH_MAX_BYTES], const char *path, const char *key,
    ssize_t i)
{
	char number[24];

	out[0] = '\0';
	extend(out, path);
	extend(out, "/");
	extend(out, key);
	if (i >= 0) {
		snprintf(number, sizeof(number), "/%zd", i);
		extend(out, number);
	}
}

void
conf_fail(struct conf_obj *o, const char *key, const char *fmt, ...)
{
	char path[PATH_MAX_BYTES];
	va_list ap;

	if (o == NULL)
		return;
	if (key != NULL)
		join(path, o->path, key, -1);
	else
		memcpy(path, o->path, sizeof(path));
	va_start(ap, fmt);
	set_error(o->conf, path, fmt, ap);
	va_end(ap);
}

static const char *
type_name(const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "a whole number";
	case JSON_REAL:
		return "a number with a fraction";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	case JSON_NULL:
	default:
		return "null";
	}
}

/* --- documents ---------------------------------------------------------- */

static struct conf *
conf_new(const char *name)
{
	struct conf *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	if (map_init(&c->objects) < 0) {
		free(c);
		return NULL;
	}
	snprintf(c->name, sizeof(c->name), "%s", name);
	return c;
}

static struct conf_obj *
add_object(struct conf *c, json_t *json, const char *path)
{
	struct map_node *known = map_get(&c->objects, &json, sizeof(json));
	struct conf_obj *o;

	if (known != NULL)
		return map_entry(known, struct conf_obj, node);
	o = calloc(1, sizeof(*o));
	if (o != NULL)
		o->seen = json_object();
	if (o == NULL || o->seen == NULL) {
		free(o);
		fail(c, path, "%s", err_str(ERR_NOMEM));
		return NULL;
	}
	o->conf = c;
	o->json = json;
	snprintf(o->path, sizeof(o->path), "%s", path);
	map_put(&c->objects, &o->node, &o->json, sizeof(o->json));
	return o;
}

/* Where memory for a text's next character is missing, jansson leaves the
 * character out, and says nothing. */
static _Thread_local bool starved;

static void *
note_failure(size_t size)
{
	void *p = malloc(size);

	if (p == NULL)
		starved = true;
	return p;
}

static void
parse(struct conf *c, const char *text, size_t len)
{
	json_error_t where;

	json_set_alloc_funcs(note_failure, free);
	starved = false;
	c->root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
	if (starved)
		fail(c, NULL, ": %s", err_str(ERR_NOMEM));
	else if (c->root == NULL)
		fail(c, NULL, ":%d:%d: %s", where.line, where.column,
		    where.text);
	else if (!json_is_object(c->root))
		fail(c, "", "must be an object, is %s", type_name(c->root));
}

struct conf *
conf_parse(const char *name, const char *text, size_t len)
{
	struct conf *c = conf_new(name);

	if (c != NULL)
		parse(c, text, len);
	return c;
}

/* Appends the whole file; 0, a negative errno (libuv's codes are the same) or
 * a code of ours. */
static int
read_file(struct buf *out, const char *path)
{
	uint8_t piece[8192];
	size_t n;
	int rc = 0;
	FILE *f = fopen(path, "rbe");

	if (f == NULL)
		return -errno;
	while (rc == 0 && (n = fread(piece, 1, sizeof(piece), f)) > 0)
		rc = buf_add(out, piece, n);
	if (rc == 0 && ferror(f))
		rc = -errno;
	fclose(f);
	return rc;
}

struct conf *
conf_load(const char *path)
{
	struct conf *c = conf_new(path);
	struct buf text;
	int rc;

	if (c == NULL)
		return NULL;
	buf_init(&text, FILE_MAX);
	rc = read_file(&text, path);
	if (rc < 0)
		fail(c, NULL, ": %s", err_str(rc));
	else
		parse(c, (const char *)text.data, text.len);
	buf_finish(&text);
	return c;
}

static void
free_object(struct map_node *n, void *arg)
{
	struct conf_obj *o = map_entry(n, struct conf_obj, node);

	(void)arg;
	json_decref(o->seen);
	free(o);
}

void
conf_finish(struct conf *c)
{
	if (c == NULL)
		return;
	map_each(&c->objects, free_object, NULL);
	map_finish(&c->objects);
	json_decref(c->root);
	free(c);
}

bool
conf_failed(const struct conf *c)
{
	return c->error[0] != '\0';
}

const char *
conf_error(const struct conf *c)
{
	return c->error;
}

struct conf_obj *
conf_root(struct conf *c)
{
	return conf_failed(c) ? NULL : add_object(c, c->root, "");
}

json_t *
conf_json(const struct conf_obj *o)
{
	return o != NULL ? o->json : NULL;
}

/* --- members ------------------------------------------------------------ */

/* The member, or NULL when it is absent (an error if required) or when there
 * is an error already.  Notes that it was asked for. */
static json_t *
member(struct conf_obj *o, const char *key, bool required)
{
	json_t *v;

	if (o == NULL || conf_failed(o->conf))
		return NULL;
	if (json_object_set_new(o->seen, key, json_null()) < 0) {
		conf_fail(o, key, "%s", err_str(ERR_NOMEM));
		return NULL;
	}
	v = json_object_get(o->json, key);
	if (v == NULL && required)
		conf_fail(o, key, "is missing");
	return v;
}

/* The same, of one type; what names the type for the message. */
static json_t *
member_of_type(struct conf_obj *o, const char *key, bool required,
    json_type type, const char *what)
{
	json_t *v = member(o, key, required);

	if (v == NULL || json_typeof(v) == type)
		return v;
	conf_fail(o, key, "must be %s, is %s", what, type_name(v));
	return NULL;
}

/* Element i of an array member, of one type. */
static json_t *
element(struct conf_obj *o, const char *key, size_t i, json_type type,
    char path[PATH_MAX_BYTES])
{
	json_t *v = member_of_type(o, key, true, JSON_ARRAY, "an array");

	if (v == NULL)
		return NULL;
	v = json_array_get(v, i);
	assert(v != NULL);
	join(path, o->path, key, (ssize_t)i);
	if (json_typeof(v) == type)
		return v;
	fail(o->conf, path, "must be %s, is %s",
	    type == JSON_OBJECT ? "an object" : "a string", type_name(v));
	return NULL;
}

struct conf_obj *
conf_object(struct conf_obj *o, const char *key, bool required)
{
	json_t *v = member_of_type(o, key, required, JSON_OBJECT, "an object");
	char path[PATH_MAX_BYTES];

	if (v == NULL)
		return NULL;
	join(path, o->path, key, -1);
	return add_object(o->conf, v, path);
}

size_t
conf_array(struct conf_obj *o, const char *key, bool required)
{
	return json_array_size(
	    member_of_type(o, key, required, JSON_ARRAY, "an array"));
}

struct conf_obj *
conf_array_object(struct conf_obj *o, const char *key, size_t i)
{
	char path[PATH_MAX_BYTES];
	json_t *v = element(o, key, i, JSON_OBJECT, path);

	return v != NULL ? add_object(o->conf, v, path) : NULL;
}

const char *
conf_array_string(struct conf_obj *o, const char *key, size_t i)
{
	char path[PATH_MAX_BYTES];
	json_t *v = element(o, key, i, JSON_STRING, path);

	return v != NULL ? json_string_value(v) : "";
}

static json_t *
string_member(struct conf_obj *o, const char *key, bool required)
{
	return member_of_type(o, key, required, JSON_STRING, "a string");
}

const char *
conf_string(struct conf_obj *o, const char *key, const char *def)
{
	json_t *v = string_member(o, key, def == NULL);

	if (v != NULL)
		return json_string_value(v);
	return def != NULL ? def : "";
}

const char *
conf_string_opt(struct conf_obj *o, const char *key)
{
	return json_string_value(string_member(o, key, false));
}

int64_t
conf_int(
    struct conf_obj *o, const char *key, int64_t def, int64_t min, int64_t max)
{
	json_t *v =
	    member_of_type(o, key, false, JSON_INTEGER, "a whole number");
	int64_t n;

	if (v == NULL)
		return def;
	n = json_integer_value(v);
	if (n >= min && n <= max)
		return n;
	if (n < min)
		conf_fail(o, key, "%" PRId64 " is below %" PRId64, n, min);
	else
		conf_fail(o, key, "%" PRId64 " is above %" PRId64, n, max);
	return def;
}

bool
conf_bool(struct conf_obj *o, const char *key, bool def)
{
	json_t *v = member(o, key, false);

	if (v == NULL)
		return def;
	if (json_is_boolean(v))
		return json_is_true(v);
	conf_fail(o, key, "must be true or false, is %s", type_name(v));
	return def;
}

int
conf_enum(struct conf_obj *o, const char *key, const char *const *names,
    size_t count, int def)
{
	json_t *v = string_member(o, key, def < 0);
	int otherwise = def < 0 ? 0 : def;
	char all[300] = "";
	size_t len = 0;

	if (v == NULL)
		return otherwise;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], json_string_value(v)) == 0)
			return (int)i;
		if (len < sizeof(all))
			len += (size_t)snprintf(all + len, sizeof(all) - len,
			    "%s\"%s\"", i > 0 ? ", " : "", names[i]);
	}
	conf_fail(o, key, "\"%.60s\" is none of %s", json_string_value(v), all);
	return otherwise;
}

const char *
conf_member(struct conf_obj *o, size_t i)
{
	void *it;

	if (o == NULL || conf_failed(o->conf))
		return NULL;
	it = json_object_iter(o->json);
	while (it != NULL && i-- > 0)
		it = json_object_iter_next(o->json, it);
	return it != NULL ? json_object_iter_key(it) : NULL;
}

void
conf_domain(struct conf_obj *o, const char *key, char *out, bool required)
{
	json_t *v = string_member(o, key, required);
	const char *s;
	int rc;

	out[0] = '\0';
	if (v == NULL)
		return;
	s = json_string_value(v);
	rc = jid_domain_ascii(out, 256, s, strlen(s));
	if (rc < 0) {
		out[0] = '\0';
		conf_fail(o, key, "\"%.200s\" is not a domain name", s);
	}
}

/* --- addresses ---------------------------------------------------------- */

/* Reads a port of digits only; 0 or ERR_MALFORMED with the reason. */
static int
parse_port(uint16_t *out, const char *s, char *why, size_t size)
{
	unsigned long port;

	if (*s == '\0' || strspn(s, "0123456789") != strlen(s)) {
		snprintf(why, size, "\"%.40s\" is not a port", s);
		return ERR_MALFORMED;
	}
	port = strlen(s) > 9 ? 999999999 : strtoul(s, NULL, 10);
	if (port > 65535) {
		snprintf(why, size, "port %.40s is above 65535", s);
		return ERR_MALFORMED;
	}
	*out = (uint16_t)port;
	return 0;
}

/* Splits "host", "host:port", "[host]" and "[host]:port".  *port is NULL when
 * there is none.  A bare IPv6 address has several colons and no port. */
static int
split_address(char host[INET6_ADDRSTRLEN], const char **port, const char *s)
{
	const char *end, *colon = strchr(s, ':');
	size_t len;

	*port = NULL;
	if (*s == '[') {
		end = strchr(++s, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return ERR_MALFORMED;
		if (end[1] == ':')
			*port = end + 2;
		len = (size_t)(end - s);
		if (memchr(s, ':', len) == NULL)
			return ERR_MALFORMED;
	} else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
		*port = colon + 1;
		len = (size_t)(colon - s);
	} else {
		len = strlen(s);
	}
	if (len == 0 || len >= INET6_ADDRSTRLEN)
		return ERR_MALFORMED;
	memcpy(host, s, len);
	host[len] = '\0';
	return 0;
}

int
conf_parse_address(struct sockaddr_storage *out, const char *s, int port_def,
    char *why, size_t size)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	char host[INET6_ADDRSTRLEN];
	const char *port_text;
	uint16_t port = port_def > 0 ? (uint16_t)port_def : 0;

	if (split_address(host, &port_text, s) < 0 ||
	    (inet_pton(AF_INET, host, &in.sin_addr) != 1 &&
		inet_pton(AF_INET6, host, &in6.sin6_addr) != 1)) {
		snprintf(why, size, "\"%.80s\" is not an IP address%s", s,
		    port_def == 0 ? " with a port" : "");
		return ERR_MALFORMED;
	}
	if (port_text == NULL && port_def == 0) {
		snprintf(why, size, "\"%.80s\" has no port", s);
		return ERR_MALFORMED;
	}
	if (port_text != NULL && port_def < 0) {
		snprintf(why, size, "\"%.80s\" must have no port", s);
		return ERR_MALFORMED;
	}
	if (port_text != NULL && parse_port(&port, port_text, why, size) < 0)
		return ERR_MALFORMED;
	*out = (struct sockaddr_storage){ 0 };
	in.sin_port = in6.sin6_port = htons(port);
	if (inet_pton(AF_INET, host, &in.sin_addr) == 1)
		memcpy(out, &in, sizeof(in));
	else
		memcpy(out, &in6, sizeof(in6));
	return 0;
}

void
conf_address(struct conf_obj *o, const char *key, struct sockaddr_storage *out,
    int port_def, bool required)
{
	json_t *v = string_member(o, key, required);
	char why[160];

	*out = (struct sockaddr_storage){ 0 };
	if (v != NULL && conf_parse_address(out, json_string_value(v), port_def,
			     why, sizeof(why)) < 0)
		conf_fail(o, key, "%s", why);
}

void
conf_array_address(struct conf_obj *o, const char *key, size_t i,
    struct sockaddr_storage *out, int port_def)
{
	char path[PATH_MAX_BYTES], why[160];
	json_t *v = element(o, key, i, JSON_STRING, path);

	*out = (struct sockaddr_storage){ 0 };
	if (v != NULL && conf_parse_address(out, json_string_value(v), port_def,
			     why, sizeof(why)) < 0)
		fail(o->conf, path, "%s", why);
}

void
conf_end_object(struct conf_obj *o)
{
	const char *key;
	json_t *v;

	if (o == NULL || conf_failed(o->conf))
		return;
	json_object_foreach(o->json, key, v)
	{
		if (json_object_get(o->seen, key) == NULL) {
			conf_fail(o, key, "is not a known setting");
			return;
		}
	}
}
