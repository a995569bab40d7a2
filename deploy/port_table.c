/* The table is read as any configuration is, so that a mistake in a file that
 * stands in for it is told with its place.  The rows keep pointers into the
 * document, which therefore lives as long as the table. */
#include "deploy/port_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "common/err.h"
#include "deploy/ports_builtin.h"

enum { ROWS_MAX = 1000 };

#define X(name, text) text,
static const char *const topologies[] = { PORT_TOPOLOGIES(X) };
static const char *const roles[] = { PORT_ROLES(X) };
static const char *const settings[] = { PORT_SETTINGS(X) };
#undef X
static const char *const transports[] = { "tcp", "udp" };
static const char *const directions[] = { "in", "out", "within" };
static const char *const sides[] = { "external", "internal" };
static const char *const owners[] = { "sallyport", "lync" };
static const char *const groups[] = { "topologies", "roles", "features",
	"documents" };

enum { GROUPS = sizeof(groups) / sizeof(groups[0]) };

/* --- names ---------------------------------------------------------------- */

static int
find(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -1;
}

const char *
port_topology_name(enum port_topology t)
{
	return topologies[t];
}

const char *
port_role_name(enum port_role r)
{
	return roles[r];
}

const char *
port_setting_name(enum port_setting s)
{
	return settings[s];
}

const char *
port_transport_name(enum port_transport t)
{
	return transports[t];
}

const char *
port_direction_name(enum port_direction d)
{
	return directions[d];
}

const char *
port_side_name(enum port_side s)
{
	return sides[s];
}

int
port_topology_find(const char *name)
{
	return find(topologies, PORT_TOPOLOGY_COUNT, name);
}

int
port_side_find(const char *name)
{
	return find(sides, 2, name);
}

void
port_range_text(char out[static 16], uint16_t first, uint16_t last)
{
	if (first == last)
		snprintf(out, 16, "%u", first);
	else
		snprintf(out, 16, "%u-%u", first, last);
}

/* --- reading -------------------------------------------------------------- */

/* "5269" or "50000-59999". */
static void
read_port(struct port_row *r, struct conf_obj *o)
{
	const char *s = conf_string(o, "port", NULL);
	char check[16];
	unsigned long first, last;
	char *end;

	first = last = strtoul(s, &end, 10);
	if (*end == '-')
		last = strtoul(end + 1, NULL, 10);
	if (first < 1 || last > 65535 || first > last)
		goto fail;
	/* What it was read as, written again, is what stood there. */
	port_range_text(check, (uint16_t)first, (uint16_t)last);
	if (strcmp(check, s) != 0)
		goto fail;
	r->first = (uint16_t)first;
	r->last = (uint16_t)last;
	return;

fail:
	conf_fail(o, "port", "\"%.40s\" is neither a port nor a range", s);
}

/* A list of names, each a member of the group of the same name at the root. */
static size_t
read_names(const char *out[static PORT_LIST_MAX], struct conf_obj *o,
    const char *key, const json_t *group)
{
	size_t n = conf_array(o, key, true);

	if (n == 0 || n > PORT_LIST_MAX) {
		conf_fail(o, key, "needs 1 to %d names", PORT_LIST_MAX);
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		out[i] = conf_array_string(o, key, i);
		if (json_object_get(group, out[i]) == NULL)
			conf_fail(o, key, "\"%.60s\" is not described", out[i]);
	}
	return n;
}

static void
read_row(struct port_row *r, struct conf_obj *o, json_t *about[static GROUPS])
{
	const char *names[PORT_LIST_MAX];
	size_t n;

	r->id = conf_string(o, "id", NULL);
	r->ours = conf_enum(o, "owner", owners, 2, -1) == 0;
	r->protocol = conf_string(o, "protocol", NULL);
	r->purpose = conf_string(o, "purpose", NULL);
	r->transport =
	    (enum port_transport)conf_enum(o, "transport", transports, 2, -1);
	read_port(r, o);
	r->setting =
	    conf_string_opt(o, "setting") == NULL
		? -1
		: conf_enum(o, "setting", settings, PORT_SET_COUNT, -1);
	r->from =
	    (enum port_role)conf_enum(o, "from", roles, PORT_ROLE_COUNT, -1);
	r->to = (enum port_role)conf_enum(o, "to", roles, PORT_ROLE_COUNT, -1);
	r->direction =
	    (enum port_direction)conf_enum(o, "direction", directions, 3, -1);
	r->side = (enum port_side)conf_enum(o, "side", sides, 2, -1);
	n = read_names(names, o, "topologies", about[0]);
	for (size_t i = 0; i < n; i++) {
		int t = port_topology_find(names[i]);

		if (t < 0)
			conf_fail(
			    o, "topologies", "\"%.60s\" is unknown", names[i]);
		else
			r->topologies |= 1U << t;
	}
	r->feature_count = read_names(r->features, o, "features", about[2]);
	r->document_count = read_names(r->documents, o, "documents", about[3]);
	conf_end_object(o);
}

