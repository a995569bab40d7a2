/* sallyport ports: the port table, filtered, in a form to paste. */
#include <stdio.h>
#include <string.h>

#include "deploy/args.h"
#include "deploy/command.h"
#include "deploy/port_table.h"
#include "deploy/text.h"

enum { COLUMNS = 8 };

enum form { TABLE, CSV, JSON, MARKDOWN };

struct filter {
	int topology, side; /* -1 = all */
	const char *feature;
	const char *table;
	enum form form;
};

static const char *const titles[COLUMNS] = { "PROTOCOL", "PORT", "FROM", "TO",
	"DIRECTION", "SIDE", "FEATURE", "PURPOSE" };

static const char help[] =
    "usage: sallyport ports [OPTION]...\n"
    "\n"
    "Lists who may speak to whom: what Sallyport needs, and what the Lync or\n"
    "Skype for Business roles beside it need.\n"
    "\n"
    "  --topology T  single-nat, single-public, scaled-dns-nat,\n"
    "                scaled-dns-public or scaled-hlb\n"
    "  --side S      external or internal\n"
    "  --feature F   xmpp is Sallyport's own; the others are listed in the\n"
    "                table\n"
    "  --csv, --json, --markdown\n"
    "                all there is to a row, instead of a table to read\n"
    "  --table FILE  another table than the one built in\n"
    "  --help        this text\n"
    "\n"
    "examples:\n"
    "  sallyport ports --feature xmpp\n"
    "  sallyport ports --topology scaled-hlb --side external\n"
    "  sallyport ports --csv >ports.csv\n"
    "  sallyport ports --json | jq -r '.rows[].port'\n"
    "\n"
    "exit status: 0 done, 1 the table cannot be read, 2 wrong usage\n";

static bool
take(void *arg, int c, const char *value)
{
	struct filter *f = arg;

	switch (c) {
	case 't':
		f->topology = port_topology_find(value);
		if (f->topology < 0)
			args_misused("ports", "no topology %s", value);
		return f->topology >= 0;
	case 's':
		f->side = port_side_find(value);
		if (f->side < 0)
			args_misused("ports", "no side %s", value);
		return f->side >= 0;
	case 'f':
		f->feature = value;
		break;
	case 'T':
		f->table = value;
		break;
	case 'c':
		f->form = CSV;
		break;
	default:
		f->form = MARKDOWN;
		break;
	}
	return true;
}

static bool
is_wanted(const struct port_row *r, const struct filter *f)
{
	if (f->topology >= 0 && (r->topologies >> f->topology & 1) == 0)
		return false;
	if (f->side >= 0 && (int)r->side != f->side)
		return false;
	return f->feature == NULL || port_row_serves(r, f->feature);
}

/* Joined with " ", which no key has. */
static void
join(char *out, size_t size, const char *const *names, size_t count)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < count && len < size; i++)
		len += (size_t)snprintf(
		    out + len, size - len, "%s%s", i > 0 ? " " : "", names[i]);
}

/* --- forms ---------------------------------------------------------------- */

struct cells {
	char text[COLUMNS][TEXT_CELL_MAX];
	const char *list[COLUMNS];
};

static void
fill(struct cells *c, const struct port_row *r)
{
	char port[16];

	port_range_text(port, r->first, r->last);
	snprintf(c->text[0], TEXT_CELL_MAX, "%s", r->protocol);
	snprintf(c->text[1], TEXT_CELL_MAX, "%s/%s",
	    port_transport_name(r->transport), port);
	snprintf(c->text[2], TEXT_CELL_MAX, "%s", port_role_name(r->from));
	snprintf(c->text[3], TEXT_CELL_MAX, "%s", port_role_name(r->to));
	snprintf(
	    c->text[4], TEXT_CELL_MAX, "%s", port_direction_name(r->direction));
	snprintf(c->text[5], TEXT_CELL_MAX, "%s", port_side_name(r->side));
	join(c->text[6], TEXT_CELL_MAX, r->features, r->feature_count);
	snprintf(c->text[7], TEXT_CELL_MAX, "%s", r->purpose);
	for (size_t i = 0; i < COLUMNS; i++)
		c->list[i] = c->text[i];
}

static void
print_table(const struct port_table *t, const struct filter *f)
{
	struct text_table out;
	struct cells cells;

	text_table_init(&out, titles, COLUMNS);
	for (size_t i = 0; i < t->count; i++) {
		if (!is_wanted(&t->rows[i], f))
			continue;
		fill(&cells, &t->rows[i]);
		text_table_row(&out, cells.list);
	}
	text_table_print(&out, "");
	text_table_finish(&out);
}

static void
print_csv_field(const char *s, bool last)
{
	putchar('"');
	for (; *s != '\0'; s++) {
		if (*s == '"')
			putchar('"');
		putchar(*s);
	}
	fputs(last ? "\"\r\n" : "\",", stdout);
}

