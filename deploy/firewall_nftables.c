/* One table with one chain that all forwarded packets pass.  Loading it again
 * replaces it as a whole. */
#include "deploy/firewall_format.h"

/* "ip saddr 10.1.0.5 " or "ip saddr { 10.1.0.5, 10.1.0.6 } ". */
static void
add_ends(struct buf *out, const struct firewall_rule *r,
    const struct firewall_ends *ends, const char *field)
{
	if (ends->count == 0)
		return;
	buf_addf(out, "%s %s ", r->family == AF_INET ? "ip" : "ip6", field);
	buf_add_str(out, ends->count > 1 ? "{ " : "");
	firewall_format_ends(out, ends, ", ", "");
	buf_add_str(out, ends->count > 1 ? " } " : " ");
}

static void
add_rule(struct buf *out, const struct firewall_rule *r)
{
	char ports[16];

	buf_addf(out, "\n\t\t# %s\n\t\t", r->reason);
	add_ends(out, r, &r->from, "saddr");
	add_ends(out, r, &r->to, "daddr");
	if (!r->allow) {
		buf_addf(out, "counter drop comment \"%s\"\n", r->name);
		return;
	}
	port_range_text(ports, r->first, r->last);
	buf_addf(out,
	    "%s dport %s ct state new counter accept comment \"%s\"\n",
	    port_transport_name(r->transport), ports, r->name);
}

/* What comes to the public address of an edge, to one of its ports. */
static void
add_inward(struct buf *out, const struct firewall_end *e, uint16_t port)
{
	const char *family = e->prefix.family == AF_INET ? "ip" : "ip6";
	char own[PREFIX_TEXT], public[PREFIX_TEXT];

	prefix_text(own, &e->prefix);
	prefix_text(public, &e->public);
	buf_addf(out, "\t\t%s daddr %s tcp dport %u dnat %s to %s\n", family,
	    public, port, family, own);
}

static void
add_nat(struct buf *out, const struct firewall_site *s)
{
	char own[PREFIX_TEXT], public[PREFIX_TEXT];

	buf_add_str(out, "\n\tchain inward {\n"
			 "\t\ttype nat hook prerouting priority dstnat;\n");
	for (size_t i = 0; i < s->count; i++) {
		if (!s->ends[i].translated)
			continue;
		add_inward(out, &s->ends[i], s->ports[PORT_SET_XMPP]);
		if (firewall_site_has_feature(s, "direct-tls"))
			add_inward(out, &s->ends[i], s->ports[PORT_SET_DIRECT]);
	}
	buf_add_str(out, "\t}\n\n\tchain outward {\n"
			 "\t\ttype nat hook postrouting priority srcnat;\n");
	for (size_t i = 0; i < s->count; i++) {
		if (!s->ends[i].translated)
			continue;
		prefix_text(own, &s->ends[i].prefix);
		prefix_text(public, &s->ends[i].public);
		buf_addf(out, "\t\t%s saddr %s snat %s to %s\n",
		    s->ends[i].prefix.family == AF_INET ? "ip" : "ip6", own,
		    s->ends[i].prefix.family == AF_INET ? "ip" : "ip6", public);
	}
	buf_add_str(out, "\t}\n");
}

void
firewall_nftables_write(struct buf *out, const struct firewall_plan *p,
    const struct firewall_format_opts *opts)
{
	buf_add_str(out, "#!/usr/sbin/nft -f\n");
	firewall_format_header(out, p, "nftables", "# ");
	buf_add_str(out,
	    "# The whole policy of a router that forwards between internet,\n"
	    "# perimeter and internal network: what no rule names is dropped.\n"
	    "\n"
	    "table inet sallyport\n"
	    "delete table inet sallyport\n"
	    "table inet sallyport {\n"
	    "\tchain forward {\n"
	    "\t\ttype filter hook forward priority filter; policy drop;\n"
	    "\n"
	    "\t\t# answers, and errors about what is allowed\n"
	    "\t\tct state established,related accept\n"
	    "\t\tct state invalid drop\n");
	for (size_t i = 0; i < p->count; i++)
		add_rule(out, &p->rules[i]);
	buf_add_str(out, "\n\t\t# everything else\n"
			 "\t\tlimit rate 10/minute burst 20 packets "
			 "log prefix \"sallyport refused: \"\n"
			 "\t\tcounter drop comment \"sp-refused\"\n"
			 "\t}\n");
	if (opts->nat)
		add_nat(out, p->site);
	buf_add_str(out, "}\n");
}
