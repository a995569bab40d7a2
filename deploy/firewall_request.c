/* A form in plain text: what is asked for, why, by which document, and a place
 * to sign; and the plan as JSON. */
#include "deploy/firewall_format.h"

#include <jansson.h>
#include <stdlib.h>

static void
add_ends(struct buf *out, const char *title, const struct firewall_ends *ends)
{
	char text[PREFIX_TEXT], public[PREFIX_TEXT];

	if (ends->count == 0)
		buf_addf(out, "    %-9s any address outside\n", title);
	for (size_t i = 0; i < ends->count; i++) {
		const struct firewall_end *e = ends->list[i];

		prefix_text(text, &e->prefix);
		buf_addf(out, "    %-9s %s (%s, %s)", i == 0 ? title : "", text,
		    e->name, port_role_name(e->role));
		if (e->translated) {
			prefix_text(public, &e->public);
			buf_addf(out, ", public %s", public);
		}
		buf_add_char(out, '\n');
	}
}

static void
add_rule(struct buf *out, const struct firewall_plan *p, size_t i)
{
	const struct firewall_rule *r = &p->rules[i];
	char ports[16], sources[1200];

	port_range_text(ports, r->first, r->last);
	buf_addf(out, "\n%2zu. %s %s\n", i + 1, r->allow ? "ALLOW" : "REFUSE",
	    r->name);
	add_ends(out, "from", &r->from);
	add_ends(out, "to", &r->to);
	if (r->allow)
		buf_addf(out,
		    "    %-9s %s %s (%s), connections opened by the "
		    "first\n",
		    "port", port_transport_name(r->transport), ports,
		    r->row->protocol);
	else
		buf_addf(out, "    %-9s all\n", "port");
	buf_addf(out, "    %-9s %s\n", "why", r->reason);
	firewall_rules_sources(sources, sizeof(sources), p, r);
	if (sources[0] != '\0')
		buf_addf(out, "    %-9s %s\n", "source", sources);
	buf_add_str(
	    out, "    [ ] granted   [ ] refused because ____________\n");
}

void
firewall_request_write(struct buf *out, const struct firewall_plan *p,
    const struct firewall_format_opts *opts)
{
	(void)opts;
	firewall_format_header(out, p, "request", "");
	buf_add_str(out,
	    "\nREQUEST FOR FIREWALL RULES\n\n"
	    "XMPP federation for a Lync or Skype for Business pool.  The edges "
	    "stand in\n"
	    "the perimeter and speak with other companies; the gateways stand "
	    "inside and\n"
	    "connect to the edges.  Nothing connects from the perimeter "
	    "inside.\n"
	    "Rules are asked in this order; what none names stays refused.  "
	    "Answers on\n"
	    "established connections have to pass.\n");
	for (size_t i = 0; i < p->count; i++)
		add_rule(out, p, i);
	buf_add_str(out,
	    "\nRequested by ______________________  Date ____________\n"
	    "Approved by  ______________________  Date ____________\n");
}

static json_t *
json_ends(const struct firewall_ends *ends)
{
	char text[PREFIX_TEXT];
	json_t *out = json_array();

	for (size_t i = 0; i < ends->count; i++) {
		const struct firewall_end *e = ends->list[i];
		json_t *o;

		prefix_text(text, &e->prefix);
		o = json_pack("{s:s, s:s, s:s}", "name", e->name, "role",
		    port_role_name(e->role), "address", text);
		if (e->translated) {
			prefix_text(text, &e->public);
			json_object_set_new(o, "public", json_string(text));
		}
		json_array_append_new(out, o);
	}
	return out;
}

/* An empty list of ends is any address outside. */
void
firewall_json_write(struct buf *out, const struct firewall_plan *p,
    const struct firewall_format_opts *opts)
{
	json_t *rules = json_array(), *root;
	char *text;

	(void)opts;
	for (size_t i = 0; i < p->count; i++) {
		const struct firewall_rule *r = &p->rules[i];
		json_t *o = json_pack("{s:s, s:s, s:s, s:i, s:o, s:o}", "name",
		    r->name, "action", r->allow ? "allow" : "refuse", "reason",
		    r->reason, "family", r->family == AF_INET ? 4 : 6, "from",
		    json_ends(&r->from), "to", json_ends(&r->to));

		if (r->allow && o != NULL)
			json_object_update_new(o,
			    json_pack("{s:s, s:s, s:i, s:i}", "row", r->row->id,
				"transport", port_transport_name(r->transport),
				"first_port", (int)r->first, "last_port",
				(int)r->last));
		json_array_append_new(rules, o);
	}
	root = json_pack("{s:s, s:s, s:o}", "site", p->site->name, "topology",
	    port_topology_name(p->site->topology), "rules", rules);
	text = root != NULL ? json_dumps(root, JSON_INDENT(2)) : NULL;
	if (text != NULL)
		buf_addf(out, "%s\n", text);
	else
		out->failed = true;
	free(text);
	json_decref(root);
}
