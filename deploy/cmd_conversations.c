/* sallyport conversations: the chats that are open, without what is said in
 * them; page by page, of which one is held. */
#include <stdio.h>
#include <stdlib.h>

#include "deploy/api_args.h"
#include "deploy/text.h"

enum { COLUMNS = 9 };

enum { OPT_USER, OPT_CONTACT, OPT_STATE };

struct request {
	struct api_client_opts api;
	const char *user, *contact, *state;
	struct text_table table;
	bool any;
	const char *before; /* the next item of a JSON list */
};

static const char help[] =
    "usage: sallyport conversations [OPTION]...\n"
    "\n"
    "Lists the chats between Lync users and XMPP contacts, without what is\n"
    "said in them.\n"
    "\n"
    "  --user PATTERN       those of a Lync user; * and ? stand for others\n"
    "  --contact PATTERN    those with an XMPP contact\n"
    "  --state STATE        those that are idle, inviting or "
    "open\n" API_ARGS_HELP "\n"
    "QUEUED waits for the Lync user's client to answer; UNDER WAY is on its "
    "way\n"
    "to the contact and not yet proven to be there.\n"
    "\n"
    "examples:\n"
    "  sallyport conversations --user anna@contoso.example\n"
    "  sallyport conversations --contact '*@fabrikam.example' --json\n"
    "\n" API_ARGS_EXIT;

static const struct option options[] = {
	{ "user", required_argument, NULL, OPT_USER },
	{ "contact", required_argument, NULL, OPT_CONTACT },
	{ "state", required_argument, NULL, OPT_STATE },
	API_ARGS_OPTIONS,
	{ NULL, 0, NULL, 0 },
};

static bool
take(void *arg, int c, const char *value)
{
	struct request *r = arg;

	switch (c) {
	case OPT_USER:
		r->user = value;
		return true;
	case OPT_CONTACT:
		r->contact = value;
		return true;
	case OPT_STATE:
		r->state = value;
		return true;
	default:
		return api_args_take(&r->api, c, value);
	}
}

/* --- rows -------------------------------------------------------------------- */

static bool
on_row(const json_t *item, void *arg)
{
	static const char *const counts[] = { "dialogs", "queued", "under_way",
		"from_user", "from_contact" };
	char numbers[5][24];
	struct request *r = arg;

	for (size_t i = 0; i < 5; i++)
		snprintf(numbers[i], sizeof(numbers[i]), "%lld",
		    (long long)text_number(item, counts[i]));
	text_table_row(
	    &r->table, (const char *const[COLUMNS]){ text_of(item, "user"),
			   text_of(item, "contact"), text_of(item, "state"),
			   text_of(item, "since"), numbers[0], numbers[1],
			   numbers[2], numbers[3], numbers[4] });
	r->any = true;
	return true;
}

static void
on_page(void *arg)
{
	struct request *r = arg;

	if (r->any)
		text_table_flush(&r->table, "");
}

static bool
on_json(const json_t *item, void *arg)
{
	struct request *r = arg;

	fputs(r->before, stdout);
	json_dumpf(item, stdout, 0);
	r->before = ",\n";
	return true;
}

/* --- asking ------------------------------------------------------------------- */

static char *
make_path(const struct request *r, struct api_client *c)
{
	char *path = api_client_path(c, "conversations", NULL);

	if (r->user != NULL)
		path = api_client_query(c, path, "user", r->user);
	if (r->contact != NULL)
		path = api_client_query(c, path, "contact", r->contact);
	if (r->state != NULL)
		path = api_client_query(c, path, "state", r->state);
	return path;
}

static enum command_exit
print_json(struct request *r, struct api_client *c)
{
	enum command_exit status = api_client_each(
	    c, &(struct api_client_walk){
		   .path = make_path(r, c), .on_item = on_json, .arg = r });

	/* What breaks off is not to be taken for whole. */
	if (status == COMMAND_OK)
		puts(r->before[0] == ',' ? "\n]}" : "{\"items\": []}");
	return status;
}

static enum command_exit
print_table(struct request *r, struct api_client *c)
{
	static const char *const titles[COLUMNS] = { "USER", "CONTACT", "STATE",
		"SINCE", "DIALOGS", "QUEUED", "UNDER WAY", "FROM USER",
		"FROM CONTACT" };
	enum command_exit status;

	text_table_init(&r->table, titles, COLUMNS);
	status = api_client_each(
	    c, &(struct api_client_walk){ .path = make_path(r, c),
		   .on_item = on_row,
		   .on_page = on_page,
		   .arg = r });
	if (status == COMMAND_OK && !r->any)
		puts("no conversations");
	text_table_finish(&r->table);
	return status;
}

static void
begin(void *arg)
{
	struct request *r = arg;

	r->before = "{\"items\": [\n";
}

static enum command_exit
run(void *arg, const struct args *a)
{
	struct request *r = arg;
	struct api_client *c = NULL;
	enum command_exit status = api_args_open(&c, &r->api, a);

	if (status == COMMAND_OK)
		status = a->json ? print_json(r, c) : print_table(r, c);
	api_client_close(c);
	return status;
}

enum command_exit
cmd_conversations_run(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_command command = { .name = "conversations",
		.help = help,
		.options = options,
		.size = sizeof(struct request),
		.begin = begin,
		.take = take,
		.run = run };

	return args_run(&command, opts, argc, argv);
}
