/* The arena is a list of chunks, each at least twice as large as the one
 * before, from which memory is cut off in order.  Text that a parser delivers in pieces grows in
 * place as long as nothing was cut off behind it, which is the rule while an
 * element's text is read. */
#include "common/xml.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/utf8.h"

enum {
	FIRST_CHUNK = 4096,
	ALIGN = sizeof(void *),
	DEPTH_MAX = 200, /* of a tree that is written */
};

struct chunk {
	struct chunk *older;
	size_t size;
	size_t used;
	char data[];
};

struct xml_arena {
	struct chunk *newest;
	size_t limit;
	size_t used;  /* bytes that belong to the tree */
	bool starved; /* an allocation has failed */
};

/* --- memory ------------------------------------------------------------- */

int
xml_arena_open(struct xml_arena **out, size_t limit)
{
	struct xml_arena *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return ERR_NOMEM;
	a->limit = limit;
	*out = a;
	return 0;
}

bool
xml_arena_is_starved(const struct xml_arena *a)
{
	return a->starved;
}

static void
free_chunks(struct chunk *c)
{
	while (c != NULL) {
		struct chunk *older = c->older;

		free(c);
		c = older;
	}
}

void
xml_arena_close(struct xml_arena *a)
{
	if (a == NULL)
		return;
	free_chunks(a->newest);
	free(a);
}

void
xml_arena_raise(struct xml_arena *a, size_t limit)
{
	if (limit > a->limit)
		a->limit = limit;
}

void
xml_arena_reset(struct xml_arena *a)
{
	/* A stream is idle for most of its life; an allocation for each tree
	 * is not felt beside the parsing. */
	free_chunks(a->newest);
	a->newest = NULL;
	a->used = 0;
}

/* Bytes at p, aligned when aligned is set, or NULL.  spare more bytes are kept
 * free behind them if a new chunk is needed anyway. */
static void *
cut(struct xml_arena *a, size_t len, bool aligned, size_t spare)
{
	struct chunk *c = a->newest;
	size_t at = c != NULL ? c->used : 0, size;

	if (len > a->limit - a->used)
		return NULL;
	if (aligned)
		at = (at + ALIGN - 1) / ALIGN * ALIGN;
	if (c == NULL || at > c->size || len > c->size - at) {
		size = c != NULL ? 2 * c->size : FIRST_CHUNK;
		if (size > a->limit)
			size = a->limit;
		if (size < len + spare)
			size = len + spare;
		c = malloc(sizeof(*c) + size);
		if (c == NULL) {
			a->starved = true;
			return NULL;
		}
		c->older = a->newest;
		c->size = size;
		a->newest = c;
		at = 0;
	}
	c->used = at + len;
	a->used += len;
	return c->data + at;
}

