/* Collections, page by page. */
#include "deploy/api_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
