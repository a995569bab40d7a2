/*
 * Expat's events become a tree.  An element that was cut out of a document is
 * put into one again, whose root declares the namespace; what closes that root
 * from within leaves its own end behind it, which is not well-formed.
 */
#include "common/xml_parse.h"

#include <stdbool.h>
#include <string.h>

#define XML_DTD 1 /* expat.h hides the protections otherwise */
#include <expat.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/xml.h"

enum { SEPARATOR = 1, URI_MAX = 1024 };

struct parse {
	XML_Parser parser;
	struct xml_arena *arena;
	struct xml_elem *root, *current;
	unsigned depth;
	const char *outer_ns; /* of an element that is put into a document */
	bool head;            /* no more than the root is wanted */
	int rc;
};

static void
stop(struct parse *p, int rc)
{
	p->rc = rc;
	XML_StopParser(p->parser, XML_FALSE);
}

/* "uri SEPARATOR local", or the local name alone.  False when the uri is too
 * long. */
static bool
split(const char *name, char *ns, const char **local)
{
	const char *sep = strchr(name, SEPARATOR);
	size_t len = sep != NULL ? (size_t)(sep - name) : 0;

	if (len >= URI_MAX)
		return false;
	memcpy(ns, name, len);
	ns[len] = '\0';
	*local = sep != NULL ? sep + 1 : name;
	return true;
}

static int
add_attrs(struct parse *p, struct xml_elem *e, const char **attrs)
{
	int rc = 0;

	for (; rc == 0 && attrs[0] != NULL; attrs += 2) {
		char ns[URI_MAX];
		const char *local;

		if (!split(attrs[0], ns, &local))
			return ERR_TOO_LONG;
		rc = xml_set_attr(p->arena, e, ns, local, attrs[1]);
	}
	return rc;
}

/* The arena says of everything that there is no memory. */
static int
full(const struct parse *p)
{
	return xml_arena_is_starved(p->arena) ? ERR_NOMEM : ERR_FULL;
}

static void XMLCALL
on_start(void *arg, const char *name, const char **attrs)
{
	struct parse *p = arg;
	char ns[URI_MAX];
	struct xml_elem *e;
	const char *local;
	int rc;

	if (p->rc != 0)
		return;
	if (p->depth++ == 0 && p->outer_ns != NULL)
		return;
	if (p->depth > XML_PARSE_DEPTH || !split(name, ns, &local)) {
		stop(p, ERR_TOO_LONG);
		return;
	}
	/* A second one, wrapped; or of a namespace that cannot be declared. */
	if ((p->root != NULL && p->current == NULL) ||
	    strcmp(ns, XML_NS_XML) == 0) {
		stop(p, ERR_MALFORMED);
		return;
	}
	e = xml_elem_new(p->arena, p->current, ns, local);
	rc = e != NULL ? add_attrs(p, e, attrs) : ERR_NOMEM;
	if (rc < 0) {
		stop(p, rc == ERR_NOMEM ? full(p) : rc);
		return;
	}
	p->current = e;
	if (p->root == NULL)
		p->root = e;
	if (p->head)
		XML_StopParser(p->parser, XML_FALSE);
}

static void XMLCALL
on_end(void *arg, const char *name)
{
	struct parse *p = arg;

	(void)name;
	p->depth--;
	if (p->current != NULL)
		p->current = p->current->parent;
}

static void XMLCALL
on_text(void *arg, const char *s, int len)
{
	struct parse *p = arg;

	if (p->rc == 0 && p->current != NULL &&
	    xml_add_text(p->arena, p->current, s, (size_t)len) < 0)
		stop(p, full(p));
}

static void XMLCALL
on_doctype(void *arg, const char *name, const char *system, const char *public,
    int internal)
{
	(void)name;
	(void)system;
	(void)public;
	(void)internal;
	stop(arg, ERR_MALFORMED);
}

static bool
feed(struct parse *p, const char *s, size_t len, bool last)
{
	return XML_Parse(p->parser, s, (int)len, last) == XML_STATUS_OK;
}

static int
run(struct parse *p, const char *xml, size_t len)
{
	static const char end[] = "</outer>";
	struct buf begin;
	bool ok;

	buf_init(&begin, 0);
	if (p->outer_ns != NULL) {
		buf_add_str(&begin, "<outer xmlns='");
		(void)xml_escape_attr(&begin, p->outer_ns, strlen(p->outer_ns));
		if (buf_add_str(&begin, "'>") < 0) {
			buf_finish(&begin);
			return ERR_NOMEM;
		}
		ok = feed(p, (const char *)begin.data, begin.len, false) &&
		     feed(p, xml, len, false) &&
		     feed(p, end, sizeof(end) - 1, true);
	} else {
		ok = feed(p, xml, len, true);
	}
	buf_finish(&begin);
	if (p->rc != 0)
		return p->rc;
	if (p->head && p->root != NULL)
		return 0;
	if (!ok)
		return XML_GetErrorCode(p->parser) == XML_ERROR_NO_MEMORY
			   ? ERR_NOMEM
			   : ERR_MALFORMED;
	return p->root != NULL ? 0 : ERR_MALFORMED;
}

static int
parse(struct parse *p, struct xml_elem **out, const char *xml, size_t len)
{
	int rc;

	if (len > XML_PARSE_MAX)
		return ERR_TOO_LONG;
	p->parser = XML_ParserCreateNS("UTF-8", SEPARATOR);
	if (p->parser == NULL)
		return ERR_NOMEM;
	XML_SetUserData(p->parser, p);
	XML_SetElementHandler(p->parser, on_start, on_end);
	XML_SetCharacterDataHandler(p->parser, on_text);
	XML_SetStartDoctypeDeclHandler(p->parser, on_doctype);
	rc = run(p, xml, len);
	XML_ParserFree(p->parser);
	if (rc == 0)
		*out = p->root;
	return rc;
}

int
xml_parse(struct xml_elem **out, struct xml_arena *a, const char *outer_ns,
    const char *xml, size_t len)
{
	struct parse p = { .arena = a, .outer_ns = outer_ns };

	return parse(&p, out, xml, len);
}

int
xml_parse_head(struct xml_elem **out, struct xml_arena *a, const char *outer_ns,
    const char *xml, size_t len)
{
	struct parse p = {
		.arena = a,
		.outer_ns = outer_ns,
		.head = true,
	};

	return parse(&p, out, xml, len);
}
