/* The list of formats, and what their writers share. */
#include "deploy/firewall_format.h"

#include <string.h>

static const struct firewall_format formats[] = {
	{ "nftables", "a Linux router between the networks: nft -f", true, true,
	    firewall_nftables_write },
	{ "iptables", "the same, older: iptables-restore --noflush", true, true,
	    firewall_iptables_write },
	{ "ip6tables", "its IPv6 half: ip6tables-restore --noflush", true,
	    false, firewall_iptables_write6 },
	{ "firewalld", "the own firewall of edges and gateways: a script", true,
	    false, firewall_firewalld_write },
	{ "windows", "the own firewall of Windows servers: PowerShell", false,
	    false, firewall_windows_write },
	{ "asa", "Cisco ASA 9", false, false, firewall_asa_write },
	{ "paloalto", "Palo Alto PAN-OS, set commands", false, false,
	    firewall_paloalto_write },
	{ "junos", "Juniper SRX, set commands", false, false,
	    firewall_junos_write },
	{ "request", "a form for a network team to read and sign", true, false,
	    firewall_request_write },
	{ "json", "for programs", true, false, firewall_json_write },
};

enum { FORMATS = sizeof(formats) / sizeof(formats[0]) };

const struct firewall_format *
firewall_format_at(size_t i)
{
	return i < FORMATS ? &formats[i] : NULL;
}

const struct firewall_format *
firewall_format_find(const char *name)
{
	for (size_t i = 0; i < FORMATS; i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	return NULL;
}

void
firewall_format_header(struct buf *out, const struct firewall_plan *p,
    const char *name, const char *mark)
{
	const struct firewall_format *f = firewall_format_find(name);

	buf_addf(out, "%s%s\n", mark, p->site->name);
	buf_addf(out,
	    "%sTopology %s; made by sallyport firewall plan "
	    "--format %s.\n",
	    mark, port_topology_name(p->site->topology), name);
	if (!f->checked)
		buf_addf(out,
		    "%sNOT TRIED ON A DEVICE: read it before you load it, and "
		    "load it\n%swhere you can take it back.\n",
		    mark, mark);
}

void
firewall_format_ends(struct buf *out, const struct firewall_ends *ends,
    const char *sep, const char *any)
{
	char text[PREFIX_TEXT];

	if (ends->count == 0)
		buf_add_str(out, any);
	for (size_t i = 0; i < ends->count; i++) {
		prefix_text(text, &ends->list[i]->prefix);
		buf_addf(out, "%s%s", i > 0 ? sep : "", text);
	}
}

const char *
firewall_format_zone(const struct firewall_ends *ends)
{
	enum port_role role =
	    ends->count > 0 ? ends->list[0]->role : PORT_INTERNET;

	if (firewall_site_is_inside(role))
		return "internal";
	return firewall_site_is_perimeter(role) ? "perimeter" : "internet";
}
