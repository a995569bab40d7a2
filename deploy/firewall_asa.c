/* Object groups and one access list; since ASA 8.3 lists hold the addresses
 * hosts have, not those they are translated to. */
#include "deploy/firewall_format.h"

static void
add_group(struct buf *out, const struct firewall_rule *r, const char *which,
    const struct firewall_ends *ends)
{
	char address[PREFIX_TEXT], mask[PREFIX_TEXT];

	if (ends->count == 0)
		return;
	buf_addf(out, "object-group network %s-%s\n", r->name, which);
	for (size_t i = 0; i < ends->count; i++) {
		const struct prefix *p = &ends->list[i]->prefix;

		prefix_address(address, p);
		prefix_mask(mask, p);
		if (prefix_is_host(p))
			buf_addf(out, " network-object host %s\n", address);
		else if (p->family == AF_INET)
			buf_addf(out, " network-object %s %s\n", address, mask);
		else
			buf_addf(
			    out, " network-object %s/%u\n", address, p->bits);
	}
}

static void
add_end(struct buf *out, const struct firewall_rule *r, const char *which,
    const struct firewall_ends *ends)
{
	if (ends->count == 0)
		buf_add_str(out, r->family == AF_INET ? " any4" : " any6");
	else
		buf_addf(out, " object-group %s-%s", r->name, which);
}

static void
add_rule(struct buf *out, const struct firewall_rule *r)
{
	/* A remark holds 100 characters. */
	buf_addf(out, "access-list SALLYPORT remark %.90s\n", r->reason);
	buf_addf(out, "access-list SALLYPORT extended %s %s",
	    r->allow ? "permit" : "deny",
	    r->allow ? port_transport_name(r->transport) : "ip");
	add_end(out, r, "from", &r->from);
	add_end(out, r, "to", &r->to);
	if (r->allow && r->first == r->last)
		buf_addf(out, " eq %u", r->first);
	else if (r->allow)
		buf_addf(out, " range %u %u", r->first, r->last);
	buf_add_str(out, r->allow ? "\n" : " log\n");
}

void
firewall_asa_write(struct buf *out, const struct firewall_plan *p,
    const struct firewall_format_opts *opts)
{
	(void)opts;
	firewall_format_header(out, p, "asa", "! ");
	buf_add_str(out,
	    "! Addresses are the hosts' own, as in any list since ASA 8.3.\n"
	    "! Bind it with: access-group SALLYPORT global\n"
	    "! The last line refuses what no rule names; leave it out where "
	    "other\n! lists follow.\n!\n");
	for (size_t i = 0; i < p->count; i++) {
		add_group(out, &p->rules[i], "from", &p->rules[i].from);
		add_group(out, &p->rules[i], "to", &p->rules[i].to);
	}
	buf_add_str(out, "!\n");
	for (size_t i = 0; i < p->count; i++)
		add_rule(out, &p->rules[i]);
	buf_add_str(
	    out, "access-list SALLYPORT extended deny ip any any log\n");
}
