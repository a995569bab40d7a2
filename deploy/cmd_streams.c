/* sallyport streams */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "deploy/command.h"
#include "deploy/text.h"

enum { COLUMNS = 10 };

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
add_row(struct text_table *t, const json_t *s)
{
	char pairs[600], age[32], in[24], out[24], open[24];

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

enum command_exit
cmd_streams_run(const struct command_opts *opts, int argc, char **argv)
{
	static const char *const titles[COLUMNS] = { "DIR", "PAIR", "PEER",
		"AUTH", "TLS", "PROOFS", "AGE", "IN", "OUT", "UNANSWERED" };
	const json_t *streams;
	enum command_exit status;
	struct text_table t;
	json_t *answer;

	if (argc != 1)
		return command_misused(argv[0]);
	status =
	    command_ask(&answer, opts, json_pack("{s:s}", "verb", "streams"));
	if (status != COMMAND_OK)
		return status;
	streams = json_object_get(answer, "streams");
	if (opts->json) {
		command_print_json(answer);
	} else if (json_array_size(streams) == 0) {
		puts("no streams");
	} else {
		text_table_init(&t, titles, COLUMNS);
		for (size_t i = 0; i < json_array_size(streams); i++)
			add_row(&t, json_array_get(streams, i));
		text_table_print(&t, "");
		text_table_finish(&t);
	}
	json_decref(answer);
	return COMMAND_OK;
}
