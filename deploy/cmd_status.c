/*
 * sallyport status - the two daemons have different things to tell; what is
 * not in an answer is not printed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "deploy/listing.h"
#include "deploy/text.h"

typedef void describe_fn(const json_t *row);

static void
describe_all(const char *title, const json_t *list, describe_fn *fn)
{
	if (json_array_size(list) == 0)
		return;
	printf("\n%s\n", title);
	for (size_t i = 0; i < json_array_size(list); i++)
		fn(json_array_get(list, i));
}

static const char *
duration(const json_t *o, const char *key)
{
	static char turns[4][32];
	static size_t turn;

	turn = (turn + 1) % 4;
	text_duration(turns[turn], sizeof(turns[turn]), text_number(o, key));
	return turns[turn];
}

/* --- both --------------------------------------------------------------- */

static void
describe_process(const json_t *p)
{
	printf("  %-10s pid %" PRId64 ", up %s", text_of(p, "name"),
	    text_number(p, "pid"), duration(p, "uptime_s"));
	if (text_number(p, "restarts") > 0)
		printf(", started again %" PRId64 " times",
		    text_number(p, "restarts"));
	putchar('\n');
}

static void
describe_failure(const json_t *f)
{
	printf("  %s %s, %s ago",
	    text_of(f, "remote")[0] != '\0' ? text_of(f, "remote")
					    : "unknown domain",
	    strcmp(text_of(f, "direction"), "in") == 0 ? "to us" : "from us",
	    duration(f, "ago_s"));
	if (text_number(f, "count") > 1)
		printf(" (%" PRId64 " times)", text_number(f, "count"));
	if (text_of(f, "peer")[0] != '\0')
		printf(", %s", text_of(f, "peer"));
	printf(": %s\n", text_of(f, "reason"));
}

/* Groups of numbers, one line each: "inward: stanzas 12, delivered 12". */
static void
describe_counters(json_t *counters)
{
	const char *group, *name;
	json_t *members, *value;

	if (json_object_size(counters) == 0)
		return;
	puts("\ncounters");
	json_object_foreach(counters, group, members)
	{
		const char *comma = "";

		printf("  %s:", group);
		json_object_foreach(members, name, value)
		{
			if (!json_is_integer(value))
				continue;
			printf("%s %s %" PRId64, comma, name,
			    (int64_t)json_integer_value(value));
			comma = ",";
		}
		putchar('\n');
	}
}

/* --- the edge ----------------------------------------------------------- */

static void
describe_doors(const json_t *doors)
{
	if (doors == NULL)
		return;
	if (json_is_true(json_object_get(doors, "open")))
		printf("partners    may connect to %s\n",
		    text_list(doors, "listen"));
	else
		printf("partners    may not connect to %s: %s\n",
		    text_list(doors, "listen"), text_of(doors, "why"));
	if (json_array_size(json_object_get(doors, "direct_listen")) > 0)
		printf(
		    "direct TLS  at %s\n", text_list(doors, "direct_listen"));
}

static void
describe_gateway(const json_t *g)
{
	printf("  %s: ", text_of(g, "node"));
	if (json_is_true(json_object_get(g, "up")))
		printf("up for %s, epoch %" PRId64 ", generation %" PRId64
		       ", %" PRId64 " frames unanswered\n",
		    duration(g, "since_s"), text_number(g, "epoch"),
		    text_number(g, "generation"), text_number(g, "unanswered"));
	else if (json_object_get(g, "since_s") != NULL)
		printf("away for %s\n", duration(g, "since_s"));
	else
		puts("has not been here");
	if (text_list(g, "domains")[0] != '\0')
		printf("    serves %s\n", text_list(g, "domains"));
	if (text_list(g, "fenced")[0] != '\0')
		printf("    FENCED, another gateway with a higher epoch is "
		       "obeyed: %s\n",
		    text_list(g, "fenced"));
}

static void
describe_backoff(const json_t *r)
{
	printf("  %s -> %s: next attempt possible in %s (%" PRId64
	       " failures): %s\n",
	    text_of(r, "local"), text_of(r, "remote"), duration(r, "next_s"),
	    text_number(r, "failures"), text_of(r, "reason"));
}

/* --- the gateway -------------------------------------------------------- */

