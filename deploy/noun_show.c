/* get: one item whole, or all of them page by page, of which one is held. */
#include <stdio.h>
#include <stdlib.h>

#include "deploy/noun_print.h"
#include "deploy/noun_request.h"

struct listing {
	const struct noun_request *r;
	struct noun_table table;
	const char *before; /* the next item of a JSON list */
};

static bool
on_row(const json_t *item, void *arg)
{
	struct listing *l = arg;

	noun_table_add(&l->table, item);
	return true;
}

static void
on_page(void *arg)
{
	struct listing *l = arg;

	noun_table_flush(&l->table);
}

static bool
on_whole(const json_t *item, void *arg)
{
	const struct listing *l = arg;

	noun_print_item(l->r->noun, item);
	return true;
}

static void
on_line(const char *item, size_t len, void *arg)
{
	struct listing *l = arg;

	fputs(l->before, stdout);
	fwrite(item, 1, len, stdout);
	l->before = ",\n";
}

static enum command_exit
show_json(struct listing *l, struct api_client *c, char *path)
{
	enum command_exit status =
	    api_client_lines(c, &(struct api_client_lines){ path, on_line, l });

	/* What breaks off is not to be taken for whole. */
	if (status == COMMAND_OK)
		puts(l->before[0] == ',' ? "\n]}" : "{\"items\": []}");
	return status;
}

static enum command_exit
show_table(struct listing *l, struct api_client *c, struct api_client_walk *w)
{
	enum command_exit status;

	w->on_item = on_row;
	w->on_page = on_page;
	noun_table_init(&l->table, l->r->noun);
	status = api_client_each(c, w);
	if (status == COMMAND_OK || l->table.any)
		noun_table_finish(&l->table);
	else
		text_table_finish(&l->table.text);
	return status;
}

static enum command_exit
show_all(const struct noun_request *r, struct api_client *c)
{
	struct listing l = { .r = r, .before = "{\"items\": [\n" };
	struct api_client_walk w = {
		.path = api_client_path(c, r->noun->plural, NULL), .arg = &l
	};

	if (r->filter != NULL)
		w.path = api_client_query(c, w.path, "filter", r->filter);
	if (r->json)
		return show_json(&l, c, w.path);
	if (!r->list)
		return show_table(&l, c, &w);
	w.on_item = on_whole;
	return api_client_each(c, &w);
}

enum command_exit
noun_show_run(const struct noun_request *r, struct api_client *c)
{
	struct api_client_request q = { .method = "GET" };
	enum command_exit status = COMMAND_REFUSED;
	json_t *item = NULL;
	char *path;

	if (r->identity == NULL)
		return show_all(r, c);
	path = api_client_path(
	    c, r->noun->plural, r->noun->option != NULL ? r->key : NULL);
	q.path = path;
	if (path != NULL)
		status = api_client_ask(&item, c, &q);
	free(path);
	if (status != COMMAND_OK)
		return status;
	if (r->json)
		command_print_json(item);
	else
		noun_print_item(r->noun, item);
	json_decref(item);
	return COMMAND_OK;
}
