/* Read section by section into the list of ends, then looked at as a whole:
 * whether the topology fits, whether two hosts claim one address, whether
 * everything stands on the side it should.  A mistake is told at the element
 * that makes it. */
#include "deploy/firewall_site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "common/err.h"
#include "common/ports.h"

enum { HOSTS_MAX = 64, ADDRESSES_MAX = 16 };

static struct firewall_end *
add_end(struct firewall_site *s, struct conf_obj *o, enum port_role role,
    const char *name, const struct prefix *p)
{
	if (s->count == s->room) {
		size_t room = s->room > 0 ? s->room * 2 : 32;
		struct firewall_end *grown =
		    realloc(s->ends, room * sizeof(*grown));

		if (grown == NULL) {
			conf_fail(o, NULL, "%s", err_str(ERR_NOMEM));
			return NULL;
		}
		s->ends = grown;
		s->room = room;
	}
	s->ends[s->count] =
	    (struct firewall_end){ .role = role, .name = name, .prefix = *p };
	return &s->ends[s->count++];
}

/* Element i of a list of addresses; family 0 after an error. */
static struct prefix
read_prefix(struct conf_obj *o, const char *key, size_t i, bool networks)
{
	struct prefix p = { 0 };
	const char *text = conf_array_string(o, key, i);
	char why[160], at[80];

	if (text[0] == '\0') {
		conf_fail(o, key, "has an empty element");
		return p;
	}
	snprintf(at, sizeof(at), "%s/%zu", key, i);
	if (prefix_parse(&p, text, why, sizeof(why)) < 0) {
		conf_fail(o, at, "%s", why);
		return (struct prefix){ 0 };
	}
	if (!networks && !prefix_is_host(&p)) {
		conf_fail(o, at, "\"%s\" is a network, not one address", text);
		return (struct prefix){ 0 };
	}
	return p;
}

static size_t
read_count(struct conf_obj *o, const char *key, bool required, size_t max)
{
	size_t n = conf_array(o, key, required);

	if (required && n == 0)
		conf_fail(o, key, "is empty");
	if (n <= max)
		return n;
	conf_fail(o, key, "has more than %zu elements", max);
	return 0;
}

static bool
is_taken(const struct firewall_site *s, const struct prefix *p,
    const char *name, const char **by)
{
	for (size_t i = 0; i < s->count; i++) {
		*by = s->ends[i].name;
		if (s->ends[i].role != PORT_INSIDE && prefix_is_host(p) &&
		    prefix_equal(&s->ends[i].prefix, p) &&
		    strcmp(*by, name) != 0)
			return true;
	}
	return false;
}

static bool
is_in_networks(const struct firewall_site *s, const struct prefix *p)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->ends[i].role == PORT_INSIDE &&
		    prefix_contains(&s->ends[i].prefix, p))
			return true;
	return false;
}

/* A host's addresses in one role. */
static size_t
read_addresses(struct firewall_site *s, struct conf_obj *o, const char *key,
    bool required, enum port_role role, const char *name)
{
	size_t n = read_count(o, key, required, ADDRESSES_MAX);

	for (size_t i = 0; i < n; i++) {
		struct prefix p = read_prefix(o, key, i, false);
		const char *by;
		char at[80];

		if (p.family == 0)
			return 0;
		snprintf(at, sizeof(at), "%s/%zu", key, i);
		if (is_taken(s, &p, name, &by))
			conf_fail(o, at, "is the address of %s already", by);
		if (firewall_site_is_perimeter(role) && is_in_networks(s, &p))
			conf_fail(o, at,
			    "is in an internal network; an edge stands in the "
			    "perimeter");
		if (add_end(s, o, role, name, &p) == NULL)
			return 0;
	}
	return n;
}

/* Gateways and front ends belong into a network of /networks/internal. */
static void
check_inside(const struct firewall_site *s, struct conf_obj *o, const char *key,
    size_t first)
{
	for (size_t i = first; i < s->count; i++) {
		char at[80];

		snprintf(at, sizeof(at), "%s/%zu", key, i - first);
		if (!is_in_networks(s, &s->ends[i].prefix))
			conf_fail(o, at, "is in none of /networks/internal");
	}
}

/* What edges connect to stands outside: nothing leads from them inside. */
static void
check_outside(const struct firewall_site *s, struct conf_obj *o,
    const char *key, size_t i, const struct prefix *p)
{
	char at[80];

	snprintf(at, sizeof(at), "%s/%zu", key, i);
	for (size_t k = 0; k < s->count; k++)
		if (s->ends[k].role == PORT_INSIDE &&
		    (prefix_contains(&s->ends[k].prefix, p) ||
			prefix_contains(p, &s->ends[k].prefix)))
			conf_fail(o, at,
			    "is in an internal network; nothing leads from an "
			    "edge inside");
}