static void
describe_edge(const json_t *e)
{
	printf("  %s: ", text_of(e, "name"));
	if (!json_is_true(json_object_get(e, "up")))
		printf("not connected for %s: %s\n", duration(e, "since_s"),
		    text_of(e, "why"));
	else
		printf("up for %s, configuration %s%s, %" PRId64
		       " streams, %" PRId64 " frames unanswered\n",
		    duration(e, "since_s"), text_of(e, "configuration"),
		    json_is_true(json_object_get(e, "draining")) ? ", DRAINING"
								 : "",
		    text_number(e, "streams"), text_number(e, "unanswered"));
	if (text_list(e, "fenced")[0] != '\0')
		printf("    FENCED, it obeys another gateway with a higher "
		       "epoch: %s\n",
		    text_list(e, "fenced"));
}

static void
describe_contacts(const json_t *c)
{
	const char *store = text_of(c, "store");

	if (c == NULL)
		return;
	printf("contacts    %" PRId64 ", watched by %" PRId64
	       " endpoints; %" PRId64 " watch\n",
	    text_number(c, "pairs"), text_number(c, "dialogs"),
	    text_number(c, "watching"));
	if (strcmp(store, "well") != 0)
		printf(
		    "            STORE: %s, no new contact is taken\n", store);
	if (text_number(c, "partners_away") > 0)
		printf("            %" PRId64 " partners cannot be reached\n",
		    text_number(c, "partners_away"));
}

static void
describe_pool(const json_t *pool)
{
	if (pool == NULL)
		return;
	printf("pool        %s, %s: %" PRId64 " connections, %" PRId64
	       " dialogs, %" PRId64 " requests in, %" PRId64 " out\n",
	    text_of(pool, "name"),
	    json_is_true(json_object_get(pool, "reachable")) ? "reachable"
							     : "NOT REACHABLE",
	    text_number(pool, "connections"), text_number(pool, "dialogs"),
	    text_number(pool, "requests_in"),
	    text_number(pool, "requests_out"));
}

static void
describe_chats(const json_t *a)
{
	const json_t *repeats = json_object_get(a, "repeats");

	if (json_object_get(a, "conversations") == NULL)
		return;
	printf("chats       %" PRId64 ", %" PRId64
	       " messages waiting for an answer\n",
	    text_number(a, "conversations"), text_number(a, "pending"));
	if (text_number(a, "late_failures") > 0)
		printf("            %" PRId64
		       " messages of Lync users failed behind their 200\n",
		    text_number(a, "late_failures"));
	if (text_number(repeats, "sent_again") > 0)
		printf("            %" PRId64
		       " messages sent again in a new dialog, %" PRId64
		       " of them perhaps seen twice\n",
		    text_number(repeats, "sent_again"),
		    text_number(repeats, "doubled"));
}

/* "fe1.contoso.example: serving for 2 h, connections 1 of 1 out, 2 in ..." */
static void
describe_front_end(const json_t *f)
{
	const json_t *failure = json_object_get(f, "failure");
	const char *state = text_of(f, "state");
	bool well = strcmp(state, "serving") == 0;

	if (strcmp(state, "pool") == 0) {
		printf("  %s: %" PRId64 " connections under the pool's name\n",
		    text_of(f, "name"), text_number(f, "in"));
		return;
	}
	printf("  %s: %s for %s, connections %" PRId64 " of %" PRId64
	       " out, %" PRId64 " in, requests %" PRId64 ", failed %" PRId64
	       "\n",
	    text_of(f, "name"), state, duration(f, "since_s"),
	    text_number(f, "out"), text_number(f, "out_wanted"),
	    text_number(f, "in"), text_number(f, "requests"),
	    text_number(f, "failures"));
	if (failure != NULL)
		printf("    last trouble %s ago: %s\n",
		    duration(failure, "ago_s"), text_of(failure, "reason"));
	if (!well && text_number(f, "next_s") > 0)
		printf("    %s in %s\n",
		    strcmp(state, "resting") == 0 ? "gets new chats again"
						  : "called again",
		    duration(f, "next_s"));
}

/* --- certificates ------------------------------------------------------- */

static void
describe_list(const json_t *l)
{
	char left[32];
	int64_t s = text_number(l, "until_s") - (int64_t)time(NULL);

	printf("  %s: %s", text_of(l, "url"), text_of(l, "state"));
	if (s > 0) {
		text_duration(left, sizeof(left), s);
		printf(", %" PRId64 " revoked, good for %s",
		    text_number(l, "revoked"), left);
	}
	if (text_of(l, "why")[0] != '\0')
		printf(" (%s)", text_of(l, "why"));
	putchar('\n');
}

