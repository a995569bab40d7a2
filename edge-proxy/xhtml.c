/* Reducing walks the tree and writes what is allowed. */
#include "edge-proxy/xhtml.h"

#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/xml.h"
#include "edge-proxy/stanza_ns.h"
#include "proto/rich_body.h"

static void
write_attrs(struct buf *out, const char *name, const struct xml_elem *e)
{
	const char *href = xml_attr(e, "href"), *style = xml_attr(e, "style");
	struct buf reduced;

	if (strcmp(name, "a") == 0 && href != NULL &&
	    rich_body_href_allowed(href, strlen(href))) {
		buf_add_str(out, " href='");
		xml_escape_attr(out, href, strlen(href));
		buf_add_char(out, '\'');
	}
	if (style == NULL || strcmp(name, "br") == 0)
		return;
	buf_init(&reduced, RICH_BODY_STYLE_MAX);
	rich_body_reduce_style(&reduced, style);
	if (reduced.len > 0)
		buf_addf(out, " style='%.*s'", (int)reduced.len,
		    (const char *)reduced.data);
	buf_finish(&reduced);
}

static int
reduce_children(struct buf *out, const struct xml_elem *e, unsigned depth);

static int
reduce_element(struct buf *out, const struct xml_elem *e, unsigned depth)
{
	const char *name, *alt;
	size_t inner;
	int rc;

	if (strcmp(e->ns, NS_XHTML) != 0 ||
	    rich_body_dropped(e->name, strlen(e->name)))
		return 0;
	if (strcmp(e->name, "img") == 0) {
		alt = xml_attr(e, "alt");
		return alt != NULL ? xml_escape_text(out, alt, strlen(alt)) : 0;
	}
	name = rich_body_element(e->name, strlen(e->name));
	if (name == NULL || depth >= RICH_BODY_DEPTH_MAX)
		return reduce_children(out, e, depth);
	buf_addf(out, "<%s", name);
	write_attrs(out, name, e);
	if (e->first == NULL || strcmp(name, "br") == 0)
		return buf_add_str(out, "/>");
	buf_add_char(out, '>');
	inner = out->len;
	rc = reduce_children(out, e, depth + 1);
	if (rc < 0)
		return rc;
	if (out->len > inner || buf_failed(out))
		return buf_addf(out, "</%s>", name);
	/* Nothing of it passes: as if it had been empty. */
	out->len--;
	return buf_add_str(out, "/>");
}

/* The parser bounds the depth of trees; so recursion is bounded too. */
static int
reduce_children(struct buf *out, const struct xml_elem *e, unsigned depth)
{
	const struct xml_node *n;
	int rc = 0;

	for (n = e->first; n != NULL && rc == 0; n = n->next) {
		if (n->elem != NULL)
			rc = reduce_element(out, n->elem, depth);
		else
			rc = xml_escape_text(out, n->text, n->text_len);
	}
	return rc;
}

int
xhtml_reduce(struct buf *out, const struct xml_elem *body)
{
	return reduce_children(out, body, 0);
}
