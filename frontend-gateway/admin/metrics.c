/*
 * One pass over the table.  Each row says which objects of the status give a
 * sample, and where in them the value stands.
 */
#include "frontend-gateway/admin/metrics.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/histogram.h"

enum type { GAUGE, COUNTER, HISTOGRAM, MICROSECONDS };
enum of { TOP, EDGES, FRONT_ENDS, TRANSACTIONS };

struct row {
	enum type type;
	enum of of;
	const char *name, *help;
	const char *path, *labels;
};

static const struct row rows[] = {
#define METRIC(type, name, help, of, path, labels)                             \
	{ type, of, name, help, path, labels },
#include "frontend-gateway/admin/metric_table.h"
#undef METRIC
};

static const struct {
	const char *array;     /* path of it in the status */
	const char *labels[3]; /* name and member of the label, by turns */
	const char *members[3];
} arrays[] = {
	[TOP] = { .array = NULL },
	[EDGES] = { "edges", { "edge" }, { "name" } },
	[FRONT_ENDS] = { "pool.front_ends", { "front_end" }, { "name" } },
	[TRANSACTIONS] = { "pool.transactions", { "direction", "method" },
	    { "direction", "method" } },
};

/* --- where a value stands ------------------------------------------------- */

/* path's members, up to an '=' if it has one; *wanted is what follows that. */
static const json_t *
find(const json_t *at, const char *path, const char **wanted)
{
	char member[64];
	size_t len;

	*wanted = NULL;
	while (at != NULL && *path != '\0') {
		len = strcspn(path, ".=");
		if (len >= sizeof(member))
			return NULL;
		memcpy(member, path, len);
		member[len] = '\0';
		at = json_object_get(at, member);
		path += len;
		if (*path == '=') {
			*wanted = path + 1;
			break;
		}
		path += *path == '.';
	}
	return at;
}

/* False when there is no number. */
static bool
read_value(uint64_t *out, const json_t *at, const char *wanted)
{
	const char *text = json_string_value(at);

	if (wanted != NULL && text != NULL)
		*out = strcmp(text, wanted) == 0;
	else if (json_is_boolean(at))
		*out = json_is_true(at);
	else if (json_is_integer(at) && json_integer_value(at) >= 0)
		*out = (uint64_t)json_integer_value(at);
	else
		return false;
	return true;
}

/* --- the text --------------------------------------------------------------- */

/* Label values: backslash, quote and newline are escaped. */
static void
put_escaped(struct buf *out, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '\n') {
			(void)buf_add_str(out, "\\n");
			continue;
		}
		if (*s == '\\' || *s == '"')
			(void)buf_add_char(out, '\\');
		(void)buf_add_char(out, *s);
	}
}

/* Braces are the caller's; returns whether any label was put. */
static bool
put_labels(struct buf *out, const struct row *r, const json_t *object)
{
	bool any = false;

	for (int i = 0; arrays[r->of].labels[i] != NULL; i++) {
		const char *value = json_string_value(
		    json_object_get(object, arrays[r->of].members[i]));

		(void)buf_addf(
		    out, "%s%s=\"", any ? "," : "", arrays[r->of].labels[i]);
		put_escaped(out, value != NULL ? value : "");
		(void)buf_add_char(out, '"');
		any = true;
	}
	if (r->labels[0] != '\0') {
		(void)buf_addf(out, "%s%s", any ? "," : "", r->labels);
		any = true;
	}
	return any;
}

static void
put_sample(struct buf *out, const struct row *r, const json_t *object,
    const char *suffix, uint64_t value)
{
	(void)buf_addf(out, "%s%s", r->name, suffix);
	if (r->labels[0] != '\0' || r->of != TOP) {
		(void)buf_add_char(out, '{');
		(void)put_labels(out, r, object);
		(void)buf_add_char(out, '}');
	}
	if (r->type == MICROSECONDS)
		(void)buf_addf(out, " %" PRIu64 ".%06u\n", value / 1000000,
		    (unsigned)(value % 1000000));
	else
		(void)buf_addf(out, " %" PRIu64 "\n", value);
}

static void
put_bucket(struct buf *out, const struct row *r, const json_t *object,
    const char *bound, uint64_t count)
{
	(void)buf_addf(out, "%s_bucket{", r->name);
	if (put_labels(out, r, object))
		(void)buf_add_char(out, ',');
	(void)buf_addf(out, "le=\"%s\"} %" PRIu64 "\n", bound, count);
}

/* "0.25" of 250 ms. */
static void
seconds(char text[static 32], uint64_t ms)
{
	size_t len;

	snprintf(
	    text, 32, "%" PRIu64 ".%03u", ms / 1000, (unsigned)(ms % 1000));
	for (len = strlen(text); text[len - 1] == '0'; len--)
		text[len - 1] = '\0';
	if (text[len - 1] == '.')
		text[len - 1] = '\0';
}

static void
put_histogram(struct buf *out, const struct row *r, const json_t *object,
    const struct histogram *h)
{
	uint64_t count = 0;
	char text[32];

	for (int i = 0; i < HISTOGRAM_BOUNDS; i++) {
		count += h->counts[i];
		seconds(text, histogram_bounds_ms[i]);
		put_bucket(out, r, object, text, count);
	}
	count += h->counts[HISTOGRAM_BOUNDS];
	put_bucket(out, r, object, "+Inf", count);
	seconds(text, h->sum_ms);
	(void)buf_addf(out, "%s_sum", r->name);
	if (r->of != TOP || r->labels[0] != '\0') {
		(void)buf_add_char(out, '{');
		(void)put_labels(out, r, object);
		(void)buf_add_char(out, '}');
	}
	(void)buf_addf(out, " %s\n", text);
	put_sample(out, r, object, "_count", count);
}

static void
put_row(struct buf *out, const struct row *r, const json_t *object)
{
	const char *wanted;
	const json_t *at = find(object, r->path, &wanted);
	struct histogram h;
	uint64_t value;

	if (r->type == HISTOGRAM) {
		if (histogram_read(&h, at) == 0)
			put_histogram(out, r, object, &h);
	} else if (read_value(&value, at, wanted)) {
		put_sample(out, r, object, "", value);
	}
}

static void
put_head(struct buf *out, const struct row *r)
{
	static const char *const types[] = { [GAUGE] = "gauge",
		[COUNTER] = "counter",
		[HISTOGRAM] = "histogram",
		[MICROSECONDS] = "gauge" };

	(void)buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", r->name, r->help,
	    r->name, types[r->type]);
}

int
metrics_write(struct buf *out, const json_t *status)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *r = &rows[i];
		const json_t *object;
		const char *wanted;
		size_t k;

		if (i == 0 || strcmp(r->name, r[-1].name) != 0)
			put_head(out, r);
		if (r->of == TOP)
			put_row(out, r, status);
		else
			json_array_foreach(
			    find(status, arrays[r->of].array, &wanted), k,
			    object) put_row(out, r, object);
	}
	return buf_failed(out) ? ERR_NOMEM : 0;
}