static void
describe_staple(const json_t *p)
{
	char left[32];

	if (json_is_true(json_object_get(p, "stapled"))) {
		text_duration(left, sizeof(left),
		    text_number(p, "until_s") - (int64_t)time(NULL));
		printf("  %s: from the %s, good for %s\n",
		    text_of(p, "certificate"), text_of(p, "from"), left);
	} else {
		printf("  %s: none: %s\n", text_of(p, "certificate"),
		    text_of(p, "why"));
	}
}

static void
describe_revocation(const json_t *r)
{
	if (r == NULL)
		return;
	printf("revocation  %s: %" PRId64 " chains good, %" PRId64
	       " revoked, %" PRId64 " unknown%s\n",
	    text_of(r, "failure"), text_number(r, "good"),
	    text_number(r, "revoked"), text_number(r, "unknown"),
	    json_is_true(json_object_get(r, "fetcher"))
		? ""
		: "; the fetcher is not there");
}

/* --- the whole ---------------------------------------------------------- */

static void
describe(const json_t *a)
{
	const json_t *streams = json_object_get(a, "streams");
	const json_t *revocation = json_object_get(a, "revocation");

	printf("%s %s, version %s, %s, up %s\n", text_of(a, "daemon"),
	    text_of(a, "node"), text_of(a, "version"), text_of(a, "state"),
	    duration(a, "uptime_s"));
	describe_doors(json_object_get(a, "doors"));
	if (json_array_size(json_object_get(a, "inner")) > 0)
		printf(
		    "gateways    may connect to %s\n", text_list(a, "inner"));
	if (json_array_size(json_object_get(a, "hosted")) > 0)
		printf("hosted      %s (epoch %" PRId64 ", generation %" PRId64
		       ")\n",
		    text_list(a, "hosted"), text_number(a, "epoch"),
		    text_number(a, "generation"));
	describe_pool(json_object_get(a, "pool"));
	describe_contacts(json_object_get(a, "presence"));
	describe_chats(a);
	if (streams != NULL)
		printf("streams     %" PRId64 " in, %" PRId64 " out\n",
		    text_number(streams, "in"), text_number(streams, "out"));
	describe_revocation(revocation);
	describe_all(
	    "processes", json_object_get(a, "processes"), describe_process);
	describe_all(
	    "gateways", json_object_get(a, "gateways"), describe_gateway);
	describe_all("edges", json_object_get(a, "edges"), describe_edge);
	describe_all("front ends",
	    json_object_get(json_object_get(a, "pool"), "front_ends"),
	    describe_front_end);
	describe_all("revocation lists", json_object_get(revocation, "lists"),
	    describe_list);
	describe_all("answers stapled to our certificates",
	    json_object_get(revocation, "staples"), describe_staple);
	describe_all("routes in back-off", json_object_get(a, "backoff"),
	    describe_backoff);
	describe_all("recent failures", json_object_get(a, "failures"),
	    describe_failure);
	describe_counters(json_object_get(a, "counters"));
}

/* --- asking ---------------------------------------------------------------- */

static const char help[] =
    "usage: sallyport status [OPTION]...\n"
    "\n"
    "Tells what the daemon on this host does, and what keeps it from it.\n"
    "\n" LISTING_HELP "\n"
    "examples:\n"
    "  sallyport status\n"
    "  sallyport status --url https://gw1.contoso.example:8443 \\\n"
    "      --token-file /root/sallyport.token\n"
    "\n" LISTING_EXIT;

static const struct option options[] = {
	LISTING_OPTIONS,
	{ NULL, 0, NULL, 0 },
};

static bool
take(void *arg, int c, const char *value)
{
	return api_args_take(arg, c, value);
}

static enum command_exit
run(void *arg, const struct args *a)
{
	json_t *answer;
	enum command_exit status = listing_ask(&answer, "status", arg, a);

	if (status != COMMAND_OK)
		return status;
	if (a->json)
		command_print_json(answer);
	else
		describe(answer);
	json_decref(answer);
	return COMMAND_OK;
}

enum command_exit
cmd_status_run(const struct command_opts *opts, int argc, char **argv)
{
	static const struct args_command command = { .name = "status",
		.help = help,
		.options = options,
		.size = sizeof(struct api_client_opts),
		.take = take,
		.run = run };

	return args_run(&command, opts, argc, argv);
}
