/* sallyport streams: one line for each stream with a partner's server. */
#include <ctype.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "deploy/listing.h"
#include "deploy/text.h"

enum { COLUMNS = 10 };

enum { OPT_PARTNER };

struct request {
	struct api_client_opts where;
	char partner[256]; /* "" = all */
};

static const char help[] =
    "usage: sallyport streams [OPTION]...\n"
    "\n"
    "Lists the streams with partners' servers: those of this host's daemon,\n"
    "which for a gateway are those of its edges.\n"
    "\n"
    "  --partner PATTERN    those with domains of that name; * and ? stand\n"
    "                       for others\n" LISTING_HELP "\n"
    "DIR tells who opened it: in = the partner; in+out, out+in = stanzas go\n"
    "both ways.  UNANSWERED are stanzas that wait for their answer.\n"
    "\n"
    "examples:\n"
    "  sallyport streams --partner fabrikam.example\n"
    "  sallyport streams --json | jq -r '.streams[].peer'\n"
    "\n" LISTING_EXIT;

static const struct option options[] = {
	{ "partner", required_argument, NULL, OPT_PARTNER },
	LISTING_OPTIONS,
	{ NULL, 0, NULL, 0 },
};

static bool
take(void *arg, int c, const char *value)
{
	struct request *r = arg;
	size_t n = strlen(value);

	if (c != OPT_PARTNER)
		return api_args_take(&r->where, c, value);
	if (n == 0 || n >= sizeof(r->partner)) {
		args_misused("streams", "--partner %s is no name", value);
		return false;
	}
	for (size_t i = 0; i <= n; i++)
		r->partner[i] = (char)tolower((unsigned char)value[i]);
	return true;
}

/* --- rows ------------------------------------------------------------------ */

/* "contoso.example - partner.example" and how many more there are. */
static void
describe_pairs(char *out, size_t size, const json_t *stream)
{
	const json_t *pairs = json_object_get(stream, "pairs");
	const json_t *first = json_array_get(pairs, 0);
	const char *local = json_string_value(json_array_get(first, 0));
	const char *remote = json_string_value(json_array_get(first, 1));
	size_t count = json_array_size(pairs);

	if (local == NULL || remote == NULL)
		snprintf(out, size, "none");
	else if (count == 1)
		snprintf(out, size, "%s - %s", local, remote);
	else
		snprintf(out, size, "%s - %s (and %zu more)", local, remote,
		    count - 1);
}

/* "-" when the daemon did not tell. */
static void
describe_count(char *out, size_t size, const json_t *o, const char *key)
{
	if (json_object_get(o, key) == NULL)
		snprintf(out, size, "-");
	else
		snprintf(out, size, "%" PRId64, text_number(o, key));
}

/* Who opened it comes first. */
static const char *
direction_of(const json_t *s)
{
	const char *direction = text_of(s, "direction");

	if (!json_is_true(json_object_get(s, "bidi")))
		return direction;
	return strcmp(direction, "in") == 0 ? "in+out" : "out+in";
}

static void
add_row(struct text_table *t, const json_t *s, void *arg)
{
	char pairs[600], age[32], in[24], out[24], open[24];

	(void)arg;
	describe_pairs(pairs, sizeof(pairs), s);
	text_duration(age, sizeof(age), text_number(s, "age_s"));
	describe_count(in, sizeof(in), s, "stanzas_in");
	describe_count(out, sizeof(out), s, "stanzas_out");
	describe_count(open, sizeof(open), s, "unanswered");
	text_table_row(
	    t, (const char *const[COLUMNS]){ direction_of(s), pairs,
		   text_of(s, "peer"), text_of(s, "auth"), text_of(s, "tls"),
		   text_list(s, "proofs"), age, in, out, open });
}

static bool
fits(const json_t *s, void *arg)
{
	const struct request *r = arg;
	const json_t *pairs = json_object_get(s, "pairs"), *pair;
	size_t i;

	if (r->partner[0] == '\0')
		return true;
	json_array_foreach(pairs, i, pair)
	{
		const char *remote = json_string_value(json_array_get(pair, 1));

		if (remote != NULL &&
		    fnmatch(r->partner, remote, FNM_NOESCAPE) == 0)
			return true;
	}
	return false;
}

/* --- asking ---------------------------------------------------------------- */

static enum command_exit
run(void *arg, const struct args *a)
{
	static const char *const titles[COLUMNS] = { "DIR", "PAIR", "PEER",
		"AUTH", "TLS", "PROOFS", "AGE", "IN", "OUT", "UNANSWERED" };
	struct request *r = arg;
	const struct listing_wish wish = { "filter",
		r->partner[0] != '\0' ? r->partner : NULL };
	const struct listing streams = { .what = "streams",
		.wishes = &wish,
		.wish_count = 1,
		.fits = fits,
		.titles = titles,
		.columns = COLUMNS,
		.add_row = add_row,
		.nothing = "no streams",
		.arg = r };

	return listing_print(&streams, &r->where, a);
}

enum command_exit
cmd_streams_run(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_command command = { .name = "streams",
		.help = help,
		.options = options,
		.size = sizeof(struct request),
		.take = take,
		.run = run };

	return args_run(&command, opts, argc, argv);
}
