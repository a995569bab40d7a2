/* sallyport trace: what passes of somebody's, live, as a ladder of SIP, frames
 * and stanzas. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/buf.h"
#include "deploy/api_args.h"
#include "deploy/event_reader.h"
#include "deploy/text.h"
#include "deploy/trace_ladder.h"

enum { OPT_SECONDS, OPT_WIDE, OPT_FULL };

struct request {
	struct api_client_opts api;
	const char *seconds;
	bool wide, full;
	/* Once it runs. */
	bool json;
	struct trace_ladder ladder;
	struct event_reader events;
	struct buf out;
	bool ended, cut, broken;
};

static const char help[] =
    "usage: sallyport trace WHO... [OPTION]...\n"
    "\n"
    "Follows live what passes of WHO: a user, a contact (an address) or a\n"
    "partner (a domain; the first one of a partner stands for all of his).  "
    "Of\n"
    "two or more, only what concerns all of them.  Each step is a line, with "
    "an\n"
    "arrow between two of partner, edge, gateway and pool.\n"
    "\n"
    "What people write is replaced by its length, unless\n"
    "EnableLoggingAllMessageBodies is on (sallyport gateway-config); an edge\n"
    "shows it only if its own file says \"bodies\" as well.\n"
    "\n"
    "  --seconds N          end after N seconds; default 3600, at most 86400\n"
    "  --full               each message below its arrow\n"
    "  --wide               lines are not cut where the terminal "
    "ends\n" API_ARGS_HELP "\n"
    "Control-C ends it.  With --json each event is an object on a line.\n"
    "\n"
    "examples:\n"
    "  sallyport trace anna@contoso.example\n"
    "  sallyport trace anna@contoso.example bo@partner.example --full\n"
    "  sallyport trace partner.example --seconds 60 --json\n"
    "\n"
    "exit status: 0 ended, 1 refused or cut, 2 wrong usage, 3 no gateway\n"
    "answered or it is gone, 4 not permitted\n";

static const struct option options[] = {
	{ "seconds", required_argument, NULL, OPT_SECONDS },
	{ "wide", no_argument, NULL, OPT_WIDE },
	{ "full", no_argument, NULL, OPT_FULL },
	API_ARGS_OPTIONS,
	{ NULL, 0, NULL, 0 },
};

static bool
take(void *arg, int c, const char *value)
{
	struct request *r = arg;

	switch (c) {
	case OPT_SECONDS:
		r->seconds = value;
		return true;
	case OPT_WIDE:
		r->wide = true;
		return true;
	case OPT_FULL:
		r->full = true;
		return true;
	default:
		return api_args_take(&r->api, c, value);
	}
}

/* --- who ----------------------------------------------------------------------- */

/* NULL after telling. */
static char *
make_path(const struct request *r, struct api_client *c, const struct args *a)
{
	char *path = api_client_path(c, "trace", NULL);
	unsigned users = 0, domains = 0;

	for (int i = 0; i < a->rest_count; i++) {
		const char *who = a->rest[i], *name = "partner";

		if (strchr(who, '@') != NULL)
			name = users++ == 0 ? "user" : "contact";
		else
			domains++;
		path = api_client_query(c, path, name, who);
	}
	if (users > 2 || domains > 1 || a->rest_count == 0) {
		(void)args_misused("trace",
		    a->rest_count == 0
			? "who is to be followed?"
			: "at most two addresses and a domain are possible");
		free(path);
		return NULL;
	}
	if (r->seconds != NULL)
		path = api_client_query(c, path, "seconds", r->seconds);
	return path;
}

/* --- what comes ------------------------------------------------------------------ */

static volatile sig_atomic_t interrupted;

static void
on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

static bool
go_on(void *arg)
{
	(void)arg;
	return !interrupted;
}

/* JSON on one line, of printable ASCII alone. */
static void
add_ascii(struct buf *out, const char *json)
{
	for (; *json != '\0'; json++)
		if (*json == 0x7f)
			buf_add_str(out, "\\u007f");
		else
			buf_add_char(out, *json);
	buf_add_char(out, '\n');
}

