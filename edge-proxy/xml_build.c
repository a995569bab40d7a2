/* xml_build - see the header. */
#include "edge-proxy/xml_build.h"

#include <string.h>

#include "common/err.h"
#include "common/xml.h"

enum {
	ARENA_EXTRA = 65536,
	ARENA_ELEMENT = 160, /* an element with short names */
	ARENA_FACTOR = 4     /* tree bytes for each byte of XML */
};

static const char too_large[] = "element too large";

static size_t
arena_limit(const struct xml_stream_limits *l)
{
	return ARENA_FACTOR * l->element_max +
	       ARENA_ELEMENT * (size_t)l->elements_max + ARENA_EXTRA;
}

int
xml_build_init(struct xml_build *b, const struct xml_stream_limits *l)
{
	memset(b, 0, sizeof(*b));
	return xml_arena_open(&b->arena, arena_limit(l));
}

void
xml_build_widen(struct xml_build *b, const struct xml_stream_limits *l)
{
	xml_arena_raise(b->arena, arena_limit(l));
}

void
xml_build_finish(struct xml_build *b)
{
	xml_arena_close(b->arena);
	memset(b, 0, sizeof(*b));
}

void
xml_build_clear(struct xml_build *b)
{
	xml_arena_reset(b->arena);
	b->current = NULL;
	b->depth = 0;
	b->elements = 0;
}

struct name {
	char ns[XML_BUILD_URI + 1];
	const char *local;
};

static const char *
split_name(
    struct name *out, const struct xml_stream_limits *l, const char *full)
{
	const char *sep = strchr(full, XML_BUILD_SEPARATOR);
	size_t len = sep == NULL ? 0 : (size_t)(sep - full);

	out->local = sep == NULL ? full : sep + 1;
	if (strlen(out->local) > l->name_max)
		return "name too long";
	if (len > l->uri_max || len > XML_BUILD_URI)
		return "namespace name too long";
	memcpy(out->ns, full, len);
	out->ns[len] = '\0';
	return NULL;
}

static const char *
add_attributes(struct xml_build *b, const struct xml_stream_limits *l,
    struct xml_elem *e, const char **attrs)
{
	const char *why;
	struct name n;
	unsigned count = 0;

	for (size_t i = 0; attrs[i] != NULL; i += 2) {
		if (++count > l->attrs_max)
			return "too many attributes";
		why = split_name(&n, l, attrs[i]);
		if (why != NULL)
			return why;
		if (xml_set_attr(b->arena, e, n.ns, n.local, attrs[i + 1]) < 0)
			return too_large;
	}
	return NULL;
}

const char *
xml_build_start(struct xml_build *b, const struct xml_stream_limits *l,
    const char *name, const char **attrs)
{
	struct xml_elem *e;
	struct name n;
	const char *why;

	if (b->depth >= l->depth_max || b->depth >= XML_BUILD_DEPTH)
		return "elements nested too deep";
	if (b->depth > 0 && ++b->children[b->depth - 1] > l->children_max)
		return "too many child elements";
	if (++b->elements > l->elements_max)
		return "too many elements";
	why = split_name(&n, l, name);
	if (why != NULL)
		return why;
	e = xml_elem_new(b->arena, b->current, n.ns, n.local);
	if (e == NULL)
		return too_large;
	b->current = e;
	b->children[b->depth++] = 0;
	return add_attributes(b, l, e, attrs);
}

const char *
xml_build_text(struct xml_build *b, const char *s, size_t len)
{
	return xml_add_text(b->arena, b->current, s, len) < 0 ? too_large
							      : NULL;
}

struct xml_elem *
xml_build_end(struct xml_build *b)
{
	struct xml_elem *e = b->current;

	b->current = e->parent;
	return --b->depth == 0 ? e : NULL;
}