/* Hosts stand by a name that is theirs alone. */
static const char *
read_name(const struct firewall_site *s, struct conf_obj *o, const char *key)
{
	const char *name = conf_string(o, key, NULL);

	for (const char *p = name; *p != '\0'; p++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVW"
			   "XYZ0123456789.-_",
			*p) == NULL) {
			conf_fail(
			    o, key, "\"%.60s\" is not a host's name", name);
			return "";
		}
	if (name[0] == '\0' || strlen(name) > 200)
		conf_fail(o, key, "must have 1 to 200 characters");
	for (size_t i = 0; i < s->count; i++)
		if (s->ends[i].role != PORT_INSIDE &&
		    strcmp(s->ends[i].name, name) == 0)
			conf_fail(o, key, "%.60s is there already", name);
	return name;
}

static void
read_networks(struct firewall_site *s, struct conf_obj *root)
{
	struct conf_obj *o = conf_object(root, "networks", true);
	size_t n = read_count(o, "internal", true, HOSTS_MAX);

	for (size_t i = 0; i < n; i++) {
		struct prefix p = read_prefix(o, "internal", i, true);

		if (p.family == 0 ||
		    add_end(s, o, PORT_INSIDE, "internal", &p) == NULL)
			return;
	}
	conf_end_object(o);
}

bool
firewall_site_is_nat(const struct firewall_site *s)
{
	return s->topology == PORT_SINGLE_NAT ||
	       s->topology == PORT_SCALED_DNS_NAT;
}

/* "public" beside "external", one for one; without translation the outer
 * addresses themselves have to be public. */
static void
read_public(struct firewall_site *s, struct conf_obj *o, size_t first, size_t n)
{
	size_t got =
	    read_count(o, "public", firewall_site_is_nat(s), ADDRESSES_MAX);

	if (!firewall_site_is_nat(s) && got > 0)
		conf_fail(o, "public", "has no place in topology %s",
		    port_topology_name(s->topology));
	if (firewall_site_is_nat(s) && got != n)
		conf_fail(o, "public",
		    "needs as many addresses as \"external\", %zu", n);
	for (size_t i = 0; i < n; i++) {
		struct firewall_end *e = &s->ends[first + i];
		char at[80];

		snprintf(at, sizeof(at), "external/%zu", i);
		if (!firewall_site_is_nat(s)) {
			if (prefix_is_private(&e->prefix))
				conf_fail(o, at,
				    "is private; topology %s has public "
				    "addresses",
				    port_topology_name(s->topology));
			continue;
		}
		if (i >= got)
			return;
		e->public = read_prefix(o, "public", i, false);
		if (e->public.family == 0)
			return;
		e->translated = true;
		snprintf(at, sizeof(at), "public/%zu", i);
		if (e->public.family != e->prefix.family)
			conf_fail(
			    o, at, "is of another family than external/%zu", i);
		if (prefix_is_private(&e->public))
			conf_fail(o, at, "is private");
	}
}

static void
read_edges(struct firewall_site *s, struct conf_obj *root)
{
	size_t n = read_count(root, "edges", true, HOSTS_MAX);
	bool single =
	    s->topology == PORT_SINGLE_NAT || s->topology == PORT_SINGLE_PUBLIC;

	if (single && n > 1)
		conf_fail(root, "edges", "topology %s has one edge, not %zu",
		    port_topology_name(s->topology), n);
	if (!single && n < 2)
		conf_fail(root, "edges", "topology %s has two edges or more",
		    port_topology_name(s->topology));
	for (size_t i = 0; i < n; i++) {
		struct conf_obj *o = conf_array_object(root, "edges", i);
		const char *name = read_name(s, o, "name");
		size_t first = s->count, count;

		count = read_addresses(
		    s, o, "external", true, PORT_EDGE_EXTERNAL, name);
		if (count == s->count - first)
			read_public(s, o, first, count);
		read_addresses(
		    s, o, "internal", true, PORT_EDGE_INTERNAL, name);
		conf_end_object(o);
	}
}

static void
read_inside(struct firewall_site *s, struct conf_obj *root, const char *key,
    enum port_role role)
{
	size_t n = read_count(root, key, true, HOSTS_MAX);

	for (size_t i = 0; i < n; i++) {
		struct conf_obj *o = conf_array_object(root, key, i);
		const char *name = read_name(s, o, "name");
		size_t first = s->count;

		read_addresses(s, o, "addresses", true, role, name);
		check_inside(s, o, "addresses", first);
		conf_end_object(o);
	}
}

