/* For iptables-restore and ip6tables-restore: one line for each pair of ends,
 * as the program itself would take lists apart. */
#include "deploy/firewall_format.h"

static void
add_address(struct buf *out, const char *flag, const struct firewall_ends *ends,
    size_t i)
{
	char text[PREFIX_TEXT];

	if (ends->count == 0)
		return;
	prefix_text(text, &ends->list[i]->prefix);
	buf_addf(out, " %s %s", flag, text);
}

static void
add_pair(struct buf *out, const struct firewall_rule *r, size_t a, size_t b)
{
	const char *transport = port_transport_name(r->transport);

	buf_add_str(out, "-A FORWARD");
	add_address(out, "-s", &r->from, a);
	add_address(out, "-d", &r->to, b);
	if (r->allow) {
		buf_addf(out, " -p %s -m %s --dport %u", transport, transport,
		    r->first);
		if (r->last != r->first)
			buf_addf(out, ":%u", r->last);
		buf_add_str(out, " -m conntrack --ctstate NEW");
	}
	buf_addf(out, " -m comment --comment \"%s\" -j %s\n", r->name,
	    r->allow ? "ACCEPT" : "DROP");
}

/* What comes to the public address of an edge, to one of its ports. */
static void
add_inward(struct buf *out, const char *public, uint16_t port, const char *own)
{
	buf_addf(out,
	    "-A PREROUTING -d %s -p tcp -m tcp --dport %u "
	    "-j DNAT --to-destination %s\n",
	    public, port, own);
}

static void
add_nat(struct buf *out, const struct firewall_site *s)
{
	char own[PREFIX_TEXT], public[PREFIX_TEXT];

	buf_add_str(out, "\n*nat\n");
	for (size_t i = 0; i < s->count; i++) {
		if (!s->ends[i].translated ||
		    s->ends[i].prefix.family != AF_INET)
			continue;
		prefix_text(own, &s->ends[i].prefix);
		prefix_text(public, &s->ends[i].public);
		add_inward(out, public, s->ports[PORT_SET_XMPP], own);
		if (firewall_site_has_feature(s, "direct-tls"))
			add_inward(out, public, s->ports[PORT_SET_DIRECT], own);
		buf_addf(out, "-A POSTROUTING -s %s -j SNAT --to-source %s\n",
		    own, public);
	}
	buf_add_str(out, "COMMIT\n");
}

static void
write_family(struct buf *out, const struct firewall_plan *p, int family)
{
	size_t others = 0;

	for (size_t i = 0; i < p->count; i++)
		others += p->rules[i].family != family;
	firewall_format_header(
	    out, p, family == AF_INET ? "iptables" : "ip6tables", "# ");
	buf_add_str(out,
	    "# The whole FORWARD policy of a router between internet,\n"
	    "# perimeter and internal network; other chains stay as they "
	    "are.\n");
	if (others > 0)
		buf_addf(out,
		    "# %zu rules are for the other address family: "
		    "--format %s.\n",
		    others, family == AF_INET ? "ip6tables" : "iptables");
	buf_add_str(out,
	    "*filter\n"
	    ":FORWARD DROP [0:0]\n"
	    "-F FORWARD\n"
	    "-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\n"
	    "-A FORWARD -m conntrack --ctstate INVALID -j DROP\n");
	for (size_t i = 0; i < p->count; i++) {
		const struct firewall_rule *r = &p->rules[i];

		if (r->family != family)
			continue;
		buf_addf(out, "# %s\n", r->reason);
		for (size_t a = 0; a == 0 || a < r->from.count; a++)
			for (size_t b = 0; b == 0 || b < r->to.count; b++)
				add_pair(out, r, a, b);
	}
	buf_add_str(out,
	    "# everything else\n"
	    "-A FORWARD -m limit --limit 10/min --limit-burst 20 "
	    "-j LOG --log-prefix \"sallyport refused: \"\n"
	    "-A FORWARD -m comment --comment \"sp-refused\" -j DROP\n"
	    "COMMIT\n");
}

void
firewall_iptables_write(struct buf *out, const struct firewall_plan *p,
    const struct firewall_format_opts *opts)
{
	write_family(out, p, AF_INET);
	if (opts->nat)
		add_nat(out, p->site);
}

void
firewall_iptables_write6(struct buf *out, const struct firewall_plan *p,
    const struct firewall_format_opts *opts)
{
	(void)opts;
	write_family(out, p, AF_INET6);
}
