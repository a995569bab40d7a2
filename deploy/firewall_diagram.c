/* Three columns: internet, perimeter, internal network, with the two firewalls
 * between them.  A box stands for one role and lists its hosts; an arrow stands
 * for all rules from one box to another and carries their ports.  Boxes of a
 * column are stacked; each arrow has a place of its own along the edges of the
 * boxes, so that no label covers another. */
#include "deploy/firewall_diagram.h"

#include <stdio.h>
#include <string.h>

enum {
	COLUMNS = 3,
	COLUMN_WIDTH = 310,
	GAP = 280, /* between columns: room for labels */
	MARGIN = 24,
	TOP = 92,
	LINE = 17,
	BOX_HEAD = 30,
	BOX_GAP = 34,
	ARROW = 32, /* height an arrow takes along an edge */
	ARROWS_MAX = 64
};

struct box {
	bool shown;
	int column;
	int x, y, height;
	int left, right; /* arrows placed at either edge */
	int left_all, right_all;
	int below; /* arrows to a box of the same column */
	size_t lines;
};

struct arrow {
	enum port_role from, to;
	char label[120];
	int kind; /* 0 = to the right, 1 = to the left, 2 = in the column */
};

struct picture {
	const struct firewall_plan *plan;
	struct box boxes[PORT_ROLE_COUNT];
	struct arrow arrows[ARROWS_MAX];
	size_t arrow_count;
	int height;
};

static const char *const titles[PORT_ROLE_COUNT] = {
	[PORT_INTERNET] = "Anybody outside",
	[PORT_PARTNERS] = "XMPP partners",
	[PORT_RESOLVERS] = "Name servers",
	[PORT_EDGE_EXTERNAL] = "Sallyport edges, outer side",
	[PORT_EDGE_VIP] = "Load balancer, outer side",
	[PORT_LOAD_BALANCER] = "Load balancer, towards the edges",
	[PORT_EDGE_INTERNAL] = "Sallyport edges, inner side",
	[PORT_GATEWAYS] = "Sallyport gateways",
	[PORT_FRONT_ENDS] = "Front ends of the pool",
	[PORT_INSIDE] = "Internal networks",
	[PORT_LYNC_ACCESS] = "Lync Access Edge",
	[PORT_LYNC_ACCESS_VIP] = "Lync Access Edge, load balancer",
	[PORT_LYNC_WEBCONF] = "Lync Web Conferencing Edge",
	[PORT_LYNC_WEBCONF_VIP] = "Lync Web Conferencing, balanced",
	[PORT_LYNC_AV] = "Lync A/V Edge",
	[PORT_LYNC_AV_VIP] = "Lync A/V Edge, load balancer",
	[PORT_LYNC_INTERNAL] = "Lync Edge Servers, inner side",
	[PORT_LYNC_INTERNAL_VIP] = "Lync Edge, inner load balancer",
};

/* --- what is shown -------------------------------------------------------- */

static int
column_of(enum port_role role)
{
	if (firewall_site_is_inside(role))
		return 2;
	return firewall_site_is_perimeter(role) ? 1 : 0;
}

/* Ends of a role, or one line for "any address". */
static size_t
lines_of(const struct firewall_site *s, enum port_role role)
{
	size_t n = 0;

	for (size_t i = 0; i < s->count; i++)
		if (s->ends[i].role == role)
			n += s->ends[i].translated ? 2 : 1;
	return n > 0 ? n : 1;
}

/* The box an end of a row stands for in this site. */
static enum port_role
box_of(const struct firewall_site *s, enum port_role role)
{
	if (role == PORT_LOAD_BALANCER && !firewall_site_has(s, role))
		return PORT_PARTNERS;
	return role;
}

static void
add_arrow(struct picture *pic, const struct firewall_rule *r)
{
	const struct firewall_site *s = pic->plan->site;
	enum port_role from = box_of(s, r->row->from);
	enum port_role to = box_of(s, r->row->to);
	char port[40], ports[16];
	struct arrow *a = NULL;
	size_t len;

	port_range_text(ports, r->first, r->last);
	snprintf(port, sizeof(port), "%s %s", port_transport_name(r->transport),
	    ports);
	for (size_t i = 0; i < pic->arrow_count; i++)
		if (pic->arrows[i].from == from && pic->arrows[i].to == to)
			a = &pic->arrows[i];
	if (a == NULL && pic->arrow_count < ARROWS_MAX) {
		a = &pic->arrows[pic->arrow_count++];
		*a = (struct arrow){ .from = from, .to = to };
	}
	if (a == NULL || strstr(a->label, port) != NULL)
		return;
	len = strlen(a->label);
	snprintf(a->label + len, sizeof(a->label) - len, "%s%s",
	    len > 0 ? ", " : "", port);
}