static void
read_load_balancer(struct firewall_site *s, struct conf_obj *root)
{
	static const struct {
		const char *key;
		enum port_role role;
	} kinds[] = {
		{ "external", PORT_EDGE_VIP },
		{ "sources", PORT_LOAD_BALANCER },
		{ "access", PORT_LYNC_ACCESS_VIP },
		{ "web_conferencing", PORT_LYNC_WEBCONF_VIP },
		{ "av", PORT_LYNC_AV_VIP },
		{ "internal", PORT_LYNC_INTERNAL_VIP },
	};
	bool wanted = s->topology == PORT_SCALED_HLB;
	struct conf_obj *o = conf_object(root, "load_balancer", wanted);

	if (o != NULL && !wanted)
		conf_fail(root, "load_balancer", "has no place in topology %s",
		    port_topology_name(s->topology));
	for (size_t i = 0; o != NULL && i < sizeof(kinds) / sizeof(kinds[0]);
	     i++)
		read_addresses(
		    s, o, kinds[i].key, i == 0, kinds[i].role, "load balancer");
	conf_end_object(o);
}

/* The perimeter's Lync roles, for sites that want their rows too. */
static void
read_lync_edges(struct firewall_site *s, struct conf_obj *root)
{
	static const struct {
		const char *key;
		enum port_role role;
	} kinds[] = {
		{ "access", PORT_LYNC_ACCESS },
		{ "web_conferencing", PORT_LYNC_WEBCONF },
		{ "av", PORT_LYNC_AV },
		{ "internal", PORT_LYNC_INTERNAL },
	};
	size_t n = read_count(root, "lync_edges", false, HOSTS_MAX);

	for (size_t i = 0; i < n; i++) {
		struct conf_obj *o = conf_array_object(root, "lync_edges", i);
		const char *name = read_name(s, o, "name");

		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
			read_addresses(
			    s, o, kinds[k].key, false, kinds[k].role, name);
		conf_end_object(o);
	}
}

static void
read_partners(struct firewall_site *s, struct conf_obj *root)
{
	size_t n = read_count(root, "partners", false, HOSTS_MAX);

	for (size_t i = 0; i < n; i++) {
		struct conf_obj *o = conf_array_object(root, "partners", i);
		const char *name = read_name(s, o, "domain");
		uint16_t port =
		    (uint16_t)conf_int(o, "port", PORTS_XMPP, 1, 65535);
		size_t m = read_count(o, "addresses", true, ADDRESSES_MAX);

		for (size_t k = 0; k < m; k++) {
			struct prefix p = read_prefix(o, "addresses", k, true);
			struct firewall_end *e;

			if (p.family == 0)
				return;
			check_outside(s, o, "addresses", k, &p);
			e = add_end(s, o, PORT_PARTNERS, name, &p);
			if (e == NULL)
				return;
			e->port = port;
		}
		conf_end_object(o);
	}
}

static void
read_resolvers(struct firewall_site *s, struct conf_obj *root)
{
	size_t n = read_count(root, "resolvers", false, HOSTS_MAX);

	for (size_t i = 0; i < n; i++) {
		struct prefix p = read_prefix(root, "resolvers", i, false);

		if (p.family == 0)
			return;
		check_outside(s, root, "resolvers", i, &p);
		if (add_end(s, root, PORT_RESOLVERS, "resolver", &p) == NULL)
			return;
	}
}

static void
read_ports(struct firewall_site *s, struct conf_obj *root)
{
	static const uint16_t defaults[] = {
		[PORT_SET_XMPP] = PORTS_XMPP,
		[PORT_SET_PARTNER] = PORTS_XMPP,
		[PORT_SET_DIRECT] = PORTS_XMPP_DIRECT,
		[PORT_SET_PARTNER_DIRECT] = PORTS_XMPP_DIRECT,
		[PORT_SET_CHANNEL] = PORTS_CHANNEL,
		[PORT_SET_POOL] = PORTS_SIP,
		[PORT_SET_GATEWAY] = PORTS_SIP,
		[PORT_SET_DNS] = PORTS_DNS,
	};
	struct conf_obj *o = conf_object(root, "ports", false);

	for (int i = 0; i < PORT_SET_COUNT; i++)
		s->ports[i] = (uint16_t)conf_int(o,
		    port_setting_name((enum port_setting)i), defaults[i], 1,
		    65535);
	conf_end_object(o);
}

