/* A script for the hosts' own firewalls: each of our hosts gets a zone that
 * drops what its rules do not name.  The zone takes effect only when an
 * interface is put into it, which stays with the administrator, who may be
 * connected through it. */
#include "deploy/firewall_format.h"

#include <string.h>

static bool
is_ours(enum port_role role)
{
	return role == PORT_EDGE_EXTERNAL || role == PORT_EDGE_INTERNAL ||
	       role == PORT_GATEWAYS;
}

/* True if no earlier end is of the same host. */
static bool
is_first(const struct firewall_site *s, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (is_ours(s->ends[k].role) &&
		    strcmp(s->ends[k].name, s->ends[i].name) == 0)
			return false;
	return true;
}

static void
add_rich(struct buf *out, const struct firewall_rule *r,
    const struct firewall_end *own, const struct firewall_end *peer)
{
	char text[PREFIX_TEXT], ports[16];

	buf_addf(out, "\t$add --add-rich-rule='rule family=\"%s\"",
	    r->family == AF_INET ? "ipv4" : "ipv6");
	if (peer != NULL) {
		prefix_text(text, &peer->prefix);
		buf_addf(out, " source address=\"%s\"", text);
	}
	prefix_text(text, &own->prefix);
	port_range_text(ports, r->first, r->last);
	buf_addf(out,
	    " destination address=\"%s\" port port=\"%s\" protocol=\"%s\""
	    " accept'\n",
	    text, ports, port_transport_name(r->transport));
}

/* What the host of end i accepts. */
static void
add_host(struct buf *out, const struct firewall_plan *p, const char *name)
{
	buf_addf(out, "%s)\n", name);
	for (size_t i = 0; i < p->count; i++) {
		const struct firewall_rule *r = &p->rules[i];
		bool told = false;

		for (size_t k = 0; r->allow && k < r->to.count; k++) {
			const struct firewall_end *own = r->to.list[k];

			if (strcmp(own->name, name) != 0 || !is_ours(own->role))
				continue;
			if (!told)
				buf_addf(
				    out, "\t# %s: %s\n", r->name, r->reason);
			told = true;
			if (r->from.count == 0)
				add_rich(out, r, own, NULL);
			for (size_t f = 0; f < r->from.count; f++)
				add_rich(out, r, own, r->from.list[f]);
		}
	}
	buf_add_str(out, "\t;;\n");
}

void
firewall_firewalld_write(struct buf *out, const struct firewall_plan *p,
    const struct firewall_format_opts *opts)
{
	const struct firewall_site *s = p->site;

	(void)opts;
	buf_add_str(out, "#!/bin/sh\n");
	firewall_format_header(out, p, "firewalld", "# ");
	buf_add_str(out,
	    "# What each host of ours accepts: run it as root on the host, "
	    "with "
	    "the\n"
	    "# host's name.  What hosts may connect to is for the firewalls "
	    "between.\n"
	    "# The zone drops everything else, your own login included: add a "
	    "rule\n"
	    "# for that before you put an interface into the zone, by\n"
	    "#   firewall-cmd --permanent --zone=sallyport "
	    "--change-interface=NAME\n"
	    "#   firewall-cmd --reload\n"
	    "set -eu\n"
	    "\n"
	    "zone='firewall-cmd --permanent --zone=sallyport'\n"
	    "add=\"$zone\"\n"
	    "firewall-cmd --permanent --get-zones | grep -qw sallyport ||\n"
	    "\tfirewall-cmd --permanent --new-zone=sallyport\n"
	    "$zone --set-target=DROP\n"
	    "\n"
	    "case ${1:?usage: sh FILE HOST} in\n");
	for (size_t i = 0; i < s->count; i++)
		if (is_ours(s->ends[i].role) && is_first(s, i))
			add_host(out, p, s->ends[i].name);
	buf_add_str(out, "*)\n\techo \"no host $1 in this plan\" >&2\n"
			 "\texit 1\n\t;;\nesac\n");
}