static void
collect(struct picture *pic)
{
	for (size_t i = 0; i < pic->plan->count; i++)
		if (pic->plan->rules[i].allow)
			add_arrow(pic, &pic->plan->rules[i]);
	for (size_t i = 0; i < pic->arrow_count; i++) {
		struct arrow *a = &pic->arrows[i];
		struct box *from = &pic->boxes[a->from];
		struct box *to = &pic->boxes[a->to];

		from->shown = to->shown = true;
		from->column = column_of(a->from);
		to->column = column_of(a->to);
		a->kind = 2;
		if (from->column < to->column) {
			a->kind = 0;
			from->right_all++;
			to->left_all++;
		} else if (from->column > to->column) {
			a->kind = 1;
			from->left_all++;
			to->right_all++;
		} else {
			from->below++;
		}
	}
}

/* --- where ---------------------------------------------------------------- */

static void
place(struct picture *pic)
{
	int y[COLUMNS] = { TOP, TOP, TOP };

	for (int i = 0; i < PORT_ROLE_COUNT; i++) {
		struct box *b = &pic->boxes[i];
		int most =
		    b->left_all > b->right_all ? b->left_all : b->right_all;

		if (!b->shown)
			continue;
		b->lines = lines_of(pic->plan->site, (enum port_role)i);
		b->height = BOX_HEAD + (int)b->lines * LINE + 10;
		if (b->height < (most + 1) * ARROW + ARROW / 2)
			b->height = (most + 1) * ARROW + ARROW / 2;
		b->x = MARGIN + b->column * (COLUMN_WIDTH + GAP);
		b->y = y[b->column];
		/* Arrows within the column need room for their labels. */
		y[b->column] += b->height + BOX_GAP + (b->below > 0 ? 30 : 0);
		if (y[b->column] > pic->height)
			pic->height = y[b->column];
	}
	pic->height += MARGIN;
}

/* --- drawing -------------------------------------------------------------- */

/* Text of a description may hold anything: XML's own characters go. */
static void
add_text(struct buf *out, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '<')
			buf_add_str(out, "&lt;");
		else if (*s == '>')
			buf_add_str(out, "&gt;");
		else if (*s == '&')
			buf_add_str(out, "&amp;");
		else if ((unsigned char)*s >= ' ')
			buf_add_char(out, *s);
	}
}

static void
draw_line(struct buf *out, const struct box *b, size_t line, const char *text,
    const char *class)
{
	buf_addf(out, "<text class=\"%s\" x=\"%d\" y=\"%d\">", class, b->x + 12,
	    b->y + BOX_HEAD + 12 + (int)line * LINE);
	add_text(out, text);
	buf_add_str(out, "</text>\n");
}

static void
draw_box(struct buf *out, const struct firewall_site *s, enum port_role role,
    const struct box *b)
{
	bool ours = role == PORT_EDGE_EXTERNAL || role == PORT_EDGE_INTERNAL ||
		    role == PORT_GATEWAYS;
	char address[PREFIX_TEXT], text[300];
	size_t line = 0;

	buf_addf(out,
	    "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" "
	    "rx=\"6\"/>\n"
	    "<text class=\"title\" x=\"%d\" y=\"%d\">%s</text>\n",
	    ours ? "ours" : "box", b->x, b->y, COLUMN_WIDTH, b->height,
	    b->x + 12, b->y + 21, titles[role]);
	for (size_t i = 0; i < s->count; i++) {
		const struct firewall_end *e = &s->ends[i];

		if (e->role != role)
			continue;
		prefix_text(address, &e->prefix);
		snprintf(text, sizeof(text), "%.28s  %s", e->name, address);
		draw_line(out, b, line++, text, "host");
		if (!e->translated)
			continue;
		prefix_text(address, &e->public);
		snprintf(text, sizeof(text), "    seen outside as %s", address);
		draw_line(out, b, line++, text, "note");
	}
	if (line == 0)
		draw_line(out, b, 0, "any address", "note");
}

static void
draw_label(struct buf *out, int x, int y, const char *anchor, const char *text)
{
	buf_addf(out,
	    "<text class=\"port\" x=\"%d\" y=\"%d\" text-anchor=\"%s\">%s"
	    "</text>\n",
	    x, y, anchor, text);
}

