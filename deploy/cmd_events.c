/* sallyport events: what the event_id of a log line means. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/events.h"
#include "deploy/args.h"
#include "deploy/command.h"
#include "deploy/text.h"

enum { COLUMNS = 5 };

struct wish {
	bool manual;
};

static const char *const titles[COLUMNS] = { "NUMBER", "SEVERITY", "COMPONENT",
	"EVENT", "MEANING" };

static const char help[] =
    "usage: sallyport events [OPTION]... [NUMBER|EVENT]...\n"
    "\n"
    "Tells what the event_id of a log line means, and what to do about it.\n"
    "Without a number or name: all of them.\n"
    "\n"
    "  --manual      as the page sallyport-events(7)\n"
    "  --json        for scripts\n"
    "  --help        this text\n"
    "\n"
    "examples:\n"
    "  sallyport events 2402\n"
    "  sallyport events stream-end\n"
    "  sallyport --json events | jq '.events[] | select(.advice != \"\")'\n"
    "\n"
    "exit status: 0 done, 1 no such event, 2 wrong usage\n";

static const char *
severity_str(const struct event_row *r)
{
	static const char *const names[] = { [LOG_ERROR] = "error",
		[LOG_WARN] = "warn",
		[LOG_INFO] = "info",
		[LOG_DEBUG] = "debug" };

	return names[r->severity];
}

static const char *
component_str(const struct event_row *r)
{
	return r->component[0] == '*' ? "any" : r->component;
}

static bool
is_named(const struct event_row *r, const char *name)
{
	char number[16];

	snprintf(number, sizeof(number), "%u", r->number);
	return strcmp(name, number) == 0 || strcmp(name, r->event) == 0;
}

static bool
is_wanted(const struct event_row *r, const struct args *a)
{
	for (int i = 0; i < a->rest_count; i++)
		if (is_named(r, a->rest[i]))
			return true;
	return a->rest_count == 0;
}

/* --- forms ---------------------------------------------------------------- */

static void
print_table(void)
{
	struct text_table out;

	text_table_init(&out, titles, COLUMNS);
	for (size_t i = 0; i < events_count; i++) {
		const struct event_row *r = &events_rows[i];
		char number[16];
		const char *cells[COLUMNS] = { number, severity_str(r),
			component_str(r), r->event, r->text };

		snprintf(number, sizeof(number), "%u", r->number);
		text_table_row(&out, cells);
	}
	text_table_print(&out, "");
	text_table_finish(&out);
}

static void
print_one(const struct event_row *r)
{
	printf("%u  %s %s %s\n    %s\n", r->number, severity_str(r),
	    component_str(r), r->event, r->text);
	if (r->advice[0] != '\0')
		printf("    %s\n", r->advice);
}

static enum command_exit
print_json(const struct args *a)
{
	json_t *out = json_object(), *all = json_array();
	int rc = json_object_set_new(out, "events", all);

	for (size_t i = 0; i < events_count; i++) {
		const struct event_row *r = &events_rows[i];

		if (is_wanted(r, a))
			rc |= json_array_append_new(
			    all, json_pack("{s:i,s:s,s:s,s:s,s:s,s:s}",
				     "number", (int)r->number, "severity",
				     severity_str(r), "component",
				     component_str(r), "event", r->event,
				     "text", r->text, "advice", r->advice));
	}
	if (rc != 0)
		fputs("sallyport: out of memory\n", stderr);
	else
		command_print_json(out);
	json_decref(out);
	return rc == 0 ? COMMAND_OK : COMMAND_REFUSED;
}

/* Text for troff: a hyphen stays one, a leading dot is no request. */
static void
print_troff(const char *s)
{
	if (*s == '.' || *s == '\'')
		fputs("\\&", stdout);
	for (; *s != '\0'; s++) {
		if (*s == '-' || *s == '\\')
			putchar('\\');
		putchar(*s);
	}
	putchar('\n');
}

static void
print_manual(void)
{
	fputs(".\\\" Made by `sallyport events --manual`.\n"
	      ".TH SALLYPORT\\-EVENTS 7 \"\" Sallyport\n"
	      ".SH NAME\n"
	      "sallyport\\-events \\- what the event_id of a log line means\n"
	      ".SH DESCRIPTION\n"
	      "Each line of level info or above in the logs of\n"
	      ".BR sallyport\\-edge (8)\nand\n"
	      ".BR sallyport\\-gateway (8)\n"
	      "ends with\n.BR event_id= .\n"
	      "The number is the event's for ever; words may change, and\n"
	      "alarms are best tied to numbers.\n"
	      ".B sallyport events\n.I NUMBER\n"
	      "tells the same as this page.\n"
	      ".SH EVENTS\n",
	    stdout);
	for (size_t i = 0; i < events_count; i++) {
		const struct event_row *r = &events_rows[i];

		printf(".TP\n.B %u ", r->number);
		printf("(%s) %s ", severity_str(r), component_str(r));
		print_troff(r->event);
		print_troff(r->text);
		if (r->advice[0] != '\0')
			print_troff(r->advice);
	}
	fputs(".SH SEE ALSO\n.BR sallyport (8)\n", stdout);
}

static enum command_exit
print_named(const struct args *a)
{
	for (int k = 0; k < a->rest_count; k++) {
		bool any = false;

		for (size_t i = 0; i < events_count; i++) {
			if (!is_named(&events_rows[i], a->rest[k]))
				continue;
			print_one(&events_rows[i]);
			any = true;
		}
		if (!any) {
			fprintf(stderr, "sallyport: events: no event %s\n",
			    a->rest[k]);
			return COMMAND_REFUSED;
		}
	}
	return COMMAND_OK;
}

static bool
take(void *arg, int c, const char *value)
{
	struct wish *w = arg;

	(void)c;
	(void)value;
	w->manual = true;
	return true;
}

static void
begin(void *arg)
{
	*(struct wish *)arg = (struct wish){ .manual = false };
}

static enum command_exit
list(void *arg, const struct args *a)
{
	const struct wish *w = arg;

	if (a->json)
		return print_json(a);
	if (w->manual)
		print_manual();
	else if (a->rest_count > 0)
		return print_named(a);
	else
		print_table();
	return COMMAND_OK;
}

enum command_exit
cmd_events_run(const struct command_opts *opts, int argc, char **argv)
{
	static const struct option options[] = {
		{ "manual", no_argument, NULL, 'm' },
		{ NULL, 0, NULL, 0 },
	};
	static const struct args_command command = { .name = "events",
		.help = help,
		.options = options,
		.size = sizeof(struct wish),
		.rest = -1,
		.begin = begin,
		.take = take,
		.run = list };

	return args_run(&command, opts, argc, argv);
}
