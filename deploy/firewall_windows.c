/* PowerShell for the own firewalls of the Windows servers that Sallyport meets:
 * the front ends, and the Lync Edge Servers where the site names them.  A rule
 * made earlier by the same plan is replaced. */
#include "deploy/firewall_format.h"

#include <string.h>

static bool
is_windows(enum port_role role)
{
	return role == PORT_FRONT_ENDS || role == PORT_LYNC_ACCESS ||
	       role == PORT_LYNC_WEBCONF || role == PORT_LYNC_AV ||
	       role == PORT_LYNC_INTERNAL;
}

static bool
is_first(const struct firewall_site *s, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (is_windows(s->ends[k].role) &&
		    strcmp(s->ends[k].name, s->ends[i].name) == 0)
			return false;
	return true;
}

/* A single-quoted string of PowerShell. */
static void
add_quoted(struct buf *out, const char *s)
{
	buf_add_char(out, '\'');
	for (; *s != '\0'; s++) {
		if (*s == '\'')
			buf_add_char(out, '\'');
		buf_add_char(out, *s);
	}
	buf_add_char(out, '\'');
}

static void
add_list(struct buf *out, const struct firewall_ends *ends, const char *name)
{
	char text[PREFIX_TEXT];
	bool first = true;

	if (ends->count == 0)
		buf_add_str(out, "Any");
	for (size_t i = 0; i < ends->count; i++) {
		if (name != NULL && strcmp(ends->list[i]->name, name) != 0)
			continue;
		prefix_text(text, &ends->list[i]->prefix);
		buf_addf(out, "%s%s", first ? "" : ",", text);
		first = false;
	}
}

static bool
has_host(const struct firewall_ends *ends, const char *name)
{
	for (size_t i = 0; i < ends->count; i++)
		if (is_windows(ends->list[i]->role) &&
		    strcmp(ends->list[i]->name, name) == 0)
			return true;
	return false;
}

static void
add_rule(struct buf *out, const struct firewall_rule *r, const char *name,
    bool inward)
{
	const char *transport = r->transport == PORT_TCP ? "TCP" : "UDP";
	char ports[16];

	port_range_text(ports, r->first, r->last);
	buf_addf(out,
	    "\t\tAdd-Rule -DisplayName '%s' -Direction %s `\n"
	    "\t\t    -Protocol %s -%sPort %s -LocalAddress ",
	    r->name, inward ? "Inbound" : "Outbound", transport,
	    inward ? "Local" : "Remote", ports);
	add_list(out, inward ? &r->to : &r->from, name);
	buf_add_str(out, " `\n\t\t    -RemoteAddress ");
	add_list(out, inward ? &r->from : &r->to, NULL);
	buf_add_str(out, " `\n\t\t    -Description ");
	add_quoted(out, r->reason);
	buf_add_char(out, '\n');
}

static void
add_host(struct buf *out, const struct firewall_plan *p, const char *name)
{
	buf_addf(out, "\t'%s' {\n", name);
	for (size_t i = 0; i < p->count; i++) {
		const struct firewall_rule *r = &p->rules[i];

		if (r->allow && has_host(&r->to, name))
			add_rule(out, r, name, true);
		if (r->allow && has_host(&r->from, name))
			add_rule(out, r, name, false);
	}
	buf_add_str(out, "\t}\n");
}

void
firewall_windows_write(struct buf *out, const struct firewall_plan *p,
    const struct firewall_format_opts *opts)
{
	const struct firewall_site *s = p->site;

	(void)opts;
	firewall_format_header(out, p, "windows", "# ");
	buf_add_str(out,
	    "# Run it as administrator on each Windows server:\n"
	    "#   .\\firewall.ps1 -Server fe1.contoso.example\n"
	    "param([Parameter(Mandatory)][string]$Server)\n"
	    "$ErrorActionPreference = 'Stop'\n"
	    "\n"
	    "function Add-Rule {\n"
	    "\tNew-NetFirewallRule -Group 'Sallyport' -Action Allow "
	    "-Profile Any @args |\n"
	    "\t    Out-Null\n"
	    "}\n"
	    "\n"
	    "Get-NetFirewallRule -Group 'Sallyport' "
	    "-ErrorAction SilentlyContinue |\n"
	    "    Remove-NetFirewallRule\n"
	    "switch ($Server) {\n");
	for (size_t i = 0; i < s->count; i++)
		if (is_windows(s->ends[i].role) && is_first(s, i))
			add_host(out, p, s->ends[i].name);
	buf_add_str(
	    out, "\tdefault { throw \"no server $Server in this plan\" }\n}\n");
}
