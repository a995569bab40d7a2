/* Set commands for an SRX.  Policies are looked up after destination and
 * before source translation, so the hosts' own addresses stand in them. */
#include "deploy/firewall_format.h"

static void
add_name(struct buf *out, const struct prefix *p)
{
	char text[PREFIX_TEXT];

	prefix_text(text, p);
	for (char *c = text; *c != '\0'; c++)
		if (*c == ':' || *c == '/' || *c == '.')
			*c = '-';
	buf_addf(out, "sp-%s", text);
}

static void
add_objects(struct buf *out, const struct firewall_ends *ends)
{
	char address[PREFIX_TEXT];

	for (size_t i = 0; i < ends->count; i++) {
		const struct prefix *p = &ends->list[i]->prefix;

		prefix_address(address, p);
		buf_add_str(out, "set security address-book global address ");
		add_name(out, p);
		buf_addf(out, " %s/%u\n", address, p->bits);
	}
}

static void
add_match(struct buf *out, const struct firewall_rule *r, const char *key,
    const struct firewall_ends *ends)
{
	buf_addf(out, " %s", key);
	if (ends->count == 0) {
		buf_add_str(
		    out, r->family == AF_INET ? " any-ipv4" : " any-ipv6");
		return;
	}
	buf_add_str(out, " [");
	for (size_t i = 0; i < ends->count; i++) {
		buf_add_char(out, ' ');
		add_name(out, &ends->list[i]->prefix);
	}
	buf_add_str(out, " ]");
}

static void
add_policy(struct buf *out, const struct firewall_rule *r)
{
	buf_addf(out, "set security policies from-zone %s to-zone %s policy %s",
	    firewall_format_zone(&r->from), firewall_format_zone(&r->to),
	    r->name);
}

static void
add_rule(struct buf *out, const struct firewall_rule *r)
{
	const char *transport = port_transport_name(r->transport);
	char ports[16];

	port_range_text(ports, r->first, r->last);
	add_objects(out, &r->from);
	add_objects(out, &r->to);
	if (r->allow)
		buf_addf(out,
		    "set applications application sp-%s-%s protocol %s "
		    "destination-port %s\n",
		    transport, ports, transport, ports);
	add_policy(out, r);
	buf_addf(out, " description \"%s\"\n", r->reason);
	add_policy(out, r);
	buf_add_str(out, " match");
	add_match(out, r, "source-address", &r->from);
	add_match(out, r, "destination-address", &r->to);
	if (r->allow)
		buf_addf(out, " application sp-%s-%s\n", transport, ports);
	else
		buf_add_str(out, " application any\n");
	add_policy(out, r);
	buf_addf(out, " then %s\n", r->allow ? "permit" : "deny");
	if (!r->allow) {
		add_policy(out, r);
		buf_add_str(out, " then log session-init\n");
	}
}

void
firewall_junos_write(struct buf *out, const struct firewall_plan *p,
    const struct firewall_format_opts *opts)
{
	(void)opts;
	firewall_format_header(out, p, "junos", "# ");
	buf_add_str(out,
	    "# Zones are called internet, perimeter and internal here: replace "
	    "them\n"
	    "# by yours.  What no policy names falls to the default, "
	    "deny-all.\n");
	for (size_t i = 0; i < p->count; i++)
		add_rule(out, &p->rules[i]);
	buf_add_str(out, "set security policies default-policy deny-all\n");
}
