#include "deploy/trace_ladder.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/buf.h"
#include "common/err.h"
#include "deploy/text.h"

enum {
	RAILS = 4, /* partner, edge, gateway, pool */
	LINE_SIZE = 2048,
	CALL_SHOWN = 8 /* characters of a Call-ID */
};

static const char title[] = "TIME (UTC)    partner  edge     gateway  pool\n";

void
trace_ladder_init(struct trace_ladder *l, size_t width, bool full)
{
	*l = (struct trace_ladder){ .width = width, .full = full };
}

/* --- a line ------------------------------------------------------------------- */

/* Adds a line, cut between characters where the terminal ends. */
static void
add_cut(const struct trace_ladder *l, struct buf *out, const char *line)
{
	size_t columns = 0, at = 0, fits = 0;

	while (line[at] != '\0') {
		do
			at++;
		while (((unsigned char)line[at] & 0xc0) == 0x80);
		columns++;
		if (l->width == 0 || columns + 3 <= l->width)
			fits = at;
	}
	if (l->width == 0 || columns <= l->width)
		fits = at;
	buf_add(out, line, fits);
	buf_add_str(out, fits < at ? "...\n" : "\n");
}

static void
write_time(char out[static 16], const json_t *data)
{
	const int64_t ms = text_number(data, "at_ms");
	const time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	if (ms <= 0 || gmtime_r(&seconds, &tm) == NULL)
		snprintf(out, 16, "--:--:--.---");
	else
		snprintf(out, 16, "%02u:%02u:%02u.%03u",
		    (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
		    (unsigned)tm.tm_sec % 100, (unsigned)(ms % 1000));
}

/* Between the rail of that number and the next. */
static void
add_step(const struct trace_ladder *l, struct buf *out, const json_t *data,
    unsigned rail, const char *arrow, const char *what)
{
	char line[LINE_SIZE], when[16];
	size_t n;

	write_time(when, data);
	n = (size_t)snprintf(line, sizeof(line), "%s  |", when);
	for (unsigned i = 0; i + 1 < RAILS; i++)
		n += (size_t)snprintf(line + n, sizeof(line) - n, "%s|",
		    i == rail ? arrow : "        ");
	snprintf(line + n, sizeof(line) - n, "  %s", what);
	add_cut(l, out, line);
}

static const char *
arrow_of(const json_t *data)
{
	return strcmp(text_of(data, "direction"), "inward") == 0 ? "------->"
								 : "<-------";
}

/* Below an arrow, cleaned. */
static void
add_below(struct buf *out, const char *s, size_t len)
{
	char *line = strndup(s, len), *clean = malloc(len + 1);

	if (line == NULL || clean == NULL) {
		out->failed = true;
	} else {
		text_clean(clean, len + 1, line);
		buf_addf(out, "                %s\n", clean);
	}
	free(line);
	free(clean);
}

/* Each line of a text. */
static void
add_text(const struct trace_ladder *l, struct buf *out, const json_t *data)
{
	const char *s = json_string_value(json_object_get(data, "text"));

	while (l->full && s != NULL && *s != '\0') {
		const size_t n = strcspn(s, "\n");

		add_below(out, s, n);
		s += n + (s[n] == '\n');
	}
	if (l->full && json_is_true(json_object_get(data, "cut")))
		buf_add_str(out, "                ...\n");
}

/* --- what it was ---------------------------------------------------------------- */

/* " (edge2)" when it is another than the first. */
static const char *
other(char *first, const json_t *data, const char *key, char *out, size_t size)
{
	const char *name = text_of(data, key);

	out[0] = '\0';
	if (first[0] == '\0')
		snprintf(first, TRACE_LADDER_NAME_SIZE, "%s", name);
	else if (strcmp(first, name) != 0)
		snprintf(out, size, " (%.100s)", name);
	return out;
}

/* A member with something before it; "" when there is none. */
static const char *
member(char *out, size_t size, const json_t *o, const char *key,
    const char *before)
{
	const char *s = text_of(o, key);

	snprintf(out, size, "%s%s", s[0] != '\0' ? before : "", s);
	return out;
}

static const char *
children_of(const json_t *data, char *out, size_t size)
{
	const char *list = text_list(data, "children");

	snprintf(out, size, list[0] != '\0' ? " (%s)" : "%s", list);
	return out;
}

static void
add_stanza(struct trace_ladder *l, struct buf *out, const json_t *data)
{
	char what[LINE_SIZE], type[80], id[160], error[80], children[512],
	    edge[128];

	l->stanzas++;
	snprintf(what, sizeof(what), "%s%s %s -> %s%s%s%s%s",
	    text_of(data, "name"),
	    member(type, sizeof(type), data, "type", " "),
	    text_of(data, "from"), text_of(data, "to"),
	    member(id, sizeof(id), data, "id", " id "),
	    member(error, sizeof(error), data, "condition", ": "),
	    children_of(data, children, sizeof(children)),
	    other(l->edge, data, "edge", edge, sizeof(edge)));
	add_step(l, out, data, 0, arrow_of(data), what);
	add_text(l, out, data);
}

static void
add_stream(struct trace_ladder *l, struct buf *out, const json_t *data)
{
	char what[LINE_SIZE], edge[128];

	snprintf(what, sizeof(what), "stream %s -> %s: %s%s",
	    text_of(data, "from"), text_of(data, "to"), text_of(data, "text"),
	    other(l->edge, data, "edge", edge, sizeof(edge)));
	add_step(l, out, data, 0, "~~~~~~~~", what);
}

static void
add_result(struct trace_ladder *l, struct buf *out, const json_t *data)
{
	char what[LINE_SIZE], proof[64], condition[80], text[1100], edge[128];

	snprintf(what, sizeof(what), "#%" PRId64 " %s%s%s%s%s",
	    text_number(data, "seq"), text_of(data, "status"),
	    member(proof, sizeof(proof), data, "proof", ", proof: "),
	    member(condition, sizeof(condition), data, "condition", ": "),
	    member(text, sizeof(text), data, "text", ": "),
	    other(l->edge, data, "edge", edge, sizeof(edge)));
	add_step(l, out, data, 1, arrow_of(data), what);
}

/* "name: value", to be freed. */
static char *
field_line(const char *name, const json_t *value)
{
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	char *line = NULL;

	if (text != NULL && asprintf(&line, "%s: %s", name, text) < 0)
		line = NULL;
	free(text);
	return line;
}

static void
add_fields(const struct trace_ladder *l, struct buf *out, const json_t *data)
{
	const json_t *fields = json_object_get(data, "fields"), *value;
	const char *name;

	if (!l->full)
		return;
	json_object_foreach((json_t *)(uintptr_t)fields, name, value)
	{
		char *text = field_line(name, value);

		if (text == NULL)
			out->failed = true;
		else
			add_below(out, text, strlen(text));
		free(text);
	}
}

static void
add_frame(struct trace_ladder *l, struct buf *out, const json_t *data)
{
	const json_t *fields = json_object_get(data, "fields");
	char what[LINE_SIZE], kind[64], request[64], id[160], edge[128];

	l->frames++;
	if (strcmp(text_of(data, "type"), "result") == 0) {
		add_result(l, out, data);
		return;
	}
	snprintf(what, sizeof(what), "#%" PRId64 " %s%s%s %s -> %s%s%s",
	    text_number(data, "seq"), text_of(data, "type"),
	    member(kind, sizeof(kind), fields, "kind", " "),
	    member(request, sizeof(request), fields, "request", " "),
	    text_of(data, "from"), text_of(data, "to"),
	    member(id, sizeof(id), fields, "id", " id "),
	    other(l->edge, data, "edge", edge, sizeof(edge)));
	add_step(l, out, data, 1, arrow_of(data), what);
	add_fields(l, out, data);
}

static void
add_sip(struct trace_ladder *l, struct buf *out, const json_t *data)
{
	const int64_t status = text_number(data, "status");
	const int64_t diagnostics = text_number(data, "diagnostics");
	char what[LINE_SIZE], more[64] = "", peer[128];
	const char *call = text_of(data, "call_id");

	l->sip++;
	other(l->peer, data, "peer", peer, sizeof(peer));
	if (diagnostics > 0)
		snprintf(more, sizeof(more), ", ms-diagnostics %" PRId64,
		    diagnostics);
	if (status > 0)
		snprintf(what, sizeof(what),
		    "%" PRId64 " %s%s to %s, call %.*s%s", status,
		    text_of(data, "reason"), more, text_of(data, "cseq"),
		    CALL_SHOWN, call, peer);
	else if (json_object_get(data, "method") != NULL)
		snprintf(what, sizeof(what), "%s %s -> %s, call %.*s%s%s",
		    text_of(data, "method"), text_of(data, "from"),
		    text_of(data, "to"), CALL_SHOWN, call, more, peer);
	else
		snprintf(what, sizeof(what), "unreadable %s -> %s%s",
		    text_of(data, "from"), text_of(data, "to"), peer);
	add_step(l, out, data, 2, arrow_of(data), what);
	add_text(l, out, data);
}

/* --- what is no step -------------------------------------------------------------- */

static const char *
shown_or_not(const json_t *data)
{
	return json_is_true(json_object_get(data, "bodies")) ? "shown"
							     : "not shown";
}

static void
add_ready(struct trace_ladder *l, struct buf *out, const json_t *data)
{
	(void)l;
	buf_addf(out, "-- watching%s%s%s%s%s%s; what people wrote is %s\n",
	    json_object_get(data, "user") != NULL ? " " : "",
	    text_of(data, "user"),
	    json_object_get(data, "contact") != NULL ? " " : "",
	    text_of(data, "contact"),
	    json_array_size(json_object_get(data, "partner")) > 0 ? " " : "",
	    text_list(data, "partner"), shown_or_not(data));
	buf_add_str(out, title);
}

static void
add_missed(struct trace_ladder *l, struct buf *out, const json_t *data)
{
	const int64_t count = text_number(data, "count");

	l->missed += count > 0 ? (uint64_t)count : 0;
	buf_addf(out, "-- %" PRId64 " are missing here: too many for %s\n",
	    count, text_of(data, "by"));
}

static void
add_bodies(struct trace_ladder *l, struct buf *out, const json_t *data)
{
	(void)l;
	buf_addf(out, "-- from here on what people wrote is %s\n",
	    shown_or_not(data));
}

static void
add_end(struct trace_ladder *l, struct buf *out, const json_t *data)
{
	(void)l;
	buf_addf(out, "-- the end: %s\n", text_of(data, "reason"));
}

int
trace_ladder_add(struct trace_ladder *l, struct buf *out, const char *event,
    const json_t *data)
{
	static const struct {
		const char *event;
		void (*add)(struct trace_ladder *l, struct buf *out,
		    const json_t *data);
	} rows[] = {
		{ "ready", add_ready },
		{ "stanza", add_stanza },
		{ "stream", add_stream },
		{ "frame", add_frame },
		{ "sip", add_sip },
		{ "missed", add_missed },
		{ "bodies", add_bodies },
		{ "end", add_end },
		{ "cut", add_end },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].event, event) == 0)
			rows[i].add(l, out, data);
	return buf_failed(out) ? ERR_NOMEM : 0;
}

int
trace_ladder_end(const struct trace_ladder *l, struct buf *out)
{
	buf_addf(out,
	    "-- %" PRIu64 " stanzas, %" PRIu64 " frames, %" PRIu64
	    " SIP messages",
	    l->stanzas, l->frames, l->sip);
	if (l->missed > 0)
		buf_addf(out, "; %" PRIu64 " missed", l->missed);
	buf_add_char(out, '\n');
	return buf_failed(out) ? ERR_NOMEM : 0;
}