/* The groups that say what names mean: the keys are the table's own. */
static void
read_groups(json_t *about[static GROUPS], struct conf_obj *root)
{
	for (size_t i = 0; i < GROUPS; i++) {
		struct conf_obj *o = conf_object(root, groups[i], true);
		const char *key;

		about[i] = conf_json(o);
		for (size_t k = 0; (key = conf_member(o, k)) != NULL; k++)
			(void)conf_string(o, key, NULL);
	}
}

static void
read_table(struct port_table *t)
{
	struct conf_obj *root = conf_root(t->conf);
	json_t *about[GROUPS] = { NULL };

	read_groups(about, root);
	t->count = conf_array(root, "rows", true);
	if (t->count < 1 || t->count > ROWS_MAX) {
		conf_fail(root, "rows", "needs 1 to %d rows", ROWS_MAX);
		t->count = 0;
		return;
	}
	t->rows = calloc(t->count, sizeof(*t->rows));
	if (t->rows == NULL) {
		conf_fail(root, "rows", "%s", err_str(ERR_NOMEM));
		t->count = 0;
		return;
	}
	for (size_t i = 0; i < t->count; i++) {
		struct conf_obj *o = conf_array_object(root, "rows", i);

		read_row(&t->rows[i], o, about);
		for (size_t k = 0; k < i && !conf_failed(t->conf); k++)
			if (strcmp(t->rows[k].id, t->rows[i].id) == 0)
				conf_fail(o, "id", "\"%.60s\" is there twice",
				    t->rows[i].id);
	}
	conf_end_object(root);
}

int
port_table_load(
    struct port_table **out, const char *path, char *why, size_t size)
{
	struct port_table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		goto no_memory;
	t->conf = path != NULL
		      ? conf_load(path)
		      : conf_parse("ports.json", (const char *)ports_builtin,
			    ports_builtin_size);
	if (t->conf == NULL)
		goto no_memory;
	if (!conf_failed(t->conf))
		read_table(t);
	if (conf_failed(t->conf)) {
		snprintf(why, size, "%s", conf_error(t->conf));
		port_table_free(t);
		return ERR_CONFIG;
	}
	*out = t;
	return 0;

no_memory:
	snprintf(why, size, "%s", err_str(ERR_NOMEM));
	free(t);
	return ERR_NOMEM;
}

void
port_table_free(struct port_table *t)
{
	if (t == NULL)
		return;
	free(t->rows);
	conf_finish(t->conf);
	free(t);
}

/* --- asking --------------------------------------------------------------- */

bool
port_row_serves(const struct port_row *r, const char *feature)
{
	for (size_t i = 0; i < r->feature_count; i++)
		if (strcmp(r->features[i], feature) == 0)
			return true;
	return false;
}

const char *
port_table_about(const struct port_table *t, const char *group, const char *key)
{
	const json_t *root = conf_json(conf_root(t->conf));

	return json_string_value(
	    json_object_get(json_object_get(root, group), key));
}

bool
port_table_has_feature(const struct port_table *t, const char *feature)
{
	return port_table_about(t, "features", feature) != NULL;
}

const char *
port_table_document(const struct port_table *t, const char *key)
{
	return port_table_about(t, "documents", key);
}

json_t *
port_table_json(const struct port_table *t, size_t i)
{
	const json_t *root = conf_json(conf_root(t->conf));

	return json_array_get(json_object_get(root, "rows"), i);
}
