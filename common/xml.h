/*
 * xml - a small element tree in one arena, and its serialisation.
 *
 * Trees are built by parsers (one stanza at a time) or by hand.  Names are
 * pairs of namespace and local name; prefixes are not kept.  Everything in a
 * tree belongs to its arena and goes with it.  The serialiser escapes & < > in
 * text and & < > ' " in attribute values and control characters as character
 * references, declares a namespace where it differs from the parent's, and
 * writes xml:lang and xml:space with their prefix.
 */
#ifndef COMMON_XML_H
#define COMMON_XML_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct xml_arena;

enum { XML_ATTRS_MAX = 64 }; /* on one element; ERR_FULL beyond */

struct xml_attr {
	struct xml_attr *next;
	const char *ns; /* "" for none */
	const char *name;
	const char *value;
};

struct xml_elem {
	const char *ns;
	const char *name;
	struct xml_attr *attrs;
	struct xml_node *first, *last;
	struct xml_elem *parent; /* NULL at the root */
	struct xml_node *node;   /* its place among the parent's children */
};

struct xml_node {
	struct xml_node *next;
	struct xml_elem *elem; /* NULL for text */
	const char *text;      /* NULL for an element */
	size_t text_len;
};

#define XML_NS_XML "http://www.w3.org/XML/1998/namespace"

/* limit: bytes a tree may take; allocation past it fails. */
int xml_arena_open(struct xml_arena **out, size_t limit);
void xml_arena_close(struct xml_arena *a);
/* Lets the trees to come, and the one in progress, take more. */
void xml_arena_raise(struct xml_arena *a, size_t limit);
/* Whether what failed did so for want of memory, and not at the limit. */
bool xml_arena_is_starved(const struct xml_arena *a);
/* Drops the content and gives the memory back. */
void xml_arena_reset(struct xml_arena *a);
/* NUL-terminated copy, or NULL. */
char *xml_strndup(struct xml_arena *a, const char *s, size_t len);

/* Each returns NULL (or a code) when the arena is full.  Strings are copied.
 * parent NULL makes a root. */
struct xml_elem *xml_elem_new(struct xml_arena *a, struct xml_elem *parent,
    const char *ns, const char *name);
int xml_set_attr(struct xml_arena *a, struct xml_elem *e, const char *ns,
    const char *name, const char *value);
/* Appended to a text node that is the last child, if there is one. */
int xml_add_text(
    struct xml_arena *a, struct xml_elem *e, const char *text, size_t len);

/* Attribute without namespace, or NULL. */
const char *xml_attr(const struct xml_elem *e, const char *name);
const char *
xml_attr_ns(const struct xml_elem *e, const char *ns, const char *name);
/* First child element of that name, or NULL.  ns or name NULL = any. */
struct xml_elem *
xml_child(const struct xml_elem *e, const char *ns, const char *name);
/* Next sibling element after e's child c, same rule; c NULL = the first. */
struct xml_elem *xml_next(const struct xml_elem *e, const struct xml_elem *c,
    const char *ns, const char *name);
bool xml_is(const struct xml_elem *e, const char *ns, const char *name);
/* All text directly in e, appended to out. */
int xml_text(const struct xml_elem *e, struct buf *out);

/* Appends e to out.  outer_ns is the default namespace in force outside (not
 * declared again); NULL for none.  On error out is as long as before.
 * ERR_UTF8, ERR_FULL, ERR_NOMEM, ERR_TOO_LONG (nested too deeply). */
int xml_write(struct buf *out, const struct xml_elem *e, const char *outer_ns);
/* Says what is written as it is; of the rest only the length is, "[12 bytes]". */
struct xml_filter {
	bool (*shows_attr)(const struct xml_elem *e, const struct xml_attr *a);
	/* text is directly in e. */
	bool (*shows_text)(
	    const struct xml_elem *e, const char *text, size_t len);
	/* If not, all text within e, however deep, is told of as one. */
	bool (*shows_content)(const struct xml_elem *e);
};
/* xml_write() through a filter. */
int xml_write_filtered(struct buf *out, const struct xml_elem *e,
    const char *outer_ns, const struct xml_filter *filter);
/* Escapes as text or as an attribute value in single quotes.  ERR_UTF8 for
 * bytes that are not UTF-8 or a character that XML 1.0 cannot carry at all. */
int xml_escape_text(struct buf *out, const char *s, size_t len);
int xml_escape_attr(struct buf *out, const char *s, size_t len);

#endif
