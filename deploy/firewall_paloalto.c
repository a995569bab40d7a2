/* Set commands for PAN-OS.  A security rule matches the address a packet
 * carried when it arrived, so towards an edge behind NAT it names the public
 * one. */
#include "deploy/firewall_format.h"

#include <string.h>

static const struct prefix *
seen(const struct firewall_rule *r, const struct firewall_end *e, bool to)
{
	bool from_outside =
	    strcmp(firewall_format_zone(&r->from), "internet") == 0;

	return to && from_outside && e->translated ? &e->public : &e->prefix;
}

/* Objects may not have ":" and "/" in their names. */
static void
add_name(struct buf *out, const struct prefix *p)
{
	char text[PREFIX_TEXT];

	prefix_text(text, p);
	for (char *c = text; *c != '\0'; c++)
		if (*c == ':' || *c == '/')
			*c = '-';
	buf_addf(out, "sp-%s", text);
}

static void
add_objects(struct buf *out, const struct firewall_rule *r,
    const struct firewall_ends *ends, bool to)
{
	char address[PREFIX_TEXT];

	for (size_t i = 0; i < ends->count; i++) {
		const struct prefix *p = seen(r, ends->list[i], to);

		prefix_address(address, p);
		buf_add_str(out, "set address ");
		add_name(out, p);
		buf_addf(out, " ip-netmask %s/%u\n", address, p->bits);
	}
}

static void
add_list(struct buf *out, const struct firewall_rule *r, const char *key,
    const struct firewall_ends *ends, bool to)
{
	buf_addf(out, " %s", key);
	if (ends->count == 0) {
		buf_add_str(out, " any");
		return;
	}
	buf_add_str(out, " [");
	for (size_t i = 0; i < ends->count; i++) {
		buf_add_char(out, ' ');
		add_name(out, seen(r, ends->list[i], to));
	}
	buf_add_str(out, " ]");
}

static void
add_rule(struct buf *out, const struct firewall_rule *r)
{
	char ports[16];

	port_range_text(ports, r->first, r->last);
	add_objects(out, r, &r->from, false);
	add_objects(out, r, &r->to, true);
	if (r->allow)
		buf_addf(out, "set service sp-%s-%s protocol %s port %s\n",
		    port_transport_name(r->transport), ports,
		    port_transport_name(r->transport), ports);
	buf_addf(out, "set rulebase security rules %s from %s to %s", r->name,
	    firewall_format_zone(&r->from), firewall_format_zone(&r->to));
	add_list(out, r, "source", &r->from, false);
	add_list(out, r, "destination", &r->to, true);
	if (r->allow)
		buf_addf(out, " application any service sp-%s-%s action allow",
		    port_transport_name(r->transport), ports);
	else
		buf_add_str(out, " application any service any action deny");
	buf_addf(out, " log-end yes description \"%s\"\n", r->reason);
}

void
firewall_paloalto_write(struct buf *out, const struct firewall_plan *p,
    const struct firewall_format_opts *opts)
{
	(void)opts;
	firewall_format_header(out, p, "paloalto", "# ");
	buf_add_str(out,
	    "# Zones are called internet, perimeter and internal here: replace "
	    "them\n"
	    "# by yours.  Towards an edge behind NAT a rule names the public "
	    "address,\n"
	    "# since policies match what a packet carried when it arrived.\n");
	for (size_t i = 0; i < p->count; i++)
		add_rule(out, &p->rules[i]);
}