char *
xml_strndup(struct xml_arena *a, const char *s, size_t len)
{
	char *copy;

	if (len == SIZE_MAX)
		return NULL;
	copy = cut(a, len + 1, false, 0);
	if (copy == NULL)
		return NULL;
	if (len > 0)
		memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

/* --- building ----------------------------------------------------------- */

static struct xml_node *
add_node(struct xml_arena *a, struct xml_elem *parent)
{
	struct xml_node *n = cut(a, sizeof(*n), true, 0);

	if (n == NULL)
		return NULL;
	*n = (struct xml_node){ 0 };
	if (parent->last != NULL)
		parent->last->next = n;
	else
		parent->first = n;
	parent->last = n;
	return n;
}

struct xml_elem *
xml_elem_new(struct xml_arena *a, struct xml_elem *parent, const char *ns,
    const char *name)
{
	struct xml_elem *e = cut(a, sizeof(*e), true, 0);
	struct xml_node *n;

	if (e == NULL)
		return NULL;
	*e = (struct xml_elem){ .parent = parent };
	/* Children mostly share the namespace of their parent. */
	e->ns = parent != NULL && strcmp(parent->ns, ns) == 0
		    ? parent->ns
		    : xml_strndup(a, ns, strlen(ns));
	e->name = xml_strndup(a, name, strlen(name));
	if (e->ns == NULL || e->name == NULL)
		return NULL;
	if (parent != NULL) {
		n = add_node(a, parent);
		if (n == NULL)
			return NULL;
		n->elem = e;
		e->node = n;
	}
	return e;
}

static struct xml_attr *
find_attr(const struct xml_elem *e, const char *ns, const char *name)
{
	for (struct xml_attr *at = e->attrs; at != NULL; at = at->next)
		if (strcmp(at->name, name) == 0 && strcmp(at->ns, ns) == 0)
			return at;
	return NULL;
}

int
xml_set_attr(struct xml_arena *a, struct xml_elem *e, const char *ns,
    const char *name, const char *value)
{
	struct xml_attr *at = find_attr(e, ns, name), **end = &e->attrs;
	const char *copy = xml_strndup(a, value, strlen(value));

	if (copy == NULL)
		return ERR_NOMEM;
	if (at != NULL) {
		at->value = copy;
		return 0;
	}
	for (int count = 0; *end != NULL; end = &(*end)->next)
		if (++count == XML_ATTRS_MAX)
			return ERR_FULL;
	at = cut(a, sizeof(*at), true, 0);
	if (at == NULL)
		return ERR_NOMEM;
	*at = (struct xml_attr){ .value = copy };
	at->ns = ns[0] == '\0' ? "" : xml_strndup(a, ns, strlen(ns));
	at->name = xml_strndup(a, name, strlen(name));
	if (at->ns == NULL || at->name == NULL)
		return ERR_NOMEM;
	*end = at;
	return 0;
}

/* Whether the text (with its NUL) is the last thing cut off and len more
 * bytes fit behind it. */
static bool
can_grow(const struct xml_arena *a, const struct xml_node *n, size_t len)
{
	const struct chunk *c = a->newest;

	return n->text + n->text_len + 1 == c->data + c->used &&
	       len <= c->size - c->used;
}

/* Moves the text to a chunk where it has room to double. */
static char *
move_text(struct xml_arena *a, struct xml_node *n, size_t len)
{
	size_t whole = n->text_len + len + 1;
	char *at;

	a->used -= n->text_len + 1;
	at = cut(a, whole, false, whole);
	if (at == NULL) {
		a->used += n->text_len + 1;
		return NULL;
	}
	memcpy(at, n->text, n->text_len);
	n->text = at;
	return at;
}

int
xml_add_text(
    struct xml_arena *a, struct xml_elem *e, const char *text, size_t len)
{
	struct xml_node *n = e->last;
	const char *copy;
	char *at;

	if (len == 0)
		return 0;
	if (len > a->limit - a->used)
		return ERR_NOMEM;
	if (n == NULL || n->text == NULL) {
		/* The node first, so that the text can grow behind it. */
		struct xml_node *node = cut(a, sizeof(*node), true, 0);

		copy = node != NULL ? xml_strndup(a, text, len) : NULL;
		if (copy == NULL)
			return ERR_NOMEM;
		*node = (struct xml_node){ .text = copy, .text_len = len };
		if (n != NULL)
			n->next = node;
		else
			e->first = node;
		e->last = node;
		return 0;
	}
	if (can_grow(a, n, len)) {
		at = a->newest->data + a->newest->used - n->text_len - 1;
		a->newest->used += len;
		a->used += len;
	} else {
		at = move_text(a, n, len);
		if (at == NULL)
			return ERR_NOMEM;
	}
	memcpy(at + n->text_len, text, len);
	n->text_len += len;
	at[n->text_len] = '\0';
	return 0;
}

/* --- reading ------------------------------------------------------------ */

const char *
xml_attr(const struct xml_elem *e, const char *name)
{
	return xml_attr_ns(e, "", name);
}

const char *
xml_attr_ns(const struct xml_elem *e, const char *ns, const char *name)
{
	const struct xml_attr *at = find_attr(e, ns, name);

	return at != NULL ? at->value : NULL;
}

bool
xml_is(const struct xml_elem *e, const char *ns, const char *name)
{
	return (ns == NULL || strcmp(e->ns, ns) == 0) &&
	       (name == NULL || strcmp(e->name, name) == 0);
}

static struct xml_elem *
first_match(const struct xml_node *n, const char *ns, const char *name)
{
	for (; n != NULL; n = n->next)
		if (n->elem != NULL && xml_is(n->elem, ns, name))
			return n->elem;
	return NULL;
}

struct xml_elem *
xml_child(const struct xml_elem *e, const char *ns, const char *name)
{
	return first_match(e->first, ns, name);
}

struct xml_elem *
xml_next(const struct xml_elem *e, const struct xml_elem *c, const char *ns,
    const char *name)
{
	if (c == NULL)
		return first_match(e->first, ns, name);
	assert(c->parent == e);
	return c->node != NULL ? first_match(c->node->next, ns, name) : NULL;
}

int
xml_text(const struct xml_elem *e, struct buf *out)
{
	int rc = 0;

	for (const struct xml_node *n = e->first; n != NULL && rc == 0;
	     n = n->next)
		if (n->text != NULL)
			rc = buf_add(out, n->text, n->text_len);
	return rc;
}

/* --- writing ------------------------------------------------------------ */

/* The reference for a character that may not stand for itself, or NULL. */
static const char *
reference(uint32_t cp, bool in_attr)
{
	switch (cp) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '\r':
		return "&#13;";
	case '\'':
		return in_attr ? "&apos;" : NULL;
	case '"':
		return in_attr ? "&quot;" : NULL;
	case '\t':
		return in_attr ? "&#9;" : NULL;
	case '\n':
		return in_attr ? "&#10;" : NULL;
	default:
		return NULL;
	}
}

