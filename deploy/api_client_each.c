/* Collections, page by page and line by line. */
#include "deploy/api_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"

enum { AFTER_SIZE = 8192 };

static enum command_exit
ask_page(json_t **page, struct api_client *c, const struct api_client_walk *w,
    const char *after)
{
	struct api_client_request r = { .method = "GET" };
	char limit[24], *full = strdup(w->path);
	enum command_exit status;

	snprintf(limit, sizeof(limit), "%zu",
	    w->page > 0 ? w->page : API_CLIENT_PAGE);
	full = api_client_query(c, full, "limit", limit);
	if (after[0] != '\0')
		full = api_client_query(c, full, "after", after);
	if (full == NULL)
		return COMMAND_REFUSED; /* told */
	r.path = full;
	status = api_client_ask(page, c, &r);
	free(full);
	return status;
}

/* Where the next page begins; "" behind the last. */
static void
note_next(char *after, size_t size, const json_t *page)
{
	const json_t *next = json_object_get(page, "next");

	after[0] = '\0';
	if (json_is_integer(next))
		snprintf(after, size, "%" JSON_INTEGER_FORMAT,
		    json_integer_value(next));
	else if (json_is_string(next))
		snprintf(after, size, "%s", json_string_value(next));
}

static bool
walk_page(const struct api_client_walk *w, const json_t *page)
{
	const json_t *items = json_object_get(page, "items");
	bool more = true;

	for (size_t i = 0; i < json_array_size(items) && more; i++)
		more = w->on_item(json_array_get(items, i), w->arg);
	if (w->on_page != NULL)
		w->on_page(w->arg);
	return more;
}

enum command_exit
api_client_each(struct api_client *c, const struct api_client_walk *w)
{
	char after[AFTER_SIZE], before[AFTER_SIZE];
	enum command_exit status = COMMAND_OK;
	bool more = true;

	if (w->path == NULL)
		return COMMAND_REFUSED;
	snprintf(after, sizeof(after), "%s", w->after != NULL ? w->after : "");
	while (more) {
		json_t *page = NULL;

		status = ask_page(&page, c, w, after);
		if (status != COMMAND_OK)
			break;
		more = walk_page(w, page);
		memcpy(before, after, sizeof(before));
		note_next(after, sizeof(after), page);
		json_decref(page);
		/* A gateway that goes round in a circle is left. */
		if (after[0] == '\0' || strcmp(after, before) == 0)
			more = false;
	}
	free(w->path);
	return status;
}

/* --- lines -------------------------------------------------------------------- */

enum { LINE_MAX_BYTES = 4 << 20 };

struct lines {
	const struct api_client_lines *to;
	struct buf line; /* as far as it has come */
	bool broken;
};

/* An object, in which nothing stands that JSON would have escaped. */
static bool
is_object(const uint8_t *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] < 0x20 || s[i] == 0x7f)
			return false;
	return len >= 2 && s[0] == '{' && s[len - 1] == '}';
}

static bool
take_line(struct lines *l)
{
	if (!is_object(l->line.data, l->line.len))
		return false;
	l->to->on_line((const char *)l->line.data, l->line.len, l->to->arg);
	buf_clear(&l->line);
	return true;
}

static bool
on_bytes(const char *data, size_t len, void *arg)
{
	struct lines *l = arg;

	while (len > 0 && !l->broken) {
		const char *end = memchr(data, '\n', len);
		const size_t n = end != NULL ? (size_t)(end - data) : len;

		l->broken = buf_add(&l->line, data, n) < 0 ||
			    (end != NULL && !take_line(l));
		data += end != NULL ? n + 1 : n;
		len -= end != NULL ? n + 1 : n;
	}
	return !l->broken;
}

static bool
go_on(void *arg)
{
	(void)arg;
	return true;
}

enum command_exit
api_client_lines(struct api_client *c, const struct api_client_lines *to)
{
	struct lines l = { .to = to };
	enum command_exit status;

	if (to->path == NULL)
		return COMMAND_REFUSED;
	buf_init(&l.line, LINE_MAX_BYTES);
	status =
	    api_client_listen(c, &(struct api_client_stream){ .path = to->path,
				     .accept = "application/x-ndjson",
				     .on_bytes = on_bytes,
				     .go_on = go_on,
				     .arg = &l });
	if (status == COMMAND_OK && (l.broken || l.line.len > 0)) {
		fputs("sallyport: the answer is not understood\n", stderr);
		status = COMMAND_UNREACHABLE;
	}
	buf_finish(&l.line);
	free(to->path);
	return status;
}
