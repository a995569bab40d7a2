/* Two ways to the same pages. */
#include "deploy/listing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "deploy/text.h"

enum { PAGE = 500 };

/* Who gets the pages; total is negative where it is not known. */
struct reader {
	const struct listing *l;
	void (*on_head)(struct reader *r, const char *daemon, int64_t total);
	void (*on_item)(struct reader *r, const json_t *item);
	void (*on_page)(struct reader *r);
	bool begun;
	struct text_table table;
	bool any;           /* row in it */
	const char *before; /* the next item of JSON */
};

static void
begin(struct reader *r, const char *daemon, int64_t total)
{
	if (!r->begun && r->on_head != NULL)
		r->on_head(r, daemon, total);
	r->begun = true;
}

static void
take(struct reader *r, const json_t *item)
{
	if (r->l->fits == NULL || r->l->fits(item, r->l->arg))
		r->on_item(r, item);
}

/* --- over the control socket ------------------------------------------------ */

static json_t *
make_request(const struct listing *l, json_t *after)
{
	json_t *r = json_pack("{s:s, s:i}", "verb", l->what, "limit", PAGE);

	for (size_t i = 0; i < l->wish_count; i++)
		if (l->wishes[i].value != NULL)
			json_object_set_new(r, l->wishes[i].name,
			    json_string(l->wishes[i].value));
	if (after != NULL)
		json_object_set(r, "after", after);
	return r;
}

static void
take_page(struct reader *r, const json_t *page)
{
	const json_t *total = json_object_get(page, "total");
	const json_t *items = json_object_get(page, r->l->what);

	begin(r, text_of(page, "daemon"),
	    total != NULL ? json_integer_value(total) : -1);
	for (size_t i = 0; i < json_array_size(items); i++)
		take(r, json_array_get(items, i));
	r->on_page(r);
}

static enum command_exit
ask_daemon(struct reader *r, const struct command_opts *opts)
{
	enum command_exit status;
	json_t *after = NULL;

	do {
		json_t *answer;

		status = command_ask(&answer, opts, make_request(r->l, after));
		json_decref(after);
		if (status != COMMAND_OK)
			return status;
		take_page(r, answer);
		after = json_incref(json_object_get(answer, "next"));
		json_decref(answer);
	} while (after != NULL);
	return COMMAND_OK;
}

/* --- over HTTP --------------------------------------------------------------- */

static bool
on_http_item(const json_t *item, void *arg)
{
	struct reader *r = arg;

	begin(r, "gateway", -1);
	take(r, item);
	return true;
}

static void
on_http_page(void *arg)
{
	struct reader *r = arg;

	begin(r, "gateway", -1);
	r->on_page(r);
}

static enum command_exit
ask_gateway(struct reader *r, const struct api_client_opts *where)
{
	struct api_client *c;
	enum command_exit status = api_client_open(&c, where);
	char *path;

	if (status != COMMAND_OK)
		return status;
	path = api_client_path(c, r->l->what, NULL);
	for (size_t i = 0; i < r->l->wish_count; i++)
		if (r->l->wishes[i].value != NULL)
			path = api_client_query(c, path, r->l->wishes[i].name,
			    r->l->wishes[i].value);
	status = api_client_each(c, &(struct api_client_walk){ .path = path,
					.on_item = on_http_item,
					.on_page = on_http_page,
					.arg = r });
	api_client_close(c);
	return status;
}

/* --- which of them ------------------------------------------------------------ */

/* What is wrong with these is told where they are understood. */
static bool
is_elsewhere(const struct api_client_opts *where)
{
	return where->url != NULL || where->token_file != NULL ||
	       where->trust != NULL || where->certificate != NULL ||
	       where->key != NULL;
}

/* The daemon on this host. */
static struct command_opts
here(const struct api_client_opts *where, const struct args *a)
{
	struct command_opts opts = *a->opts;

	if (where->socket != NULL)
		opts.socket = where->socket;
	return opts;
}

static enum command_exit
ask(struct reader *r, const struct api_client_opts *where, const struct args *a)
{
	const struct command_opts opts = here(where, a);

	return is_elsewhere(where) ? ask_gateway(r, where)
				   : ask_daemon(r, &opts);
}

enum command_exit
listing_ask(json_t **answer, const char *what,
    const struct api_client_opts *where, const struct args *a)
{
	const struct command_opts opts = here(where, a);
	enum command_exit status;
	struct api_client *c;
	char *path;

	if (!is_elsewhere(where))
		return command_ask(
		    answer, &opts, json_pack("{s:s}", "verb", what));
	status = api_client_open(&c, where);
	if (status != COMMAND_OK)
		return status;
	path = api_client_path(c, what, NULL);
	status = path != NULL ? api_client_ask(answer, c,
				    &(struct api_client_request){
					.method = "GET", .path = path })
			      : COMMAND_REFUSED;
	free(path);
	api_client_close(c);
	return status;
}

/* --- what is done with them --------------------------------------------------- */

static void
table_item(struct reader *r, const json_t *item)
{
	r->l->add_row(&r->table, item, r->l->arg);
	r->any = true;
}

static void
table_page(struct reader *r)
{
	if (r->any)
		text_table_flush(&r->table, "");
}

static enum command_exit
print_table(const struct listing *l, const struct api_client_opts *where,
    const struct args *a)
{
	struct reader r = {
		.l = l, .on_item = table_item, .on_page = table_page
	};
	enum command_exit status;

	text_table_init(&r.table, l->titles, l->columns);
	status = ask(&r, where, a);
	if (status == COMMAND_OK && !r.any)
		puts(l->nothing);
	text_table_finish(&r.table);
	return status;
}

static void
json_head(struct reader *r, const char *daemon, int64_t total)
{
	printf("{\n\"daemon\": \"%s\",\n", daemon);
	if (total >= 0)
		printf("\"total\": %" PRId64 ",\n", total);
	printf("\"%s\": [", r->l->what);
}

static void
json_item(struct reader *r, const json_t *item)
{
	fputs(r->before, stdout);
	json_dumpf(item, stdout, 0);
	r->before = ",\n";
}

static void
json_page(struct reader *r)
{
	(void)r;
	fflush(stdout);
}

static enum command_exit
print_json(const struct listing *l, const struct api_client_opts *where,
    const struct args *a)
{
	struct reader r = { .l = l,
		.on_head = json_head,
		.on_item = json_item,
		.on_page = json_page,
		.before = "\n" };
	enum command_exit status = ask(&r, where, a);

	/* What breaks off is not to be taken for whole. */
	if (status == COMMAND_OK)
		puts("\n]\n}");
	return status;
}

enum command_exit
listing_print(const struct listing *l, const struct api_client_opts *where,
    const struct args *a)
{
	return a->json ? print_json(l, where, a) : print_table(l, where, a);
}