static int
write_escaped(struct buf *out, const char *s, size_t len, bool in_attr)
{
	size_t done = 0, before = out->len, i, n;
	uint32_t cp;

	for (i = 0; i < len; i += n) {
		const char *ref;

		n = utf8_decode((const uint8_t *)s + i, len - i, &cp);
		if (n == 0 || !utf8_xml_char(cp)) {
			out->len = before;
			return ERR_UTF8;
		}
		ref = reference(cp, in_attr);
		if (ref == NULL)
			continue;
		buf_add(out, s + done, i - done);
		buf_add_str(out, ref);
		done = i + n;
	}
	return buf_add(out, s + done, len - done);
}

int
xml_escape_text(struct buf *out, const char *s, size_t len)
{
	return write_escaped(out, s, len, false);
}

int
xml_escape_attr(struct buf *out, const char *s, size_t len)
{
	return write_escaped(out, s, len, true);
}

static int
write_size(struct buf *out, size_t size)
{
	return buf_addf(out, "[%zu byte%s]", size, size == 1 ? "" : "s");
}

/* What is written, for the time of one call. */
struct writing {
	struct buf *out;
	const struct xml_filter *filter; /* NULL: everything */
};

static int
write_value(const struct writing *w, const struct xml_elem *e,
    const struct xml_attr *at)
{
	size_t len = strlen(at->value);

	if (w->filter != NULL && !w->filter->shows_attr(e, at))
		return write_size(w->out, len);
	return xml_escape_attr(w->out, at->value, len);
}

static int
write_attr(const struct writing *w, const struct xml_elem *e,
    const struct xml_attr *at, unsigned number)
{
	struct buf *out = w->out;
	int rc;

	if (at->ns[0] == '\0') {
		buf_addf(out, " %s='", at->name);
	} else if (strcmp(at->ns, XML_NS_XML) == 0) {
		buf_addf(out, " xml:%s='", at->name);
	} else {
		buf_addf(out, " xmlns:a%u='", number);
		rc = xml_escape_attr(out, at->ns, strlen(at->ns));
		if (rc < 0)
			return rc;
		buf_addf(out, "' a%u:%s='", number, at->name);
	}
	rc = write_value(w, e, at);
	return rc < 0 ? rc : buf_add_char(out, '\'');
}

static int
write_start(
    const struct writing *w, const struct xml_elem *e, const char *outer_ns)
{
	struct buf *out = w->out;
	unsigned number = 0;
	int rc;

	buf_addf(out, "<%s", e->name);
	if (strcmp(e->ns, outer_ns) != 0) {
		buf_add_str(out, " xmlns='");
		rc = xml_escape_attr(out, e->ns, strlen(e->ns));
		if (rc < 0)
			return rc;
		buf_add_char(out, '\'');
	}
	for (const struct xml_attr *at = e->attrs; at != NULL; at = at->next) {
		rc = write_attr(w, e, at, number++);
		if (rc < 0)
			return rc;
	}
	return buf_add_str(out, e->first != NULL ? ">" : "/>");
}

static int
write_text(
    const struct writing *w, const struct xml_elem *e, const struct xml_node *n)
{
	if (w->filter != NULL &&
	    !w->filter->shows_text(e, n->text, n->text_len))
		return write_size(w->out, n->text_len);
	return xml_escape_text(w->out, n->text, n->text_len);
}

/* Bytes of all text in e; ERR_TOO_LONG when it is nested too deeply. */
static int
count_text(size_t *count, const struct xml_elem *e, int depth)
{
	int rc = depth < DEPTH_MAX ? 0 : ERR_TOO_LONG;

	for (const struct xml_node *n = e->first; n != NULL && rc == 0;
	     n = n->next) {
		if (n->elem != NULL)
			rc = count_text(count, n->elem, depth + 1);
		else
			*count += n->text_len;
	}
	return rc;
}

static int
write_count(const struct writing *w, const struct xml_elem *e, int depth)
{
	size_t count = 0;
	int rc = count_text(&count, e, depth);

	return rc < 0 ? rc : write_size(w->out, count);
}

static int
write_elem(const struct writing *w, const struct xml_elem *e,
    const char *outer_ns, int depth)
{
	int rc = depth < DEPTH_MAX ? write_start(w, e, outer_ns) : ERR_TOO_LONG;
	bool whole = w->filter == NULL || w->filter->shows_content(e);

	if (rc < 0 || e->first == NULL)
		return rc;
	if (!whole)
		rc = write_count(w, e, depth);
	for (const struct xml_node *n = e->first; whole && n != NULL && rc == 0;
	     n = n->next)
		rc = n->elem != NULL ? write_elem(w, n->elem, e->ns, depth + 1)
				     : write_text(w, e, n);
	return rc < 0 ? rc : buf_addf(w->out, "</%s>", e->name);
}

int
xml_write_filtered(struct buf *out, const struct xml_elem *e,
    const char *outer_ns, const struct xml_filter *filter)
{
	const struct writing w = { out, filter };
	size_t before = out->len;
	int rc = write_elem(&w, e, outer_ns != NULL ? outer_ns : "", 0);

	if (rc < 0)
		out->len = before;
	return rc;
}

int
xml_write(struct buf *out, const struct xml_elem *e, const char *outer_ns)
{
	return xml_write_filtered(out, e, outer_ns, NULL);
}