/* RFC 4180. */
static void
print_csv(const struct port_table *t, const struct filter *f)
{
	char list[300], port[16];

	fputs("id,owner,protocol,transport,port,from,to,direction,side,"
	      "features,topologies,documents,purpose\r\n",
	    stdout);
	for (size_t i = 0; i < t->count; i++) {
		const struct port_row *r = &t->rows[i];
		const char *names[PORT_TOPOLOGY_COUNT];
		size_t n = 0;

		if (!is_wanted(r, f))
			continue;
		print_csv_field(r->id, false);
		print_csv_field(r->ours ? "sallyport" : "lync", false);
		print_csv_field(r->protocol, false);
		print_csv_field(port_transport_name(r->transport), false);
		port_range_text(port, r->first, r->last);
		print_csv_field(port, false);
		print_csv_field(port_role_name(r->from), false);
		print_csv_field(port_role_name(r->to), false);
		print_csv_field(port_direction_name(r->direction), false);
		print_csv_field(port_side_name(r->side), false);
		join(list, sizeof(list), r->features, r->feature_count);
		print_csv_field(list, false);
		for (unsigned k = 0; k < PORT_TOPOLOGY_COUNT; k++)
			if ((r->topologies >> k & 1) != 0)
				names[n++] =
				    port_topology_name((enum port_topology)k);
		join(list, sizeof(list), names, n);
		print_csv_field(list, false);
		join(list, sizeof(list), r->documents, r->document_count);
		print_csv_field(list, false);
		print_csv_field(r->purpose, true);
	}
}

static void
print_markdown(const struct port_table *t, const struct filter *f)
{
	struct cells cells;

	fputs("| Protocol | Port | From | To | Direction | Side | Feature | "
	      "Purpose | Source |\n"
	      "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
	    stdout);
	for (size_t i = 0; i < t->count; i++) {
		const struct port_row *r = &t->rows[i];

		if (!is_wanted(r, f))
			continue;
		fill(&cells, r);
		for (size_t k = 0; k < COLUMNS; k++)
			printf("| %s ", cells.list[k]);
		fputs("| ", stdout);
		for (size_t k = 0; k < r->document_count; k++)
			printf("%s%s", k > 0 ? "; " : "",
			    port_table_document(t, r->documents[k]));
		fputs(" |\n", stdout);
	}
}

/* The rows as the table's file has them. */
static enum command_exit
print_json(const struct port_table *t, const struct filter *f)
{
	json_t *out = json_object(), *rows = json_array();
	int rc = json_object_set_new(out, "rows", rows);

	for (size_t i = 0; i < t->count; i++)
		if (is_wanted(&t->rows[i], f))
			rc |= json_array_append(rows, port_table_json(t, i));
	if (rc != 0)
		fputs("sallyport: out of memory\n", stderr);
	else
		command_print_json(out);
	json_decref(out);
	return rc == 0 ? COMMAND_OK : COMMAND_REFUSED;
}

static enum command_exit
print(const struct port_table *t, const struct filter *f)
{
	switch (f->form) {
	case TABLE:
		print_table(t, f);
		break;
	case CSV:
		print_csv(t, f);
		break;
	case JSON:
		return print_json(t, f);
	case MARKDOWN:
		print_markdown(t, f);
		break;
	}
	return COMMAND_OK;
}

static void
begin(void *arg)
{
	*(struct filter *)arg =
	    (struct filter){ .topology = -1, .side = -1, .form = TABLE };
}

static enum command_exit
list(void *arg, const struct args *a)
{
	struct filter *f = arg;
	enum command_exit status;
	struct port_table *t;
	char why[1024];

	if (a->json)
		f->form = JSON;
	if (port_table_load(&t, f->table, why, sizeof(why)) < 0) {
		fprintf(stderr, "sallyport: ports: %s\n", why);
		return COMMAND_REFUSED;
	}
	if (f->feature != NULL && !port_table_has_feature(t, f->feature))
		status = args_misused("ports", "no feature %s", f->feature);
	else
		status = print(t, f);
	port_table_free(t);
	return status;
}

enum command_exit
cmd_ports_run(const struct command_opts *opts, int argc, char **argv)
{
	static const struct option options[] = {
		{ "topology", required_argument, NULL, 't' },
		{ "side", required_argument, NULL, 's' },
		{ "feature", required_argument, NULL, 'f' },
		{ "table", required_argument, NULL, 'T' },
		{ "csv", no_argument, NULL, 'c' },
		{ "markdown", no_argument, NULL, 'm' },
		{ NULL, 0, NULL, 0 },
	};
	static const struct args_command command = { .name = "ports",
		.help = help,
		.options = options,
		.size = sizeof(struct filter),
		.begin = begin,
		.take = take,
		.run = list };

	return args_run(&command, opts, argc, argv);
}