/* {"event": ..., and its members} */
static void
add_json(struct buf *out, const char *event, const json_t *data)
{
	json_t *line = json_pack("{s:s}", "event", event);
	char *text = NULL;

	if (line != NULL &&
	    json_object_update(line, (json_t *)(uintptr_t)data) == 0)
		text = json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII);
	if (text != NULL)
		add_ascii(out, text);
	else
		out->failed = true;
	free(text);
	json_decref(line);
}

/* False when there was no memory for it, or nobody reads. */
static bool
print(struct request *r)
{
	bool done = !buf_failed(&r->out);

	if (!done)
		fputs("sallyport: out of memory\n", stderr);
	else if (fwrite(r->out.data, 1, r->out.len, stdout) < r->out.len ||
		 fflush(stdout) != 0)
		done = errno == EINTR;
	buf_clear(&r->out);
	return done;
}

static bool
on_event(const char *event, const char *data, void *arg)
{
	struct request *r = arg;
	json_t *o = json_loads(data, JSON_REJECT_DUPLICATES, NULL);

	if (!json_is_object(o)) {
		json_decref(o);
		r->broken = true;
		return false;
	}
	r->cut |= strcmp(event, "cut") == 0;
	r->ended |= strcmp(event, "end") == 0;
	if (r->json)
		add_json(&r->out, event, o);
	else
		(void)trace_ladder_add(&r->ladder, &r->out, event, o);
	json_decref(o);
	if (r->out.len > 0 || buf_failed(&r->out))
		r->broken |= !print(r);
	return !r->broken;
}

static bool
on_bytes(const char *data, size_t len, void *arg)
{
	struct request *r = arg;

	if (event_reader_feed(&r->events, data, len))
		return true;
	r->broken = true;
	return false;
}

/* --- the whole -------------------------------------------------------------------- */

/* Where lines end; 0: nowhere. */
static size_t
terminal_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) ||
	    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 60)
		return 0;
	return size.ws_col;
}

static void
catch_signals(void)
{
	const struct sigaction action = { .sa_handler = on_signal };

	/* Without SA_RESTART, so that a wait ends. */
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
}

static enum command_exit
verdict(const struct request *r, enum command_exit status)
{
	if (status != COMMAND_OK || interrupted)
		return status;
	if (r->cut || r->broken)
		return COMMAND_REFUSED;
	if (r->ended)
		return COMMAND_OK;
	fputs("sallyport: the gateway is gone\n", stderr);
	return COMMAND_UNREACHABLE;
}

static enum command_exit
follow(struct request *r, struct api_client *c, const char *path)
{
	enum command_exit status;

	catch_signals();
	trace_ladder_init(&r->ladder, r->wide ? 0 : terminal_width(), r->full);
	event_reader_init(&r->events, on_event, r);
	buf_init(&r->out, 0);
	status = api_client_listen(c,
	    &(struct api_client_stream){
		.path = path, .on_bytes = on_bytes, .go_on = go_on, .arg = r });
	if (status == COMMAND_OK && !r->json && !r->broken) {
		(void)trace_ladder_end(&r->ladder, &r->out);
		(void)print(r);
	}
	event_reader_finish(&r->events);
	buf_finish(&r->out);
	return verdict(r, status);
}

static enum command_exit
run(void *arg, const struct args *a)
{
	struct request *r = arg;
	struct api_client *c = NULL;
	enum command_exit status = api_args_open(&c, &r->api, a);
	char *path;

	if (status != COMMAND_OK)
		return status;
	r->json = a->json;
	path = make_path(r, c, a);
	status = path != NULL ? follow(r, c, path) : COMMAND_USAGE;
	free(path);
	api_client_close(c);
	return status;
}

enum command_exit
cmd_trace_run(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_command command = { .name = "trace",
		.help = help,
		.options = options,
		.size = sizeof(struct request),
		.rest = -1,
		.take = take,
		.run = run };

	return args_run(&command, opts, argc, argv);
}
