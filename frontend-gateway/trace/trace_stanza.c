#include "frontend-gateway/trace/trace_stanza.h"

#include <stdbool.h>
#include <string.h>

enum { CHILDREN_MAX = 16, NAME_LEN_MAX = 64, VALUE_LEN_MAX = 256 };

/* A tag, without its brackets. */
struct tag {
	const char *at;
	size_t len;
	bool ends;  /* </a> */
	bool empty; /* <a/> */
};

/* The next one; attribute values may hold brackets.  False at the end, or when
 * the tag is not whole. */
static bool
next_tag(struct tag *out, const char **text, const char *end)
{
	const char *at = *text;
	char quote = '\0';

	while (at < end && *at != '<')
		at++;
	if (at == end)
		return false;
	out->at = ++at;
	for (; at < end && (quote != '\0' || *at != '>'); at++) {
		if (quote != '\0' ? *at == quote : *at == '\'' || *at == '"')
			quote = quote != '\0' ? '\0' : *at;
	}
	if (at == end)
		return false;
	*text = at + 1;
	out->len = (size_t)(at - out->at);
	out->ends = out->len > 0 && out->at[0] == '/';
	out->empty = out->len > 0 && at[-1] == '/';
	return out->len > 0;
}

static size_t
name_len(const struct tag *t)
{
	size_t n = 0;

	while (n < t->len && strchr(" \t\r\n/", t->at[n]) == NULL)
		n++;
	return n < NAME_LEN_MAX ? n : NAME_LEN_MAX;
}

static void
set_text(json_t *out, const char *key, const char *s, size_t len)
{
	/* What is no UTF-8 is left out. */
	(void)json_object_set_new(out, key, json_stringn(s, len));
}

static void
set_attribute(json_t *out, const char *key, const struct tag *t)
{
	const size_t n = strlen(key);

	for (size_t i = 1; i + n + 2 < t->len; i++) {
		const char *value = t->at + i + n + 2, *end;
		const char quote = t->at[i + n + 1];

		if (strchr(" \t\r\n", t->at[i - 1]) == NULL ||
		    memcmp(t->at + i, key, n) != 0 || t->at[i + n] != '=' ||
		    (quote != '\'' && quote != '"'))
			continue;
		end = memchr(value, quote, t->len - i - n - 2);
		if (end != NULL && end - value <= VALUE_LEN_MAX)
			set_text(out, key, value, (size_t)(end - value));
		return;
	}
}

static void
add_child(json_t *children, const struct tag *t)
{
	if (json_array_size(children) < CHILDREN_MAX)
		(void)json_array_append_new(
		    children, json_stringn(t->at, name_len(t)));
}

void
trace_stanza_describe(json_t *out, const char *text, size_t len)
{
	const char *end = text + len;
	json_t *children = json_array();
	bool within_error = false;
	size_t depth = 0;
	struct tag t;

	while (next_tag(&t, &text, end)) {
		if (t.ends) {
			if (depth == 0)
				break;
			depth--;
			continue;
		}
		if (depth == 0) {
			set_text(out, "name", t.at, name_len(&t));
			set_attribute(out, "type", &t);
			set_attribute(out, "id", &t);
		} else if (depth == 1) {
			add_child(children, &t);
			within_error =
			    name_len(&t) == 5 && memcmp(t.at, "error", 5) == 0;
		} else if (depth == 2 && within_error &&
			   json_object_get(out, "condition") == NULL) {
			set_text(out, "condition", t.at, name_len(&t));
		}
		depth += !t.empty;
		if (depth == 0)
			break;
	}
	(void)json_object_set_new(out, "children", children);
}