/* Between columns: a line with a step in the middle, if need be. */
static void
draw_across(struct buf *out, struct picture *pic, const struct arrow *a)
{
	struct box *from = &pic->boxes[a->from], *to = &pic->boxes[a->to];
	bool right = a->kind == 0;
	int *place_from = right ? &from->right : &from->left;
	int *place_to = right ? &to->left : &to->right;
	/* Lines to the left never lie on lines to the right. */
	int shift = right ? 0 : ARROW / 2;
	int y1 = from->y + ARROW * (*place_from + 1) + shift;
	int y2 = to->y + ARROW * (*place_to + 1) + shift;
	int x1 = right ? from->x + COLUMN_WIDTH : from->x;
	int x2 = right ? to->x - 2 : to->x + COLUMN_WIDTH + 2;

	(*place_from)++;
	(*place_to)++;
	buf_addf(out,
	    "<path class=\"flow\" d=\"M%d %d L%d %d L%d %d L%d %d\"/>\n", x1,
	    y1, right ? x1 + 10 : x1 - 10, y1, right ? x1 + 40 : x1 - 40, y2,
	    x2, y2);
	draw_label(out, right ? x2 - 50 : x2 + 50, y2 - 5,
	    right ? "end" : "start", a->label);
}

/* In one column: beside each other below the upper box; labels left of one
 * that leads down and right of one that leads up. */
static void
draw_within(struct buf *out, struct picture *pic, const struct arrow *a)
{
	const struct box *from = &pic->boxes[a->from];
	const struct box *to = &pic->boxes[a->to];
	bool down = from->y < to->y;
	int x = from->x + COLUMN_WIDTH / 2 + (down ? -20 : 20);
	int y1 = down ? from->y + from->height : from->y;
	int y2 = down ? to->y - 2 : to->y + to->height + 2;

	buf_addf(
	    out, "<path class=\"flow\" d=\"M%d %d L%d %d\"/>\n", x, y1, x, y2);
	draw_label(out, down ? x - 8 : x + 8, (down ? to->y : from->y) - 26,
	    down ? "end" : "start", a->label);
}

static void
draw_columns(struct buf *out, const struct picture *pic)
{
	static const char *const names[COLUMNS] = { "Internet", "Perimeter",
		"Internal network" };
	static const char *const walls[] = { "outer firewall",
		"inner firewall" };

	for (int i = 0; i < COLUMNS; i++) {
		int x = MARGIN + i * (COLUMN_WIDTH + GAP);

		buf_addf(out,
		    "<text class=\"column\" x=\"%d\" y=\"72\">%s</text>\n", x,
		    names[i]);
		if (i == 0)
			continue;
		x -= GAP / 2;
		buf_addf(out,
		    "<rect class=\"wall\" x=\"%d\" y=\"80\" width=\"8\" "
		    "height=\"%d\"/>\n"
		    "<text class=\"note\" x=\"%d\" y=\"72\" "
		    "text-anchor=\"middle\">%s</text>\n",
		    x - 4, pic->height - 80 - MARGIN, x, walls[i - 1]);
	}
}

void
firewall_diagram_write(struct buf *out, const struct firewall_plan *p)
{
	struct picture pic = { .plan = p };
	int width = 2 * MARGIN + COLUMNS * COLUMN_WIDTH + 2 * GAP;

	collect(&pic);
	place(&pic);
	buf_addf(out,
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
	    "height=\"%d\" viewBox=\"0 0 %d %d\">\n"
	    "<style>\n"
	    "text { font: 13px sans-serif; fill: #222; }\n"
	    ".name { font-size: 18px; font-weight: bold; }\n"
	    ".column { font-size: 15px; fill: #555; }\n"
	    ".title { font-weight: bold; }\n"
	    ".note, .port { fill: #555; font-size: 12px; }\n"
	    ".port { fill: #1a4f8a; stroke: white; stroke-width: 4px; "
	    "paint-order: stroke; }\n"
	    ".box { fill: #f4f4f4; stroke: #888; }\n"
	    ".ours { fill: #e3eefb; stroke: #1a4f8a; stroke-width: 2; }\n"
	    ".wall { fill: #d9b8a8; }\n"
	    ".flow { fill: none; stroke: #1a4f8a; stroke-width: 1.5; "
	    "marker-end: url(#tip); }\n"
	    "</style>\n"
	    "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" "
	    "refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" "
	    "orient=\"auto\"><path d=\"M0 0 L8 4 L0 8 z\" "
	    "fill=\"#1a4f8a\"/></marker></defs>\n"
	    "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
	    "<text class=\"name\" x=\"%d\" y=\"34\">",
	    width, pic.height, width, pic.height, MARGIN);
	add_text(out, p->site->name);
	buf_add_str(out, "</text>\n");
	draw_columns(out, &pic);
	for (int i = 0; i < PORT_ROLE_COUNT; i++)
		if (pic.boxes[i].shown)
			draw_box(
			    out, p->site, (enum port_role)i, &pic.boxes[i]);
	for (size_t i = 0; i < pic.arrow_count; i++) {
		if (pic.arrows[i].kind == 2)
			draw_within(out, &pic, &pic.arrows[i]);
		else
			draw_across(out, &pic, &pic.arrows[i]);
	}
	buf_add_str(out, "</svg>\n");
}