static void
read_features(struct firewall_site *s, struct conf_obj *root,
    const struct port_table *table)
{
	size_t n = read_count(root, "features", false,
	    sizeof(s->features) / sizeof(s->features[0]));

	for (size_t i = 0; i < n; i++) {
		char at[40];

		s->features[i] = conf_array_string(root, "features", i);
		snprintf(at, sizeof(at), "features/%zu", i);
		if (!port_table_has_feature(table, s->features[i]))
			conf_fail(root, at, "\"%.40s\" is no feature",
			    s->features[i]);
	}
	s->feature_count = n;
	if (n == 0) {
		s->features[0] = "xmpp";
		s->feature_count = 1;
	}
}

/* Every role that a wanted row names has somebody in it. */
static void
check_roles(const struct firewall_site *s, struct conf_obj *root,
    const struct port_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct port_row *r = &table->rows[i];
		enum port_role roles[] = { r->from, r->to };

		if (!firewall_site_wants(s, r))
			continue;
		for (size_t k = 0; k < 2; k++) {
			bool open = roles[k] == PORT_INTERNET ||
				    roles[k] == PORT_PARTNERS ||
				    roles[k] == PORT_RESOLVERS ||
				    roles[k] == PORT_LOAD_BALANCER;

			if (!open && !firewall_site_has(s, roles[k]))
				conf_fail(root, NULL,
				    "feature %s needs addresses for %s (%s)",
				    r->features[0], port_role_name(roles[k]),
				    r->id);
		}
	}
}

static void
read_site(struct firewall_site *s, const struct port_table *table)
{
	struct conf_obj *root = conf_root(s->conf);
	const char *names[PORT_TOPOLOGY_COUNT];

	for (int i = 0; i < PORT_TOPOLOGY_COUNT; i++)
		names[i] = port_topology_name((enum port_topology)i);
	s->name = conf_string(root, "name", NULL);
	if (strpbrk(s->name, "\r\n") != NULL || strlen(s->name) > 200)
		conf_fail(root, "name", "must be one line of 200 characters");
	s->topology = (enum port_topology)conf_enum(
	    root, "topology", names, PORT_TOPOLOGY_COUNT, -1);
	read_features(s, root, table);
	read_networks(s, root);
	read_edges(s, root);
	read_load_balancer(s, root);
	read_inside(s, root, "gateways", PORT_GATEWAYS);
	read_inside(s, root, "front_ends", PORT_FRONT_ENDS);
	read_lync_edges(s, root);
	read_partners(s, root);
	read_resolvers(s, root);
	read_ports(s, root);
	conf_end_object(root);
	check_roles(s, root, table);
}

static int
finish_load(struct firewall_site **out, struct conf *conf,
    const struct port_table *table, char *why, size_t size)
{
	struct firewall_site *s = calloc(1, sizeof(*s));

	if (s == NULL || conf == NULL) {
		snprintf(why, size, "%s", err_str(ERR_NOMEM));
		conf_finish(conf);
		free(s);
		return ERR_NOMEM;
	}
	s->conf = conf;
	if (!conf_failed(conf))
		read_site(s, table);
	if (conf_failed(conf)) {
		snprintf(why, size, "%s", conf_error(conf));
		firewall_site_free(s);
		return ERR_CONFIG;
	}
	*out = s;
	return 0;
}

int
firewall_site_load(struct firewall_site **out, const char *path,
    const struct port_table *table, char *why, size_t size)
{
	return finish_load(out, conf_load(path), table, why, size);
}

int
firewall_site_parse(struct firewall_site **out, const char *name,
    const char *text, const struct port_table *table, char *why, size_t size)
{
	return finish_load(
	    out, conf_parse(name, text, strlen(text)), table, why, size);
}

void
firewall_site_free(struct firewall_site *s)
{
	if (s == NULL)
		return;
	free(s->ends);
	conf_finish(s->conf);
	free(s);
}

bool
firewall_site_wants(const struct firewall_site *s, const struct port_row *r)
{
	if ((r->topologies >> s->topology & 1) == 0)
		return false;
	for (size_t i = 0; i < s->feature_count; i++)
		if (port_row_serves(r, s->features[i]))
			return true;
	return false;
}

bool
firewall_site_has_feature(const struct firewall_site *s, const char *feature)
{
	for (size_t i = 0; i < s->feature_count; i++)
		if (strcmp(s->features[i], feature) == 0)
			return true;
	return false;
}

bool
firewall_site_has(const struct firewall_site *s, enum port_role role)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->ends[i].role == role)
			return true;
	return false;
}

bool
firewall_site_is_inside(enum port_role role)
{
	return role == PORT_INSIDE || role == PORT_GATEWAYS ||
	       role == PORT_FRONT_ENDS;
}

bool
firewall_site_is_perimeter(enum port_role role)
{
	return !firewall_site_is_inside(role) && role != PORT_INTERNET &&
	       role != PORT_PARTNERS && role != PORT_RESOLVERS;
}
